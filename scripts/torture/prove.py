"""Shows that the judge can find what it looks for: a round is played in which nothing is wrong,
then the witness or the store is doctored, a thing at a time, and the rule must say so."""

from __future__ import annotations

import copy
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import patience
from content import Content, read_content
from fault import Seen
from gang import Ended, Gang
from judge import ALWAYS, AT_THE_END, judge
from lineage import copies_of, forks_of, record_of
from round import Broken, Round
from trouble import Trouble, calm
from witness import CONCURRENCY, PER_KEY, Fact, ops_of

import smolwf

#: of one trouble; and how many there are at most, until each fact that is doctored was noted
SECONDS, TIMES_MAX = 3.0, 60
NEEDED = {
    *[
        ("submit", "k"),
        ("cancel", ""),
        ("signal", "o"),
        ("event", "e"),
        ("end", "d"),
        ("child", ""),
    ],
    *[("seen", "s"), ("effect", "s"), ("effect", "b"), ("effect", "t"), ("seen", "f")],
    *[("fork", ""), ("retry", ""), ("timeout", "q"), ("late", "k"), ("chosen", "a")],
}
#: of the parts that a fork has copied, those that are doctored
COPIED = "swhb"


class Case(NamedTuple):
    """What the judge is given; a doctor changes it."""

    facts: list[Fact]
    content: Content
    seen: Seen


Doctor = Callable[[Case], object]


def of_kind(case: Case, kind: str, ending: str = "") -> tuple[int, Fact]:
    """The first fact of a kind about a run that completed, and where it stands."""
    for at, fact in enumerate(case.facts):
        is_done = kind in ("cancel", "late") or case.content.state(fact.run) == "completed"
        if fact.kind == kind and fact.name.endswith(ending) and is_done:
            return at, fact
    raise LookupError(f"the round has no fact {kind} {ending}")


def changed(kind: str, ending: str = "", **fields: Any) -> Doctor:
    """A doctor that changes a fact."""

    def doctor(case: Case) -> None:
        at, fact = of_kind(case, kind, ending)
        case.facts[at] = fact._replace(**fields)

    return doctor


def effect_twice(case: Case) -> None:
    at, fact = of_kind(case, "effect", "s")
    case.facts.insert(at, fact)


def effect_after_its_record(case: Case) -> None:
    _, fact = of_kind(case, "seen", "s")
    case.facts.append(fact._replace(kind="effect", attempt=fact.attempt + 1, value="1"))


def effect_by_two_attempts(case: Case) -> None:
    """Of which the first ended in order, as none of them does that leaves work without a record."""
    at, fact = of_kind(case, "effect", "s")
    case.facts.insert(at, fact._replace(attempt=fact.attempt + 1))
    attempts = case.content.attempts[fact.run]
    attempts[fact.attempt - 1] = {**attempts[fact.attempt - 1], "state": "released"}


def tracked_twice(case: Case) -> None:
    _, fact = of_kind(case, "effect", "t")
    case.facts.append(fact._replace(attempt=fact.attempt + 1))


def taken_from_the_living(case: Case) -> Case:
    _, fact = of_kind(case, "effect", "s")
    attempt = case.content.attempts[fact.run][fact.attempt - 1]
    attempt["state"] = "lost"
    return case._replace(seen=case.seen._replace(held_on=frozenset([attempt["worker"]])))


def effect_of_who_came_after(case: Case) -> None:
    """The attempt that recorded it was lost, to one that had begun the same work."""
    at, fact = of_kind(case, "effect", "s")
    case.content.attempts[fact.run][fact.attempt - 1]["state"] = "lost"
    case.facts.insert(at, fact._replace(attempt=fact.attempt + 1, who="another.1"))


def two_completed(case: Case) -> None:
    _, fact = of_kind(case, "end")
    attempts = case.content.attempts[fact.run]
    attempts.append({**attempts[-1], "number": len(attempts) + 1})


def no_effect(case: Case) -> None:
    _, fact = of_kind(case, "effect", "s")
    case.facts[:] = [each for each in case.facts if each.kind != "effect" or each.run != fact.run]


def step_doubled(case: Case) -> None:
    _, fact = of_kind(case, "seen", "s")
    steps = case.content.steps[fact.run]
    steps.append(steps[0])


def step_changed(case: Case) -> Case:
    before = copy.deepcopy(case.content)
    _, fact = of_kind(case, "seen", "s")
    before.steps[fact.run][0]["result"] = "another"
    return case._replace(seen=case.seen._replace(before=before))


def event_changed(case: Case) -> Case:
    before = copy.deepcopy(case.content)
    before.events[0]["payload"] = "another"
    return case._replace(seen=case.seen._replace(before=before))


def step_lost(case: Case) -> None:
    _, fact = of_kind(case, "seen", "s")
    steps = case.content.steps[fact.run]
    steps[:] = [step for step in steps if step["name"] != fact.name]


def waited_for_ever(case: Case) -> None:
    _, fact = of_kind(case, "end")
    case.content.runs[fact.run]["args"] += " n"


def child_lost(case: Case) -> None:
    _, fact = of_kind(case, "child")
    parent = case.content.runs[fact.run]["parent_run_id"]
    case.content.children[parent].remove(fact.run)


def budget_changed(name: str, change: int) -> Doctor:
    def doctor(case: Case) -> None:
        _, fact = of_kind(case, "effect", "b")
        root = case.content.runs[fact.run]["root_run_id"]
        case.content.budgets[root]["units"]["coins"][name] += change

    return doctor


def fired_twice(case: Case) -> None:
    runs = case.content.runs
    run = next(run for run, document in runs.items() if document["metadata"])
    for each in (case.content.steps, case.content.attempts, case.content.children):
        each["run_twice"] = each[run]
    runs["run_twice"] = runs[run]


def a_copy(case: Case) -> tuple[str, str]:
    """A fork that completed, and the name of a step that it has copied."""
    for run, names in copies_of(case.facts, case.content).items():
        for name in sorted(names):
            if name[-1] in COPIED and case.content.state(run) == "completed":
                return run, name
    raise LookupError("the round has no fork with a step of its source's")


def copy_changed(case: Case) -> None:
    record: Any = record_of(case.content, *a_copy(case))
    record["result"] = "another"


def copy_done_again(case: Case) -> None:
    run, name = a_copy(case)
    _, fact = of_kind(case, "effect", "s")
    case.facts.append(fact._replace(run=run, name=name))


def copy_written_again(case: Case) -> None:
    run, name = a_copy(case)
    case.content.entries.append((run, name, 1))


def fork_unasked(case: Case) -> None:
    """One of two calls made it, as the facts have it, and two forks are there."""
    run, _ = a_copy(case)
    content = case.content
    source = forks_of(case.facts, content)[run].source
    call = ("forking", source)
    first = next(fact for fact in case.facts if fact[:2] == call)
    case.facts[:] = [fact for fact in case.facts if fact is first or fact[:2] != call]
    for each in (content.runs, content.steps, content.attempts, content.children):
        each["run_twice"] = each[run]
    content.signals["run_twice"] = content.signals[run]


def retry_lost(case: Case) -> None:
    at, fact = of_kind(case, "retry")
    case.facts[at] = fact._replace(attempt=len(case.content.attempts[fact.run]))
    case.content.runs[fact.run]["state"] = "failed"


def failed_for_nothing(case: Case) -> None:
    _, fact = of_kind(case, "end")
    case.content.runs[fact.run].update(state="failed", error={"$smolwf": "tries"})


def timed_out_early(case: Case) -> None:
    """Without an attempt at that moment, so that no clock may have gone back."""
    _, fact = of_kind(case, "late")
    document = case.content.runs[fact.run]
    document["finished_at_ms"] = document["created_at_ms"]
    case.content.attempts[fact.run].clear()


def wait_over_early(case: Case) -> None:
    _, fact = of_kind(case, "timeout", "q")
    record: Any = record_of(case.content, fact.run, fact.name)
    record["ended_at_ms"] = record["started_at_ms"]


def wait_never_over(case: Case) -> None:
    _, fact = of_kind(case, "timeout", "q")
    record: Any = record_of(case.content, fact.run, fact.name)
    record["state"] = "completed"


def a_choice(case: Case) -> tuple[str, Any]:
    """The record of one that was waited for, not copied; and nobody says what it was."""
    copies = copies_of(case.facts, case.content)
    case.facts[:] = [each for each in case.facts if each.name not in copies.get(each.run, ())]
    _, fact = of_kind(case, "chosen", "a")
    record: Any = record_of(case.content, fact.run, fact.name)
    case.facts[:] = [each for each in case.facts if each.kind != "chosen"]
    return fact.run, record


def message_of_nobody(case: Case) -> None:
    """What all were told, and is recorded; only nobody sent it."""
    run, record = a_choice(case)
    record["result"] = {"index": 0, "outcome": "ok", "value": case.content.key(run)}
    case.content.signals[run] = []


def end_of_no_child(case: Case) -> None:
    _, record = a_choice(case)
    record["result"] = {"index": 1, "outcome": "ok", "value": "another"}


def message_of_another(case: Case) -> None:
    """Taken by a wait that came to something else."""
    run, record = a_choice(case)
    record["result"] = {"index": 2, "outcome": "ok", "value": None}
    taken = {"name": "yes", "payload": None, "consumed": True, "consumed_by": record["step_id"]}
    case.content.signals[run] = [taken]


def another_try(case: Case) -> None:
    _, fact = of_kind(case, "seen", "f")
    record: Any = record_of(case.content, fact.run, fact.name)
    record["tries"] += 1


def try_unseen(case: Case) -> None:
    copies = copies_of(case.facts, case.content)
    case.facts[:] = [each for each in case.facts if each.name not in copies.get(each.run, ())]
    _, fact = of_kind(case, "seen", "f")
    step = ("effect", fact.run, fact.name)
    case.facts[:] = [each for each in case.facts if each[:3] != step]


def left_open(case: Case) -> None:
    _, fact = of_kind(case, "end")
    case.content.runs[fact.run]["state"] = "waiting"


def reserved(case: Case) -> None:
    budget_changed("reserved", 1)(case)


def swapped(case: Case) -> None:
    events = case.content.events
    events[0], events[1] = events[1], events[0]


#: the rule that must speak, what is doctored, and how
DOCTORS: list[tuple[str, str, Doctor]] = [
    ("submitted", "a run that is not there", changed("submit", run="run_gone")),
    ("recorded", "another result of a step", changed("seen", "s", value="another")),
    ("ended", "another result of a run", changed("end", value="another")),
    ("ended", "a claim after an end", changed("end", attempt=99)),
    ("cancelled", "a claim after a cancel", changed("cancel", attempt=99)),
    (
        "cancelled",
        "a cancel that did not hold",
        lambda case: case.facts.append(
            of_kind(case, "end")[1]._replace(kind="cancel", name="", attempt=1)
        ),
    ),
    ("signalled", "another message", changed("signal", "go", value="another")),
    ("logged", "an event that is not there", changed("event", name="99e")),
    ("logged", "events that changed places", swapped),
    ("logged", "an event that changed", event_changed),
    ("kept", "a step that changed", step_changed),
    ("whole", "a fault of sw_store_check", lambda case: case.content.faults.append("a fault")),
    ("effects", "an effect done twice", effect_twice),
    ("effects", "an effect done after its record", effect_after_its_record),
    ("effects", "an effect of two attempts, none lost", effect_by_two_attempts),
    ("effects", "a record of work that nobody did", no_effect),
    ("effects", "an effect of an attempt that came after the record's", effect_of_who_came_after),
    ("fenced", "a run that two attempts completed", two_completed),
    ("tracked", "a step begun twice that may be begun once", tracked_twice),
    ("held", "a run taken from a worker that lives", taken_from_the_living),
    ("steps_once", "a step recorded twice", step_doubled),
    (
        "host_sum",
        "a row of the host's twice",
        lambda case: case.content.entries.append(case.content.entries[0]),
    ),
    ("host_sum", "a row of the host's lost", lambda case: case.content.entries.pop()),
    ("budgets", "a budget overspent", budget_changed("spent", 30)),
    ("budgets", "a settle that was lost", budget_changed("spent", -20)),
    ("budgets", "a raise that nobody made", budget_changed("limit", 5)),
    (
        "narrow",
        "one run more than the limit",
        lambda case: case._replace(seen=case.seen._replace(peak=CONCURRENCY + 1)),
    ),
    (
        "keyed",
        "one run of a key more than the limit",
        lambda case: case._replace(seen=case.seen._replace(peaks={"work red": PER_KEY + 1})),
    ),
    ("fired", "a schedule that fired twice", fired_twice),
    ("forked", "a fork that is not there", changed("fork", run="run_gone")),
    ("forked", "a fork of another run", changed("fork", value="run_another")),
    ("forked", "a copy that changed", copy_changed),
    ("forked", "a copy that was done again", copy_done_again),
    ("forked", "a copy with a row of the host's", copy_written_again),
    ("forked", "a fork that nobody made", fork_unasked),
    ("failed", "a run that failed for nothing", failed_for_nothing),
    ("retried", "a retry that was lost", retry_lost),
    ("timed", "a run that timed out early", timed_out_early),
    ("timed", "a time-out seen early", changed("late", value="0")),
    ("timed", "a wait that was over early", wait_over_early),
    ("timed", "a wait that was told to be over, and is not", wait_never_over),
    ("chosen", "another choice", changed("chosen", value="0.another")),
    ("chosen", "a message that nobody sent", message_of_nobody),
    ("chosen", "an end that no child has", end_of_no_child),
    ("chosen", "a message taken by a wait that has another", message_of_another),
    ("tried", "a step done in a try too late", another_try),
    ("tried", "a try that nobody began", try_unseen),
    ("all_ended", "a run left open", left_open),
    ("all_done", "a run that lost a step", step_lost),
    ("all_done", "a run that lost a child", child_lost),
    ("all_done", "a wait for ever that was over", waited_for_ever),
    ("given_back", "a reservation left", reserved),
]

#: the rule that must speak, and what is done to the file, without this library
STATEMENTS: list[tuple[str, str]] = [
    ("recorded", "DELETE FROM sw_workflow_steps"),
    ("whole", "DELETE FROM sw_workflow_runs"),
    ("logged", "DELETE FROM sw_workflow_events WHERE seq = 2"),
    ("host_sum", "INSERT INTO torture_entries SELECT * FROM torture_entries LIMIT 1"),
    ("host_sum", "UPDATE torture_total SET amount = amount - 1"),
]


def proofs(case: Case, store: Path) -> Iterator[tuple[str, str, bool]]:
    """What was doctored, the rule that is to speak, and whether it did."""
    yield "nothing", "no rule", not judge(*case, True)
    for rule, what, doctor in DOCTORS:
        doctored = copy.deepcopy(case)
        answer = doctor(doctored)
        doctored = answer if isinstance(answer, Case) else doctored
        yield what, rule, rule in {fault.rule for fault in judge(*doctored, True)}
    for rule, statement in STATEMENTS:
        yield statement, rule, rule in doctored_file(case, store, statement)
    spoken = {rule for rule, _, _ in DOCTORS}
    for each in [*ALWAYS, *AT_THE_END]:
        yield f"each rule has a doctor, {each.__name__}", each.__name__, each.__name__ in spoken


def doctored_file(case: Case, store: Path, statement: str) -> set[str]:
    """The rules that speak of a copy of the file to which something was done."""
    doctored = store.with_name("doctored.db")
    for path in store.parent.glob("doctored.db*"):
        path.unlink()
    with sqlite3.connect(store) as source, sqlite3.connect(doctored) as target:
        source.backup(target)
        target.execute("PRAGMA foreign_keys = OFF")
        target.execute(statement)
    target.close()
    with smolwf.Store.open(doctored, no_create=True) as opened:
        try:
            content = read_content(opened)
        except smolwf.CorruptError:
            return {"whole"}
    return {fault.rule for fault in judge(case.facts, content, case.seen, True)}


def is_told(work: Callable[[], object], kind: type[Exception], what: str) -> bool:
    try:
        work()
    except kind as error:
        return what in str(error)
    return False


def is_let_go(gang: Gang) -> bool:
    """Whether one that is stopped at the end of a play goes on: it may hold what all want."""
    (worker,) = gang.workers
    with subprocess.Popen(["sleep", "1000"]) as worker.process:
        gang.stop(worker, 1000.0)
        gang.play(0.0)
        stat = Path(f"/proc/{worker.process.pid}/stat").read_text()
        worker.process.kill()
    worker.process = None
    return ") T" not in stat


def of_the_round(commands: dict[str, list[str]], clock: str, folder: Path) -> Iterator[Any]:
    """What is told by others than the rules."""
    disk = folder / "other"
    disk.mkdir()
    played = Round({"false": ["false"]}, "", folder, disk, "prove")
    try:
        gone = is_told(lambda: played.gang.play(2), Ended, "ended with 1")
        yield "a worker that ends by itself", "Ended", gone
        yield "a worker that nobody looks after", "stopped", is_let_go(played.gang)
        played.gang.workers.clear()
        played.store.submit("torture", "alone s", queue="nobody")
        patience.PATIENCE_SECONDS = 2
        yield "a run that nobody does", "stuck", is_told(played.drain, Broken, "stuck")
    finally:
        played.end()


def has_copies(played: Round, facts: list[Fact]) -> bool:
    """Whether a fork has copied a step that can be doctored."""
    for fact in facts:
        if fact.kind == "fork" and fact.name:
            ops = ops_of(played.store.run(fact.run)["args"])
            names = [op.name for op in ops]
            if any(op.what in COPIED for op in ops[: names.index(fact.name)]):
                return True
    return False


def enough(played: Round) -> Iterator[Trouble]:
    """Calm, until there is something of each kind that can be doctored."""
    for _ in range(TIMES_MAX):
        yield calm
        facts = [fact for fact in played.facts() if fact.name != "cancelled"]
        noted = {(fact.kind, fact.name.rstrip("0123456789")[-1:]) for fact in facts}
        at_limit = max(played.peaks.values(), default=0) >= PER_KEY
        if noted >= NEEDED and at_limit and has_copies(played, facts):
            return


def prove(commands: dict[str, list[str]], clock: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="torture"))
    disk = folder / "disk"
    disk.mkdir()
    played = Round(commands, clock, folder, disk, "prove")
    try:
        content = played.play(enough(played), SECONDS)
        case = Case(played.facts(), content, played.seen()._replace(before=None))
        found = list(proofs(case, played.paths.store))
    finally:
        played.end()
    shutil.rmtree(folder / "logs")
    found += of_the_round(commands, clock, folder)
    missed = [f"{what}: {rule} says nothing" for what, rule, is_found in found if not is_found]
    print("\n".join(f"torture: failed: {each}" for each in missed) or "the judge finds all of it")
    print(f"torture: {len(found) - len(missed)} passed, {len(missed)} failed")
    if not missed:
        shutil.rmtree(folder)
    return len(missed)
