// One image of the project in full, with what is known of it, in a dialog.
import {api, count, el, problem} from './live.js';

const TEXT = {
  close: 'Close', previous: 'Previous', next: 'Next', file: 'Show the file’s name', noFile: 'not known', noLabel: 'no finding', synthetic: 'Synthetic image',
  asKept: (side) => `Shown as the networks see it, ${side}, enlarged without smoothing.`, place: (n, of) => `Image ${count(n)} of ${count(of)}`,
};

/** The classes of an image in words. `list` holds `labels` (of each image, indices) and `classes`. */
export const labelled = (list, place) => list.labels[place].map((label) => list.classes[label]).join(', ') || TEXT.noLabel;

/**
 * Open an image, and lead to its neighbours.
 *
 * `list` also holds `dataset`, `rows` and `synthetic`; `shown` are the places in it that can be stepped
 * through, `index` is where among them to begin; `closed(index)` is called in the end.
 */
export function showOne({list, project, shown, index, closed}) {
  const image = el('img', {class: 'one-image', alt: ''}), kept = el('p', {class: 'small-print'});
  const facts = el('dl', {class: 'one-facts'}), title = el('h2', {id: 'one-title'});
  const back = el('button', {type: 'button', class: 'small', onclick: () => step(-1)}, TEXT.previous);
  const ahead = el('button', {type: 'button', class: 'small', onclick: () => step(1)}, TEXT.next);
  const close = el('button', {type: 'button', class: 'small', autofocus: true, onclick: () => dialog.close()}, TEXT.close);
  const dialog = el('dialog', {class: 'one', 'aria-labelledby': 'one-title'},
    el('div', {class: 'help-head'}, title, el('div', {class: 'row'}, back, ahead, close)),
    el('div', {class: 'one-body'}, el('div', {}, image, kept), facts));
  image.addEventListener('load', () => {
    const factor = Math.max(1, Math.floor(448 / image.naturalWidth));
    image.style.width = `${image.naturalWidth * factor}px`;
    kept.textContent = TEXT.asKept(`${image.naturalWidth} × ${image.naturalHeight} px`);
  });
  dialog.addEventListener('keydown', (event) => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (by) { event.preventDefault(); step(by); }
  });
  dialog.addEventListener('close', () => { dialog.remove(); closed(index); });
  document.getElementById('page').append(dialog);
  dialog.showModal();
  step(0);

  async function step(by) {
    index = Math.max(0, Math.min(shown.length - 1, index + by));
    const place = shown[index], row = list.rows[place];
    title.textContent = `${TEXT.place(index + 1, shown.length)}${list.synthetic ? ` · ${TEXT.synthetic}` : ''}`;
    back.disabled = index === 0;
    ahead.disabled = index === shown.length - 1;
    image.alt = labelled(list, place);
    image.src = `/api/thumb/${list.dataset}/${row}?side=1024`;
    try {
      const known = await api(`/api/data/project/${project}/image/${row}`);
      if (shown[index] !== place) return;   // another one was asked for meanwhile
      facts.replaceChildren(...known.facts.flatMap(([name, words]) => [el('dt', {}, name), el('dd', {}, el('bdi', {}, words))]),
        el('dt', {}, 'File'), el('dd', {}, el('button', {type: 'button', class: 'small', onclick: (event) => name(event.target, row)}, TEXT.file)));
    } catch (error) {
      if (error.facts) facts.replaceChildren(problem(error.facts));
    }
  }

  async function name(button, row) {
    try {
      const {file} = await api(`/api/data/project/${project}/image/${row}/file`);
      button.replaceWith(el('bdi', {}, file || TEXT.noFile));
    } catch (error) {
      if (error.facts) button.replaceWith(problem(error.facts));
    }
  }
}
