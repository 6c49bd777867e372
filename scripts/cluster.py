"""Has workers in several languages work at one store in PostgreSQL, on two machines of which one is
cut off, kills one of them and the server, and holds what they did against what the store says:
scripts/cluster.sh.

usage: cluster.py folder-of-the-workers

The workers are those of tests/torture_workers, whose README says what a plan and a fact are.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Callable, Optional, TypeVar

import smolwf

T = TypeVar("T")
HERE = Path(__file__).parent
WORKERS = HERE.parent / "tests" / "torture_workers"
SCHEMA = "cluster"
#: What each run does: steps, one of which takes a while, an event, a sleep, more bytes.
PLAN = "s w20 e z60 w10 h"
#: How long the machine is cut off: for longer than the server takes to see it, and a call waits.
CUT_S = 8.0
#: How long the server is away.
AWAY_MS = 2_000
BEGAN = time.monotonic()
#: How long anything may take before it counts as hung. Nothing is timed by it.
PATIENCE_S = 120.0


class Failed(Exception):
    """Something was lost, done twice, or never came."""


def patiently(call: Callable[[], T]) -> T:
    while True:
        try:
            return call()
        except smolwf.Error as error:
            if not error.retryable:
                raise
            time.sleep(0.05)


def until(what: str, is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > ends_at:
            raise Failed(f"never: {what}")
        time.sleep(0.05)


class Proxy:
    """A way to the server's socket that can be cut, for a machine that is none."""

    def __init__(self, target: str) -> None:
        self.folder = tempfile.mkdtemp()
        self.target, self.is_cut = target, False
        self.open: list[socket.socket] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.folder}/.s.PGSQL.5432")
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                if self.is_cut:
                    raise OSError
                server.connect(f"{self.target}/.s.PGSQL.5432")
            except OSError:
                client.close()
                continue
            self.open += [client, server]
            for ends in [(client, server), (server, client)]:
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass  # it was cut
        for end in (source, sink):
            shut(end)

    def cut(self) -> None:
        self.is_cut = True
        opened, self.open = self.open, []
        for end in opened:
            shut(end)

    def heal(self) -> None:
        self.is_cut = False


def shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is shut


class Machine:
    """A network namespace, or, without a name, processes; the second of those behind a proxy."""

    def __init__(self, at: str, url: str, is_far: bool) -> None:
        self.name, _, address = at.partition("=")
        self.proxy: Optional[Proxy] = None
        room = url.split("host=")[1].split("&")[0]
        self.url = f"{url}&sw_schema={SCHEMA}"
        if self.name:
            self.url = f"postgresql://postgres@{address}/postgres?sw_schema={SCHEMA}"
        elif is_far:
            self.proxy = Proxy(room)
            self.url = self.url.replace(room, self.proxy.folder)

    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.name] if self.name else []

    def cut(self) -> None:
        if self.proxy:
            self.proxy.cut()
        else:
            self.link("down")

    def heal(self) -> None:
        if self.proxy:
            self.proxy.heal()
        else:
            self.link("up")

    def link(self, state: str) -> None:
        subprocess.run(["ip", "link", "set", self.name, state], check=True)


class Worker:
    def __init__(self, language: str, command: list[str], machine: Machine, folder: Path) -> None:
        self.language, self.machine, self.folder = language, machine, folder
        self.command = [*machine.inside(), *command, machine.url, str(folder / "plans"), "1", "0"]
        self.witness = folder / language
        self.witness.touch()
        self.lives = 0
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "TORTURE_WITNESS": str(self.witness)}
        with (self.folder / f"{self.language}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        self.lives += 1

    def facts(self) -> list[list[str]]:
        """Kind, run, name, attempt and value of each that was written whole."""
        lines = self.witness.read_text().split("\n")
        return [parts[:5] for parts in (line.split("\t") for line in lines) if parts[-1] == "."]

    def goes_on_after(self, count: int) -> bool:
        if self.process.poll() is not None:
            raise Failed(f"the worker in {self.language} has ended: {self.told()}")
        return len(self.facts()) > count

    def told(self) -> str:
        return (self.folder / f"{self.language}.log").read_text()[-1_000:]


def commands(room: Path) -> dict[str, list[str]]:
    found = {"python": [sys.executable, str(WORKERS / "worker.py")]}
    if os.environ.get("TORTURE_NODE"):
        found["node"] = ["node", str(WORKERS / "worker.mjs")]
    for language in ("go", "cpp"):
        if (room / f"worker-{language}").exists():
            found[language] = [str(room / f"worker-{language}")]
    return found


class Cluster:
    def __init__(self, room: Path, folder: Path) -> None:
        url = os.environ["SW_POSTGRES_URL"]
        places = os.environ["CLUSTER_MACHINES"].split() or ["", ""]
        self.machines = [Machine(at, url, bool(nth)) for nth, at in enumerate(places)]
        self.store = smolwf.Store.open(f"{url}&sw_schema={SCHEMA}")
        (folder / "plans").touch()
        started = enumerate(commands(room).items())
        self.workers = [
            Worker(language, command, self.machines[nth % 2], folder)
            for nth, (language, command) in started
        ]
        self.runs: list[str] = []
        self.is_over = threading.Event()
        self.submitter = threading.Thread(target=self.submit, daemon=True)
        self.submitter.start()

    def submit(self) -> None:
        """As fast as they are done, by who tries again when the server is away."""
        while not self.is_over.wait(0.02):
            key = f"k{len(self.runs)}"
            queue, args = ("work", "narrow")[len(self.runs) % 2], f"{key} {PLAN}"
            submit = partial(self.store.submit, "torture", args, idempotency_key=key, queue=queue)
            self.runs.append(patiently(partial(submit, max_tries=1_000)))
            until("room for another run", lambda: self.count_open() < 60 or self.is_over.is_set())

    def has_ended(self, run: str) -> bool:
        state = patiently(lambda: self.store.run(run))["state"]
        return state not in ("pending", "running", "waiting")

    def count_open(self) -> int:
        return patiently(lambda: self.store.count_runs(state=["pending", "running", "waiting"]))

    def go_on(self, which: Optional[list[Worker]] = None) -> None:
        """Waits until each of these workers has done something from here on."""
        for worker in self.workers if which is None else which:
            is_on = partial(worker.goes_on_after, len(worker.facts()))
            until(f"the worker in {worker.language} goes on: {worker.told()}", is_on)

    def play(self) -> None:
        self.go_on()
        far = self.machines[1]
        say(f"cut off: {', '.join(w.language for w in self.workers if w.machine is far)}")
        far.cut()
        open_then = [run for run in list(self.runs) if not self.has_ended(run)]
        time.sleep(CUT_S)
        until(
            "what was begun where it is cut off is done elsewhere",
            lambda: all(self.has_ended(run) for run in open_then),
        )
        self.go_on([worker for worker in self.workers if worker.machine is not far])
        far.heal()
        self.go_on()
        victim = self.workers[-1]
        say(f"killed: {victim.language}")
        victim.process.kill()
        victim.process.wait()
        self.go_on(self.workers[:-1])
        victim.start()
        self.go_on()
        say("killed: the server, started again after 2 s")
        again = [str(HERE / "postgres-again.sh"), "immediate", str(AWAY_MS)]
        subprocess.run(again, check=True)
        self.go_on()
        self.is_over.set()
        self.submitter.join()
        until("all runs have ended", lambda: self.count_open() == 0)

    def end(self) -> None:
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            code = worker.process.wait(PATIENCE_S)
            if code != 0:
                raise Failed(f"the worker in {worker.language} ended with {code}: {worker.told()}")


def judge(cluster: Cluster) -> list[str]:
    """What is wrong: lost, or done twice."""
    store, wrong = cluster.store, []
    found = Counter(fact for worker in cluster.workers for fact in map(tuple, worker.facts()))
    if len(set(cluster.runs)) != len(cluster.runs):
        wrong.append("two keys made one run")
    count = store.count_runs()
    if count != len(cluster.runs):
        wrong.append(f"twice: {count} runs, of {len(cluster.runs)} keys")
    for run in cluster.runs:
        document = store.run(run)
        if document["state"] != "completed":
            wrong.append(f"lost: {run} is {document['state']}")
    seen: dict[tuple[str, str], set[str]] = {}
    for (kind, run, name, attempt, value), times in found.items():
        if kind == "effect" and times > 1:
            wrong.append(f"twice: step {name} of {run} in attempt {attempt}, {times} times")
        if kind == "seen":
            seen.setdefault((run, name), set()).add(value)
    wrong += [f"two results: {key} {values}" for key, values in seen.items() if len(values) > 1]
    check = store.check()
    if not check["ok"]:
        wrong.append(f"the store is not whole: {check}")
    return wrong


def say(text: str) -> None:
    print(f"cluster: {time.monotonic() - BEGAN:4.1f} s: {text}", flush=True)


def table(cluster: Cluster, wrong: list[str]) -> None:
    print(f"{'worker':8} {'machine':8} {'lives':>5} {'steps done':>10}")
    for worker in cluster.workers:
        steps = sum(fact[0] == "effect" for fact in worker.facts())
        nth = cluster.machines.index(worker.machine) + 1
        print(f"{worker.language:8} {nth:<8} {worker.lives:>5} {steps:>10}")
    lost = sum(text.startswith("lost") for text in wrong)
    print(f"{len(cluster.runs)} runs, {lost} lost, {len(wrong) - lost} done twice or wrong")


def main(room: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(room, Path(folder))
        is_real = bool(cluster.machines[0].name)
        say("machines: " + ("two network namespaces" if is_real else "processes, and a proxy"))
        try:
            cluster.play()
            cluster.end()
            wrong = judge(cluster)
        except Failed as failed:
            wrong = [str(failed)]
        finally:
            for worker in cluster.workers:
                worker.process.kill()
        table(cluster, wrong)
        for text in wrong:
            say(text)
        print(f"cluster: {int(not wrong)} passed, {int(bool(wrong))} failed")
        return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
