/*
 * A worker of scripts/torture-workers.sh, in C: as worker.py, by the functions of the header alone.
 *   worker store plans from lease_ms
 */
#include "worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#define HEAVY 20000

/* What becomes of an attempt after a part of its plan. */
enum turn { GO_ON, PARK, TRY_AGAIN, FAIL, CANCELLED, LOST };

struct plan {
    sw_attempt *attempt;
    const char *run;
    char key[VALUE_CAP];
    unsigned number;
};

struct queue {
    const char *name;
    int threads;
};

static const struct queue queues[] = {{"work", 3}, {"narrow", 2}};
_Thread_local sw_error *err;
static atomic_long tokens;
atomic_bool is_stopping;
static int witness;
sw_store *store;
sw_stop *stop;
static uint32_t lease_ms;

void pause_ms(long ms) {
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

void print(char *out, size_t cap, const char *form, ...) {
    va_list values;
    va_start(values, form);
    int length = vsnprintf(out, cap, form, values);
    va_end(values);
    if (length < 0 || (size_t)length >= cap) abort();
}

static void token(char *out) {
    print(out, VALUE_CAP, "c.%d.%ld", (int)getpid(), atomic_fetch_add(&tokens, 1) + 1);
}

void note(const char *kind, const char *run, const char *name, unsigned attempt,
          const char *value) {
    char fact[512];
    print(fact, sizeof fact, "\n%s\t%s\t%s\t%u\t%s\tc.%d\t.", kind, run, name, attempt, value,
          (int)getpid());
    /* The disk may be full: it will have room again. */
    while (write(witness, fact, strlen(fact)) != (ssize_t)strlen(fact)) pause_ms(10);
}

void forget_error(void) {
    sw_error_free(err);
    err = NULL;
}

bool is_delayed(int32_t code) {
    if (code >= 0) return false;
    bool may_pass = sw_error_is_retryable(err) != 0 || code == SW_ERR_FULL;
    if (may_pass) {
        forget_error();
        pause_ms(20);
    }
    return may_pass;
}

void fail(const char *what) {
    if (atomic_load(&is_stopping)) exit(0);
    fprintf(stderr, "c.%d: %s: %s\n", (int)getpid(), what, sw_error_message(err));
    exit(3);
}

/* What an answer below 0 is to an attempt. */
static enum turn turn_of(int32_t code, const char *what) {
    if (code == SW_ERR_CLOSED && atomic_load(&is_stopping)) code = SW_ERR_LEASE_LOST;
    if (code == SW_SUSPEND) return PARK;
    if (code == SW_ERR_BUDGET || code == SW_ERR_CANCELLED || code == SW_ERR_LEASE_LOST) {
        forget_error();
        return code == SW_ERR_BUDGET ? PARK : code == SW_ERR_CANCELLED ? CANCELLED : LOST;
    }
    if (code < 0) fail(what);
    return GO_ON;
}

/* A JSON text without its quotes, and without what makes it long. */
static void plain(char *out, const char *json) {
    out[0] = 0;
    if (json == NULL || json[0] != '"') return;
    print(out, VALUE_CAP, "%.*s", (int)strcspn(json + 1, "\"/"), json + 1);
}

const char *member(char *out, const char *document, const char *key) {
    char quoted[32];
    out[0] = 0;
    print(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(document, quoted);
    if (at == NULL) return NULL;
    at += strlen(quoted);
    if (*at == '"') at++;
    print(out, VALUE_CAP, "%.*s", (int)strcspn(at, "\",}"), at);
    return at;
}

/* ---- A plan ------------------------------------------------------------------------------------ */

static void seen(struct plan *plan, const char *name, const char *json) {
    char value[VALUE_CAP];
    plain(value, json);
    note("seen", plan->run, name, plan->number, value);
}

static int32_t complete(struct plan *plan, sw_step *step, const char *name, char what, int count,
                        const char *json) {
    char usage[64], script[1024];
    sw_text *text = NULL;
    int32_t code;
    switch (what) {
    case 'b':
        print(usage, sizeof usage, "{\"coins\":%d}", count - count / 3);
        PATIENTLY(code, sw_step_complete_usage(step, json, SW_NTS, usage, SW_NTS, &err));
        break;
    case 'x':
        print(script, sizeof script,
              "[{\"sql\":\"INSERT INTO torture_entries VALUES (?, ?, ?)\","
              "\"params\":[\"%s\",\"%s\",%d],\"expect_changes\":1},"
              "{\"sql\":\"UPDATE torture_total SET amount = amount + ?\",\"params\":[%d],"
              "\"expect_changes\":1},{\"step_complete\":{\"result\":%s}}]",
              plan->run, name, count, count, json);
        PATIENTLY(code, sw_tx_run(store, plan->attempt, step, script, SW_NTS, &text, &err));
        sw_text_free(text);
        break;
    default:
        PATIENTLY(code, sw_step_complete(step, json, SW_NTS, &err));
    }
    return code;
}

/* Does the work of a step that was begun. */
static int32_t do_step(struct plan *plan, sw_step *step, const char *name, char what, int count) {
    char value[VALUE_CAP], amounts[64], tries[16], reservation[SW_ID_CAP];
    int32_t code = SW_OK;
    if (what == 'b') {
        print(amounts, sizeof amounts, "{\"coins\":%d}", count);
        PATIENTLY(code, sw_budget_reserve(plan->attempt, step, amounts, SW_NTS, NULL, 0,
                                          reservation, sizeof reservation, &err));
        if (code < 0) return code;
    }
    print(tries, sizeof tries, "%u", sw_step_tries(step));
    if (what != 'x') note("effect", plan->run, name, plan->number, tries);
    if (what == 'w') pause_ms(count);
    if (what == 'f' && (int)sw_step_tries(step) < count) {
        PATIENTLY(code, sw_step_fail(step, "\"an early try\"", SW_NTS, NULL, &err));
        return code;
    }
    if (what == 'd' && plan->number % 2 == 1) {
        PATIENTLY(code, sw_step_fail(step, "\"an odd attempt\"", SW_NTS, NULL, &err));
        return code;
    }
    token(value);
    char *json = calloc(1, VALUE_CAP + HEAVY);
    if (json == NULL) abort();
    print(json, VALUE_CAP, "\"%s", value);
    if (what == 'h') memset(json + strlen(json), '/', HEAVY);
    strcat(json, "\"");
    code = complete(plan, step, name, what, count, json);
    if (code >= 0) seen(plan, name, json);
    free(json);
    return code;
}

static enum turn step(struct plan *plan, const char *name, char what, int count) {
    sw_step_options options = {.struct_size = sizeof options,
                               .max_tries = 1000,
                               .backoff_initial_ms = 5,
                               .backoff_max_ms = 20};
    if (what == 't') options.flags = SW_STEP_TRACK, options.max_tries = 1;
    if (what == 'd') options.max_tries = 1;
    const char *input = what == 's' ? "{\"op\":\"s\",\"at\":1}" : NULL;
    sw_step *begun = NULL;
    int32_t code;
    PATIENTLY(code,
              sw_step_begin(plan->attempt, name, SW_NTS, input, SW_NTS, &options, &begun, &err));
    if (code == SW_REPLAYED) seen(plan, name, sw_step_result(begun, NULL));
    if (code == SW_OK) code = do_step(plan, begun, name, what, count);
    sw_step_free(begun);
    if (code == SW_FAILED && what == 'd') return FAIL;
    if (code == SW_FAILED && what == 't') note("interrupted", plan->run, name, plan->number, "");
    return turn_of(code, name);
}

static enum turn take_signal(struct plan *plan, const char *name) {
    sw_text *text = NULL;
    int32_t code;
    PATIENTLY(code, sw_signal_await(plan->attempt, "go", SW_NTS, SW_FOREVER, &text, &err));
    if (code == SW_OK) seen(plan, name, sw_text_data(text, NULL));
    sw_text_free(text);
    return turn_of(code, name);
}

/* A wait for what nobody sends, until its time is over. */
static enum turn wait_in_vain(struct plan *plan, const char *name, int count) {
    sw_text *text = NULL;
    int32_t code;
    PATIENTLY(code, sw_signal_await(plan->attempt, name, SW_NTS, count, &text, &err));
    if (code == SW_TIMEOUT) note("timeout", plan->run, name, plan->number, "");
    sw_text_free(text);
    return turn_of(code, name);
}

/* The first of a message, a child and a time. */
static enum turn first(struct plan *plan, const char *name, int count) {
    char once[VALUE_CAP], args[2 * VALUE_CAP], child[SW_ID_CAP], waits[256];
    char index[VALUE_CAP], value[VALUE_CAP], came[2 * VALUE_CAP];
    sw_submit_options options = {.struct_size = sizeof options,
                                 .queue = "work",
                                 .queue_len = SW_NTS,
                                 .backoff_initial_ms = 5,
                                 .backoff_max_ms = 20,
                                 .max_tries = 1000};
    sw_text *text = NULL;
    int32_t code;
    print(once, sizeof once, "%s0", name);
    print(args, sizeof args, "\"%s.%s s w5 b1 x1\"", plan->key, once);
    PATIENTLY(code, sw_child_submit(plan->attempt, once, SW_NTS, "torture", SW_NTS, args, SW_NTS,
                                    &options, child, sizeof child, &err));
    if (code < 0) return turn_of(code, name);
    print(waits, sizeof waits, "[{\"signal\":\"yes\"},{\"child\":\"%s\"},{\"sleep_ms\":%d}]", child,
          count);
    PATIENTLY(code,
              sw_await_any(plan->attempt, name, SW_NTS, waits, SW_NTS, SW_FOREVER, &text, &err));
    if (code == SW_OK) {
        member(index, sw_text_data(text, NULL), "index");
        member(value, sw_text_data(text, NULL), "value");
        print(came, sizeof came, "%s.%s", index, strcmp(value, "null") == 0 ? "" : value);
        note("chosen", plan->run, name, plan->number, came);
    }
    sw_text_free(text);
    return turn_of(code, name);
}

/* Submits the children, and writes what is waited for. */
static int32_t submit_children(struct plan *plan, const char *name, int count, char *ids,
                               char *waits) {
    char items[2048] = "[";
    sw_text *text = NULL;
    int32_t code;
    for (int at = 0; at < count; at++) {
        char *end = items + strlen(items);
        print(end, sizeof items - (size_t)(end - items),
              "%s{\"name\":\"%s%d\",\"workflow\":\"torture\",\"queue\":\"work\",\"max_tries\":1000,"
              "\"backoff_initial_ms\":5,\"backoff_max_ms\":20,\"args\":\"%s.%s%d s w5 b1 x1\"}",
              at == 0 ? "" : ",", name, at, plan->key, name, at);
    }
    strcat(items, "]");
    PATIENTLY(code, sw_child_submit_many(plan->attempt, items, SW_NTS, &text, &err));
    if (code < 0) return code;
    const char *document = sw_text_data(text, NULL);
    strcpy(waits, "[");
    for (int at = 0; at < count; at++) {
        char *id = ids + (size_t)at * VALUE_CAP;
        document = member(id, document, "run_id");
        if (document == NULL) abort();
        strcat(strcat(strcat(waits, at == 0 ? "{\"child\":\"" : ",{\"child\":\""), id), "\"}");
    }
    strcat(waits, "]");
    sw_text_free(text);
    return code;
}

static enum turn children(struct plan *plan, const char *name, int count) {
    char ids[8 * VALUE_CAP], waits[1024], value[VALUE_CAP];
    sw_text *text = NULL;
    int32_t code = submit_children(plan, name, count, ids, waits);
    if (code < 0) return turn_of(code, name);
    PATIENTLY(code,
              sw_await_all(plan->attempt, name, SW_NTS, waits, SW_NTS, SW_FOREVER, &text, &err));
    const char *document = sw_text_data(text, NULL);
    for (int at = 0; code == SW_OK && at < count; at++) {
        document = member(value, document, "value");
        if (document == NULL) abort();
        note("child", ids + (size_t)at * VALUE_CAP, "", 0, value);
    }
    sw_text_free(text);
    return turn_of(code, name);
}

static enum turn append(struct plan *plan, const char *name) {
    char payload[VALUE_CAP];
    int32_t code;
    print(payload, sizeof payload, "\"%s\"", name);
    PATIENTLY(code,
              sw_event_append(plan->attempt, "noted", SW_NTS, payload, SW_NTS, name, SW_NTS, &err));
    if (code >= 0) note("event", plan->run, name, 0, "");
    return turn_of(code, name);
}

static enum turn perform(struct plan *plan, const char *name, char what, int count) {
    int32_t code;
    switch (what) {
    case 's':
    case 'w':
    case 'f':
    case 'h':
    case 't':
    case 'b':
    case 'x':
    case 'd':
        return step(plan, name, what, count);
    case 'q':
        return wait_in_vain(plan, name, count);
    case 'n':
        return wait_in_vain(plan, "never", SW_FOREVER);
    case 'a':
        return first(plan, name, count);
    case 'z':
        PATIENTLY(code, sw_sleep(plan->attempt, name, SW_NTS, count, &err));
        break;
    case 'g':
        return take_signal(plan, name);
    case 'c':
        return children(plan, name, count);
    case 'e':
        return append(plan, name);
    case 'r':
        return plan->number % 2 == 1 ? TRY_AGAIN : GO_ON;
    default:
        abort();
    }
    return turn_of(code, name);
}

static void end(struct plan *plan, enum turn turn) {
    char value[VALUE_CAP], json[VALUE_CAP + 2];
    const sw_fail_options final = {.struct_size = sizeof final, .flags = SW_FAIL_TERMINAL};
    int32_t code;
    token(value);
    print(json, sizeof json, "\"%s\"", value);
    switch (turn) {
    case GO_ON:
        PATIENTLY(code, sw_attempt_complete(plan->attempt, json, SW_NTS, &err));
        break;
    case PARK:
        PATIENTLY(code, sw_attempt_suspend(plan->attempt, &err));
        break;
    case TRY_AGAIN:
        PATIENTLY(code, sw_attempt_fail(plan->attempt, "\"an odd attempt\"", SW_NTS, NULL, &err));
        break;
    case FAIL:
        PATIENTLY(code, sw_attempt_fail(plan->attempt, "\"an odd attempt\"", SW_NTS, &final, &err));
        break;
    case CANCELLED:
        PATIENTLY(code, sw_attempt_release(plan->attempt, 0, &err));
        break;
    default:
        return;
    }
    turn_of(code, "end");
}

static void live(sw_attempt *attempt) {
    struct plan plan = {.attempt = attempt,
                        .run = sw_attempt_run_id(attempt, NULL),
                        .number = sw_attempt_number(attempt)};
    char *args = strdup(sw_attempt_args(attempt, NULL) + 1), *rest = NULL;
    if (args == NULL) abort();
    args[strcspn(args, "\"")] = 0;
    print(plan.key, sizeof plan.key, "%s", strtok_r(args, " ", &rest));
    enum turn turn = GO_ON;
    const char *op;
    for (int at = 0; turn == GO_ON && (op = strtok_r(NULL, " ", &rest)) != NULL; at++) {
        char name[16];
        print(name, sizeof name, "%d%c", at, op[0]);
        turn = perform(&plan, name, op[0], atoi(op + 1));
    }
    free(args);
    end(&plan, turn);
}

static void *work(void *queue) {
    char name[VALUE_CAP];
    print(name, sizeof name, "c.%d", (int)getpid());
    sw_claim_options options = {.struct_size = sizeof options,
                                .wait_ms = SW_FOREVER,
                                .lease_ms = lease_ms,
                                .worker = name,
                                .worker_len = SW_NTS,
                                .workflows = "[\"torture\"]",
                                .workflows_len = SW_NTS,
                                .stop = stop};
    while (!atomic_load(&is_stopping)) {
        sw_attempt *attempt = NULL;
        int32_t code;
        PATIENTLY(code, sw_run_claim(store, queue, SW_NTS, &options, &attempt, &err));
        if (code < 0) fail("claim");
        if (code != SW_OK) continue;
        live(attempt);
        sw_attempt_free(attempt);
    }
    return NULL;
}

static void *listen(void *signals) {
    int which;
    sigwait(signals, &which);
    atomic_store(&is_stopping, true);
    sw_stop_fire(stop);
    return NULL;
}

int main(int argc, char **argv) {
    static sigset_t signals;
    pthread_t listener, threads[8];
    int count = 0;
    uint32_t applied;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_NO_CREATE};
    if (argc != 5) return 2;
    lease_ms = atoi(argv[4]) == 0 ? SW_LEASE_WHILE_ALIVE : (uint32_t)atoi(argv[4]);
    witness = open(getenv("TORTURE_WITNESS"), O_WRONLY | O_APPEND | O_CLOEXEC);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (sw_stop_new(&stop, &err) < 0) fail("stop");
    pthread_create(&listener, NULL, listen, &signals);
    if (sw_store_open(argv[1], &options, &store, &err) < 0) fail("open");
    if (sw_store_init(store, &applied, &err) < 0) fail("init");
    for (size_t queue = 0; queue < sizeof queues / sizeof *queues; queue++)
        for (int at = 0; at < queues[queue].threads; at++)
            pthread_create(&threads[count++], NULL, work, (void *)queues[queue].name);
    submit_all(argv[2], atoi(argv[3]));
    pthread_join(listener, NULL);
    while (count > 0) pthread_join(threads[--count], NULL);
    sw_store_close(store);
    return 0;
}
