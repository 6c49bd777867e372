/** What happens to the worker of a scenario, and what must be true at its end. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type RunDocument, Store, type Worker, type WorkerEvent } from "../src/index.js";
import { type Act, known, Play, Shared } from "./acts.js";
import { place, SERVER } from "./support.js";

/** Milliseconds after which what is waited for has not come. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 5;
const HOUR_MS = 3_600_000;

interface Submit {
  as: string;
  workflow: string;
  args?: unknown;
  code_version?: string;
  max_tries?: number;
  timeout_ms?: number;
  metadata?: Record<string, string>;
  budget?: Record<string, number>;
  later?: boolean;
}

interface ExpectedRun {
  run: string;
  state: string;
  result?: unknown;
  error_has?: string[];
  error_lacks?: string[];
  attempts?: number;
  attempts_max?: number;
  tries?: number;
}

interface Expected {
  runs: ExpectedRun[];
  effects: Record<string, number>;
  worker?: string | string[];
  events?: Record<string, string[]>;
  hooks?: string[];
  kept?: string[];
}

export interface Scenario {
  name: string;
  rules: string[];
  not_in?: Record<string, string>;
  workflows: Record<string, { do: Act[]; code_version?: string }>;
  submit: Submit[];
  store?: { busy_timeout_ms?: number };
  worker?: { grace_ms?: number; lease_ms?: number; hook_throws?: boolean };
  world: Act[];
  expect: Expected;
}

export const SCENARIO_KEYS: string[] = [
  ...["name", "rules", "not_in", "workflows", "submit", "store", "worker", "world", "expect"],
];

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `waited in vain: ${what}`);
    await pause(LOOK_MS);
  }
}

/** Takes the write lock of the file as a program that is not ours would, until its stdin ends. */
export const HOLDER: string = `import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
file.execute("ROLLBACK")`;

const HOLDER_ON_SERVER = fileURLToPath(
  new URL("../../../../scripts/postgres-hold.sh", import.meta.url),
);

export class World {
  readonly #scenario: Scenario;
  readonly #path: string;
  readonly #shared = new Shared();
  readonly #events: WorkerEvent[] = [];
  readonly #ids = new Map<string, string>();
  readonly #onlooker: Store;
  #store: Store;
  #worker: Worker | undefined;
  /** What the worker's end was: the name of an error, or "stopped". */
  #ended: string | undefined;
  #holder: ChildProcess | undefined;

  private constructor(scenario: Scenario, path: string, store: Store, onlooker: Store) {
    this.#scenario = scenario;
    this.#path = path;
    this.#store = store;
    this.#onlooker = onlooker;
  }

  static async play(t: TestContext, scenario: Scenario): Promise<void> {
    known(scenario, SCENARIO_KEYS);
    known(scenario.store ?? {}, ["busy_timeout_ms"]);
    known(scenario.worker ?? {}, ["grace_ms", "lease_ms", "hook_throws"]);
    const path = place(t);
    const { busy_timeout_ms: busyTimeoutMs = 5_000 } = scenario.store ?? {};
    const store = await Store.open(path, { busyTimeoutMs });
    await store.init();
    const onlooker = await Store.open(path);
    assert.ok(!onlooker.path?.includes("sesame"), "a password is shown");
    const world = new World(scenario, path, store, onlooker);
    try {
      await world.#play();
    } finally {
      await world.#leave();
    }
  }

  async #play(): Promise<void> {
    const { submit, world, expect } = this.#scenario;
    known(expect, ["runs", "effects", "worker", "events", "hooks", "kept"]);
    if (expect.kept) {
      await this.#onlooker.transaction((tx) => {
        tx.execute("CREATE TABLE kept (text TEXT NOT NULL)");
      });
    }
    for (const one of submit) if (!one.later) await this.#submit(one);
    this.#start();
    for (const act of world) await this.#act(act);
    for (const run of expect.runs) {
      await this.#awaitState(run.run, run.state);
    }
    for (const [label, count] of Object.entries(expect.effects)) {
      if (count > 0) await this.#awaitEffect({ await_effect: label, count });
    }
    void this.#worker?.stop().catch(() => undefined);
    this.#shared.openAll();
    await this.#awaitStopped();
    await this.#compare();
  }

  async #leave(): Promise<void> {
    this.#holder?.kill();
    await this.#worker?.stop().catch(() => undefined);
    await this.#store.close();
    await this.#onlooker.close();
  }

  #start(): void {
    this.#ended = undefined;
    const { grace_ms: graceMs = 20_000, lease_ms, hook_throws } = this.#scenario.worker ?? {};
    const entries = Object.entries(this.#scenario.workflows).map(([name, workflow]) => {
      const { do: acts, code_version: codeVersion } = known(workflow, ["do", "code_version"]);
      const run = async (attempt: ConstructorParameters<typeof Play>[0], args: unknown) =>
        (await new Play(attempt, args, this.#shared).all(acts))?.value ?? null;
      return [name, { run, codeVersion }] as const;
    });
    const onEvent = (event: WorkerEvent): void => {
      this.#events.push(event);
      if (hook_throws) throw new Error("the hook is broken");
    };
    const leaseMs = lease_ms ?? "while-alive";
    const options = { concurrency: 4, graceMs, leaseMs, hooks: { onEvent }, log: "off" } as const;
    this.#worker = this.#store.worker(Object.fromEntries(entries), options);
    this.#worker.done.then(
      () => {
        this.#ended = "stopped";
      },
      (error) => {
        this.#ended = error.name;
      },
    );
  }

  async #act(act: Act): Promise<void> {
    const [kind = ""] = Object.keys(act);
    const name = act[kind] as string;
    if (kind === "await_effect") return this.#awaitEffect(known(act, [kind, "count"]));
    if (kind === "await_state") {
      return this.#awaitState(name, known(act, [kind, "state"])["state"] as string);
    }
    if (kind === "await_event") return this.#awaitEvent(known(act, [kind, "run", "count"]));
    if (kind === "send") return this.#send(known(act, [kind, "name", "payload"]));
    if (kind === "take_over") return this.#takeOver(known(act, [kind, "result"]));
    known(act, [kind]);
    if (kind === "open") this.#shared.gate(name).open();
    else if (kind === "submit") await this.#submit(this.#named(name));
    else if (kind === "cancel") await this.#onlooker.runs.cancel(this.#id(name));
    else if (kind === "lock") await this.#lock(act["lock"] === true);
    else if (kind === "stop") void this.#worker?.stop().catch(() => undefined);
    else if (kind === "await_stopped") await this.#awaitStopped();
    else if (kind === "start") this.#start();
    else if (kind === "lose_log") rmSync(`${this.#path}-wal`);
    else if (kind === "close_store") void this.#store.close();
    else assert.fail(`no such act of the world: ${JSON.stringify(act)}`);
  }

  async #submit(one: Submit): Promise<void> {
    known(one, [
      ...["as", "workflow", "args", "code_version", "max_tries", "timeout_ms"],
      ...["metadata", "budget", "later"],
    ]);
    const { runId } = await this.#onlooker.runs.submit(one.workflow, one.args, {
      backoffInitialMs: 1,
      ...(one.code_version === undefined ? {} : { codeVersion: one.code_version }),
      ...(one.max_tries === undefined ? {} : { maxTries: one.max_tries }),
      ...(one.timeout_ms === undefined ? {} : { timeoutMs: one.timeout_ms }),
      ...(one.metadata === undefined ? {} : { metadata: one.metadata }),
      ...(one.budget === undefined ? {} : { budget: one.budget }),
    });
    this.#ids.set(one.as, runId);
  }

  #named(name: string): Submit {
    const one = this.#scenario.submit.find((submit) => submit.as === name);
    assert.ok(one, `no such submit: ${name}`);
    return one;
  }

  #id(name: string): string {
    return this.#ids.get(name) ?? assert.fail(`${name} was not submitted`);
  }

  async #awaitEffect(act: Act): Promise<void> {
    const { await_effect: label, count = 1 } = act as { await_effect: string; count?: number };
    const isSo = (): boolean => (this.#shared.effects.get(label) ?? 0) >= count;
    await until(`effect ${label}`, isSo);
  }

  async #awaitState(name: string, state: string): Promise<void> {
    const run = (): Promise<RunDocument> => this.#onlooker.runs.get(this.#id(name));
    await until(`${name} is ${state}`, async () => (await run()).state === state).catch(
      async (error) => assert.fail(`${error.message}: ${JSON.stringify(await run())}`),
    );
  }

  async #awaitEvent(act: Act): Promise<void> {
    const {
      await_event: name,
      run,
      count = 1,
    } = act as {
      await_event: string;
      run?: string;
      count?: number;
    };
    const isIt = (event: WorkerEvent): boolean =>
      event.event === name && (run === undefined || event.run_id === this.#id(run));
    await until(`event ${name}`, () => this.#events.filter(isIt).length >= count);
  }

  async #send(act: Act): Promise<void> {
    await this.#onlooker.signals.send(
      this.#id(act["send"] as string),
      act["name"] as string,
      act["payload"],
    );
  }

  async #takeOver(act: Act): Promise<void> {
    await using other = await Store.open(this.#path, { manualClock: true });
    await other.advanceClock(HOUR_MS);
    const attempt = await other.runs.claim();
    assert.equal(attempt?.runId, this.#id(act["take_over"] as string));
    await attempt?.complete(act["result"]);
    attempt?.free();
  }

  async #lock(isHeld: boolean): Promise<void> {
    if (isHeld) {
      const ofFile = ["python3", "-c", HOLDER];
      const [program = "", ...args] = SERVER === undefined ? ofFile : [HOLDER_ON_SERVER];
      const holder = spawn(program, [...args, this.#path], { stdio: ["pipe", "pipe", "inherit"] });
      this.#holder = holder;
      await once(holder.stdout, "data");
    } else {
      this.#holder?.stdin?.end();
      if (this.#holder) await once(this.#holder, "exit");
    }
  }

  async #awaitStopped(): Promise<void> {
    await until("the worker has ended", () => this.#ended !== undefined);
  }

  async #compare(): Promise<void> {
    const { runs, effects, worker = "stopped", events = {}, hooks = [] } = this.#scenario.expect;
    assert.ok([worker].flat().includes(this.#ended ?? ""), `the worker ended by ${this.#ended}`);
    for (const one of runs) {
      compareRun(one, await this.#onlooker.runs.get(this.#id(one.run)));
    }
    const counted = Object.keys(effects).map((label) => [
      label,
      this.#shared.effects.get(label) ?? 0,
    ]);
    assert.deepEqual(Object.fromEntries(counted), effects);
    assert.equal(this.#shared.effects.get("not as expected") ?? 0, 0);
    const { kept } = this.#scenario.expect;
    if (kept) {
      const { rows } = await this.#onlooker.query("SELECT text FROM kept ORDER BY text");
      assert.deepEqual(rows.flat(), kept);
    }
    for (const [run, names] of Object.entries(events)) {
      const own = this.#events.filter((event) => event.run_id === this.#id(run));
      // Attempt by attempt: the next may have begun before the end of one is told.
      own.sort((one, other) => Number(one.attempt) - Number(other.attempt));
      const told = own.map((event) => event.event);
      assert.deepEqual(told, names, `events of ${run}`);
      for (const event of own) {
        const missing = hooks.filter((member) => !(member in event));
        assert.deepEqual(missing, [], `members of ${event.event}`);
      }
    }
  }
}

function compareRun(expected: ExpectedRun, run: RunDocument): void {
  known(expected, [
    ...["run", "state", "result", "error_has", "error_lacks", "attempts", "attempts_max"],
    "tries",
  ]);
  const about = JSON.stringify(run);
  assert.equal(run.state, expected.state, about);
  if ("result" in expected) assert.deepEqual(run.result, expected.result);
  const error = JSON.stringify(run.error);
  for (const text of expected.error_has ?? []) {
    assert.ok(
      error.includes(text) || error.includes(JSON.stringify(text).slice(1, -1)),
      `${text} is not in ${error}`,
    );
  }
  for (const text of expected.error_lacks ?? []) {
    assert.ok(!error.includes(text), `${text} is in ${error}`);
  }
  if (expected.attempts !== undefined) assert.equal(run.attempts, expected.attempts, about);
  if (expected.tries !== undefined) assert.equal(run.tries, expected.tries, about);
  const { attempts_max: most = Number.POSITIVE_INFINITY } = expected;
  assert.ok(run.attempts <= most, about);
}
