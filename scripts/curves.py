"""Draws the curves of docs/PERFORMANCE.md from what was measured, and writes its table.

python3 scripts/curves.py          the curves, from target/bench/curves.json, to docs/pictures
python3 scripts/curves.py table    the table, from target/bench/results.json, into the page
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "target" / "bench"
PAGE = ROOT / "docs" / "PERFORMANCE.md"
WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 132, 48, 48

# A picture: its file, its title, what is to the right, and the rows of each line.
PICTURES = [
    (
        "curve-threads",
        "Durable steps a second, by threads of one process",
        "threads",
        [
            ("POWER", "threads-power"),
            ("PROCESS", "threads-process"),
            ("R, one raw loop", "threads-raw"),
        ],
    ),
    (
        "curve-processes",
        "Durable steps a second in sum, POWER, by processes on one file",
        "processes",
        [
            ("16 threads each", "processes-16"),
            ("1 thread each", "processes-1"),
            ("R, one raw loop", "processes-raw"),
        ],
    ),
    (
        "curve-payload",
        "Durable steps a second, POWER, by size of the result",
        "bytes",
        [("step", "payload-step"), ("raw row", "payload-raw")],
    ),
    (
        "curve-history",
        "Replayed steps a second, by length of the history",
        "steps",
        [("replay after a claim", "history-replay"), ("raw scan", "history-raw")],
    ),
]
# In both schemes a line is told from the ground and the others, also without colours: by dashes.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.ground { fill: #ffffff } .grid { stroke: #d1d9e0; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.a { stroke: #0550ae } .b { stroke: #953800 } .c { stroke: #59636e }
.b.line { stroke-dasharray: 7 3 } .c.line { stroke-dasharray: 2 3 }
.dot { stroke: none } .a.dot { fill: #0550ae } .b.dot { fill: #953800 } .c.dot { fill: #59636e }
.spread { stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .ground { fill: #0d1117 } .grid { stroke: #3d444d }
  .a { stroke: #79c0ff } .b { stroke: #ffa657 } .c { stroke: #9198a1 }
  .a.dot { fill: #79c0ff } .b.dot { fill: #ffa657 } .c.dot { fill: #9198a1 }
}
""".strip()

Row = dict[str, Any]


def measured(name: str) -> tuple[Row, list[Row]]:
    found = json.loads((MEASURED / name).read_text())
    return found["machine"], found["rows"]


def short(value: float) -> str:
    """Three figures that count."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= 10 * size or (size == 1e6 and abs(value) >= size):
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Axis:
    """A scale by powers of ten, or of two where the values are."""

    def __init__(self, values: list[float], base: int, room: tuple[float, float]) -> None:
        low, high = (math.log(value, base) for value in (min(values), max(values)))
        self.base, self.room = base, room
        self.low, self.high = math.floor(low + 1e-9), math.ceil(high - 1e-9)

    def place(self, value: float) -> float:
        share = (math.log(value, self.base) - self.low) / max(self.high - self.low, 1)
        return self.room[0] + share * (self.room[1] - self.room[0])

    def ticks(self) -> Iterator[float]:
        return (float(self.base) ** at for at in range(self.low, self.high + 1))


def svg(title: str, below: str, lines: list[tuple[str, list[Row]]]) -> str:
    places = [row["at"] for _, rows in lines for row in rows]
    heights = [row[key] for _, rows in lines for row in rows for key in ("least", "most")]
    across = Axis(places, 2 if max(places) <= 1000 else 10, (LEFT, WIDTH - RIGHT))
    up = Axis(heights, 10, (HEIGHT - BOTTOM, TOP))
    out = [f'<text class="title" x="{LEFT}" y="22">{title}</text>']
    for tick in up.ticks():
        y = up.place(tick)
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    for tick in across.ticks():
        out.append(middle(across.place(tick), HEIGHT - BOTTOM + 18, short(tick)))
    out.append(middle((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, below))
    taken: list[float] = []
    # From the top, so that names that must give way to one another stand as their lines do.
    looks = sorted(zip(lines, "abc"), key=lambda of: -float(of[0][1][-1]["median"]))
    for (name, rows), look in looks:
        out.extend(line(name, rows, look, (across, up), taken))
    body = "\n".join(out)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}\n</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>\n{body}\n</svg>\n'
    )


def middle(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>'


def line(
    name: str, rows: list[Row], look: str, axes: tuple[Axis, Axis], taken: list[float]
) -> Iterator[str]:
    """A line through the medians, with the spread of the rounds, and its name at its end."""
    across, up = axes
    ends = [(across.place(row["at"]), up.place(row["median"])) for row in rows]
    if len(ends) == 1:  # one figure that holds everywhere
        ends = [(float(LEFT), ends[0][1]), (float(WIDTH - RIGHT), ends[0][1])]
        rows = []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in ends)
    yield f'<polyline class="{look} line" points="{path}"/>'
    for row in rows:
        x, low, high = (
            across.place(row["at"]),
            up.place(row["least"]),
            up.place(row["most"]),
        )
        yield f'<path class="{look} spread" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
        yield f'<circle class="{look} dot" cx="{x:.1f}" cy="{up.place(row["median"]):.1f}" r="3"/>'
    y = ends[-1][1] + 4
    while any(abs(y - other) < 15 for other in taken):
        y += 1
    taken.append(y)
    yield f'<text x="{ends[-1][0] + 8:.1f}" y="{y:.1f}">{name}</text>'


def draw() -> None:
    _, rows = measured("curves.json")
    for file, title, below, lines in PICTURES:
        found = []
        for name, start in lines:
            of = [
                row
                for row in rows
                if row["name"].removeprefix("curve/").rpartition("-")[0] == start
            ]
            of = of or [row for row in rows if row["name"] == f"curve/{start}"]
            if not of:
                raise SystemExit(f"{start}: nothing was measured; run `make curves`")
            found.append((name, sorted(of, key=lambda row: float(row["at"]))))
        path = ROOT / "docs" / "pictures" / f"{file}.svg"
        path.write_text(svg(title, below, found))
        print(path.relative_to(ROOT))


def plain(value: float) -> str:
    return short(value).replace(" ", "")


def table_line(row: Row) -> str:
    unit, once = row["unit"], len(row["values"]) == 1
    spread = "once" if once else f"{plain(row['least'])} to {plain(row['most'])}"
    beside = f"{short(row['ratio'])} x {row['of']}" if row["of"] else ""
    floor = f"{short(row['of_floor'])} x {row['floor']}" if row["floor"] else ""
    wanted = (row["wanted"] or "").replace("<=", "at most").replace(">=", "at least")
    if row["is_met"] is False:
        wanted = f"**{wanted}**"
    if not row["is_steady"]:
        wanted = f"{wanted} (unsteady)"
    figure = f"{plain(row['median'])} {unit}"
    return f"| {' | '.join([row['name'], row['what'], figure, spread, beside, floor, wanted])} |"


def table() -> None:
    """Writes the rows, and what they were taken on, between the two marks of the page."""
    machine, rows = measured("results.json")
    known = [row["is_met"] for row in rows if row["is_met"] is not None]
    head = (
        f"{machine['date'][:10]}, commit {machine['commit']}: {machine['cores']} x "
        f"{machine['processor']}, Linux {machine['kernel']}, {machine['file_system'].split()[0]}, "
        f"SQLite {machine['sqlite']}, {machine['rounds']} rounds, load "
        f"{machine['load_before'].split()[0]} before it; {sum(known)} of {len(known)} rows "
        "that want something have it."
    )
    lines = [
        "| row | what | median | least to most | beside | beside its floor | wanted |",
        "|---|---|---|---|---|---|---|",
        *map(table_line, rows),
    ]
    first, rest = PAGE.read_text().split("<!-- measured -->\n", 1)
    _, last = rest.split("<!-- end -->", 1)
    body = "\n".join([head, "", *lines])
    PAGE.write_text(f"{first}<!-- measured -->\n{body}\n<!-- end -->{last}")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    table() if sys.argv[1:] == ["table"] else draw()
