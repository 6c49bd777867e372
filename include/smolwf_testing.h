/*
 * smolwf_testing.h: what a crash does to a workflow, and whether new code replays what old code has
 * recorded. For tests of hosts in C and C++; beside smolwf.h it needs POSIX.
 *
 *   static int32_t order(sw_attempt *attempt, void *context, sw_error **err);  // does and ends it
 *
 *   sw_testing_case test = {.workflow = "order", .args = "{\"id\":7}", .work = order};
 *   return sw_testing_crash(&test, NULL);
 *
 * sw_testing_crash runs the workflow once undisturbed, in a process of its own. Then once for each
 * commit of that: the process is killed right before the commit, and another one goes on; and again
 * right after it. The clock is a manual one: sleeps, backoffs and time-outs take no time. What must not
 * happen twice in the world outside is told by sw_testing_effect, where the test stands in for it.
 *
 * Functions are static: include this in one file of the test. Not for threads.
 */
#ifndef SMOLWF_TESTING_H
#define SMOLWF_TESTING_H

#include <smolwf.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef O_CLOEXEC
#error                                                                                             \
    "smolwf_testing.h needs POSIX of 2008: compile as gnu11, or define _GNU_SOURCE before the first header"
#endif

/* Findings of one kind and name are one; more than these are counted and not kept. */
#define SW_TESTING_FINDINGS_MAX 32
#define SW_TESTING_NAME_CAP 256

/* What is tested. Zero in a field is its default. */
typedef struct sw_testing_case {
    /* Name of the workflow. */
    const char *workflow;
    /* JSON; NULL is absent. */
    const char *args;
    /* Of the submit; NULL: none. */
    const sw_submit_options *options;
    /* Sent right after the submit: name, payload, name, payload, ..., NULL. NULL: none. */
    const char *const *signals;
    /*
     * Does the work of an attempt and ends it, as a worker would; it does not free it. Called for
     * children as well: sw_attempt_workflow tells. Answers a code: below 0 is an error, whose object
     * is in *err, and ends the case.
     */
    int32_t (*work)(sw_attempt *attempt, void *context, sw_error **err);
    /* Handed to it. */
    void *context;
    /* Commits at most, 0 is 200: a workflow with more of them is refused. */
    int commits_max;
    /* Seconds that a process may work, 0 is 60. */
    unsigned seconds_max;
} sw_testing_case;

/*
 * What was found. Kinds: "effect_twice", "effect_missing", "input_changed", "not_replayed", "outcome",
 * "stuck"; of a replay also "not_recorded", "waits".
 */
typedef struct sw_testing_finding {
    const char *kind;
    /* At how many kill points. */
    int cases;
    /*
     * The first of them: which commit, from 1, and "before" or "after" it; 0 and "clean" in
     * the clean run and in a replay.
     */
    int commit;
    const char *moment;
    /* The effect, step, wait, or run that it is about. */
    char name[SW_TESTING_NAME_CAP];
    /* A sentence. */
    char text[768];
} sw_testing_finding;

typedef struct sw_testing_report {
    /* Commits that the clean run makes. */
    int commits;
    /* The clean run, and two kill points a commit; of a replay: runs. */
    int cases;
    /* How many kinds and names; those above SW_TESTING_FINDINGS_MAX are not kept. */
    int findings;
    sw_testing_finding finding[SW_TESTING_FINDINGS_MAX];
} sw_testing_report;

/* Where the processes of a case tell what they did; empty outside of a test. */
static char sw_testing_witness[4096];

/* ---- Small things ------------------------------------------------------------------------------- */

/* The test itself cannot go on. */
static inline void sw_testing_die(const char *what, sw_error *err) {
    fprintf(stderr, "smolwf_testing: %s: %s\n", what,
            err ? sw_error_message(err) : strerror(errno));
    exit(70);
}

static inline void sw_testing_ok(const char *what, int32_t code, sw_error *err) {
    if (code < 0) sw_testing_die(what, err);
}

/* Behind the JSON value that begins here, which the library has written. */
static inline const char *sw_testing_skip(const char *at) {
    int depth = 0;
    do {
        if (*at == '"') {
            for (at++; *at != '"'; at++) at += *at == '\\';
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
        at++;
    } while (depth > 0 || (*at != '\0' && strchr(",}]", *at) == NULL));
    return at;
}

/* The value of a member of an object, "" if there is none. */
static inline const char *sw_testing_member(const char *object, const char *key) {
    size_t len = strlen(key);
    for (const char *at = object + 1; *at == '"';) {
        const char *name = at + 1, *value = strchr(name, '"');
        value = value == NULL ? NULL : value + 2;
        if (value == NULL) break;
        if (strncmp(name, key, len) == 0 && name[len] == '"') return value;
        at = sw_testing_skip(value);
        at += *at == ',';
    }
    return "";
}

/* Whether two values are the same bytes. */
static inline int sw_testing_is_same(const char *one, const char *other) {
    size_t one_len = *one ? (size_t)(sw_testing_skip(one) - one) : 0;
    size_t other_len = *other ? (size_t)(sw_testing_skip(other) - other) : 0;
    return one_len == other_len && memcmp(one, other, one_len) == 0;
}

/* ---- The world outside -------------------------------------------------------------------------- */

/* Adds a line to the file of a case: one write, which a kill does not cut. */
static inline void sw_testing_note(const char *kind, const char *name, const char *detail) {
    char line[2048];
    if (sw_testing_witness[0] == '\0') return;
    int len = snprintf(line, sizeof line - 1, "%s\t%s\t%s", kind, name, detail);
    if (len < 0) return;
    if (len > (int)sizeof line - 2) len = (int)sizeof line - 2;
    for (int i = 0; i < len; i++) {
        if (line[i] == '\n') line[i] = ' ';
    }
    line[len++] = '\n';
    int file = open(sw_testing_witness, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, (size_t)len) != len) sw_testing_die("the witness", NULL);
    close(file);
}

/*
 * Something happens outside: a card is charged, a mail is sent. Called by what stands in for it in a
 * test; elsewhere it does nothing. With a key the world outside drops repeats of that key; NULL: it
 * does not. A name has neither tabs nor ends of lines.
 */
static inline void sw_testing_effect(const char *name, const char *key) {
    sw_testing_note(key ? "keyed" : "bare", name, key ? key : "");
}

/* The file of a case, whole; freed by the caller. */
static inline char *sw_testing_read(const char *path) {
    size_t len = 0;
    char *text = (char *)calloc(1, 1);
    FILE *file = fopen(path, "r");
    while (file != NULL && text != NULL) {
        char *more = (char *)realloc(text, len + 4097);
        if (more == NULL) break;
        text = more;
        size_t got = fread(text + len, 1, 4096, file);
        len += got;
        text[len] = '\0';
        if (got == 0) break;
    }
    if (file != NULL) fclose(file);
    if (text == NULL) sw_testing_die("memory", NULL);
    return text;
}

/* Whether a line is there again before it: the same effect under the same key. */
static inline int sw_testing_is_repeat(const char *text, const char *line, size_t len) {
    for (const char *at = text; at < line; at = strchr(at, '\n') + 1) {
        if (strncmp(at, line, len) == 0) return 1;
    }
    return 0;
}

/* How often an effect has happened; `name` is `len` bytes. */
static inline int sw_testing_count(const char *text, const char *name, size_t len) {
    int count = 0;
    for (const char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        const char *tab = strchr(at, '\t');
        if (tab == NULL || strncmp(tab + 1, name, len) != 0 || tab[1 + len] != '\t') continue;
        int is_bare = strncmp(at, "bare", 4) == 0, is_keyed = strncmp(at, "keyed", 5) == 0;
        int is_repeat = is_keyed && sw_testing_is_repeat(text, at, (size_t)(end - at) + 1);
        count += (is_bare || is_keyed) && !is_repeat;
    }
    return count;
}

/* ---- What was found ----------------------------------------------------------------------------- */

/* Where a finding was made: at a kill, or, with commit 0, in a replay. */
typedef struct sw_testing_place {
    sw_testing_report *report;
    int commit;
    int when;
} sw_testing_place;

static inline void sw_testing_find(const sw_testing_place *place, const char *kind,
                                   const char *name, const char *format, ...) {
    sw_testing_report *report = place->report;
    int kept =
        report->findings < SW_TESTING_FINDINGS_MAX ? report->findings : SW_TESTING_FINDINGS_MAX;
    for (int i = 0; i < kept; i++) {
        sw_testing_finding *known = &report->finding[i];
        if (strcmp(known->kind, kind) != 0 || strcmp(known->name, name) != 0) continue;
        known->cases++;
        return;
    }
    report->findings++;
    if (kept == SW_TESTING_FINDINGS_MAX) return;
    sw_testing_finding *found = &report->finding[kept];
    found->kind = kind;
    found->cases = 1;
    found->commit = place->commit;
    found->moment = place->commit == 0                     ? ""
                    : place->when == SW_KILL_BEFORE_COMMIT ? "before"
                                                           : "after";
    snprintf(found->name, sizeof found->name, "%s", name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(found->text, sizeof found->text, format, arguments);
    va_end(arguments);
}

/* Writes what was found, a line each. */
static inline void sw_testing_print(FILE *to, const char *of, const sw_testing_report *report) {
    int kept =
        report->findings < SW_TESTING_FINDINGS_MAX ? report->findings : SW_TESTING_FINDINGS_MAX;
    fprintf(to, "%s: ", of);
    if (report->commits > 0) fprintf(to, "%d commits, ", report->commits);
    fprintf(to, "%d %s, ", report->cases, report->cases == 1 ? "case" : "cases");
    if (report->findings == 0) fprintf(to, "no findings\n");
    if (report->findings > 0)
        fprintf(to, "%d finding%s\n", report->findings, &"s"[report->findings == 1]);
    for (int i = 0; i < kept; i++) {
        const sw_testing_finding *found = &report->finding[i];
        fprintf(to, "%s %s", found->kind, found->name);
        if (found->commit > 0) {
            fprintf(to, ", at %d of %d kill points, first %s commit %d", found->cases,
                    report->cases - 1, found->moment, found->commit);
        }
        fprintf(to, ": %s\n", found->text);
    }
    if (report->findings > kept) fprintf(to, "and %d more\n", report->findings - kept);
}

/* Takes a sentence about a step or a wait apart: its name stands between the first two quotes. */
static inline void sw_testing_name_in(const char *sentence, char *name) {
    const char *from = strchr(sentence, '"'), *to = from == NULL ? NULL : strchr(from + 1, '"');
    int len = to == NULL ? 0 : (int)(to - from - 1);
    if (len >= SW_TESTING_NAME_CAP) len = SW_TESTING_NAME_CAP - 1;
    snprintf(name, SW_TESTING_NAME_CAP, "%.*s", len, to == NULL ? "" : from + 1);
}

/* Which kind a refusal is: all three are SW_ERR_NONDETERMINISM. */
static inline const char *sw_testing_kind_of(const char *sentence) {
    if (strstr(sentence, "input hash") != NULL) return "input_changed";
    return strstr(sentence, "only replays") != NULL ? "not_recorded" : "not_replayed";
}

/* ---- A process that works ------------------------------------------------------------------------ */

static inline sw_store *sw_testing_open(const char *path) {
    sw_error *err = NULL;
    sw_store *store = NULL;
    uint32_t applied = 0;
    sw_store_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.flags = SW_OPEN_MANUAL_CLOCK;
    options.durability = SW_DURABILITY_PROCESS; /* it is processes that die here */
    int32_t code = path == NULL ? sw_store_open_in_memory(&options, &store, &err)
                                : sw_store_open(path, &options, &store, &err);
    sw_testing_ok("open", code, err);
    sw_testing_ok("init", sw_store_init(store, &applied, &err), err);
    return store;
}

/* Claims what is there and does it; 0 when there is nothing. */
static inline int sw_testing_work(const sw_testing_case *test, sw_store *store, uint32_t flags) {
    sw_error *err = NULL;
    sw_attempt *attempt = NULL;
    sw_claim_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.flags = flags;
    options.lease_ms = SW_LEASE_WHILE_ALIVE;
    int32_t code = sw_run_claim(store, NULL, 0, &options, &attempt, &err);
    sw_testing_ok("claim", code, err);
    if (code != SW_OK) return 0;
    code = test->work(attempt, test->context, &err);
    if (code < 0)
        sw_testing_note(code == SW_ERR_NONDETERMINISM ? "differs" : "error", sw_code_name(code),
                        err ? sw_error_message(err) : "");
    sw_error_free(err);
    sw_attempt_free(attempt);
    return code < 0 ? -1 : 1;
}

/* Whether the run has ended. */
static inline int sw_testing_has_ended(sw_store *store, const char *run_id) {
    sw_error *err = NULL;
    sw_text *run = NULL;
    sw_testing_ok("wait", sw_run_wait(store, run_id, SW_NTS, 0, NULL, &run, &err), err);
    int has_ended = run != NULL;
    sw_text_free(run);
    return has_ended;
}

/* Why a process ends that works on a case. */
enum { SW_TESTING_ENDED = 0, SW_TESTING_REFUSED = 3, SW_TESTING_STUCK = 4 };

/* Works until the run has ended, or cannot go on. */
static inline int sw_testing_to_the_end(const sw_testing_case *test, sw_store *store,
                                        const char *run_id) {
    sw_error *err = NULL;
    while (!sw_testing_has_ended(store, run_id)) {
        int done = sw_testing_work(test, store, SW_CLAIM_STRICT);
        if (done < 0) return SW_TESTING_REFUSED;
        /* A claim that finds nothing may have ended it: tries used up, time over. */
        if (done > 0 || sw_testing_has_ended(store, run_id)) continue;
        int32_t code = sw_store_advance_clock(store, SW_FOREVER, &err); /* to what comes due next */
        sw_testing_ok("clock", code, err);
        if (code == SW_NONE) return SW_TESTING_STUCK;
    }
    return SW_TESTING_ENDED;
}

/* One run of a workflow: its file, its id, and where it is killed; commit 0 is nowhere. */
typedef struct sw_testing_life {
    char folder[256];
    char path[300];
    char run_id[SW_ID_CAP];
    int commit;
    int when;
} sw_testing_life;

/* Lets a process work on a case that dies where the life says, and answers its wait status. */
static inline int sw_testing_process(const sw_testing_case *test, const sw_testing_life *life,
                                     int is_killed) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) sw_testing_die("fork", NULL);
    if (pid == 0) {
        sw_error *err = NULL;
        alarm(test->seconds_max ? test->seconds_max : 60);
        sw_store *store = sw_testing_open(life->path);
        int64_t commit = is_killed ? life->commit : 0;
        sw_testing_ok("kill_at", sw_store_kill_at(store, commit, life->when, &err), err);
        int code = sw_testing_to_the_end(test, store, life->run_id);
        fflush(NULL);
        _exit(code);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

/* ---- One life of the workflow -------------------------------------------------------------------- */

/* Submits the run, and sends what it will wait for. */
static inline void sw_testing_submit(const sw_testing_case *test, sw_testing_life *life) {
    sw_error *err = NULL;
    const char *args = test->args;
    size_t args_len = args == NULL ? 0 : SW_NTS;
    sw_store *store = sw_testing_open(life->path);
    int32_t code = sw_run_submit(store, test->workflow, SW_NTS, args, args_len, test->options,
                                 life->run_id, sizeof life->run_id, &err);
    sw_testing_ok("submit", code, err);
    for (const char *const *at = test->signals; at != NULL && *at != NULL; at += 2) {
        code = sw_signal_send(store, life->run_id, SW_NTS, at[0], SW_NTS, at[1], SW_NTS, NULL, 0,
                              &err);
        sw_testing_ok("signal", code, err);
    }
    sw_store_close(store);
}

/* Makes a folder, in memory where there is one: processes are killed here, not machines. */
static inline void sw_testing_folder(char *folder, size_t cap) {
    const char *root = getenv("TMPDIR");
    if (root == NULL) root = "/tmp";
    if (access("/dev/shm", W_OK) == 0) root = "/dev/shm";
    snprintf(folder, cap, "%s/smolwf_testing_XXXXXX", root);
    if (mkdtemp(folder) == NULL) sw_testing_die(folder, NULL);
}

static inline void sw_testing_begin(const sw_testing_case *test, sw_testing_life *life) {
    memset(life->run_id, 0, sizeof life->run_id);
    sw_testing_folder(life->folder, sizeof life->folder);
    snprintf(life->path, sizeof life->path, "%s/db", life->folder);
    snprintf(sw_testing_witness, sizeof sw_testing_witness, "%s/witness", life->folder);
    sw_testing_submit(test, life);
}

/* Removes the files of a life; answers what its processes have told, freed by the caller. */
static inline char *sw_testing_end(sw_testing_life *life) {
    static const char *const ends[] = {"", "-wal", "-shm", "-smolwf", "-journal"};
    char *told = sw_testing_read(sw_testing_witness);
    unlink(sw_testing_witness);
    sw_testing_witness[0] = '\0';
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[320];
        snprintf(name, sizeof name, "%s%s", life->path, ends[i]);
        unlink(name);
    }
    rmdir(life->folder);
    return told;
}

/* The document of a run; freed by the caller. */
static inline sw_text *sw_testing_document(sw_store *store, const char *run_id) {
    sw_error *err = NULL;
    sw_text *run = NULL;
    sw_testing_ok("run", sw_run_get(store, run_id, SW_NTS, &run, &err), err);
    return run;
}

/* The state that a run ended in, as text, and why, for people. */
static inline void sw_testing_state(const sw_testing_life *life, char *state, size_t cap) {
    sw_store *store = sw_testing_open(life->path);
    sw_text *run = sw_testing_document(store, life->run_id);
    const char *is = sw_testing_member(sw_text_data(run, NULL), "state");
    snprintf(state, cap, "%.*s", *is ? (int)(sw_testing_skip(is) - is) - 2 : 0, is + (*is != 0));
    sw_text_free(run);
    sw_store_close(store);
}

/* The last refusal that the processes of a life have told of, its sentence; "" if none. */
static inline void sw_testing_refusal(const char *told, const char *kind, char *sentence,
                                      size_t cap) {
    size_t len = strlen(kind);
    sentence[0] = '\0';
    for (const char *at = told, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        if (strncmp(at, kind, len) != 0 || at[len] != '\t') continue;
        const char *text = strchr(at + len + 1, '\t');
        if (text != NULL && text < end)
            snprintf(sentence, cap, "%.*s", (int)(end - text - 1), text + 1);
    }
}

/* ---- What a kill changed ------------------------------------------------------------------------- */

/* "never", "once", "2 times". */
static inline const char *sw_testing_times(int count, char *room, size_t cap) {
    snprintf(room, cap, "%d times", count);
    return count == 0 ? "never" : count == 1 ? "once" : room;
}

/* Whether an effect was told of without a key; `name` is `len` bytes. */
static inline int sw_testing_is_bare(const char *told, const char *name, size_t len) {
    for (const char *at = told, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        const char *tab = strchr(at, '\t');
        int is_it = tab != NULL && strncmp(tab + 1, name, len) == 0 && tab[1 + len] == '\t';
        if (is_it && strncmp(at, "bare", 4) == 0) return 1;
    }
    return 0;
}

/* Compares how often one effect happened with how often it does undisturbed. */
static inline void sw_testing_compare_effect(const sw_testing_place *place, const char *clean,
                                             const char *told, const char *name, size_t len) {
    char text[SW_TESTING_NAME_CAP], times[2][24];
    int before = sw_testing_count(clean, name, len), now = sw_testing_count(told, name, len);
    const char *had = sw_testing_times(before, times[0], sizeof times[0]);
    const char *has = sw_testing_times(now, times[1], sizeof times[1]);
    snprintf(text, sizeof text, "%.*s", (int)len, name);
    if (now < before) {
        sw_testing_find(place, "effect_missing", text,
                        "effect \"%s\" happened %s, and %s in the clean run", text, has, had);
    } else if (now > before && sw_testing_is_bare(told, name, len)) {
        sw_testing_find(
            place, "effect_twice", text,
            "effect \"%s\" happened %s, and %s in the clean run: hand whoever does it an"
            " idempotency key, such as the step's id, or record its start: a tracked step"
            " with max_tries 1",
            text, has, had);
    } else if (now > before) {
        sw_testing_find(
            place, "effect_twice", text,
            "effect \"%s\" happened under %d keys, and under %d in the clean run: the key"
            " must be the same in every attempt, as the step's id is",
            text, now, before);
    }
}

/* Whether no line before this one is of the same name. */
static inline int sw_testing_is_first(const char *text, const char *line, const char *name,
                                      size_t len) {
    for (const char *at = text; at < line; at = strchr(at, '\n') + 1) {
        if (strncmp(strchr(at, '\t') + 1, name, len + 1) == 0) return 0;
    }
    return 1;
}

/* Compares all effects that either of two witnesses tells of. */
static inline void sw_testing_compare_effects(const sw_testing_place *place, const char *clean,
                                              const char *told) {
    size_t clean_len = strlen(clean), told_len = strlen(told);
    char *both = (char *)malloc(clean_len + told_len + 1);
    if (both == NULL) sw_testing_die("memory", NULL);
    memcpy(both, clean, clean_len);
    memcpy(both + clean_len, told, told_len + 1);
    for (const char *at = both, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        const char *name = strchr(at, '\t') + 1;
        size_t len = (size_t)(strchr(name, '\t') - name);
        int is_effect = strncmp(at, "bare", 4) == 0 || strncmp(at, "keyed", 5) == 0;
        if (is_effect && sw_testing_is_first(both, at, name, len)) {
            sw_testing_compare_effect(place, clean, told, name, len);
        }
    }
    free(both);
}

/* What an undisturbed life came to. */
typedef struct sw_testing_clean {
    char *told;
    char state[32];
    const char *workflow;
} sw_testing_clean;

/* What an attempt was refused for: it differs from what is recorded. */
static inline void sw_testing_find_refusal(const sw_testing_place *place, const char *sentence) {
    const char *kind = sw_testing_kind_of(sentence);
    const char *why =
        strcmp(kind, "input_changed") == 0
            ? "an input must follow from the args and from what is recorded"
            : "what a workflow does must follow from its args and from what is recorded; what"
              " is random, the time or a global variable belongs into a step";
    char name[SW_TESTING_NAME_CAP];
    sw_testing_name_in(sentence, name);
    sw_testing_find(place, kind, name, "%s: %s", sentence, why);
}

/* Says how a process ended that did not come to the end of the run. */
static inline void sw_testing_find_stuck(const sw_testing_place *place, const char *workflow,
                                         const char *state, int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == SW_TESTING_STUCK) {
        sw_testing_find(place, "stuck", workflow,
                        "the run did not end: it is %s, and nothing comes due", state);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        sw_testing_find(place, "stuck", workflow,
                        "the run did not end: its process was at work for more than its seconds");
    } else {
        sw_testing_find(place, "outcome", workflow,
                        "the run did not end: its process ended with %s %d",
                        WIFEXITED(status) ? "exit status" : "signal",
                        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

/* Holds a life that was killed, and gone on with by another process, against the undisturbed one. */
static inline void sw_testing_judge(const sw_testing_place *place, const sw_testing_clean *clean,
                                    const sw_testing_life *life, const char *told, int status) {
    char sentence[512], state[32];
    sw_testing_refusal(told, "differs", sentence, sizeof sentence);
    if (sentence[0] != '\0') {
        sw_testing_find_refusal(place, sentence);
        return;
    }
    sw_testing_refusal(told, "error", sentence, sizeof sentence);
    sw_testing_state(life, state, sizeof state);
    if (sentence[0] != '\0') {
        sw_testing_find(place, "outcome", clean->workflow, "the work answers an error: %s",
                        sentence);
    } else if (status != 0) {
        sw_testing_find_stuck(place, clean->workflow, state, status);
    } else if (strcmp(state, clean->state) != 0) {
        sw_testing_find(place, "outcome", clean->workflow, "the run is %s, and %s in the clean run",
                        state, clean->state);
    }
    sw_testing_compare_effects(place, clean->told, told);
}

/*
 * Runs the workflow undisturbed; answers whether there is something to hold others against. An attempt
 * that differs from the one before it is found here; another fault is one of the test, and ends it.
 */
static inline int sw_testing_undisturbed(const sw_testing_case *test, sw_testing_report *report,
                                         sw_testing_clean *clean) {
    sw_testing_place place = {report, 0, SW_KILL_BEFORE_COMMIT};
    sw_testing_life life;
    char sentence[512];
    memset(&life, 0, sizeof life);
    clean->workflow = test->workflow;
    life.when = SW_KILL_BEFORE_COMMIT;
    sw_testing_begin(test, &life);
    int status = sw_testing_process(test, &life, 0);
    sw_testing_state(&life, clean->state, sizeof clean->state);
    clean->told = sw_testing_end(&life);
    if (status == 0) return 1;
    sw_testing_refusal(clean->told, "differs", sentence, sizeof sentence);
    if (sentence[0] != '\0') {
        sw_testing_find_refusal(&place, sentence);
        return 0;
    }
    sw_testing_refusal(clean->told, "error", sentence, sizeof sentence);
    fprintf(stderr,
            "smolwf_testing: undisturbed, the run is %s and does not end (wait status %d) %s\n",
            clean->state, status, sentence);
    exit(70);
}

/* Has the process die at one commit, another one go on; 0 when the first ended before it. */
static inline int sw_testing_disturbed(const sw_testing_case *test, const sw_testing_place *place,
                                       const sw_testing_clean *clean) {
    sw_testing_life life;
    memset(&life, 0, sizeof life);
    life.commit = place->commit;
    life.when = place->when;
    sw_testing_begin(test, &life);
    int status = sw_testing_process(test, &life, 1);
    int was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (was_killed) status = sw_testing_process(test, &life, 0);
    char *told = sw_testing_read(sw_testing_witness);
    if (was_killed) sw_testing_judge(place, clean, &life, told, status);
    free(told);
    free(sw_testing_end(&life));
    return was_killed;
}

/*
 * Runs the workflow once for each commit that it makes and each side of it, with a kill there, and
 * answers how many things were found: 0 is what you want. What was found is printed, and stands in
 * `report` unless that is NULL. A workflow that does not end undisturbed ends the program with 70.
 */
static inline int sw_testing_crash(const sw_testing_case *test, sw_testing_report *report) {
    static sw_testing_report own;
    sw_testing_clean clean;
    int commits_max = test->commits_max ? test->commits_max : 200, is_over;
    if (report == NULL) report = &own;
    memset(report, 0, sizeof *report);
    is_over = !sw_testing_undisturbed(test, report, &clean);
    report->cases = 1;
    for (int commit = 1; !is_over; commit++) {
        if (commit > commits_max) {
            fprintf(stderr,
                    "smolwf_testing: %s makes more than %d commits: raise commits_max, or test a"
                    " smaller part of it\n",
                    test->workflow, commits_max);
            exit(70);
        }
        for (int when = SW_KILL_BEFORE_COMMIT; when <= SW_KILL_AFTER_COMMIT && !is_over; when++) {
            sw_testing_place place = {report, commit, when};
            is_over = !sw_testing_disturbed(test, &place, &clean);
            report->cases += !is_over;
        }
        report->commits += !is_over;
    }
    free(clean.told);
    sw_testing_print(stdout, test->workflow, report);
    return report->findings;
}

/* ---- Recorded runs and new code ------------------------------------------------------------------ */

/* What a recorded run came to, beside what its replay did. */
typedef struct sw_testing_pair {
    sw_text *recorded;
    sw_text *replayed;
} sw_testing_pair;

static inline int sw_testing_is_in(sw_text *run, const char *state) {
    const char *is = sw_testing_member(sw_text_data(run, NULL), "state");
    return *is && strncmp(is + 1, state, strlen(state)) == 0;
}

static inline int sw_testing_has_same(const sw_testing_pair *pair, const char *key) {
    return sw_testing_is_same(sw_testing_member(sw_text_data(pair->recorded, NULL), key),
                              sw_testing_member(sw_text_data(pair->replayed, NULL), key));
}

/* Holds the end of a replay against the recorded one; a run that has not ended may end in any way. */
static inline void sw_testing_compare_ends(const sw_testing_place *place,
                                           const sw_testing_pair *pair, const char *run_id) {
    int has_completed = sw_testing_is_in(pair->recorded, "completed");
    if (!has_completed && !sw_testing_is_in(pair->recorded, "failed")) return;
    if (sw_testing_is_in(pair->replayed, "waiting")) {
        sw_testing_find(place, "waits", run_id, "it waits for something that is not recorded");
    } else if (has_completed != sw_testing_is_in(pair->replayed, "completed")) {
        sw_testing_find(place, "outcome", run_id, "it is recorded as %s, and is not replayed so",
                        has_completed ? "completed" : "failed");
    } else if (has_completed && !sw_testing_has_same(pair, "result")) {
        sw_testing_find(place, "outcome", run_id, "it completes with another result");
    }
}

/* Holds what a replay was told, and how it ended, against the recorded run. */
static inline void sw_testing_judge_replay(const sw_testing_place *place,
                                           const sw_testing_pair *pair, const char *run_id,
                                           const char *told) {
    char sentence[512], name[SW_TESTING_NAME_CAP];
    sw_testing_refusal(told, "error", sentence, sizeof sentence);
    if (sentence[0] != '\0') {
        sw_testing_find(place, "outcome", run_id, "the work answers an error: %s", sentence);
        return;
    }
    sw_testing_refusal(told, "differs", sentence, sizeof sentence);
    if (sentence[0] == '\0') {
        sw_testing_compare_ends(place, pair, run_id);
        return;
    }
    const char *kind = sw_testing_kind_of(sentence);
    int has_ended =
        sw_testing_is_in(pair->recorded, "completed") || sw_testing_is_in(pair->recorded, "failed");
    /* Where the record of an open run ends, new work begins. */
    if (!has_ended && strcmp(kind, "not_recorded") == 0) return;
    sw_testing_name_in(sentence, name);
    sw_testing_find(place, kind, name, "%s, in %s", sentence, run_id);
}

/* Replays a fork of a recorded run, and holds it against that. */
static inline void sw_testing_replay_run(const sw_testing_case *test, sw_store *store,
                                         const char *run_id, sw_testing_report *report) {
    sw_error *err = NULL;
    char fork_id[SW_ID_CAP];
    sw_testing_place place = {report, 0, 0};
    int32_t code = sw_run_fork(store, run_id, SW_NTS, "", 0, fork_id, sizeof fork_id, &err);
    sw_testing_ok("fork", code, err);
    sw_testing_work(test, store, SW_CLAIM_STRICT | SW_CLAIM_REPLAY_ONLY);
    sw_testing_pair pair = {sw_testing_document(store, run_id),
                            sw_testing_document(store, fork_id)};
    char *told = sw_testing_read(sw_testing_witness);
    sw_testing_judge_replay(&place, &pair, run_id, told);
    report->cases++;
    free(told);
    unlink(sw_testing_witness);
    sw_text_free(pair.recorded);
    sw_text_free(pair.replayed);
    /* It is not to be claimed in place of the next. */
    sw_run_cancel(store, fork_id, SW_NTS, NULL, 0, NULL);
}

/* Ids of runs, of 30 bytes each. */
typedef struct sw_testing_ids {
    char (*id)[SW_ID_CAP];
    size_t count;
} sw_testing_ids;

static inline void sw_testing_keep(sw_testing_ids *ids, const char *id) {
    void *more = realloc(ids->id, (ids->count + 1) * sizeof *ids->id);
    if (more == NULL) sw_testing_die("memory", NULL);
    ids->id = (char (*)[SW_ID_CAP])more;
    snprintf(ids->id[ids->count++], SW_ID_CAP, "%.30s", id + (*id != 0));
}

/* Keeps the runs of a page that are of the workflow; `cursor` becomes that of the next, "" at the end. */
static inline void sw_testing_list(const char *workflow, sw_store *store, char *cursor, size_t cap,
                                   sw_testing_ids *ids) {
    sw_error *err = NULL;
    sw_text *page = NULL;
    size_t name_len = strlen(workflow);
    const char *from = cursor[0] ? cursor : NULL;
    int32_t code = sw_run_list(store, NULL, 0, from, from ? SW_NTS : 0, 0, &page, &err);
    sw_testing_ok("list", code, err);
    const char *document = sw_text_data(page, NULL), *next = sw_testing_member(document, "next");
    const char *items = sw_testing_member(document, "items");
    for (const char *at = items + (*items != 0); *at == '{'; at += *at == ',') {
        const char *name = sw_testing_member(at, "workflow");
        int is_it =
            *name && strncmp(name + 1, workflow, name_len) == 0 && name[name_len + 1] == '"';
        if (is_it) sw_testing_keep(ids, sw_testing_member(at, "run_id"));
        at = sw_testing_skip(at);
    }
    int len = *next == '"' ? (int)(sw_testing_skip(next) - next) - 2 : 0;
    snprintf(cursor, cap, "%.*s", len, next + (len > 0));
    sw_text_free(page);
}

/* Brings the runs of a document into a store in which nothing of them is claimed. */
static inline sw_store *sw_testing_recorded(const char *document) {
    sw_error *err = NULL;
    sw_text *out = NULL;
    sw_store *store = sw_testing_open(NULL);
    sw_testing_ok("import", sw_run_import(store, document, SW_NTS, NULL, 0, &out, &err), err);
    sw_text_free(out);
    const char *open = "{\"state\":[\"pending\",\"waiting\"]}";
    int32_t code = sw_run_act_many(store, "pause", SW_NTS, open, SW_NTS, 0, &out, &err);
    sw_testing_ok("pause", code, err);
    sw_text_free(out);
    return store;
}

/*
 * Has the code of test->work replay recorded runs, a document of sw_run_export, in a store in memory:
 * all of the document that are of the workflow. No step is run. Answers how many differences there
 * are, the first of each run; they are printed, and stand in `report` unless that is NULL.
 */
static inline int sw_testing_replay(const sw_testing_case *test, const char *document,
                                    sw_testing_report *report) {
    static sw_testing_report own;
    char cursor[1024] = "", folder[256];
    sw_testing_ids ids = {NULL, 0};
    if (report == NULL) report = &own;
    memset(report, 0, sizeof *report);
    sw_testing_folder(folder, sizeof folder);
    snprintf(sw_testing_witness, sizeof sw_testing_witness, "%s/witness", folder);
    sw_store *store = sw_testing_recorded(document);
    do {
        sw_testing_list(test->workflow, store, cursor, sizeof cursor, &ids);
    } while (cursor[0] != '\0');
    for (size_t i = 0; i < ids.count; i++) sw_testing_replay_run(test, store, ids.id[i], report);
    free(ids.id);
    sw_store_close(store);
    rmdir(folder);
    sw_testing_witness[0] = '\0';
    sw_testing_print(stdout, test->workflow, report);
    return report->findings;
}

#endif
