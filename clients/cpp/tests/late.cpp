/*
 * Calls of the library that come back late or with an error, when a test says so: functions of the
 * library stand aside here for some of the same names.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support.hpp"

#include <smolwf_worker.hpp>

#include <dlfcn.h>
#include <unistd.h>

namespace {

struct gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_stored = false, is_closed = false, was_asked_late = false;
    int claims_refused = 0;
    std::string told, about;

    template <class Change> void note(Change change) {
        std::lock_guard<std::mutex> lock(mutex);
        change();
        changed.notify_all();
    }
    template <class Done> bool wait(Done done) {
        std::unique_lock<std::mutex> lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(60), done);
    }
};

gate &the_gate() {
    static gate &made = *new gate; /* threads that were left behind may look at it */
    return made;
}

template <class Function> Function *of_the_library(Function *, const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" int32_t sw_attempt_fail(sw_attempt *attempt, const char *error, size_t error_len,
                                   const sw_fail_options *options, sw_error **err) {
    gate &at = the_gate();
    static auto *const real = of_the_library(&sw_attempt_fail, "sw_attempt_fail");
    const int32_t code = real(attempt, error, error_len, options, err);
    at.note([&] { at.is_stored = true; });
    at.wait([&] { return at.is_closed; });
    return code;
}

extern "C" int32_t sw_run_get(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                              sw_error **err) {
    gate &at = the_gate();
    static auto *const real = of_the_library(&sw_run_get, "sw_run_get");
    bool is_late = false;
    at.note([&] { is_late = at.was_asked_late = at.is_closed; });
    return is_late ? SW_ERR_CLOSED : real(store, run_id, run_id_len, out, err);
}

extern "C" int32_t sw_run_claim(sw_store *store, const char *queue, size_t queue_len,
                                const sw_claim_options *options, sw_attempt **out, sw_error **err) {
    gate &at = the_gate();
    static auto *const real = of_the_library(&sw_run_claim, "sw_run_claim");
    bool is_refused = false;
    at.note([&] { is_refused = at.claims_refused > 0 && at.claims_refused-- > 0; });
    return is_refused ? SW_ERR_BUSY : real(store, queue, queue_len, options, out, err);
}

TEST(a_claim_that_is_made_again_is_told_of_once) {
    gate &at = the_gate();
    at.claims_refused = 2;
    smolwf::store store = smolwf::store::open_in_memory();
    store.init();
    CHECK(store.run_submit("w").code == SW_OK);
    smolwf::worker_options options;
    options.on_event = [&at](const smolwf::event &e) {
        at.note(
            [&] { at.told.append(e.kind).append(" "), at.about.append(e.call).append(e.run_id); });
    };
    smolwf::worker worker(store, {{"w", [](smolwf::context &) {}}}, options);
    worker.start();
    CHECK(at.wait([&] { return contains(at.told, "completed") || at.told.size() > 60; }));
    worker.stop();
    worker.join();
    CHECK(at.told == "delayed claimed completed ");
    CHECK(at.about.rfind("sw_run_claimrun_", 0) == 0);
}

TEST(a_thread_that_was_left_behind_does_not_ask_a_store_that_is_closed) {
    gate &at = the_gate();
    {
        smolwf::store store = smolwf::store::open_in_memory();
        store.init();
        CHECK(store.run_submit("w").code == SW_OK);
        smolwf::worker_options options;
        options.grace_ms = 0;
        options.on_event = [&at](const smolwf::event &e) { at.note([&] { at.told = e.kind; }); };
        const auto fails = [](smolwf::context &) { throw std::runtime_error("on purpose"); };
        smolwf::worker worker(store, {{"w", fails}}, options);
        worker.start();
        CHECK(at.wait([&] { return at.is_stored; }));
        worker.stop();
        worker.join();
    }
    at.note([&] { at.is_closed = true; });
    CHECK(at.wait([&] { return at.told == "retrying"; }));
    CHECK(!at.was_asked_late);
}

int main() {
    const int code = run_all_tests();
    std::fflush(stdout);
    _exit(code); /* threads that were left behind are not waited for */
}
