/* Chapters about the store as a whole: events, schedules, SQL, keeping, carrying, copies, watches. */

#include "chapters.h"

#include <stdio.h>
#include <string.h>

#define OF_RUN " (SELECT run_key FROM sw_workflow_runs WHERE idem_key = '%s')"

static sw_attempt *submit_and_claim(struct life *life, const char *key, const char *queue,
                                    char *id) {
    return submit(life, key, queue, NULL, id) < 0 ? NULL : claim(life, queue);
}

static int play_events(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    sw_attempt *attempt = submit_and_claim(life, key, queue, id);
    if (attempt == NULL) return -1;
    for (int at = 0; at < 3; at++) {
        char value[8], name[8];
        snprintf(value, sizeof value, "%d", at + 1);
        snprintf(name, sizeof name, "k%d", at);
        expect(life, value, "SELECT count(*) FROM sw_workflow_events WHERE run_key =" OF_RUN, key);
        MUST(life, SW_OK, sw_event_append, attempt, "news", SW_NTS, "{\"a\":1}", SW_NTS, name,
             SW_NTS, &life->err);
    }
    MUST(life, SW_EXISTS, sw_event_append, attempt, "news", SW_NTS, NULL, 0, "k1", SW_NTS,
         &life->err);
    MUST(life, SW_OK, sw_event_read, life->store, 0, id, SW_NTS, 0, text_of(life), &life->err);
    MUST(life, SW_OK, sw_event_wait, life->store, 0, NULL, 0, 0, 0, NULL, text_of(life),
         &life->err);
    return finish(life, attempt, key, NULL);
}

static int play_schedules(struct life *life) {
    const char *queue = own(life, 0, "q"), *name = own(life, 1, "nightly");
    char spec[256];
    snprintf(spec, sizeof spec, "{\"workflow\":\"work\",\"queue\":\"%s\",\"every_ms\":60000}",
             queue);
    expect(life, "1", "SELECT count(*) FROM sw_workflow_schedules WHERE name = '%s'", name);
    MUST(life, SW_OK, sw_schedule_set, life->store, name, SW_NTS, spec, SW_NTS, &life->err);
    MUST(life, SW_OK, sw_store_advance_clock, life->store, 60001, &life->err);
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    MUST(life, SW_OK, sw_attempt_complete, attempt, "1", SW_NTS, &life->err);
    expect(life, "0", "SELECT count(*) FROM sw_workflow_schedules WHERE name = '%s'", name);
    MUST(life, SW_OK, sw_schedule_delete, life->store, name, SW_NTS, &life->err);
    return 0;
}

static int play_sql(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run"),
               *child = own(life, 2, "made");
    char id[SW_ID_CAP], script[1024];
    sw_attempt *attempt = submit_and_claim(life, key, queue, id);
    if (attempt == NULL) return -1;
    MUST(life, SW_OK, sw_tx_run, life->store, NULL, NULL,
         "[{\"sql\":\"CREATE TABLE IF NOT EXISTS host(name TEXT, n INTEGER) STRICT\"}]", SW_NTS,
         text_of(life), &life->err);
    sw_step *step = begin(life, attempt, "moves", SW_OK);
    if (step == NULL) return -1;
    snprintf(script, sizeof script,
             "[{\"sql\":\"INSERT INTO host(name, n) VALUES ('%s', 1)\",\"expect_changes\":1},"
             "{\"submit\":{\"workflow\":\"work\",\"queue\":\"%s\",\"idempotency_key\":\"%s\"}},"
             "{\"step_complete\":{\"result\":{\"moved\":true}}}]",
             key, queue, child);
    expect(life, "3",
           "SELECT (SELECT count(*) FROM host WHERE name = '%s')"
           " + (SELECT count(*) FROM sw_workflow_runs WHERE idem_key = '%s')"
           " + (SELECT count(*) FROM sw_workflow_steps WHERE state = 2 AND run_key =" OF_RUN ")",
           key, child, key);
    expect(life, "0", "SELECT count(*) FROM host WHERE name = '%s.half'", key);
    MUST(life, SW_OK, sw_tx_run, life->store, attempt, step, script, SW_NTS, text_of(life),
         &life->err);
    /* What a script has done before it fails does not stay. */
    snprintf(script, sizeof script,
             "[{\"sql\":\"INSERT INTO host(name, n) VALUES ('%s.half', 1)\"},"
             "{\"sql\":\"UPDATE host SET n = 0 WHERE name = ''\",\"expect_changes\":1}]",
             key);
    MUST(life, SW_ERR_CONFLICT, sw_tx_run, life->store, NULL, NULL, script, SW_NTS, text_of(life),
         &life->err);
    expect(life, "1", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    MUST(life, SW_OK, sw_tx_run, life->store, attempt, NULL,
         "[{\"sql\":\"UPDATE host SET n = n + 1\"},{\"attempt_complete\":{\"result\":1}}]", SW_NTS,
         text_of(life), &life->err);
    return 0;
}

static int make_ended(struct life *life, const char *queue, const char *key, int count, char *id) {
    for (int at = 0; at < count; at++) {
        char one[112];
        snprintf(one, sizeof one, "%s.%d", key, at);
        sw_attempt *attempt = submit_and_claim(life, one, queue, id);
        if (attempt == NULL) return -1;
        PART(finish_step(life, attempt, one, "one", "1"));
        PART(finish(life, attempt, one, "2"));
    }
    return 0;
}

static int play_keeping(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP], filter[160];
    PART(make_ended(life, queue, key, 4, id));
    snprintf(filter, sizeof filter, "{\"queue\":\"%s\"}", queue);
    /* What was said of the runs before holds no longer. */
    for (int at = 0; at < 2; at++) {
        expect(life, "0", "SELECT count(*) FROM sw_workflow_runs WHERE idem_key = '%s.%d'", key,
               at);
        expect(life, NULL, "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s.%d'", key,
               at);
        expect(life, NULL,
               "SELECT result FROM sw_workflow_steps WHERE kind = 0 AND name = 'one' AND run_key ="
               " (SELECT run_key FROM sw_workflow_runs WHERE idem_key = '%s.%d')",
               key, at);
    }
    MUST(life, SW_OK, sw_store_prune, life->store, filter, SW_NTS, 2, text_of(life), &life->err);
    expect(life, "1", "SELECT count(*) FROM sw_retention");
    MUST(life, SW_OK, sw_retention_set, life->store,
         "{\"workflows\":{\"swept\":{\"completed_ms\":1000}}}", SW_NTS, &life->err);
    MUST(life, SW_OK, sw_store_advance_clock, life->store, 100000, &life->err);
    DO(life, sw_run_claim, life->store, "nothing", SW_NTS, NULL,
       &life->attempts[life->attempts_len], &life->err);
    expect(life, "0", "SELECT count(*) FROM sw_retention");
    MUST(life, SW_OK, sw_retention_set, life->store, NULL, 0, &life->err);
    MUST(life, SW_OK, sw_store_compact, life->store, 0, text_of(life), &life->err);
    /* Whole moves, which take the store away, are a chapter of their own: play_moves.c. */
    MUST(life, SW_OK, sw_store_graduate, life->store, NULL, "{\"abort\":true}", SW_NTS,
         text_of(life), &life->err);
    return 0;
}

static int play_carrying(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP], filter[160];
    PART(submit(life, key, queue, NULL, id));
    sw_attempt *attempt = claim(life, queue);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "carried", "5"));
    PART(finish(life, attempt, key, "6"));
    sw_text **document = text_of(life);
    MUST(life, SW_OK, sw_run_export, life->store, id, SW_NTS, NULL, 0, document, &life->err);
    snprintf(filter, sizeof filter, "{\"queue\":\"%s\"}", queue);
    expect(life, "0", "SELECT count(*) FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    expect(life, NULL, "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    expect(
        life, NULL,
        "SELECT result FROM sw_workflow_steps WHERE kind = 0 AND name = 'carried' AND run_key =" OF_RUN,
        key);
    MUST(life, SW_OK, sw_store_prune, life->store, filter, SW_NTS, 0, text_of(life), &life->err);
    size_t len;
    const char *text = sw_text_data(*document, &len);
    expect(life, "1", "SELECT outcome FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    expect(life, "1", "SELECT count(*) FROM sw_workflow_runs WHERE idem_key = '%s'", key);
    expect(
        life, "\"5\"",
        "SELECT result FROM sw_workflow_steps WHERE kind = 0 AND name = 'carried' AND run_key =" OF_RUN,
        key);
    MUST(life, SW_OK, sw_run_import, life->store, text, len, NULL, 0, text_of(life), &life->err);
    return 0;
}

static int play_copies(struct life *life) {
    char path[FOLDER_BYTES_MAX + 112];
    const char *name = own(life, 0, "copy");
    snprintf(path, sizeof path, "%s/%s", life->folder, name);
    expect_copy(life, name);
    MUST(life, SW_OK, sw_store_backup, life->store, path, &life->err);
    return 0;
}

static int play_reopening(struct life *life) {
    const char *queue = own(life, 0, "q"), *key = own(life, 1, "run");
    char id[SW_ID_CAP];
    sw_attempt *attempt = submit_and_claim(life, key, queue, id);
    if (attempt == NULL) return -1;
    PART(finish_step(life, attempt, key, "before", "1"));
    life_close(life);
    PART(life_open(life));
    if ((attempt = claim(life, queue)) == NULL) return -1;
    if (begin(life, attempt, "before", SW_REPLAYED) == NULL) return -1;
    return finish(life, attempt, key, NULL);
}

static int play_watches(struct life *life) {
    sw_watch *watch = NULL;
    uint64_t now;
    int32_t code = DO(life, sw_watch_open, life->store, &watch, &life->err);
    if (code != SW_OK) return life_disappointed(life, "sw_watch_open", __LINE__, SW_OK, code);
    char id[SW_ID_CAP];
    int done = submit(life, own(life, 1, "run"), own(life, 0, "q"), NULL, id);
    DO(life, sw_watch_drain, watch, &now, &life->err);
    sw_watch_free(watch);
    return done;
}

const struct chapter chapters_of_stores[] = {
    {"events", play_events},       {"schedules", play_schedules}, {"sql", play_sql},
    {"keeping", play_keeping},     {"carrying", play_carrying},   {"copies", play_copies},
    {"reopening", play_reopening}, {"watches", play_watches},     {NULL, NULL},
};
