/*
 * The harness of the C suites: a test is a sentence, a check prints where it stands and the values
 * it saw, and each program ends with the line "N passed, N failed".
 *
 * A program is one topic. Run without arguments it runs all its tests; with one argument those
 * whose name contains it. It can also start itself again in a role (see ROLE), which is how the
 * suites get a second process, with the library loaded anew.
 */
#ifndef SMOLWF_TESTS_SUPPORT_H
#define SMOLWF_TESTS_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <smolwf.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- Arguments ---------------------------------------------------------------------------- */

/* Text in, as the library takes it: pointer and length. */
#define NTS(text) (text), SW_NTS
#define ABSENT NULL, 0
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A value that no output may still hold after a refused call that sets its outputs to NULL. */
#define POISON(type) ((type *)(uintptr_t)0xdead)

/* ---- Tests, roles, skips ------------------------------------------------------------------ */

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

struct role {
    const char *name;
    int (*run)(int argc, char **argv);
    struct role *next;
};

void register_test(struct test_case *test);
void register_role(struct role *role);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void) {                               \
        static struct test_case test = {#name, name, NULL};                                        \
        register_test(&test);                                                                      \
    }                                                                                              \
    static void name(void)

/* What this program does when it was started by child_start(#name, ...). */
#define ROLE(name)                                                                                 \
    static int name(int argc, char **argv);                                                        \
    __attribute__((constructor)) static void register_##name(void) {                               \
        static struct role role = {#name, name, NULL};                                             \
        register_role(&role);                                                                      \
    }                                                                                              \
    static int name(int argc, char **argv)

/* Ends the test with a printed reason; it fails where SW_REQUIRE_ALL=1 asks for everything. */
_Noreturn void skip(const char *reason);

/* ---- Checks: CHECK goes on after a failure, REQUIRE ends the test ------------------------- */

#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition))
#define CHECK_INT(expected, actual)                                                                \
    check_int(__FILE__, __LINE__, #actual, (long long)(expected), (long long)(actual))
#define CHECK_BETWEEN(least, most, actual)                                                         \
    check_between(__FILE__, __LINE__, #actual, (long long)(least), (long long)(most),              \
                  (long long)(actual))
#define CHECK_TEXT(expected, actual) check_text(__FILE__, __LINE__, #actual, (expected), (actual))
#define CHECK_BYTES(expected, expected_len, actual, actual_len)                                    \
    check_bytes(__FILE__, __LINE__, #actual, (expected), (expected_len), (actual), (actual_len))
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!check_true(__FILE__, __LINE__, #condition, (condition))) abandon();                   \
    } while (0)

/*
 * Checks of the code that a library call answers. ERR is this thread's error slot; the checks
 * empty it before the call and afterwards hold it against the code: an error exactly when the code
 * is negative, of the same code, with a sentence that starts in lower case.
 */
extern _Thread_local sw_error *last_error;
#define ERR (&last_error)
#define CODE_OF(call) (error_clear(), (call))
#define CHECK_CODE(expected, call) check_code(__FILE__, __LINE__, #call, (expected), CODE_OF(call))
#define CHECK_CODE_IN(call, ...)                                                                   \
    check_code_in(__FILE__, __LINE__, #call, CODE_OF(call), (const int32_t[]){__VA_ARGS__},        \
                  COUNT_OF(((const int32_t[]){__VA_ARGS__})))
#define REQUIRE_CODE(expected, call)                                                               \
    do {                                                                                           \
        if (!check_code(__FILE__, __LINE__, #call, (expected), CODE_OF(call))) abandon();          \
    } while (0)

/* Checks that the message of the last error holds the text. */
#define CHECK_SAYS(text) check_says(__FILE__, __LINE__, (text), true)
#define CHECK_DOES_NOT_SAY(text) check_says(__FILE__, __LINE__, (text), false)

bool check_true(const char *file, int line, const char *what, bool holds);
bool check_int(const char *file, int line, const char *what, long long expected, long long actual);
bool check_between(const char *file, int line, const char *what, long long least, long long most,
                   long long actual);
bool check_text(const char *file, int line, const char *what, const char *expected,
                const char *actual);
bool check_bytes(const char *file, int line, const char *what, const void *expected,
                 size_t expected_len, const void *actual, size_t actual_len);
bool check_code(const char *file, int line, const char *what, int32_t expected, int32_t actual);
bool check_code_in(const char *file, int line, const char *what, int32_t actual,
                   const int32_t *expected, size_t expected_len);
bool check_says(const char *file, int line, const char *text, bool is_expected);
void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void error_clear(void);
_Noreturn void abandon(void);

/* ---- What a test borrows and the harness takes away at its end ---------------------------- */

/* Zeroed memory until the end of the test; any thread. */
void *lend(size_t size);
char *lend_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A JSON string of so many bytes that is like no other of another seed and does not pack. */
char *noise(uint32_t seed, size_t len);
/* A file name in this test's own folder, which is removed with all it holds. */
const char *temp_folder(void);
const char *temp_path(const char *name);

/* A file as it is now; `exists` is false and `bytes` NULL when it is not there. */
struct file_copy {
    bool exists;
    size_t len;
    unsigned char *bytes;
};
struct file_copy file_read(const char *path);
void file_write(const char *path, const void *bytes, size_t len);
bool file_exists(const char *path);
/* Names in a folder, sorted and joined by spaces. */
const char *folder_listing(const char *folder);
#define CHECK_FILE_UNCHANGED(before, path)                                                         \
    check_file_unchanged(__FILE__, __LINE__, (before), (path))
void check_file_unchanged(const char *file, int line, const struct file_copy *before,
                          const char *path);

/* ---- Threads, time, processes ------------------------------------------------------------- */

/* Milliseconds of the machine's steady clock; for what must happen in real time only. */
int64_t steady_ms(void);
void pause_ms(int64_t ms);

/* Runs body(0 .. count-1, shared) in as many threads and joins them. */
void in_threads(int count, void (*body)(int index, void *shared), void *shared);
struct companion;
struct companion *thread_start(void (*body)(void *shared), void *shared);
void thread_join(struct companion *companion);

/* Runs the body in a forked child of this process, not started anew, and passes on its failures. */
bool in_forked_child(void (*body)(void *shared), void *shared);

/* This program started again in a role; its standard input and output are pipes to the caller. */
struct child {
    pid_t pid;
    FILE *from;
    FILE *to;
};
struct child *child_start(const char *role, ...) __attribute__((sentinel));
/* The next line that the child prints, without its end; "" at the end of its output. */
const char *child_line(struct child *child);
/* Lets the child's wait_for_the_end go on, while its output is still read. */
void child_close_input(struct child *child);
void child_kill(struct child *child);
/* Closes the child's input, reads what it still prints, checks that it ends with 0. */
void child_finish(struct child *child);
/* In a role: prints a line for child_line. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* In a role: waits until the caller closes the input or kills this process. */
void wait_for_the_end(void);

/* ---- The library, shortened for the common case ------------------------------------------- */

struct run_id {
    char text[SW_ID_CAP];
};

/* A store that is opened and not migrated; ends the test when that fails. */
sw_store *open_raw(const char *path);
/* An opened and migrated store; ends the test when that fails. */
sw_store *store_open(const char *path, uint32_t flags);
sw_store *store_manual(const char *path);
sw_store *store_in_memory(void);
void advance(sw_store *store, int64_t ms);

sw_submit_options submit_options(void);
sw_claim_options claim_options(void);
sw_fail_options fail_options(uint32_t flags, int64_t retry_after_ms);
sw_step_options step_options(void);

/* args may be NULL: absent. */
struct run_id submit(sw_store *store, const char *workflow, const char *args);
struct run_id submit_with(sw_store *store, const char *workflow, const sw_submit_options *options);
/* Claims at once from the queue "default"; ends the test when there is nothing. */
sw_attempt *claim(sw_store *store);
sw_attempt *claim_with(sw_store *store, const char *queue, const sw_claim_options *options);
/* Claims, waiting as long as it takes to notice that another process died. */
sw_attempt *claim_soon(sw_store *store);
/* The code of such a claim; *out is NULL unless it is SW_OK. */
int32_t claim_code(sw_store *store, sw_attempt **out);
#define CHECK_NOTHING_TO_CLAIM(store) check_nothing_to_claim(__FILE__, __LINE__, (store))
void check_nothing_to_claim(const char *file, int line, sw_store *store);
/* Completes and frees. */
void finish(sw_attempt *attempt, const char *result);
/* Releases and frees; the next attempt of the run, if nothing else is ready. */
sw_attempt *next_attempt(sw_store *store, sw_attempt *attempt);
/* Suspends and frees. */
void park(sw_attempt *attempt);
/* Begins without input or options; ends the test unless the answer is SW_OK. */
sw_step *begin(sw_attempt *attempt, const char *name);
int32_t begin_code(sw_attempt *attempt, const char *name, sw_step **out);
/* Begins, completes and frees. */
void do_step(sw_attempt *attempt, const char *name, const char *result);
/* Copies a text of the library for the test and frees it; NULL for NULL. */
const char *take_text(sw_text *text);
/* Text of a document; lent until the end of the test. */
const char *run_text(sw_store *store, const char *run_id);
const char *history_text(sw_store *store, const char *run_id);
#define CHECK_STATE(expected, store, run_id)                                                       \
    check_state(__FILE__, __LINE__, (expected), (store), (run_id))
void check_state(const char *file, int line, const char *expected, sw_store *store,
                 const char *run_id);

#endif
