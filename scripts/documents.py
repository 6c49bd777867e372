#!/usr/bin/env python3
"""Writes the clients' types of documents from docs/schemas; with --check it only says what differs.

One program for three languages, so that a document reads alike in each. It knows the few forms that
the shapes have, and stops at any other. Formatters leave what it writes as it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).resolve().parent.parent
URN = "urn:smolwf:schema:"
SHAPES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((ROOT / "docs/schemas").glob("*.json"))
}
MADE = "Made from docs/schemas by scripts/documents.py: do not edit."
WIDTH = 100

#: What a shape is called in Python, Node and Go. None: it has no type there. Go reads pages into
#: types of its own, and leaves what has several forms as JSON.
NAMES = {
    "acted": ("Acted", "ActDocument", "Acted"),
    "attempt": ("AttemptRecord", "AttemptDocument", "AttemptRecord"),
    "batches": ("Batches", "BatchesDocument", "Batches"),
    "budget": ("Budget", "BudgetDocument", "Budget"),
    "budget_total": ("BudgetTotal", "BudgetTotal", "BudgetTotal"),
    "budget_unit": ("BudgetUnit", "BudgetUnit", "Balance"),
    "budget_warning": ("BudgetWarning", "BudgetWarning", "BudgetWarning"),
    "came": (None, None, "Came"),
    "call_stats": ("CallStats", "CallDocument", "CallStats"),
    "check": ("Check", "CheckDocument", "Check"),
    "child": ("ChildRecord", "ChildDocument", "ChildRecord"),
    "compacted": ("Compacted", "CompactDocument", "Compacted"),
    "engine_error": ("EngineError", "EngineErrorDocument", "EngineError"),
    "event": ("Event", "EventDocument", "Event"),
    "events": ("Events", "EventPage", None),
    "events_found": ("EventPage", "EventsFound", "EventPage"),
    "explanation": ("Explanation", "ExplainDocument", "Explanation"),
    "fault": ("Fault", "FaultDocument", "Fault"),
    "file_stats": ("FileStats", "FileDocument", "FileStats"),
    "full_limit": ("FullLimit", "FullDocument", "FullLimit"),
    "history": ("History", "HistoryDocument", "History"),
    "imported": ("Imported", "ImportDocument", "Imported"),
    "moved_table": ("MovedTable", "MovedTableDocument", "MovedTable"),
    "graduate": ("Graduated", "GraduateDocument", "Graduated"),
    "listed_run": ("ListedRun", "RunItem", None),
    "migration": ("Migration", "MigrationDocument", "Migration"),
    "owner": ("Owner", "OwnerDocument", "Owner"),
    "pruned": ("Pruned", "PruneDocument", "Pruned"),
    "queue": ("Queue", "QueueDocument", "Queue"),
    "reason": ("Reason", "ReasonDocument", "Reason"),
    "reason_code": ("ReasonCode", "ReasonCode", None),
    "refused_run": ("Refusal", "RefusedRun", "Refused"),
    "retention": ("Retention", "RetentionDocument", "Retention"),
    "retention_rule": ("RetentionRule", "RetentionRule", "RetentionRule"),
    "run": ("Run", "RunDocument", "Run"),
    "run_counts": ("RunCounts", "RunCounts", "RunCounts"),
    "run_state": ("RunState", "RunState", None),
    "runs": ("RunPage", "RunPage", None),
    "schedule": ("Schedule", "ScheduleDocument", "ScheduleRecord"),
    "signal": ("SignalRecord", "SignalDocument", "SignalRecord"),
    "stats": ("Stats", "StatsDocument", "Stats"),
    "step": ("StepRecord", "StepDocument", "StepRecord"),
    "submitted_run": ("SubmittedRun", "SubmittedDocument", "Submitted"),
    "wait": ("Wait", "WaitDocument", None),
    "writer_stats": ("WriterStats", "WriterDocument", "WriterStats"),
}
#: Lists of others; what calls take: options, in the words of the language; rows of the host's
#: tables, whose values the clients read into values of the language; exported trees, which stay
#: texts.
UNTYPED = {
    "came_all", "migrations", "owners", "queues", "schedules", "submitted",
    "event_filter", "queue_settings", "run_filter", "schedule_spec", "submit_item",
    "rows", "script", "script_end", "script_item", "script_result", "script_results",
    "script_signal", "sql_bytes", "sql_real",
    "carried_amount", "carried_attempt", "carried_end", "carried_event", "carried_name",
    "carried_reservation", "carried_run", "carried_signal", "carried_spent", "carried_step",
    "carried_task", "carried_text", "carried_tree", "carried_unit", "carried_wait",
}  # fmt: skip


def ordered() -> list[str]:
    """Shapes, each after those that it names."""
    seen: list[str] = []

    def visit(name: str) -> None:
        for target in sorted(targets(SHAPES[name])):
            visit(target)
        if name not in seen:
            seen.append(name)

    for name in NAMES:
        visit(name)
    return seen


def targets(shape: object) -> set[str]:
    if isinstance(shape, list):
        return set().union(*map(targets, shape))
    if not isinstance(shape, dict):
        return set()
    mine = {named(shape)} if "$ref" in shape else set()
    return mine.union(*map(targets, shape.values()))


def named(shape: dict) -> str:
    return shape["$ref"].removeprefix(URN)


def without_null(shape: dict) -> tuple[dict, bool]:
    """The shape that is left, and whether null is allowed beside it."""
    if "anyOf" in shape:
        rest = [one for one in shape["anyOf"] if one != {"type": "null"}]
        if len(rest) != 1:
            raise SystemExit(f"this is not known here: {shape}")
        return rest[0], True
    if isinstance(shape.get("type"), list):
        rest = [one for one in shape["type"] if one != "null"]
        if len(rest) != 1 or "enum" in shape:
            raise SystemExit(f"this is not known here: {shape}")
        return {**shape, "type": rest[0]}, True
    return shape, False


def wrapped(text: str, before: str, width: int = WIDTH) -> list[str]:
    """A comment in lines."""
    lines, line = [], before
    for word in text.split():
        if len(line) + 1 + len(word) > width and line != before:
            lines.append(line)
            line = before
        line += ("" if line.endswith(" ") or not line else " ") + word
    return [*lines, line]


class Language:
    """What a language makes of a shape."""

    column = 0
    plain: ClassVar[dict[str, str]] = {}
    anything = table = ""

    def name(self, shape: str) -> str | None:
        return NAMES[shape][self.column]

    def shapes(self) -> list[str]:
        return [name for name in ordered() if self.name(name)]

    def type(self, shape: dict) -> str:
        shape, is_nullable = without_null(shape)
        made = self.bare(shape)
        return self.nullable(made) if is_nullable and made != self.anything else made

    def bare(self, shape: dict) -> str:
        if "$ref" in shape:
            return self.name(named(shape)) or self.unnamed(SHAPES[named(shape)])
        if "enum" in shape:
            return self.choice(shape["enum"])
        kind = shape.get("type")
        if kind == "array":
            item = shape["items"]
            return self.list(self.plain["string"] if "enum" in item else self.type(item))
        if kind == "object" and isinstance(shape.get("additionalProperties"), dict):
            return self.table % self.type(shape["additionalProperties"])
        return self.anything if kind is None else self.plain[kind]

    def unnamed(self, shape: dict) -> str:
        return self.plain["string"] if "enum" in shape else self.anything

    def file(self) -> str:
        lines = [self.head, *(line for name in self.shapes() for line in self.shape(name))]
        return "\n".join(lines).rstrip() + "\n"


class Python(Language):
    column = 0
    plain: ClassVar = {
        "string": "str",
        "integer": "int",
        "boolean": "bool",
        "object": "dict[str, Any]",
    }
    anything, table = "Any", "dict[str, %s]"
    head = f'''"""Shapes of the documents that the library hands out. Keys are only ever added.

{MADE}
"""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union
'''
    #: What the keys are called that an open document always has.
    bases: ClassVar = {"listed_run": "RunSummary"}

    def nullable(self, made: str) -> str:
        return f"Optional[{made}]"

    def list(self, item: str) -> str:
        return f"list[{item}]"

    def choice(self, values: list[str]) -> str:
        return "Literal[" + ", ".join(f'"{one}"' for one in values) + "]"

    def shape(self, name: str) -> list[str]:
        shape, title = SHAPES[name], self.name(name) or ""
        if "enum" in shape:
            words = [f'    "{one}",' for one in shape["enum"]]
            return [
                "",
                *wrapped(shape["description"], "#:"),
                f"{title} = Literal[",
                *words,
                "]",
                "",
            ]
        if "oneOf" in shape:
            return self.union(title, shape)
        needed = {key: shape["properties"][key] for key in shape["required"]}
        others = {key: one for key, one in shape["properties"].items() if key not in needed}
        if not others:
            return self.keys(title, "TypedDict", needed, shape["description"])
        if not needed:
            return self.keys(title, "TypedDict, total=False", others, shape["description"])
        base = self.bases.get(name, f"_{title}")
        about = f"What {title} always has." if name in self.bases else ""
        return [
            *self.keys(base, "TypedDict", needed, about),
            *self.keys(title, f"{base}, total=False", others, shape["description"]),
        ]

    def keys(self, title: str, base: str, members: dict, about: str) -> list[str]:
        if not all(key.isidentifier() for key in members):
            return self.call(title, members, about)
        doc = [*wrapped(f'"""{about}"""', "    "), ""] if about else []
        lines = ["", f"class {title}({base}):", *doc]
        for key, member in members.items():
            lines += wrapped(member["description"], "    #:")
            lines.append(f"    {key}: {self.type(member)}")
        return [*lines, ""]

    def call(self, title: str, members: dict, about: str) -> list[str]:
        """The form for keys that are no names."""
        lines = ["", *(wrapped(about, "#:") if about else [])]
        lines += [f"{title} = TypedDict(", f'    "{title}",', "    {"]
        for key, member in members.items():
            lines += wrapped(member["description"], "        #")
            lines.append(f'        "{key}": {self.type(member)},')
        return [*lines, "    },", ")", ""]

    def union(self, title: str, shape: dict) -> list[str]:
        lines, names = [], []
        for one in shape["oneOf"]:
            word = next(iter(one["properties"])).removesuffix("_ms").title()
            names.append(title + word)
            lines += self.keys(names[-1], "TypedDict", one["properties"], "")
        about = wrapped(shape["description"], "#:")
        return [*lines, "", *about, f"{title} = Union[{', '.join(names)}]", ""]

    def file(self) -> str:
        """Two empty lines before each class, and around what stands between classes."""
        text = super().file()
        for start in ("\nclass ", "\n#:"):
            text = text.replace(f"\n{start}", f"\n\n{start}")
        while "\n\n\n\n" in text:
            text = text.replace("\n\n\n\n", "\n\n\n")
        return text


class Node(Language):
    column = 1
    plain: ClassVar = {
        "string": "string", "integer": "number", "boolean": "boolean",
        "object": "{ readonly [key: string]: Json }",
    }  # fmt: skip
    anything, table = "Json", "Record<string, %s>"
    head = f"""/**
 * The library's documents, with their keys as the library writes them. Keys are only ever added.
 * {MADE}
 */
import type {{ Json }} from "./json.js";
import type {{ Integer }} from "./numbers.js";

/** What a run of a list shows only if `include` names it. */
export type RunPayload = "args" | "result" | "error" | "metadata" | "waiting_for";
"""
    #: Amounts of a budget may lie above 2^53.
    wide: ClassVar = {"budget_unit", "budget_total"}

    def nullable(self, made: str) -> str:
        return f"{made} | null"

    def list(self, item: str) -> str:
        return f"{item}[]"

    def choice(self, values: list[str]) -> str:
        return " | ".join(f'"{one}"' for one in values)

    def shape(self, name: str) -> list[str]:
        shape, title = SHAPES[name], self.name(name)
        about = comment(shape["description"], "")
        if "enum" in shape:
            return [
                *about,
                f"export type {title} =",
                *alternatives(f'"{one}"' for one in shape["enum"]),
            ]
        if "oneOf" in shape:
            forms = [self.form(one["properties"]) for one in shape["oneOf"]]
            return [*about, f"export type {title} =", *alternatives(forms)]
        of = "<Result = Json>" if name == "run" else ""
        return [*about, f"export interface {title}{of} {{", *self.members(name, shape), "}", ""]

    def form(self, members: dict) -> str:
        return "{ " + "; ".join(f"{key}: {self.type(one)}" for key, one in members.items()) + " }"

    def members(self, name: str, shape: dict) -> list[str]:
        lines = []
        for key, member in shape["properties"].items():
            made = self.type(member)
            if (name, key) == ("run", "result"):
                made = "Result | null"
            if name in self.wide and key != "entries":
                made = made.replace("number", "Integer")
            word = key if key.replace("$", "_").isidentifier() else f'"{key}"'
            mark = "" if key in shape["required"] else "?"
            lines += [*comment(member["description"], "  "), f"  {word}{mark}: {made};"]
        return lines


def alternatives(ones: object) -> list[str]:
    lines = [f"  | {one}" for one in ones]
    return [*lines[:-1], f"{lines[-1]};", ""]


def comment(text: str, indent: str) -> list[str]:
    line = f"{indent}/** {text} */"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}/**", *wrapped(text, f"{indent} *"), f"{indent} */"]


class Go(Language):
    column = 2
    plain: ClassVar = {
        "string": "string", "integer": "int64", "boolean": "bool", "object": "json.RawMessage",
    }  # fmt: skip
    anything, table = "json.RawMessage", "map[string]%s"
    head = f"""// {MADE}

//go:build cgo

package smolwf

import "encoding/json"
"""
    #: Keys that are no names, or are written otherwise.
    keys: ClassVar = {
        "1": "One", "2_7": "TwoTo7", "8_63": "EightTo63", "64_up": "SixtyFourAndUp",
        "$smolwf": "Kind",
    }  # fmt: skip
    words: ClassVar = {"id": "ID", "ids": "IDs", "ms": "MS", "pid": "PID"}
    #: Where Go says a type better: counts that are small, a text that may be empty, an own type.
    own: ClassVar = {
        ("came", "index"): "int",
        ("acted", "matched"): "int", ("acted", "done"): "int",
        ("pruned", "runs"): "int", ("pruned", "trees"): "int",
        ("full_limit", "limit"): "int", ("full_limit", "running"): "int",
        ("queue", "concurrency"): "*int", ("queue", "concurrency_per_key"): "*int",
        ("reason", "hint"): "string",
        ("refused_run", "code"): "Code",
        # A number that is not given is not 0.
        **{
            (shape, key): kind
            for shape in ("retention", "retention_rule")
            for key, kind in (
                ("completed_ms", "*int64"), ("failed_ms", "*int64"), ("cancelled_ms", "*int64"),
                ("keep_newest", "*int"),
            )
        },
        ("run", "attempts"): "int", ("run", "tries"): "int", ("run", "max_tries"): "int",
        ("run", "priority"): "int32", ("run", "waiting_for"): "json.RawMessage",
    }  # fmt: skip
    #: These keep the document that they were read from.
    raw: ClassVar = {"run", "stats"}

    def nullable(self, made: str) -> str:
        return made if made.startswith("[]") else f"*{made}"

    def list(self, item: str) -> str:
        return f"[]{item}"

    def choice(self, values: list[str]) -> str:
        return self.plain["string"]

    def key(self, key: str) -> str:
        words = (self.words.get(word, word.title()) for word in key.split("_"))
        return self.keys.get(key) or "".join(words)

    def shape(self, name: str) -> list[str]:
        shape, title = SHAPES[name], self.name(name)
        lines = [
            *wrapped(f"{title}: {lowered(shape['description'])}", "//"),
            f"type {title} struct {{",
        ]
        for key, member in shape["properties"].items():
            about = f"{self.key(key)}: {lowered(said(member))}"
            made = self.own.get((name, key)) or self.type(member)
            lines += wrapped(about, "\t//", WIDTH - 3)
            mark = "" if key in shape["required"] else ",omitempty"
            lines.append(f'\t{self.key(key)} {made} `json:"{key}{mark}"`')
        if name in self.raw:
            lines += ["\t// Raw is the whole document.", '\tRaw json.RawMessage `json:"-"`']
        return [*lines, "}", ""]


def lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def said(member: dict) -> str:
    """What a member is, with the words that it may be: they are no type in Go."""
    words = SHAPES[named(member)].get("enum", []) if "$ref" in member else member.get("enum", [])
    is_said = all(word in member["description"] for word in words)
    return member["description"] + ("" if is_said else f" One of {', '.join(words)}.")


def main() -> None:
    if odd := SHAPES.keys() ^ (NAMES.keys() | UNTYPED):
        raise SystemExit(f"a shape, or a name of none in scripts/documents.py: {sorted(odd)}")
    wanted = {
        ROOT / "clients/python/smolwf/documents.py": Python().file(),
        ROOT / "clients/node/src/documents.ts": Node().file(),
        ROOT / "clients/go/documents.go": Go().file(),
    }
    is_check = "--check" in sys.argv[1:]
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if not is_check:
            path.write_text(wanted[path], "utf-8")
        print(f"{path.relative_to(ROOT)}: " + ("run `make documents`" if is_check else "written"))
    sys.exit(is_check and bool(stale))


main()
