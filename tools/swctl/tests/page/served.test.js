// What the server lets in, and what it sends, asked without a browser: every header is the test's own.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { createConnection } from "node:net";
import { after, before, test } from "node:test";
import { Folder, SWCTL } from "./place.js";
import { Served } from "./served.js";
import { World } from "./world.js";

const SECRET = "a-secret-that-nobody-may-see";
const HUGE = 9_223_372_036_854_775_807n;

const folder = new Folder();
const file = folder.store("orders.db");
let world;
let failed;
let waiting;

before(async () => {
  world = await World.open(file);
  world.work();
  failed = await world.submit("settle", { order: SECRET }, { metadata: { tenant: SECRET } });
  const options = { budget: { tokens: HUGE } };
  waiting = await world.submit("invoice", { order: 1, secret: SECRET }, options);
  await world.until(failed, "failed");
  await world.untilSignal(waiting);
});

after(async () => {
  await world.close();
  folder.remove();
});

async function serve(t, ...options) {
  const served = await Served.start(SWCTL, file, ...options);
  t.after(() => served.end("SIGKILL"));
  return served;
}

// One request, each header as it is given.
function ask(served, path, { method = "GET", headers = {}, body } = {}) {
  const { hostname, port, host } = new URL(served.origin);
  return new Promise((resolve, reject) => {
    const asked = request(
      { hostname, port, path, method, headers: { host, ...headers } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (data) => {
          text += data;
        });
        answer.on("end", () =>
          resolve({ status: answer.statusCode, headers: answer.headers, text }),
        );
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

function post(served, cookie, path, body, headers = {}) {
  const all = { cookie, "content-type": "application/json", ...headers };
  return ask(served, path, { method: "POST", headers: all, body: JSON.stringify(body) });
}

test("a token opens the page once and Enter prints another", async (t) => {
  const served = await serve(t);
  const { pathname, search } = new URL(served.address);
  const first = await ask(served, pathname + search);
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, "/");
  assert.match(
    first.headers["set-cookie"][0],
    /^swctl_\d+=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  assert.equal((await ask(served, pathname + search)).status, 401);
  await served.pressEnter();
  assert.match(await served.letIn(), /^swctl_/);
  assert.ok(
    !served.stderr.includes(search.slice("?token=".length)),
    "a token stands in what it logs",
  );
});

test("whoever has no cookie is shown nothing of the store", async (t) => {
  const served = await serve(t);
  const other = "swctl_1=x";
  for (const path of ["/", "/page.js", "/runs", `/?token=${"0".repeat(64)}`]) {
    const answer = await ask(served, path, { headers: { cookie: other } });
    assert.equal(answer.status, 401, path);
    assert.ok(!answer.text.includes("orders"), path);
  }
  for (const path of ["/api/page", "/api/runs", "/api/changes", "/api/nothing"]) {
    const answer = await ask(served, path);
    assert.deepEqual(
      [answer.status, answer.headers["content-type"]],
      [401, "application/json"],
      path,
    );
  }
});

test("a name that is not the server's is refused before a cookie is looked at", async (t) => {
  const served = await serve(t);
  const cookie = await served.letIn();
  for (const host of [
    "rebound.example",
    `rebound.example:${new URL(served.origin).port}`,
    "127.0.0.1",
  ]) {
    const answer = await ask(served, "/api/runs", { headers: { cookie, host } });
    assert.equal(answer.status, 421, host);
  }
  const origin = { cookie, origin: "http://elsewhere.example" };
  assert.equal((await ask(served, "/api/runs", { headers: origin })).status, 403);
  const site = { cookie, "sec-fetch-site": "cross-site" };
  assert.equal((await ask(served, "/api/runs", { headers: site })).status, 403);
  assert.equal((await ask(served, "/api/runs", { headers: { cookie } })).status, 200);
});

test("no answer lets other pages in and every one says what it may load", async (t) => {
  const served = await serve(t);
  const cookie = await served.letIn();
  for (const path of ["/", "/page.js", "/api/stats", "/api/nothing"]) {
    const { headers } = await ask(served, path, { headers: { cookie, origin: served.origin } });
    assert.match(
      headers["content-security-policy"],
      /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/,
    );
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
});

test("a write wants --write and JSON and a body within its limit", async (t) => {
  const reads = await serve(t);
  const act = { action: "retry", run_ids: [failed] };
  const before = await world.store.runs.get(failed);
  const refused = await post(reads, await reads.letIn(), "/api/act", act);
  assert.deepEqual(
    [refused.status, JSON.parse(refused.text).message.includes("--write")],
    [403, true],
  );

  const writes = await serve(t, "--write");
  const cookie = await writes.letIn();
  const statuses = [
    (await post(writes, "", "/api/act", act)).status,
    (await post(writes, cookie, "/api/act", act, { "content-type": "text/plain" })).status,
    (await post(writes, cookie, "/api/act", act, { origin: "null" })).status,
    (await post(writes, cookie, "/api/act", act, { "sec-fetch-site": "same-site" })).status,
    (await post(writes, cookie, "/api/act", { ...act, reason: "x".repeat(1 << 20) })).status,
    (await post(writes, cookie, "/api/act", { action: "explode", run_ids: [failed] })).status,
    (await post(writes, cookie, "/api/act", { ...act, more: 1 })).status,
  ];
  assert.deepEqual(statuses, [401, 415, 403, 403, 413, 400, 400]);
  assert.deepEqual(await world.store.runs.get(failed), before);
  const done = await post(writes, cookie, "/api/act", act, { origin: writes.origin });
  assert.deepEqual(JSON.parse(done.text), { matched: 1, done: 1, refused: [], more: false });
  await world.until(failed, "failed");
});

test("what one run of many refuses is told and the others are done", async (t) => {
  const served = await serve(t, "--write");
  const cookie = await served.letIn();
  const later = { runAtMs: Date.now() + 3_600_000 };
  const ids = [
    await world.submit("later", {}, later),
    failed,
    await world.submit("later", {}, later),
  ];
  const act = { action: "cancel", run_ids: ids, reason: "not wanted" };
  const { text } = await post(served, cookie, "/api/act", act);
  assert.deepEqual(JSON.parse(text), {
    matched: 3,
    done: 2,
    refused: [{ run_id: failed, code: -23 }],
    more: false,
  });
  const cancelled = await world.store.runs.get(ids[2]);
  assert.equal(cancelled.error.reason, "not wanted");
});

test("a document has a tag and is not sent again to whoever has it", async (t) => {
  const served = await serve(t);
  const cookie = await served.letIn();
  const path = `/api/runs/${failed}`;
  const first = await ask(served, path, { headers: { cookie } });
  const tagged = { cookie, "if-none-match": first.headers.etag };
  assert.deepEqual(await status(served, path, tagged), 304);
  await world.store.runs.annotate(failed, { seen: true });
  assert.deepEqual(await status(served, path, tagged), 200);
});

async function status(served, path, headers) {
  return (await ask(served, path, { headers })).status;
}

test("a whole document is the library's and its integers are exact", async (t) => {
  const served = await serve(t);
  const cookie = await served.letIn();
  const budget = await ask(served, `/api/runs/${waiting}/budget`, { headers: { cookie } });
  assert.ok(budget.text.includes(`"limit":${HUGE}`), budget.text);
  const run = await ask(served, `/api/runs/${failed}?whole=1`, { headers: { cookie } });
  assert.deepEqual(JSON.parse(run.text), await world.store.runs.get(failed));
});

test("hidden payloads leave by no way", async (t) => {
  const served = await serve(t, "--redact");
  const cookie = await served.letIn();
  const get = (path) => ask(served, path, { headers: { cookie } });
  const include = JSON.stringify({
    include: ["args", "result", "error", "metadata", "waiting_for"],
  });
  const paths = [
    `/api/runs/${failed}?whole=1`,
    `/api/runs/${failed}/history?whole=1`,
    `/api/runs/${waiting}/history`,
    `/api/runs/${waiting}/why`,
    `/api/runs?${new URLSearchParams({ filter: include })}`,
    "/api/events?whole=1",
    "/api/schedules",
  ];
  for (const path of paths) {
    const { status, text } = await get(path);
    assert.deepEqual([status, text.includes(SECRET)], [200, false], `${path}: ${text}`);
  }
  assert.equal((await get(`/api/runs/${failed}/payload?part=args`)).status, 403);
  for (const filter of [{ error_contains: "a" }, { metadata: { tenant: SECRET } }]) {
    const query = new URLSearchParams({ filter: JSON.stringify(filter) });
    assert.equal((await get(`/api/runs?${query}`)).status, 403);
  }
});

test("an address of other machines wants the token of a file", async (t) => {
  await assert.rejects(Served.start(SWCTL, file, "--listen", "0.0.0.0:0"), /--token-file/);
  const path = folder.file("token");
  const token = "0123456789abcdef0123456789abcdef";
  writeFileSync(path, token, { mode: 0o644 });
  await assert.rejects(Served.start(SWCTL, file, "--token-file", path), /mode 644/);
  const kept = folder.file("kept");
  writeFileSync(kept, token, { mode: 0o600 });
  const served = await serve(t, "--token-file", kept);
  assert.ok(!served.address.includes(token));
  for (const given of [token, token])
    assert.equal((await ask(served, `/?token=${given}`)).status, 303);
  assert.equal((await ask(served, `/?token=${token.slice(1)}`)).status, 401);
});

test("a file that is no store is refused and one that is not there is not made", async () => {
  const other = folder.file("other.db");
  await assert.rejects(Served.start(SWCTL, other), /did not serve/);
  await assert.rejects(Served.start(SWCTL, other, "--write"), /did not serve/);
  writeFileSync(other, "x".repeat(8192));
  await assert.rejects(Served.start(SWCTL, other), /did not serve/);
});

function stream(served, cookie) {
  const { hostname, port, host } = new URL(served.origin);
  return new Promise((resolve, reject) => {
    const asked = request(
      { hostname, port, path: "/api/changes", headers: { host, cookie } },
      (answer) => {
        answer.setEncoding("utf8").on("error", () => undefined);
        resolve({ status: answer.statusCode, answer, end: () => asked.destroy() });
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

// The next change that a stream tells.
async function told(answer) {
  for await (const data of answer.iterator({ destroyOnReturn: false })) {
    const found = data.match(/^id: (\d+)$/m);
    if (found) return found[1];
  }
  throw new Error("the stream has ended");
}

test("a stream tells of each change that a worker makes", async (t) => {
  const served = await serve(t);
  const { answer, end } = await stream(served, await served.letIn());
  const first = await told(answer);
  await world.submit("import", {});
  assert.notEqual(await told(answer), first);
  end();
});

test("streams are bounded and one that ends makes room", async (t) => {
  const served = await serve(t);
  const cookie = await served.letIn();
  const streams = [];
  for (;;) {
    const one = await stream(served, cookie);
    streams.push(one);
    if (one.status !== 200) break;
    assert.ok(streams.length < 1000);
  }
  assert.equal(streams.at(-1).status, 503);
  let said = "";
  for await (const data of streams.at(-1).answer) said += data;
  assert.match(said, /pages follow already/);
  streams[0].end();
  for (;;) {
    const one = await stream(served, cookie);
    streams.push(one);
    if (one.status === 200) break;
  }
  for (const one of streams) one.end();
});

test("connections are bounded and one more is told to come later", async (t) => {
  const served = await serve(t);
  const { hostname, port } = new URL(served.origin);
  const sockets = [];
  t.after(() => sockets.map((socket) => socket.destroy()));
  const refused = new Promise((resolve) => {
    const connect = () => {
      const socket = createConnection({ host: hostname, port });
      sockets.push(socket);
      socket.on("error", () => undefined).on("data", resolve);
      socket.on("connect", () => sockets.length < 200 && connect());
    };
    connect();
  });
  assert.match(String(await refused), /^HTTP\/1.1 503 /);
});

test("an interrupt ends it at once and quietly while streams are open", async (t) => {
  const served = await serve(t);
  const { status } = await stream(served, await served.letIn());
  assert.equal(status, 200);
  assert.deepEqual(await served.end("SIGINT"), [0, null]);
  assert.ok(!/error|panic/i.test(served.stderr), served.stderr);
});
