/*
 * Every function of the header panics, once before it has done anything and once when all is done
 * and nothing is told: with the library that `make plants` builds, which panics where the
 * environment says. Each answers that by its code, or as for what is no such object; no handle, lock
 * or half of a write is left, and the store goes on in this process and in others.
 */
#include "table.h"

#include "reader.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- A store of its own for each call ----------------------------------------------------- */

static const char *template_path, *path;
static struct child *other;

/* Has runs submitted by another process, in each store whose path it is given. */
ROLE(submit_where_told) {
    (void)argc, (void)argv;
    char line[4096];
    tell("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        sw_store *store = store_open(line, SW_OPEN_MANUAL_CLOCK);
        submit(store, "of another process", NULL);
        sw_store_close(store);
        tell("submitted");
    }
    return 0;
}

static sw_store *open_it(void) {
    sw_store_options options = {.struct_size = sizeof options};
    options.flags = SW_OPEN_MANUAL_CLOCK;
    options.durability = SW_DURABILITY_PROCESS; /* for speed */
    sw_store *store = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &store, ERR));
    return store;
}

static void place_make_in_file(void) {
    static int count;
    path = temp_path(lend_format("place-%d.db", count++));
    struct file_copy template = file_read(template_path);
    file_write(path, template.bytes, template.len);
    place_make(open_it());
}

/* Of each table of the store what is asked. */
static const char *of_tables(const char *what) {
    sw_store *store = living[KIND_STORE];
    sw_text *text = NULL;
    const char *all = "";
    REQUIRE_CODE(SW_OK, sw_query(store,
                                 NTS("SELECT name FROM sqlite_schema WHERE type = 'table'"
                                     " AND name NOT LIKE 'sqlite%' ORDER BY name"),
                                 ABSENT, ABSENT, &text, ERR));
    struct value *names = value_in(value_read(take_text(text)), "rows");
    REQUIRE(names != NULL && names->count > 10);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = value_at(value_at(names, i), 0)->text;
        const char *sql = lend_format("SELECT %s FROM \"%s\"", what, name);
        REQUIRE_CODE(SW_OK, sw_query(store, NTS(sql), ABSENT, ABSENT, &text, ERR));
        struct value *rows = value_in(value_read(take_text(text)), "rows");
        all = lend_format("%s%s %.*s\n", all, name, (int)rows->raw_len, rows->raw);
    }
    return all;
}

/* ---- One call that panics ----------------------------------------------------------------- */

/* What the call says on the standard error, where panics are told, is not shown. */
static const char *said;

static int64_t call_quietly(const struct function *function, const char *place) {
    const char *name = temp_path("said");
    int shown = dup(STDERR_FILENO);
    int file = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(shown >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    setenv("SW_PANIC", place, 1);
    int64_t answer = function->call(v);
    unsetenv("SW_PANIC");
    dup2(shown, STDERR_FILENO);
    close(shown);
    close(file);
    said = (const char *)file_read(name).bytes;
    return answer;
}

/* Without a handle and a code: the same whatever happens. */
static bool is_constant(const struct function *function) {
    return !has_handle(function) && function->gives != CODE;
}

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool gives_up_its_handle(const struct function *function) {
    return ends_with(function->name, "_free") || ends_with(function->name, "_close");
}

static void check_answer(const struct function *function, int64_t answer) {
    static _Alignas(16) unsigned char no_object[1024];
    if (function->gives == CODE) {
        check_code(__FILE__, __LINE__, function->name, SW_ERR_PANIC, (int32_t)answer);
        CHECK_SAYS("the library panicked: a panic that the test asked for");
        check_outputs(function, false);
    } else if (has_handle(function)) {
        set_right(function);
        v[0].at = no_object;
        int64_t expected = function->call(v);
        check_int(__FILE__, __LINE__, function->name, expected, answer);
    }
}

/* The same call again: what is told of it, or what the first would have told. */
static void check_again(const struct function *function, int64_t first) {
    if (function->gives != CODE) return;
    error_clear();
    int64_t answer = function->call(v);
    bool is_told = answer == first;
    for (size_t i = 0; function->codes[i] != NO_MORE; i++) is_told |= answer == function->codes[i];
    check_outputs(function, answer >= 0);
    if (!is_told || (function->repeats && answer != first)) {
        fail_at(__FILE__, __LINE__, "%s, again: %s after a panic, %s without", function->name,
                sw_code_name((int32_t)answer), sw_code_name((int32_t)first));
    }
}

/* ---- What is left ------------------------------------------------------------------------- */

static void check_sound(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK_TEXT("{\"ok\":true,\"faults\":[]}", take_text(text));
}

static void check_goes_on(const struct function *function) {
    sw_store *store = living[KIND_STORE];
    sw_submit_options options = submit_options();
    options.queue = "after";
    options.queue_len = SW_NTS;
    struct run_id run = submit_with(store, "after", &options);
    sw_attempt *attempt = claim_with(store, "after", NULL);
    do_step(attempt, "one", "1");
    finish(attempt, "2");
    CHECK_STATE("completed", store, run.text);
    check_sound(store);
    fprintf(other->to, "%s\n", path);
    fflush(other->to);
    check_text(__FILE__, __LINE__, function->name, "submitted", child_line(other));
}

static void open_again(void) {
    sw_store_close(living[KIND_STORE]);
    living[KIND_STORE] = open_it();
}

/* A handle that is left over would be an owner, or keep its run. */
static void check_nothing_is_left(const struct function *function) {
    sw_text *text = NULL;
    place_end();
    living[KIND_STORE] = open_it();
    sw_store *store = living[KIND_STORE];
    check_sound(store);
    REQUIRE_CODE(SW_OK, sw_owner_list(store, &text, ERR));
    struct value *owners = value_read(take_text(text));
    check_int(__FILE__, __LINE__, function->name, 0, owners == NULL ? -1 : (long)owners->count);
    sw_store_close(store);
}

/* ---- The functions ------------------------------------------------------------------------ */

/* What a call comes to that does not panic. */
struct well {
    int64_t answer;
    const char *before;
    const char *after;
};

static struct well do_well(const struct function *function) {
    struct well well = {0, NULL, NULL};
    if (function->gives != CODE) return well;
    place_make_in_file();
    well.before = of_tables("count(*)");
    set_right(function);
    well.answer = function->call(v);
    check_outputs(function, well.answer >= 0);
    well.after = of_tables("count(*)");
    place_end();
    return well;
}

static bool panics_at_entry(const struct function *function) {
    place_make_in_file();
    const char *rows = of_tables("*");
    set_right(function);
    int64_t answer = call_quietly(function, "entry");
    bool has_panicked = strstr(said, "a panic that the test asked for") != NULL;
    if (has_panicked) check_answer(function, answer);
    check_text(__FILE__, __LINE__, function->name, rows, of_tables("*"));
    check_untouched();
    check_goes_on(function);
    place_end();
    return has_panicked;
}

static bool panics_at_answer(const struct function *function, const struct well *well) {
    place_make_in_file();
    set_right(function);
    int64_t answer = call_quietly(function, "answer");
    bool has_panicked = strstr(said, "a panic that the test asked for") != NULL;
    if (gives_up_its_handle(function)) {
        living[function->parameters[0].kind] = NULL;
    } else if (has_panicked) {
        check_answer(function, answer);
    }
    if (function->gives == CODE) {
        const char *after = of_tables("count(*)");
        if (strcmp(after, well->before) != 0) {
            check_text(__FILE__, __LINE__, function->name, well->after, after);
        }
        check_again(function, well->answer);
    }
    if (function->gives == NOTHING && function->parameters[0].kind == KIND_STORE) open_again();
    check_goes_on(function);
    check_nothing_is_left(function);
    return has_panicked;
}

TEST(each_function_may_panic_before_its_work_and_before_its_answer) {
    size_t entries = 0, answers = 0, constants = 0, good = 0;
    template_path = temp_path("template.db");
    sw_store_close(store_open(template_path, SW_OPEN_MANUAL_CLOCK));
    other = child_start("submit_where_told", NULL);
    CHECK_TEXT("ready", child_line(other));
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        const struct function *function = &functions[i];
        struct well well = do_well(function);
        bool at_entry = panics_at_entry(function), at_answer = panics_at_answer(function, &well);
        entries += at_entry;
        answers += at_answer;
        constants += is_constant(function) && !at_entry;
        good += well.answer >= 0;
        if (at_entry != at_answer || (!at_entry && !is_constant(function))) {
            fail_at(__FILE__, __LINE__, "%s does not panic", function->name);
        }
        if (well.answer < 0) printf("%s needs more to do its work\n", function->name);
    }
    child_finish(other);
    printf("counted %zu of %zu functions: %zu panicked before their work and %zu before their "
           "answer, %zu did it without a panic; %zu are constants\n",
           answers + constants, COUNT_OF(functions), entries, answers, good, constants);
    CHECK_INT(COUNT_OF(functions), entries + constants);
    CHECK_INT(COUNT_OF(functions), answers + constants);
    CHECK(good * 10 >= COUNT_OF(functions) * 9);
}
