// Takes the pictures of the page that the documents show, and tells what the browser measured.
//   pictures.js <folder>

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Chrome } from "./chrome.js";
import { CHROMIUM, Folder, SWCTL } from "./place.js";
import { Served } from "./served.js";
import { World } from "./world.js";

const WIDTH = 1100;
const [into] = process.argv.slice(2);
const folder = new Folder();
const file = folder.store("orders.db");

async function fill(world) {
  await world.store.queues.set("reports", { concurrency: 1 });
  await world.store.queues.set("mail", { concurrency: 4, paused: true });
  world.work();
  const reports = world.workOn("reports");
  for (let n = 0; n < 2; n++) await world.submit("report", {}, { queue: "reports" });
  for (let n = 0; n < 3; n++) await world.submit("mail", {}, { queue: "mail" });
  for (let order = 9000; order < 9007; order++) await world.submit("settle", { order });
  for (let n = 0; n < 3; n++) await world.submit("import", {});
  const book = await world.submit("book", { pages: 40 });
  const budget = { tokens: 5000 };
  await world.submit("agent", { spends: [1200, 800, 900, 1500, 3000] }, { budget });
  const slow = await world.submit("invoice", { order: 4711, pace: 90 });
  const failing = await world.submit("transfer", { pace: 250 }, { backoffInitialMs: 700 });
  await world.until(book, "completed");
  await world.until(failing, "completed");
  await world.untilSignal(slow);
  return { reports, slow };
}

async function settled(page) {
  await page.until(`document.querySelector("h1") && !document.querySelector(".loading")`);
  await page.until(`document.querySelector(".l-live")`);
}

async function take(page, origin, path, name, height, scheme) {
  await page.size(WIDTH, height, 2);
  await page.scheme(scheme);
  await page.open(origin + path);
  await settled(page);
  writeFileSync(join(into, `${name}-${scheme}.png`), await page.picture());
}

// Of a first look with nothing kept: when something was painted, what was asked for, how much came.
async function measure(page, origin) {
  await page.send("Network.clearBrowserCache");
  await page.open(`${origin}/`);
  await settled(page);
  const told = await page.value(`JSON.stringify({
    paint: performance.getEntriesByType("paint").map(({ name, startTime }) => [name, Math.round(startTime)]),
    files: performance.getEntriesByType("resource").map(({ name, encodedBodySize }) => [name, encodedBodySize]),
    page: performance.getEntriesByType("navigation")[0].encodedBodySize,
  })`);
  const { paint, files, page: html } = JSON.parse(told);
  const own = files.filter(([name]) => !name.includes("/api/"));
  const bytes = own.reduce((sum, [, size]) => sum + size, html);
  const documents = files.length - own.length;
  return `${paint.map(([name, ms]) => `${name} ${ms} ms`).join(", ")}; ${own.length + 1} files of ${bytes} bytes, ${documents} documents`;
}

const world = await World.open(file);
const { slow } = await fill(world);
const served = await Served.start(SWCTL, file, "--write");
const chrome = new Chrome(CHROMIUM);
const page = await chrome.page();
mkdirSync(into, { recursive: true });
await page.open(served.address);
for (let round = 1; round <= 5; round++) console.log(await measure(page, served.origin));
for (const scheme of ["light", "dark"]) {
  await take(page, served.origin, `/runs/${slow}`, "run", 680, scheme);
  await take(page, served.origin, "/", "failures", 640, scheme);
}
await chrome.close();
await served.end();
folder.remove();
process.exit();
