/* The family that throws: what a host does from open to close, and what its handles own. */
#include "json.hpp"
#include "support.hpp"

#include <smolwf_worker.hpp>

#include <unistd.h>

#include <random>
#include <stdexcept>
#include <thread>
#include <type_traits>

namespace {

template <class T> constexpr bool moves_and_does_not_copy() {
    return std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
           !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
}
static_assert(moves_and_does_not_copy<smolwf::store>());
static_assert(moves_and_does_not_copy<smolwf::attempt>());
static_assert(moves_and_does_not_copy<smolwf::step>());
static_assert(moves_and_does_not_copy<smolwf::stop>());
static_assert(moves_and_does_not_copy<smolwf::text>());
static_assert(moves_and_does_not_copy<smolwf::results::store>());
static_assert(std::is_nothrow_copy_constructible_v<smolwf::error>);
static_assert(sizeof(smolwf::store) == sizeof(sw_store *));

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

smolwf::store store_in_memory() {
    smolwf::store_options options;
    options.flags = SW_OPEN_MANUAL_CLOCK;
    smolwf::store store = smolwf::store::open_in_memory(options);
    store.init();
    return store;
}

smolwf::store store_to_read(const std::string &path) {
    smolwf::store_options options;
    options.flags = SW_OPEN_READ_ONLY;
    return smolwf::store::open(path, options);
}

} // namespace

TEST(versions_are_those_of_the_c_functions) {
    smolwf::abi_check();
    CHECK(smolwf::version_number() == SW_VERSION_NUMBER);
    CHECK(smolwf::abi_version() == SW_ABI_VERSION);
    CHECK(contains(smolwf::build_info(), smolwf::version()));
    CHECK(std::string_view(smolwf::code_name(SW_ERR_BUSY)) == "SW_ERR_BUSY");
}

TEST(an_id_and_a_quoted_text_are_views_by_themselves) {
    smolwf::id_text id = smolwf::new_id("run");
    std::string_view view = id;
    CHECK(view.size() == 30 && view.substr(0, 4) == "run_");
    CHECK(id.str() == id.c_str());
    smolwf::text quoted = smolwf::json_quote("a\"b");
    CHECK(quoted.view() == "\"a\\\"b\"");
    CHECK(smolwf::json_quote("").str() == "\"\"");
}

TEST(a_backup_is_a_store_with_what_was_there) {
    const std::string path = temp_path("copy");
    smolwf::store store = store_in_memory();
    const std::string run = store.run_submit("w").value.str();
    store.backup(path);
    smolwf::store copy = smolwf::store::open(path);
    copy.init();
    CHECK(contains(copy.run_get(run).view(), "\"pending\""));
    CHECK(thrown([&] { store.backup(path); }) == SW_ERR_CONFLICT);
}

TEST(a_store_is_moved_with_its_runs_and_says_where_it_went) {
    smolwf::store here = store_in_memory(), there = store_in_memory();
    const std::string run = here.run_submit("w").value.str();
    CHECK(contains(here.graduate(nullptr, "{\"abort\":true}").view(), "\"in_force\""));
    CHECK(contains(here.graduate(&there).view(), "\"moved\""));
    CHECK(thrown([&] { static_cast<void>(here.run_submit("w")); }) == SW_ERR_MOVED);
    CHECK(contains(there.run_get(run).view(), "\"pending\""));
}

TEST(an_error_tells_code_name_and_sentence_and_outlives_its_copies) {
    try {
        static_cast<void>(smolwf::new_id("Wrong"));
        CHECK(false);
    } catch (const std::exception &base) {
        smolwf::error copy = dynamic_cast<const smolwf::error &>(base);
        CHECK(copy.code() == SW_ERR_INVALID);
        CHECK(std::string_view(copy.code_name()) == "SW_ERR_INVALID");
        CHECK(copy.engine_code() == 0 && !copy.is_retryable());
        CHECK(contains(copy.what(), "Wrong"));
    }
    CHECK(std::string_view(smolwf::error(SW_ERR_IO, nullptr).what()) == "SW_ERR_IO");
    CHECK(smolwf::error(SW_ERR_IO, nullptr).code() == SW_ERR_IO);
}

TEST(no_error_shows_the_password_of_a_url) {
    for (const char *url :
         {"postgresql://me:hush@127.0.0.1:1/db", "postgresql:///db?host=/nowhere&password=hush",
          "postgresql://me:hush?@host", "postgresql:/me:hush@host/db", "redis://:hush@host"}) {
        bool is_refused = false;
        try {
            smolwf::store::open(url);
        } catch (const smolwf::error &error) { is_refused = !contains(error.what(), "hush"); }
        CHECK(is_refused);
    }
}

TEST(a_file_is_opened_migrated_and_its_work_is_found_again) {
    std::string path = temp_path("throwing.db");
    smolwf::id_text run_id;
    {
        smolwf::store store = smolwf::store::open(path);
        CHECK(store.init() > 0 && store.init() == 0);
        auto versions = store.schema_version();
        CHECK(versions.current == versions.newest && versions.newest > 0);
        CHECK(contains(store.migrations(), "introduced_version"));
        CHECK(contains(store.path(), "throwing.db"));
        auto [code, id] = store.run_submit("w", "{\"n\":1}");
        CHECK(code == SW_OK);
        run_id = id;
        CHECK(store.now_ms() > 0);
        store.close();
        CHECK(!store);
    }
    smolwf::store_options options;
    options.flags = SW_OPEN_NO_CREATE;
    smolwf::store store = smolwf::store::open(path, options);
    CHECK(contains(store.run_get(run_id), "\"pending\""));
    CHECK(thrown([&] { store.migrate(0); }) == SW_ERR_TARGET_OLDER);
    CHECK(thrown([&] { store.run_get("run_none"); }) != 0);
    options.flags = SW_OPEN_NO_CREATE;
    CHECK(thrown([&] { smolwf::store::open(temp_path("none.db"), options); }) ==
          SW_ERR_CANNOT_OPEN);
}

TEST(the_same_key_is_the_same_run) {
    smolwf::store store = store_in_memory();
    smolwf::submit_options options;
    options.idempotency_key = "k";
    options.idempotency_scope = "s";
    auto first = store.run_submit("w", {}, options);
    auto second = store.run_submit("w", {}, options);
    CHECK(first.code == SW_OK && second.code == SW_EXISTS);
    CHECK(first.value.view() == second.value.view());
    auto found = store.run_find("s", "k");
    CHECK(found.code == SW_OK && found.value.view() == first.value.view());
    CHECK(store.run_find({}, "k").code == SW_NONE);
    options.idempotency_key = "";
    CHECK(thrown([&] { static_cast<void>(store.run_submit("w", {}, options)); }) == SW_ERR_INVALID);
}

TEST(runs_are_acted_on_waited_for_and_claimed_many_at_once) {
    smolwf::store store = store_in_memory();
    smolwf::watch watch = store.watch_open();
    const int fd = watch.fd();
    CHECK(close(fd) == 0);
    uint64_t seen = watch.drain();
    CHECK(store.wait(seen, 0).code == SW_TIMEOUT);
    smolwf::text list = store.run_submit_many("[{\"workflow\":\"w\"},{\"workflow\":\"w\"}]");
    CHECK(std::string_view(list).substr(0, 12) == "[{\"run_id\":\"");
    CHECK(store.wait(seen, 0).code == SW_OK);
    store.queue_set("{\"concurrency\":1}");
    std::vector<smolwf::attempt> attempts = store.run_claim_many(5);
    CHECK(attempts.size() == 1);
    const std::string run_id(attempts.at(0).run_id());
    CHECK(store.run_wait(run_id, 0).code == SW_TIMEOUT);
    store.run_pause(run_id);
    store.run_resume(run_id);
    store.run_cancel(run_id, "\"why\"");
    CHECK(thrown([&] { attempts.at(0).complete(); }) == SW_ERR_CANCELLED);
    CHECK(store.run_wait(run_id, 0).code == SW_OK);
    store.run_retry(run_id);
    CHECK(store.run_fork(run_id).view().substr(0, 4) == "run_");
    CHECK(thrown([&] { store.run_claim_many(0); }) == SW_ERR_INVALID);
}

TEST(an_attempt_tells_what_was_claimed) {
    smolwf::store store = store_in_memory();
    CHECK(store.run_claim().code == SW_NONE && !store.run_claim().value);
    smolwf::submit_options submit;
    submit.queue = "q";
    auto run_id = store.run_submit("w", "[1, 2]", submit).value;
    smolwf::claim_options claim;
    claim.worker = "me";
    claim.workflows = "[\"w\"]";
    auto [code, attempt] = store.run_claim("q", claim);
    CHECK(code == SW_OK && attempt);
    CHECK(attempt.run_id() == run_id.view() && attempt.root_run_id() == run_id.view());
    CHECK(attempt.parent_run_id().data() == nullptr);
    CHECK(attempt.id().substr(0, 8) == "attempt_" && attempt.number() == 1);
    CHECK(attempt.workflow() == "w" && attempt.queue() == "q" && attempt.args() == "[1, 2]");
    CHECK(attempt.lease_expires_at_ms() > store.now_ms());
    attempt.heartbeat();
    attempt.check();
    attempt.complete("{}");
    CHECK(contains(store.run_get(run_id), "\"completed\""));
}

TEST(steps_run_once_and_replay_after) {
    smolwf::store store = store_in_memory();
    auto run_id = store.run_submit("w").value;
    {
        auto attempt = store.run_claim().value;
        auto [code, step] = attempt.step_begin("charge", "{\"amount\":1}");
        CHECK(code == SW_OK && step.result().data() == nullptr);
        CHECK(step.name() == "charge" && step.occurrence() == 1 && step.tries() == 1);
        step.complete("{\"receipt\":7}");
        auto failing = attempt.step_begin("ship").value;
        smolwf::fail_options later;
        later.retry_after_ms = 1000;
        CHECK(failing.fail("\"busy\"", later) == SW_SUSPEND);
        CHECK(failing.retry_at_ms() == store.now_ms() + 1000);
        CHECK(attempt.step_begin("ship").code == SW_SUSPEND);
        attempt.release();
    }
    store.advance_clock(1000);
    auto attempt = store.run_claim().value;
    auto replayed = attempt.step_begin("charge");
    CHECK(replayed.code == SW_REPLAYED && replayed.value.result() == "{\"receipt\":7}");
    smolwf::step_options once;
    once.kind = "truck";
    auto ship = attempt.step_begin("ship", {}, once);
    CHECK(ship.code == SW_OK);
    smolwf::fail_options terminal;
    terminal.flags = SW_FAIL_TERMINAL | SW_FAIL_TEXT;
    CHECK(ship.value.fail("no road", terminal) == SW_FAILED);
    once.occurrence = 1;
    auto memoised = attempt.step_begin("ship", {}, once);
    CHECK(memoised.code == SW_FAILED && memoised.value.error() == "\"no road\"");
    CHECK(memoised.value.id().substr(0, 5) == "step_");
    CHECK(attempt.fail("\"no road\"", terminal) == SW_FAILED);
    CHECK(contains(store.run_history(run_id), "truck"));
}

TEST(a_budget_is_reserved_settled_and_raised) {
    smolwf::store store = store_in_memory();
    smolwf::submit_options options;
    options.budget = "{\"tokens\":10}";
    auto run_id = store.run_submit("w", {}, options).value;
    auto attempt = store.run_claim().value;
    auto step = attempt.step_begin("call").value;
    auto reserved = attempt.budget_reserve("{\"tokens\":8}", "s", step.get());
    CHECK(reserved.code == SW_OK && contains(reserved.value, "_"));
    CHECK(thrown([&] { static_cast<void>(attempt.budget_reserve("{\"tokens\":8}")); }) ==
          SW_ERR_BUDGET);
    step.complete_usage("1", "{\"tokens\":7}");
    CHECK(contains(store.budget_get(run_id), "\"spent\":7"));
    store.budget_raise(run_id, "tokens", 5);
    auto again = attempt.budget_reserve("{\"tokens\":8}").value;
    store.budget_settle(again, "{}");
    CHECK(contains(store.budget_get(run_id), "\"limit\":15"));
}

TEST(a_parked_run_wakes_by_its_sleep_its_message_and_its_child) {
    smolwf::store store = store_in_memory();
    auto run_id = store.run_submit("parent").value;
    {
        auto attempt = store.run_claim().value;
        CHECK(attempt.sleep("nap", 1000) == SW_SUSPEND);
        CHECK(attempt.signal_await("go", 5000).code == SW_SUSPEND);
        smolwf::submit_options options;
        options.queue = "children";
        auto child = attempt.child_submit("kid", "w", "1", options);
        CHECK(child.code == SW_OK);
        CHECK(attempt.child_submit("kid", "w", "1", options).code == SW_OK);
        auto awaited = attempt.child_await(child.value);
        CHECK(awaited.code == SW_SUSPEND && !awaited.value);
        attempt.suspend();
    }
    CHECK(store.run_claim().code == SW_NONE);
    store.run_claim("children").value.complete("7");
    CHECK(store.signal_send(run_id, "go", "{}", "once") == SW_OK);
    CHECK(store.signal_send(run_id, "go", "{}", "once") == SW_EXISTS);
    store.advance_clock(1000);
    auto attempt = store.run_claim().value;
    CHECK(attempt.sleep("nap", 1000) == SW_OK);
    auto [code, payload] = attempt.signal_await("go", 5000);
    CHECK(code == SW_OK && payload.view() == "{}");
    auto child = attempt.child_submit("kid", "w", "1");
    CHECK(child.code == SW_REPLAYED);
    CHECK(attempt.child_await(child.value).value.view() == "7");
    store.run_cancel(run_id);
    CHECK(thrown([&] { attempt.check(); }) == SW_ERR_CANCELLED);
}

TEST(events_are_appended_read_and_the_store_is_checked) {
    smolwf::store store = store_in_memory();
    auto run_id = store.run_submit("w").value;
    auto attempt = store.run_claim().value;
    CHECK(attempt.event_append("seen", "{\"n\":1}", "once") == SW_OK);
    CHECK(attempt.event_append("seen", "{\"n\":1}", "once") == SW_EXISTS);
    CHECK(contains(store.event_read(0, run_id), "\"seen\""));
    CHECK(store.check().view().front() == '{');
}

TEST(a_list_goes_by_a_filter_page_by_page_and_has_the_payloads_that_are_named) {
    smolwf::store store = store_in_memory();
    std::vector<std::string> ids;
    for (const char *args : {"1", "2", "3", "4", "5"}) {
        ids.insert(ids.begin(), store.run_submit("mine", args).value.str());
    }
    static_cast<void>(store.run_submit("theirs"));
    std::vector<std::string> seen;
    std::string cursor;
    do {
        const std::string_view from = cursor.empty() ? std::string_view() : cursor;
        const json page =
            json::read(store.run_list("{\"workflow\":\"mine\",\"include\":[\"args\"]}", from, 2));
        CHECK(page["items"].items.size() <= 2);
        for (const json &run : page["items"].items) {
            seen.push_back(run["run_id"].text);
            CHECK(run.has("args") && !run.has("result"));
        }
        cursor = page["next"].is_null() ? "" : page["next"].text;
        static_cast<void>(store.run_submit("mine")); /* the newest: on no later page */
    } while (!cursor.empty());
    CHECK(seen == ids);
    CHECK(thrown([&] { store.run_list("{\"colour\":1}"); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { store.run_list({}, "elsewhere"); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { store.run_list({}, {}, 1001); }) == SW_ERR_INVALID);
}

TEST(runs_are_counted_by_what_they_were_annotated_with_and_counting_stops) {
    smolwf::store store = store_in_memory();
    const std::string run_id = store.run_submit("w").value.str();
    static_cast<void>(store.run_submit("w"));
    CHECK(store.run_count() == 2 && store.run_count({}, 1) == 1);
    store.run_annotate(run_id, "{\"case\":7,\"note\":\"odd\"}");
    CHECK(store.run_count("{\"metadata\":{\"case\":7}}") == 1);
    store.run_annotate(run_id, "{\"case\":null}");
    CHECK(store.run_count("{\"metadata\":{\"case\":7}}") == 0);
    CHECK(contains(store.run_get(run_id), "\"note\":\"odd\""));
    CHECK(thrown([&] { store.run_annotate("run_none", "{}"); }) != 0);
    CHECK(thrown([&] { store.run_annotate(run_id, "[]"); }) == SW_ERR_INVALID);
    const std::string large = "{\"a\":\"" + std::string(70'000, 'x') + "\"}";
    CHECK(thrown([&] { store.run_annotate(run_id, large); }) == SW_ERR_TOO_BIG);
}

TEST(many_runs_are_acted_on_at_once_and_a_dry_run_does_nothing) {
    smolwf::store store = store_in_memory();
    for (int at = 0; at < 3; at++) static_cast<void>(store.run_submit("w"));
    const json dry = json::read(store.run_act_many("cancel", "{\"dry_run\":true}"));
    CHECK(dry["matched"].number() == 3 && dry["done"].number() == 0);
    CHECK(store.run_count("{\"state\":\"pending\"}") == 3);
    const json some = json::read(store.run_act_many("cancel", "{\"workflow\":\"w\"}", 2));
    CHECK(some["done"].number() == 2 && some["more"].text == "true");
    const json rest = json::read(store.run_act_many("cancel", "{\"workflow\":\"w\"}"));
    CHECK(rest["done"].number() == 1 && rest["more"].text == "false");
    CHECK(rest["refused"].items.empty());
    CHECK(store.run_count("{\"state\":\"cancelled\"}") == 3);
    const std::string open = store.run_submit("w").value.str();
    const json refused = json::read(store.run_act_many("retry", "{\"state\":\"pending\"}"));
    CHECK(refused["done"].number() == 0 && refused["refused"].items.size() == 1);
    CHECK(refused["refused"].items.at(0)["run_id"].text == open);
    CHECK(refused["refused"].items.at(0)["code"].number() == SW_ERR_CONFLICT);
    CHECK(thrown([&] { store.run_act_many("paint"); }) == SW_ERR_INVALID);
}

TEST(what_has_ended_is_pruned_and_what_lives_stays) {
    smolwf::store store = store_in_memory();
    for (int at = 0; at < 3; at++) static_cast<void>(store.run_submit("w"));
    store.run_act_many("cancel", "{}", 2);
    const json dry = json::read(store.prune("{\"dry_run\":true}"));
    CHECK(dry["runs"].number() == 2 && dry["more"].text == "false");
    const json one = json::read(store.prune("{\"workflow\":\"w\"}", 1));
    CHECK(one["trees"].number() == 1 && one["more"].text == "true");
    const json rest = json::read(store.prune());
    CHECK(rest["runs"].number() == 1 && store.run_count() == 1);
    CHECK(one["bytes"].number() + rest["bytes"].number() == dry["bytes"].number());
    CHECK(thrown([&] { store.prune({}, 100'001); }) == SW_ERR_INVALID);
}

TEST(pages_that_hold_nothing_are_given_back) {
    const std::string path = temp_path("compact.db");
    smolwf::store store = smolwf::store::open(path);
    store.init();
    std::mt19937 random;
    for (int at = 0; at < 5; at++) {
        /* Equal payloads would stand there once, and packed. */
        std::string args = "\"" + std::string(200'000, 'x') + "\"";
        for (size_t i = 1; i + 1 < args.size(); i++)
            args[i] = static_cast<char>('A' + random() % 26);
        store.run_cancel(store.run_submit("w", args).value.str());
    }
    store.prune();
    const json some = json::read(store.compact(10));
    CHECK(some["freed_pages"].number() == 10 && some["left_pages"].number() > 0);
    while (json::read(store.compact())["freed_pages"].number() > 0) continue;
    CHECK(contains(store.check(), "\"ok\":true"));
    CHECK(thrown([&] { store.compact(1'000'001); }) == SW_ERR_INVALID);
}

TEST(what_a_policy_lets_go_is_gone_after_claims_until_it_is_ended) {
    smolwf::store store = store_in_memory();
    const std::string policy = R"({"cancelled_ms":3600000,"keep_newest":1})";
    store.retention_set(policy);
    CHECK(store.retention_get().view() == policy);
    for (int at = 0; at < 3; at++) store.run_cancel(store.run_submit("w").value.str());
    CHECK(store.run_claim().code == SW_NONE && store.run_count() == 3);
    store.advance_clock(7'200'000);
    CHECK(store.run_claim().code == SW_NONE && store.run_count() == 1);
    CHECK(thrown([&] { store.retention_set(R"({"failed_ms":-1})"); }) == SW_ERR_INVALID);
    store.retention_set();
    CHECK(store.retention_get().view() == "{}");
}

TEST(a_run_goes_on_in_another_store_and_a_second_copy_has_an_id_of_its_own) {
    smolwf::store here = store_in_memory(), there = store_in_memory();
    const std::string run_id = here.run_submit("w", "[1]").value.str();
    smolwf::attempt first = here.run_claim().value;
    first.step_begin("paid").value.complete("7");
    first.release();
    const smolwf::text exported = here.run_export(run_id);
    const json came = json::read(there.run_import(exported.view()));
    CHECK(came["run_id"].text == run_id && came["runs"].number() == 1);
    smolwf::attempt second = there.run_claim().value;
    CHECK(second.run_id() == run_id && second.args() == "[1]" && second.number() == 2);
    auto [code, step] = second.step_begin("paid");
    CHECK(code == SW_REPLAYED && step.result() == "7");
    second.complete("\"done\"");
    CHECK(contains(there.run_get(run_id), "completed"));
    CHECK(contains(here.run_get(run_id), "pending"));

    CHECK(thrown([&] { here.run_import(exported.view()); }) == SW_ERR_CONFLICT);
    const json copy = json::read(here.run_import(exported.view(), R"({"ids":"new"})"));
    CHECK(copy["run_id"].text != run_id && here.run_count() == 2);
    const smolwf::text report = here.run_export(run_id, R"({"redact":true})");
    CHECK(!contains(report, "[1]"));
    CHECK(thrown([&] { there.run_import(report.view()); }) == SW_ERR_INVALID);
    CHECK(thrown([&] { here.run_export("run_none"); }) == SW_ERR_NOT_FOUND);
}

TEST(a_read_only_store_lists_and_counts_and_changes_nothing) {
    const std::string path = temp_path("listing.db");
    smolwf::store store = smolwf::store::open(path);
    store.init();
    const std::string run_id = store.run_submit("w").value.str();
    smolwf::store reader = store_to_read(path);
    CHECK(contains(reader.run_list(), run_id) && reader.run_count() == 1);
    CHECK(thrown([&] { reader.run_annotate(run_id, "{}"); }) == SW_ERR_READONLY);
    CHECK(thrown([&] { reader.run_act_many("cancel"); }) == SW_ERR_READONLY);
}

TEST(a_store_explains_a_run_and_tells_its_numbers_queues_and_owners) {
    smolwf::store store = smolwf::store::open(temp_path("numbers.db"));
    store.init();
    const std::string run_id = store.run_submit("w").value.str();
    store.queue_set("{\"paused\":true}");
    const json explained = json::read(store.run_explain(run_id));
    CHECK(explained["run_id"].text == run_id && explained["state"].text == "pending");
    CHECK(explained["reasons"].items.at(0)["code"].text == "queue_paused");
    CHECK(thrown([&] { store.run_explain("run_none"); }) != 0);
    const json queue = json::read(store.queue_list()).items.at(0);
    CHECK(queue["queue"].text == "default" && queue["paused"].text == "true");
    const json stats = json::read(store.stats());
    CHECK(stats["runs"]["pending"].number() == 1 && stats["runs"]["total"].number() == 1);
    CHECK(stats["file"]["page_bytes"].number() > 0 && !stats["writer"].is_null());
    CHECK(store.owner_list().view() == "[]");
    store.queue_set("{}");
    auto attempt = store.run_claim().value;
    const json owner = json::read(store.owner_list()).items.at(0);
    CHECK(owner["pid"].number() == getpid());
}

TEST(a_read_only_store_explains_runs_and_tells_its_numbers) {
    const std::string path = temp_path("reasons.db");
    smolwf::store store = smolwf::store::open(path);
    store.init();
    const std::string run_id = store.run_submit("w").value.str();
    auto attempt = store.run_claim().value;
    smolwf::store reader = store_to_read(path);
    CHECK(contains(reader.run_explain(run_id), "\"reasons\":[{"));
    CHECK(contains(reader.stats(), "\"writer\":null"));
    CHECK(contains(reader.queue_list(), "default") && contains(reader.owner_list(), "pid"));
}

TEST(a_wait_for_events_is_woken_by_an_append_of_another_thread_and_ended_by_a_stop) {
    smolwf::store store = store_in_memory();
    static_cast<void>(store.run_submit("w"));
    auto attempt = store.run_claim().value;
    CHECK(store.event_wait(0, "{\"type\":\"seen\"}", 0, 0).code == SW_TIMEOUT);
    std::string found;
    std::thread waiter([&] { found = store.event_wait(0, "{\"type\":\"seen\"}").value.str(); });
    CHECK(attempt.event_append("other") == SW_OK);
    CHECK(attempt.event_append("seen", "{\"n\":1}") == SW_OK);
    waiter.join();
    const json page = json::read(found);
    CHECK(page["items"].items.size() == 1 && page["items"].items[0]["type"].text == "seen");
    CHECK(page["next_seq"].number() >= page["items"].items[0]["seq"].number());
    smolwf::stop stop = smolwf::stop::make();
    int32_t code = SW_OK;
    std::thread stopped([&] {
        code = store.event_wait(page["next_seq"].number(), {}, 0, SW_FOREVER, stop.get()).code;
    });
    stop.fire();
    stopped.join();
    CHECK(code == SW_TIMEOUT);
    CHECK(thrown([&] { static_cast<void>(store.event_wait(-1)); }) == SW_ERR_INVALID);
}

TEST(a_read_only_store_waits_for_what_another_handle_appends) {
    const std::string path = temp_path("events.db");
    smolwf::store store = smolwf::store::open(path);
    store.init();
    static_cast<void>(store.run_submit("w"));
    smolwf::store reader = store_to_read(path);
    std::string found;
    std::thread waiter([&] { found = reader.event_wait().value.str(); });
    CHECK(store.run_claim().value.event_append("seen") == SW_OK);
    waiter.join();
    CHECK(contains(found, "\"seen\""));
}

TEST(handles_of_a_closed_store_answer_closed_and_go_in_any_order) {
    smolwf::store store = store_in_memory();
    static_cast<void>(store.run_submit("w"));
    auto attempt = store.run_claim().value;
    auto step = attempt.step_begin("s").value;
    store.shutdown();
    store.close();
    CHECK(thrown([&] { attempt.check(); }) == SW_ERR_CLOSED);
    CHECK(thrown([&] { step.complete("1"); }) == SW_ERR_CLOSED);
    smolwf::attempt moved = std::move(attempt);
    CHECK(moved && !attempt);
}

TEST(a_moved_from_handle_is_null_and_null_is_misuse) {
    smolwf::store store;
    CHECK(!store && store.get() == nullptr);
    CHECK(thrown([&] { store.init(); }) == SW_ERR_MISUSE);
}

TEST(an_attempt_that_an_exception_passes_is_given_back_and_charges_nothing) {
    smolwf::store store = store_in_memory();
    const std::string run_id = store.run_submit("w").value.str();
    try {
        auto [code, attempt] = store.run_claim();
        CHECK(code == SW_OK);
        throw std::runtime_error("the host's own");
    } catch (const std::runtime_error &) {}
    auto [code, attempt] = store.run_claim();
    CHECK(code == SW_OK && attempt.run_id() == run_id && attempt.number() == 2);
    CHECK(contains(store.run_get(run_id), "\"tries\":0"));
}

TEST(an_attempt_that_ended_is_not_given_back_when_it_goes) {
    smolwf::store store = store_in_memory();
    const std::string run_id = store.run_submit("w").value.str();
    {
        auto [code, attempt] = store.run_claim();
        CHECK(code == SW_OK);
        attempt.complete("1");
    }
    CHECK(contains(store.run_get(run_id), "\"state\":\"completed\""));
}

TEST(a_stop_ends_a_wait_from_another_thread) {
    smolwf::store store = store_in_memory();
    smolwf::stop stop = smolwf::stop::make();
    smolwf::claim_options options;
    options.wait_ms = SW_FOREVER;
    options.stop = stop.get();
    int32_t code = SW_OK;
    std::thread waiter([&] { code = store.run_claim({}, options).code; });
    stop.fire();
    waiter.join();
    CHECK(code == SW_NONE);
}

TEST(a_failure_with_a_wait_out_of_range_fails_its_run_and_no_worker) {
    smolwf::store store = store_in_memory();
    const std::string bad = store.run_submit("bad").value.str();
    const std::string bad_step = store.run_submit("bad step").value.str();
    smolwf::worker_options quiet;
    quiet.on_event = nullptr;
    const auto fail = [] { throw smolwf::failure("{\"why\":\"x\"}", false, -5); };
    smolwf::worker worker(store,
                          {{"bad", [fail](smolwf::context &) { fail(); }},
                           {"bad step", [fail](smolwf::context &run) { run.step("s", fail); }}},
                          quiet);
    CHECK(worker.run_once() && worker.run_once() && !worker.run_once());
    const std::string failed = store.run_get(bad).str();
    CHECK(contains(failed, "\"tries\":1") && contains(failed, "retry_after_ms"));
    CHECK(contains(store.run_history(bad_step), "retry_after_ms"));
    worker.start(); /* join throws what ended a worker */
    worker.stop();
    worker.join();
}

TEST(a_wait_that_is_refused_sticks_though_it_is_swallowed) {
    smolwf::store store = store_in_memory();
    const std::string id = store.run_submit("w").value.str();
    const auto swallow = [](smolwf::context &run) {
        const bool is_first = run.attempt().number() == 1;
        try {
            is_first ? run.wait_any("go", R"([{"signal":"go"}])", 0) : run.signal("go", 0);
        } catch (const std::exception &) {}
        if (is_first) throw std::runtime_error("again");
    };
    smolwf::worker worker(store, {{"w", swallow}});
    CHECK(worker.run_once() && store.advance_clock(SW_FOREVER) && worker.run_once());
    CHECK(contains(store.run_get(id).view(), "\"pending\""));
}

TEST(a_path_is_not_cut_at_a_nul) {
    const std::string path = temp_path("cut.db") + std::string("\0.db", 4);
    CHECK(thrown([&] { smolwf::store::open(path); }) == SW_ERR_INVALID);
    smolwf::store store = store_in_memory();
    CHECK(thrown([&] { store.backup(path); }) == SW_ERR_INVALID);
}

int main() { return run_all_tests(); }
