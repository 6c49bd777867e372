"""Says what the rounds of run.sh came to: medians, and ratios that were taken within each round.

python told.py <peer> <what the rounds printed> <file for the figures>
"""

import json
import sys
from pathlib import Path
from statistics import median

# What of theirs is held against which row of ours, and how that is called.
COMPARED = [
    ("steps", "step/power-1", "steps, one after the other"),
    ("runs", "queue/loop-1", "runs, ours in one thread"),
    ("runs", "queue/loop-8", "runs, ours in eight threads"),
]


def values(text: str) -> list[dict]:
    """Reads one JSON value after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def main() -> None:
    peer, lines, file = sys.argv[1:]
    rounds = values(Path(lines).read_text())
    theirs = [it for it in rounds if "steps" in it]
    ours = [{row["name"]: row["median"] for row in it["rows"]} for it in rounds if "rows" in it]
    told = {"peer": peer, "rounds": len(ours)}
    print(f"{'':32}{peer:>14} a second   [least .. most]     ours   R    theirs of ours, of R")
    for what, row, name in COMPARED:
        raw = f"{row.split('/')[0]}/raw-full"
        of = [it[what] for it in theirs]
        mine, limit = [it[row] for it in ours], [it[raw] for it in ours]
        ratio = median(a / b for a, b in zip(of, mine))
        of_raw = median(a / b for a, b in zip(of, limit))
        told[row] = {
            "theirs": of,
            "ours": mine,
            "raw": limit,
            "of_ours": ratio,
            "of_raw": of_raw,
        }
        spread = f"[{min(of):.0f} .. {max(of):.0f}]"
        print(
            f"{name:32}{median(of):14.0f}            {spread:18}"
            f"{median(mine):7.0f} {median(limit):7.0f}   {ratio:.3f}  {of_raw:.3f}"
        )
    Path(file).write_text(json.dumps(told, indent=1) + "\n")


main()
