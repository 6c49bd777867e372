// A workflow of four questions to a model, each a step. The first worker is killed after the third
// answer; the second replays those answers and asks the fourth question only. Busy answers (503) are
// failed steps that are tried again 50 ms later; meanwhile the run is parked.
//   agent <store>                          plays it all, with a model of its own on the loopback
//   agent <store> worker <number> <port>   is one worker
#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <smolwf.hpp>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "json_view.hpp"

static constexpr std::array prompts = {"plan", "search", "read", "write"};
static constexpr std::int64_t retry_ms = 50;
static constexpr std::int64_t wait_ms = 10'000; // longer than a takeover from a killed worker takes

static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A connected or listening socket, closed at its end.
class descriptor {
  public:
    explicit descriptor(int fd) : fd_(fd) {
        if (fd < 0) throw std::runtime_error("a socket cannot be had");
    }
    descriptor(const descriptor &) = delete;
    descriptor &operator=(const descriptor &) = delete;
    ~descriptor() { ::close(fd_); }
    int get() const { return fd_; }

    // Reads until the other side is done, or until the text has come.
    std::string read_until(const char *text) const {
        std::string all;
        char buffer[256];
        ssize_t count = 0;
        while (all.find(text) == std::string::npos &&
               (count = ::read(fd_, buffer, sizeof buffer)) > 0) {
            all.append(buffer, static_cast<std::size_t>(count));
        }
        return all;
    }
    void write(const std::string &text) const {
        if (::write(fd_, text.data(), text.size()) < 0) throw std::runtime_error("not written");
    }

  private:
    int fd_;
};

// The model: answers each prompt, and is busy at the first search and the first write.
class model {
  public:
    model() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address = loopback(0);
        socklen_t len = sizeof address;
        auto *as_any = reinterpret_cast<sockaddr *>(&address);
        if (::bind(listener_.get(), as_any, len) != 0 || ::listen(listener_.get(), 8) != 0 ||
            ::getsockname(listener_.get(), as_any, &len) != 0) {
            throw std::runtime_error("there is no port for the model");
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~model() { stop(); }
    model(const model &) = delete;
    model &operator=(const model &) = delete;

    std::uint16_t port() const { return port_; }
    // Ends the model and tells how often it answered each prompt.
    std::map<std::string, int> stop() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        if (thread_.joinable()) thread_.join();
        return answered_;
    }

  private:
    void serve() {
        int connection;
        while ((connection = ::accept(listener_.get(), nullptr, nullptr)) >= 0) {
            answer(descriptor(connection));
        }
    }
    void answer(const descriptor &connection) {
        const std::string request = connection.read_until("\r\n\r\n");
        const std::string prompt = request.substr(6, request.find(' ', 6) - 6);
        std::this_thread::sleep_for(std::chrono::milliseconds(20)); // it thinks
        if ((prompt == "search" || prompt == "write") && was_busy_.insert(prompt).second) {
            return connection.write("HTTP/1.0 503 Busy\r\n\r\n");
        }
        answered_[prompt]++;
        connection.write("HTTP/1.0 200 OK\r\n\r\n{\"text\":\"" + prompt + " done\"}");
    }

    descriptor listener_;
    std::uint16_t port_ = 0;
    std::map<std::string, int> answered_;
    std::set<std::string> was_busy_;
    std::thread thread_;
};

class worker {
  public:
    worker(const char *path, const char *number, const char *port)
        : number_(number), port_(static_cast<std::uint16_t>(std::atoi(port))),
          store_(smolwf::store::open(path)) {}

    void work() {
        smolwf::claim_options options;
        options.wait_ms = wait_ms;
        for (bool is_done = false; !is_done;) {
            auto [code, attempt] = store_.run_claim({}, options);
            if (code == SW_NONE) throw std::runtime_error("no run");
            is_done = workflow(attempt);
        }
    }

  private:
    // The workflow, from its top; returns whether it came to its end.
    bool workflow(smolwf::attempt &attempt) {
        std::string answer;
        for (const std::string prompt : prompts) {
            if (do_step(attempt, prompt, answer)) continue;
            attempt.suspend();
            return false;
        }
        attempt.complete(answer);
        return true;
    }
    // Does one step; returns false when it must be tried again later.
    bool do_step(smolwf::attempt &attempt, const std::string &prompt, std::string &answer) {
        smolwf::step_options options;
        options.kind = "model";
        auto [code, step] = attempt.step_begin(prompt, {}, options);
        if (code == SW_SUSPEND) return false;
        if (code == SW_REPLAYED) {
            answer = step.result();
            return say(prompt + " replayed");
        }
        if (!ask(prompt, answer)) {
            smolwf::fail_options later;
            later.retry_after_ms = retry_ms;
            static_cast<void>(step.fail("{\"status\":503}", later));
            say(prompt + " busy, again in 50 ms");
            return false;
        }
        step.complete(answer);
        say(prompt + " asked");
        if (number_ == "1" && prompt == "read") std::raise(SIGKILL);
        return true;
    }
    bool say(const std::string &what) const {
        std::printf("worker %s: %s\n", number_.c_str(), what.c_str());
        std::fflush(stdout);
        return true;
    }
    // Asks the model; returns false when it is busy.
    bool ask(const std::string &prompt, std::string &answer) const {
        const descriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address = loopback(port_);
        auto *as_any = reinterpret_cast<sockaddr *>(&address);
        if (::connect(connection.get(), as_any, sizeof address) != 0) {
            throw std::runtime_error("no model");
        }
        connection.write("POST /" + prompt + " HTTP/1.0\r\n\r\n");
        const std::string reply = connection.read_until("no such text: to the end");
        answer = reply.substr(reply.find("\r\n\r\n") + 4);
        return reply.compare(0, 12, "HTTP/1.0 200") == 0;
    }

    std::string number_;
    std::uint16_t port_;
    smolwf::store store_;
};

// Starts a worker and returns how it ended.
static int run_worker(const char *program, const char *path, const char *number,
                      std::uint16_t port) {
    const std::string port_text = std::to_string(port);
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl(program, program, path, "worker", number, port_text.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) throw std::runtime_error("a worker is lost");
    return status;
}

static void play(const char *program, const char *path) {
    model model;
    smolwf::store store = smolwf::store::open(path);
    store.init();
    const smolwf::id_text run_id = store.run_submit("answer").value;

    int status = run_worker(program, path, "1", model.port());
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        throw std::runtime_error("worker 1 was not killed");
    }
    std::puts("worker 1 was killed");
    status = run_worker(program, path, "2", model.port());
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("worker 2 failed");

    const smolwf::text document = store.run_get(run_id);
    std::printf("the answer is %s\n", std::string(json::member(document, "result")).c_str());
    for (const auto &[prompt, count] : model.stop()) {
        if (count != 1) throw std::runtime_error(prompt + " was not answered once");
    }
    std::printf("the model answered %zu prompts, each once\n", prompts.size());
}

int main(int argc, char **argv) {
    try {
        if (argc == 5) {
            worker(argv[1], argv[3], argv[4]).work();
        } else if (argc == 2) {
            play(argv[0], argv[1]);
        } else {
            throw std::runtime_error("usage: agent <store>");
        }
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "agent: %s\n", error.what());
        return 1;
    }
}
