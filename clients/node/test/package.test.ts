/** The package as others have it: copied beside their code, found nowhere else, compiled by theirs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { library } from "../src/library.js";
import { findHeader } from "../src/locate.js";
import { folder } from "./support.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = join(PACKAGE, "node_modules");
const EXAMPLES = join(PACKAGE, "../../examples/node");

/** Runs Node with the given arguments, without the variables that say where the library is. */
function node(cwd: string, ...args: string[]): { status: number | null; said: string } {
  const { SMOLWF_LIBRARY: _library, SMOLWF_CDEF: _header, ...env } = process.env;
  const child = spawnSync(process.execPath, args, { cwd, env, encoding: "utf8" });
  return { status: child.status, said: child.stdout + child.stderr };
}

/** Copies what is compiled of the package six folders deep, and returns the folder of the copy. */
function copied(path: string): string {
  const copy = join(realpathSync(path), "a/b/c/d/e/smolwf");
  cpSync(join(PACKAGE, "dist/src"), join(copy, "dist/src"), { recursive: true });
  symlinkSync(MODULES, join(copy, "node_modules"));
  writeFileSync(join(copy, "package.json"), '{"type": "module"}');
  return copy;
}

const FIND = `
import { findHeader, findLibrary } from "./dist/src/locate.js";
console.log(findLibrary());
try { console.log(findHeader()); } catch (error) { console.log(error.message); }
`;

test("a copy of the package loads the library beside it", (t) => {
  const copy = copied(folder(t));
  symlinkSync(resolve(library().path), join(copy, "libsmolwf.so.0"));
  cpSync(findHeader(), join(copy, "smolwf.cdef"));
  const text = `import { library } from "./dist/src/library.js"; console.log(library().path);`;
  const { said } = node(copy, "--input-type=module", "-e", text);
  assert.equal(said.trim(), join(copy, "libsmolwf.so.0"));
});

test("a library or header planted in a folder above, or where the process is, is not found", (t) => {
  const copy = copied(folder(t));
  const above = ["..", "../..", "../../..", "../../../..", "../../../../..", "../../../../../.."];
  const planted = ["dist", "dist/src", ...above].map((at) => join(copy, at));
  const names = ["libsmolwf.so.0", "libsmolwf.so", "smolwf.cdef"];
  const places = ["", "target/debug", "target/release", "include", "node_modules/smolwf", "lib"];
  for (const at of planted) {
    for (const place of places) {
      mkdirSync(join(at, place), { recursive: true });
      for (const name of names) writeFileSync(join(at, place, name), "planted");
    }
  }
  for (const cwd of [copy, dirname(copy), join(copy, "dist")]) {
    const text = FIND.replace("./dist/src/locate.js", join(copy, "dist/src/locate.js"));
    const { said } = node(cwd, "--input-type=module", "-e", text);
    const [found, header = ""] = said.trim().split("\n");
    assert.equal(found, "libsmolwf.so.0", "left to the system, which looks in no folder of these");
    assert.match(header, /^\/usr\/(local\/)?share\/smolwf\/smolwf.cdef$|^smolwf.cdef is not found/);
  }
});

test("what npm packs has the code, its types and the header", (t) => {
  const path = folder(t);
  const copy = join(path, "clients/node");
  cpSync(join(PACKAGE, "../../include/smolwf.cdef"), join(path, "include/smolwf.cdef"));
  for (const part of ["package.json", "tsconfig.json", "src"]) {
    cpSync(join(PACKAGE, part), join(copy, part), { recursive: true });
  }
  symlinkSync("../../include/smolwf.cdef", join(copy, "smolwf.cdef"));
  symlinkSync(MODULES, join(copy, "node_modules"));
  const npm = spawnSync("npm", ["pack", "--json"], { cwd: copy, encoding: "utf8" });
  assert.equal(npm.status, 0, npm.stderr);
  const listing = npm.stdout.slice(npm.stdout.indexOf("["));
  const [packed] = JSON.parse(listing) as { files: { path: string; size: number }[] }[];
  const files = packed?.files.map((file) => file.path) ?? [];
  for (const name of ["dist/src/index.js", "dist/src/index.d.ts", "smolwf.cdef", "package.json"]) {
    assert.ok(files.includes(name), `${name} is not in ${files}`);
  }
  assert.deepEqual(
    files.filter((name) => /^(src|test)/.test(name)),
    [],
  );
});

/** Every option by which a host may be stricter than the compiler's defaults. */
const STRICTEST = {
  target: "ES2022",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  types: ["node"],
  noEmit: true,
  strict: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noFallthroughCasesInSwitch: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  noUncheckedSideEffectImports: true,
  allowUnreachableCode: false,
  allowUnusedLabels: false,
  isolatedModules: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
};

const HOST = `
import { type Attempt, Store, type WorkerEvent, workflow } from "smolwf";

const store = await Store.open("app.db");
await store.init();
await store.runs.submit("greet", { name: "Ada" }, { idempotencyKey: "greet ada" });
const stop = new AbortController();
const greet = async (attempt: Attempt, { name }: { name: string }): Promise<string> => {
  const text = await attempt.step("write", () => "hello " + name);
  await attempt.sleep("overnight", 8 * 3_600_000);
  return attempt.step("send", (step) => text + step.id);
};
await store.work({ greet }, { signal: stop.signal, concurrency: 10 });
const count = workflow("count", (_: Attempt, text: string): number => text.length);
const onEvent = (event: WorkerEvent): void => {
  if (event.event === "step_done") console.log(event.step, event.duration_ms, event.run_id);
};
const worker = store.worker([count], { hooks: { onEvent }, log: "off", signals: true });
const length: number = await store.runs.result(await store.runs.submit(count, "four"));
// @ts-expect-error its arguments are a text
await store.runs.submit(count, length);
await worker.stop();
for await (const run of store.runs.list({ state: ["failed"], workflow: count, include: ["error"] })) {
  console.log(run.run_id, run.error);
  await store.runs.annotate(run.run_id, { ticket: "T-7" });
}
// @ts-expect-error there is no such state
await store.runs.count({ state: "done" });
// @ts-expect-error and no such key
await store.runs.actMany("retry", { status: "failed" });
for await (const { payload } of store.events.tail({ type: "said", signal: stop.signal })) {
  console.log(payload);
}
const { runs, writer } = await store.stats();
console.log(runs.total, writer?.commits, (await store.owners()).length);
await store.close();
`;

/** Compiles a host that has the package at a path, and the programs of examples/node as its own. */
function compile(t: TestContext, at: string, parts: readonly string[]): void {
  const host = folder(t);
  for (const part of parts) cpSync(join(PACKAGE, part), join(host, at, part), { recursive: true });
  for (const name of readdirSync(EXAMPLES).filter((name) => name.endsWith(".ts"))) {
    cpSync(join(EXAMPLES, name), join(host, name));
  }
  mkdirSync(join(host, "node_modules"), { recursive: true });
  for (const name of ["koffi", "@types", "undici-types"]) {
    symlinkSync(join(MODULES, name), join(host, "node_modules", name));
  }
  if (at !== "node_modules/smolwf") symlinkSync(join(host, at), join(host, "node_modules/smolwf"));
  writeFileSync(join(host, "package.json"), '{"name": "host", "type": "module"}');
  writeFileSync(join(host, "main.ts"), HOST);
  const config = { compilerOptions: STRICTEST, include: ["**/*"] };
  writeFileSync(join(host, "tsconfig.json"), JSON.stringify(config));
  const { status, said } = node(host, join(MODULES, "typescript/bin/tsc"), "--pretty", "false");
  assert.equal(status, 0, said);
}

test("the strictest compiler reads a host that has the package installed", (t) => {
  compile(t, "node_modules/smolwf", ["package.json", "dist/src"]);
});

test("the strictest compiler reads a host that has all of the folder among its sources", (t) => {
  const parts = ["package.json", "dist/src", "src", "test", "bench"];
  compile(t, "vendor/smolwf", parts);
});
