/* Watches: what an event loop polls. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

/* Reached only when a test fails. */
#define LONG_MS 120000

static sw_watch *watch_open(sw_store *store) {
    sw_watch *watch = NULL;
    REQUIRE_CODE(SW_OK, sw_watch_open(store, &watch, ERR));
    REQUIRE(watch != NULL);
    return watch;
}

static int watch_fd(sw_watch *watch) {
    int32_t fd = -1;
    REQUIRE_CODE(SW_OK, sw_watch_fd(watch, &fd, ERR));
    REQUIRE(fd >= 0);
    return fd;
}

static uint64_t drain(sw_watch *watch) {
    uint64_t now = 0;
    CHECK_CODE(SW_OK, sw_watch_drain(watch, &now, ERR));
    return now;
}

static bool is_readable(int fd, int timeout_ms) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, timeout_ms) == 1;
}

/* Reads what is there: the number of bytes, 0 at the end, -1 when it would block. */
static ssize_t read_all(int fd) {
    char bytes[64];
    return read(fd, bytes, sizeof bytes);
}

TEST(a_descriptor_becomes_readable_with_one_byte_per_burst_until_it_is_drained) {
    sw_store *store = store_in_memory();
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    CHECK(!is_readable(fd, 0));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++) submit(store, "w", NULL);
        CHECK(is_readable(fd, LONG_MS));
        drain(watch);
    }
    /* What the thread tells after a drain is at most one byte more. */
    for (int i = 0; i < 5; i++) submit(store, "w", NULL);
    CHECK(is_readable(fd, LONG_MS));
    CHECK_INT(1, read_all(fd));
    CHECK_INT(-1, read_all(fd));
    CHECK_INT(EAGAIN, errno);
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(a_watch_outlives_errors_that_pass) {
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open(temp_path("a.db"), NULL, &store, ERR));
    sw_watch *watch = watch_open(store); /* looks at tables that are not there yet */
    int fd = watch_fd(watch);
    CHECK(!is_readable(fd, 50));
    REQUIRE_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    submit(store, "w", NULL);
    CHECK(is_readable(fd, LONG_MS));
    CHECK_INT(1, read_all(fd));
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(the_count_that_a_drain_gives_is_the_one_to_wait_with) {
    sw_store *store = store_in_memory();
    sw_watch *watch = watch_open(store);
    uint64_t seen = drain(watch), now = 0;
    CHECK_CODE(SW_TIMEOUT, sw_store_wait(store, seen, 0, NULL, &now, ERR));
    submit(store, "w", NULL);
    CHECK_CODE(SW_OK, sw_store_wait(store, seen, 0, NULL, &now, ERR));
    CHECK_INT(now, drain(watch));
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(no_change_is_lost_between_a_drain_and_the_next_look) {
    sw_store *store = store_open(temp_path("a.db"), 0);
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    for (int i = 0; i < 200; i++) {
        struct run_id id = submit(store, "w", NULL);
        CHECK(is_readable(fd, LONG_MS));
        drain(watch);
        finish(claim(store), "1");
        (void)id;
        CHECK(is_readable(fd, LONG_MS));
        drain(watch);
    }
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(what_comes_due_by_itself_is_told) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.run_at_ms = sw_store_now_ms(store) + 1000;
    submit_with(store, "w", &options);
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    advance(store, 1000);
    CHECK(is_readable(fd, LONG_MS));
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(each_call_gives_a_descriptor_of_its_own_nonblocking_and_close_on_exec) {
    sw_store *store = store_in_memory();
    sw_watch *watch = watch_open(store);
    int first = watch_fd(watch), second = watch_fd(watch);
    CHECK(first != second);
    int fds[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    }
    close(first);
    submit(store, "w", NULL);
    CHECK(is_readable(second, LONG_MS));
    close(second);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(a_descriptor_reads_as_ended_after_its_watch_is_freed) {
    sw_store *store = store_in_memory();
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    sw_watch_free(watch);
    CHECK(is_readable(fd, LONG_MS));
    CHECK_INT(0, read_all(fd));
    close(fd);
    sw_store_close(store);
}

TEST(a_watch_outlives_its_store_and_says_that_it_is_closed) {
    for (int way = 0; way < 2; way++) {
        sw_store *store = store_open(temp_path(way == 0 ? "a.db" : "b.db"), 0);
        sw_watch *watch = watch_open(store);
        int fd = watch_fd(watch);
        if (way == 0)
            sw_store_shutdown(store);
        else
            sw_store_close(store);
        CHECK(is_readable(fd, LONG_MS));
        CHECK_INT(0, read_all(fd));
        uint64_t now = 77;
        int32_t other = 77;
        CHECK_CODE(SW_ERR_CLOSED, sw_watch_drain(watch, &now, ERR));
        CHECK_CODE(SW_ERR_CLOSED, sw_watch_fd(watch, &other, ERR));
        CHECK(now == 77 && other == 77);
        close(fd);
        sw_watch_free(watch);
        if (way == 0) sw_store_close(store);
    }
}

TEST(a_store_that_is_shut_down_is_not_watched) {
    sw_store *store = store_in_memory();
    sw_store_shutdown(store);
    sw_watch *watch = POISON(sw_watch);
    CHECK_CODE(SW_ERR_CLOSED, sw_watch_open(store, &watch, ERR));
    CHECK(watch == NULL);
    sw_store_close(store);
}

/* ---- The thread --------------------------------------------------------------------------- */

/* The thread of that name, as /proc has it; 0 when there is none. */
static long thread_named(const char *name) {
    DIR *tasks = opendir("/proc/self/task");
    long found = 0;
    if (tasks == NULL) skip("/proc is not there");
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL) continue;
        if (fgets(comm, sizeof comm, file) != NULL && strncmp(comm, name, strlen(name)) == 0) {
            found = strtol(task->d_name, NULL, 10);
        }
        fclose(file);
    }
    closedir(tasks);
    return found;
}

TEST(a_thread_lives_only_while_a_watch_is_open_and_takes_no_signal) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    finish(claim(store), "1");
    CHECK_INT(0, thread_named("smolwf"));
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    submit(store, "w", NULL);
    REQUIRE(is_readable(fd, LONG_MS)); /* so it has begun, and has its name */
    long thread = thread_named("smolwf");
    REQUIRE(thread != 0);
    const char *path = lend_format("/proc/self/task/%ld/status", thread);
    FILE *status = fopen(path, "r");
    REQUIRE(status != NULL);
    char line[256];
    unsigned long long blocked = 0;
    while (fgets(line, sizeof line, status) != NULL) sscanf(line, "SigBlk: %llx", &blocked);
    fclose(status);
    for (int number = 1; number < 32; number++) {
        if (number == SIGKILL || number == SIGSTOP) continue;
        CHECK((blocked >> (number - 1)) & 1);
    }
    sigset_t mine;
    sigprocmask(SIG_SETMASK, NULL, &mine);
    CHECK_INT(0, sigismember(&mine, SIGTERM));
    close(fd);
    sw_watch_free(watch);
    CHECK_INT(0, thread_named("smolwf"));
    sw_store_close(store);
}

/* ---- Processes ---------------------------------------------------------------------------- */

ROLE(submit_for_the_watch) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    submit(store, "w", NULL);
    sw_store_close(store);
    return 0;
}

TEST(a_change_by_another_process_is_told) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    struct child *child = child_start("submit_for_the_watch", path, NULL);
    CHECK(is_readable(fd, LONG_MS));
    child_finish(child);
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}

TEST(a_handle_that_only_reads_is_watched_too) {
    const char *path = temp_path("a.db");
    sw_store_close(store_open(path, 0));
    sw_store *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    sw_watch *watch = watch_open(reader);
    int fd = watch_fd(watch);
    CHECK(!is_readable(fd, 0));
    struct child *child = child_start("submit_for_the_watch", path, NULL);
    CHECK(is_readable(fd, LONG_MS));
    CHECK(drain(watch) > 0);
    child_finish(child);
    sw_store_shutdown(reader);
    close(fd);
    sw_watch_free(watch);
    sw_store_close(reader);
}

static void use_the_parents_watch(void *shared) {
    sw_watch *watch = shared;
    uint64_t now = 77;
    int32_t fd = 77;
    CHECK_CODE(SW_ERR_FORKED, sw_watch_drain(watch, &now, ERR));
    CHECK_CODE(SW_ERR_FORKED, sw_watch_fd(watch, &fd, ERR));
    CHECK(now == 77 && fd == 77);
    sw_watch_free(watch);
}

TEST(a_forked_child_may_not_use_the_watch_and_takes_nothing_from_it) {
    sw_store *store = store_open(temp_path("a.db"), 0);
    sw_watch *watch = watch_open(store);
    int fd = watch_fd(watch);
    submit(store, "w", NULL);
    CHECK(is_readable(fd, LONG_MS));
    CHECK(in_forked_child(use_the_parents_watch, watch));
    CHECK(is_readable(fd, 0));
    drain(watch);
    finish(claim(store), "1");
    CHECK(is_readable(fd, LONG_MS));
    close(fd);
    sw_watch_free(watch);
    sw_store_close(store);
}
