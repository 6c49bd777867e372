// A worker of scripts/torture-workers.sh, in C++: as worker.py, in the client's own ways.
//   worker store plans from lease_ms
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <smolwf_worker.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

using text = const std::string &;

static const std::string who = "cpp." + std::to_string(::getpid());
static std::atomic<long> tokens{0};
static volatile std::sig_atomic_t is_stopping = 0;
static int witness = -1;

static void pause_ms(long ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

static std::string token() { return who + "." + std::to_string(++tokens); }
static std::string quoted(text plain) { return "\"" + plain + "\""; }

// What stands behind a key of a document, up to the end of it: all texts here are plain.
static std::string behind(std::string_view document, text key, std::size_t from = 0) {
    std::size_t at = document.find("\"" + key + "\":", from);
    if (at == std::string_view::npos) return "";
    at += key.size() + 3;
    if (document[at] == '"') at++;
    return std::string(document.substr(at, document.find_first_of("\",}", at) - at));
}

// A JSON text without its quotes, and without what makes it long.
static std::string plain(std::string_view json) {
    if (json.empty() || json[0] != '"') return "";
    json = json.substr(1, json.find_first_of("\"/", 1) - 1);
    return std::string(json);
}

static void note(text kind, text run, text name, unsigned attempt, text value) {
    const std::string fact = "\n" + kind + "\t" + run + "\t" + name + "\t" +
                             std::to_string(attempt) + "\t" + value + "\t" + who + "\t.";
    // The disk may be full: it will have room again.
    while (::write(witness, fact.data(), fact.size()) != static_cast<ssize_t>(fact.size()))
        pause_ms(10);
}

// The answer of a call that is made again while the store is locked or has no room.
template <class Call> static auto patiently(Call call) -> decltype(call()) {
    for (;;) {
        try {
            return call();
        } catch (const smolwf::error &why) {
            if (!why.is_retryable() && why.code() != SW_ERR_FULL) throw;
            pause_ms(20);
        }
    }
}

// One attempt at a plan.
class plan {
  public:
    plan(smolwf::context &context, std::string key)
        : context_(context), key_(std::move(key)), run_(context.run_id()),
          attempt_(context.attempt().number()) {}

    void perform(text name, char what, int count) {
        switch (what) {
        case 's':
        case 'w':
        case 'f':
        case 'h':
        case 'd':
            seen(name, step(name, what, count));
            break;
        case 't':
            once(name);
            break;
        case 'b':
            seen(name, spend(name, count));
            break;
        case 'x':
            seen(name, transaction(name, count));
            break;
        case 'z':
            context_.sleep(name, count);
            break;
        case 'g':
            seen(name, context_.signal("go"));
            break;
        case 'q':
            wait_in_vain(name, count);
            break;
        case 'n':
            context_.signal("never");
            break;
        case 'c':
            children(name, count);
            break;
        case 'a':
            first(name, count);
            break;
        case 'e':
            context_.event("noted", quoted(name), name);
            note("event", run_, name, 0, "");
            break;
        case 'r':
            if (attempt_ % 2 == 1) throw std::runtime_error("an odd attempt");
            break;
        default:
            break;
        }
    }

  private:
    void effect(text name, const smolwf::step &of) {
        note("effect", run_, name, attempt_, std::to_string(of.tries()));
    }
    void seen(text name, text value) { note("seen", run_, name, attempt_, plain(value)); }

    static smolwf::step_options patient() {
        smolwf::step_options options;
        options.max_tries = 1000;
        options.backoff_initial_ms = 5;
        options.backoff_max_ms = 20;
        return options;
    }

    std::string step(text name, char what, int count) {
        const auto work = [&](smolwf::step &of) {
            effect(name, of);
            if (what == 'w') pause_ms(count);
            if (what == 'f' && static_cast<int>(of.tries()) < count)
                throw std::runtime_error("an early try");
            if (what == 'd' && attempt_ % 2 == 1) throw std::runtime_error("an odd attempt");
            return quoted(token() + (what == 'h' ? std::string(20'000, '/') : ""));
        };
        const std::string_view input =
            what == 's' ? R"({ "op": "s", "at": 1 })" : std::string_view();
        smolwf::step_options options = patient();
        if (what == 'd') options.max_tries = 1;
        return context_.step(name, work, options, input);
    }

    // A wait for what nobody sends, until its time is over.
    void wait_in_vain(text name, int count) {
        try {
            context_.signal(name, count);
        } catch (const smolwf::timed_out &) { note("timeout", run_, name, attempt_, ""); }
    }

    // The first of a message, a child and a time.
    void first(text name, int count) {
        const std::string child = context_.child(
            name + "0", "torture", quoted(key_ + "." + name + "0 s w5 b1 x1"), lasting());
        const std::string came =
            context_.wait_any(name, R"([{"signal":"yes"},{"child":)" + quoted(child) +
                                        R"(},{"sleep_ms":)" + std::to_string(count) + "}]");
        const std::string value = behind(came, "value");
        note("chosen", run_, name, attempt_,
             behind(came, "index") + "." + (value == "null" ? "" : value));
    }

    static smolwf::submit_options lasting() {
        smolwf::submit_options options;
        options.queue = "work";
        options.max_tries = 1000;
        options.backoff_initial_ms = 5;
        options.backoff_max_ms = 20;
        return options;
    }

    // A step whose work never runs twice: interrupted, it has failed.
    void once(text name) {
        smolwf::step_options options;
        options.flags = SW_STEP_TRACK, options.max_tries = 1;
        const auto work = [&](smolwf::step &of) {
            effect(name, of);
            return quoted(token());
        };
        try {
            seen(name, context_.step(name, work, options));
        } catch (const smolwf::recorded_failure &) {
            note("interrupted", run_, name, attempt_, "");
        }
    }

    std::string spend(text name, int count) {
        auto [code, of] =
            patiently([&] { return context_.attempt().step_begin(name, {}, patient()); });
        if (code == SW_SUSPEND) throw smolwf::suspended(name);
        if (code == SW_REPLAYED) return std::string(of.result());
        context_.reserve("{\"coins\":" + std::to_string(count) + "}", {}, of.get());
        effect(name, of);
        const std::string value = quoted(token());
        const std::string used = "{\"coins\":" + std::to_string(count - count / 3) + "}";
        smolwf::step &begun = of;
        patiently([&] { begun.complete_usage(value, used); });
        return value;
    }

    std::string transaction(text name, int count) {
        const auto work = [&](smolwf::transaction &tx) {
            const std::string many = std::to_string(count);
            tx.sql("INSERT INTO torture_entries VALUES (?, ?, ?)",
                   "[" + quoted(run_) + "," + quoted(name) + "," + many + "]", 1);
            tx.sql("UPDATE torture_total SET amount = amount + ?", "[" + many + "]", 1);
            return quoted(token());
        };
        return context_.transaction(name, work, patient());
    }

    void children(text name, int count) {
        std::vector<std::string> ids;
        std::string waits;
        for (int at = 0; at < count; at++) {
            const std::string one = name + std::to_string(at);
            const std::string args = quoted(key_ + "." + one + " s w5 b1 x1");
            ids.push_back(context_.child(one, "torture", args, lasting()));
            waits += (at == 0 ? "[" : ",") + std::string("{\"child\":") + quoted(ids.back()) + "}";
        }
        const std::string came = context_.wait_all(name, waits + "]");
        std::size_t from = 0;
        for (text child : ids) {
            note("child", child, "", 0, behind(came, "value", from));
            from = came.find("\"value\":", from) + 1;
        }
    }

    smolwf::context &context_;
    std::string key_, run_;
    unsigned attempt_;
};

static std::string torture(smolwf::context &context) {
    std::istringstream words(std::string(context.args().substr(1, context.args().size() - 2)));
    std::string key, op;
    words >> key;
    plan of(context, key);
    for (int at = 0; words >> op; at++)
        of.perform(std::to_string(at) + op[0], op[0], std::atoi(op.c_str() + 1));
    return quoted(token());
}

// ---- The runs that it submits ------------------------------------------------------------------

static void cancel(smolwf::store &store, text run) {
    pause_ms(30);
    try {
        patiently([&] { store.run_cancel(run); });
    } catch (const smolwf::error &why) {
        if (why.code() != SW_ERR_CONFLICT) throw;
        return; // it has ended before
    }
    const smolwf::text document = patiently([&] { return store.run_get(run); });
    note("cancel", run, "",
         static_cast<unsigned>(std::atoi(behind(document.str(), "attempts").c_str())), "");
}

static void pause(smolwf::store &store, text run) {
    try {
        patiently([&] { store.run_pause(run); });
        pause_ms(30);
        patiently([&] { store.run_resume(run); });
    } catch (const smolwf::error &why) {
        if (why.code() != SW_ERR_CONFLICT) throw; // it has ended before
    }
}

static void send(smolwf::store &store, text run, text name, text key) {
    try {
        patiently([&] { return store.signal_send(run, name, quoted(key), key); });
        note("signal", run, name, 0, key);
    } catch (const smolwf::error &why) {
        if (why.code() != SW_ERR_CONFLICT) throw; // it has ended before
    }
}

// A call that failed may have made one all the same: each is noted before.
static void fork_run(smolwf::store &store, text run, text from) {
    const auto ask = [&] {
        note("forking", run, from, 0, "");
        return store.run_fork(run, from.empty() ? std::string_view() : from).str();
    };
    try {
        note("fork", patiently(ask), from, 0, run);
    } catch (const smolwf::error &why) {
        if (why.code() != SW_ERR_NOT_FOUND) throw; // it has not come so far
    }
}

static void retry(smolwf::store &store, text run, unsigned attempts) {
    note("retrying", run, "", 0, "");
    try {
        patiently([&] { store.run_retry(run); });
        note("retry", run, "", attempts, "");
    } catch (const smolwf::error &why) {
        if (why.code() != SW_ERR_CONFLICT) throw; // a call before, which failed, has done it
    }
}

struct end_of_run {
    std::string state;
    unsigned attempts = 0;
};

static end_of_run await(smolwf::store &store, text run) {
    const auto found = patiently([&] { return store.run_wait(run, 1500); });
    if (found.code != SW_OK) return {};
    const end_of_run end{behind(found.value, "state"),
                         static_cast<unsigned>(std::atoi(behind(found.value, "attempts").c_str()))};
    note("end", run, end.state, end.attempts,
         end.state == "completed" ? behind(found.value, "result") : "");
    return end;
}

static long now_ms() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

static void submit(smolwf::store &store, text line) {
    std::istringstream parts(line);
    std::string key, queue, shared, what, args;
    std::getline(parts, key, '\t'), std::getline(parts, queue, '\t');
    std::getline(parts, shared, '\t'), std::getline(parts, what, '\t');
    std::getline(parts, args, '\t');
    const std::string act = what.substr(0, what.find(':'));
    const std::string how = act == what ? "" : what.substr(act.size() + 1);
    smolwf::submit_options options;
    options.idempotency_key = key, options.idempotency_scope = "torture";
    options.queue = queue, options.budget = "{\"coins\":20}";
    options.max_tries = 1000, options.backoff_initial_ms = 5, options.backoff_max_ms = 20;
    if (shared != "-") options.concurrency_key = shared;
    if (act == "timeout") options.timeout_ms = std::atoi(how.c_str());
    const long began = now_ms();
    const std::string run =
        patiently([&] { return store.run_submit("torture", quoted(args), options).value.str(); });
    note("submit", run, key, 0, "");
    if (act == "cancel") cancel(store, run);
    if (act == "pause") pause(store, run);
    if (act == "signal") send(store, run, "go", key);
    if (act == "yes") send(store, run, "yes", key);
    const end_of_run end = await(store, run);
    if (act == "fork") fork_run(store, run, how);
    if (end.state != "failed") return;
    if (act == "timeout") note("late", run, key, 0, std::to_string(now_ms() - began));
    if (act == "retry") {
        retry(store, run, end.attempts);
        await(store, run);
    }
}

static void submit_all(smolwf::store &store, const char *plans, int from) {
    try {
        std::ifstream lines(plans);
        std::string line;
        for (int at = 0; is_stopping == 0 && std::getline(lines, line); at++)
            if (at >= from) submit(store, line);
    } catch (const std::exception &why) {
        if (is_stopping != 0) return;
        std::fprintf(stderr, "%s: no more submits: %s\n", who.c_str(), why.what());
        std::_Exit(3);
    }
}

static void work(char **args) {
    smolwf::store_options choice;
    choice.flags = SW_OPEN_NO_CREATE;
    smolwf::store store = smolwf::store::open(args[1], choice);
    store.init();
    smolwf::worker_options options;
    options.name = who;
    if (const int lease = std::atoi(args[4])) options.lease_ms = static_cast<uint32_t>(lease);
    options.queue = "work", options.threads = 3;
    smolwf::worker wide(store, {{"torture", torture}}, options);
    options.queue = "narrow", options.threads = 2;
    smolwf::worker narrow(store, {{"torture", torture}}, options);
    wide.start(), narrow.start();
    std::thread submitter([&] { submit_all(store, args[2], std::atoi(args[3])); });
    while (is_stopping == 0) pause_ms(100);
    wide.stop(), narrow.stop();
    submitter.join();
    wide.join(), narrow.join();
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    witness = ::open(std::getenv("TORTURE_WITNESS"), O_WRONLY | O_APPEND | O_CLOEXEC);
    std::signal(SIGTERM, [](int) { is_stopping = 1; });
    try {
        work(argv);
        return 0;
    } catch (const std::exception &why) {
        std::fprintf(stderr, "%s: %s\n", who.c_str(), why.what());
        return 1;
    }
}
