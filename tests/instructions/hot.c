/* Calls what hosts call all day, many times each, and has callgrind write down the instructions of each kind
 * under its name. What goes before and after is not counted. */

#include "../support/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

enum { WARM = 40, CALLS = 400, OPENS = 20, IDS = 2000, RUNS = WARM + CALLS };

static char result[201];
static sw_attempt *held[RUNS];

/* Counts `work` from its turn `WARM` on, of `turns` in all. */
#define COUNTED(name, turns, warm, work)                                                           \
    do {                                                                                           \
        for (int turn = 0; turn < (turns); turn++) {                                               \
            if (turn == (warm)) {                                                                  \
                CALLGRIND_ZERO_STATS;                                                              \
                CALLGRIND_TOGGLE_COLLECT;                                                          \
            }                                                                                      \
            work;                                                                                  \
        }                                                                                          \
        CALLGRIND_TOGGLE_COLLECT;                                                                  \
        printf(name " %d\n", (turns) - (warm));                                                    \
        CALLGRIND_DUMP_STATS_AT(name);                                                             \
    } while (0)

static sw_store *opened(const char *path) {
    sw_store_options options = {.struct_size = sizeof options,
                                .durability = SW_DURABILITY_PROCESS,
                                .lease_default_ms = SW_LEASE_WHILE_ALIVE};
    sw_store *store;
    uint32_t applied;
    CALL(SW_OK, sw_store_open, path, &options, &store);
    CALL(SW_OK, sw_store_init, store, &applied);
    return store;
}

static void submit(sw_store *store) {
    char id[SW_ID_CAP];
    CALL(SW_OK, sw_run_submit, store, "w", SW_NTS, "[1]", SW_NTS, NULL, id, sizeof id);
}

static sw_attempt *claim(sw_store *store) {
    sw_attempt *attempt;
    CALL(SW_OK, sw_run_claim, store, NULL, 0, NULL, &attempt);
    return attempt;
}

static sw_step *begin(sw_attempt *attempt, int number, int32_t wanted) {
    char name[16];
    sw_step *step;
    snprintf(name, sizeof name, "step-%d", number);
    CALL(wanted, sw_step_begin, attempt, name, SW_NTS, NULL, 0, NULL, &step);
    return step;
}

static void do_step(sw_attempt *attempt, int number) {
    sw_step *step = begin(attempt, number, SW_OK);
    CALL(SW_OK, sw_step_complete, step, result, SW_NTS);
    sw_step_free(step);
}

static void replay(sw_attempt *attempt, int number) {
    sw_step *step = begin(attempt, number, SW_REPLAYED);
    ok(strcmp(sw_step_result(step, NULL), result) == 0, "sw_step_result", NULL);
    sw_step_free(step);
}

static void complete(sw_attempt *attempt) {
    CALL(SW_OK, sw_attempt_complete, attempt, "2", SW_NTS);
    sw_attempt_free(attempt);
}

static void new_id(void) {
    char id[SW_ID_CAP];
    CALL(SW_OK, sw_new_id, "run", SW_NTS, id, sizeof id);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    memset(result, 'y', 200);
    result[0] = result[199] = '"';
    sw_store *store = opened(arguments[1]);
    COUNTED("new_id", IDS + WARM, WARM, new_id());
    COUNTED("submit", RUNS, WARM, submit(store));
    COUNTED("claim", RUNS, WARM, held[turn] = claim(store));
    COUNTED("step", RUNS, WARM, do_step(held[0], turn));
    COUNTED("complete", RUNS, WARM, complete(held[turn]));
    submit(store);
    sw_attempt *attempt = claim(store);
    for (int step = 0; step < RUNS; step++) do_step(attempt, step);
    CALL(SW_OK, sw_attempt_release, attempt, 0);
    sw_attempt_free(attempt);
    attempt = claim(store);
    /* Opens what reads from the file, once. */
    sw_text *stats;
    CALL(SW_OK, sw_store_stats, store, &stats);
    sw_text_free(stats);
    /* With what reads the history at the first of them. */
    COUNTED("replay", RUNS, 0, replay(attempt, turn));
    complete(attempt);
    sw_store_close(store);
    COUNTED("open", OPENS + 2, 2, sw_store_close(opened(arguments[1])));
    return 0;
}
