"""An agent whose worker is killed in mid-work: no prompt is asked, and paid for, twice.

usage: agent.py database [worker number port]
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import smolwf

PROMPTS = ("plan", "search", "read", "write")
RETRY_AFTER_MS = 50


class Model(BaseHTTPRequestHandler):
    """Stands for the model: slow, and busy at the first of some prompts."""

    asked: ClassVar[Counter[str]] = Counter()
    answered: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        prompt = self.path[1:]
        Model.asked[prompt] += 1
        if prompt in ("search", "write") and Model.asked[prompt] == 1:
            self.send_response(503)
            self.end_headers()
            return
        time.sleep(0.02)  # thinking
        Model.answered[prompt] += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"text": f"{prompt} done"}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


def ask(port: int, prompt: str) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{prompt}", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def say(number: int, what: str) -> None:
    print(f"worker {number}: {what}", flush=True)


def make_workflow(number: int, port: int) -> smolwf.Workflow[Any, Any]:
    @smolwf.workflow
    def answer(context: smolwf.Context, args: Any) -> Any:
        for prompt in PROMPTS:
            with context.step(prompt, kind="model") as step:
                if not step.is_todo:
                    say(number, f"{prompt} replayed")
                    continue
                try:
                    step.complete(ask(port, prompt))
                except urllib.error.HTTPError as error:
                    say(number, f"{prompt} busy, again in {RETRY_AFTER_MS} ms")
                    status = {"status": error.code}
                    raise smolwf.Failure(status, retry_after_ms=RETRY_AFTER_MS) from None
                say(number, f"{prompt} asked")
            if number == 1 and prompt == "read":
                os.kill(os.getpid(), signal.SIGKILL)
        return step.result

    return answer


def worker(path: str, number: int, port: int) -> None:
    """Runs attempts until one completes the run."""
    logging.getLogger("smolwf").setLevel(logging.ERROR)  # what fails here is meant to
    answer = make_workflow(number, port)
    with smolwf.Store.open(path) as store:
        while True:
            attempt = store.claim(wait_ms=30_000)
            if attempt is None:
                sys.exit("there was nothing to claim for half a minute")
            with attempt:
                if answer.run(attempt) is smolwf.Code.OK:
                    return


def start(path: str, number: int, port: int) -> int:
    sys.stdout.flush()
    command = [sys.executable, __file__, path, "worker", str(number), str(port)]
    return subprocess.run(command, check=False).returncode


def main(path: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with smolwf.Store.open(path) as store:
        run_id = store.submit("answer")
        if start(path, 1, server.server_port) != -signal.SIGKILL:
            sys.exit("worker 1 was not killed")
        print("worker 1 was killed")
        if start(path, 2, server.server_port) != 0:
            sys.exit("worker 2 failed")
        run = store.run(run_id)
        if run["state"] != "completed":
            sys.exit(f"the run is {run['state']}")
        print("the answer is", json.dumps(run["result"], separators=(",", ":")))
    server.shutdown()
    server.server_close()
    if Model.answered != Counter(PROMPTS):
        sys.exit(f"the model answered {dict(Model.answered)}")
    print(f"the model answered {len(PROMPTS)} prompts, each once")


if __name__ == "__main__":
    if sys.argv[2:3] == ["worker"]:
        worker(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(sys.argv[1])
