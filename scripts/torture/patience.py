"""Calls that are made again while somebody else holds the store."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

import smolwf

T = TypeVar("T")
#: how long nobody may be stopped, or have the machine to himself
PATIENCE_SECONDS = 120


def patiently(call: Callable[[], T]) -> T:
    """The answer of a call that is made again while one that is stopped holds the store."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except smolwf.Error as error:
            if not error.retryable or time.monotonic() > until:
                raise
