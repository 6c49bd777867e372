/* Messages: kept, ordered, taken once, in time or too late. */
#include "support.h"

#include "reader.h"

/* Awaits and expects this code; returns the payload, or NULL. */
static const char *await_message(sw_attempt *attempt, const char *name, int64_t timeout_ms,
                                 int32_t expected) {
    sw_text *text = POISON(sw_text);
    CHECK_CODE(expected, sw_signal_await(attempt, NTS(name), timeout_ms, &text, ERR));
    if (expected != SW_OK) CHECK(text == NULL);
    return take_text(text);
}

static int32_t send(sw_store *store, struct run_id id, const char *name, const char *payload,
                    const char *key) {
    return sw_signal_send(store, NTS(id.text), NTS(name), NTS(payload), NTS(key), ERR);
}

TEST(early_messages_are_kept_and_come_in_order_byte_for_byte) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, send(store, id, "go", "{ \"n\" : 1.0 }", NULL));
    CHECK_CODE(SW_OK, send(store, id, "go", NULL, NULL));
    CHECK_CODE(SW_OK, send(store, id, "other", "3", NULL));
    sw_attempt *attempt = claim(store);
    CHECK_TEXT("{ \"n\" : 1.0 }", await_message(attempt, "go", SW_FOREVER, SW_OK));
    CHECK_TEXT("null", await_message(attempt, "go", 0, SW_OK));
    CHECK_TEXT("3", await_message(attempt, "other", 5, SW_OK));
    await_message(attempt, "go", SW_FOREVER, SW_SUSPEND);
    await_message(attempt, "go", SW_FOREVER, SW_SUSPEND);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_message_wakes_a_parked_run_and_replays_in_each_attempt) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", SW_FOREVER, SW_SUSPEND);
    park(attempt);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, send(store, id, "stop", "0", NULL));
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, send(store, id, "go", "1", NULL));
    attempt = claim(store);
    CHECK_TEXT("1", await_message(attempt, "go", SW_FOREVER, SW_OK));
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK_CODE(SW_OK, send(store, id, "go", "2", NULL));
    attempt = claim(store);
    CHECK_TEXT("1", await_message(attempt, "go", SW_FOREVER, SW_OK));
    CHECK_TEXT("2", await_message(attempt, "go", SW_FOREVER, SW_OK));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_message_at_the_deadline_wins_however_late_the_run_resumes) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", 1000, SW_SUSPEND);
    park(attempt);
    advance(store, 1000);
    CHECK_CODE(SW_OK, send(store, id, "go", "1", NULL));
    advance(store, 86400000);
    attempt = claim(store);
    CHECK_TEXT("1", await_message(attempt, "go", 1, SW_OK));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_message_after_the_deadline_is_kept_for_the_next_await) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", 1000, SW_SUSPEND);
    park(attempt);
    advance(store, 1001);
    CHECK_CODE(SW_OK, send(store, id, "go", "1", NULL));
    for (int repeat = 0; repeat < 2; repeat++) {
        attempt = claim(store);
        await_message(attempt, "go", SW_FOREVER, SW_TIMEOUT);
        CHECK_TEXT("1", await_message(attempt, "go", 0, SW_OK));
        await_message(attempt, "go", 0, SW_TIMEOUT);
        CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
        sw_attempt_free(attempt);
    }
    sw_store_close(store);
}

TEST(one_key_sends_one_message) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, send(store, id, "go", "1", "k"));
    CHECK_CODE(SW_EXISTS, send(store, id, "go", "2", "k"));
    sw_attempt *attempt = claim(store);
    CHECK_TEXT("1", await_message(attempt, "go", 0, SW_OK));
    CHECK_CODE(SW_EXISTS, send(store, id, "go", "3", "k"));
    await_message(attempt, "go", 0, SW_TIMEOUT);
    finish(attempt, "1");
    CHECK_CODE(SW_EXISTS, send(store, id, "go", "1", "k"));
    CHECK_CODE(SW_ERR_CONFLICT, send(store, id, "go", "1", NULL));
    CHECK_SAYS("has ended");
    sw_store_close(store);
}

TEST(a_message_to_nobody_is_not_found) {
    sw_store *store = store_in_memory();
    struct run_id id;
    REQUIRE_CODE(SW_OK, sw_new_id(NTS("run"), id.text, sizeof id.text, ERR));
    CHECK_CODE(SW_ERR_NOT_FOUND, send(store, id, "go", "1", NULL));
    CHECK_CODE(SW_ERR_NOT_FOUND,
               sw_signal_send(store, NTS("nobody"), NTS("go"), ABSENT, ABSENT, ERR));
    struct run_id living = submit(store, "w", NULL);
    CHECK_CODE(SW_ERR_INVALID, send(store, living, "go", "{", NULL));
    CHECK_CODE(SW_ERR_INVALID, send(store, living, "go", "{\"$smolwf\":1}", NULL));
    sw_store_close(store);
}

TEST(a_stale_attempt_takes_no_message) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *stale = claim(store);
    advance(store, 31000);
    sw_attempt *fresh = claim(store);
    CHECK_CODE(SW_OK, send(store, id, "go", "1", NULL));
    await_message(stale, "go", 0, SW_ERR_LEASE_LOST);
    CHECK_TEXT("1", await_message(fresh, "go", 0, SW_OK));
    finish(fresh, "1");
    sw_attempt_free(stale);
    sw_store_close(store);
}

TEST(a_time_out_is_in_its_range_or_forever) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", -2, SW_ERR_INVALID);
    CHECK_SAYS("timeout_ms is -2");
    await_message(attempt, "go", INT64_MAX, SW_ERR_INVALID);
    await_message(attempt, "go", 3162240000000, SW_SUSPEND);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

static void send_to_waiter(void *shared) {
    struct run_id *id = shared;
    sw_store *store = store_open(temp_path("new.db"), 0);
    CHECK_CODE(SW_OK, send(store, *id, "go", "1", NULL));
    sw_store_close(store);
}

TEST(a_worker_that_waits_gets_the_run_that_a_message_woke) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", SW_FOREVER, SW_SUSPEND);
    park(attempt);
    struct companion *sender = thread_start(send_to_waiter, &id);
    attempt = claim_soon(store);
    CHECK_TEXT("1", await_message(attempt, "go", SW_FOREVER, SW_OK));
    thread_join(sender);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_history_shows_each_message_and_whether_it_was_taken) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    int64_t now = sw_store_now_ms(store);
    CHECK_CODE(SW_OK, send(store, id, "go", "[1]", NULL));
    CHECK_CODE(SW_OK, send(store, id, "go", "[2]", NULL));
    sw_attempt *attempt = claim(store);
    await_message(attempt, "go", 0, SW_OK);
    const struct value *history = value_read(history_text(store, id.text));
    const struct value *signals = value_in(history, "signals");
    CHECK_INT(2, signals == NULL ? 0 : signals->count);
    CHECK_KEYS(value_at(signals, 0), "name", "payload", "sent_at_ms", "consumed", "consumed_by");
    CHECK_TEXT_IN("go", value_at(signals, 0), "name");
    CHECK_RAW_IN("true", value_at(signals, 0), "consumed");
    CHECK_INT_IN(now, value_at(signals, 0), "sent_at_ms");
    CHECK_RAW_IN("[1]", value_at(signals, 0), "payload");
    CHECK_RAW_IN("[2]", value_at(signals, 1), "payload");
    CHECK(is_null_in(value_at(signals, 1), "consumed_by"));
    CHECK_RAW_IN("false", value_at(signals, 1), "consumed");
    const struct value *await = value_at(value_in(history, "steps"), 0);
    CHECK_TEXT_IN("signal", await, "kind");
    CHECK_RAW_IN("[1]", await, "result");
    CHECK_TEXT_IN(text_in(await, "step_id"), value_at(signals, 0), "consumed_by");
    finish(attempt, "1");
    sw_store_close(store);
}
