// The project's images: a grid with filters, and one image in full with what is known of it.
import {api, count, el, problem} from './live.js';
import {imageGrid} from './grid.js';
import {onData} from './data.js';

const TEXT = {
  title: 'Images', grid: 'Images of the project', every: 'All', class: 'Class', part: 'Used for', shown: (n, of) => n === of ? `${count(n)} images` : `${count(n)} of ${count(of)} images`,
  parts: ['Training', 'Validation', 'Test (sealed)'], short: ['', 'V', 'T'], legend: 'V validation, T sealed test', undivided: 'Not divided',
  hint: 'Arrow keys move, Enter opens.', none: 'No image is of this class and this part.', synthetic: 'Synthetic image', synthetics: 'Synthetic images: no patient is shown.',
  close: 'Close', previous: 'Previous', next: 'Next', file: 'Show the file’s name', noFile: 'not known', noLabel: 'no finding',
  asKept: (side) => `Shown as the networks see it, ${side}, enlarged without smoothing.`, place: (n, of) => `Image ${count(n)} of ${count(of)}`,
};

export function mount(element) {
  const chooseClass = el('select', {id: 'filter-class'}), choosePart = el('select', {id: 'filter-part'});
  const number = el('span', {class: 'quiet', id: 'images-count', role: 'status'});
  const badge = el('span', {class: 'badge idle', hidden: true}, TEXT.synthetics);
  const none = el('p', {class: 'quiet', hidden: true}, TEXT.none), failed = el('div', {});
  const grid = imageGrid({label: TEXT.grid, height: 'min(640px, 72vh)', describe, open: (item, index) => showOne(index)});
  grid.id = 'grid';
  const card = el('section', {class: 'card', hidden: true},
    el('div', {class: 'images-head'}, el('h2', {}, TEXT.title), badge, number, el('span', {class: 'grow'}),
      el('label', {}, TEXT.class, ' ', chooseClass), el('label', {}, TEXT.part, ' ', choosePart)),
    failed, none, grid, el('p', {class: 'small-print'}, TEXT.legend, '. ', TEXT.hint));
  element.append(card);
  const side = Math.min(256, Math.round(120 * devicePixelRatio));   // px of a thumbnail
  let list = null, project = '', drawn = '', shown = [];

  onData(async (state) => {
    const found = state.found;
    card.hidden = !found || state.problem?.code === 'I08';
    const key = card.hidden ? '' : `${state.project.id} ${found.dataset} ${state.split?.sha256} ${found.usable}`;
    if (!key || key === drawn) return;
    drawn = key;
    project = state.project.id;
    try {
      failed.replaceChildren();
      list = await api(`/api/data/project/${project}/images`);
    } catch (error) {
      drawn = '';
      if (error.facts) failed.replaceChildren(problem(error.facts));
      return;
    }
    badge.hidden = !list.synthetic;
    options(chooseClass, [TEXT.every, ...list.classes, ...(list.labels.some((labels) => !labels.length) ? [TEXT.noLabel] : [])]);
    options(choosePart, list.splits.includes(-1) ? [TEXT.every] : [TEXT.every, ...TEXT.parts]);
    filter();
  });
  chooseClass.addEventListener('change', filter);
  choosePart.addEventListener('change', filter);

  function filter() {
    const wanted = chooseClass.selectedIndex - 1, part = choosePart.selectedIndex - 1;
    shown = [];
    for (let place = 0; place < list.rows.length; place += 1) {
      const labels = list.labels[place];
      const fits = wanted < 0 || (wanted === list.classes.length ? !labels.length : labels.includes(wanted));
      if (fits && (part < 0 || list.splits[place] === part)) shown.push(place);
    }
    none.hidden = shown.length > 0;
    number.textContent = TEXT.shown(shown.length, list.rows.length);
    grid.scrollTop = 0;
    grid.show(shown);
  }

  const labelled = (place) => list.labels[place].map((label) => list.classes[label]).join(', ') || TEXT.noLabel;
  function describe(place) {
    const part = list.splits[place];
    const words = [labelled(place), TEXT.parts[part] ?? TEXT.undivided, list.synthetic ? TEXT.synthetic : ''];
    return {src: `/api/thumb/${list.dataset}/${list.rows[place]}?side=${side}`, name: words.filter(Boolean).join(', '), tag: TEXT.short[part] ?? ''};
  }

  function showOne(start) {
    let index = start;
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
    dialog.addEventListener('close', () => { dialog.remove(); grid.focusItem(index); });
    document.getElementById('page').append(dialog);
    dialog.showModal();
    step(0);

    async function step(by) {
      index = Math.max(0, Math.min(shown.length - 1, index + by));
      const place = shown[index], row = list.rows[place];
      title.textContent = `${TEXT.place(index + 1, shown.length)}${list.synthetic ? ` · ${TEXT.synthetic}` : ''}`;
      back.disabled = index === 0;
      ahead.disabled = index === shown.length - 1;
      image.alt = labelled(place);
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

/** Fill a <select>; what was chosen stays chosen if it is still there. */
function options(select, names) {
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => el('option', {value: name}, name)));
  if (names.includes(chosen)) select.value = chosen;
}
