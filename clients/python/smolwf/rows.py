"""Values of the host's own tables: parameters as they go in, rows as they come out."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union, overload

from .errors import NotJson

#: What a statement may be given.
Param = Union[None, int, float, str, bytes, bytearray, memoryview]
#: Parameters by position, or by name.
Params = Union[Sequence[Param], Mapping[str, Param]]
#: None, int, float, str or bytes for each column: what SQLite has there, not what was declared.
Row = tuple[Any, ...]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
#: The first whole number that a column does not hold; the last below is its negative.
_WHOLE_END = 2**63
_HINTS = {
    "dict": ": pass its JSON as a text",
    "list": ": pass its JSON as a text",
    "Decimal": ": pass a str, or a whole number of the smallest unit",
    "datetime": ": pass a number or a text, such as .isoformat()",
    "date": ": pass a number or a text, such as .isoformat()",
}


def params_json(params: Optional[Params]) -> Optional[str]:
    """Parameters as the library takes them; :class:`NotJson` names the one that is no value."""
    if params is None:
        return None
    if isinstance(params, Mapping):
        members = (_member(key, value) for key, value in params.items())
        return "{" + ",".join(members) + "}"
    if isinstance(params, Sequence) and not isinstance(params, (str, bytes, bytearray, memoryview)):
        values = (value_json(value, f"params[{at}]") for at, value in enumerate(params))
        return "[" + ",".join(values) + "]"
    raise NotJson("params", f"a {type(params).__qualname__} is no list, tuple or mapping of values")


def _member(key: object, value: Param) -> str:
    if not isinstance(key, str):
        raise NotJson("params", f"a {type(key).__qualname__} is no name of a parameter")
    name = text_json(key, "params")
    return f"{name}:{value_json(value, f'params[{name}]')}"


def value_json(value: Param, place: str) -> str:
    """One value, which stands at a place."""
    if isinstance(value, str):
        return text_json(value, place)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return '{"$base64":"' + base64.b64encode(bytes(value)).decode("ascii") + '"}'
    if value is None or isinstance(value, bool):
        return _encode(value)
    if isinstance(value, int):
        if not -_WHOLE_END <= value < _WHOLE_END:
            raise NotJson(place, f"{value} has more than 64 bits")
        return _encode(value)
    if isinstance(value, float):
        return _real(value, place)
    name = type(value).__qualname__
    raise NotJson(place, f"a {name} is no value of SQL{_HINTS.get(name, '')}")


def _real(value: float, place: str) -> str:
    """A number with a fraction; no JSON has those without end."""
    if math.isnan(value):
        raise NotJson(place, "nan is no number, SQLite keeps it as NULL: pass None")
    if math.isinf(value):
        return '{"$real":"Infinity"}' if value > 0 else '{"$real":"-Infinity"}'
    return _encode(value)


def text_json(value: str, place: str) -> str:
    """A text that goes to SQLite, as a JSON string."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise NotJson(place, "the text has a lone surrogate") from None
    return _encode(str(value))


class Table(NamedTuple):
    """Rows as they came."""

    columns: tuple[str, ...]
    rows: list[Row]
    more: bool


def table_of(document: Mapping[str, Any]) -> Table:
    """Reads rows; one that has none has no columns either."""
    rows = [tuple(map(_value, row)) for row in document.get("rows", ())]
    return Table(tuple(document.get("columns", ())), rows, bool(document.get("more")))


def _value(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return base64.b64decode(found["$base64"]) if "$base64" in found else float(found["$real"])


class RowSequence(Sequence[Row]):
    """Rows as a sequence of tuples, in the order of :attr:`columns`."""

    @property
    def table(self) -> Table:
        """Columns and rows as they came."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """Names as SQLite gives them; they may repeat."""
        return self.table.columns

    @property
    def rows(self) -> list[Row]:
        """All rows, as a list of tuples."""
        return self.table.rows

    @property
    def more(self) -> bool:
        """There were more rows than these: ask on from the last key."""
        return self.table.more

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by name; ValueError where two columns share one."""
        columns, rows, _ = self.table
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two columns are named {twice}: name them apart, by AS")
        return [dict(zip(columns, row)) for row in rows]

    def __len__(self) -> int:
        return len(self.table.rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: Union[int, slice]) -> Union[Row, list[Row]]:
        return self.table.rows[at]


class Rows(RowSequence):
    """What a query found: ``for id, balance in store.query(...)``, or ``.dicts()``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def table(self) -> Table:
        """Columns and rows as they came."""
        return self._table

    def __repr__(self) -> str:
        more = ", and more" if self.more else ""
        return f"<{len(self)} rows of {', '.join(self.columns)}{more}>"
