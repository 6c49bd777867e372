/*
 * Every function of the header in the wrong hands: NULL and foreign objects, NULL outputs, texts
 * that cannot be, numbers out of range. Each answers a code, none crashes, and outputs stay as
 * they were or become NULL. The rows stand in misuse/; the last test holds the table against the
 * header itself.
 */
#include "misuse.h"

#include <ctype.h>

/* ---- What is handed about ----------------------------------------------------------------- */

void *living[KINDS];
static const char *const kind_names[KINDS] = {
    [STORE] = "a store",  [ATTEMPT] = "an attempt", [STEP] = "a step",   [TEXT] = "a text",
    [ERROR] = "an error", [STOP] = "a stop",        [WATCH] = "a watch",
};

/* Memory that is none of ours. */
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
    REQUIRE_CODE(SW_OK, sw_watch_open(store, (sw_watch **)&living[WATCH], ERR));
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
    sw_watch_free(living[WATCH]);
    sw_store_close(living[STORE]);
}

/* ---- The rows ----------------------------------------------------------------------------- */

static const char *covered[256];
static size_t covered_count;
static struct object_call *first_object_call;
static struct output_call *first_output_call;
static struct id_call *first_id_call;

void cover(const char *function) {
    for (size_t i = 0; i < covered_count; i++) {
        if (strcmp(covered[i], function) == 0) return;
    }
    if (covered_count < COUNT_OF(covered)) covered[covered_count++] = function;
}

void add_object_call(struct object_call *call) {
    call->next = first_object_call;
    first_object_call = call;
    cover(call->function);
}

void add_output_call(struct output_call *call) {
    call->next = first_output_call;
    first_output_call = call;
    cover(call->function);
}

void add_id_call(struct id_call *call) {
    call->next = first_id_call;
    first_id_call = call;
    cover(call->function);
}

int32_t with_text_set_to_null(int32_t code, const sw_text *text) {
    CHECK(text == NULL);
    return code;
}

int32_t no_view(const char *view, size_t len) {
    CHECK(view == NULL);
    CHECK_INT(0, len);
    return NO_CODE;
}

int32_t no_number(int64_t number) {
    CHECK_INT(0, number);
    return NO_CODE;
}

/* ---- Objects ------------------------------------------------------------------------------ */

static void check_refused(const struct object_call *call, void *object, const char *what,
                          int32_t expected) {
    int32_t code = CODE_OF(call->call(object, ERR));
    if (code == NO_CODE) return;
    check_code(__FILE__, __LINE__, lend_format("%s on %s", call->function, what), expected, code);
    if (last_error == NULL) fail_at(__FILE__, __LINE__, "%s gave no error", call->function);
    CHECK_INT(expected, call->call(object, NULL));
}

static void check_object(const struct object_call *call, void *object, const char *what) {
    check_refused(call, object, what, SW_ERR_MISUSE);
}

TEST(null_in_place_of_an_object_is_misuse) {
    set_up();
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        check_object(call, NULL, "NULL");
    }
    tear_down();
}

TEST(a_handle_of_the_wrong_kind_is_misuse_and_stays_whole) {
    set_up();
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        for (int kind = 0; kind < KINDS; kind++) {
            if (kind != (int)call->kind) check_object(call, living[kind], kind_names[kind]);
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

static void check_every_call_on_a_store(sw_store *store, const char *what, int32_t expected) {
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        if (call->kind == STORE) check_refused(call, store, what, expected);
    }
}

TEST(a_store_that_is_shut_down_or_closed_is_closed_to_every_call) {
    set_up();
    sw_store *store = store_in_memory();
    sw_store_shutdown(store);
    for (struct object_call *call = first_object_call; call != NULL; call = call->next) {
        if (call->kind != STORE || strcmp(call->function, "sw_store_close") == 0) continue;
        if (strcmp(call->function, "sw_store_now_ms") == 0) continue; /* a clock goes on */
        check_refused(call, store, "a store that is shut down", SW_ERR_CLOSED);
    }
    sw_store_close(store);
    check_every_call_on_a_store(store, "a closed store", SW_ERR_CLOSED);
    tear_down();
}

static void use_the_parents_store(void *store) {
    check_every_call_on_a_store(store, "a store of the parent", SW_ERR_FORKED);
}

TEST(a_store_of_the_parent_is_forked_to_every_call_of_its_child) {
    set_up();
    sw_store *store = store_in_memory();
    CHECK(in_forked_child(use_the_parents_store, store));
    submit(store, "w", NULL);
    finish(claim(store), "1");
    sw_store_close(store);
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
    for (struct output_call *call = first_output_call; call != NULL; call = call->next) {
        check_code(__FILE__, __LINE__, call->function, SW_ERR_MISUSE, CODE_OF(call->call(ERR)));
        CHECK_INT(SW_ERR_MISUSE, call->call(NULL));
    }
    for (struct id_call *call = first_id_call; call != NULL; call = call->next) {
        int32_t code = CODE_OF(call->call(NULL, SW_ID_CAP, ERR));
        check_code(__FILE__, __LINE__, call->function, SW_ERR_MISUSE, code);
    }
    CHECK_TEXT("", folder_listing(temp_folder()));
    tear_down();
}

TEST(room_of_63_bytes_for_an_id_is_invalid_before_anything_is_done) {
    static const size_t caps[] = {0, 1, 30, 63};
    char id[SW_ID_CAP] = "untouched";
    set_up();
    for (struct id_call *call = first_id_call; call != NULL; call = call->next) {
        for (size_t i = 0; i < COUNT_OF(caps); i++) {
            int32_t code = CODE_OF(call->call(id, caps[i], ERR));
            check_code(__FILE__, __LINE__, call->function, SW_ERR_INVALID, code);
        }
    }
    CHECK_TEXT("untouched", id);
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
        if (*start == '#')
            memset(start, ' ', len);
        else if (comment != NULL && comment < start + len)
            memset(comment, ' ', (size_t)(start + len - comment));
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
        bool is_function =
            (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')) && at[len] == '(';
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
