"""What the tests share: a store with a clock of its own, and where the repository is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import smolwf

REPOSITORY = Path(__file__).resolve().parents[3]

# What a shell starts in the background ignores an interrupt, and so would the programs that a test
# interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[smolwf.Store]:
    with smolwf.Store.open(tmp_path / "test.db", manual_clock=True) as opened:
        yield opened
