/* Chapters about waiting, children, budgets and messages. The clock is the manual one. */

#include "chapters.h"

#include <stdio.h>
#include <string.h>

#define OF_RUN " (SELECT run_key FROM sw_workflow_runs WHERE idem_key = '%s')"

static int advance(struct life *life, int64_t ms) {
    life->is_process = 1; /* where the clock stands is not synced */
    MUST(life, SW_OK, sw_store_advance_clock, life->store, ms, &life->err);
    return 0;
}

static int play_sleep(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    expect(life, "1", "SELECT count(*) FROM sw_workflow_steps WHERE kind = 1 AND run_key =" OF_RUN,
           key);
    MUST(life, SW_SUSPEND, sw_sleep, attempt, "night", SW_NTS, 1000, &life->err);
    expect(life, "3", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    PART(suspend(life, attempt, key));
    /* Also should the clock be moved by the next who try. */
    expect(life, "*", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    PART(advance(life, 1001));
    /* What is due is made ready first, in a commit of its own. */
    expect(life, "1", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    expect_while_open(life, "2", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN,
                      key);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    expect(life, "2", "SELECT state FROM sw_workflow_steps WHERE kind = 1 AND run_key =" OF_RUN,
           key);
    MUST(life, SW_OK, sw_sleep, attempt, "night", SW_NTS, 1000, &life->err);
    return finish(life, attempt, key, NULL);
}

static int pass_gates(struct life *life, sw_attempt *attempt) {
    MUST(life, SW_SUSPEND, sw_await_any, attempt, "gate", SW_NTS,
         "[{\"signal\":\"b\"},{\"sleep_ms\":4000}]", SW_NTS, SW_FOREVER, text_of(life), &life->err);
    PART(advance(life, 4001));
    MUST(life, SW_OK, sw_await_any, attempt, "gate", SW_NTS,
         "[{\"signal\":\"b\"},{\"sleep_ms\":4000}]", SW_NTS, SW_FOREVER, text_of(life), &life->err);
    MUST(life, SW_TIMEOUT, sw_await_all, attempt, "late", SW_NTS, "[{\"signal\":\"c\"}]", SW_NTS, 0,
         text_of(life), &life->err);
    return 0;
}

static int play_messages(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    MUST(life, SW_SUSPEND, sw_signal_await, attempt, "ok", SW_NTS, 500000, text_of(life),
         &life->err);
    expect(life, "3", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    PART(suspend(life, attempt, key));
    expect(life, "1",
           "SELECT count(*) FROM sw_workflow_signals WHERE name = 'ok' AND run_key =" OF_RUN, key);
    expect(life, "1", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_signal_send, life->store, id, SW_NTS, "ok", SW_NTS, "true", SW_NTS, "k",
         SW_NTS, &life->err);
    MUST(life, SW_EXISTS, sw_signal_send, life->store, id, SW_NTS, "ok", SW_NTS, "true", SW_NTS,
         "k", SW_NTS, &life->err);
    expect_while_open(life, "2", "SELECT state FROM sw_workflow_tasks WHERE task_key =" OF_RUN,
                      key);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    expect(
        life, "1",
        "SELECT count(*) FROM sw_workflow_signals WHERE consumed_by IS NOT NULL AND run_key =" OF_RUN,
        key);
    MUST(life, SW_OK, sw_signal_await, attempt, "ok", SW_NTS, 500000, text_of(life), &life->err);
    PART(pass_gates(life, attempt));
    return finish(life, attempt, key, NULL);
}

static int do_children(struct life *life, const char *queue, int count) {
    for (int at = 0; at < count; at++) {
        sw_attempt *attempt = claim(life, queue);
        if (attempt == NULL) return -1;
        MUST(life, SW_OK, sw_attempt_complete, attempt, "5", SW_NTS, &life->err);
    }
    return 0;
}

static int play_children(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run"),
               *below = own(life, 2, "below");
    char id[SW_ID_CAP], child[SW_ID_CAP], items[400], waits[200];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    sw_submit_options there = {.struct_size = sizeof there, .queue = below, .queue_len = SW_NTS};
    expect(life, "1", "SELECT count(*) FROM sw_workflow_runs WHERE parent_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_child_submit, attempt, "child", SW_NTS, "work", SW_NTS, "1", SW_NTS,
         &there, child, sizeof child, &life->err);
    snprintf(items, sizeof items,
             "[{\"name\":\"c\",\"workflow\":\"work\",\"queue\":\"%s\"},"
             "{\"name\":\"c\",\"workflow\":\"work\",\"queue\":\"%s\"}]",
             below, below);
    expect(life, "3", "SELECT count(*) FROM sw_workflow_runs WHERE parent_key =" OF_RUN, key);
    MUST(life, SW_OK, sw_child_submit_many, attempt, items, SW_NTS, text_of(life), &life->err);
    MUST(life, SW_SUSPEND, sw_child_await, attempt, child, SW_NTS, SW_FOREVER, text_of(life),
         &life->err);
    PART(suspend(life, attempt, key));
    PART(do_children(life, below, 3));
    if ((attempt = claim(life, queue)) == NULL) return -1;
    MUST(life, SW_REPLAYED, sw_child_submit, attempt, "child", SW_NTS, "work", SW_NTS, "1", SW_NTS,
         &there, child, sizeof child, &life->err);
    MUST(life, SW_OK, sw_child_await, attempt, child, SW_NTS, SW_FOREVER, text_of(life),
         &life->err);
    snprintf(waits, sizeof waits, "[{\"child\":\"%s\"}]", child);
    MUST(life, SW_OK, sw_await_all, attempt, "all", SW_NTS, waits, SW_NTS, SW_FOREVER,
         text_of(life), &life->err);
    return finish(life, attempt, key, NULL);
}

static int submit_with_budget(struct life *life, const char *key, const char *queue, char *id) {
    sw_submit_options options = {.struct_size = sizeof options,
                                 .queue = queue,
                                 .queue_len = SW_NTS,
                                 .idempotency_key = key,
                                 .idempotency_key_len = SW_NTS,
                                 .budget = "{\"tokens\":{\"limit\":100,\"warn\":80}}",
                                 .budget_len = SW_NTS};
    MUST(life, SW_OK, sw_run_submit, life->store, "work", SW_NTS, NULL, 0, &options, id, SW_ID_CAP,
         &life->err);
    return 0;
}

#define BALANCE "SELECT %s FROM sw_budget_balances WHERE unit = 'tokens' AND root_key =" OF_RUN

/* What is spent stays only while the handle is open: one that may not write any more gives back nothing
 * when it closes, and what its attempts had reserved is charged as of a process that died. */
static int spend(struct life *life, sw_attempt *attempt, const char *key) {
    char first[SW_ID_CAP], second[SW_ID_CAP];
    expect_while_open(life, "60", BALANCE, "reserved", key);
    MUST(life, SW_OK, sw_budget_reserve, attempt, NULL, "{\"tokens\":60}", SW_NTS, "a", SW_NTS,
         first, sizeof first, &life->err);
    MUST(life, SW_EXISTS, sw_budget_reserve, attempt, NULL, "{\"tokens\":60}", SW_NTS, "a", SW_NTS,
         first, sizeof first, &life->err);
    expect_while_open(life, "50", BALANCE, "spent", key);
    expect(life, "0", BALANCE, "reserved", key);
    MUST(life, SW_OK, sw_budget_settle, life->store, first, SW_NTS, "{\"tokens\":50}", SW_NTS,
         &life->err);
    sw_step *step = begin(life, attempt, "paid", SW_OK);
    if (step == NULL) return -1;
    expect_while_open(life, "40", BALANCE, "reserved", key);
    MUST(life, SW_OK, sw_budget_reserve, attempt, step, "{\"tokens\":40}", SW_NTS, NULL, 0, second,
         sizeof second, &life->err);
    expect_while_open(life, "90", BALANCE, "spent", key);
    expect(life, "0", BALANCE, "reserved", key);
    MUST(life, SW_OK, sw_step_complete_usage, step, "1", SW_NTS, "{\"tokens\":40}", SW_NTS,
         &life->err);
    MUST(life, SW_ERR_BUDGET, sw_budget_reserve, attempt, NULL, "{\"tokens\":20}", SW_NTS, NULL, 0,
         second, sizeof second, &life->err);
    return suspend(life, attempt, key);
}

static int play_budget(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    PART(submit_with_budget(life, key, queue, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(spend(life, attempt, key));
    expect(life, "200", BALANCE, "limit_amount", key);
    MUST(life, SW_OK, sw_budget_raise, life->store, id, SW_NTS, "tokens", SW_NTS, 100, &life->err);
    if ((attempt = claim(life, queue)) == NULL) return -1;
    char open[SW_ID_CAP];
    expect_while_open(life, "20", BALANCE, "reserved", key);
    MUST(life, SW_OK, sw_budget_reserve, attempt, NULL, "{\"tokens\":20}", SW_NTS, NULL, 0, open,
         sizeof open, &life->err);
    /* What is open at an orderly end is given back. */
    expect(life, "0", BALANCE, "reserved", key);
    return finish(life, attempt, key, NULL);
}

/* A run whose time is over while it waits, and one that only its own process may claim. */
static int play_timeouts(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run"),
               *local = own(life, 2, "local");
    char id[SW_ID_CAP], here[SW_ID_CAP];
    sw_submit_options late = {.struct_size = sizeof late,
                              .queue = queue,
                              .queue_len = SW_NTS,
                              .idempotency_key = key,
                              .idempotency_key_len = SW_NTS,
                              .timeout_ms = 50};
    MUST(life, SW_OK, sw_run_submit, life->store, "late", SW_NTS, NULL, 0, &late, id, sizeof id,
         &life->err);
    late.flags = SW_SUBMIT_LOCAL;
    late.timeout_ms = 0;
    late.idempotency_key = local;
    MUST(life, SW_OK, sw_run_submit, life->store, "here", SW_NTS, NULL, 0, &late, here, sizeof here,
         &life->err);
    PART(advance(life, 60));
    uint64_t now;
    DO(life, sw_store_wait, life->store, 0, 0, NULL, &now, &life->err);
    /* A look shows what is committed, and waits for no disk. */
    expect(life, "2", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    life->is_process = 1;
    MUST(life, SW_OK, sw_run_wait, life->store, id, SW_NTS, 0, NULL, text_of(life), &life->err);
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    return finish(life, attempt, local, NULL);
}

const struct chapter chapters_of_waits[] = {
    {"sleep", play_sleep},   {"messages", play_messages}, {"children", play_children},
    {"budget", play_budget}, {"timeouts", play_timeouts}, {NULL, NULL},
};
