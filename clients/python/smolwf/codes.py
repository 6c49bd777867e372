"""Answers of the library as an enumeration. Those below 0 are raised, see :mod:`smolwf.errors`."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Optional


class Code(IntEnum):
    """What a call answers when it does not fail."""

    OK = 0
    NONE = 1
    TIMEOUT = 2
    REPLAYED = 3
    EXISTS = 4
    SUSPEND = 5
    FAILED = 6


class Answer(NamedTuple):
    """What a wait answers, the value that came with it, and that as it was recorded."""

    code: Code
    value: Any = None
    text: Optional[str] = None


class Durability(IntEnum):
    """What an acknowledged write outlives."""

    POWER = 1
    PROCESS = 2


FOREVER = -1
LEASE_WHILE_ALIVE = 0xFFFFFFFF
