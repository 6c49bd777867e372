"""A store: one file with its runs. What is done with those stands in the topics beside this."""

from __future__ import annotations

import os
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from . import documents
from ._library import NULL, call, ffi, lib, text
from .budget import StoreBudgets
from .carrying import StoreCarrying
from .codes import Code
from .errors import ClosedError, InvalidError
from .event import StoreEvents
from .explain import StoreReasons
from .listing import StoreLists
from .options import Duration, OpenOptions, Options, timeout
from .payload import JSON, Codec, compact
from .queue import StoreQueues
from .retention import StoreRetention
from .run import StoreRuns
from .schedule import StoreSchedules
from .signal import StoreSignals
from .sql import StoreSql
from .stats import StoreStats
from .watch import StoreChanges

if TYPE_CHECKING:
    from typing_extensions import Unpack

Path = Union[str, "os.PathLike[str]"]


class Store(
    StoreRuns,
    StoreLists,
    StoreSignals,
    StoreBudgets,
    StoreEvents,
    StoreSchedules,
    StoreQueues,
    StoreReasons,
    StoreStats,
    StoreRetention,
    StoreCarrying,
    StoreSql,
    StoreChanges,
):
    """An open store. Any thread may use it; open it after a fork, not before."""

    def __init__(self, pointer: Any, codec: Codec = JSON) -> None:
        self._pointer = pointer
        self.codec = codec
        #: what ended a worker of this store, if it was no stop: waits for runs raise it
        self.failure: Optional[BaseException] = None

    @classmethod
    def open(
        cls, path: Path, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> Store:
        """Opens a store, creates it unless told not to, and brings its schema up to date.

        ``path`` is a file's, or a URL, ``postgresql://...``, where the library was built for
        stores on a server.
        """
        out = ffi.new("sw_store **")
        filled = Options("sw_store_options", chosen)
        call(lib.sw_store_open, _encoded(path), filled.pointer, out)
        return cls(out[0], codec)._ready(init and not chosen.get("read_only"))

    @classmethod
    def open_in_memory(
        cls, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> Store:
        """Opens a store that is gone when it is closed."""
        out = ffi.new("sw_store **")
        filled = Options("sw_store_options", chosen)
        call(lib.sw_store_open_in_memory, filled.pointer, out)
        return cls(out[0], codec)._ready(init)

    def _ready(self, init: bool) -> Store:
        try:
            if init:
                self.init()
        except BaseException:
            self.close()
            raise
        return self

    @property
    def pointer(self) -> Any:
        """The handle for calls of the library; :class:`ClosedError` once it is closed."""
        if self._pointer is None:
            raise ClosedError(-7, "the store is closed", "SW_ERR_CLOSED")
        return self._pointer

    def shutdown(self) -> None:
        """Wakes every wait on this store; later calls raise :class:`ClosedError`."""
        if self._pointer is not None:
            lib.sw_store_shutdown(self._pointer)

    def close(self) -> None:
        """Waits for calls in flight, and gives the open attempts of this store back."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            lib.sw_store_close(pointer)

    def fail(self, error: BaseException) -> None:
        """Has waits for the end of a run raise what ended their worker."""
        self.failure = error

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    # ---- the file -------------------------------------------------------------------------

    def init(self) -> int:
        """Brings the schema up to date; how many steps that took."""
        out = ffi.new("uint32_t *")
        call(lib.sw_store_init, self.pointer, out)
        return int(out[0])

    def migrate(self, target: int) -> int:
        """Brings the schema to a version; how many steps that took."""
        out = ffi.new("uint32_t *")
        call(lib.sw_store_migrate, self.pointer, target, out)
        return int(out[0])

    def schema_version(self) -> tuple[int, int]:
        """The file's, and the newest that this library knows."""
        current, newest = ffi.new("int64_t *"), ffi.new("int64_t *")
        call(lib.sw_store_schema_version, self.pointer, current, newest)
        return int(current[0]), int(newest[0])

    def migrations(self) -> list[documents.Migration]:
        """The steps of the schema that were applied."""
        return cast("list[documents.Migration]", self._document(lib.sw_store_migrations))

    @property
    def path(self) -> Optional[str]:
        """The file's, or the server's URL without a password in it; None in memory."""
        found = lib.sw_store_path(self.pointer)
        return None if found == NULL else os.fsdecode(ffi.string(found))

    def now_ms(self) -> int:
        """The store's clock, Unix milliseconds: the system's, or the manual one."""
        return int(lib.sw_store_now_ms(self.pointer))

    def kill_at(self, commit: int, *, after: bool = False) -> None:
        """Has this process die by SIGKILL at its ``commit``-th commit from now on, before or
        after it.

        For tests of what a workflow does then; ``smolwf.testing`` uses it. 0 has it live.
        """
        when = lib.SW_KILL_AFTER_COMMIT if after else lib.SW_KILL_BEFORE_COMMIT
        call(lib.sw_store_kill_at, self.pointer, commit, when)

    def advance_clock(self, duration_ms: Optional[Duration]) -> bool:
        """Moves a manual clock on; with None, to the next moment at which something comes due.

        False when nothing ever does: then it stands where it stood.
        """
        answer = call(lib.sw_store_advance_clock, self.pointer, timeout(duration_ms))
        return answer == Code.OK

    def check(self) -> documents.Check:
        """Looks whether the file is whole."""
        return cast(documents.Check, self._document(lib.sw_store_check))

    def backup(self, path: Path) -> None:
        """Copies the store's file to a new one, as it is at one moment, while others write; a store
        on a server is pg_dump's to copy, and this :class:`UnsupportedError`.

        The copy is a store of its own, whose running attempts are lost ones; its name is there
        once it is whole.
        """
        call(lib.sw_store_backup, self.pointer, _encoded(path))

    def graduate(
        self,
        to: Optional[Store],
        *,
        abort: bool = False,
        duration_ms: Optional[Duration] = None,
    ) -> documents.Graduated:
        """Moves this store into another one, which is initialised and empty, with runs in flight:
        from a file to a server, back, or between two of a kind. One commit decides.

        Before it this store is in force, and :class:`BusyError` is what writes are told while
        it is copied; after it every call here is :class:`MovedError`, and the runs go on there
        where they stood. A call that is cut off is made again, and goes on. With ``duration_ms``
        it returns after about so long, its ``state`` not yet ``moved``. ``abort`` takes back what
        is not decided; ``to`` may be None then.
        """
        chosen: dict[str, Any] = {"abort": abort}
        if duration_ms is not None:
            chosen["for_ms"] = timeout(duration_ms)
        target = NULL if to is None else to.pointer
        found = self._document(lib.sw_store_graduate, target, *text(compact(chosen)))
        return cast(documents.Graduated, found)


def _encoded(path: Path) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        # Not the path itself: it may be a URL with a password.
        raise InvalidError(-2, "the path holds a NUL", "SW_ERR_INVALID")
    return encoded
