/** A task of the queue: starts a call, and calls `done` when it has returned. */
type Start = (done: () => void) => void;

/** Threads of libuv's pool, where koffi's asynchronous calls run. */
const POOL_THREADS = Number(process.env["UV_THREADPOOL_SIZE"]) || 4;

/**
 * Calls under way at once. One thread of the pool stays free for the host's own files and names even
 * while another process holds the store's lock. Far below the 256 calls that koffi can queue.
 */
const CALLS_MAX = Math.max(2, Math.min(POOL_THREADS - 1, 64));

/** Of them those that only read: they wait for no writer, and must not wait behind one here. */
const READS_MAX = Math.max(1, Math.floor(CALLS_MAX / 3));

/** What the header calls reading or sweeping: looks and waits. The tests hold it to the header. */
export const READS: ReadonlySet<string> = new Set([
  "sw_attempt_check",
  "sw_budget_get",
  "sw_event_read",
  "sw_event_wait",
  "sw_owner_list",
  "sw_query",
  "sw_queue_list",
  "sw_retention_get",
  "sw_run_count",
  "sw_run_explain",
  "sw_run_export",
  "sw_run_find",
  "sw_run_get",
  "sw_run_history",
  "sw_run_list",
  "sw_run_wait",
  "sw_schedule_list",
  "sw_store_backup",
  "sw_store_check",
  "sw_store_migrations",
  "sw_store_schema_version",
  "sw_store_stats",
  "sw_store_wait",
]);

/** Starts each call when its turn has come: reads and writes have queues of their own. */
export class Turns {
  readonly #reads = new CallQueue(READS_MAX);
  readonly #writes = new CallQueue(CALLS_MAX - READS_MAX);

  add(name: string, inputs: readonly unknown[], start: Start): void {
    const queue = isRead(name, inputs) ? this.#reads : this.#writes;
    queue.add(start);
  }
}

/** A begin reads, unless a flag has its start recorded. */
function isRead(name: string, inputs: readonly unknown[]): boolean {
  const options = name === "sw_step_begin" ? (inputs.at(-1) as { flags?: number }) : undefined;
  return READS.has(name) || options?.flags === 0;
}

/** Starts calls in the order they came, a bounded number at a time. */
class CallQueue {
  readonly #max: number;
  #running = 0;
  #waiting: Start[] = [];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Starts now or when its turn has come. */
  add(start: Start): void {
    if (this.#running < this.#max) this.#start(start);
    else this.#waiting.push(start);
  }

  #start(start: Start): void {
    this.#running += 1;
    start(() => {
      this.#running -= 1;
      const next = this.#take();
      if (next) this.#start(next);
    });
  }

  /** Takes the oldest; the array is cut anew now and then, so that each take costs the same. */
  #take(): Start | undefined {
    const next = this.#waiting[this.#next];
    if (next) this.#next += 1;
    if (this.#next === this.#waiting.length || this.#next > 1024) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return next;
  }
}
