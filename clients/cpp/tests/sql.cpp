/* The host's own tables: queries, scripts, and transactions as steps of workflows. */
#include "json.hpp"
#include "support.hpp"

#include <smolwf_worker.hpp>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

/* The code of the error that a call throws; 0 when it throws none. */
template <class Call> int32_t thrown(Call call) {
    try {
        call();
    } catch (const smolwf::error &error) {
        CHECK(error.what()[0] != '\0');
        return error.code();
    }
    return 0;
}

/* The sentence of what a call throws, whatever that is. */
template <class Call> std::string said(Call call) {
    try {
        call();
    } catch (const std::exception &error) { return error.what(); }
    return "";
}

const char MOVE[] = "INSERT INTO moves VALUES (?, ?)";

smolwf::store bank(uint32_t flags = SW_OPEN_MANUAL_CLOCK) {
    smolwf::store_options options;
    options.flags = flags;
    smolwf::store store = smolwf::store::open_in_memory(options);
    store.init();
    smolwf::transaction tx;
    tx.sql("CREATE TABLE moves (n INTEGER, note TEXT CHECK (note <> 'refused'))");
    store.tx_run(tx.script());
    return store;
}

int count(smolwf::store &store) {
    return json::read(store.query("SELECT count(*) FROM moves"))["rows"].items[0].items[0].number();
}

smolwf::worker_options quiet() {
    smolwf::worker_options options;
    options.on_event = nullptr;
    return options;
}

/* Runs what there is to run now, and what is tried again later. */
template <class Function> void play(smolwf::store &store, Function function) {
    smolwf::worker worker(store, {{"flow", function}}, quiet());
    for (int round = 0; round < 3; round++) {
        while (worker.run_once()) continue;
        store.advance_clock(60'000);
    }
}

std::string submit(smolwf::store &store) { return store.run_submit("flow").value.str(); }

std::string result_of(smolwf::store &store, const std::string &run_id) {
    return json::read(store.run_get(run_id))["result"].write();
}

} // namespace

/* ---- Scripts ------------------------------------------------------------------------------ */

TEST(a_transaction_writes_the_script_that_the_library_takes) {
    smolwf::transaction tx;
    CHECK(tx.script() == "[]" && tx.size() == 0);
    CHECK(tx.sql("DELETE FROM \"t\" WHERE a = '\\\n'", "[1]", 1) == 0);
    CHECK(tx.query("SELECT 1") == 1);
    CHECK(tx.signal("run_1", "go", "{\"a\":1}", "k") == 2);
    CHECK(!tx.ends_step() && !tx.ends_attempt());
    CHECK(tx.step_complete_from(1) == 3);
    CHECK(tx.ends_step() && tx.size() == 4);
    const std::string script =
        R"([{"sql":"DELETE FROM \"t\" WHERE a = '\\\u000a'","params":[1],"expect_changes":1},)"
        R"({"query":"SELECT 1"},)"
        R"({"signal":{"run_id":"run_1","name":"go","payload":{"a":1},"idempotency_key":"k"}},)"
        R"({"step_complete":{"result_from":1}}])";
    CHECK(tx.script() == script);
    CHECK(tx.step_result(R"([{"a":"],["},{"b":[1,{"c":2}]},{}])") == R"({"b":[1,{"c":2}]})");
    CHECK(tx.step_result("[1]").empty());
}

TEST(a_run_is_submitted_with_all_of_its_options) {
    smolwf::store store = bank();
    smolwf::submit_options options;
    options.flags = SW_SUBMIT_LOCAL;
    options.queue = "q", options.idempotency_key = "k", options.idempotency_scope = "s";
    options.concurrency_key = "c", options.code_version = "2";
    options.budget = "{\"tokens\":5}", options.metadata = "{\"m\":1}";
    options.run_at_ms = 4'000'000'000'000, options.timeout_ms = 90'000;
    options.backoff_initial_ms = 5, options.backoff_max_ms = 50, options.backoff_percent = 300;
    options.priority = -3, options.max_tries = 7;
    smolwf::transaction tx;
    tx.submit("w", "{\"a\":1}", options);
    const json first = json::read(store.tx_run(tx.script()));
    const std::string run_id = first.items[0]["run_id"].text;
    CHECK(first.items[0]["exists"].text == "false");
    const json again = json::read(store.tx_run(tx.script()));
    CHECK(again.items[0]["exists"].text == "true" && again.items[0]["run_id"].text == run_id);
    CHECK(store.run_find("s", "k").value.str() == run_id);
    const json run = json::read(store.run_get(run_id));
    CHECK(run["queue"].text == "q" && run["code_version"].text == "2");
    CHECK(run["priority"].number() == -3 && run["max_tries"].number() == 7);
    CHECK(run["args"].write() == "{\"a\":1}" && run["metadata"].write() == "{\"m\":1}");
    CHECK(run["run_at_ms"].text == "4000000000000");
    CHECK(contains(store.budget_get(run_id), "\"tokens\""));
}

TEST(what_is_no_single_json_value_is_refused_and_never_becomes_an_item) {
    smolwf::store store = bank();
    const char *const wrong[] = {"1]},{\"sql\":\"DELETE FROM moves\",\"params\":[",
                                 "[1],\"expect_changes\":0",
                                 "[1]}",
                                 "[1",
                                 "\"a",
                                 "\"a\\",
                                 "1,2",
                                 "",
                                 "[1}",
                                 "1 2"};
    for (const char *each : wrong) {
        smolwf::transaction with_params, with_result;
        with_params.sql("INSERT INTO moves VALUES (?, 'a')", each);
        with_result.submit("w", each);
        CHECK(thrown([&] { store.tx_run(with_params.script()); }) == SW_ERR_INVALID);
        CHECK(thrown([&] { store.tx_run(with_result.script()); }) == SW_ERR_INVALID);
    }
    CHECK(count(store) == 0 && store.run_count() == 0);
    smolwf::transaction right;
    right.sql(MOVE, R"([1, "],{\"sql\":\"\\"])");
    CHECK(thrown([&] { store.tx_run(right.script()); }) == 0);
    CHECK(count(store) == 1);
    smolwf::transaction no_text;
    no_text.query("SELECT '\xff'");
    CHECK(thrown([&] { store.tx_run(no_text.script()); }) == SW_ERR_INVALID);
}

/* ---- Queries, and scripts in somebody's name ---------------------------------------------- */

TEST(a_query_answers_rows_and_says_why_it_cannot) {
    smolwf::store store = bank();
    CHECK(
        store.query("SELECT :a AS a, x'00ff' AS b", R"({"a":9223372036854775807})").view() ==
        R"({"columns":["a","b"],"rows":[[9223372036854775807,{"$base64":"AP8="}]],"more":false})");
    const char endless[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    CHECK(contains(store.query(endless, {}, "{\"rows_max\":2}"), "[[1],[2]],\"more\":true"));
    CHECK(thrown([&] {
              store.query("SELECT max(i) FROM (" + std::string(endless) + ")", {},
                          "{\"timeout_ms\":1}");
          }) == SW_ERR_TOO_BIG);
    CHECK(thrown([&] { store.query("SELEKT 1"); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { store.query("DELETE FROM moves"); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { store.query("SELECT ?", "[[1]]"); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { store.query({}); }) == SW_ERR_INVALID);
    store.shutdown();
    CHECK(thrown([&] { store.query("SELECT 1"); }) == SW_ERR_CLOSED);
}

TEST(a_script_is_done_whole_or_not_at_all) {
    smolwf::store store = bank();
    smolwf::transaction tx;
    tx.sql(MOVE, R"([1,"a"])");
    tx.submit("w");
    tx.sql(MOVE, R"([2,"refused"])");
    CHECK(said([&] { store.tx_run(tx.script()); }).rfind("script[2]", 0) == 0);
    CHECK(thrown([&] { store.tx_run(tx.script()); }) == SW_ERR_CONFLICT);
    smolwf::transaction expects;
    expects.sql(MOVE, R"([1,"a"])");
    expects.sql("DELETE FROM moves WHERE n = 2", {}, 1);
    CHECK(thrown([&] { store.tx_run(expects.script()); }) == SW_ERR_CONFLICT);
    CHECK(count(store) == 0 && store.run_count() == 0);
    CHECK(thrown([&] { store.tx_run("[]"); }) == SW_ERR_INVALID);
}

TEST(a_script_ends_its_step_and_its_attempt) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    auto [code, attempt] = store.run_claim();
    CHECK(code == SW_OK);
    auto [begun, step] = attempt.step_begin("move");
    CHECK(begun == SW_OK);
    smolwf::transaction tx;
    tx.step_complete_from(tx.sql(MOVE, R"([1,"a"])"));
    const smolwf::text results = store.tx_run(tx.script(), step);
    CHECK(results.view() == R"([{"changes":1},{}])");
    CHECK(store.tx_run(tx.script(), step).view() == results.view()); /* as the first time */
    smolwf::transaction other;
    other.sql(MOVE, R"([2,"a"])");
    other.step_complete();
    CHECK(thrown([&, &step = step] { store.tx_run(other.script(), step); }) == SW_ERR_CONFLICT);
    smolwf::transaction last;
    last.sql(MOVE, R"([3,"a"])");
    last.attempt_complete("{\"n\":7}");
    CHECK(last.ends_attempt());
    store.tx_run(last.script(), attempt);
    CHECK(count(store) == 2 && result_of(store, run_id) == "{\"n\":7}");
}

TEST(an_attempt_that_was_taken_over_does_nothing) {
    smolwf::store store = bank();
    submit(store);
    smolwf::claim_options brief;
    brief.lease_ms = 1000;
    auto [code, stale] = store.run_claim({}, brief);
    auto [begun, step] = stale.step_begin("move");
    CHECK(code == SW_OK && begun == SW_OK);
    store.advance_clock(2000);
    auto [again, newer] = store.run_claim();
    CHECK(again == SW_OK && newer.number() == 2);
    smolwf::transaction tx;
    tx.sql(MOVE, R"([1,"a"])");
    tx.submit("other");
    tx.step_complete();
    smolwf::transaction last;
    last.sql(MOVE, R"([1,"a"])");
    CHECK(thrown([&, &step = step] { store.tx_run(tx.script(), step); }) == SW_ERR_LEASE_LOST);
    CHECK(thrown([&, &stale = stale] { store.tx_run(last.script(), stale); }) == SW_ERR_LEASE_LOST);
    CHECK(count(store) == 0 && store.run_count() == 1);
}

TEST(the_family_of_results_has_the_same) {
    namespace results = smolwf::results;
    results::store store = *results::store::open_in_memory();
    CHECK(store.init().has_value());
    smolwf::transaction tx;
    tx.sql("CREATE TABLE t (a)");
    CHECK(store.tx_run(tx.script()).has_value());
    auto refused = store.query("SELECT * FROM nowhere");
    CHECK(!refused && refused.error().code() == SW_ERR_INVALID);
    CHECK(store.query("SELECT * FROM t")->view() == R"({"columns":["a"],"rows":[],"more":false})");
    CHECK(store.run_submit("w").has_value());
    auto claimed = store.run_claim();
    auto begun = claimed->value.step_begin("s");
    smolwf::transaction of_step;
    of_step.step_complete("7");
    CHECK(store.tx_run(of_step.script(), begun->value)->view() == "[{}]");
    smolwf::transaction of_attempt;
    of_attempt.attempt_complete_from(of_attempt.query("SELECT 1"));
    CHECK(store.tx_run(of_attempt.script(), claimed->value).has_value());
}

/* ---- As steps of workflows ---------------------------------------------------------------- */

TEST(a_transaction_is_done_once_and_gives_the_same_in_every_attempt) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    int works = 0;
    std::vector<std::string> seen;
    play(store, [&](smolwf::context &run) {
        seen.push_back(run.transaction("from", [&](smolwf::transaction &tx) {
            works++;
            tx.submit("mail");
            tx.step_complete_from(tx.sql("INSERT INTO moves VALUES (1, 'a') RETURNING 1.0, 'b]'"));
        }));
        seen.push_back(run.transaction("given", [](smolwf::transaction &tx) {
            tx.sql(MOVE, R"([2,"a"])");
            return "{ \"n\" : 1 }";
        }));
        seen.push_back(run.transaction("nothing", [](smolwf::transaction &) {}));
        run.sleep("nap", 1000);
    });
    const std::vector<std::string> once = {
        R"({"changes":1,"columns":["1.0","'b]'"],"rows":[[1.0,"b]"]],"more":false})",
        "{ \"n\" : 1 }", "null"};
    CHECK(seen.size() == 6 && works == 1);
    CHECK(std::equal(once.begin(), once.end(), seen.begin()));
    CHECK(std::equal(once.begin(), once.end(), seen.begin() + 3));
    CHECK(count(store) == 2 && store.run_count("{\"workflow\":\"mail\"}") == 1);
    CHECK(contains(store.run_get(run_id), "\"state\":\"completed\""));
}

TEST(what_is_thrown_or_refused_in_a_transaction_is_the_failure_of_its_step) {
    using work_fn = std::function<void(smolwf::transaction &)>;
    const work_fn fails[] = {
        [](smolwf::transaction &) { throw std::runtime_error("the host's own"); },
        [](smolwf::transaction &tx) { tx.sql(MOVE, R"([8,"refused"])"); },
        [](smolwf::transaction &tx) { tx.sql("INSERT INTO nowhere VALUES (1)"); },
        [](smolwf::transaction &tx) { tx.sql("DELETE FROM moves WHERE n = 0", {}, 1); },
        [](smolwf::transaction &tx) { tx.step_complete("no JSON"); },
    };
    for (const work_fn &fail : fails) {
        smolwf::store store = bank();
        const std::string run_id = submit(store);
        int tries = 0;
        play(store, [&](smolwf::context &run) {
            return run.transaction("move", [&](smolwf::transaction &tx) {
                tx.sql(MOVE, R"([7,"a"])");
                if (++tries == 1) fail(tx);
                if (!tx.ends_step()) tx.step_complete("\"done\"");
            });
        });
        CHECK(tries == 2 && count(store) == 1);
        CHECK(result_of(store, run_id) == "\"done\"");
    }
}

TEST(a_transaction_that_ends_its_attempt_or_has_two_results_fails_its_run_for_good) {
    using work_fn = std::function<void(smolwf::transaction &)>;
    const work_fn fails[] = {
        [](smolwf::transaction &tx) { tx.attempt_complete(); },
        [](smolwf::transaction &tx) { tx.step_complete("1"), tx.step_complete("2"); },
    };
    for (const work_fn &fail : fails) {
        smolwf::store store = bank();
        const std::string run_id = submit(store);
        int tries = 0;
        play(store, [&](smolwf::context &run) {
            return run.transaction("move", [&](smolwf::transaction &tx) {
                tx.sql(MOVE, R"([7,"a"])");
                if (++tries == 1) fail(tx);
            });
        });
        CHECK(tries == 1 && count(store) == 0);
        CHECK(json::read(store.run_get(run_id))["state"].text == "failed");
    }
}

TEST(the_last_failure_of_a_transaction_is_remembered) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    play(store, [](smolwf::context &run) -> std::string {
        smolwf::step_options once;
        once.max_tries = 1;
        try {
            run.transaction(
                "move",
                [](smolwf::transaction &tx) {
                    tx.sql(MOVE, R"([1,"a"])");
                    tx.sql(MOVE, R"([2,"refused"])");
                },
                once);
        } catch (const smolwf::recorded_failure &failure) {
            run.sleep("nap", 1000);
            return failure.json();
        }
        return "null";
    });
    CHECK(contains(result_of(store, run_id), "script[1]"));
    CHECK(count(store) == 0);
}

TEST(a_transaction_in_the_work_of_another_is_refused) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    std::string refused;
    play(store, [&](smolwf::context &run) {
        run.transaction("outer", [&](smolwf::transaction &tx) {
            refused = said([&] { run.transaction("inner", [](smolwf::transaction &) {}); });
            tx.sql(MOVE, R"([1,"a"])");
        });
        run.transaction("next", [](smolwf::transaction &tx) { tx.sql(MOVE, R"([2,"a"])"); });
    });
    CHECK(contains(refused, "is open here") && count(store) == 2);
    CHECK(contains(store.run_get(run_id), "\"state\":\"completed\""));
}

TEST(a_wait_in_the_work_sends_nothing_until_it_is_over) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    const auto flow = [](smolwf::context &run) {
        return run.transaction("move", [&run](smolwf::transaction &tx) {
            tx.sql(MOVE, R"([1,"a"])");
            return run.signal("go");
        });
    };
    play(store, flow);
    CHECK(count(store) == 0);
    CHECK(contains(store.run_get(run_id), "\"state\":\"waiting\""));
    CHECK(store.signal_send(run_id, "go", "7") == SW_OK);
    play(store, flow);
    CHECK(count(store) == 1 && result_of(store, run_id) == "7");
}

TEST(a_run_that_is_taken_over_in_the_work_commits_nothing) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    smolwf::worker_options brief = quiet();
    brief.lease_ms = 1000;
    int works = 0;
    const auto flow = [&](smolwf::context &run) {
        run.transaction("move", [&](smolwf::transaction &tx) {
            tx.sql(MOVE, R"([1,"a"])");
            if (++works > 1) return;
            store.advance_clock(60'000);
            auto [code, newer] = store.run_claim();
            CHECK(code == SW_OK && newer.number() == 2);
        });
    };
    smolwf::worker worker(store, {{"flow", flow}}, brief);
    CHECK(worker.run_once() && count(store) == 0);
    CHECK(worker.run_once() && count(store) == 1 && works == 2);
    CHECK(contains(store.run_get(run_id), "\"state\":\"completed\""));
}

TEST(a_cancelled_run_records_a_finished_transaction) {
    smolwf::store store = bank();
    const std::string run_id = submit(store);
    play(store, [&](smolwf::context &run) {
        run.transaction("move", [&](smolwf::transaction &tx) {
            tx.sql(MOVE, R"([1,"a"])");
            store.run_cancel(run_id);
        });
    });
    CHECK(count(store) == 1);
    CHECK(contains(store.run_get(run_id), "\"state\":\"cancelled\""));
}

TEST(transactions_side_by_side_are_each_done_once) {
    smolwf::store store = bank();
    submit(store);
    play(store, [](smolwf::context &run) {
        std::vector<std::thread> threads;
        for (int n = 0; n < 4; n++) {
            threads.emplace_back([run, n]() mutable {
                run.transaction("move " + std::to_string(n), [n](smolwf::transaction &tx) {
                    tx.sql(MOVE, "[" + std::to_string(n) + ",\"a\"]");
                });
            });
        }
        for (std::thread &each : threads) each.join();
        run.sleep("nap", 1000);
    });
    CHECK(count(store) == 4);
}

TEST(work_that_outlives_its_worker_commits_nothing) {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_begun = false, is_left = false, is_over = false;
    int32_t code = 0;
    const auto wait = [&](const bool &flag) {
        std::unique_lock<std::mutex> lock(mutex);
        CHECK(changed.wait_for(lock, std::chrono::seconds(60), [&] { return flag; }));
    };
    const auto note = [&](bool &flag) {
        std::lock_guard<std::mutex> lock(mutex);
        flag = true;
        changed.notify_all();
    };
    smolwf::store store = bank(0);
    submit(store);
    smolwf::worker_options options = quiet();
    options.grace_ms = 0;
    {
        const auto flow = [&](smolwf::context &run) {
            code = thrown([&] {
                run.transaction("move", [&](smolwf::transaction &tx) {
                    tx.sql(MOVE, R"([1,"a"])");
                    note(is_begun);
                    wait(is_left);
                });
            });
            note(is_over);
        };
        smolwf::worker worker(store, {{"flow", flow}}, options);
        worker.start();
        wait(is_begun);
        worker.stop();
        worker.join();
    }
    note(is_left);
    wait(is_over);
    CHECK(code == SW_ERR_CLOSED && count(store) == 0);
}

int main() { return run_all_tests(); }

/* ---- What a step has used ------------------------------------------------------------------ */

TEST(a_step_settles_what_it_reserved_in_the_commit_of_its_result) {
    smolwf::store store = bank();
    smolwf::submit_options options;
    options.budget = "{\"tokens\":10}";
    const std::string run_id = store.run_submit("flow", {}, options).value.str();
    play(store, [](smolwf::context &run) {
        return run.step("ask", [&](smolwf::step &step) {
            run.reserve("{\"tokens\":8}", {}, step.get());
            return smolwf::used{"\"told\"", "{\"tokens\":3}"};
        });
    });
    CHECK(result_of(store, run_id) == "\"told\"");
    const json tokens = json::read(store.budget_get(run_id))["units"]["tokens"];
    CHECK(tokens["spent"].number() == 3 && tokens["reserved"].number() == 0);
}
