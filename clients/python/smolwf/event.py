"""The log of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union, cast

from . import documents
from ._library import lib, text, text_from
from .codes import Code
from .options import Duration, filter_json, timeout
from .stop import Stop, pointer_of, wait_in_slices
from .topic import AttemptTopic, StoreTopic


class StoreEvents(StoreTopic):
    """How the log is read."""

    def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        """Events after a number, of all runs or of one, in order; ``limit`` 0 is 1000."""
        chosen = (after_seq, *text(run_id), limit)
        return cast(documents.Events, self._document(lib.sw_event_read, *chosen))

    def event_wait(
        self,
        after_seq: int = 0,
        *,
        type: Union[str, Sequence[str], None] = None,
        run_id: Optional[str] = None,
        limit: int = 0,
        timeout_ms: Optional[Duration] = None,
        stop: Optional[Stop] = None,
    ) -> Optional[documents.EventPage]:
        """Events after a number, of one type or any of several, of all runs or of one, once there
        are some; None when there are none in time, or the stop fired.

        Go on after ``next_seq``. ``items`` may be empty where many did not match. ``limit`` 0 is
        1000.
        """
        asked = text(filter_json({"type": type, "run_id": run_id}))

        def ask(timeout_ms: int) -> Optional[documents.EventPage]:
            chosen = (after_seq, *asked, limit, timeout_ms, pointer_of(stop))
            found = text_from(lib.sw_event_wait, self.pointer, *chosen)[1]
            return None if found is None else cast(documents.EventPage, json.loads(found))

        return wait_in_slices(ask, timeout(timeout_ms), stop)

    def tail(
        self,
        after_seq: int = 0,
        *,
        type: Union[str, Sequence[str], None] = None,
        run_id: Optional[str] = None,
        stop: Optional[Stop] = None,
    ) -> Iterator[documents.Event]:
        """Each event after a number as it comes, of any process, until the stop fires.

        Who keeps the ``seq`` of the last one goes on after it, also in another process. After the
        newest of now is ``after_seq=store.events(limit=1)["last_seq"]``.
        """
        while True:
            page = self.event_wait(after_seq, type=type, run_id=run_id, stop=stop)
            if page is None:
                return
            for event in page["items"]:
                if stop is not None and stop.fired:
                    return
                yield event
            after_seq = page["next_seq"]


class AttemptEvents(AttemptTopic):
    """How it is written."""

    def event_append(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        """Appends to the log of events; False when the key was there before."""
        written = (*text(type), *text(self.codec.write(payload)), *text(key))
        return self.call(lib.sw_event_append, *written) != Code.EXISTS
