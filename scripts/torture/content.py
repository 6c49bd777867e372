"""What a store holds, read by its own calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import smolwf


@dataclass
class Content:
    """A store at one moment of rest."""

    faults: list[Any]
    #: documents of runs by their id, and what sw_run_history says of each
    runs: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, list[Any]] = field(default_factory=dict)
    attempts: dict[str, list[Any]] = field(default_factory=dict)
    signals: dict[str, list[Any]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    #: unit and totals of each root
    budgets: dict[str, Any] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    entries: list[tuple[str, str, int]] = field(default_factory=list)
    total: int = 0

    def state(self, run: str) -> str:
        return str(self.runs[run]["state"]) if run in self.runs else "absent"

    def open_runs(self) -> list[str]:
        ended = ("completed", "failed", "cancelled")
        return [run for run in self.runs if self.state(run) not in ended]

    def key(self, run: str) -> str:
        """The first word of its args: whose submit it comes from."""
        return str(self.runs[run]["args"].split(" ")[0])

    def children_of(self, run: str, name: str) -> list[str]:
        """Those that a part of the plan has submitted; of a fork that may be its source's."""
        return [
            step["result"]
            for step in self.steps.get(run, [])
            if step["kind"] == "child_submit" and step["name"].startswith(name)
        ]

    def result(self, run: str, name: str) -> str:
        """What is recorded under a name, without what makes it long; "" when nothing is."""
        for step in self.steps.get(run, []):
            if step["name"] == name and step["kind"] not in ("child_submit", "sleep"):
                value = step["result"] if step["state"] == "completed" else None
                return value.rstrip("/") if isinstance(value, str) else ""
        return ""


def read_content(store: smolwf.Store) -> Content:
    checked = store.check()
    content = Content([] if checked["ok"] else checked["faults"])
    chosen: Any = {"workflow": "torture", "include": ["args", "result", "error", "metadata"]}
    for run in store.list_runs(page_size=1000, order="oldest", **chosen):
        content.runs[run["run_id"]] = run
    for run_id, document in content.runs.items():
        read_history(store, run_id, content)
        if document["parent_run_id"] is None:
            content.budgets[run_id] = store.budget(run_id)
    read_events(store, content)
    read_entries(store, content)
    return content


def read_entries(store: smolwf.Store, content: Content) -> None:
    """The host's own rows, and the sum that it keeps of them."""
    ((content.total,),) = store.query("SELECT amount FROM torture_total")
    sql = "SELECT rowid, run, step, amount FROM torture_entries WHERE rowid > ? ORDER BY rowid"
    last = 0
    while True:
        rows = list(store.query(sql, [last], rows_max=5000))
        if not rows:
            return
        content.entries += [(str(run), str(step), int(amount)) for _, run, step, amount in rows]
        last = rows[-1][0]


def read_history(store: smolwf.Store, run_id: str, content: Content) -> None:
    steps, attempts, signals = [], [], []
    children: list[str] = []
    cursor = None
    while True:
        page = store.history(run_id, cursor=cursor)
        steps += page["steps"]
        attempts += page["attempts"]
        signals += page["signals"]
        children += [child["run_id"] for child in page["children"]]
        cursor = page["next"]
        if cursor is None:
            break
    content.steps[run_id], content.attempts[run_id] = list(steps), list(attempts)
    content.signals[run_id], content.children[run_id] = list(signals), children


def read_events(store: smolwf.Store, content: Content) -> None:
    after = 0
    while True:
        page = store.events(after)
        if not page["items"]:
            return
        content.events += page["items"]
        after = page["items"][-1]["seq"]
