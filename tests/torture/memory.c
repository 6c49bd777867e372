/* The sweep of memory: one allocation of SQLite's, somewhere in a chapter, gets none. */

#define _GNU_SOURCE
#include "sweep.h"

#include "smolwf.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Has the layer learn where SQLite asks from, by an amount that nobody else asks for. */
static void learn(void) {
    char sql[64];
    sw_store *store = NULL;
    sw_text *text = NULL;
    uint32_t applied;
    snprintf(sql, sizeof sql, "SELECT length(hex(zeroblob(%d)))", MEMORY_KNOWN_BY / 2);
    if (sw_store_open_in_memory(NULL, &store, NULL) == SW_OK &&
        sw_store_init(store, &applied, NULL) == SW_OK) {
        sw_query(store, sql, SW_NTS, NULL, 0, NULL, 0, &text, NULL);
    }
    sw_text_free(text);
    sw_store_close(store);
}

int memory_is_known(struct control *control) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        learn();
        _exit(0);
    }
    return child > 0 && waitpid(child, NULL, 0) == child && control->sqlite_asks_from != NULL;
}

static uint64_t asked_by(struct sweep *sweep, const struct work *work, const char *chapter) {
    control_reset(sweep->control);
    snprintf(sweep->control->only, sizeof sweep->control->only, "%s", chapter);
    sweep->control->memory_fails = 1;
    struct story story = record_work(sweep, work);
    story_free(&story);
    if (sweep->is_undone) sweep->bad++;
    return sweep->control->memory_asked;
}

void sweep_memory(struct sweep *sweep, const struct work *work, const char *chapter, uint64_t seed,
                  double seconds) {
    uint64_t draw = seed, count = asked_by(sweep, work, chapter);
    double until = now() + seconds;
    while (count > 0) {
        struct fault fault = {.work = work, .chapter = chapter};
        fault.memory_at = 1 + draw_next(&draw) % count;
        fault.seed = draw_next(&draw);
        judge_trial(sweep, &fault, fault.seed % 4 == 0);
        if (now() >= until) return;
    }
}
