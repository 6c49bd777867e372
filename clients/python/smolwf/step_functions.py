"""Functions as steps, and how they know their workflow in other threads."""

from __future__ import annotations

import contextvars
import functools
import inspect
import multiprocessing
import threading
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    NamedTuple,
    Optional,
    TypeVar,
    cast,
    overload,
)

from .context import current_context
from .errors import OutsideWorkflow
from .options import StepOptions

if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import ParamSpec, Unpack

    P = ParamSpec("P")
    R = TypeVar("R")

    class StepFunction(Protocol[P, R]):
        """A function whose calls in a workflow are recorded once."""

        #: the function itself, which records nothing
        plain: Callable[P, R]

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

        def __get__(self, instance: Any, owner: Any) -> Callable[..., R]: ...

        def named(self, name: str, occurrence: int = 0) -> StepFunction[P, R]:
            """The same step under a name of its own: what runs side by side needs that."""


F = TypeVar("F", bound=Callable[..., Any])


class StepCall(NamedTuple):
    """One call of a step in a workflow."""

    name: str
    work: Callable[[], Any]
    chosen: dict[str, Any]
    is_async: bool


@overload
def step(function: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def step(
    *, name: Optional[str] = None, hash_args: bool = False, **chosen: Unpack[StepOptions]
) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def step(
    function: Optional[Callable[..., Any]] = None,
    *,
    name: Optional[str] = None,
    hash_args: bool = False,
    **chosen: Unpack[StepOptions],
) -> Any:
    """Makes a step of a function: a call of it in a workflow is recorded once.

    In an async workflow a function that is not async is awaited too, and runs in a thread.
    ``hash_args`` refuses a replay with other arguments. Outside of a workflow, in the main thread,
    a call is a plain call; in other threads, which may be a workflow's own, it is an error: see
    :func:`carry`. ``named(name)`` gives the step another name, ``plain`` is the function itself.
    """

    def make(function: Callable[..., Any]) -> Any:
        return _step_of(function, name or function.__name__, hash_args, dict(chosen))

    return make if function is None else make(function)


def _step_of(
    function: Callable[..., Any], name: str, hash_args: bool, chosen: dict[str, Any]
) -> Any:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name} is a generator: a step is a function that returns its result")
    is_async = is_async_function(function)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        context = current_context.get(None)
        work = functools.partial(function, *args, **kwargs)
        if context is None:
            refuse_where_a_workflow_may_be(name)
            return work()
        given = {"input": [list(args), kwargs]} if hash_args else {}
        return context.run_step(StepCall(name, work, {**chosen, **given}, is_async))

    def named(name: str, occurrence: int = 0) -> Any:
        own = {"occurrence": occurrence} if occurrence else {}
        return _step_of(function, name, hash_args, {**chosen, **own})

    made = cast(Any, wrapped)
    made.plain, made.named = function, named
    return made


def is_async_function(function: Any) -> bool:
    """Whether a call of it gives a coroutine, as far as can be seen before."""
    while isinstance(function, functools.partial):
        function = function.func
    call = getattr(type(function), "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def refuse_where_a_workflow_may_be(name: str) -> None:
    """A thread or process that a workflow started by itself does not know of it: what it does
    would be done again in each attempt."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and multiprocessing.parent_process() is None:
        return
    raise OutsideWorkflow(
        f"step {name} was called in a {'process' if is_main else 'thread'} that knows of no "
        "workflow, so nothing would be recorded; hand smolwf.carry(function) to the threads that "
        f"a workflow starts, or call {name}.plain(...) where no workflow is meant"
    )


def carry(function: F) -> F:
    """The function as one that knows the workflow of whoever calls this, in whatever thread it
    runs: ``pool.map(smolwf.carry(work), items)``. Each call has a copy of the context variables.
    """
    here = contextvars.copy_context()

    @functools.wraps(function)
    def carried(*args: Any, **kwargs: Any) -> Any:
        return here.copy().run(function, *args, **kwargs)

    return cast(F, carried)
