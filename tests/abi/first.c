/*
 * A program of the first header's time (first.h), which today's library must still serve: it opens,
 * submits, claims, steps, looks and closes, with structs as long as they were then.
 */
#include <smolwf.h>

#include <stdio.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%d: %s\n", __LINE__, #condition);                                              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int work(sw_store *store, const char *run_id) {
    sw_claim_options claim = {.struct_size = sizeof claim, .worker = "first", .worker_len = SW_NTS};
    sw_step_options once = {.struct_size = sizeof once, .kind = "call", .kind_len = 4};
    sw_attempt *attempt;
    sw_step *step, *again;
    sw_error *err;
    size_t len;
    REQUIRE(sw_run_claim(store, NULL, 0, &claim, &attempt, &err) == SW_OK);
    REQUIRE(strcmp(sw_attempt_run_id(attempt, &len), run_id) == 0 && len == strlen(run_id));
    REQUIRE(sw_attempt_number(attempt) == 1);
    REQUIRE(sw_attempt_heartbeat(attempt, 5000, &err) == SW_OK);
    REQUIRE(sw_step_begin(attempt, "s", SW_NTS, "{}", 2, &once, &step, &err) == SW_OK);
    REQUIRE(sw_step_complete(step, "[1]", SW_NTS, &err) == SW_OK);
    once.occurrence = 1;
    REQUIRE(sw_step_begin(attempt, "s", SW_NTS, NULL, 0, &once, &again, &err) == SW_REPLAYED);
    REQUIRE(strcmp(sw_step_result(again, NULL), "[1]") == 0);
    REQUIRE(sw_attempt_complete(attempt, "2", 1, &err) == SW_OK);
    REQUIRE(sw_attempt_complete(attempt, "3", 1, &err) == SW_ERR_CONFLICT);
    REQUIRE(sw_error_code(err) == SW_ERR_CONFLICT && sw_error_message(err)[0] != '\0');
    sw_error_free(err);
    sw_step_free(again);
    sw_step_free(step);
    sw_attempt_free(attempt);
    return 0;
}

int main(void) {
    sw_store_options options = {.struct_size = sizeof options, .busy_timeout_ms = 1000};
    sw_submit_options submit = {.struct_size = sizeof submit, .priority = -1, .max_attempts = 2};
    sw_store *store;
    sw_text *text;
    sw_error *err;
    uint32_t applied;
    char run_id[SW_ID_CAP];
    REQUIRE(sw_abi_check(SW_ABI_VERSION) == SW_OK);
    REQUIRE(sw_store_open_in_memory(&options, &store, &err) == SW_OK);
    REQUIRE(sw_store_init(store, &applied, &err) == SW_OK && applied > 0);
    REQUIRE(sw_run_submit(store, "w", 1, "{\"n\":1}", SW_NTS, &submit, run_id, sizeof run_id,
                          &err) == SW_OK);
    if (work(store, run_id) != 0) return 1;
    REQUIRE(sw_run_get(store, run_id, SW_NTS, &text, &err) == SW_OK);
    REQUIRE(strstr(sw_text_data(text, NULL), "\"completed\"") != NULL);
    sw_text_free(text);
    sw_store_close(store);
    return 0;
}
