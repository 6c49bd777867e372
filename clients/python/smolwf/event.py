"""The log of events."""

from __future__ import annotations

from typing import Any, Optional, cast

from . import documents
from ._library import lib, text
from .codes import Code
from .topic import AttemptTopic, StoreTopic


class StoreEvents(StoreTopic):
    """How the log is read."""

    def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        """Events after a number, of all runs or of one, in order; ``limit`` 0 is 1000."""
        chosen = (after_seq, *text(run_id), limit)
        return cast(documents.Events, self._document(lib.sw_event_read, *chosen))


class AttemptEvents(AttemptTopic):
    """How it is written."""

    def event_append(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        """Appends to the log of events; False when the key was there before."""
        written = (*text(type), *text(self.codec.write(payload)), *text(key))
        return self.call(lib.sw_event_append, *written) != Code.EXISTS
