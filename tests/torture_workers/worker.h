/* What the files of the worker in C share. */
#ifndef TORTURE_WORKER_H
#define TORTURE_WORKER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <smolwf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_CAP 96

extern _Thread_local sw_error *err;
extern atomic_bool is_stopping;
extern sw_store *store;
extern sw_stop *stop;

void pause_ms(long ms);
void print(char *out, size_t cap, const char *form, ...);
/* One fact, in one write. */
void note(const char *kind, const char *run, const char *name, unsigned attempt, const char *value);
void forget_error(void);
/* Whether a call that answered so is to be made again: the store is locked, or has no room. */
bool is_delayed(int32_t code);
/* Ends the process. */
void fail(const char *what);
/* What stands behind a key; where it was found, or NULL. All texts here are plain. */
const char *member(char *out, const char *document, const char *key);
/* Submits runs by the lines of a file, from one on, and does to them what stands there. */
void submit_all(const char *plans, int from);

#define PATIENTLY(code, call)                                                                      \
    do { (code) = (call); } while (is_delayed(code))

#endif
