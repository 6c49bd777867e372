/* A workflow in C, called with an attempt; it is expected to park, and to park again after a look. */
#include <smolwf.h>
#include <stdio.h>
#include <stdlib.h>

#define THREE_DAYS_MS (3LL * 24 * 3600 * 1000)

static void workflow(sw_attempt *attempt) {
    sw_text *text = NULL;
    sw_error *err = NULL;
    /* HERE */
    fprintf(stderr, "it goes on without the message\n");
    exit(1);
}

int main(void) {
    sw_store *store;
    sw_attempt *attempt;
    uint32_t applied;
    char run_id[SW_ID_CAP];
    if (sw_store_open_in_memory(NULL, &store, NULL) < 0) return 1;
    if (sw_store_init(store, &applied, NULL) < 0) return 1;
    if (sw_run_submit(store, "w", SW_NTS, NULL, 0, NULL, run_id, sizeof run_id, NULL) < 0) return 1;
    if (sw_run_claim(store, NULL, 0, NULL, &attempt, NULL) != SW_OK) return 1;
    workflow(attempt);
    sw_attempt_free(attempt);
    const int32_t again = sw_run_claim(store, NULL, 0, NULL, &attempt, NULL);
    sw_store_close(store);
    return again != SW_NONE;
}
