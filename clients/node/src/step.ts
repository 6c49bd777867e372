import type { Calls } from "./calls.js";
import { RecordedFailure, ResultError, TransactionError } from "./errors.js";
import { Handle } from "./handle.js";
import { EncodeError, fromJson, type Json, type RawJson, rawJson, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import { type Amounts, amountsToJson, type FailFields, failFields } from "./options.js";
import { isRefusedScript, isRefusedValue, recordFailure } from "./record.js";
import { carriesControl, failureOf, isAbort, recorded, traceOf } from "./thrown.js";
import type { StepFacts } from "./told.js";
import { type Came, collect, commit, type Script, type TransactionWork } from "./transaction.js";

/** How a begin was answered: run it, or here is the answer of before. */
export type StepState = "run" | "replayed" | "failed";

/** One begun step. `attempt.step` makes, ends and frees it; `attempt.begin` leaves that to you. */
export class Step implements Disposable {
  /** The handle for calls of the library. */
  readonly handle: Handle;
  /** The same in every attempt: an idempotency key for whom the work calls. */
  readonly id: string;
  /** The step's name. */
  readonly name: string;
  /** Which of the steps of its name in the run it is, from 1. */
  readonly occurrence: number;
  /** How often the work was begun, as far as recorded, with this time. */
  readonly tries: number;
  readonly #library: Library;
  readonly #calls: Calls;
  readonly #begunAt = performance.now();
  readonly #forget: () => void;
  /** What is to be done about it. */
  readonly state: StepState;
  #usage: Amounts | undefined;
  #isTold = false;

  constructor(library: Library, calls: Calls, pointer: bigint, state: StepState) {
    this.state = state;
    const ask = (what: string): unknown => library.ask(`sw_step_${what}`, this.handle);
    this.#library = library;
    this.#calls = calls;
    this.handle = new Handle("step", pointer, library.releasing("sw_step_free"));
    this.#forget = calls.opened(this.handle);
    this.id = ask("id") as string;
    this.name = ask("name") as string;
    this.occurrence = ask("occurrence") as number;
    this.tries = ask("tries") as number;
    if (state === "run") calls.tell("step_run", () => this.#facts());
  }

  /** The recorded result of a step that replayed. */
  get result(): Json {
    return fromJson(this.resultText ?? "null");
  }

  /** The same as its JSON text, byte for byte. */
  get resultText(): string | null {
    return this.#library.ask("sw_step_result", this.handle) as string | null;
  }

  /** The recorded failure of a step that failed for good. */
  get failure(): RecordedFailure {
    return new RecordedFailure(`step ${this.name}`, fromJson(this.errorText ?? "null"));
  }

  /** The same as its JSON text, byte for byte. */
  get errorText(): string | null {
    return this.#library.ask("sw_step_error", this.handle) as string | null;
  }

  /** Unix milliseconds from which on a step that failed or backs off may be tried again. */
  get retryAtMs(): number {
    return this.#library.ask("sw_step_retry_at_ms", this.handle) as number;
  }

  /** Says what the work has used, to be settled in the commit of the step's result. */
  used(amounts: Amounts): void {
    this.#usage = amounts;
  }

  /** Records the result: from here on, no crash can lose it. */
  complete(result?: unknown, usage: Amounts | undefined = this.#usage): Promise<void> {
    return this.#calls.make(`the complete of step ${this.name}`, () =>
      this.#complete(result, usage),
    );
  }

  /** Records a failed try, and resolves to whether it will be tried again. */
  fail(thrown: unknown, options: FailFields = {}): Promise<boolean> {
    if (options.text) return this.#fail(rawJson(String(thrown)), options, thrown);
    return this.#fail(recorded(thrown), { ...failureOf(thrown), ...options }, thrown);
  }

  /** The same, with the JSON value to record. */
  failJson(error: Json | RawJson, options: FailFields = {}): Promise<boolean> {
    return this.#fail(error, options, undefined);
  }

  /** Does the work and records what comes of it; resolves to what a replay will answer. */
  async perform<T>(work: (step: Step) => T | Promise<T>): Promise<T> {
    let text: string;
    try {
      text = this.#encoded(await work(this));
    } catch (thrown) {
      throw await this.#failed(thrown);
    }
    try {
      await this.complete(rawJson(text));
    } catch (refusal) {
      if (!isRefusedValue(refusal)) throw refusal;
      throw await this.#failed(new ResultError(`step ${this.name}`, refusal));
    }
    return fromJson<T>(text);
  }

  /** Records the result of a transaction, with what that does; if it is refused, nothing is done. */
  completeIn<Result>(work: TransactionWork<Result>): Promise<Came<Result>> {
    return this.#calls.make(`the complete of step ${this.name}`, async () =>
      this.#commit(await this.#collect(work)),
    );
  }

  /** The same, and records why where nothing came of it. */
  async performTransaction<Result>(work: TransactionWork<Result>): Promise<Came<Result>> {
    let script: Script;
    try {
      script = await this.#collect(work);
    } catch (thrown) {
      throw await this.#failed(thrown);
    }
    try {
      return await this.#commit(script);
    } catch (refusal) {
      if (!isRefusedScript(refusal)) throw refusal;
      const isResult = refusal instanceof EncodeError;
      const why = isResult ? new ResultError(`step ${this.name}`, refusal) : refusal;
      throw await this.#failed(why);
    }
  }

  /** Frees the handle; what was recorded stays. */
  free(): void {
    this.#forget();
    this.handle.free();
  }

  [Symbol.dispose](): void {
    this.free();
  }

  #encoded(result: unknown): string {
    try {
      return toJson(result) ?? "null";
    } catch (refusal) {
      throw new ResultError(`step ${this.name}`, refusal);
    }
  }

  async #complete(result: unknown, usage: Amounts | undefined): Promise<void> {
    const text = toJson(result);
    if (usage === undefined) await this.#calls.record("sw_step_complete", this.handle, text);
    else {
      await this.#calls.record("sw_step_complete_usage", this.handle, text, amountsToJson(usage));
    }
    this.#tellDone();
  }

  async #collect<Result>(work: TransactionWork<Result>): Promise<Script> {
    const script = await collect(work);
    if (this.#usage === undefined) return script;
    script.failed();
    throw new TransactionError("a transaction settles no usage: complete the step by itself");
  }

  async #commit<Result>(script: Script): Promise<Came<Result>> {
    const send = (text: string): Promise<Answer> => this.#calls.transact(text, this.handle);
    const result = await commit<Result>(script, "step_complete", send);
    this.#tellDone();
    return result;
  }

  #fail(error: Json | RawJson, options: FailFields, thrown: unknown): Promise<boolean> {
    return this.#calls.make(`the fail of step ${this.name}`, async () => {
      const fields = failFields(this.#library, options);
      const text = toJson(error) ?? "null";
      const answer = await this.#calls.record("sw_step_fail", this.handle, text, fields);
      const isRetried = answer.code === "SW_SUSPEND";
      const told = (): Json => (options.text ? text : fromJson(text));
      this.#tellOnce(() => this.#tellFailed(told, isRetried, thrown));
      return isRetried;
    });
  }

  /** Records what the work threw, and returns what its caller is to see. */
  async #failed(thrown: unknown): Promise<unknown> {
    if (carriesControl(thrown)) return thrown;
    const { signal } = this.#calls;
    if (signal.aborted && isAbort(thrown)) return signal.reason;
    const { isRetried, error } = await recordFailure(thrown, (error, how) =>
      this.#fail(error, how, thrown),
    );
    const of = `step ${this.name}`;
    if (isRetried) return this.#calls.notYet(of, `${of} is tried again at ${this.retryAtMs}`);
    // What a replay will throw: without a cause, and with the error as it was recorded.
    return new RecordedFailure(of, fromJson(toJson(error) ?? "null"));
  }

  #facts(): StepFacts {
    const { id: step_id, name: step, occurrence, tries: step_tries } = this;
    return { step_id, step, occurrence, step_tries };
  }

  #time(): { duration_ms: number } {
    return { duration_ms: Math.round(performance.now() - this.#begunAt) };
  }

  #tellDone(): void {
    this.#tellOnce(() =>
      this.#calls.tell("step_done", () => ({ ...this.#facts(), ...this.#time() })),
    );
  }

  /** A finish may be repeated, and answers as before. */
  #tellOnce(tell: () => void): void {
    if (!this.#isTold) tell();
    this.#isTold = true;
  }

  #tellFailed(error: () => Json, isRetried: boolean, thrown: unknown): void {
    this.#calls.tell("step_failed", () => ({
      ...this.#facts(),
      ...this.#time(),
      error: error(),
      trace: traceOf(thrown),
      retry_at_ms: isRetried ? this.retryAtMs : null,
    }));
  }
}
