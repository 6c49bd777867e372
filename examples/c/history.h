/* Prints what smolwf knows of a run: its attempts, and how many steps each of them recorded. */
#ifndef EXAMPLE_HISTORY_H
#define EXAMPLE_HISTORY_H

#include "json_view.h"
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define HISTORY_ATTEMPTS_MAX 64 /* rows of the table; further attempts are counted with the last */
#define HISTORY_STEPS_SHOWN 3 /* steps shown from the beginning */

struct history {
    struct {
        int64_t number, started_ms, ended_ms;
        size_t steps;
        char worker[40], state[16];
    } attempts[HISTORY_ATTEMPTS_MAX];
    size_t attempts_count, steps_count;
};

static void history_clock(int64_t at_ms, char out[16]) {
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    size_t length = strftime(out, 16, "%H:%M:%S", &parts);
    snprintf(out + length, 16 - length, ".%03d", (int)(at_ms % 1000));
}

/* Notes the attempts of one page; pages may tell of the same attempt again. */
static void history_note_attempts(struct history *self, const char *page) {
    const char *at = json_first(json_member(page, "attempts"));
    for (; at != NULL; at = json_next(at)) {
        int64_t number = json_integer(json_member(at, "number"), 0);
        size_t last = self->attempts_count;
        int is_known = last > 0 && self->attempts[last - 1].number >= number;
        if (is_known || last == HISTORY_ATTEMPTS_MAX) continue;
        self->attempts[last].number = number;
        self->attempts[last].started_ms = json_integer(json_member(at, "started_at_ms"), 0);
        self->attempts[last].ended_ms = json_integer(json_member(at, "ended_at_ms"), 0);
        json_show(json_member(at, "worker"), self->attempts[last].worker, 40);
        json_show(json_member(at, "state"), self->attempts[last].state, 16);
        self->attempts_count++;
    }
}

/* A step belongs to the last attempt that had begun when the step was recorded. */
static void history_count_step(struct history *self, const char *step) {
    int64_t ended_ms = json_integer(json_member(step, "ended_at_ms"), 0);
    size_t owner = self->attempts_count;
    while (owner > 1 && self->attempts[owner - 1].started_ms > ended_ms) owner--;
    if (owner > 0) self->attempts[owner - 1].steps++;
    self->steps_count++;
}

static void history_print_step(const char *step) {
    char name[48], kind[10], state[12], at[16];
    json_show(json_member(step, "name"), name, sizeof name);
    json_show(json_member(step, "kind"), kind, sizeof kind);
    json_show(json_member(step, "state"), state, sizeof state);
    history_clock(json_integer(json_member(step, "ended_at_ms"), 0), at);
    printf("  %-48s %-6s %-10s %s\n", name, kind, state, at);
}

static void history_print_run(const char *page) {
    const char *run = json_member(page, "run");
    char id[40], workflow[40], state[16];
    json_show(json_member(run, "run_id"), id, sizeof id);
    json_show(json_member(run, "workflow"), workflow, sizeof workflow);
    json_show(json_member(run, "state"), state, sizeof state);
    printf("  %s of workflow %s: %s\n", id, workflow, state);
}

/* Takes in one page; shows its first steps when it is the first page, its last one when the last. */
static void history_add_page(struct history *self, const char *page) {
    if (self->attempts_count == 0) history_print_run(page);
    int is_last = *json_member(page, "next") == 'n'; /* null, or the cursor of the next page */
    const char *last = NULL;
    history_note_attempts(self, page);
    const char *step = json_first(json_member(page, "steps"));
    for (; step != NULL; step = json_next(step)) {
        if (self->steps_count == 0)
            printf("\n  %-48s %-6s %-10s recorded\n", "step", "kind", "state");
        history_count_step(self, step);
        if (self->steps_count <= HISTORY_STEPS_SHOWN) history_print_step(step);
        last = step;
    }
    if (!is_last || last == NULL || self->steps_count <= HISTORY_STEPS_SHOWN) return;
    size_t hidden = self->steps_count - HISTORY_STEPS_SHOWN - 1;
    if (hidden > 0) printf("  ... %zu more ...\n", hidden);
    history_print_step(last);
}

static void history_print_attempts(const struct history *self) {
    puts("\n  attempt  worker           state      began         lasted  steps recorded");
    for (size_t i = 0; i < self->attempts_count; i++) {
        char began[16], lasted[16] = "-";
        int64_t ended_ms = self->attempts[i].ended_ms, started_ms = self->attempts[i].started_ms;
        history_clock(started_ms, began);
        if (ended_ms > 0)
            snprintf(lasted, sizeof lasted, "%.2f s", (double)(ended_ms - started_ms) / 1e3);
        printf("  %7d  %-16s %-10s %s %7s  %zu\n", (int)self->attempts[i].number,
               self->attempts[i].worker, self->attempts[i].state, began, lasted,
               self->attempts[i].steps);
    }
}

#endif
