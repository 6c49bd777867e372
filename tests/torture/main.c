/* Runs the sweeps. The library is the one that this program finds, the layer is preloaded.
 *
 *   torture FOLDER HEADER crash SEED SECONDS [WORK]     cuts the power; 0 seconds is every place
 *   torture FOLDER HEADER lie SEED SECONDS [WORK]       on a disk that only says that it syncs
 *   torture FOLDER HEADER errors SEED SECONDS [WORK]    has operations fail
 *   torture FOLDER HEADER syncs SEED SECONDS [WORK]     has syncs fail, and then the power
 *   torture FOLDER HEADER memory SEED SECONDS [WORK]    has SQLite get no memory
 *   torture FOLDER HEADER fault SEED WORK CHAPTER OPERATION ERROR ON MEMORY
 *   torture FOLDER HEADER one SEED WORK PLACE SURVIVORS SEED
 */

#define _GNU_SOURCE
#include "codes.h"
#include "sweep.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void control_reset(struct control *control) {
    int is_lying = control->is_lying;
    char folder[FOLDER_BYTES_MAX];
    memcpy(folder, control->folder, sizeof folder);
    pthread_mutex_t mutex = control->mutex;
    const void *sqlite_asks_from = control->sqlite_asks_from;
    memset(control, 0, sizeof *control - LOG_BYTES);
    control->mutex = mutex;
    control->sqlite_asks_from = sqlite_asks_from;
    control->is_lying = is_lying;
    memcpy(control->folder, folder, sizeof folder);
}

static struct control *control_new(const char *folder) {
    struct control *control = shared(sizeof *control);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&control->mutex, &kind);
    snprintf(control->folder, sizeof control->folder, "%s/live", folder);
    torture_attach_function *attach = NULL;
    *(void **)&attach = dlsym(RTLD_DEFAULT, "torture_attach");
    if (attach == NULL) {
        fprintf(stderr, "torture: start it with the layer preloaded\n");
        exit(2);
    }
    attach(control);
    return control;
}

static void tell(const struct sweep *sweep) {
    printf(
        "operations recorded %llu, places %llu, disks judged %llu (worked on %llu), cut again %llu, facts %llu, "
        "bad %llu, undocumented codes %llu\n",
        (unsigned long long)sweep->operations, (unsigned long long)sweep->places,
        (unsigned long long)sweep->disks_judged, (unsigned long long)sweep->worked_on,
        (unsigned long long)sweep->cut_again, (unsigned long long)sweep->facts,
        (unsigned long long)sweep->bad, (unsigned long long)sweep->undocumented);
    for (int at = 0; at < SURVIVORS; at++) {
        printf("%s%s %llu", at == 0 ? "survivors: " : ", ", survivors_names[at],
               (unsigned long long)sweep->by_survivors[at]);
    }
    printf("\n");
}

static int crash(struct sweep *sweep, char **rest) {
    uint64_t seed = strtoull(rest[0], NULL, 10);
    double seconds = strtod(rest[1], NULL);
    int count = 0;
    for (const struct work *work = works; work->name != NULL; work++) count++;
    for (const struct work *work = works; work->name != NULL; work++) {
        if (rest[2] != NULL && strcmp(rest[2], work->name) != 0) continue;
        sweep_crashes(sweep, work, seed, rest[2] != NULL ? seconds : seconds / count);
    }
    tell(sweep);
    int is_all_called = rest[2] != NULL || codes_tell_called() == 0;
    return sweep->bad == 0 && sweep->undocumented == 0 && is_all_called ? 0 : 1;
}

static int one(struct sweep *sweep, char **rest) {
    int survivors = 0;
    while (survivors < SURVIVORS && strcmp(survivors_names[survivors], rest[3]) != 0) survivors++;
    const struct work *work = work_named(rest[1]);
    if (work == NULL || survivors == SURVIVORS) return 2;
    sweep_one(sweep, work, strtoull(rest[0], NULL, 10), atoi(rest[2]), survivors,
              strtoull(rest[4], NULL, 10));
    tell(sweep);
    return sweep->bad == 0 ? 0 : 1;
}

/* Threads that share a handle cannot open it again each by itself, as a store that is poisoned asks. */
static const char *const works_with_errors[] = {"power", "process", "processes", "moves", NULL};

static int errors(struct sweep *sweep, char **rest) {
    uint64_t seed = strtoull(rest[0], NULL, 10);
    double seconds = strtod(rest[1], NULL);
    int count = 0;
    for (const char *const *name = works_with_errors; *name != NULL; name++) {
        if (rest[2] != NULL && strcmp(rest[2], *name) != 0) continue;
        /* The first has the most to say. */
        double share = rest[2] != NULL ? seconds : seconds / (count == 0 ? 2 : 4);
        sweep_errors(sweep, work_named(*name), seed, share);
        count++;
    }
    tell_errors(sweep);
    tell(sweep);
    if (count == 0) return 2;
    return sweep->bad == 0 && sweep->undocumented == 0 ? 0 : 1;
}

static int fault(struct sweep *sweep, char **rest) {
    const struct work *work = work_named(rest[1]);
    if (work == NULL) return 2;
    sweep_fault(sweep, work, strtoull(rest[0], NULL, 10), rest + 2);
    tell(sweep);
    return sweep->bad == 0 ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count < 6) return 2;
    struct sweep *sweep = calloc(1, sizeof *sweep);
    sweep->control = control_new(arguments[1]);
    sweep->verdict = shared(sizeof *sweep->verdict);
    sweep->program = arguments[0];
    sweep->seconds_a_disk = 0.02;
    snprintf(sweep->disks, sizeof sweep->disks, "%s/disks", arguments[1]);
    mkdir(sweep->control->folder, 0700);
    mkdir(sweep->disks, 0700);
    codes_read(arguments[2]);
    char **rest = arguments + 4;
    if (strcmp(arguments[3], "crash") == 0) return crash(sweep, rest);
    sweep->syncs_alone = strcmp(arguments[3], "syncs") == 0;
    sweep->memory_alone = strcmp(arguments[3], "memory") == 0;
    if (sweep->memory_alone && !memory_is_known(sweep->control)) return 2;
    int has_errors = strcmp(arguments[3], "errors") == 0;
    if (has_errors || sweep->syncs_alone || sweep->memory_alone) return errors(sweep, rest);
    if (strcmp(arguments[3], "fault") == 0 && count > 10 && memory_is_known(sweep->control))
        return fault(sweep, rest);
    if (strcmp(arguments[3], "one") == 0 && count > 8) return one(sweep, rest);
    sweep->control->is_lying = 1;
    return strcmp(arguments[3], "lie") == 0 ? crash(sweep, rest) : 2;
}
