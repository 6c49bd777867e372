import { setMaxListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { again } from "./again.js";
import {
  ForgottenAwaitError,
  isFatal,
  isOver,
  NondeterminismError,
  type SmolwfError,
  Suspended,
} from "./errors.js";
import type { Handle } from "./handle.js";
import type { Answer, Library } from "./library.js";
import { carriesControl, messageOf, recorded } from "./thrown.js";
import { type Details, type EventName, type RunFacts, Teller } from "./told.js";

/** Milliseconds between being told to end and being left behind. */
const LEAVE_MS = 500;

/** A durable call: a promise that knows whether anybody waits for it, and never goes unhandled. */
class Call<T> extends Promise<T> {
  /** What `then` makes are plain promises. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  onHeard: (() => void) | undefined;

  // biome-ignore lint/suspicious/noThenProperty: await and all of Promise come through here
  override then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((thrown: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.onHeard?.();
    return super.then(onValue, onError);
  }

  /** Watches its end without being whoever waits for it. */
  watch(onEnd: () => void): Promise<void> {
    return super.then(onEnd, onEnd);
  }
}

/**
 * The durable calls of one attempt: those under way, those that nobody waits for, what they answered
 * that decides how the attempt ends, and whether it has been told to end.
 */
export class Calls {
  readonly #library: Library;
  readonly #store: Handle;
  readonly #attempt: Handle;
  readonly #facts: () => RunFacts;
  /** The ends of the calls under way. */
  readonly #open = new Set<Promise<void>>();
  /** Calls that nobody waits for, with what they are. */
  readonly #unheard = new Map<object, string>();
  /** Promises of the workflow's own that were rejected, and nobody waits for. */
  readonly #dropped = new Map<Promise<unknown>, unknown>();
  readonly #steps = new Set<WeakRef<Handle>>();
  /** The last call of each name that is asked in order. */
  readonly #last = new Map<string, Promise<unknown>>();
  /** Names of the waits whose last answer was "not yet". */
  readonly waitingFor: Set<string> = new Set();
  readonly #abort = new AbortController();
  readonly #halt = new AbortController();
  readonly #claimedAt = performance.now();
  #teller = new Teller({ log: "off" });
  #hasWaited = false;
  #refusal: SmolwfError | undefined;
  #fatal: SmolwfError | undefined;
  #isOver = false;
  #leave: NodeJS.Timeout | undefined;
  /** Called when the store turns out to be unable to go on. */
  onFatal: ((error: SmolwfError) => void) | undefined;
  /** Resolves when no claim of the worker is under way, which would take what is given back. */
  whenClaimed: (() => Promise<void>) | undefined;

  constructor(library: Library, store: Handle, attempt: Handle, facts: () => RunFacts) {
    this.#library = library;
    this.#store = store;
    this.#attempt = attempt;
    this.#facts = facts;
    // Twenty calls that share the signal are no leak to warn of.
    setMaxListeners(0, this.signal);
  }

  /** Aborted, once, when there is no use in going on. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether any wait has answered "not yet"; the library knows whether it still does. */
  get hasWaited(): boolean {
    return this.#hasWaited;
  }

  /** The refusal that decides the attempt, whoever caught it. */
  get refusal(): SmolwfError | undefined {
    return this.#refusal;
  }

  get fatal(): SmolwfError | undefined {
    return this.#fatal;
  }

  /** Makes a durable call of the author's, who is to wait for it. */
  make<T>(name: string, work: () => Promise<T>): Promise<T> {
    const call = this.makeQuiet(work) as Call<T>;
    this.#unheard.set(call, name);
    call.onHeard = () => {
      this.#unheard.delete(call);
      call.onHeard = undefined;
    };
    return call;
  }

  /** The same where nothing is lost if nobody waits. */
  makeQuiet<T>(work: () => Promise<T>): Promise<T> {
    const call = new Call<T>((resolve) => resolve(work()));
    const end = call.watch(() => void this.#open.delete(end));
    this.#open.add(end);
    return call;
  }

  /** Asks the library for something new, which it is too late for once the worker ends the attempt. */
  async ask(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    const { reason } = this.#halt.signal;
    if (reason && !this.#isOver) throw reason;
    return this.record(name, this.#attempt, ...inputs);
  }

  /** Records what is done: makes the call again until it is stored, or never can be. */
  record(name: string, of: Handle, ...inputs: readonly unknown[]): Promise<Answer> {
    const call = (): Promise<Answer> => this.once(name, of, ...inputs);
    return again(call, this.#halt.signal, (error) => this.#tellDelayed(name, error));
  }

  /** Commits a script in the name of the attempt, or of one of its steps. */
  transact(script: string, step?: Handle): Promise<Answer> {
    return this.record("sw_tx_run", this.#store, this.#attempt, step, script);
  }

  async once(name: string, of: Handle, ...inputs: readonly unknown[]): Promise<Answer> {
    if (this.#isOver) throw this.#overError(name);
    try {
      return await this.#library.callLater(name, of, ...inputs);
    } catch (error) {
      if (isFatal(error)) this.#fail(error);
      if (isOver(error)) this.abandon(error);
      // The code is not what was recorded, whichever call says so and whoever catches it.
      if (error instanceof NondeterminismError) this.refuse(error);
      throw error;
    }
  }

  /** Ends the attempt, if that can be stored. */
  end(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.record(name, this.#attempt, ...inputs);
  }

  /** Asks for a wait; calls of one name are asked in the order they were made. */
  async wait(label: string, name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    const answer = await this.inOrder(label, () => this.ask(name, ...inputs));
    if (answer.code === "SW_SUSPEND") throw this.notYet(label, `${label} is not over`);
    this.waitingFor.delete(label);
    return answer;
  }

  /** Makes calls of one name one after the other: side by side, chance would number them. */
  inOrder<T>(name: string, call: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const made = before ? before.then(call, call) : call();
    this.#last.set(name, made);
    const forget = (): void => {
      if (this.#last.get(name) === made) this.#last.delete(name);
    };
    made.then(forget, forget);
    return made;
  }

  /** Notes that something is waited for, and returns what its caller is to throw. */
  notYet(label: string, sentence: string): Suspended {
    this.#hasWaited = true;
    this.waitingFor.add(label);
    return new Suspended(sentence);
  }

  /** Notes a begun step, to be freed before the attempt parks; returns what forgets it. */
  opened(step: Handle): () => void {
    // Weakly, since a step that the author forgets is freed when it is collected.
    const noted = new WeakRef(step);
    this.#steps.add(noted);
    return () => this.#steps.delete(noted);
  }

  /** Lets go of the steps that the author began by hand and left. */
  freeSteps(): void {
    for (const step of this.#steps) step.deref()?.free();
    this.#steps.clear();
  }

  /** Notes a refusal that no catch of the author's makes undone. */
  refuse(refusal: SmolwfError): void {
    this.#refusal ??= refusal;
  }

  /** Notes a promise of the workflow's own that was rejected while nobody waited for it. */
  drop(promise: Promise<unknown>, thrown: unknown): void {
    if (!this.#isOver) this.#dropped.set(promise, thrown);
    else if (!carriesControl(thrown)) {
      process.emitWarning(`after the end of its attempt: ${messageOf(thrown)}`, "SmolwfWarning");
    }
  }

  /** Somebody waits for it after all. */
  pickUp(promise: Promise<unknown>): void {
    this.#dropped.delete(promise);
  }

  /** What nobody waits for, as an error; undefined if there is nothing. */
  forgotten(): Error | undefined {
    const [call] = this.#unheard.values();
    if (call !== undefined) {
      return new ForgottenAwaitError(`${call}: nobody awaits it; write "await" before the call`);
    }
    if (this.#dropped.size === 0) return undefined;
    const [cause] = this.#dropped.values();
    const sentence = `a promise was rejected and nobody awaits it: ${messageOf(cause)}`;
    return new ForgottenAwaitError(sentence, { cause });
  }

  /** Resolves when no call is under way any more, and nobody makes another one on hearing so. */
  async settled(): Promise<void> {
    do {
      await Promise.all(this.#open);
      await turn();
    } while (this.#open.size > 0);
  }

  /** Tells the workflow function that there is no use in going on. */
  abandon(reason: Error): void {
    if (!this.#isOver) this.#abort.abort(reason);
  }

  /** The same from the worker: new calls are refused, and repeated ones are not made again. */
  stop(reason: Error): void {
    this.#halt.abort(reason);
    this.abandon(reason);
  }

  /** Why the worker ends the attempt; undefined while it does not. */
  get stopped(): Error | undefined {
    return this.#halt.signal.reason;
  }

  /** Resolves when the function was told to end, and has had time to. */
  left(): Promise<undefined> {
    return new Promise((resolve) => {
      const { signal } = this.#halt;
      const leave = (): void => {
        this.#leave = setTimeout(resolve, LEAVE_MS, undefined);
      };
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** The attempt has ended: later calls are refused, late rejections are nobody's concern. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#leave);
  }

  listen(teller: Teller): void {
    this.#teller = teller;
  }

  tell<Name extends EventName>(name: Name, details: () => Details[Name]): void {
    this.#teller.tell(name, this.#facts, details);
  }

  /** Milliseconds since the claim. */
  get durationMs(): number {
    return Math.round(performance.now() - this.#claimedAt);
  }

  #tellDelayed(call: string, error: SmolwfError): void {
    this.tell("delayed", () => ({ call, error: recorded(error) }));
  }

  #fail(error: SmolwfError): void {
    this.#fatal ??= error;
    this.onFatal?.(error);
  }

  #overError(name: string): SmolwfError {
    return this.#library.error("SW_ERR_LEASE_LOST", `${name}: the attempt has ended`);
  }
}
