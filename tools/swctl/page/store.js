// The store as a whole: its queues, owners, schedules and budgets, and the tail of its events.

import { askForQueue, askForRaise } from "./acts.js";
import { fetchDocument, useDocument, useLoaded } from "./live.js";
import { Payload, Setup } from "./payload.js";
import { useContext, useLayoutEffect, useRef } from "./vendor/hooks.js";
import {
  Amount,
  bytes,
  html,
  instant,
  integer,
  lasting,
  Missing,
  Name,
  Nothing,
  plain,
  plural,
  RunLink,
  raw,
  State,
  Time,
} from "./words.js";

// In a narrow window each row is a card, whose cells bear the headings themselves.
function Table({ label, heads, children }) {
  const body = useRef(null);
  useLayoutEffect(() => {
    for (const { cells } of body.current.rows) {
      for (const [at, cell] of [...cells].entries()) {
        const head = heads[at]?.replace("#", "").toLowerCase();
        if (head) cell.dataset.label = head;
      }
    }
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table class="cards">
      <thead>
        <tr>
          ${heads.map((head) => html`<th key=${head} class=${head.startsWith("#") ? "number" : ""}>${head.replace("#", "")}</th>`)}
        </tr>
      </thead>
      <tbody ref=${body}>
        ${children}
      </tbody>
    </table>
  </div>`;
}

// A count, and that it may be more where it stopped at its bound.
function Depth({ of, name, least, max }) {
  const share = max > 0 ? Math.round((100 * of) / max) : 0;
  return html`<td class="number depth">
    <span class=${of === 0 ? "quiet" : ""}>${of}${least.includes(name) ? "+" : ""}</span>
    <svg class="spark" width="100%" height="3" aria-hidden="true">
      <rect class=${`depth-${name}`} x=${`${100 - share}%`} width=${`${share}%`} height="3" />
    </svg>
  </td>`;
}

const DEPTHS = ["running", "ready", "delayed", "waiting", "blocked"];

function QueueRow({ queue, max, write }) {
  const runs = `/runs?${new URLSearchParams({ queue: queue.queue })}`;
  return html`<tr>
    <td><a href=${runs}><${Name} of=${queue.queue} /></a></td>
    <td>
      ${queue.paused ? html`<${State} of="paused" />` : html`<span class="quiet">open</span>`}
      ${queue.concurrency !== null && queue.running >= queue.concurrency ? html` <span class="tag warn">full</span>` : null}
    </td>
    ${DEPTHS.map((name) => html`<${Depth} key=${name} of=${queue[name]} name=${name} least=${queue.at_least} max=${max} />`)}
    <td class="number"><${Amount} of=${queue.concurrency} /></td>
    <td class="number"><${Amount} of=${queue.concurrency_per_key} /></td>
    <td><${Time} at=${queue.oldest_ready_at_ms} /></td>
    <td><${Time} at=${queue.last_claimed_at_ms} empty="never" /></td>
    ${
      write
        ? html`<td>
            <button class="small" onClick=${() => askForQueue(queue)}>
              ${queue.paused ? "Resume" : "Pause"}<span class="unseen"> ${plain(queue.queue)}</span>
            </button>
          </td>`
        : null
    }
  </tr>`;
}

export function Queues() {
  const { write } = useContext(Setup);
  const { value, error } = useDocument("/api/queues");
  if (!value) return html`<h1>Queues</h1><${Missing} error=${error} what="queues" />`;
  const max = Math.max(1, ...value.flatMap((queue) => DEPTHS.map((name) => queue[name])));
  const heads = [
    "Queue",
    "State",
    ...DEPTHS.map((name) => `#${name}`),
    "#limit",
    "#per key",
    "Oldest ready",
    "Last claimed",
  ];
  return html`<h1>Queues</h1>
    ${
      value.length === 0
        ? html`<${Nothing}>No queue was used yet. A submit makes one.<//>`
        : html`<${Table} label="Queues" heads=${write ? [...heads, ""] : heads}>
            ${value.map((queue) => html`<${QueueRow} key=${queue.queue} queue=${queue} max=${max} write=${write} />`)}
          <//>`
    }`;
}

function alive(owner) {
  if (owner.alive === null) return html`<span class="tag">not known</span>`;
  return owner.alive
    ? html`<span class="tag good">alive</span>`
    : html`<span class="tag bad">dead</span>`;
}

export function Owners() {
  const { value, error } = useDocument("/api/owners");
  if (!value) return html`<h1>Owners</h1><${Missing} error=${error} what="owners" />`;
  return html`<h1>Owners</h1>
    <p class="quiet">Store handles that have claimed: one for each worker process, as a rule.</p>
    ${
      value.length === 0
        ? html`<${Nothing}>Nobody claims from this store now.<//>`
        : html`<${Table} label="Owners" heads=${["Owner", "#Process", "State", "#Holds", "First claimed", "Oldest claim"]}>
            ${value.map(
              (owner) => html`<tr key=${owner.owner_id}>
                <td><code>${owner.owner_id}</code></td>
                <td class="number">${owner.pid}</td>
                <td>${alive(owner)}</td>
                <td class="number">${plural(owner.running, "run")}</td>
                <td><${Time} at=${owner.opened_at_ms} /></td>
                <td><${Time} at=${owner.oldest_lease_at_ms} /></td>
              </tr>`,
            )}
          <//>`
    }`;
}

function rule(schedule) {
  if (schedule.cron === null) return `every ${lasting(schedule.every_ms)}`;
  return html`<code>${plain(schedule.cron)}</code> <small class="quiet">${plain(schedule.timezone)}</small>`;
}

function nextFiring(schedule) {
  if (schedule.error !== null)
    return html`<span class="tag bad">cannot fire</span> <small>${plain(schedule.error)}</small>`;
  if (schedule.paused) return html`<${State} of="paused" />`;
  if (schedule.next_at_ms === null) return html`<span class="quiet">fires no more</span>`;
  return html`<${Time} at=${schedule.next_at_ms} />${" "}
    <small class="quiet">${instant(schedule.next_at_ms)}</small>`;
}

export function Schedules() {
  const { value, error } = useDocument("/api/schedules");
  if (!value) return html`<h1>Schedules</h1><${Missing} error=${error} what="schedules" />`;
  const heads = [
    "Schedule",
    "Next firing",
    "Rule",
    "Submits",
    "Overlap, catch-up",
    "Last firing",
    "#Skipped",
  ];
  return html`<h1>Schedules</h1>
    ${
      value.length === 0
        ? html`<${Nothing}>No schedule is set.<//>`
        : html`<${Table} label="Schedules" heads=${heads}>
            ${value.map(
              (schedule) => html`<tr key=${schedule.name}>
                <td><${Name} of=${schedule.name} /></td>
                <td>${nextFiring(schedule)}</td>
                <td>${rule(schedule)}</td>
                <td><${Name} of=${schedule.workflow} /> <small class="quiet">to <${Name} of=${schedule.queue} /></small></td>
                <td>${schedule.overlap}, ${schedule.catch_up}</td>
                <td>
                  <${Time} at=${schedule.last_at_ms} empty="never" />
                  ${schedule.last_run_id ? html` <${RunLink} id=${schedule.last_run_id} label="its run" />` : null}
                </td>
                <td class="number">${schedule.skipped}</td>
              </tr>`,
            )}
          <//>`
    }`;
}

// Shares of a limit in thousandths, by whole numbers: amounts may lie above 2^53.
function shares(unit) {
  const spent = integer(unit.spent);
  const used = spent + integer(unit.reserved);
  const isOver = integer(unit.remaining) < 0n;
  const whole = isOver ? used : integer(unit.limit);
  const share = (part) => (whole > 0n ? Number((1000n * part) / whole) / 10 : 0);
  return {
    spent: share(spent),
    reserved: share(used - spent),
    warn: unit.warn === null ? null : share(integer(unit.warn)),
    isOver,
  };
}

function Burning({ unit, name }) {
  if (unit.limit === null) return html`<span class="quiet">no limit, metered only</span>`;
  const { spent, reserved, warn, isOver } = shares(unit);
  const text = `${plain(name)}: ${raw(unit.spent)} spent, ${raw(unit.reserved)} reserved, ${raw(unit.remaining)} remaining of ${raw(unit.limit)}`;
  return html`<svg class="burn" width="100%" height="12" role="img" aria-label=${text}>
    <title>${text}</title>
    <rect class="room" width="100%" height="12" rx="2" />
    <rect class=${isOver ? "over" : "spent"} width=${`${spent}%`} height="12" rx="2" />
    <rect class="reserved" x=${`${spent}%`} width=${`${reserved}%`} height="12" />
    ${warn === null ? null : html`<line class="warn-line" x1=${`${warn}%`} x2=${`${warn}%`} y1="0" y2="12" />`}
  </svg>`;
}

export function BudgetUnits({ budget }) {
  const { write } = useContext(Setup);
  const heads = ["Unit", "#Limit", "#Spent", "#Reserved", "#Remaining", "Burning down"];
  return html`<${Table} label="Budget" heads=${write ? [...heads, ""] : heads}>
    ${Object.entries(budget.units).map(
      ([name, unit]) => html`<tr key=${name}>
        <td><${Name} of=${name} /></td>
        <td class="number"><${Amount} of=${unit.limit} /></td>
        <td class="number"><${Amount} of=${unit.spent} /></td>
        <td class="number"><${Amount} of=${unit.reserved} /></td>
        <td class="number"><${Amount} of=${unit.remaining} /></td>
        <td class="burning"><${Burning} unit=${unit} name=${name} /></td>
        ${
          write
            ? html`<td>
                ${
                  unit.limit === null
                    ? null
                    : html`<button class="small" onClick=${() => askForRaise(budget.root_run_id, name, unit.remaining)}>
                        Raise<span class="unseen"> ${plain(name)}</span>
                      </button>`
                }
              </td>`
            : null
        }
      </tr>`,
    )}
  <//>`;
}

export function Budgets() {
  const { value, error } = useDocument("/api/budgets");
  if (!value) return html`<h1>Budgets</h1><${Missing} error=${error} what="budgets" />`;
  return html`<h1>Budgets</h1>
    <p class="quiet">Of the trees that live, the newest ${value.looked_at}.</p>
    ${value.items.length === 0 ? html`<${Nothing}>None of them has a budget, or has spent anything.<//>` : null}
    ${value.items.map(
      ({ run, budget }) => html`<section key=${run.run_id}>
        <h2><${Name} of=${run.workflow} /> <${RunLink} id=${run.run_id} /> <${State} of=${run.state} /></h2>
        <${BudgetUnits} budget=${budget} />
      </section>`,
    )}`;
}

const TAIL = 200;

// The end of the log: what is new is asked for above what is known.
async function fetchTail(before, runId) {
  const run = runId ? `&run=${encodeURIComponent(runId)}` : "";
  const read = (after) => fetchDocument(`/api/events?limit=${TAIL}&after=${after}${run}`);
  let known = before ?? null;
  let page = await read(known ? known.last : Math.max(0, (await read(0)).last_seq - TAIL));
  const items = known ? [...known.items] : [];
  items.push(...page.items);
  while (
    page.items.length > 0 &&
    page.items.at(-1).seq < page.last_seq &&
    items.length < 10 * TAIL
  ) {
    page = await read(page.items.at(-1).seq);
    items.push(...page.items);
  }
  const last = items.at(-1)?.seq ?? page.last_seq;
  if (known && known.last === last) return null;
  known = { items: items.slice(-TAIL), last, first: page.first_seq };
  return known;
}

export function Events({ query }) {
  const runId = query.get("run");
  const { value, error } = useLoaded(`events ${runId ?? ""}`, (before) => fetchTail(before, runId));
  const heading = html`<h1>Events</h1>
    ${runId ? html`<p>Of <${RunLink} id=${runId} />. <a href="/events">Of all runs</a></p>` : null}`;
  if (!value) return html`${heading}<${Missing} error=${error} what="events" />`;
  if (value.items.length === 0) return html`${heading}<${Nothing}>Nothing was appended yet.<//>`;
  return html`${heading}
    <p class="quiet">The newest ${value.items.length}, as they come.</p>
    <${Table} label="Events" heads=${["#No.", "When", "Type", "Run", "Payload"]}>
      ${[...value.items].reverse().map(
        (event) => html`<tr key=${event.seq}>
          <td class="number">${event.seq}</td>
          <td><${Time} at=${event.at_ms} /></td>
          <td><${Name} of=${event.type} /></td>
          <td><${RunLink} id=${event.run_id} /></td>
          <td>
            <${Payload} value=${event.payload} path=${`/api/events/${event.seq}/payload?part=payload`} inLine />
          </td>
        </tr>`,
      )}
    <//>`;
}

export function File({ stats }) {
  const { file, runs, next_due_at_ms } = stats;
  const { server } = useContext(Setup);
  // Of a server the log is not known.
  const log = server ? "" : ` and a log of ${bytes(file.log_bytes)}`;
  return html`<p class="foot">
    ${plural(runs.total, "run")} so far; ${bytes(file.bytes)}${log};
    ${next_due_at_ms === null ? " nothing is due by itself" : html` next due <${Time} at=${next_due_at_ms} />`}
  </p>`;
}
