// Asks an expensive question once. Run it with "crash", then without, then without again.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <smolwf.hpp>
#include <string>

static std::string ask_the_model() { // stands for the call that costs money
    std::puts("asking the model");
    return "{\"answer\": 42}";
}

static int run(bool is_to_crash) {
    const char *path = std::getenv("SMOLWF_STORE"); // another file, or postgresql://...
    smolwf::store store = smolwf::store::open(path != nullptr ? path : "quickstart.db");
    store.init();

    // One key is one run, however often this program is started.
    smolwf::submit_options once;
    once.idempotency_key = "question 1";
    static_cast<void>(store.run_submit("ask", "\"why?\"", once)); // SW_OK, then SW_EXISTS

    // Whoever claims the run works on it. If its worker is killed, it is free again within a second.
    smolwf::claim_options patient;
    patient.wait_ms = 1000;
    auto [claimed, attempt] = store.run_claim({}, patient);
    if (claimed == SW_NONE) {
        std::puts("nothing to do: the run has ended");
        return 0;
    }
    std::string answer;
    auto [begun, step] = attempt.step_begin("answer");
    if (begun == SW_REPLAYED) {
        answer = step.result();
        std::printf("replayed, not asked again: %s\n", answer.c_str());
    } else {
        answer = ask_the_model();
        step.complete(answer); // from here on, no crash can lose it
        std::printf("recorded: %s\n", answer.c_str());
    }
    if (is_to_crash) {
        std::fflush(stdout);
        std::raise(SIGKILL); // the step is recorded, the run is not finished
    }
    attempt.complete(answer);
    std::puts("the run is finished");
    return 0;
}

int main(int argc, char **argv) {
    try {
        return run(argc > 1 && std::strcmp(argv[1], "crash") == 0);
    } catch (const smolwf::error &error) {
        std::fprintf(stderr, "%s: %s\n", error.code_name(), error.what());
        return 1;
    }
}
