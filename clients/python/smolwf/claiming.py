"""What a worker claims: runs of its workflows, in the versions that they name."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .options import Duration, timeout

if TYPE_CHECKING:
    from .attempt import Attempt
    from .stop import Stop
    from .store import Store
    from .workflows import Workflow


class Group(NamedTuple):
    """Workflows that are claimed alike."""

    workflows: list[str]
    code_versions: Optional[list[str]]


def by_name(workflows: Sequence[Workflow[Any, Any]]) -> dict[str, Workflow[Any, Any]]:
    named: dict[str, Workflow[Any, Any]] = {}
    for workflow in workflows:
        if named.setdefault(workflow.name, workflow) is not workflow:
            raise ValueError(f"two workflows have the name {workflow.name}")
    return named


def groups_of(
    workflows: Sequence[Workflow[Any, Any]], code_versions: Optional[Sequence[str]]
) -> list[Group]:
    """One group for each version that is named, and one for those that name none."""
    if code_versions is not None:
        return [Group([workflow.name for workflow in workflows], list(code_versions))]
    by_version: dict[Optional[str], list[str]] = {}
    for workflow in workflows:
        by_version.setdefault(workflow.code_version, []).append(workflow.name)
    return [
        Group(names, None if version is None else [version])
        for version, names in by_version.items()
    ] or [Group([], None)]


class Claims:
    """Claims from the groups in turn."""

    def __init__(
        self,
        store: Store,
        groups: list[Group],
        queue: Optional[str],
        lease_ms: Duration,
        name: Optional[str],
        strict: bool,
    ) -> None:
        self._store = store
        self._groups = groups
        self._turn = 0
        self._chosen: dict[str, Any] = {
            "queue": queue,
            "lease_ms": lease_ms,
            "worker": name,
            "strict": strict,
        }

    def now(self, stop: Stop) -> Optional[Attempt]:
        """A run of any group, if there is one now and the stop has not fired."""
        found = (self._claim(group, 0, stop) for group in self._in_turn())
        return next((attempt for attempt in found if attempt is not None), None)

    def wait(self, wait_ms: Optional[Duration], stop: Stop) -> Optional[Attempt]:
        """A run of any group; None when there is none in time, or the stop fires."""
        if len(self._groups) == 1:
            return self._claim(self._groups[0], wait_ms, stop)
        limit = timeout(wait_ms)
        left = _counting_down(limit)
        while True:
            seen = self._store.wait(0, 0) or 0  # before looking, so that no change is missed
            attempt = self.now(stop)
            rest = left()
            if attempt is not None or stop.fired or rest == 0:
                return attempt
            self._store.wait(seen, None if rest < 0 else rest, stop)

    def _in_turn(self) -> Iterator[Group]:
        self._turn += 1
        first = self._turn % len(self._groups)
        return iter(self._groups[first:] + self._groups[:first])

    def _claim(self, group: Group, wait_ms: Optional[Duration], stop: Stop) -> Optional[Attempt]:
        attempt = self._store.claim(
            wait_ms=wait_ms,
            workflows=group.workflows,
            code_versions=group.code_versions,
            stop=stop,
            **self._chosen,
        )
        if attempt is None or not stop.fired:
            return attempt
        with attempt:  # it was claimed just as the stop fired: it is given back
            return None


def _counting_down(limit_ms: int) -> Callable[[], int]:
    """How many milliseconds are left; -1 for no limit."""
    end = time.monotonic() + limit_ms / 1000
    return lambda: -1 if limit_ms < 0 else max(0, round((end - time.monotonic()) * 1000))
