"""What happens to attempts, told to Python's logging and to a hook."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Callable, Optional, TypedDict

from .carried import is_interrupt

if TYPE_CHECKING:
    from .attempt import Attempt

log = logging.getLogger("smolwf")

LEVELS = {
    "claimed": logging.DEBUG,
    "step_run": logging.DEBUG,
    "step_done": logging.DEBUG,
    "step_failed": logging.WARNING,
    "parked": logging.INFO,
    "retrying": logging.WARNING,
    "failed": logging.ERROR,
    "completed": logging.INFO,
    "cancelled": logging.INFO,
    "lost": logging.WARNING,
    "released": logging.INFO,
    "delayed": logging.WARNING,
}
#: Events that end an attempt, and have ``duration_ms`` since its claim.
ENDS = {"parked", "retrying", "failed", "completed", "cancelled", "lost", "released"}


class Event(TypedDict, total=False):
    """What a hook is told, and a log record has as attributes. ``event`` says what happened:
    one of ``claimed step_run step_done step_failed parked retrying failed completed cancelled
    lost released delayed``; see docs/WORKERS.md for when, and what each has.
    """

    event: str
    run_id: str
    root_run_id: str
    parent_run_id: Optional[str]
    workflow: str
    queue: str
    attempt_id: str
    attempt: int
    #: of the run, decoded; the text itself where Python cannot read it
    metadata: Any
    #: since the claim for what ends an attempt, since its begin for a step
    duration_ms: float
    step_id: str
    step: str
    occurrence: int
    step_tries: int
    error: BaseException
    #: Unix milliseconds
    retry_at_ms: int
    #: names of the waits that a parked run is parked on
    waiting_for: list[str]
    #: the function returned although it had to wait
    swallowed: bool
    reason: str
    #: name of the call that could not be stored
    call: str


Hook = Callable[[Event], Any]


class Teller:
    """Tells of one worker. A hook or a handler that raises is logged, and changes nothing."""

    def __init__(self, hook: Optional[Hook] = None) -> None:
        self._hook = hook

    def hears(self, event: str) -> bool:
        """Whether anybody wants to be told."""
        return self._hook is not None or log.isEnabledFor(LEVELS[event])

    def tell(self, event: str, facts: Optional[Facts] = None, **more: Any) -> None:
        level = logging.WARNING if more.get("swallowed") else LEVELS[event]
        if self._hook is None and not log.isEnabledFor(level):
            return
        try:
            told: Event = {"event": event}
            if facts is not None:
                told.update(facts.of_the_attempt())
                if event in ENDS:
                    told["duration_ms"] = facts.duration_ms()
            told.update(more)  # type: ignore[typeddict-item]
            self._log(level, told)
        except BaseException as error:
            _pass_over("a handler of the log raised", error)
            return
        if self._hook is not None:
            try:
                self._hook(told)
            except BaseException as error:
                _pass_over(f"the hook raised at {event}", error)

    def _log(self, level: int, told: Event) -> None:
        if log.isEnabledFor(level):
            error = told.get("error")
            trace = (type(error), error, error.__traceback__) if error is not None else None
            log.log(level, "%s", _Sentence(told), exc_info=trace, extra=told)


class _Sentence:
    """Put together when a handler wants it."""

    def __init__(self, told: Event) -> None:
        self._told = told

    def __str__(self) -> str:
        told = self._told
        parts = [told["event"]]
        parts += [f"{told[key]}" for key in ("workflow", "run_id") if key in told]  # type: ignore[literal-required]
        keys = ("attempt", "step", "call", "reason", "swallowed", "waiting_for", "retry_at_ms")
        parts += [f"{key}={told[key]}" for key in keys if key in told]  # type: ignore[literal-required]
        return " ".join(parts)


def _pass_over(what: str, error: BaseException) -> None:
    if is_interrupt(error):
        raise error
    try:
        log.error(what, exc_info=(type(error), error, error.__traceback__))
    except BaseException as again:
        if is_interrupt(again):
            raise


class Facts:
    """What every event of an attempt says of it; read when it is first told."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._claimed_at = time.monotonic()
        self._found: Optional[Event] = None

    def duration_ms(self) -> float:
        return round((time.monotonic() - self._claimed_at) * 1000, 3)

    def of_the_attempt(self) -> Event:
        if self._found is None:
            attempt = self._attempt
            self._found = {
                "run_id": attempt.run_id,
                "root_run_id": attempt.root_run_id,
                "parent_run_id": attempt.parent_run_id,
                "workflow": attempt.workflow,
                "queue": attempt.queue,
                "attempt_id": attempt.id,
                "attempt": attempt.number,
                "metadata": self._metadata(),
            }
        return self._found

    def _metadata(self) -> Any:
        try:
            return self._attempt.metadata
        except ValueError:  # JSON, but not for Python: an integer of 5,000 digits
            return self._attempt.metadata_text
