/*
 * Documents that the library writes are kept when SW_DOCUMENTS names a file: each call that answers
 * with one is called through a form that does. tests/c.rs holds them against docs/schemas, and holds
 * that no such call is left out here.
 */
#ifndef SMOLWF_TESTS_DOCUMENTS_H
#define SMOLWF_TESTS_DOCUMENTS_H

#include <smolwf.h>

/* Keeps a text of the shape `schema` if the code says that there is one; returns the code. */
int32_t kept(const char *schema, int32_t code, sw_text *const *out);

static inline int32_t kept_run_get(sw_store *store, const char *run_id, size_t run_id_len,
                                   sw_text **out, sw_error **err) {
    return kept("run", sw_run_get(store, run_id, run_id_len, out, err), out);
}
#define sw_run_get(...) kept_run_get(__VA_ARGS__)

static inline int32_t kept_run_wait(sw_store *store, const char *run_id, size_t run_id_len,
                                    int64_t timeout_ms, sw_stop *stop, sw_text **out,
                                    sw_error **err) {
    return kept("run", sw_run_wait(store, run_id, run_id_len, timeout_ms, stop, out, err), out);
}
#define sw_run_wait(...) kept_run_wait(__VA_ARGS__)

static inline int32_t kept_run_history(sw_store *store, const char *run_id, size_t run_id_len,
                                       const char *cursor, size_t cursor_len, uint32_t limit,
                                       sw_text **out, sw_error **err) {
    return kept("history",
                sw_run_history(store, run_id, run_id_len, cursor, cursor_len, limit, out, err),
                out);
}
#define sw_run_history(...) kept_run_history(__VA_ARGS__)

static inline int32_t kept_run_list(sw_store *store, const char *filter, size_t filter_len,
                                    const char *cursor, size_t cursor_len, uint32_t limit,
                                    sw_text **out, sw_error **err) {
    return kept("runs", sw_run_list(store, filter, filter_len, cursor, cursor_len, limit, out, err),
                out);
}
#define sw_run_list(...) kept_run_list(__VA_ARGS__)

static inline int32_t kept_run_act_many(sw_store *store, const char *action, size_t action_len,
                                        const char *filter, size_t filter_len, uint32_t limit,
                                        sw_text **out, sw_error **err) {
    return kept("acted",
                sw_run_act_many(store, action, action_len, filter, filter_len, limit, out, err),
                out);
}
#define sw_run_act_many(...) kept_run_act_many(__VA_ARGS__)

static inline int32_t kept_event_read(sw_store *store, int64_t after_seq, const char *run_id,
                                      size_t run_id_len, uint32_t limit, sw_text **out,
                                      sw_error **err) {
    return kept("events", sw_event_read(store, after_seq, run_id, run_id_len, limit, out, err),
                out);
}
#define sw_event_read(...) kept_event_read(__VA_ARGS__)

static inline int32_t kept_event_wait(sw_store *store, int64_t after_seq, const char *filter,
                                      size_t filter_len, uint32_t limit, int64_t timeout_ms,
                                      sw_stop *stop, sw_text **out, sw_error **err) {
    return kept(
        "events",
        sw_event_wait(store, after_seq, filter, filter_len, limit, timeout_ms, stop, out, err),
        out);
}
#define sw_event_wait(...) kept_event_wait(__VA_ARGS__)

static inline int32_t kept_run_explain(sw_store *store, const char *run_id, size_t run_id_len,
                                       sw_text **out, sw_error **err) {
    return kept("explanation", sw_run_explain(store, run_id, run_id_len, out, err), out);
}
#define sw_run_explain(...) kept_run_explain(__VA_ARGS__)

static inline int32_t kept_store_stats(sw_store *store, sw_text **out, sw_error **err) {
    return kept("stats", sw_store_stats(store, out, err), out);
}
#define sw_store_stats(...) kept_store_stats(__VA_ARGS__)

static inline int32_t kept_queue_list(sw_store *store, sw_text **out, sw_error **err) {
    return kept("queues", sw_queue_list(store, out, err), out);
}
#define sw_queue_list(...) kept_queue_list(__VA_ARGS__)

static inline int32_t kept_owner_list(sw_store *store, sw_text **out, sw_error **err) {
    return kept("owners", sw_owner_list(store, out, err), out);
}
#define sw_owner_list(...) kept_owner_list(__VA_ARGS__)

static inline int32_t kept_budget_get(sw_store *store, const char *run_id, size_t run_id_len,
                                      sw_text **out, sw_error **err) {
    return kept("budget", sw_budget_get(store, run_id, run_id_len, out, err), out);
}
#define sw_budget_get(...) kept_budget_get(__VA_ARGS__)

static inline int32_t kept_store_check(sw_store *store, sw_text **out, sw_error **err) {
    return kept("check", sw_store_check(store, out, err), out);
}
#define sw_store_check(...) kept_store_check(__VA_ARGS__)

static inline int32_t kept_store_migrations(sw_store *store, sw_text **out, sw_error **err) {
    return kept("migrations", sw_store_migrations(store, out, err), out);
}
#define sw_store_migrations(...) kept_store_migrations(__VA_ARGS__)

static inline int32_t kept_schedule_list(sw_store *store, sw_text **out, sw_error **err) {
    return kept("schedules", sw_schedule_list(store, out, err), out);
}
#define sw_schedule_list(...) kept_schedule_list(__VA_ARGS__)

static inline int32_t kept_run_submit_many(sw_store *store, const char *items, size_t items_len,
                                           sw_text **out, sw_error **err) {
    return kept("submitted", sw_run_submit_many(store, items, items_len, out, err), out);
}
#define sw_run_submit_many(...) kept_run_submit_many(__VA_ARGS__)

static inline int32_t kept_child_submit_many(sw_attempt *attempt, const char *items,
                                             size_t items_len, sw_text **out, sw_error **err) {
    return kept("submitted", sw_child_submit_many(attempt, items, items_len, out, err), out);
}
#define sw_child_submit_many(...) kept_child_submit_many(__VA_ARGS__)

static inline int32_t kept_await_any(sw_attempt *attempt, const char *name, size_t name_len,
                                     const char *waits, size_t waits_len, int64_t timeout_ms,
                                     sw_text **out, sw_error **err) {
    return kept("came",
                sw_await_any(attempt, name, name_len, waits, waits_len, timeout_ms, out, err), out);
}
#define sw_await_any(...) kept_await_any(__VA_ARGS__)

static inline int32_t kept_await_all(sw_attempt *attempt, const char *name, size_t name_len,
                                     const char *waits, size_t waits_len, int64_t timeout_ms,
                                     sw_text **out, sw_error **err) {
    return kept("came_all",
                sw_await_all(attempt, name, name_len, waits, waits_len, timeout_ms, out, err), out);
}
#define sw_await_all(...) kept_await_all(__VA_ARGS__)

#endif
