/* The host's own tables: queries, and scripts that commit whole or not at all. */
#include "support.h"

#include "reader.h"

#define RUN(store, script) run_script((store), NULL, NULL, (script))

/* Runs a script that must commit; lends what it answers. */
static const char *run_script(sw_store *store, sw_attempt *attempt, sw_step *step,
                              const char *script) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_tx_run(store, attempt, step, NTS(script), &text, ERR));
    return take_text(text);
}

static int32_t script_code(sw_store *store, sw_attempt *attempt, sw_step *step,
                           const char *script) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_tx_run(store, attempt, step, NTS(script), &text, ERR);
    if (code == SW_OK)
        sw_text_free(text);
    else
        CHECK(text == NULL);
    return code;
}

static const char *query_with(sw_store *store, const char *sql, const char *params) {
    sw_text *text = NULL;
    REQUIRE_CODE(
        SW_OK, sw_query(store, NTS(sql), params, params == NULL ? 0 : SW_NTS, ABSENT, &text, ERR));
    return take_text(text);
}

/* The one value that a query answers, as it is spelled. */
static const char *value_of(sw_store *store, const char *sql) {
    const struct value *rows = value_in(value_read(query_with(store, sql, NULL)), "rows");
    REQUIRE(rows != NULL && rows->count == 1);
    const struct value *value = value_at(value_at(rows, 0), 0);
    REQUIRE(value != NULL);
    return lend_format("%.*s", (int)value->raw_len, value->raw);
}

/* A store with two accounts of 100 each, whose scripts may take so long; 0 is the default. */
static sw_store *bank_of(uint32_t busy_timeout_ms) {
    sw_store_options open = {.struct_size = sizeof open,
                             .flags = SW_OPEN_MANUAL_CLOCK,
                             .busy_timeout_ms = busy_timeout_ms};
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open_in_memory(&open, &store, ERR));
    REQUIRE_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    RUN(store,
        "[{\"sql\":\"CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL"
        " CHECK (balance >= 0)) STRICT\"},"
        "{\"sql\":\"INSERT INTO accounts VALUES (1, 100), (2, 100)\",\"expect_changes\":2}]");
    return store;
}

static sw_store *bank(void) { return bank_of(0); }

#define MOVE                                                                                       \
    "{\"sql\":\"UPDATE accounts SET balance = balance - 30 WHERE id = 1\",\"expect_changes\":1},"  \
    "{\"sql\":\"UPDATE accounts SET balance = balance + 30 WHERE id = 2\",\"expect_changes\":1}"
#define BALANCES "SELECT group_concat(balance) FROM (SELECT balance FROM accounts ORDER BY id)"

TEST(a_script_commits_whole_or_not_at_all) {
    sw_store *store = bank();
    CHECK_TEXT("[{\"changes\":1},{\"changes\":1}]", RUN(store, "[" MOVE "]"));
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    /* The second item finds nothing. */
    CHECK_CODE(SW_ERR_CONFLICT,
               script_code(store, NULL, NULL,
                           "[{\"sql\":\"UPDATE accounts SET balance = 0 WHERE id = 1\"},"
                           "{\"sql\":\"UPDATE accounts SET balance = 1 WHERE id = 3\","
                           "\"expect_changes\":1}]"));
    CHECK_SAYS("script[1]: sql changed 0 rows, expected 1");
    CHECK_CODE(
        SW_ERR_CONFLICT,
        script_code(store, NULL, NULL,
                    "[{\"submit\":{\"workflow\":\"w\"}},"
                    "{\"sql\":\"UPDATE accounts SET balance = balance - 71 WHERE id = 1\"}]"));
    CHECK_SAYS("script[1]: CHECK constraint failed");
    CHECK_CODE(SW_ERR_INVALID,
               script_code(store, NULL, NULL, "[" MOVE ",{\"sql\":\"UPDATE nowhere SET x = 1\"}]"));
    CHECK_SAYS("script[2]: ");
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    CHECK_TEXT("0", value_of(store, "SELECT count(*) FROM sw_workflow_runs"));
    sw_store_close(store);
}

TEST(a_statement_may_return_what_it_wrote) {
    sw_store *store = bank();
    CHECK_TEXT("[{\"changes\":2,\"columns\":[\"id\",\"balance\"],\"rows\":[[1,101],[2,101]],"
               "\"more\":false},{\"changes\":0},"
               "{\"columns\":[\"sum(balance)\"],\"rows\":[[202]],\"more\":false}]",
               RUN(store, "[{\"sql\":\"UPDATE accounts SET balance = balance + ? RETURNING id,"
                          " balance\",\"params\":[1]},"
                          "{\"sql\":\"DELETE FROM accounts WHERE id > 2\"},"
                          "{\"query\":\"SELECT sum(balance) FROM accounts\"}]"));
    sw_store_close(store);
}

TEST(a_script_writes_nothing_of_the_librarys_own) {
    sw_store *store = bank();
    struct run_id run = submit(store, "w", NULL);
    static const char *const wrong[] = {
        "DELETE FROM sw_workflow_runs",
        "UPDATE SW_WORKFLOW_TASKS SET state = 9",
        "INSERT INTO sw_migrations VALUES (99, 'x', 1, x'')",
        "REPLACE INTO sw_store VALUES (1)",
        "DROP TABLE sw_budget_ledger",
        "ALTER TABLE sw_workflow_runs ADD COLUMN x",
        "ALTER TABLE accounts RENAME TO sw_accounts",
        "CREATE TABLE sw_mine (x)",
        "CREATE TABLE Sw_mine AS SELECT 1",
        "CREATE VIEW sw_mine AS SELECT 1",
        "CREATE INDEX mine ON sw_workflow_runs (run_key)",
        "CREATE INDEX sw_mine ON accounts (balance)",
        "CREATE TRIGGER mine AFTER INSERT ON sw_workflow_runs BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON sw_workflow_runs BEGIN SELECT 1; END",
        "CREATE TABLE mine (run REFERENCES sw_workflow_runs (run_key))",
        "ALTER TABLE accounts ADD COLUMN run REFERENCES sw_workflow_runs (run_key)",
        "CREATE TEMP TABLE mine (x)",
        "CREATE TEMP VIEW mine AS SELECT 1",
        "PRAGMA writable_schema = ON",
        "PRAGMA user_version = 7",
        "UPDATE sqlite_schema SET sql = ''",
        "DELETE FROM sqlite_master",
        "CREATE TABLE json_each (x)",
        "CREATE VIEW Json_tree AS SELECT 1",
        "CREATE TABLE Pragma_foreign_key_list (x)",
        "CREATE VIRTUAL TABLE json_each USING dbstat",
        "ALTER TABLE accounts RENAME TO json_each",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "INSERT INTO sqlite_sequence VALUES ('sw_workflow_owners', 9)",
        "DELETE FROM sqlite_sequence",
        "ANALYZE",
        "VACUUM",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT job",
        "RELEASE job",
        "ROLLBACK TO job",
        "ATTACH ':memory:' AS a",
        "SELECT load_extension('x')",
    };
    const char *before = query_with(store, "SELECT type, name, sql FROM sqlite_schema", NULL);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *script = lend_format("[" MOVE ",{\"sql\":\"%s\"}]", wrong[i]);
        int32_t code = CODE_OF(script_code(store, NULL, NULL, script));
        if (code != SW_ERR_INVALID) fail_at(__FILE__, __LINE__, "%d for %s", code, wrong[i]);
    }
    CHECK_TEXT(before, query_with(store, "SELECT type, name, sql FROM sqlite_schema", NULL));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    CHECK_STATE("pending", store, run.text);
    /* A trigger of the host's own on its own table may be made, and writes no more than he may. */
    RUN(store, "[{\"sql\":\"CREATE TRIGGER mine AFTER UPDATE ON accounts BEGIN DELETE FROM"
               " sw_workflow_runs; END\"}]");
    CHECK_CODE(SW_ERR_INVALID, script_code(store, NULL, NULL, "[" MOVE "]"));
    CHECK_SAYS("script[0]: sql may not write sw_workflow_runs");
    CHECK_STATE("pending", store, run.text);
    RUN(store, "[{\"sql\":\"DROP TRIGGER mine\"},{\"sql\":\"CREATE INDEX richest ON accounts"
               " (balance)\"},{\"sql\":\"ALTER TABLE accounts RENAME TO people\"},"
               "{\"sql\":\"CREATE VIEW poor AS SELECT id FROM people WHERE balance < 10\"},"
               "{\"sql\":\"DROP VIEW poor\"},{\"sql\":\"DROP TABLE people\"}]");
    finish(claim(store), "1");
    sw_store_close(store);
}

/* What SQLite notes of it in a table of its own is its to write. */
TEST(a_table_of_the_host_may_never_give_a_key_twice) {
    sw_store *store = store_in_memory();
    RUN(store, "[{\"sql\":\"CREATE TABLE mine (id INTEGER PRIMARY KEY AUTOINCREMENT, x)\"},"
               "{\"sql\":\"INSERT INTO mine (x) VALUES (1), (2)\"},{\"sql\":\"DELETE FROM mine\"},"
               "{\"sql\":\"ALTER TABLE mine RENAME TO yours\"},"
               "{\"sql\":\"INSERT INTO yours (x) VALUES (3)\"}]");
    CHECK_TEXT("3", value_of(store, "SELECT id FROM yours"));
    RUN(store, "[{\"sql\":\"DROP TABLE yours\"}]");
    CHECK_TEXT("0", value_of(store, "SELECT count(*) FROM sqlite_sequence WHERE name = 'yours'"));
    sw_store_close(store);
}

TEST(a_statement_that_rolls_back_undoes_its_own_script_alone) {
    sw_store *store = bank();
    CHECK_CODE(SW_ERR_CONFLICT,
               script_code(store, NULL, NULL,
                           "[" MOVE
                           ",{\"sql\":\"INSERT OR ROLLBACK INTO accounts VALUES (1, 1)\"}]"));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    CHECK_CODE(SW_ERR_CONFLICT,
               script_code(store, NULL, NULL,
                           "[" MOVE ",{\"sql\":\"INSERT OR FAIL INTO accounts VALUES (3, 1),"
                           " (1, 1)\"}]"));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    CHECK_TEXT("[{\"changes\":1},{\"changes\":1}]", RUN(store, "[" MOVE "]"));
    sw_store_close(store);
}

TEST(foreign_keys_of_the_host_hold_when_the_script_ends) {
    sw_store *store = bank();
    RUN(store, "[{\"sql\":\"CREATE TABLE moves (id INTEGER PRIMARY KEY, account INTEGER REFERENCES"
               " accounts DEFERRABLE INITIALLY DEFERRED)\"}]");
    RUN(store, "[{\"sql\":\"INSERT INTO moves VALUES (1, 7)\"},"
               "{\"sql\":\"INSERT INTO accounts VALUES (7, 0)\"}]");
    CHECK_CODE(SW_ERR_CONFLICT,
               script_code(store, NULL, NULL, "[{\"sql\":\"INSERT INTO moves VALUES (2, 8)\"}]"));
    CHECK_SAYS("FOREIGN KEY constraint failed");
    CHECK_TEXT("1", value_of(store, "SELECT count(*) FROM moves"));
    sw_store_close(store);
}

TEST(a_step_and_what_it_did_to_the_hosts_rows_are_one_commit) {
    sw_store *store = bank();
    struct run_id run = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "move");
    const char *script = "[" MOVE ",{\"query\":\"SELECT balance FROM accounts WHERE id = 2\"},"
                         "{\"step_complete\":{\"result_from\":2}}]";
    const char *first = run_script(store, attempt, step, script);
    CHECK_TEXT("[{\"changes\":1},{\"changes\":1},{\"columns\":[\"balance\"],\"rows\":[[130]],"
               "\"more\":false},{}]",
               first);
    /* Again through the handle: answered as the first time, and not done. */
    CHECK_TEXT(first, run_script(store, attempt, step, script));
    CHECK_TEXT(first, run_script(store, NULL, step, script));
    CHECK_CODE(SW_ERR_CONFLICT, script_code(store, attempt, step, "[{\"step_complete\":{}}]"));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("1"), ERR));
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    sw_step_free(step);
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    attempt = claim(store);
    step = NULL;
    REQUIRE_CODE(SW_REPLAYED, begin_code(attempt, "move", &step));
    CHECK_TEXT("{\"columns\":[\"balance\"],\"rows\":[[130]],\"more\":false}",
               sw_step_result(step, NULL));
    CHECK_CODE(SW_ERR_CONFLICT, script_code(store, attempt, step, script));
    sw_step_free(step);
    finish(attempt, "1");
    CHECK_STATE("completed", store, run.text);
    sw_store_close(store);
}

TEST(a_script_that_fails_leaves_its_step_to_be_finished_otherwise) {
    sw_store *store = bank();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "move");
    CHECK_CODE(SW_ERR_CONFLICT, script_code(store, attempt, step,
                                            "[{\"step_complete\":{\"result\":1}},"
                                            "{\"sql\":\"INSERT INTO accounts VALUES (1, 1)\"}]"));
    CHECK_TEXT("[{},{\"changes\":1}]",
               run_script(store, attempt, step,
                          "[{\"step_complete\":{\"result\":{\"a\" : 1}}},"
                          "{\"sql\":\"INSERT INTO accounts VALUES (3, 1)\"}]"));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_attempt_ends_with_the_rows_of_the_host) {
    sw_store *store = bank();
    struct run_id run = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "move");
    const char *script = "[" MOVE ",{\"step_complete\":{\"result\":7}},"
                         "{\"attempt_complete\":{\"result\":{\"ok\" : true}}}]";
    const char *first = run_script(store, attempt, step, script);
    CHECK_TEXT(first, run_script(store, attempt, step, script));
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    CHECK_STATE("completed", store, run.text);
    CHECK_RAW_IN("{\"ok\" : true}", value_read(run_text(store, run.text)), "result");
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(attempt, NTS("2"), ERR));
    sw_step_free(step);
    sw_attempt_free(attempt);
    /* Without a step. */
    run = submit(store, "w", NULL);
    attempt = claim(store);
    script = "[" MOVE ",{\"attempt_complete\":{\"result_from\":0}}]";
    first = run_script(store, attempt, NULL, script);
    CHECK_TEXT(first, run_script(store, attempt, NULL, script));
    CHECK_TEXT("\"40,160\"", value_of(store, BALANCES));
    CHECK_RAW_IN("{\"changes\":1}", value_read(run_text(store, run.text)), "result");
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* P10: whoever lost the run changes nothing, of the library's or of his own. */
TEST(a_stale_attempts_script_does_nothing) {
    sw_store *store = store_manual(temp_path("db"));
    RUN(store, "[{\"sql\":\"CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)\"},"
               "{\"sql\":\"INSERT INTO accounts VALUES (1, 100), (2, 100)\"}]");
    submit(store, "w", NULL);
    sw_claim_options options = claim_options();
    options.lease_ms = 1000;
    sw_attempt *stale = claim_with(store, "default", &options);
    sw_step *step = begin(stale, "move");
    advance(store, 2000);
    sw_attempt *living = claim(store);
    CHECK_CODE(SW_ERR_LEASE_LOST,
               script_code(store, stale, step, "[" MOVE ",{\"step_complete\":{}}]"));
    CHECK_CODE(SW_ERR_LEASE_LOST, script_code(store, stale, NULL, "[" MOVE "]"));
    CHECK_CODE(SW_ERR_LEASE_LOST,
               script_code(store, stale, NULL, "[" MOVE ",{\"attempt_complete\":{}}]"));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    sw_step_free(step);
    step = begin(living, "move");
    run_script(store, living, step, "[" MOVE ",{\"step_complete\":{}}]");
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    sw_step_free(step);
    sw_attempt_free(stale);
    finish(living, "1");
    sw_store_close(store);
}

TEST(a_cancelled_run_records_a_step_by_script_and_does_nothing_else) {
    sw_store *store = bank();
    struct run_id run = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "move");
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(run.text), ABSENT, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, script_code(store, attempt, NULL, "[" MOVE "]"));
    CHECK_CODE(SW_ERR_CANCELLED,
               script_code(store, attempt, step, "[" MOVE ",{\"attempt_complete\":{}}]"));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    run_script(store, attempt, step, "[" MOVE ",{\"step_complete\":{}}]");
    CHECK_TEXT("\"70,130\"", value_of(store, BALANCES));
    sw_step_free(step);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* The outbox: a run exists if and only if the host's row does. */
TEST(runs_and_messages_of_a_script_go_out_with_its_commit) {
    sw_store *store = bank();
    struct run_id waiting = submit(store, "waits", NULL);
    sw_attempt *attempt = claim(store);
    sw_text *text = NULL;
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("paid"), SW_FOREVER, &text, ERR));
    park(attempt);
    const char *script =
        lend_format("[" MOVE ",{\"submit\":{\"workflow\":\"mail\",\"args\":{\"to\" : 1},"
                    "\"idempotency_key\":\"k\"}},{\"signal\":{\"run_id\":\"%s\",\"name\":\"paid\","
                    "\"payload\":30,\"idempotency_key\":\"s\"}}]",
                    waiting.text);
    const struct value *results = value_read(RUN(store, script));
    CHECK_RAW_IN("false", value_at(results, 2), "exists");
    CHECK_KEYS(value_at(results, 3), "exists");
    const char *mail = text_in(value_at(results, 2), "run_id");
    CHECK_STATE("pending", store, mail);
    const struct value *again = value_read(RUN(store, script));
    CHECK_RAW_IN("true", value_at(again, 2), "exists");
    CHECK_TEXT_IN(mail, value_at(again, 2), "run_id");
    CHECK_RAW_IN("true", value_at(again, 3), "exists");
    attempt = claim(store);
    CHECK_TEXT("waits", sw_attempt_workflow(attempt, NULL));
    REQUIRE_CODE(SW_OK, sw_signal_await(attempt, NTS("paid"), SW_FOREVER, &text, ERR));
    CHECK_TEXT("30", take_text(text));
    finish(attempt, "1");
    CHECK_CODE(SW_ERR_CONFLICT,
               script_code(store, NULL, NULL,
                           lend_format("[" MOVE ",{\"signal\":{\"run_id\":\"%s\",\"name\":\"n\"}}]",
                                       waiting.text)));
    CHECK_SAYS("script[2]: ");
    CHECK_SAYS("has ended");
    CHECK_CODE(SW_ERR_NOT_FOUND,
               script_code(store, NULL, NULL,
                           "[{\"signal\":{\"run_id\":\"run_01k00000000000000000000000\","
                           "\"name\":\"n\"}}]"));
    attempt = claim(store);
    CHECK_TEXT("mail", sw_attempt_workflow(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_script_ends_only_what_is_given_and_its_own) {
    sw_store *store = bank(), *other = bank();
    submit(store, "w", NULL);
    submit(store, "w", NULL);
    sw_attempt *one = claim(store), *two = claim(store);
    sw_step *step = begin(one, "s");
    CHECK_CODE(SW_ERR_INVALID, script_code(store, one, NULL, "[{\"step_complete\":{}}]"));
    CHECK_SAYS("no step is given");
    CHECK_CODE(SW_ERR_INVALID, script_code(store, NULL, NULL, "[{\"attempt_complete\":{}}]"));
    CHECK_SAYS("no attempt is given");
    CHECK_CODE(SW_ERR_MISUSE, script_code(store, two, step, "[{\"step_complete\":{}}]"));
    CHECK_CODE(SW_ERR_MISUSE, script_code(other, one, NULL, "[{\"attempt_complete\":{}}]"));
    CHECK_CODE(SW_ERR_MISUSE, script_code(other, NULL, step, "[{\"step_complete\":{}}]"));
    CHECK_CODE(SW_ERR_MISUSE, script_code(store, (sw_attempt *)step, NULL, "[" MOVE "]"));
    CHECK_CODE(SW_ERR_MISUSE, script_code(store, NULL, (sw_step *)one, "[" MOVE "]"));
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    sw_step_free(step);
    finish(one, "1");
    finish(two, "1");
    sw_store_close(store);
    sw_store_close(other);
}

TEST(a_script_is_bounded) {
    /* By its size: however slow the machine, it does not meet its time first. */
    sw_store *store = bank_of(SW_BUSY_TIMEOUT_MS_MAX);
    char *many = lend(1001 * 24 + 8);
    size_t len = 0;
    many[len++] = '[';
    for (int i = 0; i <= SW_SCRIPT_LEN_MAX; i++) {
        len += (size_t)sprintf(many + len, "%s{\"query\":\"SELECT 1\"}", i == 0 ? "" : ",");
    }
    many[len++] = ']';
    CHECK_CODE(SW_ERR_INVALID, script_code(store, NULL, NULL, many));
    CHECK_SAYS("script has 1001 entries, it must have 1 to 1000");
    CHECK_CODE(SW_ERR_TOO_BIG, script_code(store, NULL, NULL,
                                           "[{\"query\":\"SELECT zeroblob(9000000)\"},"
                                           "{\"query\":\"SELECT zeroblob(9000000)\"}]"));
    CHECK_SAYS("script[1]: the rows of the script have more than");
    CHECK_CODE(SW_ERR_INVALID, script_code(store, NULL, NULL,
                                           "[{\"sql\":\"INSERT INTO accounts VALUES (?, 1)\","
                                           "\"params\":[{\"$base64\":\"?\"}]}]"));
    CHECK_SAYS("script[0]: params[0] is no base64");
    CHECK_CODE(
        SW_ERR_INVALID,
        script_code(store, NULL, NULL,
                    "[{\"sql\":\"INSERT INTO accounts VALUES (3, 1); DELETE FROM accounts\"}]"));
    CHECK_SAYS("script[0]: sql has more than one statement");
    CHECK_TEXT("\"100,100\"", value_of(store, BALANCES));
    sw_store_close(store);
}

TEST(a_row_of_a_script_that_is_too_large_is_refused) {
    sw_store *store = bank();
    CHECK_CODE(SW_ERR_TOO_BIG,
               script_code(store, NULL, NULL, "[{\"query\":\"SELECT zeroblob(16777217)\"}]"));
    CHECK_SAYS("script[0]: a row has more than");
    sw_store_close(store);
}

TEST(a_script_takes_no_longer_than_others_wait) {
    sw_store_options open = {.struct_size = sizeof open, .flags = 0, .busy_timeout_ms = 50};
    sw_store *store = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(temp_path("db"), &open, &store, ERR));
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    RUN(store, "[{\"sql\":\"CREATE TABLE mine (x)\"}]");
    CHECK_CODE(
        SW_ERR_TOO_BIG,
        script_code(store, NULL, NULL,
                    "[{\"sql\":\"INSERT INTO mine VALUES (1)\"},"
                    "{\"sql\":\"INSERT INTO mine WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL"
                    " SELECT i + 1 FROM n) SELECT i FROM n\"}]"));
    CHECK_SAYS("script[1]: sql ran for longer");
    CHECK_TEXT("0", value_of(store, "SELECT count(*) FROM mine"));
    RUN(store, "[{\"sql\":\"INSERT INTO mine VALUES (1)\"}]");
    sw_store_close(store);
}

TEST(the_hosts_tables_stay_and_a_reader_asks_them) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    RUN(store, "[{\"sql\":\"CREATE TABLE mine (x)\"},{\"sql\":\"INSERT INTO mine VALUES (7)\"}]");
    sw_store_close(store);
    sw_store_options open = {.struct_size = sizeof open, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &open, &store, ERR));
    CHECK_TEXT("7", value_of(store, "SELECT x FROM mine"));
    CHECK_CODE(SW_ERR_READONLY,
               script_code(store, NULL, NULL, "[{\"sql\":\"INSERT INTO mine VALUES (8)\"}]"));
    sw_store_close(store);
    store = store_open(path, 0);
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK(strstr(take_text(text), "\"ok\":true") != NULL);
    sw_store_close(store);
}

struct race {
    sw_store *store;
    int moved;
};

static void move_and_work(int index, void *shared) {
    struct race *race = shared;
    for (int i = 0; i < 20; i++) {
        if (index % 2 == 0) {
            sw_text *text = NULL;
            sw_error *error = NULL;
            /* Every third rolls the transaction back under those who share it. */
            const char *script =
                i % 3 == 0 ? "[" MOVE
                             ",{\"sql\":\"INSERT OR ROLLBACK INTO accounts VALUES (1, 1)\"}]"
                           : "[{\"sql\":\"UPDATE accounts SET balance = balance + 1\"}]";
            int32_t code = sw_tx_run(race->store, NULL, NULL, NTS(script), &text, &error);
            if (code == SW_OK) __atomic_add_fetch(&race->moved, 1, __ATOMIC_RELAXED);
            sw_text_free(text);
            sw_error_free(error);
        } else {
            char id[SW_ID_CAP];
            sw_error *error = NULL;
            int32_t code =
                sw_run_submit(race->store, NTS("w"), ABSENT, NULL, id, sizeof id, &error);
            if (code != SW_OK) fail_at(__FILE__, __LINE__, "a submit answered %d", code);
            sw_error_free(error);
        }
    }
}

TEST(scripts_share_commits_with_writes_that_stay_when_they_fail) {
    struct race race = {bank(), 0};
    in_threads(8, move_and_work, &race);
    CHECK_INT(4 * 13, race.moved);
    CHECK_TEXT("\"152,152\"", value_of(race.store, BALANCES));
    CHECK_TEXT("80", value_of(race.store, "SELECT count(*) FROM sw_workflow_runs"));
    sw_store_close(race.store);
}
