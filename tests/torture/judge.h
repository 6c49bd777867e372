/* Opens a disk as a process that comes after the loss of power, and says what is wrong with it. */

#ifndef TORTURE_JUDGE_H
#define TORTURE_JUDGE_H

#include "story.h"

#include <stdint.h>

struct verdict {
    int is_done; /* the judge came to its end */
    int is_bad;
    int facts;       /* that had to be there, and were looked for */
    uint64_t digest; /* of all rows; 0 of a store without tables */
    char words[800];
};

struct question {
    const char *folder;
    uint32_t flags; /* to open with */
    const struct story *story;
    int at;       /* the place in the record */
    int is_kill;  /* nothing is lost but what was never written */
    int is_worked_on;
};

/* Asks in a process of its own. */
void judge(const struct question *question, struct verdict *verdict);

/* Empties a folder. */
void folder_empty(const char *folder);

/* Memory that children share with their parent. */
void *shared(size_t bytes);

#endif
