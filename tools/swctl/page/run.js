// One run: where it stands and why, its picture, its steps, what was said to it, its tree, its budget.

import { askForFork, askForRuns, askForSignal, takes } from "./acts.js";
import { fetchPages, useDocument, useLoaded, useNow } from "./live.js";
import { historyPayload, Payload, runPayload, Setup } from "./payload.js";
import { BudgetUnits } from "./store.js";
import { Density, Hatches, lastWords, layOut, Picture, StepBar } from "./timeline.js";
import { useContext, useMemo, useState } from "./vendor/hooks.js";
import {
  errorLine,
  html,
  instant,
  Lasting,
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

const PAGE = 1000;
const PAGES_MAX = 30;
const SECTIONS = ["attempts", "steps", "signals", "children", "events"];

function fetchHistory(runId, before) {
  const pathOf = (cursor) => {
    const query = new URLSearchParams({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    return `/api/runs/${encodeURIComponent(runId)}/history?${query}`;
  };
  return fetchPages(pathOf, PAGES_MAX, before, joined);
}

// Each record knows the page it came from, which is where its payloads are.
function joined(pages) {
  const history = { run: pages[0].said.run };
  for (const section of SECTIONS) {
    history[section] = pages.flatMap(({ said, cursor }) =>
      said[section].map((record, at) => ({ ...record, page: { cursor, limit: PAGE }, at })),
    );
  }
  return history;
}

function Facts({ run }) {
  const facts = [
    ["Run", html`<code class="whole">${run.run_id}</code>`],
    [
      "Queue",
      html`<a href=${`/runs?${new URLSearchParams({ queue: run.queue })}`}><${Name} of=${run.queue} /></a>`,
    ],
    ["Submitted", html`<${Time} at=${run.created_at_ms} />`],
    [
      run.finished_at_ms ? "Took" : "Since then",
      html`<${Lasting} from=${run.created_at_ms} to=${run.finished_at_ms} />`,
    ],
    ["Attempts", html`<span class="number">${run.attempts}</span>`],
    ["Tries", html`<span class="number">${run.tries} of ${run.max_tries}</span>`],
  ];
  if (run.due_at_ms !== null) facts.push(["Due", html`<${Time} at=${run.due_at_ms} />`]);
  if (run.priority !== 0)
    facts.push(["Priority", html`<span class="number">${run.priority}</span>`]);
  if (run.code_version !== null)
    facts.push(["Code version", html`<${Name} of=${run.code_version} />`]);
  if (run.parent_run_id) facts.push(["Parent", html`<${RunLink} id=${run.parent_run_id} />`]);
  if (run.parent_run_id) facts.push(["Root", html`<${RunLink} id=${run.root_run_id} />`]);
  return html`<dl class="facts">
    ${facts.map(
      ([name, what]) => html`<div key=${name}>
        <dt>${name}</dt>
        <dd>${what}</dd>
      </div>`,
    )}
  </dl>`;
}

const ACTIONS = ["retry", "pause", "resume", "cancel"];

function Actions({ run }) {
  const isOpen = run.finished_at_ms === null;
  return html`<p class="buttons left" role="group" aria-label="Act on this run">
    ${ACTIONS.filter((action) => takes(action, run)).map(
      (
        action,
      ) => html`<button key=${action} class=${action === "retry" ? "main" : ""} onClick=${() => askForRuns(action, [run])}>
        ${action[0].toUpperCase()}${action.slice(1)}
      </button>`,
    )}
    ${isOpen ? html`<button onClick=${() => askForSignal(run)}>Send a signal</button>` : null}
    <button onClick=${() => askForFork(run)}>Fork from the start</button>
  </p>`;
}

function Evidence({ evidence }) {
  const shown = Object.entries(evidence).filter(([, value]) => value !== null);
  if (shown.length === 0) return null;
  return html`<dl class="evidence">
    ${shown.map(
      ([key, value]) => html`<div key=${key}>
        <dt>${key.replace(/_ms$/, "").replaceAll("_", " ")}</dt>
        <dd>${evidenceValue(key, value)}</dd>
      </div>`,
    )}
  </dl>`;
}

function evidenceValue(key, value) {
  if (Array.isArray(value) && key === "run_ids") {
    return value.map((id) => html`<${RunLink} key=${id} id=${id} /> `);
  }
  if (typeof value === "string" && value.startsWith("run_"))
    return html`<${RunLink} id=${value} />`;
  if (key.endsWith("_ms") && typeof value === "number") return html`<${Time} at=${value} />`;
  if (typeof value === "string") return html`<${Name} of=${value} />`;
  if (JSON.isRawJSON(value) || typeof value === "number")
    return html`<span class="number">${raw(value)}</span>`;
  return html`<bdi>${plain(errorLine(value)).slice(0, 300)}</bdi>`;
}

function Why({ run }) {
  const { write } = useContext(Setup);
  const { value, error } = useDocument(`/api/runs/${run.run_id}/why`);
  if (!value) return html`<${Missing} error=${error} what="why it does not move" />`;
  return html`<ol class="reasons">
    ${value.reasons.map(
      (reason, index) => html`<li key=${reason.code + index} class=${index === 0 ? "first" : ""}>
        <p>
          <strong><bdi>${plain(reason.text)}</bdi></strong> <code>${reason.code}</code>
          ${reason.since_ms === null ? null : html` <span class="quiet">since <${Time} at=${reason.since_ms} /></span>`}
          ${
            write && reason.code === "waits_signal"
              ? html` <button class="small main" onClick=${() => askForSignal(run, reason.evidence.signal ?? reason.evidence.name)}>
                  Send it
                </button>`
              : null
          }
        </p>
        <${Evidence} evidence=${reason.evidence} />
        ${reason.hint ? html`<p class="quiet">${plain(reason.hint)}</p>` : null}
      </li>`,
    )}
  </ol>`;
}

function Ended({ run }) {
  if (run.state === "completed") {
    return html`<${Payload} value=${run.result} path=${runPayload(run.run_id, "result")} />`;
  }
  return html`<${Payload} value=${run.error} path=${runPayload(run.run_id, "error")} />`;
}

const STEPS_SHOWN = 100;

function StepDetails({ run, step, columns }) {
  const { write } = useContext(Setup);
  const path = (part) => historyPayload(run.run_id, "steps", step.step_id, part, step.page);
  return html`<tr class="details">
    <td colspan=${columns}>
      <dl class="facts">
        <div><dt>Step</dt><dd><code class="whole">${step.step_id}</code></dd></div>
        <div><dt>Newest try began</dt><dd>${instant(step.started_at_ms)}</dd></div>
        <div><dt>Ended</dt><dd>${step.ended_at_ms === null ? "not yet" : instant(step.ended_at_ms)}</dd></div>
        <div><dt>Input hash</dt><dd><code>${step.input_hash ?? "none"}</code></dd></div>
      </dl>
      ${
        step.error === null
          ? null
          : html`<h4>Error</h4><${Payload} value=${step.error} path=${path("error")} />`
      }
      <h4>Result</h4>
      <${Payload} value=${step.result} path=${path("result")} />
      ${
        write
          ? html`<p><button class="small" onClick=${() => askForFork(run, step)}>Fork from this step</button></p>`
          : null
      }
    </td>
  </tr>`;
}

function StepRow({ run, step, before, layout }) {
  const [isOpen, setOpen] = useState(false);
  const words = lastWords(step);
  return html`<tr>
      <td class="step-name">
        <button class="link" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
          <${Name} of=${step.name} />${step.occurrence > 1 ? html`<small> no. ${step.occurrence}</small>` : null}
        </button>
        ${step.kind === "step" ? null : html` <small class="quiet"><${Name} of=${step.kind.replace("_", " ")} /></small>`}
        ${words ? html`<span class="why"><bdi>${words}</bdi></span>` : null}
      </td>
      <td><${State} of=${step.state} more=${step.tries > 1 ? `try ${step.tries}` : null} /></td>
      <td class="number">${lasting((step.ended_at_ms ?? layout.end) - step.started_at_ms)}</td>
      <td class="bar"><${StepBar} step=${step} before=${before} run=${run} layout=${layout} /></td>
    </tr>
    ${isOpen ? html`<${StepDetails} run=${run} step=${step} columns=${4} />` : null}`;
}

function Steps({ history, layout }) {
  const [from, setFrom] = useState(0);
  const { steps, run } = history;
  if (steps.length === 0) return html`<${Nothing}>It has recorded no step.<//>`;
  const shown = steps.slice(from, from + STEPS_SHOWN);
  const last = from + shown.length;
  return html`${steps.length > STEPS_SHOWN ? html`<${Density} steps=${steps} layout=${layout} />` : null}
    <table class="steps">
      <thead>
        <tr>
          <th>Step</th>
          <th>State</th>
          <th class="number">Took</th>
          <th class="bar">When</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map(
          (step, index) => html`<${StepRow}
            key=${step.step_id}
            run=${run}
            step=${step}
            before=${steps[from + index - 1]}
            layout=${layout}
          />`,
        )}
      </tbody>
    </table>
    ${
      steps.length > STEPS_SHOWN
        ? html`<p class="pages">
            <button class="small" disabled=${from === 0} onClick=${() => setFrom(Math.max(0, from - STEPS_SHOWN))}>
              Earlier
            </button>
            <span role="status">Steps ${from + 1} to ${last} of ${steps.length}${history.isCut ? " and more" : ""}</span>
            <button class="small" disabled=${last >= steps.length} onClick=${() => setFrom(last)}>Later</button>
          </p>`
        : null
    }`;
}

function Timeline({ history }) {
  const [even, setEven] = useState(false);
  const now = useNow();
  const { run, attempts, steps } = history;
  const at = run.finished_at_ms ?? now;
  const layout = useMemo(() => layOut(run, attempts, steps, at, even), [history, at, even]);
  return html`<section class="timeline" aria-labelledby="timeline">
    <h2 id="timeline">Timeline</h2>
    <div class="wide-only legend" aria-hidden="true">
      ${["queued", "delayed", "waiting", "backoff"].map(
        (kind) =>
          html`<span key=${kind}><svg width="18" height="10"><rect class=${`gap h-${kind}`} width="18" height="10" fill=${`url(#hatch-${kind})`} /></svg> ${kind}</span>`,
      )}
    </div>
    <label class="even"><input type="checkbox" checked=${even} onChange=${() => setEven(!even)} /> time to scale</label>
    <${Hatches} />
    <div class="attempts"><${Picture} run=${run} layout=${layout} signals=${history.signals} events=${history.events} /></div>
    <${Steps} history=${history} layout=${layout} />
  </section>`;
}

function Said({ history }) {
  const { signals, run } = history;
  if (signals.length === 0) return null;
  return html`<section>
    <h2>Signals</h2>
    <ul class="rows">
      ${signals.map(
        (signal) => html`<li key=${`${signal.page.cursor} ${signal.at}`}>
          <${Name} of=${signal.name} /> <${Time} at=${signal.sent_at_ms} />
          <span>${signal.consumed ? "taken" : "kept, not taken yet"}</span>
          <${Payload}
            value=${signal.payload}
            path=${historyPayload(run.run_id, "signals", signal.at, "payload", signal.page)}
            inLine
          />
        </li>`,
      )}
    </ul>
  </section>`;
}

function Told({ history }) {
  const { events } = history;
  const shown = events.slice(-50);
  if (events.length === 0) return null;
  return html`<section>
    <h2>Events</h2>
    ${events.length > shown.length ? html`<p class="quiet">The newest ${shown.length} of ${events.length}.</p>` : null}
    <ul class="rows">
      ${shown.map(
        (event) => html`<li key=${event.seq}>
          <span class="number">${event.seq}</span> <${Name} of=${event.type} /> <${Time} at=${event.at_ms} />
          <${Payload} value=${event.payload} path=${`/api/events/${event.seq}/payload?part=payload`} inLine />
        </li>`,
      )}
    </ul>
  </section>`;
}

const TREE_PAGES_MAX = 2;
const CHILDREN_SHOWN = 50;

function fetchTree(rootId, before) {
  const pathOf = (cursor) => {
    const filter = JSON.stringify({ root_run_id: rootId, order: "oldest" });
    return `/api/runs?${new URLSearchParams({ filter, limit: PAGE, ...(cursor ? { cursor } : {}) })}`;
  };
  return fetchPages(pathOf, TREE_PAGES_MAX, before, (pages) => {
    const runs = pages.flatMap(({ said }) => said.items);
    return { runs, below: byParent(runs) };
  });
}

const FIRST = ["failed", "running", "waiting", "paused", "pending", "cancelled", "completed"];

// Children by their parent, those that failed first.
function byParent(runs) {
  const below = new Map();
  for (const run of runs) {
    if (!below.has(run.parent_run_id)) below.set(run.parent_run_id, []);
    below.get(run.parent_run_id).push(run);
  }
  for (const children of below.values()) {
    children.sort((a, b) => FIRST.indexOf(a.state) - FIRST.indexOf(b.state));
  }
  return below;
}

function counted(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
  return [...counts].map(
    ([state, count]) => html`<${State} key=${state} of=${state} more=${count} /> `,
  );
}

function Branch({ run, below, here, depth }) {
  const children = below.get(run.run_id) ?? [];
  const [shown, setShown] = useState(CHILDREN_SHOWN);
  const line = html`<${State} of=${run.state} /> <${Name} of=${run.workflow} />${" "}
    ${run.run_id === here ? html`<strong>this run</strong>` : html`<${RunLink} id=${run.run_id} />`}${" "}
    <span class="quiet"><${Lasting} from=${run.created_at_ms} to=${run.finished_at_ms} /></span>`;
  if (children.length === 0) return html`<li>${line}</li>`;
  return html`<li>
    <details open=${depth < 3}>
      <summary>${line} <span class="quiet">${plural(children.length, "child", "children")}</span> ${counted(children)}</summary>
      <ul>
        ${children
          .slice(0, shown)
          .map(
            (child) =>
              html`<${Branch} key=${child.run_id} run=${child} below=${below} here=${here} depth=${depth + 1} />`,
          )}
      </ul>
      ${
        children.length > shown
          ? html`<button class="small" onClick=${() => setShown(shown + 200)}>
              Show ${Math.min(200, children.length - shown)} more of ${children.length}
            </button>`
          : null
      }
    </details>
  </li>`;
}

function Tree({ run }) {
  const root = run.root_run_id;
  const { value, error } = useLoaded(`tree ${root}`, (before) => fetchTree(root, before));
  if (!value) return html`<${Missing} error=${error} what="its tree" />`;
  if (value.runs.length < 2) return html`<${Nothing}>It has no children and no parent.<//>`;
  const top = value.runs.find((other) => other.run_id === root);
  if (!top) return html`<${Nothing}>Its root is gone.<//>`;
  return html`${value.isCut ? html`<p class="quiet">The oldest ${value.runs.length} runs of the tree.</p>` : null}
    <ul class="tree"><${Branch} run=${top} below=${value.below} here=${run.run_id} depth=${0} /></ul>`;
}

function Budget({ run }) {
  const { value, error } = useDocument(`/api/runs/${run.run_id}/budget`);
  if (!value) return html`<${Missing} error=${error} what="its budget" />`;
  if (Object.keys(value.units).length === 0)
    return html`<${Nothing}>Its tree has no budget and spent nothing.<//>`;
  return html`<${BudgetUnits} budget=${value} />`;
}

function Payloads({ run }) {
  const parts = ["args", "metadata"];
  if (run.last_error !== null) parts.push("last_error");
  return html`<section>
    <h2>What it was given</h2>
    ${parts.map(
      (part) => html`<details key=${part} open=${part === "last_error"}>
        <summary>${part.replace("_", " ")}</summary>
        <${Payload} value=${run[part]} path=${runPayload(run.run_id, part)} />
      </details>`,
    )}
  </section>`;
}

function heading(run) {
  if (run.state === "running") return "Where it stands";
  if (run.finished_at_ms === null) return "Why it does not move";
  return run.state === "completed" ? "Result" : "Error";
}

export function Run({ id }) {
  const { write } = useContext(Setup);
  const { value: history, error } = useLoaded(`history ${id}`, (before) =>
    fetchHistory(id, before),
  );
  if (!history) return html`<${Missing} error=${error} what="this run" />`;
  const { run } = history;
  const asked = run.cancel_asked ? "told to end" : run.pause_asked ? "told to pause" : null;
  const isOpen = run.finished_at_ms === null;
  return html`<h1 class="run-head"><${Name} of=${run.workflow} /> <${State} of=${run.state} more=${asked} /></h1>
    ${error ? html`<p class="fault" role="alert">${plain(error.message)}</p>` : null}
    <${Facts} run=${run} />
    ${write ? html`<${Actions} run=${run} />` : null}
    <section>
      <h2>${heading(run)}</h2>
      ${isOpen ? html`<${Why} run=${run} />` : html`<${Ended} run=${run} />`}
    </section>
    <${Timeline} history=${history} />
    <${Payloads} run=${run} />
    <${Said} history=${history} />
    <${Told} history=${history} />
    <section>
      <h2>Tree</h2>
      <${Tree} run=${run} />
    </section>
    <section>
      <h2>Budget</h2>
      <${Budget} run=${run} />
    </section>`;
}
