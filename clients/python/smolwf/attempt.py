"""Attempts, as the header has them: they raise errors and answer everything else."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from ._library import lib, text
from .budget import AttemptBudgets
from .child import AttemptChildren
from .codes import Code
from .errors import CancelledError, ClosedError, LeaseLostError
from .event import AttemptEvents
from .handle import Held
from .options import Duration, fail_options, milliseconds
from .payload import Codec
from .recording import recorded
from .signal import AttemptSignals
from .sql import AttemptSql
from .steps import AttemptSteps
from .wait import AttemptWaits

if TYPE_CHECKING:
    from .store import Store

T = TypeVar("T")


class Attempt(
    AttemptSteps,
    AttemptWaits,
    AttemptSignals,
    AttemptChildren,
    AttemptBudgets,
    AttemptEvents,
    AttemptSql,
):
    """One claim of a run. As a context it is given back at the end, unless it was ended."""

    def __init__(self, pointer: Any, store: Store) -> None:
        self.held = Held(pointer, lib.sw_attempt_free, "attempt")
        self.store = store
        #: this handle has ended it, or found that it is over
        self.is_ended = False
        #: something has answered "not yet": ``suspend`` knows whether it still holds
        self.has_waited = False

    @property
    def codec(self) -> Codec:
        """How args, results and messages are read and written: the store's."""
        return self.store.codec

    @property
    def id(self) -> str:
        """The attempt's id, ``attempt_`` and a ULID."""
        return self.view(lib.sw_attempt_id) or ""

    @property
    def run_id(self) -> str:
        """The run's id, ``run_`` and a ULID."""
        return self.view(lib.sw_attempt_run_id) or ""

    @property
    def root_run_id(self) -> str:
        """The id of the topmost run of the tree: the run's own when it is no child."""
        return self.view(lib.sw_attempt_root_run_id) or ""

    @property
    def parent_run_id(self) -> Optional[str]:
        """The id of the run that submitted this one as a child; None if none did."""
        return self.view(lib.sw_attempt_parent_run_id)

    @property
    def workflow(self) -> str:
        """The name of the run's workflow."""
        return self.view(lib.sw_attempt_workflow) or ""

    @property
    def queue(self) -> str:
        """The name of the run's queue."""
        return self.view(lib.sw_attempt_queue) or ""

    @property
    def code_version(self) -> Optional[str]:
        """The version of the code that the run was submitted for."""
        return self.view(lib.sw_attempt_code_version)

    @property
    def metadata_text(self) -> Optional[str]:
        """The metadata as a JSON text, byte for byte as submitted; None if there is none."""
        return self.view(lib.sw_attempt_metadata)

    @property
    def metadata(self) -> Any:
        """What the run was submitted with, for tracing and the like; None if nothing."""
        found = self.metadata_text
        return None if found is None else json.loads(found)

    @property
    def args_text(self) -> str:
        """The args as a JSON text, byte for byte as submitted; ``null`` if none were given."""
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
        """When the lease ends, in Unix milliseconds, as far as this object knows."""
        return self.number_of(lib.sw_attempt_lease_expires_at_ms)

    def heartbeat(self, lease_ms: Duration = 0) -> None:
        """Extends the lease; 0 keeps the length of the claim's."""
        self.call(lib.sw_attempt_heartbeat, milliseconds(lease_ms))

    def check(self) -> None:
        """Raises :class:`CancelledError` or :class:`LeaseLostError` when it is time to stop."""
        self.call(lib.sw_attempt_check)

    def complete(self, result: Any = None) -> None:
        """Ends the run with its result; whoever holds no lease any more is refused
        (:class:`LeaseLostError`)."""
        self._end(lib.sw_attempt_complete, *text(self.codec.write(result)))

    def fail(
        self, error: Any = None, *, terminal: bool = False, retry_after_ms: Duration = 0
    ) -> Code:
        """SUSPEND: the run will be tried again. FAILED: that was its last try.

        An exception is recorded as ``{"type", "message", "stack", "cause"}``.
        """
        filled = fail_options(terminal, retry_after_ms)

        def send(form: Optional[str]) -> Code:
            return self._end(lib.sw_attempt_fail, *text(form), filled.pointer)

        return recorded(error, self.codec, send)

    def release(self, delay_ms: Duration = 0) -> None:
        """Gives the run back; no try is charged."""
        self._end(lib.sw_attempt_release, milliseconds(delay_ms))

    def suspend(self) -> None:
        """Parks the run until something that it waits for is ready."""
        self._end(lib.sw_attempt_suspend)

    def _end(self, function: Any, *arguments: Any) -> Code:
        return self.ending(lambda: Code(self.call(function, *arguments)))

    def ending(self, call: Callable[[], T]) -> T:
        """Makes a call that ends the attempt."""
        try:
            answer = call()
        except (CancelledError, LeaseLostError):
            self.is_ended = True  # both are final: the run has ended, or is another's
            raise
        self.is_ended = True
        return answer

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
