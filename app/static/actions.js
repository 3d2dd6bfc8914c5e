// What can be done with a run: the buttons, and the questions some of them ask first.
import {api, bytes, el, problem} from './live.js';
import {refresh} from './runlist.js';

const TEXT = {
  stop: 'Stop', stopping: 'Stopping…',
  stopTitle: 'Finish the step, save, and stop. Resume goes on from there.',
  finish: 'Finish now', finishing: 'Finishing…',
  finishTitle: 'End training now; the best pass so far is evaluated and exported.',
  finishLater: 'Possible as soon as something has been saved, until training ends.',
  resume: 'Resume', resuming: 'Resuming…',
  extend: 'Extend…', extending: 'Starting…',
  test: 'Test', export: 'Export', report: 'Report',
  remove: 'Delete…', removing: 'Deleting…',
  cancel: 'Cancel',
  deleteTitle: 'Delete this run?',
  deleteWords: (name, size) => `“${name}” and everything in it, ${size}: its curves, checkpoints, student and report. This cannot be undone. The images stay.`,
  deleteButton: 'Delete it',
  extendTitle: 'Extend the run',
  extendWords: (name) => `A new run goes on from the end of “${name}”, which stays as it is.`,
  extendLabel: 'Further passes over the training images',
  extendTotal: (total) => `${total} passes in all. The schedules are planned anew for that, so the learning rate rises again at the seam.`,
  extendButton: 'Go on training',
};
const LIVE = ['queued', 'running', 'stopping'];
/** What is said where a press got no answer. */
export const LOST = {code: 'E30', what: 'There is no connection to Bedside.', item: '', todo: 'Wait until it is back, look whether anything has changed, and try again.'};
const RESUMABLE = ['stopped', 'interrupted', 'failed', 'created'];

/** The buttons of one run as an element; `.set(summary, facts)` shows those that make sense.
 *  `onDone(what, answer)` is told of a success, failures stay in the element `complaints`. */
export function makeActions(complaints, onDone) {
  let run = '', facts = null;
  const button = (name, click, attributes = {}) => el('button', {type: 'button', class: 'small', id: `run-${name}`, hidden: true, onclick: click, ...attributes}, TEXT[name]);
  const link = (name, attributes = {}) => el('a', {class: 'button', id: `run-${name}`, hidden: true, ...attributes}, TEXT[name]);
  const parts = {
    stop: button('stop', () => act('stop', TEXT.stopping), {title: TEXT.stopTitle}),
    finish: button('finish', () => act('finish', TEXT.finishing)),
    resume: button('resume', () => act('resume', TEXT.resuming), {class: 'small primary'}),
    test: link('test'), export: link('export'), report: link('report', {target: '_blank', rel: 'noopener'}),
    extend: button('extend', askPasses),
    remove: button('remove', () => askDelete(facts, onDone)),
  };
  const node = el('div', {class: 'row actions'}, Object.values(parts));
  let pending = '';

  async function act(name, meanwhile, body = {}) {
    if (pending) return;
    [pending, parts[name].textContent, parts[name].disabled] = [name, meanwhile, true];
    try {
      const answer = await api(`/api/train/run/${run}/${name}`, body);
      complaints.replaceChildren();
      await refresh();
      onDone(name, answer);
    } catch (error) {
      complaints.replaceChildren(problem(error.facts ?? LOST));
    } finally {
      [pending, parts[name].textContent, parts[name].disabled] = ['', TEXT[name], false];
      if (facts) node.set(node.summary, facts);
    }
  }

  function askPasses() {
    const proposed = Math.max(1, Math.round(facts.passes / 2));
    const input = el('input', {type: 'number', id: 'extend-passes', min: 1, max: 2000, step: 1, value: proposed, required: true});
    const total = el('p', {class: 'small-print'});
    const tell = () => { total.textContent = TEXT.extendTotal(facts.passes + Number(input.value || 0)); };
    input.addEventListener('input', tell);
    tell();
    ask(TEXT.extendTitle, [el('p', {}, TEXT.extendWords(facts.name)), el('label', {for: 'extend-passes'}, TEXT.extendLabel), input, total],
      TEXT.extendButton, 'primary', () => act('extend', TEXT.extending, {passes: Math.round(Number(input.value))}));
  }

  node.set = (summary, known) => {
    if (known.id !== run) complaints.replaceChildren();
    [run, facts, node.summary] = [known.id, known, summary];
    const state = summary.state, live = LIVE.includes(state), complete = state === 'completed';
    const show = (name, yes) => { parts[name].hidden = !yes; };
    show('stop', live);
    show('finish', state === 'running' || state === 'stopping');
    show('resume', RESUMABLE.includes(state));
    show('extend', complete && !known.problem);
    for (const name of ['test', 'export']) show(name, complete);
    show('report', complete && known.report);
    show('remove', !live);
    for (const name of ['test', 'export']) parts[name].href = `/${name}?run=${run}`;
    parts.report.href = `/api/export/${run}/report`;
    if (pending) return;
    parts.stop.disabled = state === 'stopping';
    parts.stop.textContent = state === 'stopping' ? TEXT.stopping : TEXT.stop;
    const may = state === 'running' && summary.phase.name === 'train' && summary.saved !== null && !summary.finishing;
    parts.finish.textContent = summary.finishing && live ? TEXT.finishing : TEXT.finish;
    parts.finish.disabled = !may;
    parts.finish.title = may ? TEXT.finishTitle : TEXT.finishLater;
  };
  return node;
}

/** Ask before a run is deleted; `onDone('remove', {run})` follows. */
export function askDelete(run, onDone) {
  const complaint = el('div', {});
  ask(TEXT.deleteTitle, [el('p', {}, TEXT.deleteWords(run.name, bytes(run.bytes))), complaint], TEXT.deleteButton, 'danger', async () => {
    const tell = (state) => window.dispatchEvent(new CustomEvent('bedside:delete', {detail: {run: run.id, state}}));
    tell('begun');
    try {
      await api(`/api/train/run/${run.id}/delete`, {});
    } catch (error) {
      tell('failed');
      complaint.replaceChildren(problem(error.facts ?? LOST));
      return false;
    }
    onDone('remove', {run: run.id});
    await refresh();
    return true;
  });
}

/** A question with two answers; closed by Cancel, Escape, or when `yes()` does not return false. */
function ask(title, content, words, look, yes) {
  const cancel = el('button', {type: 'button', class: 'small'}, TEXT.cancel);
  const go = el('button', {type: 'submit', class: `small ${look}`}, words);
  const form = el('form', {class: 'question', method: 'dialog'}, el('h2', {id: 'question'}, title), content, el('div', {class: 'row'}, go, cancel));
  const dialog = el('dialog', {class: 'question-box', 'aria-labelledby': 'question'}, form);
  cancel.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    go.disabled = true;
    const done = yes();
    if (await done !== false) dialog.close();
    go.disabled = false;
  });
  document.getElementById('page').append(dialog);
  dialog.showModal();
}
