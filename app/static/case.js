// One image of a list in a window of its own, with those before and after it.
import {el, problem} from './live.js';
import {createExamination} from './examine.js';

const TEXT = {close: 'Close', before: 'Before', after: 'After', looking: 'Looking at the image …', place: (at, all) => `${at} of ${all}`};

/**
 * A dialog for the images of one run. `open({load, step, words})`: `load()` resolves to the facts of
 * an examination, `step(by)` gives the image before or after (the same shape) or null.
 */
export function createCase(run) {
  const title = el('h2', {id: 'case-title'}), state = el('p', {class: 'quiet', role: 'status'}), failed = el('div', {});
  const examination = createExamination(run, (by) => move(by));
  const button = (words, act, id) => el('button', {type: 'button', class: 'small', id, onclick: act}, words);
  const before = button(`‹ ${TEXT.before}`, () => move(-1), 'case-before'), after = button(`${TEXT.after} ›`, () => move(1), 'case-after');
  const head = el('div', {class: 'case-head'}, title, state, before, after, button(TEXT.close, () => node.close(), 'case-close'));
  const node = el('dialog', {class: 'case', 'aria-labelledby': 'case-title'}, head, el('div', {class: 'case-body'}, failed, examination.node));
  node.addEventListener('close', () => { current?.closed?.(); });
  let current = null, asked = 0;

  function move(by) {
    const next = current?.step(by);
    if (next) show(next);
  }
  async function show(item) {
    const turn = ++asked;
    current = item;
    title.textContent = item.words;
    before.disabled = !item.has(-1);
    after.disabled = !item.has(1);
    failed.replaceChildren();
    state.textContent = TEXT.looking;
    examination.busy(item.words);
    try {
      const facts = await item.load();
      if (turn !== asked) return;
      await examination.show(facts);
    } catch (error) {
      if (turn === asked) failed.replaceChildren(problem(error.facts ?? {code: 'E', what: String(error), item: '', todo: ''}, () => show(item)));
    }
    if (turn === asked) state.textContent = '';
  }
  return {
    node,
    open(item) {
      if (!node.isConnected) (document.querySelector('.page-test') ?? document.body).append(node);
      if (!node.open) node.showModal();
      show(item);
      examination.viewer.focus();
    },
  };
}
