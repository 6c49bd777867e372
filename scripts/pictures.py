"""Draws what a terminal shows as an SVG: what `tmux capture-pane -e` has said.

Called as pictures.py COLUMNS TITLE.
"""

import re
import sys
from html import escape

WIDTH, HEIGHT, MARGIN, BAR = 8.4, 18, 14, 34
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}
TEXT, DIM = "#d6dde6", "#8b949e"


def spans(line, look):
    """Yields the parts of a line with one look each: text, colour, whether it is bold.

    look is what the line before ended with: tmux says only what changes.
    """
    colour, bold = look
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if codes is None:
            if part:
                yield part, colour, bold
            continue
        for code in (codes[1] or "0").split(";"):
            if code in ("0", "39"):
                colour = TEXT
            bold = (bold or code == "1") and code not in ("0", "22")
            colour = DIM if code == "2" else COLOURS.get(code, colour)
        look[:] = colour, bold


def row(line, top, look):
    """One line as text elements, each in its place, so that no font moves a column."""
    column, drawn = 0, []
    for text, colour, bold in spans(line, look):
        for word in re.finditer(r"\S+(?: \S+)*", text):
            left = MARGIN + (column + word.start()) * WIDTH
            wide = len(word[0]) * WIDTH
            weight = ' font-weight="bold"' if bold else ""
            drawn.append(
                f'<text x="{left:.1f}" y="{top}" fill="{colour}"{weight} textLength="{wide:.1f}" '
                f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(word[0])}</text>'
            )
        column += len(text)
    return "".join(drawn)


def main():
    columns, title = int(sys.argv[1]), sys.argv[2]
    lines = sys.stdin.read().rstrip().split("\n")
    width, height = columns * WIDTH + 2 * MARGIN, BAR + len(lines) * HEIGHT + MARGIN
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img" '
        f'viewBox="0 0 {width:.0f} {height}" font-size="14" '
        'font-family="ui-monospace, Menlo, Consolas, monospace">'
    )
    print(f"<title>{escape(title)}</title>")
    print('<rect width="100%" height="100%" rx="8" fill="#0d1117"/>')
    for at, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"]):
        print(f'<circle cx="{MARGIN + 6 + 20 * at}" cy="17" r="6" fill="{colour}"/>')
    print(f'<text x="50%" y="22" fill="{DIM}" text-anchor="middle">{escape(title)}</text>')
    look = [TEXT, False]
    for at, line in enumerate(lines):
        print(row(line, BAR + 14 + at * HEIGHT, look))
    print("</svg>")


main()
