"""What happened outside: a file of lines that outlives kills."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple, Optional

#: The environment variable that names the file; without it nothing is written.
WITNESS = "SMOLWF_WITNESS"


def effect(name: str, key: Optional[str] = None) -> None:
    """Tells a crash test that the world outside was touched: a card was charged, a mail was sent.

    For the fakes of a test; where no crash test runs it does nothing. A ``key`` is what the real
    thing takes as idempotency key, so that repeats of it have no effect: distinct keys count.
    Without one each call counts.
    """
    witness = os.environ.get(WITNESS)
    if not witness:
        return
    line = json.dumps({"name": name, "key": key}, separators=(",", ":")) + "\n"
    opened = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(opened, line.encode("ascii"))  # one write, so that lines stay whole
    finally:
        os.close(opened)


class Seen(NamedTuple):
    """How often an effect of one name happened."""

    #: calls without a key
    bare: int
    #: distinct, in the order of their first call
    keys: tuple[str, ...]

    @property
    def number(self) -> int:
        return self.bare + len(self.keys)


NEVER = Seen(0, ())


def seen_in(witness: Path) -> dict[str, Seen]:
    """What a run and its repeats have done, by the names of the effects."""
    found: dict[str, Seen] = {}
    lines = witness.read_text("utf-8").splitlines() if witness.exists() else []
    for line in lines:
        told = json.loads(line)
        name, key = told["name"], told["key"]
        bare, keys = found.get(name, NEVER)
        if key is None:
            found[name] = Seen(bare + 1, keys)
        else:
            found[name] = Seen(bare, keys if key in keys else (*keys, key))
    return found
