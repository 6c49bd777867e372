/* What a record tells: its entries, the calls, and what each made a fact. */

#ifndef TORTURE_STORY_H
#define TORTURE_STORY_H

#include "record.h"

struct call {
    const char *function;
    int begin, answer; /* places in the record; -1 while it is not answered */
    int32_t code;
    int is_process, has_facts;
};

struct fact {
    const char *sql, *value;
    uint32_t call;
};

struct story {
    const struct record **records;
    int len;
    struct call *calls; /* by their numbers, from 1 */
    uint32_t calls_len;
    struct fact *facts; /* in the order of their calls' begins */
    int facts_len;
    int has_threads; /* whether calls run side by side */
};

/* Reads a record from some byte of it on. */
struct story story_read(const struct control *control, uint64_t from);
void story_free(struct story *story);

/* Whether a call was answered well before a place. */
int story_is_done(const struct story *story, uint32_t call, int at);

/* Whether what a call answered must outlive the loss of power at a place, or a kill there. */
int story_is_safe(const struct story *story, uint32_t call, int at, int is_kill);

/* The last place at or before which everything must be on the disk. */
int story_floor(const struct story *story, int at, int is_kill);

#endif
