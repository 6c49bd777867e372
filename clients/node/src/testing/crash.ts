import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { SubmitOptions } from "../options.js";
import { Store } from "../store.js";
import { type Named, nameOf } from "../workflow.js";
import { effectsIn, WITNESS } from "./effect.js";
import {
  type Case,
  type Clean,
  judge,
  ofRefusal,
  type Point,
  sentenceOf,
  whyNot,
} from "./judge.js";
import { moduleUrl } from "./module.js";
import { type ProcessOptions, run, sharedExecArgv } from "./process.js";
import { CrashReport, type Finding } from "./report.js";

/** Of {@link crash}; the others are those of the run's submit. */
export interface CrashOptions extends SubmitOptions {
  /** The workflow, or its name: one that the module exports. */
  workflow: string | Named;
  /** What its run is submitted with; null if absent. */
  args?: unknown;
  /** Signals that are sent to the run right away, each a name and a payload. */
  signals?: readonly (readonly [name: string, payload?: unknown])[];
  /** How the run has to end when nobody kills its process; "completed" is the default. */
  state?: "completed" | "failed" | "cancelled";
  /** Whether the results have to be the same, and not the states alone. */
  compareResult?: boolean;
  /** Commits at which the process is killed, at most; 200 is the default, and more are an error. */
  maxCommits?: number;
  /** Milliseconds after which a process hangs; 60,000 is the default. */
  hangMs?: number;
  /** Kill points that are tried side by side; as many as there are processors is the default. */
  atOnce?: number;
  /** Options of Node for the processes, such as what loads TypeScript; those of this one by default. */
  execArgv?: readonly string[];
}

/** The run that nobody killed ended otherwise than it had to: there is nothing to compare with. */
export class CleanRunFailed extends Error {
  /** "CleanRunFailed" */
  override name = "CleanRunFailed";
}

/**
 * Runs a workflow once undisturbed, and then once for each commit that its process makes and each side of
 * it: there the process is killed, by SIGKILL, and a second one goes on to the end. Resolves to what was
 * then otherwise: what the outside world was done twice or not at all, as {@link effect} tells, code that
 * does not replay, another end.
 *
 * The module, a URL or a path, has the workflow and those of its children as exports; it is imported by
 * each process, so it is to be one that does no tests itself. What it exports as `setup` is called with
 * the store in each process before that works: make tables there, and set fakes.
 */
export async function crash(module: URL | string, options: CrashOptions): Promise<CrashReport> {
  if (process.env[WITNESS]) {
    throw new Error("crash is called in a process of a crash test: name a module without tests");
  }
  const folder = folderFor("smolwf-crash-");
  try {
    return await new Crash(planOf(module, options), folder).report();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is the same for all cases. */
interface Plan extends ProcessOptions {
  readonly module: string;
  readonly workflow: string;
  readonly args: unknown;
  readonly signals: readonly (readonly [name: string, payload?: unknown])[];
  readonly state: string;
  readonly compareResult: boolean;
  readonly maxCommits: number;
  readonly atOnce: number;
  readonly submit: SubmitOptions;
}

function planOf(module: URL | string, options: CrashOptions): Plan {
  const { workflow, args, signals = [], state = "completed", ...more } = options;
  const { compareResult = false, maxCommits = 200, hangMs = 60_000, ...rest } = more;
  const { atOnce = availableParallelism(), execArgv = sharedExecArgv(), ...submit } = rest;
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    throw new RangeError(`atOnce is ${atOnce}: it is a number of kill points, 1 or more`);
  }
  return {
    ...{ module: moduleUrl(module), workflow: nameOf(workflow), args, signals, state },
    ...{ compareResult, maxCommits, hangMs, atOnce, execArgv, submit },
  };
}

/** What came of the kill at one point. */
interface Tried {
  found: Finding[];
  /** Whether the process was killed: it may have made fewer commits. */
  isKilled: boolean;
  isHung: boolean;
}

/** The kill points in their order. */
function pointAt(at: number): Point {
  return { commit: 1 + Math.floor(at / 2), moment: at % 2 === 0 ? "before" : "after" };
}

const CLEAN: Point = { commit: 0, moment: "clean" };

/** The cases of one test, each in a folder of its own. */
class Crash {
  readonly #plan: Plan;
  readonly #folder: string;
  #runId = "";

  constructor(plan: Plan, folder: string) {
    this.#plan = plan;
    this.#folder = folder;
  }

  async report(): Promise<CrashReport> {
    const { workflow } = this.#plan;
    await this.#submit();
    const clean = await this.#begin("clean", CLEAN);
    if (clean.came.end === "refused") {
      const [kind, name, text] = ofRefusal(clean.came.text);
      return new CrashReport(workflow, 0, [{ kind, ...CLEAN, name, text }]);
    }
    const tried = await this.#sweep(this.#whole(clean));
    const killed = tried.filter((one) => one.isKilled).length;
    const found = tried.flatMap((one) => one.found);
    return new CrashReport(workflow, Math.ceil(killed / 2), found);
  }

  /** Makes the store that each case begins with a copy of. */
  async #submit(): Promise<void> {
    const { workflow, args, submit, signals } = this.#plan;
    const store = await Store.open(join(this.#folder, "store.db"), { manualClock: true });
    try {
      await store.init();
      this.#runId = (await store.runs.submit(workflow, args, submit)).runId;
      for (const [name, payload] of signals) await store.signals.send(this.#runId, name, payload);
    } finally {
      await store.close();
    }
  }

  /** Refuses a clean run that ended otherwise than it had to. */
  #whole({ came, effects }: Case): Clean {
    const of = `the clean run of ${this.#plan.workflow}`;
    if (came.end !== "ended") {
      throw new CleanRunFailed(`${of} did not end: ${whyNot(this.#plan, came)}`);
    }
    if (came.state !== this.#plan.state) {
      const why = came.error === null ? "" : `: ${sentenceOf(came.error)}`;
      throw new CleanRunFailed(`${of} is ${came.state}${why}`);
    }
    this.#refuseMore(came.commits);
    return { came, effects };
  }

  #refuseMore(commits: number): void {
    const { workflow, maxCommits } = this.#plan;
    if (commits <= maxCommits) return;
    const advice = "raise maxCommits, or test a smaller part of it";
    throw new RangeError(`${workflow} makes more than ${maxCommits} commits: ${advice}`);
  }

  /** Tries one kill point after the other, some side by side, until a process is not killed any more. */
  async #sweep(clean: Clean): Promise<Tried[]> {
    const tried: Tried[] = [];
    let next = 0;
    let end = Number.POSITIVE_INFINITY;
    const tryOn = async (): Promise<void> => {
      while (next < end) {
        const at = next++;
        const { commit } = pointAt(at);
        const one = await this.#try(clean, pointAt(at));
        tried[at] = one;
        const isOver = one.isHung || (!one.isKilled && commit > clean.came.commits);
        if (isOver) end = Math.min(end, at + 1);
        else this.#refuseMore(commit);
      }
    };
    // Where one cannot go on, the others begin nothing new.
    const all = Array.from({ length: this.#plan.atOnce }, () =>
      tryOn().finally(() => {
        end = Math.min(end, next);
      }),
    );
    const failed = (await Promise.allSettled(all)).find((each) => each.status === "rejected");
    if (failed) throw failed.reason;
    return tried.slice(0, end);
  }

  async #try(clean: Clean, point: Point): Promise<Tried> {
    const name = `${point.moment}-${point.commit}`;
    const first = await this.#begin(name, point);
    const isKilled = first.came.end === "killed";
    const last = isKilled ? await this.#goOn(name) : first;
    const found = judge(this.#plan, clean, last, isKilled ? point : CLEAN);
    rmSync(join(this.#folder, name), { recursive: true });
    return { found, isKilled, isHung: last.came.end === "hung" };
  }

  /** The first process of a case, with a store of its own. */
  async #begin(name: string, { commit, moment }: Point): Promise<Case> {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    copyFileSync(join(this.#folder, "store.db"), join(folder, "store.db"));
    writeFileSync(join(folder, "witness"), "");
    return this.#run(folder, commit, moment === "after");
  }

  /** The second one. */
  #goOn(name: string): Promise<Case> {
    return this.#run(join(this.#folder, name), 0, false);
  }

  async #run(folder: string, commit: number, isAfter: boolean): Promise<Case> {
    const [store, answer] = [join(folder, "store.db"), join(folder, "answer")];
    const { module } = this.#plan;
    const of = { folder: this.#folder, module, runId: this.#runId };
    const job = { ...of, store, commit, isAfter, answer };
    const witness = join(folder, "witness");
    const came = await run(job, witness, this.#plan);
    return { came, effects: effectsIn(witness) };
  }
}

/** A folder in memory where there is one: a process that dies loses nothing that it has written. */
function folderFor(test: string): string {
  try {
    return mkdtempSync(join("/dev/shm", test));
  } catch {
    return mkdtempSync(join(tmpdir(), test));
  }
}
