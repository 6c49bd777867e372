"""Holds what the witness says against what the store holds. Each rule says in a sentence what is
wrong.

A rule that is asked between troubles tells of facts that are missing or doubled; one that is asked
at the end, of a store whose runs have all been carried to their ends, of what was lost on the way.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from acts import chosen, failed, forked, is_timed_out, keyed, retried, timed, tried
from content import Content
from fault import Fault, Faults, Seen
from lineage import copies_of, forks_of, retries_of
from witness import CONCURRENCY, Fact, Op, ops_of, spent_by

# ---- what was acknowledged is there ----------------------------------------------------------


def submitted(facts: list[Fact], content: Content, _: Seen) -> Faults:
    for fact in facts:
        if fact.kind == "submit":
            found = content.runs.get(fact.run)
            if found is None or not found["args"].startswith(f"{fact.name} "):
                yield Fault("submitted", fact.run, f"run {fact.name} was acknowledged, and is not")
    forks = forks_of(facts, content)
    own = [run for run, document in content.runs.items() if not document["metadata"]]
    keys = Counter((content.runs[run]["parent_run_id"], content.key(run)) for run in own)
    keys -= Counter((None, content.key(run)) for run in forks)
    for run in own:
        key = (content.runs[run]["parent_run_id"], content.key(run))
        if keys[key] > 1:
            yield Fault("submitted", run, f"key {key[1]} has {keys[key]} runs")


def recorded(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """What somebody was given as a recorded result is the one that is recorded."""
    for fact in facts:
        if fact.kind == "seen":
            name = "go" if fact.name.endswith("g") else fact.name
            found = content.result(fact.run, name)
            if found != fact.value:
                said = (
                    f"{fact.name} came to {fact.value} for {fact.who}, and is {found or 'absent'}"
                )
                yield Fault("recorded", fact.run, said)


def ended(facts: list[Fact], content: Content, of: Seen) -> Faults:
    """An end is final, and nobody claims the run afterwards, unless it failed and was retried."""
    retries = retries_of(facts, of)
    for fact in facts:
        document = content.runs.get(fact.run)
        if fact.name == "failed" and retries[fact.run]:
            continue
        if fact.kind in ("end", "child") and document is not None:
            state, count = fact.name or "completed", len(content.attempts[fact.run])
            if fact.kind == "end" and count != fact.attempt:
                said = f"it ended after {fact.attempt} attempts, and has {count}"
                yield Fault("ended", fact.run, said)
            if document["state"] != state or (document["result"] or "") != fact.value:
                found = f"{document['state']} with {document['result']}"
                yield Fault(
                    "ended", fact.run, f"it ended {state} with {fact.value}, and is {found}"
                )
        elif fact.kind in ("end", "child"):
            yield Fault("ended", fact.run, "its end was told, and it is not there")


def cancelled(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """An acknowledged cancel ends the run, and nobody claims it afterwards."""
    for fact in facts:
        if fact.kind == "cancel" and fact.run in content.runs:
            count = len(content.attempts[fact.run])
            if count != fact.attempt:
                said = f"claimed after its cancel: {fact.attempt} attempts then, {count} now"
                yield Fault("cancelled", fact.run, said)
            if content.state(fact.run) not in ("cancelled", "running"):
                yield Fault("cancelled", fact.run, f"cancelled, and is {content.state(fact.run)}")


def signalled(facts: list[Fact], content: Content, _: Seen) -> Faults:
    for fact in facts:
        if fact.kind == "signal":
            of_run = content.signals.get(fact.run, [])
            sent = [each for each in of_run if each["name"] == fact.name]
            # What a wait for any has taken stands in its record.
            is_moved = len(sent) == 1 and fact.name == "yes" and sent[0]["consumed"]
            if len(sent) != 1 or (not is_moved and sent[0]["payload"] != fact.value):
                yield Fault("signalled", fact.run, f"one message was sent, {len(sent)} are there")


def logged(facts: list[Fact], content: Content, of: Seen) -> Faults:
    """Events have no gaps, one for each key, and stay what they were."""
    for at, event in enumerate(content.events):
        if event["seq"] != content.events[0]["seq"] + at:
            yield Fault("logged", event["run_id"], f"event {event['seq']} stands at place {at}")
            break
    noted = Counter((e["run_id"], e["payload"]) for e in content.events if e["type"] == "noted")
    for (run, name), count in noted.items():
        if count > 1:
            yield Fault("logged", run, f"event {name} stands {count} times")
    for fact in facts:
        if fact.kind == "event" and (fact.run, fact.name) not in noted:
            yield Fault("logged", fact.run, f"event {fact.name} was acknowledged, and is not")
    before = of.before.events if of.before else []
    for old, new in zip(before, content.events):
        if old != new:
            yield Fault("logged", old["run_id"], f"event {old['seq']} has changed")


def kept(_: list[Fact], content: Content, of: Seen) -> Faults:
    """What was recorded at an earlier checkpoint is the same now."""
    for run, steps in (of.before.steps if of.before else {}).items():
        now = {each["step_id"]: each for each in content.steps.get(run, [])}
        for step in steps:
            if step["state"] == "completed" and now.get(step["step_id"]) != step:
                yield Fault("kept", run, f"step {step['name']} was recorded, and has changed")


def whole(_: list[Fact], content: Content, __: Seen) -> Faults:
    if content.faults:
        yield Fault("whole", "", f"sw_store_check found {content.faults[:3]}")


# ---- what is done is done once ---------------------------------------------------------------


def effects(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """One effect per step, attempt and try; another only after an attempt that was lost between
    its work and its record, and none by an attempt that began after the record."""
    known: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    recorded_by: dict[tuple[str, str], int] = {}
    for fact in facts:
        step = (fact.run, fact.name)
        if fact.kind == "seen":
            recorded_by[step] = min(fact.attempt, recorded_by.get(step, fact.attempt))
        if fact.kind != "effect":
            continue
        if fact.attempt >= recorded_by.get(step, fact.attempt + 1):
            said = f"{fact.name} was done again by attempt {fact.attempt}, after it was recorded"
            yield Fault("effects", fact.run, said)
        for before in known[step]:
            yield from repeated(before, fact, content)
        known[step].append(fact)
    yield from causeless(facts, known, copies_of(facts, content))


def repeated(before: Fact, fact: Fact, content: Content) -> Faults:
    if before.attempt == fact.attempt and before.value == fact.value:
        said = f"{fact.name} was done twice by attempt {fact.attempt}, in try {fact.value}"
        yield Fault("effects", fact.run, said)
    elif before.attempt != fact.attempt and fact.name[-1] not in "fd":
        ends = {each["number"]: each["state"] for each in content.attempts.get(fact.run, [])}
        first, second = sorted([before.attempt, fact.attempt])
        if ends.get(first) != "lost":
            said = f"{fact.name} was done by attempts {first} and {second}, of which the first"
            yield Fault("effects", fact.run, f"{said} was {ends.get(first)}, and not lost")


def tracked(facts: list[Fact], _: Content, of: Seen) -> Faults:
    """Work whose start is recorded, with one try, is begun once, whatever is killed; a retry of the
    run forgets that it was interrupted."""
    begun = Counter((fact.run, fact.name) for fact in facts if fact.kind == "effect")
    retries = retries_of(facts, of)
    for (run, name), count in begun.items():
        if name.endswith("t") and count > 1 + retries[run]:
            yield Fault("tracked", run, f"{name} was begun {count} times, of {1 + retries[run]}")
    done = {(fact.run, fact.name) for fact in facts if fact.kind == "seen"}
    for fact in facts:
        is_done = (fact.run, fact.name) in done and not retries[fact.run]
        if fact.kind == "interrupted" and is_done:
            yield Fault("tracked", fact.run, f"{fact.name} was done, and then interrupted")


def causeless(
    facts: list[Fact], known: dict[tuple[str, str], list[Fact]], copies: dict[str, set[str]]
) -> Faults:
    """What is recorded was worked for by whoever wrote it, and by no attempt after his: that would
    have been given it, or he would have been refused."""
    for fact in facts:
        is_copy = fact.name in copies.get(fact.run, ())
        if fact.kind == "seen" and fact.name[-1] in "swfhbtd" and not is_copy:
            author = fact.value.rsplit(".", 1)[0]
            work = known[fact.run, fact.name]
            by_author = [each.attempt for each in work if each.who == author]
            if not by_author:
                yield Fault("effects", fact.run, f"{fact.name} has a result of {author}, no effect")
            elif max(each.attempt for each in work) > max(by_author):
                said = f"{fact.name} was done by an attempt after that of {author}, who recorded it"
                yield Fault("effects", fact.run, said)


def fenced(_: list[Fact], content: Content, __: Seen) -> Faults:
    """Only the newest attempt of a run holds it, or has completed it."""
    for run, attempts in content.attempts.items():
        for at, each in enumerate(attempts):
            is_older = at < len(attempts) - 1
            holds = each["state"] in ("running", "completed")
            if each["number"] != at + 1 or (holds and is_older):
                said = f"attempt {each['number']} of {len(attempts)} is {each['state']}"
                yield Fault("fenced", run, said)


def held(_: list[Fact], content: Content, of: Seen) -> Faults:
    """Nothing is taken from a worker that lives, is its lease so, however long it is stopped."""
    for run, attempts in content.attempts.items():
        for each in attempts:
            if each["state"] == "lost" and each["worker"] in of.held_on:
                said = f"attempt {each['number']} was taken from {each['worker']}, which lived"
                yield Fault("held", run, said)


def steps_once(_: list[Fact], content: Content, __: Seen) -> Faults:
    for run, steps in content.steps.items():
        names = Counter((each["kind"], each["name"], each["occurrence"]) for each in steps)
        for (kind, name, occurrence), count in names.items():
            if count > 1 or occurrence != 1:
                yield Fault("steps_once", run, f"{kind} {name} is recorded {count} times")


def host_sum(facts: list[Fact], content: Content, _: Seen) -> Faults:
    """What steps did to the host's tables is done if and only if the step is recorded."""
    rows = Counter((run, name) for run, name, _ in content.entries)
    copies = copies_of(facts, content)
    for (run, name), count in rows.items():
        if count > 1 or not content.result(run, name):
            yield Fault("host_sum", run, f"{name} has {count} rows of the host's")
    for run, document in content.runs.items():
        for op in ops_of(document["args"]):
            is_own = op.what == "x" and op.name not in copies.get(run, ())
            if is_own and content.result(run, op.name) and rows[run, op.name] != 1:
                yield Fault("host_sum", run, f"{op.name} is recorded, and has no row of the host's")
    summed = sum(amount for _, _, amount in content.entries)
    if summed != content.total:
        yield Fault("host_sum", "", f"the host's rows come to {summed}, its sum is {content.total}")


def budgets(facts: list[Fact], content: Content, of: Seen) -> Faults:
    copies = copies_of(facts, content)
    for root, budget in content.budgets.items():
        coins = budget["units"].get("coins")
        if coins is None:
            continue  # of a schedule: it has none
        limit, spent, reserved = coins["limit"], coins["spent"], coins["reserved"]
        tree = tree_of(content, root)
        paid = sum(paid_of(content, run, copies.get(run, set())) for run in tree)
        if limit != 20 + of.raises.get(root, 0):
            yield Fault(
                "budgets", root, f"its limit is {limit}, raised by {of.raises.get(root, 0)}"
            )
        if spent + reserved > limit:
            yield Fault("budgets", root, f"{spent} spent and {reserved} reserved, of {limit}")
        if sum(total["spent"] for total in budget["totals"]) != spent:
            yield Fault("budgets", root, f"{spent} spent, which is not the sum of its ledger")
        if paid > spent:
            yield Fault("budgets", root, f"its steps settled {paid}, and {spent} are spent")


def paid_of(content: Content, run: str, copied: set[str]) -> int:
    """What its own steps settled: of what it has copied, its source paid."""
    own = [op for op in ops_of(content.runs[run]["args"]) if op.name not in copied]
    return sum(spent_by(op) for op in own if content.result(run, op.name))


def tree_of(content: Content, root: str) -> list[str]:
    return [root, *(each for child in content.children[root] for each in tree_of(content, child))]


def narrow(_: list[Fact], __: Content, of: Seen) -> Faults:
    if of.peak > CONCURRENCY:
        yield Fault("narrow", "", f"{of.peak} runs were held at once, of {CONCURRENCY}")


def fired(_: list[Fact], content: Content, __: Seen) -> Faults:
    whens = Counter(
        document["metadata"]["scheduled_at_ms"]
        for document in content.runs.values()
        if document["metadata"]
    )
    for when, count in whens.items():
        if count > 1:
            yield Fault("fired", "", f"the schedule fired {count} times for {when}")


# ---- at the end ------------------------------------------------------------------------------


def all_ended(_: list[Fact], content: Content, __: Seen) -> Faults:
    for run in content.runs:
        state = content.state(run)
        is_late = state == "failed" and is_timed_out(content, run)
        if state not in ("completed", "cancelled") and not is_late:
            yield Fault("all_ended", run, f"it is {state}")


def all_done(_: list[Fact], content: Content, __: Seen) -> Faults:
    """A run that completed has done all of its plan, and its children."""
    for run, document in content.runs.items():
        if document["state"] == "completed":
            for op in ops_of(document["args"]):
                if not is_done(content, run, op):
                    yield Fault("all_done", run, f"it completed without {op.name}")


def is_done(content: Content, run: str, op: Op) -> bool:
    if op.what in "swfhbxd":
        return content.result(run, op.name) != ""
    if op.what == "t":
        return any(each["name"] == op.name for each in content.steps[run])
    if op.what == "g":
        return content.result(run, "go") != ""
    if op.what == "n":
        return False  # nobody sends what it waits for
    if op.what == "e":
        return any(e["run_id"] == run and e["payload"] == op.name for e in content.events)
    mine = [each for each in content.steps[run] if each["name"] == op.name]
    if op.what == "z":
        return [each["state"] for each in mine] == ["completed"]
    if op.what == "q":
        return [each["state"] for each in mine] == ["timed_out"]
    if op.what in "ca":
        made = [each for each in content.children_of(run, op.name) if is_child(content, each)]
        done = [each for each in made if content.state(each) == "completed"]
        count = op.size if op.what == "c" else 1
        states = [each["state"] for each in mine if each["kind"] != "child_submit"]
        return len(made) == len(done) == count and states == ["completed"]
    return True


def is_child(content: Content, run: str) -> bool:
    """Whether it is there, and its parent knows of it; of a fork that may be the source."""
    parent = content.runs[run]["parent_run_id"] if run in content.runs else None
    return parent is not None and run in content.children[parent]


def given_back(_: list[Fact], content: Content, __: Seen) -> Faults:
    for root, budget in content.budgets.items():
        reserved = budget["units"].get("coins", {"reserved": 0})["reserved"]
        if reserved:
            yield Fault("given_back", root, f"all is over, and {reserved} are reserved")


ALWAYS = [
    whole,
    submitted,
    recorded,
    ended,
    cancelled,
    signalled,
    logged,
    kept,
    effects,
    tracked,
    fenced,
    held,
    steps_once,
    host_sum,
    budgets,
    narrow,
    keyed,
    fired,
    forked,
    failed,
    retried,
    timed,
    chosen,
    tried,
]
AT_THE_END = [all_ended, all_done, given_back]


def judge(facts: list[Fact], content: Content, of: Seen, is_over: bool) -> list[Fault]:
    rules = [*ALWAYS, *(AT_THE_END if is_over else [])]
    return [fault for rule in rules for fault in rule(facts, content, of)]
