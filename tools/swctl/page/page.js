// The page: its head, and the view that the address names. It keeps nothing but what the address says.

import { Acts } from "./acts.js";
import { Failures } from "./failures.js";
import { follow, readsExactly, useDocument } from "./live.js";
import { Setup } from "./payload.js";
import { Run } from "./run.js";
import { Runs } from "./runs.js";
import { Budgets, Events, File, Owners, Queues, Schedules } from "./store.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";
import { Component, render } from "./vendor/preact.js";
import { Fault, html, Missing, plain, STATES, stateWord } from "./words.js";

const VIEWS = [
  ["/", "Failures"],
  ["/runs", "Runs"],
  ["/queues", "Queues"],
  ["/owners", "Owners"],
  ["/schedules", "Schedules"],
  ["/budgets", "Budgets"],
  ["/events", "Events"],
];

function View({ address, stats }) {
  const { pathname, searchParams } = address;
  const run = pathname.match(/^\/runs\/([^/]+)$/);
  if (run) return html`<${Run} key=${run[1]} id=${decoded(run[1])} />`;
  switch (pathname) {
    case "/":
      return html`<${Failures} stats=${stats} />`;
    case "/runs":
      return html`<${Runs} query=${searchParams} />`;
    case "/queues":
      return html`<${Queues} />`;
    case "/owners":
      return html`<${Owners} />`;
    case "/schedules":
      return html`<${Schedules} />`;
    case "/budgets":
      return html`<${Budgets} />`;
    case "/events":
      return html`<${Events} query=${searchParams} />`;
    default:
      return html`<h1>Not there</h1><p>This page has no view of that name.</p>`;
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// What is drawn in the place of a view that breaks; another address is another try.
class Guard extends Component {
  state = {};

  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidCatch(error) {
    console.error(error);
  }

  render({ children }, { error }) {
    return error ? html`<${Fault} error=${error} what="this view" />` : children;
  }
}

// Links within the page change the address, and the view with it.
function useAddress() {
  const [href, setHref] = useState(location.href);
  useEffect(() => {
    const turn = () => setHref(location.href);
    const click = (event) => {
      const link = event.target.closest?.("a[href]");
      if (!link || link.target || link.origin !== location.origin || event.defaultPrevented) return;
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
        return;
      if (link.pathname.startsWith("/api/") || link.hash) return;
      event.preventDefault();
      history.pushState(null, "", link.href);
      scrollTo(0, 0);
      turn();
    };
    addEventListener("popstate", turn);
    document.addEventListener("click", click);
    return () => {
      removeEventListener("popstate", turn);
      document.removeEventListener("click", click);
    };
  }, []);
  return new URL(href);
}

const LIVE = { live: "live", lost: "not connected", null: "connecting" };

function Counts({ runs }) {
  return html`<ul class="counts">
    ${STATES.map((state) => {
      const bound = runs.at_least.includes(state) ? "+" : "";
      return html`<li key=${state} class=${runs[state] === 0 ? "none" : ""}>
        <a class=${`s-${state}`} href=${`/runs?state=${state}`}><strong class="number">${runs[state]}${bound}</strong> ${stateWord(state)}</a>
      </li>`;
    })}
  </ul>`;
}

// Read out when it has changed, every ten seconds at most.
function Told({ runs }) {
  const [told, setTold] = useState("");
  const latest = useRef("");
  latest.current = `${runs.failed} failed, ${runs.running} running, ${runs.waiting} waiting`;
  useEffect(() => {
    const timer = setInterval(() => setTold(latest.current), 10_000);
    return () => clearInterval(timer);
  }, []);
  return html`<p class="unseen" aria-live="polite">${told}</p>`;
}

function Head({ address, setup, stats, live }) {
  const here = address.pathname.startsWith("/runs") ? "/runs" : address.pathname;
  return html`<header>
    <a class="unseen skip" href="#view">To the view</a>
    <p class="store">
      <strong><bdi>${plain(setup.file)}</bdi></strong>
      <span class="tag">${setup.write ? "may write" : "only reads"}</span>
      ${setup.redact ? html`<span class="tag">payloads hidden</span>` : null}
      <span class=${`live l-${live}`} role="status">${LIVE[live]}</span>
    </p>
    <nav aria-label="Views">
      ${VIEWS.map(
        ([path, name]) =>
          html`<a key=${path} href=${path} aria-current=${path === here ? "page" : undefined}>${name}</a>`,
      )}
    </nav>
    ${stats.value ? html`<${Counts} runs=${stats.value.runs} /><${Told} runs=${stats.value.runs} />` : null}
  </header>`;
}

function titleOf(address, setup) {
  const view = VIEWS.find(([path]) => path === address.pathname)?.[1] ?? "Run";
  return `${view} \u2013 ${plain(setup.file)}`;
}

function Page() {
  const address = useAddress();
  const [live, setLive] = useState(null);
  const setup = useDocument("/api/page");
  const stats = useDocument("/api/stats");
  useEffect(() => follow(setLive), []);
  const known = setup.value;
  useEffect(() => {
    if (known) document.title = titleOf(address, known);
  }, [known, address.pathname]);
  if (!known) return html`<main><${Missing} error=${setup.error} what="the store" /></main>`;
  return html`<${Setup.Provider} value=${known}>
    <${Head} address=${address} setup=${known} stats=${stats} live=${live} />
    <main id="view" tabindex="-1">
      ${setup.error ? html`<p class="fault" role="alert">${plain(setup.error.message)}</p>` : null}
      <${Guard} key=${address.pathname}><${View} address=${address} stats=${stats} /><//>
    </main>
    <footer>${stats.value ? html`<${File} stats=${stats.value} />` : null}<p class="foot">smolwf ${known.version}</p></footer>
    <${Acts} />
  <//>`;
}

function TooOld() {
  return html`<main>
    <div class="fault" role="alert">
      <h1>This browser is too old</h1>
      <p>It rounds integers above 2^53, and this page would show wrong amounts. A browser of 2025 or later will do.</p>
    </div>
  </main>`;
}

render(readsExactly ? html`<${Page} />` : html`<${TooOld} />`, document.body);
