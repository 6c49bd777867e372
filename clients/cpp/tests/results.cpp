/* The family that returns results; built without exceptions too. */
#include "support.hpp"

namespace results = smolwf::results;

TEST(a_result_holds_a_value_or_an_error) {
    auto id = results::new_id("run");
    CHECK(id.has_value() && id->view().size() == 30);
    auto refused = results::new_id("Wrong");
    CHECK(!refused);
    CHECK(refused.error().code() == SW_ERR_INVALID);
    CHECK(contains(refused.error().what(), "Wrong"));
    CHECK(results::abi_check().has_value());
    CHECK(results::json_quote("a").value().view() == "\"a\"");
}

TEST(a_run_goes_from_submit_to_its_end) {
    results::store store = *results::store::open(temp_path("results.db"));
    CHECK(store.init().has_value());
    auto submitted = store.run_submit("w", "1");
    CHECK(submitted && submitted->code == SW_OK);
    auto claimed = store.run_claim();
    CHECK(claimed && claimed->code == SW_OK);
    results::attempt &attempt = claimed->value;
    auto begun = attempt.step_begin("s");
    CHECK(begun && begun->code == SW_OK);
    CHECK(begun->value.complete("1").has_value());
    CHECK(attempt.complete().has_value());
    auto late = attempt.step_begin("t");
    CHECK(!late && late.error().code() == SW_ERR_LEASE_LOST);
    auto again = attempt.complete("2");
    CHECK(!again && again.error().code() == SW_ERR_CONFLICT);
    CHECK(store.run_claim()->code == SW_NONE);
}

TEST(a_run_sleeps_and_hears_a_message) {
    smolwf::store_options options;
    options.flags = SW_OPEN_MANUAL_CLOCK;
    results::store store = *results::store::open(temp_path("waits.db"), options);
    CHECK(store.init().has_value());
    auto run_id = store.run_submit("w")->value;
    results::attempt attempt = std::move(store.run_claim()->value);
    CHECK(*attempt.sleep("nap", 1000) == SW_SUSPEND);
    CHECK(attempt.signal_await("go")->code == SW_SUSPEND);
    CHECK(attempt.suspend().has_value());
    CHECK(*store.signal_send(run_id, "go", "[1]", "k") == SW_OK);
    CHECK(*store.signal_send(run_id, "go", "[1]", "k") == SW_EXISTS);
    attempt = std::move(store.run_claim()->value);
    CHECK(attempt.signal_await("go")->value.view() == "[1]");
    CHECK(store.advance_clock(1000).has_value());
    CHECK(*attempt.sleep("nap", 1000) == SW_OK);
    CHECK(!attempt.suspend());
    CHECK(attempt.complete().has_value());
}

TEST(a_parent_awaits_its_children) {
    results::store store = *results::store::open(temp_path("children.db"));
    CHECK(store.init().has_value());
    CHECK(store.run_submit("w").has_value());
    results::attempt attempt = std::move(store.run_claim()->value);
    smolwf::submit_options options;
    options.queue = "children";
    auto child = attempt.child_submit("c", "kid", "1", options);
    CHECK(child && child->code == SW_OK);
    auto many =
        attempt.child_submit_many("[{\"name\":\"d\",\"workflow\":\"kid\",\"queue\":\"other\"}]");
    CHECK(many && contains(std::string(many->view()).c_str(), "\"exists\":false"));
    std::string waits = "[{\"child\":\"" + std::string(child->value.view()) + "\"}]";
    CHECK(attempt.await_all("all", waits)->code == SW_SUSPEND);
    CHECK(store.run_claim("children")->value.complete("7").has_value());
    CHECK(attempt.child_await(child->value)->value.view() == "7");
    CHECK(attempt.await_any("any", waits)->value.view() ==
          "{\"index\":0,\"outcome\":\"ok\",\"value\":7}");
    CHECK(attempt.await_all("all", waits)->code == SW_OK);
    CHECK(attempt.complete().has_value());
}

TEST(runs_are_listed_and_a_filter_that_is_wrong_is_a_result) {
    results::store store = *results::store::open(temp_path("listing.db"));
    CHECK(store.init().has_value());
    const std::string run_id = store.run_submit("w")->value.str();
    CHECK(contains(store.run_list().value(), run_id));
    CHECK(*store.run_count("{\"state\":[\"pending\",\"running\"]}") == 1);
    CHECK(store.run_annotate(run_id, "{\"n\":1}").has_value());
    CHECK(contains(store.run_act_many("pause").value(), "\"done\":1"));
    auto refused = store.run_list("{\"colour\":1}");
    CHECK(!refused && refused.error().code() == SW_ERR_INVALID);
    CHECK(contains(refused.error().what(), "colour"));
}

TEST(reasons_and_numbers_are_results) {
    results::store store = *results::store::open(temp_path("reasons.db"));
    CHECK(store.init().has_value());
    const std::string run_id = store.run_submit("w")->value.str();
    CHECK(contains(store.run_explain(run_id).value(), run_id));
    CHECK(store.stats().has_value() && store.queue_list().has_value());
    CHECK(store.owner_list().has_value());
    CHECK(!store.run_explain(""));
}

TEST(a_wait_for_events_whose_time_is_over_is_no_error) {
    results::store store = *results::store::open_in_memory();
    CHECK(store.init().has_value());
    CHECK(store.event_wait(0, {}, 0, 0)->code == SW_TIMEOUT);
    CHECK(!store.event_wait(-1, {}, 0, 0));
}

TEST(a_file_that_cannot_be_opened_is_an_error_with_a_code_of_the_system) {
    smolwf::store_options options;
    options.flags = SW_OPEN_NO_CREATE;
    auto store = results::store::open(temp_path("none.db"), options);
    CHECK(!store && store.error().code() == SW_ERR_CANNOT_OPEN);
}

#if defined(__cpp_exceptions)
TEST(asking_for_a_value_that_is_not_there_throws_its_error) {
    int32_t code = 0;
    try {
        static_cast<void>(results::new_id("Wrong").value());
    } catch (const smolwf::error &error) { code = error.code(); }
    CHECK(code == SW_ERR_INVALID);
}
#endif

TEST(a_path_is_not_cut_at_a_nul) {
    const std::string path = temp_path("cut.db") + std::string("\0.db", 4);
    auto opened = results::store::open(path);
    CHECK(!opened && opened.error().code() == SW_ERR_INVALID);
    CHECK(contains(opened.error().what(), "NUL"));
    results::store store = *results::store::open_in_memory();
    auto copied = store.backup(path);
    CHECK(!copied && copied.error().code() == SW_ERR_INVALID);
}

int main() { return run_all_tests(); }
