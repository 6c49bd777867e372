// Runs by a filter that stands in the address, newest first, a page at a time.

import { askForFilter, askForRuns, takes } from "./acts.js";
import { now, useDocument } from "./live.js";
import { Setup } from "./payload.js";
import { useContext, useEffect, useMemo, useState } from "./vendor/hooks.js";
import {
  errorLine,
  html,
  Lasting,
  Missing,
  Name,
  Nothing,
  OPEN,
  plain,
  plural,
  RunLink,
  STATES,
  State,
  stateWord,
  Time,
} from "./words.js";

const PAGE = 100;
const TEXTS = [
  "workflow",
  "queue",
  "error_contains",
  "worker",
  "code_version",
  "root_run_id",
  "parent_run_id",
];
const SINCE = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };

// The filter of sw_run_list that an address means. A value of metadata is JSON where it can be read
// as that, else a string.
export function filterOf(query) {
  const filter = { include: ["error", "waiting_for"] };
  const states = query.getAll("state").filter((state) => STATES.includes(state));
  if (states.length > 0) filter.state = states;
  for (const name of TEXTS) {
    if (query.get(name)) filter[name] = query.get(name);
  }
  if (query.get("roots_only")) filter.roots_only = true;
  if (query.get("order") === "oldest") filter.order = "oldest";
  const since = SINCE[query.get("since")];
  if (since) filter.created_from_ms = Math.floor(now()) - since;
  const metadata = metadataOf(query.get("metadata") ?? "");
  if (metadata) filter.metadata = metadata;
  return filter;
}

function metadataOf(text) {
  const pairs = text
    .split(/\s+/)
    .map((pair) => pair.match(/^([^=]+)=(.*)$/))
    .filter(Boolean)
    .map(([, key, value]) => [key, scalar(value)]);
  return pairs.length > 0 ? Object.fromEntries(pairs) : null;
}

function scalar(text) {
  if (/^-?\d+$/.test(text)) return JSON.rawJSON(BigInt(text).toString());
  if (text === "true" || text === "false" || text === "null") return JSON.parse(text);
  return text;
}

function go(query) {
  const text = query.toString();
  const path = text ? `/runs?${text}` : "/runs";
  if (path === location.pathname + location.search) return;
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

function asked(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value) query.append(name, value);
  }
  return query;
}

function TextField({ name, label, query, hint, list }) {
  return html`<label class="filter">
    <span>${label}</span>
    <input name=${name} value=${query.get(name) ?? ""} placeholder=${hint} list=${list} autocomplete="off" spellcheck="false" />
  </label>`;
}

function StateBoxes({ query }) {
  const chosen = query.getAll("state");
  return html`<fieldset class="states">
    <legend>State</legend>
    ${STATES.map(
      (state) => html`<label key=${state} class=${`chip s-${state}`}>
        <input type="checkbox" name="state" value=${state} checked=${chosen.includes(state)} />
        ${stateWord(state)}
      </label>`,
    )}
  </fieldset>`;
}

function Queues() {
  const { value } = useDocument("/api/queues");
  return html`<datalist id="queues">
    ${value?.map((queue) => html`<option key=${queue.queue} value=${queue.queue} />`)}
  </datalist>`;
}

function Filters({ query }) {
  const { redact } = useContext(Setup);
  const more = ["worker", "code_version", "root_run_id", "parent_run_id"];
  const submit = (event) => {
    event.preventDefault();
    go(asked(event.currentTarget));
  };
  return html`<form class="filters" role="search" aria-label="Filter runs" onSubmit=${submit} onChange=${submit}>
    <${StateBoxes} query=${query} />
    <div class="fields">
      <${TextField} name="workflow" label="Workflow" query=${query} />
      <${TextField} name="queue" label="Queue" query=${query} list="queues" />
      <${Queues} />
      ${
        redact
          ? null
          : html`<${TextField} name="error_contains" label="Error contains" query=${query} />
              <${TextField} name="metadata" label="Metadata" query=${query} hint="tenant=acme" />`
      }
      <label class="filter">
        <span>Submitted</span>
        <select name="since" value=${query.get("since") ?? ""}>
          <option value="">at any time</option>
          <option value="1h">in the last hour</option>
          <option value="24h">in the last day</option>
          <option value="7d">in the last week</option>
        </select>
      </label>
      <label class="filter">
        <span>Order</span>
        <select name="order" value=${query.get("order") ?? ""}>
          <option value="">newest first</option>
          <option value="oldest">oldest first</option>
        </select>
      </label>
    </div>
    <details open=${more.some((name) => query.get(name)) || query.get("roots_only")}>
      <summary>More</summary>
      <div class="fields">
        <${TextField} name="worker" label="Worker" query=${query} />
        <${TextField} name="code_version" label="Code version" query=${query} />
        <${TextField} name="root_run_id" label="Root run" query=${query} hint="run_\u2026" />
        <${TextField} name="parent_run_id" label="Parent run" query=${query} hint="run_\u2026" />
        <label class="chip">
          <input type="checkbox" name="roots_only" value="1" checked=${query.get("roots_only")} />
          roots only
        </label>
      </div>
    </details>
    <p class="buttons left">
      <button class="small">Look</button>
      ${query.size > 0 ? html`<a href="/runs">Clear the filter</a>` : null}
    </p>
  </form>`;
}

function waitWords(wait) {
  if (wait.signal) return html`signal <${Name} of=${wait.signal} />`;
  if (wait.child) return html`child <${RunLink} id=${wait.child} />`;
  if (wait.budget) return html`budget <${Name} of=${wait.budget} />`;
  return html`until <${Time} at=${wait.until_ms} />`;
}

// In a line, what a run waits for or last failed with.
function Why({ run }) {
  if (run.waiting_for?.length > 0) {
    const [first, second] = run.waiting_for;
    const more = run.waiting_for.length - 2;
    return html`<span class="why"
      >${waitWords(first)}${second ? html`, ${waitWords(second)}` : null}${more > 0 ? ` and ${more} more` : null}</span
    >`;
  }
  const error = run.error ?? run.last_error;
  if (error !== null && error !== undefined) {
    return html`<span class="why"><bdi>${plain(errorLine(error)).slice(0, 160)}</bdi></span>`;
  }
  if (run.state === "pending" && run.due_at_ms)
    return html`<span class="why">due <${Time} at=${run.due_at_ms} /></span>`;
  return null;
}

function Row({ run, chosen, choose }) {
  const asked = run.cancel_asked ? "told to end" : run.pause_asked ? "told to pause" : null;
  return html`<tr>
    ${
      choose
        ? html`<td class="choice">
            <input type="checkbox" aria-label=${`choose ${run.run_id}`} checked=${chosen} onChange=${choose} />
          </td>`
        : null
    }
    <td><${State} of=${run.state} more=${asked} /></td>
    <td class="wide"><${Name} of=${run.workflow} /><${Why} run=${run} /></td>
    <td><${RunLink} id=${run.run_id} /></td>
    <td data-label="queue"><${Name} of=${run.queue} /></td>
    <td class="number" data-label="tries">${run.tries} of ${run.max_tries}</td>
    <td data-label="submitted"><${Time} at=${run.created_at_ms} /></td>
    <td data-label="took">
      ${
        OPEN.includes(run.state)
          ? html`<span class="quiet"><${Lasting} from=${run.created_at_ms} /> so far</span>`
          : html`<${Lasting} from=${run.created_at_ms} to=${run.finished_at_ms} />`
      }
    </td>
  </tr>`;
}

const ACTIONS = ["retry", "cancel", "pause", "resume"];

function Bulk({ runs, chosen, filter }) {
  const meant = runs.filter((run) => chosen.has(run.run_id));
  return html`<div class="bulk" role="group" aria-label="Act on runs">
    <span>${meant.length > 0 ? `${plural(meant.length, "run")} chosen:` : "All that the filter means:"}</span>
    ${ACTIONS.map((action) => {
      const able = meant.filter((run) => takes(action, run));
      const act = () =>
        meant.length > 0 ? askForRuns(action, able) : askForFilter(action, filter);
      return html`<button key=${action} class="small" disabled=${meant.length > 0 && able.length === 0} onClick=${act}>
        ${action}${meant.length > 0 && able.length > 0 ? ` ${able.length}` : ""}
      </button>`;
    })}
  </div>`;
}

function Table({ runs, chosen, setChosen }) {
  const { write } = useContext(Setup);
  const choose = (id) => () => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const all = runs.every((run) => chosen.has(run.run_id));
  const chooseAll = () => setChosen(all ? new Set() : new Set(runs.map((run) => run.run_id)));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs">
    <table class="runs cards">
      <thead>
        <tr>
          ${
            write
              ? html`<th class="choice">
                  <input type="checkbox" aria-label="choose all on this page" checked=${all} onChange=${chooseAll} />
                </th>`
              : null
          }
          <th>State</th>
          <th>Workflow</th>
          <th>Run</th>
          <th>Queue</th>
          <th class="number">Tries</th>
          <th>Submitted</th>
          <th>Took</th>
        </tr>
      </thead>
      <tbody>
        ${runs.map(
          (run) => html`<${Row}
            key=${run.run_id}
            run=${run}
            chosen=${chosen.has(run.run_id)}
            choose=${write ? choose(run.run_id) : null}
          />`,
        )}
      </tbody>
    </table>
  </div>`;
}

function older(query, cursor) {
  const next = new URLSearchParams(query);
  next.set("cursor", cursor);
  return `/runs?${next}`;
}

function Listed({ query, filter }) {
  const { write } = useContext(Setup);
  const [chosen, setChosen] = useState(new Set());
  const asked = new URLSearchParams({ filter: JSON.stringify(filter), limit: PAGE });
  if (query.get("cursor")) asked.set("cursor", query.get("cursor"));
  const { value, error } = useDocument(`/api/runs?${asked}`);
  useEffect(() => setChosen(new Set()), [query.toString()]);
  if (!value) return html`<${Missing} error=${error} what="runs" />`;
  if (value.items.length === 0 && !value.next) {
    return html`<${Nothing}>${query.size > 0 ? "No run is as the filter says." : "No run was submitted yet."}<//>`;
  }
  return html`${error ? html`<p class="fault" role="alert">${plain(error.message)}</p>` : null}
    ${write ? html`<${Bulk} runs=${value.items} chosen=${chosen} filter=${filter} />` : null}
    <${Table} runs=${value.items} chosen=${chosen} setChosen=${setChosen} />
    <nav class="pages" aria-label="Pages">
      ${query.get("cursor") ? html`<a href="#" onClick=${goBack}>Back</a>` : null}
      ${value.next ? html`<a href=${older(query, value.next)}>Next ${PAGE}</a>` : null}
    </nav>`;
}

function goBack(event) {
  event.preventDefault();
  history.back();
}

export function Runs({ query }) {
  // Made anew when the address changes alone: what is being typed outlives what changes in the store.
  const form = useMemo(() => html`<${Filters} query=${query} />`, [query.toString()]);
  const filter = useMemo(() => filterOf(query), [query.toString()]);
  return html`<h1>Runs</h1>
    ${form}
    <${Listed} query=${query} filter=${filter} />`;
}
