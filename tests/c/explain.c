/* Why a run does not move. */
#include "support.h"

#include "reader.h"

static struct value *explain(sw_store *store, struct run_id id) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_explain(store, NTS(id.text), &text, ERR));
    struct value *document = value_read(take_text(text));
    CHECK_KEYS(document, "run_id", "state", "reasons");
    CHECK_TEXT_IN(id.text, document, "run_id");
    struct value *reasons = value_in(document, "reasons");
    REQUIRE(reasons != NULL && reasons->count > 0);
    for (size_t i = 0; i < reasons->count; i++) {
        CHECK_KEYS(value_at(reasons, i), "code", "text", "since_ms", "evidence", "hint");
        CHECK(strlen(text_in(value_at(reasons, i), "text")) > 5);
    }
    return value_at(reasons, 0);
}

#define CHECK_REASON(expected, store, id)                                                          \
    CHECK_TEXT((expected), text_in(explain(store, id), "code"))

static struct value *evidence(sw_store *store, struct run_id id) {
    return value_in(explain(store, id), "evidence");
}

static void set_queue(sw_store *store, const char *settings) {
    REQUIRE_CODE(SW_OK, sw_queue_set(store, ABSENT, NTS(settings), ERR));
}

TEST(a_run_that_nobody_claims_says_so_and_one_in_line_how_many_stand_before_it) {
    sw_store *store = store_in_memory();
    struct run_id first = submit(store, "w", NULL), second = submit(store, "w", NULL);
    struct run_id third = submit(store, "w", NULL);
    CHECK_REASON("queue_unclaimed", store, first);
    CHECK_REASON("queue_unclaimed", store, third);
    sw_attempt *attempt = claim(store);
    CHECK_REASON("running", store, first);
    CHECK_REASON("behind_others", store, second);
    CHECK_INT_IN(0, evidence(store, second), "ahead");
    CHECK_INT_IN(1, evidence(store, third), "ahead");
    CHECK_TEXT_IN(second.text, evidence(store, third), "first_run_id");
    advance(store, 5000);
    struct run_id late = submit(store, "w", NULL);
    CHECK_REASON("queue_unclaimed", store, late);
    finish(attempt, "1");
    CHECK_REASON("ended", store, first);
    CHECK_TEXT_IN("completed", evidence(store, first), "state");
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_NOT_FOUND,
               sw_run_explain(store, NTS("run_00000000000000000000000000"), &text, ERR));
    CHECK(text == NULL);
    sw_store_close(store);
}

TEST(a_version_that_nobody_claims_is_named) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.code_version = "v2";
    options.code_version_len = 2;
    struct run_id id = submit_with(store, "w", &options), next = submit_with(store, "w", &options);
    advance(store, 2000);
    submit(store, "w", NULL);
    sw_claim_options claims = claim_options();
    claims.code_versions = "[\"v1\"]";
    claims.code_versions_len = SW_NTS;
    finish(claim_with(store, "default", &claims), "1");
    CHECK_REASON("version_unclaimed", store, id);
    CHECK_REASON("version_unclaimed", store, next);
    CHECK_TEXT_IN("v2", evidence(store, id), "code_version");
    CHECK(is_null_in(evidence(store, id), "last_claimed_at_ms"));
    sw_store_close(store);
}

TEST(limits_of_the_queue_are_named_with_who_fills_them) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.concurrency_key = "k";
    options.concurrency_key_len = 1;
    struct run_id one = submit_with(store, "w", &options), two = submit_with(store, "w", &options);
    set_queue(store, "{\"paused\":true}");
    CHECK_REASON("queue_paused", store, one);
    set_queue(store, "{\"concurrency_per_key\":1}");
    sw_attempt *attempt = claim(store);
    CHECK_REASON("key_full", store, two);
    CHECK_TEXT_IN("k", evidence(store, two), "concurrency_key");
    CHECK_TEXT(one.text, value_at(value_in(evidence(store, two), "run_ids"), 0)->text);
    set_queue(store, "{\"concurrency\":1}");
    CHECK_REASON("queue_full", store, two);
    CHECK_INT_IN(1, evidence(store, two), "running");
    CHECK_TEXT(one.text, value_at(value_in(evidence(store, two), "run_ids"), 0)->text);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_run_that_is_not_due_says_until_when_and_after_which_error) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.run_at_ms = sw_store_now_ms(store) + 60000;
    struct run_id later = submit_with(store, "w", &options);
    CHECK_REASON("not_due", store, later);
    CHECK_INT_IN(options.run_at_ms, evidence(store, later), "until_ms");
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_fail_options after = fail_options(0, 60000);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, NTS("{\"why\" : 1.50}"), &after, ERR));
    sw_attempt_free(attempt);
    CHECK_REASON("backing_off", store, id);
    CHECK_RAW_IN("{\"why\" : 1.50}", evidence(store, id), "error");
    CHECK_INT_IN(1, evidence(store, id), "tries");
    advance(store, 3600000);
    CHECK_REASON("queue_unclaimed", store, id);
    sw_store_close(store);
}

TEST(a_parked_run_names_what_it_waits_for) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.budget = "{\"usd\":5}";
    options.budget_len = SW_NTS;
    char child[SW_ID_CAP], reservation[SW_ID_CAP];
    sw_text *text = NULL;

    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 9000, ERR));
    park(attempt);
    CHECK_REASON("waits_sleep", store, id);
    CHECK_TEXT_IN("nap", evidence(store, id), "name");
    CHECK_INT_IN(sw_store_now_ms(store) + 9000, evidence(store, id), "until_ms");

    id = submit(store, "w", NULL);
    attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), 7000, &text, ERR));
    park(attempt);
    CHECK_REASON("waits_signal", store, id);
    CHECK_TEXT_IN("go", evidence(store, id), "signal");
    CHECK_INT_IN(sw_store_now_ms(store) + 7000, evidence(store, id), "until_ms");

    id = submit(store, "w", NULL);
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_child_submit(attempt, NTS("c"), NTS("other"), ABSENT, NULL, child,
                                      sizeof child, ERR));
    CHECK_CODE(SW_SUSPEND, sw_child_await(attempt, NTS(child), SW_FOREVER, &text, ERR));
    park(attempt);
    CHECK_REASON("waits_child", store, id);
    CHECK_TEXT_IN(child, evidence(store, id), "child");
    CHECK_TEXT_IN("pending", evidence(store, id), "state");
    finish(claim(store), "1");
    finish(claim(store), "1");

    id = submit_with(store, "w", &options);
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_budget_reserve(attempt, NULL, NTS("{\"usd\":4}"), NTS("a"), reservation,
                                        sizeof reservation, ERR));
    CHECK_CODE(SW_OK, sw_budget_settle(store, NTS(reservation), NTS("{\"usd\":4}"), ERR));
    CHECK_CODE(SW_ERR_BUDGET, sw_budget_reserve(attempt, NULL, NTS("{\"usd\":3}"), NTS("b"),
                                                reservation, sizeof reservation, ERR));
    park(attempt);
    CHECK_REASON("waits_budget", store, id);
    CHECK_INT_IN(2, evidence(store, id), "short_by");
    sw_store_close(store);
}

TEST(a_step_that_backs_off_is_named_with_its_error) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "charge");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("\"declined\""), NULL, ERR));
    sw_step_free(step);
    CHECK_INT(SW_SUSPEND, begin_code(attempt, "charge", &step));
    park(attempt);
    CHECK_REASON("backing_off", store, id);
    CHECK_TEXT_IN("charge", evidence(store, id), "step");
    CHECK_RAW_IN("\"declined\"", evidence(store, id), "error");
    sw_store_close(store);
}

TEST(a_run_that_is_set_aside_or_told_to_end_says_so) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(id.text), ERR));
    CHECK_REASON("paused", store, id);
    CHECK_CODE(SW_OK, sw_run_resume(store, NTS(id.text), ERR));
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(id.text), ABSENT, ERR));
    CHECK_REASON("cancel_unheard", store, id);
    CHECK_TEXT_IN("cancel", evidence(store, id), "asked");
    advance(store, 3600000);
    CHECK_REASON("owner_silent", store, id);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

ROLE(hold_one) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    claim_soon(store);
    tell("held");
    wait_for_the_end();
    return 0;
}

TEST(a_dead_owner_and_one_that_alone_may_claim_are_named) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0), *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    struct run_id id = submit(store, "w", NULL);
    struct child *child = child_start("hold_one", path, NULL);
    CHECK_TEXT("held", child_line(child));
    CHECK_REASON("running", store, id);
    CHECK_REASON("running", reader, id);
    CHECK_INT_IN((long long)child->pid, evidence(reader, id), "pid");
    child_kill(child);
    CHECK_REASON("owner_dead", store, id);
    CHECK_REASON("owner_dead", reader, id);
    sw_submit_options local = submit_options();
    local.flags = SW_SUBMIT_LOCAL;
    id = submit_with(store, "w", &local);
    CHECK_REASON("local_owner", reader, id);
    CHECK(value_in(evidence(reader, id), "alive")->kind == VALUE_TRUE);
    sw_store_close(reader);
    sw_store_close(store);
}
