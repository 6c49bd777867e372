"""Which runs are forks of which, and what they have copied: told by the facts, as a fork has the
args of its source."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, Optional

from content import Content
from fault import Seen
from witness import Fact, ops_of


class Fork(NamedTuple):
    """Where a run comes from."""

    source: str
    #: name of the step from which on it goes its own way; "" is the start
    step: str


def forks_of(facts: list[Fact], content: Content) -> dict[str, Fork]:
    """All forks, also those whose maker was killed before it heard of them."""
    asked = {fact.run: fact.name for fact in facts if fact.kind == "forking"}
    by_args = {content.runs[run]["args"]: run for run in asked if run in content.runs}
    return {
        run: Fork(by_args[document["args"]], asked[by_args[document["args"]]])
        for run, document in content.runs.items()
        if document["args"] in by_args and run != by_args[document["args"]]
    }


def copies_of(facts: list[Fact], content: Content) -> dict[str, set[str]]:
    """By fork, the names of what it has from its source: all that stands before its step."""
    copies = {}
    for run, fork in forks_of(facts, content).items():
        names = [op.name for op in ops_of(content.runs[run]["args"])]
        before = names.index(fork.step) if fork.step else 0
        copies[run] = set(names[:before])
    return copies


def record_of(content: Content, run: str, name: str) -> Optional[Any]:
    """What stands in the history under the name of a part, but for the submits of its children."""
    name = "go" if name.endswith("g") else name
    for step in content.steps.get(run, []):
        if step["name"] == name and step["kind"] != "child_submit":
            return step
    return None


def retries_of(facts: list[Fact], of: Seen) -> Counter[str]:
    """How often each run may have been retried: noted before the call."""
    return Counter(fact.run for fact in facts if fact.kind == "retrying") + Counter(of.retries)
