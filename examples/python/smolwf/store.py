"""A store: one file with its runs."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from . import documents
from ._library import NULL, call, ffi, id_from, lib, text, text_from
from .attempt import Attempt, RunId, run_ids
from .codes import Code
from .errors import ClosedError
from .options import (
    Duration,
    OpenOptions,
    Options,
    SubmitOptions,
    item,
    milliseconds,
    timeout,
)
from .payload import JSON, Codec, compact
from .waiting import Stop, Watch, pointer_of, wait_in_slices

if TYPE_CHECKING:
    from typing_extensions import Unpack

Path = Union[str, "os.PathLike[str]"]


class Store:
    """An open store. Any thread may use it; open it after a fork, not before."""

    def __init__(self, pointer: Any, codec: Codec = JSON) -> None:
        self._pointer = pointer
        self.codec = codec

    @classmethod
    def open(
        cls, path: Path, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> Store:
        """Opens a file, creates it unless told not to, and brings its schema up to date."""
        out = ffi.new("sw_store **")
        filled = Options("sw_store_options", chosen)
        call(lib.sw_store_open, os.fsencode(path), filled.pointer, out)
        return cls(out[0], codec)._ready(init and not chosen.get("read_only"))

    @classmethod
    def open_in_memory(
        cls, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> Store:
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
        out = ffi.new("uint32_t *")
        call(lib.sw_store_migrate, self.pointer, target, out)
        return int(out[0])

    def schema_version(self) -> tuple[int, int]:
        """The file's, and the newest that this library knows."""
        current, newest = ffi.new("int64_t *"), ffi.new("int64_t *")
        call(lib.sw_store_schema_version, self.pointer, current, newest)
        return int(current[0]), int(newest[0])

    def migrations(self) -> list[documents.Migration]:
        return cast("list[documents.Migration]", self._document(lib.sw_store_migrations))

    @property
    def path(self) -> Optional[str]:
        """None in memory."""
        found = lib.sw_store_path(self.pointer)
        return None if found == NULL else os.fsdecode(ffi.string(found))

    def now_ms(self) -> int:
        return int(lib.sw_store_now_ms(self.pointer))

    def advance_clock(self, duration_ms: Duration) -> None:
        """Moves a manual clock on."""
        call(lib.sw_store_advance_clock, self.pointer, milliseconds(duration_ms))

    def check(self) -> dict[str, Any]:
        """Looks whether the file is whole."""
        return cast("dict[str, Any]", self._document(lib.sw_store_check))

    def _document(self, function: Any, *arguments: Any) -> Any:
        return json.loads(text_from(function, self.pointer, *arguments)[1] or "null")

    # ---- runs -----------------------------------------------------------------------------

    def submit(self, workflow: str, args: Any = None, **chosen: Unpack[SubmitOptions]) -> RunId:
        """Submits a run; with an idempotency key, the one that was submitted first."""
        written = (*text(workflow), *text(self.codec.write(args)))
        filled = Options("sw_submit_options", chosen)
        code, run_id = id_from(lib.sw_run_submit, self.pointer, *written, filled.pointer)
        return RunId(run_id, code == Code.EXISTS)

    def submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits runs in one commit, all or none: each has workflow, args, options by name."""
        listed = "[" + ",".join(item(fields, self.codec) for fields in items) + "]"
        return run_ids(text_from(lib.sw_run_submit_many, self.pointer, *text(listed))[1])

    def claim(
        self,
        queue: Optional[str] = None,
        *,
        wait_ms: Optional[Duration] = 0,
        lease_ms: Duration = 0,
        worker: Optional[str] = None,
        workflows: Optional[Sequence[str]] = None,
        code_versions: Optional[Sequence[str]] = None,
        stop: Optional[Stop] = None,
    ) -> Optional[Attempt]:
        """Claims the next run of a queue; None when there was none in time."""
        filled = _claim_options(lease_ms, worker, workflows, code_versions, stop)

        def ask(wait_ms: int) -> Optional[Attempt]:
            out = ffi.new("sw_attempt **")
            filled.pointer.wait_ms = wait_ms
            code = call(lib.sw_run_claim, self.pointer, *text(queue), filled.pointer, out)
            return Attempt(out[0], self) if code == Code.OK else None

        return wait_in_slices(ask, timeout(wait_ms), stop)

    def claim_many(
        self,
        max: int,
        queue: Optional[str] = None,
        *,
        wait_ms: Optional[Duration] = 0,
        lease_ms: Duration = 0,
        worker: Optional[str] = None,
        workflows: Optional[Sequence[str]] = None,
        code_versions: Optional[Sequence[str]] = None,
        stop: Optional[Stop] = None,
    ) -> list[Attempt]:
        """Claims so many at most, in one commit."""
        filled = _claim_options(lease_ms, worker, workflows, code_versions, stop)

        def ask(wait_ms: int) -> Optional[list[Attempt]]:
            out, count = ffi.new("sw_attempt *[]", max), ffi.new("uint32_t *")
            filled.pointer.wait_ms = wait_ms
            chosen = (*text(queue), filled.pointer, max, out, count)
            call(lib.sw_run_claim_many, self.pointer, *chosen)
            return [Attempt(out[at], self) for at in range(count[0])] or None

        return wait_in_slices(ask, timeout(wait_ms), stop) or []

    def wait_run(
        self, run_id: str, timeout_ms: Optional[Duration] = None, stop: Optional[Stop] = None
    ) -> Optional[documents.Run]:
        """The run once it has ended; None when it has not in time."""

        def ask(timeout_ms: int) -> Optional[documents.Run]:
            chosen = (*text(run_id), timeout_ms, pointer_of(stop))
            found = text_from(lib.sw_run_wait, self.pointer, *chosen)[1]
            return None if found is None else cast(documents.Run, json.loads(found))

        return wait_in_slices(ask, timeout(timeout_ms), stop)

    def find(self, idempotency_key: str, idempotency_scope: Optional[str] = None) -> Optional[str]:
        named = (*text(idempotency_scope), *text(idempotency_key))
        code, run_id = id_from(lib.sw_run_find, self.pointer, *named)
        return run_id if code == Code.OK else None

    def run(self, run_id: str) -> documents.Run:
        return cast(documents.Run, self._document(lib.sw_run_get, *text(run_id)))

    def history(
        self, run_id: str, cursor: Optional[str] = None, limit: int = 0
    ) -> documents.History:
        """One page; its ``next`` is the cursor of the next, None on the last."""
        chosen = (*text(run_id), *text(cursor), limit)
        return cast(documents.History, self._document(lib.sw_run_history, *chosen))

    def cancel(self, run_id: str, reason: Any = None) -> None:
        call(lib.sw_run_cancel, self.pointer, *text(run_id), *text(self.codec.write(reason)))

    def pause(self, run_id: str) -> None:
        call(lib.sw_run_pause, self.pointer, *text(run_id))

    def resume(self, run_id: str) -> None:
        call(lib.sw_run_resume, self.pointer, *text(run_id))

    def retry(self, run_id: str) -> None:
        """Opens a failed or cancelled run again; what its steps recorded is kept."""
        call(lib.sw_run_retry, self.pointer, *text(run_id))

    def fork(self, run_id: str, from_step: Optional[str] = None) -> RunId:
        """A new run with what was recorded before a step; all anew when none is named."""
        named = (*text(run_id), *text(from_step))
        return RunId(id_from(lib.sw_run_fork, self.pointer, *named)[1])

    # ---- queues, messages, schedules, budgets, events -----------------------------------------

    def queue_set(self, queue: str, **settings: Any) -> None:
        """``concurrency``, ``concurrency_per_key``, ``paused``."""
        call(lib.sw_queue_set, self.pointer, *text(queue), *text(compact(settings)))

    def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> bool:
        """Sends a run a message; False when one with this key was sent before."""
        written = (*text(run_id), *text(name), *text(self.codec.write(payload)))
        sent = call(lib.sw_signal_send, self.pointer, *written, *text(idempotency_key))
        return sent != Code.EXISTS

    def schedule_set(self, name: str, spec: Mapping[str, Any]) -> None:
        call(lib.sw_schedule_set, self.pointer, *text(name), *text(compact(dict(spec))))

    def schedule_delete(self, name: str) -> None:
        call(lib.sw_schedule_delete, self.pointer, *text(name))

    def schedules(self) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self._document(lib.sw_schedule_list))

    def budget(self, run_id: str) -> documents.Budget:
        return cast(documents.Budget, self._document(lib.sw_budget_get, *text(run_id)))

    def budget_raise(self, run_id: str, unit: str, delta: int) -> None:
        call(lib.sw_budget_raise, self.pointer, *text(run_id), *text(unit), delta)

    def budget_settle(self, reservation_id: str, usage: Mapping[str, int]) -> None:
        """What a reservation came to; ``{}`` gives all of it back."""
        written = (*text(reservation_id), *text(compact(dict(usage))))
        call(lib.sw_budget_settle, self.pointer, *written)

    def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        chosen = (after_seq, *text(run_id), limit)
        return cast(documents.Events, self._document(lib.sw_event_read, *chosen))

    # ---- waiting for changes -------------------------------------------------------------------

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
        return Watch(self.pointer)


def _claim_options(
    lease_ms: Duration,
    worker: Optional[str],
    workflows: Optional[Sequence[str]],
    code_versions: Optional[Sequence[str]],
    stop: Optional[Stop],
) -> Options:
    chosen = {
        "lease_ms": lease_ms,
        "worker": worker,
        "workflows": None if workflows is None else list(workflows),
        "code_versions": None if code_versions is None else list(code_versions),
        "stop": pointer_of(stop),
    }
    return Options("sw_claim_options", chosen)
