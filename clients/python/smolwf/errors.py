"""One exception for each error code, under :class:`Error`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Optional, Union


class Error(Exception):
    """A call of the library failed. Nothing of it is stored, but where its header says so."""

    CODE: ClassVar[int] = 0

    def __init__(
        self,
        code: int,
        message: str,
        name: str = "",
        engine_code: int = 0,
        retryable: bool = False,
    ) -> None:
        super().__init__(code, message, name, engine_code, retryable)
        self.code = code
        self.message = message
        self.name = name or f"code {code}"
        #: SQLite's own code, 0 when it had no part in it
        self.engine_code = engine_code
        #: the same call may be made again
        self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} ({self.name})" if self.message else self.name


class CallerError(Error):
    """The call itself is wrong (-1 to -19)."""


class StateError(Error):
    """What is stored forbids it (-20 to -39)."""


class EnvironmentFailure(Error):
    """The disk, the file or the system refused it (-40 to -59)."""


class LibraryError(Error):
    """The library is at fault, or gave up to protect what is stored (-60 to -69)."""


class MisuseError(CallerError):
    """An object is of the wrong kind, or was freed."""

    CODE = -1


class InvalidError(CallerError, ValueError):
    """An argument is out of its form or range."""

    CODE = -2


class NotFoundError(CallerError, LookupError):
    """There is no such thing."""

    CODE = -3


class TooBigError(CallerError, ValueError):
    """A text or payload is above its limit."""

    CODE = -5


class UnsupportedError(CallerError):
    """This library does not know what was asked."""

    CODE = -6


class ClosedError(CallerError):
    """The store is closed."""

    CODE = -7


class ForkedError(CallerError):
    """The object, or the open file, is the parent's: open the store after the fork."""

    CODE = -8


class SecondCopyError(CallerError):
    """Another copy of the library in this process has the file open."""

    CODE = -9


class LeaseLostError(StateError):
    """Another attempt has the run: stop, nothing of yours will be stored."""

    CODE = -20


class CancelledError(StateError):
    """The run was cancelled, or timed out."""

    CODE = -21


class NondeterminismError(StateError):
    """The code does not fit what is recorded: a step had another input, a wait was of another
    kind; or, of a strict attempt, something that is recorded was not asked for."""

    CODE = -22


class ConflictError(StateError):
    """The state forbids it."""

    CODE = -23


class SchemaOldError(StateError):
    """The file has an older schema: call ``init``."""

    CODE = -24


class SchemaNewError(StateError):
    """The file is of a newer library."""

    CODE = -25


class SchemaForeignError(StateError):
    """The file has ``sw_*`` tables that are not this library's."""

    CODE = -26


class TargetOlderError(StateError):
    """There is no way back to an older schema."""

    CODE = -27


class BudgetError(StateError):
    """The budget does not hold it; nothing was taken."""

    CODE = -28


class SchemaEditedError(StateError):
    """A migration that was applied differs from this library's."""

    CODE = -29


class MovedError(StateError):
    """The store was moved to another one, which the message names, or is none in force."""

    CODE = -30


class BusyError(EnvironmentFailure):
    """Somebody kept a lock for the whole busy timeout."""

    CODE = -40


class InputOutputError(EnvironmentFailure):
    """Reading or writing the disk failed."""

    CODE = -41


class FullError(EnvironmentFailure):
    """The disk is full."""

    CODE = -42


class ReadOnlyError(EnvironmentFailure):
    """The store cannot be written."""

    CODE = -43


class CorruptError(EnvironmentFailure):
    """The file is damaged."""

    CODE = -44


class NoMemoryError(EnvironmentFailure):
    """Memory ran out."""

    CODE = -45


class NotAStoreError(EnvironmentFailure):
    """The file is no database."""

    CODE = -46


class CannotOpenError(EnvironmentFailure):
    """The file cannot be opened."""

    CODE = -47


class InternalError(LibraryError):
    """A fault of the library."""

    CODE = -60


class PanicError(LibraryError):
    """A fault of the library, caught; only this call's work was undone."""

    CODE = -61


class PoisonedError(LibraryError):
    """A sync failed: the store is read-only until it is opened anew."""

    CODE = -62


class WalLostError(LibraryError):
    """Another SQLite in this process took the log away."""

    CODE = -63


#: After these no run of the store can go on, so its workers end.
FATAL = (
    CorruptError,
    ForkedError,
    MovedError,
    PoisonedError,
    ReadOnlyError,
    SchemaEditedError,
    SchemaForeignError,
    SchemaNewError,
    SchemaOldError,
    WalLostError,
)


def _leaves(of: type[Error]) -> list[type[Error]]:
    below = [leaf for child in of.__subclasses__() for leaf in _leaves(child)]
    return [of, *below] if of.CODE else below


BY_CODE: dict[int, type[Error]] = {kind.CODE: kind for kind in _leaves(Error)}


def error_of(
    code: int, message: str, name: str = "", engine_code: int = 0, retryable: bool = False
) -> Error:
    """Makes the exception of a code; one that is not known here is of its class."""
    kind = BY_CODE.get(code) or _class_of(code)
    return kind(code, message, name, engine_code, retryable)


def _class_of(code: int) -> type[Error]:
    for lowest, kind in ((-19, CallerError), (-39, StateError), (-59, EnvironmentFailure)):
        if code >= lowest:
            return kind
    return LibraryError


class Suspended(BaseException):
    """A workflow has to wait: whoever runs the attempt parks it.

    No :class:`Exception`, as :class:`asyncio.CancelledError` is none, so that ``except Exception``
    in a workflow lets it through. One that is caught all the same completes nothing: as long as
    the wait is not over, the run is parked when its function returns.
    """


class Stopping(Suspended):
    """The worker stops: the attempt is given back, and no try is charged."""


class NotJson(TypeError, ValueError):
    """A value has no form in JSON; ``place`` is where, as ``$.items[1].when``."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place


class OutsideWorkflow(RuntimeError):
    """A step was called where no workflow is known, and would not be recorded."""


class StepUnfinished(RuntimeError):
    """The scope of a step was left without a result."""


class ForgottenAwait(RuntimeError):
    """A durable call was made and never awaited, so it was not done."""


class TransactionError(RuntimeError):
    """A transaction was used where it cannot be: outside of its block, inside of another, or for
    what it does not know."""


class Failure(Exception):
    """Raise it in a step or a workflow to say how it failed, and what is to come of that."""

    def __init__(
        self,
        error: Any = None,
        *,
        terminal: bool = False,
        retry_after_ms: Union[int, timedelta] = 0,
    ) -> None:
        super().__init__(error)
        if not isinstance(retry_after_ms, (int, timedelta, type(None))):
            # Here it is its author's error; at the end of the attempt it would be the worker's.
            raise TypeError(f"retry_after_ms is {retry_after_ms!r}, no integer and no timedelta")
        self.error = error
        self.terminal = terminal
        self.retry_after_ms = retry_after_ms


class Memoised(Exception):
    """A failure that is recorded, so that it is the same in every attempt."""

    #: what was recorded
    error: Any
    #: the same as it was recorded, JSON
    error_text: Optional[str] = None


class StepFailed(Memoised):
    """A step failed for good; ``error`` is what was recorded."""

    def __init__(self, name: str, error: Any, error_text: Optional[str] = None) -> None:
        super().__init__(name, error)
        self.name = name
        self.error = error
        self.error_text = error_text

    def __str__(self) -> str:
        return f"step {self.name} failed for good{_why(self.error)}"


class ChildFailed(Memoised):
    """A child run failed or was cancelled; ``error`` is what was recorded."""

    def __init__(self, run_id: str, error: Any, error_text: Optional[str] = None) -> None:
        super().__init__(run_id, error)
        self.run_id = run_id
        self.error = error
        self.error_text = error_text

    def __str__(self) -> str:
        return f"child {self.run_id} failed{_why(self.error)}"


class RunFailed(Exception):
    """A run that was waited for failed or was cancelled; ``error`` is what was recorded."""

    def __init__(self, run_id: str, state: str, error: Any) -> None:
        super().__init__(run_id, state, error)
        self.run_id = run_id
        self.state = state
        self.error = error

    def __str__(self) -> str:
        return f"run {self.run_id} is {self.state}{_why(self.error)}"


def _why(error: Any) -> str:
    """The sentence in what was recorded, if there is one."""
    said = error.get("message") if isinstance(error, dict) else error
    return f": {said[:500]}" if isinstance(said, str) else ""


class TimedOut(TimeoutError):
    """A wait inside a workflow reached its deadline."""

    def __init__(self, name: str, value: Optional[Any] = None) -> None:
        super().__init__(f"{name} timed out")
        self.name = name
        self.value = value


__all__ = [
    "BudgetError",
    "BusyError",
    "CallerError",
    "CancelledError",
    "CannotOpenError",
    "ChildFailed",
    "ClosedError",
    "ConflictError",
    "CorruptError",
    "EnvironmentFailure",
    "Error",
    "Failure",
    "ForgottenAwait",
    "ForkedError",
    "FullError",
    "InputOutputError",
    "InternalError",
    "InvalidError",
    "LeaseLostError",
    "LibraryError",
    "Memoised",
    "MisuseError",
    "MovedError",
    "NoMemoryError",
    "NondeterminismError",
    "NotAStoreError",
    "NotFoundError",
    "NotJson",
    "OutsideWorkflow",
    "PanicError",
    "PoisonedError",
    "ReadOnlyError",
    "RunFailed",
    "SchemaEditedError",
    "SchemaForeignError",
    "SchemaNewError",
    "SchemaOldError",
    "SecondCopyError",
    "StateError",
    "StepFailed",
    "StepUnfinished",
    "Stopping",
    "Suspended",
    "TargetOlderError",
    "TimedOut",
    "TooBigError",
    "TransactionError",
    "UnsupportedError",
    "WalLostError",
]
