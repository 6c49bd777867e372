"""Rules about what is done to runs from outside, and about time: limits of keys, forks, retries,
time-outs, waits for any of several."""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from content import Content
from fault import Fault, Faults, Seen
from lineage import copies_of, forks_of, record_of
from witness import PER_KEY, Fact, ops_of

SLEEP = 2
MESSAGE, CHILD = 0, 1


def keyed(_: list[Fact], __: Content, of: Seen) -> Faults:
    for key, peak in of.peaks.items():
        if peak > PER_KEY:
            yield Fault("keyed", "", f"{peak} runs of {key} were held at once, of {PER_KEY}")


# ---- forks -----------------------------------------------------------------------------------


def forked(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """A fork is made once per call; what it has copied is the same, and is not done again."""
    forks, copies = forks_of(facts, content), copies_of(facts, content)
    asked = Counter(fact.run for fact in facts if fact.kind == "forking")
    for source, count in Counter(fork.source for fork in forks.values()).items():
        if count > asked[source]:
            yield Fault("forked", source, f"it has {count} forks, and {asked[source]} were made")
    for fact in facts:
        if fact.kind == "fork" and (fact.run not in forks or forks[fact.run].source != fact.value):
            yield Fault("forked", fact.run, f"a fork of {fact.value} was acknowledged, and is not")
        if fact.kind == "effect" and fact.name in copies.get(fact.run, ()):
            yield Fault("forked", fact.run, f"{fact.name} was copied, and done again")
    for run, name, __ in content.entries:
        if name in copies.get(run, ()):
            yield Fault("forked", run, f"{name} was copied, and has a row of the host's")
    for run, names in copies.items():
        for name in sorted(names):
            if not is_copy(content, run, forks[run].source, name):
                yield Fault("forked", run, f"{name} is not what it is in {forks[run].source}")


def is_copy(content: Content, run: str, source: str, name: str) -> bool:
    if name[-1] in "er":
        return True  # these are not recorded as steps are
    mine, theirs = record_of(content, run, name), record_of(content, source, name)
    keys = ("kind", "state", "tries", "result", "error", "started_at_ms", "ended_at_ms")
    return mine is not None and theirs is not None and all(mine[key] == theirs[key] for key in keys)


# ---- ends and retries ------------------------------------------------------------------------


def is_timed_out(content: Content, run: str) -> bool:
    error = content.runs[run]["error"]
    return isinstance(error, dict) and error.get("$smolwf") == "timeout"


def has_lost_its_tries(content: Content, run: str) -> bool:
    """Whether all its tries were lost with their workers: a schedule gives a run three at most."""
    document = content.runs[run]
    lost = [attempt for attempt in content.attempts[run] if attempt["state"] == "lost"]
    error = document["error"]
    is_marked = isinstance(error, dict) and error.get("$smolwf") == "tries"
    return is_marked and len(lost) >= int(document["max_tries"])


def failed(_: list[Fact], content: Content, of: Seen) -> Faults:
    """A run has failed for good if its time-out passed, if its plan has a part that fails so, or if
    as many workers as it has tries were killed under it."""
    for run, document in content.runs.items():
        if content.state(run) != "failed":
            continue
        fails = any(op.what == "d" for op in ops_of(document["args"]))
        is_marked = isinstance(document["error"], dict) and "$smolwf" in document["error"]
        has_time_out = content.key(run) in of.timeouts
        if has_lost_its_tries(content, run):
            continue
        if not (has_time_out if is_timed_out(content, run) else fails and not is_marked):
            yield Fault("failed", run, f"it failed with {document['error']}")


def retried(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """An acknowledged retry opens the run again."""
    for fact in facts:
        if fact.kind == "retry" and fact.run in content.runs:
            is_stuck = len(content.attempts[fact.run]) == fact.attempt
            if is_stuck and content.state(fact.run) == "failed":
                yield Fault("retried", fact.run, "its retry was acknowledged, and it is failed")


# ---- time ------------------------------------------------------------------------------------


def timed(facts: list[Fact], content: Content, of: Seen) -> Faults:
    """Nothing is over before its time, by the clocks that were asked."""
    for fact in facts:
        if fact.kind == "timeout":
            step = record_of(content, fact.run, fact.name)
            if step is None or step["state"] != "timed_out":
                yield Fault("timed", fact.run, f"{fact.name} was told that its time was over")
        if fact.kind == "late" and int(fact.value) + of.clocks_apart < of.timeouts[fact.name]:
            said = f"it was over after {fact.value} ms, of {of.timeouts[fact.name]}"
            yield Fault("timed", fact.run, said)
    for run, document in content.runs.items():
        yield from early_waits(content, run)
        limit = of.timeouts.get(content.key(run), 0)
        if content.state(run) == "failed" and is_timed_out(content, run):
            # One that was running is told, and ends later, by a clock that may have gone back.
            attempts, end = content.attempts[run], document["finished_at_ms"]
            was_told = bool(attempts) and attempts[-1]["ended_at_ms"] == end
            least = document["created_at_ms"] + limit - (of.clocks_apart if was_told else 0)
            if end < least:
                yield Fault("timed", run, f"it timed out {least - end} ms before its time")


def early_waits(content: Content, run: str) -> Faults:
    for op in ops_of(content.runs[run]["args"]):
        step = record_of(content, run, op.name) if op.what in "zqa" else None
        if step is None or step["state"] not in ("completed", "timed_out"):
            continue
        took = step["ended_at_ms"] - step["started_at_ms"]
        is_over = op.what != "a" or step["result"]["index"] == SLEEP
        if is_over and took < op.size:
            yield Fault("timed", run, f"{op.name} was over after {took} ms, of {op.size}")


# ---- one of several --------------------------------------------------------------------------


def choice_of(step: Optional[Any]) -> str:
    """What a wait for any came to, as workers note it."""
    if step is None or step["state"] != "completed":
        return ""
    return f"{step['result']['index']}.{step['result']['value'] or ''}"


def chosen(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """One reason is recorded, whoever asks; it has come, and the others stay as they were."""
    for fact in facts:
        if fact.kind == "chosen":
            found = choice_of(record_of(content, fact.run, fact.name))
            if found != fact.value:
                said = f"{fact.name} was {fact.value} for {fact.who}, and is {found or 'absent'}"
                yield Fault("chosen", fact.run, said)
    copies = copies_of(facts, content)
    for run, document in content.runs.items():
        mine = [op.name for op in ops_of(document["args"]) if op.what == "a"]
        own = [name for name in mine if name not in copies.get(run, ())]
        for name in own:
            yield from reasonless(content, run, name)
        steps = {step["step_id"]: step for step in content.steps[run]}
        for message in content.signals.get(run, []):
            taker = steps.get(message["consumed_by"] or "")
            if message["name"] == "yes" and message["consumed"] and not is_message(taker):
                yield Fault("chosen", run, f"a message was taken by {taker}, which has another")


def is_message(step: Optional[Any]) -> bool:
    return choice_of(step).startswith(f"{MESSAGE}.")


def reasonless(content: Content, run: str, name: str) -> Faults:
    step = record_of(content, run, name)
    if step is None or step["state"] != "completed":
        return
    index, value = step["result"]["index"], step["result"]["value"]
    if index == MESSAGE:
        takers = [message["consumed_by"] for message in content.signals[run]]
        if takers.count(step["step_id"]) != 1 or value != content.key(run):
            yield Fault("chosen", run, f"{name} is a message that was not sent, {value}")
    if index == CHILD:
        ends = [content.runs[child]["result"] for child in content.children_of(run, name)]
        if ends != [value]:
            yield Fault("chosen", run, f"{name} is the end of a child, {value}, and that is {ends}")


# ---- tries -----------------------------------------------------------------------------------


def tried(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """A step that fails until its third try is done in its third, and each try was begun."""
    begun: dict[tuple[str, str], set[int]] = {}
    for fact in facts:
        if fact.kind == "effect" and fact.name.endswith("f"):
            begun.setdefault((fact.run, fact.name), set()).add(int(fact.value))
    # Of what nobody has noted as done, tries may still be under way to the witness.
    done = {(fact.run, fact.name) for fact in facts if fact.kind == "seen"}
    copies = copies_of(facts, content)
    for run, document in content.runs.items():
        for op in ops_of(document["args"]):
            step = record_of(content, run, op.name) if op.what == "f" else None
            if step is None or step["state"] != "completed":
                continue
            if step["tries"] != op.size:
                yield Fault(
                    "tried", run, f"{op.name} was done in try {step['tries']}, not {op.size}"
                )
            is_own = (run, op.name) in done and op.name not in copies.get(run, ())
            if is_own and begun.get((run, op.name)) != set(range(1, op.size + 1)):
                yield Fault("tried", run, f"{op.name} was tried {op.size} times, and not begun so")
