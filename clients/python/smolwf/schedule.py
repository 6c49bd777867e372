"""Schedules, which submit runs by the clock."""

from __future__ import annotations

from typing import cast

from . import documents
from ._library import call, lib, text
from .options import ScheduleSpec
from .payload import compact
from .topic import StoreTopic


class StoreSchedules(StoreTopic):
    """What a store does with schedules."""

    def schedule_set(self, name: str, spec: ScheduleSpec) -> None:
        """Sets a schedule, which submits runs by ``cron`` or ``every_ms``; the same again changes
        nothing."""
        call(lib.sw_schedule_set, self.pointer, *text(name), *text(compact(dict(spec))))

    def schedule_delete(self, name: str) -> None:
        """Deletes a schedule; runs that it submitted go on."""
        call(lib.sw_schedule_delete, self.pointer, *text(name))

    def schedules(self) -> list[documents.Schedule]:
        """All schedules, ordered by name: their specs, when they are due, what they last did."""
        return cast("list[documents.Schedule]", self._document(lib.sw_schedule_list))
