"""Why a run is where it is."""

from __future__ import annotations

from typing import cast

from . import documents
from ._library import lib, text
from .topic import StoreTopic


class StoreReasons(StoreTopic):
    """What a store tells of why."""

    def explain(self, run_id: str) -> documents.Explanation:
        """Why a run is where it is, and what to do about it: reasons, the most telling first."""
        return cast(documents.Explanation, self._document(lib.sw_run_explain, *text(run_id)))
