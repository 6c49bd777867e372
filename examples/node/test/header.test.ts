import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseHeader } from "../src/cdef.js";
import { library } from "../src/library.js";
import { shapeOf } from "../src/shape.js";

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

test("a declaration that is not understood is refused", () => {
  assert.throws(
    () => parseHeader("int32_t sw_a(int (*callback)(void));"),
    /not a declaration|C member/,
  );
  assert.throws(() => parseHeader('#define SW_A "a"'), /not a constant/);
  const own = library();
  const [odd] = parseHeader("int32_t sw_odd(double x);").functions.values();
  assert.throws(() => odd && shapeOf(odd, own.header), /sw_odd: double x has no known shape/);
});

test("a function that the library lacks is named when it is called", () => {
  const own = library();
  const message = /sw_run_fly is not in smolwf.cdef \(library \d+\.\d+\.\d+\)/;
  assert.throws(() => own.call("sw_run_fly"), { name: "SW_ERR_UNSUPPORTED", message });
});
