/* The chapter of a move: the store goes into another file of the folder, with a run in the midst of its
 * work, and the chapters that follow go on there. */

#include "chapters.h"

#include <stdio.h>
#include <string.h>

static int open_other(struct life *life, const char *path, sw_store **other) {
    sw_store_options options = {.struct_size = sizeof options,
                                .flags = life->flags,
                                .durability = life->durability,
                                .busy_timeout_ms = 20000};
    uint32_t applied;
    MUST(life, SW_OK, sw_store_open, path, &options, other, &life->err);
    MUST(life, SW_OK, sw_store_init, *other, &applied, &life->err);
    return 0;
}

static int move_into(struct life *life, sw_store *other) {
    /* A store that moves has a mark of it among its migrations. */
    expect(life, "*", "SELECT max(id) FROM sw_migrations");
    life->is_process = 0;
    life->is_moving = 1;
    MUST(life, SW_OK, sw_store_graduate, life->store, other, NULL, 0, text_of(life), &life->err);
    life->is_moving = 0;
    return 0;
}

/* Goes on with a move that was begun, and then in the other store, where what was held is given back. */
static int move(struct life *life) {
    char path[FOLDER_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/" MOVED_NAME, life->folder);
    if (strcmp(path, life->path) != 0) {
        sw_store *other = NULL;
        int done = open_other(life, path, &other);
        if (done == 0) done = move_into(life, other);
        sw_store_close(other);
        if (done < 0) return -1;
    }
    life_close(life);
    memcpy(life->path, path, sizeof path);
    return life_open(life);
}

static int play_move(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run"), *idle = own(life, 2, "idle");
    const char *other = own(life, 3, "other");
    char id[SW_ID_CAP];
    if (life->is_moving) PART(move(life));
    PART(submit(life, idle, other, NULL, id));
    PART(submit(life, key, queue, "[1,2]", id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "before", "1"));
    if (begin(life, attempt, "cut off", SW_OK) == NULL) return -1;
    PART(move(life));
    if ((attempt = claim(life, queue)) == NULL) return -1;
    if (begin(life, attempt, "before", SW_REPLAYED) == NULL) return -1;
    PART(finish(life, attempt, key, "2"));
    if ((attempt = claim(life, other)) == NULL) return -1;
    return finish(life, attempt, idle, NULL);
}

const struct chapter chapters_of_moves[] = {{"move", play_move}, {NULL, NULL}};
