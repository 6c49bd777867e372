/* The power goes again while a process makes whole what the first loss left. */

#define _GNU_SOURCE
#include "sweep.h"

#include "smolwf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CUTS = 3, FIRST_NODE = 2 };

/* Appends a record; nobody else writes now. */
static void write_down(struct control *control, struct record record, const void *data,
                       size_t len) {
    uint64_t bytes = (sizeof record + len + 7) & ~(uint64_t)7;
    if (control->used + bytes > LOG_BYTES) abort();
    record.bytes = (uint32_t)bytes;
    record.length = (int64_t)len;
    memcpy(control->log + control->used, &record, sizeof record);
    memcpy(control->log + control->used + sizeof record, data, len);
    control->used += bytes;
}

static int file_named(const char *name) {
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, "-shm") == 0) return FILE_INDEX;
    if (len > 7 && strcmp(name + len - 7, "-smolwf") == 0) return FILE_SIDE;
    return FILE_COPY;
}

/* Has a file that is there stand on the disk of the record, under a node of its own. */
static void seed_file(struct control *control, const char *name, int at) {
    char path[FOLDER_BYTES_MAX + 258];
    static char bytes[16 << 20];
    snprintf(path, sizeof path, "%s/%s", control->folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) != 0 || facts.st_size > (off_t)sizeof bytes) abort();
    if (pread(fd, bytes, (size_t)facts.st_size, 0) != facts.st_size) abort();
    close(fd);
    struct name *entry = &control->names[at];
    *entry = (struct name){.node = ++control->nodes + FIRST_NODE - 1, .inode = facts.st_ino};
    if (strlen(name) >= sizeof entry->text) abort();
    strcpy(entry->text, name);
    struct record record = {
        .kind = RECORD_CREATE, .file = (uint16_t)file_named(name), .node = entry->node};
    write_down(control, record, name, strlen(name) + 1);
    record.kind = RECORD_WRITE;
    write_down(control, record, bytes, (size_t)facts.st_size);
    record.kind = RECORD_SYNCED;
    write_down(control, record, "", 0);
}

static void seed(struct control *control) {
    memset(control->names, 0, sizeof control->names);
    control->nodes = 0;
    DIR *list = opendir(control->folder);
    if (list == NULL) abort();
    int count = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') seed_file(control, entry->d_name, count++);
    }
    closedir(list);
    write_down(control, (struct record){.kind = RECORD_FOLDER_SYNCED}, "", 0);
}

/* Opens, works a little and closes, as the first process that comes after the loss. */
static void come_back(const struct control *control, uint32_t flags) {
    char path[FOLDER_BYTES_MAX + 32], id[SW_ID_CAP];
    snprintf(path, sizeof path, "%s/" STORE_NAME, control->folder);
    sw_store_options options = {.struct_size = sizeof options, .flags = flags};
    sw_store *store = NULL;
    uint32_t applied;
    if (sw_store_open(path, &options, &store, NULL) != SW_OK) return;
    if (sw_store_init(store, &applied, NULL) == SW_OK) {
        sw_run_submit(store, "back", SW_NTS, NULL, 0, NULL, id, sizeof id, NULL);
    }
    sw_store_close(store);
}

static void record_return(struct control *control, uint32_t flags) {
    fflush(stdout);
    control->is_on = 1;
    pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) {
        alarm(60);
        come_back(control, flags);
        _exit(0);
    }
    if (waitpid(child, NULL, 0) != child) abort();
    control->is_on = 0;
}

void cut_again(struct sweep *sweep, const struct disk *disk, const struct question *first,
               enum survivors survivors, uint64_t draw) {
    struct control *control = sweep->control;
    uint64_t mark = control->used;
    uint32_t calls = control->calls;
    control->fail_at = 0;
    folder_empty(control->folder);
    disk_lay(disk, survivors, draw, control->folder);
    seed(control);
    uint64_t returned = control->used;
    record_return(control, first->flags);
    struct story story = story_read(control, mark);
    int seeded = 0;
    while (seeded < story.len && (const char *)story.records[seeded] < control->log + returned) {
        seeded++;
    }
    for (int cut = 0; cut < CUTS && seeded < story.len; cut++) {
        int at = seeded + (int)(draw_next(&draw) % (uint64_t)(story.len - seeded));
        struct disk *after = disk_new();
        for (int place = 0; place <= at; place++) disk_apply(after, story.records[place], &draw);
        folder_empty(first->folder);
        disk_lay(after, (enum survivors)(draw_next(&draw) % SURVIVORS), draw_next(&draw),
                 first->folder);
        disk_free(after);
        struct question question = *first;
        question.is_worked_on = draw_next(&draw) % 10 == 0;
        judge(&question, sweep->verdict);
        sweep->cut_again++;
        sweep->facts += (uint64_t)sweep->verdict->facts;
        if (sweep->verdict->is_bad) break;
    }
    story_free(&story);
    control->used = mark;
    control->calls = calls;
}
