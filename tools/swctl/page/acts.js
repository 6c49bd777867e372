// What the page does to the store, each after a question: to one run, to those that were chosen, to
// all that a filter means, to a queue. Without --write nothing of this is shown, and the server
// refuses it.

import { fetchDocument, post } from "./live.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";
import { html, Name, plain, plural, raw } from "./words.js";

const listeners = { ask: null, say: null };

// Puts a question; `act` is called with what the form holds and answers a sentence.
export function ask(question) {
  listeners.ask?.(question);
}

export function say(sentence) {
  listeners.say?.(sentence);
}

function Field({ field }) {
  const id = `field-${field.name}`;
  const input =
    field.rows > 1
      ? html`<textarea id=${id} name=${field.name} rows=${field.rows} defaultValue=${field.value} spellcheck="false" />`
      : html`<input
          id=${id}
          name=${field.name}
          defaultValue=${field.value}
          required=${field.required}
          autocomplete="off"
          spellcheck="false"
        />`;
  return html`<p class="field">
    <label for=${id}>${field.label}</label>
    ${input}
    ${field.note ? html`<small>${field.note}</small>` : null}
  </p>`;
}

function Question({ question, done }) {
  const dialog = useRef(null);
  const [state, setState] = useState({ busy: false, error: null });
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    // Closed before it goes, so that the focus is where it was.
    return () => shown.close();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const said = await question.act(Object.fromEntries(new FormData(event.target)));
      done();
      if (said) say(said);
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<dialog ref=${dialog} aria-labelledby="question" onClose=${done}>
    <form onSubmit=${submit}>
      <h2 id="question">${question.title}</h2>
      <div>${question.text}</div>
      ${question.fields?.map((field) => html`<${Field} key=${field.name} field=${field} />`)}
      ${
        state.error
          ? html`<p class="fault" role="alert">
              ${plain(state.error.message)} ${state.error.code ? html`<code>${state.error.code}</code>` : null}
            </p>`
          : null
      }
      <p class="buttons">
        <button type="button" onClick=${() => dialog.current.close()}>
          ${question.only ? "Close" : "Leave it"}
        </button>
        ${
          question.only
            ? null
            : html`<button class=${question.harm ? "harm" : "main"} disabled=${state.busy}>
                ${state.busy ? "\u2026" : question.verb}
              </button>`
        }
      </p>
    </form>
  </dialog>`;
}

// Where questions stand, and what came of the last act; read out as it comes.
export function Acts() {
  const [question, setQuestion] = useState(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    listeners.ask = setQuestion;
    listeners.say = setSaid;
  }, []);
  useEffect(() => {
    const timer = said && setTimeout(() => setSaid(""), 8000);
    return () => clearTimeout(timer);
  }, [said]);
  return html`<div class="said" role="status">${said ? html`<p>${plain(said)}</p>` : null}</div>
    ${question ? html`<${Question} question=${question} done=${() => setQuestion(null)} />` : null}`;
}

const VERBS = {
  retry: ["Retry", "retried", "They are claimable at once: results replay, failures run anew."],
  cancel: [
    "Cancel",
    "cancelled",
    "Runs below them are cancelled too. There is no way back but a retry.",
  ],
  pause: ["Pause", "paused", "They are not claimed until they are resumed."],
  resume: ["Resume", "resumed", "They may be claimed again."],
};

const TAKEN_BY = {
  retry: ["failed", "cancelled"],
  cancel: ["pending", "running", "waiting", "paused"],
  pause: ["pending", "running", "waiting"],
  resume: ["paused"],
};

export function takes(action, run) {
  if (action === "resume" && run.pause_asked) return true;
  if (action === "cancel" && run.cancel_asked) return false;
  return TAKEN_BY[action].includes(run.state);
}

function cameTo(action, acted) {
  const refused = acted.refused.length;
  const left = refused ? `, ${refused} refused` : "";
  const more = acted.more ? "; there are more" : "";
  return `${plural(acted.done, "run")} ${VERBS[action][1]}${left}${more}`;
}

// A cancel's reason is a text of the one who cancels, stored as a JSON string.
function cancelFields(action) {
  if (action !== "cancel") return undefined;
  return [{ name: "reason", label: "Reason (may be empty)", value: "" }];
}

function actOn(action, chosen) {
  return async (form) => {
    const reason = form.reason ? { reason: form.reason } : {};
    return cameTo(action, await post("/api/act", { action, ...chosen, ...reason }));
  };
}

export function askForRuns(action, runs) {
  const [verb, , what] = VERBS[action];
  const count = runs.length === 1 ? "this run" : plural(runs.length, "run");
  ask({
    title: `${verb} ${count}?`,
    text: html`<p>${runs.length === 1 ? html`<${Name} of=${runs[0].workflow} />: ` : null}${what}</p>`,
    fields: cancelFields(action),
    verb: `${verb} ${count}`,
    harm: action === "cancel",
    act: actOn(action, { run_ids: runs.map((run) => run.run_id) }),
  });
}

const MOST = 1000;

// All that a filter means: counted first, by a dry run.
export async function askForFilter(action, filter) {
  const [verb, , what] = VERBS[action];
  const chosen = { filter: { ...filter, order: undefined, include: undefined }, limit: MOST };
  let found;
  try {
    const dry = { ...chosen.filter, dry_run: true };
    found = await post("/api/act", { action, filter: dry, limit: MOST });
  } catch (error) {
    say(error.message);
    return;
  }
  const meant = found.matched - found.refused.length;
  const count = `${found.more ? "the first " : ""}${plural(meant, "run")}`;
  ask({
    title: `${verb} ${count}?`,
    text: html`<p>
      ${meant ? `All that the filter means${found.more ? `, up to ${MOST}` : ""}. ${what}` : "The filter means none."}
      ${found.refused.length ? ` ${plural(found.refused.length, "run")} cannot take it.` : null}
    </p>`,
    only: meant === 0,
    verb: `${verb} ${count}`,
    harm: action === "cancel",
    act: actOn(action, chosen),
  });
}

function checkJson(text) {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error(`the payload is no JSON: ${error.message}`);
  }
}

// The payload goes as its text, so that what was typed is what arrives, to the last digit.
export function askForSignal(run, name = "") {
  const key = crypto.randomUUID();
  ask({
    title: "Send a signal?",
    text: html`<p>To <${Name} of=${run.workflow} />, <code>${run.run_id}</code>. It is taken by one await.</p>`,
    fields: [
      { name: "name", label: "Name", value: name, required: true },
      { name: "payload", label: "Payload, JSON", value: "true", rows: 4 },
    ],
    verb: "Send the signal",
    act: async (form) => {
      checkJson(form.payload);
      const body = { name: form.name, payload: form.payload, idempotency_key: key };
      await post(`/api/runs/${run.run_id}/signal`, body);
      return `signal ${form.name} sent`;
    },
  });
}

export function askForFork(run, step) {
  const from = step
    ? html`before <${Name} of=${step.name} />, occurrence ${step.occurrence}`
    : "from the start";
  ask({
    title: "Fork this run?",
    text: html`<p>
      A new run of <${Name} of=${run.workflow} /> replays what this one recorded ${from}, and goes its
      own way from there. This run is not touched.
    </p>`,
    verb: "Fork",
    act: async () => {
      const body = step ? { from_step: step.step_id } : {};
      const made = await post(`/api/runs/${run.run_id}/fork`, body);
      history.pushState(null, "", `/runs/${made.run_id}`);
      dispatchEvent(new PopStateEvent("popstate"));
      return `forked as ${made.run_id}`;
    },
  });
}

// Settings that are left out are lifted, so the limits are read anew and named again.
export function askForQueue(queue) {
  const verb = queue.paused ? "Resume" : "Pause";
  ask({
    title: `${verb} this queue?`,
    text: html`<p>
      <${Name} of=${queue.queue} />: ${queue.paused ? "runs are claimed again." : "nothing is claimed from it until it is resumed."}
    </p>`,
    verb: `${verb} the queue`,
    harm: !queue.paused,
    act: async () => {
      const queues = await fetchDocument("/api/queues");
      const current = queues.find((other) => other.queue === queue.queue) ?? queue;
      const settings = {
        concurrency: current.concurrency,
        concurrency_per_key: current.concurrency_per_key,
        paused: !queue.paused,
      };
      await post("/api/queue", { queue: queue.queue, settings });
      return `queue ${queue.queue} ${queue.paused ? "resumed" : "paused"}`;
    },
  });
}

export function askForRaise(runId, unit, remaining) {
  ask({
    title: "Raise this budget?",
    text: html`<p>Unit <${Name} of=${unit} />, ${raw(remaining)} remaining. Runs that fit wake at once.</p>`,
    fields: [{ name: "delta", label: "By how much (an integer)", value: "", required: true }],
    verb: "Raise the limit",
    act: async (form) => {
      if (!/^-?\d{1,19}$/.test(form.delta.trim())) throw new Error("an integer is wanted");
      const delta = JSON.rawJSON(BigInt(form.delta.trim()).toString());
      await post(`/api/runs/${runId}/raise`, { unit, delta });
      return `the limit of ${unit} is raised by ${form.delta}`;
    },
  });
}
