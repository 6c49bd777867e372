/*
 * Plays the scenarios of tests/vectors/worker with smolwf_worker.hpp.
 *   worker <file of scenarios>...   plays them; SW_SCENARIO=text those whose name has the text
 *   worker hold <database>          holds the write lock of a database until its input ends
 */
#include "json.hpp"
#include "support.hpp"

#include <smolwf_worker.hpp>

#include <fcntl.h>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;

static const auto PATIENCE = 30s;

struct fault : std::runtime_error {
    using runtime_error::runtime_error;
};

/* ---- What happened, counted outside of any store ------------------------------------------ */

struct witness {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, int> effects;
    std::set<std::string> open;
    bool is_over = false;
    struct told_event {
        std::string run_id, kind;
        uint32_t attempt;
    };
    std::vector<told_event> events;
    std::vector<std::string> incomplete;

    int count(const std::string &label) {
        std::lock_guard<std::mutex> lock(mutex);
        changed.notify_all();
        return ++effects[label];
    }
    void pass(const std::string &gate) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [&] { return is_over || open.count(gate) != 0; });
    }
    void open_gate(const std::string &gate) {
        std::lock_guard<std::mutex> lock(mutex);
        open.insert(gate);
        changed.notify_all();
    }
    /** Opens every gate: what was left behind goes home. */
    void end() {
        std::lock_guard<std::mutex> lock(mutex);
        is_over = true;
        changed.notify_all();
    }
    template <class Done> bool wait(Done done) {
        std::unique_lock<std::mutex> lock(mutex);
        return changed.wait_for(lock, PATIENCE, done);
    }
    void told(const smolwf::event &e) {
        if (e.call == "sw_run_claim") return; /* about no run */
        std::lock_guard<std::mutex> lock(mutex);
        events.push_back({std::string(e.run_id), std::string(e.kind), e.attempt});
        const bool is_whole = !e.run_id.empty() && !e.root_run_id.empty() && !e.workflow.empty() &&
                              !e.queue.empty() && !e.attempt_id.empty() && e.attempt != 0 &&
                              !e.metadata.empty();
        if (!is_whole) incomplete.emplace_back(e.kind);
        changed.notify_all();
    }
};

/* ---- Values ------------------------------------------------------------------------------- */

static std::string made(const std::string &kind) {
    if (kind == "pair") return "[1,2]";
    if (kind == "engine_key") return "{\"$smolwf\":\"tries\"}";
    if (kind == "deep") return std::string(150, '[') + std::string(150, ']');
    if (kind == "huge") return "\"" + std::string(17U << 20U, 'x') + "\"";
    if (kind == "bad_text") return "\"\xff\xfe\"";
    if (kind == "nan") return "NaN";
    if (kind == "cycle") return "[[[[";
    throw fault("no value is made as " + kind);
}

struct frame {
    smolwf::context run;
    std::shared_ptr<witness> seen;
    std::mutex mutex;
    std::map<std::string, std::string> variables;

    frame(smolwf::context of, std::shared_ptr<witness> by)
        : run(std::move(of)), seen(std::move(by)) {
        variables["args"] = std::string(run.args());
    }
    std::string value(const json &of) {
        if (of.has("$make")) return made(of["$make"].text);
        if (of.has("$attempt")) return std::to_string(run.attempt().number());
        if (of.has("$var")) {
            std::lock_guard<std::mutex> lock(mutex);
            return variables[of["$var"].text];
        }
        json filled = of;
        for (json &item : filled.items) item = raw(value(item));
        for (auto &[name, member] : filled.members) member = raw(value(member));
        return filled.write();
    }
    void keep(const json &act, std::string value) {
        if (!act.has("as")) return;
        std::lock_guard<std::mutex> lock(mutex);
        variables[act["as"].text] = std::move(value);
    }

  private:
    static json raw(std::string text) {
        json value;
        value.text = std::move(text);
        return value;
    }
};

/* ---- Acts --------------------------------------------------------------------------------- */

struct wrapped : std::runtime_error {
    wrapped() : runtime_error("wrapped by the author") {}
};
struct bad_text : std::exception {
    const char *what() const noexcept override { return "\xff\xfe is no text"; }
};
struct no_text : std::exception {
    const char *what() const noexcept override { return nullptr; }
};

[[noreturn]] static void raise(const json &what) {
    if (what.has("error")) throw std::runtime_error(what["error"].text);
    if (what.has("failure")) throw smolwf::failure(what["failure"].write(), what.has("terminal"));
    const std::string &kind = what["kind"].text;
    if (kind == "bad_text") throw bad_text();
    if (kind == "nul_text") throw std::runtime_error(std::string("a\0b", 3));
    if (kind == "bad_str") throw no_text();
    if (kind == "not_an_error" || kind == "exit") throw 42;
    if (kind == "nothing") throw nullptr;
    if (kind == "suspend") throw smolwf::suspended("the author's own");
    if (kind == "own_cancel") throw std::future_error(std::future_errc::broken_promise);
    if (kind == "group") {
        try {
            throw std::runtime_error("one of two");
        } catch (...) { std::throw_with_nested(std::runtime_error("two errors")); }
    }
    throw smolwf::failure(made(kind));
}

using maybe = std::optional<std::string>;
static maybe play(const std::shared_ptr<frame> &of, const std::vector<json> &acts);

static void play_step(frame &of, const json &act) {
    const std::string name = act["step"].text;
    const std::string label = act.has("effect") ? act["effect"].text : name;
    smolwf::step_options options;
    options.backoff_initial_ms = 1;
    options.occurrence = static_cast<uint32_t>(act["occurrence"].number());
    options.max_tries = static_cast<uint32_t>(act["max_tries"].number());
    const std::string input = act.has("input") ? of.value(act["input"]) : "";
    const auto work = [&]() -> std::string {
        const int count = of.seen->count(label);
        if (act.has("gate")) of.seen->pass(act["gate"].text);
        if (act.has("until_told")) {
            of.run.wait_told(SW_FOREVER);
            of.seen->count(label + " heard");
            return "null";
        }
        if (act.has("throws")) raise(act["throws"]);
        if (count <= act["fails"].number()) throw std::runtime_error("boom");
        return of.value(act["returns"]);
    };
    const std::string_view given = input.empty() ? std::string_view() : input;
    of.keep(act, of.run.step(name, work, options, given));
}

static void play_parallel(const std::shared_ptr<frame> &of, const json &act) {
    struct branches {
        std::mutex mutex;
        std::condition_variable changed;
        size_t left = 0;
        std::vector<std::exception_ptr> errors;
    };
    auto all = std::make_shared<branches>();
    all->left = act["parallel"].items.size();
    std::vector<std::thread> threads;
    for (const json &branch : act["parallel"].items) {
        threads.emplace_back([of, all, acts = branch.items] {
            std::exception_ptr error;
            try {
                play(of, acts);
            } catch (...) { error = std::current_exception(); }
            std::lock_guard<std::mutex> lock(all->mutex);
            if (error) all->errors.push_back(error);
            all->left--;
            all->changed.notify_all();
        });
    }
    const bool is_first = act["join"].text == "first";
    std::unique_lock<std::mutex> lock(all->mutex);
    all->changed.wait(lock, [&] { return all->left == 0 || (is_first && !all->errors.empty()); });
    for (std::thread &thread : threads) thread.detach();
    std::string on;
    for (const std::exception_ptr &error : all->errors) {
        if (!smolwf::detail::find_suspended(error, on)) std::rethrow_exception(error);
    }
    if (!all->errors.empty()) std::rethrow_exception(all->errors.front());
}

/** What the work of a transaction does. */
static void collect(const std::shared_ptr<frame> &of, smolwf::transaction &tx, const json &act) {
    const int count = of->seen->count(act["transaction"].text);
    std::map<std::string, size_t> numbers;
    for (const json &item : act["do"].items) {
        if (item.has("insert")) {
            const std::string params = "[" + item["insert"].write() + "]";
            numbers[item["as"].text] = tx.sql("INSERT INTO kept VALUES ($1)", params);
        } else if (item.has("refused")) {
            if (count <= item["refused"].number()) tx.sql("INSERT INTO kept VALUES (NULL)");
        } else if (item.has("result")) {
            tx.step_complete(of->value(item["result"]));
        } else if (item.has("result_from")) {
            tx.step_complete_from(numbers.at(item["result_from"].text));
        } else {
            play(of, {item});
        }
    }
    if (count <= act["fails"].number()) throw std::runtime_error("boom");
}

static void play_transaction(const std::shared_ptr<frame> &of, const json &act) {
    smolwf::step_options options;
    options.backoff_initial_ms = 1;
    options.max_tries = static_cast<uint32_t>(act["max_tries"].number());
    const auto work = [&](smolwf::transaction &tx) { collect(of, tx, act); };
    of->keep(act, of->run.transaction(act["transaction"].text, work, options));
}

/** Returns whether the act is known. */
static bool play_wait(frame &of, const json &act) {
    const int64_t timeout_ms = act.has("timeout_ms") ? act["timeout_ms"].number() : SW_FOREVER;
    if (act.has("sleep")) {
        of.run.sleep(act["sleep"].text, act["ms"].number());
    } else if (act.has("signal")) {
        of.keep(act, of.run.signal(act["signal"].text, timeout_ms));
    } else if (act.has("child")) {
        smolwf::submit_options options;
        options.timeout_ms = act["timeout_ms"].number();
        const std::string args = act.has("args") ? of.value(act["args"]) : "null";
        of.keep(act, of.run.child(act["child"].text, act["workflow"].text, args, options));
    } else if (act.has("result")) {
        std::string child;
        {
            std::lock_guard<std::mutex> lock(of.mutex);
            child = of.variables[act["result"].text];
        }
        of.keep(act, of.run.result(child));
    } else if (act.has("all")) {
        of.keep(act, of.run.wait_all(act["all"].text, act["waits"].write()));
    } else if (act.has("reserve")) {
        of.run.reserve(act["reserve"].write());
    } else {
        return false;
    }
    return true;
}

static maybe play_one(const std::shared_ptr<frame> &of, const json &act) {
    if (act.has("return")) return of->value(act["return"]);
    if (act.has("step")) {
        play_step(*of, act);
    } else if (act.has("transaction")) {
        play_transaction(of, act);
    } else if (act.has("unknown")) {
        of->seen->count("as expected"); /* nothing here tells what an item came to */
    } else if (act.has("effect")) {
        of->seen->count(act["effect"].text);
    } else if (act.has("expect")) {
        json wanted;
        wanted.is = json::object;
        wanted.members.emplace_back("$var", act["expect"]);
        const bool is_so = json::read(of->value(wanted)).write() == act["is"].write();
        of->seen->count(is_so ? "as expected" : "not as expected");
    } else if (act.has("gate")) {
        of->seen->pass(act["gate"].text);
    } else if (act.has("parallel")) {
        play_parallel(of, act);
    } else if (act.has("spawn")) {
        std::thread([of, acts = act["spawn"].items] {
            try {
                play(of, acts);
            } catch (...) { /* nobody waits for it */
            }
        }).detach();
    } else if (act.has("swallow")) {
        try {
            play(of, act["swallow"].items);
        } catch (...) {}
    } else if (act.has("wrap")) {
        try {
            play(of, act["wrap"].items);
        } catch (...) { std::throw_with_nested(wrapped()); }
    } else if (act.has("throw")) {
        raise(act["throw"]);
    } else if (!play_wait(*of, act)) {
        throw fault("no act is " + act.write());
    }
    return std::nullopt;
}

static maybe play(const std::shared_ptr<frame> &of, const std::vector<json> &acts) {
    for (const json &act : acts) {
        if (maybe result = play_one(of, act)) return result;
    }
    return std::nullopt;
}

/* ---- A scenario --------------------------------------------------------------------------- */

/* A server of scripts/postgres.sh on which stores lie, or null. */
static const char *server() { return std::getenv("SW_POSTGRES_URL"); }

/* Where a scenario's store lies: a file, or on the server a schema of its own, with a password in its URL
 * that the server asks nobody for. */
static std::string place(const std::string &name) {
    if (server() == nullptr) return temp_path(name.c_str());
    const std::string schema = "sw_test_" + std::to_string(getpid()) + "_" + name;
    return std::string(server()) + "&password=sesame&sw_schema=" + schema +
           "&options=-csearch_path%3D" + schema;
}

class holder { /* another process that holds the write lock */
  public:
    explicit holder(const std::string &path) {
        int in[2], out[2];
        if (pipe(in) != 0 || pipe(out) != 0) throw fault("pipe");
        child_ = fork();
        if (child_ == 0) {
            dup2(in[0], 0), dup2(out[1], 1);
            ::close(in[0]), ::close(in[1]), ::close(out[0]), ::close(out[1]);
            execl("/proc/self/exe", "worker", "hold", path.c_str(), nullptr);
            _exit(127);
        }
        ::close(in[0]), ::close(out[1]);
        in_ = in[1];
        char ready = 0;
        const bool is_held = read(out[0], &ready, 1) == 1;
        ::close(out[0]);
        if (!is_held) throw fault("the lock is not held");
    }
    holder(const holder &) = delete;
    holder &operator=(const holder &) = delete;
    ~holder() {
        ::close(in_);
        waitpid(child_, nullptr, 0);
    }

  private:
    pid_t child_ = -1;
    int in_ = -1;
};

static int hold(const std::string &path) {
    if (server() != nullptr) {
        execl("scripts/postgres-hold.sh", "postgres-hold.sh", path.c_str(), nullptr);
        return 127;
    }
    const int fd = open((path + "-shm").c_str(), O_RDWR | O_CLOEXEC);
    struct flock write_lock = {};
    write_lock.l_type = F_WRLCK, write_lock.l_whence = SEEK_SET;
    write_lock.l_start = 120, write_lock.l_len = 1; /* SQLite's own, of writers of a log */
    if (fd < 0 || fcntl(fd, F_SETLKW, &write_lock) != 0) return 1;
    char byte = '+';
    if (write(1, &byte, 1) != 1) return 1;
    while (read(0, &byte, 1) > 0) {}
    return 0;
}

class stage {
  public:
    stage(const json &scenario, std::string path) : scenario_(scenario), path_(std::move(path)) {
        smolwf::store_options options;
        options.busy_timeout_ms =
            static_cast<uint32_t>(scenario_["store"]["busy_timeout_ms"].number(5000));
        store_ = smolwf::store::open(path_, options);
        store_.init();
        if (contains(store_.path(), "sesame")) throw fault("a password is shown");
        if (scenario_["expect"].has("kept")) {
            smolwf::transaction table;
            table.sql("CREATE TABLE kept (text TEXT NOT NULL)");
            store_.tx_run(table.script());
        }
        for (const json &run : scenario_["submit"].items) {
            if (!run.has("later")) submit(run);
        }
        start();
    }

    void play_world() {
        for (const json &act : scenario_["world"].items) {
            for (const auto &[name, value] : act.members) known(name);
            do_act(act);
        }
    }

    void compare() {
        const json &expect = scenario_["expect"];
        for (const auto &[name, value] : expect.members) known(name);
        for (const auto &[label, wanted] : expect["effects"].members)
            await_effect(label, wanted.number());
        if (!is_closed_) {
            for (const json &run : expect["runs"].items)
                await_state(run["run"].text, run["state"].text);
        }
        end_worker();
        seen_->end();
        const json &codes = expect["worker"];
        const bool is_one = contains(codes.write(), "\"" + ended_ + "\"");
        if (codes.is_null() ? ended_ != "stopped" : !is_one)
            throw fault("the worker ended: " + ended_);
        if (is_closed_) reopen();
        for (const json &run : expect["runs"].items) compare_run(run);
        if (expect.has("kept")) compare_kept(expect["kept"]);
        std::lock_guard<std::mutex> lock(seen_->mutex);
        for (const auto &[label, count] : expect["effects"].members) {
            check("effect " + label, std::to_string(seen_->effects[label]), count.text);
        }
        /* Another thread may have the next attempt before the first has told of its end. */
        std::stable_sort(
            seen_->events.begin(), seen_->events.end(),
            [](const auto &one, const auto &two) { return one.attempt < two.attempt; });
        for (const auto &[run, kinds] : expect["events"].members) {
            std::string told;
            for (const auto &[id, kind, attempt] : seen_->events) {
                if (id == runs_[run]) told += (told.empty() ? "\"" : ",\"") + kind + "\"";
            }
            check("events", "[" + told + "]", kinds.write());
        }
        if (expect.has("hooks"))
            check("whole events", std::to_string(seen_->incomplete.size()), "0");
    }

    ~stage() {
        seen_->end();
        end_worker();
    }

  private:
    static void known(const std::string &name) {
        static const std::set<std::string> names = {
            "await_effect", "count", "await_state", "state",  "open",   "submit",  "cancel",
            "send",         "name",  "payload",     "lock",   "result", "stop",    "await_stopped",
            "start",        "runs",  "lose_log",    "run",    "events", "effects", "take_over",
            "close_store",  "hooks", "await_event", "worker", "kept"};
        if (names.count(name) == 0) throw fault("nothing is known as " + name);
    }
    static void check(const std::string &what, const std::string &is, const std::string &wanted) {
        if (is != wanted) throw fault(what + " is " + is.substr(0, 600) + ", expected " + wanted);
    }

    void submit(const json &run) {
        smolwf::submit_options options;
        const std::string metadata = run["metadata"].write(), budget = run["budget"].write();
        const std::string args = run["args"].write();
        if (run.has("code_version")) options.code_version = run["code_version"].text;
        if (run.has("metadata")) options.metadata = metadata;
        if (run.has("budget")) options.budget = budget;
        options.max_tries = static_cast<uint32_t>(run["max_tries"].number());
        options.timeout_ms = run["timeout_ms"].number();
        options.backoff_initial_ms = 1;
        runs_[run["as"].text] = store_.run_submit(run["workflow"].text, args, options).value.str();
    }

    void start() {
        std::vector<smolwf::workflow> workflows;
        for (const auto &[name, workflow] : scenario_["workflows"].members) {
            const auto run = [seen = seen_, acts = workflow["do"].items](smolwf::context &of) {
                return play(std::make_shared<frame>(of, seen), acts).value_or("null");
            };
            const std::string version =
                workflow.has("code_version") ? workflow["code_version"].text : "";
            workflows.emplace_back(name, run, version);
        }
        const json &given = scenario_["worker"];
        smolwf::worker_options options;
        options.threads = 4;
        options.grace_ms = given["grace_ms"].number(20000);
        if (given.has("lease_ms"))
            options.lease_ms = static_cast<uint32_t>(given["lease_ms"].number());
        const bool throws = given.has("hook_throws");
        options.on_event = [seen = seen_, throws](const smolwf::event &e) {
            seen->told(e);
            if (throws) throw std::runtime_error("the hook throws");
        };
        worker_ = std::make_unique<smolwf::worker>(store_, workflows, options);
        worker_->start();
        stops_ = 0;
        joining_ = std::async(std::launch::async, [this] {
            try {
                worker_->join();
                return std::string("stopped");
            } catch (const smolwf::error &why) { return std::string(why.code_name()); }
        });
    }

    void end_worker() {
        if (!joining_.valid()) return;
        if (joining_.wait_for(0s) != std::future_status::ready && stops_ == 0) worker_->stop();
        ended_ = joining_.get();
    }

    void await_effect(const std::string &label, int count) {
        if (!seen_->wait([&] { return seen_->effects[label] >= count; })) {
            throw fault("effect " + label + " did not come");
        }
    }
    void await_state(const std::string &run, const std::string &state) {
        const auto end = std::chrono::steady_clock::now() + PATIENCE;
        std::string is;
        while (std::chrono::steady_clock::now() < end) {
            is = document(run)["state"].text;
            if (is == state) return;
            std::this_thread::sleep_for(5ms); /* the state is asked for, nothing tells of each */
        }
        throw fault("run " + run + " is " + is + ", expected " + state);
    }
    json document(const std::string &run) { return json::read(store_.run_get(runs_.at(run))); }

    void do_act(const json &act) {
        if (act.has("await_effect"))
            return await_effect(act["await_effect"].text, act["count"].number(1));
        if (act.has("await_state")) return await_state(act["await_state"].text, act["state"].text);
        if (act.has("await_event")) return await_event(act);
        if (act.has("open")) return seen_->open_gate(act["open"].text);
        if (act.has("submit")) {
            for (const json &run : scenario_["submit"].items) {
                if (run["as"].text == act["submit"].text) submit(run);
            }
        } else if (act.has("cancel")) {
            store_.run_cancel(runs_.at(act["cancel"].text));
        } else if (act.has("send")) {
            const std::string payload = act["payload"].write();
            store_.signal_send(runs_.at(act["send"].text), act["name"].text, payload);
        } else if (act.has("take_over")) {
            take_over(act);
        } else if (act.has("lock")) {
            holder_ = act["lock"].text == "true" ? std::make_unique<holder>(path_) : nullptr;
        } else if (act.has("stop")) {
            worker_->stop();
            stops_++;
        } else if (act.has("await_stopped")) {
            if (joining_.wait_for(PATIENCE) != std::future_status::ready)
                throw fault("it does not stop");
            ended_ = joining_.get();
        } else if (act.has("start")) {
            start();
        } else if (act.has("lose_log")) {
            std::remove((path_ + "-wal").c_str());
        } else if (act.has("close_store")) {
            store_.close();
            is_closed_ = true;
        }
    }

    void await_event(const json &act) {
        const auto is_told = [&] {
            int count = 0;
            for (const auto &[id, kind, attempt] : seen_->events) {
                const bool is_of = !act.has("run") || id == runs_[act["run"].text];
                count += is_of && kind == act["await_event"].text ? 1 : 0;
            }
            return count >= act["count"].number(1);
        };
        if (!seen_->wait(is_told)) throw fault("nothing was told of " + act.write());
    }

    void take_over(const json &act) {
        smolwf::store_options ahead;
        ahead.flags = SW_OPEN_MANUAL_CLOCK;
        smolwf::store other = smolwf::store::open(path_, ahead);
        other.advance_clock(3'600'000);
        auto [code, attempt] = other.run_claim();
        if (code != SW_OK || attempt.run_id() != runs_.at(act["take_over"].text))
            throw fault("not taken");
        attempt.complete(act["result"].write());
    }

    void reopen() { store_ = smolwf::store::open(path_); }

    void compare_kept(const json &wanted) {
        const json found = json::read(store_.query("SELECT text FROM kept ORDER BY text"));
        std::string kept;
        for (const json &row : found["rows"].items)
            kept += (kept.empty() ? "" : ",") + row.items.at(0).write();
        check("kept", "[" + kept + "]", wanted.write());
    }

    void compare_run(const json &wanted) {
        const json run = document(wanted["run"].text);
        const std::string name = "run " + wanted["run"].text + ": ";
        check(name + "state", run["state"].text, wanted["state"].text);
        for (const char *key : {"result", "attempts", "tries"}) {
            if (wanted.has(key)) check(name + key, run[key].write(), wanted[key].write());
        }
        const std::string error = run["error"].write();
        for (const json &part : wanted["error_has"].items) {
            std::string plain;
            for (size_t at = 0; at < part.text.size(); at++) {
                plain += part.text[at] == '\\' ? part.text[++at] : part.text[at];
            }
            if (!contains(error, plain))
                throw fault(name + "error lacks " + plain + ": " + error.substr(0, 600));
        }
        if (wanted.has("attempts_max") &&
            run["attempts"].number() > wanted["attempts_max"].number()) {
            throw fault(name + "had " + run["attempts"].text + " attempts");
        }
    }

    const json &scenario_;
    std::string path_;
    smolwf::store store_;
    std::shared_ptr<witness> seen_ = std::make_shared<witness>();
    std::map<std::string, std::string> runs_;
    std::unique_ptr<smolwf::worker> worker_;
    std::future<std::string> joining_;
    std::unique_ptr<holder> holder_;
    std::string ended_;
    int stops_ = 0;
    bool is_closed_ = false;
};

/* Says why a scenario has no meaning in this language, on the server, or behind its pooler. */
static bool is_left_out(const json &scenario) {
    const std::string url = server() == nullptr ? "" : server();
    const json &reasons = scenario["not_in"];
    std::vector<const char *> places = {"cpp"};
    if (!url.empty()) places.push_back("postgres");
    if (contains(url, "sw_pooler=transaction")) places.push_back("pooler");
    for (const char *at : places) {
        if (reasons[at].is_null()) continue;
        std::printf("not in C++: %s: %s\n", scenario["name"].text.c_str(),
                    reasons[at].text.c_str());
        return true;
    }
    return false;
}

static bool run_scenario(const json &scenario, const std::string &path) {
    try {
        stage on(scenario, path);
        on.play_world();
        on.compare();
        return true;
    } catch (const std::exception &why) {
        std::printf("failed: %s: %s\n", scenario["name"].text.c_str(), why.what());
        return false;
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && std::string_view(argv[1]) == "hold") return hold(argv[2]);
    const char *only = std::getenv("SW_SCENARIO");
    int passed = 0, failed = 0;
    for (int at = 1; at < argc; at++) {
        std::stringstream text;
        text << std::ifstream(argv[at]).rdbuf();
        const json file = json::read(text.str());
        for (const json &scenario : file["scenarios"].items) {
            if (only != nullptr && !contains(scenario["name"].text, only)) continue;
            if (is_left_out(scenario)) continue;
            const std::string name = "s" + std::to_string(passed + failed);
            run_scenario(scenario, place(name)) ? passed++ : failed++;
        }
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    std::fflush(stdout);
    _exit(failed == 0 ? 0 : 1); /* threads that were left behind are not waited for */
}
