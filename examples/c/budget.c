/*
 * A team of eight shares 100000 tokens. Each member reserves before it calls the model, in a step, and
 * records with the step's result what the call really used. When the limit is reached the members
 * park; they go on when it is raised.
 *   budget <store>          one process, eight threads
 *   budget <store> kills    eight processes, of which some are killed while they hold reservations
 *   budget <store> worker <seed>   one of those
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <smolwf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMBERS 8
#define LIMIT 100000
#define RAISE 10000
#define KILLS 4
#define LOOK_MS 10
#define MEMBERS_QUEUE "members"

static _Thread_local sw_error *err;
/* What was used, and by how much it was more than reserved. */
static atomic_llong used, above;

static void fail(const char *what) {
    fprintf(stderr, "budget: %s\n", what);
    exit(1);
}

static int32_t ok(int32_t code) {
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", sw_code_name(code), sw_error_message(err));
    exit(1);
}

static void pause_ms(long ms) {
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

static sw_store *open_store(const char *path) {
    sw_store *store;
    uint32_t applied;
    ok(sw_store_open(path, NULL, &store, &err));
    ok(sw_store_init(store, &applied, &err));
    return store;
}

/* ---- A member: calls until there is no room, then parks ---------------------------------------- */

static int between(unsigned *seed, int least, int most) {
    return least + (int)((unsigned)rand_r(seed) % (unsigned)(most - least + 1));
}

/* Does what comes next: false once there is no room, or the run was cancelled. */
static bool call_the_model(sw_attempt *attempt, unsigned *seed, bool tells) {
    sw_step *step = NULL;
    char id[SW_ID_CAP], amounts[64];
    sw_step_options kind = {.struct_size = sizeof kind,
                            .kind = between(seed, 0, 1) ? "draft" : "review",
                            .kind_len = SW_NTS};
    int32_t code = sw_step_begin(attempt, "call", SW_NTS, NULL, 0, &kind, &step, &err);
    if (code == SW_ERR_CANCELLED) {
        sw_error_free(err);
        return false;
    }
    if (ok(code) == SW_REPLAYED) {
        sw_step_free(step);
        return true;
    }
    int expected = between(seed, 200, 1000);
    snprintf(amounts, sizeof amounts, "{\"tokens\":%d}", expected);
    code = sw_budget_reserve(attempt, step, amounts, SW_NTS, NULL, 0, id, sizeof id, &err);
    if (code == SW_ERR_BUDGET || code == SW_ERR_CANCELLED) {
        sw_error_free(err);
        sw_step_free(step);
        return false;
    }
    ok(code);
    pause_ms(1); /* the work */
    int actual = between(seed, expected / 2, expected * 3 / 2);
    atomic_fetch_add(&used, actual);
    if (actual > expected) atomic_fetch_add(&above, actual - expected);
    /* Told before it is recorded: whoever adds up may know too much only. */
    if (tells && actual > expected) {
        printf("%d\n", actual - expected);
        fflush(stdout);
    }
    snprintf(amounts, sizeof amounts, "{\"tokens\":%d}", actual);
    ok(sw_step_complete_usage(step, "\"done\"", SW_NTS, amounts, SW_NTS, &err));
    sw_step_free(step);
    return true;
}

/* Claims members and works on them until the stop is fired. */
static void work(sw_store *store, sw_stop *stop, unsigned seed, bool tells) {
    sw_claim_options patient = {.struct_size = sizeof patient, .wait_ms = SW_FOREVER, .stop = stop};
    sw_attempt *attempt;
    while (ok(sw_run_claim(store, MEMBERS_QUEUE, SW_NTS, &patient, &attempt, &err)) == SW_OK) {
        while (call_the_model(attempt, &seed, tells)) {}
        int32_t code = sw_attempt_suspend(attempt, &err);
        if (code == SW_ERR_CANCELLED) {
            sw_error_free(err);
        } else {
            ok(code);
        }
        sw_attempt_free(attempt);
    }
}

/* ---- The team ----------------------------------------------------------------------------------- */

struct team {
    sw_store *store;
    sw_stop *stop;
    char root[SW_ID_CAP];
    char members[MEMBERS][SW_ID_CAP];
};

/* Submits the root, and from it the members, and parks it on their ends. */
static void submit_team(struct team *team) {
    sw_submit_options options = {
        .struct_size = sizeof options, .budget = "{\"tokens\":100000}", .budget_len = SW_NTS};
    char items[1024] = "[", waits[1024] = "[";
    sw_attempt *attempt;
    sw_text *text;
    ok(sw_run_submit(team->store, "team", SW_NTS, NULL, 0, &options, team->root, sizeof team->root,
                     &err));
    if (ok(sw_run_claim(team->store, NULL, 0, NULL, &attempt, &err)) != SW_OK) fail("no team");
    for (int i = 0; i < MEMBERS; i++) {
        strcat(items, i == 0 ? "" : ",");
        strcat(items,
               "{\"name\":\"member\",\"workflow\":\"member\",\"queue\":\"" MEMBERS_QUEUE "\"}");
    }
    ok(sw_child_submit_many(attempt, strcat(items, "]"), SW_NTS, &text, &err));
    const char *at = sw_text_data(text, NULL);
    for (int i = 0; i < MEMBERS; i++) {
        at = strstr(at, "\"run_id\":\"");
        if (at == NULL) fail("fewer members than submitted");
        at += strlen("\"run_id\":\"");
        snprintf(team->members[i], SW_ID_CAP, "%.*s", (int)strcspn(at, "\""), at);
        strcat(waits, i == 0 ? "{\"child\":\"" : ",{\"child\":\"");
        strcat(strcat(waits, team->members[i]), "\"}");
    }
    sw_text_free(text);
    strcat(waits, "]");
    if (ok(sw_await_all(attempt, "join", SW_NTS, waits, SW_NTS, SW_FOREVER, &text, &err)) !=
        SW_SUSPEND)
        fail("members that ended before they began");
    ok(sw_attempt_suspend(attempt, &err));
    sw_attempt_free(attempt);
}

/* Returns the number that stands behind a key. */
static int64_t number_in(const char *document, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(document, quoted);
    if (at == NULL) fail(key);
    return strtoll(at + strlen(quoted), NULL, 10);
}

/* Waits until all members are parked at one moment: twice in a row, and no attempt in between. */
static void wait_until_parked(struct team *team) {
    int64_t before = -1;
    for (;;) {
        int64_t attempts = 0;
        int parked = 0;
        for (int i = 0; i < MEMBERS; i++) {
            sw_text *text;
            ok(sw_run_get(team->store, team->members[i], SW_NTS, &text, &err));
            const char *document = sw_text_data(text, NULL);
            parked += strstr(document, "\"state\":\"waiting\"") != NULL;
            attempts += number_in(document, "attempts");
            sw_text_free(text);
        }
        if (parked == MEMBERS && attempts == before) return;
        before = parked == MEMBERS ? attempts : -1;
        pause_ms(LOOK_MS);
    }
}

struct meter {
    int64_t limit, reserved, spent, ledger, entries;
};

static struct meter read_meter(struct team *team, bool shows) {
    sw_text *text;
    ok(sw_budget_get(team->store, team->root, SW_NTS, &text, &err));
    const char *document = sw_text_data(text, NULL);
    struct meter meter = {.limit = number_in(document, "limit"),
                          .reserved = number_in(document, "reserved"),
                          .spent = number_in(document, "spent")};
    const char *at = strstr(document, "\"totals\":");
    if (at == NULL) fail("no totals");
    for (at = strstr(at, "{"); at != NULL; at = strstr(at + 1, "{")) {
        const char *kind = strstr(at, "\"kind\":\"");
        meter.ledger += number_in(at, "spent");
        meter.entries += number_in(at, "entries");
        if (shows && kind != NULL)
            printf("# %.*s: %" PRId64 " tokens in %" PRId64 " entries\n",
                   (int)strcspn(kind + 8, "\""), kind + 8, number_in(at, "spent"),
                   number_in(at, "entries"));
    }
    sw_text_free(text);
    return meter;
}

static void raise_limit(struct team *team) {
    ok(sw_budget_raise(team->store, team->root, SW_NTS, "tokens", SW_NTS, RAISE, &err));
}

/* The totals are sums that the store keeps; this adds up the ledger itself. */
static void check_store(sw_store *store) {
    sw_text *text;
    ok(sw_store_check(store, &text, &err));
    if (strstr(sw_text_data(text, NULL), "\"ok\":true") == NULL) fail(sw_text_data(text, NULL));
    sw_text_free(text);
}

/* Says what was held, and ends what is open. */
static void conclude(struct team *team, int64_t overrun) {
    ok(sw_run_cancel(team->store, team->root, SW_NTS, NULL, 0, &err));
    struct meter meter = read_meter(team, false);
    if (meter.limit != LIMIT + RAISE) fail("the limit is another");
    if (meter.reserved != 0) fail("something is reserved and nobody works");
    if (meter.spent > meter.limit + overrun) fail("a reserve went above the limit");
    puts("no reserve went above the limit");
    if (meter.spent != meter.ledger) fail("spent is not the sum of the ledger");
    check_store(team->store);
    puts("spent is the sum of the ledger");
    read_meter(team, true);
    printf("# spent %" PRId64 " of %" PRId64 ", %" PRId64 " settled above what was reserved\n",
           meter.spent, meter.limit, overrun);
    printf("# %" PRId64 " entries\n", meter.entries);
}

/* ---- One process, eight threads ----------------------------------------------------------------- */

struct thread {
    pthread_t id;
    unsigned seed;
    struct team *team;
};

static void *member_thread(void *shared) {
    struct thread *thread = shared;
    work(thread->team->store, thread->team->stop, thread->seed, false);
    return NULL;
}

static void play_threads(struct team *team) {
    struct thread threads[MEMBERS];
    ok(sw_stop_new(&team->stop, &err));
    for (unsigned i = 0; i < MEMBERS; i++) {
        threads[i] = (struct thread){.seed = (unsigned)time(NULL) + i, .team = team};
        if (pthread_create(&threads[i].id, NULL, member_thread, &threads[i])) fail("no thread");
    }
    wait_until_parked(team);
    puts("the limit was reached: 8 members are parked");
    int64_t before = read_meter(team, false).spent;
    raise_limit(team);
    pause_ms(LOOK_MS);
    wait_until_parked(team);
    if (read_meter(team, false).spent <= before) fail("nothing was spent after the raise");
    puts("raised by 10000: work went on");
    puts("the limit was reached again");
    sw_stop_fire(team->stop);
    for (int i = 0; i < MEMBERS; i++) pthread_join(threads[i].id, NULL);
    if (read_meter(team, false).spent != atomic_load(&used)) fail("spent is not what was used");
    conclude(team, atomic_load(&above));
    sw_stop_free(team->stop);
}

/* ---- Eight processes, some of them killed ------------------------------------------------------- */

struct worker {
    pid_t pid;
    FILE *said;
};

static struct worker start_worker(const char *path, unsigned seed) {
    int ends[2];
    char number[16];
    snprintf(number, sizeof number, "%u", seed);
    if (pipe(ends) != 0) fail("no pipe");
    pid_t pid = fork();
    if (pid < 0) fail("no process");
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "budget", path, "worker", number, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return (struct worker){.pid = pid, .said = fdopen(ends[0], "r")};
}

/* Kills a worker and returns by how much it has used more than it reserved, or was about to. */
static int64_t end_worker(struct worker *worker) {
    int64_t overrun = 0;
    char line[32];
    kill(worker->pid, SIGKILL);
    while (fgets(line, sizeof line, worker->said) != NULL) overrun += strtoll(line, NULL, 10);
    fclose(worker->said);
    waitpid(worker->pid, NULL, 0);
    return overrun;
}

static void play_kills(struct team *team, const char *path) {
    struct worker workers[MEMBERS];
    unsigned seed = (unsigned)time(NULL);
    int64_t overrun = 0;
    for (int i = 0; i < MEMBERS; i++) workers[i] = start_worker(path, ++seed);
    for (int i = 0; i < KILLS; i++) { /* at moments that nobody has chosen, while tokens are left */
        while (read_meter(team, false).spent < LIMIT / (KILLS + 1) * (i + 1)) pause_ms(1);
        overrun += end_worker(&workers[i]);
        workers[i] = start_worker(path, ++seed);
    }
    printf("%d of %d workers were killed and begun anew\n", KILLS, MEMBERS);
    wait_until_parked(team);
    puts("the limit was reached: 8 members are parked");
    raise_limit(team);
    pause_ms(LOOK_MS);
    wait_until_parked(team);
    puts("raised by 10000: work went on");
    puts("the limit was reached again");
    for (int i = 0; i < MEMBERS; i++) overrun += end_worker(&workers[i]);
    conclude(team, overrun);
}

int main(int argc, char **argv) {
    if (argc < 2) fail("which file?");
    struct team team = {.store = open_store(argv[1])};
    if (argc == 4 && strcmp(argv[2], "worker") == 0) {
        work(team.store, NULL, (unsigned)strtoul(argv[3], NULL, 10), true);
        return 1;
    }
    submit_team(&team);
    puts("a team of 8 shares 100000 tokens");
    fflush(stdout);
    if (argc == 3 && strcmp(argv[2], "kills") == 0) {
        play_kills(&team, argv[1]);
    } else {
        play_threads(&team);
    }
    sw_store_close(team.store);
    return 0;
}
