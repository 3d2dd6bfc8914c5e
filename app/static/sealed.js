// The sealed test set: opened on purpose, counted, then shown beside validation.
import {api, count, el, problem, progressBar} from './live.js';
import {figureTables} from './figures.js';
import {failureOf, follow} from './follow.js';

const TEXT = {
  sealed: 'The test set is sealed', opened: 'The test set, opened', opening: 'Opening the test set',
  what: (images, patients) => `${count(images)} images of ${count(patients)} patients that nothing has looked at: no training, no choice, no figure so far.`,
  cost: 'Opening it gives the one honest figure of how good the student is. It can be had once: after you have seen it, every further choice you make is guided by it, and the next figure flatters. '
    + 'Every opening is counted and stands in the report. Open it when you have finished choosing.',
  never: 'It has never been opened.', times: (n) => n === 1 ? 'It has been opened once:' : `It has been opened ${count(n)} times:`, this: 'by this run', other: (run) => `by run ${run}`,
  spent: 'Another run has opened it already, so its figure for this run may flatter.',
  understand: 'I have finished choosing. I know that this look is counted and cannot be undone.', open: 'Open the test set',
  scoring: 'Scoring the test set', beside: 'Test set and validation, with intervals', test: 'Test set', validation: 'Validation',
  frozen: 'The thresholds are those chosen on validation; nothing was chosen on the test set. Intervals know that images of one patient are not independent.',
  interrupted: {what: 'The opening was interrupted; it may have been counted already.', todo: 'Open it again: the figures will be the same.'},
  loading: 'Looking at the seal …', report: 'The report now holds both.', toExport: 'Report and hand-over',
};

export function createSealed(run) {
  const node = el('div', {class: 'test-part', id: 'part-sealed', 'data-state': 'loading'}, el('p', {class: 'quiet', role: 'status'}, TEXT.loading));
  let watch = () => {};

  async function refresh(failure) {
    const found = await api(`/api/test/sealed/${run.id}`);
    node.dataset.openings = String(found.openings.length);
    if (found.task && !failure && !found.test) {
      const facts = await api(`/api/task/${found.task}`).catch(() => null);
      if (facts?.live || facts?.state === 'created') { working(found.task); return; }
      if (facts) failure = failureOf(facts, TEXT.interrupted);
    }
    if (found.test) showOpened(found);
    else showSealed(found, failure);
  }
  function history(openings) {
    if (!openings.length) return [el('p', {}, TEXT.never)];
    const lines = openings.map(({ts, run: by}) => el('li', {}, `${new Date(ts).toLocaleString('en-GB', {dateStyle: 'long', timeStyle: 'short'})}, ${by === run.id ? TEXT.this : TEXT.other(by)}`));
    return [el('p', {}, TEXT.times(openings.length)), el('ul', {class: 'openings'}, lines)];
  }
  function showSealed({openings, counts}, failure) {
    const box = el('input', {type: 'checkbox', id: 'understood'}), failed = el('div', {}, failure ? problem(failure) : null);
    const button = el('button', {type: 'button', class: 'small primary', id: 'open-test', disabled: true, onclick: open}, TEXT.open);
    box.addEventListener('change', () => { button.disabled = !box.checked; });
    async function open() {
      button.disabled = true;
      try {
        working((await api('/api/test/open', {run: run.id, understood: box.checked})).task);
      } catch (error) {
        if (!error.facts) throw error;
        failed.replaceChildren(problem(error.facts));
        button.disabled = !box.checked;
      }
    }
    node.replaceChildren(el('section', {class: 'card sealed'}, el('h2', {}, TEXT.sealed), failed, el('p', {}, TEXT.what(counts.images, counts.patients)), el('p', {class: 'note warn'}, TEXT.cost),
      ...history(openings), openings.length ? el('p', {class: 'note'}, TEXT.spent) : null, el('label', {class: 'check understood'}, box, el('span', {}, TEXT.understand)), el('p', {}, button)));
    node.dataset.state = 'sealed';
  }
  function working(task) {
    const bar = progressBar(TEXT.scoring);
    bar.set({text: TEXT.scoring});
    node.replaceChildren(el('section', {class: 'card sealed'}, el('h2', {}, TEXT.opening), bar));
    node.dataset.state = 'opening';
    watch = follow(task, (facts) => bar.set({text: facts.phase.text || TEXT.scoring, done: facts.done, total: facts.total, eta_s: facts.eta_s, live: facts.live}),
      (facts) => refresh(failureOf(facts, TEXT.interrupted)), (facts) => refresh(facts));
  }
  function showOpened({openings, test, validation}) {
    node.replaceChildren(el('section', {class: 'card sealed'}, el('h2', {}, TEXT.opened), ...history(openings),
      el('h3', {}, TEXT.beside), figureTables([{title: TEXT.test, found: test}, {title: TEXT.validation, found: validation}], TEXT.beside),
      el('p', {class: 'small-print'}, TEXT.frozen), el('p', {}, `${TEXT.report} `, el('a', {class: 'button', href: `/export?run=${run.id}`}, TEXT.toExport))));
    node.dataset.state = 'opened';
  }
  return {
    node,
    async start() {
      try { await refresh(); } catch (error) {
        if (!error.facts) throw error;
        node.replaceChildren(problem(error.facts, () => this.start()));
        node.dataset.state = 'failed';
      }
    },
    stop() { watch(); },
  };
}
