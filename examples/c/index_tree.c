/* Indexes the files of a folder: size, SHA-256, lines and words of each.
 *
 * It is made to be killed. Each file is one step of a durable run, so the next start goes on behind
 * the last recorded file. The run is found again by its idempotency key, which is the folder's path.
 *
 *     index_tree [options] [DIR]      index DIR, or go on with it; DIR is . when absent
 *       --state DIR                   where the store, the log and the index go (index_tree.state)
 *       --store URL                   a store on a server, in place of a file in that folder
 *       --history                     show what the store knows of DIR's run, and stop
 *       --recorded                    show the names of the steps recorded so far, and stop
 *       --list                        show the names of the files that belong to the run, and stop
 *       --pause-ms N                  pretend that reading a file takes N ms longer
 *       --pause-record-ms N           wait N ms between a file's work and its recording, which is
 *                                     the worst moment for a kill: that work is done again
 *
 * Ctrl-C gives the run back, so that any worker may go on with it at once. */
#define _XOPEN_SOURCE 700
#include "content.h"
#include "history.h"
#include "json_view.h"
#include "walk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <smolwf.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#define HEARTBEAT_MS 5000 /* well below the lease of 30 s */
#define CLAIM_WAIT_MS 2000 /* a killed worker's run is free within a second */
#define NAME_BYTES_MAX 255 /* of a step */

struct options {
    const char *root, *state, *store;
    int is_history, is_recorded, is_list;
    long pause_ms, pause_record_ms;
};

struct indexer {
    const struct options *options;
    sw_store *store;
    sw_attempt *attempt;
    struct tree tree;
    char **lines; /* one per file, as recorded by its step */
    size_t replayed, processed, unreadable;
    long long bytes;
    char root[PATH_MAX], state[PATH_MAX], run_id[SW_ID_CAP];
    int log;
    int64_t renewed_ms, shown_ms;
};

static sw_error *err;
static sw_stop *stop;
static volatile sig_atomic_t is_interrupted;

/* --- small things ------------------------------------------------------------------------------ */

static void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("index_tree: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(1);
}

/* Passes on the answer of a call of the library; an error ends the program with its sentence. */
static int32_t ok(const char *what, int32_t code) {
    if (code < 0) die("cannot %s: %s: %s", what, sw_code_name(code), sw_error_message(err));
    return code;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    if (ms > 0 && !is_interrupted) nanosleep(&span, NULL);
}

static char *text(const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *out = walk_memory(NULL, (size_t)length + 1);
    vsnprintf(out, (size_t)length + 1, format, again);
    va_end(list);
    va_end(again);
    return out;
}

static int is_utf8(const char *plain) {
    sw_text *json = NULL;
    int32_t code = sw_json_quote(plain, SW_NTS, &json, NULL);
    sw_text_free(json);
    return code == SW_OK;
}

/* Returns a text as a JSON string. What is not ASCII turns into '?' in a text that is not UTF-8. */
static char *quoted(const char *plain) {
    sw_text *json = NULL;
    char *copy = text("%s", plain);
    if (!is_utf8(copy)) {
        for (char *at = copy; *at != '\0'; at++) *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    ok("quote a text", sw_json_quote(copy, SW_NTS, &json, &err));
    free(copy);
    copy = text("%s", sw_text_data(json, NULL));
    sw_text_free(json);
    return copy;
}

static void hash_text(const char *plain, char out[SHA256_TEXT_CAP]) {
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, (const unsigned char *)plain, strlen(plain));
    sha256_end(&hash, out);
}

/* --- one file ---------------------------------------------------------------------------------- */

/* Called between two chunks of a file. A large file may take longer than the lease, and whoever
 * loses the lease must not go on. Returns 0 after Ctrl-C. */
static int keep_lease(void *context) {
    struct indexer *self = context;
    int64_t now = now_ms();
    if (now - self->renewed_ms >= HEARTBEAT_MS) {
        ok("keep the lease", sw_attempt_heartbeat(self->attempt, 0, &err));
        self->renewed_ms = now;
    }
    return !is_interrupted;
}

/* The expensive work. Makes the file's line of the index; returns 0, EINTR after Ctrl-C, or what
 * keeps the file from being read, which stands in the line too. */
static int examine(struct indexer *self, const char *path, char **line) {
    struct content content;
    char hash[SHA256_TEXT_CAP];
    pause_ms(self->options->pause_ms);
    int problem = content_read(path, &content, keep_lease, self);
    long long bytes = (long long)content.hash.bytes;
    sha256_end(&content.hash, hash);
    char *name = quoted(path);
    if (problem == 0) {
        *line = text("{\"path\":%s,\"bytes\":%lld,\"sha256\":\"%s\",\"lines\":%lld,\"words\":%lld}",
                     name, bytes, hash, content.lines, content.words);
    } else {
        char *reason = quoted(strerror(problem));
        *line = text("{\"path\":%s,\"error\":%s}", name, reason);
        free(reason);
    }
    free(name);
    return problem;
}

/* The witness outside the store: one line per file worked on, in one write, before it is recorded. */
static void log_work(struct indexer *self, const sw_step *step) {
    char *name = quoted(sw_step_name(step, NULL));
    char *line = text("%ld %s %s\n", (long)getpid(), sw_step_id(step, NULL), name);
    ssize_t length = (ssize_t)strlen(line);
    if (write(self->log, line, (size_t)length) != length) {
        die("cannot write the log: %s", strerror(errno));
    }
    free(name);
    free(line);
}

/* Works on a file and records what it came to. Returns 0 when it was interrupted instead. */
static int process(struct indexer *self, const char *path, sw_step *step, char **line) {
    static const sw_fail_options final = {.struct_size = sizeof final, .flags = SW_FAIL_TERMINAL};
    int problem = examine(self, path, line);
    if (problem == EINTR) return 0;
    log_work(self, step);
    pause_ms(self->options->pause_record_ms);
    if (problem == 0) {
        ok("record a file", sw_step_complete(step, *line, SW_NTS, &err));
    } else {
        ok("record a failure", sw_step_fail(step, *line, SW_NTS, &final, &err));
        self->unreadable++;
    }
    self->processed++;
    return 1;
}

/* A step is named by its file, so a tree that changed meanwhile does no harm: new files are new
 * steps. A path that cannot be a name, too long or not UTF-8, is stood for by its hash. */
static void step_name(const char *path, char out[NAME_BYTES_MAX + 1]) {
    char hash[SHA256_TEXT_CAP];
    if (strlen(path) <= NAME_BYTES_MAX && is_utf8(path)) {
        strcpy(out, path);
    } else {
        hash_text(path, hash);
        sprintf(out, "sha256:%s", hash);
    }
}

static int32_t begin(struct indexer *self, const char *name, const char *kind, sw_step **step) {
    sw_step_options options = {.struct_size = sizeof options, .kind = kind, .kind_len = SW_NTS};
    return ok("begin a step",
              sw_step_begin(self->attempt, name, SW_NTS, NULL, 0, &options, step, &err));
}

/* Does one file, or takes over what an earlier attempt recorded. Returns 0 when interrupted. */
static int do_file(struct indexer *self, const char *path, char **line) {
    char name[NAME_BYTES_MAX + 1];
    sw_step *step = NULL;
    int is_done = 1;
    step_name(path, name);
    int32_t begun = begin(self, name, "file", &step);
    if (begun == SW_OK) {
        is_done = process(self, path, step, line);
    } else if (begun == SW_REPLAYED) {
        *line = text("%s", sw_step_result(step, NULL));
    } else if (begun == SW_FAILED) {
        *line = text("%s", sw_step_error(step, NULL));
        self->unreadable++;
    } else {
        die("unexpected answer %s", sw_code_name(begun));
    }
    self->replayed += begun != SW_OK;
    self->bytes += json_integer(is_done ? json_member(*line, "bytes") : NULL, 0);
    sw_step_free(step);
    return is_done;
}

/* --- the whole tree ---------------------------------------------------------------------------- */

static void show_progress(struct indexer *self, const char *path) {
    int is_terminal = isatty(STDERR_FILENO);
    int64_t now = now_ms();
    size_t done = self->replayed + self->processed;
    int is_last = done == self->tree.count;
    if (!is_last && now - self->shown_ms < (is_terminal ? 50 : 1000)) return;
    self->shown_ms = now;
    fprintf(stderr, is_terminal ? "\r\033[K%zu of %zu files  %.60s%s" : "%zu of %zu files  %.60s%s",
            done, self->tree.count, path, is_terminal && !is_last ? "" : "\n");
}

static int do_files(struct indexer *self) {
    tree_list(&self->tree);
    size_t room = (self->tree.count + 1) * sizeof *self->lines;
    self->lines = memset(walk_memory(NULL, room), 0, room);
    for (size_t i = 0; i < self->tree.count; i++) {
        if (is_interrupted || !do_file(self, self->tree.paths[i], &self->lines[i])) return 0;
        show_progress(self, self->tree.paths[i]);
    }
    return 1;
}

static void sync_folder(const char *path) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
}

/* Writes the index beside its place and moves it there, so that nobody ever sees half of it.
 * Returns 0 or an errno. */
static int write_index(struct indexer *self, const char *path) {
    char *draft = text("%s.draft", path);
    FILE *out = fopen(draft, "w");
    int is_good = out != NULL;
    for (size_t i = 0; is_good && i < self->tree.count; i++) {
        is_good = fprintf(out, "%s\n", self->lines[i]) > 0;
    }
    is_good = is_good && fflush(out) == 0 && fsync(fileno(out)) == 0;
    if (out != NULL) is_good = fclose(out) == 0 && is_good;
    is_good = is_good && rename(draft, path) == 0;
    int problem = is_good ? 0 : errno;
    if (is_good) sync_folder(self->state);
    free(draft);
    return problem;
}

/* The last step. Its result is the run's result too. Sets `problem` when the index cannot be written. */
static char *do_index(struct indexer *self, int *problem) {
    sw_step *step = NULL;
    char *path = text("%s/%s.jsonl", self->state, self->run_id);
    char *name = quoted(path), *result = NULL;
    if (begin(self, "index", "write", &step) == SW_REPLAYED) {
        result = text("%s", sw_step_result(step, NULL));
    } else if ((*problem = write_index(self, path)) == 0) {
        result = text("{\"index\":%s,\"files\":%zu,\"unreadable\":%zu,\"bytes\":%lld}", name,
                      self->tree.count, self->unreadable, self->bytes);
        ok("record the index", sw_step_complete(step, result, SW_NTS, &err));
    }
    sw_step_free(step);
    free(path);
    free(name);
    return result;
}

static void print_result(const char *result) {
    char path[PATH_MAX];
    printf("%lld files, %lld unreadable, %lld bytes; index: %s\n",
           (long long)json_integer(json_member(result, "files"), 0),
           (long long)json_integer(json_member(result, "unreadable"), 0),
           (long long)json_integer(json_member(result, "bytes"), 0),
           json_show(json_member(result, "index"), path, sizeof path));
}

/* Gives the run back: no try is charged, and any worker may claim it at once. */
static int give_back(struct indexer *self) {
    ok("give the run back", sw_attempt_release(self->attempt, 0, &err));
    fprintf(stderr, "\ninterrupted after %zu of %zu files; start again to go on\n",
            self->replayed + self->processed, self->tree.count);
    return 130;
}

static int fail_run(struct indexer *self, int problem) {
    static const sw_fail_options options = {.struct_size = sizeof options, .flags = SW_FAIL_TEXT};
    char *reason = text("cannot write the index: %s", strerror(problem));
    ok("fail the run", sw_attempt_fail(self->attempt, reason, SW_NTS, &options, &err));
    fprintf(stderr, "index_tree: %s; the files are recorded, start again to go on\n", reason);
    free(reason);
    return 1;
}

static int work(struct indexer *self) {
    printf("attempt %u of %s\n", (unsigned)sw_attempt_number(self->attempt), self->run_id);
    self->renewed_ms = now_ms();
    if (!do_files(self)) return give_back(self);
    int problem = 0;
    char *result = do_index(self, &problem);
    if (result == NULL) return fail_run(self, problem);
    ok("complete the run", sw_attempt_complete(self->attempt, result, SW_NTS, &err));
    printf("replayed %zu, processed %zu\n", self->replayed, self->processed);
    print_result(result);
    free(result);
    return 0;
}

/* --- the run ----------------------------------------------------------------------------------- */

/* Tells of a run that is completed already. Returns 0 when it is not. */
static int was_completed(struct indexer *self, char state[16]) {
    sw_text *document = NULL;
    ok("look at the run", sw_run_get(self->store, self->run_id, SW_NTS, &document, &err));
    const char *run = sw_text_data(document, NULL);
    int is_completed = strcmp(json_show(json_member(run, "state"), state, 16), "completed") == 0;
    if (is_completed) {
        puts("indexed before; for a new index use a new --state folder");
        print_result(json_member(run, "result"));
    }
    sw_text_free(document);
    return is_completed;
}

/* Makes the run, or finds the one made before; it has a queue of its own. */
static int32_t submit(struct indexer *self, const char *queue) {
    char *path = quoted(self->root), *args = text("{\"path\":%s}", path);
    sw_submit_options options = {.struct_size = sizeof options,
                                 .queue = queue,
                                 .queue_len = SW_NTS,
                                 .idempotency_key = self->root,
                                 .idempotency_key_len = SW_NTS};
    int32_t code = sw_run_submit(self->store, "index_tree", SW_NTS, args, SW_NTS, &options,
                                 self->run_id, sizeof self->run_id, &err);
    free(path);
    free(args);
    return ok("submit the run", code);
}

static void open_log(struct indexer *self) {
    char *path = text("%s/%s.log", self->state, self->run_id);
    self->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (self->log < 0) die("cannot open %s: %s", path, strerror(errno));
    free(path);
}

static int index_tree(struct indexer *self) {
    char queue[SHA256_TEXT_CAP], worker[32], state[16];
    hash_text(self->root, queue);
    sprintf(worker, "pid %ld", (long)getpid());
    if (submit(self, queue) == SW_EXISTS && was_completed(self, state)) return 0;
    sw_claim_options claim = {.struct_size = sizeof claim,
                              .wait_ms = CLAIM_WAIT_MS,
                              .worker = worker,
                              .worker_len = SW_NTS,
                              .stop = stop};
    int32_t claimed = sw_run_claim(self->store, queue, SW_NTS, &claim, &self->attempt, &err);
    if (ok("claim the run", claimed) == SW_NONE) {
        if (is_interrupted) return 130;
        if (was_completed(self, state)) return 0;
        die("the run is %s: another worker has it, or it is not due yet", state);
    }
    open_log(self);
    int status = work(self);
    close(self->log);
    sw_attempt_free(self->attempt);
    return status;
}

static void print_names(const char *page) {
    const char *step = json_first(json_member(page, "steps"));
    for (; step != NULL; step = json_next(step)) {
        const char *name = json_member(step, "name");
        printf("%.*s\n", (int)(json_end(name) - name), name);
    }
}

/* Shows the run page by page: the names of its steps alone, or a table. */
static void show_history(struct indexer *self) {
    struct history history = {.steps_count = 0};
    char cursor[1024] = "";
    int32_t found = sw_run_find(self->store, NULL, 0, self->root, SW_NTS, self->run_id,
                                sizeof self->run_id, &err);
    if (ok("find the run", found) == SW_NONE) die("%s has no run in %s", self->root, self->state);
    do {
        const char *after = *cursor == '\0' ? NULL : cursor; /* absent: from the beginning */
        sw_text *page = NULL;
        ok("read the history",
           sw_run_history(self->store, self->run_id, SW_NTS, after, SW_NTS, 0, &page, &err));
        const char *document = sw_text_data(page, NULL);
        if (self->options->is_recorded) print_names(document);
        if (self->options->is_history) history_add_page(&history, document);
        json_show(json_member(document, "next"), cursor, sizeof cursor);
        sw_text_free(page);
    } while (*cursor != '\0');
    if (self->options->is_history) history_print_attempts(&history);
}

/* --- start and end ----------------------------------------------------------------------------- */

static void on_interrupt(int number) {
    (void)number;
    is_interrupted = 1;
    sw_stop_fire(stop); /* ends a waiting claim */
}

static void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    ok("make a stop", sw_stop_new(&stop, &err));
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static long number_after(char **args, const char *option) {
    char *end = NULL;
    long number = args[1] == NULL ? -1 : strtol(args[1], &end, 10);
    if (number < 0 || *end != '\0' || number > 3600000)
        die("%s takes milliseconds up to 3600000", option);
    return number;
}

static void read_options(char **args, struct options *options) {
    for (args++; *args != NULL; args++) {
        if (strcmp(*args, "--history") == 0) {
            options->is_history = 1;
        } else if (strcmp(*args, "--recorded") == 0) {
            options->is_recorded = 1;
        } else if (strcmp(*args, "--list") == 0) {
            options->is_list = 1;
        } else if (strcmp(*args, "--state") == 0 && args[1] != NULL) {
            options->state = *++args;
        } else if (strcmp(*args, "--store") == 0 && args[1] != NULL) {
            options->store = *++args;
            if (strncmp(options->store, "postgres", 8) != 0)
                die("--store takes postgresql://...; a file goes into the folder of --state");
        } else if (strcmp(*args, "--pause-ms") == 0) {
            options->pause_ms = number_after(args++, "--pause-ms");
        } else if (strcmp(*args, "--pause-record-ms") == 0) {
            options->pause_record_ms = number_after(args++, "--pause-record-ms");
        } else if (**args == '-') {
            die("unknown option %s; the first lines of index_tree.c list them", *args);
        } else {
            options->root = *args;
        }
    }
}

static void list_files(struct indexer *self) {
    tree_list(&self->tree);
    for (size_t i = 0; i < self->tree.count; i++) puts(self->tree.paths[i]);
}

/* The store lies in a folder that the walk leaves out: a program must never open the files of its
 * own SQLite store, since closing them would drop the locks on them. */
static void find_folders(struct indexer *self) {
    const struct options *asked = self->options;
    const char *state = asked->state, *root = asked->root;
    int is_look = asked->is_list || asked->is_history || asked->is_recorded;
    if (!is_look && mkdir(state, 0700) != 0 && errno != EEXIST) {
        die("cannot make %s: %s", state, strerror(errno));
    }
    int has_state =
        realpath(state, self->state) != NULL && stat(self->state, &self->tree.skipped) == 0;
    if (!has_state && !asked->is_list) die("cannot find %s: %s", state, strerror(errno));
    if (realpath(root, self->root) == NULL) die("cannot find %s: %s", root, strerror(errno));
    if (strcmp(self->state, self->root) == 0) die("the state folder cannot be the tree itself");
    if (chdir(self->root) != 0) die("cannot enter %s: %s", self->root, strerror(errno));
}

static int with_store(struct indexer *self) {
    const char *url = self->options->store;
    char *path = url != NULL ? text("%s", url) : text("%s/store.db", self->state);
    uint32_t applied = 0;
    int status = 0;
    ok("open the store", sw_store_open(path, NULL, &self->store, &err));
    ok("prepare the store", sw_store_init(self->store, &applied, &err));
    if (self->options->is_history || self->options->is_recorded) {
        show_history(self);
    } else {
        status = index_tree(self);
    }
    sw_store_close(self->store);
    free(path);
    return status;
}

int main(int argc, char **argv) {
    static struct indexer self;
    struct options options = {.root = ".", .state = "index_tree.state"};
    int status = 0;
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* what is said stays said when the program is killed */
    read_options(argv, &options);
    self.options = &options;
    find_folders(&self);
    if (options.is_list) {
        list_files(&self);
    } else {
        catch_interrupts();
        status = with_store(&self);
        sw_stop_free(stop);
    }
    for (size_t i = 0; self.lines != NULL && i < self.tree.count; i++) free(self.lines[i]);
    free(self.lines);
    tree_free(&self.tree);
    return status;
}
