/*
 * Every function of the header in the wrong hands: each argument, and each field of each struct of
 * options, is wrong in every way of its kind while all else is right. Each call answers a code that
 * the function's documentation tells, and the one that the way demands; none crashes; outputs stay
 * as they were or become NULL. What is called, and how, is made from the header by
 * tests/support/misuse.rs; here stands what it cannot tell.
 */
#include "misuse.h"

/* ---- What is right ------------------------------------------------------------------------ */

/* One living object of each kind, and what is known of them. */
static void *living[KINDS];
static char run_id[SW_ID_CAP], reservation_id[SW_ID_CAP];
static const char *history_before;
static char *document;

static void place_make(void) {
    sw_submit_options options = submit_options();
    sw_error *error = NULL;
    sw_text *text = NULL;
    options.budget = "{\"t\":1000}";
    options.budget_len = SW_NTS;
    sw_store *store = living[KIND_STORE] = store_in_memory();
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

static void check_untouched(void) {
    CHECK_TEXT("\"text\"", sw_text_data(living[KIND_TEXT], NULL));
    CHECK_INT(SW_ERR_INVALID, sw_error_code(living[KIND_ERROR]));
    CHECK_TEXT("\"args\"", sw_attempt_args(living[KIND_ATTEMPT], NULL));
    CHECK_TEXT("open", sw_step_name(living[KIND_STEP], NULL));
    CHECK_TEXT(history_before, history_text(living[KIND_STORE], run_id));
    CHECK_NOTHING_TO_CLAIM(living[KIND_STORE]);
}

static void place_end(void) {
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
    if (strcmp(name, "path") == 0) return temp_path("new.db");
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

static union value v[PARAMETERS_MAX];
static _Alignas(16) unsigned char given[SW_STRUCT_SIZE_MAX + 64];
static struct {
    void *handles[64];
    uint64_t number;
    size_t len;
    char id[SW_ID_CAP];
} out;
static size_t calls;

static void set_options(const struct function *function, const struct layout *layout) {
    memset(given, 0, sizeof given);
    uint32_t size = (uint32_t)layout->size;
    memcpy(given, &size, sizeof size);
    for (size_t i = 0; i < layout->count; i++) {
        const struct parameter *field = &layout->fields[i];
        const void *right = field->class == HANDLE ? living[field->kind] : NULL;
        if (field->class == TEXT && strcmp(field->name, "idempotency_key") == 0) {
            size_t len = SW_NTS;
            right = right_text(function->name, field->name);
            memcpy(given + field[1].offset, &len, sizeof len);
        }
        if (right != NULL) memcpy(given + field->offset, &right, sizeof right);
    }
}

/* Puts what is right in the place of each argument. */
static void set_right(const struct function *function) {
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
    union value argument = {.at = object};
    REQUIRE(with != NULL);
    with->call(&argument);
}

static void check_outputs(const struct function *function, bool is_done) {
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

static bool has_handle(const struct function *function) {
    return function->count > 0 && function->parameters[0].class == HANDLE;
}

/* Calls, and holds what it answers against the codes; without any, against those that are told. */
static int64_t try_call(const struct function *function, const char *what, const int32_t *codes,
                        size_t count) {
    size_t told = 0;
    while (function->codes[told] != NO_MORE) told++;
    error_clear();
    int64_t answer = function->call(v);
    calls++;
    if (function->gives == NOTHING) return answer;
    if (function->gives != CODE) {
        bool is_said = strcmp(function->name, "sw_error_message") == 0; /* never NULL */
        if (count > 0 && !is_said && (function->gives == VIEW ? answer != 0 : answer > 0)) {
            fail_at(__FILE__, __LINE__, "%s, %s: %lld", function->name, what, (long long)answer);
        }
        if (count > 0) CHECK(out.len == 0 || out.len == 77);
        return answer;
    }
    if (count == 0) codes = function->codes, count = told;
    const char *said = lend_format("%s, %s", function->name, what);
    bool has_slot = v[function->count - 1].at != NULL;
    if (has_slot) check_code_in(__FILE__, __LINE__, said, (int32_t)answer, codes, count);
    check_outputs(function, answer >= 0);
    if (answer >= 0 && !function->reads) {
        place_end();
        place_make();
    }
    return answer;
}

/* ---- Ways to be wrong --------------------------------------------------------------------- */

/* Which argument is wrong: one of a function, or a field of its options. */
struct aim {
    const struct function *function;
    size_t at;
    const struct parameter *field;
};

static const struct parameter *aimed(struct aim aim) {
    return aim.field != NULL ? aim.field : &aim.function->parameters[aim.at];
}

static void put(struct aim aim, const void *value, size_t size, size_t behind) {
    if (aim.field == NULL) {
        memcpy(&v[aim.at + behind], value, size);
    } else {
        memcpy(given + aim.field[behind].offset, value, size);
    }
}

static int64_t try_pointer(struct aim aim, const char *what, const void *pointer,
                           const int32_t *codes, size_t count) {
    const char *said = lend_format("%s %s", aimed(aim)->name, what);
    set_right(aim.function);
    put(aim, &pointer, sizeof pointer, 0);
    return try_call(aim.function, said, codes, count);
}

static int64_t try_number(struct aim aim, uint64_t number, const int32_t *codes, size_t count) {
    size_t size = aim.field == NULL ? sizeof number : aim.field->bytes;
    const char *said = lend_format("%s of %lld", aimed(aim)->name, (long long)number);
    set_right(aim.function);
    put(aim, &number, size, 0);
    return try_call(aim.function, said, codes, count);
}

static int64_t try_text(struct aim aim, const char *what, const char *text, size_t len,
                        const int32_t *codes, size_t count) {
    const char *said = lend_format("%s %s", aimed(aim)->name, what);
    set_right(aim.function);
    put(aim, &text, sizeof text, 0);
    put(aim, &len, sizeof len, 1);
    return try_call(aim.function, said, codes, count);
}

#define CODES(...) ((const int32_t[]){__VA_ARGS__}), COUNT_OF(((const int32_t[]){__VA_ARGS__}))
#define AS_TOLD NULL, 0

/* Memory that is none of ours, or looks like what was. */
static _Alignas(16) unsigned char foreign[1024];

static void wrong_handle(struct aim aim) {
    static const unsigned char fillings[] = {0x00, 0xff, 'x'};
    const struct parameter *parameter = aimed(aim);
    if (aim.at == 0) {
        try_pointer(aim, "NULL", NULL, CODES(SW_ERR_MISUSE));
    } else {
        try_pointer(aim, "NULL", NULL, AS_TOLD);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == parameter->kind) continue;
        try_pointer(aim, kind_names[kind], living[kind], CODES(SW_ERR_MISUSE));
    }
    for (size_t i = 0; i < COUNT_OF(fillings); i++) {
        memset(foreign, fillings[i], sizeof foreign);
        try_pointer(aim, "of foreign memory", foreign, CODES(SW_ERR_MISUSE));
        for (size_t j = 0; j < sizeof foreign; j++) CHECK(foreign[j] == fillings[i]);
    }
    memcpy(foreign, "sw_freed", 8);
    try_pointer(aim, "that was freed", foreign, CODES(SW_ERR_MISUSE));
    const char *inside = (const char *)living[parameter->kind] + 1;
    try_pointer(aim, "not aligned", inside, CODES(SW_ERR_MISUSE));
}

static char *repeated(size_t count) {
    char *text = lend(count + 1);
    memset(text, 'a', count);
    return text;
}

/* Texts that may be anything, NUL and empty as well: they are quoted. */
static bool is_any_text(struct aim aim) { return strcmp(aim.function->name, "sw_json_quote") == 0; }

/* An empty step means all of them. */
static bool may_be_empty(struct aim aim) { return strcmp(aimed(aim)->name, "from_step") == 0; }

static void wrong_text(struct aim aim) {
    static const size_t limits[] = {31, SW_NAME_BYTES_MAX, SW_KEY_BYTES_MAX};
    try_text(aim, "NULL of 5 bytes", NULL, 5, CODES(SW_ERR_MISUSE));
    try_text(aim, "NULL of 2^63 bytes", NULL, SIZE_MAX / 2, CODES(SW_ERR_MISUSE));
    try_text(aim, "absent", NULL, 0, AS_TOLD);
    try_text(aim, "absent, to its NUL", NULL, SW_NTS, AS_TOLD);
    try_text(aim, "bad UTF-8", NTS("a\xff"), CODES(SW_ERR_INVALID));
    try_text(aim, "cut UTF-8", "\xff\xc3", 2, CODES(SW_ERR_INVALID));
    if (is_any_text(aim)) return;
    if (!may_be_empty(aim)) {
        try_text(aim, "empty", "", 0, CODES(SW_ERR_INVALID));
        try_text(aim, "empty to its NUL", NTS(""), CODES(SW_ERR_INVALID));
        try_text(aim, "none of its bytes", "abc", 0, CODES(SW_ERR_INVALID));
    }
    try_text(aim, "inner NUL", "a\0b", 3, CODES(SW_ERR_INVALID));
    try_text(aim, "JSON of another kind", NTS("[{\"a\":[1e999]}]"), AS_TOLD);
    try_text(aim, "JSON with a lone surrogate", NTS("{\"\\ud800\":\"\\udc00\"}"), AS_TOLD);
    try_text(aim, "deep", repeated(9), 9, AS_TOLD);
    /* What may be so long may not be longer. */
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        const char *longest = repeated(limits[i]), *longer = repeated(limits[i] + 1);
        if (try_text(aim, "long", NTS(longest), AS_TOLD) < 0) continue;
        if (i == COUNT_OF(limits) - 1)
            try_text(aim, "too long", NTS(longer), CODES(SW_ERR_TOO_BIG));
    }
    try_text(aim, "far too long", repeated(1000000), 1000000,
             CODES(SW_ERR_TOO_BIG, SW_ERR_INVALID, SW_ERR_NOT_FOUND));
}

static void wrong_path(struct aim aim) {
    try_pointer(aim, "NULL", NULL, CODES(SW_ERR_MISUSE, SW_ERR_INVALID));
    try_pointer(aim, "empty", "", CODES(SW_ERR_INVALID, SW_ERR_CANNOT_OPEN));
    try_pointer(aim, "too long", repeated(10000), CODES(SW_ERR_INVALID, SW_ERR_CANNOT_OPEN));
    try_pointer(aim, "bad UTF-8", "/no such folder\xff/a", CODES(SW_ERR_CANNOT_OPEN));
}

/* Milliseconds, by their names: what the first page says of times. */
static bool is_time(const struct parameter *parameter) {
    size_t len = strlen(parameter->name);
    return parameter->bytes == 8 && len >= 2 && strcmp(parameter->name + len - 2, "ms") == 0;
}

static void wrong_number(struct aim aim) {
    static const uint64_t all[] = {0,          1,          2,          77,
                                   INT32_MAX,  1u << 31,   UINT32_MAX, INT64_MAX,
                                   1ull << 63, UINT64_MAX, 1ull << 53};
    static const int64_t times[] = {INT64_MIN, -2, INT64_MAX};
    const struct parameter *parameter = aimed(aim);
    /* It would kill this process at its word. */
    if (strcmp(parameter->name, "commit") == 0) return;
    for (size_t i = 0; i < COUNT_OF(all); i++) try_number(aim, all[i], AS_TOLD);
    for (size_t i = 0; is_time(parameter) && i < COUNT_OF(times); i++) {
        try_number(aim, (uint64_t)times[i], CODES(SW_ERR_INVALID));
    }
    if (aim.field != NULL && strcmp(parameter->name, "flags") == 0) {
        for (int bit = 16; bit < 32; bit++) try_number(aim, 1ull << bit, CODES(SW_ERR_UNSUPPORTED));
    }
    if (aim.field != NULL && strcmp(parameter->name, "reserved") == 0) {
        try_number(aim, 1, CODES(SW_ERR_UNSUPPORTED));
    }
}

static void wrong_field(struct aim aim) {
    switch (aim.field->class) {
    case HANDLE:
        wrong_handle(aim);
        break;
    case TEXT:
        wrong_text(aim);
        break;
    case NUMBER:
        wrong_number(aim);
        break;
    default:
        break;
    }
}

static void wrong_options(struct aim aim) {
    const struct layout *layout = aimed(aim)->layout;
    const uint32_t small[] = {0, 1, 3, 7}, large[] = {SW_STRUCT_SIZE_MAX + 1, UINT32_MAX};
    struct aim size = {aim.function, aim.at, &layout->fields[0]};
    for (size_t i = 0; i < COUNT_OF(small); i++) try_number(size, small[i], CODES(SW_ERR_INVALID));
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        try_number(size, large[i], CODES(SW_ERR_UNSUPPORTED));
    }
    set_right(aim.function);
    uint32_t longer = (uint32_t)layout->size + 8;
    memcpy(given, &longer, sizeof longer);
    given[layout->size + 3] = 1;
    try_call(aim.function, "options with an unknown tail", CODES(SW_ERR_UNSUPPORTED));
    try_pointer(aim, "NULL", NULL, AS_TOLD);
    for (size_t i = 1; i < layout->count; i++) {
        wrong_field((struct aim){aim.function, aim.at, &layout->fields[i]});
    }
}

static void wrong_room(struct aim aim) {
    static const size_t rooms[] = {0, 1, 30, SW_ID_CAP - 1};
    for (size_t i = 0; i < COUNT_OF(rooms); i++) try_number(aim, rooms[i], CODES(SW_ERR_INVALID));
}

static void wrong(struct aim aim) {
    int64_t answer;
    switch (aimed(aim)->class) {
    case HANDLE:
        wrong_handle(aim);
        break;
    case TEXT:
        wrong_text(aim);
        break;
    case PATH:
        wrong_path(aim);
        break;
    case OPTIONS:
        wrong_options(aim);
        break;
    case NUMBER:
        wrong_number(aim);
        break;
    case OUT_HANDLE:
    case OUT_NUMBER:
    case OUT_ID:
        try_pointer(aim, "NULL", NULL, CODES(SW_ERR_MISUSE));
        break;
    case ROOM:
        wrong_room(aim);
        break;
    case ERROR_SLOT:
        set_right(aim.function);
        v[aim.at].at = NULL;
        if (has_handle(aim.function)) v[0].at = NULL;
        answer = aim.function->call(v);
        CHECK(answer < 0 || !has_handle(aim.function));
        check_outputs(aim.function, answer >= 0);
        break;
    case LENGTH:
    case OUT_LEN:
        break;
    }
}

/* ---- Tests -------------------------------------------------------------------------------- */

TEST(each_argument_of_each_function_may_be_wrong_in_every_way) {
    place_make();
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        const struct function *function = &functions[i];
        REQUIRE(function->count <= PARAMETERS_MAX);
        for (size_t at = 0; at < function->count; at++) wrong((struct aim){function, at, NULL});
        check_untouched();
    }
    place_end();
    printf("%zu calls of %zu functions\n", calls, COUNT_OF(functions));
    CHECK(COUNT_OF(functions) >= 60 && calls > 20 * COUNT_OF(functions));
}

TEST(each_function_does_its_work_when_nothing_is_wrong) {
    size_t good = 0, all = 0;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (functions[i].gives != CODE) continue;
        place_make();
        set_right(&functions[i]);
        bool is_good = try_call(&functions[i], "all right", AS_TOLD) >= 0;
        good += is_good;
        all++;
        if (!is_good) printf("%s needs more to do its work\n", functions[i].name);
        place_end();
    }
    printf("%zu of %zu functions did their work\n", good, all);
    /* Else what they are tried with is refused for another reason than what is wrong. */
    CHECK(good * 10 >= all * 8);
}

static bool is_of_a_store(const struct function *function) {
    return has_handle(function) && function->gives == CODE &&
           function->parameters[0].kind == KIND_STORE;
}

static void check_every_call_on_a_store(void *store, const char *what, int32_t expected) {
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (!is_of_a_store(&functions[i])) continue;
        set_right(&functions[i]);
        v[0].at = store;
        for (size_t at = 1; at < functions[i].count; at++) {
            enum class class = functions[i].parameters[at].class;
            if (class == HANDLE) v[at].at = NULL;
        }
        try_call(&functions[i], what, CODES(expected));
    }
}

TEST(a_store_that_is_shut_down_or_closed_is_closed_to_every_call) {
    place_make();
    sw_store *store = store_in_memory();
    sw_store_shutdown(store);
    check_every_call_on_a_store(store, "of a store that is shut down", SW_ERR_CLOSED);
    sw_store_close(store);
    check_every_call_on_a_store(store, "of a closed store", SW_ERR_CLOSED);
    check_untouched();
    place_end();
}

static void use_the_parents_store(void *store) {
    check_every_call_on_a_store(store, "of the parent", SW_ERR_FORKED);
}

TEST(a_store_of_the_parent_is_forked_to_every_call_of_its_child) {
    place_make();
    CHECK(in_forked_child(use_the_parents_store, living[KIND_STORE]));
    check_untouched();
    place_end();
}
