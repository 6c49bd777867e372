// A team of eight shares a budget of tokens. Each call reserves what it may cost before it is made,
// and settles what it did cost in the commit of its result; when the budget is used up the members
// park, and when it is raised they go on.
#include "json_view.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <smolwf.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static constexpr int members = 8;
static constexpr std::int64_t tokens = 100'000;
static constexpr std::int64_t raise_by = 10'000;
static constexpr std::int64_t estimate_max = 1000;

static std::int64_t random_between(std::int64_t least, std::int64_t most) {
    static thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine);
}

static std::string of_tokens(std::int64_t count) {
    return "{\"tokens\":" + std::to_string(count) + "}";
}

// ---- The members -------------------------------------------------------------------------------

// Makes one call; returns false when the budget does not allow it.
static bool call(smolwf::attempt &attempt) {
    smolwf::step_options options;
    options.kind = random_between(0, 1) == 0 ? "draft" : "review";
    auto [code, step] = attempt.step_begin("call", {}, options);
    if (code == SW_REPLAYED) return true;
    const std::int64_t estimate = random_between(200, estimate_max);
    try {
        static_cast<void>(attempt.budget_reserve(of_tokens(estimate), {}, step.get()));
    } catch (const smolwf::error &error) {
        if (error.code() == SW_ERR_BUDGET) return false;
        throw;
    }
    const std::string used = of_tokens(random_between(estimate / 2, estimate * 3 / 2));
    step.complete_usage(used, used);
    return true;
}

// Works as whichever member can go on, until stopped.
static void work(smolwf::store &store, sw_stop *stop) {
    smolwf::claim_options options;
    options.wait_ms = SW_FOREVER;
    options.stop = stop;
    for (;;) {
        auto [code, attempt] = store.run_claim("members", options);
        if (code != SW_OK) return;
        while (call(attempt)) continue;
        attempt.suspend();
    }
}

// ---- The team ----------------------------------------------------------------------------------

// Submits the team with its budget, and its members; returns the ids of the team and of the members.
static std::vector<std::string> submit(smolwf::store &store) {
    const std::string budget = of_tokens(tokens);
    smolwf::submit_options options;
    options.queue = "teams";
    options.budget = budget;
    std::vector<std::string> ids = {store.run_submit("team", {}, options).value.str()};
    auto [code, team] = store.run_claim("teams");
    if (code != SW_OK) throw std::runtime_error("the team cannot be claimed");
    options = {};
    options.queue = "members";
    std::string waits;
    for (int i = 0; i < members; i++) {
        ids.push_back(team.child_submit("member", "member", {}, options).value.str());
        waits += (i == 0 ? "[{\"child\":\"" : ",{\"child\":\"") + ids.back() + "\"}";
    }
    if (team.await_all("join", waits + "]").code != SW_SUSPEND)
        throw std::runtime_error("too soon");
    team.suspend();
    return ids;
}

// How all members are: the states and attempts of all, empty while one of them is not parked.
static std::string parked(smolwf::store &store, const std::vector<std::string> &ids) {
    std::string all;
    for (std::size_t i = 1; i < ids.size(); i++) {
        const smolwf::text run = store.run_get(ids[i]);
        if (json::member(run, "state") != "\"waiting\"") return {};
        all += std::string(json::member(run, "attempts")) + " ";
    }
    return all;
}

static std::int64_t number(const smolwf::text &budget, const char *what) {
    return json::integer(json::member(json::member(json::member(budget, "units"), "tokens"), what));
}

// Waits until more than `before` is spent and all are parked, as two looks in a row find; returns
// what is spent.
static std::int64_t spent_when_parked(smolwf::store &store, const std::vector<std::string> &ids,
                                      std::int64_t before, std::int64_t limit) {
    std::string last;
    for (;;) {
        const std::string now = parked(store, ids);
        const smolwf::text budget = store.budget_get(ids[0]);
        const std::int64_t spent = number(budget, "spent");
        if (!now.empty() && now == last && spent > before) {
            // Only what a settled call cost beyond its reservation may be above the limit.
            const bool is_kept =
                number(budget, "limit") == limit && number(budget, "reserved") == 0 &&
                spent <= limit + members * estimate_max / 2 && limit - spent < estimate_max;
            if (!is_kept) throw std::runtime_error("the budget is " + budget.str());
            return spent;
        }
        last = now;
        std::this_thread::sleep_for(std::chrono::milliseconds(20)); // parking wakes nobody
    }
}

// Adds up the results of all calls by their kind; returns how many there are.
static int add_up(smolwf::store &store, const std::vector<std::string> &ids,
                  std::map<std::string, std::int64_t> &by_kind) {
    int entries = 0;
    for (std::size_t i = 1; i < ids.size(); i++) {
        const smolwf::text history = store.run_history(ids[i], {}, 1000);
        const std::string_view steps = json::member(history, "steps");
        std::size_t at = 1;
        for (auto step = json::next(steps, at); !step.empty(); step = json::next(steps, at)) {
            if (json::member(step, "name") != "\"call\"") continue;
            const std::int64_t used =
                json::integer(json::member(json::member(step, "result"), "tokens"));
            by_kind[std::string(json::member(step, "kind"))] += used;
            entries++;
        }
    }
    return entries;
}

static void play(smolwf::store &store, const std::vector<std::string> &ids) {
    const std::int64_t first = spent_when_parked(store, ids, 0, tokens);
    std::printf("the limit was reached: %d members are parked\n", members);
    store.budget_raise(ids[0], "tokens", raise_by);
    const std::int64_t limit = tokens + raise_by;
    const std::int64_t spent = spent_when_parked(store, ids, first, limit);
    std::printf("raised by %lld: work went on\n", static_cast<long long>(raise_by));
    std::puts("the limit was reached again\nno reserve went above the limit");
    store.run_cancel(ids[0], of_tokens(spent));

    std::map<std::string, std::int64_t> by_kind;
    const int entries = add_up(store, ids, by_kind);
    std::int64_t ledger = 0;
    for (const auto &[kind, used] : by_kind) ledger += used;
    if (ledger != spent) throw std::runtime_error("spent is not the sum of the ledger");
    std::puts("spent is the sum of the ledger");
    std::printf("# spent %lld, limit %lld, entries %d\n", static_cast<long long>(spent),
                static_cast<long long>(limit), entries);
    for (const auto &[kind, used] : by_kind) {
        std::printf("# %s %lld\n", kind.c_str(), static_cast<long long>(used));
    }
}

// Starts the members' threads, and ends them however the play ends.
class team {
  public:
    explicit team(smolwf::store &store) : stop_(smolwf::stop::make()) {
        for (int i = 0; i < members; i++) {
            threads_.emplace_back([this, &store] { work_or_report(store); });
        }
    }
    team(const team &) = delete;
    team &operator=(const team &) = delete;
    ~team() {
        stop_.fire();
        for (std::thread &thread : threads_) thread.join();
    }

  private:
    void work_or_report(smolwf::store &store) {
        try {
            work(store, stop_.get());
        } catch (const smolwf::error &error) {
            std::fprintf(stderr, "a member: %s\n", error.what());
            std::exit(1);
        }
    }

    smolwf::stop stop_;
    std::vector<std::thread> threads_;
};

int main(int argc, char **argv) {
    if (argc != 2) return std::fputs("usage: budget <store>\n", stderr), 1;
    try {
        smolwf::store store = smolwf::store::open(argv[1]);
        store.init();
        const std::vector<std::string> ids = submit(store);
        std::printf("a team of %d shares %lld tokens\n", members, static_cast<long long>(tokens));
        const team at_work(store);
        play(store, ids);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "budget: %s\n", error.what());
        return 1;
    }
}
