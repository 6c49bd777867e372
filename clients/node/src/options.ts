import type { Options } from "./frame.js";
import { type Json, rawJson, toJson } from "./json.js";
import type { Library } from "./library.js";
import type { Integer } from "./numbers.js";

export type Durability = "power" | "process";

export interface StoreOptions {
  noCreate?: boolean;
  readOnly?: boolean;
  /** The clock stands still until `advanceClock`: thirty days in a millisecond, for your tests. */
  manualClock?: boolean;
  allowNetworkFs?: boolean;
  busyTimeoutMs?: number;
  durability?: Durability;
  maxReaders?: number;
  leaseDefaultMs?: number;
  payloadBytesMax?: Integer;
}

export interface SubmitOptions {
  /** Only this store handle may claim the run while it is open. */
  local?: boolean;
  queue?: string;
  runAtMs?: Integer;
  timeoutMs?: Integer;
  backoffInitialMs?: Integer;
  backoffMaxMs?: Integer;
  backoffPercent?: number;
  /** Lower is claimed first. */
  priority?: number;
  maxTries?: number;
  idempotencyKey?: string;
  idempotencyScope?: string;
  concurrencyKey?: string;
  codeVersion?: string;
  /** Limits of the run and all its children, by unit. */
  budget?: Amounts;
  metadata?: { readonly [key: string]: Json };
}

/** What is reserved, spent or allowed, by unit: `{ output_tokens: 500 }`. */
export type Amounts = Readonly<Record<string, Integer>>;

export interface WaitOptions {
  /** Milliseconds until the wait gives up, fixed by the first ask; -1, the default, is never. */
  timeoutMs?: Integer;
}

export interface ClaimOptions {
  queue?: string;
  /** Milliseconds to wait for a run, -1 without end; 0, the default, answers at once. */
  waitMs?: number;
  /** Milliseconds; "while-alive" holds it as long as this process lives. */
  leaseMs?: number | "while-alive";
  /** Name of the worker, shown in the history. */
  worker?: string;
  workflows?: readonly string[];
  codeVersions?: readonly string[];
  signal?: AbortSignal | undefined;
}

export interface StepOptions {
  /** What the step depends on: a replay with another input is refused. */
  input?: unknown;
  /** A label, such as "model". */
  kind?: string;
  /** Which of the steps of this name; 0 counts up by itself. */
  occurrence?: number;
  durability?: Durability;
  maxTries?: number;
  backoffInitialMs?: Integer;
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
  return pack(library, { ...rest, leaseMs: leaseOf(library, leaseMs) }, {});
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
