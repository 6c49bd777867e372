/** What the end of a case says of the workflow. */
import { isDeepStrictEqual } from "node:util";
import { fromJson, type Json } from "../json.js";
import type { Came } from "./came.js";
import type { Effects, Touched } from "./effect.js";
import { refusalOf } from "./refusal.js";
import type { Finding, FindingKind, Moment } from "./report.js";

/** How a run came to an end, and what it did to the outside. */
export interface Case {
  came: Came;
  effects: Effects;
}

/** A case in which the run has ended. */
export interface Clean extends Case {
  came: Came & { end: "ended" };
}

/** Where a process was killed. */
export interface Point {
  commit: number;
  moment: Moment;
}

/** What all cases of a test have in common. */
export interface Terms {
  workflow: string;
  hangMs: number;
  compareResult: boolean;
}

/** Compares a case with the run that nobody killed. */
export function judge(terms: Terms, clean: Clean, one: Case, point: Point): Finding[] {
  const found = [...ofEffects(clean, one), ...ofEnd(terms, clean, one.came)];
  return found.map(([kind, name, text]) => ({ kind, ...point, name, text }));
}

type Found = readonly [kind: FindingKind, name: string, text: string];

const FOLLOWS = "must follow from its args and from what is recorded";
const RANDOM = "what is random, the time or a global variable belongs into a step";

/** What a refusal of the library says of the workflow. */
export function ofRefusal(text: string): Found {
  const { kind, name } = refusalOf(text);
  if (kind === "input_changed") {
    return [kind, name, `${text}: an input must follow from the args and from what is recorded`];
  }
  return ["not_replayed", name, `${text}: what a workflow does ${FOLLOWS}; ${RANDOM}`];
}

function ofEnd(terms: Terms, clean: Clean, came: Came): Found[] {
  const { workflow } = terms;
  switch (came.end) {
    case "refused":
      return [ofRefusal(came.text)];
    case "ended":
      return ofOutcome(terms, clean.came, came);
    case "exited":
      return [["outcome", workflow, `the run did not end: ${came.how}`]];
    default:
      return [["stuck", workflow, `the run did not end: ${whyNot(terms, came)}`]];
  }
}

/** Why a run has not ended. */
export function whyNot({ hangMs }: Pick<Terms, "hangMs">, came: Came): string {
  if (came.end === "stuck") return came.reasons;
  if (came.end === "exited") return came.how;
  return `its process was at work for more than ${hangMs / 1000} s`;
}

function ofOutcome(terms: Terms, clean: Clean["came"], came: Clean["came"]): Found[] {
  const found: string[] = [];
  if (came.state !== clean.state) {
    const why = came.error === null ? "" : `: ${sentenceOf(came.error)}`;
    found.push(`the run is ${came.state}, and ${clean.state} in the clean run${why}`);
  } else if (terms.compareResult && !areSame(came.result, clean.result)) {
    found.push(`the result is ${cut(came.result)}, and ${cut(clean.result)} in the clean run`);
  }
  return found.map((text) => ["outcome", terms.workflow, text]);
}

/** Whether two texts are the same JSON, in whatever order its keys are. */
function areSame(one: string, other: string): boolean {
  return isDeepStrictEqual(fromJson(one), fromJson(other));
}

/** Characters of a result that a sentence shows. */
const SHOWN_MAX = 200;

export function cut(text: string): string {
  return text.slice(0, SHOWN_MAX);
}

/** What a recorded error says. */
export function sentenceOf(error: Json): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : cut(JSON.stringify(error));
}

const NEVER: Touched = { count: 0, isUnkeyed: false, keys: new Set() };

/** What was not done by the end of a case that was cut short may have come later. */
function ofEffects(clean: Clean, { effects, came }: Case): Found[] {
  const names = new Set([...clean.effects.keys(), ...effects.keys()]);
  return [...names].flatMap((name): Found[] => {
    const [before, now] = [clean.effects.get(name) ?? NEVER, effects.get(name) ?? NEVER];
    if (now.count > before.count) return [["effect_twice", name, ofTwice(name, before, now)]];
    if (now.count === before.count || came.end !== "ended") return [];
    const text = `happened ${times(now.count)}, and ${times(before.count)} in the clean run`;
    return [["effect_missing", name, `effect ${JSON.stringify(name)} ${text}`]];
  });
}

const HAND =
  "hand whoever does it an idempotency key, such as the step's id, or record its start: a tracked step with maxTries 1";
const SAME = "the key must be the same in every attempt, as the step's id is";

function ofTwice(name: string, before: Touched, now: Touched): string {
  const effect = `effect ${JSON.stringify(name)} happened`;
  if (now.isUnkeyed) {
    return `${effect} ${times(now.count)}, and ${times(before.count)} in the clean run: ${HAND}`;
  }
  const shown = [...now.keys].slice(0, 3).map((key) => JSON.stringify(key));
  const keys = `${now.count} keys (${shown.join(", ")})`;
  return `${effect} under ${keys}, and under ${before.count} in the clean run: ${SAME}`;
}

function times(count: number): string {
  return count === 0 ? "never" : count === 1 ? "once" : `${count} times`;
}
