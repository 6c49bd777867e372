import { again } from "./again.js";
import { RecordedFailure, recorded, type SmolwfError, Suspended } from "./errors.js";
import { Handle } from "./handle.js";
import { fromJson, type Json, rawJson, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import type { Integer } from "./numbers.js";
import {
  type Amounts,
  type FailFields,
  failFields,
  leaseOf,
  type StepOptions,
  type SubmitOptions,
  snakeKeys,
  stepFields,
  submitFields,
} from "./options.js";
import { failureOf, isControl, type Outcome, perform, type Workflow } from "./perform.js";
import { Step } from "./step.js";

/** One thing to wait for. */
export type Wait = { signal: string } | { child: string } | { sleepMs: Integer };

/** What one wait of several brought: the signal's payload, the child's result or error, null. */
export interface Ready<T = Json> {
  /** Its place among the waits. */
  index: number;
  outcome: "ok" | "failed";
  value: T;
}

export interface WaitOptions {
  /** Milliseconds until the wait gives up, fixed by the first ask; -1, the default, is never. */
  timeoutMs?: Integer;
}

export interface ChildItem extends SubmitOptions {
  /** The child's key within its parent, counted up like a step's name; absent is the workflow. */
  name?: string;
  workflow: string;
  args?: unknown;
}

/**
 * One worker's try at a run. Waits that are not over throw {@link Suspended}: let it pass, and the
 * function runs again, from the top, when there is something to go on with.
 */
export class Attempt implements AsyncDisposable {
  readonly handle: Handle;
  readonly id: string;
  readonly runId: string;
  readonly rootRunId: string;
  readonly parentRunId: string | null;
  readonly workflow: string;
  readonly queue: string;
  /** The fence: each claim of the run has a higher one. */
  readonly number: number;
  readonly #library: Library;
  readonly #abort = new AbortController();
  readonly #open = new Set<Promise<unknown>>();

  constructor(
    library: Library,
    pointer: bigint,
    /** Milliseconds between two heartbeats of `perform`. */
    readonly heartbeatMs: number,
  ) {
    const ask = (what: string): unknown => library.ask(`sw_attempt_${what}`, this.handle);
    this.#library = library;
    this.handle = new Handle("attempt", pointer, library.releasing("sw_attempt_free"));
    this.id = ask("id") as string;
    this.runId = ask("run_id") as string;
    this.rootRunId = ask("root_run_id") as string;
    this.parentRunId = (ask("parent_run_id") as string | null) || null;
    this.workflow = ask("workflow") as string;
    this.queue = ask("queue") as string;
    this.number = ask("number") as number;
  }

  /** The run's arguments as JSON text, byte for byte as submitted. */
  get argsText(): string {
    return this.#library.ask("sw_attempt_args", this.handle) as string;
  }

  get args(): Json {
    return fromJson(this.argsText);
  }

  /** The version of the code that the run was submitted for; null if there is none. */
  get codeVersion(): string | null {
    return this.#library.ask("sw_attempt_code_version", this.handle) as string | null;
  }

  /** The run's metadata, decoded; null when there is none. */
  get metadata(): Json {
    const text = this.#library.ask("sw_attempt_metadata", this.handle) as string | null;
    return fromJson(text ?? "null");
  }

  get leaseExpiresAtMs(): number {
    return this.#library.ask("sw_attempt_lease_expires_at_ms", this.handle) as number;
  }

  /** Aborted when a heartbeat of `perform` learns that the run was cancelled or taken over. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Runs a workflow function and ends the attempt with what came of it. */
  perform<Args = Json, Result = unknown>(workflow: Workflow<Args, Result>): Promise<Outcome> {
    return perform(this, workflow as Workflow);
  }

  /**
   * Does the work once and records its result; after that, answers the recorded one. The work may run
   * again after a crash between its end and the record: give `step.id` to whom it calls.
   */
  step<T>(
    name: string,
    work: (step: Step) => T | Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const running = this.#step(name, work, options);
    this.#open.add(running);
    const forget = (): unknown => this.#open.delete(running);
    running.then(forget, forget);
    return running;
  }

  async #step<T>(name: string, work: (step: Step) => T | Promise<T>, o: StepOptions): Promise<T> {
    using step = await this.begin(name, o);
    if (step.state === "replayed") return step.result as T;
    if (step.state === "failed") throw step.failure;
    let result: string;
    try {
      result = toJson(await work(step)) ?? "null";
    } catch (thrown) {
      throw await failStep(step, thrown);
    }
    await step.complete(rawJson(result));
    // What a replay will answer: a date is a text now, not only after a crash.
    return fromJson<T>(result);
  }

  /** Begins a step that you end and free; throws {@link Suspended} while it backs off. */
  async begin(name: string, options: StepOptions = {}): Promise<Step> {
    const fields = stepFields(this.#library, options);
    const answer = await this.#later("sw_step_begin", name, toJson(options.input), fields);
    const state = STEP_STATES[answer.code];
    if (!state || answer.pointer === undefined) throw new Suspended(`step ${name} backs off`);
    return new Step(this.#library, answer.pointer, state);
  }

  /** Sleeps without a thread or process; the deadline is fixed by the first call. */
  async sleep(name: string, durationMs: Integer): Promise<void> {
    notYet(await this.#later("sw_sleep", name, durationMs), `sleep ${name}`);
  }

  /** Takes the next signal of a name; undefined when none came in time. */
  async signalled<T = Json>(name: string, options: WaitOptions = {}): Promise<T | undefined> {
    const answer = await this.#later("sw_signal_await", name, options.timeoutMs ?? -1);
    return brought<T>(answer, `signal ${name}`);
  }

  /** Submits a child run, once; resolves to its id. */
  async child(
    name: string,
    workflow: string,
    args?: unknown,
    options: SubmitOptions = {},
  ): Promise<string> {
    const fields = submitFields(this.#library, options);
    const answer = await this.#later("sw_child_submit", name, workflow, toJson(args), fields);
    return answer.text ?? "";
  }

  /** Submits many children in one commit; resolves to their ids, in order. */
  async children(items: readonly ChildItem[]): Promise<string[]> {
    const named = items.map((item) => snakeKeys({ name: item.workflow, ...item }));
    const answer = await this.#later("sw_child_submit_many", toJson(named));
    return fromJson<{ run_id: string }[]>(answer.text ?? "[]").map((one) => one.run_id);
  }

  /** Waits for a child: its result, undefined when it did not end in time; throws its failure. */
  async childResult<T = Json>(runId: string, options: WaitOptions = {}): Promise<T | undefined> {
    const answer = await this.#later("sw_child_await", runId, options.timeoutMs ?? -1);
    return brought<T>(answer, `child ${runId}`);
  }

  /** Waits for the first of several; undefined when none was ready in time. */
  async any(
    name: string,
    waits: readonly Wait[],
    options: WaitOptions = {},
  ): Promise<Ready | undefined> {
    const items = toJson(waits.map(snakeKeys));
    const answer = await this.#later("sw_await_any", name, items, options.timeoutMs ?? -1);
    return brought<Ready>(answer, `wait ${name}`);
  }

  /** Waits for all of several, and is woken once; undefined when not all were ready in time. */
  async all<T = Json>(
    name: string,
    waits: readonly Wait[],
    options: WaitOptions = {},
  ): Promise<Ready<T>[] | undefined> {
    const items = toJson(waits.map(snakeKeys));
    const answer = await this.#later("sw_await_all", name, items, options.timeoutMs ?? -1);
    return brought<Ready<T>[]>(answer, `wait ${name}`);
  }

  /**
   * Reserves of the budget of the tree; resolves to the reservation's id. A {@link BudgetError} that
   * nobody catches parks the attempt until there is more.
   */
  async reserve(
    amounts: Amounts,
    options: { step?: Step | undefined; source?: string } = {},
  ): Promise<string> {
    const inputs = [options.step?.handle, toJson(amounts), options.source];
    return (await this.#later("sw_budget_reserve", ...inputs)).text ?? "";
  }

  /** Appends to the event log; with a key once per run. */
  async event(type: string, payload?: unknown, key?: string): Promise<void> {
    await this.#later("sw_event_append", type, toJson(payload), key);
  }

  /** Extends the lease; absent keeps its length. */
  async heartbeat(leaseMs?: number | "while-alive"): Promise<void> {
    await this.#later("sw_attempt_heartbeat", leaseOf(this.#library, leaseMs));
  }

  /** Throws CancelledError or LeaseLostError if there is no use in going on. */
  async check(): Promise<void> {
    await this.#later("sw_attempt_check");
  }

  /** Ends the run with a result. */
  async complete(result?: unknown): Promise<void> {
    const text = toJson(result);
    await again(() => this.#later("sw_attempt_complete", text));
  }

  /** Ends the attempt as failed; resolves to whether the run will be tried again. */
  async fail(thrown: unknown, options: FailFields = {}): Promise<boolean> {
    const error = options.text ? String(thrown) : toJson(recorded(thrown));
    const fields = failFields(this.#library, options);
    const answer = await again(() => this.#later("sw_attempt_fail", error, fields));
    return answer.code === "SW_SUSPEND";
  }

  /** Gives the run back; no try is charged. */
  async release(delayMs: Integer = 0): Promise<void> {
    await again(() => this.#later("sw_attempt_release", delayMs));
  }

  /** Parks the run on what it waits for. */
  async suspend(): Promise<void> {
    await again(() => this.#later("sw_attempt_suspend"));
  }

  /** Resolves when no step's work is running any more. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled(this.#open);
  }

  /** Tells the workflow function that there is no use in going on. */
  abandon(reason: SmolwfError): void {
    this.#abort.abort(reason);
  }

  /** Frees the handle. Does not end the attempt: unfinished, its lease stays until it lapses. */
  free(): void {
    this.handle.free();
  }

  /** Gives an unfinished attempt back, and frees it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.handle.isOpen) return;
    await this.release().catch(() => undefined);
    this.free();
  }

  #later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.#library.callLater(name, this.handle, ...inputs);
  }
}

const STEP_STATES: Readonly<Record<string, Step["state"]>> = {
  SW_OK: "run",
  SW_REPLAYED: "replayed",
  SW_FAILED: "failed",
};

function notYet(answer: Answer, of: string): void {
  if (answer.code === "SW_SUSPEND") throw new Suspended(`${of} is not over`);
}

function brought<T>(answer: Answer, of: string): T | undefined {
  notYet(answer, of);
  if (answer.code === "SW_TIMEOUT") return undefined;
  if (answer.code === "SW_FAILED") throw new RecordedFailure(of, fromJson(answer.text ?? "null"));
  return fromJson<T>(answer.text ?? "null");
}

/** Records what the work of a step threw, and returns what its caller is to see. */
async function failStep(step: Step, thrown: unknown): Promise<unknown> {
  if (isControl(thrown)) return thrown;
  const isRetried = await step.fail(thrown, failureOf(thrown));
  if (isRetried) return new Suspended(`step ${step.name} is tried again at ${step.retryAtMs}`);
  return new RecordedFailure(`step ${step.name}`, recorded(thrown), thrown);
}
