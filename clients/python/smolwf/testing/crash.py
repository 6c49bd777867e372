"""A workflow that is killed at each commit that it makes."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal, NamedTuple, Optional

from ..options import Duration, milliseconds
from ..payload import JSON, Codec
from ..store import Store
from ..workflows import Workflow
from .effects import NEVER, WITNESS, Seen, seen_in
from .nondeterminism import Refusal
from .play import Ended, Kill, Scene, play, warm_up
from .process import Died, Hung, Killed, in_child
from .report import SHOWN, Finding, Report, quoted, times, written

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import SubmitOptions

#: Nobody is killed.
CLEAN = Kill(0, "clean")
KILLED_BY_OTHERS = Ended("running", None, None, "its process was killed by another than the test")


class CleanRunFailed(Exception):
    """The workflow does not end as it should where nobody is killed: mend that first."""


class TooManyCommits(Exception):
    """The workflow makes more commits than ``max_commits`` allows to be tried."""


def crash(
    workflow: Workflow[Any, Any],
    args: Any = None,
    *,
    workflows: Iterable[Workflow[Any, Any]] = (),
    signals: Sequence[tuple[str, Any]] = (),
    setup: Optional[Callable[[Store], Any]] = None,
    state: Literal["completed", "failed", "cancelled"] = "completed",
    compare_result: bool = False,
    max_commits: int = 200,
    hang_ms: Duration = 60_000,
    codec: Codec = JSON,
    **options: Unpack[SubmitOptions],
) -> Report:
    """Runs a workflow once, then kills it at each of its commits, and tells what comes of that.

    Each time a child process is forked, which works on a store of its own with a manual clock,
    until the run and all that it has submitted have ended. One is left alone; the others die by
    SIGKILL right before or right after a commit, and another child goes on. ``workflows`` are
    those of children; ``signals`` are sent to the run at once; ``setup`` is called in each child
    with the store before it works, to put fakes in place and to make tables, where they are not
    there yet; ``state`` is how the run is to end; ``compare_result`` looks at its result too. A
    child that works for ``hang_ms`` hangs. The other options are those of a submit.

    Fakes call :func:`effect`. No store that the test has open may be used by the workflow.
    """
    all_workflows = list(dict.fromkeys([workflow, *workflows]))
    warm_up()
    scene = Scene(workflow, args, options, list(signals), all_workflows, setup, codec)
    return _Crash(scene, state, compare_result, milliseconds(hang_ms) / 1000).report(max_commits)


def _room() -> Optional[str]:
    """Where the stores stand: in memory, unless somebody has said where things for a while go."""
    in_memory = "/dev/shm"
    is_said = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return None if is_said or not os.access(in_memory, os.W_OK | os.X_OK) else in_memory


def _kills() -> Iterator[Kill]:
    for commit in itertools.count(1):
        yield Kill(commit, "before")
        yield Kill(commit, "after")


class _Case(NamedTuple):
    """What came of one run, killed or not."""

    ended: Ended
    effects: dict[str, Seen]
    #: the first process that worked at it was
    was_killed: bool


class _Crash:
    """The runs of one workflow."""

    def __init__(self, scene: Scene, state: str, compares: bool, hang_s: float) -> None:
        self._scene = scene
        self._name = scene.workflow.name
        self._state = state
        self._compares = compares
        self._hang_s = hang_s

    def report(self, max_commits: int) -> Report:
        clean = self._play(CLEAN)
        refusal = clean.ended.refusal
        if refusal is not None:
            return Report(self._name, 0, 1, [_refused(refusal, CLEAN)])
        self._require_clean(clean.ended)
        findings: list[Finding] = []
        for cases, kill in enumerate(_kills(), 1):
            case = self._play(kill)
            is_over = not case.was_killed
            if kill.commit > max_commits and not is_over:
                raise TooManyCommits(
                    f"{self._name} makes more than {max_commits} commits: raise max_commits, "
                    "or test a smaller part of it"
                )
            findings += self._judge(case, clean, CLEAN if is_over else kill)
            if is_over or case.ended.has_hung:
                return Report(self._name, kill.commit - is_over, cases + (not is_over), findings)
        raise AssertionError("kills have no end")

    def _require_clean(self, ended: Ended) -> None:
        if ended.stuck is not None:
            raise CleanRunFailed(f"the clean run of {self._name} did not end: {ended.stuck}")
        if ended.state != self._state:
            why = _why(ended)
            raise CleanRunFailed(f"the clean run of {self._name} is {ended.state}{why}")

    # ---- one case -------------------------------------------------------------------------

    def _play(self, kill: Kill) -> _Case:
        with tempfile.TemporaryDirectory(prefix="smolwf-crash-", dir=_room()) as made:
            folder = Path(made)
            witness = folder / "witness"
            ended = self._in_child(folder, witness, kill)
            was_killed = ended is None
            if ended is None:
                ended = self._in_child(folder, witness, CLEAN)
            return _Case(ended or KILLED_BY_OTHERS, seen_in(witness), was_killed)

    def _in_child(self, folder: Path, witness: Path, kill: Kill) -> Optional[Ended]:
        """How a child has ended the run; None when it was killed."""

        def work() -> Ended:
            os.environ[WITNESS] = str(witness)
            return play(self._scene, folder, kill)

        try:
            ended: Ended = in_child(work, self._hang_s, folder)
        except Killed:
            return None
        except Died as died:
            return Ended("running", None, None, str(died), has_left=True)
        except Hung:
            why = f"its process was at work for more than {self._hang_s:g} s"
            return Ended("running", None, None, why, has_hung=True)
        return ended

    def _judge(self, case: _Case, clean: _Case, kill: Kill) -> Iterator[Finding]:
        found = functools.partial(Finding, commit=kill.commit, moment=kill.moment)
        ended = case.ended
        for name in {**clean.effects, **case.effects}:
            seen, once = case.effects.get(name, NEVER), clean.effects.get(name, NEVER)
            if seen.number > once.number:
                yield found(kind="effect_twice", name=name, text=_twice(name, seen, once))
            elif seen.number < once.number and ended.refusal is None and ended.stuck is None:
                text = f"effect {quoted(name)} happened {times(seen.number)}"
                text += f", and {times(once.number)} in the clean run"
                yield found(kind="effect_missing", name=name, text=text)
        if ended.refusal is not None:
            yield _refused(ended.refusal, kill)
        elif ended.stuck is not None:
            text = f"the run did not end: {ended.stuck}"
            kind = "outcome" if ended.has_left else "stuck"
            yield found(kind=kind, name=self._name, text=text)
        else:
            other = self._other_outcome(ended, clean.ended)
            if other is not None:
                yield found(kind="outcome", name=self._name, text=other)

    def _other_outcome(self, ended: Ended, clean: Ended) -> Optional[str]:
        if ended.state != clean.state:
            return f"the run is {ended.state}, and {clean.state} in the clean run{_why(ended)}"
        ours, theirs = written(ended.result), written(clean.result)
        if self._compares and ours != theirs:
            return f"the result is {ours[:SHOWN]}, and {theirs[:SHOWN]} in the clean run"
        return None


def _refused(refusal: Refusal, kill: Kill) -> Finding:
    return Finding(refusal.kind, kill.commit, kill.moment, refusal.name, refusal.advice)


def _twice(name: str, seen: Seen, once: Seen) -> str:
    its_name = quoted(name)
    if seen.bare:
        return (
            f"effect {its_name} happened {times(seen.number)}, and {times(once.number)} in the "
            "clean run: hand whoever does it an idempotency key, such as the step's id, or record "
            "its start: a tracked step with max_tries 1"
        )
    keys = ", ".join(map(quoted, seen.keys[:3]))
    return (
        f"effect {its_name} happened under {seen.number} keys ({keys}), and under {once.number} "
        "in the clean run: the key must be the same in every attempt, as the step's id is"
    )


def _why(ended: Ended) -> str:
    """What the error of a run says."""
    error = ended.error
    said = error.get("message") if isinstance(error, dict) else error
    return "" if said is None else f": {said if isinstance(said, str) else written(said)}"
