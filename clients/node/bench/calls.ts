/** What a call costs beside an empty function of JavaScript: nanoseconds, best and median of rounds. */
import { Store, version } from "../src/index.js";
import { library } from "../src/library.js";

const ROUNDS = 9;

function report(name: string, rounds: readonly number[]): void {
  const sorted = [...rounds].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (ROUNDS - 1))] ?? 0).toFixed(0);
  console.log(`${name.padEnd(44)} median ${at(0.5).padStart(7)}   [${at(0)} .. ${at(1)}]`);
}

function measure(name: string, calls: number, call: () => unknown): void {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const from = process.hrtime.bigint();
    for (let n = 0; n < calls; n += 1) call();
    return Number(process.hrtime.bigint() - from) / calls;
  });
  report(name, rounds);
}

async function measureLater(
  name: string,
  calls: number,
  call: () => Promise<unknown>,
): Promise<void> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = process.hrtime.bigint();
    for (let n = 0; n < calls; n += 1) await call();
    rounds.push(Number(process.hrtime.bigint() - from) / calls);
  }
  report(name, rounds);
}

const own = library();
const abiVersion = own.native("sw_abi_version");
const newId = own.native("sw_new_id");
const begin = own.native("sw_step_begin");
const free = own.native("sw_step_free");
const id = Buffer.alloc(own.constant("SW_ID_CAP"));

console.log(`# ${own.path}, Node ${process.version}, smolwf ${version().version}; ns a call`);
let sum = 0;
measure("an empty function", 1_000_000, () => {
  sum += 1;
});
measure("sw_abi_version, by koffi alone", 200_000, () => abiVersion());
measure("sw_new_id, by koffi alone", 100_000, () => newId("run", 3, id, id.length, null));
measure("sw_new_id, by the client", 50_000, () => own.call("sw_new_id", "run"));

await using store = await Store.openInMemory();
await store.init();
await store.runs.submit("bench");
const first = await store.runs.claim();
await first?.step("a", () => ({ answer: 42 }));
await first?.release();
const again = await store.runs.claim();
const pointer = again?.handle.enter();
const step = new BigUint64Array(1);
const options = own.layout("sw_step_options").pack(new Map([["occurrence", 1]]));
measure("sw_step_begin that replays, by koffi alone", 50_000, () => {
  const code: number = begin(pointer, "a", 1, null, 0, options, step, null);
  if (code !== own.constant("SW_REPLAYED")) throw new Error(`begin answered ${code}`);
  free(step[0]);
});
await measureLater("attempt.step that replays, off the loop", 2_000, () =>
  Promise.resolve(again?.step("a", () => 0, { occurrence: 1 })),
);
again?.handle.leave();
await again?.complete();
if (sum === 0) throw new Error("nothing was measured");
