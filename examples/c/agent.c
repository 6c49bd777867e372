/*
 * A workflow of four questions to a model, each a step. The first worker is killed after the third
 * answer; the second replays those answers and asks the fourth question only. Busy answers (503) are
 * failed steps that are tried again 50 ms later, meanwhile the run is parked.
 *   agent <store>                          plays it all, with a model of its own on the loopback
 *   agent <store> worker <number> <port>   is one worker
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <smolwf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROMPTS 4
#define RETRY_MS 50
#define WAIT_MS 10000 /* longer than a takeover from a killed worker takes */
#define REPLY_MAX 256

static const char *const prompts[PROMPTS] = {"plan", "search", "read", "write"};
static sw_error *err;

static void fail(const char *what) {
    fprintf(stderr, "agent: %s\n", what);
    exit(1);
}

static int32_t ok(int32_t code) {
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", sw_code_name(code), sw_error_message(err));
    exit(1);
}

static sw_store *open_store(const char *path) {
    sw_store *store;
    uint32_t applied;
    ok(sw_store_open(path, NULL, &store, &err));
    ok(sw_store_init(store, &applied, &err));
    return store;
}

/* ---- The model: answers each prompt, and is busy at the first search and the first write ------- */

struct model {
    int listener;
    uint16_t port;
    int asked[PROMPTS], answered[PROMPTS];
};

static int prompt_of(const char *request) {
    for (int i = 0; i < PROMPTS; i++) {
        size_t len = strlen(prompts[i]);
        bool is_it = strncmp(request, "POST /", 6) == 0 &&
                     strncmp(request + 6, prompts[i], len) == 0 && request[6 + len] == ' ';
        if (is_it) return i;
    }
    return -1;
}

/* Reads a request up to its empty line. */
static bool read_request(int connection, char request[REPLY_MAX]) {
    size_t len = 0;
    while (len + 1 < REPLY_MAX) {
        ssize_t count = read(connection, request + len, REPLY_MAX - 1 - len);
        if (count <= 0) return false;
        len += (size_t)count;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL) return true;
    }
    return false;
}

static void answer(struct model *model, int connection) {
    char request[REPLY_MAX], reply[REPLY_MAX];
    int prompt = read_request(connection, request) ? prompt_of(request) : -1;
    if (prompt < 0) return;
    bool is_moody = strcmp(prompts[prompt], "search") == 0 || strcmp(prompts[prompt], "write") == 0;
    bool is_busy = is_moody && model->asked[prompt] == 0;
    model->asked[prompt]++;
    usleep(20 * 1000); /* it thinks */
    if (is_busy) {
        snprintf(reply, sizeof reply, "HTTP/1.0 503 Busy\r\n\r\n");
    } else {
        model->answered[prompt]++;
        snprintf(reply, sizeof reply, "HTTP/1.0 200 OK\r\n\r\n{\"text\":\"%s done\"}",
                 prompts[prompt]);
    }
    if (write(connection, reply, strlen(reply)) < 0) fail("the model cannot answer");
}

static void *serve(void *shared) {
    struct model *model = shared;
    int connection;
    while ((connection = accept(model->listener, NULL, NULL)) >= 0) {
        answer(model, connection);
        close(connection);
    }
    return NULL;
}

static void listen_on_loopback(struct model *model) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    model->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(model->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(model->listener, 8) != 0 ||
        getsockname(model->listener, (struct sockaddr *)&address, &len) != 0) {
        fail("there is no port for the model");
    }
    model->port = ntohs(address.sin_port);
}

/* ---- A worker ---------------------------------------------------------------------------------- */

/* Asks the model; returns the status of its answer and the answer itself. */
static int ask(uint16_t port, const char *prompt, char body[REPLY_MAX]) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char text[REPLY_MAX];
    size_t len = 0;
    ssize_t count;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) fail("no model");
    snprintf(text, sizeof text, "POST /%s HTTP/1.0\r\n\r\n", prompt);
    if (write(connection, text, strlen(text)) < 0) fail("the model does not listen");
    while (len + 1 < sizeof text &&
           (count = read(connection, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)count;
    }
    text[len] = '\0';
    close(connection);
    const char *end = strstr(text, "\r\n\r\n");
    snprintf(body, REPLY_MAX, "%s", end == NULL ? "" : end + 4);
    return len > 9 ? atoi(text + 9) : 0;
}

struct worker {
    const char *number;
    uint16_t port;
};

/* Does one step; returns false when it must be tried again later. */
static bool do_step(const struct worker *self, sw_attempt *attempt, const char *prompt) {
    sw_step_options options = {.struct_size = sizeof options, .kind = "model", .kind_len = SW_NTS};
    sw_fail_options later = {.struct_size = sizeof later, .retry_after_ms = RETRY_MS};
    sw_step *step;
    char reply[REPLY_MAX];
    bool is_done = true;
    int32_t begun = ok(sw_step_begin(attempt, prompt, SW_NTS, NULL, 0, &options, &step, &err));
    if (begun == SW_SUSPEND) return false;
    if (begun == SW_REPLAYED) {
        printf("worker %s: %s replayed\n", self->number, prompt);
    } else if (ask(self->port, prompt, reply) == 200) {
        ok(sw_step_complete(step, reply, SW_NTS, &err));
        printf("worker %s: %s asked\n", self->number, prompt);
    } else {
        ok(sw_step_fail(step, "{\"status\":503}", SW_NTS, &later, &err));
        printf("worker %s: %s busy, again in %d ms\n", self->number, prompt, RETRY_MS);
        is_done = false;
    }
    sw_step_free(step);
    fflush(stdout);
    if (is_done && begun == SW_OK && strcmp(prompt, "read") == 0 && self->number[0] == '1') {
        raise(SIGKILL);
    }
    return is_done;
}

/* The workflow, from its top; returns whether it came to its end. */
static bool workflow(const struct worker *self, sw_attempt *attempt) {
    for (int i = 0; i < PROMPTS; i++) {
        if (do_step(self, attempt, prompts[i])) continue;
        ok(sw_attempt_suspend(attempt, &err));
        return false;
    }
    ok(sw_attempt_complete(attempt, "{\"text\":\"write done\"}", SW_NTS, &err));
    return true;
}

static int work(const char *path, const struct worker *self) {
    sw_claim_options options = {.struct_size = sizeof options, .wait_ms = WAIT_MS};
    sw_store *store = open_store(path);
    sw_attempt *attempt;
    bool is_done = false;
    while (!is_done) {
        if (ok(sw_run_claim(store, NULL, 0, &options, &attempt, &err)) == SW_NONE) fail("no run");
        is_done = workflow(self, attempt);
        sw_attempt_free(attempt);
    }
    sw_store_close(store);
    return 0;
}

/* ---- The play ---------------------------------------------------------------------------------- */

/* Starts a worker and returns how it ended. */
static int run_worker(const char *program, const char *path, const char *number, uint16_t port) {
    char port_text[16];
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, path, "worker", number, port_text, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) fail("a worker is lost");
    return status;
}

static void print_result(const char *path, const char *run_id) {
    sw_store *store = open_store(path);
    sw_text *document;
    ok(sw_run_get(store, run_id, SW_NTS, &document, &err));
    const char *result = strstr(sw_text_data(document, NULL), "\"result\":");
    if (result == NULL) fail("the run has no result");
    result += strlen("\"result\":");
    printf("the answer is %.*s\n", (int)(strcspn(result, "}") + 1), result);
    sw_text_free(document);
    sw_store_close(store);
}

static int play(const char *program, const char *path) {
    struct model model = {0};
    pthread_t thread;
    char run_id[SW_ID_CAP];
    listen_on_loopback(&model);
    if (pthread_create(&thread, NULL, serve, &model) != 0) fail("no thread");

    sw_store *store = open_store(path);
    ok(sw_run_submit(store, "answer", SW_NTS, NULL, 0, NULL, run_id, sizeof run_id, &err));
    sw_store_close(store); /* workers are forked: nothing of the library is open then */

    int status = run_worker(program, path, "1", model.port);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) fail("worker 1 was not killed");
    puts("worker 1 was killed");
    status = run_worker(program, path, "2", model.port);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("worker 2 failed");
    print_result(path, run_id);

    shutdown(model.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(model.listener);
    for (int i = 0; i < PROMPTS; i++) {
        if (model.answered[i] != 1) fail("a prompt was not answered once");
    }
    printf("the model answered %d prompts, each once\n", PROMPTS);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[2], "worker") == 0) {
        struct worker self = {argv[3], (uint16_t)atoi(argv[4])};
        return work(argv[1], &self);
    }
    if (argc != 2) fail("usage: agent <store>");
    return play(argv[0], argv[1]);
}
