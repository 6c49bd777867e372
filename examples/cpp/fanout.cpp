// A parent with a thousand children, worked on by four processes of which two are killed. The parent
// parks once and wakes once, when the last child has ended; no child's result is lost or doubled.
//   fanout <store>          plays it all
//   fanout <store> worker   works on children until its input closes
#include "json_view.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <set>
#include <smolwf_worker.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static constexpr int children = 1000;
static constexpr std::size_t workers = 4;
static constexpr std::size_t killed = 2;

// ---- A worker ----------------------------------------------------------------------------------

static std::string square(smolwf::context &run) {
    const std::int64_t n = json::integer(run.args());
    return run.step("square", [n] { return std::to_string(n * n); });
}

static void work(const char *path) {
    smolwf::store store = smolwf::store::open(path);
    smolwf::worker_options options;
    options.queue = "children";
    smolwf::worker worker(store, {{"square", square}}, options);
    std::thread watch([&] { // the end of the input is the end of the work
        char byte;
        while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
        worker.stop();
    });
    worker.run();
    watch.join();
}

// ---- The parent --------------------------------------------------------------------------------

// One workflow on the queue "parents": its children in one commit, and the sum of their results.
class total {
  public:
    explicit total(smolwf::store &store) : store_(store) {}

    const std::vector<std::string> &child_ids() const { return child_ids_; }

    // Goes from the top; returns whether it came to its end.
    bool work() {
        smolwf::claim_options options;
        options.wait_ms = 60'000;
        auto [code, attempt] = store_.run_claim("parents", options);
        if (code != SW_OK) throw std::runtime_error("the parent cannot be claimed");
        const smolwf::text submitted = attempt.child_submit_many(items());
        auto [joined, results] = attempt.await_all("join", waits(submitted));
        if (joined == SW_SUSPEND) {
            attempt.suspend();
            return false;
        }
        attempt.complete(std::to_string(sum(results)));
        return true;
    }

  private:
    static std::string items() {
        std::string items = "[";
        for (int n = 1; n <= children; n++) {
            items += n == 1 ? "" : ",";
            items += R"({"name":"square","workflow":"square","queue":"children","args":)" +
                     std::to_string(n) + "}";
        }
        return items + "]";
    }
    std::string waits(std::string_view submitted) {
        std::string waits = "[";
        std::size_t at = 1;
        child_ids_.clear();
        for (auto it = json::next(submitted, at); !it.empty(); it = json::next(submitted, at)) {
            const std::string_view id = json::member(it, "run_id");
            waits += waits.size() == 1 ? "" : ",";
            waits += "{\"child\":" + std::string(id) + "}";
            child_ids_.emplace_back(id.substr(1, id.size() - 2));
        }
        return waits + "]";
    }
    static std::int64_t sum(std::string_view results) {
        std::int64_t sum = 0;
        std::size_t at = 1;
        for (auto it = json::next(results, at); !it.empty(); it = json::next(results, at)) {
            sum += json::integer(json::member(it, "value"));
        }
        return sum;
    }

    smolwf::store &store_;
    std::vector<std::string> child_ids_;
};

// ---- The play ----------------------------------------------------------------------------------

struct process {
    pid_t pid = 0;
    int input = -1; // its standard input; closing it ends the worker
};

static process start_worker(const char *program, const char *path) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(ends[0], STDIN_FILENO);
        ::execl(program, program, path, "worker", nullptr);
        ::_exit(127);
    }
    ::close(ends[0]);
    return {pid, ends[1]};
}

static int count_finished(smolwf::store &store, const std::vector<std::string> &ids) {
    int count = 0;
    for (const std::string &id : ids) {
        count += json::member(store.run_get(id), "state") == "\"completed\"";
    }
    return count;
}

static void end_worker(const process &worker, bool is_killed) {
    int status = 0;
    if (is_killed) ::kill(worker.pid, SIGKILL);
    ::close(worker.input);
    ::waitpid(worker.pid, &status, 0);
    if (is_killed != WIFSIGNALED(status) || (!is_killed && WEXITSTATUS(status) != 0)) {
        throw std::runtime_error("a worker did not end as it should");
    }
}

// Kills a worker at each of some random moments, while between 100 and 900 children are finished.
static void kill_some(smolwf::store &store, const std::vector<std::string> &ids,
                      std::vector<process> &running) {
    std::random_device seed;
    std::set<int> moments;
    while (moments.size() < killed) {
        moments.insert(std::uniform_int_distribution<int>(100, 500)(seed));
    }
    for (const int moment : moments) {
        int finished = 0;
        while ((finished = count_finished(store, ids)) < moment) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2)); // looks again
        }
        if (finished > 900) throw std::runtime_error("too many children are finished");
        end_worker(running.back(), true);
        running.pop_back();
    }
}

// Looks that each child is completed, with one step, done once.
static void check_children(smolwf::store &store, const std::vector<std::string> &ids) {
    for (const std::string &id : ids) {
        const smolwf::text history = store.run_history(id);
        const std::string_view steps = json::member(history, "steps");
        std::size_t at = 1;
        const std::string_view step = json::next(steps, at);
        const bool is_one = !step.empty() && json::next(steps, at).empty();
        const std::string_view result = json::member(json::member(history, "run"), "result");
        if (!is_one || result.empty() || json::member(step, "result") != result) {
            throw std::runtime_error("a child is " + history.str());
        }
    }
}

static void play(const char *program, const char *path) {
    smolwf::store store = smolwf::store::open(path);
    store.init();
    smolwf::submit_options options;
    options.queue = "parents";
    const smolwf::id_text run_id = store.run_submit("total", {}, options).value;
    total parent(store);
    if (parent.work()) throw std::runtime_error("the parent did not wait");
    std::printf("one parent submitted %zu children in one commit\n", parent.child_ids().size());

    std::vector<process> running;
    while (running.size() < workers) running.push_back(start_worker(program, path));
    kill_some(store, parent.child_ids(), running);
    std::printf("%zu of %zu workers were killed\n", killed, workers);

    if (!parent.work()) throw std::runtime_error("the parent woke too early");
    const smolwf::text document = store.run_get(run_id);
    if (json::member(document, "attempts") != "2") throw std::runtime_error(document.str());
    std::puts("the parent woke once");
    std::printf("the sum is %s\n", std::string(json::member(document, "result")).c_str());
    for (const process &worker : running) end_worker(worker, false);
    check_children(store, parent.child_ids());
    std::puts("every child's result was recorded once");
}

int main(int argc, char **argv) {
    try {
        if (argc == 3) {
            work(argv[1]);
        } else if (argc == 2) {
            play(argv[0], argv[1]);
        } else {
            throw std::runtime_error("usage: fanout <store>");
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "fanout: %s\n", error.what());
        return 1;
    }
}
