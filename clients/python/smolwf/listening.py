"""SIGTERM and SIGINT as stops: all workers that run in a process hear them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

#: whoever catches the last of them catches all
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: who is to be called, and the handlers that were there before the first came
_listeners: list[Callable[[], None]] = []
_before: dict[int, Any] = {}


@contextmanager
def stops(call: Callable[[], None]) -> Iterator[None]:
    """Has ``call`` called at each SIGTERM or SIGINT; in the main thread, else does nothing.

    It is called in a handler, in the middle of anything: it may set a flag or wake a loop. A
    signal that is ignored, as in a job of a shell's background, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_first = not _listeners
    _listeners.append(call)  # before its handlers: a signal in between would be heard by nobody
    if is_first:
        for each in _SIGNALS:
            if signal.getsignal(each) not in (signal.SIG_IGN, None):
                _before[each] = signal.signal(each, _heard)
    try:
        yield
    finally:
        _listeners.remove(call)
        if not _listeners:
            while _before:
                signal.signal(*_before.popitem())


def _heard(number: int, frame: Any) -> None:
    for call in list(_listeners):
        call()
