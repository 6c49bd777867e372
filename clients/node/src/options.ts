import type { Options } from "./frame.js";
import { type Json, rawJson, toJson } from "./json.js";
import type { Library } from "./library.js";
import type { Integer } from "./numbers.js";

/** What a successful answer survives: loss of power, or the death of the process alone. */
export type Durability = "power" | "process";

/** Of a store; what is left out is the library's default. */
export interface StoreOptions {
  /** Refuses to create the file. */
  noCreate?: boolean;
  /** Opens the store to look: what would write is refused. */
  readOnly?: boolean;
  /** The clock stands still until `advanceClock`: thirty days in a millisecond, for your tests. */
  manualClock?: boolean;
  /** Opens on a file system of the network all the same, where locks may not hold. */
  allowNetworkFs?: boolean;
  /** Milliseconds to wait for a lock of another process. */
  busyTimeoutMs?: number;
  /** Of each write; "power" by default. */
  durability?: Durability;
  /** Connections that read at once, at most. */
  maxReaders?: number;
  /** Milliseconds of a lease whose claim names none. */
  leaseDefaultMs?: number;
  /** Bytes of a payload at most. */
  payloadBytesMax?: Integer;
}

/** Of a run that is submitted. */
export interface SubmitOptions {
  /** Only this store handle may claim the run while it is open. */
  local?: boolean;
  /** "default", or the parent's queue for a child. */
  queue?: string;
  /** Unix milliseconds before which it is not claimed; now by default. */
  runAtMs?: Integer;
  /** Milliseconds from then on after which it fails; never by default. */
  timeoutMs?: Integer;
  /** Milliseconds before the second try; 1,000 by default. */
  backoffInitialMs?: Integer;
  /** Milliseconds between two tries at most; an hour by default. */
  backoffMaxMs?: Integer;
  /** Growth from one wait to the next in percent; 200 by default. */
  backoffPercent?: number;
  /** Lower is claimed first. */
  priority?: number;
  /** Tries before the run fails for good; 3 by default. */
  maxTries?: number;
  /** One key makes one run of the workflow, for as long as the first exists. */
  idempotencyKey?: string;
  /** Within what the key counts instead; "" is what all workflows share. */
  idempotencyScope?: string;
  /** Runs of a queue with the same key share its limit per key. */
  concurrencyKey?: string;
  /** The version of the code that may run it; any by default. */
  codeVersion?: string;
  /** Limits of the run and all its children, by unit. */
  budget?: Amounts;
  /** What you want to find it by, and what its events carry. */
  metadata?: { readonly [key: string]: Json };
}

/** What is reserved, spent or allowed, by unit: `{ output_tokens: 500 }`. */
export type Amounts = Readonly<Record<string, Integer>>;

/** Of a wait inside a workflow. */
export interface WaitOptions {
  /** Milliseconds until the wait gives up, fixed by the first ask; -1, the default, is never. */
  timeoutMs?: Integer;
}

/** Of a claim by hand. */
export interface ClaimOptions {
  /** "default" if absent. */
  queue?: string;
  /** Milliseconds to wait for a run, -1 without end; 0, the default, answers at once. */
  waitMs?: number;
  /** Milliseconds; "while-alive" holds it as long as this process lives. */
  leaseMs?: number | "while-alive";
  /** Name of the worker, shown in the history. */
  worker?: string;
  /** The workflows to take; all if absent. */
  workflows?: readonly string[];
  /** The code versions to take, beside runs without one; all if absent. */
  codeVersions?: readonly string[];
  /**
   * The attempt completes only after it has asked for all that its run has recorded; else that is
   * SW_ERR_NONDETERMINISM.
   */
  strict?: boolean;
  /** No step is run: one that is not recorded is SW_ERR_NONDETERMINISM. */
  replayOnly?: boolean;
  /** Ends the wait when it is aborted; a run that was just claimed is given back. */
  signal?: AbortSignal | undefined;
}

/** Of a step. */
export interface StepOptions {
  /** What the step depends on: a replay with another input is refused. */
  input?: unknown;
  /** A label, such as "model". */
  kind?: string;
  /** Which of the steps of this name; 0 counts up by itself. */
  occurrence?: number;
  /** Of its record; the store's by default. */
  durability?: Durability;
  /** Tries before the step fails for good; 3 by default. */
  maxTries?: number;
  /** Milliseconds before the second try, which double; 1,000 by default. */
  backoffInitialMs?: Integer;
  /** Milliseconds between two tries at most; an hour by default. */
  backoffMaxMs?: Integer;
  /** Record the start too: with `maxTries: 1` the work is done at most once. */
  track?: boolean;
  /** May begin on a cancelled run, to compensate. */
  cleanup?: boolean;
}

/** Names of flags of an options type, and the constants they stand for. */
type Flags = Readonly<Record<string, string>>;

const OPEN_FLAGS: Flags = {
  noCreate: "SW_OPEN_NO_CREATE",
  readOnly: "SW_OPEN_READ_ONLY",
  manualClock: "SW_OPEN_MANUAL_CLOCK",
  allowNetworkFs: "SW_OPEN_ALLOW_NETWORK_FS",
};
const SUBMIT_FLAGS: Flags = { local: "SW_SUBMIT_LOCAL" };
const CLAIM_FLAGS: Flags = { strict: "SW_CLAIM_STRICT", replayOnly: "SW_CLAIM_REPLAY_ONLY" };
const STEP_FLAGS: Flags = { track: "SW_STEP_TRACK", cleanup: "SW_STEP_CLEANUP" };
const FAIL_FLAGS: Flags = { terminal: "SW_FAIL_TERMINAL", text: "SW_FAIL_TEXT" };

const JSON_FIELDS = new Set(["metadata", "workflows", "codeVersions"]);

/** `idempotencyKey` is `idempotency_key` in C. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function field(name: string, value: unknown): readonly [string, unknown] {
  if (name === "budget") return ["budget", amountsToJson(value as Amounts)];
  return [snakeCase(name), JSON_FIELDS.has(name) ? toJson(value) : value];
}

/** Amounts go to 2^63 - 1, and are written with all their digits. */
export function amountsToJson(amounts: Amounts): string | undefined {
  return toJson(exact(amounts));
}

function exact(amounts: Amounts): Record<string, unknown> {
  const digits = (amount: unknown): unknown =>
    typeof amount === "bigint" ? rawJson(String(amount)) : amount;
  return Object.fromEntries(Object.entries(amounts).map(([unit, one]) => [unit, digits(one)]));
}

/** Turns options into the fields of their struct: flags into one number, the rest by name. */
function pack(library: Library, options: object, flags: Flags): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const set = given.filter(([name, value]) => name in flags && value === true);
  const bits = set.map(([name]) => library.constant(flags[name] ?? ""));
  const fields = given
    .filter(([name]) => !(name in flags))
    .map(([name, value]) => field(name, value));
  return { ...Object.fromEntries(fields), flags: bits.reduce((all, bit) => all | bit, 0) };
}

function durability(library: Library, asked: Durability | undefined): number {
  return asked ? library.constant(`SW_DURABILITY_${asked.toUpperCase()}`) : 0;
}

export function storeFields(library: Library, options: StoreOptions): Options {
  const fields = { ...options, durability: durability(library, options.durability) };
  return pack(library, fields, OPEN_FLAGS);
}

export function submitFields(library: Library, options: SubmitOptions): Options {
  return pack(library, options, SUBMIT_FLAGS);
}

/** One key is not shared by two workflows unless their scope says so. */
export function scoped<Options extends SubmitOptions>(workflow: string, options: Options): Options {
  const { idempotencyKey, idempotencyScope = workflow, ...rest } = options;
  if (idempotencyKey === undefined) return options;
  // For the library the shared scope is an absent one.
  const scope = idempotencyScope === "" ? {} : { idempotencyScope };
  return { ...rest, idempotencyKey, ...scope } as Options;
}

/** Returns an object with its keys as the library writes them, and without undefined values. */
export function snakeKeys(object: object): Record<string, unknown> {
  const given = Object.entries(object).filter(([, value]) => value !== undefined);
  const own = (name: string, value: unknown): unknown =>
    name === "budget" ? exact(value as Amounts) : value;
  return Object.fromEntries(given.map(([name, value]) => [snakeCase(name), own(name, value)]));
}

export function leaseOf(library: Library, lease: number | "while-alive" | undefined): number {
  return lease === "while-alive" ? library.constant("SW_LEASE_WHILE_ALIVE") : (lease ?? 0);
}

export function claimFields(library: Library, options: ClaimOptions): Options {
  // The call itself never waits: it would hold a thread of the pool. See Changes.
  const { queue: _queue, signal: _signal, waitMs: _waitMs, leaseMs, ...rest } = options;
  return pack(library, { ...rest, leaseMs: leaseOf(library, leaseMs) }, CLAIM_FLAGS);
}

export function stepFields(library: Library, options: StepOptions): Options {
  const { input: _input, ...rest } = options;
  const fields = { ...rest, durability: durability(library, options.durability) };
  return pack(library, fields, STEP_FLAGS);
}

export interface FailFields {
  terminal?: boolean | undefined;
  text?: boolean | undefined;
  retryAfterMs?: Integer | undefined;
}

export function failFields(library: Library, options: FailFields): Options {
  return pack(library, options, FAIL_FLAGS);
}
