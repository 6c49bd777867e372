/* Lists the regular files below a folder, in the same order every time. */
#ifndef EXAMPLE_WALK_H
#define EXAMPLE_WALK_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WALK_PATH_CAP 4096 /* longer paths cannot be opened anyway */

struct tree {
    char **paths; /* "./src/lib.rs": relative to the root, sorted by bytes */
    size_t count, room;
    struct stat skipped; /* one folder that is left out, wherever it lies */
};

static void *walk_memory(void *memory, size_t size) {
    memory = realloc(memory, size);
    if (memory == NULL) {
        fputs("index_tree: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void tree_add(struct tree *tree, const char *path) {
    if (tree->count == tree->room) {
        tree->room = tree->room == 0 ? 256 : 2 * tree->room;
        tree->paths = walk_memory(tree->paths, tree->room * sizeof *tree->paths);
    }
    size_t size = strlen(path) + 1;
    tree->paths[tree->count++] = memcpy(walk_memory(NULL, size), path, size);
}

static int walk_is_skipped(const char *name) {
    static const char *const names[] = {".", "..", ".git", "target", "node_modules"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) return 1;
    }
    return 0;
}

/* Lists below the folder that `path`, a buffer of WALK_PATH_CAP bytes, names relative to the working
 * directory. A folder that cannot be opened is listed itself, so that its failure is recorded. */
static void tree_walk(struct tree *tree, char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        tree_add(tree, path);
        return;
    }
    size_t length = strlen(path);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        struct stat found;
        if (walk_is_skipped(entry->d_name)) continue;
        if (length + 1 + strlen(entry->d_name) >= WALK_PATH_CAP) continue;
        sprintf(path + length, "/%s", entry->d_name);
        if (lstat(path, &found) != 0) continue;
        int is_skipped =
            found.st_dev == tree->skipped.st_dev && found.st_ino == tree->skipped.st_ino;
        if (S_ISDIR(found.st_mode) && !is_skipped) tree_walk(tree, path);
        if (S_ISREG(found.st_mode)) tree_add(tree, path);
    }
    path[length] = '\0';
    closedir(folder);
}

static int walk_compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Lists the files below the working directory. */
static void tree_list(struct tree *tree) {
    char path[WALK_PATH_CAP] = ".";
    tree_walk(tree, path);
    if (tree->count > 0) qsort(tree->paths, tree->count, sizeof *tree->paths, walk_compare);
}

static void tree_free(struct tree *tree) {
    for (size_t i = 0; i < tree->count; i++) free(tree->paths[i]);
    free(tree->paths);
}

#endif
