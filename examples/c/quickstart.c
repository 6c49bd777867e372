/* Asks an expensive question once. Run it with "crash", then without, then without again. */
#include <signal.h>
#include <smolwf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sw_error *err;

static int32_t ok(int32_t code) { /* 0 and above are answers, below 0 are errors */
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", sw_code_name(code), sw_error_message(err));
    exit(1);
}

static const char *ask_the_model(void) { /* stands for the call that costs money */
    puts("asking the model");
    return "{\"answer\": 42}";
}

int main(int argc, char **argv) {
    sw_store *store;
    sw_attempt *attempt;
    sw_step *step;
    uint32_t applied;
    char run_id[SW_ID_CAP];
    const char *path = getenv("SMOLWF_STORE"); /* another file, or postgresql://... */
    ok(sw_store_open(path != NULL ? path : "quickstart.db", NULL, &store, &err));
    ok(sw_store_init(store, &applied, &err));

    /* One key is one run, however often this program is started. */
    sw_submit_options once = {
        .struct_size = sizeof once, .idempotency_key = "question 1", .idempotency_key_len = SW_NTS};
    ok(sw_run_submit(store, "ask", SW_NTS, "\"why?\"", SW_NTS, &once, run_id, sizeof run_id, &err));

    /* Whoever claims the run works on it. If its worker is killed, it is free again within a second. */
    sw_claim_options patient = {.struct_size = sizeof patient, .wait_ms = 1000};
    if (ok(sw_run_claim(store, NULL, 0, &patient, &attempt, &err)) == SW_NONE) {
        puts("nothing to do: the run has ended");
    } else {
        const char *answer = NULL;
        int32_t begun = ok(sw_step_begin(attempt, "answer", SW_NTS, NULL, 0, NULL, &step, &err));
        if (begun == SW_REPLAYED) {
            answer = sw_step_result(step, NULL);
            printf("replayed, not asked again: %s\n", answer);
        } else {
            answer = ask_the_model();
            ok(sw_step_complete(step, answer, SW_NTS, &err)); /* now no crash can lose it */
            printf("recorded: %s\n", answer);
        }
        if (argc > 1 && strcmp(argv[1], "crash") == 0) {
            fflush(stdout);
            raise(SIGKILL); /* the step is recorded, the run is not finished */
        }
        ok(sw_attempt_complete(attempt, answer, SW_NTS, &err));
        puts("the run is finished");
        sw_step_free(step);
        sw_attempt_free(attempt);
    }
    sw_store_close(store);
    return 0;
}
