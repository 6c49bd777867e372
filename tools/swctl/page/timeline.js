// The picture of a run: its attempts on one line, what lay between them hatched and named, below it
// the steps, one line each, on the same scale.
//
// Time is not drawn even: a wait of days would leave the work of seconds no room. Each stretch between
// two ends of attempts is as wide as a root of its length, so that all are seen and longer ones are
// wider; within a stretch time is even. Drawn to scale it is one stretch.

import { errorLine, hidden, html, lasting, plain, stateWord } from "./words.js";

const ROOT = 0.4;
const STRETCHES_MAX = 400;
const LEAST_SHARE = 0.012;

export const WAITS = ["sleep", "signal", "child", "any", "all"];

// What lay before, between and after the attempts: {from, to, kind, word}.
function gapsOf(run, attempts, steps, end) {
  const gaps = [];
  let from = run.created_at_ms;
  attempts.forEach((attempt, index) => {
    const before = attempts[index - 1];
    if (attempt.started_at_ms > from) {
      gaps.push(...gap(run, before, attempt, steps, from, attempt.started_at_ms));
    }
    from = Math.max(from, attempt.ended_at_ms ?? end);
  });
  if (run.finished_at_ms === null && end > from) {
    gaps.push(...gap(run, attempts.at(-1), null, steps, from, end));
  }
  return gaps;
}

function gap(run, before, next, steps, from, to) {
  const until = next === null ? (run.due_at_ms ?? to) : to;
  if (next === null && run.state === "paused")
    return [{ from, to, kind: "paused", word: "paused" }];
  if (!before) return queued(from, to, run.run_at_ms, "delayed");
  if (before.state === "failed") {
    return queued(from, to, next ? to : until, "backing off", "backoff");
  }
  if (before.state === "suspended") return suspended(run, next, steps, from, to);
  if (before.state === "lost") return [{ from, to, kind: "queued", word: "lost, not taken over" }];
  return [{ from, to, kind: "queued", word: "given back" }];
}

// First something holds it back until an instant, then it only waits for a worker.
function queued(from, to, until, word, kind = "delayed") {
  const split = Math.min(Math.max(until, from), to);
  const parts = [];
  if (split > from) parts.push({ from, to: split, kind, word });
  if (to > split) parts.push({ from: split, to, kind: "queued", word: "queued" });
  return parts;
}

function suspended(run, next, steps, from, to) {
  if (next === null) return [{ from, to, ...awaited(run, steps) }];
  const names = (kinds) =>
    steps
      .filter(
        (step) => kinds(step) && step.started_at_ms <= from && (step.ended_at_ms ?? to) >= from,
      )
      .map((step) => step.name);
  const waits = names((step) => WAITS.includes(step.kind));
  const backs = steps.filter((step) => !WAITS.includes(step.kind) && isRetried(step, from));
  if (waits.length > 0)
    return [{ from, to, kind: "waiting", word: `waits: ${waits.slice(0, 3).join(", ")}` }];
  if (backs.length > 0) {
    return [{ from, to, kind: "backoff", word: `backing off: ${backs[0].name}` }];
  }
  return [{ from, to, kind: "waiting", word: "waits" }];
}

// What a run that waits now waits for, by its own word.
function awaited(run, steps) {
  const waits = run.waiting_for ?? [];
  const backs = steps.find((step) => step.state === "backing_off");
  if (backs) return { kind: "backoff", word: `backing off: ${backs.name}` };
  const names = waits.map(
    (wait) => wait.signal ?? (wait.child ? "a child" : wait.budget && `budget ${wait.budget}`),
  );
  const sleeps = steps.filter((step) => step.kind === "sleep" && step.ended_at_ms === null);
  const all = new Set([...names, ...sleeps.map((step) => step.name)].filter(Boolean));
  const word = [...all].slice(0, 3).join(", ");
  return { kind: "waiting", word: word ? `waits: ${word}` : "waits" };
}

function isRetried(step, from) {
  return step.tries > 1 && step.started_at_ms >= from;
}

function stretchesOf(start, end, attempts, even) {
  const edges = new Set([start, end]);
  if (!even && attempts.length * 2 < STRETCHES_MAX) {
    for (const attempt of attempts) {
      edges.add(Math.max(start, attempt.started_at_ms));
      if (attempt.ended_at_ms !== null) edges.add(Math.min(end, attempt.ended_at_ms));
    }
  }
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(1).map((to, index) => ({ from: sorted[index], to }));
}

// From an instant to a percentage of the width.
function scaleOf(start, end, attempts, even) {
  const stretches = stretchesOf(start, end, attempts, even);
  const lengths = stretches.map(({ from, to }) => (to - from) ** (even ? 1 : ROOT));
  const sum = lengths.reduce((total, length) => total + length, 0) || 1;
  const widened = lengths.map((length) => Math.max(length / sum, LEAST_SHARE));
  const total = widened.reduce((all, share) => all + share, 0);
  let at = 0;
  for (const [index, stretch] of stretches.entries()) {
    stretch.x = at;
    stretch.width = (100 * widened[index]) / total;
    at += stretch.width;
  }
  const place = (ms) => {
    if (ms <= start) return 0;
    const stretch = stretches.find(({ to }) => ms <= to);
    if (!stretch) return 100;
    return stretch.x + (stretch.width * (ms - stretch.from)) / (stretch.to - stretch.from || 1);
  };
  return { place, stretches };
}

const TICK_PX = 70;

// So far apart that their labels do not touch, those at the edges that grow inwards either.
function ticksOf(scale, start) {
  const ticks = [{ x: 0, label: "0" }];
  const apart = Math.max(11, (100 * TICK_PX) / pictureWidth());
  for (const { x, width, from, to } of scale.stretches) {
    const parts = Math.max(1, Math.floor(width / (2 * apart)));
    for (let part = 1; part <= parts; part++) {
      const at = from + ((to - from) * part) / parts;
      const place = Math.min(100, x + (width * part) / parts);
      if (place - ticks.at(-1).x >= apart) ticks.push({ x: place, label: lasting(at - start) });
    }
  }
  const last = ticks.at(-1);
  if (last.x > 96 && last.x - (ticks.at(-2)?.x ?? 0) < 1.5 * apart && ticks.length > 2)
    ticks.splice(-2, 1);
  return ticks;
}

// All that is drawn, from one look at a run.
export function layOut(run, attempts, steps, now, even) {
  const start = run.created_at_ms;
  const last = attempts.at(-1)?.ended_at_ms ?? start;
  const end = Math.max(run.finished_at_ms ?? now, last, start + 1);
  const scale = scaleOf(start, end, attempts, even);
  return {
    start,
    end,
    attempts,
    place: scale.place,
    ticks: ticksOf(scale, start),
    gaps: gapsOf(run, attempts, steps, end),
  };
}

const percent = (x) => `${x.toFixed(3)}%`;

function span(layout, from, to) {
  const x = layout.place(from);
  return {
    x: percent(x),
    width: percent(Math.max(0, layout.place(to ?? layout.end) - x)),
    share: layout.place(to ?? layout.end) - x,
  };
}

// The hatchings, once for the page: a pattern for each kind of gap.
export function Hatches() {
  const kinds = { waiting: 45, backoff: -45, delayed: 90, queued: 0, paused: 90 };
  return html`<svg class="defs" width="0" height="0" aria-hidden="true">
    <defs>
      ${Object.entries(kinds).map(
        ([kind, turn]) => html`<pattern
          key=${kind}
          id=${`hatch-${kind}`}
          class=${`hatch h-${kind}`}
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform=${`rotate(${turn})`}
        >
          <rect class="ground" width="6" height="6" />
          <rect class="line" width=${kind === "queued" ? 0 : 2} height="6" />
        </pattern>`,
      )}
    </defs>
  </svg>`;
}

const LETTER_PX = 6.8;

// As the stylesheet has it.
function pictureWidth() {
  return innerWidth <= 760 ? innerWidth - 24 : 0.58 * (Math.min(innerWidth, 1240) - 40);
}

// A text where there is room for it, else as much of it as fits, or what is short for it.
function Label({ box, y, text, short, klass }) {
  const room = Math.floor((box.share * pictureWidth()) / 100 / LETTER_PX) - 1;
  const cut = short ?? `${text.slice(0, Math.max(8, room) - 1)}\u2026`;
  const fitting = [text, cut].find((one) => one.length <= room);
  if (!fitting) return null;
  return html`<svg x=${box.x} width=${box.width} overflow="hidden">
    <text class=${klass} x="5" y=${y}>${fitting}</text>
  </svg>`;
}

function Gap({ gap, layout }) {
  const box = span(layout, gap.from, gap.to);
  const text = `${plain(gap.word)}, ${lasting(gap.to - gap.from)}`;
  return html`<g>
    <title>${text}</title>
    <rect class=${`gap h-${gap.kind}`} x=${box.x} width=${box.width} y="22" height="22" fill=${`url(#hatch-${gap.kind})`} />
    <${Label} box=${box} y="37" text=${text} klass="gap-text" />
  </g>`;
}

function Attempt({ attempt, layout }) {
  const box = span(layout, attempt.started_at_ms, attempt.ended_at_ms);
  const took = lasting((attempt.ended_at_ms ?? layout.end) - attempt.started_at_ms);
  const text = `#${attempt.number} ${stateWord(attempt.state)}`;
  return html`<g>
    <title>${`attempt ${text}, ${took}${attempt.worker ? `, worker ${plain(attempt.worker)}` : ""}`}</title>
    <rect class=${`attempt b-${attempt.state}`} x=${box.x} width=${box.width} y="20" height="26" rx="2" />
    <rect class=${`mark b-${attempt.state}`} x=${box.x} width="3" y="20" height="26" />
    <${Label} box=${box} y="37" text=${text} short=${`#${attempt.number}`} klass="bar-text" />
  </g>`;
}

function Marks({ at, layout, klass, y }) {
  const seen = new Set();
  return at
    .filter(({ ms }) => {
      const x = layout.place(ms).toFixed(1);
      return !seen.has(x) && seen.add(x);
    })
    .map(
      ({
        ms,
        text,
      }) => html`<svg key=${`${ms} ${text}`} x=${percent(layout.place(ms))} overflow="visible">
        <path class=${klass} d=${`M0 ${y - 5} l5 5 l-5 5 l-5 -5 z`}><title>${text}</title></path>
      </svg>`,
    );
}

// In words what the picture shows, for who does not see it.
export function summary(run, layout) {
  const byState = new Map();
  for (const { state } of layout.attempts) byState.set(state, (byState.get(state) ?? 0) + 1);
  const attempts = [...byState].map(([state, count]) => `${count} ${stateWord(state)}`).join(", ");
  const gaps = layout.gaps
    .slice(0, 20)
    .map((gap) => `${gap.word} ${lasting(gap.to - gap.from)}`)
    .join("; ");
  return `Timeline of ${lasting(layout.end - layout.start)}. Attempts: ${attempts || "none"}. ${gaps}. The run is ${run.state}.`;
}

// The axis, the line of attempts, and what was said to the run and by it.
export function Picture({ run, layout, signals, events }) {
  const said = signals.map((signal) => ({
    ms: signal.sent_at_ms,
    text: `signal ${plain(signal.name)}`,
  }));
  const told = events.map((event) => ({ ms: event.at_ms, text: `event ${plain(event.type)}` }));
  const height = said.length + told.length > 0 ? 66 : 50;
  return html`<svg class="picture" role="img" aria-label=${summary(run, layout)} width="100%" height=${height}>
    ${layout.ticks.map(
      ({ x, label }) => html`<g key=${label + x}>
        <line class="tick" x1=${percent(x)} x2=${percent(x)} y1="14" y2=${height} />
        <text class="tick-text" x=${percent(x)} y="10" text-anchor=${x < 4 ? "start" : x > 96 ? "end" : "middle"}>
          ${label}
        </text>
      </g>`,
    )}
    ${layout.gaps.map((gap) => html`<${Gap} key=${`${gap.from} ${gap.kind}`} gap=${gap} layout=${layout} />`)}
    ${layout.attempts.map((attempt) => html`<${Attempt} key=${attempt.number} attempt=${attempt} layout=${layout} />`)}
    <${Marks} at=${told} layout=${layout} klass="event-mark" y=${56} />
    <${Marks} at=${said} layout=${layout} klass="signal-mark" y=${56} />
  </svg>`;
}

// Of tries before the newest their number alone is stored: they lay after the step before. A try that
// failed and backs off parks its attempt, so where as many attempts ended there, they tell the tries.
function EarlierTries({ step, before, layout }) {
  const from = before?.ended_at_ms ?? before?.started_at_ms ?? layout.start;
  if (step.tries < 2 || from >= step.started_at_ms) return null;
  const ended = layout.attempts.filter(
    ({ ended_at_ms: at }) => at !== null && at > from && at <= step.started_at_ms,
  );
  const tries = ended.length === step.tries - 1 ? ended : [];
  const box = span(layout, tries[0]?.ended_at_ms ?? from, step.started_at_ms);
  return html`<g>
    <title>${`${step.tries - 1} tries before, with their backoffs`}</title>
    <rect class="gap h-backoff" x=${box.x} width=${box.width} y="6" height="8" fill="url(#hatch-backoff)" />
    ${tries.map((attempt, index) => {
      const began = Math.max(from, attempt.started_at_ms);
      const bar = span(layout, began, attempt.ended_at_ms);
      return html`<rect key=${attempt.number} class="step b-failed" x=${bar.x} width=${bar.width} y="3" height="14" rx="1">
        <title>${`try ${index + 1}, in attempt ${attempt.number}: failed, about ${lasting(attempt.ended_at_ms - began)}`}</title>
      </rect>`;
    })}
  </g>`;
}

function backsOffUntil(step, run, layout) {
  if (step.state !== "backing_off") return null;
  const until = (run.waiting_for ?? []).find((wait) => wait.until_ms)?.until_ms;
  return Math.min(until ?? layout.end, layout.end);
}

// One step on the picture's scale.
export function StepBar({ step, before, run, layout }) {
  const isWait = WAITS.includes(step.kind);
  const isOpen = step.ended_at_ms === null;
  const box = span(layout, step.started_at_ms, step.ended_at_ms);
  const until = backsOffUntil(step, run, layout);
  const after = until && span(layout, step.ended_at_ms, until);
  const text = `${plain(step.name)}: ${stateWord(step.state)}, ${lasting((step.ended_at_ms ?? layout.end) - step.started_at_ms)}${isOpen ? " so far" : ""}`;
  return html`<svg class="step-bar" width="100%" height="20" role="img" aria-label=${text}>
    <title>${text}</title>
    ${layout.attempts.slice(0, 200).map((attempt) => {
      const band = span(layout, attempt.started_at_ms, attempt.ended_at_ms);
      return html`<rect key=${attempt.number} class="band" x=${band.x} width=${band.width} height="20" />`;
    })}
    <${EarlierTries} step=${step} before=${before} layout=${layout} />
    ${
      isWait
        ? html`<rect class="gap h-waiting" x=${box.x} width=${box.width} y="6" height="8" fill="url(#hatch-waiting)" />`
        : html`<rect class=${`step b-${step.state}`} x=${box.x} width=${box.width} y="3" height="14" rx="1" />`
    }
    ${after ? html`<rect class="gap h-backoff" x=${after.x} width=${after.width} y="6" height="8" fill="url(#hatch-backoff)" />` : null}
    <rect class=${`mark b-${step.state}`} x=${box.x} width="3" y="3" height="14" />
  </svg>`;
}

const COLUMNS = 500;

// All steps on one line, however many: what a five-hundredth of the width holds is drawn once.
export function Density({ steps, layout }) {
  const columns = new Map();
  for (const step of steps) {
    if (WAITS.includes(step.kind)) continue;
    const from = Math.floor((layout.place(step.started_at_ms) * COLUMNS) / 100);
    const to = Math.floor((layout.place(step.ended_at_ms ?? layout.end) * COLUMNS) / 100);
    for (let column = from; column <= to; column++) {
      if (columns.get(column) !== "failed") columns.set(column, step.state);
    }
  }
  return html`<svg class="density" width="100%" height="14" aria-hidden="true">
    ${[...columns].map(
      ([column, state]) => html`<rect
        key=${column}
        class=${`step b-${state}`}
        x=${percent((column * 100) / COLUMNS)}
        width=${percent(100 / COLUMNS)}
        height="14"
      />`,
    )}
  </svg>`;
}

export function lastWords(step) {
  if (step.error === null || (hidden(step.error) && !step.error.message)) return null;
  return plain(errorLine(step.error)).slice(0, 160);
}
