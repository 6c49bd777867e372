/*
 * The table of misuse: every function of the header that takes an object has a row, which calls it
 * on a given object, all else being right. Rows stand in misuse/<topic>.c; misuse.c hands them NULL,
 * handles of the wrong kind and memory that is no handle.
 */
#ifndef SMOLWF_TESTS_MISUSE_H
#define SMOLWF_TESTS_MISUSE_H

#include "support.h"

enum kind { STORE, ATTEMPT, STEP, TEXT, ERROR, STOP, WATCH, KINDS };

/* One living object of each kind. */
extern void *living[KINDS];

/* Notes that a function stands in the table. */
void cover(const char *function);

/* The call, noted as covered. */
#define CALL(function, ...) (cover(#function), function(__VA_ARGS__))

/* What a function that gives no code answers in its place. */
#define NO_CODE 1000

struct object_call {
    const char *function;
    enum kind kind;
    int32_t (*call)(void *object, sw_error **err);
    struct object_call *next;
};

void add_object_call(struct object_call *call);

/* A call of the function on `object`, all else being right; it checks its outputs itself. */
#define ON(object_kind, function)                                                                  \
    static int32_t on_##function(void *object, sw_error **err);                                    \
    __attribute__((constructor)) static void add_##function(void) {                                \
        static struct object_call call = {#function, object_kind, on_##function, NULL};            \
        add_object_call(&call);                                                                    \
    }                                                                                              \
    static int32_t on_##function(void *object, sw_error **err)

/* Checks that a text output was set to NULL, and passes the code on. */
int32_t with_text_set_to_null(int32_t code, const sw_text *text);
/* Checks that a view of a wrong object is NULL and empty. */
int32_t no_view(const char *view, size_t len);
int32_t no_number(int64_t number);

#define ON_VIEW(kind, function)                                                                    \
    ON(kind, function) {                                                                           \
        size_t len = 77;                                                                           \
        (void)err;                                                                                 \
        CHECK(function(object, NULL) == NULL);                                                     \
        const char *view = function(object, &len);                                                 \
        return no_view(view, len);                                                                 \
    }

#define ON_NUMBER(kind, function)                                                                  \
    ON(kind, function) {                                                                           \
        (void)err;                                                                                 \
        return no_number((int64_t)function(object));                                               \
    }

#define ON_FREE(kind, function)                                                                    \
    ON(kind, function) {                                                                           \
        (void)err;                                                                                 \
        function(object);                                                                          \
        return NO_CODE;                                                                            \
    }

/*
 * A function that gives an object or a text: NULL in place of that output is misuse. The rows are
 * called on the living objects by misuse.c.
 */
struct output_call {
    const char *function;
    int32_t (*call)(sw_error **err);
    struct output_call *next;
};

void add_output_call(struct output_call *call);

#define WITHOUT_OUTPUT(name)                                                                       \
    static int32_t without_##name(sw_error **err);                                                 \
    __attribute__((constructor)) static void add_without_##name(void) {                            \
        static struct output_call call = {#name, without_##name, NULL};                            \
        add_output_call(&call);                                                                    \
    }                                                                                              \
    static int32_t without_##name(sw_error **err)

/*
 * A function that writes an id: room below SW_ID_CAP is refused before anything is done, and so is
 * NULL. The row gives it `cap` bytes at `out_id`.
 */
struct id_call {
    const char *function;
    int32_t (*call)(char *out_id, size_t cap, sw_error **err);
    struct id_call *next;
};

void add_id_call(struct id_call *call);

#define WITH_ROOM(name)                                                                            \
    static int32_t with_room_##name(char *out_id, size_t cap, sw_error **err);                     \
    __attribute__((constructor)) static void add_with_room_##name(void) {                          \
        static struct id_call call = {#name, with_room_##name, NULL};                              \
        add_id_call(&call);                                                                        \
    }                                                                                              \
    static int32_t with_room_##name(char *out_id, size_t cap, sw_error **err)

#endif
