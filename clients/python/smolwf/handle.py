"""Objects of the library: freed when they are told to be, and never beneath a call."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Callable, Optional

from ._library import NULL, call, ffi, id_from, text_from, view
from .errors import MisuseError


class Held:
    """A pointer as a context: while a call is in it, ``free`` waits for the call to leave.

    References alone would not do: a traceback keeps those of its frames, and what a step that was
    left has open decides whether its run can be parked.
    """

    __slots__ = ("_is_freed", "_lock", "_name", "_pointer", "_uses")

    def __init__(self, pointer: Any, free: Callable[[Any], None], name: str) -> None:
        self._pointer = ffi.gc(pointer, free)
        self._name = name
        self._lock = threading.Lock()
        self._uses = 0
        self._is_freed = False

    def __enter__(self) -> Any:
        with self._lock:
            if self._is_freed:
                raise MisuseError(-1, f"the {self._name} was freed", "SW_ERR_MISUSE")
            self._uses += 1
            return self._pointer

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        with self._lock:
            self._uses -= 1
            is_last = self._is_freed and self._uses == 0
        if is_last:
            ffi.release(self._pointer)

    def free(self) -> None:
        with self._lock:
            is_last = not self._is_freed and self._uses == 0
            self._is_freed = True
        if is_last:
            ffi.release(self._pointer)


class Handle:
    """What attempts, steps and watches have in common."""

    held: Held

    def free(self) -> None:
        """Gives it up, at once or when the calls that other threads are in have returned."""
        self.held.free()

    def call(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls a function of the library on it; raises its error, else returns its code."""
        with self.held as pointer:
            return call(function, pointer, *arguments)

    def id_from(self, function: Callable[..., int], *arguments: Any) -> tuple[int, str]:
        """The same for a function that answers an id: its code and the id."""
        with self.held as pointer:
            return id_from(function, pointer, *arguments)

    def text_from(self, function: Callable[..., int], *arguments: Any) -> tuple[int, Optional[str]]:
        """The same for a function that answers a text: its code and the text, or None."""
        with self.held as pointer:
            return text_from(function, pointer, *arguments)

    def view(self, function: Callable[..., Any]) -> Optional[str]:
        """What an accessor of the library lends, copied; None if there is nothing."""
        with self.held as pointer:
            return view(function, pointer)

    def number_of(self, function: Callable[..., int]) -> int:
        """What an accessor of the library answers as a number."""
        with self.held as pointer:
            return int(function(pointer))


def held(handle: Optional[Handle]) -> AbstractContextManager[Any]:
    """What a call takes for a handle, or for none."""
    return nullcontext(NULL) if handle is None else handle.held
