#define _GNU_SOURCE
#include "judge.h"

#include "codes.h"
#include "smolwf.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void *shared(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    return memory;
}

void folder_empty(const char *folder) {
    DIR *list = opendir(folder);
    if (list == NULL) abort();
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') unlinkat(dirfd(list), entry->d_name, 0);
    }
    closedir(list);
}

static void bad(struct verdict *verdict, const char *form, ...)
    __attribute__((format(printf, 2, 3)));

static void bad(struct verdict *verdict, const char *form, ...) {
    if (verdict->is_bad) return;
    verdict->is_bad = 1;
    va_list rest;
    va_start(rest, form);
    vsnprintf(verdict->words, sizeof verdict->words, form, rest);
    va_end(rest);
}

static void bad_answer(struct verdict *verdict, const char *what, int32_t code, sw_error *err) {
    bad(verdict, "%s answers %s: %s", what, sw_code_name(code),
        err == NULL ? "" : sw_error_message(err));
}

/* ---------------------------------------------------------------------------------------------- */
/* Looking */

static sw_store *opened(const char *path, uint32_t flags, struct verdict *verdict) {
    sw_store_options options = {
        .struct_size = sizeof options, .flags = flags, .busy_timeout_ms = 20000};
    sw_store *store = NULL;
    sw_error *err = NULL;
    int32_t code = sw_store_open(path, &options, &store, &err);
    if (code != SW_OK) bad_answer(verdict, "open", code, err);
    sw_error_free(err);
    return store;
}

/* Answers the rows of a query as the document has them, or NULL. */
static char *rows_of(sw_store *store, const char *sql, struct verdict *verdict) {
    sw_text *text = NULL;
    sw_error *err = NULL;
    int32_t code =
        sw_query(store, sql, SW_NTS, NULL, 0, "{\"rows_max\":10000}", SW_NTS, &text, &err);
    char *rows = NULL;
    if (code == SW_OK) {
        size_t len;
        const char *document = sw_text_data(text, &len);
        const char *from = strstr(document, "\"rows\":"),
                   *to = document + len - strlen(",\"more\":false}");
        if (from != NULL && strcmp(to, ",\"more\":false}") == 0) {
            rows = strndup(from + strlen("\"rows\":"), (size_t)(to - from) - strlen("\"rows\":"));
        } else if (verdict != NULL) {
            bad(verdict, "%s has more rows than are asked for", sql);
        }
    } else if (verdict != NULL) {
        bad_answer(verdict, sql, code, err);
    }
    sw_text_free(text);
    sw_error_free(err);
    return rows;
}

static uint64_t mixed_in(uint64_t digest, const char *text) {
    for (; *text != '\0'; text++) digest = (digest ^ (unsigned char)*text) * 0x100000001B3u;
    return digest;
}

/* Of every row of every table, in the order in which they stand. */
static uint64_t digest_of(sw_store *store, struct verdict *verdict) {
    int64_t version = 0, newest = 0;
    sw_store_schema_version(store, &version, &newest, NULL);
    if (version != newest) return (uint64_t)version;
    char *names = rows_of(
        store,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        verdict);
    if (names == NULL) return 1;
    uint64_t digest = mixed_in(0xCBF29CE484222325u, names);
    char *rest = NULL;
    for (char *name = strtok_r(names, "[],\"", &rest); name != NULL;
         name = strtok_r(NULL, "[],\"", &rest)) {
        char sql[160];
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", name);
        char *rows = rows_of(store, sql, verdict);
        if (rows == NULL) bad(verdict, "%s cannot be read", name);
        digest = mixed_in(digest, rows == NULL ? "" : rows);
        free(rows);
    }
    free(names);
    return digest;
}

static void look_through(sw_store *store, const char *what, struct verdict *verdict) {
    sw_text *text = NULL;
    sw_error *err = NULL;
    int32_t code = sw_store_check(store, &text, &err);
    if (code != SW_OK) {
        bad_answer(verdict, what, code, err);
    } else if (strncmp(sw_text_data(text, NULL), "{\"ok\":true", 10) != 0) {
        bad(verdict, "%s: %s", what, sw_text_data(text, NULL));
    }
    sw_text_free(text);
    sw_error_free(err);
}

static int init(sw_store *store, struct verdict *verdict) {
    uint32_t applied;
    sw_error *err = NULL;
    int32_t code = sw_store_init(store, &applied, &err);
    if (code != SW_OK) bad_answer(verdict, "init", code, err);
    sw_error_free(err);
    return code == SW_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* Facts */

/* Whether a call that a fact is of may have been done: it had begun, and what it answered leaves that
 * open. */
static int may_be_done(const struct call *call, int at) {
    if (call->begin > at) return 0;
    if (call->answer < 0 || call->answer > at || call->code >= 0) return 1;
    switch (call->code) {
    case SW_ERR_IO:
    case SW_ERR_FULL:
    case SW_ERR_WAL_LOST:
    case SW_ERR_POISONED:
    case SW_ERR_CANCELLED:
        return 1;
    default:
        return 0;
    }
}

/* Whether what is found under a fact's query is what it says, or what a later call may have made of it. */
static int is_met(const struct question *question, int fact, const char *found) {
    const struct story *story = question->story;
    const char *sql = story->facts[fact].sql;
    for (int at = fact; at < story->facts_len; at++) {
        const struct fact *it = &story->facts[at];
        int is_allowed = at == fact || may_be_done(&story->calls[it->call], question->at);
        int is_found = strcmp(it->value, found) == 0 || strcmp(it->value, "[[*]]") == 0;
        if (strcmp(it->sql, sql) == 0 && is_allowed && is_found) return 1;
    }
    return 0;
}

/* Whether a later call has surely made something else of a fact. */
static int is_over(const struct question *question, int fact) {
    const struct story *story = question->story;
    for (int at = fact + 1; at < story->facts_len; at++) {
        const struct fact *it = &story->facts[at];
        if (strcmp(it->sql, story->facts[fact].sql) == 0 &&
            story_is_safe(story, it->call, question->at, question->is_kill)) {
            return 1;
        }
    }
    return 0;
}

static void look_for_copy(const struct question *question, const struct fact *fact,
                          struct verdict *verdict) {
    char path[FOLDER_BYTES_MAX + 128];
    snprintf(path, sizeof path, "%s/%s", question->folder, fact->sql);
    int must_be = story_is_safe(question->story, fact->call, question->at, question->is_kill);
    if (access(path, F_OK) != 0) {
        if (must_be) bad(verdict, "the copy %s is lost", fact->sql);
        return;
    }
    sw_store *copy = opened(path, question->flags | SW_OPEN_NO_CREATE, verdict);
    if (copy != NULL) look_through(copy, fact->sql, verdict);
    sw_store_close(copy);
}

/* Whether what is found is what a call said that it has not done, and no other call. */
static int is_done_after_all(const struct question *question, int fact, const char *found) {
    const struct story *story = question->story;
    const struct fact *it = &story->facts[fact];
    const struct call *call = &story->calls[it->call];
    int is_telling = strcmp(found, "[]") != 0 && strcmp(found, "[[0]]") != 0;
    int is_refused = call->answer >= 0 && call->answer <= question->at &&
                     call->code <= SW_ERR_BUSY && !may_be_done(call, question->at) &&
                     codes_is_of_writing(call->function);
    if (!is_refused || !is_telling || strcmp(it->value, found) != 0) return 0;
    for (int at = 0; at < story->facts_len; at++) {
        const struct fact *other = &story->facts[at];
        if (at != fact && strcmp(other->sql, it->sql) == 0) return 0;
    }
    return 1;
}

/* Whether a fact is one of a table that the play makes, and the call that made it is lost. */
static int is_of_lost_table(const struct fact *fact, sw_store *store, struct verdict *verdict) {
    if (strstr(fact->sql, "FROM host") == NULL) return 0;
    char *count = rows_of(store, "SELECT count(*) FROM sqlite_schema WHERE name = 'host'", verdict);
    int is_lost = count != NULL && strcmp(count, "[[0]]") == 0;
    free(count);
    return is_lost;
}

static void look_for_undone(const struct question *question, sw_store *store,
                            struct verdict *verdict) {
    const struct story *story = question->story;
    for (int at = 0; at < story->facts_len && !verdict->is_bad; at++) {
        const struct fact *fact = &story->facts[at];
        const struct call *call = &story->calls[fact->call];
        if (call->code > SW_ERR_BUSY || strcmp(fact->value, "[[copy]]") == 0) continue;
        if (is_of_lost_table(fact, store, verdict)) continue;
        char *found = rows_of(store, fact->sql, verdict);
        if (found != NULL && is_done_after_all(question, at, found)) {
            bad(verdict, "%s answered %s, but %s finds %s", call->function,
                sw_code_name(call->code), fact->sql, found);
        }
        free(found);
    }
}

static void look_for_facts(const struct question *question, sw_store *store,
                           struct verdict *verdict) {
    const struct story *story = question->story;
    for (int at = 0; at < story->facts_len && !verdict->is_bad; at++) {
        const struct fact *fact = &story->facts[at];
        if (strcmp(fact->value, "[[copy]]") == 0) {
            look_for_copy(question, fact, verdict);
            continue;
        }
        int must_be = story_is_safe(story, fact->call, question->at, question->is_kill);
        if (!must_be || is_over(question, at)) continue;
        char *found = rows_of(store, fact->sql, verdict);
        verdict->facts++;
        if (found != NULL && !is_met(question, at, found)) {
            bad(verdict, "%s answered, but %s finds %s, not %s", story->calls[fact->call].function,
                fact->sql, found, fact->value);
        }
        free(found);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Going on */

/* Claims what is there and brings it to an end, whatever it waits for. */
static int work_off(sw_store *store, const char *queue, struct verdict *verdict) {
    int count = 0;
    for (; count < 60; count++) {
        sw_attempt *attempt = NULL;
        sw_step *step = NULL;
        sw_error *err = NULL;
        int32_t code = sw_run_claim(store, queue, SW_NTS, NULL, &attempt, &err);
        if (code < 0) bad_answer(verdict, "claim", code, err);
        sw_error_free(err);
        if (code != SW_OK) return count;
        code = sw_step_begin(attempt, "after", SW_NTS, NULL, 0, NULL, &step, &err);
        if (code == SW_OK) code = sw_step_complete(step, "1", SW_NTS, &err);
        if (code < 0 && code != SW_ERR_CANCELLED) bad_answer(verdict, "step", code, err);
        sw_error_free(err);
        code = sw_attempt_complete(attempt, "1", SW_NTS, &err);
        if (code < 0 && code != SW_ERR_CANCELLED) bad_answer(verdict, "complete", code, err);
        sw_error_free(err);
        sw_step_free(step);
        sw_attempt_free(attempt);
    }
    return count;
}

static void work_on(sw_store *store, struct verdict *verdict) {
    char *queues = rows_of(store, "SELECT DISTINCT queue FROM sw_workflow_lanes", verdict);
    char *rest = NULL;
    for (char *queue = queues == NULL ? NULL : strtok_r(queues, "[],\"", &rest); queue != NULL;
         queue = strtok_r(NULL, "[],\"", &rest)) {
        work_off(store, queue, verdict);
    }
    free(queues);
    char id[SW_ID_CAP];
    sw_error *err = NULL;
    sw_submit_options options = {
        .struct_size = sizeof options, .queue = "after", .queue_len = SW_NTS};
    int32_t code = sw_run_submit(store, "after", SW_NTS, NULL, 0, &options, id, sizeof id, &err);
    if (code != SW_OK) bad_answer(verdict, "submit", code, err);
    sw_error_free(err);
    if (work_off(store, "after", verdict) != 1) bad(verdict, "a new run is not claimed once");
}

/* ---------------------------------------------------------------------------------------------- */

static sw_store *opened_as(const struct question *question, const char *name,
                           struct verdict *verdict) {
    char path[FOLDER_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", question->folder, name);
    return opened(path, question->flags, verdict);
}

/* Whether a move has begun that far that there is a file for it. */
static int has_moved_file(const struct question *question) {
    char path[FOLDER_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/" MOVED_NAME, question->folder);
    return access(path, F_OK) == 0;
}

static int is_moved(sw_store *store) {
    uint32_t applied;
    return sw_store_init(store, &applied, NULL) == SW_ERR_MOVED;
}

/* Brings a move to its end, or takes it back. */
static void move_on(sw_store *store, sw_store *other, const char *options,
                    struct verdict *verdict) {
    sw_text *text = NULL;
    sw_error *err = NULL;
    int32_t code = sw_store_graduate(store, other, options, SW_NTS, &text, &err);
    if (code != SW_OK) bad_answer(verdict, options, code, err);
    sw_text_free(text);
    sw_error_free(err);
}

/* A store that is being moved into is not in force while the one that is moved is. */
static void look_at_other(sw_store *other, struct verdict *verdict) {
    char *count = rows_of(other, "SELECT count(*) FROM sw_workflow_runs", NULL);
    if (count != NULL && strcmp(count, "[[0]]") != 0)
        bad(verdict, "both stores are in force: the other one has %s runs", count);
    free(count);
}

/* Answers the store that is in force: the one that was made, or the one that it was moved into. Where
 * there is to be more work, a move that was cut off is taken up, or taken back. */
static sw_store *opened_in_force(const struct question *question, struct verdict *verdict) {
    sw_store *store = opened_as(question, STORE_NAME, verdict);
    if (store == NULL || !has_moved_file(question)) return store;
    sw_store *other = opened_as(question, MOVED_NAME, verdict);
    int is_over = is_moved(store);
    if (other != NULL && !is_over) look_at_other(other, verdict);
    if (other != NULL && is_over) move_on(store, other, "{}", verdict);
    sw_store_close(is_over ? store : other);
    return is_over ? other : store;
}

/* Has a move that was cut off go on to its end, or taken back, and answers the store in force then. */
static sw_store *moved_on(const struct question *question, sw_store *store,
                          struct verdict *verdict) {
    if (!has_moved_file(question) || strstr(sw_store_path(store), MOVED_NAME) != NULL) return store;
    sw_store *other = opened_as(question, MOVED_NAME, verdict);
    if (other == NULL || !init(other, verdict)) return store;
    int is_taken_back = verdict->digest % 2 == 0;
    move_on(store, other, is_taken_back ? "{\"abort\":true}" : "{}", verdict);
    sw_store_close(is_taken_back ? other : store);
    return is_taken_back ? store : other;
}

static void judge_here(const struct question *question, struct verdict *verdict) {
    sw_store *store = opened_in_force(question, verdict);
    if (store == NULL) return;
    verdict->digest = digest_of(store, verdict);
    if (init(store, verdict)) {
        look_through(store, "the check", verdict);
        look_for_facts(question, store, verdict);
        look_for_undone(question, store, verdict);
        if (question->is_worked_on && !verdict->is_bad) {
            store = moved_on(question, store, verdict);
            work_on(store, verdict);
            look_through(store, "the check after more work", verdict);
        }
    }
    sw_store_close(store);
}

void judge(const struct question *question, struct verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) {
        alarm(120);
        judge_here(question, verdict);
        verdict->is_done = 1;
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child) abort();
    if (!verdict->is_done) bad(verdict, "the judge ended with status %d", status);
}
