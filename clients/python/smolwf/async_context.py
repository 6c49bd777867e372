"""What an async workflow does durably."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, cast

from .async_calls import Calls, Durable, Key, in_thread
from .attempt import Attempt
from .carried import is_suspend
from .context import Context, StepScope, current_context
from .errors import ForgottenAwait
from .options import ChildOptions, Duration, StepOptions
from .session import Session, Told
from .step_functions import StepCall, is_async_function
from .step_transaction import StepTransaction
from .topic import RunId

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .async_store import AsyncStore
    from .workflows import Workflow

T = TypeVar("T")


class AsyncTold:
    """See :class:`Told`; ``wait`` is awaited, without a limit of its own."""

    def __init__(self, told: Told) -> None:
        self._told = told

    @property
    def reason(self) -> Optional[str]:
        """``"cancelled"``, ``"lost"``, ``"stopped"`` or ``"closed"``; None until it fires."""
        return self._told.reason

    def is_set(self) -> bool:
        """Whether it has fired."""
        return self._told.is_set()

    async def wait(self) -> str:
        """Waits until it fires; the reason."""
        loop, fired = asyncio.get_running_loop(), asyncio.Event()

        def fire() -> None:
            try:
                loop.call_soon_threadsafe(fired.set)
            except RuntimeError:
                pass  # the loop is closed: nobody waits

        self._told.call_when_fired(fire)
        await fired.wait()
        return self._told.reason or ""


class AsyncStepScope:
    """A step as an async context; see :class:`StepScope`."""

    def __init__(self, scope: StepScope, calls: Calls, name: str, occurrence: int) -> None:
        self._scope = scope
        self._calls = calls
        self._key: Key = ("step", (name, occurrence))
        self._unawaited: set[Durable[Any]] = set()

    @property
    def is_todo(self) -> bool:
        """Whether its work is to be done; False: ``result`` is there, from an earlier attempt."""
        return self._scope.is_todo

    @property
    def result(self) -> Any:
        """What is recorded, decoded; None while the work is to be done."""
        return self._scope.result

    @property
    def id(self) -> str:
        """The same in every attempt: an idempotency key for whom the step calls."""
        return self._scope.id

    @property
    def scope(self) -> StepScope:
        """The same, as steps that do not await have it."""
        return self._scope

    def complete(
        self, result: Any = None, usage: Optional[Mapping[str, int]] = None
    ) -> Durable[Any]:
        """Records the result; returns it as a replay will."""
        record = functools.partial(self._scope.record, result, usage)
        return Durable("step.complete", functools.partial(self._complete, record), self._unawaited)

    async def _complete(self, record: Callable[[], Any]) -> Any:
        try:
            return await self._calls.run(record, self._key, records=True)
        finally:
            self._scope.tell_end()

    async def __aenter__(self) -> AsyncStepScope:
        kept = self._calls.kept.get(self._key)
        if kept:  # it was recorded in this attempt, and a cancel kept the result from its caller
            self._scope.result = kept.popleft().result()
        else:
            await self.begin()
        return self

    async def begin(self) -> None:
        """Begins it, whoever does its work."""
        task = asyncio.current_task()
        assert task is not None
        enter = functools.partial(self._scope.enter, is_gone=task.done)
        try:
            await self._calls.run(enter)
        except asyncio.CancelledError:
            self._scope.give_up()
            raise
        except BaseException as error:
            await self._held(error)
            raise
        self._scope.go_inside()
        self._scope.tell_run()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._scope.is_begun:
            return
        self._scope.go_outside()
        if is_cancel(error):
            self._scope.give_up()  # its work was cut off: it has no result, and has not failed
            return
        await self.end(functools.partial(self._scope.leave, error))

    async def end(self, leave: Callable[[], Any], key: Optional[Key] = None) -> None:
        """Has a call end it, that is made to its end and whose answer is kept under a key."""
        try:
            await self._calls.run(leave, key, records=True)
        except BaseException as raised:
            self._scope.tell_end()
            await self._held(raised)
            raise

    async def _held(self, error: BaseException) -> None:
        if is_suspend(error):
            await self._calls.hold()


class AsyncTransaction:
    """A transaction as an async context; see :class:`StepTransaction`."""

    def __init__(
        self, tx: StepTransaction, step: AsyncStepScope, calls: Calls, name: str, occurrence: int
    ) -> None:
        self._tx = tx
        self._step = step
        self._calls = calls
        self._key: Key = ("transaction", (name, occurrence))

    async def __aenter__(self) -> StepTransaction:
        self._tx.refuse_second()
        kept = self._calls.kept.get(self._key)
        if kept:  # it was recorded in this attempt, and a cancel kept that from its caller
            self._tx.begun(kept.popleft().result())
        else:
            await self._step.begin()
            self._tx.begun(self._step.scope.recorded)
        return self._tx

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._tx.go_outside()
        scope = self._step.scope
        if not scope.is_begun:
            self._tx.tell()
            return
        scope.go_outside()
        if is_cancel(error):
            scope.give_up()  # its block was cut off: nothing of it is sent, and it has not failed
            return
        finish = functools.partial(self._tx.finish, error)
        await self._step.end(finish, self._key if error is None else None)
        scope.tell_end()


def is_cancel(error: Optional[BaseException]) -> bool:
    """Whether a task is being cancelled, and its author has not raised that by himself. Before
    Python 3.11 that cannot be told."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is None or cancelling() > 0


class AsyncContext:
    """What an async workflow does durably; see :class:`Context`. Its calls are awaited; one that
    is made and never awaited fails the run, as it was not done."""

    def __init__(self, session: Session, store: AsyncStore, calls: Calls) -> None:
        self.session = session
        self.attempt: Attempt = session.attempt
        self.store = store
        self.run_id = session.attempt.run_id
        #: the same for code in a thread, which does not await
        self.in_thread = Context(session)
        self._calls = calls
        self._unawaited: set[Durable[Any]] = set()

    @property
    def told(self) -> AsyncTold:
        """Fires when the work should end: the run is cancelled, another worker has it, the worker
        stops. ``await told.wait()``; ``told.reason`` says why."""
        return AsyncTold(self.session.told)

    def refuse_forgotten(self) -> None:
        """Makes a call that nobody awaited the failure of the attempt."""
        for each in sorted(self._unawaited, key=lambda each: each.__name__):
            self.session.refuse(
                ForgottenAwait(f"{each.__name__} was called without await, and was not done")
            )

    def _ask(self, name: str, key: Key, function: Callable[[], T]) -> Durable[T]:
        async def ask() -> T:
            try:
                return await self._calls.ask(function, key)
            except BaseException as error:
                if is_suspend(error):
                    await self._calls.hold()
                raise

        return Durable(name, ask, self._unawaited)

    # ---- steps ----------------------------------------------------------------------------

    def step(self, name: str, input: Any = None, **chosen: Unpack[StepOptions]) -> AsyncStepScope:
        """``async with context.step("charge") as step: if step.is_todo: await step.complete(r)``

        An ``input`` that is not None must be the same in every attempt.
        """
        scope = self.in_thread.step(name, input, **chosen)
        return AsyncStepScope(scope, self._calls, name, chosen.get("occurrence", 0))

    def transaction(
        self, name: str, input: Any = None, **chosen: Unpack[StepOptions]
    ) -> AsyncTransaction:
        """``async with context.transaction("transfer") as tx: tx.execute("UPDATE ...", [7])``

        What it collects is not awaited: it is sent at the end of the block, in one commit with
        the record of the step. See :class:`StepTransaction`.
        """
        tx = self.in_thread.transaction(name, input, **chosen)
        step = AsyncStepScope(tx.scope, self._calls, name, chosen.get("occurrence", 0))
        return AsyncTransaction(tx, step, self._calls, name, chosen.get("occurrence", 0))

    def call(
        self,
        name: str,
        function: Callable[[], Any],
        input: Any = None,
        **chosen: Unpack[StepOptions],
    ) -> Durable[Any]:
        """The function's result, from its step if that was recorded. An async function runs on
        the loop; another one in a thread, and what it returns is awaited if need be."""
        given = {**cast("dict[str, Any]", chosen), "input": input}
        run = self._run_async if is_async_function(function) else self._run_in_thread
        call = StepCall(name, function, given, True)
        return Durable(f"step {name}", functools.partial(run, call), self._unawaited)

    def run_step(self, call: StepCall) -> Any:
        """What a call of a step function comes to: to be awaited, unless in a thread."""
        try:
            is_here = asyncio.get_running_loop() is self._calls.loop
        except RuntimeError:
            is_here = False
        if not is_here:
            return self.in_thread.run_step(call)
        run = self._run_async if call.is_async else self._run_in_thread
        return Durable(f"step {call.name}", functools.partial(run, call), self._unawaited)

    async def _run_async(self, call: StepCall) -> Any:
        async with self.step(call.name, **call.chosen) as step:
            if not step.is_todo:
                return step.result
            return await step.complete(await call.work())

    async def _run_in_thread(self, call: StepCall) -> Any:
        """A thread cannot be cut off: cancelled, the step is done to its end all the same, and
        the next call of it has the result."""
        key: Key = ("thread", (call.name, call.chosen.get("occurrence", 0)))
        kept = self._calls.kept.get(key)
        task = kept.popleft() if kept else asyncio.ensure_future(self._step_in_thread(call))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
            self._calls.kept.setdefault(key, deque()).append(task)
            task.add_done_callback(_retrieved)
            raise

    async def _step_in_thread(self, call: StepCall) -> Any:
        async with self.step(call.name, **call.chosen) as step:
            if not step.is_todo:
                return step.result
            result = await in_thread(functools.partial(self._in_thread, call.work))
            if inspect.isawaitable(result):
                result = await result
            return await step.complete(result)

    def _in_thread(self, work: Callable[[], Any]) -> Any:
        current_context.set(self.in_thread)
        return work()

    # ---- waits ----------------------------------------------------------------------------

    def sleep(self, name: str, duration_ms: Duration) -> Durable[None]:
        """Waits so long from the first call of this name on; holds no task meanwhile."""
        ask = functools.partial(self.in_thread.sleep, name, duration_ms)
        return self._ask(f"sleep {name}", ("sleep", name), ask)

    def signal(self, name: str, timeout_ms: Optional[Duration] = None) -> Durable[Any]:
        """The next message of a name; :class:`TimedOut` when none came in time."""
        ask = functools.partial(self.in_thread.signal, name, timeout_ms)
        return self._ask(f"signal {name}", ("signal", name), ask)

    def child(
        self,
        name: str,
        workflow: Union[str, Workflow[Any, Any]],
        args: Any = None,
        **chosen: Unpack[ChildOptions],
    ) -> Durable[RunId]:
        """Submits a child run, once for each occurrence of the name; see ``result``."""
        submit = functools.partial(self.in_thread.child, name, workflow, args, **chosen)
        return self._ask(f"child {name}", ("child", name), submit)

    def children(self, items: Iterable[Mapping[str, Any]]) -> Durable[list[RunId]]:
        """Submits children in one commit: each has name, workflow, args, and options by name."""
        listed = list(items)
        submit = functools.partial(self.in_thread.children, listed)
        return self._ask("children", ("children", str(listed)), submit)

    def result(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Durable[Any]:
        """The result of a child; :class:`ChildFailed` when it has none, :class:`TimedOut` when
        it did not end in time."""
        ask = functools.partial(self.in_thread.result, run_id, timeout_ms)
        return self._ask(f"result {run_id}", ("result", run_id), ask)

    def wait_any(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> Durable[dict[str, Any]]:
        """The earliest that is ready: index, outcome, value."""
        ask = functools.partial(self.in_thread.wait_any, name, list(waits), timeout_ms)
        return self._ask(f"wait_any {name}", ("any", name), ask)

    def wait_all(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> Durable[list[dict[str, Any]]]:
        """Each in order: outcome, value."""
        ask = functools.partial(self.in_thread.wait_all, name, list(waits), timeout_ms)
        return self._ask(f"wait_all {name}", ("all", name), ask)

    # ---- the rest -------------------------------------------------------------------------

    def reserve(
        self,
        amounts: Mapping[str, int],
        step: Union[AsyncStepScope, StepScope, None] = None,
        source: Optional[str] = None,
    ) -> Durable[str]:
        """Takes from the budget, for a step or not; the reservation's id. When it does not hold
        it, this raises :class:`BudgetError` and the run parks until it does."""
        of = step.scope if isinstance(step, AsyncStepScope) else step
        ask = functools.partial(self.in_thread.reserve, amounts, of, source)
        return self._ask("reserve", ("reserve", (str(amounts), source)), ask)

    def event(self, type: str, payload: Any = None, key: Optional[str] = None) -> Durable[bool]:
        """Appends to the log of events; False when the key was there before."""
        append = functools.partial(self.in_thread.event, type, payload, key)
        return self._ask(f"event {type}", ("event", (type, key)), append)

    def heartbeat(self) -> Durable[None]:
        """Extends the lease, where it is one of milliseconds."""
        return self._simply("heartbeat", self.in_thread.heartbeat)

    def check(self) -> Durable[None]:
        """Raises :class:`CancelledError` or :class:`LeaseLostError` when it is time to stop."""
        return self._simply("check", self.in_thread.check)

    def _simply(self, name: str, function: Callable[[], None]) -> Durable[None]:
        return Durable(name, functools.partial(self._calls.run, function), self._unawaited)


def _retrieved(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()  # whoever takes it over has it; if nobody does, it is no news


def run_async_step(context: Context, call: StepCall) -> Coroutine[Any, Any, Any]:
    """An async step where the workflow is not async: on a loop of that workflow's own."""

    async def run() -> Any:
        scope = context.step(call.name, **call.chosen)
        calls = Calls(context.session, None)
        async with AsyncStepScope(scope, calls, call.name, 0) as step:
            if not step.is_todo:
                return step.result
            return await step.complete(await cast("Awaitable[Any]", call.work()))

    return run()
