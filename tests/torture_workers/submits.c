/* The runs that the worker in C submits, and what it does to them from outside. */
#include "worker.h"

#include <time.h>

static void cancel(const char *run) {
    char attempts[VALUE_CAP];
    sw_text *text = NULL;
    int32_t code;
    pause_ms(30);
    PATIENTLY(code, sw_run_cancel(store, run, SW_NTS, NULL, 0, &err));
    if (code == SW_ERR_CONFLICT) { /* it has ended before */
        forget_error();
        return;
    }
    if (code < 0) fail("cancel");
    PATIENTLY(code, sw_run_get(store, run, SW_NTS, &text, &err));
    if (code < 0) fail("get");
    member(attempts, sw_text_data(text, NULL), "attempts");
    note("cancel", run, "", (unsigned)atoi(attempts), "");
    sw_text_free(text);
}

static void pause_run(const char *run) {
    int32_t code;
    PATIENTLY(code, sw_run_pause(store, run, SW_NTS, &err));
    if (code >= 0) {
        pause_ms(30);
        PATIENTLY(code, sw_run_resume(store, run, SW_NTS, &err));
    }
    if (code < 0 && code != SW_ERR_CONFLICT) fail("pause");
    if (code < 0) forget_error(); /* it has ended before */
}

static void send_message(const char *run, const char *name, const char *key) {
    char message[VALUE_CAP];
    int32_t code;
    print(message, sizeof message, "\"%s\"", key);
    PATIENTLY(code,
              sw_signal_send(store, run, SW_NTS, name, SW_NTS, message, SW_NTS, key, SW_NTS, &err));
    if (code < 0 && code != SW_ERR_CONFLICT) fail("signal");
    if (code < 0)
        forget_error(); /* it has ended before */
    else
        note("signal", run, name, 0, key);
}

/* A call that failed may have made one all the same: each is noted before. */
static int32_t ask_fork(const char *run, const char *from, char *made) {
    note("forking", run, from, 0, "");
    return sw_run_fork(store, run, SW_NTS, *from == 0 ? NULL : from, SW_NTS, made, SW_ID_CAP, &err);
}

static void fork_run(const char *run, const char *from) {
    char made[SW_ID_CAP];
    int32_t code;
    PATIENTLY(code, ask_fork(run, from, made));
    if (code < 0 && code != SW_ERR_NOT_FOUND) fail("fork");
    if (code < 0)
        forget_error(); /* it has not come so far */
    else
        note("fork", made, from, 0, run);
}

static void retry(const char *run, unsigned attempts) {
    int32_t code;
    note("retrying", run, "", 0, "");
    PATIENTLY(code, sw_run_retry(store, run, SW_NTS, &err));
    if (code < 0 && code != SW_ERR_CONFLICT) fail("retry");
    if (code < 0)
        forget_error(); /* a call before, which failed, has done it */
    else
        note("retry", run, "", attempts, "");
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns after how many attempts it has failed, 0 where it has not. */
static unsigned await(const char *run) {
    char state[VALUE_CAP], result[VALUE_CAP], attempts[VALUE_CAP];
    unsigned failed_after = 0;
    sw_text *text = NULL;
    int32_t code;
    PATIENTLY(code, sw_run_wait(store, run, SW_NTS, 1500, stop, &text, &err));
    if (code < 0) fail("wait");
    if (code == SW_OK) {
        const char *document = sw_text_data(text, NULL);
        member(state, document, "state");
        member(result, document, "result");
        member(attempts, document, "attempts");
        note("end", run, state, (unsigned)atoi(attempts),
             strcmp(state, "completed") == 0 ? result : "");
        if (strcmp(state, "failed") == 0) failed_after = (unsigned)atoi(attempts);
    }
    sw_text_free(text);
    return failed_after;
}

/* What is done to a run that has ended, or was waited for in vain. */
static void act_after(const char *run, const char *key, const char *act, const char *how,
                      int64_t began) {
    char took[VALUE_CAP];
    unsigned attempts = await(run);
    if (strcmp(act, "fork") == 0) fork_run(run, how);
    if (attempts == 0) return;
    if (strcmp(act, "timeout") == 0) {
        print(took, sizeof took, "%lld", (long long)(now_ms() - began));
        note("late", run, key, 0, took);
    }
    if (strcmp(act, "retry") == 0) {
        retry(run, attempts);
        await(run);
    }
}

static void submit(char *line) {
    char *rest = NULL, run[SW_ID_CAP], args[512];
    const char *key = strtok_r(line, "\t\n", &rest), *queue = strtok_r(NULL, "\t\n", &rest);
    const char *shared = strtok_r(NULL, "\t\n", &rest);
    char *act = strtok_r(NULL, "\t\n", &rest), *plan = strtok_r(NULL, "\t\n", &rest);
    char *colon = strchr(act, ':');
    const char *how = colon == NULL ? "" : colon + 1;
    if (colon != NULL) *colon = 0;
    sw_submit_options options = {.struct_size = sizeof options,
                                 .queue = queue,
                                 .queue_len = SW_NTS,
                                 .backoff_initial_ms = 5,
                                 .backoff_max_ms = 20,
                                 .max_tries = 1000,
                                 .idempotency_key = key,
                                 .idempotency_key_len = SW_NTS,
                                 .idempotency_scope = "torture",
                                 .idempotency_scope_len = SW_NTS,
                                 .budget = "{\"coins\":20}",
                                 .budget_len = SW_NTS};
    int32_t code;
    if (strcmp(shared, "-") != 0) {
        options.concurrency_key = shared;
        options.concurrency_key_len = SW_NTS;
    }
    if (strcmp(act, "timeout") == 0) options.timeout_ms = atoi(how);
    int64_t began = now_ms();
    print(args, sizeof args, "\"%s\"", plan);
    PATIENTLY(code, sw_run_submit(store, "torture", SW_NTS, args, SW_NTS, &options, run, sizeof run,
                                  &err));
    if (code < 0) fail("submit");
    note("submit", run, key, 0, "");
    if (strcmp(act, "cancel") == 0) cancel(run);
    if (strcmp(act, "pause") == 0) pause_run(run);
    if (strcmp(act, "signal") == 0) send_message(run, "go", key);
    if (strcmp(act, "yes") == 0) send_message(run, "yes", key);
    act_after(run, key, act, how, began);
}

void submit_all(const char *plans, int from) {
    char line[512];
    FILE *lines = fopen(plans, "re");
    if (lines == NULL) fail("plans");
    for (int at = 0; !atomic_load(&is_stopping) && fgets(line, sizeof line, lines) != NULL; at++)
        if (at >= from) submit(line);
    fclose(lines);
}
