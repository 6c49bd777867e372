"""Runs that are carried from one store to another, as a document."""

from __future__ import annotations

from typing import Literal, cast

from . import documents
from ._library import lib, text, text_from
from .payload import compact
from .topic import StoreTopic


class StoreCarrying(StoreTopic):
    """How runs leave a store, and come into one."""

    def export_run(self, run_id: str, *, redact: bool = False) -> str:
        """A topmost run with all runs below it as JSON, as they stand: :meth:`import_run` of
        another store has them go on there. Nothing is changed here.

        Keep the text as it is. With ``redact`` lengths and hashes stand in the place of payloads
        and keys: that is for reports of bugs, and cannot be imported.
        """
        chosen = (*text(run_id), *text(compact({"redact": redact})))
        return text_from(lib.sw_run_export, self.pointer, *chosen)[1] or ""

    def import_run(
        self, document: str, *, ids: Literal["keep", "new"] = "keep"
    ) -> documents.Imported:
        """Brings the runs of :meth:`export_run` into this store, all or none; they go on where
        they stood. With ``ids="new"`` they get new ids, for a second copy.

        What the document says of work that was done is believed: import what you trust.
        """
        chosen = (*text(document), *text(compact({"ids": ids})))
        return cast(documents.Imported, self._document(lib.sw_run_import, *chosen))
