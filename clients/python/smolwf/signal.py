"""Messages to runs."""

from __future__ import annotations

from typing import Any, Optional

from ._library import call, lib, text
from .codes import Answer, Code
from .options import Duration, timeout
from .topic import AttemptTopic, StoreTopic


class StoreSignals(StoreTopic):
    """How a message is sent."""

    def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> bool:
        """Sends a run a message; False when one with this key was sent before."""
        written = (*text(run_id), *text(name), *text(self.codec.write(payload)))
        sent = call(lib.sw_signal_send, self.pointer, *written, *text(idempotency_key))
        return sent != Code.EXISTS


class AttemptSignals(AttemptTopic):
    """How one is awaited."""

    def signal_await(self, name: str, timeout_ms: Optional[Duration] = None) -> Answer:
        """Takes the next message of a name: its ``value``; SUSPEND while there is none, TIMEOUT
        when none came within ``timeout_ms`` of the first call that has a limit (None has none; 0 is
        over at once), which is recorded."""
        return self._await(lib.sw_signal_await, *text(name), timeout(timeout_ms))
