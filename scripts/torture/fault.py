"""What a rule is given, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from content import Content

Faults = Iterator["Fault"]


class Fault(NamedTuple):
    """What is wrong, by which rule, and with which run; "" where it is about none."""

    rule: str
    run: str
    sentence: str


class Seen(NamedTuple):
    """What the judge is given beside the facts: what was seen and done while workers worked."""

    #: runs of the queue "narrow" that were held at once, at most
    peak: int
    #: the same of each concurrency key, by queue and key
    peaks: dict[str, int]
    #: by run, what was added to its budget
    raises: dict[str, int]
    #: by run, how often it was retried by no worker
    retries: dict[str, int]
    #: by key, milliseconds after which a run times out
    timeouts: dict[str, int]
    #: how far apart the clocks were that workers have seen, in milliseconds
    clocks_apart: int
    #: what a checkpoint before has seen
    before: Optional[Content]
    #: workers whose leases held as long as they lived, and that ended in order
    held_on: frozenset[str]
