"""One store, from its first run to the end of its last, and what is known of it outside."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import patience
from acts import is_timed_out
from content import Content, read_content
from fault import Fault, Seen
from gang import PLANS, Gang, Paths
from judge import judge
from trouble import Trouble, sqlite_says
from witness import CONCURRENCY, PER_KEY, Fact, draw_plans, read_facts, timeouts_of

import smolwf

OPEN: list[Any] = ["pending", "running", "waiting", "paused"]
SCHEDULE_MS = 700
#: what figures tell of facts
FIGURES = {"fork": "forks", "retry": "retries", "timeout": "time-outs of waits"}
#: what came first, in the order of the workers' waits
REASONS = ["a message", "a child", "a time"]
#: by queue and concurrency key, the runs that are held: what is stored of each, not a count
HELD_BY_KEY = """
SELECT l.queue, t.gate, count(*)
FROM sw_workflow_tasks AS t JOIN sw_workflow_lanes AS l USING (lane_key)
WHERE t.owner_key IS NOT NULL AND t.gate IS NOT NULL
GROUP BY l.queue, t.gate
"""


class Broken(Exception):
    """What the judge found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


class Round:
    """A store that is worked at."""

    def __init__(
        self, commands: dict[str, list[str]], clock: str, folder: Path, disk: Path, seed: str
    ) -> None:
        self.folder, self.disk, self.draws = folder, disk, random.Random(seed)
        logs = folder / "logs"
        logs.mkdir()
        self.paths = Paths(
            disk / "app.db", folder / "witness", folder / "plans", folder / "offset", logs
        )
        self.paths.witness.touch()
        plans = draw_plans(self.draws, PLANS)
        self.paths.plans.write_text("\n".join(plans) + "\n")
        self.timeouts = timeouts_of(plans)
        self.min_offset = self.max_offset = 0
        self.set_clock(0)
        self.gang = Gang(commands, self.paths, self.draws)
        self.gang.preload = clock
        self.raises: dict[str, int] = {}
        self.retries: dict[str, int] = {}
        self.before: Optional[Content] = None
        self.peak = 0
        self.peaks: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.is_open = False
        self.open()
        self.prepare()

    # ---- its store

    def open(self) -> None:
        self.store = smolwf.Store.open(self.paths.store)
        self.is_open = True
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.watcher.join()
            self.store.close()

    def watch(self) -> None:
        """Looks again and again how many runs of the narrow queue are held, and of each key."""
        while self.is_open:
            for queue in self.store.queues():
                if queue["queue"] == "narrow":
                    self.peak = max(self.peak, queue["running"])
            for queue, key, held in self.store.query(HELD_BY_KEY):
                name = f"{queue} {key}"
                self.peaks[name] = max(self.peaks.get(name, 0), int(held))
            self.count("looks")
            time.sleep(0.01)

    def prepare(self) -> None:
        with self.store.transaction() as tx:
            # Nothing in it forbids to do a step twice.
            tx.execute("CREATE TABLE torture_entries (run TEXT, step TEXT, amount INTEGER) STRICT")
            tx.execute("CREATE TABLE torture_total (amount INTEGER NOT NULL) STRICT")
            tx.execute("INSERT INTO torture_total VALUES (0)")
        self.store.queue_set("narrow", concurrency=CONCURRENCY, concurrency_per_key=PER_KEY)
        self.store.queue_set("work", concurrency_per_key=PER_KEY)
        self.store.schedule_set(
            "tick",
            {
                "workflow": "torture",
                "args": "tick s x3 w5",
                "queue": "work",
                "every_ms": SCHEDULE_MS,
            },
        )

    def set_clock(self, offset: int) -> None:
        """Of all workers, in nanoseconds."""
        self.min_offset = min(self.min_offset, offset)
        self.max_offset = max(self.max_offset, offset)
        with self.paths.offset.open("r+b" if self.paths.offset.exists() else "wb") as file:
            file.write(offset.to_bytes(8, "little", signed=True))

    def count(self, what: str) -> None:
        self.counts[what] += 1

    # ---- its judge

    def seen(self) -> Seen:
        return Seen(
            peak=self.peak,
            peaks=dict(self.peaks),
            raises=dict(self.raises),
            retries=dict(self.retries),
            timeouts=self.timeouts,
            clocks_apart=-((self.min_offset - self.max_offset) // 1_000_000),
            before=self.before,
            held_on=frozenset(self.gang.held_on),
        )

    def facts(self) -> list[Fact]:
        return read_facts(self.paths.witness)

    def hold(self, faults: Sequence[Fault]) -> None:
        if faults:
            raise Broken(faults)

    def check(self, is_over: bool = False) -> Content:
        """All workers are gone: what the store holds now must be what they were told."""
        content = read_content(self.store)
        self.hold(judge(self.facts(), content, self.seen(), is_over))
        self.before = content
        self.count("checkpoints")
        return content

    # ---- its life

    def play(self, troubles: Iterable[Trouble], seconds: float) -> Content:
        for trouble in troubles:
            trouble(self, seconds)
            self.gang.kill_all()
            self.check()
        return self.drain()

    def drain(self) -> Content:
        """Carries all runs to their ends, by workers that nobody kills, and asks these to end."""
        # Deadlines were set by clocks that were ahead.
        self.set_clock(self.max_offset)
        self.store.schedule_delete("tick")
        for worker in self.gang.workers:
            self.gang.start(worker, submits=False)
        left, until = -1, time.monotonic() + patience.PATIENCE_SECONDS
        while True:
            opened = [*self.store.list_runs(workflow="torture", state=OPEN), *self.failed()]
            if not opened:
                break
            if len(opened) != left:
                left, until = len(opened), time.monotonic() + patience.PATIENCE_SECONDS
            if time.monotonic() > until:
                self.hold([self.stuck(str(run["run_id"])) for run in opened])
            self.unblock()
            time.sleep(0.2)
            for worker in self.gang.workers:
                self.gang.look(worker)
        self.gang.end_all()
        content = self.check(is_over=True)
        self.close()
        said = sqlite_says(self.paths.store)
        self.hold([] if said == "ok" else [Fault("whole", "", f"SQLite says {said}")])
        return content

    def failed(self) -> list[Any]:
        """Runs that failed and want a retry, as those whose time-out passed do not."""
        chosen: Any = {"workflow": "torture", "state": "failed", "include": ["error"]}
        runs = list(self.store.list_runs(**chosen))
        return [run for run in runs if "timeout" not in json.dumps(run["error"])]

    def unblock(self) -> None:
        """Gives parked runs what they wait for: the message that a killed worker did not send, the
        money that their plan needs, the word of who paused them and is gone; and retries."""
        for run in self.failed():
            self.store.retry(run["run_id"])
            self.retries[run["run_id"]] = self.retries.get(run["run_id"], 0) + 1
        for paused in list(self.store.list_runs(workflow="torture", state="paused")):
            self.store.resume(paused["run_id"])
        chosen: Any = {
            "workflow": "torture",
            "state": "waiting",
            "include": ["args", "waiting_for"],
        }
        for run in list(self.store.list_runs(**chosen)):
            told = json.dumps(run["waiting_for"])
            key = run["args"].split(" ")[0]
            if '"go"' in told:
                # Its time-out may have passed meanwhile.
                with suppress(smolwf.ConflictError):
                    self.store.signal(run["run_id"], "go", key, idempotency_key=key)
            elif '"budget"' in told:
                root = run["root_run_id"]
                self.store.budget_raise(root, "coins", 10)
                self.raises[root] = self.raises.get(root, 0) + 10

    def stuck(self, run: str) -> Fault:
        why = json.dumps(self.store.explain(run))
        return Fault("stuck", run, f"nothing happened for {patience.PATIENCE_SECONDS} s: {why}")

    def end(self) -> None:
        """Leaves nothing behind but files."""
        self.gang.abandon()
        self.close()

    # ---- its figures

    def figures(self, content: Content) -> Counter[str]:
        counts = self.counts + self.gang.counts
        facts = self.facts()
        counts["facts"] = len(facts)
        for kind, what in FIGURES.items():
            counts[what] = sum(fact.kind == kind for fact in facts)
        counts["time-outs of runs"] = sum(is_timed_out(content, run) for run in content.runs)
        for run in content.runs:
            for step in content.steps[run]:
                if step["kind"] == "any" and step["state"] == "completed":
                    counts[f"first {REASONS[step['result']['index']]}"] += 1
        logs = (path.read_text(errors="replace") for path in self.paths.logs.glob("*.log"))
        counts["calls made again"] = sum(log.count("delayed") for log in logs)
        counts["runs"] = len(content.runs)
        counts["attempts"] = sum(map(len, content.attempts.values()))
        counts["lost attempts"] = sum(
            attempt["state"] == "lost" for each in content.attempts.values() for attempt in each
        )
        counts["steps"] = sum(map(len, content.steps.values()))
        return counts
