/* The crash sweep: the power is cut after each operation of a workload, and what may be left is judged. */

#define _GNU_SOURCE
#include "sweep.h"

#include "codes.h"
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* So many faults are told of; the others are counted. */
enum { TOLD_MAX = 8 };

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------------------------------------- */
/* One record */

/* What the rows come to at each place if nothing is lost; 0 is not known yet. */
struct pass {
    struct sweep *sweep;
    const struct work *work;
    const struct story *story;
    uint64_t *whole;
    uint64_t seed;
    struct disk *disk; /* as of `at` */
    int at;
};

static int changes(const struct record *record) { return record->kind <= RECORD_FOLDER_SYNCED; }

static struct question question_of(const struct pass *pass, int at) {
    return (struct question){
        .folder = pass->sweep->disks, .flags = pass->work->flags, .story = pass->story, .at = at};
}

/* Whether a record leaves the rows as they were, when nothing is lost: it writes none. The library writes
 * the frames of a transaction to the log at once; what is no longer than a head is none of them. */
static int keeps_rows(const struct story *story, int at) {
    const struct record *record = story->records[at];
    if (record->kind >= RECORD_SYNCED || record->kind == RECORD_CREATE) return 1;
    if (record->kind != RECORD_WRITE)
        return record->file != FILE_NONE && record->file > FILE_JOURNAL;
    if (record->file > FILE_JOURNAL) return 1;
    return record->file == FILE_LOG && record->length <= 32;
}

/* Applies the record from the start to a place, to a disk of its own. */
static struct disk *disk_at(const struct pass *pass, int at) {
    struct disk *disk = disk_new();
    uint64_t draw = pass->seed;
    for (int place = 0; place <= at; place++) disk_apply(disk, pass->story->records[place], &draw);
    return disk;
}

/* Returns the digest of all that was written up to a place. */
static uint64_t whole_at(struct pass *pass, int at) {
    while (at > 0 && keeps_rows(pass->story, at)) at--;
    if (pass->whole[at] == 0) {
        struct disk *disk = disk_at(pass, at);
        folder_empty(pass->sweep->disks);
        disk_lay(disk, SURVIVORS_ALL, 0, pass->sweep->disks);
        disk_free(disk);
        struct question question = question_of(pass, -1);
        judge(&question, pass->sweep->verdict);
        pass->whole[at] = pass->sweep->verdict->digest + 1;
    }
    return pass->whole[at] - 1;
}

/* Whether the rows are those of one moment since the last at which all had to be safe. */
static int is_of_a_moment(struct pass *pass, int at, int is_kill, uint64_t digest) {
    int floor = is_kill ? at : story_floor(pass->story, at, 0);
    for (int place = at; place >= floor; place--) {
        if (place != floor && keeps_rows(pass->story, place)) continue;
        if (whole_at(pass, place) == digest) return 1;
    }
    return 0;
}

static void tell_bad(const struct pass *pass, int at, int survivors, uint64_t seed,
                     const struct verdict *verdict) {
    if (pass->sweep->bad > TOLD_MAX) return;
    printf("bad: work %s, place %d, survivors %s, seed %llu: %s\n", pass->work->name, at,
           survivors_names[survivors], (unsigned long long)seed, verdict->words);
    printf("  again: SMOLWF_SEED=%llu scripts/torture.sh one %s %d '%s' %llu\n",
           (unsigned long long)pass->seed, pass->work->name, at, survivors_names[survivors],
           (unsigned long long)seed);
    fflush(stdout);
}

/* Judges one disk; answers whether there was anything in doubt. */
static int judge_disk(struct pass *pass, int at, int survivors, uint64_t seed) {
    struct sweep *sweep = pass->sweep;
    folder_empty(sweep->disks);
    int in_doubt = disk_lay(pass->disk, (enum survivors)survivors, seed, sweep->disks);
    struct question question = question_of(pass, at);
    question.is_kill = survivors == SURVIVORS_ALL && !sweep->control->has_failed;
    question.is_worked_on = seed % 10 == 0;
    double began = now();
    judge(&question, sweep->verdict);
    sweep->seconds_a_disk += (now() - began - sweep->seconds_a_disk) / 16;
    struct verdict verdict = *sweep->verdict;
    sweep->disks_judged++;
    sweep->by_survivors[survivors]++;
    sweep->facts += (uint64_t)verdict.facts;
    sweep->worked_on += (uint64_t)question.is_worked_on;
    int is_new = !verdict.is_bad && !sweep->control->has_failed;
    if (is_new && !is_of_a_moment(pass, at, question.is_kill, verdict.digest)) {
        verdict.is_bad = 1;
        snprintf(verdict.words, sizeof verdict.words,
                 "what is found is the store of no moment since the last answer");
    }
    if (!verdict.is_bad && seed % 8 == 1) {
        cut_again(sweep, pass->disk, &question, (enum survivors)survivors, seed);
        verdict = *sweep->verdict;
    }
    sweep->bad += (uint64_t)verdict.is_bad;
    if (verdict.is_bad) tell_bad(pass, at, survivors, seed, &verdict);
    return in_doubt;
}

/* ---------------------------------------------------------------------------------------------- */
/* Sweeps */

static int is_place(const struct record *record) {
    return changes(record) || record->kind == RECORD_ANSWER;
}

/* At one of how many places from here on the power is cut: as many as there is time for, to the end of
 * the record, however slow the machine turns out to be. */
static double one_of_places(const struct pass *pass, int at, double ends) {
    if (ends == 0) return 1;
    double left = ends - now(), places = pass->story->len - at;
    if (left <= 0) return places + 1;
    double one_of = places * SURVIVORS * pass->sweep->seconds_a_disk / left;
    return one_of > 1 ? one_of : 1;
}

/* Cuts the power at each place, or at as many as there is time for, each with all survivors. */
static void sweep_record(struct pass *pass, double ends) {
    struct sweep *sweep = pass->sweep;
    uint64_t draw = pass->seed, choice = pass->seed + 1;
    for (int at = 0; at < pass->story->len; at++) {
        const struct record *record = pass->story->records[at];
        disk_apply(pass->disk, record, &draw);
        double chance = (double)(draw_next(&choice) >> 11) / (double)(1ull << 53);
        if (!is_place(record) || chance * one_of_places(pass, at, ends) >= 1) continue;
        sweep->places++;
        int in_doubt = judge_disk(pass, at, SURVIVORS_NOTHING, draw_next(&choice));
        for (int survivors = 1; survivors < SURVIVORS && in_doubt > 0; survivors++) {
            judge_disk(pass, at, survivors, draw_next(&choice));
        }
    }
}

struct story record_work(struct sweep *sweep, const struct work *work) {
    struct control *control = sweep->control;
    folder_empty(control->folder);
    sweep->is_undone = work_do(work, control) < 0;
    sweep->undocumented += control->undocumented;
    struct story story = story_read(control, 0);
    story.has_threads = work->threads > 1 || work->processes > 1;
    for (uint32_t call = 1; call <= story.calls_len; call++) {
        if (story.calls[call].function != NULL) codes_note_called(story.calls[call].function);
    }
    return story;
}

static void pass_over(struct sweep *sweep, const struct work *work, const struct story *story,
                      uint64_t seed, double ends) {
    struct pass pass = {.sweep = sweep, .work = work, .story = story, .seed = seed};
    pass.whole = calloc((size_t)story->len + 1, sizeof *pass.whole);
    pass.disk = disk_new();
    sweep_record(&pass, ends);
    disk_free(pass.disk);
    free(pass.whole);
}

/* Records a workload and sweeps it for some seconds, or over each place when those are not limited. */
void sweep_crashes(struct sweep *sweep, const struct work *work, uint64_t seed, double seconds) {
    control_reset(sweep->control);
    struct story story = record_work(sweep, work);
    double began = now();
    uint64_t before = sweep->disks_judged;
    uint64_t operations = sweep->control->operations;
    sweep->operations += operations;
    if (sweep->is_undone) sweep->bad++;
    pass_over(sweep, work, &story, seed, seconds > 0 ? began + seconds : 0);
    uint64_t disks = sweep->disks_judged - before;
    printf("crash %s: %llu operations, %d records, %u calls, %d facts, %llu disks in %.0f s\n",
           work->name, (unsigned long long)operations, story.len, story.calls_len, story.facts_len,
           (unsigned long long)disks, now() - began);
    fflush(stdout);
    story_free(&story);
}

void judge_cut(struct sweep *sweep, const struct work *work, const struct story *story,
               uint64_t pass_seed, int at, enum survivors survivors, uint64_t seed) {
    struct pass pass = {.sweep = sweep, .work = work, .story = story, .seed = pass_seed};
    pass.whole = calloc((size_t)story->len + 1, sizeof *pass.whole);
    pass.disk = disk_at(&pass, at);
    judge_disk(&pass, at, survivors, seed);
    disk_free(pass.disk);
    free(pass.whole);
}

/* Judges the one disk that a sweep told of. */
void sweep_one(struct sweep *sweep, const struct work *work, uint64_t pass_seed, int at,
               int survivors, uint64_t seed) {
    control_reset(sweep->control);
    struct story story = record_work(sweep, work);
    judge_cut(sweep, work, &story, pass_seed, at, (enum survivors)survivors, seed);
    story_free(&story);
}
