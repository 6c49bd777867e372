/* Calls what hosts call all day, each many times in an even state, and prints what a call asks of the
 * system: a line each, `name writes reads locks syncs looks wakes allocations`. */

#define _GNU_SOURCE
#include "../support/call.h"
#include "counts.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM = 20, CALLS = 61, COUNTERS = sizeof(struct counts) / sizeof(unsigned) };

static void (*take)(struct counts *);

struct host {
    sw_store *store;
    sw_attempt *attempt;
    sw_step *step;
    sw_text *text;
    char id[SW_ID_CAP];
    uint32_t durability;
    int turn;
};

static void submit(struct host *host) {
    CALL(SW_OK, sw_run_submit, host->store, "w", SW_NTS, "[1]", SW_NTS, NULL, host->id, SW_ID_CAP);
}

static void claim(struct host *host) {
    CALL(SW_OK, sw_run_claim, host->store, "default", SW_NTS, NULL, &host->attempt);
}

static void claim_none(struct host *host) {
    sw_attempt *attempt;
    CALL(SW_NONE, sw_run_claim, host->store, "default", SW_NTS, NULL, &attempt);
}

static void begin(struct host *host) {
    char name[16];
    snprintf(name, sizeof name, "s%d", host->turn);
    CALL(SW_OK, sw_step_begin, host->attempt, name, SW_NTS, NULL, 0, NULL, &host->step);
}

static void complete(struct host *host) {
    CALL(SW_OK, sw_step_complete, host->step, "\"done\"", SW_NTS);
    sw_step_free(host->step);
    host->step = NULL;
}

static void replay(struct host *host) {
    char name[16];
    snprintf(name, sizeof name, "s%d", host->turn);
    CALL(SW_REPLAYED, sw_step_begin, host->attempt, name, SW_NTS, NULL, 0, NULL, &host->step);
    sw_step_free(host->step);
    host->step = NULL;
}

static void heartbeat(struct host *host) { CALL(SW_OK, sw_attempt_heartbeat, host->attempt, 0); }

static void check(struct host *host) { CALL(SW_OK, sw_attempt_check, host->attempt); }

static void signal_it(struct host *host) {
    CALL(SW_OK, sw_signal_send, host->store, host->id, SW_NTS, "go", SW_NTS, "1", SW_NTS, NULL, 0);
}

static void get(struct host *host) {
    CALL(SW_OK, sw_run_get, host->store, host->id, SW_NTS, &host->text);
    sw_text_free(host->text);
}

static void release(struct host *host) {
    CALL(SW_OK, sw_attempt_release, host->attempt, 0);
    sw_attempt_free(host->attempt);
}

static void finish(struct host *host) {
    CALL(SW_OK, sw_attempt_complete, host->attempt, "2", SW_NTS);
    sw_attempt_free(host->attempt);
}

/* ---------------------------------------------------------------------------------------------- */

struct piece {
    const char *name;
    void (*call)(struct host *);
};

static unsigned seen[32][CALLS][COUNTERS];

static void do_piece(struct host *host, const struct piece *piece, int which, int call) {
    struct counts counts;
    take(&counts);
    piece->call(host);
    take(&counts);
    if (call >= 0) memcpy(seen[which][call], &counts, sizeof counts);
}

static int compared(const void *one, const void *other) {
    unsigned a = *(const unsigned *)one, b = *(const unsigned *)other;
    return (a > b) - (a < b);
}

/* What most calls came to: now and then one splits a page of the file. */
static void tell(const char *prefix, const struct piece *piece, int which) {
    printf("%s%s", prefix, piece->name);
    for (int counter = 0; counter < COUNTERS; counter++) {
        unsigned values[CALLS];
        for (int call = 0; call < CALLS; call++) values[call] = seen[which][call][counter];
        qsort(values, CALLS, sizeof *values, compared);
        printf(" %u", values[CALLS / 2]);
    }
    printf("\n");
}

/* The pieces in this order, over and over. */
static void play(const char *prefix, struct host *host, const struct piece *pieces) {
    for (host->turn = 0; host->turn < WARM + CALLS; host->turn++) {
        for (int at = 0; pieces[at].name != NULL; at++) {
            do_piece(host, &pieces[at], at, host->turn - WARM);
        }
    }
    for (int at = 0; pieces[at].name != NULL; at++) tell(prefix, &pieces[at], at);
}

static const struct piece runs[] = {
    {"claim_none", claim_none}, {"submit", submit},     {"claim", claim},
    {"begin", begin},           {"complete", complete}, {"heartbeat", heartbeat},
    {"check", check},           {"signal", signal_it},  {"release", release},
    {"claim_again", claim},     {"replay", replay},     {"get", get},
    {"finish", finish},         {NULL, NULL},
};
static const struct piece steps[] = {
    {"step_begin", begin}, {"step_complete", complete}, {NULL, NULL}};

static void play_store(const char *prefix, const char *path, uint32_t durability) {
    sw_store_options options = {.struct_size = sizeof options, .durability = durability};
    struct host host = {.durability = durability};
    uint32_t applied;
    CALL(SW_OK, sw_store_open, path, &options, &host.store);
    CALL(SW_OK, sw_store_init, host.store, &applied);
    play(prefix, &host, runs);
    submit(&host);
    claim(&host);
    play(prefix, &host, steps);
    finish(&host);
    sw_store_close(host.store);
}

int main(int count, char **arguments) {
    *(void **)&take = dlsym(RTLD_DEFAULT, "counts_take");
    if (count != 3 || take == NULL) return 2;
    play_store("power ", arguments[1], SW_DURABILITY_POWER);
    play_store("process ", arguments[2], SW_DURABILITY_PROCESS);
    return 0;
}
