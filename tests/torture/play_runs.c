/* Chapters about runs, attempts and steps. */

#include "chapters.h"

#include <stdio.h>
#include <string.h>

#define OF_RUN " (SELECT run_key FROM sw_workflow_runs WHERE idem_key = '%s')"

static int play_plain(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP], again[SW_ID_CAP];
    PART(submit(life, key, queue, "{\"n\":1}", id));
    sw_submit_options same = {
        .struct_size = sizeof same, .idempotency_key = key, .idempotency_key_len = SW_NTS};
    MUST(life, SW_EXISTS, sw_run_submit, life->store, "work", SW_NTS, NULL, 0, &same, again,
         sizeof again, &life->err);
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "one", "1"));
    PART(finish_step(life, attempt, key, "two", "[2]"));
    MUST(life, SW_OK, sw_attempt_heartbeat, attempt, 60000, &life->err);
    PART(finish_step(life, attempt, key, "three", "3"));
    PART(finish(life, attempt, key, "\"done\""));
    MUST(life, SW_OK, sw_run_wait, life->store, id, SW_NTS, 0, NULL, text_of(life), &life->err);
    return 0;
}

/* A step that fails, one that fails for good, one that is tracked, one of the lesser durability. */
static int play_steps(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    sw_step *fails = begin(life, attempt, "fails", SW_OK);
    if (fails == NULL) return -1;
    sw_fail_options soon = {.struct_size = sizeof soon, .retry_after_ms = 3600000};
    expect(life, "4",
           "SELECT state FROM sw_workflow_steps WHERE name = 'fails' AND run_key =" OF_RUN, key);
    MUST(life, SW_SUSPEND, sw_step_fail, fails, "\"once\"", SW_NTS, &soon, &life->err);
    sw_step *ends = begin(life, attempt, "ends", SW_OK);
    if (ends == NULL) return -1;
    sw_fail_options final = {.struct_size = sizeof final, .flags = SW_FAIL_TERMINAL};
    expect(life, "3",
           "SELECT state FROM sw_workflow_steps WHERE name = 'ends' AND run_key =" OF_RUN, key);
    MUST(life, SW_FAILED, sw_step_fail, ends, "\"for good\"", SW_NTS, &final, &life->err);
    sw_step_options tracked = {.struct_size = sizeof tracked, .flags = SW_STEP_TRACK};
    expect(life, "1",
           "SELECT state FROM sw_workflow_steps WHERE name = 'seen' AND run_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_step_begin, attempt, "seen", SW_NTS, NULL, 0, &tracked,
         &life->steps[life->steps_len], &life->err);
    sw_step *seen = life->steps[life->steps_len++];
    expect(life, "2",
           "SELECT state FROM sw_workflow_steps WHERE name = 'seen' AND run_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_step_complete, seen, "1", SW_NTS, &life->err);
    return suspend(life, attempt, key);
}

static int play_process_steps(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    for (int at = 0; at < 4; at++) {
        char name[16], result[16];
        snprintf(name, sizeof name, "s%d", at);
        snprintf(result, sizeof result, "\"\\\"%d\\\"\"", at);
        sw_step_options options = {.struct_size = sizeof options,
                                   .durability = at % 2 == 0 ? SW_DURABILITY_PROCESS : 0};
        MUST(life, SW_OK, sw_step_begin, attempt, name, SW_NTS, NULL, 0, &options,
             &life->steps[life->steps_len], &life->err);
        sw_step *step = life->steps[life->steps_len++];
        expect(life, result,
               "SELECT result FROM sw_workflow_steps WHERE name = '%s' AND run_key =" OF_RUN, name,
               key);
        if (at % 2 == 0) life->is_process = 1;
        char json[16];
        snprintf(json, sizeof json, "\"%d\"", at);
        MUST(life, SW_OK, sw_step_complete, step, json, SW_NTS, &life->err);
    }
    return finish(life, attempt, key, NULL);
}

static int play_ends(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP], fork[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "kept", "7"));
    MUST(life, SW_OK, sw_attempt_release, attempt, 0, &life->err);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    if (begin(life, attempt, "kept", SW_REPLAYED) == NULL) return -1;
    sw_fail_options final = {.struct_size = sizeof final, .flags = SW_FAIL_TERMINAL};
    expect(life, "2", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    MUST(life, SW_FAILED, sw_attempt_fail, attempt, "\"no\"", SW_NTS, &final, &life->err);
    expect(life, "null", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    MUST(life, SW_OK, sw_run_retry, life->store, id, SW_NTS, &life->err);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    PART(finish(life, attempt, key, "8"));
    expect(life, "1", "SELECT count(*) FROM sw_workflow_runs WHERE forked_from =" OF_RUN, key);
    MUST(life, SW_OK, sw_run_fork, life->store, id, SW_NTS, "kept", SW_NTS, fork, sizeof fork,
         &life->err);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    MUST(life, SW_OK, sw_attempt_complete, attempt, "9", SW_NTS, &life->err);
    return 0;
}

static int play_control(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run"),
               *other = own(life, 2, "other");
    char id[SW_ID_CAP], second[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    PART(submit(life, other, queue, NULL, second));
    expect(life, "4", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_run_pause, life->store, id, SW_NTS, &life->err);
    expect(life, "1", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_run_resume, life->store, id, SW_NTS, &life->err);
    expect(life, "\"{\\\"a\\\":5}\"", "SELECT metadata FROM sw_workflow_runs WHERE idem_key = '%s'",
           key);
    MUST(life, SW_OK, sw_run_annotate, life->store, id, SW_NTS, "{\"a\":5}", SW_NTS, &life->err);
    expect(life, "3", "SELECT concurrency FROM sw_workflow_queues WHERE queue = '%s'", queue);
    MUST(life, SW_OK, sw_queue_set, life->store, queue, SW_NTS, "{\"concurrency\":3}", SW_NTS,
         &life->err);
    expect(life, NULL, "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    expect(life, "3", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    MUST(life, SW_OK, sw_run_cancel, life->store, id, SW_NTS, "\"why\"", SW_NTS, &life->err);
    char filter[160];
    snprintf(filter, sizeof filter, "{\"queue\":\"%s\"}", queue);
    expect(life, "3", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", other);
    MUST(life, SW_OK, sw_run_act_many, life->store, "cancel", SW_NTS, filter, SW_NTS, 0,
         text_of(life), &life->err);
    return 0;
}

static int play_many(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char items[4096] = "[";
    for (int at = 0; at < 12; at++) {
        char item[256];
        snprintf(
            item, sizeof item,
            "%s{\"workflow\":\"w%d\",\"queue\":\"%s\",\"idempotency_key\":\"%s.%d\",\"priority\":%d}",
            at == 0 ? "" : ",", at % 3, queue, key, at, at % 2);
        strcat(items, item);
    }
    strcat(items, "]");
    expect(life, "12", "SELECT count(*) FROM sw_workflow_runs WHERE idem_key GLOB '%s.*'", key);
    MUST(life, SW_OK, sw_run_submit_many, life->store, items, SW_NTS, text_of(life), &life->err);
    uint32_t count = 0;
    sw_claim_options options = {.struct_size = sizeof options};
    sw_attempt **attempts = &life->attempts[life->attempts_len];
    MUST(life, SW_OK, sw_run_claim_many, life->store, queue, SW_NTS, &options, 6, attempts, &count,
         &life->err);
    life->attempts_len += (int)count;
    for (uint32_t at = 0; at < count; at++) {
        /* It is the last of them that makes it so. */
        if (at + 1 == count) {
            expect(
                life, "6",
                "SELECT count(*) FROM sw_workflow_runs WHERE outcome = 1 AND idem_key GLOB '%s.*'",
                key);
        }
        MUST(life, SW_OK, sw_attempt_complete, attempts[at], "1", SW_NTS, &life->err);
    }
    expect(life, "1", "SELECT paused FROM sw_workflow_queues WHERE queue = '%s'", queue);
    MUST(life, SW_OK, sw_queue_set, life->store, queue, SW_NTS, "{\"paused\":true}", SW_NTS,
         &life->err);
    return 0;
}

static char *big(int bytes, int seed) {
    static __thread char text[70000];
    text[0] = '"';
    uint64_t draw = (uint64_t)seed;
    for (int at = 1; at < bytes; at++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        text[at] = (char)('a' + (draw >> 60));
    }
    text[bytes] = '"';
    text[bytes + 1] = '\0';
    return text;
}

static int play_payloads(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit(life, key, queue, big(9000, life->turn), id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "large", big(40000, 1)));
    PART(finish_step(life, attempt, key, "same", big(40000, 1)));
    PART(finish_step(life, attempt, key, "other", big(3000, life->turn)));
    MUST(life, SW_OK, sw_event_append, attempt, "large", SW_NTS, big(5000, 3), SW_NTS, NULL, 0,
         &life->err);
    MUST(life, SW_OK, sw_signal_send, life->store, id, SW_NTS, "large", SW_NTS, big(40000, 1),
         SW_NTS, NULL, 0, &life->err);
    return finish(life, attempt, key, big(60000, 4));
}

const struct chapter chapters_of_runs[] = {
    {"plain", play_plain},           {"steps", play_steps},
    {"process", play_process_steps}, {"ends", play_ends},
    {"control", play_control},       {"many", play_many},
    {"payloads", play_payloads},     {NULL, NULL},
};
