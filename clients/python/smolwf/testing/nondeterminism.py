"""What the library says of code that does not fit what is recorded."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

from ..errors import NondeterminismError

#: What every sentence of the kind begins with: a noun, and a name as Rust quotes it.
_SUBJECT = re.compile(r'(?:step|sleep|await|child) "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}

INPUT = "an input must follow from the args and from what is recorded"
WAY = (
    "what a workflow does must follow from its args and from what is recorded; what is random, "
    "the time or a global variable belongs into a step"
)


class Refusal(NamedTuple):
    """A call that was refused, in the words of a report."""

    #: ``input_changed``, ``not_replayed`` or ``not_recorded``
    kind: str
    name: str
    #: the library's own
    sentence: str

    @property
    def advice(self) -> str:
        """The sentence, and what to do about it."""
        return f"{self.sentence}: {INPUT if self.kind == 'input_changed' else WAY}"


def refusal_in(error: Any) -> Optional[Refusal]:
    """What of an error is one; None if it is another."""
    if not isinstance(error, NondeterminismError):
        return None
    said = error.message
    subject = _SUBJECT.match(said)
    name = _ESCAPED.sub(_unescaped, subject[1]) if subject else ""
    if "input hash" in said:
        return Refusal("input_changed", name, said)
    return Refusal("not_recorded" if "only replays" in said else "not_replayed", name, said)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _LETTERS.get(found[2], found[2])
