/* A purchase that sleeps an hour and then waits for somebody's word, three days at most. It is parked
 * meanwhile: no thread and no process waits. The clock is moved by hand, so days pass at once.
 * Usage: approval <store> */
#include <smolwf.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_view.h"

#define HOUR_MS INT64_C(3600000)
#define THREE_DAYS_MS (72 * HOUR_MS)

static sw_error *err;

static void fail(const char *what) {
    fprintf(stderr, "approval: %s\n", what);
    exit(1);
}

static int32_t ok(int32_t code) { /* 0 and above are answers, below 0 are errors */
    if (code < 0) fail(sw_error_message(err));
    return code;
}

static void park(sw_attempt *attempt, const char *why) {
    ok(sw_attempt_suspend(attempt, &err));
    printf("parked: %s\n", why);
}

/* Orders once, however often the attempt is repeated. */
static void order(sw_attempt *attempt, const char *approval) {
    sw_step *step;
    char by[64], result[128];
    if (ok(sw_step_begin(attempt, "order", SW_NTS, NULL, 0, NULL, &step, &err)) == SW_OK) {
        puts("ordered");
        ok(sw_step_complete(step, "{\"order\":1}", SW_NTS, &err));
    }
    sw_step_free(step);
    json_show(json_member(approval, "by"), by, sizeof by);
    snprintf(result, sizeof result, "{\"approved_by\":\"%s\",\"order\":1}", by);
    ok(sw_attempt_complete(attempt, result, SW_NTS, &err));
}

/* The workflow: runs from the top in each attempt. */
static void purchase(sw_attempt *attempt) {
    sw_text *approval;
    if (ok(sw_sleep(attempt, "cool-off", SW_NTS, HOUR_MS, &err)) == SW_SUSPEND) {
        park(attempt, "sleeping an hour");
        return;
    }
    switch (ok(sw_signal_await(attempt, "approval", SW_NTS, THREE_DAYS_MS, &approval, &err))) {
    case SW_SUSPEND:
        park(attempt, "waiting for approval, three days at most");
        break;
    case SW_TIMEOUT:
        puts("nobody answered");
        ok(sw_attempt_complete(attempt, "{\"approved_by\":null,\"order\":null}", SW_NTS, &err));
        break;
    default:
        order(attempt, sw_text_data(approval, NULL));
        sw_text_free(approval);
    }
}

/* Works on whatever may be claimed now; returns how often that was something. */
static int work(sw_store *store) {
    sw_attempt *attempt;
    int count = 0;
    while (ok(sw_run_claim(store, NULL, 0, NULL, &attempt, &err)) == SW_OK) {
        purchase(attempt);
        sw_attempt_free(attempt);
        count++;
    }
    return count;
}

static void work_once(sw_store *store) {
    if (work(store) != 1) fail("the run was not claimable exactly once");
}

static void pass(sw_store *store, int64_t ms, const char *what) {
    ok(sw_store_advance_clock(store, ms - 1, &err));
    if (work(store) != 0) fail("the run woke too early");
    ok(sw_store_advance_clock(store, 1, &err));
    puts(what);
}

static void show_result(sw_store *store, const char *run_id) {
    sw_text *run;
    char result[128];
    ok(sw_run_get(store, run_id, SW_NTS, &run, &err));
    printf("result: %s\n",
           json_show(json_member(sw_text_data(run, NULL), "result"), result, sizeof result));
    sw_text_free(run);
}

static void buy(sw_store *store, int is_approved) {
    char run_id[SW_ID_CAP];
    ok(sw_run_submit(store, "purchase", SW_NTS, "{\"amount\":1200}", SW_NTS, NULL, run_id,
                     sizeof run_id, &err));
    puts("submitted a purchase of 1200");
    work_once(store);
    pass(store, HOUR_MS, "an hour later");
    work_once(store);
    if (is_approved) {
        ok(sw_signal_send(store, run_id, SW_NTS, "approval", SW_NTS, "{\"by\":\"ada\"}", SW_NTS,
                          NULL, 0, &err));
        puts("ada approves");
    } else {
        pass(store, THREE_DAYS_MS, "three days later");
    }
    work_once(store);
    show_result(store, run_id);
}

int main(int argc, char **argv) {
    sw_store *store;
    uint32_t applied;
    sw_store_options manual = {.struct_size = sizeof manual, .flags = SW_OPEN_MANUAL_CLOCK};
    if (argc != 2) fail("usage: approval <store>");
    ok(sw_store_open(argv[1], &manual, &store, &err));
    ok(sw_store_init(store, &applied, &err));
    buy(store, 1);
    buy(store, 0);
    sw_store_close(store);
    return 0;
}
