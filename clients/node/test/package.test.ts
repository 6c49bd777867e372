/** The package as others have it: copied beside their code, found nowhere else, compiled by theirs. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { library } from "../src/library.js";
import { findHeader } from "../src/locate.js";
import { folder } from "./support.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = join(PACKAGE, "node_modules");
const EXAMPLES = join(PACKAGE, "../../examples/node");

interface Said {
  readonly status: number | null;
  readonly said: string;
}

/** Runs Node with the given arguments, without the variables that say where the library is. */
function node(cwd: string, ...args: string[]): Said {
  return nodeWith({}, cwd, ...args);
}

/** The same with these variables. */
function nodeWith(named: Record<string, string>, cwd: string, ...args: string[]): Said {
  const { SMOLWF_LIBRARY: _library, SMOLWF_CDEF: _header, ...env } = process.env;
  const options = { cwd, env: { ...env, ...named }, encoding: "utf8" } as const;
  const child = spawnSync(process.execPath, args, options);
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
import { findHeader, findLibraries } from "./dist/src/locate.js";
console.log(findLibraries().join());
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

const LOAD = `import { library } from "./dist/src/library.js"; console.log(library().path);`;
const PLATFORM = `@smolwf/${process.platform}-${process.arch}-gnu`;

test("where no library is, the error says which platforms are served", (t) => {
  const copy = copied(folder(t));
  cpSync(findHeader(), join(copy, "smolwf.cdef"));
  const named = { SMOLWF_LIBRARY: join(copy, "absent.so") };
  const { status, said } = nodeWith(named, copy, "--input-type=module", "-e", LOAD);
  assert.equal(status, 1);
  assert.ok(said.includes(`loaded here, on ${process.platform}-${process.arch}.`), said);
  assert.match(said, /@smolwf\/linux-arm64-gnu \(glibc 2\.17 or newer\), @smolwf\/linux-x64-musl/);
  assert.match(said, /make build.*SMOLWF_LIBRARY.*Tried: \S*absent\.so: /);
});

test("a package and a library that do not fit are told by both versions", (t) => {
  const copy = copied(folder(t));
  const declared = readFileSync(findHeader(), "utf8");
  const named = { SMOLWF_LIBRARY: resolve(library().path) };
  const load = (name: string, number: number): string => {
    const changed = declared.replace(new RegExp(`${name} = \\d+`), `${name} = ${number}`);
    writeFileSync(join(copy, "smolwf.cdef"), changed);
    return nodeWith(named, copy, "--input-type=module", "-e", LOAD).said;
  };
  const ours = library().ask("sw_version") as string;
  const its = `does not fit: the library is smolwf ${ours} (ABI ${library().ask("sw_abi_version")}), `;
  for (const [name, number, version] of [
    ["SW_VERSION_NUMBER", 0x6301, "this package is for 0.99.1 (ABI 0)"],
    ["SW_ABI_VERSION", 77, `this package is for ${ours} (ABI 77)`],
  ] as const) {
    const said = load(name, number);
    assert.ok(said.includes(its + version), said);
  }
  const patch = (library().ask("sw_version_number") as number) ^ 1;
  assert.equal(load("SW_VERSION_NUMBER", patch).trim(), named.SMOLWF_LIBRARY);
});

/** What scripts/packages/npm.sh makes of a stage whose libraries and programs are empty files. */
let packed: Promise<string> | undefined;

const scratch = mkdtempSync(join(tmpdir(), "smolwf-node-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Makes them once; the tests that ask for them wait for the same. */
function packages(): Promise<string> {
  packed ??= make();
  return packed;
}

async function make(): Promise<string> {
  for (const triple of ["x86_64-linux-gnu", "aarch64-linux-gnu", "x86_64-linux-musl"]) {
    for (const part of ["lib/libsmolwf.so", "lib/libsmolwf_pq.so", "bin/swctl"]) {
      const path = join(scratch, "stage", triple, part);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "");
    }
  }
  writeFileSync(join(scratch, "stage/THIRD-PARTY.txt"), "");
  const { TRIPLES: _triples, ...rest } = process.env;
  const named = { STAGE: join(scratch, "stage"), DIST: scratch, SOURCE_DATE_EPOCH: "1700000000" };
  const script = join(PACKAGE, "../../scripts/packages/npm.sh");
  await promisify(execFile)(script, { env: { ...rest, ...named } });
  return scratch;
}

function unpack(archive: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const tar = spawnSync("tar", ["-xzf", archive, "--strip-components=1", "-C", to]);
  assert.equal(tar.status, 0, String(tar.stderr));
}

interface PackageJson {
  readonly version: string;
  readonly private?: boolean;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly os?: string[];
  readonly cpu?: string[];
  readonly libc?: string[];
}

function packageOf(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageJson;
}

/** A host with the package and that of its platform, as npm puts them down, and a program. */
async function installed(t: TestContext): Promise<string> {
  const from = await packages();
  const host = realpathSync(folder(t));
  const modules = join(host, "node_modules");
  const version = library().ask("sw_version") as string;
  unpack(join(from, `smolwf-${version}.tgz`), join(modules, "smolwf"));
  const archive = `${PLATFORM.replace("@", "").replace("/", "-")}-${version}.tgz`;
  unpack(join(from, archive), join(modules, PLATFORM));
  rmSync(join(modules, PLATFORM, "libsmolwf.so.0"));
  symlinkSync(resolve(library().path), join(modules, PLATFORM, "libsmolwf.so.0"));
  for (const name of ["koffi", "@koromix", "@types", "undici-types"]) {
    symlinkSync(join(MODULES, name), join(modules, name));
  }
  writeFileSync(join(host, "main.mjs"), PROGRAM);
  writeFileSync(join(host, "package.json"), '{"name": "host", "type": "module"}');
  return host;
}

const PROGRAM = `
import { Store } from "smolwf";
export async function main() {
  const store = await Store.openInMemory();
  await store.init();
  await store.runs.submit("greet", { name: "Ada" });
  const worker = store.worker({ greet: (_, { name }) => { worker.stop(); return "hello " + name; } });
  await worker.done;
  for await (const run of store.runs.list({ include: ["result"] })) console.log(run.state, run.result);
  await store.close();
}
main();
`;

test("the packages have all that a program needs, and each names what it is for", async (t) => {
  const host = await installed(t);
  const { said } = node(host, "main.mjs");
  assert.equal(said, "completed hello Ada\n");
  const client = join(host, "node_modules/smolwf");
  const { dependencies, optionalDependencies, private: isPrivate } = packageOf(client);
  assert.deepEqual(Object.keys(dependencies ?? {}), ["koffi"]);
  assert.equal(isPrivate, undefined);
  const { version, os, cpu, libc } = packageOf(join(host, "node_modules", PLATFORM));
  assert.equal(optionalDependencies?.[PLATFORM], version);
  assert.equal(Object.keys(optionalDependencies ?? {}).length, 3);
  assert.deepEqual([os, cpu, libc], [["linux"], [process.arch], ["glibc"]]);
  const parts = ["LICENSE", "README.md", "bin", "dist", "package.json", "smolwf.cdef"];
  assert.deepEqual(
    readdirSync(client).filter((name) => !name.startsWith("LICENSE-")),
    parts,
  );
});

const ORDERS = `
import { effect } from "smolwf/testing";
export const order = (attempt) => attempt.step("charge", (step) => effect("charge", step.id));
`;

const CRASH = `
import { crash } from "smolwf/testing";
const orders = new URL("./orders.mjs", import.meta.url);
console.log(String(await crash(orders, { workflow: "order" })));
`;

test("the package has what tests of workflows need", async (t) => {
  const host = await installed(t);
  writeFileSync(join(host, "orders.mjs"), ORDERS);
  writeFileSync(join(host, "crash.mjs"), CRASH);
  const { said } = node(host, "crash.mjs");
  assert.equal(said, "order: 3 commits, 7 cases, no findings\n");
});

for (const [format, file] of [
  ["esm", "main.js"],
  ["cjs", "main.cjs"],
]) {
  test(`a bundle in the form ${format} works where koffi and the platform's package are beside it`, async (t) => {
    const host = await installed(t);
    const args = ["--bundle", "--platform=node", `--format=${format}`, "--external:koffi"];
    const quiet = "--log-override:empty-import-meta=silent";
    const out = `--outfile=dist/${file}`;
    const esbuild = join(MODULES, ".bin/esbuild");
    const options = { cwd: host, encoding: "utf8" } as const;
    const built = spawnSync(
      esbuild,
      [...args, quiet, "--log-level=warning", out, "main.mjs"],
      options,
    );
    assert.deepEqual([built.status, built.stderr], [0, ""]);
    rmSync(join(host, "node_modules/smolwf"), { recursive: true });
    const { said } = node(host, join("dist", file ?? ""));
    assert.equal(said, "completed hello Ada\n");
  });
}

test("worker threads each have the library, at once", async (t) => {
  const host = await installed(t);
  const text = `
    import { Worker } from "node:worker_threads";
    for (let at = 0; at < 4; at++) new Worker("./main.mjs");
  `;
  writeFileSync(join(host, "threads.mjs"), text);
  const { said } = node(host, "threads.mjs");
  assert.equal(said, "completed hello Ada\n".repeat(4));
});

/** Every option by which a host may be stricter than the compiler's defaults. */
const STRICTEST = {
  target: "ES2022",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  types: [],
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
import { crash, effect, type Finding, replay } from "smolwf/testing";

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
effect("said");
const { findings } = await crash(new URL("./main.ts", import.meta.url), { workflow: count, maxTries: 2 });
console.log(findings.map(({ kind, text }: Finding): string => kind + text));
(await replay("{}", [count])).check();
`;

/** Compiles a host that has the package in node_modules, and the programs of examples/node as its own. */
function compile(host: string): void {
  for (const name of readdirSync(EXAMPLES).filter((name) => name.endsWith(".ts"))) {
    cpSync(join(EXAMPLES, name), join(host, name));
  }
  writeFileSync(join(host, "main.ts"), HOST);
  const config = { compilerOptions: STRICTEST, include: ["**/*"] };
  writeFileSync(join(host, "tsconfig.json"), JSON.stringify(config));
  const { status, said } = node(host, join(MODULES, "typescript/bin/tsc"), "--pretty", "false");
  assert.equal(status, 0, said);
}

test("the strictest compiler reads a host that has the package installed", async (t) => {
  compile(await installed(t));
});

test("the strictest compiler reads a host that has all of the folder among its sources", async (t) => {
  const host = await installed(t);
  rmSync(join(host, "node_modules/smolwf"), { recursive: true });
  for (const part of ["package.json", "dist/src", "src", "test", "bench"]) {
    cpSync(join(PACKAGE, part), join(host, "vendor/smolwf", part), { recursive: true });
  }
  symlinkSync(join(host, "vendor/smolwf"), join(host, "node_modules/smolwf"));
  compile(host);
});
