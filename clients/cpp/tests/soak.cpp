/*
 * Worker processes that are stopped and killed while they work: every run ends, and what was paid is
 * paid again only where a SIGKILL fell between the work and its record.
 *   soak                         plays it in TMPDIR
 *   soak work <database> <log>   is one worker, until SIGTERM
 */
#include "support.hpp"

#include <smolwf_worker.hpp>

#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

static constexpr int RUNS = 60;
static constexpr unsigned THREADS = 4;

/* ---- A worker ----------------------------------------------------------------------------- */

static int witness_fd = -1;

/* One write to a file opened for appending is one line, whoever else writes. */
static void pay(const smolwf::context &run, const std::string &what) {
    const std::string line = std::string(run.run_id()) + " " + what + "\n";
    if (write(witness_fd, line.data(), line.size()) < 0) throw std::runtime_error("no witness");
}

static std::string work_on(smolwf::context &run) {
    std::thread beside([&run] {
        try {
            run.step("beside", [&run] { pay(run, "beside"); });
        } catch (...) { /* the end of the attempt tells */
        }
    });
    try {
        run.step("first", [&run] { pay(run, "first"); });
    } catch (...) {
        beside.join();
        throw;
    }
    beside.join();
    run.sleep("nap", 1);
    smolwf::step_options soon;
    soon.backoff_initial_ms = 1;
    run.step(
        "flaky",
        [](smolwf::step &step) {
            if (step.tries() == 1) throw std::runtime_error("the first try fails");
        },
        soon);
    run.step("last", [&run] { pay(run, "last"); });
    return "\"done\"";
}

static int work(const char *path, const char *log) {
    witness_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    smolwf::store store = smolwf::store::open(path);
    smolwf::worker_options options;
    options.threads = THREADS;
    options.on_event = nullptr;
    smolwf::worker worker(store, {{"soak", work_on}}, options);
    worker.run_until_signal();
    return 0;
}

/* ---- The play ----------------------------------------------------------------------------- */

class process {
  public:
    process(const std::string &path, const std::string &log) : pid_(fork()) {
        if (pid_ != 0) return;
        execl("/proc/self/exe", "soak", "work", path.c_str(), log.c_str(), nullptr);
        _exit(127);
    }
    void signal(int number) const { kill(pid_, number); }
    /** The status with which it ends. */
    int wait() const {
        int status = 0;
        waitpid(pid_, &status, 0);
        return status;
    }

  private:
    pid_t pid_;
};

struct room {
    std::string path, log;
    smolwf::store store;
    std::vector<std::string> runs;

    explicit room(const char *name) : path(temp_path(name)), log(path + ".log") {
        store = smolwf::store::open(path);
        store.init();
        std::string items;
        for (int n = 0; n < RUNS; n++)
            items += std::string(n == 0 ? "" : ",") + "{\"workflow\":\"soak\"}";
        const std::string made = store.run_submit_many("[" + items + "]").str();
        for (size_t at = 0; (at = made.find("run_0", at)) != std::string::npos; at += 30) {
            runs.push_back(made.substr(at, 30));
        }
        CHECK(runs.size() == RUNS);
    }
    void check_completed() {
        for (const std::string &run : runs) {
            CHECK(contains(store.run_get(run), "\"state\":\"completed\""));
        }
    }
    std::map<std::string, int> paid() const {
        std::map<std::string, int> paid;
        std::ifstream lines(log);
        for (std::string line; std::getline(lines, line);) paid[line]++;
        return paid;
    }
    void await_paid(size_t count) const {
        for (int looks = 0; paid().size() < count && looks < 6000; looks++) usleep(5000);
        CHECK(paid().size() >= count);
    }
    /** How often something was paid again. */
    int paid_again() const {
        int again = 0;
        for (const auto &[what, count] : paid()) again += count - 1;
        return again;
    }
};

TEST(a_drain_pays_nothing_twice_and_ends_in_order) {
    room in("drain");
    for (size_t round = 1; round <= 4; round++) {
        const process worker(in.path, in.log);
        in.await_paid(round * 40);
        worker.signal(SIGTERM);
        CHECK(worker.wait() == 0);
    }
    const process last(in.path, in.log);
    in.await_paid(static_cast<size_t>(RUNS) * 3);
    last.signal(SIGTERM);
    CHECK(last.wait() == 0);
    CHECK(in.paid_again() == 0);
    in.check_completed();
}

TEST(a_kill_pays_again_only_what_was_in_flight) {
    room in("kill");
    constexpr int KILLS = 4;
    for (size_t round = 1; round <= KILLS; round++) {
        const process killed(in.path, in.log);
        const process beside(in.path, in.log);
        in.await_paid(round * 35);
        killed.signal(SIGKILL);
        beside.signal(SIGTERM);
        CHECK(WIFSIGNALED(killed.wait()));
        CHECK(beside.wait() == 0);
    }
    const process last(in.path, in.log);
    in.await_paid(static_cast<size_t>(RUNS) * 3);
    last.signal(SIGTERM);
    CHECK(last.wait() == 0);
    in.check_completed();
    CHECK(in.paid_again() <= KILLS * static_cast<int>(THREADS) * 2);
}

int main(int argc, char **argv) {
    if (argc == 4 && std::string_view(argv[1]) == "work") return work(argv[2], argv[3]);
    return run_all_tests();
}
