/*
 * smolwf_worker.hpp: workflows as functions, and the worker that runs them, for C++17 and newer.
 *
 *     smolwf::worker worker(store, {{"invoice", [](smolwf::context &run) {
 *         std::string receipt = run.step("charge", [] { return charge_the_card(); });
 *         run.sleep("cool-off", 60'000);              // parks: no thread, no lease
 *         return receipt;                             // results are JSON texts
 *     }}});
 *     worker.run_until_signal();                      // SIGTERM drains, a second one ends
 *
 * It keeps the rules of docs/WORKERS.md (W1 to W18). In C++:
 *
 * WAITS        throw smolwf::suspended when they are not over. It is no std::exception, so
 *              catch (const std::exception &) lets it through; catch (...) is to throw it on.
 * FAILURES     what a workflow or a step's work throws is recorded: what() of a std::exception,
 *              those nested in it as its causes, the type of anything else. smolwf::failure says
 *              what to record, and whether to try again. What was recorded for good comes back as
 *              smolwf::recorded_failure.
 * THREADS      a context may be used from any thread of its workflow; the end of the attempt waits
 *              for the steps that are open in any of them. Steps side by side have distinct names.
 * STOPS        the first stop() drains for grace_ms, the second, or the end of that time, gives the
 *              runs back at once. A function that runs on is left behind in its thread, and what
 *              it tries to record is refused. stop() may be called from a handler of signals.
 * CANCELS      context.told() says that the run was cancelled or taken over, or that the worker
 *              ends; wait_told() sleeps until then.
 * ERRORS       a worker that must end (a lost log, a failed sync) throws from join() and run().
 *              One run never ends a worker.
 * EVENTS       worker_options::on_event is told what happens; by default warnings and errors go
 *              to stderr. It is called by any of the worker's threads.
 *
 * Needs exceptions. The store must outlive the worker.
 */
#ifndef SMOLWF_WORKER_HPP
#define SMOLWF_WORKER_HPP

#include <smolwf.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <typeinfo>

namespace smolwf {

/* ---- What is thrown ----------------------------------------------------------------------- */

/** Thrown by a wait that is not over: let it pass. The attempt parks; the function runs again. */
class suspended {
  public:
    explicit suspended(std::string on) : on_(std::move(on)) {}
    /** What is waited for. */
    const std::string &on() const noexcept { return on_; }

  private:
    std::string on_;
};

/** Thrown by the author: what to record, as JSON, and whether and when to try again. */
class failure : public std::runtime_error {
  public:
    explicit failure(std::string json, bool terminal = false, int64_t retry_after_ms = 0)
        : runtime_error(json), json_(std::move(json)), terminal_(terminal),
          retry_after_ms_(retry_after_ms) {}
    /** What is recorded. */
    const std::string &json() const noexcept { return json_; }
    /** Whether it is not to be tried again. */
    bool terminal() const noexcept { return terminal_; }
    /** Milliseconds until the next try; 0 is what the backoff says. */
    int64_t retry_after_ms() const noexcept { return retry_after_ms_; }

  private:
    std::string json_;
    bool terminal_;
    int64_t retry_after_ms_;
};

/** A step or a child has failed for good, in this attempt or before. */
class recorded_failure : public std::runtime_error {
  public:
    recorded_failure(const std::string &of, std::string json)
        : runtime_error(of + " failed: " + json), json_(std::move(json)) {}
    /** What was recorded. */
    const std::string &json() const noexcept { return json_; }

  private:
    std::string json_;
};

/** A transaction is used as none can be: inside of another, with two results. For good. */
class transaction_error : public std::logic_error {
  public:
    using logic_error::logic_error;
};

/** A wait ran out of time. */
class timed_out : public std::runtime_error {
  public:
    explicit timed_out(const std::string &of) : runtime_error(of + " did not come in time") {}
};

/** Why an attempt is to end. */
enum class why_told { nothing, cancelled, lost, stopped };

/* ---- Events ------------------------------------------------------------------------------- */

/** How much an event matters. */
enum class severity { debug, info, warning, error };

/** What happened to a run; docs/WORKERS.md lists the kinds. Views live as long as the call. */
struct event {
    std::string_view kind;
    severity level = severity::info;
    /** Empty, and the attempt 0, where a claim is delayed: that is about no run. */
    std::string_view run_id, root_run_id, parent_run_id, workflow, queue, attempt_id;
    uint32_t attempt = 0;
    /** JSON of the run's metadata; absent when there is none. */
    std::string_view metadata;
    /** Of steps. */
    std::string_view step_id, step;
    uint32_t occurrence = 0, step_tries = 0;
    /** Milliseconds since the claim, or since the step's work began; -1 where none is told. */
    int64_t duration_ms = -1;
    /** Unix milliseconds; 0 when there is no other try. */
    int64_t retry_at_ms = 0;
    /** JSON of what was recorded, or the sentence of an error. */
    std::string_view error;
    /** What a parked run waits for, by name; whether its function swallowed that. */
    std::vector<std::string> waiting_for = {};
    bool swallowed = false;
    /** Why it was given back; the call that is made again. */
    std::string_view reason, call;
};

/** Writes events of a level and above as lines to stderr. */
inline std::function<void(const event &)> log_from(severity least) {
    return [least](const event &e) {
        if (e.level < least) return;
        static constexpr const char *NAMES[] = {"debug", "info", "warning", "error"};
        std::string line = "smolwf: " + std::string(NAMES[static_cast<int>(e.level)]) + ": ";
        line.append(e.kind);
        auto add = [&line](const char *name, std::string_view value) {
            if (!value.empty()) line.append(" ").append(name).append("=").append(value);
        };
        add("run", e.run_id), add("workflow", e.workflow), add("step", e.step);
        if (e.attempt != 0) add("attempt", std::to_string(e.attempt));
        for (const std::string &wait : e.waiting_for) add("waiting_for", wait);
        add("call", e.call), add("reason", e.reason), add("error", e.error);
        if (e.retry_at_ms != 0) add("retry_at_ms", std::to_string(e.retry_at_ms));
        std::fprintf(stderr, "%s\n", line.c_str());
    };
}

/** Options of a worker. */
struct worker_options {
    /** Absent is "default". */
    std::string queue = {};
    /** Runs at once, each in a thread. */
    unsigned threads = 1;
    /** Milliseconds that a lease holds; it is extended while the process works on the run. */
    uint32_t lease_ms = SW_LEASE_WHILE_ALIVE;
    /** Shown with its attempts. */
    std::string name = {};
    /** Milliseconds between the first stop and the end of what runs. */
    int64_t grace_ms = 25'000;
    /** Told what happens. */
    std::function<void(const event &)> on_event = log_from(severity::warning);
};

namespace detail {

using clock = std::chrono::steady_clock;

inline int64_t ms_since(clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin).count();
}

/** A code that may pass: the same call is made again (W10). */
inline bool may_pass(int32_t code) noexcept {
    return code == SW_ERR_BUSY || code == SW_ERR_IO || code == SW_ERR_NOMEM || code == SW_ERR_FULL;
}

/** A code after which the store is of no more use to this process (W16). */
inline bool must_end(int32_t code) noexcept {
    switch (code) {
    case SW_ERR_WAL_LOST:
    case SW_ERR_POISONED:
    case SW_ERR_CORRUPT:
    case SW_ERR_READONLY:
    case SW_ERR_FORKED:
    case SW_ERR_SCHEMA_OLD:
    case SW_ERR_SCHEMA_NEW:
    case SW_ERR_SCHEMA_FOREIGN:
    case SW_ERR_SCHEMA_EDITED:
    case SW_ERR_MOVED:
        return true;
    default:
        return false;
    }
}

/** Puts a replacement character for what is not UTF-8, so that any text can be recorded. */
inline std::string as_utf8(std::string_view text) {
    std::string clean;
    for (size_t at = 0; at < text.size();) {
        const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
        const size_t more = byte(0) < 0x80 ? 0 : byte(0) < 0xe0 ? 1 : byte(0) < 0xf0 ? 2 : 3;
        bool fits =
            at + more < text.size() && (byte(0) < 0x80 || byte(0) >= 0xc2) && byte(0) < 0xf5;
        for (size_t i = 1; fits && i <= more; i++) fits = (byte(i) & 0xc0) == 0x80;
        if (fits && more == 2) {
            fits = (byte(0) != 0xe0 || byte(1) >= 0xa0) && (byte(0) != 0xed || byte(1) < 0xa0);
        } else if (fits && more == 3) {
            fits = (byte(0) != 0xf0 || byte(1) >= 0x90) && (byte(0) != 0xf4 || byte(1) < 0x90);
        }
        if (fits) {
            clean.append(text.substr(at, more + 1));
            at += more + 1;
        } else {
            clean.append("\xef\xbf\xbd");
            at++;
        }
    }
    return clean;
}

inline std::string quoted(std::string_view text) {
    constexpr size_t MAX = 8192;
    return json_quote(as_utf8(text.substr(0, MAX))).str();
}

/** The value of a member of an object that the library wrote. */
inline std::string_view member(std::string_view object, std::string_view key) {
    int depth = 0;
    for (size_t at = 0; at < object.size(); at++) {
        if (object[at] == '{' || object[at] == '[') depth++;
        if (object[at] == '}' || object[at] == ']') depth--;
        if (object[at] != '"') continue;
        const size_t begin = at + 1;
        for (at = begin; object[at] != '"'; at++) at += object[at] == '\\' ? 1 : 0;
        const bool is_key = depth == 1 && at + 1 < object.size() && object[at + 1] == ':';
        if (is_key && object.substr(begin, at - begin) == key) return object.substr(at + 2);
    }
    return {};
}

inline std::string type_name(const std::type_info *type) {
    if (type == nullptr) return "unknown";
    int status = 0;
    char *demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    std::string name = demangled == nullptr ? type->name() : demangled;
    std::free(demangled);
    /* throw_with_nested wraps the author's type in one of the library. */
    const std::string wrapper = "std::_Nested_exception<";
    return name.rfind(wrapper, 0) == 0
               ? name.substr(wrapper.size(), name.size() - wrapper.size() - 1)
               : name;
}

/** What an exception nests; none is null. */
inline std::exception_ptr nested_in(const std::exception_ptr &thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::nested_exception &outer) { return outer.nested_ptr(); } catch (...) {
        return nullptr;
    }
}

/** The wait in an exception or in those that it nests (W3). */
inline bool find_suspended(std::exception_ptr thrown, std::string &on) {
    for (int depth = 0; thrown && depth < 32; depth++) {
        try {
            std::rethrow_exception(thrown);
        } catch (const suspended &wait) {
            on = wait.on();
            return true;
        } catch (const smolwf::error &error) {
            if (error.code() == SW_ERR_BUDGET) return on = "budget", true;
        } catch (...) {}
        thrown = nested_in(thrown);
    }
    return false;
}

/** The form in which whatever was thrown is recorded (W7, W8). */
inline std::string form_of(const std::exception_ptr &thrown, int depth = 0) {
    std::string type, said, cause;
    try {
        std::rethrow_exception(thrown);
    } catch (const recorded_failure &inner) {
        type = type_name(&typeid(inner)), said = inner.what(), cause = inner.json();
    } catch (const std::exception &error) {
        type = type_name(&typeid(error)), said = error.what() == nullptr ? "" : error.what();
    } catch (...) {
        type = type_name(abi::__cxa_current_exception_type());
        said = "something was thrown that is no std::exception";
    }
    const std::exception_ptr inner = nested_in(thrown);
    if (cause.empty() && inner && depth < 8) cause = form_of(inner, depth + 1);
    std::string form = "{\"type\":" + quoted(type) + ",\"message\":" + quoted(said);
    if (!cause.empty()) form += ",\"cause\":" + cause;
    return form + "}";
}

/** A failure as it is to be recorded, and when it is to be tried again. */
struct to_record {
    std::string json;
    fail_options options;
};

inline to_record record_of(const std::exception_ptr &thrown) {
    const auto terminal = [](bool is) { return static_cast<uint32_t>(is ? SW_FAIL_TERMINAL : 0); };
    try {
        std::rethrow_exception(thrown);
    } catch (const failure &given) {
        return {given.json(), {terminal(given.terminal()), given.retry_after_ms()}};
    } catch (const recorded_failure &) {
        return {form_of(thrown),
                {terminal(true), 0}}; /* memoised: it fails again in each attempt */
    } catch (const transaction_error &) {
        return {form_of(thrown), {terminal(true), 0}}; /* as the code would in each attempt */
    } catch (...) { return {form_of(thrown), {}}; }
}

inline int32_t code_of(const std::exception_ptr &thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const smolwf::error &error) { return error.code(); } catch (...) {
        return SW_OK;
    }
}

/** A failure of the library's own finding, for good. */
inline to_record final_failure(const std::string &sentence) {
    return {form_of(std::make_exception_ptr(std::logic_error(sentence))), {SW_FAIL_TERMINAL, 0}};
}

/** Whether the store refused what it was given, whenever that is given again. */
inline bool is_refusal(const error &why) noexcept {
    return why.code() == SW_ERR_INVALID || why.code() == SW_ERR_TOO_BIG;
}

/** Whether an exception is about the attempt, so that no step is to be blamed for it. */
inline bool is_of_the_run(const std::exception_ptr &thrown) {
    std::string on;
    const int32_t code = code_of(thrown);
    return find_suspended(thrown, on) || code == SW_ERR_CANCELLED || code == SW_ERR_LEASE_LOST ||
           code == SW_ERR_CLOSED || must_end(code);
}

/** One attempt in a worker's hands, shared by all the threads that its function uses. */
class room {
  public:
    using tell_fn = std::function<void(const event &)>;
    using tx_fn = std::function<text(std::string_view script, const smolwf::step &)>;

    room(smolwf::attempt attempt, tell_fn tell, tx_fn tx_run)
        : attempt_(std::move(attempt)), tell_(std::move(tell)), tx_run_(std::move(tx_run)),
          claimed_at_(clock::now()) {}

    smolwf::attempt &attempt() noexcept { return attempt_; }
    /** Runs a script of a step. */
    text tx_run(std::string_view script, const smolwf::step &step) { return tx_run_(script, step); }
    int64_t age_ms() const { return ms_since(claimed_at_); }

    event event_of(std::string_view kind, severity level) {
        event e;
        e.kind = kind, e.level = level;
        e.run_id = attempt_.run_id(), e.root_run_id = attempt_.root_run_id();
        e.parent_run_id = attempt_.parent_run_id(), e.workflow = attempt_.workflow();
        e.queue = attempt_.queue(), e.attempt_id = attempt_.id(), e.attempt = attempt_.number();
        e.metadata = attempt_.metadata();
        return e;
    }
    void tell(const event &e) { tell_(e); }

    /** Counts a durable call in, as long as the attempt goes on (W1, W15). */
    class inside {
      public:
        explicit inside(room &of) : of_(of) {
            std::lock_guard<std::mutex> lock(of_.mutex_);
            if (of_.is_over_) { throw error(SW_ERR_LEASE_LOST, nullptr); }
            of_.open_++;
        }
        inside(const inside &) = delete;
        inside &operator=(const inside &) = delete;
        ~inside() {
            std::lock_guard<std::mutex> lock(of_.mutex_);
            of_.open_--;
            of_.changed_.notify_all();
        }

      private:
        room &of_;
    };

    /** Waits until no durable call is open, then lets none begin. False: it is over already. */
    bool settle() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return open_ == 0 || is_over_; });
        return !std::exchange(is_over_, true);
    }
    /** Takes the end from the function's hands: its calls are refused from here on. */
    bool take_over(why_told why) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (told_ == why_told::nothing) told_ = why;
        is_given_up_ = true;
        const bool is_mine = !std::exchange(is_over_, true);
        changed_.notify_all();
        return is_mine;
    }
    void say(why_told why) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (told_ == why_told::nothing) told_ = why;
        changed_.notify_all();
    }
    why_told told() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return told_;
    }
    why_told wait_told(int64_t ms) {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto is_told = [this] { return told_ != why_told::nothing; };
        if (ms < 0) {
            changed_.wait(lock, is_told);
        } else {
            changed_.wait_for(lock, std::chrono::milliseconds(ms), is_told);
        }
        return told_;
    }

    void note_wait(const std::string &on) {
        std::lock_guard<std::mutex> lock(mutex_);
        waits_.insert(on);
    }
    void note_answer(const std::string &of) {
        std::lock_guard<std::mutex> lock(mutex_);
        waits_.erase(of);
    }
    std::vector<std::string> waits() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return {waits_.begin(), waits_.end()};
    }
    /** The library refused a begin: the attempt fails whatever its function makes of it (W5). */
    void doom(to_record why) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!doom_) doom_ = std::make_unique<to_record>(std::move(why));
    }
    const to_record *doomed() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return doom_.get();
    }

    /**
     * Makes a call, and makes it again while the store answers what may pass (W10). That the code does not
     * fit what is recorded sticks, whichever call says so (W5).
     */
    template <class Call> auto again(std::string_view name, Call call) -> decltype(call()) {
        for (int64_t pause_ms = 50;; pause_ms = std::min<int64_t>(pause_ms * 2, 2000)) {
            try {
                return call();
            } catch (const error &why) {
                if (why.code() == SW_ERR_NONDETERMINISM) {
                    doom({form_of(std::current_exception()), {}});
                }
                if (!may_pass(why.code()) || is_vain()) throw;
                if (pause_ms == 50) delayed(name, why);
            }
            std::unique_lock<std::mutex> lock(mutex_);
            changed_.wait_for(lock, std::chrono::milliseconds(pause_ms),
                              [this] { return is_given_up_ || told_ == why_told::lost; });
        }
    }

    /**
     * Records a failure by a call that takes it; what cannot be recorded as its author gave it is put
     * into a form that can (W7). Gives the code of the answer.
     */
    template <class Call>
    int32_t record(std::string_view name, const std::string &of, to_record &what, Call call) {
        const auto store = [&] { return call(what); };
        try {
            return again(name, store);
        } catch (const error &why) {
            if (!is_refusal(why)) throw;
            const std::logic_error told("an error of " + of + " cannot be recorded as given: " +
                                        why.what() + ": " + what.json.substr(0, 200));
            what.json = form_of(std::make_exception_ptr(told));
            what.options.retry_after_ms = 0; /* it may be what was refused */
        }
        return again(name, store);
    }

  private:
    /** Whether nobody waits for what a call would store. */
    bool is_vain() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return is_given_up_ || told_ == why_told::lost;
    }
    void delayed(std::string_view name, const error &why) {
        event e = event_of("delayed", severity::warning);
        e.call = name, e.error = why.what();
        tell(e);
    }

    smolwf::attempt attempt_;
    tell_fn tell_;
    tx_fn tx_run_;
    clock::time_point claimed_at_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    int open_ = 0;
    bool is_over_ = false;
    bool is_given_up_ = false;
    why_told told_ = why_told::nothing;
    std::set<std::string> waits_;
    std::unique_ptr<to_record> doom_;
};

/** Refuses a transaction in the work of another: it would be there even if that fails. */
class inside_transaction {
  public:
    explicit inside_transaction(const room *of) : outer_(open()) {
        if (outer_ == of) {
            throw transaction_error("a transaction is open here: give its items to that one");
        }
        open() = of;
    }
    inside_transaction(const inside_transaction &) = delete;
    inside_transaction &operator=(const inside_transaction &) = delete;
    ~inside_transaction() { open() = outer_; }

  private:
    static const room *&open() {
        thread_local const room *of = nullptr;
        return of;
    }

    const room *outer_;
};

} // namespace detail

/* ---- What a workflow does durably --------------------------------------------------------- */

/** What the work of a step returns to settle what it has reserved along with its result. */
struct used {
    /** JSON. */
    std::string result;
    /** JSON, `{unit: amount}`, as for sw_step_complete_usage. */
    std::string usage;
};

/**
 * One attempt at a run, as its function sees it. Results, inputs and payloads are JSON texts. Waits
 * throw suspended until they are over. Copies are one attempt; any thread may use them.
 */
class context {
  public:
    explicit context(std::shared_ptr<detail::room> room) : room_(std::move(room)) {}

    /** The id of the run. */
    std::string_view run_id() const { return attempt().run_id(); }
    /** The arguments of the run, JSON byte for byte; "null" when none were given. */
    std::string_view args() const { return attempt().args(); }
    /** The level below, for what is not here; the worker ends it. */
    smolwf::attempt &attempt() const { return room_->attempt(); }

    /** Whether and why the attempt is to end; finished work is recorded all the same. */
    why_told told() const { return room_->told(); }
    /** Sleeps until it is told, or so many milliseconds; SW_FOREVER without limit. */
    why_told wait_told(int64_t ms) const { return room_->wait_told(ms); }

    /**
     * Does the work once and records its result, a JSON text, or null of work that returns nothing;
     * ever after gives what was recorded. The work takes nothing, or the smolwf::step, whose id() is
     * an idempotency key for whom it calls. It may be done again after a crash between its end and
     * the record. Work that has reserved returns used, and its usage is settled in the same commit.
     * Throws recorded_failure when it failed for good, suspended while it backs off.
     */
    template <class Work>
    std::string step(std::string_view name, Work work, const step_options &options = {},
                     std::string_view input = {}) {
        return run_step(name, input, options, [&work](smolwf::step &durable) {
            if constexpr (std::is_invocable_v<Work, smolwf::step &>) {
                return made_by([&] { return work(durable); });
            } else {
                return made_by(work);
            }
        });
    }

    /**
     * A step whose work is one transaction: what it does and its record are one commit, and done
     * once, whatever is killed when. The work is given a smolwf::transaction and collects; what it
     * returns, a JSON text, is the step's result, unless it calls step_complete() or
     * step_complete_from() itself. Gives the result, as a step does; what other items came to is not
     * recorded. When something is thrown in the work nothing is sent, and a script that is refused
     * fails the step as that does. A transaction_error fails it for good.
     */
    template <class Work>
    std::string transaction(std::string_view name, Work work, const step_options &options = {},
                            std::string_view input = {}) {
        const auto carry_out = [&](smolwf::step &durable) {
            smolwf::transaction tx;
            const detail::inside_transaction alone(room_.get());
            if constexpr (std::is_void_v<std::invoke_result_t<Work, smolwf::transaction &>>) {
                work(tx);
                if (!tx.ends_step()) tx.step_complete();
            } else {
                const std::string result(work(tx));
                tx.step_complete(result.empty() ? "null" : result);
            }
            return used{commit(durable, tx), {}};
        };
        return run_step(name, input, options, carry_out, true);
    }

    /** Waits so long from the first call of this name on; parks meanwhile. */
    void sleep(std::string_view name, int64_t duration_ms) {
        const std::string of = "sleep " + std::string(name);
        const int32_t code = call("sw_sleep", [&] { return attempt().sleep(name, duration_ms); });
        answered(code, of);
    }
    /** The payload of the next message of a name; throws timed_out. */
    std::string signal(std::string_view name, int64_t timeout_ms = SW_FOREVER) {
        return wait_for("signal " + std::string(name), "sw_signal_await",
                        [&] { return attempt().signal_await(name, timeout_ms); });
    }
    /** Submits a child once, and gives its id. */
    std::string child(std::string_view name, std::string_view workflow, std::string_view args = {},
                      const submit_options &options = {}) {
        const auto submit = [&] { return attempt().child_submit(name, workflow, args, options); };
        return call("sw_child_submit", submit).value.str();
    }
    /** The result of a child; throws recorded_failure, timed_out. */
    std::string result(std::string_view run_id, int64_t timeout_ms = SW_FOREVER) {
        return wait_for("child " + std::string(run_id), "sw_child_await",
                        [&] { return attempt().child_await(run_id, timeout_ms); });
    }
    /** The earliest of several waits, a JSON array as sw_await_any takes it. */
    std::string wait_any(std::string_view name, std::string_view waits,
                         int64_t timeout_ms = SW_FOREVER) {
        return wait_for("any " + std::string(name), "sw_await_any",
                        [&] { return attempt().await_any(name, waits, timeout_ms); });
    }
    /** All of several waits. */
    std::string wait_all(std::string_view name, std::string_view waits,
                         int64_t timeout_ms = SW_FOREVER) {
        return wait_for("all " + std::string(name), "sw_await_all",
                        [&] { return attempt().await_all(name, waits, timeout_ms); });
    }
    /** Takes `{unit: amount}` from the budget, and gives the reservation's id; parks without room. */
    std::string reserve(std::string_view amounts, std::string_view source = {},
                        sw_step *of = nullptr) {
        try {
            const auto take = [&] { return attempt().budget_reserve(amounts, source, of); };
            const std::string id = call("sw_budget_reserve", take).value.str();
            room_->note_answer("budget");
            return id;
        } catch (const error &why) {
            if (why.code() == SW_ERR_BUDGET) room_->note_wait("budget");
            throw;
        }
    }
    /** Whether it was appended now; false: the key was there. */
    bool event(std::string_view type, std::string_view payload = {}, std::string_view key = {}) {
        const auto append = [&] { return attempt().event_append(type, payload, key); };
        return call("sw_event_append", append) == SW_OK;
    }
    /** Extends the lease, where it is one of milliseconds. */
    void heartbeat() {
        call("sw_attempt_heartbeat", [&] { return attempt().heartbeat(), SW_OK; });
    }
    /** Throws when the run was cancelled or taken over. */
    void check() {
        call("sw_attempt_check", [&] { return attempt().check(), SW_OK; });
    }

  private:
    template <class Call> auto call(std::string_view name, Call make) -> decltype(make()) {
        detail::room::inside open(*room_);
        return room_->again(name, make);
    }
    /** Throws what is no answer yet, and remembers it (W2). */
    void answered(int32_t code, const std::string &of) {
        if (code != SW_SUSPEND) return room_->note_answer(of);
        room_->note_wait(of);
        throw suspended(of);
    }
    template <class Await>
    std::string wait_for(const std::string &of, std::string_view name, Await await) {
        const answer<text> found = call(name, await);
        answered(found.code, of);
        if (found.code == SW_TIMEOUT) throw timed_out(of);
        if (found.code == SW_FAILED) throw recorded_failure(of, found.value.str());
        return found.value.str();
    }

    template <class Work> static used made_by(Work &&work) {
        if constexpr (std::is_void_v<decltype(work())>) {
            return work(), used{"null", {}};
        } else if constexpr (std::is_same_v<std::decay_t<decltype(work())>, used>) {
            return work();
        } else {
            return used{std::string(work()), {}};
        }
    }

    std::string run_step(std::string_view name, std::string_view input, const step_options &options,
                         const std::function<used(smolwf::step &)> &work,
                         bool is_recorded_by_work = false) {
        detail::room::inside open(*room_);
        auto [code, begun_step] = begin(name, input, options);
        smolwf::step &durable = begun_step;
        const std::string of = "step " + std::string(name);
        answered(code, of);
        if (code == SW_REPLAYED) return std::string(durable.result());
        if (code == SW_FAILED) throw recorded_failure(of, std::string(durable.error()));
        tell_step("step_run", severity::debug, durable);
        const detail::clock::time_point begun = detail::clock::now();
        used made;
        try {
            made = work(durable);
        } catch (...) {
            const std::exception_ptr thrown = std::current_exception();
            /* Work that stops because it was told to has not failed. */
            if (detail::is_of_the_run(thrown) || room_->told() != why_told::nothing) throw;
            fail_step(durable, of, detail::record_of(thrown), begun);
        }
        if (made.result.empty()) made.result = "null";
        if (!is_recorded_by_work) complete_step(durable, of, made, begun);
        tell_step("step_done", severity::debug, durable, begun);
        return made.result;
    }

    std::string commit(const smolwf::step &durable, const smolwf::transaction &tx) {
        if (tx.ends_attempt()) {
            throw transaction_error("a transaction of a workflow ends its step: the worker ends "
                                    "the attempt");
        }
        if (tx.step_ends() > 1) throw transaction_error("a transaction has one result");
        const std::string script = tx.script();
        const text results =
            room_->again("sw_tx_run", [&] { return room_->tx_run(script, durable); });
        return tx.step_result(results);
    }

    answer<smolwf::step> begin(std::string_view name, std::string_view input,
                               const step_options &options) {
        try {
            const auto make = [&] { return attempt().step_begin(name, input, options); };
            return room_->again("sw_step_begin", make);
        } catch (const error &why) {
            if (why.code() == SW_ERR_CONFLICT) {
                room_->doom(
                    detail::final_failure("step " + std::string(name) +
                                          " is open in this attempt: steps side by side need "
                                          "distinct names or an occurrence"));
            }
            throw;
        }
    }

    void complete_step(smolwf::step &durable, const std::string &of, const used &made,
                       detail::clock::time_point begun) {
        const auto complete = [&] {
            if (made.usage.empty()) {
                durable.complete(made.result);
            } else {
                durable.complete_usage(made.result, made.usage);
            }
            return SW_OK;
        };
        try {
            room_->again(made.usage.empty() ? "sw_step_complete" : "sw_step_complete_usage",
                         complete);
        } catch (const error &why) {
            if (!detail::is_refusal(why)) throw;
            /* Done and paid for: doing it again would give the same (W6). */
            const std::string told = "the result of " + of + " cannot be recorded: " + why.what();
            fail_step(durable, of, detail::final_failure(told), begun);
        }
    }

    [[noreturn]] void fail_step(smolwf::step &durable, const std::string &of,
                                detail::to_record what, detail::clock::time_point begun) {
        const int32_t code =
            room_->record("sw_step_fail", of, what, [&durable](const detail::to_record &as) {
                return durable.fail(as.json, as.options);
            });
        tell_step("step_failed", severity::warning, durable, begun, what.json);
        answered(code, of);
        throw recorded_failure(of, what.json);
    }

    void tell_step(std::string_view kind, severity level, const smolwf::step &durable,
                   detail::clock::time_point begun = {}, std::string_view error = {}) {
        smolwf::event e = room_->event_of(kind, level);
        e.step_id = durable.id(), e.step = durable.name(), e.occurrence = durable.occurrence();
        e.step_tries = durable.tries(), e.error = error, e.retry_at_ms = durable.retry_at_ms();
        if (begun != detail::clock::time_point()) e.duration_ms = detail::ms_since(begun);
        room_->tell(e);
    }

    std::shared_ptr<detail::room> room_;
};

/** A function under the name that runs are submitted by, and the version of its code. */
struct workflow {
    std::string name;
    /** Returns the run's result, a JSON text; a function that returns nothing gives null. */
    std::function<std::string(context &)> run;
    /** Named: only runs of this version, or without one, are claimed (W12). */
    std::string code_version = {};

    template <class Function>
    workflow(std::string called, Function function, std::string version = {})
        : name(std::move(called)), code_version(std::move(version)) {
        if constexpr (std::is_void_v<std::invoke_result_t<Function, context &>>) {
            run = [function](context &of) mutable { return function(of), std::string("null"); };
        } else {
            run = [function](context &of) mutable { return std::string(function(of)); };
        }
    }
};

/* ---- The worker --------------------------------------------------------------------------- */

namespace detail {

/** What the threads of a worker share; those that were left behind keep it alive. */
class loop : public std::enable_shared_from_this<loop> {
  public:
    loop(sw_store *store, std::vector<workflow> workflows, worker_options options)
        : store_(store), options_(std::move(options)), stop_(smolwf::stop::make()) {
        for (workflow &each : workflows) {
            const std::string version = each.code_version;
            std::string &names = groups_[version];
            names += (names.empty() ? "" : ",") + quoted(each.name);
            workflows_.emplace(each.name, std::move(each.run));
        }
    }

    void start() {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!slots_.empty()) throw std::logic_error("the worker is started already");
        slots_.resize(std::max(options_.threads, 1U));
        for (slot &each : slots_) {
            each.is_done = std::make_shared<std::atomic<bool>>(false);
            each.thread = std::thread([self = shared_from_this(), is_done = each.is_done] {
                self->work();
                *is_done = true;
                self->changed_.notify_all();
            });
        }
        listener_ = std::thread([self = shared_from_this()] { self->listen(); });
    }

    /** Claims one run and carries it to the end of its attempt, in this thread. */
    bool run_once(int64_t wait_ms) {
        for (const auto &[version, names] : groups_) {
            std::shared_ptr<room> found =
                claim_of(version, names, groups_.size() == 1 ? wait_ms : 0);
            if (found) return carry(found), true;
        }
        return false;
    }

    /** Safe in a handler of signals. */
    void stop() noexcept {
        stops_.fetch_add(1);
        stop_.fire();
    }

    void join() {
        clock::time_point deadline = clock::time_point::max();
        std::unique_lock<std::mutex> lock(mutex_);
        const auto is_done = [this] {
            return std::all_of(slots_.begin(), slots_.end(),
                               [](const slot &each) { return each.is_done->load(); });
        };
        while (!changed_.wait_for(lock, std::chrono::milliseconds(20), is_done)) {
            if (stops_ == 0) continue;
            const auto grace = std::chrono::milliseconds(std::max<int64_t>(options_.grace_ms, 0));
            deadline = std::min(deadline, clock::now() + grace);
            if (stops_ == 1 && clock::now() < deadline) continue;
            is_ended_ = true;
            break;
        }
        /* A claim under way may still look once: what is given back must not fall to it. */
        changed_.wait_for(lock, std::chrono::seconds(1), [this] {
            const auto at_work = std::count_if(slots_.begin(), slots_.end(),
                                               [](const slot &each) { return !*each.is_done; });
            return static_cast<size_t>(at_work) <= rooms_.size();
        });
        std::set<std::shared_ptr<room>> left;
        left.swap(rooms_);
        lock.unlock();
        for (const std::shared_ptr<room> &each : left) give_back(*each);
        leave();
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

  private:
    struct slot {
        std::thread thread;
        std::shared_ptr<std::atomic<bool>> is_done;
    };

    /** Ends the listener and lets go of the threads; those whose function runs on stay behind. */
    void leave() {
        {
            const std::lock_guard<std::shared_mutex> lock(asking_);
            is_left_ = true;
        }
        stop_.fire();
        if (listener_.joinable()) listener_.join();
        for (slot &each : slots_) {
            if (!each.thread.joinable()) continue;
            if (*each.is_done) {
                each.thread.join();
            } else {
                each.thread.detach();
            }
        }
    }

    void fail_worker(std::exception_ptr why) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!error_) error_ = std::move(why);
        stops_ = std::max(stops_.load(), 1);
        stop_.fire();
        changed_.notify_all();
    }

    void tell(const event &e) noexcept {
        if (!options_.on_event) return;
        try {
            options_.on_event(e);
        } catch (...) {
            std::fprintf(stderr, "smolwf: a hook threw at %.*s\n", static_cast<int>(e.kind.size()),
                         e.kind.data());
        }
    }

    /* ---- Claiming ---- */

    void work() {
        int64_t pause_ms = 50;
        while (stops_ == 0) {
            try {
                if (std::shared_ptr<room> found = claim()) {
                    stops_ == 0 ? carry(found) : give_back(*found);
                }
                pause_ms = 50;
            } catch (const error &why) {
                if (why.code() == SW_ERR_CLOSED) return;
                if (!may_pass(why.code())) return fail_worker(std::current_exception());
                if (pause_ms == 50) delayed(why);
                pause(pause_ms);
                pause_ms = std::min<int64_t>(pause_ms * 2, 2000);
            } catch (...) { return fail_worker(std::current_exception()); }
        }
    }

    /** Tells that a claim will be made again, which is about no run. */
    void delayed(const error &why) {
        event e;
        e.kind = "delayed", e.level = severity::warning;
        e.call = "sw_run_claim", e.error = why.what();
        tell(e);
    }

    void pause(int64_t ms) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stops_ != 0; });
    }

    /** Workflows that differ in their versions are claimed apart, in turn (W12). */
    std::shared_ptr<room> claim() {
        const bool is_one = groups_.size() == 1;
        const uint64_t seen = is_one ? 0 : changes(0, 0);
        for (const auto &[version, names] : groups_) {
            std::shared_ptr<room> found = claim_of(version, names, is_one ? SW_FOREVER : 0);
            if (found || stops_ != 0) return found;
        }
        if (!is_one) changes(seen, 1000);
        return nullptr;
    }

    uint64_t changes(uint64_t seen, int64_t timeout_ms) {
        uint64_t now = 0;
        sw_error *err = nullptr;
        const int32_t code = sw_store_wait(store_, seen, timeout_ms, stop_.get(), &now, &err);
        return throwing::give(code, err, [&] { return now; });
    }

    std::shared_ptr<room> claim_of(const std::string &version, const std::string &names,
                                   int64_t wait_ms) {
        const std::string workflows = "[" + names + "]";
        const std::string versions = version.empty() ? "" : "[" + quoted(version) + "]";
        sw_claim_options c = {};
        c.struct_size = sizeof c, c.wait_ms = wait_ms, c.lease_ms = options_.lease_ms;
        c.stop = stop_.get();
        c.workflows = workflows.data(), c.workflows_len = workflows.size();
        if (!versions.empty())
            c.code_versions = versions.data(), c.code_versions_len = versions.size();
        if (!options_.name.empty())
            c.worker = options_.name.data(), c.worker_len = options_.name.size();
        const char *queue = options_.queue.empty() ? nullptr : options_.queue.data();
        sw_attempt *out = nullptr;
        sw_error *err = nullptr;
        const int32_t code = sw_run_claim(store_, queue, options_.queue.size(), &c, &out, &err);
        return throwing::give(code, err, [&]() -> std::shared_ptr<room> {
            if (out == nullptr) return nullptr;
            return std::make_shared<room>(
                smolwf::attempt(out),
                [self = shared_from_this()](const event &e) { self->tell(e); },
                [self = shared_from_this()](std::string_view script, const smolwf::step &step) {
                    return self->tx_run(script, step);
                });
        });
    }

    text tx_run(std::string_view script, const smolwf::step &step) {
        const std::shared_lock<std::shared_mutex> lock(asking_);
        if (is_left_) throw error(SW_ERR_CLOSED, nullptr);
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        const int32_t code =
            sw_tx_run(store_, nullptr, step.get(), script.data(), script.size(), &out, &err);
        return throwing::give(code, err, [&] { return text(out); });
    }

    /* ---- One attempt ---- */

    void carry(const std::shared_ptr<room> &room) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            if (!is_ended_) rooms_.insert(room);
        }
        if (is_ended_) return give_back(*room);
        room->tell(room->event_of("claimed", severity::debug));
        std::string result;
        std::exception_ptr thrown;
        try {
            context of(room);
            result = workflows_.at(std::string(room->attempt().workflow()))(of);
        } catch (...) { thrown = std::current_exception(); }
        const bool is_mine = room->settle();
        if (is_mine) end(*room, result, thrown);
        std::lock_guard<std::mutex> lock(mutex_);
        rooms_.erase(room);
    }

    void end(room &of, const std::string &result, const std::exception_ptr &thrown) {
        try {
            if (of.told() == why_told::lost) return done(of, "lost", severity::warning);
            if (of.told() == why_told::cancelled) return release(of);
            if (of.doomed() != nullptr) return fail(of, *of.doomed());
            thrown ? end_thrown(of, thrown) : end_returned(of, result);
        } catch (const error &why) {
            if (why.code() == SW_ERR_CANCELLED) return stopped(of, why);
            if (why.code() == SW_ERR_LEASE_LOST) return done(of, "lost", severity::warning);
            if (why.code() == SW_ERR_CLOSED) return;
            if (may_pass(why.code())) return; /* given up: the lease ends with the process */
            must_end(why.code()) ? fail_worker(std::current_exception()) : put_aside(of, why);
        }
    }

    void end_returned(room &of, const std::string &result) {
        const std::vector<std::string> waits = of.waits();
        if (!waits.empty() && park(of, waits, true)) return;
        try {
            const std::string_view json = result.empty() ? std::string_view() : result;
            of.again("sw_attempt_complete", [&] { return of.attempt().complete(json), SW_OK; });
        } catch (const error &why) {
            if (!is_refusal(why)) throw;
            return fail(of, final_failure("the result of the run cannot be recorded: " +
                                          std::string(why.what())));
        }
        done(of, "completed", severity::info);
    }

    void end_thrown(room &of, const std::exception_ptr &thrown) {
        const int32_t code = code_of(thrown);
        if (code == SW_ERR_LEASE_LOST) return done(of, "lost", severity::warning);
        if (code == SW_ERR_CANCELLED) return release(of);
        if (code == SW_ERR_CLOSED) return;
        if (must_end(code)) std::rethrow_exception(thrown);
        std::string on;
        if (!find_suspended(thrown, on)) return fail(of, record_of(thrown));
        if (park(of, of.waits(), false)) return;
        fail(of,
             record_of(std::make_exception_ptr(std::logic_error(
                 "the workflow suspended on " + on + ", and there is nothing that it waits for"))));
    }

    /** False when there is nothing to wait for. */
    bool park(room &of, std::vector<std::string> waits, bool is_swallowed) {
        try {
            of.again("sw_attempt_suspend", [&] { return of.attempt().suspend(), SW_OK; });
        } catch (const error &why) {
            if (why.code() != SW_ERR_CONFLICT) throw;
            return false;
        }
        event e = of.event_of("parked", is_swallowed ? severity::warning : severity::info);
        e.waiting_for = std::move(waits), e.swallowed = is_swallowed, e.duration_ms = of.age_ms();
        tell(e);
        return true;
    }

    void release(room &of) {
        of.again("sw_attempt_release", [&] { return of.attempt().release(), SW_OK; });
        done(of, "released", severity::info);
    }

    /** Gives back a run whose end the store refuses: it alone goes on being tried (W9). */
    void put_aside(room &of, const error &why) {
        constexpr int64_t LATER_MS = 1000;
        try {
            of.attempt().release(LATER_MS);
        } catch (const error &) { return; /* nothing is left to give back */ }
        event e = of.event_of("released", severity::warning);
        e.reason = why.what(), e.duration_ms = of.age_ms();
        tell(e);
    }

    void fail(room &of, to_record what) {
        const int32_t code =
            of.record("sw_attempt_fail", "the run", what, [&of](const to_record &as) {
                return of.attempt().fail(as.json, as.options);
            });
        const bool is_final = code == SW_FAILED;
        event e = of.event_of(is_final ? "failed" : "retrying",
                              is_final ? severity::error : severity::warning);
        e.error = what.json, e.duration_ms = of.age_ms();
        if (!is_final) e.retry_at_ms = next_try_at_ms(of);
        tell(e);
    }

    /** When the run is tried again, as its document says; 0 when nobody can tell. */
    int64_t next_try_at_ms(room &of) noexcept {
        const text document = document_of(of);
        return std::strtoll(std::string(member(document, "due_at_ms").substr(0, 20)).c_str(),
                            nullptr, 10);
    }

    /** The run as it stands, to tell of; empty when nobody can tell. */
    text document_of(room &of) noexcept {
        sw_text *out = nullptr;
        const std::string_view id = of.attempt().run_id();
        const std::shared_lock<std::shared_mutex> lock(asking_);
        if (!is_left_) sw_run_get(store_, id.data(), id.size(), &out, nullptr);
        return text(out);
    }

    /** One code says that the run was cancelled, or that its time was over: then it has failed. */
    void stopped(room &of, const error &why) {
        const text document = document_of(of);
        if (member(document, "state").substr(0, 8) != "\"failed\"") {
            return done(of, "cancelled", severity::info);
        }
        event e = of.event_of("failed", severity::error);
        e.error = why.what(), e.duration_ms = of.age_ms();
        tell(e);
    }

    void done(room &of, std::string_view kind, severity level) {
        event e = of.event_of(kind, level);
        e.duration_ms = of.age_ms();
        tell(e);
    }

    /** Takes a run from a function that goes on, and gives it back: no try is charged (W13). */
    void give_back(room &of) {
        if (!of.take_over(why_told::stopped)) return;
        try {
            of.attempt().release();
            event e = of.event_of("released", severity::info);
            e.reason = "the worker stops", e.duration_ms = of.age_ms();
            tell(e);
        } catch (const error &why) {
            /* A lease that could not be given back ends with the process, or lapses. */
            if (why.code() == SW_ERR_CANCELLED) stopped(of, why);
        }
    }

    /* ---- Listening for cancels and takeovers (W14) ---- */

    void listen() {
        constexpr int64_t LOOK_MS = 1000;
        const int64_t beat_ms = options_.lease_ms == SW_LEASE_WHILE_ALIVE
                                    ? INT64_MAX
                                    : std::max<int64_t>(options_.lease_ms / 3, 1);
        clock::time_point beaten = clock::now();
        uint64_t seen = 0;
        while (!is_left_) {
            try {
                /* A stop that has fired ends such waits at once: from then on, look in turns. */
                if (stops_ == 0) {
                    seen = changes(seen, std::min(LOOK_MS, beat_ms));
                } else {
                    std::this_thread::sleep_for(std::chrono::milliseconds(20));
                }
                const bool is_due = ms_since(beaten) >= beat_ms;
                if (is_due) beaten = clock::now();
                for (const std::shared_ptr<room> &each : running()) look(*each, is_due);
                std::this_thread::sleep_for(
                    std::chrono::milliseconds(10)); /* a burst is one look */
            } catch (const error &why) {
                if (why.code() == SW_ERR_CLOSED) return closed();
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
            }
        }
    }

    std::vector<std::shared_ptr<room>> running() {
        std::lock_guard<std::mutex> lock(mutex_);
        return {rooms_.begin(), rooms_.end()};
    }

    void look(room &of, bool is_beat) {
        try {
            is_beat ? of.attempt().heartbeat() : of.attempt().check();
        } catch (const error &why) {
            if (why.code() == SW_ERR_CANCELLED) of.say(why_told::cancelled);
            if (why.code() == SW_ERR_LEASE_LOST) of.say(why_told::lost);
            if (why.code() == SW_ERR_CLOSED) throw;
        }
    }

    void closed() {
        for (const std::shared_ptr<room> &each : running()) each->say(why_told::stopped);
    }

    sw_store *store_;
    const worker_options options_;
    /** The version that is claimed, "" for all; the names that are claimed with it. */
    std::map<std::string, std::string> groups_;
    std::map<std::string, std::function<std::string(context &)>> workflows_;
    smolwf::stop stop_;
    std::atomic<int> stops_{0};
    std::atomic<bool> is_ended_{false};
    std::atomic<bool> is_left_{false};
    /** Shared by threads that ask the store, which its owner may close once they are left. */
    std::shared_mutex asking_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<slot> slots_;
    std::thread listener_;
    std::set<std::shared_ptr<room>> rooms_;
    std::exception_ptr error_;
};

/** The worker that signals stop. */
inline std::atomic<loop *> &signalled() {
    static std::atomic<loop *> worker{nullptr};
    return worker;
}

extern "C" inline void smolwf_worker_on_signal(int) {
    if (loop *worker = signalled().load()) worker->stop();
}

} // namespace detail

/** Claims runs and runs their workflows, in threads of its own. */
class worker {
  public:
    worker(store &of, std::vector<workflow> workflows, worker_options options = {})
        : loop_(
              std::make_shared<detail::loop>(of.get(), std::move(workflows), std::move(options))) {}
    worker(const worker &) = delete;
    worker &operator=(const worker &) = delete;
    /** Stops and waits as join() does; what join() would throw is gone: call it before. */
    ~worker() {
        if (!is_started_) return;
        stop();
        try {
            join();
        } catch (const std::exception &why) {
            std::fprintf(stderr, "smolwf: the worker ended: %s\n", why.what());
        }
    }

    /** Starts the threads; stop() and join() end them. */
    void start() {
        loop_->start();
        is_started_ = true;
    }
    /** Once: claims no more, and what runs ends within grace_ms. Twice: ends what runs. */
    void stop() noexcept { loop_->stop(); }
    /** Waits until the worker has stopped; throws what made it end. */
    void join() {
        is_started_ = false;
        loop_->join();
    }
    /**
     * Claims one run and carries it to the end of its attempt, in this thread; false when there is
     * none. For tests and loops of your own: nothing listens for cancels meanwhile. Waits where all
     * workflows are claimed alike.
     */
    bool run_once(int64_t wait_ms = 0) { return loop_->run_once(wait_ms); }
    /** Works until it is stopped from elsewhere. */
    void run() {
        start();
        join();
    }
    /** Works until SIGTERM or SIGINT: the first drains, the second ends. One worker at a time. */
    void run_until_signal() {
        struct sigaction mine = {}, term = {}, interrupt = {};
        mine.sa_handler = detail::smolwf_worker_on_signal;
        sigemptyset(&mine.sa_mask);
        detail::signalled() = loop_.get();
        sigaction(SIGTERM, &mine, &term);
        sigaction(SIGINT, &mine, &interrupt);
        std::exception_ptr why;
        try {
            run();
        } catch (...) { why = std::current_exception(); }
        sigaction(SIGTERM, &term, nullptr);
        sigaction(SIGINT, &interrupt, nullptr);
        detail::signalled() = nullptr;
        if (why) std::rethrow_exception(why);
    }

  private:
    std::shared_ptr<detail::loop> loop_;
    bool is_started_ = false;
};

} // namespace smolwf

#endif
