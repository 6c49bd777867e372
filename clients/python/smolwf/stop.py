"""Stops, and waits that they and a KeyboardInterrupt can end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional, TypeVar

from ._library import NULL, call, ffi, lib

#: A signal handler of Python runs between two calls, so the main thread waits in slices.
SLICE_MS = 100

T = TypeVar("T")


class Stop:
    """Ends the waits that carry it, once and for all. Any thread may fire it."""

    def __init__(self) -> None:
        out = ffi.new("sw_stop **")
        call(lib.sw_stop_new, out)
        self._stop = ffi.gc(out[0], lib.sw_stop_free)
        self.fired = False
        self._listeners: list[Callable[[], None]] = []

    def fire(self) -> None:
        """Ends the waits that carry it, and those to come."""
        self.fired = True
        lib.sw_stop_fire(self._stop)
        for heard in list(self._listeners):
            heard()

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """Has a function called when this is fired, in the thread that fires it."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @property
    def pointer(self) -> Any:
        """The handle for calls of the library."""
        return self._stop


def pointer_of(stop: Optional[Stop]) -> Any:
    """What a call takes for a stop, or for none."""
    return NULL if stop is None else stop.pointer


def wait_in_slices(
    ask: Callable[[int], Optional[T]],
    timeout_ms: int,
    stop: Optional[Stop] = None,
    in_any_thread: bool = False,
) -> Optional[T]:
    """Asks with a time-out until there is an answer, the time is over, or the stop was fired."""
    is_main = threading.current_thread() is threading.main_thread()
    if timeout_ms == 0 or not (is_main or in_any_thread):
        return ask(timeout_ms)
    end = time.monotonic() + timeout_ms / 1000
    while True:
        left = SLICE_MS
        if timeout_ms > 0:
            left = max(0, min(SLICE_MS, round((end - time.monotonic()) * 1000)))
        answer = ask(left)
        if answer is not None or left == 0 or (stop is not None and stop.fired):
            return answer
