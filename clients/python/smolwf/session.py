"""One attempt while a worker runs it: what is open in it, what it was refused, who may end it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypeVar

from .errors import (
    CancelledError,
    ClosedError,
    Error,
    FullError,
    LeaseLostError,
    NondeterminismError,
    Stopping,
)
from .telling import Facts, Teller

if TYPE_CHECKING:
    from .attempt import Attempt

#: Between two tries of a call that could not be stored: from, and at most.
PAUSE_S, PAUSE_MAX_S = 0.05, 2.0
#: How often it is looked whether who has a step open is still there.
LOOK_S = 0.1

T = TypeVar("T")


class Told:
    """Tells work that it should end: it fires once, with the reason ``"cancelled"``, ``"lost"``
    (another worker has the run), ``"stopped"`` (the worker ends) or ``"closed"`` (the store)."""

    def __init__(self) -> None:
        self.reason: Optional[str] = None
        self._fired = threading.Event()
        self._hurry = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether it has fired."""
        return self._fired.is_set()

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Whether it has fired by then."""
        return self._fired.wait(timeout_s)

    def fire(self, reason: str) -> None:
        """Fires it, for a reason; the first reason stays."""
        with self._lock:
            if reason in ("stopped", "closed"):
                self._hurry.set()  # whatever the first reason was, nothing is tried again
            if self.reason is not None:
                return
            self.reason = reason
            callbacks, self._callbacks = self._callbacks, []
        self._fired.set()
        for callback in callbacks:
            callback()

    def call_when_fired(self, callback: Callable[[], None]) -> None:
        """Calls a function when it fires, or now if it has."""
        with self._lock:
            if self.reason is None:
                self._callbacks.append(callback)
                return
        callback()

    def hurry(self, timeout_s: float) -> bool:
        """Waits so long, unless there is no time for it."""
        return self._hurry.wait(timeout_s)


def may_pass(error: Error) -> bool:
    """Whether the same call may succeed a little later."""
    return error.retryable or isinstance(error, FullError)


def patiently(
    call: Callable[[], T], hurry: Callable[[float], bool], delayed: Callable[[Error], None]
) -> T:
    """Makes a call until it is stored, or can never be, or there is no time left."""
    pause = PAUSE_S
    while True:
        try:
            return call()
        except Error as error:
            if not may_pass(error):
                raise
            if pause == PAUSE_S:
                delayed(error)
            if hurry(pause):
                raise
            pause = min(2 * pause, PAUSE_MAX_S)


class Scope(Protocol):
    """A step that is open."""

    #: it waits for something itself, so that nobody should wait for it
    is_waiting: bool

    def abandon(self) -> None:
        """Gives up a step that nobody will finish."""


class Session:
    """Counts what an attempt has begun, and keeps what its end has to know."""

    def __init__(self, attempt: Attempt, teller: Optional[Teller] = None) -> None:
        self.attempt = attempt
        self.teller = teller or Teller()
        self.facts = Facts(attempt)
        self.told = Told()
        #: names of the waits that have answered "not yet", and not otherwise since
        self.waits: dict[str, None] = {}
        #: what no return and no other error can make good, and whether it is so for ever
        self.refusal: Optional[tuple[Exception, bool]] = None
        self.one_wait = threading.Lock()
        self._changed = threading.Condition()
        self._calls = 0
        self._open: dict[Scope, Callable[[], bool]] = {}
        self._is_over = False
        self._is_ending = False
        self._listeners: list[Callable[[], None]] = []

    def tell(self, event: str, **more: Any) -> None:
        self.teller.tell(event, self.facts, **more)

    # ---- durable calls --------------------------------------------------------------------

    def call(self, name: str, function: Callable[[], T], records: bool = False) -> T:
        """Makes a durable call. One that records what was done is made also after a stop."""
        with self.busy(records):
            return self.patiently(name, function)

    def patiently(self, name: str, function: Callable[[], T]) -> T:
        """Makes a call until it is stored. That the code does not fit what is recorded sticks to
        the attempt, whichever call says so and whatever catches it."""

        def delayed(error: Error) -> None:
            self.tell("delayed", call=name, error=error)

        try:
            return patiently(function, self.told.hurry, delayed)
        except NondeterminismError as error:
            self.refuse(error, is_terminal=False)
            raise

    @contextmanager
    def busy(self, records: bool = False) -> Iterator[None]:
        self.begin_call(records)
        try:
            yield
        finally:
            self.end_call()

    def begin_call(self, records: bool = False) -> None:
        with self._changed:
            if self._is_over:
                raise LeaseLostError(-20, "the attempt has ended", "SW_ERR_LEASE_LOST")
            if self.told.reason == "stopped" and not records:
                raise Stopping("the worker stops")
            self._calls += 1

    def end_call(self) -> None:
        with self._changed:
            self._calls -= 1
        self._notify()

    def refuse(self, error: Exception, is_terminal: bool = True) -> None:
        """Keeps an error that ends the attempt, whatever becomes of it in the workflow."""
        if self.refusal is None or (is_terminal and not self.refusal[1]):
            self.refusal = (error, is_terminal)

    # ---- steps ----------------------------------------------------------------------------

    def opened(self, scope: Scope, is_gone: Callable[[], bool]) -> None:
        """A step was begun, by somebody of whom it can be told whether he is gone."""
        with self._changed:
            self._open[scope] = is_gone

    def settled(self, scope: Scope) -> None:
        with self._changed:
            self._open.pop(scope, None)
        self._notify()

    def waits_inside(self, scopes: tuple[Scope, ...]) -> None:
        """Nobody waits for these steps any more: their own work waits for something."""
        for scope in scopes:
            scope.is_waiting = True
        self._notify()

    def is_quiet_beside(self, scopes: tuple[Scope, ...]) -> bool:
        """Whether no call is being made, which may begin a step, and no other step is done."""
        with self._changed:
            others = [(s, gone) for s, gone in self._open.items() if s not in scopes]
            if self._calls:
                return False
        return all(scope.is_waiting or gone() for scope, gone in others)

    # ---- the end --------------------------------------------------------------------------

    def listen(self, callback: Callable[[], None]) -> None:
        """Has a callback called, in any thread, when a call or step has ended."""
        self._listeners.append(callback)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for callback in list(self._listeners):
            callback()

    def try_close(self, function_of: Optional[threading.Thread] = None) -> bool:
        """Ends the making of calls, if no call and no step is under way.

        Steps of the thread whose function has ended, or of others that are gone, are given up.
        """
        with self._changed:
            left = [
                scope
                for scope, is_gone in self._open.items()
                if is_gone() or getattr(scope, "thread", None) is function_of is not None
            ]
            for scope in left:
                del self._open[scope]
            if not self._open and not self._calls:
                self._is_over = True
        for scope in left:
            scope.abandon()
        return self._is_over

    def close(self) -> None:
        """Waits for all calls and steps of other threads, unless there is no time for it."""
        here = threading.current_thread()
        while not self.try_close(here):
            with self._changed:
                if not self._is_over and (self._calls or self._open):
                    self._changed.wait(LOOK_S)

    def take_end(self) -> bool:
        """True for the first that wants to end the attempt, and may."""
        with self._changed:
            was_ending, self._is_ending = self._is_ending, True
            return not was_ending

    def give_up(self) -> None:
        """Gives the run back although its work goes on: nothing of that is recorded any more."""
        if not self.take_end():
            return
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        try:
            self.attempt.release()
            self.tell("released", reason="the worker stops")
        except Error as error:
            if isinstance(error, LeaseLostError):
                self.tell("lost")
            elif isinstance(error, CancelledError):
                self.tell("cancelled")
            elif not isinstance(error, ClosedError):
                self.tell("delayed", call="release", error=error)

    def look(self) -> None:
        """Looks whether the attempt should end, and tells it."""
        if self.told.is_set():
            return
        try:
            self.attempt.check()
        except CancelledError:
            self.told.fire("cancelled")
        except LeaseLostError:
            self.told.fire("lost")
        except ClosedError:
            self.told.fire("closed")
        except Error:
            pass  # a look that fails tells nothing
