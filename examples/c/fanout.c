/* One parent, a thousand children, four workers, two of them killed: every child is done once, and
 * the parent wakes once, when the last has ended.
 * Usage: fanout <store>; it starts itself again as `fanout <store> worker RUN_ID` */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <smolwf.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "json_view.h"

#define CHILDREN 1000
#define WORKERS 4

extern char **environ;
static sw_error *err;

static void fail(const char *what) {
    fprintf(stderr, "fanout: %s\n", what);
    exit(1);
}

static int32_t ok(int32_t code) { /* 0 and above are answers, below 0 are errors */
    if (code < 0) fail(sw_error_message(err));
    return code;
}

static sw_store *open_store(const char *path) {
    sw_store *store;
    uint32_t applied;
    ok(sw_store_open(path, NULL, &store, &err));
    ok(sw_store_init(store, &applied, &err));
    return store;
}

/* Claims from a queue, waiting up to wait_ms; NULL when there was nothing. */
static sw_attempt *claim(sw_store *store, const char *queue, int64_t wait_ms) {
    sw_attempt *attempt;
    sw_claim_options options = {.struct_size = sizeof options, .wait_ms = wait_ms};
    ok(sw_run_claim(store, queue, SW_NTS, &options, &attempt, &err));
    return attempt;
}

static sw_text *document(sw_store *store, const char *run_id) {
    sw_text *text;
    ok(sw_run_get(store, run_id, SW_NTS, &text, &err));
    return text;
}

static int is_completed(const char *object) {
    return strncmp(json_member(object, "state"), "\"completed\"", 11) == 0;
}

/* ---- A worker ----------------------------------------------------------------------------- */

/* The workflow `square`: one step. */
static void square(sw_attempt *attempt) {
    sw_step *step;
    char result[32];
    long long n = strtoll(sw_attempt_args(attempt, NULL), NULL, 10);
    snprintf(result, sizeof result, "%lld", n * n);
    if (ok(sw_step_begin(attempt, "square", SW_NTS, NULL, 0, NULL, &step, &err)) == SW_OK) {
        ok(sw_step_complete(step, result, SW_NTS, &err));
    }
    ok(sw_attempt_complete(attempt, result, SW_NTS, &err));
    sw_step_free(step);
    sw_attempt_free(attempt);
}

/* Works on children until there are none and their parent has ended. */
static int worker(const char *path, const char *parent_id) {
    sw_store *store = open_store(path);
    for (int has_ended = 0; !has_ended;) {
        sw_attempt *attempt = claim(store, "children", 200);
        if (attempt != NULL) {
            square(attempt);
        } else {
            sw_text *parent = document(store, parent_id);
            has_ended = is_completed(sw_text_data(parent, NULL));
            sw_text_free(parent);
        }
    }
    sw_store_close(store);
    return 0;
}

static pid_t start_worker(char *program, char *path, char *parent_id) {
    char *arguments[] = {program, path, (char[]){"worker"}, parent_id, NULL};
    pid_t pid;
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) != 0) {
        fail("a worker cannot be started");
    }
    return pid;
}

/* ---- The parent's workflow: runs from the top in each attempt ------------------------------ */

/* Submits the children; the answer names them, the same in each attempt. */
static sw_text *submit_children(sw_attempt *attempt) {
    static char items[CHILDREN * 80];
    sw_text *children;
    size_t end = 0;
    for (int n = 1; n <= CHILDREN; n++) {
        end += (size_t)snprintf(
            items + end, sizeof items - end,
            "%c{\"name\":\"square\",\"workflow\":\"square\",\"queue\":\"children\",\"args\":%d}",
            n == 1 ? '[' : ',', n);
    }
    snprintf(items + end, sizeof items - end, "]");
    ok(sw_child_submit_many(attempt, items, SW_NTS, &children, &err));
    return children;
}

/* Awaits all children; returns the sum of their results, or -1 when it must be parked. */
static int64_t join(sw_attempt *attempt, sw_text *children) {
    static char waits[CHILDREN * 64];
    char run_id[SW_ID_CAP];
    sw_text *ended;
    size_t end = 0;
    int64_t sum = 0;
    const char *child = json_first(sw_text_data(children, NULL));
    for (; child != NULL; child = json_next(child)) {
        json_show(json_member(child, "run_id"), run_id, sizeof run_id);
        end += (size_t)snprintf(waits + end, sizeof waits - end, "%c{\"child\":\"%s\"}",
                                end == 0 ? '[' : ',', run_id);
    }
    snprintf(waits + end, sizeof waits - end, "]");
    if (ok(sw_await_all(attempt, "join", SW_NTS, waits, SW_NTS, SW_FOREVER, &ended, &err)) ==
        SW_SUSPEND) {
        return -1;
    }
    const char *entry = json_first(sw_text_data(ended, NULL));
    for (; entry != NULL; entry = json_next(entry))
        sum += json_integer(json_member(entry, "value"), 0);
    sw_text_free(ended);
    return sum;
}

/* ---- The main process --------------------------------------------------------------------- */

/* Returns how many children have ended. */
static int finished(sw_store *store, const char *parent_id) {
    sw_text *history;
    int count = 0;
    ok(sw_run_history(store, parent_id, SW_NTS, NULL, 0, 10000, &history, &err));
    const char *child = json_first(json_member(sw_text_data(history, NULL), "children"));
    for (; child != NULL; child = json_next(child)) count += is_completed(child);
    sw_text_free(history);
    return count;
}

/* Kills two workers, each when a random number of children has ended. */
static void kill_two(sw_store *store, const char *parent_id, const pid_t *workers) {
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    for (int i = 0; i < 2; i++) {
        int at = 100 + 250 * i + rand() % 200, count;
        while ((count = finished(store, parent_id)) < at) {
            nanosleep(&(struct timespec){0, 1000000}, NULL); /* until the next look */
        }
        if (count > 900) fail("more than 900 children had ended before a worker was killed");
        kill(workers[i], SIGKILL);
    }
}

static void await_workers(const pid_t *workers) {
    int killed = 0;
    for (int i = 0; i < WORKERS; i++) {
        int status;
        if (waitpid(workers[i], &status, 0) != workers[i]) fail("a worker is missing");
        if (WIFSIGNALED(status)) {
            killed++;
        } else if (WEXITSTATUS(status) != 0) {
            fail("a worker failed");
        }
    }
    printf("%d of %d workers were killed\n", killed, WORKERS);
}

/* Claims the parent once its children have ended, and completes it with their sum. */
static int64_t finish_parent(sw_store *store) {
    char result[32];
    sw_attempt *attempt = claim(store, "parents", 60000);
    if (attempt == NULL) fail("the parent did not wake within a minute");
    sw_text *children = submit_children(attempt);
    int64_t sum = join(attempt, children);
    if (sum < 0) fail("the parent woke before its last child had ended");
    snprintf(result, sizeof result, "%lld", (long long)sum);
    ok(sw_attempt_complete(attempt, result, SW_NTS, &err));
    sw_text_free(children);
    sw_attempt_free(attempt);
    return sum;
}

/* Looks at the history of each child. */
static void check_children(sw_store *store, sw_text *children) {
    char run_id[SW_ID_CAP];
    int n = 0;
    const char *child = json_first(sw_text_data(children, NULL));
    for (; child != NULL; child = json_next(child)) {
        sw_text *text;
        json_show(json_member(child, "run_id"), run_id, sizeof run_id);
        ok(sw_run_history(store, run_id, SW_NTS, NULL, 0, 0, &text, &err));
        const char *history = sw_text_data(text, NULL), *run = json_member(history, "run");
        const char *step = json_first(json_member(history, "steps"));
        n++;
        if (!is_completed(run) || json_integer(json_member(run, "result"), 0) != (int64_t)n * n) {
            fail("a child has another result");
        }
        if (step == NULL || !is_completed(step) || json_next(step) != NULL) {
            fail("a child's step was not recorded exactly once");
        }
        sw_text_free(text);
    }
    if (n != CHILDREN) fail("children are missing");
}

static void fan_out(char *program, char *path) {
    sw_store *store = open_store(path);
    char run_id[SW_ID_CAP];
    pid_t workers[WORKERS];
    sw_submit_options options = {
        .struct_size = sizeof options, .queue = "parents", .queue_len = SW_NTS};
    ok(sw_run_submit(store, "total", SW_NTS, NULL, 0, &options, run_id, sizeof run_id, &err));
    sw_attempt *attempt = claim(store, "parents", 0);
    sw_text *children = submit_children(attempt);
    printf("one parent submitted %d children in one commit\n", CHILDREN);
    if (join(attempt, children) >= 0) fail("children ended without a worker");
    ok(sw_attempt_suspend(attempt, &err));
    sw_attempt_free(attempt);

    for (int i = 0; i < WORKERS; i++) workers[i] = start_worker(program, path, run_id);
    kill_two(store, run_id, workers);
    int64_t sum = finish_parent(store);
    await_workers(workers);

    sw_text *parent = document(store, run_id);
    if (json_integer(json_member(sw_text_data(parent, NULL), "attempts"), 0) != 2) {
        fail("the parent did not wake exactly once");
    }
    puts("the parent woke once");
    printf("the sum is %lld\n", (long long)sum);
    check_children(store, children);
    puts("every child's result was recorded once");
    sw_text_free(parent);
    sw_text_free(children);
    sw_store_close(store);
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[2], "worker") == 0) return worker(argv[1], argv[3]);
    if (argc != 2) fail("usage: fanout <store>");
    setvbuf(stdout, NULL, _IOLBF, 0);
    fan_out(argv[0], argv[1]);
    return 0;
}
