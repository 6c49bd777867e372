"""The scenarios that every worker is held to: tests/vectors/worker, for threads and for asyncio."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Union

import pytest

import smolwf

from .conftest import REPOSITORY, SERVER, place
from .hosts import AsyncioHost, ThreadsHost
from .scenarios import Lab, take, workflow_of

LANGUAGES: dict[str, Any] = {"python": ThreadsHost, "asyncio": AsyncioHost}


def scenarios() -> list[Any]:
    found = []
    for path in sorted((REPOSITORY / "tests" / "vectors" / "worker").glob("*.json")):
        (listed,) = take(json.loads(path.read_text("utf-8")), "scenarios")
        for each in listed:
            found += [
                pytest.param(language, each, id=f"{language}-{path.stem}-{each['name']}")
                for language in LANGUAGES
            ]
    assert len(found) > 80
    return found


HOLD_THE_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


class World:
    """What happens to a worker, and what must be true at the end."""

    def __init__(self, language: str, scenario: dict[str, Any], path: str) -> None:
        (_, _, self.specs, submits, store, worker, self.acts, self.expected, _) = take(
            scenario,
            "name",
            "rules",
            "workflows",
            "submit",
            "store",
            "worker",
            "world",
            "expect",
            "not_in",
        )
        grace_ms, lease_ms, hook_throws = take(worker or {}, "grace_ms", "lease_ms", "hook_throws")
        take(store or {}, "busy_timeout_ms")
        self.path = path
        self.lab = Lab(bool(hook_throws))
        self.is_async = language == "asyncio"
        self.host: Union[ThreadsHost, AsyncioHost] = LANGUAGES[language](path, store or {})
        self.looker = smolwf.Store.open(path)
        assert "sesame" not in (self.looker.path or ""), "a password is shown"
        self.chosen: dict[str, Any] = {"grace_ms": grace_ms or 20_000, "hook": self.lab.hook}
        if lease_ms:
            self.chosen["lease_ms"] = lease_ms
        self.runs: dict[str, str] = {}
        self.later = {each["as"]: each for each in submits if each.get("later")}
        self.lock: Any = None
        self.ended = ""
        if "kept" in self.expected:
            with self.looker.transaction() as tx:
                tx.execute("CREATE TABLE kept (text TEXT NOT NULL)")
        for each in submits:
            if not each.get("later"):
                self.submit(each)

    def submit(self, act: dict[str, Any]) -> None:
        keys = ("code_version", "max_tries", "timeout_ms", "metadata", "budget")
        take(act, "as", "workflow", "args", "later", *keys)
        chosen = {key: act[key] for key in keys if key in act}
        workflow, args = act["workflow"], act.get("args")
        run_id = self.looker.submit(workflow, args, backoff_initial_ms=1, **chosen)
        self.runs[act["as"]] = run_id

    def start(self) -> None:
        workflows = [
            workflow_of(self.lab, name, spec, self.is_async) for name, spec in self.specs.items()
        ]
        self.ended = ""
        self.host.start(workflows, **self.chosen)

    def stop(self) -> None:
        if not self.ended:
            self.host.stop()
            self.ended = self.host.join()

    def play(self) -> None:
        self.start()
        for act in self.acts:
            getattr(self, f"world_{next(iter(act))}")(dict(act))
        runs, effects, worker, events, hooks, kept = take(
            self.expected, "runs", "effects", "worker", "events", "hooks", "kept"
        )
        for each in runs:
            self.await_state(each["run"], each["state"])
        for label, count in effects.items():
            self.await_effect(label, count)
        self.stop()
        self.lab.open_all()
        assert self.ended in (worker or ["stopped"])
        for each in runs:
            self.check_run(dict(each))
        found = {label: self.lab.effects[label] for label in effects}
        assert found == effects
        assert self.lab.effects["not as expected"] == 0
        if kept is not None:
            rows = self.looker.query("SELECT text FROM kept ORDER BY text")
            assert [text for (text,) in rows] == kept
        for name, expected in (events or {}).items():
            self.check_events(self.runs[name], expected, hooks or [])

    def check_events(self, run_id: str, expected: list[str], hooks: list[str]) -> None:
        told = [event for event in self.lab.events if event.get("run_id") == run_id]
        told.sort(key=lambda event: event["attempt"])
        assert [event["event"] for event in told] == expected
        assert all(set(hooks) <= set(event) for event in told)

    def check_run(self, expected: dict[str, Any]) -> None:
        run = self.looker.run(self.runs[expected.pop("run")])
        error = json.dumps(run["error"], separators=(",", ":"), ensure_ascii=False)
        assert all(text in error for text in expected.pop("error_has", [])), error
        assert not any(text in error for text in expected.pop("error_lacks", [])), error
        assert run["attempts"] <= expected.pop("attempts_max", run["attempts"])
        keys = [key for key in ("state", "result", "attempts", "tries") if key in expected]
        found: Any = run
        assert {key: found[key] for key in keys} == {key: expected.pop(key) for key in keys}, error
        assert expected == {}, "keys that are not known"

    def close(self) -> None:
        if self.lock is not None:
            self.lock.communicate()
        self.stop()
        self.host.close()
        self.looker.close()
        if isinstance(self.host, AsyncioHost):
            self.host.end()

    # ---- acts -----------------------------------------------------------------------------

    def world_await_effect(self, act: dict[str, Any]) -> None:
        label, count = take(act, "await_effect", "count")
        self.await_effect(label, count or 1)

    def await_effect(self, label: str, count: int) -> None:
        self.lab.until(f"{label} is done", lambda: self.lab.effects[label] >= count)

    def await_state(self, name: str, state: str) -> None:
        run_id = self.runs[name]
        self.lab.until(f"{name} is {state}", lambda: self.looker.run(run_id)["state"] == state)

    def world_await_state(self, act: dict[str, Any]) -> None:
        self.await_state(*take(act, "await_state", "state"))

    def world_await_event(self, act: dict[str, Any]) -> None:
        event, run, count = take(act, "await_event", "run", "count")
        run_id = self.runs[run] if run else None

        def told() -> bool:
            heard = [e for e in self.lab.events if e["event"] == event]
            return sum(run_id in (None, e.get("run_id")) for e in heard) >= (count or 1)

        self.lab.until(f"{event} is told", told)

    def world_open(self, act: dict[str, Any]) -> None:
        self.lab.gate(*take(act, "open")).set()

    def world_submit(self, act: dict[str, Any]) -> None:
        self.submit(self.later[take(act, "submit")[0]])

    def world_cancel(self, act: dict[str, Any]) -> None:
        self.looker.cancel(self.runs[take(act, "cancel")[0]])

    def world_send(self, act: dict[str, Any]) -> None:
        run, name, payload = take(act, "send", "name", "payload")
        self.looker.signal(self.runs[run], name, payload)

    def world_take_over(self, act: dict[str, Any]) -> None:
        run, result = take(act, "take_over", "result")
        with smolwf.Store.open(self.path, manual_clock=True) as other:
            other.advance_clock(3_600_000)
            attempt = other.claim()
            assert attempt is not None
            with attempt:
                assert attempt.run_id == self.runs[run]
                attempt.complete(result)

    def world_lock(self, act: dict[str, Any]) -> None:
        (is_held,) = take(act, "lock")
        if not is_held:
            self.lock.communicate()
            self.lock = None
            return
        command = [sys.executable, "-c", HOLD_THE_LOCK, self.path]
        if SERVER is not None:
            command = [str(REPOSITORY / "scripts" / "postgres-hold.sh"), self.path]
        pipe = subprocess.PIPE
        self.lock = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.lock.stdout.readline() == "held\n"

    def world_stop(self, act: dict[str, Any]) -> None:
        take(act, "stop")
        self.host.stop()

    def world_await_stopped(self, act: dict[str, Any]) -> None:
        take(act, "await_stopped")
        self.ended = self.host.join()

    def world_start(self, act: dict[str, Any]) -> None:
        take(act, "start")
        self.start()

    def world_lose_log(self, act: dict[str, Any]) -> None:
        take(act, "lose_log")
        Path(f"{self.path}-wal").unlink()

    def world_close_store(self, act: dict[str, Any]) -> None:
        take(act, "close_store")
        self.host.close()


@pytest.mark.parametrize(("language", "scenario"), scenarios())
def test_scenario(
    language: str, scenario: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    not_in = scenario.get("not_in", {})
    url = SERVER or ""
    places = [language] + ["postgres"] * bool(url) + ["pooler"] * ("sw_pooler" in url)
    reason = next((not_in[it] for it in places if it in not_in), None)
    if reason is not None:
        with capsys.disabled():
            print(f"\n{language}: not meant here: {scenario['name']}: {reason}")
        return
    world = World(language, scenario, place(tmp_path / "world.db"))
    try:
        world.play()
    finally:
        world.close()
