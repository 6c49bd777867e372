"""Runs by what they are: listed, counted, annotated, and acted on many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from . import documents
from ._library import call, ffi, lib, text
from .options import Action, ListFilter, RunFilter, filter_json, scoped
from .payload import JSON
from .topic import StoreTopic

if TYPE_CHECKING:
    from typing_extensions import Unpack


class StoreLists(StoreTopic):
    """What a store does with runs that it finds by a filter."""

    def list_runs(
        self, *, page_size: int = 0, **filter: Unpack[ListFilter]
    ) -> Iterator[documents.ListedRun]:
        """All runs of a filter, newest first: ``for run in store.list_runs(state="failed")``.

        They are read page by page, ``page_size`` at a time (0 is 100, at most 1000), so one that
        changes meanwhile is shown as its page found it. A run is never shown twice; one that is
        submitted later is shown with ``order="oldest"`` only. See :class:`RunFilter`.
        """
        return self._list(page_size, filter_json(scoped(filter)))

    def _list(self, limit: int, filter: str) -> Iterator[documents.ListedRun]:
        cursor = None
        while True:
            page = self._page(cursor, limit, filter)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def list_runs_page(
        self, cursor: Optional[str] = None, limit: int = 0, **filter: Unpack[ListFilter]
    ) -> documents.RunPage:
        """One page of a list; its ``next`` is the cursor of the next, None on the last.

        A cursor goes with the filter it came from. A page may be short, even empty, before the
        last: a call looks at so many runs and no more.
        """
        return self._page(cursor, limit, filter_json(scoped(filter)))

    def _page(self, cursor: Optional[str], limit: int, filter: str) -> documents.RunPage:
        chosen = (*text(filter), *text(cursor), limit)
        return cast(documents.RunPage, self._document(lib.sw_run_list, *chosen))

    def count_runs(self, at_most: int = 0, **filter: Unpack[RunFilter]) -> int:
        """How many runs a filter has; counting stops at ``at_most``, 0 is 10,000."""
        out = ffi.new("uint64_t *")
        call(lib.sw_run_count, self.pointer, *text(filter_json(scoped(filter))), at_most, out)
        return int(out[0])

    def annotate(self, run_id: str, patch: Mapping[str, Any]) -> None:
        """Changes the metadata of a run, ended ones too: what ``patch`` names is set, or taken
        away where it is None, objects member by member (RFC 7396).

        More than 64 KiB of metadata would be a :class:`TooBigError`, which changes nothing.
        """
        call(lib.sw_run_annotate, self.pointer, *text(run_id), *text(JSON.write(dict(patch))))

    def act_many(
        self,
        action: Action,
        limit: int = 0,
        *,
        dry_run: bool = False,
        **filter: Unpack[RunFilter],
    ) -> documents.Acted:
        """Cancels, pauses, resumes or retries runs of a filter in one commit, ``limit`` at most
        (0 is 100, at most 1000). Act again while ``more``, until nothing was ``done``.

        A filter without ``state`` means those that the action is for; with one, what the single
        call would raise is in ``refused``. A ``dry_run`` does nothing and says what would come.
        """
        asked = filter_json({**scoped(filter), "dry_run": dry_run})
        chosen = (*text(action), *text(asked), limit)
        return cast(documents.Acted, self._document(lib.sw_run_act_many, *chosen))
