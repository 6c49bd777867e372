/*
 * Ten accounts in a table of the program's own, where the store is, and a hundred transfers between
 * them. Each transfer is a run with one step, and what the step does to the accounts and that it is
 * done are one commit: kill the program anywhere, and no cent is lost or moved twice.
 *   transfer <store>               does what is left to do, and says how the accounts stand
 *   transfer <store> kills <many>  does it in workers that are killed so many times
 *   transfer <store> worker        one of those
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <smolwf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ACCOUNTS 10
#define TRANSFERS 100
#define TRIES 100000 /* of a run: each kill in it may use one up */

static sw_error *err;

static int32_t ok(int32_t code) {
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", sw_code_name(code), sw_error_message(err));
    exit(1);
}

static void pause_us(long us) {
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&span, NULL);
}

/* ---- The accounts ------------------------------------------------------------------------------- */

/* Runs a script that belongs to no step. */
static void run_script(sw_store *store, const char *script) {
    sw_text *results;
    ok(sw_tx_run(store, NULL, NULL, script, SW_NTS, &results, &err));
    sw_text_free(results);
}

static sw_store *open_bank(const char *path) {
    sw_store *store;
    uint32_t applied;
    ok(sw_store_open(path, NULL, &store, &err));
    ok(sw_store_init(store, &applied, &err));
    run_script(store, "[{\"sql\":\"CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY,"
                      " cents INTEGER NOT NULL CHECK (cents >= 0))\"},"
                      "{\"sql\":\"CREATE TABLE IF NOT EXISTS moves (transfer INTEGER NOT NULL,"
                      " cents INTEGER NOT NULL)\"},"
                      "{\"sql\":\"INSERT INTO accounts VALUES (0, 1000), (1, 1000), (2, 1000),"
                      " (3, 1000), (4, 1000), (5, 1000), (6, 1000), (7, 1000), (8, 1000), (9, 1000)"
                      " ON CONFLICT DO NOTHING\"}]");
    return store;
}

/* The one number that a query answers. */
static long long ask(sw_store *store, const char *sql) {
    sw_text *rows;
    ok(sw_query(store, sql, SW_NTS, NULL, 0, NULL, 0, &rows, &err));
    const char *at = strstr(sw_text_data(rows, NULL), "\"rows\":[[");
    long long number = at == NULL ? 0 : strtoll(at + 9, NULL, 10);
    sw_text_free(rows);
    return number;
}

/* ---- The transfers ------------------------------------------------------------------------------ */

/* Submits a transfer, once however often this runs: its number is its key. */
static void submit(sw_store *store, int number) {
    char args[64], key[32], run_id[SW_ID_CAP];
    snprintf(args, sizeof args, "{\"number\":%d}", number);
    snprintf(key, sizeof key, "transfer %d", number);
    sw_submit_options options = {.struct_size = sizeof options,
                                 .max_tries = TRIES,
                                 .idempotency_key = key,
                                 .idempotency_key_len = SW_NTS};
    ok(sw_run_submit(store, "transfer", SW_NTS, args, SW_NTS, &options, run_id, sizeof run_id,
                     &err));
}

/* Moves the money and records the step in one commit. The two accounts and the amount follow from the
 * number; each UPDATE must find its account, or nothing of it is done. */
static void move(sw_store *store, sw_attempt *attempt, sw_step *step, int number) {
    int from = number % ACCOUNTS, to = (number * 7 + 3) % ACCOUNTS, cents = 1 + number % 9;
    char script[640];
    snprintf(script, sizeof script,
             "[{\"sql\":\"UPDATE accounts SET cents = cents - $1 WHERE id = $2\","
             "\"params\":[%d,%d],\"expect_changes\":1},"
             "{\"sql\":\"UPDATE accounts SET cents = cents + $1 WHERE id = $2\","
             "\"params\":[%d,%d],\"expect_changes\":1},"
             "{\"sql\":\"INSERT INTO moves VALUES ($1, $2)\",\"params\":[%d,%d]},"
             "{\"step_complete\":{\"result\":%d}}]",
             cents, from, cents, to, number, cents, cents);
    sw_text *results;
    ok(sw_tx_run(store, attempt, step, script, SW_NTS, &results, &err));
    sw_text_free(results);
}

/* Does what can be claimed now. A worker that is to be killed says when it begins with a transfer, and
 * takes its time around the commit. */
static void work(sw_store *store, bool is_to_be_killed) {
    long around_us = is_to_be_killed ? 3000 : 0;
    sw_attempt *attempt;
    while (ok(sw_run_claim(store, NULL, 0, NULL, &attempt, &err)) == SW_OK) {
        const char *args = sw_attempt_args(attempt, NULL);
        int number = atoi(strchr(args, ':') + 1);
        sw_step *step;
        if (ok(sw_step_begin(attempt, "move", SW_NTS, NULL, 0, NULL, &step, &err)) == SW_OK) {
            if (is_to_be_killed && write(STDOUT_FILENO, "!", 1) != 1) exit(1);
            pause_us(around_us);
            move(store, attempt, step, number);
            pause_us(around_us);
        }
        sw_step_free(step);
        ok(sw_attempt_complete(attempt, NULL, 0, &err));
        sw_attempt_free(attempt);
    }
}

static void report(sw_store *store) {
    sw_text *check;
    ok(sw_store_check(store, &check, &err));
    if (strstr(sw_text_data(check, NULL), "\"ok\":true") == NULL) puts("the store is not whole");
    sw_text_free(check);
    printf("accounts %lld sum %lld\n", ask(store, "SELECT count(*) FROM accounts"),
           ask(store, "SELECT sum(cents) FROM accounts"));
    uint64_t done;
    ok(sw_run_count(store, "{\"state\":\"completed\"}", SW_NTS, 0, &done, &err));
    printf("transfers %d done %llu twice %lld\n", TRANSFERS, (unsigned long long)done,
           ask(store, "SELECT count(*) - count(DISTINCT transfer) FROM moves"));
}

/* ---- Workers that are killed -------------------------------------------------------------------- */

/* Starts a worker and kills it within five milliseconds of its first transfer. */
static void start_and_kill(const char *path, unsigned *seed) {
    int ends[2];
    char said;
    if (pipe(ends) != 0) exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "transfer", path, "worker", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], &said, 1) == 1) pause_us(rand_r(seed) % 5000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

static void work_and_kill(sw_store *store, const char *path, int kills) {
    unsigned seed = (unsigned)time(NULL);
    for (int i = 0; i < kills; i++) start_and_kill(path, &seed);
    printf("# killed %d times, %lld moves made by then\n", kills,
           ask(store, "SELECT count(*) FROM moves"));
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: transfer <store> [kills <many> | worker]\n");
        return 2;
    }
    const char *mode = argc > 2 ? argv[2] : "";
    sw_store *store = open_bank(argv[1]);
    if (strcmp(mode, "worker") == 0) {
        work(store, true);
    } else {
        for (int number = 0; number < TRANSFERS; number++) submit(store, number);
        if (strcmp(mode, "kills") == 0 && argc > 3) work_and_kill(store, argv[1], atoi(argv[3]));
        work(store, false);
        report(store);
    }
    sw_store_close(store);
    return 0;
}
