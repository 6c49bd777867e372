/* A whole store is moved into another one, with runs in flight. */
#include "support.h"

#include "reader.h"

static int32_t move_code(sw_store *from, sw_store *to, const char *options, sw_text **out) {
    size_t len = options == NULL ? 0 : SW_NTS;
    return sw_store_graduate(from, to, options, len, out, ERR);
}

static const struct value *move(sw_store *from, sw_store *to) {
    sw_text *text = POISON(sw_text);
    int32_t code = CODE_OF(move_code(from, to, NULL, &text));
    REQUIRE(code == SW_OK);
    const struct value *report = value_read(take_text(text));
    CHECK_KEYS(report, "state", "table", "rows", "released", "tables", "left_behind");
    CHECK_TEXT("moved", value_in(report, "state")->text);
    return report;
}

static void check_whole(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_check(store, &text, ERR));
    CHECK_TEXT("{\"ok\":true,\"faults\":[]}", take_text(text));
}

static void submit_is(int32_t code, sw_store *store) {
    struct run_id id = {""};
    CHECK_CODE(code, sw_run_submit(store, NTS("w"), ABSENT, NULL, id.text, sizeof id.text, ERR));
}

TEST(runs_go_on_in_the_other_store_and_the_old_one_says_where) {
    sw_store *here = store_open(temp_path("here"), 0), *there = store_open(temp_path("there"), 0);
    struct run_id id = submit(here, "w", " [1, 2.50] ");
    sw_attempt *attempt = claim(here);
    do_step(attempt, "done", " {\"cost\" : 1.0} ");
    const struct value *report = move(here, there);
    CHECK_INT(1, value_in(report, "released")->integer);
    submit_is(SW_ERR_MOVED, here);
    CHECK_SAYS(temp_path("there"));
    CHECK_CODE(SW_ERR_MOVED, sw_attempt_heartbeat(attempt, 0, ERR));
    sw_attempt_free(attempt);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_MOVED, sw_run_get(here, NTS(id.text), &text, ERR));
    CHECK(text == NULL);
    attempt = claim(there);
    CHECK_TEXT(id.text, sw_attempt_run_id(attempt, NULL));
    CHECK_TEXT(" [1, 2.50] ", sw_attempt_args(attempt, NULL));
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, sw_step_begin(attempt, NTS("done"), ABSENT, NULL, &step, ERR));
    CHECK_TEXT(" {\"cost\" : 1.0} ", sw_step_result(step, NULL));
    sw_step_free(step);
    finish(attempt, "1");
    CHECK_STATE("completed", there, id.text);
    check_whole(there);
    move(here, there);
    sw_store_close(here);
    /* Also to whoever comes later, and to its init. */
    here = open_raw(temp_path("here"));
    uint32_t applied = 7;
    CHECK_CODE(SW_ERR_MOVED, sw_store_init(here, &applied, ERR));
    sw_store_close(here);
    sw_store_close(there);
}

TEST(a_move_goes_on_call_by_call_and_is_taken_back_until_it_is_decided) {
    sw_store *here = store_in_memory(), *there = store_in_memory();
    struct run_id id = submit(here, "w", NULL);
    sw_attempt *attempt = claim(here);
    sw_text *text = NULL;
    int32_t code = CODE_OF(move_code(here, there, "{\"for_ms\":1}", &text));
    REQUIRE(code == SW_TIMEOUT || code == SW_OK);
    const struct value *report = value_read(take_text(text));
    CHECK(value_in(report, "state") != NULL);
    if (code == SW_TIMEOUT) {
        submit_is(SW_ERR_BUSY, here);
        submit_is(SW_ERR_BUSY, there);
        CHECK_STATE("pending", here, id.text);
        CHECK_CODE(SW_OK, move_code(here, there, "{\"abort\":true}", &text));
        report = value_read(take_text(text));
        CHECK_TEXT("in_force", value_in(report, "state")->text);
        submit_is(SW_OK, here);
        submit_is(SW_ERR_MOVED, there);
        /* It was released behind its back. */
        CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_heartbeat(attempt, 0, ERR));
        CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_complete(attempt, NTS("1"), ERR));
        CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    }
    sw_attempt_free(attempt);
    move(here, there);
    CHECK_CODE(SW_ERR_MOVED, move_code(here, NULL, "{\"abort\":true}", &text));
    check_whole(there);
    sw_store_close(here);
    sw_store_close(there);
}

TEST(what_cannot_be_moved_is_refused_and_goes_on) {
    sw_store *here = store_in_memory(), *there = store_in_memory();
    submit(here, "w", NULL);
    submit(there, "w", NULL);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_CONFLICT, move_code(here, there, NULL, &text));
    CHECK(text == NULL);
    CHECK_CODE(SW_ERR_INVALID, move_code(here, here, NULL, &text));
    CHECK_CODE(SW_ERR_MISUSE, move_code(here, NULL, NULL, &text));
    CHECK_CODE(SW_ERR_INVALID, move_code(here, there, "{\"for_ms\":-1}", &text));
    CHECK_CODE(SW_ERR_INVALID, move_code(here, there, "{\"drain\":1}", &text));
    sw_store *bare = open_raw(temp_path("bare"));
    CHECK_CODE(SW_ERR_SCHEMA_OLD, move_code(here, bare, NULL, &text));
    submit_is(SW_OK, here);
    submit_is(SW_OK, there);
    sw_store_close(bare);
    sw_store_close(here);
    sw_store_close(there);
}
