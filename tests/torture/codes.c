#define _GNU_SOURCE
#include "codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FUNCTIONS_MAX = 256, CONSTANTS_MAX = 512, CODES_MAX = 64 };

struct codes {
    int32_t of[CODES_MAX];
    int len;
};

static struct function {
    char name[64];
    const char *class;
    struct codes codes;
    int is_called;
} functions[FUNCTIONS_MAX];
static int functions_len;

static struct constant {
    char name[64];
    int32_t value;
} constants[CONSTANTS_MAX];
static int constants_len;

/* Each has what those before it have. */
static const char *const classes[] = {"any", "reading", "sweeping", "writing"};
enum { CLASSES = sizeof classes / sizeof *classes };
static struct codes shared_codes[CLASSES];

/* ---------------------------------------------------------------------------------------------- */
/* The header */

static char *text_in(const char *path) {
    FILE *file = fopen(path, "r");
    static char text[1 << 20];
    if (file == NULL) abort();
    size_t len = fread(text, 1, sizeof text - 1, file);
    if (len == sizeof text - 1) abort();
    fclose(file);
    return text;
}

static void read_constants(const char *text) {
    for (const char *at = text; (at = strstr(at, "#define SW_")) != NULL; at++) {
        struct constant *constant = &constants[constants_len];
        int value;
        if (sscanf(at, "#define %63s %d", constant->name, &value) != 2) continue;
        constant->value = value;
        if (++constants_len == CONSTANTS_MAX) abort();
    }
}

static const struct constant *constant_at(const char *word) {
    size_t len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    for (int at = 0; at < constants_len; at++) {
        if (strlen(constants[at].name) == len && strncmp(constants[at].name, word, len) == 0) {
            return &constants[at];
        }
    }
    abort();
}

static int codes_find(const struct codes *codes, int32_t code) {
    for (int at = 0; at < codes->len; at++) {
        if (codes->of[at] == code) return at;
    }
    return -1;
}

static void codes_add(struct codes *codes, int32_t code) {
    if (codes_find(codes, code) >= 0) return;
    if (codes->len == CODES_MAX) abort();
    codes->of[codes->len++] = code;
}

static void codes_take(struct codes *codes, int32_t code) {
    int at = codes_find(codes, code);
    if (at >= 0) codes->of[at] = codes->of[--codes->len];
}

/* Does something with each code named between two places. */
static void for_codes(struct codes *codes, const char *from, const char *to, const char *before,
                      void (*act)(struct codes *codes, int32_t code)) {
    for (const char *at = from; (at = strstr(at, before)) != NULL && at < to; at++) {
        act(codes, constant_at(at + strlen(before) - strlen("SW_"))->value);
    }
}

/* The section of the first page: a line or some for each class. */
static void read_classes(const char *text) {
    const char *at = strstr(text, "\n * SHARED CODES\n");
    for (int class = 0; class < CLASSES; class++) {
        char begin[32];
        snprintf(begin, sizeof begin, "\n * %s  ", classes[class]);
        if (at == NULL || (at = strstr(at, begin)) == NULL) abort();
        const char *end = at + 4;
        while (*end != '\0' && strncmp(end, "\n * ", 4) != 0 && strncmp(end, "\n *\n", 4) != 0)
            end++;
        while (strncmp(end, "\n *   ", 6) == 0) end += strcspn(end + 1, "\n") + 1;
        if (class > 0) shared_codes[class] = shared_codes[class - 1];
        for_codes(&shared_codes[class], at, end, "SW_", codes_add);
    }
}

static void read_shared(struct function *function, const char *comment, const char *end) {
    const char *also = strstr(comment, "Also what any ");
    function->class = "";
    if (also == NULL || also > end) return;
    int class = 0;
    while (class < CLASSES && strncmp(also + 14, classes[class], strlen(classes[class])) != 0)
        class++;
    if (class == CLASSES) class = 0; /* "any call" */
    function->class = classes[class];
    for (int at = 0; at < shared_codes[class].len; at++) {
        codes_add(&function->codes, shared_codes[class].of[at]);
    }
    const char *colon = strchr(also, ':');
    if (colon != NULL && colon < end) for_codes(&function->codes, also, colon, "SW_", codes_take);
}

static void read_function(const char *comment, const char *end, const char *code) {
    struct function *function = &functions[functions_len];
    if (sscanf(code, "int32_t %63[a-z_0-9](", function->name) != 1) return;
    if (++functions_len == FUNCTIONS_MAX) abort();
    read_shared(function, comment, end);
    for_codes(&function->codes, comment, end, "\\retval SW_", codes_add);
}

void codes_read(const char *header) {
    const char *text = text_in(header);
    read_constants(text);
    read_classes(text);
    for (const char *at = text; (at = strstr(at, "/**\n")) != NULL;) {
        const char *end = strstr(at, "*/\n");
        if (end == NULL) abort();
        read_function(at, end, end + 3);
        at = end;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls */

static struct function *find(const char *name) {
    for (int at = 0; at < functions_len; at++) {
        if (strcmp(functions[at].name, name) == 0) return &functions[at];
    }
    return NULL;
}

int codes_have(const char *name, int32_t code) {
    const struct function *function = find(name);
    return function != NULL && codes_find(&function->codes, code) >= 0;
}

int codes_is_of_writing(const char *name) {
    const struct function *function = find(name);
    return function != NULL && strcmp(function->class, "writing") == 0;
}

void codes_note_called(const char *name) {
    struct function *function = find(name);
    if (function != NULL) function->is_called = 1;
}

/* What writes or may sweep; and those that stand for themselves. */
static int is_writing(const struct function *function) {
    return strcmp(function->class, "writing") == 0 || strcmp(function->class, "sweeping") == 0 ||
           strcmp(function->name, "sw_store_open") == 0 ||
           strcmp(function->name, "sw_store_backup") == 0;
}

int codes_tell_called(void) {
    int all = 0, called = 0;
    for (int at = 0; at < functions_len; at++) {
        if (!is_writing(&functions[at])) continue;
        all++;
        called += functions[at].is_called;
        if (!functions[at].is_called) printf("never called: %s\n", functions[at].name);
    }
    printf("%d of %d writing functions are called\n", called, all);
    return all == called && all > 40 ? 0 : -1;
}
