/* Submitting runs and finding them again: arguments, ids, idempotency. */
#include "support.h"

#include "reader.h"

/* ---- Submit ------------------------------------------------------------------------------- */

static bool is_run_id(const char *id) {
    return strncmp(id, "run_", 4) == 0 && strlen(id) == 30 &&
           strspn(id + 4, "0123456789abcdefghjkmnpqrstvwxyz") == 26;
}

TEST(a_submitted_run_has_an_id_and_is_pending) {
    sw_store *store = store_in_memory();
    struct run_id first = submit(store, "greet", "{\"name\":\"Ada\"}");
    struct run_id second = submit(store, "greet", NULL);
    CHECK(is_run_id(first.text) && is_run_id(second.text));
    CHECK(strcmp(first.text, second.text) < 0);
    CHECK_STATE("pending", store, first.text);
    sw_store_close(store);
}

TEST(text_arguments_end_at_their_length) {
    sw_store *store = store_in_memory();
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_run_submit(store, "greeting", 5, "123456", 3, NULL, id, sizeof id, ERR));
    sw_attempt *attempt = claim(store);
    size_t len = 0;
    const char *workflow = sw_attempt_workflow(attempt, &len);
    CHECK_BYTES("greet", 6, workflow, len + 1);
    const char *args = sw_attempt_args(attempt, &len);
    CHECK_BYTES("123", 4, args, len + 1);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(arguments_are_copied_before_submit_returns) {
    sw_store *store = store_in_memory();
    char workflow[] = "greet", args[] = "[1]", id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_run_submit(store, NTS(workflow), NTS(args), NULL, id, sizeof id, ERR));
    memset(workflow, 'x', sizeof workflow - 1);
    memset(args, 'x', sizeof args - 1);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT("greet", sw_attempt_workflow(attempt, NULL));
    CHECK_TEXT("[1]", sw_attempt_args(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(absent_args_and_results_read_as_null) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT("null", sw_attempt_args(attempt, NULL));
    finish(attempt, NULL);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK(is_null_in(run, "args"));
    CHECK(is_null_in(run, "result"));
    CHECK_TEXT_IN("completed", run, "state");
    sw_store_close(store);
}

static char *repeated(char letter, size_t count) {
    char *text = lend(count + 1);
    memset(text, letter, count);
    return text;
}

static int32_t submit_code(sw_store *store, const char *workflow,
                           const sw_submit_options *options) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_submit(store, NTS(workflow), ABSENT, options, id, sizeof id, ERR);
    if (code < 0) CHECK_TEXT("untouched", id);
    return code;
}

TEST(names_have_1_to_255_bytes) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_OK, submit_code(store, repeated('w', 255), NULL));
    CHECK_CODE(SW_ERR_TOO_BIG, submit_code(store, repeated('w', 256), NULL));
    CHECK_SAYS("255");
    char id[SW_ID_CAP];
    CHECK_CODE(SW_ERR_TOO_BIG,
               sw_run_submit(store, repeated('w', 999), 256, ABSENT, NULL, id, sizeof id, ERR));
    CHECK_SAYS("256");
    CHECK_SAYS("255");
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "", NULL));
    sw_submit_options options = submit_options();
    options.queue = repeated('q', 256);
    options.queue_len = SW_NTS;
    CHECK_CODE(SW_ERR_TOO_BIG, submit_code(store, "w", &options));
    options.queue = "";
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    sw_store_close(store);
}

TEST(numbers_outside_their_range_are_refused) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.run_at_ms = -1;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options.run_at_ms = INT64_MAX;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options = submit_options();
    options.timeout_ms = -2;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options = submit_options();
    options.backoff_initial_ms = -1;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options = submit_options();
    options.backoff_max_ms = INT64_MIN;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options = submit_options();
    options.max_tries = UINT32_MAX;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    options = submit_options();
    options.backoff_percent = UINT32_MAX;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(every_priority_is_allowed) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.priority = INT32_MAX;
    struct run_id last = submit_with(store, "w", &options);
    options.priority = INT32_MIN;
    struct run_id first = submit_with(store, "w", &options);
    CHECK_INT_IN(INT32_MAX, value_read(run_text(store, last.text)), "priority");
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(first.text, sw_attempt_run_id(attempt, NULL));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(options_of_a_submit_are_sized_and_flagged) {
    sw_store *store = store_in_memory();
    struct {
        sw_submit_options known;
        uint64_t unknown;
    } options = {.known = submit_options()};
    options.known.struct_size = 4;
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options.known));
    options.known.struct_size = sizeof options;
    CHECK_CODE(SW_OK, submit_code(store, "w", &options.known));
    options.unknown = 1;
    CHECK_CODE(SW_ERR_UNSUPPORTED, submit_code(store, "w", &options.known));
    options.known = submit_options();
    options.known.flags = 1u << 31;
    CHECK_CODE(SW_ERR_UNSUPPORTED, submit_code(store, "w", &options.known));
    options.known = submit_options();
    options.known.reserved = 1;
    CHECK_CODE_IN(submit_code(store, "w", &options.known), SW_ERR_INVALID, SW_ERR_UNSUPPORTED);
    sw_store_close(store);
}

TEST(metadata_and_code_version_are_kept_with_the_run) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.metadata = "{\"tenant\": \"a\"}";
    options.metadata_len = SW_NTS;
    options.code_version = "v7";
    options.code_version_len = SW_NTS;
    struct run_id id = submit_with(store, "w", &options);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("a", value_in(run, "metadata"), "tenant");
    CHECK_TEXT_IN("v7", run, "code_version");
    options.metadata = "[1]";
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    sw_store_close(store);
}

/* ---- Idempotency -------------------------------------------------------------------------- */

static sw_submit_options keyed(const char *scope, const char *key) {
    sw_submit_options options = submit_options();
    options.idempotency_scope = scope;
    options.idempotency_scope_len = SW_NTS;
    options.idempotency_key = key;
    options.idempotency_key_len = SW_NTS;
    return options;
}

/* Submits under the key and expects the code; answers the id. */
static struct run_id submit_keyed(sw_store *store, int32_t expected, const char *scope,
                                  const char *key, const char *workflow) {
    struct run_id id = {"untouched"};
    sw_submit_options options = keyed(scope, key);
    CHECK_CODE(expected, sw_run_submit(store, NTS(workflow), NTS("{\"some\":1}"), &options, id.text,
                                       sizeof id.text, ERR));
    return id;
}

TEST(a_key_makes_one_run_per_scope) {
    sw_store *store = store_in_memory();
    struct run_id first = submit_keyed(store, SW_OK, NULL, "k", "w");
    CHECK_TEXT(first.text, submit_keyed(store, SW_EXISTS, NULL, "k", "w").text);
    struct run_id scoped = submit_keyed(store, SW_OK, "scope", "k", "w");
    CHECK(strcmp(first.text, scoped.text) != 0);
    CHECK_TEXT(scoped.text, submit_keyed(store, SW_EXISTS, "scope", "k", "w").text);
    submit_keyed(store, SW_OK, "other scope", "k", "w");
    submit_keyed(store, SW_OK, NULL, "K", "w");
    CHECK_TEXT_IN("w", value_read(run_text(store, first.text)), "workflow");
    sw_store_close(store);
}

/* An invoice is not taken for the welcome that its key has made, whether that is open or not. */
TEST(a_key_of_another_workflow_is_a_conflict_that_names_both_and_the_run) {
    sw_store *store = store_in_memory();
    struct run_id known = submit_keyed(store, SW_OK, "order 1", "k", "welcome");
    for (int is_ended = 0; is_ended < 2; is_ended++) {
        struct run_id none = submit_keyed(store, SW_ERR_CONFLICT, "order 1", "k", "invoice");
        CHECK_TEXT("untouched", none.text);
        CHECK_SAYS("\"invoice\"");
        CHECK_SAYS("\"welcome\"");
        CHECK_SAYS(known.text);
        CHECK_TEXT(known.text, submit_keyed(store, SW_EXISTS, "order 1", "k", "welcome").text);
        if (!is_ended) finish(claim(store), "1");
        CHECK_NOTHING_TO_CLAIM(store);
    }
    submit_keyed(store, SW_OK, "invoice of order 1", "k", "invoice");
    sw_store_close(store);
}

TEST(a_key_outlives_the_end_of_its_run_and_the_closing_of_the_store) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit_keyed(store, SW_OK, NULL, "k", "w");
    finish(claim(store), "1");
    CHECK_TEXT(id.text, submit_keyed(store, SW_EXISTS, NULL, "k", "w").text);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
    store = store_open(path, 0);
    CHECK_TEXT(id.text, submit_keyed(store, SW_EXISTS, NULL, "k", "w").text);
    sw_store_close(store);
}

TEST(a_key_has_1_to_1024_bytes) {
    sw_store *store = store_in_memory();
    submit_keyed(store, SW_OK, repeated('s', 1024), repeated('k', 1024), "w");
    sw_submit_options options = keyed(NULL, repeated('k', 1025));
    CHECK_CODE(SW_ERR_TOO_BIG, submit_code(store, "w", &options));
    CHECK_SAYS("1024");
    options = keyed(repeated('s', 1025), "k");
    CHECK_CODE(SW_ERR_TOO_BIG, submit_code(store, "w", &options));
    options = keyed(NULL, "");
    CHECK_CODE(SW_ERR_INVALID, submit_code(store, "w", &options));
    finish(claim(store), "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

struct race {
    sw_store *store;
    struct run_id ids[8];
    _Atomic int made;
};

static void submit_same_key(int index, void *shared) {
    struct race *race = shared;
    sw_submit_options options = keyed("scope", "key");
    int32_t code = sw_run_submit(race->store, NTS("w"), ABSENT, &options, race->ids[index].text,
                                 SW_ID_CAP, NULL);
    CHECK(code == SW_OK || code == SW_EXISTS);
    race->made += code == SW_OK;
}

TEST(of_eight_threads_with_one_key_one_makes_the_run_and_all_get_its_id) {
    struct race race = {.store = store_open(temp_path("new.db"), 0)};
    in_threads(8, submit_same_key, &race);
    CHECK_INT(1, race.made);
    for (int i = 1; i < 8; i++) CHECK_TEXT(race.ids[0].text, race.ids[i].text);
    sw_store_close(race.store);
}

/* ---- Find --------------------------------------------------------------------------------- */

TEST(a_run_is_found_by_its_scope_and_key) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_keyed(store, SW_OK, "scope", "k", "w"), found = {"untouched"};
    CHECK_CODE(SW_NONE, sw_run_find(store, ABSENT, NTS("k"), found.text, SW_ID_CAP, ERR));
    CHECK_CODE(SW_NONE, sw_run_find(store, NTS("scope"), NTS("l"), found.text, SW_ID_CAP, ERR));
    CHECK_CODE(SW_NONE, sw_run_find(store, NTS("Scope"), NTS("k"), found.text, SW_ID_CAP, ERR));
    CHECK_TEXT("untouched", found.text);
    CHECK_CODE(SW_OK, sw_run_find(store, NTS("scope"), NTS("k"), found.text, SW_ID_CAP, ERR));
    CHECK_TEXT(id.text, found.text);
    id = submit_keyed(store, SW_OK, NULL, "k", "w");
    CHECK_CODE(SW_OK, sw_run_find(store, ABSENT, NTS("k"), found.text, SW_ID_CAP, ERR));
    CHECK_TEXT(id.text, found.text);
    sw_store_close(store);
}

TEST(a_scope_and_a_key_do_not_run_into_each_other) {
    sw_store *store = store_in_memory();
    char found[SW_ID_CAP];
    submit_keyed(store, SW_OK, "ab", "c", "w");
    CHECK_CODE(SW_NONE, sw_run_find(store, NTS("a"), NTS("bc"), found, sizeof found, ERR));
    submit_keyed(store, SW_OK, "a", "bc", "w");
    sw_store_close(store);
}
