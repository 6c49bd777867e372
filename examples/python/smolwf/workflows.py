"""Workflows as functions: what they do in steps and waits, and how one attempt is run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    NamedTuple,
    Optional,
    TypeVar,
    Union,
    cast,
    overload,
)

from .attempt import Attempt, RunId, Step, error_value
from .codes import Answer, Code
from .errors import (
    BudgetError,
    CancelledError,
    ChildFailed,
    ClosedError,
    ConflictError,
    Error,
    Failure,
    ForkedError,
    LeaseLostError,
    StepFailed,
    Suspended,
    TimedOut,
)
from .options import ChildOptions, Duration, StepOptions, SubmitOptions
from .payload import Json

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .asynchronous import AsyncStore
    from .store import Store

F = TypeVar("F", bound=Callable[..., Any])

#: How long a run is left alone when the store could not be written (busy, disk).
RELEASE_DELAY_MS = 1_000

_current: ContextVar[Any] = ContextVar("smolwf_context")


def current() -> Any:
    """The context of the workflow that this code runs in; LookupError outside of one."""
    return _current.get()


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
    """A wait for a time to pass."""
    return {"sleep_ms": duration_ms}


def is_the_runs(error: BaseException) -> bool:
    """Whether an error says something of the run, so that no step is to be blamed for it."""
    of_the_run = (LeaseLostError, CancelledError, BudgetError, ClosedError, ForkedError)
    return isinstance(error, of_the_run) or (isinstance(error, Error) and error.retryable)


class StepScope:
    """A step as a context: ``complete`` it when ``is_todo``, then ``result`` is there.

    An exception that leaves it is recorded as the step's failure.
    """

    def __init__(self, attempt: Attempt, begin: Callable[[], Step]) -> None:
        self._attempt = attempt
        self._begin = begin
        self._step: Optional[Step] = None
        self.is_todo = False
        self.result: Any = None

    @property
    def step(self) -> Step:
        if self._step is None:
            raise RuntimeError("the step is not begun, or is left")
        return self._step

    @property
    def id(self) -> str:
        return self.step.id

    def enter(self) -> StepScope:
        step = self._begin()
        if step.code is Code.SUSPEND:
            raise Suspended(f"step {step.name} backs off")
        if step.code is Code.FAILED:
            error = step.error
            step.free()
            raise StepFailed(step.name, error)
        self._step = step
        self.is_todo = step.is_todo
        if not self.is_todo:
            self.result = step.result
        return self

    def complete(self, result: Any = None, usage: Optional[Mapping[str, int]] = None) -> Any:
        """Records the result; returns it as a replay will."""
        if isinstance(result, Used):
            result, usage = result
        codec = self._attempt.codec
        written = Json(codec.write(result))
        self.step.complete(written, usage)
        self.is_todo = False
        self.result = codec.read(written)
        return self.result

    def leave(self, error: Optional[BaseException]) -> None:
        step, self._step = self.step, None
        try:
            if self.is_todo and isinstance(error, Exception) and not is_the_runs(error):
                raise_failed(step, error)
        finally:
            step.free()

    def __enter__(self) -> StepScope:
        return self.enter()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.leave(error)


def raise_failed(step: Step, error: Exception) -> None:
    """Records a step's failure, and raises what comes of it."""
    if isinstance(error, Failure):
        recorded = error_value(error.error)
        code = step.fail(recorded, terminal=error.terminal, retry_after_ms=error.retry_after_ms)
    else:
        recorded = error_value(error)
        code = step.fail(recorded)
    if code is Code.SUSPEND:
        raise Suspended(f"step {step.name} backs off") from error
    raise StepFailed(step.name, recorded) from error


def value_of(name: str, answer: Answer) -> Any:
    """The value of an answer; raises what is no value."""
    if answer.code is Code.SUSPEND:
        raise Suspended(f"waiting for {name}")
    if answer.code is Code.TIMEOUT:
        raise TimedOut(name)
    if answer.code is Code.FAILED:
        raise ChildFailed(name, answer.value)
    return answer.value


class Context:
    """What a workflow does durably. Waits raise :class:`Suspended` until they are over."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.store = attempt.store
        self.run_id = attempt.run_id

    def step(self, name: str, input: Any = None, **chosen: Unpack[StepOptions]) -> StepScope:
        """``with context.step("charge") as step: if step.is_todo: step.complete(charge())``"""
        begin = functools.partial(self.attempt.step_begin, name, input, **chosen)
        return StepScope(self.attempt, begin)

    def call(self, name: str, function: Callable[[], Any], **chosen: Unpack[StepOptions]) -> Any:
        """The function's result, from its step if that was recorded."""
        with self.step(name, **chosen) as step:
            return step.complete(function()) if step.is_todo else step.result

    def sleep(self, name: str, duration_ms: Duration) -> None:
        if not self.attempt.sleep(name, duration_ms):
            raise Suspended(f"sleeping {name}")

    def signal(self, name: str, timeout_ms: Optional[Duration] = None) -> Any:
        """The next message of a name; :class:`TimedOut` when none came in time."""
        return value_of(name, self.attempt.signal_await(name, timeout_ms))

    def child(
        self, name: str, workflow: str, args: Any = None, **chosen: Unpack[ChildOptions]
    ) -> RunId:
        return self.attempt.child_submit(name, workflow, args, **chosen)

    def children(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        return self.attempt.child_submit_many(items)

    def result(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Any:
        """The result of a child; :class:`ChildFailed` when it has none."""
        return value_of(run_id, self.attempt.child_await(run_id, timeout_ms))

    def wait_any(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> dict[str, Any]:
        """The earliest that is ready: index, outcome, value."""
        found = value_of(name, self.attempt.await_any(name, waits, timeout_ms))
        return cast("dict[str, Any]", found)

    def wait_all(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> list[dict[str, Any]]:
        """Each in order: outcome, value."""
        found = value_of(name, self.attempt.await_all(name, waits, timeout_ms))
        return cast("list[dict[str, Any]]", found)

    def reserve(
        self,
        amounts: Mapping[str, int],
        step: Optional[StepScope] = None,
        source: Optional[str] = None,
    ) -> str:
        """Takes from the budget; when it does not hold it, the run parks until it does."""
        of = None if step is None else step.step
        return self.attempt.budget_reserve(amounts, of, source)

    def event(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        return self.attempt.event_append(type, payload, key)

    def heartbeat(self) -> None:
        self.attempt.heartbeat()

    def check(self) -> None:
        self.attempt.check()


class Workflow:
    """A function of a context and the run's args, under a name that runs are submitted by."""

    def __init__(
        self, function: Callable[..., Any], name: str, code_version: Optional[str]
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.code_version = code_version
        self.is_async = inspect.iscoroutinefunction(function)

    def __call__(self, context: Any, args: Any = None) -> Any:
        return self.function(context, args)

    def submit(self, store: Store, args: Any = None, **chosen: Unpack[SubmitOptions]) -> RunId:
        if self.code_version is not None:
            chosen.setdefault("code_version", self.code_version)
        return store.submit(self.name, args, **chosen)

    async def submit_async(
        self, store: AsyncStore, args: Any = None, **chosen: Unpack[SubmitOptions]
    ) -> RunId:
        if self.code_version is not None:
            chosen.setdefault("code_version", self.code_version)
        return await store.submit(self.name, args, **chosen)

    def run(self, attempt: Attempt) -> Optional[Code]:
        """Runs one attempt and ends it; None when it was lost or cancelled."""
        context = Context(attempt)
        token = _current.set(context)
        try:
            return end(attempt, lambda: self.function(context, attempt.args))
        finally:
            _current.reset(token)


def end(attempt: Attempt, work: Callable[[], Any]) -> Optional[Code]:
    """Ends an attempt as its work ends: returns, waits, fails, or is interrupted."""
    try:
        attempt.complete(work())
        return Code.OK
    except (Exception, Suspended) as error:
        return end_raised(attempt, error)
    except BaseException as error:
        end_raised(attempt, error)
        raise


def end_raised(attempt: Attempt, error: BaseException) -> Optional[Code]:
    """Ends an attempt whose work raised; None when the run is another's or gone."""
    if isinstance(error, (ClosedError, ForkedError)):
        raise error
    if attempt.is_ended or isinstance(error, LeaseLostError):
        return None
    try:
        return _end_raised(attempt, error)
    except (LeaseLostError, CancelledError):
        return None


def _end_raised(attempt: Attempt, error: BaseException) -> Optional[Code]:
    if isinstance(error, (Suspended, BudgetError)):
        return _park(attempt)
    if not isinstance(error, Exception) or isinstance(error, CancelledError):
        _give_back(attempt, 0)
        return None
    if isinstance(error, Error) and error.retryable:
        _give_back(attempt, RELEASE_DELAY_MS)
        return None
    if isinstance(error, Failure):
        return attempt.fail(
            error.error, terminal=error.terminal, retry_after_ms=error.retry_after_ms
        )
    if isinstance(error, (StepFailed, ChildFailed)):
        # What is memoised fails again in every attempt.
        return attempt.fail(error.error if error.error is not None else error, terminal=True)
    return attempt.fail(error)


def _park(attempt: Attempt) -> Code:
    try:
        attempt.suspend()
        return Code.SUSPEND
    except ConflictError as error:
        return attempt.fail(error)  # it raised Suspended, and there is nothing to wait for


def _give_back(attempt: Attempt, delay_ms: int) -> None:
    try:
        attempt.release(delay_ms)
    except ConflictError:
        pass  # a commit that reported an error had ended it after all


@overload
def workflow(function: Callable[..., Any], /) -> Workflow: ...
@overload
def workflow(
    *, name: Optional[str] = None, code_version: Optional[str] = None
) -> Callable[[Callable[..., Any]], Workflow]: ...
def workflow(
    function: Optional[Callable[..., Any]] = None,
    *,
    name: Optional[str] = None,
    code_version: Optional[str] = None,
) -> Union[Workflow, Callable[[Callable[..., Any]], Workflow]]:
    """Makes a workflow of a function, sync or async, named as it is unless told otherwise."""

    def make(function: Callable[..., Any]) -> Workflow:
        return Workflow(function, name or function.__name__, code_version)

    return make if function is None else make(function)


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    *, name: Optional[str] = None, hash_args: bool = False, **chosen: Unpack[StepOptions]
) -> Callable[[F], F]: ...
def step(
    function: Optional[F] = None,
    *,
    name: Optional[str] = None,
    hash_args: bool = False,
    **chosen: Unpack[StepOptions],
) -> Union[F, Callable[[F], F]]:
    """Makes a step of a function, sync or async: a call of it in a workflow is recorded once.

    ``hash_args`` refuses a replay with other arguments. Outside a workflow it is a plain call.
    """

    def make(function: F) -> F:
        called = name or function.__name__

        def scope(args: Any, kwargs: Any) -> Any:
            context = _current.get(None)
            given = {"input": [list(args), kwargs]} if hash_args else {}
            return None if context is None else context.step(called, **given, **chosen)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            durable = scope(args, kwargs)
            if durable is None:
                return function(*args, **kwargs)
            with durable as step:
                return step.complete(function(*args, **kwargs)) if step.is_todo else step.result

        @functools.wraps(function)
        async def wrapped_async(*args: Any, **kwargs: Any) -> Any:
            durable = scope(args, kwargs)
            if durable is None:
                return await function(*args, **kwargs)
            async with durable as step:
                if not step.is_todo:
                    return step.result
                return await step.complete(await function(*args, **kwargs))

        return cast(F, wrapped_async if inspect.iscoroutinefunction(function) else wrapped)

    return make if function is None else make(function)
