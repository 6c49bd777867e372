import type { Attempt } from "./attempt.js";
import type { Json } from "./json.js";

/** Your code: runs from the top in each attempt, with everything costly in steps. */
export type Workflow<Args = Json, Result = unknown> = (
  attempt: Attempt,
  args: Args,
) => Result | Promise<Result>;

/** A workflow function with more to say about it. */
export interface WorkflowEntry<Args = Json, Result = unknown> {
  /** The function. */
  run: Workflow<Args, Result>;
  /** A worker then claims runs of this version, and runs without one; no others. */
  codeVersion?: string | undefined;
}

/** A workflow that knows its name: submitting it is checked against its arguments and result. */
// biome-ignore lint/suspicious/noExplicitAny: unless told, of any arguments
export interface Named<Args = any, Result = any> {
  /** The name that runs are submitted by. */
  readonly name: string;
  /** The function. */
  readonly run: Workflow<Args, Result>;
  /** A worker then claims runs of this version, and runs without one; no others. */
  readonly codeVersion?: string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: each has its own arguments
type Some = any;

/** Workflow functions by the name of their workflow, or a list of those that know theirs. */
export type Workflows =
  | Readonly<Record<string, Workflow<Some, Some> | WorkflowEntry<Some, Some>>>
  | readonly Named<Some, Some>[];

/** Names a workflow function, for workers and for typed submits. */
export function workflow<Args = Json, Result = Json>(
  name: string,
  run: Workflow<Args, Result>,
  options: { codeVersion?: string } = {},
): Named<Args, Result> {
  return { name, run, ...options };
}

export function nameOf(workflow: string | Named<Some, Some>): string {
  return typeof workflow === "string" ? workflow : workflow.name;
}

/** Returns workflows by name, with what each says about itself. */
export function entriesOf(workflows: Workflows): Map<string, WorkflowEntry<Some, Some>> {
  const isList = Array.isArray(workflows);
  const named = isList ? workflows.map((one) => [one.name, one]) : Object.entries(workflows);
  const entries = new Map<string, WorkflowEntry<Some, Some>>();
  for (const [name, given] of named) {
    const entry = typeof given === "function" ? { run: given } : given;
    if (typeof entry?.run !== "function") throw new TypeError(`workflow ${name} is no function`);
    if (entries.has(name)) throw new TypeError(`two workflows are named ${name}`);
    entries.set(name, entry);
  }
  if (entries.size === 0) throw new TypeError("a worker needs at least one workflow");
  return entries;
}
