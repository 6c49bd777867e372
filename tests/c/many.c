/* Submitting and claiming many runs at once. */
#include "support.h"

#include "reader.h"

static const struct value *submit_many(sw_store *store, const char *items) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_submit_many(store, NTS(items), &text, ERR));
    const struct value *list = value_read(lend_format("%s", sw_text_data(text, NULL)));
    sw_text_free(text);
    return list;
}

static int32_t claim_many(sw_store *store, uint32_t max, sw_attempt **out, uint32_t *count) {
    return sw_run_claim_many(store, ABSENT, NULL, max, out, count, ERR);
}

TEST(many_runs_are_submitted_in_the_order_of_their_items) {
    sw_store *store = store_in_memory();
    const struct value *list = submit_many(
        store,
        "[{\"workflow\":\"a\",\"args\":{ \"x\" : 1.0 }},{\"workflow\":\"b\",\"priority\":-1}]");
    CHECK_INT(2, list->count);
    const char *first = text_in(value_at(list, 0), "run_id");
    const char *second = text_in(value_at(list, 1), "run_id");
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(second, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    attempt = claim(store);
    CHECK_TEXT(first, sw_attempt_run_id(attempt, NULL));
    CHECK_TEXT("{ \"x\" : 1.0 }", sw_attempt_args(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_item_that_is_wrong_is_named_and_nothing_is_submitted) {
    sw_store *store = store_in_memory();
    static const char *const wrong[] = {"{}",
                                        "{\"workflow\":\"\"}",
                                        "{\"workflow\":\"w\",\"x\":1}",
                                        "{\"workflow\":\"w\",\"max_tries\":-1}",
                                        "3",
                                        "{\"workflow\":\"w\",\"workflow\":\"w\"}"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_text *text = POISON(sw_text);
        const char *items = lend_format("[{\"workflow\":\"w\"},%s]", wrong[i]);
        CHECK_CODE(SW_ERR_INVALID, sw_run_submit_many(store, NTS(items), &text, ERR));
        CHECK_SAYS("items[1]");
        CHECK(text == NULL);
    }
    CHECK_NOTHING_TO_CLAIM(store);
    sw_text *text = NULL;
    static const char *const none[] = {"[]", "{}", "null", "[{}"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        CHECK_CODE(SW_ERR_INVALID, sw_run_submit_many(store, NTS(none[i]), &text, ERR));
    }
    sw_store_close(store);
}

TEST(a_key_makes_one_run_within_a_list_and_beyond_it) {
    sw_store *store = store_in_memory();
    const char *item = "{\"workflow\":\"w\",\"idempotency_key\":\"k\"}";
    const char *twice = lend_format("[%s,%s]", item, item);
    const char *id = NULL;
    for (int call = 0; call < 2; call++) {
        const struct value *list = submit_many(store, twice);
        for (size_t at = 0; at < 2; at++) {
            const char *one = text_in(value_at(list, at), "run_id");
            if (id == NULL) id = one;
            CHECK_TEXT(id, one);
            CHECK_RAW_IN(call + (int)at > 0 ? "true" : "false", value_at(list, at), "exists");
        }
    }
    finish(claim(store), "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(a_list_with_a_key_of_another_workflow_is_refused_whole) {
    sw_store *store = store_in_memory();
    const char *mine = "{\"workflow\":\"w\",\"idempotency_key\":\"k\"}";
    const char *other = "{\"workflow\":\"x\",\"idempotency_key\":\"k\"}";
    const char *lists[] = {lend_format("[%s,{\"workflow\":\"y\"},%s]", mine, other),
                           lend_format("[{\"workflow\":\"y\"},%s]", other)};
    static const char *const named[] = {"items[2]", "items[1]"};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        sw_text *text = POISON(sw_text);
        CHECK_CODE(SW_ERR_CONFLICT, sw_run_submit_many(store, NTS(lists[i]), &text, ERR));
        CHECK_SAYS(named[i]);
        CHECK_SAYS("\"w\"");
        CHECK_SAYS("\"x\"");
        CHECK(text == NULL);
        CHECK_NOTHING_TO_CLAIM(store);
        if (i > 0) continue;
        submit_many(store, lend_format("[%s]", mine));
        finish(claim(store), "1");
    }
    sw_store_close(store);
}

TEST(a_list_has_at_most_ten_thousand_items) {
    sw_store *store = store_in_memory();
    const size_t most = 10000;
    const char *item = "{\"workflow\":\"w\"},";
    size_t len = strlen(item);
    char *items = lend((most + 1) * len + 2);
    items[0] = '[';
    for (size_t at = 0; at <= most; at++) memcpy(items + 1 + at * len, item, len);
    items[(most + 1) * len] = ']';
    sw_text *text = NULL;
    CHECK_CODE(SW_ERR_INVALID, sw_run_submit_many(store, NTS(items), &text, ERR));
    CHECK_SAYS("10001");
    CHECK_NOTHING_TO_CLAIM(store);
    items[most * len] = ']';
    CHECK_CODE(SW_OK, sw_run_submit_many(store, items, most * len + 1, &text, ERR));
    sw_text_free(text);
    sw_attempt **out = lend(most * sizeof *out);
    uint32_t count = 0;
    REQUIRE_CODE(SW_OK, claim_many(store, (uint32_t)most, out, &count));
    CHECK_INT(most, count);
    for (size_t at = 0; at < count; at++) sw_attempt_free(out[at]);
    sw_store_close(store);
}

TEST(many_runs_are_claimed_in_order_and_the_places_left_are_null) {
    sw_store *store = store_in_memory();
    struct run_id ids[3];
    for (int i = 0; i < 3; i++) ids[i] = submit(store, "w", NULL);
    sw_attempt *out[5];
    for (int i = 0; i < 5; i++) out[i] = POISON(sw_attempt);
    uint32_t count = 77;
    CHECK_CODE(SW_OK, claim_many(store, 2, out, &count));
    CHECK_INT(2, count);
    for (int i = 0; i < 2; i++) {
        CHECK_TEXT(ids[i].text, sw_attempt_run_id(out[i], NULL));
        CHECK_INT(1, sw_attempt_number(out[i]));
        finish(out[i], "1");
    }
    CHECK_CODE(SW_OK, claim_many(store, 5, out, &count));
    CHECK_INT(1, count);
    CHECK(out[1] == NULL && out[4] == NULL);
    finish(out[0], "1");
    out[0] = POISON(sw_attempt);
    CHECK_CODE(SW_NONE, claim_many(store, 5, out, &count));
    CHECK_INT(0, count);
    CHECK(out[0] == NULL);
    sw_store_close(store);
}

TEST(a_claim_of_many_stays_within_the_limits_of_its_queue) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_OK, sw_queue_set(store, ABSENT, NTS("{\"concurrency\":2}"), ERR));
    for (int i = 0; i < 5; i++) submit(store, "w", NULL);
    sw_attempt *out[5];
    uint32_t count = 0;
    CHECK_CODE(SW_OK, claim_many(store, 5, out, &count));
    CHECK_INT(2, count);
    for (uint32_t i = 0; i < count; i++) finish(out[i], "1");
    sw_store_close(store);
}

TEST(a_claim_of_none_or_too_many_is_invalid_and_touches_nothing) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *out[1] = {POISON(sw_attempt)};
    uint32_t count = 77;
    static const uint32_t wrong[] = {0, 10001, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CHECK_CODE(SW_ERR_INVALID, claim_many(store, wrong[i], out, &count));
    }
    CHECK(out[0] == POISON(sw_attempt));
    CHECK_CODE(SW_ERR_MISUSE, claim_many(store, 1, NULL, &count));
    CHECK_CODE(SW_ERR_MISUSE, claim_many(store, 1, out, NULL));
    CHECK_INT(77, count);
    finish(claim(store), "1");
    sw_store_close(store);
}
