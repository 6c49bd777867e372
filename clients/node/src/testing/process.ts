/** Starts the processes of a crash test, and hears what came of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Came, Job } from "./came.js";
import { WITNESS } from "./effect.js";

const HERE = fileURLToPath(import.meta.url);
/** The program, compiled where this file is, and else not. */
const MAIN = fileURLToPath(new URL(`./main${extname(HERE)}`, import.meta.url));

/** Of all processes of a test. */
export interface ProcessOptions {
  /** Arguments for Node before the program. */
  execArgv: readonly string[];
  /** Milliseconds after which one hangs. */
  hangMs: number;
}

/** Runs one; resolves when it has ended. */
export async function run(job: Job, witness: string, options: ProcessOptions): Promise<Came> {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn(process.execPath, [...options.execArgv, MAIN, JSON.stringify(job)], {
    env: { ...env, [WITNESS]: witness },
    stdio: ["pipe", "ignore", "pipe"],
  });
  let isHung = false;
  const hang = setTimeout(() => {
    isHung = true;
    child.kill("SIGKILL");
  }, options.hangMs);
  const said = tailOf(child.stderr);
  // What its own children still write is not waited for.
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  clearTimeout(hang);
  child.stderr.destroy();
  if (isHung) return { end: "hung" };
  if (existsSync(job.answer)) return JSON.parse(readFileSync(job.answer, "utf8")) as Came;
  if (signal === "SIGKILL" && job.commit > 0) return { end: "killed" };
  if (code === UNSETTLED)
    return { end: "stuck", reasons: "its process awaits what nothing will settle" };
  return { end: "exited", how: howEnded(code, signal, said()) };
}

/** Characters that are kept of what a process writes to stderr. */
const SAID_MAX = 16 * 1024;

function tailOf(stream: NodeJS.ReadableStream): () => string {
  let tail = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-SAID_MAX);
  });
  return () => tail;
}

/** The status of a process of Node that awaits what nobody will settle. */
const UNSETTLED = 13;

function howEnded(code: number | null, signal: string | null, said: string): string {
  const how = signal ? `by ${signal}` : `with exit status ${code}`;
  const told = errorIn(said);
  return `its process ended ${how}${told === "" ? "" : `, and said: ${told}`}`;
}

/** The line of an error that Node wrote, with its stack below; else the last line. */
function errorIn(said: string): string {
  const lines = said.trimEnd().split("\n");
  const stack = lines.findIndex((line) => /^\s+at /.test(line));
  if (stack < 0) return lines.at(-1)?.trim() ?? "";
  const above = lines.slice(0, stack);
  return (above[above.lastIndexOf("") + 1] ?? "").trim();
}

/** Options of Node that a program of its own cannot share with a test; with a value behind them or not. */
const VALUED = new Set(["-e", "--eval", "-p", "--print", "-pe"]);
const OWN =
  /^(--eval=|--print=|--input-type|--inspect|--test|--experimental-test|--watch|-i$|--interactive$)/;

/** The options of this process, so that what loads the test loads its module. */
export function sharedExecArgv(argv: readonly string[] = process.execArgv): string[] {
  return argv.filter((option, at) => {
    return !VALUED.has(option) && !VALUED.has(argv[at - 1] ?? "") && !OWN.test(option);
  });
}
