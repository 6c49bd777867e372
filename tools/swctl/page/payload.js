// A payload of the host: shown where it is small, fetched when it is asked for where it is not, and
// never more of it than a page can bear. Whatever it holds is text here.

import { fetchText, parse } from "./live.js";
import { useContext, useState } from "./vendor/hooks.js";
import { createContext } from "./vendor/preact.js";
import { bytes, hidden, html, plain } from "./words.js";

const FIRST_BYTES = 65536;

// What the server said of itself: whether it lets write, whether it hides payloads.
export const Setup = createContext({ write: false, redact: false });

function pretty(text) {
  try {
    return JSON.stringify(parse(text), null, 2);
  } catch {
    return text;
  }
}

function Shown({ text }) {
  return html`<pre class="payload" tabindex="0">${plain(text)}</pre>`;
}

function Fetched({ path, size }) {
  const [state, setState] = useState({});
  const fetchFirst = async () => {
    setState({ busy: true });
    try {
      const answer = await fetchText(`${path}&first=${FIRST_BYTES}`);
      setState({ text: answer.text, isWhole: answer.length <= FIRST_BYTES, length: answer.length });
    } catch (error) {
      setState({ error });
    }
  };
  if (state.error) return html`<p class="fault" role="alert">${plain(state.error.message)}</p>`;
  if (state.text === undefined) {
    return html`<button class="small" onClick=${fetchFirst} disabled=${state.busy}>
      Show ${bytes(size)}
    </button>`;
  }
  return html`<${Shown} text=${state.isWhole ? pretty(state.text) : state.text} />
    ${
      state.isWhole
        ? null
        : html`<p class="quiet">The first ${bytes(FIRST_BYTES)} of ${bytes(state.length)}.</p>`
    }
    <p><a href=${path} target="_blank" rel="noopener">Open it raw</a></p>`;
}

export function Payload({ value, path, inLine = false }) {
  const { redact } = useContext(Setup);
  const absent = hidden(value);
  if (value === null || value === undefined) return html`<span class="quiet">none</span>`;
  if (absent && redact) return html`<span class="quiet">${bytes(absent.bytes)}, hidden</span>`;
  if (absent) return html`<${Fetched} path=${path} size=${absent.bytes} />`;
  if (inLine) return html`<code class="in-line"><bdi>${plain(JSON.stringify(value))}</bdi></code>`;
  return html`<${Shown} text=${JSON.stringify(value, null, 2)} />`;
}

// Where the payloads of a run are: of the run itself, or of what its history holds.
export function runPayload(runId, part) {
  return `/api/runs/${encodeURIComponent(runId)}/payload?${new URLSearchParams({ part })}`;
}

export function historyPayload(runId, of, id, part, page) {
  const query = {
    of,
    id,
    part,
    limit: page.limit,
    ...(page.cursor ? { cursor: page.cursor } : {}),
  };
  return `/api/runs/${encodeURIComponent(runId)}/payload?${new URLSearchParams(query)}`;
}
