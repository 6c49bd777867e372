/* The workloads: which chapters a store goes through, how opened, by whom. */

#ifndef TORTURE_WORK_H
#define TORTURE_WORK_H

#include "life.h"

struct work {
    const char *name;
    uint32_t flags, durability;
    int threads, processes;
    const struct chapter *const *chapters; /* lists, the last NULL */
    int (*begin)(struct life *life);       /* instead of life_open */
};

/* Ended by one without a name. */
extern const struct work works[];

const struct work *work_named(const char *name);

/* Does the work in a process of its own, with the layer on; answers 0 when all of it was done. */
int work_do(const struct work *work, struct control *control);

#endif
