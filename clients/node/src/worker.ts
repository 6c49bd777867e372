import { setTimeout as pause } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { onAbort } from "./abort.js";
import { again } from "./again.js";
import type { Attempt } from "./attempt.js";
import { ClosedError, WorkerStopped } from "./errors.js";
import { onSignals } from "./listening.js";
import type { ClaimOptions } from "./options.js";
import { performTelling } from "./perform.js";
import type { Runs } from "./run.js";
import { recorded } from "./thrown.js";
import { Teller, type TellOptions } from "./told.js";
import { entriesOf, type WorkflowEntry, type Workflows } from "./workflow.js";

/** Of a worker. */
export interface WorkOptions extends TellOptions {
  /** "default" if absent. */
  queue?: string;
  /**
   * Milliseconds, extended by heartbeats, or "while-alive": as long as this process lives, which is
   * the default. In `worker_threads`, where a thread may be terminated, it is the store's lease.
   */
  leaseMs?: number | "while-alive";
  /** Name of the worker, shown in the history. */
  worker?: string;
  /**
   * A run completes only once its attempt has asked for all that is recorded of it; else that attempt
   * has failed, with a {@link NondeterminismError} that names what was left out, and is tried again.
   */
  strict?: boolean;
  /** Runs worked on side by side in this thread; 1 is the default. */
  concurrency?: number;
  /** The first stop: aborted, it ends claiming, and lets attempts end. */
  signal?: AbortSignal | undefined;
  /** Each SIGTERM and SIGINT is a stop while the worker works: the first drains, the second ends. */
  signals?: boolean;
  /** Milliseconds that attempts have to end after the first stop; 25,000 is the default. */
  graceMs?: number;
}

const GRACE_MS = 25_000;
/** How long what is given back may have to wait for a claim that is under way. */
const CLAIM_MS = 1_000;

/** A process that dies frees its runs at once; a thread that is terminated leaves no trace. */
const LEASE = isMainThread ? "while-alive" : undefined;

/** Claims and performs runs. One run, whatever its function does, never ends it. */
export class Worker implements AsyncDisposable {
  /** Resolves when the worker has ended in order; rejects if the store cannot go on. */
  readonly done: Promise<void>;
  readonly #runs: Runs;
  readonly #workflows: ReadonlyMap<string, WorkflowEntry>;
  readonly #options: WorkOptions;
  readonly #teller: Teller;
  readonly #running = new Set<Attempt>();
  readonly #claiming = new AbortController();
  /** The claim that is being made, or the last one. */
  #underWay: Promise<void> = Promise.resolve();
  #hasRoom: (() => void) | undefined;
  #forgetSignals: (() => void) | undefined;
  #grace: NodeJS.Timeout | undefined;
  #endedBy: Error | undefined;
  #fatal: { error: unknown } | undefined;

  constructor(runs: Runs, workflows: Workflows, options: WorkOptions) {
    const { concurrency = 1, graceMs = GRACE_MS } = options;
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new RangeError(`concurrency is ${concurrency}: it is a number of runs, 1 or more`);
    }
    if (!(graceMs >= 0 && graceMs < 2 ** 31)) {
      throw new RangeError(`graceMs is ${graceMs}: it is milliseconds, 0 to ${2 ** 31 - 1}`);
    }
    this.#runs = runs;
    this.#workflows = entriesOf(workflows);
    this.#options = { ...options, concurrency, graceMs };
    this.#teller = new Teller(options);
    this.done = this.#work();
  }

  /**
   * The first call ends claiming and lets attempts end within the grace time; the second tells them to
   * end, and gives their runs back. Resolves when the worker has ended.
   */
  stop(): Promise<void> {
    this.#stop();
    return this.done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#claiming.signal.aborted ? this.done : this.stop();
  }

  async #work(): Promise<void> {
    const { signal, signals } = this.#options;
    if (signals) this.#forgetSignals = onSignals(() => this.#stop());
    const forgetAbort = onAbort(signal, () => this.#drain());
    const { closed } = this.#runs;
    const forgetClosed = onAbort(closed, () => this.#endAll(closed.reason));
    if (signal?.aborted) this.#drain();
    try {
      await this.#claimAll();
      while (this.#running.size > 0) await this.#room();
    } finally {
      clearTimeout(this.#grace);
      this.#forgetSignals?.();
      forgetAbort();
      forgetClosed();
    }
    if (this.#fatal) throw this.#fatal.error;
  }

  #stop(): void {
    if (!this.#claiming.signal.aborted) this.#drain();
    else {
      // A third signal is the process's own affair.
      this.#forgetSignals?.();
      this.#endAll(new WorkerStopped("the worker is stopped"));
    }
  }

  #drain(): void {
    if (this.#claiming.signal.aborted) return;
    this.#claiming.abort(new WorkerStopped("the worker stops"));
    const end = (): void => this.#endAll(new WorkerStopped("the worker's grace time is over"));
    this.#grace = setTimeout(end, this.#options.graceMs);
  }

  /** Tells all attempts to end; those that do not are given back without them. */
  #endAll(reason: Error): void {
    this.#endedBy ??= reason;
    this.#claiming.abort(reason);
    clearTimeout(this.#grace);
    for (const attempt of this.#running) attempt.calls.stop(this.#endedBy);
  }

  /** A claim under way may still look once: what is given back must not fall to it. */
  async #claimed(): Promise<void> {
    await Promise.race([this.#underWay, pause(CLAIM_MS, undefined, { ref: false })]);
  }

  /** The store cannot go on. */
  #fail(error: unknown): void {
    this.#fatal ??= { error };
    const isError = error instanceof Error;
    this.#endAll(isError ? error : new Error(String(error)));
  }

  async #claimAll(): Promise<void> {
    const { signal } = this.#claiming;
    const claims = claimsOf(this.#workflows, this.#options);
    while (!signal.aborted) {
      const room = (this.#options.concurrency ?? 1) - this.#running.size;
      if (room <= 0) await this.#room();
      else {
        this.#underWay = this.#claim(claims, room);
        await this.#underWay;
      }
      // Whoever was first asks last next time.
      claims.push(...claims.splice(0, 1));
    }
  }

  async #claim(claims: readonly ClaimOptions[], room: number): Promise<void> {
    const { signal } = this.#claiming;
    const waiting = { waitMs: -1, signal };
    const claim = (): Promise<Attempt[]> =>
      this.#runs.claimFirst(claims, Math.min(room, CLAIM_MAX), waiting);
    try {
      const delayed = (error: unknown): void => this.#tellDelayed(error);
      for (const attempt of await again(claim, signal, delayed)) this.#start(attempt);
    } catch (error) {
      if (error instanceof ClosedError) this.#endAll(error);
      else if (!signal.aborted) this.#fail(error);
    }
  }

  #start(attempt: Attempt): void {
    this.#running.add(attempt);
    void this.#perform(attempt).finally(() => {
      this.#running.delete(attempt);
      this.#hasRoom?.();
    });
  }

  async #perform(attempt: Attempt): Promise<void> {
    const { calls } = attempt;
    calls.onFatal = (error) => this.#fail(error);
    calls.whenClaimed = () => this.#claimed();
    if (this.#endedBy) calls.stop(this.#endedBy);
    const entry = this.#workflows.get(attempt.workflow);
    try {
      if (entry) await performTelling(attempt, entry.run, this.#teller);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Resolves when an attempt has ended. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#hasRoom = resolve;
    });
  }

  #tellDelayed(error: unknown): void {
    const details = { call: "sw_run_claim_many", error: recorded(error) };
    this.#teller.tell("delayed", undefined, () => details);
  }
}

/** One claim for the workflows without a version, and one for those of each version. */
export function claimsOf(
  workflows: ReadonlyMap<string, WorkflowEntry>,
  options: WorkOptions,
): ClaimOptions[] {
  const { queue, worker, strict, leaseMs = LEASE } = options;
  const byVersion = new Map<string | undefined, string[]>();
  for (const [name, { codeVersion }] of workflows) {
    byVersion.set(codeVersion, [...(byVersion.get(codeVersion) ?? []), name]);
  }
  return [...byVersion].map(([version, workflows]) => ({
    workflows,
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(queue === undefined ? {} : { queue }),
    ...(worker === undefined ? {} : { worker }),
    ...(strict === undefined ? {} : { strict }),
    ...(version === undefined ? {} : { codeVersions: [version] }),
  }));
}

/** Runs in one claim at most. */
const CLAIM_MAX = 100;
