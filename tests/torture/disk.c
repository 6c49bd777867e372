/* Durable bytes and names, and what waits for a sync, in its order. */

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

const char *const survivors_names[SURVIVORS] = {"nothing", "all",     "random", "sectors",
                                                "pages",   "but one", "sizes",  "names"};

/* One write, or one size where there are no bytes. */
struct change {
    int64_t offset;
    int64_t length;
    const char *data; /* in the record */
    int is_size;
};

struct image {
    char *bytes;
    int64_t size, room;
};

struct node {
    uint16_t file;
    struct image durable;
    struct change *waiting;
    int waiting_count, waiting_room;
};

enum { NODES_MAX = 4096, ENTRIES_MAX = 64, NAME_BYTES_MAX = 112, RENAMES_MAX = 1024 };

struct entry {
    char name[NAME_BYTES_MAX];
    uint32_t node;
};

struct entries {
    struct entry of[ENTRIES_MAX];
    int count;
};

struct change_of_names {
    int kind;
    uint32_t node;
    char name[NAME_BYTES_MAX], to[NAME_BYTES_MAX];
};

struct disk {
    struct node nodes[NODES_MAX];
    struct entries entries;
    struct change_of_names waiting[RENAMES_MAX];
    int waiting_count;
};

/* SplitMix64. */
uint64_t draw_next(uint64_t *draw) {
    uint64_t z = *draw += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t mixed(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t draw = a ^ (b << 40) ^ (c * 0x9E3779B97F4A7C15u);
    return draw_next(&draw);
}

static void *grown(void *from, size_t bytes) {
    void *to = realloc(from, bytes);
    if (to == NULL) abort();
    return to;
}

/* ---------------------------------------------------------------------------------------------- */
/* Bytes */

static void image_make_room(struct image *image, int64_t size) {
    if (size <= image->room) return;
    int64_t room = size * 2 + 4096;
    image->bytes = grown(image->bytes, (size_t)room);
    image->room = room;
}

static void image_set_size(struct image *image, int64_t size) {
    image_make_room(image, size);
    if (size > image->size) memset(image->bytes + image->size, 0, (size_t)(size - image->size));
    image->size = size;
}

static void image_write(struct image *image, int64_t offset, const char *data, int64_t length) {
    if (offset + length > image->size) image_set_size(image, offset + length);
    memcpy(image->bytes + offset, data, (size_t)length);
}

static void image_change(struct image *image, const struct change *change) {
    if (change->is_size) {
        image_set_size(image, change->offset);
    } else {
        image_write(image, change->offset, change->data, change->length);
    }
}

static void node_wait(struct node *node, struct change change) {
    if (node->waiting_count == node->waiting_room) {
        node->waiting_room = node->waiting_room * 2 + 16;
        node->waiting = grown(node->waiting, (size_t)node->waiting_room * sizeof *node->waiting);
    }
    node->waiting[node->waiting_count++] = change;
}

static void node_sync(struct node *node) {
    for (int at = 0; at < node->waiting_count; at++)
        image_change(&node->durable, &node->waiting[at]);
    node->waiting_count = 0;
}

/* What a failed sync leaves: any of it on the disk, the rest believed clean and brought by no later
 * sync; or all of it still to be brought. */
static void node_fail_sync(struct node *node, uint64_t *draw) {
    if (draw_next(draw) % 4 == 0) return;
    uint64_t kept_of_8 = draw_next(draw) % 5;
    for (int at = 0; at < node->waiting_count; at++) {
        int is_kept = node->waiting[at].is_size || draw_next(draw) % 8 < kept_of_8;
        if (is_kept) image_change(&node->durable, &node->waiting[at]);
    }
    node->waiting_count = 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Names */

static struct entry *entry_of(struct entries *entries, const char *name) {
    for (int at = 0; at < entries->count; at++) {
        if (strcmp(entries->of[at].name, name) == 0) return &entries->of[at];
    }
    return NULL;
}

static void entries_remove(struct entries *entries, const char *name) {
    struct entry *entry = entry_of(entries, name);
    if (entry != NULL) *entry = entries->of[--entries->count];
}

static void entries_set(struct entries *entries, const char *name, uint32_t node) {
    struct entry *entry = entry_of(entries, name);
    if (entry == NULL && entries->count == ENTRIES_MAX) abort();
    if (entry == NULL) entry = &entries->of[entries->count++];
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->node = node;
}

static void entries_change(struct entries *entries, const struct change_of_names *change) {
    switch (change->kind) {
    case RECORD_CREATE:
        entries_set(entries, change->name, change->node);
        break;
    case RECORD_UNLINK:
        entries_remove(entries, change->name);
        break;
    default:
        entries_remove(entries, change->name);
        entries_set(entries, change->to, change->node);
    }
}

static void names_wait(struct disk *disk, const struct record *record) {
    if (disk->waiting_count == RENAMES_MAX) abort();
    struct change_of_names *change = &disk->waiting[disk->waiting_count++];
    change->kind = record->kind;
    change->node = record->node;
    snprintf(change->name, sizeof change->name, "%s", DATA(record));
    const char *to = DATA(record) + strlen(DATA(record)) + 1;
    if (record->kind == RECORD_RENAME) snprintf(change->to, sizeof change->to, "%s", to);
}

static void names_sync(struct disk *disk) {
    for (int at = 0; at < disk->waiting_count; at++) {
        entries_change(&disk->entries, &disk->waiting[at]);
    }
    disk->waiting_count = 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The disk */

struct disk *disk_new(void) {
    struct disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL) abort();
    return disk;
}

void disk_free(struct disk *disk) {
    for (int at = 0; at < NODES_MAX; at++) {
        free(disk->nodes[at].durable.bytes);
        free(disk->nodes[at].waiting);
    }
    free(disk);
}

void disk_apply(struct disk *disk, const struct record *record, uint64_t *draw) {
    if (record->kind > RECORD_FOLDER_SYNCED) return;
    if (record->node >= NODES_MAX) abort();
    struct node *node = &disk->nodes[record->node];
    int is_of_folder = record->kind < RECORD_WRITE || record->file == FILE_FOLDER;
    switch (record->kind) {
    case RECORD_CREATE:
        node->file = record->file;
        names_wait(disk, record);
        break;
    case RECORD_UNLINK:
    case RECORD_RENAME:
        names_wait(disk, record);
        break;
    case RECORD_WRITE:
        if (record->length == 0) break;
        node_wait(node, (struct change){record->offset, record->length, DATA(record), 0});
        break;
    case RECORD_SIZE:
        node_wait(node, (struct change){record->offset, 0, NULL, 1});
        break;
    case RECORD_SYNCED:
        node_sync(node);
        break;
    case RECORD_FOLDER_SYNCED:
        names_sync(disk);
        break;
    case RECORD_SYNC_FAILED:
        if (is_of_folder) break; /* names still wait */
        node_fail_sync(node, draw);
        break;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Laying */

/* Lays what one unit of bytes came to: the changes of its file before some moment. */
static void lay_units(struct image *image, const struct node *node, int64_t unit, uint64_t seed) {
    uint64_t moments = (uint64_t)node->waiting_count + 1;
    uint64_t size_moment = mixed(seed, 7, 0) % moments;
    for (int at = 0; at < node->waiting_count; at++) {
        const struct change *change = &node->waiting[at];
        if (change->is_size) {
            if ((uint64_t)at < size_moment) image_change(image, change);
            continue;
        }
        for (int64_t from = 0, to; from < change->length; from = to) {
            int64_t place = change->offset + from, end = (place / unit + 1) * unit;
            to = end - change->offset < change->length ? end - change->offset : change->length;
            uint64_t moment = mixed(seed, 11, (uint64_t)(place / unit)) % moments;
            if ((uint64_t)at < moment) image_write(image, place, change->data + from, to - from);
        }
    }
}

static int survives(enum survivors survivors, uint64_t seed, int at, int count) {
    switch (survivors) {
    case SURVIVORS_NOTHING:
        return 0;
    case SURVIVORS_RANDOM:
        return mixed(seed, 3, (uint64_t)at) % 8 < 2 + seed % 5;
    case SURVIVORS_BUT_ONE:
        return at != (int)(mixed(seed, 5, 0) % (uint64_t)count);
    case SURVIVORS_SIZES:
        return mixed(seed, 13, (uint64_t)at) % 2 == 0;
    default:
        return 1;
    }
}

static void lay_changes(struct image *image, const struct node *node, enum survivors survivors,
                        uint64_t seed) {
    for (int at = 0; at < node->waiting_count; at++) {
        if (!survives(survivors, seed, at, node->waiting_count)) continue;
        image_change(image, &node->waiting[at]);
    }
}

/* The size of the file at some moment, whatever of its bytes came. */
static void lay_size(struct image *image, const struct node *node, uint64_t seed) {
    int64_t size = node->durable.size;
    uint64_t moment = mixed(seed, 17, 0) % ((uint64_t)node->waiting_count + 1);
    for (int at = 0; at < (int)moment; at++) {
        const struct change *change = &node->waiting[at];
        int64_t end = change->offset + change->length;
        size = change->is_size || end > size ? end : size;
    }
    image_set_size(image, size);
}

/* What is mapped comes to the disk whenever it likes. */
static void lay_mapped(struct image *image, uint64_t seed) {
    image_set_size(image, (int64_t[]){0, 4096, 32768, 3}[mixed(seed, 19, 0) % 4]);
    int is_noise = mixed(seed, 23, 0) % 2 == 0;
    for (int64_t at = 0; at + 8 <= image->size && is_noise; at += 8) {
        uint64_t noise = mixed(seed, 29, (uint64_t)at);
        memcpy(image->bytes + at, &noise, sizeof noise);
    }
}

static void lay_node(struct image *image, const struct node *node, enum survivors survivors,
                     uint64_t seed) {
    if (node->file == FILE_INDEX) {
        lay_mapped(image, seed);
        return;
    }
    /* The side file says in its first word what it is; one that is there has no other. */
    if (node->file == FILE_SIDE) {
        image_set_size(image, mixed(seed, 31, 0) % 2 == 0 ? 0 : 4096);
        return;
    }
    if (node->durable.size > 0) image_write(image, 0, node->durable.bytes, node->durable.size);
    if (survivors == SURVIVORS_SECTORS || survivors == SURVIVORS_PAGES) {
        lay_units(image, node, survivors == SURVIVORS_PAGES ? 4096 : 512, seed);
    } else {
        lay_changes(image, node, survivors, seed);
    }
    int is_apart = survivors == SURVIVORS_SIZES || (survivors == SURVIVORS_RANDOM && seed % 2 == 0);
    if (is_apart && node->waiting_count > 0) lay_size(image, node, seed);
}

static void lay_file(const char *folder, const char *name, const struct image *image) {
    char path[FOLDER_BYTES_MAX + NAME_BYTES_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) abort();
    for (int64_t at = 0; at < image->size;) {
        ssize_t done = write(fd, image->bytes + at, (size_t)(image->size - at));
        if (done <= 0) abort();
        at += done;
    }
    close(fd);
}

/* Names come in their order, up to a moment; apart from that order where names are what is tried. */
static struct entries entries_left(const struct disk *disk, enum survivors survivors,
                                   uint64_t seed) {
    struct entries entries = disk->entries;
    int count = disk->waiting_count;
    uint64_t moment = survivors == SURVIVORS_NOTHING ? 0 : (uint64_t)count;
    int is_mixed = survivors != SURVIVORS_NOTHING && survivors != SURVIVORS_ALL;
    if (is_mixed) moment = mixed(seed, 37, 0) % ((uint64_t)count + 1);
    for (int at = 0; at < count; at++) {
        int has_come = survivors == SURVIVORS_NAMES ? mixed(seed, 41, (uint64_t)at) % 2 == 0
                                                    : (uint64_t)at < moment;
        if (has_come) entries_change(&entries, &disk->waiting[at]);
    }
    return entries;
}

int disk_lay(const struct disk *disk, enum survivors survivors, uint64_t seed, const char *folder) {
    struct entries entries = entries_left(disk, survivors, seed);
    int in_doubt = disk->waiting_count;
    for (int at = 0; at < entries.count; at++) {
        const struct node *node = &disk->nodes[entries.of[at].node];
        struct image image = {0};
        lay_node(&image, node, survivors, mixed(seed, 43, entries.of[at].node));
        lay_file(folder, entries.of[at].name, &image);
        free(image.bytes);
        in_doubt += node->waiting_count;
    }
    return in_doubt;
}
