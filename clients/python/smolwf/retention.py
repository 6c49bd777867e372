"""What has ended, and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from . import documents
from ._library import call, lib, text
from .options import RetentionPolicy, RunFilter, filter_json, policy_json, scoped
from .topic import StoreTopic

if TYPE_CHECKING:
    from typing_extensions import Unpack


class StoreRetention(StoreTopic):
    """What a store forgets."""

    def prune(
        self,
        limit: int = 0,
        *,
        dry_run: bool = False,
        **filter: Unpack[RunFilter],
    ) -> documents.Pruned:
        """Removes runs that have ended, with all that is stored of them, ``limit`` at most (0 is
        1000, at most 100,000): ``while store.prune(state="completed")["more"]: pass``.

        The filter is asked of topmost runs: trees go whole, and only when all in them has ended,
        the oldest first unless ``order`` says otherwise.
        A ``dry_run`` does nothing and says what would go.
        """
        asked = filter_json({**scoped(filter), "dry_run": dry_run})
        return cast(documents.Pruned, self._document(lib.sw_store_prune, *text(asked), limit))

    def retention_set(self, **policy: Unpack[RetentionPolicy]) -> None:
        """Sets which ended runs go by themselves, for every process, until it is set again:
        ``store.retention_set(completed_ms=timedelta(days=7), keep_newest=100)``.

        It is replaced whole, and ended by a call that names nothing. What is due is removed by
        claims and waits, part by part; a store that nobody claims from or waits in keeps all. See
        :class:`RetentionPolicy`.
        """
        call(lib.sw_retention_set, self.pointer, *text(policy_json(policy)))

    def retention(self) -> documents.Retention:
        """The policy that holds, with the members that were given; empty where there is none."""
        return cast(documents.Retention, self._document(lib.sw_retention_get))

    def compact(self, pages_max: int = 0) -> documents.Compacted:
        """Gives pages of the file that hold nothing back to the file system, ``pages_max`` at most
        (0 is 1024, at most 1,000,000): ``while store.compact()["freed_pages"]: pass``.

        They would be used again: this is for a file out of which very much has gone. Others write
        in between.
        """
        return cast(documents.Compacted, self._document(lib.sw_store_compact, pages_max))
