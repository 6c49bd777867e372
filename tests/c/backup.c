/* Backups: copies of a store taken while others write. */
#include "support.h"

#include "reader.h"

#include <pthread.h>
#include <sys/stat.h>

static void check_whole(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK_TEXT("{\"ok\":true,\"faults\":[]}", take_text(text));
}

static uint64_t runs_in(sw_store *store) {
    uint64_t count = 0;
    REQUIRE_CODE(SW_OK, sw_run_count(store, ABSENT, 0, &count, ERR));
    return count;
}

TEST(a_backup_is_a_whole_store_with_what_was_acknowledged) {
    sw_store *store = store_open(temp_path("db"), 0);
    struct run_id done = submit(store, "w", "{\"a\" : 1}"), open = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    do_step(attempt, "s", "[1]");
    finish(attempt, "7");
    const char *path = temp_path("copy");
    CHECK_CODE(SW_OK, sw_store_backup(store, path, ERR));
    submit(store, "later", NULL);
    struct stat facts;
    REQUIRE(stat(path, &facts) == 0);
    CHECK_INT(0600, facts.st_mode & 07777);
    CHECK_INT(1, facts.st_nlink);
    CHECK_TEXT("copy db db-shm db-smolwf db-wal ", folder_listing(temp_folder()));
    sw_store *copy = store_open(path, 0);
    check_whole(copy);
    CHECK_INT(2, runs_in(copy));
    CHECK_STATE("completed", copy, done.text);
    CHECK_STATE("pending", copy, open.text);
    CHECK(strstr(history_text(copy, done.text), "\"result\":[1]") != NULL);
    sw_store_close(copy);
    sw_store_close(store);
}

/* Whoever migrates wants a copy of what was there before. */
TEST(a_store_of_any_older_schema_is_copied_as_it_is_and_migrated_in_the_copy) {
    sw_store *store = open_raw(temp_path("db"));
    int64_t newest = 0, current = 0;
    REQUIRE_CODE(SW_OK, sw_store_schema_version(store, &current, &newest, ERR));
    for (int64_t version = 0; version < newest; version++) {
        uint32_t applied = 0;
        REQUIRE_CODE(SW_OK, sw_store_migrate(store, version, &applied, ERR));
        const char *path = temp_path(lend_format("copy%d", (int)version));
        CHECK_CODE(SW_OK, sw_store_backup(store, path, ERR));
        sw_store *copy = open_raw(path);
        CHECK_CODE(SW_OK, sw_store_schema_version(copy, &current, &newest, ERR));
        CHECK_INT(version, current);
        CHECK_CODE(SW_OK, sw_store_init(copy, &applied, ERR));
        CHECK_INT(newest - version, applied);
        submit(copy, "w", NULL);
        check_whole(copy);
        sw_store_close(copy);
    }
    sw_store_close(store);
}

/* The copy's first claim takes back what runs in the original, which goes on undisturbed. */
TEST(running_attempts_are_lost_in_the_copy_and_go_on_in_the_original) {
    sw_store *store = store_open(temp_path("db"), 0);
    struct run_id run = submit(store, "w", NULL);
    sw_claim_options forever = claim_options();
    forever.lease_ms = SW_LEASE_WHILE_ALIVE;
    sw_attempt *attempt = claim_with(store, "default", &forever);
    do_step(attempt, "s", "[1]");
    CHECK_CODE(SW_OK, sw_store_backup(store, temp_path("copy"), ERR));
    sw_store *copy = store_open(temp_path("copy"), 0);
    sw_attempt *again = claim_soon(copy);
    CHECK_INT(2, sw_attempt_number(again));
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, begin_code(again, "s", &step));
    sw_step_free(step);
    do_step(attempt, "t", "[2]");
    finish(attempt, "1");
    finish(again, "2");
    CHECK_STATE("completed", store, run.text);
    CHECK_RAW_IN("1", value_read(run_text(store, run.text)), "result");
    CHECK_RAW_IN("2", value_read(run_text(copy, run.text)), "result");
    sw_store_close(copy);
    sw_store_close(store);
}

/* P33: a cursor is good for its own lineage alone. */
TEST(a_cursor_of_the_original_is_none_of_the_copys) {
    sw_store *store = store_open(temp_path("db"), 0);
    for (int i = 0; i < 3; i++) submit(store, "w", NULL);
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_list(store, ABSENT, ABSENT, 2, &text, ERR));
    const char *cursor = text_in(value_read(take_text(text)), "next");
    REQUIRE(cursor != NULL);
    CHECK_CODE(SW_OK, sw_store_backup(store, temp_path("copy"), ERR));
    CHECK_CODE(SW_OK, sw_store_backup(store, temp_path("later"), ERR));
    sw_store *copy = store_open(temp_path("copy"), 0);
    CHECK_CODE(SW_ERR_INVALID, sw_run_list(copy, ABSENT, NTS(cursor), 2, &text, ERR));
    /* Nor is it another copy's: the two go ways of their own. */
    REQUIRE_CODE(SW_OK, sw_run_list(copy, ABSENT, ABSENT, 2, &text, ERR));
    cursor = text_in(value_read(take_text(text)), "next");
    sw_store *later = store_open(temp_path("later"), 0);
    CHECK_CODE(SW_ERR_INVALID, sw_run_list(later, ABSENT, NTS(cursor), 2, &text, ERR));
    sw_store_close(later);
    sw_store_close(copy);
    sw_store_close(store);
}

TEST(a_backup_is_written_over_nothing) {
    sw_store *store = store_open(temp_path("db"), 0);
    static const char *const taken[] = {"copy", "copy-wal", "copy-shm", "copy-journal",
                                        "copy-smolwf"};
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        const char *path = temp_path(taken[i]);
        file_write(path, "mine", 4);
        struct file_copy before = file_read(path);
        CHECK_CODE(SW_ERR_CONFLICT, sw_store_backup(store, temp_path("copy"), ERR));
        CHECK_SAYS(taken[i]);
        CHECK_SAYS("is there already");
        CHECK_FILE_UNCHANGED(&before, path);
        CHECK(remove(path) == 0);
    }
    CHECK_CODE(SW_ERR_CONFLICT, sw_store_backup(store, temp_path("db"), ERR));
    CHECK_CODE(SW_ERR_CANNOT_OPEN, sw_store_backup(store, temp_path("no/copy"), ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_backup(store, "", ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_backup(store, ":memory:", ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_backup(store, "file:copy", ERR));
    CHECK_CODE(SW_ERR_MISUSE, sw_store_backup(store, NULL, ERR));
    CHECK_TEXT("db db-shm db-smolwf db-wal ", folder_listing(temp_folder()));
    sw_store_close(store);
}

/* Whoever opened the store next would take it for its log, and away. */
TEST(a_backup_is_no_part_of_a_file) {
    sw_store_close(store_open(temp_path("db"), 0));
    sw_store *memory = store_in_memory();
    CHECK(remove(temp_path("db-smolwf")) == 0);
    static const char *const parts[] = {"db-wal", "db-shm", "db-journal", "db-smolwf"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        CHECK_CODE(SW_ERR_CONFLICT, sw_store_backup(memory, temp_path(parts[i]), ERR));
        CHECK_SAYS("would be read as a part of");
    }
    CHECK_TEXT("db ", folder_listing(temp_folder()));
    CHECK_CODE(SW_OK, sw_store_backup(memory, temp_path("other-wal"), ERR));
    sw_store_close(memory);
}

TEST(stores_that_are_only_read_or_in_memory_are_backed_up_too) {
    sw_store *store = store_open(temp_path("db"), 0);
    submit(store, "w", NULL);
    sw_store_close(store);
    sw_store_options open = {.struct_size = sizeof open, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(temp_path("db"), &open, &store, ERR));
    CHECK_CODE(SW_OK, sw_store_backup(store, temp_path("copy"), ERR));
    sw_store_close(store);
    REQUIRE_CODE(SW_OK, sw_store_open(temp_path("copy"), &open, &store, ERR));
    CHECK_INT(1, runs_in(store));
    sw_store_close(store);
    store = store_in_memory();
    submit(store, "w", NULL);
    CHECK_CODE(SW_OK, sw_store_backup(store, temp_path("memory"), ERR));
    submit(store, "w", NULL);
    sw_store_close(store);
    store = store_open(temp_path("memory"), 0);
    check_whole(store);
    CHECK_INT(1, runs_in(store));
    finish(claim(store), "1");
    sw_store_close(store);
}

struct load {
    const char *path;
    sw_store *store;
    int is_over;
};

static void write_on(void *shared) {
    struct load *load = shared;
    while (!__atomic_load_n(&load->is_over, __ATOMIC_RELAXED)) {
        char id[SW_ID_CAP];
        sw_error *error = NULL;
        sw_attempt *attempt = NULL;
        sw_run_submit(load->store, NTS("w"), NTS("{\"a\":1}"), NULL, id, sizeof id, &error);
        sw_error_free(error);
        error = NULL;
        if (sw_run_claim(load->store, ABSENT, NULL, &attempt, &error) == SW_OK) {
            sw_error *ignored = NULL;
            sw_step *step = NULL;
            if (sw_step_begin(attempt, NTS("s"), ABSENT, NULL, &step, &ignored) == SW_OK) {
                sw_step_complete(step, NTS("1"), &ignored);
            }
            sw_error_free(ignored);
            ignored = NULL;
            sw_step_free(step);
            sw_attempt_complete(attempt, ABSENT, &ignored);
            sw_error_free(ignored);
            sw_attempt_free(attempt);
        }
        sw_error_free(error);
    }
}

TEST(backups_under_load_are_each_one_moment_and_have_all_that_was_acknowledged) {
    struct load load = {temp_path("db"), store_open(temp_path("db"), 0), 0};
    struct companion *writers[] = {thread_start(write_on, &load), thread_start(write_on, &load)};
    for (int i = 0; i < 5; i++) {
        sw_submit_options aside = submit_options();
        aside.queue = "aside";
        aside.queue_len = SW_NTS;
        struct run_id mark = submit_with(load.store, "mark", &aside);
        const char *path = temp_path(lend_format("copy%d", i));
        CHECK_CODE(SW_OK, sw_store_backup(load.store, path, ERR));
        sw_store *copy = store_open(path, 0);
        check_whole(copy);
        run_text(copy, mark.text);
        CHECK_CODE(SW_OK, sw_run_cancel(load.store, NTS(mark.text), ABSENT, ERR));
        sw_store_close(copy);
    }
    __atomic_store_n(&load.is_over, 1, __ATOMIC_RELAXED);
    thread_join(writers[0]);
    thread_join(writers[1]);
    sw_store_close(load.store);
}

/* Backs a store up again and again, and tells which backups were finished. */
ROLE(back_up) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    for (int i = 0;; i++) {
        sw_error *error = NULL;
        const char *path = lend_format("%s.%d", argv[0], i);
        if (sw_store_backup(store, path, &error) != SW_OK) return 3;
        tell("%d", i);
    }
}

TEST(a_kill_leaves_no_backup_or_a_whole_one) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    for (uint32_t i = 0; i < 40; i++) submit(store, "w", noise(i, 100002));
    for (int round = 0; round < 10; round++) {
        struct child *child = child_start("back_up", path, NULL);
        child_line(child);
        pause_ms(round); /* at a moment that nobody has chosen */
        child_kill(child);
        for (int i = 0; file_exists(lend_format("%s.%d", path, i)); i++) {
            const char *name = lend_format("%s.%d", path, i);
            sw_store *copy = store_open(name, 0);
            check_whole(copy);
            CHECK_INT(40, runs_in(copy));
            sw_store_close(copy);
            CHECK(remove(name) == 0);
            remove(lend_format("%s-smolwf", name));
        }
    }
    sw_store_close(store);
}
