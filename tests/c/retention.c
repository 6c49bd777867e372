/* What has ended and is pruned: whole trees, at once for every call, part by part in the file. */
#include <sys/stat.h>

#include "support.h"

#include "reader.h"

static int32_t prune_code(sw_store *store, const char *filter, uint32_t limit, sw_text **out) {
    return sw_store_prune(store, filter, filter == NULL ? 0 : SW_NTS, limit, out, ERR);
}

static const struct value *prune(sw_store *store, const char *filter, uint32_t limit) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(prune_code(store, filter, limit, &text));
    REQUIRE(code == SW_OK);
    const struct value *answer = value_read(take_text(text));
    CHECK_KEYS(answer, "runs", "trees", "bytes", "more");
    return answer;
}

static void check_pruned(int runs, int trees, bool more, const struct value *answer) {
    CHECK_INT_IN(runs, answer, "runs");
    CHECK_INT_IN(trees, answer, "trees");
    CHECK(value_in(answer, "more")->kind == (more ? VALUE_TRUE : VALUE_FALSE));
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

/* A run with children, of which all have ended; the ids of all, the root's first. */
static struct run_id *ended_tree(sw_store *store, int children) {
    struct run_id *ids = lend((size_t)(children + 1) * sizeof *ids);
    ids[0] = submit(store, "parent", "[1]");
    sw_attempt *attempt = claim(store);
    for (int at = 1; at <= children; at++) {
        const char *name = lend_format("child %d", at);
        REQUIRE_CODE(SW_OK, sw_child_submit(attempt, NTS(name), NTS("child"), ABSENT, NULL,
                                            ids[at].text, sizeof ids[at].text, ERR));
    }
    do_step(attempt, "done", "\"x\"");
    finish(attempt, "1");
    for (int at = 1; at <= children; at++) finish(claim(store), "2");
    return ids;
}

TEST(what_has_ended_goes_and_what_lives_stays) {
    sw_store *store = store_in_memory();
    struct run_id *ended = ended_tree(store, 2);
    struct run_id living = submit(store, "w", NULL);
    const struct value *told = prune(store, "{\"dry_run\":true}", 0);
    check_pruned(3, 1, false, told);
    CHECK_INT(4, count(store));
    const struct value *done = prune(store, NULL, 0);
    check_pruned(3, 1, false, done);
    CHECK_RAW_IN(lend_format("%lld", value_in(told, "bytes")->integer), done, "bytes");
    CHECK_INT(1, count(store));
    sw_text *text = POISON(sw_text);
    for (int at = 0; at < 3; at++) {
        CHECK_CODE(SW_ERR_NOT_FOUND, sw_run_get(store, NTS(ended[at].text), &text, ERR));
    }
    CHECK_STATE("pending", store, living.text);
    check_whole(store);
    check_pruned(0, 0, false, prune(store, NULL, 0));
    sw_store_close(store);
}

TEST(a_filter_is_asked_of_topmost_runs) {
    sw_store *store = store_in_memory();
    ended_tree(store, 1);
    ended_tree(store, 0);
    check_pruned(0, 0, false, prune(store, "{\"workflow\":\"child\"}", 0));
    check_pruned(0, 0, false, prune(store, "{\"state\":\"failed\"}", 0));
    check_pruned(0, 0, false, prune(store, "{\"state\":\"pending\"}", 0));
    check_pruned(1, 1, true, prune(store, "{\"order\":\"newest\"}", 1));
    check_pruned(2, 1, false, prune(store, "{\"workflow\":\"parent\",\"state\":\"completed\"}", 0));
    check_whole(store);
    sw_store_close(store);
}

/* Its ids are not found any more and its key is free, while its rows go call by call. */
TEST(a_tree_larger_than_the_limit_is_gone_at_once_and_goes_in_parts) {
    sw_store *store = store_in_memory();
    struct run_id *ended = ended_tree(store, 6);
    const char *filter = lend_format("{\"root_run_id\":\"%s\"}", ended[0].text);
    check_pruned(2, 1, true, prune(store, filter, 2));
    CHECK_INT(0, count(store));
    sw_text *text = POISON(sw_text);
    for (int at = 0; at < 7; at++) {
        CHECK_CODE(SW_ERR_NOT_FOUND,
                   sw_run_history(store, NTS(ended[at].text), ABSENT, 0, &text, ERR));
        CHECK_CODE(SW_ERR_NOT_FOUND, sw_run_annotate(store, NTS(ended[at].text), NTS("{}"), ERR));
    }
    check_whole(store);
    check_pruned(3, 0, true, prune(store, filter, 3));
    check_pruned(2, 0, false, prune(store, filter, 9));
    CHECK_CODE(SW_ERR_NOT_FOUND, prune_code(store, filter, 0, &text));
    CHECK_SAYS(ended[0].text);
    check_whole(store);
    sw_store_close(store);
}

TEST(the_idempotency_key_of_a_pruned_run_makes_a_new_one) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.idempotency_key = "k";
    options.idempotency_key_len = SW_NTS;
    struct run_id first = submit_with(store, "w", &options);
    finish(claim(store), "1");
    check_pruned(1, 1, false, prune(store, NULL, 0));
    struct run_id second = submit_with(store, "w", &options);
    CHECK(strcmp(first.text, second.text) != 0);
    sw_store_close(store);
}

/* A reader that is behind can tell: the log loses what it says from its oldest end alone. */
TEST(events_of_pruned_runs_stay_while_older_ones_are_there) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *old = claim(store);
    REQUIRE_CODE(SW_OK, sw_event_append(old, NTS("old"), NTS("1"), ABSENT, ERR));
    struct run_id pruned = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    REQUIRE_CODE(SW_OK, sw_event_append(attempt, NTS("said"), NTS("2"), ABSENT, ERR));
    finish(attempt, "1");
    check_pruned(1, 1, false, prune(store, NULL, 0));
    REQUIRE_CODE(SW_OK, sw_event_append(old, NTS("new"), NTS("3"), ABSENT, ERR));
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_event_read(store, 0, ABSENT, 0, &text, ERR));
    const struct value *page = value_read(take_text(text));
    CHECK_INT(3, value_in(page, "items")->count);
    CHECK_TEXT_IN(pruned.text, value_at(value_in(page, "items"), 1), "run_id");
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_event_read(store, 0, NTS(pruned.text), 0, &text, ERR));
    finish(old, "1");
    check_pruned(1, 1, false, prune(store, NULL, 0));
    REQUIRE_CODE(SW_OK, sw_event_read(store, 0, ABSENT, 0, &text, ERR));
    page = value_read(take_text(text));
    CHECK_INT_IN(3, page, "first_seq");
    CHECK_INT(1, value_in(page, "items")->count);
    check_whole(store);
    sw_store_close(store);
}

TEST(what_cannot_be_asked_is_refused_and_nothing_goes) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    ended_tree(store, 0);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, prune_code(store, NULL, SW_PRUNE_LEN_MAX + 1, &text));
    CHECK_SAYS("100001");
    CHECK_SAYS("100000");
    CHECK_CODE(SW_ERR_INVALID, prune_code(store, "{\"older_than\":1}", 0, &text));
    CHECK_SAYS("older_than");
    CHECK_CODE(SW_ERR_NOT_FOUND, prune_code(store, "{\"root_run_id\":\"run_x\"}", 0, &text));
    CHECK(text == NULL);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    sw_store *reader = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    check_pruned(1, 1, false, prune(reader, "{\"dry_run\":true}", 0));
    CHECK_CODE(SW_ERR_READONLY, prune_code(reader, NULL, 0, &text));
    CHECK_INT(1, count(reader));
    sw_store_close(reader);
    sw_store_close(store);
}

static void retain(sw_store *store, const char *policy) {
    REQUIRE_CODE(SW_OK, sw_retention_set(store, NTS(policy), ERR));
}

static const char *retained(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_retention_get(store, &text, ERR));
    return take_text(text);
}

/* A claim from a queue that has nothing. */
static void look(sw_store *store) {
    sw_attempt *attempt = NULL;
    REQUIRE_CODE(SW_NONE, sw_run_claim(store, NTS("none"), NULL, &attempt, ERR));
}

static bool is_there(sw_store *store, const char *run_id) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(sw_run_get(store, NTS(run_id), &text, ERR));
    sw_text_free(text);
    if (code != SW_ERR_NOT_FOUND) REQUIRE(code == SW_OK);
    return code == SW_OK;
}

TEST(a_policy_is_told_as_it_was_given_and_an_empty_one_ends_it) {
    sw_store *store = store_in_memory();
    CHECK_TEXT("{}", retained(store));
    retain(store, "{ \"workflows\": {\"w\": {\"keep_newest\": 3}}, \"failed_ms\": 5,"
                  " \"completed_ms\": null }");
    CHECK_TEXT("{\"failed_ms\":5,\"workflows\":{\"w\":{\"keep_newest\":3}}}", retained(store));
    retain(store, "{\"completed_ms\":0}");
    CHECK_TEXT("{\"completed_ms\":0}", retained(store));
    REQUIRE_CODE(SW_OK, sw_retention_set(store, ABSENT, ERR));
    CHECK_TEXT("{}", retained(store));
    sw_store_close(store);
}

TEST(what_has_stayed_for_its_time_goes_with_the_next_claim) {
    sw_store *store = store_manual(temp_path("db"));
    retain(store, "{\"completed_ms\":5000,\"workflows\":{\"kept\":{\"completed_ms\":60000}}}");
    struct run_id goes = submit(store, "w", NULL);
    finish(claim(store), "1");
    struct run_id stays = submit(store, "kept", NULL);
    finish(claim(store), "1");
    REQUIRE_CODE(SW_OK, sw_store_advance_clock(store, 4999, ERR));
    look(store);
    CHECK(is_there(store, goes.text));
    REQUIRE_CODE(SW_OK, sw_store_advance_clock(store, 1000, ERR));
    look(store);
    CHECK(!is_there(store, goes.text));
    CHECK(is_there(store, stays.text));
    check_whole(store);
    sw_store_close(store);
}

/* In the file: who opens it later is told, and keeps to it. */
TEST(a_policy_stays_with_the_file_and_its_copies) {
    const char *path = temp_path("db");
    sw_store *store = store_manual(path);
    retain(store, "{\"keep_newest\":1}");
    struct run_id first = submit(store, "w", NULL);
    finish(claim(store), "1");
    struct run_id second = submit(store, "w", NULL);
    finish(claim(store), "1");
    const char *copy = temp_path("copy");
    REQUIRE_CODE(SW_OK, sw_store_backup(store, copy, ERR));
    sw_store_close(store);
    const char *paths[] = {path, copy};
    for (size_t at = 0; at < 2; at++) {
        store = store_manual(paths[at]);
        CHECK_TEXT("{\"keep_newest\":1}", retained(store));
        CHECK(is_there(store, first.text));
        REQUIRE_CODE(SW_OK, sw_store_advance_clock(store, 60000, ERR));
        look(store);
        CHECK(!is_there(store, first.text));
        CHECK(is_there(store, second.text));
        check_whole(store);
        sw_store_close(store);
    }
}

TEST(a_policy_that_is_none_is_refused_and_the_one_before_holds) {
    sw_store *store = store_in_memory();
    const char *before = "{\"cancelled_ms\":7}";
    retain(store, before);
    static const struct {
        const char *policy, *says;
    } refused[] = {
        {"{\"completed\":1}", "policy: unknown key \"completed\""},
        {"[]", "policy: "},
        {"{\"completed_ms\":-1}", "policy: completed_ms is -1, it must be 0 to 3162240000000"},
        {"{\"failed_ms\":\"1\"}", "policy: failed_ms is no integer from 0 to 3162240000000"},
        {"{\"cancelled_ms\":1.5}", "policy: cancelled_ms is no integer"},
        {"{\"keep_newest\":10001}", "policy: keep_newest is 10001, it must be 0 to 10000"},
        {"{\"workflows\":{\"\":{}}}", "policy: workflows: a name is empty"},
        {"{\"workflows\":{\"w\":1}}", "policy: workflows: \"w\": "},
        {"{\"workflows\":{\"w\":{\"workflows\":{}}}}",
         "policy: workflows: \"w\": unknown key \"workflows\""},
    };
    for (size_t at = 0; at < sizeof refused / sizeof *refused; at++) {
        CHECK_CODE(SW_ERR_INVALID, sw_retention_set(store, NTS(refused[at].policy), ERR));
        CHECK_SAYS(refused[at].says);
    }
    CHECK_TEXT(before, retained(store));
    sw_store_close(store);
}

TEST(a_policy_names_a_thousand_workflows_and_no_more) {
    sw_store *store = store_in_memory();
    for (int count = SW_POLICY_WORKFLOWS_MAX; count <= SW_POLICY_WORKFLOWS_MAX + 1; count++) {
        char *policy = lend(SW_POLICY_BYTES_MAX);
        size_t len = (size_t)sprintf(policy, "{\"workflows\":{");
        for (int at = 0; at < count; at++)
            len += (size_t)sprintf(policy + len, "%s\"w%d\":{\"failed_ms\":1}", at == 0 ? "" : ",",
                                   at);
        sprintf(policy + len, "}}");
        CHECK_CODE(count == SW_POLICY_WORKFLOWS_MAX ? SW_OK : SW_ERR_INVALID,
                   sw_retention_set(store, NTS(policy), ERR));
    }
    sw_store_close(store);
}

TEST(who_only_reads_is_told_the_policy_and_sets_none) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    retain(store, "{\"failed_ms\":1}");
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    sw_store *reader = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    CHECK_TEXT("{\"failed_ms\":1}", retained(reader));
    CHECK_CODE(SW_ERR_READONLY, sw_retention_set(reader, ABSENT, ERR));
    sw_store_close(reader);
    sw_store_close(store);
}

static const struct value *compact(sw_store *store, uint32_t pages_max) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_compact(store, pages_max, &text, ERR));
    const struct value *answer = value_read(take_text(text));
    CHECK_KEYS(answer, "freed_pages", "left_pages");
    return answer;
}

TEST(pages_that_hold_nothing_are_given_back) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    for (uint32_t at = 0; at < 60; at++) {
        submit(store, "w", noise(at, 6002));
        finish(claim(store), "1");
    }
    CHECK_INT(60, value_in(prune(store, NULL, 0), "runs")->integer);
    CHECK_INT_IN(0, compact(store, 0), "left_pages");
    CHECK_INT_IN(0, compact(store, SW_COMPACT_PAGES_MAX), "freed_pages");
    struct stat file;
    REQUIRE(stat(path, &file) == 0);
    CHECK(file.st_size < 100 * 4096);
    check_whole(store);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_store_compact(store, SW_COMPACT_PAGES_MAX + 1, &text, ERR));
    CHECK_SAYS("pages_max is 1000001");
    CHECK(text == NULL);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    sw_store *reader = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    CHECK_CODE(SW_ERR_READONLY, sw_store_compact(reader, 0, &text, ERR));
    sw_store_close(reader);
    sw_store_close(store);
}
