"""The host's own tables, which stand beside the library's in the store's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, cast

from ._library import NULL, lib, text, text_from
from .options import Duration, milliseconds
from .payload import compact
from .rows import Params, Rows, params_json, table_of
from .topic import AttemptTopic, StoreTopic
from .transaction import TransactionScope

if TYPE_CHECKING:
    from .store import Store


def run_script(store: Store, attempt: Any, step: Any, script: str) -> str:
    """Runs a script in the name of an attempt or of a step, or of nobody."""
    return text_from(lib.sw_tx_run, store.pointer, attempt, step, *text(script))[1] or "[]"


class StoreSql(StoreTopic):
    """How a store is asked, and written, in SQL."""

    def query(
        self,
        sql: str,
        params: Optional[Params] = None,
        rows_max: int = 0,
        timeout_ms: Duration = 0,
    ) -> Rows:
        """What a query finds: ``store.query("SELECT ... WHERE id = ?", [7])``, or ``:id`` and
        ``{"id": 7}``. It may read every table, sees one moment, and waits for no writer.

        The rows end after ``rows_max`` (0 is 1000, at most 10,000) or 16 MiB; ``more`` says
        whether they did. One that runs for longer than ``timeout_ms`` (0 is 5 s) is ended, a
        :class:`TooBigError`.
        """
        options = compact({"rows_max": rows_max, "timeout_ms": milliseconds(timeout_ms)})
        chosen = (*text(sql), *text(params_json(params)), *text(options))
        return Rows(table_of(self._document(lib.sw_query, *chosen)))

    def transaction(self) -> TransactionScope:
        """``with store.transaction() as tx: tx.execute("UPDATE ...", [7], expect_changes=1)``

        Done each time that the code runs: what is to be done once is a transaction of a step.
        """
        store = cast("Store", self)

        def run(script: str, ends: bool) -> str:
            return run_script(store, NULL, NULL, script)

        return TransactionScope(store, self.codec, run)


class AttemptSql(AttemptTopic):
    """The same in the name of an attempt: one that was taken over does nothing."""

    def transaction(self) -> TransactionScope:
        """A transaction of the attempt, which ends with the commit if it was given a result; one
        that ends nothing is done in each attempt."""

        def send(script: str) -> str:
            with self.held as pointer:
                return run_script(self.store, pointer, NULL, script)

        def run(script: str, ends: bool) -> str:
            return self.ending(lambda: send(script)) if ends else send(script)

        return TransactionScope(self.store, self.codec, run, "attempt_complete")
