"""What a workflow does durably, and the steps of one attempt."""

from __future__ import annotations

import functools
import inspect
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union, cast

from .attempt import Attempt
from .carried import is_interrupt, is_suspend, is_terminal
from .codes import Answer, Code
from .errors import (
    FATAL,
    BudgetError,
    CancelledError,
    ChildFailed,
    ClosedError,
    ConflictError,
    Failure,
    InvalidError,
    LeaseLostError,
    NotJson,
    StepFailed,
    StepUnfinished,
    Suspended,
    TimedOut,
    TooBigError,
)
from .options import ChildOptions, Duration, StepOptions
from .payload import Codec, Json
from .recording import record
from .session import Session, Told
from .step_transaction import StepTransaction
from .steps import Step
from .topic import RunId, called

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .step_functions import StepCall
    from .workflows import Workflow

#: The context of the workflow that this code runs in.
current_context: ContextVar[Any] = ContextVar("smolwf_context")
#: The steps whose work this code is part of, the outermost first.
steps_around: ContextVar[tuple[Any, ...]] = ContextVar("smolwf_steps", default=())


def current() -> Any:
    """The context of the workflow that this code runs in; LookupError outside of one."""
    return current_context.get()


def step_id() -> str:
    """The id of the step whose work this code is part of; LookupError outside of one.

    It is the same in every attempt: an idempotency key for whoever the work calls.
    """
    around = steps_around.get()
    if not around:
        raise LookupError("this code is not part of the work of a step")
    found: str = around[-1].id
    return found


class Used(NamedTuple):
    """What a step returns to settle its reservations along with its result."""

    result: Any
    usage: Mapping[str, int]


def on_signal(name: str) -> dict[str, Any]:
    """A wait for a message, for ``wait_any`` and ``wait_all``."""
    return {"signal": name}


def on_child(run_id: str) -> dict[str, Any]:
    """A wait for the end of a child."""
    return {"child": run_id}


def on_sleep(duration_ms: int) -> dict[str, Any]:
    """A wait for a time to pass, in milliseconds."""
    return {"sleep_ms": duration_ms}


def is_no_failure(error: BaseException, session: Session) -> bool:
    """Whether a step that is left with an error has not failed: the error is the run's."""
    of_the_run = (LeaseLostError, CancelledError, ClosedError, GeneratorExit, *FATAL)
    is_refusal = session.refusal is not None and error is session.refusal[0]
    return is_refusal or isinstance(error, of_the_run) or is_suspend(error) or is_interrupt(error)


def name_conflict(what: str, name: str) -> ConflictError:
    return ConflictError(
        -23,
        f"{what} {name} is open in this attempt: what runs side by side needs distinct names "
        "or an occurrence",
        "SW_ERR_CONFLICT",
    )


class StepScope:
    """A step as a context: ``complete`` it when ``is_todo``, then ``result`` is there.

    An exception that leaves it is recorded as the step's failure. To leave it in order without a
    result fails the run.
    """

    def __init__(self, session: Session, name: str, begin: Callable[[], Step]) -> None:
        self._session = session
        self._name = name
        self._begin = begin
        self._step: Optional[Step] = None
        self._begun_at = 0.0
        self._around: tuple[Any, ...] = ()
        self._news: Optional[tuple[str, dict[str, Any]]] = None
        self.is_todo = False
        self.is_waiting = False
        self.result: Any = None
        #: whose code it is part of
        self.thread: Optional[threading.Thread] = None

    @property
    def step(self) -> Step:
        """The step itself, one level down."""
        if self._step is None:
            raise RuntimeError(f"the step {self._name} is not begun, or is left")
        return self._step

    @property
    def id(self) -> str:
        """The same in every attempt: an idempotency key for whom the step calls."""
        return self.step.id

    @property
    def codec(self) -> Codec:
        """How its result is read and written: the store's."""
        return self._session.attempt.codec

    @property
    def recorded(self) -> Optional[str]:
        """What an earlier attempt recorded, as a text; None while the work is to be done."""
        return None if self.is_todo else self.step.result_text or "null"

    def enter(self, is_gone: Optional[Callable[[], bool]] = None) -> StepScope:
        """Begins it. ``is_gone`` tells whether whoever begins it cannot finish it any more."""
        session = self._session
        with session.busy():
            step = self._ask(session)
            if step.code is Code.OK:
                if is_gone is None:
                    self.thread = threading.current_thread()
                    is_gone = _has_ended(self.thread)
                session.opened(self, is_gone)
        self._step = step
        self.is_todo = step.is_todo
        self._begun_at = time.monotonic()
        if not self.is_todo:
            self.result = step.result
        return self

    def _ask(self, session: Session) -> Step:
        try:
            step = session.patiently(f"begin of step {self._name}", self._begin)
        except ConflictError as error:
            refused = name_conflict("step", self._name)
            session.refuse(refused)
            raise refused from error
        if step.code is Code.SUSPEND:
            session.waits[f"step {self._name}"] = None
            raise Suspended(f"step {self._name} backs off")
        session.waits.pop(f"step {self._name}", None)
        if step.code is Code.FAILED:
            error_text, error_value = step.error_text, step.error
            step.free()
            raise StepFailed(self._name, error_value, error_text)
        return step

    def tell_run(self) -> None:
        """Tells that its work begins."""
        if self.is_todo and self._session.teller.hears("step_run"):
            self._session.tell("step_run", **self._facts())

    def _facts(self) -> dict[str, Any]:
        step = self.step
        return {
            "step_id": step.id,
            "step": self._name,
            "occurrence": step.occurrence,
            "step_tries": step.tries,
        }

    def complete(self, result: Any = None, usage: Optional[Mapping[str, int]] = None) -> Any:
        """Records the result; returns it as a replay will."""
        try:
            return self.record(result, usage)
        finally:
            self.tell_end()

    def record(self, result: Any, usage: Optional[Mapping[str, int]]) -> Any:
        """As ``complete``, and leaves it to ``tell_end`` to tell of that."""
        if isinstance(result, Used):
            result, usage = result
        session, step = self._session, self.step
        try:
            written = Json(self.codec.write(result))
            call = functools.partial(step.complete, written, usage)
            session.call(f"result of step {self._name}", call, records=True)
        except (NotJson, InvalidError, TooBigError) as error:
            self._fail(NotJson(f"the result of step {self._name}", str(error)), True, 0)
        return self._recorded(written)

    def record_by(self, send: Callable[[Step], Json]) -> None:
        """Has a call record the result along with what it does; it returns what was recorded."""
        call = functools.partial(send, self.step)
        self._recorded(self._session.call(f"transaction {self._name}", call, records=True))

    def _recorded(self, written: Json) -> Any:
        session = self._session
        self.is_todo = False
        self.result = self.codec.read(written)
        if session.teller.hears("step_done"):
            took = round((time.monotonic() - self._begun_at) * 1000, 3)
            self._news = "step_done", {**self._facts(), "duration_ms": took}
        return self.result

    def tell_end(self) -> None:
        """Tells what was recorded, once, in the code that did the work."""
        news, self._news = self._news, None
        if news is not None:
            self._session.tell(news[0], **news[1])

    def _fail(self, error: BaseException, terminal: bool, after: Duration) -> None:
        """Records its failure, and raises what comes of it."""
        session, step = self._session, self.step
        sent: list[Optional[Json]] = []

        def send(form: Optional[Json]) -> Code:
            delay = 0 if sent else after
            sent.append(form)
            call = functools.partial(step.fail, form, terminal=terminal, retry_after_ms=delay)
            return session.call(f"failure of step {self._name}", call, records=True)

        code = record(error, session.attempt.codec, send)
        self.is_todo = False
        text = sent[-1] or "null"
        self._news = "step_failed", {**self._facts(), "error": error}
        if code is Code.SUSPEND:
            self._news[1]["retry_at_ms"] = step.retry_at_ms
            session.waits[f"step {self._name}"] = None
            raise Suspended(f"step {self._name} backs off") from error
        raise StepFailed(self._name, session.attempt.codec.read(text), text) from error

    def leave(self, error: Optional[BaseException], is_final: bool = False) -> None:
        """Ends it: records the failure that left it, for good or not, and lets go of it."""
        step, session = self._step, self._session
        try:
            if step is None or step.is_settled:
                return
            if error is None:
                raise self._unfinished()
            if is_no_failure(error, session):
                return
            after = error.retry_after_ms if isinstance(error, Failure) else 0
            self._fail(error, is_final or is_terminal(error), after)
        finally:
            self.abandon()
            session.settled(self)

    def _unfinished(self) -> StepUnfinished:
        refused = StepUnfinished(
            f"step {self._name} was left without a result: call complete, or raise"
        )
        self._session.refuse(refused)
        return refused

    def abandon(self) -> None:
        """Lets go of it, finished or not."""
        step, self._step = self._step, None
        if step is not None:
            step.free()

    @property
    def is_begun(self) -> bool:
        """Whether it is begun, and not let go of."""
        return self._step is not None

    def give_up(self) -> None:
        """Lets go of it although it is not finished: another begin means the same step."""
        self.abandon()
        self._session.settled(self)

    def go_inside(self) -> None:
        """From here on, code is part of the step's work."""
        self._around = steps_around.get()
        steps_around.set((*self._around, self))

    def go_outside(self) -> None:
        """From here on, code is no part of the step's work."""
        steps_around.set(self._around)

    def __enter__(self) -> StepScope:
        self.enter()
        self.go_inside()
        self.tell_run()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.go_outside()
        try:
            self.leave(error)
        finally:
            self.tell_end()


def _has_ended(thread: threading.Thread) -> Callable[[], bool]:
    return lambda: not thread.is_alive()


def value_of(name: str, answer: Answer) -> Any:
    """The value of an answer; raises what is no value."""
    if answer.code is Code.SUSPEND:
        raise Suspended(f"waiting for {name}")
    if answer.code is Code.TIMEOUT:
        raise TimedOut(name)
    if answer.code is Code.FAILED:
        raise ChildFailed(name, answer.value, answer.text)
    return answer.value


class Context:
    """What a workflow does durably. Waits raise :class:`Suspended` until they are over."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.attempt: Attempt = session.attempt
        self.store = session.attempt.store
        self.run_id = session.attempt.run_id

    @property
    def told(self) -> Told:
        """Fires when the work should end: the run is cancelled, another worker has it, the worker
        stops. ``told.wait(seconds)`` in long steps; ``told.reason`` says why."""
        return self.session.told

    def step(self, name: str, input: Any = None, **chosen: Unpack[StepOptions]) -> StepScope:
        """``with context.step("charge") as step: if step.is_todo: step.complete(charge())``

        An ``input`` that is not None must be the same in every attempt.
        """
        begin = functools.partial(self.attempt.step_begin, name, input, **chosen)
        return StepScope(self.session, name, begin)

    def transaction(
        self, name: str, input: Any = None, **chosen: Unpack[StepOptions]
    ) -> StepTransaction:
        """``with context.transaction("transfer") as tx: tx.execute("UPDATE ...", [7])``

        A step that is one transaction on the host's own tables: rows, runs, messages and the
        record of the step are one commit. See :class:`StepTransaction`.
        """
        return StepTransaction(self.step(name, input, **chosen), name, self.store)

    def call(
        self,
        name: str,
        function: Callable[[], Any],
        input: Any = None,
        **chosen: Unpack[StepOptions],
    ) -> Any:
        """The function's result, from its step if that was recorded."""
        with self.step(name, input, **chosen) as step:
            return step.complete(no_awaitable(name, function())) if step.is_todo else step.result

    def run_step(self, call: StepCall) -> Any:
        """What a call of a step function comes to; one that is async is to be awaited."""
        if call.is_async:
            from .async_context import run_async_step

            return run_async_step(self, call)
        with self.step(call.name, **call.chosen) as step:
            if not step.is_todo:
                return step.result
            return step.complete(no_awaitable(f"step {call.name}", call.work()))

    def _wait(self, name: str, ask: Callable[[], Answer]) -> Answer:
        session = self.session
        with session.busy(), session.one_wait:
            answer = session.patiently(name, ask)
            if answer.code is Code.SUSPEND:
                session.waits[name] = None
            else:
                session.waits.pop(name, None)
        return answer

    def _submit(self, name: str, submit: Callable[[], Any]) -> Any:
        try:
            return self.session.call(f"child {name}", submit)
        except ConflictError as error:
            refused = name_conflict("child", name)
            self.session.refuse(refused)
            raise refused from error

    def sleep(self, name: str, duration_ms: Duration) -> None:
        """Waits so long from the first call of this name on; holds no thread meanwhile."""

        def ask() -> Answer:
            return Answer(Code.OK if self.attempt.sleep(name, duration_ms) else Code.SUSPEND)

        value_of(f"sleep {name}", self._wait(f"sleep {name}", ask))

    def signal(self, name: str, timeout_ms: Optional[Duration] = None) -> Any:
        """The next message of a name; :class:`TimedOut` when none came in time."""
        ask = functools.partial(self.attempt.signal_await, name, timeout_ms)
        return value_of(name, self._wait(f"signal {name}", ask))

    def child(
        self,
        name: str,
        workflow: Union[str, Workflow[Any, Any]],
        args: Any = None,
        **chosen: Unpack[ChildOptions],
    ) -> RunId:
        """Submits a child run, once for each occurrence of the name; see ``result``."""
        its_name, options = called(workflow, chosen)
        submit = functools.partial(self.attempt.child_submit, name, its_name, args, **options)
        return cast(RunId, self._submit(name, submit))

    def children(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits children in one commit: each has name, workflow, args, and options by name."""
        listed = list(items)
        submit = functools.partial(self.attempt.child_submit_many, listed)
        return cast("list[RunId]", self._submit("of a list", submit))

    def result(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Any:
        """The result of a child; :class:`ChildFailed` when it has none, :class:`TimedOut` when
        it did not end in time."""
        ask = functools.partial(self.attempt.child_await, run_id, timeout_ms)
        return value_of(run_id, self._wait(f"child {run_id}", ask))

    def wait_any(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> dict[str, Any]:
        """The earliest that is ready: index, outcome, value."""
        ask = functools.partial(self.attempt.await_any, name, list(waits), timeout_ms)
        return cast("dict[str, Any]", value_of(name, self._wait(f"any {name}", ask)))

    def wait_all(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> list[dict[str, Any]]:
        """Each in order: outcome, value."""
        ask = functools.partial(self.attempt.await_all, name, list(waits), timeout_ms)
        return cast("list[dict[str, Any]]", value_of(name, self._wait(f"all {name}", ask)))

    def reserve(
        self,
        amounts: Mapping[str, int],
        step: Optional[StepScope] = None,
        source: Optional[str] = None,
    ) -> str:
        """Takes from the budget, for a step or not; the reservation's id.

        When it does not hold it, this raises :class:`BudgetError` and the run parks until it
        does, also when the error is caught.
        """
        of = None if step is None else step.step
        name = f"budget {', '.join(amounts)}"
        ask = functools.partial(self.attempt.budget_reserve, amounts, of, source)
        try:
            reservation = self.session.call(name, ask)
        except BudgetError:
            self.session.waits[name] = None
            raise
        self.session.waits.pop(name, None)
        return reservation

    def event(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        """Appends to the log of events; False when the key was there before."""
        append = functools.partial(self.attempt.event_append, type, payload, key)
        return self.session.call(f"event {type}", append)

    def heartbeat(self) -> None:
        """Extends the lease, where it is one of milliseconds."""
        self.session.call("heartbeat", self.attempt.heartbeat)

    def check(self) -> None:
        """Raises :class:`CancelledError` or :class:`LeaseLostError` when it is time to stop."""
        self.session.call("check", self.attempt.check)


def no_awaitable(name: str, result: Any) -> Any:
    """A result of code that is not async, which must not be a coroutine."""
    if inspect.isawaitable(result):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise Failure(
            f"{name} returned a {type(result).__name__}, which nobody here can await: "
            "write an async workflow, for an AsyncWorker",
            terminal=True,
        )
    return result
