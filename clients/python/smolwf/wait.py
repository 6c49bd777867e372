"""Sleeps, and awaits of several things at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ._library import lib, text
from .codes import Answer, Code
from .options import Duration, milliseconds, timeout
from .payload import compact
from .topic import AttemptTopic


class AttemptWaits(AttemptTopic):
    """How an attempt waits; messages and children are beside this."""

    def sleep(self, name: str, duration_ms: Duration) -> bool:
        """True once it is due; False: suspend, or ask again."""
        code = self.call(lib.sw_sleep, *text(name), milliseconds(duration_ms))
        return self.noted(Code(code)) is Code.OK

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
