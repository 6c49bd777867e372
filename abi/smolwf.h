/* The ABI as it was at the last `make header`, which adds what is new and no more. */
#ifndef SMOLWF_H
#define SMOLWF_H
#include <stddef.h>
#include <stdint.h>
#define SW_OK 0
#define SW_NONE 1
#define SW_TIMEOUT 2
#define SW_REPLAYED 3
#define SW_EXISTS 4
#define SW_SUSPEND 5
#define SW_FAILED 6
#define SW_ERR_MISUSE -1
#define SW_ERR_INVALID -2
#define SW_ERR_NOT_FOUND -3
#define SW_ERR_TOO_BIG -5
#define SW_ERR_UNSUPPORTED -6
#define SW_ERR_CLOSED -7
#define SW_ERR_FORKED -8
#define SW_ERR_SECOND_COPY -9
#define SW_ERR_LEASE_LOST -20
#define SW_ERR_CANCELLED -21
#define SW_ERR_NONDETERMINISM -22
#define SW_ERR_CONFLICT -23
#define SW_ERR_SCHEMA_OLD -24
#define SW_ERR_SCHEMA_NEW -25
#define SW_ERR_SCHEMA_FOREIGN -26
#define SW_ERR_TARGET_OLDER -27
#define SW_ERR_BUDGET -28
#define SW_ERR_SCHEMA_EDITED -29
#define SW_ERR_MOVED -30
#define SW_ERR_BUSY -40
#define SW_ERR_IO -41
#define SW_ERR_FULL -42
#define SW_ERR_READONLY -43
#define SW_ERR_CORRUPT -44
#define SW_ERR_NOMEM -45
#define SW_ERR_NOT_A_STORE -46
#define SW_ERR_CANNOT_OPEN -47
#define SW_ERR_INTERNAL -60
#define SW_ERR_PANIC -61
#define SW_ERR_POISONED -62
#define SW_ERR_WAL_LOST -63
#define SW_ABI_VERSION 0
#define SW_VERSION_MAJOR 0
#define SW_VERSION_MINOR 1
#define SW_VERSION_PATCH 0
#define SW_VERSION_NUMBER 256
#define SW_NTS 18446744073709551615ull
#define SW_FOREVER -1
#define SW_ID_CAP 64
#define SW_LEASE_WHILE_ALIVE 4294967295u
#define SW_DURABILITY_POWER 1
#define SW_DURABILITY_PROCESS 2
#define SW_KILL_BEFORE_COMMIT 1
#define SW_KILL_AFTER_COMMIT 2
#define SW_NAME_BYTES_MAX 255
#define SW_KEY_BYTES_MAX 1024
#define SW_PAYLOAD_BYTES_MAX 536870912
#define SW_JSON_DEPTH_MAX 100
#define SW_FILE_BYTES_MAX 504
#define SW_STRUCT_SIZE_MAX 4096
#define SW_DURATION_MS_MAX 3162240000000
#define SW_INSTANT_MS_MAX 253402300799999
#define SW_BUSY_TIMEOUT_MS_MAX 86400000
#define SW_LEASE_MS_MIN 1000
#define SW_LEASE_MS_MAX 3600000
#define SW_READERS_MAX 64
#define SW_TRIES_MAX 1000000
#define SW_BACKOFF_PERCENT_MAX 10000
#define SW_OCCURRENCE_MAX 1000000000
#define SW_MANY_MAX 10000
#define SW_WAITS_MAX 10000
#define SW_WAITS_PARKED_MAX 100000
#define SW_PAGE_LEN_MAX 10000
#define SW_EVENT_PAGE_BYTES 16777216
#define SW_EVENT_TYPES_MAX 64
#define SW_EVENTS_LOOKED_MAX 10000
#define SW_WAITING_SHOWN_MAX 100
#define SW_BUDGET_UNITS_MAX 64
#define SW_BUDGET_UNITS_OF_TREE_MAX 256
#define SW_BUDGET_TOTALS_MAX 1000
#define SW_RESERVATIONS_OPEN_MAX 1000
#define SW_SCHEDULES_MAX 10000
#define SW_SCHEDULE_SPEC_BYTES_MAX 65536
#define SW_SCHEDULE_CATCH_UP_MAX 1000
#define SW_SCHEDULE_GRACE_MS 60000
#define SW_CHECK_FAULTS_MAX 20
#define SW_LIST_LEN_MAX 1000
#define SW_LIST_LOOKS_MAX 16384
#define SW_LIST_GATHER_MAX 8192
#define SW_FILTER_BYTES_MAX 65536
#define SW_FILTER_METADATA_MAX 16
#define SW_COUNT_MAX 1000000000
#define SW_METADATA_BYTES_MAX 65536
#define SW_PRUNE_LEN_MAX 100000
#define SW_POLICY_BYTES_MAX 65536
#define SW_POLICY_WORKFLOWS_MAX 1000
#define SW_KEEP_NEWEST_MAX 10000
#define SW_COMPACT_PAGES_MAX 1000000
#define SW_CARRY_RUNS_MAX 20000
#define SW_CARRY_ROWS_MAX 200000
#define SW_CARRY_BYTES_MAX 134217728
#define SW_TASKS_COUNTED_MAX 10000
#define SW_OUTCOMES_COUNTED_MAX 100000
#define SW_LANES_SHOWN_MAX 10000
#define SW_LANES_EXPLAINED_MAX 1000
#define SW_FULL_SHOWN_MAX 100
#define SW_HOLDERS_SHOWN_MAX 10
#define SW_AHEAD_COUNTED_MAX 1000
#define SW_SQL_TEXT_BYTES_MAX 1048576
#define SW_SQL_PARAMS_MAX 32766
#define SW_SQL_ROWS_MAX 10000
#define SW_SQL_BYTES 16777216
#define SW_SQL_TIMEOUT_MS_MAX 3600000
#define SW_SCRIPT_LEN_MAX 1000
typedef struct sw_attempt sw_attempt;
typedef struct sw_error sw_error;
typedef struct sw_step sw_step;
typedef struct sw_stop sw_stop;
typedef struct sw_store sw_store;
typedef struct sw_text sw_text;
typedef struct sw_watch sw_watch;
#ifdef __cplusplus
extern "C" {
#endif
const char *sw_version(void);
uint32_t sw_version_number(void);
uint32_t sw_abi_version(void);
int32_t sw_abi_check(uint32_t header_abi);
const char *sw_build_info(void);
const char *sw_code_name(int32_t code);
int32_t sw_error_code(const sw_error *error);
int32_t sw_error_engine_code(const sw_error *error);
int32_t sw_error_is_retryable(const sw_error *error);
const char *sw_error_message(const sw_error *error);
void sw_error_free(sw_error *error);
const char *sw_text_data(const sw_text *text, size_t *out_len);
void sw_text_free(sw_text *text);
int32_t sw_new_id(const char *prefix, size_t prefix_len, char *out_id, size_t cap, sw_error **err);
int32_t sw_json_quote(const char *text, size_t text_len, sw_text **out, sw_error **err);
#define SW_OPEN_NO_CREATE 1
#define SW_OPEN_READ_ONLY 2
#define SW_OPEN_MANUAL_CLOCK 4
#define SW_OPEN_ALLOW_NETWORK_FS 8
typedef struct sw_store_options {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t busy_timeout_ms;
  uint32_t durability;
  uint32_t max_readers;
  uint32_t lease_default_ms;
  uint64_t payload_bytes_max;
} sw_store_options;
int32_t sw_store_open(const char *path, const sw_store_options *options, sw_store **out,
                      sw_error **err);
int32_t sw_store_open_in_memory(const sw_store_options *options, sw_store **out, sw_error **err);
int32_t sw_store_init(sw_store *store, uint32_t *out_applied, sw_error **err);
int32_t sw_store_migrate(sw_store *store, int64_t target, uint32_t *out_applied, sw_error **err);
int32_t sw_store_schema_version(sw_store *store, int64_t *out_current, int64_t *out_newest,
                                sw_error **err);
int32_t sw_store_migrations(sw_store *store, sw_text **out, sw_error **err);
const char *sw_store_path(const sw_store *store);
int32_t sw_store_advance_clock(sw_store *store, int64_t ms, sw_error **err);
int32_t sw_store_kill_at(sw_store *store, int64_t commit, int32_t when, sw_error **err);
int64_t sw_store_now_ms(const sw_store *store);
int32_t sw_store_wait(sw_store *store, uint64_t seen, int64_t timeout_ms, sw_stop *stop,
                      uint64_t *out_now, sw_error **err);
void sw_store_shutdown(sw_store *store);
void sw_store_close(sw_store *store);
int32_t sw_store_check(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_store_backup(sw_store *store, const char *path, sw_error **err);
#define SW_SUBMIT_LOCAL 1
typedef struct sw_submit_options {
  uint32_t struct_size;
  uint32_t flags;
  const char *queue;
  size_t queue_len;
  int64_t run_at_ms;
  int64_t timeout_ms;
  int64_t backoff_initial_ms;
  int64_t backoff_max_ms;
  int32_t priority;
  uint32_t max_tries;
  uint32_t backoff_percent;
  uint32_t reserved;
  const char *idempotency_key;
  size_t idempotency_key_len;
  const char *idempotency_scope;
  size_t idempotency_scope_len;
  const char *concurrency_key;
  size_t concurrency_key_len;
  const char *code_version;
  size_t code_version_len;
  const char *budget;
  size_t budget_len;
  const char *metadata;
  size_t metadata_len;
} sw_submit_options;
int32_t sw_run_submit(sw_store *store, const char *workflow, size_t workflow_len,
                      const char *args, size_t args_len, const sw_submit_options *options,
                      char *out_run_id, size_t cap, sw_error **err);
int32_t sw_run_submit_many(sw_store *store, const char *items, size_t items_len, sw_text **out,
                           sw_error **err);
int32_t sw_run_find(sw_store *store, const char *idempotency_scope, size_t idempotency_scope_len,
                    const char *idempotency_key, size_t idempotency_key_len, char *out_run_id,
                    size_t cap, sw_error **err);
#define SW_CLAIM_STRICT 1
#define SW_CLAIM_REPLAY_ONLY 2
typedef struct sw_claim_options {
  uint32_t struct_size;
  uint32_t flags;
  int64_t wait_ms;
  uint32_t lease_ms;
  uint32_t reserved;
  const char *worker;
  size_t worker_len;
  const char *workflows;
  size_t workflows_len;
  const char *code_versions;
  size_t code_versions_len;
  sw_stop *stop;
} sw_claim_options;
int32_t sw_run_claim(sw_store *store, const char *queue, size_t queue_len,
                     const sw_claim_options *options, sw_attempt **out, sw_error **err);
int32_t sw_run_claim_many(sw_store *store, const char *queue, size_t queue_len,
                          const sw_claim_options *options, uint32_t max, sw_attempt **out,
                          uint32_t *out_count, sw_error **err);
int32_t sw_run_wait(sw_store *store, const char *run_id, size_t run_id_len, int64_t timeout_ms,
                    sw_stop *stop, sw_text **out, sw_error **err);
int32_t sw_run_get(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                   sw_error **err);
int32_t sw_run_history(sw_store *store, const char *run_id, size_t run_id_len,
                       const char *cursor, size_t cursor_len, uint32_t limit, sw_text **out,
                       sw_error **err);
int32_t sw_run_list(sw_store *store, const char *filter, size_t filter_len,
                    const char *cursor, size_t cursor_len, uint32_t limit, sw_text **out,
                    sw_error **err);
int32_t sw_run_count(sw_store *store, const char *filter, size_t filter_len, uint64_t at_most,
                     uint64_t *out, sw_error **err);
int32_t sw_run_annotate(sw_store *store, const char *run_id, size_t run_id_len,
                        const char *patch, size_t patch_len, sw_error **err);
int32_t sw_run_act_many(sw_store *store, const char *action, size_t action_len,
                        const char *filter, size_t filter_len, uint32_t limit, sw_text **out,
                        sw_error **err);
int32_t sw_run_explain(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                       sw_error **err);
int32_t sw_store_stats(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_queue_list(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_owner_list(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_store_prune(sw_store *store, const char *filter, size_t filter_len, uint32_t limit,
                       sw_text **out, sw_error **err);
int32_t sw_retention_set(sw_store *store, const char *policy, size_t policy_len, sw_error **err);
int32_t sw_retention_get(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_store_compact(sw_store *store, uint32_t pages_max, sw_text **out, sw_error **err);
int32_t sw_run_export(sw_store *store, const char *run_id, size_t run_id_len,
                      const char *options, size_t options_len, sw_text **out, sw_error **err);
int32_t sw_run_import(sw_store *store, const char *document, size_t document_len,
                      const char *options, size_t options_len, sw_text **out, sw_error **err);
int32_t sw_store_graduate(sw_store *store, sw_store *to, const char *options, size_t options_len,
                          sw_text **out, sw_error **err);
int32_t sw_run_cancel(sw_store *store, const char *run_id, size_t run_id_len,
                      const char *reason, size_t reason_len, sw_error **err);
int32_t sw_run_pause(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);
int32_t sw_run_resume(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);
int32_t sw_run_retry(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);
int32_t sw_run_fork(sw_store *store, const char *run_id, size_t run_id_len,
                    const char *from_step, size_t from_step_len, char *out_run_id, size_t cap,
                    sw_error **err);
int32_t sw_queue_set(sw_store *store, const char *queue, size_t queue_len,
                     const char *settings, size_t settings_len, sw_error **err);
int32_t sw_watch_open(sw_store *store, sw_watch **out, sw_error **err);
int32_t sw_watch_fd(sw_watch *watch, int32_t *out_fd, sw_error **err);
int32_t sw_watch_drain(sw_watch *watch, uint64_t *out_now, sw_error **err);
void sw_watch_free(sw_watch *watch);
int32_t sw_stop_new(sw_stop **out, sw_error **err);
void sw_stop_fire(sw_stop *stop);
void sw_stop_free(sw_stop *stop);
const char *sw_attempt_id(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_run_id(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_root_run_id(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_parent_run_id(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_workflow(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_code_version(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_queue(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_args(const sw_attempt *attempt, size_t *out_len);
const char *sw_attempt_metadata(const sw_attempt *attempt, size_t *out_len);
uint32_t sw_attempt_number(const sw_attempt *attempt);
int64_t sw_attempt_lease_expires_at_ms(const sw_attempt *attempt);
int32_t sw_attempt_heartbeat(sw_attempt *attempt, uint32_t lease_ms, sw_error **err);
int32_t sw_attempt_check(sw_attempt *attempt, sw_error **err);
int32_t sw_attempt_complete(sw_attempt *attempt, const char *result, size_t result_len,
                            sw_error **err);
#define SW_FAIL_TERMINAL 1
#define SW_FAIL_TEXT 2
typedef struct sw_fail_options {
  uint32_t struct_size;
  uint32_t flags;
  int64_t retry_after_ms;
} sw_fail_options;
int32_t sw_attempt_fail(sw_attempt *attempt, const char *error, size_t error_len,
                        const sw_fail_options *options, sw_error **err);
int32_t sw_attempt_release(sw_attempt *attempt, int64_t delay_ms, sw_error **err);
int32_t sw_attempt_suspend(sw_attempt *attempt, sw_error **err);
void sw_attempt_free(sw_attempt *attempt);
#define SW_STEP_TRACK 1
#define SW_STEP_CLEANUP 2
typedef struct sw_step_options {
  uint32_t struct_size;
  uint32_t flags;
  const char *kind;
  size_t kind_len;
  uint32_t occurrence;
  uint32_t durability;
  uint32_t max_tries;
  uint32_t reserved;
  int64_t backoff_initial_ms;
  int64_t backoff_max_ms;
} sw_step_options;
int32_t sw_step_begin(sw_attempt *attempt, const char *name, size_t name_len,
                      const char *input, size_t input_len, const sw_step_options *options,
                      sw_step **out, sw_error **err);
int32_t sw_step_complete(sw_step *step, const char *result, size_t result_len, sw_error **err);
int32_t sw_step_complete_usage(sw_step *step, const char *result, size_t result_len,
                               const char *usage, size_t usage_len, sw_error **err);
int32_t sw_step_fail(sw_step *step, const char *error, size_t error_len,
                     const sw_fail_options *options, sw_error **err);
const char *sw_step_id(const sw_step *step, size_t *out_len);
const char *sw_step_name(const sw_step *step, size_t *out_len);
const char *sw_step_result(const sw_step *step, size_t *out_len);
const char *sw_step_error(const sw_step *step, size_t *out_len);
uint32_t sw_step_occurrence(const sw_step *step);
uint32_t sw_step_tries(const sw_step *step);
int64_t sw_step_retry_at_ms(const sw_step *step);
void sw_step_free(sw_step *step);
int32_t sw_sleep(sw_attempt *attempt, const char *name, size_t name_len, int64_t duration_ms,
                 sw_error **err);
int32_t sw_await_any(sw_attempt *attempt, const char *name, size_t name_len,
                     const char *waits, size_t waits_len, int64_t timeout_ms, sw_text **out,
                     sw_error **err);
int32_t sw_await_all(sw_attempt *attempt, const char *name, size_t name_len,
                     const char *waits, size_t waits_len, int64_t timeout_ms, sw_text **out,
                     sw_error **err);
int32_t sw_signal_send(sw_store *store, const char *run_id, size_t run_id_len,
                       const char *name, size_t name_len, const char *payload, size_t payload_len,
                       const char *idempotency_key, size_t idempotency_key_len, sw_error **err);
int32_t sw_signal_await(sw_attempt *attempt, const char *name, size_t name_len, int64_t timeout_ms,
                        sw_text **out, sw_error **err);
int32_t sw_child_submit(sw_attempt *attempt, const char *name, size_t name_len,
                        const char *workflow, size_t workflow_len,
                        const char *args, size_t args_len, const sw_submit_options *options,
                        char *out_run_id, size_t cap, sw_error **err);
int32_t sw_child_submit_many(sw_attempt *attempt, const char *items, size_t items_len,
                             sw_text **out, sw_error **err);
int32_t sw_child_await(sw_attempt *attempt, const char *run_id, size_t run_id_len,
                       int64_t timeout_ms, sw_text **out, sw_error **err);
int32_t sw_budget_reserve(sw_attempt *attempt, sw_step *step_or_null,
                          const char *amounts, size_t amounts_len,
                          const char *source, size_t source_len, char *out_id, size_t cap,
                          sw_error **err);
int32_t sw_budget_settle(sw_store *store, const char *reservation_id, size_t reservation_id_len,
                         const char *usage, size_t usage_len, sw_error **err);
int32_t sw_budget_raise(sw_store *store, const char *run_id, size_t run_id_len,
                        const char *unit, size_t unit_len, int64_t delta, sw_error **err);
int32_t sw_budget_get(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                      sw_error **err);
int32_t sw_event_append(sw_attempt *attempt, const char *type, size_t type_len,
                        const char *payload, size_t payload_len, const char *key, size_t key_len,
                        sw_error **err);
int32_t sw_event_read(sw_store *store, int64_t after_seq, const char *run_id, size_t run_id_len,
                      uint32_t limit, sw_text **out, sw_error **err);
int32_t sw_event_wait(sw_store *store, int64_t after_seq, const char *filter, size_t filter_len,
                      uint32_t limit, int64_t timeout_ms, sw_stop *stop, sw_text **out,
                      sw_error **err);
int32_t sw_schedule_set(sw_store *store, const char *name, size_t name_len,
                        const char *spec, size_t spec_len, sw_error **err);
int32_t sw_schedule_delete(sw_store *store, const char *name, size_t name_len, sw_error **err);
int32_t sw_schedule_list(sw_store *store, sw_text **out, sw_error **err);
int32_t sw_query(sw_store *store, const char *sql, size_t sql_len,
                 const char *params, size_t params_len, const char *options, size_t options_len,
                 sw_text **out, sw_error **err);
int32_t sw_tx_run(sw_store *store, sw_attempt *attempt, sw_step *step,
                  const char *script, size_t script_len, sw_text **out, sw_error **err);
#ifdef __cplusplus
}
#endif
#endif
