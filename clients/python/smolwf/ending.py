"""How an attempt ends, by how its function did: docs/WORKERS.md has the table."""

from __future__ import annotations

from typing import Any, Callable, Optional

from . import documents
from .attempt import Attempt
from .carried import failure_in, is_suspend, is_terminal
from .codes import Code
from .errors import (
    FATAL,
    CancelledError,
    ClosedError,
    ConflictError,
    Error,
    Failure,
    InvalidError,
    LeaseLostError,
    NondeterminismError,
    NotJson,
    TooBigError,
)
from .payload import Json
from .recording import record
from .session import Session, may_pass

#: How long a run is left alone of whose workflow the worker knows nothing after all.
UNKNOWN_DELAY_MS = 10_000


class Outcome:
    """How a workflow's function ended: with a result, or with what it raised."""

    def __init__(self, result: Any = None, error: Optional[BaseException] = None) -> None:
        self.result = result
        self.error = error


def end(session: Session, outcome: Outcome) -> Optional[Code]:
    """Ends an attempt whose function has ended; None when that stored nothing of its own.

    Raises only what ends the worker as well.
    """
    if not session.take_end():
        return None
    try:
        return _end(session, outcome)
    except LeaseLostError:
        session.tell("lost")
    except CancelledError:
        _tell_cancelled(session)
    except ClosedError:
        pass
    except ConflictError:
        pass  # its own code has ended it, one level down
    except FATAL as error:
        first = outcome.error
        raise (first if isinstance(first, FATAL) else error) from None
    except Error as error:
        _give_back_after(session, error)
    return None


def _end(session: Session, outcome: Outcome) -> Optional[Code]:
    if session.told.reason == "stopped":
        release(session, "the worker stops")
        return None
    if session.refusal is not None:
        error, is_for_good = session.refusal
        return _fail(session, error, is_for_good)
    if outcome.error is None:
        return _returned(session, outcome.result)
    if is_suspend(outcome.error):
        return _park(session, False) or _fail(session, _nothing_to_wait_for(outcome.error), False)
    if isinstance(outcome.error, CancelledError) and _is_cancelled(session.attempt):
        release(session, "cancelled")
        return None
    return _fail(session, outcome.error, is_terminal(outcome.error))


def _returned(session: Session, result: Any) -> Optional[Code]:
    if session.attempt.has_waited:
        parked = _park(session, True)
        if parked is not None:
            return parked
    attempt = session.attempt
    try:
        written = Json(attempt.codec.write(result))
        session.patiently("complete", lambda: attempt.complete(written))
    except (NotJson, InvalidError, TooBigError) as error:
        return _fail(session, NotJson("the result of the run", str(error)), True)
    except NondeterminismError as error:
        return _fail(session, error, False)  # strict, and it has not asked for all
    session.tell("completed")
    return Code.OK


def _park(session: Session, is_swallowed: bool) -> Optional[Code]:
    """Parks the run; None when there is nothing to wait for."""
    names = list(session.waits)
    try:
        session.patiently("suspend", session.attempt.suspend)
    except ConflictError as error:
        if "nothing to wait for" in error.message:
            return None
        return _fail(session, error, False)
    more: dict[str, Any] = {"swallowed": True} if is_swallowed else {}
    session.tell("parked", waiting_for=names, **more)
    return Code.SUSPEND


def _nothing_to_wait_for(error: BaseException) -> Exception:
    made = RuntimeError("Suspended was raised, and there is nothing to wait for")
    made.__cause__ = error
    return made


def _fail(session: Session, error: BaseException, terminal: bool) -> Code:
    attempt, failure = session.attempt, failure_in(error)
    after = failure.retry_after_ms if isinstance(failure, Failure) else 0

    def send(form: Optional[Json]) -> Code:
        # The author's delay goes with the author's form; what was refused is sent without.
        delay, rest["after"] = rest["after"], 0
        call = _failing(attempt, form, terminal, delay)
        return session.patiently("fail", call)

    rest = {"after": after}
    code = record(error, attempt.codec, send)
    if code is Code.FAILED:
        session.tell("failed", error=failure)
    else:
        session.tell("retrying", error=failure, **_retry_at(attempt))
    return code


def _failing(
    attempt: Attempt, form: Optional[Json], terminal: bool, after: Any
) -> Callable[[], Code]:
    return lambda: attempt.fail(form, terminal=terminal, retry_after_ms=after)


def _retry_at(attempt: Attempt) -> dict[str, int]:
    """When the run will be tried again, as far as that can be read."""
    run = _document(attempt)
    due_at_ms = None if run is None else run["due_at_ms"]
    return {} if due_at_ms is None else {"retry_at_ms": due_at_ms}


def _document(attempt: Attempt) -> Optional[documents.Run]:
    """The run as it stands, to tell of; None when it cannot be read, for whatever reason: JSON may
    hold what Python does not read, such as an integer of 5,000 digits."""
    try:
        return attempt.store.run(attempt.run_id)
    except Exception:
        return None


def release(session: Session, reason: str, delay_ms: int = 0) -> None:
    """Gives the run back; no try is charged."""
    session.patiently("release", lambda: session.attempt.release(delay_ms))
    session.tell("released", reason=reason)


def _is_cancelled(attempt: Attempt) -> bool:
    """Whether the library says so too: an error of this kind can be made by hand."""
    try:
        attempt.check()
    except CancelledError:
        return True
    except Error:
        pass
    return False


def _tell_cancelled(session: Session) -> None:
    """A run whose time was over ends in the same way, but is failed."""
    run = _document(session.attempt)
    if run is not None and run["state"] == "failed":
        session.tell("failed", error=Failure(run["error"]))
    else:
        session.tell("cancelled")


def _give_back_after(session: Session, error: Error) -> None:
    """An end that could not be stored, for no reason that passes: the run is not kept."""
    if may_pass(error):
        return  # the worker was told to end at once
    session.tell("delayed", call="end", error=error)
    try:
        release(session, str(error))
    except (LeaseLostError, CancelledError, ClosedError, ConflictError):
        pass
