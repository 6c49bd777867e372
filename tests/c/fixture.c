/* The library, shortened for the common case: what support.h declares under that heading. */
#include "support.h"

#include "reader.h"

sw_store *open_raw(const char *path) {
    sw_store *store = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, NULL, &store, ERR));
    REQUIRE(store != NULL);
    return store;
}

sw_store *store_open(const char *path, uint32_t flags) {
    sw_store_options options = {.struct_size = sizeof options, .flags = flags};
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &store, ERR));
    REQUIRE_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    return store;
}

sw_store *store_manual(const char *path) { return store_open(path, SW_OPEN_MANUAL_CLOCK); }

sw_store *store_in_memory(void) {
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_MANUAL_CLOCK};
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open_in_memory(&options, &store, ERR));
    REQUIRE_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    return store;
}

void advance(sw_store *store, int64_t ms) {
    REQUIRE_CODE(SW_OK, sw_store_advance_clock(store, ms, ERR));
}

sw_submit_options submit_options(void) {
    return (sw_submit_options){.struct_size = sizeof(sw_submit_options)};
}

sw_claim_options claim_options(void) {
    return (sw_claim_options){.struct_size = sizeof(sw_claim_options)};
}

sw_fail_options fail_options(uint32_t flags, int64_t retry_after_ms) {
    return (sw_fail_options){sizeof(sw_fail_options), flags, retry_after_ms};
}

sw_step_options step_options(void) {
    return (sw_step_options){.struct_size = sizeof(sw_step_options)};
}

struct run_id submit(sw_store *store, const char *workflow, const char *args) {
    struct run_id id = {""};
    REQUIRE_CODE(
        SW_OK, sw_run_submit(store, NTS(workflow), NTS(args), NULL, id.text, sizeof id.text, ERR));
    return id;
}

struct run_id submit_with(sw_store *store, const char *workflow, const sw_submit_options *options) {
    struct run_id id = {""};
    REQUIRE_CODE(
        SW_OK, sw_run_submit(store, NTS(workflow), ABSENT, options, id.text, sizeof id.text, ERR));
    return id;
}

int32_t claim_code(sw_store *store, sw_attempt **out) {
    return sw_run_claim(store, ABSENT, NULL, out, ERR);
}

sw_attempt *claim(sw_store *store) { return claim_with(store, NULL, NULL); }

sw_attempt *claim_soon(sw_store *store) {
    sw_claim_options options = claim_options();
    options.wait_ms = 10000;
    return claim_with(store, NULL, &options);
}

sw_attempt *claim_with(sw_store *store, const char *queue, const sw_claim_options *options) {
    sw_attempt *attempt = NULL;
    REQUIRE_CODE(SW_OK, sw_run_claim(store, NTS(queue), options, &attempt, ERR));
    REQUIRE(attempt != NULL);
    return attempt;
}

void check_nothing_to_claim(const char *file, int line, sw_store *store) {
    sw_attempt *attempt = POISON(sw_attempt);
    check_code(file, line, "sw_run_claim", SW_NONE, CODE_OF(claim_code(store, &attempt)));
    if (attempt != NULL) fail_at(file, line, "a claim that found nothing set its output");
}

void finish(sw_attempt *attempt, const char *result) {
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS(result), ERR));
    sw_attempt_free(attempt);
}

int32_t begin_code(sw_attempt *attempt, const char *name, sw_step **out) {
    return sw_step_begin(attempt, NTS(name), ABSENT, NULL, out, ERR);
}

sw_step *begin(sw_attempt *attempt, const char *name) {
    sw_step *step = NULL;
    REQUIRE_CODE(SW_OK, begin_code(attempt, name, &step));
    REQUIRE(step != NULL);
    return step;
}

void do_step(sw_attempt *attempt, const char *name, const char *result) {
    sw_step *step = begin(attempt, name);
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS(result), ERR));
    sw_step_free(step);
}

sw_attempt *next_attempt(sw_store *store, sw_attempt *attempt) {
    REQUIRE_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    return claim(store);
}

void park(sw_attempt *attempt) {
    REQUIRE_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
}

const char *take_text(sw_text *text) {
    if (text == NULL) return NULL;
    size_t len = 0;
    const char *bytes = sw_text_data(text, &len);
    char *copy = lend(len + 1);
    memcpy(copy, bytes, len);
    sw_text_free(text);
    return copy;
}

const char *run_text(sw_store *store, const char *run_id) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_get(store, NTS(run_id), &text, ERR));
    return take_text(text);
}

const char *history_text(sw_store *store, const char *run_id) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_history(store, NTS(run_id), ABSENT, 0, &text, ERR));
    return take_text(text);
}

void check_state(const char *file, int line, const char *expected, sw_store *store,
                 const char *run_id) {
    check_text(file, line, "state", expected,
               text_in(value_read(run_text(store, run_id)), "state"));
}
