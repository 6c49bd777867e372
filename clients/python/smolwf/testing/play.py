"""A workflow run to its end in this process, whatever it waits for: time moves when it must."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from ..async_store import AsyncStore
from ..async_worker import AsyncWorker
from ..codes import Durability
from ..context import Context
from ..options import RunState
from ..payload import JSON, Codec
from ..store import Store
from ..telling import Event
from ..worker import Worker
from ..workflows import Workflow
from .nondeterminism import Refusal, refusal_in

OPEN: list[RunState] = ["pending", "running", "waiting", "paused"]


class Scene(NamedTuple):
    """What is played: a workflow with its args, and all that a run of it needs."""

    workflow: Workflow[Any, Any]
    args: Any
    #: of the submit
    options: Mapping[str, Any]
    #: messages that the run is sent once it is submitted
    signals: list[tuple[str, Any]]
    #: the workflow itself and those of its children
    workflows: list[Workflow[Any, Any]]
    setup: Optional[Callable[[Store], Any]]
    codec: Codec


class Ended(NamedTuple):
    """How a run ended, or why it did not."""

    state: str
    result: Any
    error: Any
    #: what it waits for, when it would wait for ever
    stuck: Optional[str] = None
    #: a call that was refused because the code does not fit what is recorded
    refusal: Optional[Refusal] = None
    #: its process was at work for too long
    has_hung: bool = False
    #: its process ended, and nobody had killed it
    has_left: bool = False


class Kill(NamedTuple):
    """At which commit a process dies; 0: at none."""

    commit: int
    moment: str


def play(scene: Scene, folder: Path, kill: Kill) -> Ended:
    """Submits the run, unless it is there, and works until it has ended, or this process."""
    # Nobody takes the power away: what is stored outlives the kill without a sync of the disk.
    chosen: Any = {"manual_clock": True, "durability": Durability.PROCESS}
    with Store.open(folder / "store.db", codec=scene.codec, **chosen) as store:
        if scene.setup is not None:
            scene.setup(store)
        run_id = _submitted(scene, store, folder / "run")
        store.kill_at(kill.commit, after=kill.moment == "after")
        actor = _Actor(scene, store, run_id)
        try:
            return actor.play()
        finally:
            store.kill_at(0)
            actor.close()


@functools.cache
def warm_up() -> None:
    """Has a small run played in this process, once: cffi reads the declaration of a call when that
    is first made, which takes a child longer than its work, and children inherit what was read."""

    def small(context: Context, args: Any) -> None:
        with context.step("small") as step:
            if step.is_todo:
                step.complete()
        context.sleep("short", 1)
        context.child("small", "none")

    flow: Workflow[Any, Any] = Workflow(small, "smolwf.small", None)
    with Store.open_in_memory(manual_clock=True) as store:
        store.kill_at(0)
        scene = Scene(flow, None, {"max_tries": 1}, [], [flow], None, JSON)
        run_id = flow.submit(store, max_tries=1)
        store.signal(run_id, "none")
        ended = _Actor(scene, store, run_id).play()
    assert ended.state == "completed", ended


def _submitted(scene: Scene, store: Store, noted: Path) -> str:
    if noted.exists():
        return noted.read_text("ascii")
    run_id = scene.workflow.submit(store, scene.args, **scene.options)
    for name, payload in scene.signals:
        store.signal(run_id, name, payload)
    noted.write_text(run_id, "ascii")
    return run_id


class _Actor:
    """Runs whatever is due in the store, one attempt after the other."""

    def __init__(self, scene: Scene, store: Store, run_id: str) -> None:
        self._scene = scene
        self._store = store
        self._run_id = run_id
        self._turns: dict[str, list[Callable[[], bool]]] = {}
        self._refusal: Optional[Refusal] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def close(self) -> None:
        """Ends what async workflows have run on."""
        if self._loop is not None:
            self._async_store.pool.shutdown()
            self._loop.close()

    def play(self) -> Ended:
        while self._refusal is None:
            if not self._has_worked() and not self._store.advance_clock(None):
                break
        run = self._store.run(self._run_id)
        stuck = None
        if self._refusal is None and run["state"] in OPEN:
            reasons = self._store.explain(self._run_id)["reasons"]
            stuck = "; ".join(reason["text"] for reason in reasons)
        return Ended(run["state"], run["result"], run["error"], stuck, self._refusal)

    def _has_worked(self) -> bool:
        for queue in self._queues():
            if queue not in self._turns:
                self._turns[queue] = list(self._workers(queue))
            if any(turn() for turn in self._turns[queue]):
                return True
        return False

    def _queues(self) -> Iterable[str]:
        open_runs = self._store.list_runs(state=OPEN, order="oldest")
        return dict.fromkeys(run["queue"] for run in open_runs)

    def _workers(self, queue: str) -> Iterable[Callable[[], bool]]:
        """One for workflows that are not async, in this thread, and one for those that are."""
        plain = [each for each in self._scene.workflows if not each.is_async]
        awaited = [each for each in self._scene.workflows if each.is_async]
        if plain:
            chosen: Any = {"queue": queue, "strict": True, "hook": self._hear}
            yield Worker(self._store, plain, **chosen).run_once
        if awaited:
            yield self._on_a_loop(awaited, queue)

    def _on_a_loop(self, workflows: list[Workflow[Any, Any]], queue: str) -> Callable[[], bool]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._async_store = AsyncStore(self._store)
        loop, store = self._loop, self._async_store
        worker = AsyncWorker(store, workflows, queue=queue, strict=True, hook=self._hear)
        return lambda: loop.run_until_complete(worker.run_once())

    def _hear(self, event: Event) -> None:
        if self._refusal is None and event["event"] in ("retrying", "failed"):
            self._refusal = refusal_in(event["error"])
