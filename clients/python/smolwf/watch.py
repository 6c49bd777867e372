"""Waiting for any change of a store: by a call, or by a descriptor in an event loop."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional

from ._library import call, ffi, lib
from .codes import Code
from .handle import Handle, Held
from .options import Duration, timeout
from .stop import Stop, pointer_of, wait_in_slices
from .topic import StoreTopic


class Watch(Handle):
    """A descriptor for an event loop: readable when something in the store has changed."""

    def __init__(self, store: Any) -> None:
        out = ffi.new("sw_watch **")
        call(lib.sw_watch_open, store, out)
        self.held = Held(out[0], lib.sw_watch_free, "watch")

    def fd(self) -> int:
        """A new descriptor, the caller's to close; it reads the end after ``close``."""
        out = ffi.new("int32_t *")
        self.call(lib.sw_watch_fd, out)
        return int(out[0])

    def drain(self) -> int:
        """Empties the descriptor, so that it can become readable again; the change counter."""
        out = ffi.new("uint64_t *")
        self.call(lib.sw_watch_drain, out)
        return int(out[0])

    def close(self) -> None:
        """Ends the watch; its descriptor reads as ended."""
        self.free()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class StoreChanges(StoreTopic):
    """How a store is waited for."""

    def wait(
        self, seen: int, timeout_ms: Optional[Duration] = None, stop: Optional[Stop] = None
    ) -> Optional[int]:
        """The change counter once it is beyond ``seen``; None when it is not in time."""
        out = ffi.new("uint64_t *")

        def ask(timeout_ms: int) -> Optional[int]:
            chosen = (seen, timeout_ms, pointer_of(stop), out)
            code = call(lib.sw_store_wait, self.pointer, *chosen)
            return int(out[0]) if code == Code.OK else None

        return wait_in_slices(ask, timeout(timeout_ms), stop)

    def watch(self) -> Watch:
        """A descriptor for an event loop, readable when something has changed."""
        return Watch(self.pointer)
