"""Workflows as functions, and the handles of their runs."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, cast, overload

from .attempt import Attempt
from .carried import is_interrupt
from .codes import Code
from .context import Context, current_context, no_awaitable
from .ending import Outcome, end
from .errors import RunFailed, TimedOut
from .options import Duration, SubmitOptions
from .session import Session
from .step_functions import is_async_function
from .topic import RunId

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import documents
    from .async_context import AsyncContext
    from .async_store import AsyncStore
    from .store import Store

A = TypeVar("A")
R = TypeVar("R")


class RunHandle(RunId, Generic[R]):
    """The id of a run that was submitted, and its result once it has one."""

    store: Store

    def result(self, timeout_ms: Optional[Duration] = None) -> R:
        """Waits for the end: the result, :class:`RunFailed`, or :class:`TimedOut`."""
        return cast(R, result_of(self, self.store.wait_run(self, timeout_ms)))


class AsyncRunHandle(RunId, Generic[R]):
    """The same, awaited."""

    store: AsyncStore

    async def result(self, timeout_ms: Optional[Duration] = None) -> R:
        """Waits for the end: the result, :class:`RunFailed`, or :class:`TimedOut`."""
        return cast(R, result_of(self, await self.store.wait_run(self, timeout_ms)))


def result_of(run_id: RunId, run: Optional[documents.Run]) -> Any:
    """The result of a run that has ended; raises what is none."""
    if run is None:
        raise TimedOut(f"run {run_id}")
    if run["state"] != "completed":
        raise RunFailed(run_id, run["state"], run["error"])
    return run["result"]


class Workflow(Generic[A, R]):
    """A function of a context and the run's args, under a name that runs are submitted by."""

    def __init__(
        self, function: Callable[..., Any], name: str, code_version: Optional[str]
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{name} is a generator: a workflow is a function, async or not")
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.code_version = code_version
        self.is_async = is_async_function(function)

    def __call__(self, context: Any, args: Any = None) -> Any:
        """Calls the function itself."""
        return self.function(context, args)

    def submit(
        self, store: Store, args: Optional[A] = None, **chosen: Unpack[SubmitOptions]
    ) -> RunHandle[R]:
        """Submits a run. An idempotency key counts among the runs of this workflow."""
        found = store.submit(self.name, args, **self._options(chosen))
        handle: RunHandle[R] = RunHandle(found, found.existed)
        handle.store = store
        return handle

    async def submit_async(
        self, store: AsyncStore, args: Optional[A] = None, **chosen: Unpack[SubmitOptions]
    ) -> AsyncRunHandle[R]:
        """Submits a run. An idempotency key counts among the runs of this workflow."""
        found = await store.submit(self.name, args, **self._options(chosen))
        handle: AsyncRunHandle[R] = AsyncRunHandle(found, found.existed)
        handle.store = store
        return handle

    def _options(self, chosen: SubmitOptions) -> SubmitOptions:
        if self.code_version is not None:
            chosen.setdefault("code_version", self.code_version)
        return chosen

    def run(self, attempt: Attempt) -> Optional[Code]:
        """Runs one attempt and ends it; None when it was lost or cancelled."""
        return run_session(Session(attempt), self)


def run_session(session: Session, workflow: Workflow[Any, Any]) -> Optional[Code]:
    """Runs one attempt of a workflow in this thread and ends it."""
    outcome = contextvars.copy_context().run(_outcome, session, workflow)
    try:
        session.close()
        code = end(session, outcome)
    except BaseException:
        session.give_up()
        raise
    if outcome.error is not None and is_interrupt(outcome.error):
        raise outcome.error
    return code


def _outcome(session: Session, workflow: Workflow[Any, Any]) -> Outcome:
    try:
        context = Context(session)
        current_context.set(context)
        session.tell("claimed")
        result = workflow.function(context, session.attempt.args)
        return Outcome(no_awaitable(f"workflow {workflow.name}", result))
    except BaseException as error:
        if is_interrupt(error):
            session.told.fire("stopped")
        return Outcome(error=error)


@overload
def workflow(
    function: Callable[[AsyncContext, A], Coroutine[Any, Any, R]], /
) -> Workflow[A, R]: ...
@overload
def workflow(function: Callable[[Context, A], R], /) -> Workflow[A, R]: ...
@overload
def workflow(*, name: Optional[str] = None, code_version: Optional[str] = None) -> _Decorator: ...
def workflow(
    function: Optional[Callable[..., Any]] = None,
    *,
    name: Optional[str] = None,
    code_version: Optional[str] = None,
) -> Any:
    """Makes a workflow of a function, sync or async, named as it is unless told otherwise.

    A worker takes runs of the ``code_version`` that its workflows name, and runs without one.
    """

    def make(function: Callable[..., Any]) -> Workflow[Any, Any]:
        return Workflow(function, name or function.__name__, code_version)

    return make if function is None else make(function)


if TYPE_CHECKING:
    from typing import Protocol

    class _Decorator(Protocol):
        @overload
        def __call__(
            self, function: Callable[[AsyncContext, A], Coroutine[Any, Any, R]], /
        ) -> Workflow[A, R]: ...
        @overload
        def __call__(self, function: Callable[[Context, A], R], /) -> Workflow[A, R]: ...
