/* The life of a process that works with a store: every call is told to the record before and after, with
 * what must be found in the store once it has answered. */

#ifndef TORTURE_LIFE_H
#define TORTURE_LIFE_H

#include "record.h"

#include "smolwf.h"

#include <stdint.h>

enum { HELD_MAX = 40 };

struct life {
    struct control *control;
    const char *folder;
    char path[FOLDER_BYTES_MAX + 32];
    uint32_t durability; /* of the store's options */
    uint32_t flags;
    sw_store *store;
    sw_error *err;
    uint32_t call; /* that is under way */
    int is_process; /* whether what the next call answers is of SW_DURABILITY_PROCESS */
    int was_process; /* the same of the last call */
    int must_reopen; /* a call answered that the store must be opened again */
    int is_moving; /* a move was begun, and has not answered that it is done */
    int turn; /* names all that a chapter makes, so that each turn has its own */
    char name[64];
    /* Freed after each chapter. */
    sw_attempt *attempts[HELD_MAX];
    sw_step *steps[HELD_MAX];
    sw_text *texts[HELD_MAX];
    int attempts_len, steps_len, texts_len;
    char *open_facts[HELD_MAX];
    int open_facts_len;
};

/* A chapter answers 0, or -1 when a call answered what it should not; what an injected error explains is
 * for the caller to say. */
typedef int chapter_function(struct life *life);

struct chapter {
    const char *name;
    chapter_function *play;
};

void life_begin(struct life *life, const char *function);
int32_t life_answer(struct life *life, const char *function, int32_t code);

/* Whether a call is made once more, as a host does that was answered an error which leaves open whether
 * it was done, or says that it may be repeated. */
int life_repeats(struct life *life, const char *function, int32_t code, int *repeats);

/* Calls a function of the library and answers its code. */
#define DO(life, function, ...)                                                                    \
    ({                                                                                             \
        int repeats_left = 1;                                                                      \
        int32_t answered;                                                                          \
        do {                                                                                       \
            life_begin(life, #function);                                                           \
            answered = life_answer(life, #function, function(__VA_ARGS__));                        \
        } while (life_repeats(life, #function, answered, &repeats_left));                          \
        answered;                                                                                  \
    })

/* Ends the chapter unless the call answers a code. */
#define MUST(life, wanted, function, ...)                                                          \
    do {                                                                                           \
        int32_t code_is = DO(life, function, __VA_ARGS__);                                         \
        if (code_is != (wanted))                                                                   \
            return life_disappointed(life, #function, __LINE__, wanted, code_is);                  \
    } while (0)

/* Ends the chapter when a part of it failed. */
#define PART(part)                                                                                 \
    do {                                                                                           \
        if ((part) < 0) return -1;                                                                 \
    } while (0)

int life_disappointed(struct life *life, const char *function, int line, int32_t wanted,
                      int32_t code);

/* Says what a query of one value must find once the next call has answered; NULL is no row at all. */
void expect(struct life *life, const char *value, const char *sql, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of what the close of the handle may change, which gives back what attempts hold. */
void expect_while_open(struct life *life, const char *value, const char *sql, ...)
    __attribute__((format(printf, 3, 4)));

/* Those from one on hold for good: the attempts that they are of have ended. */
void settle_open_facts(struct life *life, int from);

/* Says that a copy of the store of that name must be there, and whole, once the next call has answered. */
void expect_copy(struct life *life, const char *name);

/* A name of this turn's own, kept until the next of the same place, 0 to 7. */
const char *own(struct life *life, int place, const char *stem);

/* Opens the store and brings its schema up. */
int life_open(struct life *life);
void life_close(struct life *life);

/* How many descriptors of this process are open on files of the store. */
int descriptors_left(void);

void life_free_held(struct life *life);

/* What chapters do again and again. They hold what they get until the end of the chapter. */
int submit(struct life *life, const char *key, const char *queue, const char *args, char *id);
sw_attempt *claim(struct life *life, const char *queue);
sw_step *begin(struct life *life, sw_attempt *attempt, const char *name, int32_t wanted);
int finish_step(struct life *life, sw_attempt *attempt, const char *key, const char *name,
                const char *result);
int finish(struct life *life, sw_attempt *attempt, const char *key, const char *result);
int suspend(struct life *life, sw_attempt *attempt, const char *key);
sw_text **text_of(struct life *life);
const char *said(struct life *life);

#endif
