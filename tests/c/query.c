/* Queries of the store's file: values, bounds, and what is refused. */
#include "support.h"

#include "reader.h"

static const char *query_with(sw_store *store, const char *sql, const char *params) {
    sw_text *text = NULL;
    REQUIRE_CODE(
        SW_OK, sw_query(store, NTS(sql), params, params == NULL ? 0 : SW_NTS, ABSENT, &text, ERR));
    return take_text(text);
}

static int32_t query_code(sw_store *store, const char *sql, const char *params,
                          const char *options) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_query(store, NTS(sql), params, params == NULL ? 0 : SW_NTS, options,
                            options == NULL ? 0 : SW_NTS, &text, ERR);
    if (code == SW_OK)
        sw_text_free(text);
    else
        CHECK(text == NULL);
    return code;
}

/* The one value that a query answers, as it is spelled. */
static const char *value_of(sw_store *store, const char *sql) {
    const struct value *rows = value_in(value_read(query_with(store, sql, NULL)), "rows");
    REQUIRE(rows != NULL && rows->count == 1);
    const struct value *value = value_at(value_at(rows, 0), 0);
    REQUIRE(value != NULL);
    return lend_format("%.*s", (int)value->raw_len, value->raw);
}

TEST(values_go_in_and_come_out_exact) {
    sw_store *store = store_in_memory();
    CHECK_TEXT(
        "{\"columns\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\"],\"rows\":[[null,"
        "9223372036854775807,-9223372036854775808,1.5,\"\xc3\xa9\\\"\",1,0]],\"more\":false}",
        query_with(store, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g",
                   "[null,9223372036854775807,-9223372036854775808,1.5,\"\\u00e9\\\"\",true,"
                   "false]"));
    CHECK_TEXT("9223372036854775807", value_of(store, "SELECT 9223372036854775807"));
    CHECK_TEXT("1.0", value_of(store, "SELECT 1.0"));
    CHECK_TEXT("{\"$real\":\"Infinity\"}", value_of(store, "SELECT 9e999"));
    CHECK_TEXT("{\"$base64\":\"AP8=\"}", value_of(store, "SELECT x'00ff'"));
    CHECK_TEXT("{\"$base64\":\"/w==\"}", value_of(store, "SELECT CAST(x'ff' AS TEXT)"));
    const char *named = query_with(store, "SELECT :a, @b, $c, :a",
                                   "{\"a\":1,\"@b\":{\"$base64\":\"AP8=\"},\"c\":\"x\"}");
    CHECK(strstr(named, "[[1,{\"$base64\":\"AP8=\"},\"x\",1]]") != NULL);
    sw_store_close(store);
}

TEST(a_query_ends_after_the_rows_that_were_asked_for) {
    sw_store *store = store_in_memory();
    const char *numbers = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
                          " WHERE i < 1001) SELECT i FROM n";
    const struct value *all = value_read(query_with(store, numbers, NULL));
    CHECK_INT(1000, value_in(all, "rows")->count);
    CHECK_RAW_IN("true", all, "more");
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK,
                 sw_query(store, NTS(numbers), ABSENT, NTS("{\"rows_max\":1001}"), &text, ERR));
    const struct value *whole = value_read(take_text(text));
    CHECK_INT(1001, value_in(whole, "rows")->count);
    CHECK_RAW_IN("false", whole, "more");
    sw_store_close(store);
}

TEST(a_query_only_reads_and_leaves_the_connection_as_it_was) {
    sw_store *store = store_open(temp_path("db"), 0);
    sw_text *made = NULL;
    REQUIRE_CODE(SW_OK, sw_tx_run(store, NULL, NULL, NTS("[{\"sql\":\"CREATE TABLE mine (x)\"}]"),
                                  &made, ERR));
    sw_text_free(made);
    static const char *const wrong[] = {
        "INSERT INTO mine VALUES (1)",
        "UPDATE mine SET x = 1",
        "DELETE FROM mine",
        "CREATE TABLE other (x)",
        "CREATE TEMP TABLE other (x)",
        "DROP TABLE mine",
        "PRAGMA synchronous = OFF",
        "PRAGMA table_info(mine)",
        "SELECT * FROM pragma_table_info('mine')",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "ATTACH ':memory:' AS a",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'x.db'",
        "ANALYZE",
        "REINDEX",
        "SELECT 1; SELECT 2",
        "SELECT",
        "",
        " -- nothing",
        "SELECT * FROM nowhere",
        "SELECT load_extension('x')",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (CODE_OF(query_code(store, wrong[i], NULL, NULL)) != SW_ERR_INVALID) {
            fail_at(__FILE__, __LINE__, "not refused: %s", wrong[i]);
        }
    }
    CHECK_TEXT("0", value_of(store, "SELECT count(*) FROM mine"));
    CHECK(strtol(value_of(store, "SELECT count(*) FROM sw_migrations"), NULL, 10) > 0);
    CHECK(strstr(query_with(store, "EXPLAIN QUERY PLAN SELECT * FROM mine", NULL), "SCAN") != NULL);
    sw_store_close(store);
}

TEST(what_is_wrong_with_a_query_is_named) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT x FROM nowhere", NULL, NULL));
    CHECK_SAYS("no such table: nowhere");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT ?", NULL, NULL));
    CHECK_SAYS("params has 0 values, sql has 1 parameters");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT ?", "{\"a\":1}", NULL));
    CHECK_SAYS("parameter 1 of sql has no name");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT :a", "{\"b\":1}", NULL));
    CHECK_SAYS("params lacks \":a\"");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT :a", "{\"a\":1,\"b\":1}", NULL));
    CHECK_SAYS("params has \"b\"");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT 1", NULL, "{\"rows\":1}"));
    CHECK_SAYS("options: unknown key \"rows\"");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT 1", NULL, "{\"rows_max\":10001}"));
    CHECK_SAYS("rows_max is 10001, it must be 0 to 10000");
    CHECK_CODE(SW_ERR_INVALID, query_code(store, "SELECT 1", NULL, "{\"timeout_ms\":-1}"));
    sw_store_close(store);
}

TEST(a_query_that_takes_too_long_is_ended) {
    sw_store *store = store_in_memory();
    const char *endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)"
                          " SELECT count(*) FROM n";
    CHECK_CODE(SW_ERR_TOO_BIG, query_code(store, endless, NULL, "{\"timeout_ms\":20}"));
    CHECK_SAYS("ran for longer than its time-out allows");
    CHECK_TEXT("1", value_of(store, "SELECT 1"));
    sw_store_close(store);
}

TEST(a_row_that_is_too_large_is_refused_and_not_copied) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_ERR_TOO_BIG, query_code(store, "SELECT zeroblob(16777217)", NULL, NULL));
    CHECK_SAYS("a row has more than 16777216 bytes");
    CHECK_CODE(SW_ERR_TOO_BIG,
               query_code(store, "SELECT zeroblob(9000000), zeroblob(9000000)", NULL, NULL));
    CHECK_CODE(SW_OK, query_code(store, "SELECT zeroblob(16777216)", NULL, NULL));
    sw_store_close(store);
}
