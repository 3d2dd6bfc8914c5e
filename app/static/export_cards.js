// What the Export page says of one student: what it is, whether its files agree, which they are.
import {bytes, el, figure, problem} from './live.js';
import {large, megabytes, time_ms} from './models_cards.js';

const TEXT = {
  student: 'The student', synthetic: 'Trained on synthetic images', classes: 'Classes', looks: 'Looks at', side: (side, channels) => `${side} × ${side} px, ${channels === 3 ? 'colour' : 'grey'}`,
  validation: 'AUROC on validation', test: 'AUROC on the test set', sealed: 'sealed', size: 'Size', sizes: (parameters, file) => `${parameters} parameters, ${file}`,
  time: 'One picture', onMachine: (time, machine) => `${time} on ${machine}`, threshold: 'Counts as found', from: (name, value) => `${name}: from a probability of ${value} on`,
  chosen: 'chosen on validation', noThreshold: 'no threshold was chosen', prepared: 'How a picture is prepared', fit: {pad: 'brought to a square with black edges', stretch: 'stretched to a square'},
  window: (center, width) => `window: centre ${center}, width ${width}`, ownWindow: 'each file’s own window', method: 'Trained by', teacher: 'Teacher', nobody: 'none: it learned from the labels alone',
  licence: 'Licence of the teacher', started: 'It was started from weights in a file.', multilabel: 'any number of them in one image',
  parity: 'Do the files agree?', agrees: 'They agree', differs: 'They differ', damaged: 'A file was changed', unknown: 'Not compared',
  agreesWords: (images, most, allowed) => `The student as it was trained, its weights read back from the file and the ONNX file were asked about the same ${images} validation images. In no probability do they differ by more than ${most}; ${allowed} is allowed.`,
  unchanged: 'The checksums of both files are those on the card: nothing has been changed since.',
  differsWords: 'The exported files do not answer like the student that was trained. They are not handed over.',
  unknownWords: 'There is no record of the comparison, so the folder is not handed over. Train again, or resume the run.',
  files: 'The files', table: 'Table of the files', name: 'File', bytes: 'Size', sha: 'SHA-256 checksum',
};

export function studentCard(card) {
  const auroc = card.figures.validation;
  const rows = [
    [TEXT.classes, card.classes.join(', ') + (card.task === 'multilabel' ? ` (${TEXT.multilabel})` : '')],
    [TEXT.looks, TEXT.side(card.image_px, card.channels)],
    [TEXT.threshold, thresholds(card)],
    [TEXT.prepared, [TEXT.fit[card.pixels.fit], card.pixels.window ? TEXT.window(card.pixels.window.center, card.pixels.window.width) : TEXT.ownWindow].join('; ')],
    [TEXT.method, card.method + (card.started_from ? `. ${TEXT.started}` : '')],
    [TEXT.teacher, card.teacher ? card.teacher.title : TEXT.nobody],
    card.teacher ? [TEXT.licence, `${card.teacher.licence}. ${card.teacher.licence_note}`] : null,
  ];
  return el('section', {class: 'card export-student', 'aria-labelledby': 'export-student-title'},
    el('div', {class: 'export-head'}, el('h2', {id: 'export-student-title'}, card.title), card.synthetic ? el('span', {class: 'badge warn'}, TEXT.synthetic) : null),
    card.cost.summary ? el('p', {class: 'quiet'}, card.cost.summary) : null,
    el('dl', {class: 'facts'},
      fact(TEXT.validation, auroc ? auroc.value?.toFixed(3) ?? '–' : '–', auroc && auroc.low !== null ? figure(auroc).replace(/^\S+ /, '') : ''),
      fact(TEXT.test, card.figures.test?.value?.toFixed(3) ?? TEXT.sealed, card.figures.test && card.figures.test.low !== null ? figure(card.figures.test).replace(/^\S+ /, '') : ''),
      card.cost.parameters ? fact(TEXT.size, megabytes(card.cost.megabytes), `${large(card.cost.parameters)} parameters`) : null,
      card.cost.latency_ms ? fact(TEXT.time, time_ms(card.cost.latency_ms), card.cost.machine) : null),
    el('table', {class: 'export-rows'}, el('tbody', {}, ...rows.filter(Boolean).map(([name, words]) => el('tr', {}, el('th', {scope: 'row'}, name), el('td', {}, words))))));
}

const fact = (name, value, words) => el('div', {}, el('dt', {}, name), el('dd', {}, value), words ? el('dd', {class: 'fact-words'}, words) : null);

function thresholds(card) {
  const found = Object.entries(card.thresholds);
  if (!found.length) return TEXT.noThreshold;
  return `${found.map(([name, value]) => TEXT.from(name, value.toFixed(3))).join('; ')} (${TEXT.chosen})`;
}

export function parityCard(parity) {
  const good = parity.state === 'agrees';
  const badge = el('span', {class: `badge ${good ? 'good' : parity.state === 'unknown' ? 'warn' : 'bad'}`}, `${good ? '✓' : '✗'} ${TEXT[parity.state]}`);
  const words = {
    agrees: () => [el('p', {}, TEXT.agreesWords(parity.images, small(parity.max_difference), small(parity.tolerance))), el('p', {class: 'small-print'}, TEXT.unchanged)],
    differs: () => [el('p', {}, parity.text || TEXT.differsWords)],
    damaged: () => [problem(parity.problem)],
    unknown: () => [el('p', {}, TEXT.unknownWords)],
  }[parity.state]();
  return el('section', {class: `card parity ${good ? 'good' : 'bad'}`, id: 'parity', 'data-state': parity.state, 'aria-labelledby': 'parity-title'},
    el('div', {class: 'export-head'}, el('h2', {id: 'parity-title'}, TEXT.parity), badge), ...words);
}

/** A tiny number in plain digits, rounded up: 4.17e-7 as 0.0000005. */
function small(number) {
  if (!(number > 0)) return '0';
  const digits = Math.min(12, Math.max(1, Math.ceil(-Math.log10(number))));
  return (Math.ceil(number * 10 ** digits - 1e-9) / 10 ** digits).toFixed(digits);
}

export function fileTable(files) {
  const head = el('tr', {}, ...[TEXT.name, TEXT.bytes, TEXT.sha].map((name, place) => el('th', {scope: 'col', class: place === 1 ? 'num' : ''}, name)));
  const rows = files.map((file) => el('tr', {}, el('td', {}, el('b', {}, file.name), el('span', {class: 'small-print'}, file.what)),
    el('td', {class: 'num'}, file.bytes < 1e5 ? bytes(file.bytes) : megabytes(file.bytes / 1e6)), el('td', {}, el('code', {class: 'sha'}, file.sha256))));
  return el('section', {class: 'card', 'aria-labelledby': 'files-title'}, el('h2', {id: 'files-title'}, TEXT.files),
    el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': TEXT.table}, el('table', {class: 'plain-table export-files'}, el('thead', {}, head), el('tbody', {}, ...rows))));
}
