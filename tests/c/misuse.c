/*
 * Every function of the header in the wrong hands: NULL and foreign objects, NULL outputs, texts
 * that cannot be, numbers out of range. Each answers a code, none crashes, and outputs stay as
 * they were or become NULL. The last test holds the table against the header itself.
 */
#include "support.h"

#include <ctype.h>

/* ---- What is handed about ----------------------------------------------------------------- */

enum kind { STORE, ATTEMPT, STEP, TEXT, ERROR, STOP, KINDS };

/* One living object of each kind, and memory that is none of ours. */
static void *living[KINDS];
static _Alignas(16) unsigned char foreign[1024];

static void set_up(void) {
    sw_store *store = store_in_memory();
    sw_text *text = NULL;
    sw_stop *stop = NULL;
    sw_error *error = NULL;
    char id[SW_ID_CAP];
    submit(store, "w", "\"args\"");
    sw_attempt *attempt = claim(store);
    REQUIRE_CODE(SW_OK, sw_json_quote(NTS("text"), &text, ERR));
    REQUIRE_CODE(SW_OK, sw_stop_new(&stop, ERR));
    REQUIRE(sw_new_id(NTS("Wrong"), id, sizeof id, &error) == SW_ERR_INVALID);
    living[STORE] = store;
    living[ATTEMPT] = attempt;
    living[STEP] = begin(attempt, "open");
    living[TEXT] = text;
    living[ERROR] = error;
    living[STOP] = stop;
}

/* Checks that nothing happened to the living objects, then ends them. */
static void tear_down(void) {
    CHECK_TEXT("\"text\"", sw_text_data(living[TEXT], NULL));
    CHECK_INT(SW_ERR_INVALID, sw_error_code(living[ERROR]));
    CHECK_TEXT("\"args\"", sw_attempt_args(living[ATTEMPT], NULL));
    CHECK_CODE(SW_OK, sw_step_complete(living[STEP], NTS("1"), ERR));
    CHECK_CODE(SW_OK, sw_attempt_complete(living[ATTEMPT], NTS("1"), ERR));
    CHECK_NOTHING_TO_CLAIM(living[STORE]);
    sw_step_free(living[STEP]);
    sw_attempt_free(living[ATTEMPT]);
    sw_text_free(living[TEXT]);
    sw_error_free(living[ERROR]);
    sw_stop_free(living[STOP]);
    sw_store_close(living[STORE]);
}

static const char *covered[256];
static size_t covered_count;

static void cover(const char *function) {
    for (size_t i = 0; i < covered_count; i++) {
        if (strcmp(covered[i], function) == 0) return;
    }
    if (covered_count < COUNT_OF(covered)) covered[covered_count++] = function;
}

/* The call, noted as covered. */
#define CALL(function, ...) (cover(#function), function(__VA_ARGS__))

/* ---- Objects ------------------------------------------------------------------------------ */

/* What a function that gives no code answers in its place. */
#define NO_CODE 1000

struct object_call {
    const char *function;
    enum kind kind;
    int32_t (*call)(void *object, sw_error **err);
    struct object_call *next;
};

static struct object_call *first_object_call;

static void add_object_call(struct object_call *call) {
    call->next = first_object_call;
    first_object_call = call;
    cover(call->function);
}

/* A call of the function on `object`, all else being right; it checks its outputs itself. */
#define ON(object_kind, function)                                                                  \
    static int32_t on_##function(void *object, sw_error **err);                                    \
    __attribute__((constructor)) static void add_##function(void) {                                \
        static struct object_call call = {#function, object_kind, on_##function, NULL};            \
        add_object_call(&call);                                                                    \
    }                                                                                              \
    static int32_t on_##function(void *object, sw_error **err)

static int32_t with_text_set_to_null(int32_t code, const sw_text *text) {
    CHECK(text == NULL);
    return code;
}

/* A view of a wrong object is NULL and empty. */
static int32_t no_view(const char *view, size_t len) {
    CHECK(view == NULL);
    CHECK_INT(0, len);
    return NO_CODE;
}

static int32_t no_number(int64_t number) {
    CHECK_INT(0, number);
    return NO_CODE;
}

ON(STORE, sw_store_init) {
    uint32_t applied = 77;
    int32_t code = sw_store_init(object, &applied, err);
    CHECK_INT(77, applied);
    return code;
}

ON(STORE, sw_store_migrate) {
    uint32_t applied = 77;
    int32_t code = sw_store_migrate(object, 1, &applied, err);
    CHECK_INT(77, applied);
    return code;
}

ON(STORE, sw_store_schema_version) {
    int64_t current = 77, newest = 78;
    int32_t code = sw_store_schema_version(object, &current, &newest, err);
    CHECK(current == 77 && newest == 78);
    return code;
}

ON(STORE, sw_store_migrations) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_migrations(object, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_store_path) {
    (void)err;
    CHECK(sw_store_path(object) == NULL);
    return NO_CODE;
}

ON(STORE, sw_store_advance_clock) {
    return sw_store_advance_clock(object, 1, err);
}

ON(STORE, sw_store_now_ms) {
    (void)err;
    CHECK(sw_store_now_ms(object) <= 0);
    return NO_CODE;
}

ON(STORE, sw_store_shutdown) {
    (void)err;
    sw_store_shutdown(object);
    return NO_CODE;
}

ON(STORE, sw_store_close) {
    (void)err;
    sw_store_close(object);
    return NO_CODE;
}

ON(STORE, sw_run_submit) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_submit(object, NTS("w"), ABSENT, NULL, id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

ON(STORE, sw_run_find) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(object, ABSENT, NTS("k"), id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

ON(STORE, sw_run_claim) {
    sw_attempt *attempt = POISON(sw_attempt);
    int32_t code = sw_run_claim(object, ABSENT, NULL, &attempt, err);
    CHECK(attempt == NULL);
    return code;
}

ON(STORE, sw_run_get) {
    sw_text *text = POISON(sw_text);
    int32_t code =
        sw_run_get(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_run_history) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_history(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), ABSENT, 0,
                                  &text, err);
    return with_text_set_to_null(code, text);
}

#define ON_VIEW(kind, function)                                                                    \
    ON(kind, function) {                                                                           \
        size_t len = 77;                                                                           \
        (void)err;                                                                                 \
        CHECK(function(object, NULL) == NULL);                                                     \
        const char *view = function(object, &len);                                                 \
        return no_view(view, len);                                                                 \
    }

ON_VIEW(ATTEMPT, sw_attempt_id)
ON_VIEW(ATTEMPT, sw_attempt_run_id)
ON_VIEW(ATTEMPT, sw_attempt_root_run_id)
ON_VIEW(ATTEMPT, sw_attempt_parent_run_id)
ON_VIEW(ATTEMPT, sw_attempt_workflow)
ON_VIEW(ATTEMPT, sw_attempt_queue)
ON_VIEW(ATTEMPT, sw_attempt_args)
ON_VIEW(STEP, sw_step_id)
ON_VIEW(STEP, sw_step_name)
ON_VIEW(STEP, sw_step_result)
ON_VIEW(STEP, sw_step_error)
ON_VIEW(TEXT, sw_text_data)

#define ON_NUMBER(kind, function)                                                                  \
    ON(kind, function) {                                                                           \
        (void)err;                                                                                 \
        return no_number((int64_t)function(object));                                               \
    }

ON_NUMBER(ATTEMPT, sw_attempt_number)
ON_NUMBER(ATTEMPT, sw_attempt_lease_expires_at_ms)
ON_NUMBER(STEP, sw_step_occurrence)
ON_NUMBER(STEP, sw_step_tries)
ON_NUMBER(STEP, sw_step_retry_at_ms)
ON_NUMBER(ERROR, sw_error_engine_code)
ON_NUMBER(ERROR, sw_error_is_retryable)

ON(ERROR, sw_error_code) {
    (void)err;
    CHECK(sw_error_code(object) <= 0);
    return NO_CODE;
}

ON(ERROR, sw_error_message) {
    (void)err;
    const char *message = sw_error_message(object);
    CHECK(message == NULL || strlen(message) < 1000);
    return NO_CODE;
}

#define ON_FREE(kind, function)                                                                    \
    ON(kind, function) {                                                                           \
        (void)err;                                                                                 \
        function(object);                                                                          \
        return NO_CODE;                                                                            \
    }

ON_FREE(ATTEMPT, sw_attempt_free)
ON_FREE(STEP, sw_step_free)
ON_FREE(TEXT, sw_text_free)
ON_FREE(ERROR, sw_error_free)
ON_FREE(STOP, sw_stop_free)
ON_FREE(STOP, sw_stop_fire)

ON(ATTEMPT, sw_attempt_heartbeat) {
    return sw_attempt_heartbeat(object, 0, err);
}

ON(ATTEMPT, sw_attempt_check) {
    return sw_attempt_check(object, err);
}

ON(ATTEMPT, sw_attempt_complete) {
    return sw_attempt_complete(object, NTS("2"), err);
}

ON(ATTEMPT, sw_attempt_fail) {
    return sw_attempt_fail(object, NTS("2"), NULL, err);
}

ON(ATTEMPT, sw_attempt_release) {
    return sw_attempt_release(object, 0, err);
}

ON(ATTEMPT, sw_step_begin) {
    sw_step *step = POISON(sw_step);
    int32_t code = sw_step_begin(object, NTS("s"), ABSENT, NULL, &step, err);
    CHECK(step == NULL);
    return code;
}

ON(STEP, sw_step_complete) {
    return sw_step_complete(object, NTS("2"), err);
}

ON(STEP, sw_step_fail) {
    return sw_step_fail(object, NTS("2"), NULL, err);
}

static void check_object(const struct object_call *call, void *object, const char *what) {
    int32_t code = CODE_OF(call->call(object, ERR));
    if (code == NO_CODE) return;
    check_code(__FILE__, __LINE__, lend_format("%s on %s", call->function, what), SW_ERR_MISUSE,
               code);
    if (last_error == NULL) fail_at(__FILE__, __LINE__, "%s gave no error", call->function);
    CHECK_INT(SW_ERR_MISUSE, call->call(object, NULL));
}

TEST(null_in_place_of_an_object_is_misuse) {
    set_up();
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        check_object(call, NULL, "NULL");
    }
    tear_down();
}

TEST(a_handle_of_the_wrong_kind_is_misuse_and_stays_whole) {
    static const char *const names[] = {"a store", "an attempt", "a step", "a text", "an error",
                                        "a stop"};
    set_up();
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        for (int kind = 0; kind < KINDS; kind++) {
            if (kind != (int)call->kind) check_object(call, living[kind], names[kind]);
        }
    }
    tear_down();
}

TEST(memory_that_is_no_handle_is_misuse_and_stays_as_it_is) {
    static const unsigned char fillings[] = {0x00, 0xff, 'x'};
    set_up();
    for (size_t i = 0; i < COUNT_OF(fillings); i++) {
        memset(foreign, fillings[i], sizeof foreign);
        for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
            check_object(call, foreign, "foreign memory");
        }
        for (size_t j = 0; j < sizeof foreign; j++) CHECK(foreign[j] == fillings[i]);
    }
    tear_down();
}

TEST(a_stop_of_the_wrong_kind_in_the_options_of_a_claim_is_misuse) {
    set_up();
    sw_claim_options options = claim_options();
    sw_attempt *attempt = POISON(sw_attempt);
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == STOP) continue;
        options.stop = living[kind];
        CHECK_CODE(SW_ERR_MISUSE, sw_run_claim(living[STORE], ABSENT, &options, &attempt, ERR));
        CHECK(attempt == NULL);
    }
    tear_down();
}

/* ---- Outputs ------------------------------------------------------------------------------ */

TEST(null_in_place_of_an_output_is_misuse_and_nothing_is_done) {
    set_up();
    sw_store *store = living[STORE];
    const char *path = temp_path("new.db"), *run_id = sw_attempt_run_id(living[ATTEMPT], NULL);
    submit(store, "w", NULL);
    CHECK_CODE(SW_ERR_MISUSE, CALL(sw_new_id, NTS("run"), NULL, SW_ID_CAP, ERR));
    CHECK_CODE(SW_ERR_MISUSE, CALL(sw_json_quote, NTS("x"), NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, CALL(sw_store_open, path, NULL, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, CALL(sw_store_open_in_memory, NULL, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, CALL(sw_stop_new, NULL, ERR));
    int64_t number = 77;
    CHECK_CODE(SW_ERR_MISUSE, sw_store_init(store, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_migrate(store, 1, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_schema_version(store, NULL, &number, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_schema_version(store, &number, NULL, ERR));
    CHECK_INT(77, number);
    CHECK_CODE(SW_ERR_MISUSE, sw_store_migrations(store, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE,
               sw_run_submit(store, NTS("w"), ABSENT, NULL, NULL, SW_ID_CAP, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_run_find(store, ABSENT, NTS("k"), NULL, SW_ID_CAP, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_run_claim(store, ABSENT, NULL, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_run_get(store, NTS(run_id), NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_run_history(store, NTS(run_id), ABSENT, 0, NULL, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_step_begin(living[ATTEMPT], NTS("s"), ABSENT, NULL, NULL, ERR));
    CHECK_INT(SW_ERR_MISUSE, sw_run_claim(store, ABSENT, NULL, NULL, NULL));
    CHECK(!file_exists(path));
    finish(claim(store), "1");
    tear_down();
}

TEST(room_of_63_bytes_for_an_id_is_invalid_before_anything_is_done) {
    set_up();
    char id[SW_ID_CAP] = "untouched";
    sw_store *store = living[STORE];
    static const size_t caps[] = {0, 1, 30, 63};
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        CHECK_CODE(SW_ERR_INVALID, sw_new_id(NTS("run"), id, caps[i], ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_run_submit(store, NTS("w"), ABSENT, NULL, id, caps[i], ERR));
        CHECK_CODE(SW_ERR_INVALID, sw_run_find(store, ABSENT, NTS("k"), id, caps[i], ERR));
    }
    CHECK_TEXT("untouched", id);
    CHECK_NOTHING_TO_CLAIM(store);
    tear_down();
}

TEST(a_store_that_cannot_be_opened_sets_its_output_to_null) {
    sw_store_options options = {.struct_size = 3};
    sw_store *store = POISON(sw_store);
    CHECK_CODE_IN(sw_store_open(NULL, NULL, &store, ERR), SW_ERR_MISUSE, SW_ERR_INVALID);
    CHECK(store == NULL);
    store = POISON(sw_store);
    CHECK_CODE(SW_ERR_INVALID, sw_store_open(temp_path("new.db"), &options, &store, ERR));
    CHECK(store == NULL);
    store = POISON(sw_store);
    CHECK_CODE(SW_ERR_INVALID, sw_store_open_in_memory(&options, &store, ERR));
    CHECK(store == NULL);
    CHECK_TEXT("", folder_listing(temp_folder()));
}

/* ---- The rest, and the header ------------------------------------------------------------- */

TEST(functions_without_objects_take_any_number) {
    static const uint32_t numbers[] = {0, 1, 77, INT32_MAX, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        CHECK(CALL(sw_code_name, (int32_t)numbers[i]) != NULL);
        int32_t code = CALL(sw_abi_check, numbers[i]);
        CHECK(code == SW_OK || code == SW_ERR_UNSUPPORTED);
    }
    CHECK(CALL(sw_version) != NULL && CALL(sw_build_info) != NULL);
    CHECK(CALL(sw_version_number) > 0);
    CHECK_INT(SW_ABI_VERSION, CALL(sw_abi_version));
}

/* Blanks comments and preprocessor lines, so that what looks like a call is a declaration. */
static void blank_comments(char *text) {
    for (char *at = text; (at = strstr(at, "/*")) != NULL;) {
        char *end = strstr(at, "*/");
        if (end == NULL) end = at + strlen(at) - 2;
        memset(at, ' ', (size_t)(end + 2 - at));
    }
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line + 1, '\n')) {
        char *start = line + (*line == '\n');
        size_t len = strcspn(start, "\n");
        char *comment = strstr(start, "//");
        if (*start == '#') memset(start, ' ', len);
        else if (comment != NULL && comment < start + len) memset(comment, ' ', (size_t)(start + len - comment));
    }
}

TEST(this_table_covers_every_function_of_the_header) {
    struct file_copy header = file_read(SMOLWF_HEADER);
    REQUIRE(header.exists);
    char *text = (char *)header.bytes;
    int functions = 0;
    blank_comments(text);
    for (char *at = text; (at = strstr(at, "sw_")) != NULL;) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool is_function = (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')) &&
                           at[len] == '(';
        char *name = lend_format("%.*s", (int)len, at);
        at += len;
        if (!is_function) continue;
        functions++;
        bool is_covered = false;
        for (size_t i = 0; i < covered_count; i++) is_covered |= strcmp(covered[i], name) == 0;
        if (!is_covered) fail_at(__FILE__, __LINE__, "%s stands in no table here", name);
    }
    CHECK(functions >= 60);
}
