import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Store } from "../store.js";
import { entriesOf, type WorkflowEntry, type Workflows } from "../workflow.js";

/** What a module has for a crash test. */
export interface Loaded {
  workflows: ReadonlyMap<string, WorkflowEntry>;
  /** Called in each process before it works. */
  setup: ((store: Store) => unknown) | undefined;
}

/**
 * Returns the URL of a module that a test names. A file of TypeScript that is not there is the JavaScript
 * beside it: the test may run from its source, or compiled.
 */
export function moduleUrl(named: URL | string): string {
  const isUrl = named instanceof URL || /^[a-z][a-z0-9+.-]+:/i.test(named);
  const url = isUrl ? new URL(named) : pathToFileURL(named);
  if (url.protocol !== "file:" || existsSync(fileURLToPath(url))) return url.href;
  const compiled = new URL(url.href.replace(/\.([cm]?)ts$/, ".$1js"));
  return existsSync(fileURLToPath(compiled)) ? compiled.href : url.href;
}

/** Imports a module; each export that is a workflow, or has some under the name `workflows`, is one. */
export async function load(url: string): Promise<Loaded> {
  const { setup, workflows, default: _default, ...others } = await imported(url);
  const found: Record<string, WorkflowEntry> = {};
  const add = (name: string, entry: WorkflowEntry): void => {
    const before = found[name];
    if (before && before.run !== entry.run) {
      throw new TypeError(`${url} exports two workflows that are named ${name}`);
    }
    found[name] = entry;
  };
  for (const [name, value] of Object.entries(others)) {
    const entry = entryOf(value);
    if (entry) add(nameIn(value) ?? name, entry);
  }
  if (workflows) for (const [name, entry] of entriesOf(workflows as Workflows)) add(name, entry);
  return {
    workflows: new Map(Object.entries(found)),
    setup: setup as Loaded["setup"],
  };
}

async function imported(url: string): Promise<Record<string, unknown>> {
  try {
    return { ...((await import(url)) as object) };
  } catch (error) {
    const isUnknown = (error as NodeJS.ErrnoException).code === "ERR_UNKNOWN_FILE_EXTENSION";
    if (!isUnknown) throw error;
    const hint = "compile it, or name what loads it in execArgv, as for the test itself";
    throw new TypeError(`Node ${process.version} does not import ${url} as it is: ${hint}`, {
      cause: error,
    });
  }
}

/** A workflow is a function, or has one as `run`. */
function entryOf(value: unknown): WorkflowEntry | undefined {
  if (typeof value === "function") return { run: value as WorkflowEntry["run"] };
  const run = typeof value === "object" && value !== null && "run" in value && value.run;
  return typeof run === "function" ? (value as WorkflowEntry) : undefined;
}

function nameIn(value: unknown): string | undefined {
  const name = typeof value === "object" && value !== null && "name" in value && value.name;
  return typeof name === "string" ? name : undefined;
}
