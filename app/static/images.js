// The project's images: a grid with filters, and one image in full with what is known of it.
import {api, count, el, problem} from './live.js';
import {imageGrid} from './grid.js';
import {labelled, showOne} from './one.js';
import {onData} from './data.js';

const TEXT = {
  title: 'Images', grid: 'Images of the project', every: 'All', class: 'Class', part: 'Used for', shown: (n, of) => n === of ? `${count(n)} images` : `${count(n)} of ${count(of)} images`,
  parts: ['Training', 'Validation', 'Test (sealed)'], short: ['', 'V', 'T'], legend: 'V validation, T sealed test', undivided: 'Not divided',
  hint: 'Arrow keys move, Enter opens.', none: 'No image is of this class and this part.', synthetic: 'Synthetic image', synthetics: 'Synthetic images: no patient is shown.',
  noLabel: 'no finding',
};

export function mount(element) {
  const chooseClass = el('select', {id: 'filter-class'}), choosePart = el('select', {id: 'filter-part'});
  const number = el('span', {class: 'quiet', id: 'images-count', role: 'status'});
  const badge = el('span', {class: 'badge idle', hidden: true}, TEXT.synthetics);
  const none = el('p', {class: 'quiet', hidden: true}, TEXT.none), failed = el('div', {});
  const grid = imageGrid({label: TEXT.grid, height: 'min(640px, 72vh)', describe,
    open: (item, index) => showOne({list, project, shown, index, closed: (last) => grid.focusItem(last)})});
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

  function describe(place) {
    const part = list.splits[place];
    const words = [labelled(list, place), TEXT.parts[part] ?? TEXT.undivided, list.synthetic ? TEXT.synthetic : ''];
    return {src: `/api/thumb/${list.dataset}/${list.rows[place]}?side=${side}`, name: words.filter(Boolean).join(', '), tag: TEXT.short[part] ?? ''};
  }
}

/** Fill a <select>; what was chosen stays chosen if it is still there. */
function options(select, names) {
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => el('option', {value: name}, name)));
  if (names.includes(chosen)) select.value = chosen;
}
