"""What the tests share: a store with a clock of its own, and where the repository is."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import smolwf
from smolwf import Store, documents

REPOSITORY = Path(__file__).resolve().parents[3]

# What a shell starts in the background ignores an interrupt, and so would the programs that a test
# interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


#: a server of scripts/postgres.sh on which stores lie, where there is one
SERVER = os.environ.get("SW_POSTGRES_URL")


def place(file: Path) -> str:
    """Where a test's store lies: that file, or on the server a schema of its own, with a password
    in its URL that the server asks nobody for."""
    if SERVER is None:
        return str(file)
    schema = f"sw_test_{uuid.uuid4().hex}"
    return f"{SERVER}&password=sesame&sw_schema={schema}&options=-csearch_path%3D{schema}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[smolwf.Store]:
    with smolwf.Store.open(place(tmp_path / "test.db"), manual_clock=True) as opened:
        yield opened


def claim(store: Store, queue: str = "default", worker: str = "w") -> smolwf.Attempt:
    attempt = store.claim(queue, worker=worker)
    assert attempt is not None
    return attempt


class World(NamedTuple):
    """Runs that differ in everything that a filter asks for."""

    store: Store
    #: their names by their ids
    names: dict[str, str]
    #: between the submit of the first three and of the last
    noon_ms: int

    def named(self, runs: Iterator[documents.ListedRun]) -> list[str]:
        return [self.names[run["run_id"]] for run in runs]

    def id(self, name: str) -> str:
        return next(run_id for run_id, its in self.names.items() if its == name)


@pytest.fixture
def world(store: Store) -> World:
    parent = store.submit(
        "order",
        {"n": 1},
        queue="q",
        metadata={"case": 7, "odd": True},
        code_version="2",
        idempotency_key="k",
    )
    with claim(store, "q", "me") as attempt:
        child = attempt.child_submit("pick", "picking", queue="q")
        attempt.child_await(child)
        attempt.suspend()
    failed = store.submit("mail", max_tries=1)
    with claim(store) as attempt:
        attempt.fail({"why": "no such road"}, terminal=True)
    store.advance_clock(1_000)
    noon_ms = store.now_ms()
    store.advance_clock(1_000)
    asked = store.submit("mail", idempotency_key="k", idempotency_scope="")
    claim(store)
    store.cancel(asked)
    names: dict[str, str] = {parent: "parent", child: "child", failed: "failed", asked: "asked"}
    return World(store, names, noon_ms)
