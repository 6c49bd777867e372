/* A transaction of a step, with tables to change; it is expected to move 500 and to complete the step. */
#include <smolwf.h>
#include <stdio.h>
#include <string.h>

static int ask(sw_store *store, const char *sql, const char *wanted) {
    sw_text *rows = NULL;
    if (sw_query(store, sql, SW_NTS, NULL, 0, NULL, 0, &rows, NULL) < 0) return 1;
    const int differs = strstr(sw_text_data(rows, NULL), wanted) == NULL;
    if (differs) fprintf(stderr, "%s\n", sw_text_data(rows, NULL));
    sw_text_free(rows);
    return differs;
}

int main(void) {
    sw_store *store;
    sw_attempt *attempt;
    sw_step *step;
    sw_text *results = NULL;
    sw_error *err = NULL;
    uint32_t applied;
    char run_id[SW_ID_CAP];
    const char *setup =
        "[{\"sql\":\"CREATE TABLE accounts(id INTEGER PRIMARY KEY, cents INTEGER)\"},"
        " {\"sql\":\"INSERT INTO accounts VALUES(1, 800), (2, 0)\"}]";
    if (sw_store_open_in_memory(NULL, &store, &err) < 0) return 1;
    if (sw_store_init(store, &applied, &err) < 0) return 1;
    if (sw_tx_run(store, NULL, NULL, setup, SW_NTS, &results, &err) < 0) return 1;
    sw_text_free(results);
    if (sw_run_submit(store, "w", SW_NTS, NULL, 0, NULL, run_id, sizeof run_id, &err) < 0) return 1;
    if (sw_run_claim(store, NULL, 0, NULL, &attempt, &err) != SW_OK) return 1;
    if (sw_step_begin(attempt, "move", SW_NTS, NULL, 0, NULL, &step, &err) != SW_OK) return 1;
    /* HERE */
    if (err != NULL) fprintf(stderr, "%s\n", sw_error_message(err));
    if (ask(store, "SELECT cents FROM accounts ORDER BY id", "[[300],[500]]") != 0) return 1;
    sw_text *history = NULL;
    if (sw_run_history(store, run_id, SW_NTS, NULL, 0, 0, &history, &err) < 0) return 1;
    if (strstr(sw_text_data(history, NULL), "\"result\":500") == NULL) return 2;
    sw_text_free(history);
    sw_text_free(results);
    sw_step_free(step);
    sw_attempt_free(attempt);
    sw_store_close(store);
    return 0;
}
