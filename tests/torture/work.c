#include "work.h"

#include "chapters.h"
#include "codes.h"
#include "judge.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 5, THREADS_MAX = 4 };

static const struct chapter *const all_chapters[] = {chapters_of_runs, chapters_of_waits,
                                                     chapters_of_stores, NULL};
static const struct chapter *const chapters_at_once[] = {chapters_of_runs, NULL};
static const struct chapter *const chapters_with_a_move[] = {chapters_of_runs, chapters_of_moves,
                                                             chapters_of_waits, NULL};

/* One schema at a time. */
static int begin_with_migrations(struct life *life) {
    sw_store_options options = {.struct_size = sizeof options, .flags = life->flags};
    uint32_t applied;
    MUST(life, SW_OK, sw_store_open, life->path, &options, &life->store, &life->err);
    for (int64_t target = 1; target <= 9; target += 4) {
        char version[8];
        snprintf(version, sizeof version, "%d", (int)target);
        MUST(life, SW_OK, sw_store_migrate, life->store, target, &applied, &life->err);
    }
    life_close(life);
    return life_open(life);
}

#define CLOCK SW_OPEN_MANUAL_CLOCK

const struct work works[] = {
    {"power", CLOCK, SW_DURABILITY_POWER, 1, 1, all_chapters, life_open},
    {"process", CLOCK, SW_DURABILITY_PROCESS, 1, 1, all_chapters, life_open},
    {"migrate", CLOCK, SW_DURABILITY_POWER, 1, 1, chapters_at_once, begin_with_migrations},
    {"moves", CLOCK, SW_DURABILITY_POWER, 1, 1, chapters_with_a_move, life_open},
    {"lazy-moves", CLOCK, SW_DURABILITY_PROCESS, 1, 1, chapters_with_a_move, life_open},
    {"threads", 0, SW_DURABILITY_POWER, 3, 1, chapters_at_once, life_open},
    {"processes", 0, SW_DURABILITY_POWER, 1, 2, chapters_at_once, life_open},
    {"mixed", 0, SW_DURABILITY_PROCESS, 2, 2, chapters_at_once, life_open},
    {0},
};

const struct work *work_named(const char *name) {
    const struct work *work = works;
    while (work->name != NULL && strcmp(work->name, name) != 0) work++;
    return work->name == NULL ? NULL : work;
}

/* ---------------------------------------------------------------------------------------------- */
/* One thread */

/* Plays a chapter. Where something was to fail, it is played anew until it ends well: with the store as
 * it is, or opened again where the answer was that it must be. */
static int play(struct life *life, const struct chapter *chapter, const char *who) {
    for (int at = 0; at < TRIES; at++) {
        life->turn++;
        snprintf(life->name, sizeof life->name, "%s.%s", who, chapter->name);
        if (life->must_reopen && life->store != NULL) life_close(life);
        life->must_reopen = 0;
        int is_open = life->store != NULL || life_open(life) == 0;
        int open_before = life->open_facts_len;
        int done = is_open && chapter->play(life) == 0;
        if (life->store != NULL) life_free_held(life);
        if (done) settle_open_facts(life, open_before);
        if (done) return 0;
        if (!life->control->has_failed) break;
        life->control->is_failing_on = 0;
    }
    fprintf(stderr, "torture: %s is not done: %s\n", life->name, life->control->last_words);
    return -1;
}

static int play_all(struct life *life, const struct work *work, const char *who) {
    const char *only = life->control->only;
    life->control->chapters_begin = life->control->operations;
    for (const struct chapter *const *list = work->chapters; *list != NULL; list++) {
        for (const struct chapter *chapter = *list; chapter->name != NULL; chapter++) {
            if (only[0] != '\0' && strcmp(only, chapter->name) != 0) continue;
            if (play(life, chapter, who) < 0) return -1;
        }
    }
    return 0;
}

struct part {
    const struct work *work;
    struct life life;
    char who[32];
    int code;
};

static void *part_of(void *argument) {
    struct part *part = argument;
    part->code = play_all(&part->life, part->work, part->who);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* One process */

static int begin_work(const struct work *work, struct life *life) {
    for (int at = 0; at < TRIES; at++) {
        if (work->begin(life) == 0) return 0;
        if (life->store != NULL) life_close(life);
        if (!life->control->has_failed) break;
        life->control->is_failing_on = 0;
    }
    fprintf(stderr, "torture: the store is not opened: %s\n", life->control->last_words);
    return -1;
}

static int do_alone(const struct work *work, struct life *life, const char *who) {
    int code = begin_work(work, life) < 0 ? -1 : play_all(life, work, who);
    if (life->store != NULL) life_close(life);
    return code;
}

/* Threads share one handle; it is opened and closed here. */
static int do_in_threads(const struct work *work, struct life *life, const char *process) {
    static struct part parts[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    if (begin_work(work, life) < 0) return -1;
    int code = 0;
    for (int at = 0; at < work->threads; at++) {
        parts[at] = (struct part){.work = work, .life = *life};
        parts[at].life.err = NULL;
        snprintf(parts[at].who, sizeof parts[at].who, "%s.t%d", process, at);
        if (pthread_create(&threads[at], NULL, part_of, &parts[at]) != 0) abort();
    }
    for (int at = 0; at < work->threads; at++) {
        pthread_join(threads[at], NULL);
        sw_error_free(parts[at].life.err);
        if (parts[at].code < 0) code = -1;
    }
    life_close(life);
    return code;
}

static int do_here(const struct work *work, struct control *control, const char *who) {
    struct life life = {.control = control,
                        .folder = control->folder,
                        .durability = work->durability,
                        .flags = work->flags};
    snprintf(life.path, sizeof life.path, "%s/" STORE_NAME, control->folder);
    int code = work->threads > 1 ? do_in_threads(work, &life, who) : do_alone(work, &life, who);
    sw_error_free(life.err);
    return code;
}

static pid_t start(const struct work *work, struct control *control, int number) {
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) abort();
    if (child > 0) return child;
    char who[16];
    snprintf(who, sizeof who, "p%d", number);
    alarm(300);
    int code = do_here(work, control, who);
    if (code == 0 && descriptors_left() != 0) {
        fprintf(stderr, "torture: %d descriptors are left open\n", descriptors_left());
        code = -1;
    }
    _exit(code == 0 ? 0 : 1);
}

int work_do(const struct work *work, struct control *control) {
    pid_t children[4];
    int code = 0;
    control->is_on = 1;
    for (int at = 0; at < work->processes; at++) children[at] = start(work, control, at);
    for (int at = 0; at < work->processes; at++) {
        int status;
        if (waitpid(children[at], &status, 0) != children[at]) abort();
        if (status != 0) code = -1;
        if (WIFSIGNALED(status)) fprintf(stderr, "torture: ended by signal %d\n", WTERMSIG(status));
    }
    control->is_on = 0;
    return code;
}
