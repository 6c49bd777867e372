// A purchase that cools off for an hour and then waits up to three days for somebody's approval. The
// clock is the store's manual one, so three days pass in a moment; parked, the run costs nothing.
#include "json_view.hpp"

#include <cstdio>
#include <smolwf.hpp>
#include <stdexcept>
#include <string>

static constexpr std::int64_t hour_ms = 3'600'000;
static constexpr std::int64_t three_days_ms = 72 * hour_ms;

// Records the order; its step is done once, however often the workflow starts from the top.
static void order(smolwf::attempt &attempt) {
    auto [code, step] = attempt.step_begin("order");
    if (code == SW_OK) step.complete("{\"order\":1}");
    std::puts("ordered");
}

// The workflow, from its top. Returns what it waits for, or null when it came to its end.
static const char *purchase(smolwf::attempt &attempt) {
    if (attempt.sleep("cool-off", hour_ms) == SW_SUSPEND) return "sleeping an hour";
    auto [code, approval] = attempt.signal_await("approval", three_days_ms);
    if (code == SW_SUSPEND) return "waiting for approval, three days at most";
    if (code == SW_TIMEOUT) {
        std::puts("nobody answered");
        attempt.complete("{\"approved_by\":null,\"order\":null}");
        return nullptr;
    }
    order(attempt);
    const std::string by(json::member(approval, "by"));
    attempt.complete("{\"approved_by\":" + by + ",\"order\":1}");
    return nullptr;
}

// Claims the run and works on it until it parks or ends.
static void work(smolwf::store &store) {
    auto [code, attempt] = store.run_claim();
    if (code != SW_OK) throw std::runtime_error("nothing to claim");
    const char *waits_for = purchase(attempt);
    if (waits_for == nullptr) return;
    attempt.suspend();
    std::printf("parked: %s\n", waits_for);
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
    if (argc != 2) return std::fputs("usage: approval <file>\n", stderr), 1;
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
