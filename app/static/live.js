// The one clock of a page: asks the server once a second what there is, and tells who listens.
// Everything shown comes from disk, so a reload, a second tab or a restarted server change nothing.

const listeners = new Set();
const wishes = {};            // what to ask besides the state: run, since, task
let busy = false;
let last = null;

/** Call `listener(state)` after every look, and at once if there has been one. */
export function onLive(listener) {
  listeners.add(listener);
  if (last) listener(last);
  start();
  return () => listeners.delete(listener);
}

/** Ask for a run's curves from point `since` on, or for a task, with every look. */
export function wish(name, value) {
  if (value === null || value === undefined || value === '') delete wishes[name];
  else wishes[name] = value;
}

/** Look now rather than at the next second. */
export async function look() {
  if (busy) return;
  busy = true;
  try {
    last = await api('/api/live?' + new URLSearchParams(wishes));
    connected(true);
    for (const listener of [...listeners]) listener(last);
  } catch (error) {
    if (error.facts) wish('run', null), wish('task', null);   // it was deleted elsewhere
    else connected(false);
    for (const listener of [...listeners]) if (error.facts && last) listener({...last, error: error.facts});
  } finally {
    busy = false;
  }
}

let timer = null;
function start() {
  if (timer) return;
  timer = setInterval(() => { if (!document.hidden) look(); }, 1000);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
  look();
}

function connected(yes) {
  const line = document.getElementById('lost');
  if (!line) return;
  line.hidden = yes;
  line.textContent = yes ? '' : 'No connection to Bedside. Trainings go on; this page looks again every second.';
}

/** Fetch JSON of our own server. A refusal is thrown as an Error with `facts` {code, what, item, todo}. */
export async function api(path, body, method) {
  const options = {method: method ?? (body === undefined ? 'GET' : 'POST'), credentials: 'same-origin'};
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = {'content-type': 'application/json'};
  }
  const answer = await fetch(path, options);
  if (answer.status === 204) return {};
  const kind = answer.headers.get('content-type') ?? '';
  const content = kind.includes('json') ? await answer.json() : {};
  if (!answer.ok) {
    const error = new Error(content.error?.what ?? `HTTP ${answer.status}`);
    error.facts = content.error ?? {code: `E${answer.status}`, what: 'The request was refused.', item: '', todo: 'Reload the page.'};
    throw error;
  }
  return content;
}

/** Build an element. Text goes in as text, never as markup. el('a', {href}, 'words', child) */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An error as it stays on the page: what happened, to which item, what to do, code. */
export function problem(facts, again) {
  return el('div', {class: 'problem', role: 'alert'},
    el('b', {}, facts.what), facts.item ? el('span', {class: 'item'}, ` ${facts.item}`) : null,
    el('p', {}, facts.todo, ' ', el('code', {}, facts.code)),
    again ? el('button', {type: 'button', class: 'small', onclick: again}, 'Try again') : null);
}

/** A progress bar with words: what, how far, time left. Update it with `.set(facts)`. */
export function progressBar(label) {
  const fill = el('div', {class: 'fill'});
  const bar = el('div', {class: 'bar', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100}, fill);
  const left = el('span', {}), right = el('span', {});
  const node = el('div', {class: 'progress'}, bar, el('div', {class: 'progress-words'}, left, right));
  node.set = ({text, done, total, eta_s, live = true}) => {
    const share = total ? Math.min(1, done / total) : 0;
    const percent = live && share >= 1 ? 99 : Math.floor(share * 100);   // 100 only when it is over
    bar.classList.toggle('waiting', live && !total);
    fill.style.width = total ? `${live ? percent : 100 * share}%` : '';
    if (total) bar.setAttribute('aria-valuenow', String(percent)); else bar.removeAttribute('aria-valuenow');
    left.textContent = total ? `${text} (${count(done)} of ${count(total)})` : text;
    right.textContent = live && eta_s !== null && eta_s !== undefined ? `about ${duration(eta_s)} left` : '';
  };
  return node;
}

export const count = (number) => Number(number).toLocaleString('en-GB');
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
export function bytes(number) {
  if (number < 1e6) return `${Math.max(1, Math.round(number / 1e3))} kB`;
  if (number < 1e9) return `${Math.round(number / 1e6)} MB`;
  return `${(number / 1e9).toFixed(1)} GB`;
}
/** A figure with its interval, as {value, low, high}; three decimals. */
export function figure(found) {
  if (!found || found.value === null) return 'not computable';
  const limits = found.low === null ? '' : ` (${found.low.toFixed(3)} to ${found.high.toFixed(3)})`;
  return found.value.toFixed(3) + limits;
}

/** The value of a CSS variable, for charts and canvases. */
export const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
/** Call `draw` now and whenever light and dark change. */
export function onTheme(draw) {
  new MutationObserver(draw).observe(document.body, {attributes: true, attributeFilter: ['class']});
}
/** A value of the page's address (?run=...), and how to change it without loading the page anew. */
export const query = (name) => new URLSearchParams(location.search).get(name) ?? '';
export function setQuery(name, value) {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  history.replaceState(history.state, '', address);
}
