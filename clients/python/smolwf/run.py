"""Runs: submitted, found, claimed, waited for, and acted on from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, cast

from . import documents
from ._library import call, ffi, id_from, lib, text, text_from
from .attempt import Attempt
from .codes import Code
from .options import Duration, Options, SubmitOptions, item, scope_of, scoped, timeout
from .stop import Stop, pointer_of, wait_in_slices
from .topic import RunId, StoreTopic, run_ids

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .store import Store


class StoreRuns(StoreTopic):
    """What a store does with runs."""

    def submit(self, workflow: str, args: Any = None, **chosen: Unpack[SubmitOptions]) -> RunId:
        """Submits a run; with an idempotency key, the one that was submitted first.

        The key counts within ``idempotency_scope``: the workflow's name unless another is named;
        ``""`` is the scope that all workflows share.
        """
        if chosen.get("idempotency_key") is not None:
            scope = scope_of(chosen.pop("idempotency_scope", None), workflow)
            if scope is not None:
                chosen["idempotency_scope"] = scope
        written = (*text(workflow), *text(self.codec.write(args)))
        filled = Options("sw_submit_options", chosen)
        code, run_id = id_from(lib.sw_run_submit, self.pointer, *written, filled.pointer)
        return RunId(run_id, code == Code.EXISTS)

    def submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits runs in one commit, all or none: each has workflow, args, options by name."""
        listed = "[" + ",".join(item(scoped(each), self.codec) for each in items) + "]"
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
        strict: bool = False,
        replay_only: bool = False,
    ) -> Optional[Attempt]:
        """Claims the next run of a queue; None when there was none in time.

        A ``strict`` attempt completes only after it has asked for all that its run has recorded;
        one that is ``replay_only`` runs no step. Else it is ``NondeterminismError``.
        """
        filled = _claim_options(lease_ms, worker, workflows, code_versions, stop)
        filled.pointer.flags = _claim_flags(strict, replay_only)

        def ask(wait_ms: int) -> Optional[Attempt]:
            out = ffi.new("sw_attempt **")
            filled.pointer.wait_ms = wait_ms
            code = call(lib.sw_run_claim, self.pointer, *text(queue), filled.pointer, out)
            return Attempt(out[0], cast("Store", self)) if code == Code.OK else None

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
        strict: bool = False,
        replay_only: bool = False,
    ) -> list[Attempt]:
        """Claims so many at most, in one commit; flags as in ``claim``."""
        filled = _claim_options(lease_ms, worker, workflows, code_versions, stop)
        filled.pointer.flags = _claim_flags(strict, replay_only)

        def ask(wait_ms: int) -> Optional[list[Attempt]]:
            out, count = ffi.new("sw_attempt *[]", max), ffi.new("uint32_t *")
            filled.pointer.wait_ms = wait_ms
            chosen = (*text(queue), filled.pointer, max, out, count)
            call(lib.sw_run_claim_many, self.pointer, *chosen)
            return [Attempt(out[at], cast("Store", self)) for at in range(count[0])] or None

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
        named = (*text(scope_of(idempotency_scope, workflow)), *text(idempotency_key))
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
        """A new run with what was recorded before a step, all of it with ``""``; all anew when
        none is named."""
        named = (*text(run_id), *text(from_step))
        return RunId(id_from(lib.sw_run_fork, self.pointer, *named)[1])


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


def _claim_flags(strict: bool, replay_only: bool) -> int:
    flags = lib.SW_CLAIM_STRICT if strict else 0
    return cast(int, flags | (lib.SW_CLAIM_REPLAY_ONLY if replay_only else 0))
