"""Payloads: Python values to JSON and back, or the text itself."""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple, Optional


class Json(str):
    """A text that is JSON already: it goes in and comes out byte for byte."""

    __slots__ = ()


class Codec(NamedTuple):
    """How a store writes and reads args, results, errors and messages."""

    dumps: Callable[[Any], str]
    loads: Callable[[str], Any]

    def write(self, value: Any) -> str:
        return value if isinstance(value, Json) else self.dumps(value)

    def read(self, text: Optional[str]) -> Any:
        return None if text is None else self.loads(text)


def compact(value: Any) -> str:
    """JSON without spaces; what JSON has no form for, NaN included, is refused."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


#: Python's own json
JSON = Codec(compact, json.loads)
#: no conversion: payloads are :class:`Json` both ways
TEXT = Codec(str, Json)
