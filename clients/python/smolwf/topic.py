"""What the topics of a store and of an attempt have in common."""

from __future__ import annotations

import json
from typing import Any, Optional

from ._library import text_from
from .codes import Answer, Code
from .handle import Handle
from .payload import Codec


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


class StoreTopic:
    """A part of :class:`Store`."""

    codec: Codec
    failure: Optional[BaseException]

    @property
    def pointer(self) -> Any:
        raise NotImplementedError

    def _document(self, function: Any, *arguments: Any) -> Any:
        return json.loads(text_from(function, self.pointer, *arguments)[1] or "null")


class AttemptTopic(Handle):
    """A part of :class:`Attempt`."""

    #: something has answered "not yet": ``suspend`` knows whether it still holds
    has_waited: bool

    @property
    def codec(self) -> Codec:
        raise NotImplementedError

    def noted(self, code: Code) -> Code:
        self.has_waited = self.has_waited or code is Code.SUSPEND
        return code

    def _await(self, function: Any, *arguments: Any) -> Answer:
        code, found = self.text_from(function, *arguments)
        return Answer(self.noted(Code(code)), self.codec.read(found), found)
