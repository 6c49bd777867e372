"""What stands outside of the store: the plans of runs, and the facts that workers were told."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

#: what every run may spend; the driver raises it where a plan needs more
COINS = 20
#: of the queue "narrow"
CONCURRENCY = 3
#: runs of one concurrency key in one queue
PER_KEY = 2
#: what a child of a plan does
CHILD_PLAN = "s w5 b1 x1"


class Fact(NamedTuple):
    """One write of a worker, in the order of the file."""

    kind: str
    run: str
    name: str
    attempt: int
    value: str
    who: str


def read_facts(path: Path) -> list[Fact]:
    """All facts; one whose writing was cut short has not its end, and is none."""
    facts = []
    for line in path.read_text(encoding="ascii").split("\n"):
        parts = line.split("\t")
        if len(parts) == 7 and parts[6] == ".":
            kind, run, name, attempt, value, who, _ = parts
            facts.append(Fact(kind, run, name, int(attempt), value, who))
    return facts


class Op(NamedTuple):
    """A part of a plan."""

    name: str
    what: str
    size: int


def ops_of(args: str) -> list[Op]:
    """The parts of the plan that stands in the args of a run, after its key."""
    words = args.split(" ")[1:]
    return [Op(f"{at}{word[0]}", word[0], int(word[1:] or 0)) for at, word in enumerate(words)]


def spent_by(op: Op) -> int:
    """What a step that reserves settles."""
    return op.size - op.size // 3 if op.what == "b" else 0


def draw_plan(draws: random.Random) -> str:
    """A plan of two to eight parts; it takes one signal at most."""
    parts, has_signal = [], False
    for _ in range(draws.randint(2, 8)):
        what = draws.choice("ssswwfhttbbxxzgceraaqd")
        if what == "g" and has_signal:
            what = "s"
        has_signal = has_signal or what == "g"
        parts.append(what + draw_count(draws, what))
    return " ".join(parts)


def draw_count(draws: random.Random, what: str) -> str:
    if what == "w" and draws.random() < 0.15:
        return str(draws.randint(700, 1500))  # longer than a lease may last
    spans = {"w": (1, 120), "f": (2, 3), "b": (1, 9), "x": (1, 50), "z": (1, 300), "c": (1, 4)}
    spans |= {"a": (20, 600), "q": (1, 150)}
    return str(draws.randint(*spans[what])) if what in spans else ""


def draw_act(draws: random.Random, plan: str) -> str:
    """What is done to a run from outside; one that fails is left to the last, now and then."""
    ops = ops_of(f"k {plan}")
    letters = {op.what for op in ops}
    if "d" in letters:
        return draws.choices(["retry", "cancel", "-"], [80, 5, 15])[0]
    act = draws.choices(["cancel", "pause", "fork", "timeout", "-"], [10, 8, 14, 10, 58])[0]
    if act == "fork":
        return f"fork:{draws.choice(['', *(op.name for op in ops if op.what in 'swfhtbxzcaq')])}"
    if act == "timeout":
        return f"timeout:{draws.randint(150, 1500)}"
    if act == "-" and "g" in letters:
        return "signal"
    return draws.choice(["yes", "-"]) if act == "-" and "a" in letters else act


def draw_plans(draws: random.Random, count: int) -> list[str]:
    """Lines of key, queue, concurrency key, what is done to the run from outside, and its args."""
    lines = []
    for at in range(count):
        plan, key = draw_plan(draws), f"k{at}"
        queue = draws.choice(["work", "work", "narrow"])
        shared = draws.choice(["-", "-", "-", "red", "green", "blue"])
        act = draw_act(draws, plan)
        if act.startswith("timeout") and draws.random() < 0.5:
            plan += " n"
        lines.append(f"{key}\t{queue}\t{shared}\t{act}\t{key} {plan}")
    return lines


def timeouts_of(lines: list[str]) -> dict[str, int]:
    """By key, the time-out that a run is given."""
    words = (line.split("\t") for line in lines)
    acts = ((key, act.partition(":")) for key, _, _, act, _ in words)
    return {key: int(size) for key, (what, _, size) in acts if what == "timeout"}


def stale_facts(facts: list[Fact]) -> int:
    """How often an attempt did something after a later one had begun to."""
    newest: dict[str, int] = {}
    stale = 0
    for fact in facts:
        if fact.kind in ("effect", "seen"):
            stale += fact.attempt < newest.get(fact.run, 0)
            newest[fact.run] = max(fact.attempt, newest.get(fact.run, 0))
    return stale


def languages(facts: list[Fact]) -> Counter[str]:
    """How many facts each language noted."""
    return Counter(fact.who.split(".")[0] for fact in facts)


def shared_runs(facts: list[Fact]) -> int:
    """How many runs were worked on in more than one language."""
    by_run: dict[str, set[str]] = {}
    for fact in facts:
        if fact.kind in ("effect", "seen"):
            by_run.setdefault(fact.run, set()).add(fact.who.split(".")[0])
    return sum(len(them) > 1 for them in by_run.values())
