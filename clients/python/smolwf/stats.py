"""The store as a whole, its queues, and who has claimed from them."""

from __future__ import annotations

from typing import cast

from . import documents
from ._library import lib
from .topic import StoreTopic


class StoreStats(StoreTopic):
    """What a store tells of itself."""

    def stats(self) -> documents.Stats:
        """How many runs are where, how long the oldest that is ready has waited, which limits are
        full, who holds runs, how large the file is, and what its writer has done."""
        return cast(documents.Stats, self._document(lib.sw_store_stats))

    def queues(self) -> list[documents.Queue]:
        """All queues, ordered by name: their limits, and how many of their runs are where."""
        return cast("list[documents.Queue]", self._document(lib.sw_queue_list))

    def owners(self) -> list[documents.Owner]:
        """The handles, of any process, that have claimed, the oldest first, and what they hold."""
        return cast("list[documents.Owner]", self._document(lib.sw_owner_list))
