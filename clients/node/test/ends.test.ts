/** What decides how an attempt ends: what is thrown, what is heard, what the store answers. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Attempt,
  BudgetError,
  CancelledError,
  ClosedError,
  ConflictError,
  Failure,
  type Json,
  type Outcome,
  RecordedFailure,
  Store,
  type WorkerEvent,
  workflow,
} from "../src/index.js";
import { aborted, claimed, memory, onDisk } from "./support.js";

type Body = (attempt: Attempt) => unknown;

async function outcomeOf(t: TestContext, body: Body): Promise<Outcome> {
  const store = await memory(t);
  await store.runs.submit("w");
  return (await claimed(store)).perform(body);
}

/** The form of an error that is no payload of its author's. */
interface Form {
  type: string;
  message: string;
  stack?: string;
  cause?: Json;
}

async function errorOf(t: TestContext, thrown: unknown): Promise<Form> {
  const outcome = await outcomeOf(t, () => Promise.reject(thrown));
  assert.ok("error" in outcome, JSON.stringify(outcome));
  return outcome.error as unknown as Form;
}

const nap = (attempt: Attempt): Promise<void> => attempt.sleep("nap", 60_000);

class Wrapper extends Error {}

const PARKING: Readonly<Record<string, Body>> = {
  "as it is": nap,
  "as a cause": (attempt) =>
    nap(attempt).catch((cause) => {
      throw new Wrapper("around", { cause: new Error("between", { cause }) });
    }),
  "by any": (attempt) => Promise.any([nap(attempt), attempt.signalled("s")]),
  "by all": (attempt) => Promise.all([nap(attempt), attempt.step("s", () => 1)]),
  "by race": (attempt) => Promise.race([nap(attempt), attempt.signalled("s")]),
  "in a group in a group": async (attempt) => {
    const one = await nap(attempt).catch((error) => error);
    throw new AggregateError([one, new AggregateError([one, new Wrapper("", { cause: one })])]);
  },
  "in a group twice as the same wrapper": async (attempt) => {
    const cause = await nap(attempt).catch((error) => error);
    const one = new Wrapper("", { cause });
    throw new AggregateError([one, one]);
  },
  "by thousands, each wrapped": (attempt) => {
    const wrap = (cause: unknown): never => {
      throw new Wrapper("around", { cause });
    };
    const waits = Array.from({ length: 2_000 }, (_, n) => attempt.signalled(`s${n}`).catch(wrap));
    return Promise.any(waits);
  },
  "through allSettled": async (attempt) => {
    const [one] = await Promise.allSettled([nap(attempt)]);
    if (one?.status === "rejected") throw one.reason;
  },
  "through a disposal": async (attempt) => {
    using held = { [Symbol.dispose]: () => undefined };
    assert.ok(held);
    await nap(attempt);
  },
  "through an async disposal": async (attempt) => {
    await using held = { [Symbol.asyncDispose]: () => attempt.step("undo", () => undefined) };
    assert.ok(held);
    await nap(attempt);
  },
  "in an async generator": async (attempt) => {
    async function* naps(): AsyncGenerator<void> {
      yield nap(attempt);
    }
    for await (const _ of naps());
  },
  "as a lack of budget": async (attempt) => {
    await attempt.reserve({ tokens: 1 });
  },
  "swallowed by a return in finally": async (attempt) => {
    try {
      await nap(attempt);
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: what it does is the question
      return "skipped";
    }
  },
};

for (const [name, body] of Object.entries(PARKING)) {
  test(`a wait thrown ${name} parks`, async (t) => {
    const store = await memory(t);
    await store.runs.submit("w", null, { budget: { tokens: 0 } });
    const outcome = await (await claimed(store)).perform(body);
    assert.deepEqual(outcome, { state: "suspended" });
  });
}

test("a wait that a disposal's error hides is that error", async (t) => {
  const outcome = await outcomeOf(t, async (attempt) => {
    using held = {
      [Symbol.dispose]: () => {
        throw new Error("at the end of the block");
      },
    };
    assert.ok(held);
    await nap(attempt);
  });
  assert.ok(outcome.state === "retrying");
  assert.match(JSON.stringify(outcome.error), /at the end of the block/);
});

test("a group with a wait in it is recorded without the wait", async (t) => {
  const outcome = await outcomeOf(t, async (attempt) => {
    const wait = await nap(attempt).catch((error) => error);
    throw new AggregateError([wait, new Failure({ status: 1 }, { terminal: true })]);
  });
  assert.deepEqual(outcome, { state: "failed", error: { status: 1 } });
});

test("a wait that was tried and given up for a smaller one completes", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w", null, { budget: { tokens: 10 } });
  const outcome = await (await claimed(store)).perform(async (attempt) => {
    await assert.rejects(attempt.reserve({ tokens: 50 }), BudgetError);
    await attempt.reserve({ tokens: 5 });
    return "less";
  });
  assert.deepEqual(outcome, { state: "completed", result: "less" });
});

test("parallel calls under one name are asked in the order they were made", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w");
  const numbers = Array.from({ length: 40 }, (_, n) => n);
  for (const n of numbers) await store.signals.send(runId, "s", n);
  const both = async (attempt: Attempt): Promise<unknown> => {
    const children = numbers.map((n) => attempt.child("c", "child", n));
    const signals = numbers.map(() => attempt.signalled<number>("s"));
    return [await Promise.all(signals), new Set(await Promise.all(children)).size];
  };
  const outcome = await (await claimed(store)).perform(both);
  assert.deepEqual(outcome, { state: "completed", result: [numbers, numbers.length] });
  const made = await store.runs.claimMany(numbers.length);
  assert.deepEqual(
    made.map((child) => child.args),
    numbers,
  );
  for (const child of made) await child.complete();
});

test("a refused begin decides the run, though its caller caught it and threw another", async (t) => {
  const outcome = await outcomeOf(t, async (attempt) => {
    let refused = (): void => {};
    const other = new Promise<void>((resolve) => {
      refused = resolve;
    });
    const slow = attempt.step("same", () => other);
    await assert.rejects(
      attempt.step("same", () => 1),
      ConflictError,
    );
    refused();
    await slow;
    throw new Failure("of its own", { retryAfterMs: 1 });
  });
  assert.ok(outcome.state === "failed");
  assert.match(JSON.stringify(outcome.error), /step same.*distinct names or an occurrence/);
});

test("errors about other runs and stores are failures like any other", async (t) => {
  const other = await Store.openInMemory();
  await other.init();
  await other.close();
  const closed = await outcomeOf(t, () => other.runs.submit("w"));
  assert.ok(closed.state === "retrying" && JSON.stringify(closed.error).includes("SW_ERR_CLOSED"));
  const store = await memory(t);
  const { runId } = await store.runs.submit("other");
  const attempt = await claimed(store);
  await store.runs.cancel(runId);
  const cancelled = await outcomeOf(t, () => attempt.check());
  assert.ok(cancelled.state === "retrying");
  assert.match(JSON.stringify(cancelled.error), /SW_ERR_CANCELLED/);
});

test("an attempt that its function ended itself has that end", async (t) => {
  const ends: [Body, Partial<Outcome>][] = [
    [(attempt) => attempt.complete(5), { state: "completed", result: 5 }],
    [(attempt) => attempt.release(), { state: "released" }],
    [(attempt) => attempt.fail("no", { terminal: true }), { state: "failed" }],
    [(attempt) => nap(attempt).catch(() => attempt.suspend()), { state: "suspended" }],
  ];
  for (const [body, expected] of ends) {
    const outcome = await outcomeOf(t, async (attempt) => {
      await body(attempt);
      return "something else";
    });
    assert.deepEqual({ ...outcome, ...expected }, outcome);
  }
});

test("an error is recorded with its class, and with what it wraps", async (t) => {
  const cause = new RangeError("inside", { cause: new Failure({ status: 503 }) });
  const error = await errorOf(t, new Wrapper("outside", { cause }));
  assert.equal(error.type, "Wrapper");
  const inside = error.cause as unknown as Form;
  assert.deepEqual([inside.type, inside.message], ["RangeError", "inside"]);
  const failure = inside.cause as unknown as Form;
  assert.deepEqual([failure.type, failure.cause], ["Failure", { status: 503 }]);
});

test("causes in a circle, and long ones, come to an end", async (t) => {
  const circle = new Error("one");
  circle.cause = new Error("two", { cause: circle });
  assert.match(JSON.stringify(await errorOf(t, circle)), /two/);
  const group = new AggregateError([]);
  group.errors.push(group, group, new Error("member"));
  assert.match(JSON.stringify(await errorOf(t, group)), /member/);
  let long = new Error("first");
  for (let n = 0; n < 10_000; n += 1) long = new Error(`number ${n}`, { cause: long });
  assert.match(JSON.stringify(await errorOf(t, long)), /number 9999/);
  let nested = new AggregateError([new Error("the innermost")]);
  for (let n = 0; n < 10_000; n += 1) nested = new AggregateError([nested], `group ${n}`);
  assert.match(JSON.stringify(await errorOf(t, nested)), /group 9999/);
  const wide = new AggregateError(Array.from({ length: 10_000 }, (_, n) => new Error(`${n}`)));
  assert.ok(JSON.stringify(await errorOf(t, wide)).length < 100_000);
});

test("a message and a stack are recorded to a bound, the stack's end kept", async (t) => {
  const error = await errorOf(t, new Error("x".repeat(1_000_000)));
  assert.ok(JSON.stringify(error).length < 20_000);
  assert.match(String(error.stack), /ends\.test\.js/);
});

const STRANGE: readonly (readonly [unknown, string, RegExp])[] = [
  [undefined, "undefined", /undefined/],
  [null, "null", /null/],
  ["text", "string", /text/],
  [Symbol("s"), "symbol", /Symbol\(s\)/],
  [10n, "bigint", /10/],
  [{ status: 503 }, "Object", /"status":503/],
  [Object.create(null), "Error", /\{\}/],
  [() => 1, "function", /=> 1/],
  [new Proxy({}, { get: () => assert.fail("unreadable") }), "Error", /cannot be written/],
  [{ message: "like an error", name: "Like" }, "Like", /^like an error$/],
];

test("what is no error is recorded as what it is", async (t) => {
  for (const [thrown, type, message] of STRANGE) {
    const error = await errorOf(t, thrown);
    assert.equal(error.type, type);
    assert.match(String(error.message), message);
  }
});

test("a wrapped failure keeps whether and when it is tried again", async (t) => {
  const failed = new Failure("no", { terminal: true });
  const outcome = await outcomeOf(t, () => {
    throw new Wrapper("around", { cause: failed });
  });
  assert.equal(outcome.state, "failed");
  const memoised = await outcomeOf(t, async (attempt) => {
    await attempt
      .step("s", () => Promise.reject(failed))
      .catch((cause) => {
        throw new Wrapper("around", { cause });
      });
  });
  assert.equal(memoised.state, "failed");
});

test("a memoised failure is the same error the first time and in a replay", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const at = new Date(0) as unknown as Json;
  const failed = new Failure({ at }, { terminal: true });
  const seen: unknown[] = [];
  const attempts = async (attempt: Attempt): Promise<void> => {
    await attempt.step("s", () => Promise.reject(failed)).catch((error) => seen.push(error));
    if (attempt.number === 1) await attempt.release();
  };
  await (await claimed(store)).perform(attempts);
  await (await claimed(store)).perform(attempts);
  const [live, replayed] = seen as RecordedFailure[];
  assert.ok(live instanceof RecordedFailure && replayed instanceof RecordedFailure);
  assert.deepEqual(live.error, { at: new Date(0).toISOString() });
  const told = ({ error, of, message, cause }: RecordedFailure): unknown => ({
    ...{ error, of, message, cause },
  });
  assert.deepEqual(told(live), told(replayed));
});

test("a delay out of range is no reason to lose an error", async (t) => {
  for (const retryAfterMs of [Number.NaN, -1, 1e30]) {
    const error = await errorOf(t, new Failure("as it was", { retryAfterMs }));
    assert.match(JSON.stringify(error), /as it was/);
  }
});

test("a cancel is heard by the one whose run it is", async (t) => {
  const store = await onDisk(t);
  const heard: number[] = [];
  let begun = 0;
  const waits = workflow("waits", async (attempt, n: number) => {
    const work = (): Promise<void> => {
      begun += 1;
      return finished;
    };
    await Promise.race([aborted(attempt.signal), attempt.step("s", work)]);
    if (attempt.signal.aborted) heard.push(n);
    assert.ok(!attempt.signal.aborted || attempt.signal.reason instanceof CancelledError);
  });
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = () => resolve();
  });
  const runs = await store.runs.submitMany(
    Array.from({ length: 12 }, (_, n) => ({ workflow: waits, args: n })),
  );
  await using worker = store.worker([waits], { concurrency: 12, log: "off" });
  assert.ok(worker);
  const state = async (at: number): Promise<string> =>
    (await store.runs.get(runs[at]?.runId ?? "")).state;
  while (begun < runs.length) await pause(5);
  await store.runs.cancel(runs[3]?.runId ?? "");
  while (heard.length === 0) await pause(5);
  finish();
  for (const { runId } of runs) await store.runs.wait(runId);
  assert.deepEqual([heard, await state(3), await state(4)], [[3], "cancelled", "completed"]);
});

test("a run that is out of time hears of it", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w", null, { timeoutMs: 1_000 });
  const outcome = await (await claimed(store)).perform(async ({ signal }) => {
    await aborted(signal);
    throw signal.reason;
  });
  assert.equal(outcome.state, "failed");
  assert.match(JSON.stringify(outcome), /"\$smolwf":"timeout"/);
});

test("a step's finished work is recorded, though its attempt has heard of a cancel", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w");
  const outcome = await (await claimed(store)).perform((attempt) =>
    attempt.step("paid", async () => {
      await store.runs.cancel(runId);
      await aborted(attempt.signal);
      return "paid";
    }),
  );
  assert.equal(outcome.state, "cancelled");
  const { steps } = await store.runs.history(runId);
  assert.equal(steps[0]?.result, "paid");
});

test("a store that was closed is heard of, and nothing is stored", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w");
  const outcome = await (await claimed(store)).perform(async ({ signal }) => {
    const closed = aborted(signal);
    void store.close();
    await closed;
    assert.ok(signal.reason instanceof ClosedError);
  });
  assert.equal(outcome.state, "released");
});

test("a hook that rejects later changes nothing either", async (t) => {
  const store = await memory(t);
  const events: string[] = [];
  const onEvent = async ({ event }: WorkerEvent): Promise<void> => {
    events.push(event);
    await pause(1);
    throw new Error("late");
  };
  await store.runs.submit("w");
  const outcome = await (await claimed(store)).perform((one) => one.step("s", () => 1), {
    hooks: { onEvent },
  });
  await pause(5);
  assert.deepEqual(
    [outcome.state, events],
    ["completed", ["claimed", "step_run", "step_done", "completed"]],
  );
});
