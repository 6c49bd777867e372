// Works on the children `count`, until it is killed: counts the words it is given.
//   count <store>
#include <chrono>
#include <smolwf.hpp>
#include <string>
#include <string_view>
#include <thread>

static std::size_t strings_in(std::string_view json) {
    std::size_t quotes = 0;
    for (char c : json) quotes += c == '"' ? 1 : 0;
    return quotes / 2;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    smolwf::store store = smolwf::store::open(argv[1]);
    smolwf::claim_options options;
    options.wait_ms = SW_FOREVER;
    options.lease_ms = SW_LEASE_WHILE_ALIVE;
    for (;;) {
        auto [code, attempt] = store.run_claim("cpp", options);
        if (code != SW_OK) continue;
        const std::string count = std::to_string(strings_in(attempt.args()));
        // The same input as in the other languages, in another form.
        auto [begun, step] =
            attempt.step_begin("count", R"({ "team": ["\u00e4", "b"], "deadline": 1 })");
        if (begun == SW_OK) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20)); // the work
            step.complete(count);
        }
        attempt.complete(count);
    }
}
