"""Attempts and steps, as the header has them: they raise errors and answer everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import options as _options
from ._library import NULL, ffi, lib, text
from .codes import Answer, Code
from .errors import BudgetError, CancelledError, ClosedError, LeaseLostError
from .handle import Handle, Held, held
from .options import ChildOptions, Duration, Options, StepOptions, milliseconds, timeout
from .payload import Codec, compact
from .recording import record

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .store import Store


class RunId(str):
    """The id of a run; ``existed`` when the submit found it there."""

    existed: bool

    def __new__(cls, run_id: str, existed: bool = False) -> RunId:
        made = super().__new__(cls, run_id)
        made.existed = existed
        return made


class Step(Handle):
    """A step that was begun. As a context it is freed at the end, finished or not."""

    def __init__(self, pointer: Any, code: Code, name: str, attempt: Attempt) -> None:
        self.held = Held(pointer, lib.sw_step_free, "step")
        #: OK: do the work. REPLAYED: see ``result``. FAILED: see ``error``. SUSPEND: not yet
        self.code = code
        #: its result or failure is recorded
        self.is_settled = code is not Code.OK
        self._name = name
        self._attempt = attempt
        self._codec = attempt.codec

    @property
    def is_todo(self) -> bool:
        return self.code is Code.OK

    @property
    def id(self) -> str:
        """The same in every attempt: an idempotency key for whom the step calls."""
        return self.view(lib.sw_step_id) or ""

    @property
    def name(self) -> str:
        return self.view(lib.sw_step_name) or self._name

    @property
    def result_text(self) -> Optional[str]:
        return self.view(lib.sw_step_result)

    @property
    def result(self) -> Any:
        """What was recorded by an earlier attempt."""
        return self._codec.read(self.result_text)

    @property
    def error_text(self) -> Optional[str]:
        return self.view(lib.sw_step_error)

    @property
    def error(self) -> Any:
        return self._codec.read(self.error_text)

    @property
    def occurrence(self) -> int:
        return self.number_of(lib.sw_step_occurrence)

    @property
    def tries(self) -> int:
        return self.number_of(lib.sw_step_tries)

    @property
    def retry_at_ms(self) -> int:
        return self.number_of(lib.sw_step_retry_at_ms)

    def complete(self, result: Any = None, usage: Optional[Mapping[str, int]] = None) -> None:
        """Records the result; with ``usage``, settles the step's reservations in that commit."""
        written = text(self._codec.write(result))
        if usage is None:
            self.call(lib.sw_step_complete, *written)
        else:
            self.call(lib.sw_step_complete_usage, *written, *text(compact(usage)))
        self.is_settled = True

    def fail(
        self, error: Any = None, *, terminal: bool = False, retry_after_ms: Duration = 0
    ) -> Code:
        """SUSPEND: it may be begun again at ``retry_at_ms``. FAILED: for good.

        An exception is recorded as ``{"type", "message", "stack", "cause"}``.
        """
        filled = _options.fail_options(terminal, retry_after_ms)

        def send(form: Optional[str]) -> Code:
            return Code(self.call(lib.sw_step_fail, *text(form), filled.pointer))

        code = self._attempt.noted(_recorded(error, self._codec, send))
        self.is_settled = True
        return code

    def __enter__(self) -> Step:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.free()


class Attempt(Handle):
    """One claim of a run. As a context it is given back at the end, unless it was ended."""

    def __init__(self, pointer: Any, store: Store) -> None:
        self.held = Held(pointer, lib.sw_attempt_free, "attempt")
        self.store = store
        #: this handle has ended it, or found that it is over
        self.is_ended = False
        #: something has answered "not yet": ``suspend`` knows whether it still holds
        self.has_waited = False

    def noted(self, code: Code) -> Code:
        self.has_waited = self.has_waited or code is Code.SUSPEND
        return code

    @property
    def codec(self) -> Codec:
        return self.store.codec

    @property
    def id(self) -> str:
        return self.view(lib.sw_attempt_id) or ""

    @property
    def run_id(self) -> str:
        return self.view(lib.sw_attempt_run_id) or ""

    @property
    def root_run_id(self) -> str:
        return self.view(lib.sw_attempt_root_run_id) or ""

    @property
    def parent_run_id(self) -> Optional[str]:
        return self.view(lib.sw_attempt_parent_run_id)

    @property
    def workflow(self) -> str:
        return self.view(lib.sw_attempt_workflow) or ""

    @property
    def queue(self) -> str:
        return self.view(lib.sw_attempt_queue) or ""

    @property
    def code_version(self) -> Optional[str]:
        """The version of the code that the run was submitted for."""
        return self.view(lib.sw_attempt_code_version)

    @property
    def metadata_text(self) -> Optional[str]:
        return self.view(lib.sw_attempt_metadata)

    @property
    def metadata(self) -> Any:
        """What the run was submitted with, for tracing and the like; None if nothing."""
        found = self.metadata_text
        return None if found is None else json.loads(found)

    @property
    def args_text(self) -> str:
        return self.view(lib.sw_attempt_args) or "null"

    @property
    def args(self) -> Any:
        """What the run was submitted with, decoded."""
        return self.codec.read(self.args_text)

    @property
    def number(self) -> int:
        """Counts the claims of the run, from 1."""
        return self.number_of(lib.sw_attempt_number)

    @property
    def lease_expires_at_ms(self) -> int:
        return self.number_of(lib.sw_attempt_lease_expires_at_ms)

    def heartbeat(self, lease_ms: Duration = 0) -> None:
        """Extends the lease; 0 keeps the length of the claim's."""
        self.call(lib.sw_attempt_heartbeat, milliseconds(lease_ms))

    def check(self) -> None:
        """Raises :class:`CancelledError` or :class:`LeaseLostError` when it is time to stop."""
        self.call(lib.sw_attempt_check)

    def complete(self, result: Any = None) -> None:
        self._end(lib.sw_attempt_complete, *text(self.codec.write(result)))

    def fail(
        self, error: Any = None, *, terminal: bool = False, retry_after_ms: Duration = 0
    ) -> Code:
        """SUSPEND: the run will be tried again. FAILED: that was its last try.

        An exception is recorded as ``{"type", "message", "stack", "cause"}``.
        """
        filled = _options.fail_options(terminal, retry_after_ms)

        def send(form: Optional[str]) -> Code:
            return self._end(lib.sw_attempt_fail, *text(form), filled.pointer)

        return _recorded(error, self.codec, send)

    def release(self, delay_ms: Duration = 0) -> None:
        """Gives the run back; no try is charged."""
        self._end(lib.sw_attempt_release, milliseconds(delay_ms))

    def suspend(self) -> None:
        """Parks the run until something that it waits for is ready."""
        self._end(lib.sw_attempt_suspend)

    def _end(self, function: Any, *arguments: Any) -> Code:
        try:
            code = Code(self.call(function, *arguments))
        except (CancelledError, LeaseLostError):
            self.is_ended = True  # both are final: the run has ended, or is another's
            raise
        self.is_ended = True
        return code

    def step_begin(
        self,
        name: str,
        input: Any = None,
        *,
        has_input: bool = False,
        **chosen: Unpack[StepOptions],
    ) -> Step:
        """Begins a step. An input that is not None is compared with that of earlier attempts;
        ``has_input`` says that None is meant as one."""
        given = has_input or input is not None
        written = text(self.codec.write(input)) if given else (NULL, 0)
        filled = Options("sw_step_options", chosen)
        out = ffi.new("sw_step **")
        begin = lib.sw_step_begin
        code = self.noted(Code(self.call(begin, *text(name), *written, filled.pointer, out)))
        return Step(out[0], code, name, self)

    def sleep(self, name: str, duration_ms: Duration) -> bool:
        """True once it is due; False: suspend, or ask again."""
        code = self.call(lib.sw_sleep, *text(name), milliseconds(duration_ms))
        return self.noted(Code(code)) is Code.OK

    def signal_await(self, name: str, timeout_ms: Optional[Duration] = None) -> Answer:
        return self._await(lib.sw_signal_await, *text(name), timeout(timeout_ms))

    def child_submit(
        self, name: str, workflow: str, args: Any = None, **chosen: Unpack[ChildOptions]
    ) -> RunId:
        """Submits a child, once for each occurrence of the name."""
        written = text(self.codec.write(args))
        filled = Options("sw_submit_options", chosen)
        named = (*text(name), *text(workflow), *written)
        code, run_id = self.id_from(lib.sw_child_submit, *named, filled.pointer)
        return RunId(run_id, code == Code.REPLAYED)

    def child_submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits children in one commit: each has name, workflow, args, and options by name."""
        items_text = "[" + ",".join(_options.item(fields, self.codec) for fields in items) + "]"
        return run_ids(self.text_from(lib.sw_child_submit_many, *text(items_text))[1])

    def child_await(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Answer:
        return self._await(lib.sw_child_await, *text(run_id), timeout(timeout_ms))

    def await_any(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> Answer:
        """The earliest that is ready, as ``{"index", "outcome", "value"}``."""
        listed = compact(list(waits))
        return self._await(lib.sw_await_any, *text(name), *text(listed), timeout(timeout_ms))

    def await_all(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> Answer:
        """All of them, as a list in order."""
        listed = compact(list(waits))
        return self._await(lib.sw_await_all, *text(name), *text(listed), timeout(timeout_ms))

    def _await(self, function: Any, *arguments: Any) -> Answer:
        code, found = self.text_from(function, *arguments)
        return Answer(self.noted(Code(code)), self.codec.read(found), found)

    def budget_reserve(
        self, amounts: Mapping[str, int], step: Optional[Step] = None, source: Optional[str] = None
    ) -> str:
        """Takes all of the amounts or raises :class:`BudgetError`; the id of the reservation."""
        written = (*text(compact(amounts)), *text(source))
        try:
            with held(step) as of:
                return self.id_from(lib.sw_budget_reserve, of, *written)[1]
        except BudgetError:
            self.has_waited = True
            raise

    def event_append(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        """Appends to the log of events; False when the key was there before."""
        written = (*text(type), *text(self.codec.write(payload)), *text(key))
        return self.call(lib.sw_event_append, *written) != Code.EXISTS

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self.is_ended:
            try:
                self.release()
            except (CancelledError, LeaseLostError, ClosedError):
                pass  # nothing is left to give back
        self.free()


def _recorded(error: Any, codec: Codec, send: Callable[[Optional[str]], Code]) -> Code:
    """Exceptions are recorded in some form; a value as it is, or it is refused."""
    if isinstance(error, BaseException):
        return record(error, codec, send)
    return send(codec.write(error))


def run_ids(found: Optional[str]) -> list[RunId]:
    """Reads what a submit of many hands out."""
    return [RunId(each["run_id"], bool(each.get("exists"))) for each in json.loads(found or "[]")]
