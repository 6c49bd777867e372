/* The examples in the header: what it shows as a document has the keys that the library gives, and
 * what it shows as an argument is taken. */
#include "support.h"

#include "reader.h"

/* Returns the example in the comment before a function, the first lines that are set in and begin
 * with a bracket. */
static const char *example_of(const char *function) {
    struct file_copy header = file_read(SMOLWF_HEADER);
    REQUIRE(header.exists);
    char *text = lend_format("%.*s", (int)header.len, (const char *)header.bytes);
    char *end = strstr(text, lend_format("\nint32_t %s(", function));
    REQUIRE(end != NULL);
    *end = '\0';
    char *comment = text;
    for (char *next = text; (next = strstr(next, "/**")) != NULL; next++) comment = next;
    char *object = strstr(comment, "\n *   {"), *array = strstr(comment, "\n *   [");
    char *from = object == NULL || (array != NULL && array < object) ? array : object;
    if (from == NULL) fail_at(__FILE__, __LINE__, "%s has no example", function);
    REQUIRE(from != NULL);
    char *example = lend(strlen(from) + 1);
    for (char *line = from; strncmp(line, "\n *   ", 6) == 0;) {
        char *next = strchr(line + 1, '\n');
        REQUIRE(next != NULL);
        strncat(example, line + 6, (size_t)(next - line - 6));
        line = next;
    }
    return example;
}

/* Checks that whatever is an object in the example has the same keys in the document. */
static void check_keys_of(const char *where, const struct value *example,
                          const struct value *document) {
    if (document == NULL || document->kind == VALUE_NULL) return;
    if (example->kind == VALUE_ARRAY && example->count > 0 && document->kind == VALUE_ARRAY) {
        /* An example with as many items has each of its kind, otherwise one stands for all. */
        const bool is_each = example->count == document->count;
        for (size_t i = 0; i < document->count; i++)
            check_keys_of(where, value_at(example, is_each ? i : 0), value_at(document, i));
    }
    if (example->kind != VALUE_OBJECT || example->count == 0) return;
    for (size_t i = 0; i < example->count; i++) {
        const char *key = example->keys[i];
        const struct value *value = value_in(document, key);
        if (value == NULL) fail_at(__FILE__, __LINE__, "%s.%s is in the header alone", where, key);
        check_keys_of(lend_format("%s.%s", where, key), value_in(example, key), value);
    }
    for (size_t i = 0; document->kind == VALUE_OBJECT && i < document->count; i++) {
        const char *key = document->keys[i];
        if (value_in(example, key) == NULL)
            fail_at(__FILE__, __LINE__, "%s.%s is not in the header", where, key);
    }
}

/* Frees the document that a function gave. */
static void check_example(const char *function, sw_text *document) {
    const struct value *example = value_read(example_of(function));
    if (example == NULL) fail_at(__FILE__, __LINE__, "%s shows no JSON", function);
    REQUIRE(example != NULL);
    check_keys_of(function, example, value_read(take_text(document)));
}

/* Submits the items that the header shows and claims the first. */
static sw_attempt *claim_invoice(sw_store *store) {
    sw_text *ids = NULL;
    REQUIRE_CODE(SW_OK,
                 sw_run_submit_many(store, NTS(example_of("sw_run_submit_many")), &ids, ERR));
    CHECK_INT(2, value_read(take_text(ids))->count);
    sw_claim_options options = claim_options();
    options.worker = "w1";
    options.worker_len = SW_NTS;
    return claim_with(store, "billing", &options);
}

/* Does in an attempt one thing of each kind that a history tells of. */
static void live(sw_store *store, sw_attempt *attempt) {
    char reservation[SW_ID_CAP];
    sw_step *step = begin(attempt, "charge");
    REQUIRE_CODE(SW_OK, sw_budget_reserve(attempt, step, NTS("{\"tokens\":120,\"calls\":1}"),
                                          ABSENT, reservation, sizeof reservation, ERR));
    REQUIRE_CODE(SW_OK, sw_step_complete_usage(step, NTS("\"receipt 9\""),
                                               NTS("{\"tokens\":80,\"calls\":1}"), ERR));
    sw_step_free(step);
    REQUIRE_CODE(SW_OK, sw_event_append(attempt, NTS("paid"), NTS("{\"cents\":900}"), ABSENT, ERR));
    const char *run_id = sw_attempt_run_id(attempt, NULL);
    REQUIRE_CODE(SW_OK,
                 sw_signal_send(store, NTS(run_id), NTS("approval"), NTS("true"), ABSENT, ERR));
}

/* Awaits what the header shows, a child's id in its place; returns the answer. */
static const char *await_example(sw_attempt *attempt) {
    sw_text *children = NULL, *answer = NULL;
    REQUIRE_CODE(SW_OK, sw_child_submit_many(attempt, NTS(example_of("sw_child_submit_many")),
                                             &children, ERR));
    const struct value *first = value_at(value_read(take_text(children)), 0);
    const char *waits = example_of("sw_await_any"), *place = strstr(waits, "run_01k...");
    REQUIRE(place != NULL);
    const char *given = lend_format("%.*s%s%s", (int)(place - waits), waits,
                                    text_in(first, "run_id"), place + strlen("run_01k..."));
    REQUIRE_CODE(SW_OK, sw_await_any(attempt, NTS("gate"), NTS(given), SW_FOREVER, &answer, ERR));
    return take_text(answer);
}

static void check_explained(sw_store *store) {
    sw_submit_options options = submit_options();
    sw_attempt *attempts[2];
    struct run_id run = {""};
    sw_text *text = NULL;
    options.queue = "mail";
    options.queue_len = SW_NTS;
    REQUIRE_CODE(SW_OK, sw_queue_set(store, NTS("mail"), NTS("{\"concurrency\":2}"), ERR));
    for (int i = 0; i < 3; i++) run = submit_with(store, "letter", &options);
    for (int i = 0; i < 2; i++) attempts[i] = claim_with(store, "mail", NULL);
    REQUIRE_CODE(SW_OK, sw_run_explain(store, NTS(run.text), &text, ERR));
    check_example("sw_run_explain", text);
    for (int i = 0; i < 2; i++) finish(attempts[i], "null");
}

static void check_carrying(sw_store *store, const char *run_id) {
    sw_text *document = NULL, *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_export(store, NTS(run_id), ABSENT, &document, ERR));
    size_t len = 0;
    const char *shown = sw_text_data(document, &len);
    sw_store *other = store_in_memory();
    REQUIRE_CODE(SW_OK, sw_run_import(other, shown, len, ABSENT, &text, ERR));
    check_example("sw_run_import", text);
    sw_store_close(other);
    check_example("sw_run_export", document);
}

TEST(the_documents_of_a_run_have_the_keys_that_the_header_shows) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = claim_invoice(store);
    const char *run_id = lend_format("%s", sw_attempt_run_id(attempt, NULL));
    live(store, attempt);
    CHECK_TEXT("{\"index\":0,\"outcome\":\"ok\",\"value\":true}", await_example(attempt));
    sw_text *text = NULL;
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("approval"), SW_FOREVER, &text, ERR));
    park(attempt);
    REQUIRE_CODE(SW_OK, sw_run_get(store, NTS(run_id), &text, ERR));
    check_example("sw_run_get", text);
    REQUIRE_CODE(SW_OK, sw_run_history(store, NTS(run_id), ABSENT, 0, &text, ERR));
    check_example("sw_run_history", text);
    REQUIRE_CODE(SW_OK, sw_run_list(store, ABSENT, ABSENT, 1, &text, ERR));
    check_example("sw_run_list", text);
    REQUIRE_CODE(
        SW_OK, sw_run_act_many(store, NTS("retry"), NTS("{\"state\":\"waiting\"}"), 0, &text, ERR));
    check_example("sw_run_act_many", text);
    REQUIRE_CODE(SW_OK, sw_store_prune(store, ABSENT, 0, &text, ERR));
    check_example("sw_store_prune", text);
    const char *policy = "{\"completed_ms\":604800000,\"keep_newest\":100}";
    REQUIRE_CODE(SW_OK, sw_retention_set(store, NTS(policy), ERR));
    REQUIRE_CODE(SW_OK, sw_retention_get(store, &text, ERR));
    check_example("sw_retention_get", text);
    REQUIRE_CODE(SW_OK, sw_store_compact(store, 0, &text, ERR));
    check_example("sw_store_compact", text);
    REQUIRE_CODE(SW_OK, sw_budget_get(store, NTS(run_id), &text, ERR));
    check_example("sw_budget_get", text);
    REQUIRE_CODE(SW_OK, sw_event_read(store, 0, ABSENT, 0, &text, ERR));
    check_example("sw_event_read", text);
    REQUIRE_CODE(SW_OK, sw_event_wait(store, 0, ABSENT, 0, 0, NULL, &text, ERR));
    check_example("sw_event_wait", text);
    check_explained(store);
    check_carrying(store, run_id);
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    check_example("sw_store_check", text);
    sw_store_close(store);
}

TEST(the_schedule_that_the_header_shows_is_taken_and_listed_so) {
    sw_store *store = store_in_memory();
    REQUIRE_CODE(SW_OK,
                 sw_schedule_set(store, NTS("daily"), NTS(example_of("sw_schedule_set")), ERR));
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_schedule_list(store, &text, ERR));
    check_example("sw_schedule_list", text);
    sw_store_close(store);
}

TEST(the_documents_of_a_store_have_the_keys_that_the_header_shows) {
    sw_store *store = store_in_memory();
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_queue_set(store, ABSENT, NTS("{\"concurrency\":1}"), ERR));
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    REQUIRE_CODE(SW_OK, sw_store_stats(store, &text, ERR));
    check_example("sw_store_stats", text);
    REQUIRE_CODE(SW_OK, sw_queue_list(store, &text, ERR));
    check_example("sw_queue_list", text);
    REQUIRE_CODE(SW_OK, sw_owner_list(store, &text, ERR));
    check_example("sw_owner_list", text);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_rows_and_results_that_the_header_shows_have_those_keys) {
    sw_store *store = store_in_memory();
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_tx_run(store, NULL, NULL,
                                  NTS("[{\"sql\":\"CREATE TABLE accounts (id INTEGER PRIMARY KEY,"
                                      " balance INTEGER) STRICT\"},"
                                      "{\"sql\":\"INSERT INTO accounts VALUES (1, 250),"
                                      " (2, 9223372036854775807)\"}]"),
                                  &text, ERR));
    sw_text_free(text);
    REQUIRE_CODE(SW_OK, sw_query(store, NTS("SELECT id, balance FROM accounts ORDER BY id"), ABSENT,
                                 ABSENT, &text, ERR));
    CHECK_TEXT(example_of("sw_query"), sw_text_data(text, NULL));
    check_example("sw_query", text);
    sw_attempt *attempt = claim_invoice(store);
    sw_step *step = begin(attempt, "pay");
    REQUIRE_CODE(SW_OK,
                 sw_tx_run(store, attempt, step,
                           NTS("[{\"sql\":\"UPDATE accounts SET balance = balance + ?"
                               " WHERE id = ?\",\"params\":[0,1],\"expect_changes\":1},"
                               "{\"query\":\"SELECT balance FROM accounts WHERE id = :id\","
                               "\"params\":{\"id\":1}},{\"step_complete\":{\"result_from\":1}}]"),
                           &text, ERR));
    CHECK_TEXT(example_of("sw_tx_run"), sw_text_data(text, NULL));
    check_example("sw_tx_run", text);
    sw_step_free(step);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* The event that warns is shown on the first page, where no function stands. */
TEST(the_warning_of_a_budget_has_the_keys_that_the_first_page_shows) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = claim_invoice(store);
    char reservation[SW_ID_CAP];
    REQUIRE_CODE(SW_OK, sw_budget_reserve(attempt, NULL, NTS("{\"tokens\":4000}"), ABSENT,
                                          reservation, sizeof reservation, ERR));
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_event_read(store, 0, ABSENT, 0, &text, ERR));
    const struct value *event = value_at(value_in(value_read(take_text(text)), "items"), 0);
    struct file_copy header = file_read(SMOLWF_HEADER);
    REQUIRE(header.exists);
    char *shown = strstr((char *)header.bytes, "\"payload\":{\"unit\"");
    REQUIRE(shown != NULL);
    char *end = strstr(shown, "}}");
    REQUIRE(end != NULL);
    const struct value *example = value_read(lend_format("{%.*s", (int)(end + 2 - shown), shown));
    REQUIRE(example != NULL);
    CHECK_TEXT_IN("budget.warning", event, "type");
    check_keys_of("payload", value_in(example, "payload"), value_in(event, "payload"));
    sw_attempt_free(attempt);
    sw_store_close(store);
}
