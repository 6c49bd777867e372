/*
 * What every function of the header can be called with, and how one call is looked at. What is
 * called, and how, is made from the header by tests/support/misuse.rs; here stands what it cannot
 * tell.
 */
#include "table.h"

/* ---- What is right ------------------------------------------------------------------------ */

/* One living object of each kind, and what is known of them. */
void *living[KINDS];
static char run_id[SW_ID_CAP], reservation_id[SW_ID_CAP];
static const char *history_before;
static char *document;

void place_make(sw_store *store) {
    sw_submit_options options = submit_options();
    sw_error *error = NULL;
    sw_text *text = NULL;
    options.budget = "{\"t\":1000}";
    options.budget_len = SW_NTS;
    living[KIND_STORE] = store;
    REQUIRE_CODE(SW_OK, sw_run_submit(store, NTS("w"), NTS("\"args\""), &options, run_id,
                                      sizeof run_id, ERR));
    sw_attempt *attempt = living[KIND_ATTEMPT] = claim(store);
    living[KIND_STEP] = begin(attempt, "open");
    REQUIRE_CODE(SW_OK, sw_budget_reserve(attempt, NULL, NTS("{\"t\":5}"), ABSENT, reservation_id,
                                          sizeof reservation_id, ERR));
    REQUIRE_CODE(SW_OK, sw_json_quote(NTS("text"), (sw_text **)&living[KIND_TEXT], ERR));
    REQUIRE_CODE(SW_OK, sw_stop_new((sw_stop **)&living[KIND_STOP], ERR));
    sw_stop_fire(living[KIND_STOP]);
    REQUIRE_CODE(SW_OK, sw_watch_open(store, (sw_watch **)&living[KIND_WATCH], ERR));
    REQUIRE(sw_new_id(NTS("Wrong"), run_id, 1, &error) == SW_ERR_INVALID);
    living[KIND_ERROR] = error;
    if (document == NULL) {
        REQUIRE_CODE(SW_OK, sw_run_export(store, NTS(run_id), ABSENT, &text, ERR));
        document = strdup(sw_text_data(text, NULL));
        sw_text_free(text);
    }
    history_before = history_text(store, run_id);
    for (int kind = 0; kind < KINDS; kind++) REQUIRE(living[kind] != NULL);
}

void check_untouched(void) {
    CHECK_TEXT("\"text\"", sw_text_data(living[KIND_TEXT], NULL));
    CHECK_INT(SW_ERR_INVALID, sw_error_code(living[KIND_ERROR]));
    CHECK_TEXT("\"args\"", sw_attempt_args(living[KIND_ATTEMPT], NULL));
    CHECK_TEXT("open", sw_step_name(living[KIND_STEP], NULL));
    CHECK_TEXT(history_before, history_text(living[KIND_STORE], run_id));
    CHECK_NOTHING_TO_CLAIM(living[KIND_STORE]);
}

void place_end(void) {
    sw_step_free(living[KIND_STEP]);
    sw_attempt_free(living[KIND_ATTEMPT]);
    sw_text_free(living[KIND_TEXT]);
    sw_error_free(living[KIND_ERROR]);
    sw_stop_free(living[KIND_STOP]);
    sw_watch_free(living[KIND_WATCH]);
    sw_store_close(living[KIND_STORE]);
}

struct right_text {
    const char *name;
    const char *text;
};

/* Texts that are right, by the names of their parameters; those of one function first. */
static const struct right_text right_texts[] = {
    {"sw_child_submit_many.items", "[{\"name\":\"c\",\"workflow\":\"w\"}]"},
    {"sw_tx_run.script", "[{\"sql\":\"SELECT 1\"}]"},
    {"sw_store_open.path", NULL},
    {"run_id", run_id},
    {"reservation_id", reservation_id},
    {"workflow", "w"},
    {"items", "[{\"workflow\":\"w\"}]"},
    {"sql", "SELECT 1"},
    {"waits", "[{\"sleep_ms\":0}]"},
    {"action", "pause"},
    {"patch", "{}"},
    {"unit", "t"},
    {"amounts", "{\"t\":1}"},
    {"usage", "{\"t\":1}"},
    {"budget", "{\"t\":1}"},
    {"metadata", "{}"},
    {"workflows", "[\"w\"]"},
    {"code_versions", "[\"v\"]"},
    {"spec", "{\"workflow\":\"w\",\"every_ms\":1000}"},
    {"settings", "{}"},
    {"policy", "{}"},
    {"type", "note"},
    {"name", "n"},
    {"prefix", "run"},
    {"text", "text"},
    {"filter", "{}"},
    {"options", "{}"},
    {"params", "[]"},
    {"queue", "default"},
    {"cursor", NULL},
    {"from_step", NULL},
};

static const char *right_text(const char *function, const char *name) {
    const char *whole = lend_format("%s.%s", function, name);
    static int count;
    if (strcmp(name, "path") == 0) return temp_path(lend_format("new-%d.db", count++));
    if (strcmp(name, "document") == 0) return document;
    for (size_t i = 0; i < COUNT_OF(right_texts); i++) {
        const char *known = right_texts[i].name;
        if (strcmp(known, name) == 0 || strcmp(known, whole) == 0) return right_texts[i].text;
    }
    return "1";
}

static uint64_t right_number(const char *name) {
    static const char *const ones[] = {"max", "limit", "pages_max", "at_most", "delta", "when"};
    for (size_t i = 0; i < COUNT_OF(ones); i++) {
        if (strcmp(name, ones[i]) == 0) return 1;
    }
    if (strcmp(name, "header_abi") == 0) return SW_ABI_VERSION;
    return 0;
}

/* ---- One call ----------------------------------------------------------------------------- */

union argument v[PARAMETERS_MAX];
_Alignas(16) unsigned char given[SW_STRUCT_SIZE_MAX + 64];
struct outputs out;

static void set_options(const struct function *function, const struct layout *layout) {
    memset(given, 0, sizeof given);
    uint32_t size = (uint32_t)layout->size;
    memcpy(given, &size, sizeof size);
    for (size_t i = 0; i < layout->count; i++) {
        const struct parameter *field = &layout->fields[i];
        const void *right = field->class == HANDLE ? living[field->kind] : NULL;
        bool is_key = field->class == TEXT && strcmp(field->name, "idempotency_key") == 0;
        if (is_key && strcmp(function->name, "sw_child_submit") != 0) {
            size_t len = SW_NTS;
            right = right_text(function->name, field->name);
            memcpy(given + field[1].offset, &len, sizeof len);
        }
        if (right != NULL) memcpy(given + field->offset, &right, sizeof right);
    }
}

/* Puts what is right in the place of each argument. */
void set_right(const struct function *function) {
    for (size_t i = 0; i < COUNT_OF(out.handles); i++) out.handles[i] = POISON(void);
    out.number = 77;
    out.len = 77;
    strcpy(out.id, "untouched");
    for (size_t i = 0; i < function->count; i++) {
        const struct parameter *parameter = &function->parameters[i];
        v[i].number = 0;
        switch (parameter->class) {
        case HANDLE:
            v[i].at = living[parameter->kind];
            break;
        case PATH:
        case TEXT:
            v[i].at = (void *)right_text(function->name, parameter->name);
            break;
        case LENGTH:
            v[i].number = v[i - 1].at == NULL ? 0 : SW_NTS;
            break;
        case OPTIONS:
            set_options(function, parameter->layout);
            v[i].at = given;
            break;
        case NUMBER:
            v[i].number = right_number(parameter->name);
            break;
        case OUT_HANDLE:
            v[i].at = out.handles;
            break;
        case OUT_NUMBER:
            v[i].at = &out.number;
            break;
        case OUT_LEN:
            v[i].at = &out.len;
            break;
        case OUT_ID:
            v[i].at = out.id;
            break;
        case ROOM:
            v[i].number = sizeof out.id;
            break;
        case ERROR_SLOT:
            v[i].at = ERR;
            break;
        }
    }
}

static const struct function *function_named(const char *name) {
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    }
    return NULL;
}

/* Frees an object that a call gave, by the function that the header has for its kind. */
static void give_back(int kind, void *object) {
    const struct function *with = function_named(lend_format("%s_free", kind_names[kind]));
    if (with == NULL) with = function_named(lend_format("%s_close", kind_names[kind]));
    union argument given_back = {.at = object};
    REQUIRE(with != NULL);
    with->call(&given_back);
}

void check_outputs(const struct function *function, bool is_done) {
    for (size_t i = 0; i < function->count; i++) {
        const struct parameter *parameter = &function->parameters[i];
        if (parameter->class == OUT_HANDLE && v[i].at == out.handles) {
            for (size_t j = 0; is_done && j < COUNT_OF(out.handles); j++) {
                void *object = out.handles[j];
                if (object != NULL && object != POISON(void)) give_back(parameter->kind, object);
            }
            /* How many there are is wrong in some calls for many: then none is touched. */
            bool is_one = i == 0 || strcmp(parameter->name, "out") != 0 ||
                          function->parameters[i - 1].class != NUMBER;
            if (!is_done && is_one && out.handles[0] != NULL) {
                fail_at(__FILE__, __LINE__, "%s leaves its output", function->name);
            }
        }
    }
    if (is_done) return;
    CHECK_INT(77, out.number);
    CHECK_TEXT("untouched", out.id);
}

bool has_handle(const struct function *function) {
    return function->count > 0 && function->parameters[0].class == HANDLE;
}
