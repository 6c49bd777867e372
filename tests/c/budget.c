/* Budgets: reserving, settling, raising; what is left when an attempt ends; warnings. */
#include "support.h"

#include "reader.h"

#include <signal.h>

#define ENDLESS INT64_MAX

static struct run_id submit_budget(sw_store *store, const char *budget) {
    sw_submit_options options = submit_options();
    options.budget = budget;
    options.budget_len = SW_NTS;
    return submit_with(store, "w", &options);
}

static int32_t reserve_code(sw_attempt *attempt, sw_step *step, const char *amounts,
                            const char *source, char *id) {
    return sw_budget_reserve(attempt, step, NTS(amounts), source, source == NULL ? 0 : SW_NTS, id,
                             SW_ID_CAP, ERR);
}

/* Reserves, which must be answered with SW_OK. */
static struct run_id reserve(sw_attempt *attempt, const char *amounts) {
    struct run_id id = {""};
    REQUIRE_CODE(SW_OK, reserve_code(attempt, NULL, amounts, NULL, id.text));
    return id;
}

static int32_t settle_code(sw_store *store, const char *id, const char *usage) {
    return sw_budget_settle(store, NTS(id), NTS(usage), ERR);
}

static struct value *budget_of(sw_store *store, const char *run_id) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_budget_get(store, NTS(run_id), &text, ERR));
    struct value *document = value_read(lend_format("%s", sw_text_data(text, NULL)));
    sw_text_free(text);
    REQUIRE(document != NULL);
    return document;
}

static void check_unit(sw_store *store, const char *run_id, const char *unit, int64_t reserved,
                       int64_t spent, int line) {
    struct value *balance = value_in(value_in(budget_of(store, run_id), "units"), unit);
    check_int_in(__FILE__, line, reserved, balance, "reserved");
    check_int_in(__FILE__, line, spent, balance, "spent");
}

#define CHECK_UNIT(store, run_id, unit, reserved, spent)                                           \
    check_unit((store), (run_id), (unit), (reserved), (spent), __LINE__)

TEST(reserved_and_spent_never_come_above_a_limit) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100, \"usd\": 5}");
    sw_attempt *attempt = claim(store);
    struct run_id first = reserve(attempt, "{\"tokens\": 60, \"usd\": 5}");
    CHECK(strncmp(first.text, "budget_", 7) == 0 && strlen(first.text) == 33);
    char id[SW_ID_CAP] = "untouched";
    CHECK_CODE(SW_ERR_BUDGET, reserve_code(attempt, NULL, "{\"tokens\":41}", NULL, id));
    CHECK_SAYS("the limit of \"tokens\" is 100: 0 spent, 60 reserved, 41 asked");
    CHECK_CODE(SW_ERR_BUDGET, reserve_code(attempt, NULL, "{\"tokens\":1,\"usd\":1}", NULL, id));
    CHECK_SAYS("usd");
    CHECK_TEXT("untouched", id);
    CHECK_UNIT(store, run.text, "tokens", 60, 0);
    CHECK_CODE(SW_OK, settle_code(store, first.text, "{\"tokens\":130}"));
    CHECK_UNIT(store, run.text, "tokens", 0, 130);
    CHECK_UNIT(store, run.text, "usd", 0, 0);
    CHECK_INT_IN(-30, value_in(value_in(budget_of(store, run.text), "units"), "tokens"),
                 "remaining");
    CHECK_CODE(SW_ERR_BUDGET, reserve_code(attempt, NULL, "{\"tokens\":0}", NULL, id));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_budget_document_has_the_keys_of_the_contract) {
    sw_store *store = store_in_memory();
    struct run_id run =
        submit_budget(store, "{\"tokens\": {\"limit\": 100, \"warn\": 80}, \"usd\": 5}");
    sw_attempt *attempt = claim(store);
    sw_step_options options = step_options();
    options.kind = "draft";
    options.kind_len = SW_NTS;
    sw_step *step = NULL;
    REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("s"), ABSENT, &options, &step, ERR));
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, reserve_code(attempt, step, "{\"tokens\":30}", NULL, id));
    CHECK_CODE(SW_OK,
               sw_step_complete_usage(step, NTS("1"), NTS("{\"tokens\":20,\"calls\":1}"), ERR));
    CHECK_CODE(SW_OK,
               sw_step_complete_usage(step, NTS("1"), NTS("{\"tokens\":20,\"calls\":1}"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete_usage(step, NTS("1"), NTS("{}"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("1"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, reserve_code(attempt, step, "{\"tokens\":1}", NULL, id));
    sw_step_free(step);
    struct value *document = budget_of(store, run.text);
    CHECK_KEYS(document, "root_run_id", "units", "totals", "totals_cut");
    CHECK_TEXT_IN(run.text, document, "root_run_id");
    CHECK_RAW_IN("{\"limit\":100,\"warn\":80,\"reserved\":0,\"spent\":20,\"remaining\":80}",
                 value_in(document, "units"), "tokens");
    CHECK_RAW_IN("{\"limit\":null,\"warn\":null,\"reserved\":0,\"spent\":1,\"remaining\":null}",
                 value_in(document, "units"), "calls");
    CHECK_RAW_IN(
        "[{\"workflow\":\"w\",\"kind\":\"draft\",\"unit\":\"calls\",\"spent\":1,\"entries\":1},"
        "{\"workflow\":\"w\",\"kind\":\"draft\",\"unit\":\"tokens\",\"spent\":20,\"entries\":1}]",
        document, "totals");
    finish(attempt, "1");
    /* The budget of a run that ended is still there to be seen. */
    CHECK_UNIT(store, run.text, "tokens", 0, 20);
    sw_store_close(store);
}

TEST(one_source_reserves_once_in_an_attempt) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    char first[SW_ID_CAP], again[SW_ID_CAP], other[SW_ID_CAP];
    CHECK_CODE(SW_OK, reserve_code(attempt, NULL, "{\"tokens\":60}", "call 1", first));
    CHECK_CODE(SW_EXISTS, reserve_code(attempt, NULL, "{\"tokens\":90}", "call 1", again));
    CHECK_TEXT(first, again);
    CHECK_CODE(SW_OK, reserve_code(attempt, NULL, "{\"tokens\":40}", "call 2", other));
    CHECK(strcmp(first, other) != 0);
    CHECK_UNIT(store, run.text, "tokens", 100, 0);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(settling_twice_is_settling_once) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    struct run_id id = reserve(attempt, "{\"tokens\":60}");
    struct run_id empty = reserve(attempt, "{\"tokens\":5}");
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(SW_OK, settle_code(store, id.text, "{\"tokens\":50}"));
        CHECK_CODE(SW_OK, settle_code(store, empty.text, "{}"));
    }
    CHECK_CODE(SW_ERR_CONFLICT, settle_code(store, id.text, "{\"tokens\":51}"));
    CHECK_CODE(SW_ERR_CONFLICT, settle_code(store, empty.text, "{\"tokens\":1}"));
    CHECK_UNIT(store, run.text, "tokens", 0, 50);
    static const char *const strangers[] = {
        "budget_",
        "budget_00000000000000000000000000",
        "run_00000000000000000000000000",
        "x",
    };
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        CHECK_CODE(SW_ERR_NOT_FOUND, settle_code(store, strangers[i], "{}"));
    }
    id.text[32] = id.text[32] == '0' ? '1' : '0';
    CHECK_CODE(SW_ERR_NOT_FOUND, settle_code(store, id.text, "{\"tokens\":50}"));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(amounts_that_are_none_are_invalid_and_named) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 9223372036854775807}");
    sw_attempt *attempt = claim(store);
    static const char *const bad[] = {
        "{\"tokens\":-1}",    "{\"tokens\":1.5}",
        "{\"tokens\":1e2}",   "{\"tokens\":9223372036854775808}",
        "{\"tokens\":\"1\"}", "{\"tokens\":null}",
    };
    char id[SW_ID_CAP] = "untouched";
    struct run_id held = reserve(attempt, "{\"tokens\":1}");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK_CODE(SW_ERR_INVALID, reserve_code(attempt, NULL, bad[i], NULL, id));
        CHECK_SAYS("\"tokens\"");
        CHECK_SAYS("9223372036854775807");
        CHECK_CODE(SW_ERR_INVALID, settle_code(store, held.text, bad[i]));
        sw_submit_options options = submit_options();
        options.budget = bad[i];
        options.budget_len = SW_NTS;
        CHECK_CODE(SW_ERR_INVALID,
                   sw_run_submit(store, NTS("w"), ABSENT, &options, id, sizeof id, ERR));
        CHECK_SAYS("\"tokens\"");
    }
    CHECK_CODE(SW_ERR_INVALID, reserve_code(attempt, NULL, "[]", NULL, id));
    CHECK_CODE(SW_ERR_INVALID, reserve_code(attempt, NULL, "{}", NULL, id));
    CHECK_CODE(SW_ERR_INVALID, reserve_code(attempt, NULL, "{\"\":1}", NULL, id));
    CHECK_CODE(SW_ERR_INVALID, reserve_code(attempt, NULL, "{\"a\":1,\"a\":1}", NULL, id));
    CHECK_CODE(SW_ERR_BUDGET,
               reserve_code(attempt, NULL, "{\"tokens\":9223372036854775807}", NULL, id));
    CHECK_TEXT("untouched", id);
    /* Sums near 2^63: refused, never wrapped. */
    CHECK_CODE(SW_OK, settle_code(store, held.text, "{\"tokens\":9223372036854775807}"));
    held = reserve(attempt, "{\"other\":1}");
    CHECK_CODE(SW_ERR_INVALID, settle_code(store, held.text, "{\"tokens\":1}"));
    CHECK_UNIT(store, run.text, "tokens", 0, ENDLESS);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_limit_is_raised_and_lowered_within_its_range) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), 50, ERR));
    CHECK_CODE(SW_OK, reserve_code(attempt, NULL, "{\"tokens\":150}", NULL, id));
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), -150, ERR));
    CHECK_INT_IN(-150, value_in(value_in(budget_of(store, run.text), "units"), "tokens"),
                 "remaining");
    CHECK_CODE(SW_ERR_INVALID, sw_budget_raise(store, NTS(run.text), NTS("tokens"), -1, ERR));
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), ENDLESS, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_budget_raise(store, NTS(run.text), NTS("tokens"), 1, ERR));
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_budget_raise(store, NTS(run.text), NTS("usd"), 1, ERR));
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_budget_raise(store, NTS("run_x"), NTS("tokens"), 1, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

/* P29: what is open at an orderly end is given back, a close of the store included. */
TEST(an_orderly_end_gives_back_what_is_open) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    struct run_id id = reserve(attempt, "{\"tokens\":100}");
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK_UNIT(store, run.text, "tokens", 0, 0);
    CHECK_CODE(SW_ERR_CONFLICT, settle_code(store, id.text, "{\"tokens\":1}"));
    attempt = claim(store);
    reserve(attempt, "{\"tokens\":100}");
    sw_store_close(store);
    sw_attempt_free(attempt);
    store = store_open(path, 0);
    CHECK_UNIT(store, run.text, "tokens", 0, 0);
    sw_store_close(store);
}

ROLE(spender) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = claim(store);
    struct run_id id = reserve(attempt, "{\"tokens\":40}");
    tell("%s", id.text);
    wait_for_the_end();
    return 1;
}

/* P29: what a killed process held is charged, and a settle by anybody corrects that once. */
TEST(a_killed_process_is_charged_until_a_settle_corrects_it) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    struct child *child = child_start("spender", path, NULL);
    const char *id = child_line(child);
    CHECK_UNIT(store, run.text, "tokens", 40, 0);
    child_kill(child);
    sw_attempt *attempt = claim_soon(store);
    CHECK_INT(2, sw_attempt_number(attempt));
    CHECK_UNIT(store, run.text, "tokens", 0, 40);
    CHECK_CODE(SW_OK, settle_code(store, id, "{\"tokens\":25}"));
    CHECK_CODE(SW_OK, settle_code(store, id, "{\"tokens\":25}"));
    CHECK_UNIT(store, run.text, "tokens", 0, 25);
    CHECK_CODE(SW_ERR_CONFLICT, settle_code(store, id, "{\"tokens\":40}"));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_stale_attempt_reserves_nothing) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *stale = claim(store);
    advance(store, 60000);
    sw_attempt *fresh = claim(store);
    char id[SW_ID_CAP];
    CHECK_CODE(SW_ERR_LEASE_LOST, reserve_code(stale, NULL, "{\"tokens\":1}", NULL, id));
    sw_step *step = begin(fresh, "s");
    CHECK_CODE(SW_ERR_INVALID, reserve_code(stale, step, "{\"tokens\":1}", NULL, id));
    sw_step_free(step);
    CHECK_UNIT(store, run.text, "tokens", 0, 0);
    sw_attempt_free(stale);
    finish(fresh, "1");
    sw_store_close(store);
}

struct crowd {
    sw_store *store;
    sw_attempt *attempt;
    int64_t granted[8];
};

static void spend(int index, void *shared) {
    struct crowd *crowd = shared;
    for (;;) {
        char id[SW_ID_CAP];
        int32_t code = reserve_code(crowd->attempt, NULL, "{\"tokens\":7}", NULL, id);
        if (code == SW_ERR_BUDGET) break;
        if (code != SW_OK) abandon();
        crowd->granted[index] += 7;
        CHECK_CODE(SW_OK, settle_code(crowd->store, id, "{\"tokens\":7}"));
    }
    error_clear();
}

TEST(threads_that_reserve_at_once_stay_below_the_limit) {
    struct crowd crowd = {.store = store_open(temp_path("new.db"), 0)};
    struct run_id run = submit_budget(crowd.store, "{\"tokens\": 1000}");
    crowd.attempt = claim(crowd.store);
    in_threads(8, spend, &crowd);
    int64_t granted = 0;
    for (size_t i = 0; i < COUNT_OF(crowd.granted); i++) granted += crowd.granted[i];
    CHECK_INT(994, granted);
    CHECK_UNIT(crowd.store, run.text, "tokens", 0, 994);
    finish(crowd.attempt, "1");
    sw_store_close(crowd.store);
}

/* ---- Parking for want of room (P24, P30) -------------------------------------------------- */

/* Claims the run of a store, is refused and parks. */
static void park_short(sw_store *store, const char *amounts) {
    char id[SW_ID_CAP];
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_ERR_BUDGET, reserve_code(attempt, NULL, amounts, NULL, id));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
}

TEST(a_run_that_found_no_room_parks_until_the_limit_is_raised) {
    sw_store *store = store_in_memory();
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    park_short(store, "{\"tokens\":150}");
    CHECK_STATE("waiting", store, run.text);
    CHECK_RAW_IN("[{\"budget\":\"tokens\",\"amount\":150}]", value_read(run_text(store, run.text)),
                 "waiting_for");
    advance(store, 86400000);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), 49, ERR));
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), 1, ERR));
    sw_attempt *attempt = claim(store);
    reserve(attempt, "{\"tokens\":150}");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_refused_reserve_leaves_the_wait_set_once_it_is_answered) {
    sw_store *store = store_in_memory();
    char id[SW_ID_CAP];
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    CHECK_CODE(SW_ERR_BUDGET, reserve_code(attempt, NULL, "{\"tokens\":101}", NULL, id));
    CHECK_CODE(SW_OK, reserve_code(attempt, NULL, "{\"tokens\":50}", NULL, id));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    CHECK_STATE("running", store, run.text);
    finish(attempt, "1");
    sw_store_close(store);
}

ROLE(parker) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_claim_options options = claim_options();
    options.wait_ms = SW_FOREVER;
    park_short(store, "{\"tokens\":1}");
    tell("parked");
    sw_attempt *attempt = claim_with(store, NULL, &options);
    reserve(attempt, "{\"tokens\":1}");
    finish(attempt, "1");
    tell("done");
    sw_store_close(store);
    return 0;
}

TEST(a_raise_wakes_a_claimer_in_another_process) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id run = submit_budget(store, "{\"tokens\": 0}");
    struct child *child = child_start("parker", path, NULL);
    CHECK_TEXT("parked", child_line(child));
    CHECK_CODE(SW_OK, sw_budget_raise(store, NTS(run.text), NTS("tokens"), 1, ERR));
    CHECK_TEXT("done", child_line(child));
    child_finish(child);
    CHECK_STATE("completed", store, run.text);
    sw_store_close(store);
}

/* ---- Checking ------------------------------------------------------------------------------ */

static void check_whole(sw_store *store, int line) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    check_text(__FILE__, line, "sw_store_check", "{\"ok\":true,\"faults\":[]}",
               sw_text_data(text, NULL));
    sw_text_free(text);
}

#define CHECK_WHOLE(store) check_whole((store), __LINE__)

TEST(a_store_is_whole_whatever_its_budgets_went_through) {
    sw_store *store = store_in_memory();
    CHECK_WHOLE(store);
    struct run_id run = submit_budget(store, "{\"tokens\": 100}");
    sw_attempt *attempt = claim(store);
    struct run_id first = reserve(attempt, "{\"tokens\":60,\"calls\":9223372036854775807}");
    reserve(attempt, "{\"tokens\":40}");
    CHECK_WHOLE(store);
    advance(store, 60000);
    sw_attempt *next = claim(store);
    CHECK_WHOLE(store);
    CHECK_CODE(SW_OK, settle_code(store, first.text, "{\"tokens\":10}"));
    CHECK_UNIT(store, run.text, "tokens", 0, 50);
    reserve(next, "{\"calls\":9223372036854775807}");
    CHECK_WHOLE(store);
    advance(store, 60000);
    sw_attempt *last = claim(store);
    CHECK_UNIT(store, run.text, "calls", 0, ENDLESS);
    CHECK_WHOLE(store);
    finish(last, "1");
    CHECK_WHOLE(store);
    sw_attempt_free(attempt);
    sw_attempt_free(next);
    sw_store_close(store);
}
