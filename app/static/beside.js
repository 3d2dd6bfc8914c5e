// Another run beside the one that is shown: its curves, its figures, and the settings that differ.
import {Curves} from './curves.js';
import {api, el, figure, query, setQuery} from './live.js';
import {badge} from './runs.js';
import {findRun, nameOf} from './runlist.js';

const TEXT = {
  title: (name) => `Beside it: ${name}`,
  remove: 'Take it away',
  lines: 'Its curves are the thinner ones with diamonds.',
  figure: 'On validation', settings: 'Settings that differ', setting: 'Setting', none: 'No setting differs.',
  waits: 'Both are put side by side, and the report is written anew, as soon as it is complete.',
};
const LIVE = ['queued', 'running', 'stopping'];

/** The run beside, if there is one: `?with=` of the address, else the student-only run. */
export function makeBeside() {
  const title = el('h2', {}), mark = el('span', {}), sentence = el('p', {id: 'beside-sentence'});
  const tables = el('div', {class: 'cols'});
  const away = el('button', {type: 'button', class: 'small', id: 'beside-away'}, TEXT.remove);
  const head = el('div', {class: 'run-head'}, el('div', {class: 'run-title'}, title, mark), away);
  const node = el('section', {class: 'card', id: 'beside', hidden: true, 'aria-label': 'Beside it'}, head, el('p', {class: 'small-print'}, TEXT.lines), sentence, tables);
  const curves = new Curves();
  let id = '', complete = false, version = '', busy = false, run = '';

  away.addEventListener('click', () => { setQuery('with', 'none'); reset(); });

  function reset() {
    [id, complete, version] = ['', false, ''];
    curves.clear();
    node.hidden = true;
    [node.dataset.points, node.dataset.run] = ['0', ''];
  }

  /** Decide which run stands beside `facts`. */
  function choose(facts) {
    run = facts.id;
    const named = query('with'), companion = facts.companion;
    const worth = companion && (companion.complete || LIVE.includes(companion.status));
    const wanted = named === 'none' ? '' : named || (worth ? companion.id : '');
    if (wanted !== id) { reset(); id = wanted; node.dataset.run = id; }
    if (id) fetchTables();
  }

  /** Fetch what is new of its curves; whether there was anything. */
  async function poll(live) {
    const line = findRun(id);
    const state = `${id}/${line?.status}/${live.runs}`;
    if (!id || busy || (complete && state === version)) return false;
    busy = true;
    try {
      const asked = id, found = await api(`/api/train/run/${id}/rows?since=${curves.since}`);
      if (asked !== id) return false;
      complete = !found.live;
      const changed = state !== version;
      version = state;
      mark.replaceChildren(badge(found.state));
      const grew = curves.take(found);
      node.dataset.points = String(curves.points);
      if (changed) fetchTables();
      return grew || changed;
    } catch (error) {
      if (!error.facts) return false;             // no connection; the page says so and looks again
      setQuery('with', '');                       // it was deleted
      reset();
      return true;
    } finally {
      busy = false;
    }
  }

  async function fetchTables() {
    const asked = id;
    const found = await api(`/api/train/run/${run}/beside/${id}`).catch(() => null);
    if (!found || asked !== id) return;
    const name = nameOf(id), own = nameOf(run);
    node.hidden = false;
    title.textContent = TEXT.title(name);
    sentence.textContent = LIVE.includes(findRun(id)?.status) ? TEXT.waits : found.note;
    tables.replaceChildren(
      found.figures.length ? table([TEXT.figure, own, name], found.figures.map(([words, left, right]) => [words, figure(left), figure(right)])) : '',
      found.settings.length ? table([TEXT.setting, own, name], found.settings) : el('p', {class: 'quiet'}, TEXT.none));
  }

  const shown = () => (id && curves.points ? {name: nameOf(id), curves, alone: findRun(id)?.alone ?? false} : null);
  return {node, reset, choose, poll, shown, key: () => `${id}/${curves.points > 0}`};
}

function table(heads, rows) {
  return el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': heads[0]}, el('table', {class: 'plain-table'},
    el('thead', {}, el('tr', {}, heads.map((head) => el('th', {scope: 'col'}, head)))),
    el('tbody', {}, rows.map(([first, ...rest]) => el('tr', {}, el('th', {scope: 'row'}, first), rest.map((value) => el('td', {}, value)))))));
}
