// The Test page: which run, and which of its three parts.
import {api, el, onLive, problem, query, setQuery} from './live.js';
import {createFresh} from './fresh.js';
import {createReview} from './review.js';
import {createSealed} from './sealed.js';

const TEXT = {
  run: 'Student of run', parts: {new: 'New images', validation: 'Validation', sealed: 'The sealed test set'},
  none: 'No student to test yet', noneMore: 'A student appears here as soon as a training is complete.', noProject: 'Choose images first; a student comes out of training on them.',
  train: 'Go to Train', data: 'Go to Data', line: ({name, created, auroc}) => `${name}, ${moment(created)}${auroc ? `, validation AUROC ${auroc.toFixed(3)}` : ''}`,
  student: 'Student', teacher: 'Teacher', input: 'Input', classes: 'Classes', alone: 'none: it learned alone', synthetic: 'Trained on synthetic images', toRun: 'Look at this run',
};
const PARTS = {new: createFresh, validation: createReview, sealed: createSealed};
const moment = (created) => new Date(created).toLocaleString('en-GB', {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit'});

export function mount(element) {
  const select = el('select', {id: 'run'}), facts = el('p', {class: 'run-facts'}), failed = el('div', {});
  const tabs = Object.fromEntries(Object.entries(TEXT.parts).map(([key, words]) => [key, el('button', {type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': 'part', onclick: () => openPart(key)}, words)]));
  const tablist = el('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Parts'}, Object.values(tabs));
  const part = el('div', {id: 'part', role: 'tabpanel', tabindex: '-1'});
  const head = el('section', {class: 'card run-card', hidden: true}, el('div', {class: 'row'}, el('label', {for: 'run'}, TEXT.run), select), facts);
  const empty = el('section', {class: 'card', id: 'no-run', hidden: true}), body = el('div', {hidden: true}, tablist, part);
  element.replaceChildren(el('div', {class: 'test-page', 'data-state': 'loading'}, head, failed, empty, body));
  const page = element.firstElementChild;
  let run = null, open = null, known = '', asking = false;

  async function list() {
    const wanted = query('run'), {runs, project} = await api(`/api/test/runs?${new URLSearchParams({run: wanted})}`);
    select.replaceChildren(...runs.map((found) => el('option', {value: found.id}, TEXT.line(found))));
    const kept = runs.some(({id}) => id === run?.id) ? run.id : runs[0]?.id;   // a newer one does not push it aside
    const chosen = wanted || kept;
    head.hidden = !runs.length;
    empty.hidden = Boolean(chosen);
    empty.replaceChildren(el('h2', {}, TEXT.none), el('p', {}, project ? TEXT.noneMore : TEXT.noProject), el('p', {}, el('a', {class: 'button primary', href: project ? '/train' : '/'}, project ? TEXT.train : TEXT.data)));
    if (!chosen) { body.hidden = true; page.dataset.state = 'empty'; return; }
    select.value = chosen;
    if (run?.id !== chosen) await show(chosen);
  }
  async function show(id) {
    failed.replaceChildren();
    try {
      run = await api(`/api/test/run/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!error.facts) throw error;
      run = null;
      body.hidden = true;
      page.dataset.state = 'failed';
      failed.replaceChildren(problem(error.facts), el('p', {}, el('a', {class: 'button', href: `/train?run=${encodeURIComponent(id)}`}, TEXT.toRun)));
      return;
    }
    const side = `${run.image_px} × ${run.image_px}`;
    const said = [[TEXT.student, run.title], [TEXT.teacher, run.teacher ?? TEXT.alone], [TEXT.input, side], [TEXT.classes, run.classes.join(', ')]];
    facts.replaceChildren(...said.map(([key, value]) => el('span', {}, el('span', {class: 'quiet'}, `${key} `), value)), run.synthetic ? el('span', {class: 'badge idle'}, TEXT.synthetic) : '');
    body.hidden = false;
    page.dataset.state = 'ready';
    api('/api/test/warm', {run: run.id}).catch(() => {});
    await openPart(PARTS[query('part')] ? query('part') : 'new', false);
  }
  async function openPart(key, remember = true) {
    open?.stop();
    for (const [name, tab] of Object.entries(tabs)) {
      tab.setAttribute('aria-selected', String(name === key));
      tab.tabIndex = name === key ? 0 : -1;
    }
    part.setAttribute('aria-labelledby', `tab-${key}`);
    if (remember) setQuery('part', key === 'new' ? '' : key);
    const mine = PARTS[key](run);
    open = mine;
    part.replaceChildren(mine.node);
    await mine.start();
  }
  tablist.addEventListener('keydown', (event) => {
    const names = Object.keys(tabs), here = names.findIndex((name) => tabs[name] === document.activeElement);
    const to = {ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: names.length - 1}[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    tabs[name].focus();
    openPart(name);
  });
  select.addEventListener('change', () => { setQuery('run', select.value); show(select.value); });

  onLive(async (state) => {   // another project, or other runs
    const now = `${state.project?.id} ${state.runs}`;
    if (now === known || asking) return;
    asking = true;
    try { await list(); known = now; } catch (error) {
      if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) return;   // the frame says so
      if (!error.facts) throw error;
      known = now;
      failed.replaceChildren(problem(error.facts));
    } finally { asking = false; }
  });
}
