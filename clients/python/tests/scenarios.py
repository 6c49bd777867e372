"""An interpreter of the scenarios of tests/vectors/worker: what workflows do, in either language.

Acts are coroutines. Where workflows are not async, what they await is done when it is called, so
that such a coroutine is driven to its end by one ``send``.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Callable, Optional

import smolwf

MIB = 1024 * 1024
#: how long anything may take that should come at once
PATIENCE_S = 30


class Lab:
    """What the workflows of a scenario and its world share: effects, gates, events."""

    def __init__(self, hook_throws: bool) -> None:
        self.effects: Counter[str] = Counter()
        self.events: list[dict[str, Any]] = []
        self._gates: dict[str, threading.Event] = {}
        self._hook_throws = hook_throws
        self.changed = threading.Condition()

    def count(self, label: str) -> int:
        with self.changed:
            self.effects[label] += 1
            self.changed.notify_all()
            return self.effects[label]

    def open_all(self) -> None:
        for gate in self._gates.values():
            gate.set()

    def gate(self, name: str) -> threading.Event:
        return self._gates.setdefault(name, threading.Event())

    def hook(self, event: Any) -> None:
        with self.changed:
            self.events.append(dict(event))
            self.changed.notify_all()
        if self._hook_throws:
            raise RuntimeError("the hook of the scenario")

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        with self.changed:
            # States of runs ring no bell here, so they are looked at anew.
            for _ in range(PATIENCE_S * 100):
                if is_so():
                    return
                self.changed.wait(0.01)
        raise AssertionError(f"it never came that {what}; effects {dict(self.effects)}")


def take(act: dict[str, Any], *names: str) -> list[Any]:
    """The values of these keys, None if absent; any other key is refused."""
    unknown = set(act) - set(names)
    assert not unknown, f"keys that are not known: {unknown} in {act}"
    return [act.get(name) for name in names]


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("what is not async has waited")


class Bad(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def nested(levels: int) -> Any:
    value: Any = "the end"
    for _ in range(levels):
        value = [value]
    return value


def made(kind: str) -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    values = {
        "nan": float("nan"),
        "infinity": float("inf"),
        "cycle": cycle,
        "opaque": threading.Lock(),
        "bad_text": "a\ud800b",
        "deep": nested(150),
        "huge": "x" * (17 * MIB),
        "engine_key": {"$smolwf": "tries"},
        "pair": (1, 2),
    }
    return values[kind]


def throw(what: dict[str, Any]) -> None:
    error, failure, terminal, kind = take(what, "error", "failure", "terminal", "kind")
    if error is not None:
        raise RuntimeError(error)
    if "failure" in what:
        raise smolwf.Failure(failure, terminal=bool(terminal))
    if kind in ("nan", "cycle", "deep", "huge", "engine_key"):
        raise smolwf.Failure(made(kind))
    if kind == "not_an_error":
        raise 42  # type: ignore[misc]  # noqa: B016
    if kind == "nothing":
        raise None  # type: ignore[misc]  # noqa: B016
    if kind == "exit":
        sys.exit(3)
    raise {
        "bad_text": RuntimeError(made("bad_text")),
        "nul_text": RuntimeError("a\0b"),
        "bad_str": Bad(),
        "suspend": smolwf.Suspended(),
        "own_cancel": asyncio.CancelledError("by its author"),
        "group": group_of([RuntimeError("one"), ValueError("two")]),
    }[kind]


def group_of(errors: list[BaseException]) -> BaseException:
    if sys.version_info >= (3, 11):
        return BaseExceptionGroup("several", errors)  # noqa: F821
    return errors[0]


class Author(Exception):
    """An error of the workflow's author."""


class Flow:
    """One attempt of a workflow of acts. ``is_async`` says which language it is written in."""

    def __init__(self, lab: Lab, context: Any, is_async: bool) -> None:
        self.lab = lab
        self.context = context
        self.is_async = is_async
        self.vars: dict[str, Any] = {}

    async def did(self, found: Any) -> Any:
        """What a call of the context comes to."""
        return await found if self.is_async else found

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$var" in value:
            return self.vars[value["$var"]]
        if "$attempt" in value:
            return self.context.attempt.number
        if "$make" in value:
            return made(value["$make"])
        return {key: self.value(each) for key, each in value.items()}

    async def acts(self, acts: list[dict[str, Any]]) -> tuple[bool, Any]:
        """Whether they returned, and what."""
        for act in acts:
            if "return" in act:
                take(act, "return")
                return True, self.value(act["return"])
            kind = next(iter(act))
            await getattr(self, f"act_{kind}")(act)
        return False, None

    async def act_step(self, act: dict[str, Any]) -> None:
        found = await self.did(self.step(act))
        if "as" in act:
            self.vars[act["as"]] = found

    def step(self, act: dict[str, Any]) -> Any:
        names = ("step", "effect", "gate", "until_told", "throws", "fails", "returns", "input")
        take(act, *names, "occurrence", "max_tries", "as")
        keys = ("occurrence", "max_tries")
        chosen = {key: act[key] for key in keys if key in act}
        given = {"input": self.value(act["input"])} if "input" in act else {}

        async def work_async() -> Any:
            return await self.work(act)

        work = work_async if self.is_async else lambda: drive(self.work(act))
        return self.context.call(act["step"], work, backoff_initial_ms=1, **given, **chosen)

    async def work(self, act: dict[str, Any]) -> Any:
        effect = act.get("effect", act["step"])
        count = self.lab.count(effect)
        if "gate" in act:
            await self.act_gate({"gate": act["gate"]})
        if act.get("until_told"):
            await self.did(self.context.told.wait())
            self.lab.count(effect + " heard")
        if "throws" in act:
            throw(act["throws"])
        if count <= act.get("fails", 0):
            raise RuntimeError("boom")
        return self.value(act.get("returns"))

    async def act_transaction(self, act: dict[str, Any]) -> None:
        name, _, max_tries, _, into = take(act, "transaction", "do", "max_tries", "fails", "as")
        chosen = {} if max_tries is None else {"max_tries": max_tries}
        scope = self.context.transaction(name, backoff_initial_ms=1, **chosen)
        if self.is_async:
            async with scope as tx:
                await self.collect(tx, act)
        else:
            with scope as tx:
                await self.collect(tx, act)
        self.vars[into] = tx.value

    async def collect(self, tx: Any, act: dict[str, Any]) -> None:
        """The work of a transaction."""
        count = self.lab.count(act["transaction"]) if tx.is_todo else 0
        for item in act["do"]:
            if "insert" in item:
                text, into = take(item, "insert", "as")
                self.vars[into] = tx.execute("INSERT INTO kept VALUES ($1)", [text])
            elif "refused" in item:
                if count <= take(item, "refused")[0]:
                    tx.execute("INSERT INTO kept VALUES (NULL)")
            elif "result" in item:
                tx.result(self.value(take(item, "result")[0]))
            elif "result_from" in item:
                tx.result_from(self.vars[take(item, "result_from")[0]])
            else:
                await self.acts([item])
        if tx.is_todo and count <= act.get("fails", 0):
            raise RuntimeError("boom")

    async def act_unknown(self, act: dict[str, Any]) -> None:
        item = self.vars[take(act, "unknown")[0]]
        try:
            _ = item.changes
            self.lab.count("not as expected")
        except smolwf.TransactionError:
            self.lab.count("as expected")

    async def act_scope(self, act: dict[str, Any]) -> None:
        (name,) = take(act, "scope")
        if self.is_async:
            async with self.context.step(name):
                pass
        else:
            with self.context.step(name):
                pass

    async def act_sleep(self, act: dict[str, Any]) -> None:
        name, ms = take(act, "sleep", "ms")
        await self.did(self.context.sleep(name, ms))

    async def act_signal(self, act: dict[str, Any]) -> None:
        name, timeout_ms, into = take(act, "signal", "timeout_ms", "as")
        self.vars[into] = await self.did(self.context.signal(name, timeout_ms))

    async def act_child(self, act: dict[str, Any]) -> None:
        name, workflow, args, timeout_ms, into = take(
            act, "child", "workflow", "args", "timeout_ms", "as"
        )
        chosen = {} if timeout_ms is None else {"timeout_ms": timeout_ms}
        args = self.value(args)
        child = self.context.child(name, workflow, args, backoff_initial_ms=1, **chosen)
        self.vars[into] = await self.did(child)

    async def act_result(self, act: dict[str, Any]) -> None:
        of, into = take(act, "result", "as")
        self.vars[into] = await self.did(self.context.result(self.vars[of]))

    async def act_all(self, act: dict[str, Any]) -> None:
        name, waits, into = take(act, "all", "waits", "as")
        self.vars[into] = await self.did(self.context.wait_all(name, waits))

    async def act_reserve(self, act: dict[str, Any]) -> None:
        await self.did(self.context.reserve(*take(act, "reserve")))

    async def act_effect(self, act: dict[str, Any]) -> None:
        self.lab.count(*take(act, "effect"))

    async def act_expect(self, act: dict[str, Any]) -> None:
        variable, value = take(act, "expect", "is")
        self.lab.count("as expected" if self.vars[variable] == value else "not as expected")

    async def act_gate(self, act: dict[str, Any]) -> None:
        gate = self.lab.gate(*take(act, "gate"))
        if self.is_async:
            while not gate.is_set():
                await asyncio.sleep(0.005)  # the gate is opened by another thread
        else:
            gate.wait()

    async def act_spawn(self, act: dict[str, Any]) -> None:
        (acts,) = take(act, "spawn")
        self.begin(acts)

    async def act_unawaited(self, act: dict[str, Any]) -> None:
        (call,) = take(act, "unawaited")
        if "step" in call:
            self.step(call)
        else:
            self.context.sleep(*take(call, "sleep", "ms"))

    async def act_swallow(self, act: dict[str, Any]) -> None:
        (acts,) = take(act, "swallow")
        try:
            await self.acts(acts)
        except:  # noqa: E722
            pass

    async def act_wrap(self, act: dict[str, Any]) -> None:
        (acts,) = take(act, "wrap")
        try:
            await self.acts(acts)
        except BaseException as error:
            raise Author("wrapped") from error

    async def act_throw(self, act: dict[str, Any]) -> None:
        throw(*take(act, "throw"))

    async def act_parallel(self, act: dict[str, Any]) -> None:
        branches, join = take(act, "parallel", "join")
        assert join in ("all", "first", "group")
        if self.is_async:
            await self.tasks(branches, join)
        else:
            self.threads(branches, join)

    def begin(self, acts: list[dict[str, Any]]) -> Any:
        """Starts a branch that knows the workflow."""
        if self.is_async:
            return asyncio.ensure_future(self.acts(acts))
        branch = Branch(lambda: drive(self.acts(acts)))
        branch.start()
        return branch

    async def tasks(self, branches: list[Any], join: str) -> None:
        if join == "group" and sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                for acts in branches:
                    group.create_task(self.acts(acts))
            return
        tasks = [self.begin(acts) for acts in branches]
        if join == "first":
            await asyncio.gather(*tasks)
        raise_first(
            [e for e in await asyncio.gather(*tasks, return_exceptions=True) if is_error(e)]
        )

    def threads(self, branches: list[Any], join: str) -> None:
        threads = [self.begin(acts) for acts in branches]
        if join == "first":
            while any(thread.is_alive() for thread in threads):
                raise_first(errors_of(threads))
                threads[0].join(0.005)
        for thread in threads:
            thread.join()
        errors = errors_of(threads)
        if join == "group" and errors:
            raise group_of(errors)
        raise_first(errors)


def is_error(found: Any) -> bool:
    return isinstance(found, BaseException)


def errors_of(threads: list[Branch]) -> list[BaseException]:
    return [thread.error for thread in threads if thread.error is not None]


def raise_first(errors: list[Any]) -> None:
    """The first that is no suspend, else the first."""
    errors = [e for e in errors if not isinstance(e, smolwf.Suspended)] or errors
    if errors:
        raise errors[0]


class Branch(threading.Thread):
    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.error: Optional[BaseException] = None
        self._function = smolwf.carry(function)

    def run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self.error = error


def workflow_of(lab: Lab, name: str, spec: dict[str, Any], is_async: bool) -> Any:
    acts, code_version = take(spec, "do", "code_version")

    async def flow_async(context: smolwf.AsyncContext, args: Any) -> Any:
        flow = Flow(lab, context, True)
        flow.vars["args"] = args
        return (await flow.acts(acts))[1]

    def flow(context: smolwf.Context, args: Any) -> Any:
        flow = Flow(lab, context, False)
        flow.vars["args"] = args
        return drive(flow.acts(acts))[1]

    function: Any = flow_async if is_async else flow
    return smolwf.workflow(name=name, code_version=code_version)(function)
