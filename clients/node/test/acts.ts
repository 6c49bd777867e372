/** Plays the acts of a scenario's workflow: see tests/vectors/worker/README.md. */
import assert from "node:assert/strict";
import {
  type Attempt,
  type Changed,
  Failure,
  type Json,
  Suspended,
  type Transaction,
  TransactionError,
  type TxItem,
  type Wait,
} from "../src/index.js";
import { aborted } from "./support.js";

export type Act = Readonly<Record<string, unknown>>;

/** Refuses keys that this reader does not know: a scenario half understood tests nothing. */
export function known<T extends object>(one: T, keys: readonly string[]): T {
  const strange = Object.keys(one).filter((key) => !keys.includes(key));
  assert.deepEqual(strange, [], `unknown in ${JSON.stringify(one)}`);
  return one;
}

/** What workflows share with the world: how often each effect was counted, and the gates. */
export class Shared {
  readonly effects: Map<string, number> = new Map();
  readonly #gates = new Map<string, { isOpen: Promise<void>; open: () => void }>();

  count(label: string): number {
    const count = (this.effects.get(label) ?? 0) + 1;
    this.effects.set(label, count);
    return count;
  }

  /** At the end of a scenario: nothing shall hang. */
  openAll(): void {
    for (const gate of this.#gates.values()) gate.open();
  }

  gate(name: string): { isOpen: Promise<void>; open: () => void } {
    let gate = this.#gates.get(name);
    if (!gate) {
      let open = (): void => undefined;
      const isOpen = new Promise<void>((resolve) => {
        open = resolve;
      });
      gate = { isOpen, open };
      this.#gates.set(name, gate);
    }
    return gate;
  }
}

const HUGE = 17 * 1024 * 1024;
const DEEP = 150;

function deep(): unknown {
  let value: unknown = null;
  for (let level = 0; level < DEEP; level += 1) value = [value];
  return value;
}

function cycle(): unknown {
  const value: Record<string, unknown> = {};
  value["self"] = value;
  return value;
}

const MAKE: Readonly<Record<string, () => unknown>> = {
  nan: () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  cycle,
  opaque: () => () => 1,
  bad_text: () => "half \ud800 a pair",
  deep,
  huge: () => "x".repeat(HUGE),
  engine_key: () => ({ $smolwf: "tries" }),
  pair: () => [1, 2],
};

/** An error that fails when it is asked for its text. */
class Mute extends Error {
  override get message(): string {
    throw new Error("no message");
  }
  override get stack(): string {
    throw new Error("no stack");
  }
  override toString(): string {
    throw new Error("no text");
  }
}

const failure = (kind: string): Failure => new Failure(MAKE[kind]?.() as Json);

const KINDS: Readonly<Record<string, () => unknown>> = {
  bad_text: () => new Error("half \ud800 a pair"),
  nul_text: () => new Error("a\0b"),
  bad_str: () => new Mute(),
  nan: () => failure("nan"),
  cycle: () => failure("cycle"),
  deep: () => failure("deep"),
  huge: () => failure("huge"),
  engine_key: () => failure("engine_key"),
  not_an_error: () => 42,
  nothing: () => undefined,
  exit: () => 42,
  suspend: () => new Suspended("nothing is waited for"),
  own_cancel: () => new DOMException("the author's own", "AbortError"),
  group: () => new AggregateError([new Error("one"), new TypeError("other")], "both"),
};

/** Acts that make one call, which may be dropped. */
const CALLS = ["step", "transaction", "sleep", "signal", "child", "result", "all", "reserve"];

const KEYS: Readonly<Record<string, readonly string[]>> = {
  step: [
    ...["effect", "gate", "until_told", "throws", "fails", "returns", "as"],
    ...["input", "occurrence", "max_tries"],
  ],
  transaction: ["do", "max_tries", "fails", "as"],
  unknown: [],
  sleep: ["ms"],
  signal: ["timeout_ms", "as"],
  child: ["workflow", "args", "timeout_ms", "as"],
  result: ["as"],
  all: ["waits", "as"],
  reserve: [],
  effect: [],
  expect: ["is"],
  gate: [],
  parallel: ["join"],
  spawn: [],
  unawaited: [],
  swallow: [],
  wrap: [],
  throw: [],
  return: [],
};

type Returned = { value: unknown } | undefined;

/** One attempt of a scenario's workflow. */
export class Play {
  readonly #attempt: Attempt;
  readonly #shared: Shared;
  readonly #variables: Map<string, unknown>;

  constructor(attempt: Attempt, args: unknown, shared: Shared) {
    this.#attempt = attempt;
    this.#shared = shared;
    this.#variables = new Map([["args", args]]);
  }

  async all(acts: readonly Act[]): Promise<Returned> {
    for (const act of acts) {
      const returned = await this.#one(act);
      if (returned) return returned;
    }
    return undefined;
  }

  async #one(act: Act): Promise<Returned> {
    const kind = Object.keys(KEYS).find((key) => key in act && !isOption(key, act));
    assert.ok(kind, `no such act: ${JSON.stringify(act)}`);
    known(act, [kind, ...(KEYS[kind] ?? [])]);
    if (CALLS.includes(kind)) {
      const value = await this.#call(kind, act);
      if (act["as"] !== undefined) this.#variables.set(act["as"] as string, value);
      return undefined;
    }
    return this.#control(kind, act);
  }

  async #control(kind: string, act: Act): Promise<Returned> {
    const inner = act[kind] as readonly Act[];
    if (kind === "effect") this.#shared.count(act["effect"] as string);
    else if (kind === "gate") await this.#shared.gate(act["gate"] as string).isOpen;
    else if (kind === "expect") this.#expect(act);
    else if (kind === "unknown") this.#unknown(act["unknown"] as string);
    else if (kind === "parallel") await this.#parallel(act);
    else if (kind === "spawn") void this.all(inner);
    else if (kind === "unawaited") this.#drop(act["unawaited"] as Act);
    else if (kind === "swallow") return this.all(inner).catch(() => undefined);
    else if (kind === "wrap") return this.#wrap(inner);
    else if (kind === "throw") throw thrown(act["throw"] as Act);
    else return { value: this.#value(act["return"]) };
    return undefined;
  }

  #expect(act: Act): void {
    const seen = JSON.stringify(this.#variables.get(act["expect"] as string));
    const isSame = seen === JSON.stringify(act["is"]);
    this.#shared.count(isSame ? "as expected" : "not as expected");
  }

  #unknown(variable: string): void {
    const item = this.#variables.get(variable) as TxItem<Changed> | undefined;
    try {
      const isDone = item?.result !== undefined;
      this.#shared.count(isDone ? "not as expected" : "as expected");
    } catch (refusal) {
      assert.ok(refusal instanceof TransactionError);
      this.#shared.count("as expected");
    }
  }

  #drop(act: Act): void {
    const kind = CALLS.find((key) => key in act);
    assert.ok(kind, "no call to drop");
    void this.#call(kind, known(act, [kind, ...(KEYS[kind] ?? [])]));
  }

  async #wrap(acts: readonly Act[]): Promise<Returned> {
    try {
      return await this.all(acts);
    } catch (cause) {
      throw new Error("the author's own", { cause });
    }
  }

  async #parallel(act: Act): Promise<void> {
    const branches = (act["parallel"] as Act[][]).map((acts) => this.all(acts));
    if (act["join"] === "first") return void (await Promise.all(branches));
    const settled = await Promise.allSettled(branches);
    const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    if (errors.length === 0) return;
    if (act["join"] === "all") throw errors.find((one) => !(one instanceof Suspended)) ?? errors[0];
    assert.equal(act["join"], "group");
    throw new AggregateError(errors, "a group of branches");
  }

  /** Makes a call; not async, so that what is dropped is the client's own promise. */
  #call(kind: string, act: Act): Promise<unknown> {
    const attempt = this.#attempt;
    const name = act[kind] as string;
    const timeout =
      act["timeout_ms"] === undefined ? {} : { timeoutMs: act["timeout_ms"] as number };
    if (kind === "step") return this.#step(name, act);
    if (kind === "transaction") return this.#transaction(name, act);
    if (kind === "sleep") return attempt.sleep(name, act["ms"] as number);
    if (kind === "signal") return attempt.signalled(name, timeout);
    if (kind === "result") return attempt.childResult(this.#variables.get(name) as string);
    if (kind === "all") return attempt.all(name, (act["waits"] as Act[]).map(waitOf));
    if (kind === "reserve") return attempt.reserve(act["reserve"] as Record<string, number>);
    const options = { ...timeout, backoffInitialMs: 1 };
    return attempt.child(name, act["workflow"] as string, this.#value(act["args"]), options);
  }

  #step(name: string, act: Act): Promise<unknown> {
    const effect = (act["effect"] as string | undefined) ?? name;
    const work = async (): Promise<unknown> => {
      const count = this.#shared.count(effect);
      if (act["gate"] !== undefined) await this.#shared.gate(act["gate"] as string).isOpen;
      if (act["until_told"]) {
        await aborted(this.#attempt.signal);
        this.#shared.count(`${effect} heard`);
      }
      if (act["throws"] !== undefined) throw thrown(act["throws"] as Act);
      if (act["fails"] !== undefined && count <= (act["fails"] as number)) throw new Error("boom");
      return this.#value(act["returns"]);
    };
    const options = {
      backoffInitialMs: 1,
      input: this.#value(act["input"]),
      ...(act["occurrence"] === undefined ? {} : { occurrence: act["occurrence"] as number }),
      ...(act["max_tries"] === undefined ? {} : { maxTries: act["max_tries"] as number }),
    };
    return this.#attempt.step(name, work, options);
  }

  #transaction(name: string, act: Act): Promise<unknown> {
    const work = async (tx: Transaction): Promise<void> => {
      const count = this.#shared.count(name);
      for (const item of act["do"] as Act[]) await this.#collect(tx, item, count);
      if (count <= ((act["fails"] as number | undefined) ?? 0)) throw new Error("boom");
    };
    const tries = act["max_tries"] === undefined ? {} : { maxTries: act["max_tries"] as number };
    return this.#attempt.transaction(name, work, { backoffInitialMs: 1, ...tries });
  }

  async #collect(tx: Transaction, item: Act, count: number): Promise<void> {
    if ("insert" in item) {
      const made = tx.execute("INSERT INTO kept VALUES ($1)", [item["insert"] as string]);
      const { as } = known(item, ["insert", "as"]);
      if (as !== undefined) this.#variables.set(as as string, made);
    } else if ("refused" in item) {
      const { refused } = known(item, ["refused"]);
      if (count <= (refused as number)) tx.execute("INSERT INTO kept VALUES (NULL)");
    } else if ("result" in item) {
      tx.result(this.#value(known(item, ["result"])["result"]));
    } else if ("result_from" in item) {
      const { result_from: from } = known(item, ["result_from"]);
      tx.resultFrom(this.#variables.get(from as string) as TxItem<Changed>);
    } else {
      await this.all([item]);
    }
  }

  #value(given: unknown): unknown {
    if (typeof given !== "object" || given === null) return given;
    if (Array.isArray(given)) return given.map((one) => this.#value(one));
    const one = given as Record<string, unknown>;
    if ("$var" in one) return this.#variables.get(known(one, ["$var"])["$var"] as string);
    if ("$attempt" in one) return this.#attempt.number;
    if ("$make" in one) {
      const make = MAKE[known(one, ["$make"])["$make"] as string];
      assert.ok(make, `cannot make ${JSON.stringify(one)}`);
      return make();
    }
    const members = Object.entries(one).map(([key, value]) => [key, this.#value(value)]);
    return Object.fromEntries(members);
  }
}

/** `gate` and `effect` are acts, and members of a step. */
function isOption(key: string, act: Act): boolean {
  return "step" in act && key !== "step";
}

function waitOf(act: Act): Wait {
  const { signal } = known(act, ["signal"]);
  return { signal: signal as string };
}

function thrown(what: Act): unknown {
  known(what, ["error", "failure", "terminal", "kind"]);
  if ("error" in what) return new Error(what["error"] as string);
  if ("failure" in what) {
    return new Failure(what["failure"] as Json, { terminal: what["terminal"] === true });
  }
  const make = KINDS[what["kind"] as string];
  assert.ok(make, `cannot throw ${JSON.stringify(what)}`);
  return make();
}
