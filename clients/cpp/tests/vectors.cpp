/*
 * Plays shared vectors through the C++ header. The runner writes one act a line to standard input,
 * each field of it in hexadecimal, "-" where absent:
 *   input <text> <code>                  begins a step with the input and completes it
 *   attempt                              releases the attempt and claims the run again
 *   begin <name> <at> <input> <answers> <occurrence> <then> <as> <result> <error> <retry_after_ms>
 *   complete <as> <result> <answers>
 *   advance <ms>
 *   prefix <text> <code>                 makes an id
 *   history                              prints the history, and starts over with a fresh run
 */
#include "support.hpp"

#include <iostream>
#include <map>
#include <sstream>

namespace {

using field = std::pair<bool, std::string>; /* whether it is there, and what it is */

field decode(const std::string &hex) {
    std::string bytes;
    if (hex == "-") return {false, bytes};
    for (size_t i = 0; hex != "." && i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return {true, bytes};
}

std::string_view view(const field &of) {
    return of.first ? std::string_view(of.second) : std::string_view();
}

int64_t number(const field &of) { return of.first ? std::stoll(of.second) : 0; }

struct player {
    smolwf::store store;
    smolwf::id_text run_id;
    smolwf::attempt attempt;
    std::map<std::string, smolwf::step> kept;

    player() {
        smolwf::store_options options;
        options.flags = SW_OPEN_MANUAL_CLOCK;
        store = smolwf::store::open_in_memory(options);
        store.init();
        run_id = store.run_submit("vectors").value;
        attempt = store.run_claim().value;
    }

    void claim_again() {
        attempt.release();
        attempt = store.run_claim().value;
    }
    void finish(smolwf::step step, const std::vector<field> &act) {
        const std::string &then = act[6].second;
        smolwf::fail_options options;
        options.retry_after_ms = number(act[10]);
        if (then == "complete") step.complete(view(act[8]));
        if (then == "fail") CHECK(step.fail(view(act[9]), options) == SW_SUSPEND);
        options.flags = SW_FAIL_TERMINAL;
        if (then == "fail_terminal") CHECK(step.fail(view(act[9]), options) == SW_FAILED);
        if (then == "keep") kept[act[7].second] = std::move(step);
    }
    int32_t begin(const std::vector<field> &act) {
        smolwf::step_options options;
        options.occurrence = static_cast<uint32_t>(number(act[2]));
        auto [code, step] = attempt.step_begin(view(act[1]), view(act[3]), options);
        CHECK(step.occurrence() == static_cast<uint32_t>(number(act[5])));
        if (code == SW_OK) {
            finish(std::move(step), act);
        } else if (step) {
            CHECK(step.result() == view(act[8]) && step.error() == view(act[9]));
        }
        return code;
    }
    int32_t complete(const std::vector<field> &act) {
        kept.at(act[1].second).complete(view(act[2]));
        kept.erase(act[1].second);
        return SW_OK;
    }
};

/* Does one act and returns the name of the code it should have and the one it has. */
std::pair<std::string, int32_t> play(player &on, const std::string &act,
                                     const std::vector<field> &fields) {
    try {
        if (act == "begin") return {fields[4].second, on.begin(fields)};
        if (act == "complete") return {fields[3].second, on.complete(fields)};
        if (act == "advance") on.store.advance_clock(number(fields[1]));
        if (act == "attempt") on.claim_again();
        if (act == "prefix") CHECK(smolwf::new_id(view(fields[1])).view().size() > 26);
        if (act == "input") on.attempt.step_begin("in", view(fields[1])).value.complete();
    } catch (const smolwf::error &error) {
        return {fields.size() < 3 ? "" : fields[act == "begin" ? 4 : fields.size() - 1].second,
                error.code()};
    }
    return {fields.size() < 3 ? "SW_OK" : fields[2].second, SW_OK};
}

} // namespace

int main() {
    player on;
    int acts = 0;
    for (std::string line, word; std::getline(std::cin, line); acts++) {
        std::istringstream words(line);
        std::vector<field> fields(1);
        std::string act;
        words >> act;
        while (words >> word) fields.push_back(decode(word));
        if (act == "history") {
            std::string history = on.store.run_history(on.run_id).str();
            std::cout << "history " << history << "\n";
            on = player();
            continue;
        }
        auto [expected, code] = play(on, act, fields);
        CHECK(expected == smolwf::code_name(code));
        if (expected != smolwf::code_name(code)) std::cout << line << " answers " << code << "\n";
    }
    std::printf("%d passed, %d failed\n", acts - faults(), faults());
    return faults() == 0 && acts > 0 ? 0 : 1;
}
