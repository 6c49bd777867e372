/*
 * The crash kit of smolwf_testing.h: a good workflow has no findings, and what is planted in a bad one
 * is found and named.
 */
#include "support.h"

#include <smolwf_testing.h>

/* What is planted in a workflow; by whom it is made, so that what is random is another each time. */
enum plant { NOTHING, BARE, RANDOM_KEY, OUTSIDE, RANDOM_NAME, RANDOM_INPUT, KEPT, SWALLOWED };

static const char *any(void) {
    return lend_format("%d.%lld", (int)getpid(), (long long)steady_ms());
}

static int32_t step_of(sw_attempt *attempt, const char *name, const char *input, const char *result,
                       void (*effect)(sw_step *step, enum plant), enum plant plant,
                       sw_error **err) {
    sw_step *step = NULL;
    int32_t rc = sw_step_begin(attempt, NTS(name), input, input ? SW_NTS : 0, NULL, &step, err);
    if (rc == SW_OK) {
        if (effect) effect(step, plant);
        rc = sw_step_complete(step, NTS(result), err);
    }
    sw_step_free(step);
    return rc < 0 ? rc : SW_OK;
}

static void charge(sw_step *step, enum plant plant) {
    if (plant == BARE) sw_testing_effect("charge", NULL);
    if (plant == RANDOM_KEY) sw_testing_effect("charge", any());
    if (plant != BARE && plant != RANDOM_KEY) sw_testing_effect("charge", sw_step_id(step, NULL));
}

static int32_t part(sw_attempt *attempt, sw_error **err) {
    int32_t rc = step_of(attempt, "part", NULL, "1", charge, NOTHING, err);
    return rc < 0 ? rc : sw_attempt_complete(attempt, NTS("\"part\""), err);
}

/* Asks one wait, and parks the run when it is not answered; 1 when the attempt is over. */
static int32_t waited(sw_attempt *attempt, int32_t rc, sw_error **err) {
    if (rc != SW_SUSPEND) return rc < 0 ? rc : 0;
    rc = sw_attempt_suspend(attempt, err);
    return rc < 0 ? rc : 1;
}

static int32_t waits(sw_attempt *attempt, enum plant plant, sw_error **err) {
    char child[SW_ID_CAP];
    sw_text *said = NULL;
    int32_t rc = waited(attempt, sw_sleep(attempt, NTS("pause"), 3600000, err), err);
    if (rc != 0 || plant != NOTHING) return rc;
    rc = waited(attempt, sw_signal_await(attempt, NTS("approved"), -1, &said, err), err);
    sw_text_free(said);
    if (rc != 0) return rc;
    rc = sw_child_submit(attempt, NTS("part"), NTS("part"), ABSENT, NULL, child, sizeof child, err);
    if (rc < 0) return rc;
    said = NULL;
    rc = waited(attempt, sw_child_await(attempt, NTS(child), -1, &said, err), err);
    sw_text_free(said);
    return rc;
}

static int32_t order(sw_attempt *attempt, void *context, sw_error **err) {
    static bool is_paid; /* what a kill forgets */
    enum plant plant = *(const enum plant *)context;
    if (strcmp(sw_attempt_workflow(attempt, NULL), "part") == 0) return part(attempt, err);
    const char *input = plant == RANDOM_INPUT ? lend_format("\"%s\"", any()) : "7";
    const char *name = plant == RANDOM_NAME ? any() : "charge";
    if (plant == OUTSIDE) sw_testing_effect("mail", NULL);
    int32_t rc = step_of(attempt, name, input, "1", charge, plant, err);
    if (rc < 0) return rc;
    if (plant == KEPT && sw_attempt_number(attempt) == 1) is_paid = true;
    rc = waits(attempt, plant, err);
    if (rc != 0) return rc < 0 ? rc : SW_OK;
    if (plant == KEPT && !is_paid) return sw_attempt_complete(attempt, NTS("\"unpaid\""), err);
    if (plant != KEPT || is_paid) rc = step_of(attempt, "ship", NULL, "2", NULL, plant, err);
    if (rc < 0) return rc;
    if (plant == KEPT) sw_testing_effect("shipped", "once");
    if (plant == SWALLOWED && sw_attempt_number(attempt) > 2) {
        rc = sw_attempt_fail(
            attempt, NTS("\"given up\""),
            &(sw_fail_options){.struct_size = sizeof(sw_fail_options), .flags = SW_FAIL_TERMINAL},
            err);
        return rc < 0 ? rc : SW_OK;
    }
    return sw_attempt_complete(attempt, NTS("3"), err);
}

static const char *const approval[] = {"approved", "\"ada\"", NULL};

static sw_testing_report crashed(enum plant plant) {
    sw_testing_report report;
    sw_testing_case test = {
        .workflow = "order", .signals = approval, .work = order, .context = &plant};
    sw_testing_crash(&test, &report);
    return report;
}

static const sw_testing_finding *found(const sw_testing_report *report, const char *kind) {
    for (int i = 0; i < report->findings; i++) {
        if (strcmp(report->finding[i].kind, kind) == 0) return &report->finding[i];
    }
    fail_at(__FILE__, __LINE__, "no %s is found", kind);
    abandon();
}

TEST(a_workflow_that_keeps_the_rules_has_no_findings_at_any_commit) {
    sw_testing_report report = crashed(NOTHING);
    CHECK_INT(0, report.findings);
    CHECK_INT(2 * report.commits + 1, report.cases);
    CHECK_BETWEEN(12, 20, report.commits);
}

TEST(a_call_without_a_key_or_with_a_new_one_happens_twice) {
    sw_testing_report bare = crashed(BARE), drawn = crashed(RANDOM_KEY);
    CHECK_TEXT("charge", found(&bare, "effect_twice")->name);
    CHECK_TEXT("before", found(&bare, "effect_twice")->moment);
    CHECK_TEXT("charge", found(&drawn, "effect_twice")->name);
    CHECK_INT(1, bare.findings);
}

TEST(what_happens_outside_of_a_step_happens_twice) {
    sw_testing_report report = crashed(OUTSIDE);
    CHECK_TEXT("mail", found(&report, "effect_twice")->name);
}

TEST(a_step_that_is_another_in_the_next_attempt_is_named) {
    sw_testing_report named = crashed(RANDOM_NAME), input = crashed(RANDOM_INPUT);
    CHECK(found(&named, "not_replayed")->name[0] != '\0');
    CHECK_TEXT("charge", found(&input, "input_changed")->name);
}

TEST(what_a_workflow_keeps_in_memory_alone_is_missed) {
    sw_testing_report report = crashed(KEPT);
    CHECK_TEXT("shipped", found(&report, "effect_missing")->name);
}

TEST(a_run_that_ends_otherwise_after_a_kill_is_told) {
    sw_testing_report report = crashed(SWALLOWED);
    CHECK(strstr(found(&report, "outcome")->text, "failed") != NULL);
}

/* ---- Recorded runs ------------------------------------------------------------------------ */

enum change { AS_IT_WAS, RENAMED, REMOVED, OTHER_INPUT, OTHER_RESULT, ANOTHER_WAIT, GIVES_UP };

static int32_t changed(sw_attempt *attempt, void *context, sw_error **err) {
    enum change change = *(const enum change *)context;
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    const char *input = change == OTHER_INPUT ? "8" : "7";
    int32_t rc = SW_OK;
    if (change != REMOVED) {
        rc =
            step_of(attempt, change == RENAMED ? "bill" : "charge", input, "1", NULL, NOTHING, err);
    }
    if (rc < 0) return rc;
    if (change == GIVES_UP) return sw_attempt_fail(attempt, NTS("1"), &terminal, err);
    rc = waited(attempt, sw_sleep(attempt, NTS("pause"), 1000, err), err);
    if (rc != 0) return rc < 0 ? rc : SW_OK;
    if (change == ANOTHER_WAIT) {
        rc = waited(attempt, sw_sleep(attempt, NTS("more"), 1000, err), err);
        if (rc != 0) return rc < 0 ? rc : SW_OK;
    }
    return sw_attempt_complete(attempt, NTS(change == OTHER_RESULT ? "4" : "3"), err);
}

/* A run of the code as it was: to its end, or to its sleep. */
static const char *exported(bool to_the_end) {
    enum change change = AS_IT_WAS;
    sw_error *err = NULL;
    sw_text *document = NULL;
    sw_store *store = store_manual(temp_path(to_the_end ? "ended" : "open"));
    struct run_id id = submit(store, "order", NULL);
    for (int i = 0; i < (to_the_end ? 2 : 1); i++) {
        sw_attempt *attempt = claim(store);
        REQUIRE(changed(attempt, &change, &err) >= 0);
        sw_attempt_free(attempt);
        if (to_the_end) advance(store, 1000);
    }
    REQUIRE_CODE(SW_OK, sw_run_export(store, NTS(id.text), ABSENT, &document, ERR));
    sw_store_close(store);
    return take_text(document);
}

static void check_replay(enum change change, bool to_the_end, const char *kind, const char *name) {
    sw_testing_report report;
    sw_testing_case test = {.workflow = "order", .work = changed, .context = &change};
    int count = sw_testing_replay(&test, exported(to_the_end), &report);
    CHECK_INT(1, report.cases);
    CHECK_INT(kind != NULL, count);
    if (kind == NULL || count == 0) return;
    CHECK_TEXT(kind, report.finding[0].kind);
    if (name != NULL) CHECK_TEXT(name, report.finding[0].name);
}

TEST(the_code_that_recorded_a_run_replays_it) {
    check_replay(AS_IT_WAS, true, NULL, NULL);
    check_replay(AS_IT_WAS, false, NULL, NULL); /* to where its record ends */
}

TEST(the_first_difference_of_other_code_is_named) {
    check_replay(RENAMED, true, "not_recorded", "bill");
    check_replay(REMOVED, true, "not_replayed", "charge");
    check_replay(OTHER_INPUT, true, "input_changed", "charge");
    check_replay(OTHER_RESULT, true, "outcome", NULL);
    check_replay(ANOTHER_WAIT, true, "waits", NULL);
    check_replay(GIVES_UP, true, "outcome", NULL);
    check_replay(OTHER_INPUT, false, "input_changed", "charge");
    check_replay(RENAMED, false, NULL, NULL); /* an open run may go on in any way */
}
