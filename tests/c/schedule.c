/* Schedules: what fires, when, and once. */
#include "support.h"

#include "reader.h"

#define SECOND_MS 1000LL
#define HOUR_MS 3600000LL
#define DAY_MS (24 * HOUR_MS)

static void set(sw_store *store, const char *name, const char *spec) {
    REQUIRE_CODE(SW_OK, sw_schedule_set(store, NTS(name), NTS(spec), ERR));
}

static const struct value *list(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_schedule_list(store, &text, ERR));
    const char *copy = lend_format("%s", sw_text_data(text, NULL));
    sw_text_free(text);
    return value_read(copy);
}

static long long integer_in(const struct value *object, const char *key) {
    const struct value *value = value_in(object, key);
    REQUIRE(value != NULL && value->is_integer);
    return value->integer;
}

static const struct value *run_of(sw_store *store, const sw_attempt *attempt) {
    return value_read(run_text(store, sw_attempt_run_id(attempt, NULL)));
}

/* Completes every run there is to claim and returns how many there were. */
static int finish_all(sw_store *store) {
    int count = 0;
    sw_attempt *attempt = NULL;
    while (CODE_OF(claim_code(store, &attempt)) == SW_OK) {
        finish(attempt, "null");
        count++;
    }
    return count;
}

/* Moves the clock to a multiple of a unit after 1970. */
static void advance_to_next(sw_store *store, int64_t unit_ms) {
    advance(store, unit_ms - sw_store_now_ms(store) % unit_ms);
}

TEST(a_schedule_submits_a_run_when_it_is_due) {
    sw_store *store = store_in_memory();
    int64_t set_at = sw_store_now_ms(store);
    set(store, "hourly",
        "{\"workflow\":\"report\",\"every_ms\":3600000,\"args\":{\"n\": 1.50},\"queue\":\"q\"}");
    advance(store, HOUR_MS - 1);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_INT(set_at + HOUR_MS, integer_in(value_at(list(store), 0), "next_at_ms"));
    advance(store, 1);
    sw_attempt *attempt = claim_with(store, "q", NULL);
    CHECK_TEXT("report", sw_attempt_workflow(attempt, NULL));
    CHECK_TEXT("{\"n\": 1.50}", sw_attempt_args(attempt, NULL));
    const struct value *run = run_of(store, attempt), *metadata = value_in(run, "metadata");
    CHECK_KEYS(metadata, "schedule", "scheduled_at_ms");
    CHECK_TEXT_IN("hourly", metadata, "schedule");
    CHECK_INT_IN(set_at + HOUR_MS, metadata, "scheduled_at_ms");
    CHECK_INT_IN(set_at + HOUR_MS, run, "run_at_ms");
    const struct value *shown = value_at(list(store), 0);
    CHECK_TEXT_IN(sw_attempt_run_id(attempt, NULL), shown, "last_run_id");
    CHECK_INT_IN(set_at + HOUR_MS, shown, "last_at_ms");
    CHECK_INT_IN(set_at + 2 * HOUR_MS, shown, "next_at_ms");
    finish(attempt, "null");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(a_month_of_cron_passes_in_a_moment) {
    sw_store *store = store_in_memory();
    advance_to_next(store, DAY_MS);
    set(store, "six", "{\"workflow\":\"w\",\"cron\":\"0 */4 * * *\"}");
    int fired = 0;
    for (int step = 0; step < 30 * 24; step++) {
        advance(store, HOUR_MS);
        sw_attempt *attempt = NULL;
        if (CODE_OF(claim_code(store, &attempt)) != SW_OK) continue;
        CHECK_INT(0, sw_store_now_ms(store) % (4 * HOUR_MS));
        CHECK_INT_IN(sw_store_now_ms(store), run_of(store, attempt), "run_at_ms");
        finish(attempt, "null");
        fired++;
    }
    CHECK_INT(30 * 6, fired);
    sw_store_close(store);
}

TEST(six_fields_begin_with_seconds) {
    sw_store *store = store_in_memory();
    advance_to_next(store, HOUR_MS);
    set(store, "s", "{\"workflow\":\"w\",\"cron\":\"15,45 * * * * *\"}");
    int64_t start = sw_store_now_ms(store);
    CHECK_INT_IN(start + 15 * SECOND_MS, value_at(list(store), 0), "next_at_ms");
    advance(store, 15 * SECOND_MS);
    CHECK_INT(1, finish_all(store));
    CHECK_INT_IN(start + 45 * SECOND_MS, value_at(list(store), 0), "next_at_ms");
    sw_store_close(store);
}

/* Also when the local hour exists twice, or not at all, in that month. */
TEST(a_time_of_day_in_a_zone_fires_once_each_day_of_a_year) {
    sw_store *store = store_in_memory();
    const char *spec =
        "{\"workflow\":\"w\",\"cron\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\"}";
    int32_t code = CODE_OF(sw_schedule_set(store, NTS("s"), NTS(spec), ERR));
    if (code == SW_ERR_UNSUPPORTED) {
        CHECK_SAYS("tzdata");
        sw_store_close(store);
        skip("the machine has no time zones");
    }
    REQUIRE(code == SW_OK);
    int fired = 0, short_days = 0, long_days = 0;
    int64_t last = 0;
    for (int step = 0; step < 366 * 4; step++) {
        advance(store, DAY_MS / 4);
        sw_attempt *attempt = NULL;
        if (CODE_OF(claim_code(store, &attempt)) != SW_OK) continue;
        int64_t at = integer_in(run_of(store, attempt), "run_at_ms");
        short_days += fired > 0 && at - last < DAY_MS;
        long_days += fired > 0 && at - last > DAY_MS;
        CHECK(fired == 0 || (at - last > DAY_MS - 2 * HOUR_MS && at - last < DAY_MS + 2 * HOUR_MS));
        last = at;
        finish(attempt, "null");
        fired++;
    }
    CHECK_BETWEEN(365, 366, fired);
    /* In March at 03:00 and the next day 23.5 hours later; in October 25 hours after the day before. */
    CHECK_BETWEEN(1, 2, short_days);
    CHECK_BETWEEN(1, 2, long_days);
    sw_store_close(store);
}

/* Firings of each day are a group: a break of more than ten hours follows it. */
static void check_groups(sw_store *store, int per_group) {
    int fired = 0, groups = 0, merged = 0;
    int64_t last = 0;
    for (int step = 0; step < 366 * 4; step++) {
        advance(store, DAY_MS / 4);
        sw_attempt *attempt = NULL;
        while (CODE_OF(claim_code(store, &attempt)) == SW_OK) {
            int64_t at = integer_in(run_of(store, attempt), "run_at_ms");
            if (fired > 0 && at - last > 10 * HOUR_MS) {
                if (groups > 0) CHECK_BETWEEN(per_group - 1, per_group, fired);
                merged += groups > 0 && fired < per_group;
                groups++;
                fired = 0;
            }
            fired++;
            last = at;
            finish(attempt, "null");
        }
    }
    CHECK_BETWEEN(364, 366, groups);
    /* Where two times come to the first instant after the gap. */
    CHECK_BETWEEN(0, 2, merged);
}

/* Berlin leaves out 02:00 to 03:00 once and repeats it once, whatever year it is. */
TEST(lists_and_ranges_in_a_zone_fire_each_time_once_a_day_for_a_year) {
    static const struct {
        const char *cron;
        int per_day;
    } cases[] = {{"0 9,2", 2}, {"10,40 2", 2}, {"15 1,2", 2}, {"30 1-3", 3}, {"0 0-6", 7}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sw_store *store = store_in_memory();
        const char *spec =
            lend_format("{\"workflow\":\"w\",\"cron\":\"%s * * *\",\"timezone\":\"Europe/Berlin\","
                        "\"overlap\":\"queue\",\"catch_up\":\"all\"}",
                        cases[i].cron);
        int32_t code = CODE_OF(sw_schedule_set(store, NTS("s"), NTS(spec), ERR));
        if (code == SW_ERR_UNSUPPORTED) {
            sw_store_close(store);
            skip("the machine has no time zones");
        }
        REQUIRE(code == SW_OK);
        check_groups(store, cases[i].per_day);
        sw_store_close(store);
    }
}

TEST(the_same_spec_again_changes_nothing) {
    sw_store *store = store_in_memory();
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":1000}");
    long long next = integer_in(value_at(list(store), 0), "next_at_ms");
    advance(store, 400);
    set(store, "s", "{\"every_ms\": 1000, \"workflow\": \"w\", \"paused\": false}");
    CHECK_INT_IN(next, value_at(list(store), 0), "next_at_ms");
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":2000}");
    CHECK_INT_IN(next + 400 + SECOND_MS, value_at(list(store), 0), "next_at_ms");
    CHECK_INT(1, list(store)->count);
    sw_store_close(store);
}

TEST(a_paused_schedule_fires_nothing_until_it_is_set_again) {
    sw_store *store = store_in_memory();
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":1000,\"paused\":true}");
    CHECK(is_null_in(value_at(list(store), 0), "next_at_ms"));
    advance(store, HOUR_MS);
    CHECK_NOTHING_TO_CLAIM(store);
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":1000}");
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, SECOND_MS);
    CHECK_INT(1, finish_all(store));
    sw_store_close(store);
}

TEST(a_deleted_schedule_is_gone_and_its_open_run_is_not) {
    sw_store *store = store_in_memory();
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":1000}");
    advance(store, SECOND_MS);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, sw_schedule_delete(store, NTS("s"), ERR));
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_schedule_delete(store, NTS("s"), ERR));
    CHECK_SAYS("\"s\"");
    CHECK_INT(0, list(store)->count);
    finish(attempt, "null");
    advance(store, DAY_MS);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(a_firing_is_skipped_while_the_last_run_is_open_unless_it_queues) {
    sw_store *store = store_in_memory();
    set(store, "skips", "{\"workflow\":\"w\",\"every_ms\":1000}");
    advance(store, SECOND_MS);
    sw_attempt *attempt = claim(store);
    advance(store, SECOND_MS);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_INT_IN(1, value_at(list(store), 0), "skipped");
    finish(attempt, "null");
    advance(store, SECOND_MS);
    CHECK_INT(1, finish_all(store));
    CHECK_CODE(SW_OK, sw_schedule_delete(store, NTS("skips"), ERR));

    set(store, "queues", "{\"workflow\":\"w\",\"every_ms\":1000,\"overlap\":\"queue\"}");
    advance(store, SECOND_MS);
    attempt = claim(store);
    advance(store, SECOND_MS);
    CHECK_INT(1, finish_all(store));
    CHECK_INT_IN(0, value_at(list(store), 0), "skipped");
    finish(attempt, "null");
    sw_store_close(store);
}

TEST(missed_firings_are_left_out_or_made_up_for_as_asked) {
    const struct {
        const char *catch_up;
        int wanted;
    } cases[] = {{"none", 0}, {"last", 1}, {"all", 5}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sw_store *store = store_in_memory();
        set(store, "s",
            lend_format("{\"workflow\":\"w\",\"every_ms\":3600000,\"overlap\":\"queue\","
                        "\"catch_up\":\"%s\"}",
                        cases[i].catch_up));
        advance(store, 5 * HOUR_MS + HOUR_MS / 2);
        CHECK_INT(cases[i].wanted, finish_all(store));
        advance(store, HOUR_MS / 2);
        CHECK_INT(1, finish_all(store));
        sw_store_close(store);
    }
}

TEST(ten_years_of_missed_seconds_come_to_the_newest_thousand) {
    sw_store *store = store_in_memory();
    set(store, "s",
        "{\"workflow\":\"w\",\"cron\":\"* * * * * *\",\"overlap\":\"queue\",\"catch_up\":\"all\"}");
    advance(store, 3660 * DAY_MS);
    CHECK_INT(1000, finish_all(store));
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(what_is_wrong_with_a_spec_is_named) {
    const struct {
        const char *spec, *says;
    } cases[] = {
        {"{\"workflow\":\"w\",\"every_ms\":1,\"every\":1}", "every"},
        {"{\"workflow\":\"w\"}", "cron"},
        {"{\"every_ms\":1}", "workflow"},
        {"{\"workflow\":\"w\",\"every_ms\":1,\"cron\":\"* * * * *\"}", "every_ms"},
        {"{\"workflow\":\"w\",\"every_ms\":0}", "0"},
        {"{\"workflow\":\"w\",\"every_ms\":-5}", "-5"},
        {"{\"workflow\":\"w\",\"every_ms\":9000000000000}", "9000000000000"},
        {"{\"workflow\":\"w\",\"every_ms\":1e3}", "every_ms is no integer"},
        {"{\"workflow\":\"w\",\"cron\":\"* * * *\"}", "4 fields"},
        {"{\"workflow\":\"w\",\"cron\":\"61 * * * *\"}", "minute \"61\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 30 2 *\"}", "never"},
        {"{\"workflow\":\"w\",\"cron\":\"@daily\"}", "@daily"},
        {"{\"workflow\":\"w\",\"cron\":\"jan * * * *\"}", "minute \"jan\""},
        {"{\"workflow\":\"w\",\"cron\":\"1mon * * * *\"}", "minute \"1mon\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 * * jan\"}", "day of week \"jan\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 dec * *\"}", "day of month \"dec\""},
        {"{\"workflow\":\"w\",\"cron\":\"mon 0 0 * * *\"}", "second \"mon\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 24 * * *\"}", "hour \"24\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 * 1,,2 *\"}", "month \"\""},
        {"{\"workflow\":\"w\",\"cron\":\"30-10 * * * *\"}", "runs backward"},
        {"{\"workflow\":\"w\",\"cron\":\"*/0 * * * *\"}", "step from 1 to 60"},
        {"{\"workflow\":\"w\",\"cron\":\"5/15 * * * *\"}", "a step without a range"},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 ? * MON\"}", "day of month \"?\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 LW * *\"}", "day of month \"LW\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 1 * +MON\"}", "day of week \"+MON\""},
        {"{\"workflow\":\"w\",\"cron\":\"0 0 * * 5#6\"}", "day of week \"5#6\""},
        {"{\"workflow\":\"w\",\"every_ms\":1,\"overlap\":\"maybe\"}", "overlap is none of"},
        {"{\"workflow\":\"w\",\"every_ms\":1,\"catch_up\":\"some\"}", "catch_up is none of"},
        {"{\"workflow\":\"w\",\"every_ms\":1,\"args\":{\"$smolwf\":\"x\"}}", "$smolwf"},
        {"[]", "spec"},
    };
    sw_store *store = store_in_memory();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_CODE(SW_ERR_INVALID, sw_schedule_set(store, NTS("s"), NTS(cases[i].spec), ERR));
        CHECK_SAYS(cases[i].says);
    }
    CHECK_INT(0, list(store)->count);
    sw_store_close(store);
}

TEST(a_time_zone_that_is_not_known_is_named) {
    const char *zones[] = {"Mars/Olympus_Mons", "../../../etc/passwd", "/etc/localtime", "Europe",
                           "zone.tab"};
    sw_store *store = store_in_memory();
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        const char *spec = lend_format(
            "{\"workflow\":\"w\",\"cron\":\"0 0 * * *\",\"timezone\":\"%s\"}", zones[i]);
        CHECK_CODE_IN(sw_schedule_set(store, NTS("s"), NTS(spec), ERR), SW_ERR_INVALID,
                      SW_ERR_UNSUPPORTED);
        CHECK_SAYS(zones[i]);
    }
    set(store, "s", "{\"workflow\":\"w\",\"cron\":\"0 0 * * *\",\"timezone\":\"UTC\"}");
    sw_store_close(store);
}

TEST(a_spec_has_a_limit) {
    sw_store *store = store_in_memory();
    char *args = lend(65537);
    memset(args, 'a', 65536);
    const char *spec = lend_format("{\"workflow\":\"w\",\"every_ms\":1,\"args\":\"%s\"}", args);
    CHECK_CODE(SW_ERR_TOO_BIG, sw_schedule_set(store, NTS("s"), NTS(spec), ERR));
    CHECK_SAYS("65536");
    const char *long_name = lend_format("{\"every_ms\":1,\"workflow\":\"%.256s\"}", args);
    CHECK_CODE(SW_ERR_TOO_BIG, sw_schedule_set(store, NTS("s"), NTS(long_name), ERR));
    sw_store_close(store);
}

TEST(the_list_is_ordered_by_name_and_has_every_key) {
    sw_store *store = store_in_memory();
    CHECK_INT(0, list(store)->count);
    set(store, "b", "{\"workflow\":\"w\",\"every_ms\":1000}");
    set(store, "a", "{\"workflow\":\"w\",\"cron\":\"0 0 * * *\",\"args\":[1, 2]}");
    const struct value *shown = list(store);
    CHECK_INT(2, shown->count);
    CHECK_TEXT_IN("a", value_at(shown, 0), "name");
    CHECK_TEXT_IN("b", value_at(shown, 1), "name");
    CHECK_KEYS(value_at(shown, 0), "name", "workflow", "args", "queue", "cron", "every_ms",
               "timezone", "overlap", "catch_up", "paused", "next_at_ms", "last_at_ms",
               "last_run_id", "skipped", "error");
    CHECK_RAW_IN("[1, 2]", value_at(shown, 0), "args");
    CHECK_TEXT_IN("UTC", value_at(shown, 0), "timezone");
    CHECK_TEXT_IN("default", value_at(shown, 1), "queue");
    CHECK_TEXT_IN("skip", value_at(shown, 1), "overlap");
    CHECK_TEXT_IN("last", value_at(shown, 1), "catch_up");
    sw_store_close(store);
}

/* ---- Waiting, and many at once ------------------------------------------------------------ */

TEST(a_claim_that_waits_wakes_for_a_schedule) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":200}");
    finish(claim_soon(store), "null");
    sw_store_close(store);
}

struct crowd {
    sw_store *stores[8];
    int claimed[8];
};

static void claim_one(int index, void *shared) {
    struct crowd *crowd = shared;
    sw_attempt *attempt = NULL;
    if (CODE_OF(claim_code(crowd->stores[index], &attempt)) == SW_OK) {
        crowd->claimed[index]++;
        sw_attempt_free(attempt);
    }
}

TEST(of_many_handles_that_look_at_once_one_gets_the_run) {
    const char *path = temp_path("new.db");
    struct crowd *crowd = lend(sizeof *crowd);
    sw_store *first = store_manual(path);
    set(first, "s", "{\"workflow\":\"w\",\"every_ms\":3600000,\"overlap\":\"queue\"}");
    advance(first, HOUR_MS);
    for (int i = 0; i < 8; i++) crowd->stores[i] = store_manual(path);
    in_threads(8, claim_one, crowd);
    int claimed = 0;
    for (int i = 0; i < 8; i++) claimed += crowd->claimed[i];
    CHECK_INT(1, claimed);
    for (int i = 0; i < 8; i++) sw_store_close(crowd->stores[i]);
    sw_store_close(first);
}

/* Claims once, when it is told to, and tells what came of it. */
ROLE(claim_when_asked) {
    (void)argc;
    sw_store *store = store_manual(argv[0]);
    tell("ready");
    wait_for_the_end();
    sw_attempt *attempt = NULL;
    bool has_run = CODE_OF(claim_code(store, &attempt)) == SW_OK;
    if (has_run) CHECK_CODE(SW_OK, sw_attempt_complete(attempt, ABSENT, ERR));
    tell("%s", has_run ? "a run" : "nothing");
    sw_attempt_free(attempt);
    sw_store_close(store);
    return 0;
}

TEST(of_many_processes_that_look_at_once_one_gets_the_run) {
    const char *path = temp_path("new.db");
    sw_store *store = store_manual(path);
    set(store, "s", "{\"workflow\":\"w\",\"every_ms\":3600000,\"overlap\":\"queue\"}");
    advance(store, HOUR_MS);
    struct child *children[4];
    for (int i = 0; i < 4; i++) children[i] = child_start("claim_when_asked", path, NULL);
    for (int i = 0; i < 4; i++) CHECK_TEXT("ready", child_line(children[i]));
    for (int i = 0; i < 4; i++) child_close_input(children[i]);
    int runs = 0;
    for (int i = 0; i < 4; i++) {
        runs += strcmp(child_line(children[i]), "a run") == 0;
        child_finish(children[i]);
    }
    CHECK_INT(1, runs);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}
