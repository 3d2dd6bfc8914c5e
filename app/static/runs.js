// The list of runs: what each is doing and what came of it; filter, compare two, delete.
import {askDelete} from './actions.js';
import {bytes, duration, el, figure, onLive, query} from './live.js';
import {moment, nameOf, onRuns} from './runlist.js';

const TEXT = {
  title: 'Runs', list: 'List of runs',
  none: 'No runs yet.', nothing: 'No run fits the filter.',
  filter: 'Filter by name, method, teacher or student', every: 'every state', state: 'State',
  others: (number) => `Runs of other images too (${number})`,
  compare: 'Compare the two chosen', compareTitle: 'Choose two runs by the boxes on the left.',
  choose: (name) => `Choose ${name} for a comparison`,
  heads: ['', 'Run', 'State', 'Validation AUROC', 'Asked for', 'Took', 'Size', ''],
  test: 'Test', export: 'Export', remove: 'Delete…', shown: 'shown above', none_: '–',
  states: {created: 'not started', queued: 'waiting', starting: 'starting', running: 'running', stopping: 'stopping', stopped: 'stopped',
           interrupted: 'interrupted', completed: 'complete', failed: 'failed'},
};
const LOOKS = {created: 'idle', queued: 'live', starting: 'live', running: 'live', stopping: 'live', stopped: 'warn', interrupted: 'warn', completed: 'good', failed: 'bad'};
const LIVE = ['queued', 'running', 'stopping'];

/** A run's state as a badge, in words. */
export function badge(state) {
  return el('span', {class: `badge ${LOOKS[state] ?? 'idle'}`, 'data-state': state}, TEXT.states[state] ?? state);
}

export function mount(element) {
  const filter = el('input', {type: 'search', id: 'runs-filter', placeholder: TEXT.filter, 'aria-label': TEXT.filter});
  const state = el('select', {id: 'runs-state', 'aria-label': TEXT.state}, el('option', {value: ''}, TEXT.every),
    Object.entries(TEXT.states).filter(([value]) => value !== 'starting').map(([value, words]) => el('option', {value}, words)));
  const others = el('input', {type: 'checkbox', id: 'runs-others'}), othersWords = el('span', {});
  const othersLabel = el('label', {class: 'check', hidden: true}, others, othersWords);
  const compare = el('button', {type: 'button', class: 'small', id: 'runs-compare', disabled: true, title: TEXT.compareTitle}, TEXT.compare);
  const body = el('tbody', {}), nothing = el('p', {class: 'quiet'}, TEXT.none);
  const table = el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': TEXT.list}, el('table', {class: 'plain-table runs'},
    el('thead', {}, el('tr', {}, TEXT.heads.map((head, place) => (head ? el('th', {scope: 'col', class: place > 4 ? 'num' : ''}, head) : el('td', {}))))), body));
  element.append(el('section', {class: 'card', 'aria-labelledby': 'runs-title'},
    el('h2', {id: 'runs-title'}, TEXT.title), el('div', {class: 'row filters'}, filter, state, othersLabel, el('span', {class: 'space'}), compare), table, nothing));

  const rows = new Map();           // id to {key, node}
  const chosen = new Set();
  let runs = [], jobs = [];

  for (const input of [filter, state, others]) input.addEventListener('input', draw);
  compare.addEventListener('click', () => {
    const [first, second] = runs.filter((run) => chosen.has(run.id)).map((run) => run.id);
    open(second, first);            // the older one first: the newer one is put beside it
  });

  function open(run, beside = '') {
    window.dispatchEvent(new CustomEvent('bedside:show', {detail: {run, with: beside}}));
    draw();
    document.getElementById('run-card').scrollIntoView({block: 'start'});
  }

  function fits(run) {
    const text = [run.name, run.id, run.method, run.teacher, run.student].join(' ').toLowerCase();
    return (run.own || others.checked) && (!state.value || run.status === state.value)
      && filter.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  function draw() {
    const foreign = runs.filter((run) => !run.own).length;
    othersLabel.hidden = !foreign;
    othersWords.textContent = TEXT.others(foreign);
    const shown = runs.filter(fits);
    nothing.hidden = shown.length > 0;
    nothing.textContent = runs.length ? TEXT.nothing : TEXT.none;
    table.hidden = !shown.length;
    for (const run of shown) {
      const key = JSON.stringify([run, query('run') === run.id]);
      if (rows.get(run.id)?.key !== key) {
        const node = rowOf(run);
        rows.get(run.id)?.node.replaceWith(node);
        rows.set(run.id, {key, node});
      }
    }
    const nodes = shown.map((run) => rows.get(run.id).node);
    if (nodes.some((node, place) => body.children[place] !== node) || body.children.length !== nodes.length) body.replaceChildren(...nodes);
    for (const id of [...chosen]) if (!runs.some((run) => run.id === id)) chosen.delete(id);
    compare.disabled = chosen.size !== 2;
    progress();
  }

  function rowOf(run) {
    const box = el('input', {type: 'checkbox', 'aria-label': TEXT.choose(nameOf(run.id))});
    box.checked = chosen.has(run.id);
    box.addEventListener('input', () => {
      if (box.checked) chosen.add(run.id); else chosen.delete(run.id);
      compare.disabled = chosen.size !== 2;
    });
    const name = el('a', {href: `/train?run=${run.id}`, class: 'run-link'}, run.name);
    name.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(run.id);
    });
    const complete = run.status === 'completed';
    const kind = [run.method, [run.teacher, run.student].filter(Boolean).join(' → ')].filter(Boolean).join(' · ');
    return el('tr', {'data-run': run.id},
      el('td', {}, box),
      el('td', {}, name, el('div', {class: 'small-print'}, run.problem || kind)),
      el('td', {}, badge(run.status), el('span', {class: 'share'})),
      el('td', {}, run.auroc ? figure(run.auroc) : TEXT.none_),
      el('td', {}, moment(run.created)),
      el('td', {class: 'num'}, run.seconds ? duration(run.seconds) : TEXT.none_),
      el('td', {class: 'num'}, bytes(run.bytes)),
      el('td', {}, el('div', {class: 'row tight'},
        complete ? [el('a', {href: `/test?run=${run.id}`}, TEXT.test), el('a', {href: `/export?run=${run.id}`}, TEXT.export)] : [],
        LIVE.includes(run.status) ? [] : el('button', {type: 'button', class: 'link', onclick: () => askDelete(run, gone)}, TEXT.remove))));
  }

  function gone(what, {run}) {
    if (query('run') === run || !query('run')) window.dispatchEvent(new CustomEvent('bedside:show', {detail: {run: ''}}));
  }

  /** How far the live ones are, without drawing their rows anew. */
  function progress() {
    for (const [id, {node}] of rows) {
      const job = jobs.find((found) => found.id === id);
      const share = job?.total && job.state !== 'queued' ? `${Math.min(99, Math.floor(100 * job.done / job.total))} %` : '';
      const cell = node.querySelector('.share');
      if (cell.textContent !== share) cell.textContent = share;
    }
  }

  onRuns((found) => { runs = found; draw(); });
  onLive((live) => { jobs = live.jobs; progress(); });
}
