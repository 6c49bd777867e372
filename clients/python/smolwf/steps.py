"""Steps, as the header has them: they raise errors and answer everything else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from ._library import NULL, ffi, lib, text
from .codes import Code
from .handle import Handle, Held
from .options import Duration, Options, StepOptions, fail_options
from .payload import compact
from .recording import recorded
from .sql import run_script
from .topic import AttemptTopic
from .transaction import TransactionScope

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Step(Handle):
    """A step that was begun. As a context it is freed at the end, finished or not."""

    def __init__(self, pointer: Any, code: Code, name: str, attempt: AttemptTopic) -> None:
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
        """Whether its work is to be done: then ``complete`` or ``fail`` it."""
        return self.code is Code.OK

    @property
    def id(self) -> str:
        """The same in every attempt: an idempotency key for whom the step calls."""
        return self.view(lib.sw_step_id) or ""

    @property
    def name(self) -> str:
        """The step's name."""
        return self.view(lib.sw_step_name) or self._name

    @property
    def result_text(self) -> Optional[str]:
        """The recorded result as a JSON text; None if there is none."""
        return self.view(lib.sw_step_result)

    @property
    def result(self) -> Any:
        """What was recorded by an earlier attempt."""
        return self._codec.read(self.result_text)

    @property
    def error_text(self) -> Optional[str]:
        """The recorded failure as a JSON text; None if there is none."""
        return self.view(lib.sw_step_error)

    @property
    def error(self) -> Any:
        """The recorded failure, decoded; None if there is none."""
        return self._codec.read(self.error_text)

    @property
    def occurrence(self) -> int:
        """Which of the steps of its name in the run it is, from 1."""
        return self.number_of(lib.sw_step_occurrence)

    @property
    def tries(self) -> int:
        """How often its work was begun, as far as recorded, this time included."""
        return self.number_of(lib.sw_step_tries)

    @property
    def retry_at_ms(self) -> int:
        """When it may be tried again after a failure, in Unix milliseconds; else 0."""
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
        filled = fail_options(terminal, retry_after_ms)

        def send(form: Optional[str]) -> Code:
            return Code(self.call(lib.sw_step_fail, *text(form), filled.pointer))

        code = self._attempt.noted(recorded(error, self._codec, send))
        self.is_settled = True
        return code

    def run_script(self, script: str, ends: bool = True) -> str:
        """Runs a script in the name of the step; ``ends`` says that it completes it."""
        with self.held as pointer:
            found = run_script(self._attempt.store, NULL, pointer, script)
        self.is_settled = self.is_settled or ends
        return found

    def transaction(self) -> TransactionScope:
        """A transaction of the step, which completes with the commit if it was given a result."""
        return TransactionScope(self._attempt.store, self._codec, self.run_script, "step_complete")

    def __enter__(self) -> Step:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.free()


class AttemptSteps(AttemptTopic):
    """How an attempt begins steps."""

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
