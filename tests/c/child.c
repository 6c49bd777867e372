/* Children: submitted once, awaited one by one, any of them, all of them. */
#include "support.h"

#include "reader.h"

#define HOUR_MS 3600000

/* Submits a child of this name in the queue "children" and expects this code. */
static struct run_id child_with(sw_attempt *attempt, const char *name, int32_t expected) {
    struct run_id id = {""};
    sw_submit_options options = submit_options();
    options.queue = "children";
    options.queue_len = SW_NTS;
    CHECK_CODE(expected, sw_child_submit(attempt, NTS(name), NTS("kid"), ABSENT, &options, id.text,
                                         sizeof id.text, ERR));
    return id;
}

static struct run_id child(sw_attempt *attempt, const char *name) {
    return child_with(attempt, name, SW_OK);
}

static sw_attempt *claim_child(sw_store *store) { return claim_with(store, "children", NULL); }

static sw_attempt *again(sw_store *store, sw_attempt *attempt) {
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    return claim(store);
}

static const char *await_child(sw_attempt *attempt, struct run_id id, int64_t timeout_ms,
                               int32_t expected) {
    sw_text *text = POISON(sw_text);
    CHECK_CODE(expected, sw_child_await(attempt, NTS(id.text), timeout_ms, &text, ERR));
    if (expected != SW_OK && expected != SW_FAILED) CHECK(text == NULL);
    return take_text(text);
}

typedef int32_t await_call(sw_attempt *, const char *, size_t, const char *, size_t, int64_t,
                           sw_text **, sw_error **);

static const char *await_many(await_call *call, sw_attempt *attempt, const char *waits,
                              int64_t timeout_ms, int32_t expected) {
    sw_text *text = POISON(sw_text);
    CHECK_CODE(expected, call(attempt, NTS("many"), NTS(waits), timeout_ms, &text, ERR));
    if (expected != SW_OK) CHECK(text == NULL);
    return take_text(text);
}

TEST(a_child_is_in_its_parents_queue_and_tree) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.queue = "q";
    options.queue_len = SW_NTS;
    struct run_id top = submit_with(store, "w", &options), middle, low;
    sw_attempt *attempt = claim_with(store, "q", NULL);
    CHECK_CODE(SW_OK, sw_child_submit(attempt, NTS("c"), NTS("kid"), NTS("{ \"n\" : 1.0 }"), NULL,
                                      middle.text, sizeof middle.text, ERR));
    sw_attempt *kid = claim_with(store, "q", NULL);
    CHECK_TEXT(middle.text, sw_attempt_run_id(kid, NULL));
    CHECK_TEXT(top.text, sw_attempt_parent_run_id(kid, NULL));
    CHECK_TEXT("{ \"n\" : 1.0 }", sw_attempt_args(kid, NULL));
    CHECK_TEXT("kid", sw_attempt_workflow(kid, NULL));
    low = child(kid, "c");
    sw_attempt *grandchild = claim_child(store);
    CHECK_TEXT(low.text, sw_attempt_run_id(grandchild, NULL));
    CHECK_TEXT(top.text, sw_attempt_root_run_id(grandchild, NULL));
    CHECK_TEXT(middle.text, sw_attempt_parent_run_id(grandchild, NULL));
    finish(attempt, "1");
    finish(grandchild, "1");
    finish(kid, "1");
    sw_store_close(store);
}

TEST(a_child_is_submitted_once_per_name_and_occurrence) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id first = child(attempt, "c"), second = child(attempt, "c");
    struct run_id other = child(attempt, "d");
    CHECK(strcmp(first.text, second.text) != 0);
    /* Steps, sleeps and children of one name do not meet. */
    do_step(attempt, "c", "1");
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("c"), 0, ERR));
    attempt = again(store, attempt);
    CHECK_TEXT(first.text, child_with(attempt, "c", SW_REPLAYED).text);
    CHECK_TEXT(second.text, child_with(attempt, "c", SW_REPLAYED).text);
    CHECK_TEXT(other.text, child_with(attempt, "d", SW_REPLAYED).text);
    child(attempt, "c");
    finish(attempt, "1");
    int children = 0;
    for (sw_attempt *kid = NULL;
         CODE_OF(sw_run_claim(store, NTS("children"), NULL, &kid, ERR)) == SW_OK; children++) {
        finish(kid, "1");
    }
    CHECK_INT(4, children);
    sw_store_close(store);
}

TEST(a_child_takes_no_key_and_no_budget) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    char id[SW_ID_CAP];
    sw_submit_options keyed = submit_options(), rich = submit_options();
    keyed.idempotency_key = "k";
    keyed.idempotency_key_len = SW_NTS;
    rich.budget = "{\"tokens\":1}";
    rich.budget_len = SW_NTS;
    CHECK_CODE(SW_ERR_INVALID,
               sw_child_submit(attempt, NTS("c"), NTS("kid"), ABSENT, &keyed, id, sizeof id, ERR));
    CHECK_SAYS("idempotency_key");
    CHECK_CODE(SW_ERR_INVALID,
               sw_child_submit(attempt, NTS("c"), NTS("kid"), ABSENT, &rich, id, sizeof id, ERR));
    CHECK_SAYS("budget");
    sw_text *text = POISON(sw_text);
    const char *many =
        "[{\"name\":\"a\",\"workflow\":\"w\"},{\"name\":\"b\",\"workflow\":\"w\",\"budget\":{}}]";
    CHECK_CODE(SW_ERR_INVALID, sw_child_submit_many(attempt, NTS(many), &text, ERR));
    CHECK(text == NULL);
    CHECK_SAYS("items[1]: a child has no budget");
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    sw_store_close(store);
}

/* A local child is for the handle that holds its parent. */
TEST(a_local_child_is_claimed_by_its_parents_handle_alone) {
    const char *path = temp_path("new.db");
    sw_store *own = store_open(path, 0), *other = store_open(path, 0);
    submit(own, "w", NULL);
    sw_attempt *attempt = claim(own);
    char id[SW_ID_CAP];
    sw_submit_options local = submit_options();
    local.flags = SW_SUBMIT_LOCAL;
    CHECK_CODE(SW_OK,
               sw_child_submit(attempt, NTS("c"), NTS("kid"), ABSENT, &local, id, sizeof id, ERR));
    CHECK_NOTHING_TO_CLAIM(other);
    sw_attempt *kid = claim(own);
    CHECK_TEXT(id, sw_attempt_run_id(kid, NULL));
    finish(kid, "1");
    finish(attempt, "1");
    sw_store_close(own);
    sw_store_close(other);
}

TEST(many_children_go_in_one_commit_or_none_does) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_text *text = NULL;
    const char *good =
        "[{\"name\":\"c\",\"workflow\":\"kid\",\"args\":[ 1 ],\"queue\":\"children\",\"priority\":5},"
        "{\"name\":\"c\",\"workflow\":\"kid\",\"args\":[ 2 ],\"queue\":\"children\",\"priority\":-5}]";
    const char *bad =
        "[{\"name\":\"x\",\"workflow\":\"kid\"},{\"name\":\"y\",\"workflow\":\"kid\",\"colour\":1}]";
    CHECK_CODE(SW_ERR_INVALID, sw_child_submit_many(attempt, NTS(bad), &text, ERR));
    CHECK_SAYS("items[1]: unknown key \"colour\"");
    CHECK_NOTHING_TO_CLAIM(store);
    const char *first_id = NULL;
    for (int repeat = 0; repeat < 2; repeat++) {
        REQUIRE_CODE(SW_OK, sw_child_submit_many(attempt, NTS(good), &text, ERR));
        const struct value *told = value_read(take_text(text));
        CHECK_INT(2, told == NULL ? 0 : told->count);
        CHECK_KEYS(value_at(told, 0), "run_id", "exists");
        CHECK_RAW_IN(repeat == 0 ? "false" : "true", value_at(told, 1), "exists");
        if (repeat == 0) first_id = text_in(value_at(told, 0), "run_id");
        CHECK_TEXT_IN(first_id, value_at(told, 0), "run_id");
        attempt = again(store, attempt);
    }
    sw_attempt *kid = claim_child(store);
    CHECK_TEXT("[ 2 ]", sw_attempt_args(kid, NULL));
    finish(kid, "1");
    finish(claim_child(store), "1");
    finish(attempt, "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(the_end_of_a_child_wakes_its_parent_with_its_result) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id id = child(attempt, "c");
    await_child(attempt, id, SW_FOREVER, SW_SUSPEND);
    park(attempt);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(claim_child(store), "{ \"n\" : 1.0 }");
    for (int repeat = 0; repeat < 2; repeat++) {
        attempt = claim(store);
        CHECK_TEXT("{ \"n\" : 1.0 }", await_child(attempt, id, SW_FOREVER, SW_OK));
        CHECK_TEXT("{ \"n\" : 1.0 }", await_child(attempt, id, 0, SW_OK));
        CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
        sw_attempt_free(attempt);
    }
    sw_store_close(store);
}

TEST(a_child_that_failed_or_was_cancelled_answers_with_its_error) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id failed = child(attempt, "c"), cancelled = child(attempt, "d");
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    sw_attempt *kid = claim_child(store);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(kid, NTS("[\"no\" ]"), &terminal, ERR));
    sw_attempt_free(kid);
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(cancelled.text), NTS("\"why\""), ERR));
    CHECK_TEXT("[\"no\" ]", await_child(attempt, failed, SW_FOREVER, SW_FAILED));
    const struct value *error = value_read(await_child(attempt, cancelled, SW_FOREVER, SW_FAILED));
    CHECK_TEXT_IN("cancelled", error, "$smolwf");
    CHECK_TEXT_IN("why", error, "reason");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_child_that_ended_by_the_deadline_is_answered_however_late) {
    for (int late = 0; late < 2; late++) {
        sw_store *store = store_in_memory();
        submit(store, "w", NULL);
        sw_attempt *attempt = claim(store);
        struct run_id id = child(attempt, "c");
        await_child(attempt, id, 10000, SW_SUSPEND);
        park(attempt);
        advance(store, 10000 + late);
        finish(claim_child(store), "1");
        advance(store, HOUR_MS);
        attempt = claim(store);
        await_child(attempt, id, SW_FOREVER, late ? SW_TIMEOUT : SW_OK);
        CHECK_TEXT("1", await_child(attempt, id, SW_FOREVER, SW_OK));
        finish(attempt, "1");
        sw_store_close(store);
    }
}

TEST(a_run_that_is_no_child_is_not_found) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL), stranger = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    await_child(attempt, self, 0, SW_ERR_NOT_FOUND);
    await_child(attempt, stranger, 0, SW_ERR_NOT_FOUND);
    CHECK_SAYS("no child of this run");
    await_child(attempt, (struct run_id){"nobody"}, 0, SW_ERR_NOT_FOUND);
    const char *waits = lend_format("[{\"sleep_ms\":0},{\"child\":\"%s\"}]", stranger.text);
    await_many(sw_await_any, attempt, waits, 0, SW_ERR_NOT_FOUND);
    await_many(sw_await_all, attempt, waits, 0, SW_ERR_NOT_FOUND);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(of_any_the_earliest_is_chosen_and_the_others_stay) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id id = child(attempt, "c");
    const char *waits =
        lend_format("[{\"child\":\"%s\"},{\"signal\":\"go\"},{\"sleep_ms\":1000}]", id.text);
    await_many(sw_await_any, attempt, waits, SW_FOREVER, SW_SUSPEND);
    park(attempt);
    advance(store, 10);
    CHECK_CODE(SW_OK, sw_signal_send(store, NTS(self.text), NTS("go"), NTS("[ 2 ]"), ABSENT, ERR));
    advance(store, 10);
    finish(claim_child(store), "7");
    advance(store, HOUR_MS);
    for (int repeat = 0; repeat < 2; repeat++) {
        attempt = claim(store);
        CHECK_TEXT("{\"index\":1,\"outcome\":\"ok\",\"value\":[ 2 ]}",
                   await_many(sw_await_any, attempt, waits, SW_FOREVER, SW_OK));
        CHECK_TEXT("{\"index\":0,\"outcome\":\"ok\",\"value\":7}",
                   await_many(sw_await_any, attempt, waits, SW_FOREVER, SW_OK));
        CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
        sw_attempt_free(attempt);
    }
    sw_store_close(store);
}

TEST(all_of_many_children_wake_their_parent_once_and_answer_in_order) {
    enum { CHILDREN = 50 };
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    char *waits = lend(CHILDREN * 64);
    strcpy(waits, "[");
    struct run_id first = {""};
    for (int i = 0; i < CHILDREN; i++) {
        struct run_id id = child(attempt, "c");
        if (i == 0) first = id;
        sprintf(waits + strlen(waits), "{\"child\":\"%s\"},", id.text);
    }
    sprintf(waits + strlen(waits), "{\"child\":\"%s\"}]", first.text);
    await_many(sw_await_all, attempt, waits, SW_FOREVER, SW_SUSPEND);
    park(attempt);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_NOTHING_TO_CLAIM(store);
        finish(claim_child(store), lend_format("%d", i));
    }
    attempt = claim(store);
    CHECK_INT(2, sw_attempt_number(attempt));
    const struct value *all =
        value_read(await_many(sw_await_all, attempt, waits, SW_FOREVER, SW_OK));
    CHECK_INT(CHILDREN + 1, all == NULL ? 0 : all->count);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_INT_IN(i, value_at(all, (size_t)i), "index");
        CHECK_INT_IN(i, value_at(all, (size_t)i), "value");
        CHECK_TEXT_IN("ok", value_at(all, (size_t)i), "outcome");
    }
    CHECK_INT_IN(0, value_at(all, CHILDREN), "value");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(all_of_a_name_mentioned_thrice_needs_three_messages) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    const char *waits = "[{\"signal\":\"vote\"},{\"signal\":\"vote\"},{\"signal\":\"vote\"}]";
    for (int votes = 0; votes < 3; votes++) {
        if (votes == 1) {
            await_many(sw_await_all, attempt, waits, SW_FOREVER, SW_SUSPEND);
            park(attempt);
        }
        if (votes > 0) CHECK_NOTHING_TO_CLAIM(store);
        const char *payload = lend_format("%d", votes);
        CHECK_CODE(SW_OK,
                   sw_signal_send(store, NTS(self.text), NTS("vote"), NTS(payload), ABSENT, ERR));
    }
    attempt = claim(store);
    const struct value *all =
        value_read(await_many(sw_await_all, attempt, waits, SW_FOREVER, SW_OK));
    for (int i = 0; i < 3; i++) CHECK_INT_IN(i, value_at(all, (size_t)i), "value");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(what_came_before_a_time_out_of_all_is_kept) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    const char *waits = "[{\"signal\":\"a\"},{\"signal\":\"b\"}]";
    CHECK_CODE(SW_OK, sw_signal_send(store, NTS(self.text), NTS("a"), NTS("1"), ABSENT, ERR));
    await_many(sw_await_all, attempt, waits, 1000, SW_SUSPEND);
    park(attempt);
    advance(store, 1000);
    attempt = claim(store);
    await_many(sw_await_all, attempt, waits, 1000, SW_TIMEOUT);
    sw_text *text = NULL;
    CHECK_CODE(SW_OK, sw_signal_await(attempt, NTS("a"), 0, &text, ERR));
    CHECK_TEXT("1", take_text(text));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_list_of_waits_is_checked_entry_by_entry) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    static const char *const bad[][2] = {
        {"[]", "waits has 0 entries"},
        {"{}", "expected an array"},
        {"[1]", "waits[0]"},
        {"[{}]", "waits[0]: it has 0 of the keys"},
        {"[{\"signal\":\"a\"},{\"signal\":\"a\",\"sleep_ms\":1}]",
         "waits[1]: it has 2 of the keys"},
        {"[{\"signal\":\"\"}]", "waits[0]: signal is empty"},
        {"[{\"signal\":1}]", "waits[0]: signal is no string"},
        {"[{\"sleep_ms\":-1}]", "waits[0]: sleep_ms is -1"},
        {"[{\"sleep_ms\":1.5}]", "waits[0]: sleep_ms is no integer"},
        {"[{\"budget\":1}]", "waits[0]: unknown key \"budget\""},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        await_many(sw_await_any, attempt, bad[i][0], 0, SW_ERR_INVALID);
        CHECK_SAYS(bad[i][1]);
        await_many(sw_await_all, attempt, bad[i][0], 0, SW_ERR_INVALID);
    }
    char *many = lend(10001 * 16 + 2);
    strcpy(many, "[");
    for (int i = 0, end = 1; i <= 10000; i++)
        end += sprintf(many + end, "%s{\"sleep_ms\":0}", i ? "," : "");
    strcat(many, "]");
    await_many(sw_await_any, attempt, many, 0, SW_ERR_INVALID);
    CHECK_SAYS("10001");
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_await_in_another_form_is_told) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, sw_signal_send(store, NTS(self.text), NTS("many"), NTS("1"), ABSENT, ERR));
    await_many(sw_await_any, attempt, "[{\"signal\":\"many\"}]", 0, SW_OK);
    attempt = again(store, attempt);
    await_many(sw_await_all, attempt, "[{\"signal\":\"many\"}]", 0, SW_ERR_NONDETERMINISM);
    sw_text *text = NULL;
    CHECK_CODE(SW_ERR_NONDETERMINISM, sw_signal_await(attempt, NTS("many"), 0, &text, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_cancelled_parent_awaits_and_submits_nothing_and_its_children_end) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id id = child(attempt, "c");
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(self.text), ABSENT, ERR));
    CHECK_STATE("cancelled", store, id.text);
    await_child(attempt, id, SW_FOREVER, SW_ERR_CANCELLED);
    child_with(attempt, "d", SW_ERR_CANCELLED);
    child_with(attempt, "c", SW_ERR_CANCELLED);
    await_many(sw_await_all, attempt, "[{\"sleep_ms\":0}]", 0, SW_ERR_CANCELLED);
    CHECK_CODE(SW_ERR_CANCELLED, sw_sleep(attempt, NTS("nap"), 0, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_suspend(attempt, ERR));
    CHECK_STATE("cancelled", store, self.text);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_stale_parent_submits_and_awaits_nothing) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *stale = claim(store);
    struct run_id id = child(stale, "c");
    advance(store, 31000);
    sw_attempt *fresh = claim(store);
    child_with(stale, "c", SW_ERR_LEASE_LOST);
    await_child(stale, id, 0, SW_ERR_LEASE_LOST);
    await_many(sw_await_any, stale, "[{\"sleep_ms\":0}]", 0, SW_ERR_LEASE_LOST);
    CHECK_TEXT(id.text, child_with(fresh, "c", SW_REPLAYED).text);
    finish(fresh, "1");
    sw_attempt_free(stale);
    sw_store_close(store);
}

TEST(a_history_shows_the_children_and_how_they_stand) {
    sw_store *store = store_in_memory();
    struct run_id self = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id done = child(attempt, "c"), open = child(attempt, "d");
    finish(claim_child(store), "1");
    await_child(attempt, open, SW_FOREVER, SW_SUSPEND);
    park(attempt);
    const struct value *history = value_read(history_text(store, self.text));
    const struct value *children = value_in(history, "children");
    CHECK_INT(2, children == NULL ? 0 : children->count);
    CHECK_KEYS(value_at(children, 0), "run_id", "workflow", "state", "created_at_ms",
               "finished_at_ms");
    CHECK_TEXT_IN(done.text, value_at(children, 0), "run_id");
    CHECK_TEXT_IN("completed", value_at(children, 0), "state");
    CHECK_TEXT_IN("pending", value_at(children, 1), "state");
    const struct value *waits = value_in(value_in(history, "run"), "waiting_for");
    CHECK_TEXT_IN(open.text, value_at(waits, 0), "child");
    CHECK_TEXT_IN("child_submit", value_at(value_in(history, "steps"), 0), "kind");
    sw_store_close(store);
}
