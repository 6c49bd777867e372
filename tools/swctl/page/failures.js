// What is wrong now, first: runs that failed, by what they failed with; limits that are reached;
// owners that are dead; runs that wait for somebody.

import { askForRuns, askForSignal } from "./acts.js";
import { fetchPages, useDocument, useLoaded } from "./live.js";
import { Setup } from "./payload.js";
import { useContext } from "./vendor/hooks.js";
import {
  errorLine,
  hidden,
  html,
  Missing,
  Name,
  Nothing,
  plain,
  plural,
  RunLink,
  Time,
} from "./words.js";

const PAGE = 250;
// As many runs as one act may name.
const PAGES_MAX = 4;

function listPath(filter, limit, cursor) {
  const query = new URLSearchParams({ filter: JSON.stringify(filter), limit });
  if (cursor) query.set("cursor", cursor);
  return `/api/runs?${query}`;
}

// The newest failed runs with their errors, some pages of them.
function fetchFailed(before) {
  const pathOf = (cursor) => listPath({ state: "failed", include: ["error"] }, PAGE, cursor);
  return fetchPages(pathOf, PAGES_MAX, before, (pages) => ({
    runs: pages.flatMap(({ said }) => said.items),
  }));
}

// Errors of one kind differ in numbers, ids and quoted names alone.
function kindOf(run) {
  const error = run.error;
  if (hidden(error) && error.message === undefined) return "hidden";
  return errorLine(error)
    .replace(/[a-z]+_[0-9a-hjkmnp-tv-z]{26}/g, "\u2026")
    .replace(/(["'`]).*?\1/g, "\u2026")
    .replace(/0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+/gi, "#");
}

function grouped(runs) {
  const groups = new Map();
  for (const run of runs) {
    const key = JSON.stringify([run.workflow, kindOf(run)]);
    const group = groups.get(key);
    if (group) group.runs.push(run);
    else groups.set(key, { key, workflow: run.workflow, runs: [run], newest: 0 });
  }
  for (const group of groups.values()) {
    group.newest = Math.max(...group.runs.map((run) => run.finished_at_ms));
  }
  return [...groups.values()].sort((a, b) => b.runs.length - a.runs.length || b.newest - a.newest);
}

const RUNS_SHOWN = 12;

function Group({ group }) {
  const { write } = useContext(Setup);
  const { runs } = group;
  const engine = typeof runs[0].error?.$smolwf === "string" && !hidden(runs[0].error);
  return html`<li class="group">
    <p class="group-head">
      <strong class="count">${runs.length}</strong>
      <span class="error-line"
        ><bdi>${plain(errorLine(runs[0].error)).slice(0, 300)}</bdi>${
          engine ? html` <small class="tag">by the engine: ${runs[0].error.$smolwf}</small>` : null
        }</span
      >
      ${
        write
          ? html`<button class="small" onClick=${() => askForRuns("retry", runs)}>
              Retry${runs.length > 1 ? ` all ${runs.length}` : ""}
            </button>`
          : null
      }
    </p>
    <p class="quiet group-foot">
      <${Name} of=${group.workflow} />, newest <${Time} at=${group.newest} />
    </p>
    <details>
      <summary>${plural(runs.length, "run")}</summary>
      <ul class="ids">
        ${runs.slice(0, RUNS_SHOWN).map(
          (run) => html`<li key=${run.run_id}>
            <${RunLink} id=${run.run_id} /> <${Time} at=${run.finished_at_ms} />
          </li>`,
        )}
      </ul>
      <a href=${`/runs?${new URLSearchParams({ state: "failed", workflow: group.workflow })}`}>
        All failed runs of this workflow
      </a>
    </details>
  </li>`;
}

function Failed() {
  const { value, error } = useLoaded("failed", fetchFailed);
  if (!value) return html`<${Missing} error=${error} what="failed runs" />`;
  if (value.runs.length === 0) return html`<${Nothing}>No run has failed.<//>`;
  const groups = grouped(value.runs);
  const workflows = new Set(value.runs.map((run) => run.workflow)).size;
  return html`<p class="quiet">
      ${plural(value.runs.length, "failed run")}${value.isCut ? ", the newest," : ""} of
      ${" "}${plural(workflows, "workflow")}, by what they failed with
    </p>
    <ul class="groups">
      ${groups.map((group) => html`<${Group} key=${group.key} group=${group} />`)}
    </ul>`;
}

function Waiting() {
  const { write } = useContext(Setup);
  const filter = { state: "waiting", include: ["waiting_for"], order: "oldest" };
  const { value, error } = useDocument(listPath(filter, 100));
  if (!value) return html`<${Missing} error=${error} what="waiting runs" />`;
  const asked = value.items.flatMap((run) =>
    (run.waiting_for ?? [])
      .filter((wait) => wait.signal)
      .map((wait) => ({ run, name: wait.signal })),
  );
  if (asked.length === 0) return html`<${Nothing}>No run waits for a signal.<//>`;
  return html`<ul class="rows">
    ${asked.map(
      ({ run, name }) => html`<li key=${`${run.run_id} ${name}`}>
        <span><${Name} of=${run.workflow} /> <${RunLink} id=${run.run_id} /></span>
        <span>waits for <strong><${Name} of=${name} /></strong></span>
        <span class="quiet">since <${Time} at=${run.updated_at_ms} /></span>
        ${
          write
            ? html`<button class="small" onClick=${() => askForSignal(run, name)}>
                Send<span class="unseen"> ${plain(name)} to ${run.run_id}</span>
              </button>`
            : null
        }
      </li>`,
    )}
  </ul>`;
}

function Held({ stats }) {
  const dead = stats.owners.filter((owner) => owner.alive === false && owner.running > 0);
  const paused = stats.queues.filter((queue) => queue.paused);
  if (stats.full.length + dead.length + paused.length === 0) {
    return html`<${Nothing}>No limit is reached, no queue is paused, no owner is dead.<//>`;
  }
  return html`<ul class="rows">
    ${stats.full.map(
      (full) => html`<li key=${`full ${full.queue} ${full.concurrency_key}`}>
        <span>Queue <${Name} of=${full.queue} />${
          full.concurrency_key === null ? null : html`, key <${Name} of=${full.concurrency_key} />`
        }</span>
        <span>is full: ${full.running} of ${full.limit}</span>
        <span>${full.run_ids.slice(0, 3).map((id) => html`<${RunLink} key=${id} id=${id} /> `)}</span>
      </li>`,
    )}
    ${paused.map(
      (queue) => html`<li key=${`paused ${queue.queue}`}>
        <span>Queue <${Name} of=${queue.queue} /></span><span>is paused</span>
      </li>`,
    )}
    ${dead.map(
      (owner) => html`<li key=${owner.owner_id}>
        <span>Owner <code>${owner.owner_id}</code>, process ${owner.pid}</span>
        <span>is dead and holds ${plural(owner.running, "run")}; the next claim takes them back</span>
      </li>`,
    )}
  </ul>`;
}

export function Failures({ stats }) {
  return html`<h1>Failures</h1>
    <section><${Failed} /></section>
    <section>
      <h2>Waits for somebody</h2>
      <${Waiting} />
    </section>
    <section>
      <h2>Holds runs back</h2>
      ${stats.value ? html`<${Held} stats=${stats.value} />` : html`<${Missing} error=${stats.error} what="the store" />`}
    </section>`;
}
