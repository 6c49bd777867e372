"""Children of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ._library import lib, text
from .codes import Answer, Code
from .options import ChildOptions, Duration, Options, item, timeout
from .topic import AttemptTopic, RunId, run_ids

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AttemptChildren(AttemptTopic):
    """How an attempt submits children, and awaits them."""

    def child_submit(
        self, name: str, workflow: str, args: Any = None, **chosen: Unpack[ChildOptions]
    ) -> RunId:
        """Submits a child, once for each occurrence of the name."""
        written = text(self.codec.write(args))
        filled = Options("sw_submit_options", chosen)
        named = (*text(name), *text(workflow), *written)
        code, run_id = self.id_from(lib.sw_child_submit, *named, filled.pointer)
        return RunId(run_id, code == Code.REPLAYED)

    def child_submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits children in one commit: each has name, workflow, args, and options by name."""
        items_text = "[" + ",".join(item(fields, self.codec) for fields in items) + "]"
        return run_ids(self.text_from(lib.sw_child_submit_many, *text(items_text))[1])

    def child_await(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Answer:
        """A child's end: its result, or with FAILED its error, in ``value``; SUSPEND while it is
        open, TIMEOUT when it has not ended within ``timeout_ms`` of the first call."""
        return self._await(lib.sw_child_await, *text(run_id), timeout(timeout_ms))
