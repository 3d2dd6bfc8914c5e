// Is it worth distilling? The teachers at hand as the probe ranks them: a small table with dots and intervals.
import {api, count, duration, el, figure, look, problem, progressBar} from './live.js';

const TEXT = {
  title: 'Is it worth distilling?',
  words: 'Each teacher at hand looks at your training images as it is. How well a simple rule on what it sees tells the classes apart says what a student can learn from it, before any training.',
  compare: 'Compare the teachers', rest: (n) => n === 1 ? 'Compare the new one' : `Compare the ${count(n)} new ones`, working: 'Comparing', stop: 'Stop',
  stopped: 'Comparing was stopped. What was found is kept.', interrupted: 'Comparing ended unexpectedly. What was found is kept.',
  busy: 'A training or a measurement uses the computer. Compare when it is over.',
  teacher: 'Teacher', scale: 'AUROC, linear probe', linear: 'Linear probe', near: 'Neighbours', behind: 'From the best', time: 'Time', act: 'Choose',
  best: 'best', choose: 'Choose', chosen: 'Chosen', chooseWho: (title) => `Choose ${title}`,
  seen: (n) => `It was trained on ${count(n)} of these very images, so its figure is too good.`,
  chance: 'No teacher at hand tells your classes apart better than chance. A student will hardly learn from them; look at the labels, or bring another teacher.',
  clear: (title) => `${title} is the best at hand, and clearly so.`, alone: (title) => `${title} is the only one at hand. Bring others to compare.`,
  tie: (title, others) => `${title} comes out best, but ${others} may be as good: the intervals of the differences include zero.`,
};

/** {node, set(page), progress(jobs)}; `choose(change)`, `start()` and `map(id)` are called. */
export function worthPanel({choose, start}) {
  const verdict = el('p', {id: 'worth-verdict', 'aria-live': 'polite'}), table = el('div', {class: 'scroll', id: 'worth-table'});
  const bar = progressBar(TEXT.working), stop = el('button', {type: 'button', class: 'small', id: 'worth-stop'}, TEXT.stop);
  const busy = el('div', {class: 'measure-bar', id: 'worth-progress', hidden: true}, bar, stop), foot = el('div', {class: 'worth-foot'});
  const node = el('section', {class: 'card worth', id: 'worth', 'aria-labelledby': 'worth-title'},
    el('h3', {id: 'worth-title'}, TEXT.title), el('p', {class: 'worth-words'}, TEXT.words), verdict, table, busy, foot);
  let task = null;
  stop.addEventListener('click', () => { if (task) { stop.disabled = true; api(`/api/task/${task}/stop`, {}).then(look, look); } });

  const set = (page) => {
    const found = page.worth;
    node.hidden = !found;
    if (!found) return;
    task = found.task;
    busy.hidden = !task;
    stop.disabled = false;
    if (task && bar.dataset.task !== task) { bar.dataset.task = task; bar.set({text: TEXT.working, total: 0}); }
    verdict.textContent = found.ranked ? judge(found) : '';
    table.replaceChildren(...(found.rows.length ? [tableOf(found, page.chosen.teacher, choose)] : []));
    foot.replaceChildren(...footOf(found, page, start));
  };
  const progress = (jobs) => {
    const job = jobs.find((one) => one.id === task);
    if (job) bar.set({text: job.phase?.text ?? TEXT.working, done: job.done, total: job.total, eta_s: job.eta_s});
  };
  return {node, set, progress};
}

const area = (row) => row.linear?.auroc;

function judge(found) {
  const [best, ...others] = found.rows.filter((row) => area(row) && area(row).value !== null);
  if (!best) return '';
  if (area(best).low !== null && area(best).low <= 0.5) return TEXT.chance;
  if (!others.length) return TEXT.alone(best.title);
  const near = others.filter((row) => row.behind?.high === null || row.behind?.high >= 0);
  return near.length ? TEXT.tie(best.title, near.map((row) => row.title).join(', ')) : TEXT.clear(best.title);
}

function tableOf(found, chosen, choose) {
  const limits = found.rows.map(area).filter((one) => one && one.value !== null);
  const low = Math.floor(10 * Math.min(0.5, ...limits.map((one) => one.low ?? one.value))) / 10;
  const head = (words, kind = '') => el('th', {scope: 'col', class: kind}, words);
  const others = found.rows.length > 1;
  return el('table', {class: 'plain-table worth-table'},
    el('thead', {}, el('tr', {}, head(TEXT.teacher), el('th', {scope: 'col', class: 'worth-scale'}, el('span', {class: 'unseen'}, TEXT.scale), axis(low)), head(TEXT.linear), head(TEXT.near),
      others ? head(TEXT.behind) : null, head(TEXT.time, 'num'), el('td', {}))),
    el('tbody', {}, found.rows.map((row) => line(row, {low, others, ranked: found.ranked, chosen, choose}))));
}

function line(row, {low, others, ranked, chosen, choose}) {
  const mine = row.id === chosen;
  const button = mine ? el('span', {class: 'badge live'}, TEXT.chosen)
    : el('button', {type: 'button', class: 'small', 'aria-label': TEXT.chooseWho(row.title), disabled: Boolean(row.problem), onclick: () => choose({teacher: row.id})}, TEXT.choose);
  const name = el('th', {scope: 'row'}, row.title, row.seen ? el('span', {class: 'line small-print warned'}, TEXT.seen(row.seen)) : null);
  const attributes = {'data-id': row.id, class: mine ? 'mine' : ''};
  if (row.problem) return el('tr', attributes, name, el('td', {colspan: others ? 5 : 4}, problem(row.problem)), el('td', {}, button));
  const behind = !ranked ? '' : row.behind ? figure(row.behind) : TEXT.best;
  return el('tr', attributes, name, el('td', {class: 'worth-scale'}, track(area(row), low)), numbers(area(row)), numbers(row.neighbours.auroc),
    others ? el('td', {}, ...(row.behind && ranked ? split(row.behind, true) : [el('span', {class: 'quiet'}, behind)])) : null, el('td', {class: 'num'}, duration(row.seconds)), el('td', {class: 'num'}, button));
}

const numbers = (found) => found.value === null ? el('td', {class: 'quiet'}, found.note) : el('td', {}, ...split(found));
function split(found, signed = false) {
  const words = (value) => signed ? value.toFixed(3).replace('-', '−') : value.toFixed(3);
  return [el('b', {}, words(found.value)), found.low === null ? el('small', {}, found.note) : el('small', {}, `${words(found.low)} to ${words(found.high)}`)];
}

/** The ticks above the dots; the numbers stand in the table for those who cannot see them. */
function axis(low) {
  const ticks = [];
  for (let tick = low; tick < 1.01; tick += low < 0.4 ? 0.2 : 0.1) ticks.push(tick);
  return el('span', {class: 'ticks', 'aria-hidden': 'true'}, ticks.map((tick) => el('i', {style: `left:${at(tick, low)}%`}, tick.toFixed(1))));
}

function track(found, low) {
  if (!found || found.value === null) return '';
  const bar = found.low === null ? null : el('i', {class: 'interval', style: `left:${at(found.low, low)}%;width:${at(found.high, low) - at(found.low, low)}%`});
  const half = el('i', {class: 'guess', style: `left:${at(0.5, low)}%`});
  return el('span', {class: 'dots', 'aria-hidden': 'true'}, half, bar, el('i', {class: 'dot-at', style: `left:${at(found.value, low)}%`}));
}
const at = (value, low) => 100 * (value - low) / (1 - low);

function footOf(found, page, start) {
  const parts = [];
  if (found.rows.length) parts.push(el('p', {class: 'small-print'}, found.told));
  if (found.failure) parts.push(problem(found.failure));
  else if (found.ended) parts.push(el('p', {class: 'small-print'}, TEXT[found.ended]));
  if (!found.task && found.left.length) {
    const waits = page.others.includes('run') || Boolean(page.task);
    const words = found.rows.length ? TEXT.rest(found.left.length) : TEXT.compare;
    parts.push(el('div', {class: 'row'}, el('button', {type: 'button', class: 'small', id: 'worth-start', disabled: waits, onclick: start}, words),
      waits ? el('span', {class: 'small-print'}, TEXT.busy) : null));
  }
  return parts;
}
