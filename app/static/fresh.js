// New images: dropped, pasted or examples; one by one in the viewer, a folder as a table.
import {api, count, el, problem, progressBar} from './live.js';
import {createCase} from './case.js';
import {dropZone} from './drop.js';
import {createExamination, percent, wordOf} from './examine.js';
import {failureOf, follow} from './follow.js';
import {createTable} from './table.js';

const TEXT = {
  choose: 'Choose images', drop: 'Drop images or a folder here', kinds: 'PNG, JPEG, TIFF, BMP or DICOM. Copied into the workspace, and removed again.',
  path: 'Or the path of an image or a folder', pathHint: 'Read where it is; nothing is copied.', look: 'Look at it',
  try: 'Try an example', trySynthetic: 'Four synthetic images, drawn now; no split has seen them.', tryReal: 'Up to four images of this project\'s validation split.',
  looking: (done, all) => all > 1 ? `Looking at image ${done + 1} of ${all} …` : 'Looking at the image …', first: ' The networks are loaded first; that takes a few seconds.',
  examined: 'Images looked at', clear: 'Forget these images', kept: 'Kept until Bedside restarts.', not: 'not read',
  folder: (name) => `Folder ${name}`, dropped: 'Dropped images', table: 'Predictions', classify: 'Reading and classifying the images', stop: 'Stop', csv: 'Save as CSV', forget: 'Forget this table',
  file: 'File', says: 'Student says', reason: 'Not read because', open: (name) => `Open ${name}`,
  done: (done, unread) => `${count(done)} ${done === 1 ? 'file' : 'files'}${unread ? `, ${count(unread)} could not be read` : ''}.`,
  stopped: (done, files) => `Stopped after ${count(done)} of ${count(files)} files.`, research: 'Research use. Not for diagnosis.',
  gone: {what: 'The classification was interrupted.', todo: 'Give the folder again; nothing of it was changed.'},
  hidden: (number) => `Probabilities of the first ${number} classes are shown; the CSV holds all.`,
};
const COLUMNS = 6, EXAMPLES = 4;

export function createFresh(run) {
  const failed = el('div', {'aria-live': 'polite'}), status = el('p', {class: 'looking', role: 'status', id: 'looking'});
  const path = el('input', {type: 'text', id: 'new-path', autocomplete: 'off', spellcheck: 'false'});
  const lookButton = el('button', {type: 'submit', class: 'small', id: 'look'}, TEXT.look);
  const form = el('form', {class: 'path-form'}, el('label', {for: 'new-path'}, TEXT.path), el('div', {class: 'row'}, path, lookButton), el('p', {class: 'small-print'}, TEXT.pathHint));
  const tryButton = el('button', {type: 'button', class: 'small primary', id: 'try-example', onclick: examples}, TEXT.try);
  const zone = dropZone({label: TEXT.drop, hint: TEXT.kinds, folder: 'both', wholePage: true, onDone: arrived});
  const choose = el('section', {class: 'card choose'}, el('h2', {}, TEXT.choose), el('div', {class: 'choose-parts'}, zone, el('div', {}, form,
    el('div', {class: 'row try'}, tryButton, el('span', {class: 'small-print'}, run.synthetic ? TEXT.trySynthetic : TEXT.tryReal)))), status, failed);

  const strip = el('ul', {class: 'strip', 'aria-label': TEXT.examined});
  const examination = createExamination(run, step, turn);
  const clear = el('button', {type: 'button', class: 'small', id: 'forget-images', onclick: forgetAll}, TEXT.clear);
  const shown = el('section', {class: 'card shown', hidden: true, id: 'examined'}, el('div', {class: 'shown-head'}, el('h2', {}, TEXT.examined), strip, el('span', {class: 'small-print'}, TEXT.kept), clear), examination.node);
  const tablePlace = el('div', {});
  const node = el('div', {class: 'test-part', id: 'part-new'}, choose, shown, tablePlace);
  let items = [], current = -1, waiting = Promise.resolve(), watch = () => {};

  form.addEventListener('submit', (event) => { event.preventDefault(); guard(() => lookAt('path', {path: path.value}), lookButton); });

  // ---- images one by one
  async function guard(act, button) {
    failed.replaceChildren();
    if (button) button.disabled = true;
    try { await act(); } catch (error) {
      failed.replaceChildren(problem(error.facts ?? {code: 'E', what: String(error), item: '', todo: ''}));
    } finally { if (button) button.disabled = false; }
  }
  async function lookAt(kind, body) {
    const found = await api(`/api/test/look/${kind}`, {run: run.id, ...body});
    if (found.task) { followTable(found.task); reveal(tablePlace); return false; }
    const asks = found.files.map((name, number) => ({name, body: kind === 'path' ? ['path', body] : ['file', {...body, number}]}));
    await examineAll(asks);
    return true;
  }
  async function arrived({id}) {
    const before = items.length;
    const looked = await lookAt('arrived', {arrived: id}), several = items.slice(before).some(({pictures}) => pictures > 1);
    if (looked && !several) await api(`/api/ingest/${id}/cancel`, {});   // looked at: the copies may go
  }
  function examples() {
    const batch = Math.floor(Math.random() * 1e6);
    const asks = Array.from({length: EXAMPLES}, (_, number) => ({name: '', body: ['example', {number, batch}]}));
    return guard(() => examineAll(asks), tryButton);
  }
  /** One after another, also when more are chosen meanwhile. */
  function examineAll(asks) {
    const mine = waiting.then(() => examineEach(asks));
    waiting = mine.catch(() => {});
    return mine;
  }
  async function examineEach(asks) {
    try {
      for (const [place, {name, body: [kind, body]}] of asks.entries()) {
        status.textContent = TEXT.looking(place, asks.length) + (items.length ? '' : TEXT.first);
        let facts;
        try { facts = await api(`/api/test/examine/${kind}`, {run: run.id, ...body}); } catch (error) {
          if (!error.facts) throw error;
          facts = {id: `failed-${Date.now()}`, name, code: error.facts.code, reason: error.facts.what, todo: error.facts.todo};
        }
        add(facts);
        if (place === 0) { open(items.length - 1); reveal(shown); }
      }
    } finally { status.textContent = ''; }
  }
  function add(facts) {
    items.push(facts);
    const place = items.length - 1, word = facts.student?.length ? wordOf(run, facts.predicted) : `${facts.code} ${TEXT.not}`;
    const picture = facts.student ? el('img', {src: `/api/test/picture/${facts.id}/input`, alt: '', width: 40, height: 40}) : el('span', {class: 'no-picture', 'aria-hidden': 'true'}, '!');
    strip.append(el('li', {}, el('button', {type: 'button', class: `strip-item${facts.student ? '' : ' bad'}`, 'aria-pressed': 'false', onclick: () => open(place)},
      picture, el('span', {}, el('b', {}, facts.name), el('small', {}, word)))));
    shown.hidden = false;
  }
  function open(place) {
    current = place;
    [...strip.querySelectorAll('button')].forEach((button, at) => button.setAttribute('aria-pressed', String(at === place)));
    return examination.show(items[place]).catch((error) => failed.replaceChildren(problem(error.facts ?? {code: 'E', what: String(error), item: '', todo: ''})));
  }
  /** Another picture of a file that holds several. */
  async function turn(picture) {
    const place = current, {id} = items[place];
    items[place] = await api('/api/test/examine/turn', {id, picture});
    await api(`/api/test/forget/${id}`, {});
    if (current === place) await examination.show(items[place]);
  }
  function step(by) { if (items[current + by]) open(current + by); }
  function forgetAll() {
    return guard(async () => {
      for (const {id} of items) if (!id.startsWith('failed')) await api(`/api/test/forget/${id}`, {});
      items = [];
      current = -1;
      strip.replaceChildren();
      shown.hidden = true;
    }, clear);
  }

  // ---- a folder as a table
  function followTable(task) {
    watch();
    const bar = progressBar(TEXT.classify), stop = el('button', {type: 'button', class: 'small', id: 'stop-table', onclick: () => guard(() => api(`/api/task/${task}/stop`, {}), stop)}, TEXT.stop);
    const wrong = el('div', {});
    bar.set({text: TEXT.classify});
    tablePlace.replaceChildren(el('section', {class: 'card', id: 'table-card', 'data-state': 'running'}, el('h2', {}, TEXT.table), bar, el('div', {class: 'row after-bar'}, stop), wrong));
    watch = follow(task, (facts) => bar.set({text: facts.phase.text || TEXT.classify, done: facts.done, total: facts.total, eta_s: facts.eta_s, live: facts.live}),
      (facts) => guard(() => showTable(task, facts)), () => tablePlace.replaceChildren());
  }
  async function showTable(task, facts) {
    const failure = failureOf(facts, TEXT.gone);
    const forget = el('button', {type: 'button', class: 'small', id: 'forget-table', onclick: () => guard(async () => { await api(`/api/test/table/${task}/forget`, {}); tablePlace.replaceChildren(); }, forget)}, TEXT.forget);
    if (failure) {
      tablePlace.replaceChildren(el('section', {class: 'card', id: 'table-card', 'data-state': 'failed'}, el('h2', {}, folderOf(facts)), problem(failure), forget));
      return;
    }
    const {columns, data} = await api(`/api/test/table/${task}`), {result} = facts;
    const rows = data.map((values, index) => ({index, ...Object.fromEntries(columns.map((name, place) => [name, values[place]]))}));
    const table = createTable({columns: tableColumns(rows), rows, label: TEXT.table, onOpen: openRow});
    const words = (result.stopped ? `${TEXT.stopped(result.done, result.files)} ` : '') + TEXT.done(result.done, result.unread) + (run.classes.length > COLUMNS ? ` ${TEXT.hidden(COLUMNS)}` : '');
    const csv = el('a', {class: 'button', id: 'csv', href: `/api/test/csv/${task}`, download: ''}, TEXT.csv);
    tablePlace.replaceChildren(el('section', {class: 'card', id: 'table-card', 'data-state': 'done'}, el('div', {class: 'shown-head'}, el('h2', {}, folderOf(facts)), el('span', {class: 'quiet'}, words), csv, forget), table.node,
      el('p', {class: 'small-print'}, TEXT.research)));

    const dialog = createCase(run);
    function item(row) {
      return {words: row.file, load: () => api('/api/test/examine/row', {task, row: row.index}), has: () => true,
        step: (by) => { const next = table.step(by); return next ? item(next) : null; }};
    }
    function openRow(row) { dialog.open(item(row)); }
  }
  function tableColumns(rows) {
    const names = run.classes.slice(0, COLUMNS);
    const found = [{title: TEXT.file, key: (row) => row.file, cell: (row) => row.file, wide: true},
      {title: TEXT.says, key: (row) => row.code ? null : wordOf(run, row.predicted), cell: (row) => row.code ? '' : wordOf(run, row.predicted)},
      ...names.map((name) => ({title: name, num: true, key: (row) => row[`p_${name}`], cell: (row) => row[`p_${name}`] === null ? '' : percent(row[`p_${name}`])}))];
    if (rows.some(({code}) => code)) found.push({title: TEXT.reason, key: (row) => row.code, cell: (row) => row.code ? `${row.code} ${row.reason}` : '', wide: true});
    return found;
  }

  return {
    node,
    /** What the disk knows: images looked at before, and the newest table. */
    async start() {
      const known = await api(`/api/test/examinations?${new URLSearchParams({run: run.id})}`);
      known.examinations.forEach(add);
      if (items.length) open(items.length - 1);
      if (run.table) followTable(run.table);
    },
    stop() { watch(); },
  };
}

/** Scroll to a part of the page, if it is not in sight. */
function reveal(part) {
  if (part.getBoundingClientRect().top > innerHeight * 0.55) part.scrollIntoView({block: 'start'});
}

function folderOf({request}) {
  const path = request?.path ?? '', name = path.replaceAll('\\', '/').split('/').filter(Boolean).pop() ?? '';
  return /[\\/]incoming[\\/][0-9a-f]{16}[\\/]files$/.test(path) ? TEXT.dropped : TEXT.folder(name);
}
