// Agent asks a slow model over HTTP, which is busy now and then; its first worker is killed on the way.
// Each prompt is paid for once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"smolwf.internal/smolwf"
)

const retryAfter = 50 * time.Millisecond

type reply struct {
	Text string `json:"text"`
}

// model stands for the service that costs money.
type model struct {
	mu       sync.Mutex
	answered map[string]int
	refused  map[string]bool
}

func (m *model) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	prompt := strings.TrimPrefix(in.URL.Path, "/")
	time.Sleep(20 * time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	isBusy := prompt == "search" || prompt == "write"
	if isBusy && !m.refused[prompt] {
		m.refused[prompt] = true
		out.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	m.answered[prompt]++
	_ = json.NewEncoder(out).Encode(reply{prompt + " done"})
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: agent <store>")
	}
	var err error
	if len(os.Args) == 5 && os.Args[2] == "worker" {
		err = work(os.Args[1], os.Args[3], os.Args[4])
	} else {
		err = lead(os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func lead(path string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fake := &model{answered: map[string]int{}, refused: map[string]bool{}}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	runID, _, err := store.Submit("answer", "why?", nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"1", "2"} {
		cmd := exec.Command(os.Args[0], path, "worker", name, port)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
			fmt.Printf("worker %s was killed\n", name)
		} else if err != nil {
			return err
		}
	}
	run, err := store.Get(runID)
	if err != nil {
		return err
	}
	fmt.Printf("the answer is %s\n", run.Result)
	for prompt, times := range fake.answered {
		if times != 1 {
			return fmt.Errorf("%s was paid for %d times", prompt, times)
		}
	}
	fmt.Printf("the model answered %d prompts, each once\n", len(fake.answered))
	return nil
}

// work carries the run until it has ended.
func work(path, name, port string) error {
	store, err := smolwf.Open(path, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	a := agent{name: name, url: "http://127.0.0.1:" + port + "/"}
	errorsOnly := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})
	worker := &smolwf.Worker{
		Store: store, Workflows: map[string]smolwf.Workflow{"answer": a.answer},
		Logger: slog.New(errorsOnly), // a busy model is no news here
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !a.done {
		run, err := store.Claim(ctx, "", nil)
		if err != nil {
			return err
		}
		if err := worker.Carry(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

type agent struct {
	name, url string
	done      bool
}

func (a *agent) answer(ctx context.Context, run *smolwf.Attempt) (any, error) {
	var last reply
	for _, prompt := range []string{"plan", "search", "read", "write"} {
		asked := false
		var err error
		last, err = smolwf.DoWith(ctx, run, prompt, smolwf.StepOptions{Kind: "model"},
			func(ctx context.Context) (reply, error) {
				asked = true
				return a.ask(ctx, prompt)
			})
		if err != nil {
			return nil, err
		}
		if asked {
			a.say(prompt + " asked")
		} else {
			a.say(prompt + " replayed")
		}
		if a.name == "1" && prompt == "read" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	a.done = true
	return last, nil
}

func (a *agent) ask(ctx context.Context, prompt string) (reply, error) {
	var got reply
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+prompt, nil)
	if err != nil {
		return got, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, response.Body)
		a.say(fmt.Sprintf("%s busy, again in %d ms", prompt, retryAfter.Milliseconds()))
		return got, &smolwf.Retry{Failure: map[string]int{"status": response.StatusCode}, After: retryAfter}
	}
	err = json.NewDecoder(response.Body).Decode(&got)
	return got, err
}

func (a *agent) say(what string) { fmt.Printf("worker %s: %s\n", a.name, what) }
