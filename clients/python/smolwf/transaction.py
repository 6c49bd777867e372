"""Transactions on the host's own tables: what a block collects is sent as one script at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypeVar, Union

from .errors import NotJson, TransactionError
from .options import SubmitOptions, item, scoped
from .payload import Codec, Json, compact
from .rows import Params, RowSequence, Table, params_json, table_of, text_json
from .topic import RunId, called

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .store import Store
    from .workflows import Workflow

#: The transactions whose blocks this code is in.
_around: ContextVar[tuple[Transaction, ...]] = ContextVar("smolwf_transactions", default=())


class Result(NamedTuple):
    """What an item came to, and that as the library wrote it."""

    value: Any
    text: str


def results_of(text: str) -> list[Result]:
    """The elements of an array that the library wrote."""
    decoder, found, at = json.JSONDecoder(), [], 1
    while text[at] not in "]":
        value, end = decoder.raw_decode(text, at)
        found.append(Result(value, text[at:end]))
        at = end + (text[end] == ",")
    return found


class Item:
    """One thing that a transaction does; what it came to is known after the block."""

    #: a key of what such an item comes to
    KEY = ""

    def __init__(self, unknown: str) -> None:
        self._unknown = unknown
        self._came: Any = None

    def came(self, value: Any) -> None:
        """Keeps what it came to, if that is something of its kind."""
        if isinstance(value, dict) and self.KEY in value:
            self._came = value
            self._read(value)
        else:
            self.is_unknown("what was recorded is no result of such an item: the code has changed")

    def is_unknown(self, why: str) -> None:
        self._unknown = why

    def _read(self, value: Mapping[str, Any]) -> None:
        """Reads what it came to."""

    @property
    def value(self) -> dict[str, Any]:
        """What it came to, as the header has it; :class:`TransactionError` where nobody knows."""
        if self._came is None:
            raise TransactionError(self._unknown)
        found: dict[str, Any] = self._came
        return found


Kind = TypeVar("Kind", bound=Item)


class Found(Item, RowSequence):
    """The rows of a query."""

    KEY = "rows"
    _table: Table

    def _read(self, value: Mapping[str, Any]) -> None:
        self._table = table_of(value)

    @property
    def table(self) -> Table:
        _ = self.value
        return self._table


class Executed(Found):
    """What a statement changed, and its rows where it has RETURNING."""

    KEY = "changes"

    @property
    def changes(self) -> int:
        """Rows that it inserted, changed or deleted itself."""
        found: int = self.value["changes"]
        return found


class Submitted(Item):
    """A run that exists if and only if the transaction does."""

    KEY = "run_id"

    @property
    def run_id(self) -> RunId:
        return RunId(self.value["run_id"], bool(self.value["exists"]))


class Sent(Item):
    """A message that was sent with the transaction."""

    KEY = "exists"

    @property
    def existed(self) -> bool:
        """A message with this key was sent before."""
        return bool(self.value["exists"])


class Transaction:
    """Collects statements, runs and messages; all of them are done at the end of the block, in one
    commit, or nothing is. An exception that leaves the block sends nothing."""

    def __init__(self, store: Store, codec: Codec, ends: str = "") -> None:
        self._store = store
        self._codec = codec
        #: the key by which a script ends what this is a transaction of
        self._ends = ends
        self._is_open: Optional[bool] = None
        self._outer: tuple[Transaction, ...] = ()
        self._items: list[Item] = []
        self._texts: list[str] = []
        self._result: Union[None, Item, Json] = None

    # ---- what it does ---------------------------------------------------------------------

    def execute(
        self, sql: str, params: Optional[Params] = None, *, expect_changes: Optional[int] = None
    ) -> Executed:
        """One statement. Unless it inserts, changes or deletes ``expect_changes`` rows itself, the
        whole transaction is undone: :class:`ConflictError`."""

        def write() -> str:
            rest = "" if expect_changes is None else f',"expect_changes":{compact(expect_changes)}'
            return f'"sql":{_statement(sql, params)}{rest}'

        return self._add(Executed(self._unknown()), write)

    def query(self, sql: str, params: Optional[Params] = None) -> Found:
        """One statement that only reads, in the same transaction."""
        return self._add(Found(self._unknown()), lambda: f'"query":{_statement(sql, params)}')

    def submit(
        self,
        workflow: Union[str, Workflow[Any, Any]],
        args: Any = None,
        **chosen: Unpack[SubmitOptions],
    ) -> Submitted:
        """Submits a run; see :meth:`Store.submit`."""

        def write() -> str:
            name, options = called(workflow, chosen)
            fields = scoped({"workflow": name, "args": args, **options})
            return f'"submit":{item(fields, self._codec)}'

        return self._add(Submitted(self._unknown()), write)

    def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> Sent:
        """Sends a run a message; see :meth:`Store.signal`."""

        def write() -> str:
            names = {"run_id": run_id, "name": name, "idempotency_key": idempotency_key}
            texts = [
                f'"{key}":{text_json(value, key)}'
                for key, value in names.items()
                if value is not None
            ]
            return (
                '"signal":{' + ",".join([*texts, f'"payload":{self._codec.write(payload)}']) + "}"
            )

        return self._add(Sent(self._unknown()), write)

    def result(self, value: Any = None) -> None:
        """What the step, or the attempt, ends with."""
        self._end(lambda: Json(self._codec.write(value)))

    def result_from(self, item: Item) -> None:
        """Has what an item came to be that."""
        if not any(item is each for each in self._items):
            raise TransactionError("the item is none of this transaction")
        self._end(lambda: item)

    def _add(self, item: Kind, write: Callable[[], str]) -> Kind:
        self._check_open()
        if self._collects:
            text = "{" + write() + "}"
            self._texts.append(text)
        self._items.append(item)
        return item

    def _end(self, make: Callable[[], Union[Item, Json]]) -> None:
        self._check_open()
        if not self._ends:
            raise TransactionError("this transaction ends no step and no attempt: it has no result")
        if self._result is not None:
            raise TransactionError("the transaction has its result already")
        self._result = make()

    # ---- its block ------------------------------------------------------------------------

    @property
    def _collects(self) -> bool:
        return True

    def _unknown(self) -> str:
        return "what an item came to is known after the block of its transaction"

    def _check_open(self) -> None:
        if self._is_open is None:
            raise TransactionError("the transaction is not begun: with ... as tx")
        if not self._is_open:
            raise TransactionError("the block of the transaction was left: it takes nothing more")

    def refuse_second(self) -> None:
        """Refuses a block that was entered before, or stands inside of another's."""
        if self._is_open is not None:
            raise TransactionError("a transaction is for one block: make another")
        if any(other._is_open and other._store is self._store for other in _around.get()):
            raise TransactionError(
                "a transaction is open here: what this one does would be there even if that fails; "
                "give its items to that one"
            )

    def go_inside(self) -> None:
        """From here on, code is part of the block."""
        self._is_open = True
        self._outer = _around.get()
        _around.set((*self._outer, self))

    def go_outside(self) -> None:
        """From here on, code is no part of the block."""
        self._is_open = False
        _around.set(self._outer)

    def _script(self, must_end: bool = False) -> Optional[str]:
        """What is to be sent; None for nothing."""
        texts = list(self._texts)
        if isinstance(self._result, Item):
            at = next(at for at, each in enumerate(self._items) if each is self._result)
            texts.append(f'{{"{self._ends}":{{"result_from":{at}}}}}')
        elif self._result is not None or must_end:
            texts.append(f'{{"{self._ends}":{{"result":{self._result or "null"}}}}}')
        return "[" + ",".join(texts) + "]" if texts else None

    def _forget(self, why: str) -> None:
        for each in self._items:
            each.is_unknown(why)


def _statement(sql: str, params: Optional[Params]) -> str:
    if not isinstance(sql, str):
        raise NotJson("sql", f"a {type(sql).__qualname__} is no text")
    given = params_json(params)
    return text_json(sql, "sql") + ("" if given is None else f',"params":{given}')


class TransactionScope(Transaction):
    """A transaction as a context; its items have their results after the block."""

    def __init__(
        self, store: Store, codec: Codec, run: Callable[[str, bool], str], ends: str = ""
    ) -> None:
        super().__init__(store, codec, ends)
        self._run = run

    def commit(self) -> None:
        """Sends what was collected, if that is something."""
        self._forget("the transaction failed: nothing of it was done")
        script = self._script()
        if script is None:
            return
        found = results_of(self._run(script, self._result is not None))
        for each, result in zip(self._items, found):
            each.came(result.value)

    def __enter__(self) -> TransactionScope:
        self.refuse_second()
        self.go_inside()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.leave(error)
        if error is None:
            self.commit()

    def leave(self, error: Optional[BaseException]) -> None:
        """Takes nothing more."""
        self.go_outside()
        if error is not None:
            self._forget("an exception left the block of the transaction: nothing of it was done")
