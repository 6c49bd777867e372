/* Payloads at the door: what is JSON, how deep, how big, and that bytes come back as given. */
#include "support.h"

#include "reader.h"

static int32_t submit_args(sw_store *store, const char *args, size_t len) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_submit(store, NTS("w"), args, len, NULL, id, sizeof id, ERR);
    if (code < 0) CHECK_TEXT("untouched", id);
    return code;
}

/* Submits the bytes and checks that the attempt tells the very same. */
static void check_kept(sw_store *store, const char *args, size_t len, int line) {
    size_t kept_len = 0;
    check_code(__FILE__, line, lend_format("%.60s", args), SW_OK,
               CODE_OF(submit_args(store, args, len)));
    if (last_error != NULL) return;
    sw_attempt *attempt = claim(store);
    const char *kept = sw_attempt_args(attempt, &kept_len);
    check_bytes(__FILE__, line, "args", args, len, kept, kept_len);
    CHECK_INT(0, kept[kept_len]);
    finish(attempt, NULL);
}

/* ---- What is JSON ------------------------------------------------------------------------- */

TEST(the_bytes_of_a_payload_are_kept_exactly) {
    // clang-format off: lists that are read across
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "1E+2", "-1.5e-10", "1e400", "\"\"", "[]", "{}",
        " 1 ", "\t\r\n[ 1 , 2 ]\n", "{\"b\":1,\"a\":2,\"b\":3}", "\"\\u0000\\ud83d\\ude00\\/\"",
        "\"\\ud800\"", "99999999999999999999999999999999", "\"gr\xc3\xbc\xc3\x9f""e \xf0\x9f\x98\x80\"",
        "{\"nested\":{\"$smolwf\":1}}", "\"$smolwf\"", "[\"$smolwf\"]", "{\"smolwf\":1}",
        "{\"$smolwf \":1}", "{\"x\":\"\\u0024smolwf\"}",
    };
    // clang-format on
    sw_store *store = store_in_memory();
    for (size_t i = 0; i < COUNT_OF(good); i++)
        check_kept(store, good[i], strlen(good[i]), __LINE__);
    sw_store_close(store);
}

TEST(text_that_is_not_json_is_refused) {
    // clang-format off: lists that are read across
    static const char *const bad[] = {
        "", " ", "{\"a\":1,}", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{1:1}",
        "{\"a\":1 \"b\":2}", "'a'", "nul", "nulll", "True", "NaN", "Infinity", "-", "+1", "01",
        "1.", ".5", "1e", "0x1", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12g4\"", "\"\x01\"",
        "\"a\nb\"", "[", "]", "{", "}", "[}", "{]", "1 2", "null null", "// c\n1", "/* c */ 1",
        "\xef\xbb\xbf" "1", "\"\xff\"", "\xff", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\x80\"",
    };
    // clang-format on
    sw_store *store = store_in_memory();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        check_code(__FILE__, __LINE__, lend_format("args %s", bad[i]), SW_ERR_INVALID,
                   CODE_OF(submit_args(store, bad[i], strlen(bad[i]))));
    }
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "1\0", 2));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "\"\0\"", 3));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "[1]", 2));
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(the_message_names_the_byte_offset_and_no_payload) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "{\"a\":1,}", SW_NTS));
    CHECK_SAYS("7");
    char *text = lend_format("{\"password\": \"hunter2\"%*s !}", 1000, "");
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, text, SW_NTS));
    CHECK_SAYS(lend_format("%td", strchr(text, '!') - text));
    CHECK_DOES_NOT_SAY("password");
    CHECK_DOES_NOT_SAY("hunter2");
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "[\"abc\xff\"]", SW_NTS));
    CHECK_SAYS("5");
    sw_store_close(store);
}

/* ---- How deep ----------------------------------------------------------------------------- */

static char *nested(size_t depth, const char *open, const char *close) {
    size_t open_len = strlen(open), close_len = strlen(close);
    char *text = lend(depth * (open_len + close_len) + 2), *at = text;
    for (size_t i = 0; i < depth; i++, at += open_len) memcpy(at, open, open_len);
    *at++ = '1';
    for (size_t i = 0; i < depth; i++, at += close_len) memcpy(at, close, close_len);
    return text;
}

TEST(a_hundred_levels_are_allowed_and_not_one_more) {
    sw_store *store = store_in_memory();
    char *text = nested(100, "[", "]");
    check_kept(store, text, strlen(text), __LINE__);
    text = nested(100, "{\"a\":", "}");
    check_kept(store, text, strlen(text), __LINE__);
    text = lend_format("[%s,%s]", nested(99, "[", "]"), nested(99, "{\"[\":", "}"));
    check_kept(store, text, strlen(text), __LINE__);
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(101, "[", "]"), SW_NTS));
    CHECK_SAYS("100");
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(101, "{\"a\":", "}"), SW_NTS));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(51, "[{\"a\":", "}]"), SW_NTS));
    text = lend_format("\"%s\"", nested(500, "[", "]"));
    check_kept(store, text, strlen(text), __LINE__);
    sw_store_close(store);
}

TEST(a_very_deep_payload_is_refused_and_not_a_crash) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(10000, "[", "]"), SW_NTS));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(2000000, "[", "]"), SW_NTS));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(2000000, "[", ""), SW_NTS));
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, nested(1000000, "{\"a\":", "}"), SW_NTS));
    sw_store_close(store);
}

/* ---- How big ------------------------------------------------------------------------------ */

#define MIB ((size_t)1 << 20)

static char *text_of(size_t len) {
    char *text = lend(len + 1);
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    return text;
}

TEST(a_payload_has_at_most_16_mib) {
    sw_store *store = store_in_memory();
    check_kept(store, text_of(16 * MIB), 16 * MIB, __LINE__);
    CHECK_CODE(SW_ERR_TOO_BIG, submit_args(store, text_of(16 * MIB + 1), 16 * MIB + 1));
    CHECK_CODE(SW_ERR_TOO_BIG, submit_args(store, text_of(17 * MIB), SW_NTS));
    CHECK_SAYS("16777216");
    CHECK_CODE(SW_ERR_TOO_BIG, submit_args(store, text_of(17 * MIB), 17 * MIB));
    CHECK_SAYS("17825792");
    CHECK_SAYS("16777216");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(the_largest_payload_is_kept_in_a_file) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    char *text = text_of(16 * MIB);
    submit(store, "w", text);
    sw_store_close(store);
    store = store_open(path, 0);
    sw_attempt *attempt = claim(store);
    size_t len = 0;
    const char *kept = sw_attempt_args(attempt, &len);
    CHECK(len == 16 * MIB && memcmp(text, kept, len) == 0);
    do_step(attempt, "s", text);
    finish(attempt, text);
    sw_store_close(store);
}

TEST(the_limit_of_payloads_is_an_option_of_the_store) {
    sw_store_options options = {
        .struct_size = sizeof options, .flags = SW_OPEN_MANUAL_CLOCK, .payload_bytes_max = 1000};
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open_in_memory(&options, &store, ERR));
    CHECK_CODE(SW_OK, sw_store_init(store, &applied, ERR));
    check_kept(store, text_of(1000), 1000, __LINE__);
    CHECK_CODE(SW_ERR_TOO_BIG, submit_args(store, text_of(1001), 1001));
    CHECK_SAYS("1000");
    sw_store_close(store);
}

/* ---- Every door --------------------------------------------------------------------------- */

/* Hands the text to each call that takes a payload; all answer the same, nothing is stored. */
static void check_every_door(const char *text, int32_t expected) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "s"), *none = POISON(sw_step);
    const char *before = history_text(store, id.text);
    CHECK_CODE(expected, submit_args(store, text, SW_NTS));
    CHECK_CODE(expected, sw_attempt_complete(attempt, NTS(text), ERR));
    CHECK_CODE(expected, sw_attempt_fail(attempt, NTS(text), NULL, ERR));
    CHECK_CODE(expected, sw_step_complete(step, NTS(text), ERR));
    CHECK_CODE(expected, sw_step_fail(step, NTS(text), NULL, ERR));
    if (strstr(text, "smolwf") == NULL) {
        CHECK_CODE(expected, sw_step_begin(attempt, NTS("t"), NTS(text), NULL, &none, ERR));
        CHECK(none == NULL);
    }
    CHECK_TEXT(before, history_text(store, id.text));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    finish(attempt, "2");
    sw_step_free(step);
    sw_store_close(store);
}

TEST(every_call_with_a_payload_refuses_what_is_not_json) {
    check_every_door("{\"a\":1,}", SW_ERR_INVALID);
    check_every_door("\"\xff\"", SW_ERR_INVALID);
    check_every_door("", SW_ERR_INVALID);
    check_every_door(nested(101, "[", "]"), SW_ERR_INVALID);
    check_every_door(nested(10000, "[", "]"), SW_ERR_INVALID);
}

TEST(every_call_with_a_payload_refuses_17_mib) {
    check_every_door(text_of(17 * MIB), SW_ERR_TOO_BIG);
}

TEST(the_key_of_the_engines_own_errors_is_refused_from_hosts) {
    check_every_door("{\"$smolwf\":\"tries\"}", SW_ERR_INVALID);
    check_every_door(" { \"a\" : 1, \"$smolwf\" : {} }", SW_ERR_INVALID);
    check_every_door("{\"\\u0024smolwf\":1}", SW_ERR_INVALID);
    check_every_door("{\"\\u0024\\u0073mol\\u0077f\":1}", SW_ERR_INVALID);
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_ERR_INVALID, submit_args(store, "{\"$smolwf\":1}", SW_NTS));
    CHECK_SAYS("$smolwf");
    sw_store_close(store);
}

TEST(an_error_given_as_text_need_not_be_json_but_must_be_utf8) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_fail_options options = fail_options(SW_FAIL_TEXT | SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, NTS("a\xff"), &options, ERR));
    CHECK_CODE(SW_ERR_TOO_BIG, sw_attempt_fail(attempt, NTS(text_of(17 * MIB)), &options, ERR));
    CHECK_STATE("running", store, id.text);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("{\"$smolwf\":1}"), &options, ERR));
    CHECK_TEXT_IN("{\"$smolwf\":1}", value_read(run_text(store, id.text)), "error");
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* ---- Inside documents --------------------------------------------------------------------- */

TEST(payloads_stand_in_documents_as_json_values) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", " {\"b\" : 1.0, \"a\":[1,2]} ");
    sw_attempt *attempt = claim(store);
    do_step(attempt, "s", "\"\\u00e9\"");
    finish(attempt, "1e400");
    const struct value *history = value_read(history_text(store, id.text));
    const struct value *run = value_in(history, "run");
    CHECK_RAW_IN("{\"b\" : 1.0, \"a\":[1,2]}", run, "args");
    CHECK_RAW_IN("1e400", run, "result");
    CHECK_RAW_IN("\"\\u00e9\"", value_at(value_in(history, "steps"), 0), "result");
    sw_store_close(store);
}
