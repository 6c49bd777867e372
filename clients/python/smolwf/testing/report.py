"""What a crash test or a replay has found, as data and as a text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

#: Distinct findings that the text shows.
LINES = 20
#: Characters of a result that a sentence shows.
SHOWN = 200


class Finding(NamedTuple):
    """One thing that a kill did to a workflow."""

    #: ``effect_twice``, ``effect_missing``, ``input_changed``, ``not_replayed``, ``outcome`` or
    #: ``stuck``
    kind: str
    #: at which commit the process was killed, from 1; 0: it was not
    commit: int
    #: ``before`` or ``after`` that commit; ``clean``: it was not killed
    moment: str
    #: of the effect; of the step, await, sleep or child; of the workflow
    name: str
    #: one sentence
    text: str

    @property
    def place(self) -> str:
        """Where the process was killed, in words."""
        return f"{self.moment} commit {self.commit}" if self.commit else "without a kill"


class Report:
    """What :func:`crash` has found. ``str`` of it is a line for each distinct finding."""

    def __init__(self, workflow: str, commits: int, cases: int, findings: Iterable[Finding]):
        self.workflow = workflow
        #: commits that the workflow makes: it was killed before and after each
        self.commits = commits
        #: how often it was run to its end: undisturbed, and with each kill
        self.cases = cases
        self.findings = list(findings)

    def check(self) -> None:
        """Raises ``AssertionError`` with the text when something was found."""
        if self.findings:
            raise AssertionError(str(self))

    def document(self) -> dict[str, Any]:
        """The same as values of JSON."""
        findings = [finding._asdict() for finding in self.findings]
        return {"commits": self.commits, "cases": self.cases, "findings": findings}

    def __str__(self) -> str:
        alike: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            alike.setdefault((finding.kind, finding.name), []).append(finding)
        lines = [self._line(findings) for findings in list(alike.values())[:LINES]]
        if len(alike) > LINES:
            lines.append(f"and {len(alike) - LINES} more")
        counted = f"{_number(self.commits, 'commit')}, {_number(self.cases, 'case')}"
        return "\n".join([f"{self.workflow}: {counted}, {_number(len(alike), 'finding')}", *lines])

    def _line(self, findings: list[Finding]) -> str:
        first = findings[0]
        where = first.place
        if first.commit:
            where = f"at {len(findings)} of {2 * self.commits} kill points, first {where}"
        return f"{first.kind} {first.name}, {where}: {first.text}"


class Difference(NamedTuple):
    """The first thing in which code differs from what a run has recorded."""

    #: in the document
    run_id: str
    workflow: str
    #: ``not_recorded``, ``input_changed``, ``not_replayed``, ``outcome`` or ``waits``
    kind: str
    #: of the step, await, sleep or child; of the workflow
    name: str
    #: one sentence
    text: str


class ReplayReport:
    """What :func:`replay` has found, at most one difference for each run."""

    def __init__(self, runs: int, differences: Iterable[Difference]) -> None:
        #: how many were replayed
        self.runs = runs
        self.differences = list(differences)

    def check(self) -> None:
        """Raises ``AssertionError`` with the text when something differs."""
        if self.differences:
            raise AssertionError(str(self))

    def document(self) -> dict[str, Any]:
        """The same as values of JSON."""
        differences = [difference._asdict() for difference in self.differences]
        return {"runs": self.runs, "differences": differences}

    def __str__(self) -> str:
        lines = [
            f"{each.kind} {each.name}, in {each.workflow} {each.run_id}: {each.text}"
            for each in self.differences
        ]
        counted = _number(len(lines), "difference")
        return "\n".join([f"{_number(self.runs, 'run')}, {counted}", *lines])


def _number(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def written(value: Any) -> str:
    """JSON, equal for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
