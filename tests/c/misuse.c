/*
 * Every function of the header in the wrong hands: each argument, and each field of each struct of
 * options, is wrong in every way of its kind while all else is right (table.c). Each call answers a
 * code that the function's documentation tells, and the one that the way demands; none crashes;
 * outputs stay as they were or become NULL.
 */
#include "table.h"

static size_t calls;

/* ---- One call ----------------------------------------------------------------------------- */

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
        place_make(store_in_memory());
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
    place_make(store_in_memory());
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        const struct function *function = &functions[i];
        REQUIRE(function->count <= PARAMETERS_MAX);
        for (size_t at = 0; at < function->count; at++) wrong((struct aim){function, at, NULL});
        check_untouched();
    }
    place_end();
    printf("counted %zu calls of %zu functions\n", calls, COUNT_OF(functions));
    CHECK(COUNT_OF(functions) >= 60 && calls > 20 * COUNT_OF(functions));
}

TEST(each_function_does_its_work_when_nothing_is_wrong) {
    size_t good = 0, all = 0;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (functions[i].gives != CODE) continue;
        place_make(store_in_memory());
        set_right(&functions[i]);
        bool is_good = try_call(&functions[i], "all right", AS_TOLD) >= 0;
        good += is_good;
        all++;
        if (!is_good) printf("%s needs more to do its work\n", functions[i].name);
        place_end();
    }
    printf("counted %zu of %zu functions that did their work\n", good, all);
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
    place_make(store_in_memory());
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
    place_make(store_in_memory());
    CHECK(in_forked_child(use_the_parents_store, living[KIND_STORE]));
    check_untouched();
    place_end();
}
