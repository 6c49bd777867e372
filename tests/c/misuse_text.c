/*
 * Every text and number that a function takes, as it cannot be: NULL with a length, absent, empty,
 * too long, with an inner NUL, not UTF-8, out of range. Each is refused with its code, outputs stay
 * as they were or become NULL, and nothing is stored. The rows stand in misuse_text/.
 */
#include "misuse_text.h"

sw_store *store;
sw_attempt *attempt;
sw_step *step;
static const char *history_before;

static void set_up(void) {
    store = store_in_memory();
    submit(store, "w", "\"args\"");
    attempt = claim(store);
    step = begin(attempt, "open");
    history_before = history_text(store, sw_attempt_run_id(attempt, NULL));
}

static void tear_down(void) {
    CHECK_TEXT(history_before, history_text(store, sw_attempt_run_id(attempt, NULL)));
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    finish(attempt, "1");
    sw_step_free(step);
    sw_store_close(store);
}

/* ---- Texts -------------------------------------------------------------------------------- */

static struct text_parameter *first_text_parameter;

void add_text_parameter(struct text_parameter *parameter) {
    parameter->next = first_text_parameter;
    first_text_parameter = parameter;
}

static void check_refused_text(const struct text_parameter *parameter, const char *what,
                               const char *text, size_t len, int32_t first, int32_t second) {
    int32_t code = CODE_OF(parameter->call(text, len));
    const int32_t codes[] = {first, second};
    check_code_in(__FILE__, __LINE__, lend_format("%s, %s", parameter->name, what), code, codes, 2);
}

static size_t len_max_of(const struct text_parameter *parameter) {
    return parameter->is == KEY ? 1024 : parameter->is == PREFIX ? 31 : 255;
}

static char *repeated(char letter, size_t count) {
    char *text = lend(count + 1);
    memset(text, letter, count);
    return text;
}

#define FOR_EACH_TEXT_PARAMETER(parameter)                                                         \
    for (struct text_parameter *parameter = first_text_parameter; parameter != NULL;               \
         parameter = parameter->next)

TEST(null_with_a_length_is_misuse_for_every_text) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        check_refused_text(parameter, "NULL of 5 bytes", NULL, 5, SW_ERR_MISUSE, SW_ERR_MISUSE);
        check_refused_text(parameter, "NULL of 2^63 bytes", NULL, SIZE_MAX / 2, SW_ERR_MISUSE,
                           SW_ERR_MISUSE);
    }
    sw_fail_options as_text = fail_options(SW_FAIL_TEXT, 0);
    sw_text *quoted = POISON(sw_text);
    CHECK_CODE(SW_ERR_MISUSE, sw_attempt_fail(attempt, NULL, 5, &as_text, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_step_fail(step, NULL, 5, &as_text, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_json_quote(NULL, 5, &quoted, ERR));
    CHECK(quoted == NULL);
    tear_down();
}

TEST(a_text_that_must_be_there_cannot_be_absent) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        if (parameter->may_be_absent) continue;
        check_refused_text(parameter, "absent", NULL, 0, SW_ERR_MISUSE, SW_ERR_INVALID);
        check_refused_text(parameter, "absent", NULL, SW_NTS, SW_ERR_MISUSE, SW_ERR_INVALID);
    }
    tear_down();
}

TEST(an_empty_text_is_invalid) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        if (parameter->is == NAME_OR_EMPTY) continue;
        check_refused_text(parameter, "empty", "", 0, SW_ERR_INVALID, SW_ERR_INVALID);
        check_refused_text(parameter, "empty", "", SW_NTS, SW_ERR_INVALID, SW_ERR_INVALID);
        check_refused_text(parameter, "empty", "abc", 0, SW_ERR_INVALID, SW_ERR_INVALID);
    }
    tear_down();
}

TEST(a_text_with_an_inner_nul_or_bad_utf8_is_invalid) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        check_refused_text(parameter, "inner NUL", "a\0b", 3, SW_ERR_INVALID, SW_ERR_INVALID);
        check_refused_text(parameter, "bad UTF-8", NTS("a\xff"), SW_ERR_INVALID, SW_ERR_INVALID);
        check_refused_text(parameter, "cut UTF-8", "\xff\xc3", 2, SW_ERR_INVALID, SW_ERR_INVALID);
    }
    tear_down();
}

TEST(a_name_over_its_length_is_too_big) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        if (parameter->is == PAYLOAD || parameter->is == TOKEN) continue;
        /* A prefix of 32 bytes is none; one of 256 would be no name either. */
        int32_t also = parameter->is == PREFIX ? SW_ERR_INVALID : SW_ERR_TOO_BIG;
        size_t len = len_max_of(parameter) + 1;
        check_refused_text(parameter, "too long", NTS(repeated('a', len)), SW_ERR_TOO_BIG, also);
        check_refused_text(parameter, "far too long", repeated('a', 1000000), 1000000,
                           SW_ERR_TOO_BIG, also);
    }
    tear_down();
}

TEST(an_id_or_a_cursor_over_its_length_is_refused) {
    set_up();
    FOR_EACH_TEXT_PARAMETER(parameter) {
        if (parameter->is != TOKEN) continue;
        check_refused_text(parameter, "too long", NTS(repeated('a', 65)), SW_ERR_INVALID,
                           SW_ERR_NOT_FOUND);
        check_refused_text(parameter, "far too long", repeated('a', 1000000), 1000000,
                           SW_ERR_INVALID, SW_ERR_NOT_FOUND);
    }
    tear_down();
}

/* ---- Numbers ------------------------------------------------------------------------------ */

TEST(a_number_out_of_range_is_invalid) {
    set_up();
    static const int64_t wrong[] = {INT64_MIN, -2, -1, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_fail_options fail = fail_options(0, wrong[i]);
        sw_claim_options wait = claim_options();
        sw_step_options backoff = step_options();
        wait.wait_ms = wrong[i];
        backoff.backoff_initial_ms = wrong[i];
        if (wrong[i] != SW_FOREVER) {
            CHECK_CODE(SW_ERR_INVALID, sw_store_advance_clock(store, wrong[i], ERR));
        }
        CHECK_CODE(SW_ERR_INVALID, sw_attempt_release(attempt, wrong[i], ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, ABSENT, &fail, ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_step_fail(step, ABSENT, &fail, ERR));
        if (wrong[i] < SW_FOREVER) CHECK_CODE(SW_ERR_INVALID, claim_given(ABSENT, &wait));
        CHECK_CODE(SW_ERR_INVALID, begin_given(NTS("s"), ABSENT, &backoff));
    }
    tear_down();
}
