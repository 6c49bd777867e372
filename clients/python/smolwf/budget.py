"""Budgets, which a run shares with all below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional, cast

from . import documents
from ._library import call, lib, text
from .errors import BudgetError
from .handle import held
from .payload import compact
from .topic import AttemptTopic, StoreTopic

if TYPE_CHECKING:
    from .steps import Step


class StoreBudgets(StoreTopic):
    """What a store does with budgets."""

    def budget(self, run_id: str) -> documents.Budget:
        """What the tree of a run may spend, and has spent."""
        return cast(documents.Budget, self._document(lib.sw_budget_get, *text(run_id)))

    def budget_raise(self, run_id: str, unit: str, delta: int) -> None:
        """Raises a limit by so much; runs that wait for it go on."""
        call(lib.sw_budget_raise, self.pointer, *text(run_id), *text(unit), delta)

    def budget_settle(self, reservation_id: str, usage: Mapping[str, int]) -> None:
        """What a reservation came to; ``{}`` gives all of it back."""
        written = (*text(reservation_id), *text(compact(dict(usage))))
        call(lib.sw_budget_settle, self.pointer, *written)


class AttemptBudgets(AttemptTopic):
    """How an attempt reserves."""

    def budget_reserve(
        self, amounts: Mapping[str, int], step: Optional[Step] = None, source: Optional[str] = None
    ) -> str:
        """Takes all of the amounts or raises :class:`BudgetError`; the id of the reservation."""
        written = (*text(compact(amounts)), *text(source))
        try:
            with held(step) as of:
                return self.id_from(lib.sw_budget_reserve, of, *written)[1]
        except BudgetError:
            self.has_waited = True
            raise
