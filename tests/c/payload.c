/* The same large document, handed to runs and from step to step: it takes room once. */
#include "support.h"

#include <sys/stat.h>

enum { LARGE = 100 * 1024, STEPS = 40 };

static void check_whole(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK_TEXT("{\"ok\":true,\"faults\":[]}", take_text(text));
}

static void prune_all(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_prune(store, ABSENT, 0, &text, ERR));
    take_text(text);
}

static void check_replayed(sw_attempt *attempt, const char *name, const char *result) {
    sw_step *step = NULL;
    size_t len = 0;
    REQUIRE(begin_code(attempt, name, &step) == SW_REPLAYED);
    CHECK_TEXT(result, sw_step_result(step, &len));
    CHECK_INT(strlen(result), len);
    sw_step_free(step);
}

/* Does a run whose args, steps and result are this document. */
static struct run_id carry(sw_store *store, const char *text) {
    struct run_id id = submit(store, "w", text);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(text, sw_attempt_args(attempt, NULL));
    for (int at = 0; at < STEPS; at++) do_step(attempt, lend_format("step %d", at), text);
    attempt = next_attempt(store, attempt);
    for (int at = 0; at < STEPS; at++) {
        check_replayed(attempt, lend_format("step %d", at), text);
    }
    finish(attempt, text);
    return id;
}

static size_t file_len(const char *path) {
    struct stat found;
    REQUIRE(stat(path, &found) == 0);
    return (size_t)found.st_size;
}

TEST(a_document_that_is_handed_on_takes_room_once) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    const char *text = noise(1, LARGE);
    carry(store, text);
    struct run_id second = carry(store, text);
    const char *shown = run_text(store, second.text);
    CHECK(strstr(shown, text) != NULL);
    check_whole(store);
    sw_store_close(store);
    CHECK(file_len(path) < (size_t)8 * LARGE);
}

TEST(what_one_run_is_rid_of_the_other_still_has) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    const char *text = noise(2, LARGE);
    struct run_id living = submit(store, "w", text);
    sw_attempt *attempt = claim(store);
    do_step(attempt, "kept", text);
    carry(store, text);
    prune_all(store);
    check_whole(store);
    attempt = next_attempt(store, attempt);
    CHECK_TEXT(text, sw_attempt_args(attempt, NULL));
    check_replayed(attempt, "kept", text);
    finish(attempt, "1");
    CHECK_STATE("completed", store, living.text);
    prune_all(store);
    check_whole(store);
    sw_store_close(store);
}

ROLE(record_until_killed) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    for (uint32_t seed = 10;; seed++) {
        submit(store, "w", noise(3, LARGE));
        sw_attempt *attempt = claim(store);
        do_step(attempt, "same", noise(3, LARGE));
        do_step(attempt, "other", noise(seed, LARGE / 8));
        finish(attempt, noise(seed, LARGE / 8));
        prune_all(store);
        tell("%u", seed);
    }
    return 0;
}

TEST(payloads_are_counted_right_wherever_a_process_is_killed) {
    const char *path = temp_path("new.db");
    const char *text = noise(3, LARGE);
    sw_store *store = store_open(path, 0);
    for (int round = 0; round < 4; round++) {
        struct child *child = child_start("record_until_killed", path, NULL);
        for (int line = 0; line <= round; line++) child_line(child);
        child_kill(child);
        check_whole(store);
        submit(store, "w", text);
        sw_attempt *attempt = claim_soon(store);
        CHECK_TEXT(text, sw_attempt_args(attempt, NULL));
        finish(attempt, text);
        check_whole(store);
    }
    sw_store_close(store);
}
