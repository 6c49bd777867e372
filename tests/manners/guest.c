/*
 * Whether the library is a good guest of its process: the host's signals, descriptors, threads,
 * umask and folder are as they were, and it may be loaded, unloaded, doubled and forked. Loads the
 * library of argv[1] by dlopen, as a language's run-time does; writes below the folder of argv[2].
 * Prints a line for each check and ends with "N passed, N failed".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <smolwf.h>

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define LOADS_PER_THREAD 12
#define FDS_MAX 256

/* The functions that this program asks the library for. */
#define FUNCTIONS(F)                                                                               \
    F(sw_store_open)                                                                               \
    F(sw_store_init)                                                                               \
    F(sw_store_close)                                                                              \
    F(sw_run_submit)                                                                               \
    F(sw_run_claim)                                                                                \
    F(sw_attempt_complete)                                                                         \
    F(sw_attempt_free)                                                                             \
    F(sw_step_begin)                                                                               \
    F(sw_step_complete)                                                                            \
    F(sw_step_free)                                                                                \
    F(sw_watch_open)                                                                               \
    F(sw_watch_fd)                                                                                 \
    F(sw_watch_free)

struct library {
    void *loaded;
#define POINTER(name) __typeof__(name) *name;
    FUNCTIONS(POINTER)
};

static const char *library_path;
static const char *folder;
static int passed, failed;

static void check(const char *what, bool holds) {
    printf("%s: %s\n", holds ? "holds" : "FAILS", what);
    if (holds) {
        passed++;
    } else {
        failed++;
    }
}

static bool load(struct library *library) {
    library->loaded = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
    if (library->loaded == NULL) return false;
    bool is_whole = true;
#define RESOLVE(name)                                                                              \
    *(void **)&library->name = dlsym(library->loaded, #name);                                      \
    is_whole = is_whole && library->name != NULL;
    FUNCTIONS(RESOLVE)
    return is_whole;
}

static sw_store *open_store(const struct library *library, const char *name) {
    char path[4096];
    uint32_t applied;
    sw_store *store = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (library->sw_store_open(path, NULL, &store, NULL) != SW_OK) return NULL;
    if (library->sw_store_init(store, &applied, NULL) != SW_OK) return NULL;
    return store;
}

/* Submits a run, claims it, takes a step, completes it, and waits a moment for another. */
static bool work(const struct library *library, sw_store *store) {
    sw_claim_options options = {.struct_size = sizeof options, .wait_ms = 20};
    sw_attempt *attempt = NULL, *none = NULL;
    sw_step *step = NULL;
    char id[SW_ID_CAP];
    bool is_done =
        library->sw_run_submit(store, "w", 1, NULL, 0, NULL, id, sizeof id, NULL) == SW_OK &&
        library->sw_run_claim(store, NULL, 0, &options, &attempt, NULL) == SW_OK &&
        library->sw_step_begin(attempt, "s", 1, NULL, 0, NULL, &step, NULL) == SW_OK &&
        library->sw_step_complete(step, "1", 1, NULL) == SW_OK &&
        library->sw_attempt_complete(attempt, "1", 1, NULL) == SW_OK &&
        library->sw_run_claim(store, NULL, 0, &options, &none, NULL) == SW_NONE;
    library->sw_step_free(step);
    library->sw_attempt_free(attempt);
    return is_done;
}

/* ---- What the host had ------------------------------------------------------------------------ */

/* The lines of /proc/self/status about signals, and how many threads there are. */
struct process_state {
    char signals[512];
    int threads;
    mode_t mask;
    char cwd[4096];
    struct sigaction actions[NSIG];
};

static struct process_state look_once(void) {
    struct process_state state;
    memset(&state, 0, sizeof state);
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        bool is_kept = strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0 ||
                       strncmp(line, "SigCgt:", 7) == 0;
        if (is_kept) strcat(state.signals, line);
        if (strncmp(line, "Threads:", 8) == 0) state.threads = atoi(line + 8);
    }
    if (status != NULL) fclose(status);
    state.mask = umask(022);
    umask(state.mask);
    if (getcwd(state.cwd, sizeof state.cwd) == NULL) state.cwd[0] = '\0';
    for (int signal = 1; signal < NSIG; signal++) {
        sigaction(signal, NULL, &state.actions[signal]);
    }
    return state;
}

/* A flag that the C library sets in whatever passes through it. */
#define SA_RESTORER_FLAG 0x04000000

/* A thread that was joined may still be listed for a moment. */
static struct process_state look(void) {
    struct process_state state = look_once();
    for (int i = 0; i < 500 && state.threads > 1; i++) {
        usleep(1000);
        state = look_once();
    }
    return state;
}

static bool has_same_handlers(const struct process_state *a, const struct process_state *b) {
    for (int signal = 1; signal < NSIG; signal++) {
        if (a->actions[signal].sa_handler != b->actions[signal].sa_handler ||
            ((a->actions[signal].sa_flags ^ b->actions[signal].sa_flags) & ~SA_RESTORER_FLAG) !=
                0) {
            return false;
        }
    }
    return true;
}

static void check_unchanged(const char *when, const struct process_state *before) {
    struct process_state now = look();
    char what[256];
    snprintf(what, sizeof what, "%s, signals are caught, ignored and blocked as before", when);
    check(what, before->signals[0] != '\0' && strcmp(before->signals, now.signals) == 0 &&
                    has_same_handlers(before, &now));
    snprintf(what, sizeof what, "%s, there is no thread but the host's", when);
    check(what, before->threads == 1 && now.threads == 1);
    snprintf(what, sizeof what, "%s, umask and working folder are as before", when);
    check(what, before->mask == now.mask && strcmp(before->cwd, now.cwd) == 0);
}

static void ignore(int signal) { (void)signal; }

static void *nothing(void *unused) { return unused; }

/*
 * A host with a handler, an ignored and a blocked signal of its own, and with one thread behind it:
 * the C library takes a signal for itself when the first one starts.
 */
static void take_some_signals(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0) pthread_join(thread, NULL);
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_NODEFER};
    sigset_t blocked;
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

/* Notes which descriptors are open; returns how many. */
static int open_fds(bool is_open[FDS_MAX]) {
    int count = 0;
    for (int fd = 0; fd < FDS_MAX; fd++) {
        is_open[fd] = fcntl(fd, F_GETFD) >= 0;
        count += is_open[fd];
    }
    return count;
}

static void check_fds(const struct library *library) {
    bool before[FDS_MAX], during[FDS_MAX], after[FDS_MAX];
    int count = open_fds(before);
    sw_store *store = open_store(library, "descriptors.db");
    check("work is done beside looks at descriptors", work(library, store));
    check("an open store has descriptors to look at", open_fds(during) > count);
    bool is_closed_on_exec = true;
    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (during[fd] && !before[fd]) is_closed_on_exec &= (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
        is_closed_on_exec &= during[fd] || !before[fd];
    }
    check("every descriptor of the library is close-on-exec", is_closed_on_exec);
    library->sw_store_close(store);
    open_fds(after);
    check("closing the last store closes its descriptors, and no others",
          memcmp(before, after, sizeof before) == 0);
}

/* ---- A watch: the one thing that has a thread ------------------------------------------------- */

static unsigned long long blocked_signals(const char *thread) {
    char path[300], line[256];
    unsigned long long blocked = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0) blocked = strtoull(line + 7, NULL, 16);
    }
    if (status != NULL) fclose(status);
    return blocked;
}

/* Whether every thread but the first blocks all signals that a host may use; how many there are. */
static bool do_others_block_all(int *count) {
    /* What cannot be blocked, and the two that the C library keeps for itself. */
    const unsigned long long free_ones =
        1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << 31 | 1ull << 32;
    char own[32];
    bool is_so = true;
    snprintf(own, sizeof own, "%d", (int)getpid());
    DIR *threads = opendir("/proc/self/task");
    *count = 0;
    for (struct dirent *entry; threads != NULL && (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0) continue;
        is_so &= (blocked_signals(entry->d_name) | free_ones) == ~0ull;
        (*count)++;
    }
    if (threads != NULL) closedir(threads);
    return is_so;
}

static void check_watch(const struct library *library) {
    sw_store *store = open_store(library, "watched.db");
    sw_watch *watch = NULL;
    int32_t fd = -1;
    int count = 0;
    bool is_open = library->sw_watch_open(store, &watch, NULL) == SW_OK &&
                   library->sw_watch_fd(watch, &fd, NULL) == SW_OK;
    check("a watch gives a descriptor that is close-on-exec and does not block",
          is_open && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 &&
              (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    bool is_so = do_others_block_all(&count);
    check("a watch has one thread, which blocks every signal", is_so && count == 1);
    check("work is done beside a watch", work(library, store));
    library->sw_watch_free(watch);
    char byte;
    while (read(fd, &byte, 1) > 0) continue;
    check("the descriptor of a freed watch is at its end", read(fd, &byte, 1) == 0);
    close(fd);
    library->sw_store_close(store);
}

/* ---- Signals while the library works ---------------------------------------------------------- */

static void check_under_a_timer(const struct library *library) {
    struct sigaction action = {.sa_handler = ignore}, old; /* without SA_RESTART */
    struct itimerval every_ms = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    sw_store *store = open_store(library, "timer.db");
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &every_ms, NULL);
    bool is_done = true;
    for (int i = 0; i < 10; i++) is_done &= work(library, store);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    library->sw_store_close(store);
    check("a signal each millisecond disturbs no call", is_done);
}

/* ---- Loaded, doubled, forked ------------------------------------------------------------------ */

static void *load_and_work(void *index) {
    char name[64];
    for (int i = 0; i < LOADS_PER_THREAD; i++) {
        struct library library;
        snprintf(name, sizeof name, "thread-%d.db", (int)(intptr_t)index);
        if (!load(&library)) return NULL;
        sw_store *store = open_store(&library, name);
        bool is_done = store != NULL && work(&library, store);
        library.sw_store_close(store);
        if (dlclose(library.loaded) != 0 || !is_done) return NULL;
    }
    return index;
}

static void check_loading_from_threads(void) {
    pthread_t threads[THREADS];
    int done = 0;
    for (intptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, load_and_work, (void *)(i + 1));
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        done += result != NULL;
    }
    check("eight threads load the library, work and unload it", done == THREADS);
}

static void check_two_stores(const struct library *library) {
    sw_store *one = open_store(library, "one.db"), *two = open_store(library, "two.db");
    sw_store *again = open_store(library, "one.db");
    bool is_done = one != NULL && two != NULL && again != NULL;
    for (int i = 0; i < 5 && is_done; i++) {
        is_done = work(library, one) && work(library, two) && work(library, again);
    }
    library->sw_store_close(one);
    is_done = is_done && work(library, two) && work(library, again);
    library->sw_store_close(two);
    library->sw_store_close(again);
    check("two files, and one of them twice, are worked on in one process", is_done);
}

/* Forks with nothing of the library in use; the child works on a file of its own. */
static void check_fork(const char *what, const char *name) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct library library;
        sw_store *store = load(&library) ? open_store(&library, name) : NULL;
        bool is_done = store != NULL && work(&library, store);
        if (store != NULL) library.sw_store_close(store);
        _exit(is_done ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    check(what, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    library_path = argv[1];
    folder = argv[2];
    take_some_signals();
    struct process_state before = look();
    struct library library;
    check("the library is loaded", load(&library));
    check_unchanged("after loading", &before);
    sw_store *store = open_store(&library, "guest.db");
    check("work is done", work(&library, store));
    check_unchanged("with an open store", &before);
    library.sw_store_close(store);
    check_fds(&library);
    check_watch(&library);
    check_under_a_timer(&library);
    check_unchanged("after closing", &before);
    check_two_stores(&library);
    check_fork("a fork after the stores are closed works", "forked.db");
    dlclose(library.loaded);
    check_unchanged("after unloading", &before);
    check_loading_from_threads();
    check_fork("a fork after the library was unloaded works", "forked-later.db");
    check_unchanged("at the end", &before);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
