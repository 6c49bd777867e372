/*
 * Every text and number that a function takes, as it cannot be: NULL with a length, absent, empty,
 * too long, with an inner NUL, not UTF-8, out of range. Each is refused with its code, outputs stay
 * as they were or become NULL, and nothing is stored.
 */
#include "support.h"

/* What the calls are made on; nothing may have happened to it at the end of a test. */
static sw_store *store;
static sw_attempt *attempt;
static sw_step *step;
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

/* A token is what the library gave out: an id, a cursor. */
enum text_class { NAME, KEY, TOKEN, PREFIX, PAYLOAD };

/* One text parameter of one function; `call` hands it over, all else being right. */
struct text_parameter {
    const char *name;
    enum text_class is;
    bool may_be_absent;
    int32_t (*call)(const char *text, size_t len);
    struct text_parameter *next;
};

static struct text_parameter *first_text_parameter;

static void add_text_parameter(struct text_parameter *parameter) {
    parameter->next = first_text_parameter;
    first_text_parameter = parameter;
}

#define TEXT_PARAMETER(name, class, may_be_absent)                                                 \
    static int32_t give_##name(const char *text, size_t len);                                      \
    __attribute__((constructor)) static void add_##name(void) {                                    \
        static struct text_parameter parameter = {#name, class, may_be_absent, give_##name, NULL}; \
        add_text_parameter(&parameter);                                                            \
    }                                                                                              \
    static int32_t give_##name(const char *text, size_t len)

static int32_t submit_given(const char *workflow, size_t workflow_len, const char *args,
                            size_t args_len, const sw_submit_options *options) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_submit(store, workflow, workflow_len, args, args_len, options,
                                 id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

static int32_t claim_given(const char *queue, size_t queue_len, const sw_claim_options *options) {
    sw_attempt *none = POISON(sw_attempt);
    int32_t code = sw_run_claim(store, queue, queue_len, options, &none, ERR);
    CHECK(none == NULL);
    return code;
}

static int32_t begin_given(const char *name, size_t name_len, const char *input, size_t input_len,
                           const sw_step_options *options) {
    sw_step *none = POISON(sw_step);
    int32_t code =
        sw_step_begin(attempt, name, name_len, input, input_len, options, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(prefix_of_an_id, PREFIX, false) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_new_id(text, len, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(workflow_of_a_submit, NAME, false) {
    return submit_given(text, len, ABSENT, NULL);
}

TEXT_PARAMETER(args_of_a_submit, PAYLOAD, true) {
    return submit_given(NTS("w"), text, len, NULL);
}

#define SUBMIT_FIELD(field, class)                                                                 \
    TEXT_PARAMETER(field##_of_a_submit, class, true) {                                             \
        sw_submit_options options = submit_options();                                              \
        options.idempotency_key = "k";                                                             \
        options.idempotency_key_len = 1;                                                           \
        options.field = text;                                                                      \
        options.field##_len = len;                                                                 \
        return submit_given(NTS("w"), ABSENT, &options);                                           \
    }

SUBMIT_FIELD(queue, NAME)
SUBMIT_FIELD(idempotency_key, KEY)
SUBMIT_FIELD(idempotency_scope, KEY)
SUBMIT_FIELD(concurrency_key, KEY)
SUBMIT_FIELD(code_version, NAME)
SUBMIT_FIELD(metadata, PAYLOAD)

TEXT_PARAMETER(queue_of_a_claim, NAME, true) {
    return claim_given(text, len, NULL);
}

#define CLAIM_FIELD(field, class)                                                                  \
    TEXT_PARAMETER(field##_of_a_claim, class, true) {                                              \
        sw_claim_options options = claim_options();                                                \
        options.field = text;                                                                      \
        options.field##_len = len;                                                                 \
        return claim_given(ABSENT, &options);                                                      \
    }

CLAIM_FIELD(worker, NAME)
CLAIM_FIELD(workflows, PAYLOAD)
CLAIM_FIELD(code_versions, PAYLOAD)

TEXT_PARAMETER(scope_of_a_find, KEY, true) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(store, text, len, NTS("k"), id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(key_of_a_find, KEY, false) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(store, ABSENT, text, len, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(run_id_of_a_get, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_get(store, text, len, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(run_id_of_a_history, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_history(store, text, len, ABSENT, 0, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(cursor_of_a_history, TOKEN, true) {
    sw_text *out = POISON(sw_text);
    const char *run_id = sw_attempt_run_id(attempt, NULL);
    int32_t code = sw_run_history(store, NTS(run_id), text, len, 0, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(name_of_a_step, NAME, false) {
    return begin_given(text, len, ABSENT, NULL);
}

TEXT_PARAMETER(input_of_a_step, PAYLOAD, true) {
    return begin_given(NTS("s"), text, len, NULL);
}

TEXT_PARAMETER(kind_of_a_step, NAME, true) {
    sw_step_options options = step_options();
    options.kind = text;
    options.kind_len = len;
    return begin_given(NTS("s"), ABSENT, &options);
}

TEXT_PARAMETER(result_of_an_attempt, PAYLOAD, true) {
    return sw_attempt_complete(attempt, text, len, ERR);
}

TEXT_PARAMETER(error_of_an_attempt, PAYLOAD, true) {
    return sw_attempt_fail(attempt, text, len, NULL, ERR);
}

TEXT_PARAMETER(result_of_a_step, PAYLOAD, true) {
    return sw_step_complete(step, text, len, ERR);
}

TEXT_PARAMETER(error_of_a_step, PAYLOAD, true) {
    return sw_step_fail(step, text, len, NULL, ERR);
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
        CHECK_CODE(SW_ERR_INVALID, sw_store_advance_clock(store, wrong[i], ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_attempt_release(attempt, wrong[i], ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, ABSENT, &fail, ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_step_fail(step, ABSENT, &fail, ERR));
        if (wrong[i] < SW_FOREVER) CHECK_CODE(SW_ERR_INVALID, claim_given(ABSENT, &wait));
        CHECK_CODE(SW_ERR_INVALID, begin_given(NTS("s"), ABSENT, &backoff));
    }
    tear_down();
}
