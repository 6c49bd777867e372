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
from .errors import ClosedError, InvalidError
from .options import (
    Duration,
    OpenOptions,
    Options,
    QueueSettings,
    ScheduleSpec,
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
        #: what ended a worker of this store, if it was no stop: waits for runs raise it
        self.failure: Optional[BaseException] = None

    @classmethod
    def open(
        cls, path: Path, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> Store:
        """Opens a file, creates it unless told not to, and brings its schema up to date."""
        encoded = os.fsencode(path)
        if b"\0" in encoded:
            raise InvalidError(-2, f"the path {path!r} holds a NUL", "SW_ERR_INVALID")
        out = ffi.new("sw_store **")
        filled = Options("sw_store_options", chosen)
        call(lib.sw_store_open, encoded, filled.pointer, out)
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
        """None in memory."""
        found = lib.sw_store_path(self.pointer)
        return None if found == NULL else os.fsdecode(ffi.string(found))

    def now_ms(self) -> int:
        """The store's clock, Unix milliseconds: the system's, or the manual one."""
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
        """Submits a run; with an idempotency key, the one that was submitted first.

        The key counts within ``idempotency_scope``: the workflow's name unless another is named;
        ``""`` is the scope that all workflows share.
        """
        if chosen.get("idempotency_key") is not None:
            scope = _scope(chosen.pop("idempotency_scope", None), workflow)
            if scope is not None:
                chosen["idempotency_scope"] = scope
        written = (*text(workflow), *text(self.codec.write(args)))
        filled = Options("sw_submit_options", chosen)
        code, run_id = id_from(lib.sw_run_submit, self.pointer, *written, filled.pointer)
        return RunId(run_id, code == Code.EXISTS)

    def submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits runs in one commit, all or none: each has workflow, args, options by name."""
        listed = "[" + ",".join(item(_scoped(each), self.codec) for each in items) + "]"
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
        """The run once it has ended; None when it has not in time, or the stop fired. Raises what
        ended a worker of this store, if one could not go on."""

        def ask(timeout_ms: int) -> Optional[documents.Run]:
            if self.failure is not None:
                raise self.failure
            chosen = (*text(run_id), timeout_ms, pointer_of(stop))
            found = text_from(lib.sw_run_wait, self.pointer, *chosen)[1]
            return None if found is None else cast(documents.Run, json.loads(found))

        return wait_in_slices(ask, timeout(timeout_ms), stop, in_any_thread=True)

    def find(
        self,
        idempotency_key: str,
        workflow: Optional[str] = None,
        *,
        idempotency_scope: Optional[str] = None,
    ) -> Optional[str]:
        """The run that a key made: of a workflow, or in a scope that was named at the submit, or
        in the scope that all share; None if there is none."""
        named = (*text(_scope(idempotency_scope, workflow)), *text(idempotency_key))
        code, run_id = id_from(lib.sw_run_find, self.pointer, *named)
        return run_id if code == Code.OK else None

    def run(self, run_id: str) -> documents.Run:
        """The document of a run: its state, result, error, and what it waits for."""
        return cast(documents.Run, self._document(lib.sw_run_get, *text(run_id)))

    def history(
        self, run_id: str, cursor: Optional[str] = None, limit: int = 0
    ) -> documents.History:
        """One page; its ``next`` is the cursor of the next, None on the last."""
        chosen = (*text(run_id), *text(cursor), limit)
        return cast(documents.History, self._document(lib.sw_run_history, *chosen))

    def cancel(self, run_id: str, reason: Any = None) -> None:
        """Cancels a run and all below it; a running one is told, and ends with its attempt."""
        call(lib.sw_run_cancel, self.pointer, *text(run_id), *text(self.codec.write(reason)))

    def pause(self, run_id: str) -> None:
        """Sets a run aside until it is resumed; a running one when its attempt next ends."""
        call(lib.sw_run_pause, self.pointer, *text(run_id))

    def resume(self, run_id: str) -> None:
        """Puts a paused run back."""
        call(lib.sw_run_resume, self.pointer, *text(run_id))

    def retry(self, run_id: str) -> None:
        """Opens a failed or cancelled run again; what its steps recorded is kept."""
        call(lib.sw_run_retry, self.pointer, *text(run_id))

    def fork(self, run_id: str, from_step: Optional[str] = None) -> RunId:
        """A new run with what was recorded before a step; all anew when none is named."""
        named = (*text(run_id), *text(from_step))
        return RunId(id_from(lib.sw_run_fork, self.pointer, *named)[1])

    # ---- queues, messages, schedules, budgets, events -----------------------------------------

    def queue_set(self, queue: str, **settings: Unpack[QueueSettings]) -> None:
        """Sets the limits of a queue, for claims in every process; what is left out is lifted."""
        call(lib.sw_queue_set, self.pointer, *text(queue), *text(compact(settings)))

    def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> bool:
        """Sends a run a message; False when one with this key was sent before."""
        written = (*text(run_id), *text(name), *text(self.codec.write(payload)))
        sent = call(lib.sw_signal_send, self.pointer, *written, *text(idempotency_key))
        return sent != Code.EXISTS

    def schedule_set(self, name: str, spec: ScheduleSpec) -> None:
        """Sets a schedule, which submits runs by ``cron`` or ``every_ms``; the same again changes
        nothing."""
        call(lib.sw_schedule_set, self.pointer, *text(name), *text(compact(dict(spec))))

    def schedule_delete(self, name: str) -> None:
        """Deletes a schedule; runs that it submitted go on."""
        call(lib.sw_schedule_delete, self.pointer, *text(name))

    def schedules(self) -> list[dict[str, Any]]:
        """All schedules, ordered by name: their specs, when they are due, what they last did."""
        return cast("list[dict[str, Any]]", self._document(lib.sw_schedule_list))

    def budget(self, run_id: str) -> documents.Budget:
        """What the tree of a run may spend, and has spent."""
        return cast(documents.Budget, self._document(lib.sw_budget_get, *text(run_id)))

    def budget_raise(self, run_id: str, unit: str, delta: int) -> None:
        """Raises a limit by so much; runs that wait for it go on."""
        call(lib.sw_budget_raise, self.pointer, *text(run_id), *text(unit), delta)

    def budget_settle(self, reservation_id: str, usage: Mapping[str, int]) -> None:
        """What a reservation came to; ``{}`` gives all of it back."""
        written = (*text(reservation_id), *text(compact(dict(usage))))
        call(lib.sw_budget_settle, self.pointer, *written)

    def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        """Events after a number, of all runs or of one, in order; ``limit`` 0 is 1000."""
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
        """A descriptor for an event loop, readable when something has changed."""
        return Watch(self.pointer)


def _scope(named: Optional[str], workflow: Optional[str]) -> Optional[str]:
    """The scope of a key: None is the one that all workflows share."""
    return (workflow if named is None else named) or None


def _scoped(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if fields.get("idempotency_key") is None:
        return fields
    scope = _scope(fields.get("idempotency_scope"), fields.get("workflow"))
    return {**fields, "idempotency_scope": scope}


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
