/*
 * Stands before the library and keeps the documents that it writes, for the C programs, which are linked
 * with this, and for the clients, which load it in the library's place (scripts/kept.sh): with
 * SW_DOCUMENTS, each is appended to that file. What is kept is held to docs/schemas, and tests/c.rs
 * holds that no call which answers with a document is left out here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <smolwf.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is longer holds a long payload, and looks like a shorter one. */
#define KEPT_BYTES_MAX 65536

/*
 * One write for each document, so that those of threads and processes do not mix. A kill can cut it
 * short: so it begins with the end of a line, and says at its own end that it is whole.
 */
static void keep(const char *file, const char *shape, const char *text, size_t len) {
    static const char whole[] = "\t.";
    char line[KEPT_BYTES_MAX + 64];
    size_t used = (size_t)snprintf(line, sizeof line, "\n%s\t", shape);
    for (size_t at = 0; at < len; at++)
        line[used++] = text[at] == '\n' || text[at] == '\r' ? ' ' : text[at];
    memcpy(line + used, whole, sizeof whole - 1);
    used += sizeof whole - 1;
    const int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, used) != (ssize_t)used) {
        perror(file);
        abort();
    }
    close(fd);
}

/* Keeps a text of this shape if the code says that there is one; returns the code. */
static int32_t kept(const char *shape, int32_t code, sw_text *const *out) {
    const char *file = getenv("SW_DOCUMENTS");
    if (code < 0 || file == NULL || out == NULL || *out == NULL) return code;
    size_t len = 0;
    const char *text = sw_text_data(*out, &len);
    if (len <= KEPT_BYTES_MAX) keep(file, shape, text, len);
    return code;
}

#define STORE sw_store *store
#define ATTEMPT sw_attempt *attempt
#define IN(text) const char *text, size_t text##_len
#define AS(text) text, text##_len
#define OUT sw_text **out, sw_error **err

/* The shape of what it answers, the call, its parameters, and how they are handed on. */
/* clang-format off */
#define CALLS(CALL)                                                                               \
    CALL(run, sw_run_get, (STORE, IN(run_id), OUT), (store, AS(run_id), out, err))                \
    CALL(run, sw_run_wait, (STORE, IN(run_id), int64_t timeout_ms, sw_stop *stop, OUT),           \
         (store, AS(run_id), timeout_ms, stop, out, err))                                         \
    CALL(history, sw_run_history, (STORE, IN(run_id), IN(cursor), uint32_t limit, OUT),           \
         (store, AS(run_id), AS(cursor), limit, out, err))                                        \
    CALL(runs, sw_run_list, (STORE, IN(filter), IN(cursor), uint32_t limit, OUT),                 \
         (store, AS(filter), AS(cursor), limit, out, err))                                        \
    CALL(acted, sw_run_act_many, (STORE, IN(action), IN(filter), uint32_t limit, OUT),            \
         (store, AS(action), AS(filter), limit, out, err))                                        \
    CALL(pruned, sw_store_prune, (STORE, IN(filter), uint32_t limit, OUT),                        \
         (store, AS(filter), limit, out, err))                                                    \
    CALL(compacted, sw_store_compact, (STORE, uint32_t pages_max, OUT),                           \
         (store, pages_max, out, err))                                                            \
    CALL(retention, sw_retention_get, (STORE, OUT), (store, out, err))                            \
    CALL(carried_tree, sw_run_export, (STORE, IN(run_id), IN(options), OUT),                      \
         (store, AS(run_id), AS(options), out, err))                                              \
    CALL(imported, sw_run_import, (STORE, IN(document), IN(options), OUT),                        \
         (store, AS(document), AS(options), out, err))                                            \
    CALL(graduate, sw_store_graduate, (STORE, sw_store *to, IN(options), OUT),                    \
         (store, to, AS(options), out, err))                                                      \
    CALL(events, sw_event_read, (STORE, int64_t after_seq, IN(run_id), uint32_t limit, OUT),      \
         (store, after_seq, AS(run_id), limit, out, err))                                         \
    CALL(events_found, sw_event_wait, (STORE, int64_t after_seq, IN(filter),                      \
          uint32_t limit, int64_t timeout_ms, sw_stop *stop, OUT),                                \
         (store, after_seq, AS(filter), limit, timeout_ms, stop, out, err))                       \
    CALL(explanation, sw_run_explain, (STORE, IN(run_id), OUT), (store, AS(run_id), out, err))    \
    CALL(stats, sw_store_stats, (STORE, OUT), (store, out, err))                                  \
    CALL(queues, sw_queue_list, (STORE, OUT), (store, out, err))                                  \
    CALL(owners, sw_owner_list, (STORE, OUT), (store, out, err))                                  \
    CALL(budget, sw_budget_get, (STORE, IN(run_id), OUT), (store, AS(run_id), out, err))          \
    CALL(check, sw_store_check, (STORE, OUT), (store, out, err))                                  \
    CALL(migrations, sw_store_migrations, (STORE, OUT), (store, out, err))                        \
    CALL(schedules, sw_schedule_list, (STORE, OUT), (store, out, err))                            \
    CALL(submitted, sw_run_submit_many, (STORE, IN(items), OUT), (store, AS(items), out, err))    \
    CALL(submitted, sw_child_submit_many, (ATTEMPT, IN(items), OUT),                              \
         (attempt, AS(items), out, err))                                                          \
    CALL(rows, sw_query, (STORE, IN(sql), IN(params), IN(options), OUT),                          \
         (store, AS(sql), AS(params), AS(options), out, err))                                     \
    CALL(script_results, sw_tx_run, (STORE, ATTEMPT, sw_step *step, IN(script), OUT),             \
         (store, attempt, step, AS(script), out, err))                                            \
    CALL(came, sw_await_any, (ATTEMPT, IN(name), IN(waits), int64_t timeout_ms, OUT),             \
         (attempt, AS(name), AS(waits), timeout_ms, out, err))                                    \
    CALL(came_all, sw_await_all, (ATTEMPT, IN(name), IN(waits), int64_t timeout_ms, OUT),         \
         (attempt, AS(name), AS(waits), timeout_ms, out, err))
/* clang-format on */

#define FORM(shape, name, params, args)                                                            \
    static int32_t(*real_##name) params;                                                           \
    int32_t name params { return kept(#shape, real_##name args, out); }
CALLS(FORM)

#define FIND(shape, name, params, args) *(void **)&real_##name = dlsym(library, #name);

/* Once, when this is loaded: a fork while another thread looks something up would hold that for ever. */
__attribute__((constructor)) static void find_calls(void) {
    void *library = dlopen("libsmolwf.so.0", RTLD_LAZY);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        abort();
    }
    CALLS(FIND)
}
