// The validation split image by image: the curve, the table whose cells open images, the errors.
import {api, count, el, problem} from './live.js';
import {createCase} from './case.js';
import {percent} from './examine.js';
import {figureTables} from './figures.js';
import {imageGrid} from './grid.js';
import {rocChart} from './roc.js';

const TEXT = {
  title: 'How well the student does on validation', about: (images, patients) => `${count(images)} images of ${count(patients)} patients that took no part in training. The threshold was chosen on them, which flatters it a little.`,
  roc: 'ROC curve', figures: 'Figures', value: 'Value', confusion: 'What was called what', labelled: 'Labelled', says: 'Student says', right: 'right', press: 'Press a number to see its images.',
  finding: 'Finding', images: 'Images', grid: 'Validation images', none: 'There is no such image.', shown: (n) => `${count(n)} ${n === 1 ? 'image' : 'images'}`, hint: 'Arrow keys move, Enter opens.',
  queues: {errors: 'Errors', teacher: 'Teacher right, student wrong', both: 'Both wrong: is the label right?', all: 'All'},
  orders: {errors: 'Student and label differ; the most confident error first.', teacher: 'What the student could still learn from the teacher; the most confident error first.',
    both: 'Student and teacher agree against the label, or both miss it. Look whether the label is right; the most confident error first.', all: 'In the order of the data.'},
  cell: (truth, said, finding = '') => `${finding ? `${finding}: l` : 'L'}abelled ${truth}, student says ${said}`, absent: 'absent', present: 'present', no: 'nothing', teacherSays: 'Teacher', tag: 'The number is the probability of what the student says.', tagOf: (name, limit) => `The number is the probability of “${name}”, called from ${limit} on.`,
  synthetic: 'Synthetic images', loading: 'Reading the validation figures …',
};

export function createReview(run) {
  const node = el('div', {class: 'test-part', id: 'part-validation', 'data-state': 'loading'}, el('p', {class: 'quiet', role: 'status'}, TEXT.loading));
  return {
    node,
    async start() {
      try {
        const found = await api(`/api/test/validation/${run.id}`);
        node.replaceChildren(...parts(run, found));
        node.dataset.state = 'ready';
      } catch (error) {
        if (!error.facts) throw error;
        node.replaceChildren(problem(error.facts));
        node.dataset.state = 'failed';
      }
    },
    stop() {},
  };
}

function parts(run, found) {
  const {figures} = found, many = figures.task === 'multilabel';
  const images = imagesCard(run, found);
  const finding = el('select', {id: 'finding'}, run.classes.map((name, place) => el('option', {value: place}, name)));
  const tables = el('div', {});
  const tell = () => {
    const place = Number(finding.value);
    tables.replaceChildren(confusion(figures, many ? place : null, run, (truth, said) => images.cell(truth, said)));
    images.finding(many ? place : null);
  };
  finding.addEventListener('change', tell);
  tell();
  return [
    el('p', {class: 'about'}, TEXT.about(figures.images, figures.patients)),
    el('div', {class: `review-cols${run.classes.length === 2 && !many ? '' : ' uneven'}`},
      el('section', {class: 'card'}, el('h2', {}, TEXT.roc), rocChart(run, found)),
      el('div', {class: 'review-side'}, el('section', {class: 'card'}, el('h2', {}, TEXT.figures), figureTables([{title: TEXT.value, found: figures}], TEXT.figures)),
        el('section', {class: 'card'}, el('div', {class: 'shown-head'}, el('h2', {}, TEXT.confusion), many ? el('label', {}, `${TEXT.finding} `, finding) : null), tables))),
    images.node,
  ];
}

/** Counts as a table; every number is a button that opens its images. */
function confusion(figures, place, run, open) {
  const table = place === null ? figures.confusion[0] : figures.confusion.find(({title}) => title === run.classes[place]);
  if (!table) return el('p', {class: 'quiet'}, figures.figures[`sensitivity/${run.classes[place]}`]?.note ?? '');
  const rows = table.counts.map((line, truth) => {
    const whole = line.reduce((sum, number) => sum + number, 0);
    return el('tr', {}, el('th', {scope: 'row'}, table.labels[truth]), line.map((number, said) => {
      const words = `${TEXT.cell(table.labels[truth], table.labels[said], place === null ? '' : table.title)}: ${TEXT.shown(number)}`;
      const share = whole ? number / whole : 0;
      return el('td', {class: truth === said ? 'agree' : 'differ', style: `--share:${share.toFixed(3)}`},
        number ? el('button', {type: 'button', class: 'cell', 'aria-label': words, title: words, onclick: () => open(truth, said)}, count(number)) : el('span', {class: 'cell none'}, '0'),
        truth === said ? el('small', {}, `✓ ${TEXT.right}`) : null);
    }));
  });
  return el('div', {}, el('div', {class: 'scroll'}, el('table', {class: 'confusion', 'aria-label': TEXT.confusion},
    el('thead', {}, el('tr', {}, el('th', {scope: 'col', class: 'corner-head'}, `${TEXT.labelled} ↓  ${TEXT.says} →`), table.labels.map((name) => el('th', {scope: 'col'}, name)))), el('tbody', {}, rows))),
  el('p', {class: 'small-print'}, `${table.rule} ${TEXT.press}`));
}

function imagesCard(run, {figures, dataset, images}) {
  const many = figures.task === 'multilabel', numbers = images.image.map((_, index) => index);
  const has = (lists, index, place) => lists[index].includes(place);
  let finding = null, queue = 'errors', cell = null, shown = [];
  const truth = (index) => many ? Number(has(images.truth, index, finding)) : images.truth[index][0];
  const said = (index) => many ? Number(has(images.said, index, finding)) : images.said[index][0];
  const taught = (index) => !images.taught ? null : many ? Number(has(images.taught, index, finding)) : images.taught[index][0];
  const sure = (index) => images.sure[index][many ? finding : 0];
  const wrong = (index) => truth(index) !== said(index);
  const QUEUES = {
    errors: wrong, teacher: (index) => wrong(index) && taught(index) === truth(index), both: (index) => wrong(index) && taught(index) !== truth(index), all: () => true,
  };
  const names = Object.keys(QUEUES).filter((name) => images.taught || name === 'errors' || name === 'all');
  const name = (place) => many ? (place ? TEXT.present : TEXT.absent) : run.classes[place];
  const buttons = Object.fromEntries(names.map((key) => [key, el('button', {type: 'button', class: 'small queue', 'data-queue': key, onclick: () => { queue = key; cell = null; tell(); }})]));
  const picked = el('span', {class: 'badge live', hidden: true}), words = el('p', {class: 'small-print', role: 'status', id: 'queue-words'}), none = el('p', {class: 'quiet', hidden: true}, TEXT.none);
  const grid = imageGrid({label: TEXT.grid, height: 'min(520px, 60vh)', cell: 124, describe, open: (index, at) => dialog.open(item(at))});
  grid.id = 'review-grid';
  const dialog = createCase(run);
  const node = el('section', {class: 'card', id: 'review-images'}, el('div', {class: 'shown-head'}, el('h2', {}, TEXT.images), run.synthetic ? el('span', {class: 'badge idle'}, TEXT.synthetic) : null, picked),
    el('div', {class: 'row queues', role: 'group', 'aria-label': TEXT.images}, Object.values(buttons)), words, none, grid);

  function tell() {
    shown = cell ? numbers.filter((index) => truth(index) === cell[0] && said(index) === cell[1]) : numbers.filter(QUEUES[queue]);
    if (cell || queue !== 'all') shown.sort((one, other) => sure(other) - sure(one) || one - other);
    for (const [key, button] of Object.entries(buttons)) {
      button.textContent = `${TEXT.queues[key]} (${count(numbers.filter(QUEUES[key]).length)})`;
      button.setAttribute('aria-pressed', String(!cell && key === queue));
    }
    picked.hidden = !cell;
    picked.textContent = cell ? TEXT.cell(name(cell[0]), name(cell[1]), many && run.classes[finding]) : '';
    words.textContent = [TEXT.shown(shown.length), cell ? '' : TEXT.orders[queue], shown.length ? `${tagWords()} ${TEXT.hint}` : ''].filter(Boolean).join('. ').replaceAll('..', '.');
    none.hidden = shown.length > 0;
    grid.hidden = !shown.length;
    node.dataset.shown = String(shown.length);
    grid.show(shown);
  }
  const [[limited, limit] = []] = Object.entries(figures.thresholds), two = !many && run.classes.length === 2 && limited;
  /** The place of the class whose probability stands on an image. */
  const told = (index) => many ? finding : two ? run.classes.indexOf(limited) : said(index);
  const called = (index) => images.student[index][told(index)];
  function tagWords() {
    if (two) return TEXT.tagOf(limited, percent(limit));
    const own = many && figures.thresholds[run.classes[finding]];
    return own ? TEXT.tagOf(run.classes[finding], percent(own)) : TEXT.tag;
  }
  function describe(index) {
    const teacher = images.taught ? `; ${TEXT.teacherSays}: ${name(taught(index))}` : '';
    return {src: `/api/thumb/${dataset}/${images.row[index]}?side=160`, tag: percent(called(index)), tone: wrong(index) ? 'bad' : '',
      name: `${TEXT.cell(name(truth(index)), name(said(index)), many && run.classes[finding])} (${run.classes[told(index)]} ${percent(called(index))})${teacher}`};
  }
  function item(at) {
    const index = shown[at];
    return {
      words: TEXT.cell(name(truth(index)), name(said(index)), many && run.classes[finding]), load: () => api('/api/test/examine/image', {run: run.id, image: images.image[index]}),
      has: (by) => shown[at + by] !== undefined, step: (by) => shown[at + by] === undefined ? null : item(at + by), closed: () => grid.focusItem(at),
    };
  }
  return {
    node,
    finding(place) { finding = place; cell = null; tell(); },
    cell(row, column) { cell = [row, column]; tell(); node.scrollIntoView({block: 'start'}); grid.focus({preventScroll: true}); },
  };
}
