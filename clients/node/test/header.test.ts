import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseHeader } from "../src/cdef.js";
import { library } from "../src/library.js";
import { shapeOf } from "../src/shape.js";
import { READS } from "../src/turns.js";

const SOURCES = new URL("../../src/", import.meta.url);

function sources(): string {
  const names = readdirSync(SOURCES).filter((name) => name.endsWith(".ts"));
  return names.map((name) => readFileSync(new URL(name, SOURCES), "utf8")).join("\n");
}

test("every function of the header is bound by koffi and has a known shape", () => {
  const own = library();
  for (const declared of own.header.functions.values()) {
    assert.ok(own.has(declared.name), `${declared.name} cannot be bound`);
    assert.ok(shapeOf(declared, own.header));
  }
});

test("the client uses every function of the header", () => {
  const text = sources();
  const isUsed = (name: string): boolean => {
    const [, object = "", verb = ""] = /^sw_([a-z]+)_(\w+)$/.exec(name) ?? [];
    // Accessors are asked by their last words: ask("run_id").
    const accessor =
      new RegExp(`sw_${object}_\\$\\{what\\}`).test(text) && text.includes(`"${verb}"`);
    return text.includes(`"${name}"`) || accessor;
  };
  const unused = [...library().header.functions.keys()].filter((name) => !isUsed(name));
  assert.deepEqual(unused, []);
});

test("constants are read whatever their width and sign", () => {
  const { constants } = library().header;
  assert.equal(constants.get("SW_OK"), 0n);
  assert.equal(constants.get("SW_ERR_MISUSE"), -1n);
  assert.equal(constants.get("SW_LEASE_WHILE_ALIVE"), 4294967295n);
  assert.equal(constants.get("SW_NTS"), 2n ** 64n - 1n);
});

test("the calls that queue as reads are those that the header calls reading, and the waits", () => {
  const header = readFileSync(new URL("../../../include/smolwf.h", SOURCES), "utf8");
  const documented = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n[\w *]*?\b(sw_\w+)\(/g;
  const reads = [...header.matchAll(documented)]
    .filter(([, comment = ""]) => /what any (reading|sweeping) call may answer/.test(comment))
    .map(([, , name = ""]) => name);
  assert.ok(reads.length > 8, `${reads}`);
  assert.deepEqual([...READS].sort(), reads.sort());
});

test("a declaration that is not understood is refused", () => {
  assert.throws(
    () => parseHeader("int32_t sw_a(int (*callback)(void));"),
    /not a declaration|C member/,
  );
  assert.throws(() => parseHeader('enum { SW_A = "a" };'), /not a constant: SW_A = "a"/);
  assert.throws(() => parseHeader("#define SW_A 1;"), /not a declaration/);
  const own = library();
  const [odd] = parseHeader("int32_t sw_odd(double x);").functions.values();
  assert.throws(() => odd && shapeOf(odd, own.header), /sw_odd: double x has no known shape/);
});

test("a function that the library lacks is named when it is called", () => {
  const own = library();
  const message = /sw_run_fly is not in smolwf.cdef: the library is smolwf \d+\.\d+\.\d+ /;
  assert.throws(() => own.call("sw_run_fly"), { name: "SW_ERR_UNSUPPORTED", message });
});
