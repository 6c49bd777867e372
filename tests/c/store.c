/* Opening, migrating, options, the manual clock, shutting down and closing. */
#include "support.h"

#include "reader.h"

#include <time.h>

/* ---- Schema ------------------------------------------------------------------------------- */

static int64_t current_version(sw_store *store) {
    int64_t current = -1, newest = -1;
    CHECK_CODE(SW_OK, sw_store_schema_version(store, &current, &newest, ERR));
    CHECK(newest >= 1 && current <= newest);
    return current;
}

static int64_t newest_version(sw_store *store) {
    int64_t current = -1, newest = -1;
    CHECK_CODE(SW_OK, sw_store_schema_version(store, &current, &newest, ERR));
    return newest;
}

TEST(opening_makes_the_file_and_does_not_migrate_it) {
    const char *path = temp_path("new.db");
    sw_store *store = open_raw(path);
    CHECK(file_exists(path));
    CHECK_INT(0, current_version(store));
    sw_store_close(store);
}

TEST(a_store_without_schema_answers_schema_old_until_init) {
    sw_store *store = open_raw(temp_path("new.db"));
    char id[SW_ID_CAP] = "untouched";
    sw_attempt *attempt = POISON(sw_attempt);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_SCHEMA_OLD, sw_run_submit(store, NTS("w"), ABSENT, NULL, id, sizeof id, ERR));
    CHECK_CODE(SW_ERR_SCHEMA_OLD, sw_run_claim(store, ABSENT, NULL, &attempt, ERR));
    CHECK_CODE(SW_ERR_SCHEMA_OLD,
               sw_run_get(store, NTS("run_01h00000000000000000000000"), &text, ERR));
    CHECK_TEXT("untouched", id);
    CHECK(attempt == NULL && text == NULL);
    uint32_t applied = 0;
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    submit(store, "w", NULL);
    sw_store_close(store);
}

TEST(init_applies_every_migration_once) {
    const char *path = temp_path("new.db");
    uint32_t applied = 77;
    sw_store *store = open_raw(path);
    int64_t newest = newest_version(store);
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    CHECK_INT(newest, applied);
    CHECK_INT(newest, current_version(store));
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    CHECK_INT(0, applied);
    sw_store_close(store);
    store = open_raw(path);
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    CHECK_INT(0, applied);
    sw_store_close(store);
}

TEST(migrate_goes_up_to_the_newest_and_never_down_or_beyond) {
    sw_store *store = open_raw(temp_path("new.db"));
    int64_t newest = newest_version(store);
    uint32_t applied = 77;
    CHECK_CODE(SW_OK, sw_store_migrate(store, 0, &applied, ERR));
    CHECK_INT(0, applied);
    CHECK_INT(0, current_version(store));
    CHECK_CODE(SW_ERR_SCHEMA_NEW, sw_store_migrate(store, 99, &applied, ERR));
    CHECK_SAYS("99");
    CHECK_INT(0, current_version(store));
    CHECK_CODE(SW_OK, sw_store_migrate(store, newest, &applied, ERR));
    CHECK_INT(newest, applied);
    CHECK_CODE(SW_OK, sw_store_migrate(store, newest, &applied, ERR));
    CHECK_INT(0, applied);
    applied = 77;
    CHECK_CODE(SW_ERR_TARGET_OLDER, sw_store_migrate(store, 0, &applied, ERR));
    CHECK_CODE(SW_ERR_SCHEMA_NEW, sw_store_migrate(store, newest + 1, &applied, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_migrate(store, -1, &applied, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_migrate(store, INT64_MIN, &applied, ERR));
    CHECK_CODE(SW_ERR_SCHEMA_NEW, sw_store_migrate(store, INT64_MAX, &applied, ERR));
    CHECK_INT(77, applied);
    CHECK_INT(newest, current_version(store));
    sw_store_close(store);
}

static const struct value *migrations(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_migrations(store, &text, ERR));
    const struct value *list = value_read(lend_format("%s", sw_text_data(text, NULL)));
    sw_text_free(text);
    REQUIRE(list != NULL && list->kind == VALUE_ARRAY);
    return list;
}

TEST(the_applied_migrations_are_listed_in_ascending_order) {
    sw_store *store = open_raw(temp_path("new.db"));
    CHECK_INT(0, migrations(store)->count);
    uint32_t applied = 0;
    int64_t before = (int64_t)time(NULL) * 1000 - 1000;
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    const struct value *list = migrations(store);
    CHECK_INT(applied, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct value *item = value_at(list, i);
        CHECK_KEYS(item, "id", "introduced_version", "applied_time");
        CHECK_INT_IN((int64_t)i + 1, item, "id");
        CHECK(text_in(item, "introduced_version") != NULL);
        const struct value *applied_time = value_in(item, "applied_time");
        CHECK_BETWEEN(before, before + 60000, applied_time == NULL ? 0 : applied_time->integer);
    }
    CHECK_TEXT_IN("0.1.0", value_at(list, 0), "introduced_version");
    sw_store_close(store);
}

static void open_and_init(int index, void *shared) {
    (void)index;
    sw_store_close(store_open(shared, 0));
}

TEST(any_number_of_threads_may_open_and_migrate_at_once) {
    const char *path = temp_path("new.db");
    in_threads(8, open_and_init, (void *)path);
    sw_store *store = open_raw(path);
    CHECK_INT(newest_version(store), (int64_t)migrations(store)->count);
    sw_store_close(store);
}

ROLE(migrate_it) {
    (void)argc;
    tell("ready");
    wait_for_the_end();
    sw_store_close(store_open(argv[0], 0));
    return 0;
}

TEST(any_number_of_processes_may_open_and_migrate_at_once) {
    const char *path = temp_path("new.db");
    struct child *children[6];
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        children[i] = child_start("migrate_it", path, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(children); i++) CHECK_TEXT("ready", child_line(children[i]));
    for (size_t i = 0; i < COUNT_OF(children); i++) child_close_input(children[i]);
    for (size_t i = 0; i < COUNT_OF(children); i++) child_finish(children[i]);
    sw_store *store = open_raw(path);
    CHECK_INT(newest_version(store), current_version(store));
    CHECK_INT(newest_version(store), (int64_t)migrations(store)->count);
    sw_store_close(store);
}

/* ---- Path and memory ---------------------------------------------------------------------- */

TEST(a_store_knows_its_path_and_one_in_memory_has_none) {
    const char *path = temp_path("new.db");
    sw_store *store = open_raw(path);
    CHECK_TEXT(path, sw_store_path(store));
    sw_store_close(store);
    store = store_in_memory();
    CHECK(sw_store_path(store) == NULL);
    sw_store_close(store);
}

TEST(two_stores_in_memory_are_two_stores) {
    sw_store *first = store_in_memory(), *second = store_in_memory();
    submit(first, "w", NULL);
    CHECK_NOTHING_TO_CLAIM(second);
    finish(claim(first), "1");
    sw_store_close(first);
    sw_store_close(second);
}

TEST(what_was_stored_is_there_after_closing_and_opening) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", "{\"a\":1}");
    sw_store_close(store);
    store = store_open(path, 0);
    CHECK_STATE("pending", store, id.text);
    finish(claim(store), "2");
    CHECK_STATE("completed", store, id.text);
    sw_store_close(store);
}

TEST(handles_on_one_file_in_one_process_see_each_others_work) {
    const char *path = temp_path("new.db");
    sw_store *first = store_open(path, 0), *second = store_open(path, 0);
    struct run_id id = submit(first, "w", NULL);
    sw_attempt *attempt = claim(second);
    CHECK_TEXT(id.text, sw_attempt_run_id(attempt, NULL));
    CHECK_NOTHING_TO_CLAIM(first);
    sw_store_close(first);
    finish(attempt, "1");
    CHECK_STATE("completed", second, id.text);
    sw_store_close(second);
}

TEST(a_store_opened_through_a_symbolic_link_is_the_same_store) {
    const char *path = temp_path("real.db"), *link = temp_path("link.db");
    sw_store *direct = store_open(path, 0);
    REQUIRE(symlink(path, link) == 0);
    sw_store *linked = store_open(link, 0);
    submit(direct, "w", NULL);
    sw_attempt *attempt = claim(linked);
    CHECK_NOTHING_TO_CLAIM(direct);
    finish(attempt, "1");
    sw_store_close(linked);
    sw_store_close(direct);
    CHECK(!file_exists(temp_path("link.db-wal")));
}

/* ---- Options ------------------------------------------------------------------------------ */

/* A future caller's struct: ours and one field more. */
struct larger_options {
    sw_store_options known;
    uint64_t unknown;
};

static int32_t open_with(const void *options) {
    sw_store *store = POISON(sw_store);
    int32_t code = sw_store_open_in_memory(options, &store, ERR);
    CHECK(code == SW_OK ? store != NULL && store != POISON(sw_store) : store == NULL);
    if (code == SW_OK) sw_store_close(store);
    return code;
}

TEST(options_grow_and_shrink_with_their_struct_size) {
    struct larger_options options = {.known = {.struct_size = 0}};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    options.known.struct_size = 4;
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    CHECK_SAYS("4");
    options.known.struct_size = 7;
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    options.known.struct_size = 8;
    CHECK_CODE(SW_OK, open_with(&options));
    options.known.struct_size = sizeof options.known;
    CHECK_CODE(SW_OK, open_with(&options));
    options.known.struct_size = sizeof options;
    CHECK_CODE(SW_OK, open_with(&options));
    options.unknown = 1;
    CHECK_CODE(SW_ERR_UNSUPPORTED, open_with(&options));
    options.known.struct_size = sizeof options.known;
    CHECK_CODE(SW_OK, open_with(&options));
}

TEST(fields_beyond_a_small_struct_are_not_read) {
    sw_store_options options = {.struct_size = 8,
                                .busy_timeout_ms = UINT32_MAX,
                                .durability = 99,
                                .max_readers = UINT32_MAX,
                                .payload_bytes_max = UINT64_MAX};
    CHECK_CODE(SW_OK, open_with(&options));
    options.struct_size = sizeof options;
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
}

TEST(an_unknown_flag_is_unsupported) {
    sw_store_options options = {.struct_size = sizeof options, .flags = 1u << 31};
    CHECK_CODE(SW_ERR_UNSUPPORTED, open_with(&options));
    options.flags = 1u << 20 | SW_OPEN_MANUAL_CLOCK;
    CHECK_CODE(SW_ERR_UNSUPPORTED, open_with(&options));
}

TEST(options_outside_their_range_are_refused) {
    sw_store_options options = {.struct_size = sizeof options, .durability = 3};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    CHECK_SAYS("3");
    options = (sw_store_options){.struct_size = sizeof options, .lease_default_ms = 999};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    CHECK_SAYS("999");
    options = (sw_store_options){.struct_size = sizeof options, .lease_default_ms = 3600001};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    options = (sw_store_options){.struct_size = sizeof options, .max_readers = UINT32_MAX};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
    options = (sw_store_options){.struct_size = sizeof options, .payload_bytes_max = UINT64_MAX};
    CHECK_CODE(SW_ERR_INVALID, open_with(&options));
}

TEST(the_default_lease_of_the_store_is_that_of_its_claims) {
    sw_store_options options = {
        .struct_size = sizeof options, .flags = SW_OPEN_MANUAL_CLOCK, .lease_default_ms = 5000};
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open_in_memory(&options, &store, ERR));
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_INT(sw_store_now_ms(store) + 5000, sw_attempt_lease_expires_at_ms(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Clock -------------------------------------------------------------------------------- */

static int64_t system_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

TEST(the_manual_clock_starts_at_system_time_and_moves_only_when_told) {
    int64_t before = system_ms();
    sw_store *store = store_in_memory();
    int64_t start = sw_store_now_ms(store);
    CHECK_BETWEEN(before, system_ms(), start);
    pause_ms(20);
    CHECK_INT(start, sw_store_now_ms(store));
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, 1234, ERR));
    CHECK_INT(start + 1234, sw_store_now_ms(store));
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, 0, ERR));
    CHECK_INT(start + 1234, sw_store_now_ms(store));
    CHECK_CODE(SW_ERR_INVALID, sw_store_advance_clock(store, -2, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_advance_clock(store, INT64_MAX, ERR));
    CHECK_INT(start + 1234, sw_store_now_ms(store));
    sw_store_close(store);
}

TEST(the_system_clock_cannot_be_advanced) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    CHECK_CODE(SW_ERR_MISUSE, sw_store_advance_clock(store, 1, ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_advance_clock(store, SW_FOREVER, ERR));
    CHECK_BETWEEN(system_ms() - 5000, system_ms(), sw_store_now_ms(store));
    sw_store_close(store);
}

TEST(the_manual_clock_moves_to_what_comes_due_next) {
    sw_store *store = store_in_memory();
    int64_t start = sw_store_now_ms(store);
    CHECK_CODE(SW_NONE, sw_store_advance_clock(store, SW_FOREVER, ERR));
    sw_submit_options later = submit_options();
    later.run_at_ms = start + 5000;
    later.timeout_ms = 60000;
    submit_with(store, "w", &later);
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, SW_FOREVER, ERR));
    CHECK_INT(start + 5000, sw_store_now_ms(store));
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, SW_FOREVER, ERR)); /* it is due already */
    CHECK_INT(start + 5000, sw_store_now_ms(store));
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("pause"), 700, ERR));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, SW_FOREVER, ERR));
    CHECK_INT(start + 5700, sw_store_now_ms(store));
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("pause"), 700, ERR));
    sw_text *message = NULL;
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &message, ERR));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    CHECK_CODE(SW_OK, sw_store_advance_clock(store, SW_FOREVER, ERR)); /* its time-out */
    CHECK_INT(start + 65000, sw_store_now_ms(store));
    sw_attempt *none = NULL;
    CHECK_CODE(SW_NONE, sw_run_claim(store, ABSENT, NULL, &none, ERR));
    CHECK_CODE(SW_NONE, sw_store_advance_clock(store, SW_FOREVER, ERR));
    CHECK_INT(start + 65000, sw_store_now_ms(store));
    sw_store_close(store);
}

TEST(the_manual_clock_never_starts_before_what_the_file_holds) {
    const char *path = temp_path("new.db");
    sw_store *store = store_manual(path);
    advance(store, 10LL * 86400000);
    int64_t later = sw_store_now_ms(store);
    submit(store, "w", NULL);
    sw_store_close(store);
    store = store_manual(path);
    CHECK_BETWEEN(later, later + 60000, sw_store_now_ms(store));
    sw_store_close(store);
}

/* ---- Shutting down and closing ------------------------------------------------------------ */

TEST(after_shutdown_every_call_answers_closed) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store), *none = POISON(sw_attempt);
    sw_step *step = begin(attempt, "s"), *no_step = POISON(sw_step);
    sw_text *text = POISON(sw_text);
    int64_t current = 0, newest = 0;
    char out[SW_ID_CAP] = "untouched";
    uint32_t applied = 0;
    sw_store_shutdown(store);
    sw_store_shutdown(store);
    CHECK_CODE(SW_ERR_CLOSED, sw_run_submit(store, NTS("w"), ABSENT, NULL, out, sizeof out, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_run_find(store, ABSENT, NTS("k"), out, sizeof out, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_run_claim(store, ABSENT, NULL, &none, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_run_get(store, NTS(id.text), &text, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_run_history(store, NTS(id.text), ABSENT, 0, &text, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_store_init(store, &applied, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_store_schema_version(store, &current, &newest, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_store_migrations(store, &text, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_attempt_heartbeat(attempt, 0, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_ERR_CLOSED, sw_attempt_complete(attempt, ABSENT, ERR));
    CHECK_CODE(SW_ERR_CLOSED, begin_code(attempt, "t", &no_step));
    CHECK_CODE(SW_ERR_CLOSED, sw_step_complete(step, ABSENT, ERR));
    CHECK_TEXT("untouched", out);
    CHECK(none == NULL && text == NULL && no_step == NULL);
    sw_step_free(step);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

static void wait_until_closed(void *shared) {
    sw_claim_options options = claim_options();
    sw_attempt *attempt = POISON(sw_attempt);
    options.wait_ms = SW_FOREVER;
    CHECK_CODE(SW_ERR_CLOSED, sw_run_claim(shared, ABSENT, &options, &attempt, ERR));
    CHECK(attempt == NULL);
}

TEST(shutdown_from_another_thread_ends_every_wait) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct companion *waiters[4];
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        waiters[i] = thread_start(wait_until_closed, store);
    pause_ms(50);
    int64_t start = steady_ms();
    sw_store_shutdown(store);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) thread_join(waiters[i]);
    CHECK_BETWEEN(0, 500, steady_ms() - start);
    sw_store_close(store);
}

TEST(attempts_and_steps_outlive_their_store_and_are_freed_in_any_order) {
    for (int order = 0; order < 2; order++) {
        sw_store *store = store_in_memory();
        struct run_id id = submit(store, "w", "[1]");
        sw_attempt *attempt = claim(store);
        sw_step *step = begin(attempt, "s"), *no_step = POISON(sw_step);
        sw_store_close(store);
        CHECK_TEXT(id.text, sw_attempt_run_id(attempt, NULL));
        CHECK_TEXT("[1]", sw_attempt_args(attempt, NULL));
        CHECK_TEXT("s", sw_step_name(step, NULL));
        CHECK_CODE(SW_ERR_CLOSED, sw_attempt_heartbeat(attempt, 0, ERR));
        CHECK_CODE(SW_ERR_CLOSED, sw_attempt_fail(attempt, ABSENT, NULL, ERR));
        CHECK_CODE(SW_ERR_CLOSED, sw_attempt_release(attempt, 0, ERR));
        CHECK_CODE(SW_ERR_CLOSED, begin_code(attempt, "t", &no_step));
        if (order % 2 == 0) sw_attempt_free(attempt);
        CHECK_CODE(SW_ERR_CLOSED, sw_step_complete(step, NTS("1"), ERR));
        CHECK_CODE(SW_ERR_CLOSED, sw_step_fail(step, NTS("1"), NULL, ERR));
        sw_step_free(step);
        if (order % 2 != 0) sw_attempt_free(attempt);
    }
}

TEST(a_step_outlives_its_attempt) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "s");
    sw_attempt_free(attempt);
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    sw_step_free(step);
    sw_store_close(store);
}

static void submit_until_closed(int index, void *shared) {
    (void)index;
    char id[SW_ID_CAP];
    int32_t code = SW_OK;
    while (code == SW_OK) code = sw_run_submit(shared, NTS("w"), ABSENT, NULL, id, sizeof id, NULL);
    CHECK_INT(SW_ERR_CLOSED, code);
}

static void shut_down_soon(void *shared) {
    pause_ms(50);
    sw_store_shutdown(shared);
}

TEST(shutdown_beneath_writers_lets_each_end_with_ok_or_closed) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct companion *closer = thread_start(shut_down_soon, store);
    in_threads(4, submit_until_closed, store);
    thread_join(closer);
    sw_store_close(store);
}
