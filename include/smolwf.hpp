/*
 * smolwf.hpp: the C functions of smolwf.h for C++17 and newer.
 *
 * Header-only, and without logic of its own: each method is one call of the C function of the same
 * name, which smolwf.h documents. store.run_submit() is sw_run_submit, attempt.step_begin() is
 * sw_step_begin. What this header adds is C++ manners, and transaction, which writes scripts:
 *
 * HANDLES   store, attempt, step, stop, text and others own what C hands out and free it when they
 *           go. They move and do not copy. They may go in any order. An attempt that goes before its
 *           end, as when an exception passes it, is given back at once. get() lends the C pointer;
 *           a handle that holds nothing is false. Like their C objects they may be used from any
 *           thread; only moving or destroying one is for one thread at a time.
 * TEXT IN   std::string_view, with its length, so a NUL has no meaning in it. A default-made view is
 *           absent; "" is empty. Paths alone are std::string.
 * TEXT OUT  views live as long as the handle they are asked of. A view whose data() is null is
 *           absent. Documents are a `text`, ids an `id_text`; both turn into views by themselves.
 * OPTIONS   aggregates whose members are those of the C structs: {} is all defaults.
 * ANSWERS   a call that may answer several codes of 0 and above gives answer<T>: the code, and the
 *           value that comes with some of them. `auto [code, step] = attempt.step_begin("charge");`
 * ERRORS    codes below 0. Choose one of two families by namespace; they share every line of code:
 *             smolwf::store           its calls return T and throw smolwf::error
 *             smolwf::results::store  its calls return result<T>: a T or an error. Nothing throws
 *                                     but result::value() and running out of memory here; fit for
 *                                     -fno-exceptions.
 *           error has code(), engine_code(), is_retryable() and what().
 *
 * A function answers here what it answers in C; no code is hidden and none is invented.
 */
#ifndef SMOLWF_HPP
#define SMOLWF_HPP

#include <smolwf.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if !defined(__cpp_exceptions)
#include <cstdlib>
#endif

namespace smolwf {

/* ---- Errors ------------------------------------------------------------------------------- */

/** A code below 0 with its sentence. Copies share the C object. */
class error : public std::exception {
  public:
    /** Takes the object over; it may be null. */
    error(int32_t code, sw_error *owned) : code_(code), owned_(owned, free) {}
    /** One that was found before C was called; the sentence is to last. */
    static error of(int32_t code, const char *sentence) {
        error found(code, nullptr);
        found.sentence_ = sentence;
        return found;
    }

    /** The code that the call returned, below 0. */
    int32_t code() const noexcept { return owned_ ? sw_error_code(owned_.get()) : code_; }
    /** Its name, such as "SW_ERR_BUSY". */
    const char *code_name() const noexcept { return sw_code_name(code()); }
    /** The code of the layer below: SQLite's extended one, or a negated errno; or 0. */
    int32_t engine_code() const noexcept { return sw_error_engine_code(owned_.get()); }
    /** Whether the same call may succeed when it is made again. */
    bool is_retryable() const noexcept { return sw_error_is_retryable(owned_.get()) != 0; }
    /** The sentence; the code's name when C gave no object. */
    const char *what() const noexcept override {
        if (owned_) return sw_error_message(owned_.get());
        return sentence_ != nullptr ? sentence_ : code_name();
    }
    /** The error of the C functions; null where memory ran out. */
    const sw_error *get() const noexcept { return owned_.get(); }

  private:
    static void free(sw_error *owned) noexcept { sw_error_free(owned); }

    int32_t code_;
    const char *sentence_ = nullptr;
    std::shared_ptr<sw_error> owned_;
};

namespace detail {

/* C would take the path for what stands before its NUL. */
inline bool has_nul(const std::string &path) { return path.find('\0') != std::string::npos; }

inline error holds_nul() { return error::of(SW_ERR_INVALID, "path holds a NUL"); }

[[noreturn]] inline void raise(const error &what) {
#if defined(__cpp_exceptions)
    throw what;
#else
    static_cast<void>(what);
    std::abort();
#endif
}

} // namespace detail

/** A value, or why there is none. */
template <class T> class [[nodiscard]] result {
  public:
    result(T value) : either_(std::in_place_index<0>, std::move(value)) {}
    result(smolwf::error why) : either_(std::in_place_index<1>, std::move(why)) {}

    /** Whether the call succeeded. */
    bool has_value() const noexcept { return either_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /** The value; throws the error (without exceptions: aborts) when there is none. */
    T &value() & { return expect(), *std::get_if<0>(&either_); }
    T &&value() && { return expect(), std::move(*std::get_if<0>(&either_)); }
    /** The value, which must be there. */
    T &operator*() & noexcept { return *std::get_if<0>(&either_); }
    T &&operator*() && noexcept { return std::move(*std::get_if<0>(&either_)); }
    T *operator->() noexcept { return std::get_if<0>(&either_); }
    /** The error, which must be there. */
    const smolwf::error &error() const noexcept { return *std::get_if<1>(&either_); }

  private:
    void expect() const {
        if (!has_value()) detail::raise(error());
    }

    std::variant<T, smolwf::error> either_;
};

/** Done, or why not. */
template <> class [[nodiscard]] result<void> {
  public:
    result() = default;
    result(smolwf::error why) : why_(std::in_place_index<1>, std::move(why)) {}

    /** Whether the call succeeded. */
    bool has_value() const noexcept { return why_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /** Throws the error (without exceptions: aborts) when there is one. */
    void value() const {
        if (!has_value()) detail::raise(error());
    }
    /** The error of a call that failed. */
    const smolwf::error &error() const noexcept { return *std::get_if<1>(&why_); }

  private:
    std::variant<std::monostate, smolwf::error> why_;
};

/** What a call with several outcomes answers: a code of 0 and above, and what came with it. */
template <class T> struct [[nodiscard]] answer {
    int32_t code;
    T value;
};

/** Calls return T and throw error. */
struct throwing {
    template <class T> using of = T;

    template <class Make> static auto give(int32_t code, sw_error *err, Make make) {
        if (code < 0) detail::raise(error(code, err));
        return make();
    }
    template <class T> static T refuse(const error &why) { detail::raise(why); }
};

/** Calls return result<T>. */
struct returning {
    template <class T> using of = result<T>;

    /** Makes a result of what a C function returned. */
    template <class Make>
    static auto give(int32_t code, sw_error *err, Make make) -> result<decltype(make())> {
        if (code < 0) return error(code, err);
        if constexpr (std::is_void_v<decltype(make())>) {
            return {};
        } else {
            return make();
        }
    }
    /** Makes a result of what was found before C was called. */
    template <class T> static result<T> refuse(const error &why) { return why; }
};

/* ---- Texts, ids, ownership ---------------------------------------------------------------- */

namespace detail {

template <auto Free> struct freed_by {
    template <class T> void operator()(T *owned) const noexcept { Free(owned); }
};

/** Owns one C object. */
template <class T, auto Free> class handle {
  public:
    handle() = default;
    explicit handle(T *owned) noexcept : owned_(owned) {}

    T *get() const noexcept { return owned_.get(); }
    explicit operator bool() const noexcept { return owned_ != nullptr; }
    /** Gives the C object out of hand; its _free or _close is then the caller's. */
    T *release() noexcept { return owned_.release(); }

  private:
    std::unique_ptr<T, freed_by<Free>> owned_;
};

/** Asks an accessor with a length. */
template <class T>
std::string_view view(const char *(*accessor)(const T *, size_t *), const T *of) noexcept {
    size_t len = 0;
    const char *text = accessor(of, &len);
    return {text, len};
}

inline void nothing() noexcept {}

} // namespace detail

/** A document that the library made. */
class text : public detail::handle<sw_text, sw_text_free> {
  public:
    using handle::handle;

    /** What it holds, for as long as it lives. */
    std::string_view view() const noexcept { return detail::view(sw_text_data, get()); }
    operator std::string_view() const noexcept { return view(); }
    /** A copy of it. */
    std::string str() const { return std::string(view()); }
};

/** An id in memory of its own. */
struct id_text {
    char text[SW_ID_CAP] = {};

    /** The id, ending with NUL. */
    const char *c_str() const noexcept { return text; }
    /** The id, for as long as this lives. */
    std::string_view view() const noexcept { return text; }
    operator std::string_view() const noexcept { return view(); }
    /** A copy of it. */
    std::string str() const { return text; }
};

/* ---- Options ------------------------------------------------------------------------------ */

/** Options of store::open(); members as in sw_store_options. */
struct store_options {
    uint32_t flags = 0;
    uint32_t busy_timeout_ms = 0;
    uint32_t durability = 0;
    uint32_t max_readers = 0;
    uint32_t lease_default_ms = 0;
    uint64_t payload_bytes_max = 0;

    sw_store_options c() const noexcept {
        sw_store_options c = {};
        c.struct_size = sizeof c;
        c.flags = flags;
        c.busy_timeout_ms = busy_timeout_ms;
        c.durability = durability;
        c.max_readers = max_readers;
        c.lease_default_ms = lease_default_ms;
        c.payload_bytes_max = payload_bytes_max;
        return c;
    }
};

/** Options of a submit; members as in sw_submit_options. */
struct submit_options {
    uint32_t flags = 0;
    std::string_view queue = {};
    int64_t run_at_ms = 0;
    int64_t timeout_ms = 0;
    int64_t backoff_initial_ms = 0;
    int64_t backoff_max_ms = 0;
    int32_t priority = 0;
    uint32_t max_tries = 0;
    uint32_t backoff_percent = 0;
    std::string_view idempotency_key = {};
    std::string_view idempotency_scope = {};
    std::string_view concurrency_key = {};
    std::string_view code_version = {};
    std::string_view budget = {};
    std::string_view metadata = {};

    sw_submit_options c() const noexcept {
        sw_submit_options c = {};
        c.struct_size = sizeof c;
        c.flags = flags;
        c.queue = queue.data(), c.queue_len = queue.size();
        c.run_at_ms = run_at_ms;
        c.timeout_ms = timeout_ms;
        c.backoff_initial_ms = backoff_initial_ms;
        c.backoff_max_ms = backoff_max_ms;
        c.priority = priority;
        c.max_tries = max_tries;
        c.backoff_percent = backoff_percent;
        c.idempotency_key = idempotency_key.data(), c.idempotency_key_len = idempotency_key.size();
        c.idempotency_scope = idempotency_scope.data();
        c.idempotency_scope_len = idempotency_scope.size();
        c.concurrency_key = concurrency_key.data(), c.concurrency_key_len = concurrency_key.size();
        c.code_version = code_version.data(), c.code_version_len = code_version.size();
        c.budget = budget.data(), c.budget_len = budget.size();
        c.metadata = metadata.data(), c.metadata_len = metadata.size();
        return c;
    }
};

/** Options of a claim; members as in sw_claim_options. */
struct claim_options {
    uint32_t flags = 0;
    int64_t wait_ms = 0;
    uint32_t lease_ms = 0;
    std::string_view worker = {};
    std::string_view workflows = {};
    std::string_view code_versions = {};
    sw_stop *stop = nullptr;

    sw_claim_options c() const noexcept {
        sw_claim_options c = {};
        c.struct_size = sizeof c;
        c.flags = flags;
        c.wait_ms = wait_ms;
        c.lease_ms = lease_ms;
        c.worker = worker.data(), c.worker_len = worker.size();
        c.workflows = workflows.data(), c.workflows_len = workflows.size();
        c.code_versions = code_versions.data(), c.code_versions_len = code_versions.size();
        c.stop = stop;
        return c;
    }
};

/** Options of a failure; members as in sw_fail_options. */
struct fail_options {
    uint32_t flags = 0;
    int64_t retry_after_ms = 0;

    sw_fail_options c() const noexcept {
        sw_fail_options c = {};
        c.struct_size = sizeof c;
        c.flags = flags;
        c.retry_after_ms = retry_after_ms;
        return c;
    }
};

/** Options of a step; members as in sw_step_options. */
struct step_options {
    uint32_t flags = 0;
    std::string_view kind = {};
    uint32_t occurrence = 0;
    uint32_t durability = 0;
    uint32_t max_tries = 0;
    int64_t backoff_initial_ms = 0;
    int64_t backoff_max_ms = 0;

    sw_step_options c() const noexcept {
        sw_step_options c = {};
        c.struct_size = sizeof c;
        c.flags = flags;
        c.kind = kind.data(), c.kind_len = kind.size();
        c.occurrence = occurrence;
        c.durability = durability;
        c.max_tries = max_tries;
        c.backoff_initial_ms = backoff_initial_ms;
        c.backoff_max_ms = backoff_max_ms;
        return c;
    }
};

/* ---- Scripts ------------------------------------------------------------------------------ */

namespace detail {

/** Appends a JSON string. What is no UTF-8 is the library's to refuse. */
inline void append_quoted(std::string &out, std::string_view plain) {
    static constexpr char HEX[] = "0123456789abcdef";
    out += '"';
    for (const char each : plain) {
        const unsigned char byte = static_cast<unsigned char>(each);
        if (byte < 0x20) {
            out.append("\\u00").append(1, HEX[byte >> 4]).append(1, HEX[byte & 15]);
        } else {
            if (each == '"' || each == '\\') out += '\\';
            out += each;
        }
    }
    out += '"';
}

/** Whether a text cannot end the item that it is put into, and begin another. Whether it is JSON is
 *  the library's to say. */
inline bool stays_in_place(std::string_view json) noexcept {
    size_t depth = 0;
    bool is_string = false;
    for (size_t at = 0; at < json.size(); at++) {
        const char each = json[at];
        if (is_string && each == '\\') at++;
        if (each == '"') is_string = !is_string;
        if (is_string) continue;
        if (each == '[' || each == '{') depth++;
        if ((each == ']' || each == '}') && depth-- == 0) return false;
        if ((each == ',' || each == ':') && depth == 0) return false;
    }
    return depth == 0 && !is_string && !json.empty();
}

/** Writes an object; what is absent or 0 is left out. */
class object_writer {
  public:
    explicit object_writer(std::string &out) : out_(out) { out_ += '{'; }
    object_writer(const object_writer &) = delete;
    object_writer &operator=(const object_writer &) = delete;
    ~object_writer() { out_ += '}'; }

    void key(std::string_view name) {
        if (out_.back() != '{') out_ += ',';
        append_quoted(out_, name);
        out_ += ':';
    }
    void string(std::string_view name, std::string_view plain) {
        if (plain.data() == nullptr) return;
        key(name);
        append_quoted(out_, plain);
    }
    void json(std::string_view name, std::string_view value) {
        if (value.data() == nullptr) return;
        key(name);
        /* What does not stay in its place makes the script one that the library refuses. */
        out_.append(stays_in_place(value) ? value : "?");
    }
    void number(std::string_view name, int64_t value) {
        if (value == 0) return;
        key(name);
        out_ += std::to_string(value);
    }

  private:
    std::string &out_;
};

/** The element of an array that the library wrote; empty when there is none. */
inline std::string_view element(std::string_view array, size_t wanted) noexcept {
    size_t depth = 0, begin = 1, found = 0;
    bool is_string = false;
    for (size_t at = 0; at < array.size(); at++) {
        const char each = array[at];
        if (is_string && each == '\\') at++;
        if (each == '"') is_string = !is_string;
        if (is_string) continue;
        if (each == '[' || each == '{') depth++;
        if (each == ']' || each == '}') depth--;
        if (depth == 0 || (depth == 1 && each == ',')) {
            if (found++ == wanted) return array.substr(begin, at - begin);
            begin = at + 1;
        }
    }
    return {};
}

} // namespace detail

/**
 * Collects what one transaction is to do: the script of store.tx_run(). Each method is an item of the
 * script under its key and gives its number, from 0: there the array that tx_run() answers has what
 * it came to. Parameters, args, payloads and results are JSON texts.
 */
class transaction {
  public:
    /** One statement. Unless it changes so many rows, nothing of the script is done; -1: any. */
    size_t sql(std::string_view statement, std::string_view params = {},
               int64_t expect_changes = -1) {
        return add([&](detail::object_writer &item) {
            item.string("sql", statement);
            item.json("params", params);
            if (expect_changes < 0) return;
            item.key("expect_changes");
            items_ += std::to_string(expect_changes);
        });
    }
    /** One statement that only reads. */
    size_t query(std::string_view statement, std::string_view params = {}) {
        return add([&](detail::object_writer &item) {
            item.string("query", statement);
            item.json("params", params);
        });
    }
    /** A run, as store.run_submit() makes it. */
    size_t submit(std::string_view workflow, std::string_view args = {},
                  const submit_options &options = {}) {
        return add([&](detail::object_writer &item) {
            item.key("submit");
            detail::object_writer run(items_);
            run.string("workflow", workflow);
            run.json("args", args);
            write(run, options);
        });
    }
    /** A message, as store.signal_send() sends it. */
    size_t signal(std::string_view run_id, std::string_view name, std::string_view payload = {},
                  std::string_view idempotency_key = {}) {
        return add([&](detail::object_writer &item) {
            item.key("signal");
            detail::object_writer message(items_);
            message.string("run_id", run_id);
            message.string("name", name);
            message.json("payload", payload);
            message.string("idempotency_key", idempotency_key);
        });
    }
    /** Completes the step with a result. */
    size_t step_complete(std::string_view result = "null") {
        step_ends_++;
        step_result_ = result.data() == nullptr ? "null" : result;
        return end("step_complete", "result", result);
    }
    /** Completes the step with what an item comes to. */
    size_t step_complete_from(size_t item) {
        step_ends_++;
        step_result_from_ = item;
        return end("step_complete", "result_from", std::to_string(item));
    }
    /** Completes the attempt with a result; the last item. */
    size_t attempt_complete(std::string_view result = "null") {
        ends_attempt_ = true;
        return end("attempt_complete", "result", result);
    }
    /** Completes the attempt with what an item comes to; the last item. */
    size_t attempt_complete_from(size_t item) {
        ends_attempt_ = true;
        return end("attempt_complete", "result_from", std::to_string(item));
    }

    /** How many items it has. */
    size_t size() const noexcept { return size_; }
    /** How many items complete the step; a script with two is refused. */
    size_t step_ends() const noexcept { return step_ends_; }
    /** Whether an item completes the step. */
    bool ends_step() const noexcept { return step_ends_ != 0; }
    /** Whether an item ends the attempt. */
    bool ends_attempt() const noexcept { return ends_attempt_; }
    /** The script. */
    std::string script() const { return "[" + items_ + "]"; }
    /** What the step was completed with, of a transaction that tx_run() answered. */
    std::string step_result(std::string_view results) const {
        return step_result_from_ == NONE ? step_result_
                                         : std::string(detail::element(results, step_result_from_));
    }

  private:
    static constexpr size_t NONE = static_cast<size_t>(-1);

    template <class Write> size_t add(Write write) {
        if (size_ != 0) items_ += ',';
        detail::object_writer item(items_);
        write(item);
        return size_++;
    }
    size_t end(std::string_view what, std::string_view how, std::string_view value) {
        return add([&](detail::object_writer &item) {
            item.key(what);
            detail::object_writer(items_).json(how, value);
        });
    }
    static void write(detail::object_writer &run, const submit_options &options) {
        if ((options.flags & SW_SUBMIT_LOCAL) != 0) run.json("local", "true");
        run.string("queue", options.queue);
        run.number("run_at_ms", options.run_at_ms);
        run.number("timeout_ms", options.timeout_ms);
        run.number("backoff_initial_ms", options.backoff_initial_ms);
        run.number("backoff_max_ms", options.backoff_max_ms);
        run.number("priority", options.priority);
        run.number("max_tries", options.max_tries);
        run.number("backoff_percent", options.backoff_percent);
        run.string("idempotency_key", options.idempotency_key);
        run.string("idempotency_scope", options.idempotency_scope);
        run.string("concurrency_key", options.concurrency_key);
        run.string("code_version", options.code_version);
        run.json("budget", options.budget);
        run.json("metadata", options.metadata);
    }

    std::string items_;
    size_t size_ = 0;
    size_t step_ends_ = 0;
    std::string step_result_;
    size_t step_result_from_ = NONE;
    bool ends_attempt_ = false;
};

/* ---- Version, codes, ids ------------------------------------------------------------------ */

inline const char *version() noexcept { return sw_version(); }
inline uint32_t version_number() noexcept { return sw_version_number(); }
inline uint32_t abi_version() noexcept { return sw_abi_version(); }
inline const char *build_info() noexcept { return sw_build_info(); }
inline const char *code_name(int32_t code) noexcept { return sw_code_name(code); }

/** Whether the library at hand is one that this header speaks to. */
template <class P = throwing> typename P::template of<void> abi_check() {
    return P::give(sw_abi_check(SW_ABI_VERSION), nullptr, detail::nothing);
}

template <class P = throwing> typename P::template of<id_text> new_id(std::string_view prefix) {
    id_text out;
    sw_error *err = nullptr;
    int32_t code = sw_new_id(prefix.data(), prefix.size(), out.text, sizeof out.text, &err);
    return P::give(code, err, [&] { return out; });
}

template <class P = throwing> typename P::template of<text> json_quote(std::string_view plain) {
    sw_text *out = nullptr;
    sw_error *err = nullptr;
    int32_t code = sw_json_quote(plain.data(), plain.size(), &out, &err);
    return P::give(code, err, [&] { return text(out); });
}

/* ---- Stops -------------------------------------------------------------------------------- */

/** Ends waits; give get() to them. */
template <class P> class basic_stop : public detail::handle<sw_stop, sw_stop_free> {
  public:
    template <class T> using of = typename P::template of<T>;
    using handle::handle;

    /** A stop that is not fired. */
    static of<basic_stop> make() {
        sw_stop *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_stop_new(&out, &err);
        return P::give(code, err, [&] { return basic_stop(out); });
    }
    /** Also from a handler of signals. */
    void fire() noexcept { sw_stop_fire(this->get()); }
};

/* ---- Watches ------------------------------------------------------------------------------ */

/** Tells an event loop of changes. Made by store.watch_open(). */
template <class P> class basic_watch : public detail::handle<sw_watch, sw_watch_free> {
  public:
    template <class T> using of = typename P::template of<T>;
    using handle::handle;

    /** A new descriptor, which is the caller's to close. */
    of<int32_t> fd() {
        int32_t out = -1;
        sw_error *err = nullptr;
        int32_t code = sw_watch_fd(this->get(), &out, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** Empties the descriptors, arms them again, and gives the change counter. */
    of<uint64_t> drain() {
        uint64_t out = 0;
        sw_error *err = nullptr;
        int32_t code = sw_watch_drain(this->get(), &out, &err);
        return P::give(code, err, [&] { return out; });
    }
};

/* ---- Steps -------------------------------------------------------------------------------- */

template <class P> class basic_step : public detail::handle<sw_step, sw_step_free> {
  public:
    template <class T> using of = typename P::template of<T>;
    using handle::handle;

    /** Records the result, a JSON text, once and for all: every later attempt replays it. */
    of<void> complete(std::string_view result = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_step_complete(this->get(), result.data(), result.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** SW_SUSPEND: again at retry_at_ms(). SW_FAILED: for good. */
    of<int32_t> fail(std::string_view error = {}, const fail_options &options = {}) {
        sw_error *err = nullptr;
        const sw_fail_options c = options.c();
        int32_t code = sw_step_fail(this->get(), error.data(), error.size(), &c, &err);
        return P::give(code, err, [&] { return code; });
    }
    /** The same in every attempt: an idempotency key for whoever the work calls. */
    std::string_view id() const noexcept { return detail::view(sw_step_id, c()); }
    /** The name that it was begun under. */
    std::string_view name() const noexcept { return detail::view(sw_step_name, c()); }
    /** The recorded result of a step that replays, JSON. */
    std::string_view result() const noexcept { return detail::view(sw_step_result, c()); }
    /** The recorded failure of a step that begin answered with SW_FAILED, JSON. */
    std::string_view error() const noexcept { return detail::view(sw_step_error, c()); }
    /** Which call of its name in the run it is, from 1. */
    uint32_t occurrence() const noexcept { return sw_step_occurrence(c()); }
    /** How often its work was begun, as far as recorded, this time included. */
    uint32_t tries() const noexcept { return sw_step_tries(c()); }
    /** When it may be begun again after a failure, in Unix milliseconds; else 0. */
    int64_t retry_at_ms() const noexcept { return sw_step_retry_at_ms(c()); }
    /** Also settles what the step reserved, with `{unit: amount}`. */
    of<void> complete_usage(std::string_view result, std::string_view usage) {
        sw_error *err = nullptr;
        int32_t code = sw_step_complete_usage(this->get(), result.data(), result.size(),
                                              usage.data(), usage.size(), &err);
        return P::give(code, err, detail::nothing);
    }

  private:
    const sw_step *c() const noexcept { return this->get(); }
};

/* ---- Attempts ----------------------------------------------------------------------------- */

namespace detail {

/** Gives a run back that was not ended: an exception must not hold it until its lease lapses. */
inline void give_back(sw_attempt *attempt) noexcept {
    sw_attempt_release(attempt, 0, nullptr); /* of an ended attempt it is refused, without a look */
    sw_attempt_free(attempt);
}

} // namespace detail

template <class P> class basic_attempt : public detail::handle<sw_attempt, detail::give_back> {
  public:
    template <class T> using of = typename P::template of<T>;
    using handle::handle;

    /** The id of the attempt. */
    std::string_view id() const noexcept { return detail::view(sw_attempt_id, c()); }
    /** The id of its run. */
    std::string_view run_id() const noexcept { return detail::view(sw_attempt_run_id, c()); }
    /** The id of the topmost run of the tree: the run's own when it is no child. */
    std::string_view root_run_id() const noexcept {
        return detail::view(sw_attempt_root_run_id, c());
    }
    /** The id of the run that submitted this one as a child; absent if none did. */
    std::string_view parent_run_id() const noexcept {
        return detail::view(sw_attempt_parent_run_id, c());
    }
    /** The name of the workflow to run. */
    std::string_view workflow() const noexcept { return detail::view(sw_attempt_workflow, c()); }
    /** The version of the code that the run was submitted for; absent if none. */
    std::string_view code_version() const noexcept {
        return detail::view(sw_attempt_code_version, c());
    }
    /** The name of the queue that it was claimed from. */
    std::string_view queue() const noexcept { return detail::view(sw_attempt_queue, c()); }
    /** The arguments of the run, JSON byte for byte; "null" when none were given. */
    std::string_view args() const noexcept { return detail::view(sw_attempt_args, c()); }
    /** The metadata of the run, a JSON object; absent when there is none. */
    std::string_view metadata() const noexcept { return detail::view(sw_attempt_metadata, c()); }
    /** The number of the attempt within its run, from 1: the fence. */
    uint32_t number() const noexcept { return sw_attempt_number(c()); }
    /** When the lease lapses, in Unix milliseconds, as far as this handle knows. */
    int64_t lease_expires_at_ms() const noexcept { return sw_attempt_lease_expires_at_ms(c()); }

    /** 0 keeps the length of the lease. */
    of<void> heartbeat(uint32_t lease_ms = 0) {
        sw_error *err = nullptr;
        int32_t code = sw_attempt_heartbeat(this->get(), lease_ms, &err);
        return P::give(code, err, detail::nothing);
    }
    /** An error when the run was cancelled or taken over; writes nothing. */
    of<void> check() {
        sw_error *err = nullptr;
        int32_t code = sw_attempt_check(this->get(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Ends the run with its result, a JSON text. */
    of<void> complete(std::string_view result = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_attempt_complete(this->get(), result.data(), result.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** SW_SUSPEND: will be tried again. SW_FAILED: for good. */
    of<int32_t> fail(std::string_view error = {}, const fail_options &options = {}) {
        sw_error *err = nullptr;
        const sw_fail_options c = options.c();
        int32_t code = sw_attempt_fail(this->get(), error.data(), error.size(), &c, &err);
        return P::give(code, err, [&] { return code; });
    }
    /** Gives the run back; again claimable after the delay. */
    of<void> release(int64_t delay_ms = 0) {
        sw_error *err = nullptr;
        int32_t code = sw_attempt_release(this->get(), delay_ms, &err);
        return P::give(code, err, detail::nothing);
    }
    /** Parks the run on what answered SW_SUSPEND. */
    of<void> suspend() {
        sw_error *err = nullptr;
        int32_t code = sw_attempt_suspend(this->get(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** SW_OK: do the work. SW_REPLAYED, SW_FAILED: the step has it. SW_SUSPEND: no step. */
    of<answer<basic_step<P>>> step_begin(std::string_view name, std::string_view input = {},
                                         const step_options &options = {}) {
        sw_step *out = nullptr;
        sw_error *err = nullptr;
        const sw_step_options c = options.c();
        int32_t code = sw_step_begin(this->get(), name.data(), name.size(), input.data(),
                                     input.size(), &c, &out, &err);
        return P::give(code, err, [&] { return answer<basic_step<P>>{code, basic_step<P>(out)}; });
    }
    /** SW_OK once it is over, or SW_SUSPEND. */
    of<int32_t> sleep(std::string_view name, int64_t duration_ms) {
        sw_error *err = nullptr;
        int32_t code = sw_sleep(this->get(), name.data(), name.size(), duration_ms, &err);
        return P::give(code, err, [&] { return code; });
    }
    /** SW_OK with the payload, SW_SUSPEND or SW_TIMEOUT. */
    of<answer<text>> signal_await(std::string_view name, int64_t timeout_ms = SW_FOREVER) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code =
            sw_signal_await(this->get(), name.data(), name.size(), timeout_ms, &out, &err);
        return P::give(code, err, [&] { return answer<text>{code, text(out)}; });
    }
    /** SW_OK or SW_REPLAYED, both with the child's id. */
    of<answer<id_text>> child_submit(std::string_view name, std::string_view workflow,
                                     std::string_view args = {},
                                     const submit_options &options = {}) {
        id_text out;
        sw_error *err = nullptr;
        const sw_submit_options c = options.c();
        int32_t code =
            sw_child_submit(this->get(), name.data(), name.size(), workflow.data(), workflow.size(),
                            args.data(), args.size(), &c, out.text, sizeof out.text, &err);
        return P::give(code, err, [&] { return answer<id_text>{code, out}; });
    }
    /** Submits children, a JSON array, in one commit; an array with their ids. */
    of<text> child_submit_many(std::string_view items) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_child_submit_many(this->get(), items.data(), items.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** SW_OK with the result, SW_FAILED with the error, SW_SUSPEND or SW_TIMEOUT. */
    of<answer<text>> child_await(std::string_view run_id, int64_t timeout_ms = SW_FOREVER) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code =
            sw_child_await(this->get(), run_id.data(), run_id.size(), timeout_ms, &out, &err);
        return P::give(code, err, [&] { return answer<text>{code, text(out)}; });
    }
    /** SW_OK with what was ready first, SW_SUSPEND or SW_TIMEOUT. */
    of<answer<text>> await_any(std::string_view name, std::string_view waits,
                               int64_t timeout_ms = SW_FOREVER) {
        return await_with(sw_await_any, name, waits, timeout_ms);
    }
    /** SW_OK with all of them, SW_SUSPEND or SW_TIMEOUT. */
    of<answer<text>> await_all(std::string_view name, std::string_view waits,
                               int64_t timeout_ms = SW_FOREVER) {
        return await_with(sw_await_all, name, waits, timeout_ms);
    }
    /** SW_OK, or SW_EXISTS for a source that reserved before; both with the reservation's id. */
    of<answer<id_text>> budget_reserve(std::string_view amounts, std::string_view source = {},
                                       sw_step *step = nullptr) {
        id_text out;
        sw_error *err = nullptr;
        int32_t code =
            sw_budget_reserve(this->get(), step, amounts.data(), amounts.size(), source.data(),
                              source.size(), out.text, sizeof out.text, &err);
        return P::give(code, err, [&] { return answer<id_text>{code, out}; });
    }
    /** SW_OK, or SW_EXISTS when the key was there. */
    of<int32_t> event_append(std::string_view type, std::string_view payload = {},
                             std::string_view key = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_event_append(this->get(), type.data(), type.size(), payload.data(),
                                       payload.size(), key.data(), key.size(), &err);
        return P::give(code, err, [&] { return code; });
    }

  private:
    of<answer<text>> await_with(decltype(&sw_await_any) call, std::string_view name,
                                std::string_view waits, int64_t timeout_ms) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = call(this->get(), name.data(), name.size(), waits.data(), waits.size(),
                            timeout_ms, &out, &err);
        return P::give(code, err, [&] { return answer<text>{code, text(out)}; });
    }
    const sw_attempt *c() const noexcept { return this->get(); }
};

/* ---- Stores ------------------------------------------------------------------------------- */

/** What a file has, and what this library would bring it to. */
struct schema_versions {
    int64_t current;
    int64_t newest;
};

template <class P> class basic_store : public detail::handle<sw_store, sw_store_close> {
  public:
    template <class T> using of = typename P::template of<T>;
    using handle::handle;

    /** A file's path, or postgresql://... where the library was built for it. Call init() next. */
    static of<basic_store> open(const std::string &path, const store_options &options = {}) {
        sw_store *out = nullptr;
        sw_error *err = nullptr;
        const sw_store_options c = options.c();
        if (detail::has_nul(path)) return P::template refuse<basic_store>(detail::holds_nul());
        int32_t code = sw_store_open(path.c_str(), &c, &out, &err);
        return P::give(code, err, [&] { return basic_store(out); });
    }
    /** A store that is gone when it is closed. Call init() next. */
    static of<basic_store> open_in_memory(const store_options &options = {}) {
        sw_store *out = nullptr;
        sw_error *err = nullptr;
        const sw_store_options c = options.c();
        int32_t code = sw_store_open_in_memory(&c, &out, &err);
        return P::give(code, err, [&] { return basic_store(out); });
    }
    /** Migrates to the newest schema; how many migrations it took. */
    of<uint32_t> init() {
        uint32_t out = 0;
        sw_error *err = nullptr;
        int32_t code = sw_store_init(this->get(), &out, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** Migrates up to a version; how many migrations it took. There is no way down. */
    of<uint32_t> migrate(int64_t target) {
        uint32_t out = 0;
        sw_error *err = nullptr;
        int32_t code = sw_store_migrate(this->get(), target, &out, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** The version in the file, and the newest that the library knows. */
    of<schema_versions> schema_version() {
        schema_versions out = {0, 0};
        sw_error *err = nullptr;
        int32_t code = sw_store_schema_version(this->get(), &out.current, &out.newest, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** What was applied to the file, a JSON array. */
    of<text> migrations() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_migrations(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** A server's URL without a password in it. Null for a store in memory. */
    const char *path() const noexcept { return sw_store_path(this->get()); }
    /** For tests: this process dies at its commit-th commit from now on, SW_KILL_BEFORE_COMMIT or after. */
    of<void> kill_at(int64_t commit, int32_t when) {
        sw_error *err = nullptr;
        int32_t code = sw_store_kill_at(this->get(), commit, when, &err);
        return P::give(code, err, detail::nothing);
    }
    /**
     * Moves a manual clock on: what comes due by it is due at once. SW_FOREVER moves it to where something
     * comes due next; false when nothing does.
     */
    of<bool> advance_clock(int64_t ms) {
        sw_error *err = nullptr;
        int32_t code = sw_store_advance_clock(this->get(), ms, &err);
        return P::give(code, err, [&] { return code == SW_OK; });
    }
    /** The store's clock: the system's or the manual one, in Unix milliseconds. */
    int64_t now_ms() const noexcept { return sw_store_now_ms(this->get()); }
    /** From any thread: wakes every waiter. Closing is the destructor's, or close(). */
    void shutdown() noexcept { sw_store_shutdown(this->get()); }
    /** Closes it now: waits for calls in flight, and gives open attempts back. */
    void close() noexcept { sw_store_close(this->release()); }

    /** SW_OK or SW_EXISTS, both with the run's id. */
    of<answer<id_text>> run_submit(std::string_view workflow, std::string_view args = {},
                                   const submit_options &options = {}) {
        id_text out;
        sw_error *err = nullptr;
        const sw_submit_options c = options.c();
        int32_t code = sw_run_submit(this->get(), workflow.data(), workflow.size(), args.data(),
                                     args.size(), &c, out.text, sizeof out.text, &err);
        return P::give(code, err, [&] { return answer<id_text>{code, out}; });
    }
    /** SW_OK with the id, or SW_NONE. An absent scope is the scope "". */
    of<answer<id_text>> run_find(std::string_view idempotency_scope,
                                 std::string_view idempotency_key) {
        id_text out;
        sw_error *err = nullptr;
        int32_t code = sw_run_find(this->get(), idempotency_scope.data(), idempotency_scope.size(),
                                   idempotency_key.data(), idempotency_key.size(), out.text,
                                   sizeof out.text, &err);
        return P::give(code, err, [&] { return answer<id_text>{code, out}; });
    }
    /** SW_OK with an attempt, or SW_NONE. An absent queue is "default". */
    of<answer<basic_attempt<P>>> run_claim(std::string_view queue = {},
                                           const claim_options &options = {}) {
        sw_attempt *out = nullptr;
        sw_error *err = nullptr;
        const sw_claim_options c = options.c();
        int32_t code = sw_run_claim(this->get(), queue.data(), queue.size(), &c, &out, &err);
        return P::give(code, err,
                       [&] { return answer<basic_attempt<P>>{code, basic_attempt<P>(out)}; });
    }
    /** Items are a JSON array; so is the answer. */
    of<text> run_submit_many(std::string_view items) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_submit_many(this->get(), items.data(), items.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** At most `max` attempts; none is SW_NONE. */
    of<std::vector<basic_attempt<P>>> run_claim_many(uint32_t max, std::string_view queue = {},
                                                     const claim_options &options = {}) {
        std::vector<sw_attempt *> out(max);
        uint32_t count = 0;
        sw_error *err = nullptr;
        const sw_claim_options c = options.c();
        sw_attempt *none = nullptr; /* an empty vector has no place to point to */
        int32_t code = sw_run_claim_many(this->get(), queue.data(), queue.size(), &c, max,
                                         max == 0 ? &none : out.data(), &count, &err);
        return P::give(code, err, [&] {
            return std::vector<basic_attempt<P>>(out.begin(), out.begin() + count);
        });
    }
    /** SW_OK with the document of the ended run, or SW_TIMEOUT. */
    of<answer<text>> run_wait(std::string_view run_id, int64_t timeout_ms = SW_FOREVER,
                              sw_stop *stop = nullptr) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code =
            sw_run_wait(this->get(), run_id.data(), run_id.size(), timeout_ms, stop, &out, &err);
        return P::give(code, err, [&] { return answer<text>{code, text(out)}; });
    }
    /** SW_OK or SW_TIMEOUT, both with the change counter. */
    of<answer<uint64_t>> wait(uint64_t seen, int64_t timeout_ms = SW_FOREVER,
                              sw_stop *stop = nullptr) {
        uint64_t out = 0;
        sw_error *err = nullptr;
        int32_t code = sw_store_wait(this->get(), seen, timeout_ms, stop, &out, &err);
        return P::give(code, err, [&] { return answer<uint64_t>{code, out}; });
    }
    /** Changes as a descriptor, for an event loop to poll. */
    of<basic_watch<P>> watch_open() {
        sw_watch *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_watch_open(this->get(), &out, &err);
        return P::give(code, err, [&] { return basic_watch<P>(out); });
    }
    /** The settings are a JSON object; an absent queue is "default". */
    of<void> queue_set(std::string_view settings, std::string_view queue = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_queue_set(this->get(), queue.data(), queue.size(), settings.data(),
                                    settings.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** The reason is JSON and may be absent. */
    of<void> run_cancel(std::string_view run_id, std::string_view reason = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_run_cancel(this->get(), run_id.data(), run_id.size(), reason.data(),
                                     reason.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** A running run is set aside when its attempt next ends unfinished. */
    of<void> run_pause(std::string_view run_id) {
        sw_error *err = nullptr;
        int32_t code = sw_run_pause(this->get(), run_id.data(), run_id.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Puts a paused run back. */
    of<void> run_resume(std::string_view run_id) {
        sw_error *err = nullptr;
        int32_t code = sw_run_resume(this->get(), run_id.data(), run_id.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Opens a failed or cancelled run again. */
    of<void> run_retry(std::string_view run_id) {
        sw_error *err = nullptr;
        int32_t code = sw_run_retry(this->get(), run_id.data(), run_id.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** An absent step is the start. */
    of<id_text> run_fork(std::string_view run_id, std::string_view from_step = {}) {
        id_text out;
        sw_error *err = nullptr;
        int32_t code = sw_run_fork(this->get(), run_id.data(), run_id.size(), from_step.data(),
                                   from_step.size(), out.text, sizeof out.text, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** SW_OK, or SW_EXISTS when the key matched. */
    of<int32_t> signal_send(std::string_view run_id, std::string_view name,
                            std::string_view payload = {}, std::string_view idempotency_key = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_signal_send(this->get(), run_id.data(), run_id.size(), name.data(),
                                      name.size(), payload.data(), payload.size(),
                                      idempotency_key.data(), idempotency_key.size(), &err);
        return P::give(code, err, [&] { return code; });
    }
    /** The document of a run, JSON. */
    of<text> run_get(std::string_view run_id) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_get(this->get(), run_id.data(), run_id.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** A page of a run's attempts, steps, children and signals, JSON. */
    of<text> run_history(std::string_view run_id, std::string_view cursor = {},
                         uint32_t limit = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_history(this->get(), run_id.data(), run_id.size(), cursor.data(),
                                      cursor.size(), limit, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** One page: {"items","next","looked_at"}; next is the cursor of the next page, null on the
     *  last. The filter is a JSON object; absent is all runs. Go on with the same filter. */
    of<text> run_list(std::string_view filter = {}, std::string_view cursor = {},
                      uint32_t limit = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_list(this->get(), filter.data(), filter.size(), cursor.data(),
                                   cursor.size(), limit, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Counting stops at `at_most`; 0 is 10,000. */
    of<uint64_t> run_count(std::string_view filter = {}, uint64_t at_most = 0) {
        uint64_t out = 0;
        sw_error *err = nullptr;
        int32_t code = sw_run_count(this->get(), filter.data(), filter.size(), at_most, &out, &err);
        return P::give(code, err, [&] { return out; });
    }
    /** The patch is a JSON object, merged into the metadata; null takes a member away. */
    of<void> run_annotate(std::string_view run_id, std::string_view patch) {
        sw_error *err = nullptr;
        int32_t code = sw_run_annotate(this->get(), run_id.data(), run_id.size(), patch.data(),
                                       patch.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Cancels, pauses, resumes or retries: {"matched","done","refused","more"}. */
    of<text> run_act_many(std::string_view action, std::string_view filter = {},
                          uint32_t limit = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_act_many(this->get(), action.data(), action.size(), filter.data(),
                                       filter.size(), limit, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Removes ended trees, to `limit` runs; 0 is 1,000: {"runs","trees","bytes","more"}. */
    of<text> prune(std::string_view filter = {}, uint32_t limit = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_prune(this->get(), filter.data(), filter.size(), limit, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Gives free pages back to the file system; 0 is 1,024: {"freed_pages","left_pages"}. */
    of<text> compact(uint32_t pages_max = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_compact(this->get(), pages_max, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Sets which ended runs go by themselves, a JSON object; absent and {} end it. */
    of<void> retention_set(std::string_view policy = {}) {
        sw_error *err = nullptr;
        int32_t code = sw_retention_set(this->get(), policy.data(), policy.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** That policy, with the members that were given. */
    of<text> retention_get() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_retention_get(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** A topmost run with all below it as JSON, for run_import of another store; options are
     *  {"redact"}. Keep the text as it is. */
    of<text> run_export(std::string_view run_id, std::string_view options = {}) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_export(this->get(), run_id.data(), run_id.size(), options.data(),
                                     options.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Brings such runs into this store, all or none: {"run_id","runs"}; options are {"ids"}. */
    of<text> run_import(std::string_view document, std::string_view options = {}) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_import(this->get(), document.data(), document.size(), options.data(),
                                     options.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Why a run is where it is: {"run_id","state","reasons"}. */
    of<text> run_explain(std::string_view run_id) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_run_explain(this->get(), run_id.data(), run_id.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }

    /** Makes a schedule, a JSON object, or changes it. */
    of<void> schedule_set(std::string_view name, std::string_view spec) {
        sw_error *err = nullptr;
        int32_t code =
            sw_schedule_set(this->get(), name.data(), name.size(), spec.data(), spec.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Deletes a schedule; runs that it submitted go on. */
    of<void> schedule_delete(std::string_view name) {
        sw_error *err = nullptr;
        int32_t code = sw_schedule_delete(this->get(), name.data(), name.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** All schedules by name, a JSON array. */
    of<text> schedule_list() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_schedule_list(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Says what a reservation came to, `{unit: amount}`; `{}` gives all of it back. */
    of<void> budget_settle(std::string_view reservation_id, std::string_view usage) {
        sw_error *err = nullptr;
        int32_t code = sw_budget_settle(this->get(), reservation_id.data(), reservation_id.size(),
                                        usage.data(), usage.size(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Raises the limit of a unit; lowers it by a negative number. */
    of<void> budget_raise(std::string_view run_id, std::string_view unit, int64_t delta) {
        sw_error *err = nullptr;
        int32_t code = sw_budget_raise(this->get(), run_id.data(), run_id.size(), unit.data(),
                                       unit.size(), delta, &err);
        return P::give(code, err, detail::nothing);
    }
    /** What the run's tree may spend, has reserved and has spent, JSON. */
    of<text> budget_get(std::string_view run_id) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_budget_get(this->get(), run_id.data(), run_id.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** {"columns","rows","more"} of one query. Params are a JSON array, or an object by name; options
     *  are {"rows_max","timeout_ms"}. */
    of<text> query(std::string_view sql, std::string_view params = {},
                   std::string_view options = {}) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_query(this->get(), sql.data(), sql.size(), params.data(), params.size(),
                                options.data(), options.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Runs a script, which smolwf::transaction collects, and answers what each item came to: in
     *  nobody's name, or in that of an attempt or of a step. */
    of<text> tx_run(std::string_view script, sw_attempt *attempt = nullptr,
                    sw_step *step = nullptr) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code =
            sw_tx_run(this->get(), attempt, step, script.data(), script.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    of<text> tx_run(std::string_view script, const basic_attempt<P> &attempt) {
        return tx_run(script, attempt.get());
    }
    of<text> tx_run(std::string_view script, const basic_step<P> &step) {
        return tx_run(script, nullptr, step.get());
    }
    /** Looks the whole file over; the faults that it found, JSON. */
    of<text> check() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_check(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** Copies the store to a new file, as it is at one moment, while others write. */
    of<void> backup(const std::string &path) {
        sw_error *err = nullptr;
        if (detail::has_nul(path)) return P::template refuse<void>(detail::holds_nul());
        int32_t code = sw_store_backup(this->get(), path.c_str(), &err);
        return P::give(code, err, detail::nothing);
    }
    /** Moves this store into another one, which is initialised and empty, with runs in flight; options
     *  are {"abort","for_ms"}. The report's "state" is "moved" at the end. Without another store it
     *  is for "abort" alone. */
    of<text> graduate(basic_store *to, std::string_view options = {}) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_graduate(this->get(), to == nullptr ? nullptr : to->get(),
                                         options.data(), options.size(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** The store in numbers, a JSON object. */
    of<text> stats() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_store_stats(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** All queues by name, a JSON array. */
    of<text> queue_list() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_queue_list(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** The handles, of any process, that have claimed, a JSON array. */
    of<text> owner_list() {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_owner_list(this->get(), &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** An absent run is all runs. */
    of<text> event_read(int64_t after_seq = 0, std::string_view run_id = {}, uint32_t limit = 0) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code =
            sw_event_read(this->get(), after_seq, run_id.data(), run_id.size(), limit, &out, &err);
        return P::give(code, err, [&] { return text(out); });
    }
    /** SW_OK with events above a number once there are some, or SW_TIMEOUT. The filter is a JSON
     *  object of type and run_id; absent is all events. Go on after next_seq. */
    of<answer<text>> event_wait(int64_t after_seq = 0, std::string_view filter = {},
                                uint32_t limit = 0, int64_t timeout_ms = SW_FOREVER,
                                sw_stop *stop = nullptr) {
        sw_text *out = nullptr;
        sw_error *err = nullptr;
        int32_t code = sw_event_wait(this->get(), after_seq, filter.data(), filter.size(), limit,
                                     timeout_ms, stop, &out, &err);
        return P::give(code, err, [&] { return answer<text>{code, text(out)}; });
    }
};

/* ---- The two families --------------------------------------------------------------------- */

using store = basic_store<throwing>;
using attempt = basic_attempt<throwing>;
using step = basic_step<throwing>;
using stop = basic_stop<throwing>;
using watch = basic_watch<throwing>;

namespace results {

using store = basic_store<returning>;
using attempt = basic_attempt<returning>;
using step = basic_step<returning>;
using stop = basic_stop<returning>;
using watch = basic_watch<returning>;

inline result<void> abi_check() { return smolwf::abi_check<returning>(); }
inline result<id_text> new_id(std::string_view prefix) { return smolwf::new_id<returning>(prefix); }
inline result<text> json_quote(std::string_view plain) {
    return smolwf::json_quote<returning>(plain);
}

} // namespace results
} // namespace smolwf

#endif
