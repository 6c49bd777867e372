/* Queues, watches, waits and lists in the wrong hands. */
#include "../misuse.h"

#define NOBODY "run_00000000000000000000000000"

ON(STORE, sw_queue_set) { return sw_queue_set(object, ABSENT, NTS("{\"paused\":true}"), err); }

ON(STORE, sw_run_claim_many) {
    sw_attempt *attempts[2] = {POISON(sw_attempt), POISON(sw_attempt)};
    uint32_t count = 77;
    int32_t code = sw_run_claim_many(object, ABSENT, NULL, 2, attempts, &count, err);
    CHECK(attempts[0] == NULL && attempts[1] == NULL && count == 77);
    return code;
}

WITHOUT_OUTPUT(sw_run_claim_many) {
    uint32_t count = 77;
    return sw_run_claim_many(living[STORE], ABSENT, NULL, 2, NULL, &count, err);
}

WITHOUT_OUTPUT(sw_run_claim_many_count) {
    sw_attempt *attempt = POISON(sw_attempt);
    int32_t code = sw_run_claim_many(living[STORE], ABSENT, NULL, 1, &attempt, NULL, err);
    CHECK(attempt == NULL);
    return code;
}

ON(STORE, sw_run_submit_many) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_submit_many(object, NTS("[{\"workflow\":\"w\"}]"), &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_run_submit_many) {
    return sw_run_submit_many(living[STORE], NTS("[{\"workflow\":\"w\"}]"), NULL, err);
}

ON(STORE, sw_run_wait) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_wait(object, NTS(NOBODY), 0, NULL, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_run_wait) { return sw_run_wait(living[STORE], NTS(NOBODY), 0, NULL, NULL, err); }

ON(STORE, sw_store_wait) {
    uint64_t now = 77;
    int32_t code = sw_store_wait(object, 0, 0, NULL, &now, err);
    CHECK_INT(77, now);
    return code;
}

WITHOUT_OUTPUT(sw_store_wait) { return sw_store_wait(living[STORE], 0, 0, NULL, NULL, err); }

ON(STORE, sw_watch_open) {
    sw_watch *watch = POISON(sw_watch);
    int32_t code = sw_watch_open(object, &watch, err);
    CHECK(watch == NULL);
    return code;
}

WITHOUT_OUTPUT(sw_watch_open) { return sw_watch_open(living[STORE], NULL, err); }

ON(WATCH, sw_watch_fd) {
    int32_t fd = 77;
    int32_t code = sw_watch_fd(object, &fd, err);
    CHECK_INT(77, fd);
    return code;
}

WITHOUT_OUTPUT(sw_watch_fd) { return sw_watch_fd(living[WATCH], NULL, err); }

ON(WATCH, sw_watch_drain) {
    uint64_t now = 77;
    int32_t code = sw_watch_drain(object, &now, err);
    CHECK_INT(77, now);
    return code;
}

WITHOUT_OUTPUT(sw_watch_drain) { return sw_watch_drain(living[WATCH], NULL, err); }

ON_FREE(WATCH, sw_watch_free)

TEST(a_stop_that_is_none_is_misuse_for_every_wait) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_text *text = POISON(sw_text);
    uint64_t now = 77;
    sw_stop *none = (sw_stop *)store;
    CHECK_CODE(SW_ERR_MISUSE, sw_run_wait(store, NTS(id.text), 0, none, &text, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_wait(store, 0, 0, none, &now, ERR));
    CHECK(text == NULL && now == 77);
    static const int64_t wrong[] = {INT64_MIN, -2, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CHECK_CODE(SW_ERR_INVALID, sw_run_wait(store, NTS(id.text), wrong[i], NULL, &text, ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_store_wait(store, 0, wrong[i], NULL, &now, ERR));
    }
    sw_store_close(store);
}
