"""Payloads: Python values to JSON and back, or the text itself."""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple, Optional, Union

from .errors import NotJson

#: Deeper than the library takes, and than Python's own recursion allows in a busy stack.
DEPTH_MAX = 200


class Json(str):
    """A text that is JSON already: it goes in and comes out byte for byte."""

    __slots__ = ()


class Codec(NamedTuple):
    """How a store writes and reads args, results, errors and messages.

    ``dumps`` gives JSON, a text or UTF-8; what it raises is a :class:`NotJson` of the call.
    """

    dumps: Callable[[Any], Union[str, bytes]]
    loads: Callable[[str], Any]

    def write(self, value: Any) -> str:
        """The JSON of a value; :class:`NotJson` names what has no form in it, and where."""
        if isinstance(value, Json):
            return value
        try:
            written = self.dumps(value)
            if isinstance(written, (bytes, bytearray)):
                written = written.decode("utf-8")
            if not written.isascii():
                written.encode("utf-8")
        except (NotJson, MemoryError):
            raise
        except Exception as error:
            raise fault_of(value, error) from error
        return written

    def read(self, text: Optional[str]) -> Any:
        """The value of a JSON text; None of None."""
        return None if text is None else self.loads(text)


def compact(value: Any) -> str:
    """JSON without spaces; what JSON has no form for, NaN included, is refused."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump_json(value: Any) -> str:
    """As :func:`compact`, and no two keys of an object become one."""
    written = compact(value)
    to_see = [value]
    while to_see:
        seen = to_see.pop()
        if isinstance(seen, dict):
            if not set(map(type, seen)) <= {str} and _twice(seen):
                raise fault_of(value, None)
            to_see.extend(seen.values())
        elif isinstance(seen, (list, tuple)):
            to_see.extend(seen)
    return written


def fault_of(value: Any, error: Optional[Exception]) -> NotJson:
    """The error that names what in a value has no form in JSON, and where it stands."""
    try:
        found = _find(value, "$", ())
    except Exception:  # the value's own code failed
        found = None
    if found is not None:
        return NotJson(*found)
    said = "it has no form in JSON" if error is None else f"{type(error).__name__}: {error}"
    return NotJson("$", said.encode("utf-8", "backslashreplace").decode("utf-8"))


def _find(value: Any, place: str, above: tuple[int, ...]) -> Optional[tuple[str, str]]:
    if isinstance(value, (dict, list, tuple)):
        if id(value) in above:
            return place, "it contains itself"
        if len(above) >= DEPTH_MAX:
            return place, f"it is nested more than {DEPTH_MAX} levels deep"
        return _find_inside(value, place, (*above, id(value)))
    if isinstance(value, str):
        return None if _is_unicode(value) else (place, "the text has a lone surrogate")
    if isinstance(value, float):
        return (place, f"{value!r} has no form in JSON") if value - value != 0 else None
    if value is None or isinstance(value, int):
        return None
    return place, f"a {type(value).__qualname__} has no form in JSON"


def _find_inside(
    value: Union[dict[Any, Any], list[Any], tuple[Any, ...]], place: str, above: tuple[int, ...]
) -> Optional[tuple[str, str]]:
    if not isinstance(value, dict):
        found = (_find(each, f"{place}[{at}]", above) for at, each in enumerate(value))
        return next((fault for fault in found if fault), None)
    for key, each in value.items():
        if key is not None and not isinstance(key, (str, int, float)):
            return place, f"a {type(key).__qualname__} is no key of a JSON object"
        if isinstance(key, str) and not _is_unicode(key):
            return place, "a key has a lone surrogate"
        below = f"{place}.{key}" if str(key).isidentifier() else f"{place}[{json.dumps(key)}]"
        fault = _find(each, below, above)
        if fault:
            return fault
    twice = _twice(value)
    return (place, f"two keys become {json.dumps(twice)} in JSON") if twice else None


def _twice(value: dict[Any, Any]) -> Optional[str]:
    """The text that two keys have in common once they are JSON."""
    texts: set[str] = set()
    for key in value:
        text = key if isinstance(key, str) else json.dumps(key)
        if text in texts:
            return text
        texts.add(text)
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


#: Python's own json
JSON = Codec(dump_json, json.loads)
#: no conversion: payloads are :class:`Json` both ways
TEXT = Codec(str, Json)
