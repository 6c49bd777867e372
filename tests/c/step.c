/* Steps that succeed: memoised results, occurrences, input hashes, durability. */
#include "support.h"

#include "reader.h"

static sw_attempt *submit_and_claim(sw_store *store) {
    submit(store, "w", NULL);
    return claim(store);
}

/* Gives the run back and claims it again: the next attempt, from the top. */
static void check_replayed(sw_attempt *attempt, const char *name, uint32_t occurrence,
                           const char *result, size_t result_len, int line) {
    sw_step *step = NULL;
    size_t len = 0;
    check_code(__FILE__, line, "sw_step_begin", SW_REPLAYED,
               CODE_OF(begin_code(attempt, name, &step)));
    if (step == NULL) abandon();
    const char *view = sw_step_result(step, &len);
    check_bytes(__FILE__, line, "result", result, result_len + 1, view, len + 1);
    check_int(__FILE__, line, "occurrence", occurrence, sw_step_occurrence(step));
    check_text(__FILE__, line, "name", name, sw_step_name(step, NULL));
    sw_step_free(step);
}

#define CHECK_REPLAYED(attempt, name, occurrence, result)                                          \
    check_replayed((attempt), (name), (occurrence), (result), strlen(result), __LINE__)

/* ---- Replay ------------------------------------------------------------------------------- */

TEST(a_step_to_run_tells_its_name_and_occurrence_and_has_no_result) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "ask model");
    size_t len = 77;
    CHECK(strncmp(sw_step_id(step, NULL), "step_", 5) == 0);
    CHECK_INT(31, strlen(sw_step_id(step, &len)));
    CHECK_INT(31, len);
    CHECK_TEXT("ask model", sw_step_name(step, &len));
    CHECK_INT(9, len);
    CHECK_INT(1, sw_step_occurrence(step));
    CHECK(sw_step_result(step, &len) == NULL);
    CHECK_INT(0, len);
    CHECK(sw_step_error(step, NULL) == NULL);
    CHECK_INT(0, sw_step_retry_at_ms(step));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

static const char *const spellings[] = {
    "null",
    "0",
    "-0.0",
    " 1.00 ",
    "\"\"",
    "\"\\u00e9\\/\"",
    "[]",
    "{ \"b\" : 1 ,\n\t\"a\":1e2 }",
    "{\"a\":1,\"a\":2}",
    "123456789012345678901234567890",
    "\"\xf0\x9f\x98\x80\"",
};

TEST(results_replay_byte_for_byte_after_reopening) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    sw_attempt *attempt = submit_and_claim(store);
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        do_step(attempt, lend_format("s%zu", i), spellings[i]);
    }
    do_step(attempt, "absent", NULL);
    sw_store_close(store);
    sw_attempt_free(attempt);
    store = store_open(path, 0);
    attempt = claim(store);
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        CHECK_REPLAYED(attempt, lend_format("s%zu", i), 1, spellings[i]);
    }
    CHECK_REPLAYED(attempt, "absent", 1, "null");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_result_larger_than_what_is_held_in_memory_replays_too) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    sw_attempt *attempt = submit_and_claim(store);
    size_t len = 1 << 20;
    char *text = lend(len + 1);
    for (int i = 0; i < 12; i++) {
        memset(text, 'a' + i, len);
        text[0] = text[len - 1] = '"';
        do_step(attempt, "big", text);
    }
    attempt = next_attempt(store, attempt);
    for (uint32_t i = 0; i < 12; i++) {
        memset(text, 'a' + (int)i, len);
        text[0] = text[len - 1] = '"';
        CHECK_REPLAYED(attempt, "big", i + 1, text);
    }
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(two_thousand_steps_replay_in_their_order) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    for (int i = 0; i < 2000; i++) do_step(attempt, "s", lend_format("%d", i));
    attempt = next_attempt(store, attempt);
    for (int i = 0; i < 2000; i++) {
        CHECK_REPLAYED(attempt, "s", (uint32_t)i + 1, lend_format("%d", i));
    }
    do_step(attempt, "s", "2000");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_step_of_another_run_is_another_step) {
    sw_store *store = store_in_memory();
    sw_attempt *first = submit_and_claim(store), *second = submit_and_claim(store);
    do_step(first, "s", "1");
    do_step(second, "s", "2");
    first = next_attempt(store, first);
    CHECK_REPLAYED(first, "s", 1, "1");
    finish(first, "1");
    finish(second, "1");
    sw_store_close(store);
}

/* ---- Occurrences -------------------------------------------------------------------------- */

static int32_t begin_at(sw_attempt *attempt, const char *name, uint32_t occurrence, sw_step **out) {
    sw_step_options options = step_options();
    options.occurrence = occurrence;
    return sw_step_begin(attempt, NTS(name), ABSENT, &options, out, ERR);
}

TEST(occurrences_of_a_name_count_by_themselves) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    for (uint32_t i = 1; i <= 3; i++) {
        sw_step *step = begin(attempt, "s");
        CHECK_INT(i, sw_step_occurrence(step));
        CHECK_CODE(SW_OK, sw_step_complete(step, NTS(lend_format("%u", i)), ERR));
        sw_step_free(step);
        do_step(attempt, "t", "0");
    }
    attempt = next_attempt(store, attempt);
    for (uint32_t i = 1; i <= 3; i++) CHECK_REPLAYED(attempt, "s", i, lend_format("%u", i));
    sw_step *step = begin(attempt, "s");
    CHECK_INT(4, sw_step_occurrence(step));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_explicit_occurrence_is_that_one) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = NULL;
    CHECK_CODE(SW_OK, begin_at(attempt, "s", 7, &step));
    CHECK_INT(7, sw_step_occurrence(step));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("\"seven\""), ERR));
    sw_step_free(step);
    CHECK_CODE(SW_REPLAYED, begin_at(attempt, "s", 7, &step));
    CHECK_TEXT("\"seven\"", sw_step_result(step, NULL));
    sw_step_free(step);
    do_step(attempt, "s", "\"one\"");
    CHECK_CODE(SW_REPLAYED, begin_at(attempt, "s", 1, &step));
    CHECK_TEXT("\"one\"", sw_step_result(step, NULL));
    sw_step_free(step);
    step = POISON(sw_step);
    CHECK_CODE(SW_ERR_INVALID, begin_at(attempt, "s", UINT32_MAX, &step));
    CHECK(step == NULL);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_open_step_is_in_conflict_with_an_automatic_begin_of_its_name) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *first = begin(attempt, "s"), *other = begin(attempt, "t");
    sw_step *step = POISON(sw_step);
    CHECK_CODE(SW_ERR_CONFLICT, begin_code(attempt, "s", &step));
    CHECK(step == NULL);
    CHECK_CODE(SW_OK, begin_at(attempt, "s", 2, &step));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("2"), ERR));
    sw_step_free(step);
    CHECK_CODE(SW_OK, sw_step_complete(first, NTS("1"), ERR));
    CHECK_CODE(SW_OK, sw_step_complete(other, NTS("0"), ERR));
    step = begin(attempt, "s");
    CHECK_INT(3, sw_step_occurrence(step));
    sw_step_free(step);
    sw_step_free(first);
    sw_step_free(other);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_step_freed_unfinished_is_begun_again_as_the_same_occurrence) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    do_step(attempt, "s", "1");
    for (int i = 0; i < 3; i++) {
        sw_step *step = begin(attempt, "s");
        CHECK_INT(2, sw_step_occurrence(step));
        sw_step_free(step);
    }
    do_step(attempt, "s", "2");
    attempt = next_attempt(store, attempt);
    CHECK_REPLAYED(attempt, "s", 1, "1");
    CHECK_REPLAYED(attempt, "s", 2, "2");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_id_of_a_step_is_the_same_in_every_attempt) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    const char *ids[3] = {NULL};
    for (int i = 0; i < 3; i++) {
        sw_step *step = begin(attempt, "s"), *other = begin(attempt, "t");
        ids[i] = lend_format("%s", sw_step_id(step, NULL));
        CHECK(strcmp(ids[i], sw_step_id(other, NULL)) != 0);
        if (i == 2) CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
        sw_step_free(step);
        sw_step_free(other);
        attempt = next_attempt(store, attempt);
    }
    CHECK_TEXT(ids[0], ids[1]);
    CHECK_TEXT(ids[0], ids[2]);
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "s", &step));
    CHECK_TEXT(ids[0], sw_step_id(step, NULL));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Complete ----------------------------------------------------------------------------- */

TEST(repeating_a_step_complete_answers_the_same_for_the_same_bytes_only) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "s");
    for (int i = 0; i < 3; i++) CHECK_CODE(SW_OK, sw_step_complete(step, NTS("[1]"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("[1] "), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("[2]"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_fail(step, NTS("[1]"), NULL, ERR));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("[1]"), ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_REPLAYED(attempt, "s", 1, "[1]");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_replayed_step_takes_no_other_result) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = NULL;
    do_step(attempt, "s", "1");
    attempt = next_attempt(store, attempt);
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "s", &step));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("2"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_fail(step, NTS("2"), NULL, ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_REPLAYED(attempt, "s", 1, "1");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_step_left_open_cannot_be_completed_after_its_run_ended) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, ABSENT, ERR));
    CHECK_CODE_IN(sw_step_complete(step, NTS("1"), ERR), SW_ERR_LEASE_LOST, SW_ERR_CONFLICT);
    sw_step_free(step);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* ---- Inputs ------------------------------------------------------------------------------- */

static int32_t begin_with_input(sw_attempt *attempt, const char *name, const char *input,
                                sw_step **out) {
    return sw_step_begin(attempt, NTS(name), NTS(input), NULL, out, ERR);
}

static void check_input(sw_store *store, const char *recorded, const char *replayed,
                        int32_t expected, int line) {
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = NULL;
    CHECK_CODE(SW_OK, begin_with_input(attempt, "s", recorded, &step));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("\"kept\""), ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    step = POISON(sw_step);
    int32_t code = CODE_OF(begin_with_input(attempt, "s", replayed, &step));
    check_code(__FILE__, line, lend_format("%s then %s", recorded, replayed), expected, code);
    if (code == SW_REPLAYED) {
        CHECK_TEXT("\"kept\"", sw_step_result(step, NULL));
        sw_step_free(step);
    } else {
        CHECK(step == NULL);
    }
    finish(attempt, "1");
}

#define CHECK_SAME_INPUT(recorded, replayed)                                                       \
    check_input(store, (recorded), (replayed), SW_REPLAYED, __LINE__)
#define CHECK_OTHER_INPUT(recorded, replayed)                                                      \
    check_input(store, (recorded), (replayed), SW_ERR_NONDETERMINISM, __LINE__)

TEST(inputs_equal_under_rfc_8785_are_the_same_input) {
    sw_store *store = store_in_memory();
    CHECK_SAME_INPUT("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}");
    CHECK_SAME_INPUT("{\"a\":1,\"b\":[2,{\"d\":3,\"c\":4}]}",
                     " { \"b\" : [ 2.0 , {\"c\":4,\"d\":3e0} ],\n\"a\" : 1 } ");
    CHECK_SAME_INPUT("100", "1e2");
    CHECK_SAME_INPUT("0.5", "5E-1");
    CHECK_SAME_INPUT("0", "-0.0");
    CHECK_SAME_INPUT("\"\\u00e9\\/\\n\"", "\"\xc3\xa9/\\u000a\"");
    CHECK_SAME_INPUT("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
    CHECK_SAME_INPUT("9007199254740991", "9007199254740991.0");
    sw_store_close(store);
}

TEST(inputs_that_differ_are_nondeterminism) {
    sw_store *store = store_in_memory();
    CHECK_OTHER_INPUT("{\"a\":1}", "{\"a\":2}");
    CHECK_OTHER_INPUT("[1,2]", "[2,1]");
    CHECK_OTHER_INPUT("1", "\"1\"");
    CHECK_OTHER_INPUT("null", "false");
    CHECK_OTHER_INPUT("{}", "[]");
    CHECK_OTHER_INPUT("\"\xc3\xa9\"", "\"e\xcc\x81\"");
    CHECK_OTHER_INPUT("9007199254740991", "9007199254740990");
    sw_store_close(store);
}

TEST(inputs_are_compared_only_when_both_sides_gave_one) {
    sw_store *store = store_in_memory();
    CHECK_SAME_INPUT("{\"a\":1}", NULL);
    CHECK_SAME_INPUT(NULL, "{\"a\":1}");
    CHECK_SAME_INPUT(NULL, NULL);
    sw_store_close(store);
}

static int count_hashes(const char *text) {
    int count = 0;
    for (size_t run = 0; *text != '\0'; text += run == 0 ? 1 : run) {
        run = strspn(text, "0123456789abcdef");
        count += run == 32;
    }
    return count;
}

TEST(nondeterminism_names_both_hashes_and_changes_nothing) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = NULL;
    CHECK_CODE(SW_OK, begin_with_input(attempt, "s", "\"secret one\"", &step));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    const char *before = history_text(store, id.text);
    CHECK_CODE(SW_ERR_NONDETERMINISM, begin_with_input(attempt, "s", "\"secret two\"", &step));
    CHECK_INT(2, count_hashes(sw_error_message(last_error)));
    const struct value *steps = value_in(value_read(before), "steps");
    CHECK_SAYS(text_in(value_at(steps, 0), "input_hash"));
    CHECK_SAYS("s");
    CHECK_DOES_NOT_SAY("secret");
    CHECK_TEXT(before, history_text(store, id.text));
    CHECK_CODE(SW_REPLAYED, begin_with_input(attempt, "s", "\"secret one\"", &step));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_input_that_has_no_one_canonical_form_is_refused) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    static const char *const wrong[] = {
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":1}",
        "[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]",
        "9007199254740992",
        "-9007199254740992",
        "[123456789012345678901234567890]",
        "1e400",
        "{\"a\":-1e309}",
        "{\"a\":1,}",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_step *step = POISON(sw_step);
        int32_t code = CODE_OF(begin_with_input(attempt, "s", wrong[i], &step));
        check_code(__FILE__, __LINE__, wrong[i], SW_ERR_INVALID, code);
        if (!CHECK(step == NULL)) sw_step_free(step);
    }
    do_step(attempt, "s", "1");
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Options and durability --------------------------------------------------------------- */

TEST(the_options_of_a_step_are_sized_flagged_and_ranged) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step_options wrong[7];
    for (size_t i = 0; i < COUNT_OF(wrong); i++) wrong[i] = step_options();
    wrong[0].struct_size = 4;
    wrong[1].durability = 3;
    wrong[2].max_tries = UINT32_MAX;
    wrong[3].backoff_initial_ms = -1;
    wrong[4].backoff_max_ms = INT64_MAX;
    wrong[5].flags = 1u << 31;
    wrong[6].reserved = 1;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_step *step = POISON(sw_step);
        CHECK_CODE_IN(sw_step_begin(attempt, NTS("s"), ABSENT, &wrong[i], &step, ERR),
                      i == 5 ? SW_ERR_UNSUPPORTED : SW_ERR_INVALID,
                      i == 6 ? SW_ERR_UNSUPPORTED : SW_ERR_INVALID);
        CHECK(step == NULL);
    }
    do_step(attempt, "s", "1");
    finish(attempt, "1");
    sw_store_close(store);
}

/* Completes steps in the durability argv[1], tells, and waits to be killed. */
ROLE(complete_steps) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = claim(store);
    sw_step_options options = step_options();
    options.durability = (uint32_t)strtoul(argv[1], NULL, 10);
    for (int i = 0; i < 50; i++) {
        sw_step *step = NULL;
        REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("s"), ABSENT, &options, &step, ERR));
        CHECK_CODE(SW_OK, sw_step_complete(step, NTS(lend_format("%d", i)), ERR));
        sw_step_free(step);
    }
    tell("completed");
    wait_for_the_end();
    return 1;
}

static void check_survival(uint32_t durability) {
    const char *path = temp_path(lend_format("%u.db", durability));
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    sw_store_close(store);
    struct child *child = child_start("complete_steps", path, lend_format("%u", durability), NULL);
    CHECK_TEXT("completed", child_line(child));
    child_kill(child);
    store = store_open(path, 0);
    sw_attempt *attempt = claim_soon(store);
    for (uint32_t i = 0; i < 50; i++) CHECK_REPLAYED(attempt, "s", i + 1, lend_format("%u", i));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(completed_steps_survive_a_killed_process_in_every_durability) {
    check_survival(SW_DURABILITY_POWER);
    check_survival(SW_DURABILITY_PROCESS);
    check_survival(0);
}
