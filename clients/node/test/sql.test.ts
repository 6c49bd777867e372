/** Values of SQL on their way in and out, and queries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EncodeError,
  type SqlParam,
  type SqlParams,
  type SqlValue,
  type Store,
} from "../src/index.js";
import { fromSqlJson, toSqlJson } from "../src/sql.js";
import { memory, onDisk } from "./support.js";

/** What SQLite makes of one parameter, and how it comes back. */
async function through(store: Store, value: SqlParam): Promise<[string, SqlValue]> {
  const { rows } = await store.query<[string, SqlValue]>("SELECT typeof(?1), ?1", [value]);
  return rows[0] ?? assert.fail("no row");
}

const TINY = -1.2345678901234567 / 1e300;

test("every kind of value goes in and comes back as it was", async (t) => {
  const store = await memory(t);
  const bytes = new Uint8Array([0, 1, 127, 128, 255]);
  const cases: [SqlParam, string, SqlValue][] = [
    [null, "null", null],
    [true, "integer", 1],
    [false, "integer", 0],
    [0, "integer", 0],
    [-0, "real", -0],
    [-7, "integer", -7],
    [1.5, "real", 1.5],
    [0.30000000000000004, "real", 0.30000000000000004],
    [TINY, "real", TINY],
    [Number.MAX_SAFE_INTEGER, "integer", Number.MAX_SAFE_INTEGER],
    [2 ** 60, "real", 2 ** 60],
    [1e21, "real", 1e21],
    [Number.MAX_VALUE, "real", Number.MAX_VALUE],
    [5n, "integer", 5],
    [9_007_199_254_740_993n, "integer", 9_007_199_254_740_993n],
    [2n ** 63n - 1n, "integer", 2n ** 63n - 1n],
    [-(2n ** 63n), "integer", -(2n ** 63n)],
    ["", "text", ""],
    [
      '9007199254740993, "and" \\"12345678901234567',
      "text",
      '9007199254740993, "and" \\"12345678901234567',
    ],
    ['{"$base64":"AA=="}', "text", '{"$base64":"AA=="}'],
    ["\u00e4\u{1f600}\u0000\\", "text", "\u00e4\u{1f600}\u0000\\"],
    [bytes, "blob", bytes],
    [new Uint8Array(0), "blob", new Uint8Array(0)],
    [Buffer.from("Buffer"), "blob", new Uint8Array(Buffer.from("Buffer"))],
    [bytes.subarray(1, 3), "blob", new Uint8Array([1, 127])],
  ];
  for (const [value, kind, expected] of cases) {
    assert.deepEqual(await through(store, value), [kind, expected], `${String(value)}`);
  }
});

test("parameters go by name, and numbers without an end come out", async (t) => {
  const store = await memory(t);
  const sql = "SELECT :a || $b AS joined, @c AS c, 9e999 AS wide, -9e999 AS deep";
  const { columns, rows, more } = await store.query(sql, { a: "x", b: "y", c: 3n });
  assert.deepEqual(columns, ["joined", "c", "wide", "deep"]);
  assert.deepEqual(rows, [["xy", 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]]);
  const [row] = (await store.query("SELECT ? = 9e999", [Number.POSITIVE_INFINITY])).rows;
  assert.deepEqual(row, [1]);
  assert.equal(more, false);
});

const REFUSED: readonly [unknown, RegExp][] = [
  [Number.NaN, /is NaN, which SQL has no value for/],
  [2n ** 63n, /is 9223372036854775808, beyond the integers of 64 bits/],
  [undefined, /is undefined: SQL takes null, boolean/],
  [new Date(0), /is an object of Date: SQL takes/],
  [[1], /is an object of Array: SQL takes/],
  [{ a: 1 }, /is an object of Object: SQL takes/],
  [() => 1, /SQL takes/],
];

test("a value that SQL has none for is refused, and its place is named", async (t) => {
  const store = await memory(t);
  for (const [value, message] of REFUSED) {
    const listed = store.query("SELECT ?, ?", [1, value as SqlParam]);
    await assert.rejects(listed, (error) => {
      assert.ok(error instanceof EncodeError, String(error));
      assert.equal(error.place, "params[1]");
      return message.test(error.message);
    });
    const named = store.query("SELECT :a", { a: value as SqlParam });
    await assert.rejects(named, { name: "EncodeError", place: 'params["a"]' });
  }
  const sparse = new Array(3).fill(1, 0, 1) as SqlParams;
  await assert.rejects(store.query("SELECT ?, ?, ?", sparse), /params\[1\] is undefined/);
  const bytes = new Uint8Array(1) as unknown as SqlParams;
  await assert.rejects(store.query("SELECT ?", bytes), /params is neither an array nor an object/);
});

test("a query is bounded, says whether there is more, and only reads", async (t) => {
  const store = await onDisk(t);
  const count =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n";
  const { rows, more } = await store.query<[number]>(count, [10], { rowsMax: 3 });
  assert.deepEqual([rows, more], [[[1], [2], [3]], true]);
  assert.equal((await store.query(count, [1_000])).more, false);
  const sum = `SELECT sum(i) FROM (${count})`;
  await assert.rejects(store.query(sum, [1e12], { timeoutMs: 20 }), { name: "SW_ERR_TOO_BIG" });
  await assert.rejects(store.query("DELETE FROM sw_workflow_steps"), /only a query is allowed/);
  await assert.rejects(store.query("SELECT"), { name: "SW_ERR_INVALID" });
  await assert.rejects(store.query("SELECT ?", []), { name: "SW_ERR_INVALID" });
  await assert.rejects(store.query("SELECT 1", undefined, { rowsMax: 10_001 }), /rows_max/);
  await assert.rejects(store.query(undefined as unknown as string), { name: "SW_ERR_INVALID" });
  const steps = await store.query("SELECT count(*) FROM sw_workflow_steps");
  assert.deepEqual(steps.rows, [[0]]);
});

test("results keep bytes and wide integers, and everything else as JSON has it", () => {
  const values: unknown[] = [
    null,
    { a: [1, -2.5, "3", 2n ** 63n - 1n, new Uint8Array([1, 2])], b: { $base64: 5 }, c: 2 ** 60 },
    { text: '"12345678901234567" \\', 12345678901234567890: 1 },
    { $base64: "x", more: true },
    "x".repeat(1 << 20),
    1.2345678901234567,
  ];
  for (const value of values) {
    assert.deepEqual(fromSqlJson(toSqlJson(value) ?? ""), value);
  }
  assert.equal(toSqlJson(undefined), undefined);
  assert.throws(() => toSqlJson({ a: [2n ** 63n] }), /\$\.a\[0\] is 9223372036854775808, beyond/);
  assert.throws(() => toSqlJson({ a: new Map() }), EncodeError);
  assert.throws(() => toSqlJson({ a: Number.NaN }), EncodeError);
});

test("a text of many backslashes, and one of 16 MiB, are read in one go", () => {
  const value = { a: "\\".repeat(100_000), b: '"'.repeat(100_000), c: 2n ** 62n };
  assert.deepEqual(fromSqlJson(toSqlJson(value) ?? ""), value);
  const wide = ["y".repeat(1 << 24), 2n ** 62n];
  assert.deepEqual(fromSqlJson(toSqlJson(wide) ?? ""), wide);
});
