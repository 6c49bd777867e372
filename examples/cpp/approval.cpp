// A purchase that cools off for an hour and then waits up to three days for somebody's approval. The
// clock is the store's manual one, so three days pass in a moment; parked, the run costs nothing.
#include "json_view.hpp"

#include <cstdio>
#include <smolwf_worker.hpp>
#include <stdexcept>
#include <string>

static constexpr std::int64_t hour_ms = 3'600'000;
static constexpr std::int64_t three_days_ms = 72 * hour_ms;

// The workflow: it runs from its top in every attempt, and a wait that is not over parks it.
static std::string purchase(smolwf::context &run) {
    run.sleep("cool-off", hour_ms);
    std::string approval;
    try {
        approval = run.signal("approval", three_days_ms);
    } catch (const smolwf::timed_out &) {
        std::puts("nobody answered");
        return "{\"approved_by\":null,\"order\":null}";
    }
    run.step("order", [] { return "{\"order\":1}"; }); // done once, however often the top is passed
    std::puts("ordered");
    return "{\"approved_by\":" + std::string(json::member(approval, "by")) + ",\"order\":1}";
}

static void tell(const smolwf::event &event) {
    if (event.kind != "parked") return;
    const bool is_asleep = event.waiting_for.front() == "sleep cool-off";
    std::printf("parked: %s\n",
                is_asleep ? "sleeping an hour" : "waiting for approval, three days at most");
}

// Claims the run and works on it until it parks or ends.
static void work(smolwf::store &store) {
    smolwf::worker_options options;
    options.on_event = tell;
    smolwf::worker worker(store, {{"purchase", purchase}}, options);
    if (!worker.run_once()) throw std::runtime_error("nothing to claim");
}

static void play(smolwf::store &store, bool is_approved) {
    const smolwf::id_text run_id = store.run_submit("purchase", "{\"amount\":1200}").value;
    std::puts("submitted a purchase of 1200");
    work(store);
    store.advance_clock(hour_ms);
    std::puts("an hour later");
    work(store);
    if (is_approved) {
        static_cast<void>(store.signal_send(run_id, "approval", "{\"by\":\"ada\"}"));
        std::puts("ada approves");
    } else {
        store.advance_clock(three_days_ms);
        std::puts("three days later");
    }
    work(store);
    const smolwf::text document = store.run_get(run_id);
    std::printf("result: %s\n", std::string(json::member(document, "result")).c_str());
}

int main(int argc, char **argv) {
    if (argc != 2) return std::fputs("usage: approval <store>\n", stderr), 1;
    try {
        smolwf::store_options options;
        options.flags = SW_OPEN_MANUAL_CLOCK;
        smolwf::store store = smolwf::store::open(argv[1], options);
        store.init();
        play(store, true);
        play(store, false);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "approval: %s\n", error.what());
        return 1;
    }
}
