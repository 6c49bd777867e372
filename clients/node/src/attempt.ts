import { reserve } from "./budget.js";
import { Calls } from "./calls.js";
import { type ChildItem, type ChildOptions, submitChild, submitChildren } from "./child.js";
import type { RunDocument } from "./documents.js";
import { BudgetError, ConflictError, RecordedFailure } from "./errors.js";
import { Handle } from "./handle.js";
import type { Hearing } from "./hearing.js";
import { fromJson, type Json, type RawJson, rawJson, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import type { Integer } from "./numbers.js";
import {
  type Amounts,
  type FailFields,
  failFields,
  leaseOf,
  type StepOptions,
  snakeKeys,
  stepFields,
  type WaitOptions,
} from "./options.js";
import { type Outcome, type PerformOptions, perform } from "./perform.js";
import { fromSqlJson } from "./sql.js";
import { Step } from "./step.js";
import { failureOf, recorded } from "./thrown.js";
import type { RunFacts } from "./told.js";
import { type Came, collect, commit, refuseNested, type TransactionWork } from "./transaction.js";
import type { Ready, Wait } from "./wait.js";
import type { Named, Workflow, WorkflowEntry } from "./workflow.js";

/** What an attempt has of its store. */
export interface AttemptOf {
  store: Handle;
  hearing: Hearing;
  /** Milliseconds between two heartbeats of `perform`; 0 for a lease that needs none. */
  heartbeatMs: number;
}

/**
 * One worker's try at a run. Waits that are not over throw {@link Suspended}: let it pass, and the
 * function runs again, from the top, when there is something to go on with.
 *
 * Every call is to be awaited, though not at once: one that nobody awaits fails the run for good. A
 * call that could not be stored (a lock, a full disk) is made again until it is.
 */
export class Attempt implements AsyncDisposable {
  /** The handle for calls of the library. */
  readonly handle: Handle;
  /** The attempt's id, `attempt_` and a ULID. */
  readonly id: string;
  /** The run's id, `run_` and a ULID. */
  readonly runId: string;
  /** The id of the topmost run of the tree: the run's own when it is no child. */
  readonly rootRunId: string;
  /** The id of the run that submitted this one as a child; null if none did. */
  readonly parentRunId: string | null;
  /** The name of the run's workflow. */
  readonly workflow: string;
  /** The name of the run's queue. */
  readonly queue: string;
  /** The fence: each claim of the run has a higher one. */
  readonly number: number;
  /** For whoever performs the attempt: its calls, and what they decide. */
  readonly calls: Calls;
  /** Milliseconds between two heartbeats of `perform`; 0 for a lease that needs none. */
  readonly heartbeatMs: number;
  readonly #library: Library;
  readonly #of: AttemptOf;
  #outcome: Outcome | undefined;
  #isHeard = false;
  #isPerformed = false;

  constructor(library: Library, pointer: bigint, of: AttemptOf) {
    const ask = (what: string): unknown => library.ask(`sw_attempt_${what}`, this.handle);
    this.#library = library;
    this.#of = of;
    this.heartbeatMs = of.heartbeatMs;
    this.handle = new Handle("attempt", pointer, library.releasing("sw_attempt_free"));
    this.id = ask("id") as string;
    this.runId = ask("run_id") as string;
    this.rootRunId = ask("root_run_id") as string;
    this.parentRunId = (ask("parent_run_id") as string | null) || null;
    this.workflow = ask("workflow") as string;
    this.queue = ask("queue") as string;
    this.number = ask("number") as number;
    this.calls = new Calls(library, of.store, this.handle, this.#factsOnce());
  }

  /** The run's arguments as JSON text, byte for byte as submitted. */
  get argsText(): string {
    return this.#library.ask("sw_attempt_args", this.handle) as string;
  }

  /** What the run was submitted with, decoded. */
  get args(): Json {
    return fromJson(this.argsText);
  }

  /** What the run was submitted with beside its arguments; null if nothing. */
  get metadata(): Json {
    return fromJson((this.#ask("metadata") as string | null) ?? "null");
  }

  /** The version of the code that the run was submitted for; null if it names none. */
  get codeVersion(): string | null {
    return (this.#ask("code_version") as string | null) || null;
  }

  /** Unix milliseconds, as far as this handle knows. */
  get leaseExpiresAtMs(): number {
    return this.#ask("lease_expires_at_ms") as number;
  }

  /**
   * Aborted while the attempt is performed, with the reason: a {@link CancelledError} when the run is
   * cancelled, a {@link LeaseLostError} when another worker has it, a {@link ClosedError} when the
   * store is closed, {@link WorkerStopped} when its worker ends it. Give it to `fetch`.
   */
  get signal(): AbortSignal {
    this.#isHeard = true;
    if (this.#isPerformed && !this.calls.signal.aborted) this.#of.hearing.listen(this);
    return this.calls.signal;
  }

  /** Begins to tell of cancels and takeovers, to whoever has asked for the signal or will. */
  startHearing(): void {
    this.#isPerformed = true;
    if (this.#isHeard) this.#of.hearing.listen(this);
  }

  /** Tells of cancels and takeovers no more. */
  stopHearing(): void {
    this.#isPerformed = false;
    this.#of.hearing.forget(this);
  }

  /** How the attempt was ended by hand or by `perform`, if it was. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Runs a workflow function, ends the attempt with what came of it, and frees it. */
  perform<Args = Json, Result = unknown>(
    workflow: Workflow<Args, Result> | WorkflowEntry<Args, Result>,
    options: PerformOptions = {},
  ): Promise<Outcome> {
    const run = typeof workflow === "function" ? workflow : workflow.run;
    return perform(this, run as Workflow, options);
  }

  /**
   * Does the work once and records its result; after that, answers the recorded one. The work may run
   * again after a crash between its end and the record: give `step.id` to whom it calls.
   *
   * Steps side by side need distinct names, or name their occurrence: otherwise the run fails for
   * good. So does it with a result that has no form in JSON.
   */
  step<T>(
    name: string,
    work: (step: Step) => T | Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    return this.calls.make(`step ${name}`, async () => {
      using step = await this.#begin(name, options);
      if (step.state === "replayed") return step.result as T;
      if (step.state === "failed") throw step.failure;
      return await step.perform(work);
    });
  }

  /**
   * A step that changes tables of your own, in the store's file, once: `work` says by `tx` what is to be
   * done, and that is committed together with the record of the step, or not at all. When it throws,
   * or the transaction is refused (a constraint, `expectChanges`), nothing is done, and the step has
   * failed as any other: it is tried again, then it is a {@link RecordedFailure}. A replay answers the
   * recorded result, and does not run `work`.
   */
  transaction<Result>(
    name: string,
    work: TransactionWork<Result>,
    options: StepOptions = {},
  ): Promise<Came<Result>> {
    return this.calls.make(`step ${name}`, async () => {
      refuseNested();
      using step = await this.#begin(name, options);
      if (step.state === "replayed") return fromSqlJson(step.resultText ?? "null");
      if (step.state === "failed") throw step.failure;
      return await step.performTransaction(work);
    });
  }

  /**
   * Commits a transaction in the attempt's name, if it still has the run. Recorded by no step, it is
   * done again by the next attempt: see {@link Attempt.transaction}.
   */
  commit<Result>(work: TransactionWork<Result>): Promise<Came<Result>> {
    return this.calls.make("a transaction", async () => {
      const send = (script: string): Promise<Answer> => this.calls.transact(script);
      return await commit<Result>(await collect(work), undefined, send);
    });
  }

  /** Ends the run with the result of a transaction, and with what that does. */
  completeIn<Result>(work: TransactionWork<Result>): Promise<Came<Result>> {
    return this.calls.make("the complete in a transaction", async () => {
      const send = (script: string): Promise<Answer> => this.calls.transact(script);
      const result = await commit<Result>(await collect(work), "attempt_complete", send);
      this.#outcome = { state: "completed", result };
      return result;
    });
  }

  /** Begins a step that you end and free; throws {@link Suspended} while it backs off. */
  begin(name: string, options: StepOptions = {}): Promise<Step> {
    return this.calls.make(`the begin of step ${name}`, () => this.#begin(name, options));
  }

  /** Sleeps without a thread or process; the deadline is fixed by the first call. */
  sleep(name: string, durationMs: Integer): Promise<void> {
    return this.#wait(`sleep ${name}`, () => undefined, "sw_sleep", name, durationMs);
  }

  /** Takes the next signal of a name; undefined when none came in time. */
  signalled<T = Json>(name: string, options: WaitOptions = {}): Promise<T | undefined> {
    const { timeoutMs = -1 } = options;
    return this.#wait<T | undefined>(`signal ${name}`, brought, "sw_signal_await", name, timeoutMs);
  }

  /** Submits a child run, once; resolves to its id. */
  child(
    name: string,
    workflow: string | Named,
    args?: unknown,
    options: ChildOptions = {},
  ): Promise<string> {
    return submitChild(this.#library, this.calls, name, workflow, args, options);
  }

  /** Submits many children in one commit; resolves to their ids, in order. */
  children(items: readonly ChildItem[]): Promise<string[]> {
    return submitChildren(this.calls, items);
  }

  /** Waits for a child: its result, undefined when it did not end in time; throws its failure. */
  childResult<T = Json>(runId: string, options: WaitOptions = {}): Promise<T | undefined> {
    const { timeoutMs = -1 } = options;
    return this.#wait<T | undefined>(`child ${runId}`, brought, "sw_child_await", runId, timeoutMs);
  }

  /** Waits for the first of several; undefined when none was ready in time. */
  any(name: string, waits: readonly Wait[], options: WaitOptions = {}): Promise<Ready | undefined> {
    return this.#several<Ready>(name, "sw_await_any", waits, options);
  }

  /** Waits for all of several, and is woken once; undefined when not all were ready in time. */
  all<T = Json>(
    name: string,
    waits: readonly Wait[],
    options: WaitOptions = {},
  ): Promise<Ready<T>[] | undefined> {
    return this.#several<Ready<T>[]>(name, "sw_await_all", waits, options);
  }

  /**
   * Reserves of the budget of the tree; resolves to the reservation's id. A {@link BudgetError} that
   * nobody catches parks the attempt until there is more.
   */
  reserve(
    amounts: Amounts,
    options: { step?: Step | undefined; source?: string } = {},
  ): Promise<string> {
    return reserve(this.calls, amounts, options);
  }

  /** Appends to the event log; with a key once per run. */
  event(type: string, payload?: unknown, key?: string): Promise<void> {
    return this.calls.make(`event ${type}`, async () => {
      await this.calls.ask("sw_event_append", type, toJson(payload), key);
    });
  }

  /** Extends the lease; absent keeps its length. `perform` does it by itself. */
  heartbeat(leaseMs?: number | "while-alive"): Promise<void> {
    return this.calls.makeQuiet(async () => {
      const length = leaseOf(this.#library, leaseMs);
      await this.calls.once("sw_attempt_heartbeat", this.handle, length);
    });
  }

  /** Throws CancelledError or LeaseLostError if there is no use in going on. */
  check(): Promise<void> {
    return this.calls.makeQuiet(async () => {
      await this.calls.once("sw_attempt_check", this.handle);
    });
  }

  /** Ends the run with a result. */
  complete(result?: unknown): Promise<void> {
    return this.calls.makeQuiet(async () => {
      await this.#end("sw_attempt_complete", toJson(result));
      this.#outcome = { state: "completed", result };
    });
  }

  /** Ends the attempt as failed; resolves to whether the run will be tried again. */
  fail(thrown: unknown, options: FailFields = {}): Promise<boolean> {
    if (options.text) return this.failJson(rawJson(String(thrown)), options);
    return this.failJson(recorded(thrown), { ...failureOf(thrown), ...options });
  }

  /** The same, with the JSON value to record. */
  failJson(error: Json | RawJson, options: FailFields = {}): Promise<boolean> {
    return this.calls.makeQuiet(async () => {
      const fields = failFields(this.#library, options);
      const text = toJson(error) ?? "null";
      const answer = await this.#end("sw_attempt_fail", text, fields);
      const isRetried = answer.code === "SW_SUSPEND";
      const stored = options.text ? text : fromJson(text);
      this.#outcome = { state: isRetried ? "retrying" : "failed", error: stored };
      return isRetried;
    });
  }

  /** Gives the run back, to be claimed after a delay; no try is charged. */
  release(delayMs: Integer = 0): Promise<void> {
    return this.calls.makeQuiet(async () => {
      await this.#end("sw_attempt_release", delayMs);
      this.#outcome = { state: "released", reason: "given back" };
    });
  }

  /** Parks the run on what it waits for. */
  suspend(): Promise<void> {
    return this.calls.makeQuiet(async () => {
      await this.#end("sw_attempt_suspend");
      this.#outcome = { state: "suspended" };
    });
  }

  /** When a run that was failed or given back may be claimed again; null if it cannot be read. */
  async retryAtMs(): Promise<number | null> {
    return (await this.asItStands())?.due_at_ms ?? null;
  }

  /** The run's document; undefined if it cannot be read. */
  async asItStands(): Promise<RunDocument | undefined> {
    try {
      const { text } = await this.#library.callLater("sw_run_get", this.#of.store, this.runId);
      return text === undefined ? undefined : fromJson<RunDocument>(text);
    } catch {
      return undefined;
    }
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

  async #begin(name: string, options: StepOptions): Promise<Step> {
    const fields = stepFields(this.#library, options);
    const input = toJson(options.input);
    const label = `step ${name}`;
    const answer = await this.calls.ask("sw_step_begin", name, input, fields).catch((error) => {
      throw this.#refused(label, error);
    });
    const state = STEP_STATES[answer.code];
    if (!state || answer.pointer === undefined) {
      throw this.calls.notYet(label, `${label} backs off`);
    }
    this.calls.waitingFor.delete(label);
    return new Step(this.#library, this.calls, answer.pointer, state);
  }

  /** Two steps under one name: the attempt cannot succeed, whoever catches it. */
  #refused(label: string, error: unknown): unknown {
    if (!(error instanceof ConflictError)) return error;
    const sentence = `${label} is under way: steps side by side need distinct names or an occurrence`;
    const refusal = this.#library.error("SW_ERR_CONFLICT", `${sentence} (${error.message})`);
    this.calls.refuse(refusal);
    return refusal;
  }

  #wait<T>(
    label: string,
    take: (answer: Answer, of: string) => T,
    name: string,
    ...inputs: readonly unknown[]
  ): Promise<T> {
    return this.calls.make(label, async () =>
      take(await this.calls.wait(label, name, ...inputs), label),
    );
  }

  #several<T>(
    name: string,
    call: string,
    waits: readonly Wait[],
    options: WaitOptions,
  ): Promise<T | undefined> {
    const label = `wait ${name}`;
    return this.calls.make(label, async () => {
      const inputs = [name, toJson(waits.map(snakeKeys)), options.timeoutMs ?? -1];
      return brought<T>(await this.calls.wait(label, call, ...inputs), label);
    });
  }

  #end(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.calls.record(name, this.handle, ...inputs);
  }

  #ask(what: string): unknown {
    return this.#library.ask(`sw_attempt_${what}`, this.handle);
  }

  /** The facts of the run, read at the first event. */
  #factsOnce(): () => RunFacts {
    let known: RunFacts | undefined;
    return () => {
      known ??= {
        run_id: this.runId,
        root_run_id: this.rootRunId,
        parent_run_id: this.parentRunId,
        workflow: this.workflow,
        queue: this.queue,
        attempt_id: this.id,
        attempt: this.number,
        metadata: this.metadata,
      };
      return known;
    };
  }
}

const STEP_STATES: Readonly<Record<string, Step["state"]>> = {
  SW_OK: "run",
  SW_REPLAYED: "replayed",
  SW_FAILED: "failed",
};

function brought<T>(answer: Answer, of: string): T | undefined {
  if (answer.code === "SW_TIMEOUT") return undefined;
  if (answer.code === "SW_FAILED") throw new RecordedFailure(of, fromJson(answer.text ?? "null"));
  return fromJson<T>(answer.text ?? "null");
}
