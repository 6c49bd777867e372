#ifndef COUNTS_H
#define COUNTS_H

/* What was asked of the system, and of the allocator, since it was taken last. */
struct counts {
    unsigned writes, reads, locks, syncs, looks, wakes, allocations;
};

/* Takes what was counted, and begins anew. */
void counts_take(struct counts *out);

#endif
