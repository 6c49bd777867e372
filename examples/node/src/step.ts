import { again } from "./again.js";
import { RecordedFailure, recorded } from "./errors.js";
import { Handle } from "./handle.js";
import { fromJson, type Json, type RawJson, rawJson, toJson } from "./json.js";
import type { Library } from "./library.js";
import type { Amounts, FailFields } from "./options.js";
import { failFields } from "./options.js";

/** How a begin was answered: run it, or here is the answer of before. */
export type StepState = "run" | "replayed" | "failed";

/** One begun step. `attempt.step` makes, ends and frees it; `attempt.begin` leaves that to you. */
export class Step implements Disposable {
  readonly handle: Handle;
  readonly id: string;
  readonly name: string;
  readonly occurrence: number;
  /** How often the work was begun, as far as recorded, with this time. */
  readonly tries: number;
  readonly #library: Library;
  #usage: Amounts | undefined;

  constructor(
    library: Library,
    pointer: bigint,
    /** What is to be done about it. */
    readonly state: StepState,
  ) {
    const ask = (what: string): unknown => library.ask(`sw_step_${what}`, this.handle);
    this.#library = library;
    this.handle = new Handle("step", pointer, library.releasing("sw_step_free"));
    this.id = ask("id") as string;
    this.name = ask("name") as string;
    this.occurrence = ask("occurrence") as number;
    this.tries = ask("tries") as number;
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

  get errorText(): string | null {
    return this.#library.ask("sw_step_error", this.handle) as string | null;
  }

  /** When a step that failed or backs off may be tried again. */
  get retryAtMs(): number {
    return this.#library.ask("sw_step_retry_at_ms", this.handle) as number;
  }

  /** Says what the work has used, to be settled in the commit of the step's result. */
  used(amounts: Amounts): void {
    this.#usage = amounts;
  }

  /** Records the result: from here on, no crash can lose it. */
  async complete(result?: unknown, usage = this.#usage): Promise<void> {
    const inputs = [this.handle, toJson(result)];
    if (usage === undefined) {
      await again(() => this.#library.callLater("sw_step_complete", ...inputs));
    } else {
      const all = [...inputs, toJson(usage)];
      await again(() => this.#library.callLater("sw_step_complete_usage", ...all));
    }
  }

  /** Records a failed try, and returns whether it will be tried again. */
  fail(thrown: unknown, options: FailFields = {}): Promise<boolean> {
    return this.failJson(options.text ? rawJson(String(thrown)) : recorded(thrown), options);
  }

  /** The same, with the JSON value to record. */
  async failJson(error: Json | RawJson, options: FailFields = {}): Promise<boolean> {
    const fields = failFields(this.#library, options);
    const inputs = [this.handle, toJson(error), fields];
    const answer = await again(() => this.#library.callLater("sw_step_fail", ...inputs));
    return answer.code === "SW_SUSPEND";
  }

  /** Frees the handle; what was recorded stays. */
  free(): void {
    this.handle.free();
  }

  [Symbol.dispose](): void {
    this.free();
  }
}
