"""What the topics of a store and of an attempt have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, cast

from ._library import text_from
from .codes import Answer, Code
from .handle import Handle
from .payload import Codec

if TYPE_CHECKING:
    from .options import ChildOptions
    from .store import Store
    from .workflows import Workflow

T = TypeVar("T")
Chosen = TypeVar("Chosen", bound="ChildOptions")


class RunId(str):
    """The id of a run; ``existed`` when the submit found it there."""

    existed: bool

    def __new__(cls, run_id: str, existed: bool = False) -> RunId:
        made = super().__new__(cls, run_id)
        made.existed = existed
        return made


def run_ids(found: Optional[str]) -> list[RunId]:
    """Reads what a submit of many hands out."""
    return [RunId(each["run_id"], bool(each.get("exists"))) for each in json.loads(found or "[]")]


def called(workflow: Union[str, Workflow[Any, Any]], chosen: Chosen) -> tuple[str, Chosen]:
    """The name and the options that a run of a workflow is submitted with."""
    if isinstance(workflow, str):
        return workflow, chosen
    if workflow.code_version is None:
        return workflow.name, chosen
    return workflow.name, cast(Chosen, {"code_version": workflow.code_version, **chosen})


class StoreTopic:
    """A part of :class:`Store`."""

    codec: Codec
    failure: Optional[BaseException]

    @property
    def pointer(self) -> Any:
        """The handle for calls of the library."""
        raise NotImplementedError

    def _document(self, function: Any, *arguments: Any) -> Any:
        return json.loads(text_from(function, self.pointer, *arguments)[1] or "null")


class AttemptTopic(Handle):
    """A part of :class:`Attempt`."""

    #: something has answered "not yet": ``suspend`` knows whether it still holds
    has_waited: bool
    store: Store

    def ending(self, call: Callable[[], T]) -> T:
        """Makes a call that ends the attempt."""
        raise NotImplementedError

    @property
    def codec(self) -> Codec:
        """How payloads are read and written: the store's."""
        raise NotImplementedError

    def noted(self, code: Code) -> Code:
        """Remembers that a wait was answered SUSPEND; returns the code."""
        self.has_waited = self.has_waited or code is Code.SUSPEND
        return code

    def _await(self, function: Any, *arguments: Any) -> Answer:
        code, found = self.text_from(function, *arguments)
        return Answer(self.noted(Code(code)), self.codec.read(found), found)
