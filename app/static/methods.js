// Every other method a run can be compared with: one press trains it, everything else equal.
import {LOST} from './actions.js';
import {api, el, problem} from './live.js';
import {refresh} from './runlist.js';
import {badge} from './runs.js';

const TEXT = {
  title: 'Compare with another method',
  words: 'The same student, images, division, passes and seed; only the method differs. A method without a teacher sees fresh views in every pass. When both are complete, the difference stands here and in the report.',
  many: 'The more methods are compared, the likelier one of them seems better by chance.',
  train: 'Train and compare', on: 'Go on and compare', starting: 'Starting…', show: 'Show beside', shown: 'Shown beside', not: 'Not for these images',
  about: (what, title) => `${what}: ${title}`,
};
const LIVE = ['queued', 'running', 'stopping'];

/** The card as an element; `.set(summary, facts)` keeps it up to date. `onDone('compare', answer)`. */
export function makeMethods(onDone) {
  const list = el('ul', {class: 'methods'}), complaints = el('div', {});
  const node = el('details', {class: 'card fold', id: 'run-methods', hidden: true}, el('summary', {}, TEXT.title),
    el('p', {class: 'small-print'}, TEXT.words), complaints, list, el('p', {class: 'small-print'}, TEXT.many));
  let run = '', state = '', shown = '', pending = '';

  async function start(method) {
    if (pending) return;
    pending = method;
    draw();
    try {
      const answer = await api(`/api/train/run/${run}/compare`, {method});
      complaints.replaceChildren();
      await refresh();
      onDone('compare', answer);
    } catch (error) {
      complaints.replaceChildren(problem(error.facts ?? LOST));
    } finally {
      pending = '';
      draw();
    }
  }

  let methods = [];
  function draw() {
    const beside = document.getElementById('beside')?.dataset.run ?? '';
    const key = JSON.stringify([run, methods, pending, beside]);
    if (key === shown) return;
    const focused = document.activeElement?.dataset?.method;
    shown = key;
    list.replaceChildren(...methods.map((method) => itemOf(method, beside)));
    if (focused) list.querySelector(`button[data-method="${focused}"]`)?.focus();
  }

  function itemOf(method, beside) {
    const made = method.run, live = made && LIVE.includes(made.status);
    const ready = made && (made.complete || live);
    const here = ready && made.id === beside;
    const words = method.refusal ? TEXT.not : pending === method.id ? TEXT.starting : here ? TEXT.shown : ready ? TEXT.show : made ? TEXT.on : TEXT.train;
    const button = el('button', {type: 'button', class: 'small', 'data-method': method.id, 'aria-label': TEXT.about(words, method.title),
      disabled: Boolean(method.refusal || pending || here)}, words);
    button.addEventListener('click', () => {
      if (ready) window.dispatchEvent(new CustomEvent('bedside:show', {detail: {run, with: made.id}}));
      else start(method.id);
    });
    return el('li', {'data-method': method.id},
      el('div', {}, el('h3', {}, method.title, made ? badge(made.status) : null),
        el('p', {class: 'quiet'}, method.about),
        method.refusal ? el('p', {}, method.refusal) : null,
        method.verdict ? el('p', {class: 'verdict'}, method.verdict) : null),
      button);
  }

  node.set = (summary, facts) => {
    const may = !facts.problem && !['failed', 'created'].includes(summary.state) && facts.methods?.length;
    node.hidden = !may;
    if (!may) return;
    const now = `${facts.id}/${summary.state === 'completed'}`;
    if (now !== state) { state = now; node.open = summary.state === 'completed'; complaints.replaceChildren(); }
    [run, methods] = [facts.id, facts.methods];
    draw();
  };
  return node;
}
