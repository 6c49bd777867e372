/* The error sweep: one operation of a chapter fails, or all from it on until it is tried again. */

#define _GNU_SOURCE
#include "sweep.h"

#include "smolwf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operation_names[OPERATIONS] = {
    "open",   "make",   "read", "write", "sync", "set the size", "allocate",
    "unlink", "rename", "lock", "look",  "map",  "set the mode", "memory"};
static const char *const file_names[FILES] = {"none",    "folder", "database",  "log",
                                              "journal", "index",  "side file", "copy"};

enum { TOLD_MAX = 12, CUTS = 3, CHAPTERS_MAX = 64 };

static int is_over(const struct sweep *sweep) { return sweep->until > 0 && now() > sweep->until; }

static void tell_bad(struct sweep *sweep, const struct fault *fault, const char *words) {
    const struct control *control = sweep->control;
    if (++sweep->bad > TOLD_MAX) return;
    printf("bad: work %s, chapter %s, %s of %s fails%s with %s: %s\n", fault->work->name,
           fault->chapter, operation_names[control->failed_operation],
           file_names[control->failed_file], fault->goes_on ? " and goes on failing" : "",
           control->failed_error == HALF ? "a part done" : strerror(control->failed_error), words);
    printf("  again: SMOLWF_SEED=%llu scripts/torture.sh fault %s %s %llu %llu %d %llu\n",
           (unsigned long long)fault->seed, fault->work->name, fault->chapter,
           (unsigned long long)fault->at, (unsigned long long)fault->choice, fault->goes_on,
           (unsigned long long)fault->memory_at);
    fflush(stdout);
}

/* ---------------------------------------------------------------------------------------------- */
/* One trial */

/* Codes that say of a store or a caller what a failing operation is no reason for. */
static int is_misleading(const struct control *control) {
    switch (control->first_code) {
    case 0:
    case SW_ERR_BUSY:
    case SW_ERR_IO:
    case SW_ERR_POISONED:
        return 0;
    case SW_ERR_FULL:
        return control->failed_error != ENOSPC && control->failed_error != EDQUOT;
    case SW_ERR_NOMEM:
        return control->failed_error != ENOMEM;
    default:
        return 1;
    }
}

static void judge_end(struct sweep *sweep, const struct fault *fault, const struct story *story) {
    struct question question = {.folder = sweep->control->folder,
                                .flags = fault->work->flags,
                                .story = story,
                                .at = story->len - 1,
                                .is_kill = 1,
                                .is_worked_on = fault->seed % 10 == 0};
    judge(&question, sweep->verdict);
    sweep->facts += (uint64_t)sweep->verdict->facts;
    if (sweep->verdict->is_bad) tell_bad(sweep, fault, sweep->verdict->words);
}

/* The power goes some time after the error. */
static void judge_cuts(struct sweep *sweep, const struct fault *fault, const struct story *story) {
    static const enum survivors left[] = {SURVIVORS_NOTHING, SURVIVORS_RANDOM, SURVIVORS_SECTORS};
    uint64_t draw = fault->seed;
    int first = 0;
    const char *failed = sweep->control->log + sweep->control->failed_place;
    while (first < story->len && (const char *)story->records[first] < failed) first++;
    int cuts = sweep->syncs_alone ? 3 * CUTS : CUTS;
    for (int cut = 0; cut < cuts && first < story->len && (cut == 0 || !is_over(sweep)); cut++) {
        int at = first + (int)(draw_next(&draw) % (uint64_t)(story->len - first));
        for (size_t which = 0; which < sizeof left / sizeof *left && sweep->bad == 0; which++) {
            judge_cut(sweep, fault->work, story, fault->seed, at, left[which], draw_next(&draw));
        }
    }
}

void judge_trial(struct sweep *sweep, const struct fault *fault, int has_cuts) {
    struct control *control = sweep->control;
    control_reset(control);
    snprintf(control->only, sizeof control->only, "%s", fault->chapter);
    control->fail_at = fault->at;
    control->fail_choice = (uint32_t)fault->choice;
    control->fails_on = fault->goes_on;
    control->memory_fails = fault->memory_at > 0;
    control->memory_fails_at = fault->memory_at;
    struct story story = record_work(sweep, fault->work);
    sweep->errors_injected += (uint64_t)control->has_failed;
    sweep->failed[control->failed_operation][control->failed_file] += (uint64_t)control->has_failed;
    if (sweep->is_undone) tell_bad(sweep, fault, control->last_words);
    if (control->undocumented > 0) tell_bad(sweep, fault, "a code that is not documented");
    if (is_misleading(control)) {
        char words[480];
        snprintf(words, sizeof words, "%s answers %s: %s", control->first_function,
                 sw_code_name(control->first_code), control->first_words);
        tell_bad(sweep, fault, words);
    }
    judge_end(sweep, fault, &story);
    if (has_cuts && control->has_failed) judge_cuts(sweep, fault, &story);
    story_free(&story);
}

/* ---------------------------------------------------------------------------------------------- */
/* Sweeps */

/* Counts the operations of a chapter; answers the first that is its own. */
static uint64_t count_operations(struct sweep *sweep, const struct work *work, const char *chapter,
                                 uint64_t *end) {
    struct control *control = sweep->control;
    control_reset(control);
    snprintf(control->only, sizeof control->only, "%s", chapter);
    struct story story = record_work(sweep, work);
    story_free(&story);
    if (sweep->is_undone) sweep->bad++;
    *end = control->operations;
    /* Opening is the same for all: it is looked at with the first. */
    return strcmp(chapter, "plain") == 0 ? 1 : control->chapters_begin + 1;
}

static void try_operation(struct sweep *sweep, struct fault *fault, uint64_t *draw) {
    for (uint64_t choice = 0, choices = 1; choice < choices; choice++) {
        fault->choice = choice;
        fault->seed = draw_next(draw);
        fault->goes_on = 0;
        judge_trial(sweep, fault, 1);
        if (!sweep->control->has_failed) return;
        choices = sweep->control->failed_choices;
    }
}

/* Draws what kind of operation is to fail, and then which of that kind, so that none is too rare. */
static uint64_t draw_operation(const struct sweep *sweep, const unsigned char *was, uint64_t first,
                               uint64_t end, uint64_t *draw) {
    for (;;) {
        unsigned char operation = (unsigned char)(draw_next(draw) % OPERATIONS);
        if (sweep->syncs_alone) operation = OPERATION_SYNC;
        uint64_t from = draw_next(draw) % (end - first + 1), count = end - first + 1;
        for (uint64_t at = 0; at < count; at++) {
            uint64_t number = first + (from + at) % count;
            if (number < OPERATIONS_KEPT && was[number] == operation) return number;
        }
    }
}

/* Each operation of a chapter with each error; or for some seconds, operations and errors by lot. */
static void sweep_chapter(struct sweep *sweep, const struct work *work, const char *chapter,
                          uint64_t seed, double seconds) {
    struct fault fault = {.work = work, .chapter = chapter};
    uint64_t end, draw = seed, first = count_operations(sweep, work, chapter, &end);
    double until = now() + seconds;
    sweep->operations += end - first + 1;
    unsigned char was[OPERATIONS_KEPT];
    memcpy(was, sweep->control->operation_was, sizeof was);
    for (fault.at = first; fault.at <= end && seconds == 0; fault.at++) {
        if (!sweep->syncs_alone || was[fault.at] == OPERATION_SYNC) {
            try_operation(sweep, &fault, &draw);
        }
    }
    if (seconds == 0) return;
    do {
        fault.at = draw_operation(sweep, was, first, end, &draw);
        fault.choice = draw_next(&draw) % 5;
        fault.goes_on = draw_next(&draw) % 4 == 0;
        fault.seed = draw_next(&draw);
        int is_sync = was[fault.at] == OPERATION_SYNC;
        judge_trial(sweep, &fault, is_sync || draw_next(&draw) % 4 == 0);
    } while (now() < until);
}

/* Lists the chapters of a workload; answers how many. */
static int chapters_of(const struct work *work, const char **names) {
    int count = 0;
    for (const struct chapter *const *list = work->chapters; *list != NULL; list++) {
        for (const struct chapter *chapter = *list; chapter->name != NULL; chapter++) {
            if (count == CHAPTERS_MAX) abort();
            names[count++] = chapter->name;
        }
    }
    return count;
}

/* The chapters have the same time each, the first of them by lot: time that is over too soon leaves out
 * others the next time. */
void sweep_errors(struct sweep *sweep, const struct work *work, uint64_t seed, double seconds) {
    const char *names[CHAPTERS_MAX];
    int count = chapters_of(work, names), first = (int)(seed % (uint64_t)count);
    sweep->until = seconds > 0 ? now() + seconds : 0;
    for (int at = 0; at < count && !is_over(sweep); at++) {
        const char *chapter = names[(first + at) % count];
        uint64_t before = sweep->errors_injected;
        double share = seconds / count;
        if (sweep->memory_alone) {
            sweep_memory(sweep, work, chapter, seed + (uint64_t)at, share);
        } else {
            sweep_chapter(sweep, work, chapter, seed + (uint64_t)at, share);
        }
        printf("errors %s %s: %llu injected\n", work->name, chapter,
               (unsigned long long)(sweep->errors_injected - before));
        fflush(stdout);
    }
}

void sweep_fault(struct sweep *sweep, const struct work *work, uint64_t seed, char **rest) {
    struct fault fault = {.work = work,
                          .chapter = rest[0],
                          .at = strtoull(rest[1], NULL, 10),
                          .choice = strtoull(rest[2], NULL, 10),
                          .goes_on = atoi(rest[3]),
                          .memory_at = strtoull(rest[4], NULL, 10),
                          .seed = seed};
    judge_trial(sweep, &fault, 1);
    printf("first answer: %s: %s\n", sw_code_name(sweep->control->first_code),
           sweep->control->first_words);
}

void tell_errors(const struct sweep *sweep) {
    printf("errors injected %llu, of these", (unsigned long long)sweep->errors_injected);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        for (int file = 0; file < FILES; file++) {
            uint64_t count = sweep->failed[operation][file];
            if (count == 0) continue;
            printf(" %s %s %llu,", operation_names[operation], file_names[file],
                   (unsigned long long)count);
        }
    }
    printf("\n");
}
