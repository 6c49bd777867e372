/* A run with its tree leaves one store and goes on in another. */
#include "support.h"

#include <stdlib.h>

#include "reader.h"

static const char *const NEW = "{\"ids\":\"new\"}";

static int32_t export_code(sw_store *store, const char *run_id, const char *options,
                           sw_text **out) {
    size_t len = options == NULL ? 0 : SW_NTS;
    return sw_run_export(store, NTS(run_id), options, len, out, ERR);
}

static const char *export_tree(sw_store *store, const char *run_id) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(export_code(store, run_id, NULL, &text));
    REQUIRE(code == SW_OK);
    return take_text(text);
}

static int32_t import_code(sw_store *store, const char *document, const char *options,
                           sw_text **out) {
    size_t len = options == NULL ? 0 : SW_NTS;
    return sw_run_import(store, NTS(document), options, len, out, ERR);
}

static struct run_id import_tree(sw_store *store, const char *document, const char *options) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(import_code(store, document, options, &text));
    REQUIRE(code == SW_OK);
    const struct value *told = value_read(take_text(text));
    CHECK_KEYS(told, "run_id", "runs");
    struct run_id id;
    snprintf(id.text, sizeof id.text, "%s", value_in(told, "run_id")->text);
    return id;
}

static void check_whole(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK_TEXT("{\"ok\":true,\"faults\":[]}", take_text(text));
}

static uint64_t count(sw_store *store) {
    uint64_t count = 77;
    REQUIRE_CODE(SW_OK, sw_run_count(store, ABSENT, 0, &count, ERR));
    return count;
}

/* A run that has done a step, waits for a message, and has a child that nobody has claimed. */
static struct run_id parked_parent(sw_store *store) {
    struct run_id id = submit(store, "parent", " [1, 2.50] ");
    sw_attempt *attempt = claim(store);
    do_step(attempt, "done", " {\"cost\" : 1.0} ");
    struct run_id child = {""};
    REQUIRE_CODE(SW_OK, sw_child_submit(attempt, NTS("c"), NTS("child"), ABSENT, NULL, child.text,
                                        sizeof child.text, ERR));
    sw_text *text = POISON(sw_text);
    REQUIRE_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &text, ERR));
    REQUIRE_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    return id;
}

/* Goes on to its end: nothing is done twice, and payloads are what they were to the byte. */
static void check_goes_on(sw_store *store, struct run_id id) {
    sw_attempt *child = claim(store);
    CHECK_TEXT("child", sw_attempt_workflow(child, NULL));
    CHECK_TEXT(id.text, sw_attempt_parent_run_id(child, NULL));
    finish(child, "\"of the child\"");
    CHECK_STATE("waiting", store, id.text);
    REQUIRE_CODE(SW_OK, sw_signal_send(store, NTS(id.text), NTS("go"), NTS("7"), ABSENT, ERR));
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(" [1, 2.50] ", sw_attempt_args(attempt, NULL));
    CHECK_INT(2, sw_attempt_number(attempt));
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, sw_step_begin(attempt, NTS("done"), ABSENT, NULL, &step, ERR));
    CHECK_TEXT(" {\"cost\" : 1.0} ", sw_step_result(step, NULL));
    sw_step_free(step);
    struct run_id again = {""};
    CHECK_CODE(SW_REPLAYED, sw_child_submit(attempt, NTS("c"), NTS("child"), ABSENT, NULL,
                                            again.text, sizeof again.text, ERR));
    sw_text *text = NULL;
    CHECK_CODE(SW_OK, sw_child_await(attempt, NTS(again.text), SW_FOREVER, &text, ERR));
    CHECK_TEXT("\"of the child\"", take_text(text));
    CHECK_CODE(SW_OK, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &text, ERR));
    CHECK_TEXT("7", take_text(text));
    finish(attempt, "\"end\"");
    CHECK_STATE("completed", store, id.text);
    check_whole(store);
}

TEST(a_tree_goes_on_in_another_store_where_it_stood) {
    sw_store *here = store_in_memory();
    struct run_id id = parked_parent(here);
    const char *document = export_tree(here, id.text);
    const struct value *shown = value_read(document);
    CHECK_KEYS(shown, "format", "schema_version", "library_version", "store_id", "exported_at_ms",
               "redacted", "runs", "events", "units");
    CHECK_INT(2, value_in(shown, "runs")->count);
    sw_store *there = store_in_memory();
    struct run_id came = import_tree(there, document, NULL);
    CHECK_TEXT(id.text, came.text);
    check_goes_on(there, came);
    check_goes_on(here, id);
    sw_store_close(there);
    sw_store_close(here);
}

TEST(a_copy_with_new_ids_goes_on_beside_its_original) {
    sw_store *store = store_in_memory();
    struct run_id id = parked_parent(store);
    const char *document = export_tree(store, id.text);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_CONFLICT, import_code(store, document, NULL, &text));
    CHECK_SAYS(id.text);
    CHECK(text == NULL);
    CHECK_INT(2, count(store));
    finish(claim(store), "\"of the child\"");
    struct run_id copy = import_tree(store, document, NEW);
    CHECK(strcmp(copy.text, id.text) != 0);
    CHECK_INT(4, count(store));
    check_goes_on(store, copy);
    CHECK_STATE("waiting", store, id.text);
    sw_store_close(store);
}

TEST(what_ran_when_it_was_exported_is_lost_and_may_be_claimed) {
    sw_store *here = store_in_memory();
    struct run_id id = submit(here, "w", NULL);
    sw_attempt *attempt = claim(here);
    do_step(attempt, "done", "1");
    const char *document = export_tree(here, id.text);
    sw_store *there = store_in_memory();
    import_tree(there, document, NULL);
    CHECK_STATE("pending", there, id.text);
    sw_attempt *next = claim(there);
    CHECK_INT(2, sw_attempt_number(next));
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, sw_step_begin(next, NTS("done"), ABSENT, NULL, &step, ERR));
    sw_step_free(step);
    finish(next, "1");
    finish(attempt, "2");
    check_whole(there);
    sw_store_close(there);
    sw_store_close(here);
}

/* Its rows are gone and it comes back under its own ids. */
TEST(a_tree_that_was_pruned_comes_back) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", "\"args\"");
    sw_attempt *attempt = claim(store);
    REQUIRE_CODE(SW_OK, sw_event_append(attempt, NTS("said"), NTS("1"), ABSENT, ERR));
    finish(attempt, "\"end\"");
    const char *document = export_tree(store, id.text);
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_prune(store, ABSENT, 0, &text, ERR));
    sw_text_free(text);
    CHECK_CODE(SW_ERR_NOT_FOUND, export_code(store, id.text, NULL, &text));
    import_tree(store, document, NULL);
    CHECK_STATE("completed", store, id.text);
    REQUIRE_CODE(SW_OK, sw_event_read(store, 0, NTS(id.text), 0, &text, ERR));
    CHECK_INT(1, value_in(value_read(take_text(text)), "items")->count);
    check_whole(store);
    sw_store_close(store);
}

TEST(a_redacted_document_shows_no_payload_and_is_not_imported) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", "\"secret\"");
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, export_code(store, id.text, "{\"redact\":true}", &text));
    const char *document = take_text(text);
    CHECK(strstr(document, "secret") == NULL);
    const struct value *run = value_at(value_in(value_read(document), "runs"), 0);
    CHECK_INT_IN(8, value_in(run, "args"), "bytes");
    CHECK_CODE(SW_ERR_INVALID, import_code(store, document, NEW, &text));
    CHECK_SAYS("redact");
    CHECK_INT(1, count(store));
    sw_store_close(store);
}

TEST(what_cannot_be_carried_is_refused_and_nothing_is_changed) {
    sw_store *store = store_in_memory();
    struct run_id id = parked_parent(store);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_NOT_FOUND, export_code(store, "run_x", NULL, &text));
    CHECK_CODE(SW_ERR_INVALID, export_code(store, id.text, "{\"redacted\":true}", &text));
    CHECK_SAYS("redacted");
    const char *document = export_tree(store, id.text);
    const struct value *runs = value_in(value_read(document), "runs");
    const char *child = value_in(value_at(runs, 1), "run_id")->text;
    CHECK_CODE(SW_ERR_CONFLICT, export_code(store, child, NULL, &text));
    CHECK_SAYS(id.text);
    CHECK_CODE(SW_ERR_INVALID, import_code(store, document, "{\"ids\":\"both\"}", &text));
    CHECK_SAYS("ids");
    CHECK_CODE(SW_ERR_INVALID, import_code(store, "{}", NULL, &text));
    CHECK_SAYS("format is absent");
    CHECK_CODE(SW_ERR_UNSUPPORTED, import_code(store, "{\"format\":7}", NULL, &text));
    CHECK_SAYS("format is 7, this library reads 1");
    CHECK_CODE(SW_ERR_SCHEMA_NEW,
               import_code(store, "{\"format\":1,\"schema_version\":99999}", NULL, &text));
    CHECK_SAYS("99999");
    sw_store *other = store_in_memory();
    for (size_t at = 1; at < strlen(document); at += 7) {
        const char *cut = lend_format("%.*s", (int)at, document);
        CHECK_CODE(SW_ERR_INVALID, import_code(other, cut, NULL, &text));
    }
    CHECK(text == NULL);
    CHECK_INT(0, count(other));
    CHECK_INT(2, count(store));
    check_whole(other);
    sw_store_close(other);
    sw_store_close(store);
}

TEST(a_store_that_is_only_read_exports_and_imports_nothing) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", NULL);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    sw_store *reader = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    const char *document = export_tree(reader, id.text);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_READONLY, import_code(reader, document, NEW, &text));
    CHECK_INT(1, count(store));
    sw_store_close(reader);
    sw_store_close(store);
}

/* A run with 200 children, as a document. */
static const char *large_document(void) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "parent", NULL);
    sw_attempt *attempt = claim(store);
    for (int at = 0; at < 200; at++) {
        struct run_id child = {""};
        REQUIRE_CODE(SW_OK, sw_child_submit(attempt, NTS("c"), NTS("child"), ABSENT, NULL,
                                            child.text, sizeof child.text, ERR));
    }
    finish(attempt, "1");
    const char *document = export_tree(store, id.text);
    sw_store_close(store);
    return document;
}

/* Imports until it is killed, and tells how many imports were answered. */
ROLE(import_on) {
    REQUIRE(argc == 1);
    const char *document = large_document();
    sw_store *store = store_open(argv[0], 0);
    for (int done = 1;; done++) {
        import_tree(store, document, NEW);
        tell("%d", done);
    }
}

TEST(a_tree_has_come_whole_or_not_at_all_after_any_kill) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    for (int round = 0; round < 8; round++) {
        uint64_t before = count(store);
        struct child *child = child_start("import_on", path, NULL);
        int done = atoi(child_line(child));
        pause_ms(3 * round); /* at a moment that nobody has chosen */
        child_kill(child);
        uint64_t after = count(store);
        CHECK(after >= before + (uint64_t)(201 * done));
        CHECK_INT(0, (int)(after % 201));
        check_whole(store);
    }
    sw_store_close(store);
}
