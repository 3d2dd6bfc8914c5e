// One run as it goes: state in words, progress, curves, what may be done, what happened.
import {makeActions} from './actions.js';
import {makeBeside} from './beside.js';
import {makeCharts} from './charts.js';
import {Curves} from './curves.js';
import {api, count, duration, el, figure, look, onLive, problem, progressBar, query, setQuery, wish} from './live.js';
import {makeLog} from './log.js';
import {makeMethods} from './methods.js';
import {moment, nameOf, onRuns, refresh} from './runlist.js';
import {badge} from './runs.js';
import {makeStages} from './stages.js';

const TEXT = {
  run: 'Run', empty: 'No run yet',
  emptyWords: 'Press Start training above. The curves appear here and move while the student learns.',
  curves: 'Curves',
  gone: 'The run shown here was deleted elsewhere.',
  by: ({method, teacher, student}) => [method, [teacher, student].filter(Boolean).join(' → ')].filter(Boolean).join(' · '),
  origin: (name, passes) => `Goes on from “${name}” after ${count(passes)} passes.`,
  auroc: 'Validation AUROC', best: (value, pass) => `best so far ${value} (pass ${pass})`,
  interval: '95 % interval in brackets', notYet: 'after the first pass',
  agreement: 'Agreement with the teacher', agreementWords: 'CKA on validation images', noTeacher: 'no teacher in this run',
  passes: 'Passes', of: (done, total) => `${done} of ${total}`, passesWords: 'over the training images',
  time: 'Time taken', left: (time) => `about ${time} left in this part`, inAll: 'all attempts together',
  steps: 'Training the student, by steps',
  none: '–', toWaited: 'Look at it',
  states: {
    created: 'It was asked for and has not been started. Resume starts it.',
    queued: (name) => (name ? `Waits for its turn: “${name}” is using the device.` : 'Is just beginning; loading what it needs takes some seconds.'),
    running: (text) => text || 'Is just beginning.',
    stopping: 'Stopping: finishes the step and saves.',
    stopped: (step) => (step === null ? 'Stopped before anything was trained. Resume starts again.' : `Stopped; everything up to step ${count(step)} is saved. Resume goes on from there.`),
    interrupted: (step) => `Interrupted: its process ended without a word, by a power cut, a restart or from outside. ${step === null ? 'Nothing had been trained yet; Resume starts again.' : `Everything up to step ${count(step)} is saved; Resume goes on from there.`}`,
    completed: (sentence) => sentence || 'Complete: evaluated on validation, exported, and its report written.',
    failed: 'It failed:',
  },
};

export function mount(element) {
  const surface = element.closest('#monitor') ?? element;
  const view = makeView((what, answer) => done(what, answer));
  const empty = el('section', {class: 'card', id: 'run-none'}, el('h2', {}, TEXT.empty), el('p', {class: 'quiet'}, TEXT.emptyWords));
  const notice = el('div', {class: 'note warn', id: 'run-gone', role: 'status', hidden: true});
  view.node.hidden = empty.hidden = true;        // until the runs are known
  element.append(notice, empty, view.node);
  const curves = new Curves();
  let run = '', facts = null, last = null, drawn = '', asked = '', leaving = false;
  const beside = view.beside;

  function choose(id) {
    if (id === run) return;
    [run, facts, last, drawn, asked, leaving] = [id, null, null, '', '', false];
    curves.clear();
    beside.reset();
    wish('run', id);
    wish('since', id ? 0 : null);
    Object.assign(surface.dataset, {run: id, state: 'loading', points: '0'});
    if (id) look();
  }

  function follow(runs) {
    const own = runs.find((found) => found.own) ?? null;
    const wanted = query('run') || own?.id || '';
    empty.hidden = Boolean(wanted);
    view.node.hidden = !wanted;
    if (!wanted) surface.dataset.state = 'empty';
    choose(wanted);
  }

  function done(what, answer) {
    if (what === 'remove') show('');
    else if (what === 'extend') show(answer.run);
    else if (what === 'compare') setQuery('with', answer.run);
    asked = '';
  }

  function show(id) {
    notice.hidden = true;
    setQuery('run', id);
    setQuery('with', '');
    if (id) choose(id); else { run = ''; wish('run', null); }
    refresh();
  }

  onRuns(follow);
  window.addEventListener('bedside:form', (event) => {
    if (!event.detail.run) return;
    show(event.detail.run);
    document.getElementById('run-name').focus();  // the form folds away
  });
  window.addEventListener('bedside:show', (event) => {
    show(event.detail.run);
    setQuery('with', event.detail.with ?? '');
    asked = '';
  });
  // While a run is being deleted nothing is asked of it, or it would be found missing.
  window.addEventListener('bedside:delete', (event) => {
    if (event.detail.run !== run) return;
    leaving = event.detail.state === 'begun';
    wish('run', leaving ? null : run);
    if (leaving) beside.reset(); else asked = '';
  });
  onLive((live) => {
    if (live.error && run && live.error.code === 'R01') {
      notice.hidden = false;
      notice.textContent = TEXT.gone;
      run = '';
      setQuery('run', '');
      refresh();
      return;
    }
    const summary = live.run;
    if (!summary || summary.id !== run || leaving) return;
    const grew = curves.take(summary);
    wish('since', curves.since);
    surface.dataset.state = summary.state;
    surface.dataset.points = String(curves.points);
    last = summary;
    const version = `${run}/${live.runs}/${summary.state}/${query('with')}`;
    if (version !== asked) { asked = version; ask(run); }
    beside.poll(live).then((changed) => { if (changed) paint(true); });
    paint(grew);
  });

  async function ask(id) {
    const found = await api(`/api/train/run/${id}`).catch(() => null);
    if (!found) asked = '';                       // gone, or no connection: the next look tells
    if (!found || id !== run || leaving) return;
    facts = found;
    beside.choose(facts);
    paint(true);
  }

  function paint(grew) {
    if (!last || !facts) return;
    view.set(last, facts, curves);
    const key = `${run}/${beside.key()}/${facts.passes}`;
    if (!grew && key === drawn) return;
    drawn = key;
    view.charts.draw({run, name: nameOf(run), curves, passes: facts.passes, alone: facts.alone, expected: facts.curves ?? [], beside: beside.shown()});
  }
}

function makeView(onDone) {
  const title = el('h2', {id: 'run-name', tabindex: -1}, TEXT.run), marks = el('span', {}), about = el('p', {class: 'quiet', id: 'run-about'});
  const state = el('p', {id: 'run-state', role: 'status'}), trouble = el('div', {id: 'run-trouble'});
  const complaints = el('div', {id: 'run-problem'});
  const bar = progressBar('Progress of the run');
  bar.hidden = true;
  const actions = makeActions(complaints, onDone);
  const tiles = Object.fromEntries(['auroc', 'agreement', 'passes', 'time'].map((key) => [key, {value: el('dd', {id: `fact-${key}`}), note: el('dd', {class: 'fact-note'})}]));
  const charts = makeCharts(), beside = makeBeside(), methods = makeMethods(onDone), stages = makeStages(), log = makeLog();
  const node = el('div', {class: 'stack'},
    el('section', {class: 'card', id: 'run-card', 'aria-labelledby': 'run-name'},
      el('div', {class: 'run-head'}, el('div', {class: 'run-title'}, title, marks), actions),
      about, el('div', {class: 'run-now'}, state, bar), trouble, complaints,
      el('dl', {class: 'facts'}, Object.entries(tiles).map(([key, tile]) => el('div', {}, el('dt', {}, TEXT[key]), tile.value, tile.note)))),
    el('section', {class: 'card', id: 'run-curves', 'aria-label': TEXT.curves}, charts),
    beside.node, methods, stages, log.node);

  function set(summary, facts, curves) {
    title.textContent = facts.name;
    const kind = summary.state === 'queued' && !summary.waits_for ? 'starting' : summary.state;
    if (marks.dataset.state !== kind) { marks.dataset.state = kind; marks.replaceChildren(badge(kind)); }
    about.textContent = [TEXT.by(facts), moment(facts.created), facts.origin ? TEXT.origin(nameOf(facts.origin.run), facts.origin.passes) : ''].filter(Boolean).join(' · ');
    setState(summary, facts);
    actions.set(summary, facts);
    bar.hidden = !summary.live || summary.state === 'queued';
    bar.set({text: summary.phase.name === 'train' ? TEXT.steps : summary.phase.text, done: summary.done, total: summary.total, eta_s: summary.eta_s, live: summary.live});
    setTiles(summary, facts, curves);
    methods.set(summary, facts);
    stages.set(summary, facts);
    log.set(summary, facts);
  }

  let shown = '';
  function setState(summary, facts) {
    const {state: name} = summary;
    const key = JSON.stringify([name, summary.waits_for, summary.failure, name === 'running' ? '' : summary.saved, facts.sentence]);
    if (key === shown) return;                    // read aloud only when it has changed
    shown = key;
    const words = TEXT.states[name];
    const waited = summary.waits_for && nameOf(summary.waits_for);
    const saved = summary.saved;
    state.textContent = name === 'running' ? '' : typeof words !== 'function' ? words : words({queued: waited, completed: facts.sentence}[name] ?? saved);
    state.hidden = name === 'running';
    state.className = ['interrupted', 'stopped', 'created'].includes(name) ? 'note warn' : name === 'queued' ? 'note' : '';
    if (name === 'queued' && summary.waits_for) state.append(' ', el('a', {href: `/train?run=${summary.waits_for}`}, TEXT.toWaited));
    trouble.replaceChildren(...(summary.failure ? [problem(summary.failure)] : []));
  }

  function setTiles(summary, facts, curves) {
    const auroc = curves.summary('validation/auroc'), cka = curves.summary('cka/teacher');
    const final = summary.state === 'completed' && facts.auroc;
    put(tiles.auroc, final ? figure(facts.auroc) : auroc ? auroc.last.value.toFixed(3) : TEXT.none,
      final ? TEXT.interval : auroc ? TEXT.best(auroc.high.value.toFixed(3), Math.round(auroc.high.pass)) : TEXT.notYet);
    put(tiles.agreement, cka ? cka.last.value.toFixed(3) : TEXT.none, facts.alone ? TEXT.noTeacher : cka ? TEXT.agreementWords : TEXT.notYet);
    const loss = curves.summary('loss');
    put(tiles.passes, TEXT.of(loss ? loss.last.pass.toFixed(1).replace(/\.0$/, '') : 0, facts.passes), TEXT.passesWords);
    put(tiles.time, duration(summary.seconds), summary.eta_s === null ? TEXT.inAll : TEXT.left(duration(summary.eta_s)));
  }

  return {node, set, charts, beside};
}

function put(tile, value, note) {
  tile.value.textContent = value;
  tile.note.textContent = note;
}
