// Ten accounts in a table of the program's own, in the store's file, and a hundred transfers between
// them. Each transfer is a run with one step, and what the step does to the accounts and that it is
// done are one commit: kill the program anywhere, and no cent is lost or moved twice.
//   transfer <store>               does what is left to do, and says how the accounts stand
//   transfer <store> kills <many>  does it in workers that are killed so many times
//   transfer <store> worker        one of those
#include "json_view.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <smolwf_worker.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

static constexpr int accounts = 10;
static constexpr int transfers = 100;
static constexpr unsigned tries = 100'000; // of a run: each kill in it may use one up
static bool is_to_be_killed = false;

// ---- The accounts ------------------------------------------------------------------------------

static smolwf::store open_bank(const std::string &path) {
    smolwf::store store = smolwf::store::open(path);
    store.init();
    smolwf::transaction tx;
    tx.sql("CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY,"
           " cents INTEGER NOT NULL CHECK (cents >= 0))");
    tx.sql("CREATE TABLE IF NOT EXISTS moves (transfer INTEGER NOT NULL,"
           " cents INTEGER NOT NULL)");
    for (int account = 0; account < accounts; account++) {
        tx.sql("INSERT INTO accounts VALUES ($1, 1000) ON CONFLICT DO NOTHING",
               "[" + std::to_string(account) + "]");
    }
    store.tx_run(tx.script());
    return store;
}

// The numbers of the one row that a query answers, with a blank between.
static std::string ask(smolwf::store &store, std::string_view sql) {
    const smolwf::text found = store.query(sql);
    std::size_t row = 1, column = 1;
    const std::string_view values = json::next(json::member(found, "rows"), row);
    std::string numbers(json::next(values, column));
    for (auto it = json::next(values, column); !it.empty(); it = json::next(values, column)) {
        numbers.append(" ").append(it);
    }
    return numbers;
}

// ---- The transfers -----------------------------------------------------------------------------

// A worker that is to be killed takes its time around the commit.
static void take_time() {
    if (is_to_be_killed) std::this_thread::sleep_for(std::chrono::milliseconds(3));
}

// The two accounts and the amount follow from the number; each UPDATE must find its account, or
// nothing of it is done.
static std::string transfer(smolwf::context &run) {
    const int number = static_cast<int>(json::integer(run.args()));
    const std::string cents = std::to_string(1 + number % 9);
    const std::string moved = run.transaction("move", [&](smolwf::transaction &tx) {
        if (is_to_be_killed && ::write(STDOUT_FILENO, "!", 1) != 1) std::exit(1);
        const std::string from = std::to_string(number % accounts);
        const std::string to = std::to_string((number * 7 + 3) % accounts);
        const char update[] = "UPDATE accounts SET cents = cents + $1 WHERE id = $2";
        tx.sql(update, "[-" + cents + "," + from + "]", 1);
        tx.sql(update, "[" + cents + "," + to + "]", 1);
        tx.sql("INSERT INTO moves VALUES ($1, $2)",
               "[" + std::to_string(number) + "," + cents + "]");
        take_time();
        return cents;
    });
    take_time();
    return moved;
}

// Submits each transfer, once however often this runs: its number is its key.
static void submit(smolwf::store &store) {
    for (int number = 0; number < transfers; number++) {
        const std::string key = "transfer " + std::to_string(number);
        smolwf::submit_options options;
        options.idempotency_key = key;
        options.max_tries = tries;
        static_cast<void>(store.run_submit("transfer", std::to_string(number), options));
    }
}

static void work(smolwf::store &store) {
    smolwf::worker worker(store, {{"transfer", transfer}});
    while (worker.run_once()) continue;
}

static void report(smolwf::store &store) {
    if (json::member(store.check(), "ok") != "true") throw std::runtime_error("it is not whole");
    const std::string all = ask(store, "SELECT count(*), sum(cents) FROM accounts");
    const std::string twice = ask(store, "SELECT count(*) - count(DISTINCT transfer) FROM moves");
    const auto done = static_cast<unsigned long long>(store.run_count("{\"state\":\"completed\"}"));
    const std::size_t blank = all.find(' ');
    std::printf("accounts %s sum %s\n", all.substr(0, blank).c_str(),
                all.substr(blank + 1).c_str());
    std::printf("transfers %d done %llu twice %s\n", transfers, done, twice.c_str());
}

// ---- Workers that are killed -------------------------------------------------------------------

// Starts a worker and kills it within five milliseconds of its first transfer.
static void start_and_kill(const char *path, std::random_device &seed) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::execl("/proc/self/exe", "transfer", path, "worker", nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    char said = 0;
    if (::read(ends[0], &said, 1) == 1) {
        const int us = std::uniform_int_distribution<int>(0, 5000)(seed);
        std::this_thread::sleep_for(std::chrono::microseconds(us));
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ::close(ends[0]);
}

static void work_and_kill(smolwf::store &store, const char *path, int kills) {
    std::random_device seed;
    for (int done = 0; done < kills; done++) start_and_kill(path, seed);
    std::printf("# killed %d times, %s moves made by then\n", kills,
                ask(store, "SELECT count(*) FROM moves").c_str());
}

int main(int argc, char **argv) {
    try {
        if (argc < 2) throw std::runtime_error("usage: transfer <store> [kills <many> | worker]");
        const std::string_view mode = argc > 2 ? argv[2] : "";
        smolwf::store store = open_bank(argv[1]);
        is_to_be_killed = mode == "worker";
        if (!is_to_be_killed) submit(store);
        if (mode == "kills" && argc > 3) work_and_kill(store, argv[1], std::stoi(argv[3]));
        work(store);
        if (!is_to_be_killed) report(store);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "transfer: %s\n", error.what());
        return 1;
    }
}
