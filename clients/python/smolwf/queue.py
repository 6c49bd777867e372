"""Limits of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._library import call, lib, text
from .options import QueueSettings
from .payload import compact
from .topic import StoreTopic

if TYPE_CHECKING:
    from typing_extensions import Unpack


class StoreQueues(StoreTopic):
    """What a store does with queues."""

    def queue_set(self, queue: str, **settings: Unpack[QueueSettings]) -> None:
        """Sets the limits of a queue, for claims in every process; what is left out is lifted."""
        call(lib.sw_queue_set, self.pointer, *text(queue), *text(compact(settings)))
