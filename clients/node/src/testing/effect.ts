import { appendFileSync, readFileSync } from "node:fs";

/**
 * The variable that names the witness file in the processes of a crash test: of the environment, so that
 * it holds however often this file is loaded, and for programs that a fake starts.
 */
export const WITNESS = "SMOLWF_WITNESS";

/** One call of {@link effect}, as it stands in a witness file. */
interface Witnessed {
  name: string;
  key: string | null;
}

/** How often the outside world was touched under one name. */
export interface Touched {
  /** Calls without a key, and distinct keys. */
  count: number;
  /** Whether a call had no key. */
  isUnkeyed: boolean;
  /** The distinct keys, as they came. */
  keys: Set<string>;
}

/** What was touched, by name. */
export type Effects = ReadonlyMap<string, Touched>;

/**
 * Says that the outside world is touched here: for the fakes that stand for it in a crash test. With a
 * key that world drops repeats, as what takes an idempotency key does, and distinct keys are counted;
 * without one each call is. Outside of a crash test it does nothing.
 */
export function effect(name: string, key?: string): void {
  const witness = process.env[WITNESS];
  if (!witness) return;
  const witnessed: Witnessed = { name, key: key ?? null };
  // One write, and no buffer: what was done stays done, however the process ends.
  appendFileSync(witness, `${JSON.stringify(witnessed)}\n`);
}

/** Reads a witness file. */
export function effectsIn(witness: string): Effects {
  const effects = new Map<string, Touched>();
  for (const line of readFileSync(witness, "utf8").split("\n").filter(Boolean)) {
    const { name, key } = JSON.parse(line) as Witnessed;
    const touched = effects.get(name) ?? { count: 0, isUnkeyed: false, keys: new Set<string>() };
    effects.set(name, touched);
    if (key === null || !touched.keys.has(key)) touched.count += 1;
    if (key === null) touched.isUnkeyed = true;
    else touched.keys.add(key);
  }
  return effects;
}
