/** What values become, and which are refused. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { EncodeError, rawJson, Store } from "../src/index.js";
import { toJson } from "../src/json.js";
import { claimed, folder, memory } from "./support.js";

class Point {
  readonly x = 1;
  readonly y = 2;
  get sum(): number {
    return this.x + this.y;
  }
}

class Secret {
  readonly #held = 1;
  tell(): number {
    return this.#held;
  }
}

const WRITTEN: readonly [unknown, string | undefined][] = [
  [undefined, undefined],
  [{ a: undefined, b: 1 }, '{"b":1}'],
  [[undefined, null], "[null,null]"],
  [-0, "-0"],
  [[1e21, 0.1, -5e-324], "[1e+21,0.1,-5e-324]"],
  [12n, "12"],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [new URL("http://a.b/c"), '"http://a.b/c"'],
  [Buffer.from("a"), '{"type":"Buffer","data":[97]}'],
  [new Point(), '{"x":1,"y":2}'],
  [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  [{}, "{}"],
  [new Number(1), "1"],
  [new String("a"), '"a"'],
  [new Boolean(false), "false"],
  ["\ud800", '"\\ud800"'],
  ["a\0\u2028", '"a\\u0000\u2028"'],
  [{ toJSON: (key: string) => `at ${key}` }, '"at "'],
  [{ member: { toJSON: (key: string) => [key] } }, '{"member":["member"]}'],
  [{ a: rawJson("1.0") }, '{"a":1.0}'],
  [new Proxy({ a: [1] }, {}), '{"a":[1]}'],
  [JSON.parse('{"__proto__": 1}'), '{"__proto__":1}'],
];

for (const [value, text] of WRITTEN) {
  test(`a value is written as ${text}`, () => assert.equal(toJson(value), text));
}

function fails(): never {
  throw new Error("not today");
}

const cycle: { self?: unknown } = {};
cycle.self = [cycle];

const revoked = Proxy.revocable({}, {});
revoked.revoke();

const REFUSED: readonly [string, unknown, RegExp][] = [
  ["NaN", Number.NaN, /is NaN/],
  ["infinity", Number.NEGATIVE_INFINITY, /is -Infinity/],
  ["a boxed NaN", new Number(Number.NaN), /is NaN/],
  ["a function", fails, /is a function/],
  ["a symbol", Symbol("s"), /is a symbol/],
  ["a boxed symbol", Object(Symbol("s")), /is a symbol/],
  ["a bigint beyond a number", 2n ** 53n, /is 9007199254740992, beyond/],
  ["an invalid date", new Date(Number.NaN), /is an invalid Date/],
  ["a Map", new Map([[1, 2]]), /is an object of Map/],
  ["a Set", new Set([1]), /is an object of Set/],
  ["a WeakMap", new WeakMap(), /is an object of WeakMap/],
  ["a Map with a field", Object.assign(new Map(), { field: 1 }), /is an object of Map/],
  ["a promise", Promise.resolve(1), /is a Promise that was not awaited/],
  ["a regular expression", /a/, /is an object of RegExp/],
  ["an error", new TypeError("no"), /is an object of TypeError/],
  ["a DOM error", new DOMException("no"), /is an object of DOMException/],
  ["bytes", new Uint8Array(2), /is an object of Uint8Array/],
  ["a buffer of bytes", new ArrayBuffer(2), /is an object of ArrayBuffer/],
  ["a response", new Response("no"), /is an object of Response/],
  ["headers", new Headers({ a: "b" }), /is an object of Headers/],
  ["a generator", (function* () {})(), /has no form in JSON/],
  ["a class that hides all", new Secret(), /is an object of Secret/],
  ["a sparse array", Object.assign(new Array(3), { 0: 1, 2: 3 }), /is an empty place/],
  ["a huge sparse array", new Array(2 ** 32 - 1), /is an empty place/],
  ["a cycle", cycle, /again: a cycle/],
  ["a toJSON that throws", { toJSON: fails }, /is unreadable: toJSON threw/],
  [
    "a getter that throws",
    {
      get a() {
        return fails();
      },
    },
    /is unreadable: a getter threw/,
  ],
  ["a proxy that throws", new Proxy({}, { ownKeys: fails }), /unreadable: its list of keys threw/],
  ["a proxy of nothing", revoked.proxy, /is unreadable/],
];

for (const [name, value, what] of REFUSED) {
  test(`${name} is refused, with its place`, () => {
    assert.throws(
      () => toJson({ items: [1, { "a b": value }] }),
      (error) => {
        assert.ok(error instanceof EncodeError);
        assert.ok(error.place.startsWith('$.items[1]["a b"]'), error.place);
        assert.match(error.message, what);
        return true;
      },
    );
  });
}

test("a value that is nested without end is refused before the stack is", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  assert.throws(() => toJson(deep), /nested too deep/);
});

test("one value in two places is no cycle", () => {
  const shared = { a: 1 };
  assert.equal(toJson([shared, shared]), '[{"a":1},{"a":1}]');
});

test("the first attempt and its replay see the same value", async (t) => {
  const store = await memory(t);
  const value = { zero: -0, half: "\ud800", none: undefined, list: [undefined], at: new Date(0) };
  await store.runs.submit("w");
  const first = await claimed(store);
  const live = await first.step<unknown>("s", () => value);
  await first.release();
  const replayed = await (await claimed(store)).step<unknown>("s", () => assert.fail());
  assert.deepEqual(live, replayed);
  const at = "1970-01-01T00:00:00.000Z";
  assert.deepEqual(live, { zero: -0, half: "\ud800", list: [null], at });
});

test("what has no form in JSON is an error of every call that takes a value", async (t) => {
  const store = await memory(t);
  const bad = { bad: Number.NaN };
  const { runId } = await store.runs.submit("w");
  await assert.rejects(store.runs.submit("w", bad), EncodeError);
  await assert.rejects(store.runs.submitMany([{ workflow: "w", args: bad }]), EncodeError);
  await assert.rejects(store.signals.send(runId, "s", bad), EncodeError);
  await using attempt = await claimed(store);
  await assert.rejects(attempt.event("e", bad), EncodeError);
  await assert.rejects(attempt.child("c", "w", bad), EncodeError);
  await assert.rejects(
    attempt.step("s", () => 1, { input: bad }),
    EncodeError,
  );
  await assert.rejects(attempt.reserve({ tokens: Number.NaN }), EncodeError);
  const { steps } = await store.runs.history(runId);
  assert.deepEqual(steps, []);
});

const URLS_WITH_PASSWORD = [
  "postgresql://me:hush@127.0.0.1:1/db",
  "postgresql:///db?host=/nowhere&password=hush",
  "postgresql://me:hush?@host",
  "postgresql://me:hush\0@host",
  "postgresql:/me:hush@host/db",
  "redis://:hush@host",
];

test("no error shows the password of a URL", async () => {
  for (const url of URLS_WITH_PASSWORD) {
    const told = await Store.open(url, { busyTimeoutMs: 100 }).catch((error: unknown) => error);
    assert.ok(told instanceof Error, "it opened");
    assert.ok(!inspect(told).includes("hush"), inspect(told));
  }
});

test("names and paths that would be changed on their way are refused", async (t) => {
  const path = join(folder(t), "cut.db\0.txt");
  await assert.rejects(Store.open(path), { name: "SW_ERR_INVALID", message: /path/ });
  assert.equal(existsSync(path.split("\0")[0] ?? ""), false);
  const store = await memory(t);
  const once = { idempotencyKey: "half \ud800" };
  await assert.rejects(store.runs.submit("w", 1, once), { name: "SW_ERR_INVALID" });
  await assert.rejects(store.runs.submit("half \udc00"), { name: "SW_ERR_INVALID" });
  await assert.rejects(store.runs.submit("nul \0"), { name: "SW_ERR_INVALID" });
});
