"""Transactions as steps of a workflow: what one does and its record are one commit."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from .errors import NotJson, TransactionError
from .payload import Json
from .transaction import Item, Transaction, results_of

if TYPE_CHECKING:
    from .context import StepScope
    from .steps import Step
    from .store import Store

#: Why an item tells nothing, in the first attempt as in a replay.
NOT_RECORDED = (
    "what the item came to is not recorded, so that a replay would not know it: "
    "tx.result_from(item) records it"
)


class StepTransaction(Transaction):
    """``with context.transaction("transfer") as tx: tx.execute("UPDATE ...", [7])``

    A step whose work is the transaction: done once, whatever is killed when. The block runs in
    each attempt; where the step is recorded, what it collects is not sent. An exception that
    leaves the block, or a transaction that is refused, is the step's failure.
    """

    def __init__(self, scope: StepScope, name: str, store: Store) -> None:
        super().__init__(store, scope.codec, "step_complete")
        self._scope = scope
        self._name = name
        self._recorded: Optional[str] = None
        self._unfit: Optional[NotJson] = None

    @property
    def scope(self) -> StepScope:
        """The step."""
        return self._scope

    @property
    def is_todo(self) -> bool:
        """Whether what is collected will be sent; False in a replay."""
        return self._recorded is None

    @property
    def id(self) -> str:
        """The step's: the same in every attempt."""
        return self._scope.id

    @property
    def value(self) -> Any:
        """The step's result as it was recorded: after the block, and in a replay."""
        if self._recorded is None:
            raise TransactionError("the transaction has no value before it is done")
        return self._codec.read(self._recorded)

    def result(self, value: Any = None) -> None:
        """What is recorded as the step's result, and is :attr:`value` ever after."""
        try:
            super().result(value if self.is_todo else None)
        except NotJson as error:
            self._unfit = NotJson(f"the result of step {self._name}", str(error))
            raise self._unfit from error

    @property
    def _collects(self) -> bool:
        return self.is_todo

    def begun(self, recorded: Optional[str]) -> None:
        """Opens it, with what was recorded in an earlier attempt."""
        self._recorded = recorded
        self.go_inside()

    def finish(self, error: Optional[BaseException]) -> Optional[str]:
        """Sends it, unless an exception left its block; the result as it was recorded."""
        self._forget("the transaction failed: nothing of it was done")
        try:
            if error is None and self.is_todo:
                self._scope.record_by(self._commit)
        except BaseException as raised:
            self._scope.leave(raised)
            raise
        self._scope.leave(error, is_final=error is not None and error is self._unfit)
        if error is None:
            self.tell()
        return self._recorded

    def _commit(self, step: Step) -> Json:
        found = results_of(step.run_script(self._script(must_end=True) or ""))
        if isinstance(self._result, Item):
            at = next(at for at, each in enumerate(self._items) if each is self._result)
            self._recorded = found[at].text
        else:
            self._recorded = self._result or "null"
        return Json(self._recorded)

    def tell(self) -> None:
        """Has the item that was recorded know what it came to, and the others say why not."""
        self._forget(NOT_RECORDED)
        if isinstance(self._result, Item):
            self._result.came(json.loads(self._recorded or "null"))

    def __enter__(self) -> StepTransaction:
        self.refuse_second()
        self._scope.__enter__()
        self.begun(self._scope.recorded)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.go_outside()
        self._scope.go_outside()
        try:
            self.finish(error)
        finally:
            self._scope.tell_end()
