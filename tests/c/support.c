#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/*
 * A suite that hangs is ended by SIGALRM after this time, and names the test it hung in. What is watched by a
 * sanitizer is slow: scripts/sanitize.sh.
 */
#ifndef SLOWER
#define SLOWER 1
#endif
#define SUITE_SECONDS_MAX (240 * SLOWER)
#define FORKED_SECONDS_MAX (30 * SLOWER)

_Thread_local sw_error *last_error;

static struct test_case *first_test, **test_tail = &first_test;
static struct role *first_role;
static const char *current_test = "(none)";
static atomic_int failures;
static bool is_skipped;

/* Who may jump back to the runner: the main thread of the process that runs the tests. */
static jmp_buf runner;
static bool runner_waits;
static pthread_t runner_thread;
static pid_t runner_pid;

void register_test(struct test_case *test) {
    *test_tail = test;
    test_tail = &test->next;
}

void register_role(struct role *role) {
    role->next = first_role;
    first_role = role;
}

/* ---- Failing ------------------------------------------------------------------------------ */

void fail_at(const char *file, int line, const char *format, ...) {
    const char *name = strrchr(file, '/');
    va_list arguments;
    va_start(arguments, format);
    flockfile(stdout);
    printf("  %s:%d: in %s: ", name == NULL ? file : name + 1, line, current_test);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    funlockfile(stdout);
    va_end(arguments);
    atomic_fetch_add(&failures, 1);
}

void abandon(void) {
    error_clear();
    if (getpid() != runner_pid || !runner_waits) {
        fflush(stdout);
        _exit(1);
    }
    if (!pthread_equal(pthread_self(), runner_thread)) pthread_exit(NULL);
    longjmp(runner, 1);
}

void skip(const char *reason) {
    const char *all = getenv("SW_REQUIRE_ALL");
    if (all != NULL && strcmp(all, "1") == 0) {
        fail_at(__FILE__, __LINE__, "skipped although everything is required: %s", reason);
    } else {
        printf("skipped %s: %s\n", current_test, reason);
        is_skipped = true;
    }
    abandon();
}

bool check_true(const char *file, int line, const char *what, bool holds) {
    if (!holds) fail_at(file, line, "does not hold: %.200s", what);
    return holds;
}

bool check_int(const char *file, int line, const char *what, long long expected, long long actual) {
    if (expected == actual) return true;
    fail_at(file, line, "%.200s is %lld instead of %lld", what, actual, expected);
    return false;
}

bool check_between(const char *file, int line, const char *what, long long least, long long most,
                   long long actual) {
    if (least <= actual && actual <= most) return true;
    fail_at(file, line, "%.200s is %lld, not from %lld to %lld", what, actual, least, most);
    return false;
}

bool check_text(const char *file, int line, const char *what, const char *expected,
                const char *actual) {
    if (expected == NULL || actual == NULL) {
        if (expected == actual) return true;
        fail_at(file, line, "%.200s is %.200s instead of %.200s", what,
                actual == NULL ? "NULL" : actual, expected == NULL ? "NULL" : expected);
        return false;
    }
    return check_bytes(file, line, what, expected, strlen(expected), actual, strlen(actual));
}

bool check_bytes(const char *file, int line, const char *what, const void *expected,
                 size_t expected_len, const void *actual, size_t actual_len) {
    if (actual != NULL && expected_len == actual_len &&
        memcmp(expected, actual, expected_len) == 0) {
        return true;
    }
    fail_at(file, line, "%.200s is %zu bytes \"%.*s\" instead of %zu bytes \"%.*s\"", what,
            actual_len, (int)(actual_len < 300 ? actual_len : 300),
            actual == NULL ? "" : (const char *)actual, expected_len,
            (int)(expected_len < 300 ? expected_len : 300), (const char *)expected);
    return false;
}

/* ---- Codes and their errors --------------------------------------------------------------- */

void error_clear(void) {
    sw_error_free(last_error);
    last_error = NULL;
}

static bool is_retryable_code(int32_t code) {
    return code == SW_ERR_BUSY || code == SW_ERR_IO || code == SW_ERR_NOMEM;
}

/* An error object, where the call was given a slot, must tell what the code tells. */
static void check_error_object(const char *file, int line, const char *what, int32_t code) {
    if (last_error == NULL) return;
    const char *message = sw_error_message(last_error);
    if (code >= 0) fail_at(file, line, "%.200s left an error beside code %d", what, (int)code);
    if (sw_error_code(last_error) != code) {
        fail_at(file, line, "%.200s answers %s, its error says %s", what, sw_code_name(code),
                sw_code_name(sw_error_code(last_error)));
    }
    if ((sw_error_is_retryable(last_error) != 0) != is_retryable_code(code)) {
        fail_at(file, line, "%s is wrong about being retryable", sw_code_name(code));
    }
    if (message == NULL || message[0] == '\0') {
        fail_at(file, line, "%.200s: the error has no message", what);
    } else if ((isupper((unsigned char)message[0]) && strncmp(message, "SW_", 3) != 0) ||
               strchr(message, '\n') != NULL) {
        fail_at(file, line, "%.200s: the message is not a lower-case line: %s", what, message);
    }
}

/* An error slot that stayed empty is wrong only where the call's text shows that it was given. */
static void check_error_slot(const char *file, int line, const char *what, int32_t code) {
    check_error_object(file, line, what, code);
    if (code < 0 && last_error == NULL && strstr(what, "ERR)") != NULL) {
        fail_at(file, line, "%.200s answers %s without an error object", what, sw_code_name(code));
    }
}

static const char *message_of_last_error(void) {
    const char *message = last_error == NULL ? NULL : sw_error_message(last_error);
    return message == NULL ? "no message" : message;
}

bool check_code(const char *file, int line, const char *what, int32_t expected, int32_t actual) {
    return check_code_in(file, line, what, actual, &expected, 1);
}

bool check_code_in(const char *file, int line, const char *what, int32_t actual,
                   const int32_t *expected, size_t expected_len) {
    check_error_slot(file, line, what, actual);
    for (size_t i = 0; i < expected_len; i++) {
        if (expected[i] == actual) return true;
    }
    fail_at(file, line, "%.200s answers %s instead of %s%s (%s)", what, sw_code_name(actual),
            sw_code_name(expected[0]), expected_len > 1 ? " or the like" : "",
            message_of_last_error());
    return false;
}

bool check_says(const char *file, int line, const char *text, bool is_expected) {
    const char *message = message_of_last_error();
    if ((strstr(message, text) != NULL) == is_expected) return true;
    fail_at(file, line, "the message %s \"%s\": %s", is_expected ? "does not say" : "says", text,
            message);
    return false;
}

/* ---- Memory and files that end with the test ---------------------------------------------- */

struct lent {
    struct lent *next;
    _Alignas(16) unsigned char bytes[];
};

/* No lock: a child may be forked while another thread borrows. */
static _Atomic(struct lent *) first_lent;
static char *folder;

void *lend(size_t size) {
    struct lent *lent = calloc(1, sizeof *lent + size);
    if (lent == NULL) {
        fprintf(stderr, "out of memory in the harness\n");
        exit(1);
    }
    lent->next = atomic_load(&first_lent);
    while (!atomic_compare_exchange_weak(&first_lent, &lent->next, lent)) continue;
    return lent->bytes;
}

char *lend_format(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    char *text = lend((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

char *noise(uint32_t seed, size_t len) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = lend(len + 1);
    for (size_t at = 0; at < len; at++) {
        seed = seed * 1664525U + 1013904223U;
        text[at] = letters[seed >> 26];
    }
    text[0] = text[len - 1] = '"';
    return text;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void take_back_what_was_lent(void) {
    for (struct lent *lent = atomic_exchange(&first_lent, NULL), *next; lent != NULL; lent = next) {
        next = lent->next;
        free(lent);
    }
    if (folder == NULL) return;
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
    folder = NULL;
}

const char *temp_folder(void) {
    if (folder != NULL) return folder;
    const char *base = getenv("TMPDIR");
    char *template = lend_format("%s/smolwf-c-XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(template) == NULL) {
        fail_at(__FILE__, __LINE__, "no folder at %s: %s", template, strerror(errno));
        abandon();
    }
    folder = strdup(template);
    return folder;
}

const char *temp_path(const char *name) { return lend_format("%s/%s", temp_folder(), name); }

bool file_exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

struct file_copy file_read(const char *path) {
    struct file_copy copy = {false, 0, NULL};
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL) return copy;
    copy.exists = true;
    if (fstat(fileno(file), &status) == 0) {
        copy.bytes = lend((size_t)status.st_size + 1);
        copy.len = fread(copy.bytes, 1, (size_t)status.st_size, file);
    }
    fclose(file);
    return copy;
}

void file_write(const char *path, const void *bytes, size_t len) {
    FILE *file = fopen(path, "wb");
    bool is_written = file != NULL && fwrite(bytes, 1, len, file) == len;
    if (file != NULL && fclose(file) != 0) is_written = false;
    if (is_written) return;
    fail_at(__FILE__, __LINE__, "cannot write %s: %s", path, strerror(errno));
    abandon();
}

void check_file_unchanged(const char *file, int line, const struct file_copy *before,
                          const char *path) {
    struct file_copy now = file_read(path);
    if (now.exists != before->exists) {
        fail_at(file, line, "%s was %s", path, now.exists ? "made" : "removed");
    } else if (now.len != before->len) {
        fail_at(file, line, "%s has %zu bytes instead of %zu", path, now.len, before->len);
    } else if (now.exists && memcmp(now.bytes, before->bytes, now.len) != 0) {
        fail_at(file, line, "the bytes of %s changed", path);
    }
}

const char *folder_listing(const char *path) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    char *listing = lend_format("%s", "");
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            listing = lend_format("%s%s ", listing, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return listing;
}

/* ---- Threads and time --------------------------------------------------------------------- */

int64_t steady_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(int64_t ms) {
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) continue;
}

struct companion {
    pthread_t thread;
    void (*run)(void *shared);
    void (*run_indexed)(int index, void *shared);
    int index;
    void *shared;
};

static void *companion_main(void *argument) {
    struct companion *companion = argument;
    if (companion->run != NULL) companion->run(companion->shared);
    if (companion->run_indexed != NULL) companion->run_indexed(companion->index, companion->shared);
    error_clear();
    return NULL;
}

static void companion_start(struct companion *companion) {
    if (pthread_create(&companion->thread, NULL, companion_main, companion) == 0) return;
    fail_at(__FILE__, __LINE__, "cannot start a thread");
    abandon();
}

struct companion *thread_start(void (*body)(void *shared), void *shared) {
    struct companion *companion = lend(sizeof *companion);
    companion->run = body;
    companion->shared = shared;
    companion_start(companion);
    return companion;
}

void thread_join(struct companion *companion) { pthread_join(companion->thread, NULL); }

void in_threads(int count, void (*body)(int index, void *shared), void *shared) {
    struct companion *companions = lend((size_t)count * sizeof *companions);
    for (int i = 0; i < count; i++) {
        companions[i].run_indexed = body;
        companions[i].index = i;
        companions[i].shared = shared;
        companion_start(&companions[i]);
    }
    for (int i = 0; i < count; i++) thread_join(&companions[i]);
}

/* ---- Processes ---------------------------------------------------------------------------- */

bool in_forked_child(void (*body)(void *shared), void *shared) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(FORKED_SECONDS_MAX);
        atomic_store(&failures, 0);
        last_error = NULL;
        body(shared);
        fflush(stdout);
        _exit(atomic_load(&failures) == 0 ? 0 : 1);
    }
    if (waitpid(pid, &status, 0) == pid && status == 0) return true;
    fail_at(__FILE__, __LINE__, "the forked child failed (wait status %d)", status);
    return false;
}

/* Runs in the new process between fork and exec. */
static void become_role(char **argv, int input, int output) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execv("/proc/self/exe", argv);
    _exit(127);
}

struct child *child_start(const char *role, ...) {
    char *argv[12] = {"suite", "--role", (char *)role};
    int count = 3, down[2], up[2];
    va_list arguments;
    va_start(arguments, role);
    for (char *text; count < 11 && (text = va_arg(arguments, char *)) != NULL; count++) {
        argv[count] = text;
    }
    va_end(arguments);
    struct child *child = lend(sizeof *child);
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) abandon();
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) become_role(argv, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    child->to = fdopen(down[1], "w");
    child->from = fdopen(up[0], "r");
    return child;
}

const char *child_line(struct child *child) {
    char *line = lend(4096);
    if (fgets(line, 4096, child->from) == NULL) return "";
    line[strcspn(line, "\n")] = '\0';
    return line;
}

void child_close_input(struct child *child) {
    if (child->to != NULL) fclose(child->to);
    child->to = NULL;
}

void child_kill(struct child *child) {
    int status = 0;
    kill(child->pid, SIGKILL);
    bool is_over = waitpid(child->pid, &status, 0) == child->pid;
    /* One that had ended by itself did not do what it was to be killed in. */
    if (!is_over || !WIFSIGNALED(status)) {
        fail_at(__FILE__, __LINE__, "the child was to be killed, and had ended (wait status %d)",
                status);
    }
    child_close_input(child);
    fclose(child->from);
}

void child_finish(struct child *child) {
    int status = 0;
    child_close_input(child);
    for (const char *line = child_line(child); line[0] != '\0'; line = child_line(child)) {
        printf("  %s\n", line);
    }
    fclose(child->from);
    if (waitpid(child->pid, &status, 0) != child->pid || status != 0) {
        fail_at(__FILE__, __LINE__, "the child failed (wait status %d)", status);
    }
}

void tell(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

void wait_for_the_end(void) {
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

/* ---- The runner --------------------------------------------------------------------------- */

static void on_alarm(int signal_number) {
    static const char text[] = "\nthe suite hangs in ";
    (void)signal_number;
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    (void)!write(STDOUT_FILENO, current_test, strlen(current_test));
    (void)!write(STDOUT_FILENO, "\n", 1);
    _exit(124);
}

/* Whether the test passed; skipped ones count as neither. */
static bool run_test(const struct test_case *test) {
    current_test = test->name;
    atomic_store(&failures, 0);
    is_skipped = false;
    runner_waits = true;
    if (setjmp(runner) == 0) test->run();
    runner_waits = false;
    error_clear();
    take_back_what_was_lent();
    bool has_passed = atomic_load(&failures) == 0;
    if (!is_skipped) printf("%s %s\n", has_passed ? "ok    " : "FAILED", test->name);
    fflush(stdout);
    return has_passed;
}

static int run_role(int argc, char **argv) {
    for (struct role *role = first_role; role != NULL; role = role->next) {
        if (strcmp(role->name, argv[2]) != 0) continue;
        current_test = role->name;
        int status = role->run(argc - 3, argv + 3);
        error_clear();
        take_back_what_was_lent();
        return status != 0 || atomic_load(&failures) != 0;
    }
    return 2;
}

int main(int argc, char **argv) {
    int passed = 0, failed = 0;
    runner_thread = pthread_self();
    runner_pid = getpid();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_alarm);
    alarm(SUITE_SECONDS_MAX);
    if (argc > 2 && strcmp(argv[1], "--role") == 0) return run_role(argc, argv);
    for (struct test_case *test = first_test; test != NULL; test = test->next) {
        if (argc > 1 && strstr(test->name, argv[1]) == NULL) continue;
        bool has_passed = run_test(test);
        passed += has_passed && !is_skipped;
        failed += !has_passed;
    }
    printf("%d passed, %d failed\n", passed, failed);
    fflush(stdout);
    /* A test that was abandoned leaves its objects behind: a report of leaks would hide the cause. */
    if (failed > 0 || passed == 0) _exit(1);
    return 0;
}
