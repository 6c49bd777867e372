/* What the sweeps share: where they lay disks, and what they count. */

#ifndef TORTURE_SWEEP_H
#define TORTURE_SWEEP_H

#include "disk.h"
#include "judge.h"
#include "work.h"

struct sweep {
    struct control *control;
    struct verdict *verdict;
    const char *program;
    char disks[FOLDER_BYTES_MAX]; /* the folder where disks are laid */
    double seconds_a_disk;
    double until; /* of a sweep of errors; 0 is without limit */
    int syncs_alone, memory_alone; /* are made to fail */
    int is_undone; /* the last workload did not come to its end */
    uint64_t operations, places, disks_judged, worked_on, facts, bad, undocumented;
    uint64_t cut_again, errors_injected;
    uint64_t by_survivors[SURVIVORS];
    uint64_t failed[OPERATIONS][FILES];
};

double now(void);

/* Forgets what was recorded and what was to fail. */
void control_reset(struct control *control);

struct story record_work(struct sweep *sweep, const struct work *work);
void sweep_crashes(struct sweep *sweep, const struct work *work, uint64_t seed, double seconds);
void sweep_one(struct sweep *sweep, const struct work *work, uint64_t pass_seed, int at,
               int survivors, uint64_t seed);

/* Judges what a cut at one place of a record leaves. */
void judge_cut(struct sweep *sweep, const struct work *work, const struct story *story,
               uint64_t pass_seed, int at, enum survivors survivors, uint64_t seed);

/* Lays a disk where the library works, records how a process makes it whole, and judges what a second
 * loss of the power in the midst of that leaves. The verdict is the sweep's. */
void cut_again(struct sweep *sweep, const struct disk *disk, const struct question *first,
               enum survivors survivors, uint64_t draw);

/* What fails in one trial. */
struct fault {
    const struct work *work;
    const char *chapter;
    uint64_t at, choice, memory_at, seed;
    int goes_on;
};

/* Plays a chapter with a fault, judges what it answered and what is left, and, where that is asked for,
 * what a loss of power leaves after it. */
void judge_trial(struct sweep *sweep, const struct fault *fault, int has_cuts);

/* Lets the layer learn which memory is SQLite's; whether it has. */
int memory_is_known(struct control *control);
void sweep_memory(struct sweep *sweep, const struct work *work, const char *chapter, uint64_t seed,
                  double seconds);

void sweep_errors(struct sweep *sweep, const struct work *work, uint64_t seed, double seconds);
void sweep_fault(struct sweep *sweep, const struct work *work, uint64_t seed, char **rest);
void tell_errors(const struct sweep *sweep);

#endif
