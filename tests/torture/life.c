#define _GNU_SOURCE
#include "life.h"
#include "codes.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Passes on to the layer, which is there if the program was started with it. */
static void note(int kind, uint32_t call, int32_t code, const char *text, size_t len) {
    static torture_note_function *told;
    if (told == NULL) *(void **)&told = dlsym(RTLD_DEFAULT, "torture_note");
    if (told != NULL) told(kind, call, code, text, len);
}

int descriptors_left(void) {
    int (*count)(void);
    *(void **)&count = dlsym(RTLD_DEFAULT, "torture_open_descriptors");
    return count == NULL ? 0 : count();
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls */

enum { EXPECTED_MAX = HELD_MAX + 8 };
static __thread char expected[EXPECTED_MAX][1400];
static __thread size_t expected_len[EXPECTED_MAX];
static __thread int expected_count;
static __thread int told_count; /* of the last call, should it be repeated */

static const char *expect_this(const char *value, const char *sql, va_list rest) {
    if (expected_count == EXPECTED_MAX) abort();
    char *into = expected[expected_count];
    size_t len = (size_t)vsnprintf(into, sizeof *expected, sql, rest) + 1;
    if (len + 128 > sizeof *expected) abort();
    const char *form = value == NULL ? "[]" : "[[%s]]";
    len += (size_t)snprintf(into + len, sizeof *expected - len, form, value) + 1;
    expected_len[expected_count++] = len;
    return into;
}

void expect(struct life *life, const char *value, const char *sql, ...) {
    (void)life;
    va_list rest;
    va_start(rest, sql);
    expect_this(value, sql, rest);
    va_end(rest);
}

void expect_while_open(struct life *life, const char *value, const char *sql, ...) {
    va_list rest;
    va_start(rest, sql);
    const char *text = expect_this(value, sql, rest);
    va_end(rest);
    if (life->open_facts_len == HELD_MAX) abort();
    life->open_facts[life->open_facts_len++] = strdup(text);
}

void settle_open_facts(struct life *life, int from) {
    for (int at = from; at < life->open_facts_len; at++) free(life->open_facts[at]);
    life->open_facts_len = from;
}

/* Whatever may be there from now on. */
static void forget_open_facts(struct life *life) {
    for (int at = 0; at < life->open_facts_len; at++) {
        expect(life, "*", "%s", life->open_facts[at]);
    }
    settle_open_facts(life, 0);
}

void expect_copy(struct life *life, const char *name) { expect(life, "copy", "%s", name); }

void life_begin(struct life *life, const char *function) {
    sw_error_free(life->err);
    life->err = NULL;
    life->call = __atomic_add_fetch(&life->control->calls, 1, __ATOMIC_SEQ_CST);
    note(RECORD_BEGIN, life->call, life->is_process, function, strlen(function) + 1);
    for (int at = 0; at < expected_count; at++) {
        note(RECORD_FACT, life->call, 0, expected[at], expected_len[at]);
    }
    told_count = expected_count;
    expected_count = 0;
}

/* The first answer that tells of what was made to fail. */
static void note_first(struct life *life, const char *function, int32_t code) {
    struct control *control = life->control;
    if (!control->has_failed || control->first_code != 0 || code > SW_ERR_BUSY) return;
    control->first_code = code;
    snprintf(control->first_function, sizeof control->first_function, "%s", function);
    snprintf(control->first_words, sizeof control->first_words, "%s", said(life));
}

int32_t life_answer(struct life *life, const char *function, int32_t code) {
    note(RECORD_ANSWER, life->call, code, NULL, 0);
    life->was_process = life->is_process;
    life->is_process = life->durability == SW_DURABILITY_PROCESS;
    if (code == SW_ERR_POISONED || code == SW_ERR_WAL_LOST) life->must_reopen = 1;
    note_first(life, function, code);
    if (!codes_have(function, code)) {
        fprintf(stderr, "undocumented: %s answers %s: %s\n", function, sw_code_name(code),
                said(life));
        __atomic_add_fetch(&life->control->undocumented, 1, __ATOMIC_SEQ_CST);
    }
    return code;
}

/* What is the same twice as once. */
static int is_repeatable(const char *function) {
    static const char *const functions[] = {
        "sw_step_begin",   "sw_step_complete",     "sw_step_complete_usage", "sw_sleep",
        "sw_signal_await", "sw_await_any",         "sw_await_all",           "sw_child_await",
        "sw_child_submit", "sw_child_submit_many", "sw_budget_settle",       "sw_attempt_complete",
        "sw_run_cancel",   "sw_attempt_heartbeat", "sw_schedule_set",        "sw_run_annotate"};
    for (size_t at = 0; at < sizeof functions / sizeof *functions; at++) {
        if (strcmp(functions[at], function) == 0) return 1;
    }
    return 0;
}

int life_repeats(struct life *life, const char *function, int32_t code, int *repeats) {
    int may_be = code == SW_ERR_IO || code == SW_ERR_FULL || code == SW_ERR_NOMEM;
    if (!may_be || !life->control->has_failed || !is_repeatable(function)) return 0;
    if ((*repeats)-- == 0) return 0;
    expected_count = told_count;
    life->is_process = life->was_process;
    return 1;
}

int life_disappointed(struct life *life, const char *function, int line, int32_t wanted,
                      int32_t code) {
    snprintf(life->control->last_words, sizeof life->control->last_words,
             "line %d: %s answers %s, not %s: %s", line, function, sw_code_name(code),
             sw_code_name(wanted), said(life));
    return -1;
}

const char *said(struct life *life) {
    const char *message = life->err == NULL ? NULL : sw_error_message(life->err);
    return message == NULL ? "" : message;
}

const char *own(struct life *life, int place, const char *stem) {
    static __thread char names[8][96];
    snprintf(names[place], sizeof names[place], "%s-%s-%d", life->name, stem, life->turn);
    return names[place];
}

/* ---------------------------------------------------------------------------------------------- */
/* The store */

int life_open(struct life *life) {
    sw_store_options options = {.struct_size = sizeof options,
                                .flags = life->flags,
                                .durability = life->durability,
                                .busy_timeout_ms = 20000};
    uint32_t applied;
    MUST(life, SW_OK, sw_store_open, life->path, &options, &life->store, &life->err);
    expect(life, "11", "SELECT max(id) FROM sw_migrations");
    life->is_process = 0;
    int32_t code = DO(life, sw_store_init, life->store, &applied, &life->err);
    int is_of_move = life->is_moving && (code == SW_ERR_MOVED || code == SW_ERR_BUSY);
    if (code == SW_OK || is_of_move) return 0;
    life_close(life);
    return life_disappointed(life, "sw_store_init", __LINE__, SW_OK, code);
}

void life_close(struct life *life) {
    life_free_held(life);
    forget_open_facts(life);
    life_begin(life, "sw_store_close");
    sw_store_close(life->store);
    life->store = NULL;
    note(RECORD_ANSWER, life->call, SW_OK, NULL, 0);
}

void life_free_held(struct life *life) {
    for (int at = 0; at < life->steps_len; at++) sw_step_free(life->steps[at]);
    for (int at = 0; at < life->attempts_len; at++) sw_attempt_free(life->attempts[at]);
    for (int at = 0; at < life->texts_len; at++) sw_text_free(life->texts[at]);
    life->steps_len = life->attempts_len = life->texts_len = 0;
    expected_count = 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* What chapters do again and again */

sw_text **text_of(struct life *life) {
    if (life->texts_len == HELD_MAX) abort();
    sw_text **text = &life->texts[life->texts_len++];
    *text = NULL;
    return text;
}

int submit(struct life *life, const char *key, const char *queue, const char *args, char *id) {
    sw_submit_options options = {.struct_size = sizeof options,
                                 .queue = queue,
                                 .queue_len = SW_NTS,
                                 .idempotency_key = key,
                                 .idempotency_key_len = SW_NTS,
                                 .backoff_initial_ms = 1,
                                 .backoff_max_ms = 1};
    expect(life, "1", "SELECT count(*) FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    MUST(life, SW_OK, sw_run_submit, life->store, "work", SW_NTS, args, SW_NTS, &options, id,
         SW_ID_CAP, &life->err);
    return 0;
}

sw_attempt *claim(struct life *life, const char *queue) {
    sw_claim_options options = {
        .struct_size = sizeof options, .worker = "torture", .worker_len = SW_NTS};
    if (life->attempts_len == HELD_MAX) abort();
    sw_attempt **attempt = &life->attempts[life->attempts_len];
    int32_t code =
        DO(life, sw_run_claim, life->store, queue, SW_NTS, &options, attempt, &life->err);
    if (code == SW_OK) {
        life->attempts_len++;
        return *attempt;
    }
    life_disappointed(life, "sw_run_claim", __LINE__, SW_OK, code);
    return NULL;
}

sw_step *begin(struct life *life, sw_attempt *attempt, const char *name, int32_t wanted) {
    if (life->steps_len == HELD_MAX) abort();
    sw_step **step = &life->steps[life->steps_len];
    *step = NULL;
    int32_t code =
        DO(life, sw_step_begin, attempt, name, SW_NTS, "1", SW_NTS, NULL, step, &life->err);
    if (*step != NULL) life->steps_len++;
    if (code == wanted) return *step;
    life_disappointed(life, "sw_step_begin", __LINE__, wanted, code);
    return NULL;
}

#define OF_RUN " (SELECT run_key FROM sw_workflow_runs WHERE idem_key = '%s')"

int finish_step(struct life *life, sw_attempt *attempt, const char *key, const char *name,
                const char *result) {
    sw_step *step = begin(life, attempt, name, SW_OK);
    if (step == NULL) return -1;
    int is_short = strlen(result) < 100;
    if (is_short) {
        char value[128];
        snprintf(value, sizeof value, "\"%s\"", result);
        expect(
            life, value,
            "SELECT result FROM sw_workflow_steps WHERE kind = 0 AND name = '%s' AND run_key =" OF_RUN,
            name, key);
    } else {
        expect(
            life, "2",
            "SELECT state FROM sw_workflow_steps WHERE kind = 0 AND name = '%s' AND run_key =" OF_RUN,
            name, key);
    }
    MUST(life, SW_OK, sw_step_complete, step, result, SW_NTS, &life->err);
    return 0;
}

int finish(struct life *life, sw_attempt *attempt, const char *key, const char *result) {
    expect(life, "1", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    expect(life, NULL, "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_attempt_complete, attempt, result, SW_NTS, &life->err);
    return 0;
}

int suspend(struct life *life, sw_attempt *attempt, const char *key) {
    (void)key;
    MUST(life, SW_OK, sw_attempt_suspend, attempt, &life->err);
    return 0;
}
