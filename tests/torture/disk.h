/* The disks that a loss of power could leave, from the record of what was done to the files. */

#ifndef TORTURE_DISK_H
#define TORTURE_DISK_H

#include "record.h"

#include <stdint.h>

/* Which of what was not synced has come to the disk. */
enum survivors {
    SURVIVORS_NOTHING,
    SURVIVORS_ALL,     /* as after a kill */
    SURVIVORS_RANDOM,  /* each write by itself */
    SURVIVORS_SECTORS, /* each 512 bytes of a file as of some moment of their own */
    SURVIVORS_PAGES,   /* each 4 KiB */
    SURVIVORS_BUT_ONE,
    SURVIVORS_SIZES,   /* sizes without the bytes, and the other way round */
    SURVIVORS_NAMES,   /* all bytes, and any of the folder's changes */
    SURVIVORS
};

extern const char *const survivors_names[SURVIVORS];

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *disk);

/* Takes what a record says into account. A sync that failed drops what it was to bring, each write by
 * itself, as kernels do which then believe it clean: `draw` says which. */
void disk_apply(struct disk *disk, const struct record *record, uint64_t *draw);

/* Lays a disk into an empty folder. Returns how many writes were in doubt. */
int disk_lay(const struct disk *disk, enum survivors survivors, uint64_t seed, const char *folder);

/* The next number of a sequence. */
uint64_t draw_next(uint64_t *draw);

#endif
