/** Workflows to which a crash does what it should not; each has its faults. */
import type { Attempt } from "../../src/index.js";
import { effect } from "../../src/testing/index.js";

/** What a kill forgets. */
const memory: string[] = [];

/** Whoever is paid cannot tell a repeat: it has no key, or another one each time, or stands in no step. */
export async function repeats(attempt: Attempt): Promise<void> {
  effect("mail");
  await attempt.step("charge", () => effect("charge"));
  await attempt.step("pay", () => effect("pay", String(Math.random())));
}

/** The clock, and what is drawn, are others in each attempt. */
export async function drawnName(attempt: Attempt): Promise<void> {
  await attempt.step(`at ${process.hrtime.bigint()} draw ${Math.random()}`, () => null);
}

/** Catches what says that it does not replay. */
export async function drawnInput(attempt: Attempt): Promise<void> {
  const input = { cents: Math.random() };
  await attempt.step("charge", () => null, { input }).catch(() => null);
}

/** Seen without a kill: the second attempt draws anew. */
export async function drawnBeforeSleep(attempt: Attempt): Promise<void> {
  await attempt.step(`draw ${Math.random()}`, () => null);
  await attempt.sleep("night", 1000);
}

/** Takes another way in a process that has not seen the first step. */
export async function branches(attempt: Attempt): Promise<void> {
  await attempt.step("look", () => memory.push("seen"));
  const name = memory.includes("seen") ? "with it" : "without it";
  await attempt.step(name, () => null);
}

/** What is collected in memory is sent by nobody after a kill. */
export async function forgets(attempt: Attempt): Promise<number> {
  await attempt.step("collect", () => memory.push("letter"));
  await attempt.step("send", (step) => {
    for (const each of memory) effect(each, step.id);
  });
  return memory.length;
}

/** The step has failed where it was begun and did not end. */
export async function swallows(attempt: Attempt): Promise<string> {
  const paid = await attempt
    .step("charge", () => effect("charge"), { track: true, maxTries: 1 })
    .then(() => true)
    .catch(() => false);
  if (paid) await attempt.step("ship", (step) => effect("ship", step.id));
  return paid ? "paid" : "not paid";
}

const never = (): Promise<void> => new Promise(() => undefined);

/** What a second attempt does, by what the run is submitted with; the first one completes. */
const SECOND: Readonly<Record<string, (attempt: Attempt) => unknown>> = {
  waits: (attempt) => attempt.signalled("gone"),
  fails: () => {
    throw new Error("no such customer");
  },
  throws: () => {
    setImmediate(() => {
      throw new RangeError("out of a timer");
    });
    return never();
  },
  settles: never,
  hangs: () => new Promise((resolve) => setTimeout(resolve, 3_600_000)),
};

export function changes(attempt: Attempt, how: string): unknown {
  return attempt.number === 1 ? undefined : SECOND[how]?.(attempt);
}

export function fails(): never {
  throw new Error("no such customer");
}

export async function waits(attempt: Attempt): Promise<void> {
  await attempt.signalled("go");
}

/** Its child is of a workflow that the module does not have. */
export async function strays(attempt: Attempt): Promise<void> {
  await attempt.childResult(await attempt.child("part", "elsewhere"));
}
