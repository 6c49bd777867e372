/* SQLite's memory runs out. Rust's does not: a program of Rust that gets none for a text of a few bytes
 * ends, by the language's own rule, and so would this library. Which of the two asks is told by the place
 * that it asks from: all of SQLite goes through one function. */

#define _GNU_SOURCE
#include "layer.h"

#include <stdlib.h>

/* The C library's own, beneath whatever stands before it. */
void *__libc_malloc(size_t bytes);

void *malloc(size_t bytes) {
    const void *from = __builtin_return_address(0);
    if (control == NULL) return __libc_malloc(bytes);
    if (bytes >= MEMORY_KNOWN_BY && bytes < MEMORY_KNOWN_BY + 64) control->sqlite_asks_from = from;
    int counts = control->is_on && control->memory_fails && from == control->sqlite_asks_from;
    if (!counts) return __libc_malloc(bytes);
    uint64_t number = __atomic_add_fetch(&control->memory_asked, 1, __ATOMIC_SEQ_CST);
    if (number != control->memory_fails_at) return __libc_malloc(bytes);
    control->failed_operation = OPERATION_MEMORY;
    control->failed_error = ENOMEM;
    control->failed_place = control->used;
    __atomic_store_n(&control->has_failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return NULL;
}
