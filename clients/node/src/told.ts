/** What a worker tells of: to the console, and to the hooks that its host sets. */
import { inspect } from "node:util";
import type { Json } from "./json.js";

/** The run and attempt that an event is about. */
export interface RunFacts {
  /** The run's id. */
  run_id: string;
  /** The id of the topmost run of its tree. */
  root_run_id: string;
  /** The id of the run that submitted it as a child; null if none did. */
  parent_run_id: string | null;
  /** The name of its workflow. */
  workflow: string;
  /** The name of its queue. */
  queue: string;
  /** The attempt's id. */
  attempt_id: string;
  /** The attempt's number. */
  attempt: number;
  /** What the run was submitted with, such as a `traceparent`. */
  metadata: Json;
}

/** What events of steps have besides. */
export interface StepFacts {
  /** The step's id, the same in every attempt. */
  step_id: string;
  /** Its name. */
  step: string;
  /** Which of the steps of its name, from 1. */
  occurrence: number;
  /** How often its work was begun, this time included. */
  step_tries: number;
}

/** Milliseconds: of a step its work, of an attempt the time since its claim. */
interface Lasting {
  duration_ms: number;
}

interface Erring {
  /** As it is recorded. */
  error: Json;
  /** The stack of what was thrown, if it had one. */
  trace: string | null;
}

/** What is beside the facts of the run, by the name of the event. */
export interface Details {
  claimed: object;
  step_run: StepFacts;
  step_done: StepFacts & Lasting;
  /** `retry_at_ms` is null if it failed for good. */
  step_failed: StepFacts & Lasting & Erring & { retry_at_ms: number | null };
  /** `swallowed`: the function returned though a wait of it was not over. */
  parked: Lasting & { waiting_for: string[]; swallowed: boolean };
  /** `retry_at_ms` is null if it could not be read. */
  retrying: Lasting & Erring & { retry_at_ms: number | null };
  failed: Lasting & Erring;
  completed: Lasting;
  cancelled: Lasting;
  lost: Lasting;
  released: Lasting & { reason: string };
  /** A call could not be stored, and is made again until it is; told once for each call. */
  delayed: { call: string; error: Json };
}

/** What a worker tells of: docs/WORKERS.md has each. */
export type EventName = keyof Details;

/** One event; `event` says which. */
export type WorkerEvent =
  | { [Name in EventName]: { event: Name } & RunFacts & Details[Name] }[EventName]
  | ClaimDelayed;

/** The claim of a worker was delayed, which is about no run. */
export type ClaimDelayed = { event: "delayed" } & Details["delayed"] & {
    [Fact in keyof RunFacts]: null;
  };

/** What a host sets to be told. A hook that throws or rejects is logged, and changes nothing. */
export interface Hooks {
  /** Called with each event, in its order. */
  onEvent?(event: WorkerEvent): unknown;
}

/** From which level on a worker writes to stderr. */
export type LogLevel = "debug" | "info" | "warning" | "error" | "off";

/** What a worker tells, and whom. */
export interface TellOptions {
  /** Told of each event, in the order of a run, when it has happened. */
  hooks?: Hooks;
  /** From which level on events are written to stderr: "warning" is the default. */
  log?: LogLevel;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "off"];

const LEVEL_OF: Readonly<Record<EventName, LogLevel>> = {
  claimed: "debug",
  step_run: "debug",
  step_done: "debug",
  step_failed: "warning",
  parked: "info",
  retrying: "warning",
  failed: "error",
  completed: "info",
  cancelled: "info",
  lost: "warning",
  released: "info",
  delayed: "warning",
};

const NO_RUN: { [Fact in keyof RunFacts]: null } = {
  run_id: null,
  root_run_id: null,
  parent_run_id: null,
  workflow: null,
  queue: null,
  attempt_id: null,
  attempt: null,
  metadata: null,
};

/** Tells one host. Events that nobody hears are not even made. */
export class Teller {
  readonly #hooks: Hooks | undefined;
  readonly #from: number;

  constructor(options: TellOptions) {
    this.#hooks = options.hooks;
    this.#from = LEVELS.indexOf(options.log ?? "warning");
    if (this.#from < 0) throw new TypeError(`log is none of ${LEVELS.join(", ")}`);
  }

  /** Without facts the event is about no run. */
  tell<Name extends EventName>(
    name: Name,
    facts: (() => RunFacts) | undefined,
    details: () => Details[Name],
  ): void {
    const level = name === "parked" ? levelOfParked(details) : LEVEL_OF[name];
    const isLogged = LEVELS.indexOf(level) >= this.#from;
    if (!isLogged && !this.#hooks?.onEvent) return;
    const event = { event: name, ...(facts?.() ?? NO_RUN), ...details() } as WorkerEvent;
    if (isLogged) console.error(lineOf(level, event));
    if (this.#hooks?.onEvent) void this.#hook(event);
  }

  async #hook(event: WorkerEvent): Promise<void> {
    try {
      await this.#hooks?.onEvent?.(event);
    } catch (thrown) {
      const isLogged = LEVELS.indexOf("error") >= this.#from;
      if (isLogged) console.error(`smolwf error: the hook of ${event.event} threw ${show(thrown)}`);
    }
  }
}

/** A wait that was swallowed is a fault of the workflow. */
function levelOfParked(details: () => Details[EventName]): LogLevel {
  return (details() as Details["parked"]).swallowed ? "warning" : "info";
}

const FACTS = new Set(["event", "trace", ...Object.keys(NO_RUN)]);

function lineOf(level: LogLevel, event: WorkerEvent): string {
  const about = event.run_id ? ` ${event.workflow} ${event.run_id} attempt ${event.attempt}` : "";
  const details = Object.entries(event).filter(([key]) => !FACTS.has(key));
  const said = details.map(([key, value]) => ` ${key}=${shown(key, value)}`).join("");
  const trace = "trace" in event && event.trace ? `\n${event.trace}` : "";
  return `smolwf ${level}: ${event.event}${about}${said}${trace}`;
}

/** Characters of one value in a line. */
const SHOWN_MAX = 500;

/** The trace stands below the line, and not in it again. */
function shown(key: string, value: unknown): string {
  const isError = key === "error" && typeof value === "object" && value !== null;
  const brief = isError ? { ...value, stack: undefined } : value;
  return (JSON.stringify(brief) ?? "null").slice(0, SHOWN_MAX);
}

function show(thrown: unknown): string {
  try {
    return inspect(thrown);
  } catch {
    return "something that cannot be shown";
  }
}
