// Figures with their intervals and what they rest on, as tables; validation and test set side by side.
import {count, el} from './live.js';

const TEXT = {
  names: {auroc: 'AUROC', sensitivity: 'Sensitivity', specificity: 'Specificity', ppv: 'Positive predictive value', npv: 'Negative predictive value',
    balanced_accuracy: 'Balanced accuracy', accuracy: 'Accuracy', brier: 'Brier score'},
  hints: {auroc: 'How well the probabilities rank; 0.5 is chance.', sensitivity: 'Of those that have it, how many are called.', specificity: 'Of those that have it not, how many are not called.',
    ppv: 'Of those called, how many have it.', npv: 'Of those not called, how many have it not.', balanced_accuracy: 'Mean of the classes\' recall.',
    accuracy: 'Share of images called rightly.', brier: 'Mean squared error of the probabilities; 0 is best.'},
  figure: 'Figure', interval: (level) => `${Math.round(100 * level)} % interval`, rests: 'Images', class: 'Class', byClass: 'Each class against the rest', missing: 'not computable', short: {ppv: 'PPV', npv: 'NPV'},
};
const SHARES = new Set(['sensitivity', 'specificity', 'ppv', 'npv', 'balanced_accuracy', 'accuracy']);
const ORDER = ['auroc', 'sensitivity', 'specificity', 'ppv', 'npv', 'balanced_accuracy', 'accuracy', 'brier'];

/** "0.914" or "76.4 %". */
export function valueWords(key, value) {
  return SHARES.has(key.split('/')[0]) ? `${(100 * value).toFixed(1)} %` : value.toFixed(3);
}
/** "0.811 to 0.961", or "". */
export function intervalWords(key, {low, high}) {
  if (low === null || low === undefined) return '';
  const share = SHARES.has(key.split('/')[0]), show = (end) => share ? (100 * end).toFixed(1) : end.toFixed(3);
  return `${show(low)} to ${show(high)}${share ? ' %' : ''}`;
}
function restWords(key, {numerator, denominator}) {
  if (numerator === null || key.startsWith('auroc')) return count(denominator);
  return `${count(numerator)}/${count(denominator)}`;
}

/** Tables of figures: `parts` is [{title, found}] with `found` as in report/validation.json. */
export function figureTables(parts, label) {
  const keys = Object.keys(parts[0].found.figures), names = [...new Set(keys.filter((key) => key.includes('/')).map((key) => key.slice(key.indexOf('/') + 1)))];
  const overall = table(parts, ORDER.filter((key) => keys.includes(key)), label);
  if (!names.length) return overall;
  return el('div', {}, overall, parts.map((part) => byClass(part, names)));
}

function table(parts, keys, label) {
  const heads = parts.flatMap(({title, found}) => [
    el('th', {scope: 'col', class: 'num'}, title), el('th', {scope: 'col'}, TEXT.interval(found.confidence)), el('th', {scope: 'col', class: 'num'}, TEXT.rests)]);
  const rows = keys.map((key) => el('tr', {'data-figure': key}, el('th', {scope: 'row', title: TEXT.hints[key]}, TEXT.names[key]), parts.flatMap(({found}) => cells(key, found.figures[key]))));
  return el('div', {class: 'scroll'}, el('table', {class: 'plain-table figures', 'aria-label': label}, el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, TEXT.figure), heads)), el('tbody', {}, rows)));
}
function cells(key, figure) {
  if (!figure || figure.value === null) return [el('td', {colspan: 3, class: 'quiet'}, figure?.note ?? '')];
  return [el('td', {class: 'num'}, el('b', {}, valueWords(key, figure.value))), el('td', {}, intervalWords(key, figure) || figure.note), el('td', {class: 'num quiet'}, restWords(key, figure))];
}

/** Several classes or findings: a row for each, against the rest. */
function byClass({title, found}, names) {
  const bases = ORDER.filter((base) => names.some((name) => found.figures[`${base}/${name}`]));
  const cell = (key) => {
    const figure = found.figures[key];
    if (!figure || figure.value === null) return el('td', {class: 'quiet', title: figure?.note}, TEXT.missing);
    return el('td', {'data-figure': key}, el('b', {}, valueWords(key, figure.value)), el('small', {}, [intervalWords(key, figure), key.startsWith('auroc') ? '' : restWords(key, figure)].filter(Boolean).join(', ')));
  };
  const words = [TEXT.byClass, title, TEXT.interval(found.confidence)].filter(Boolean).join(', ');
  return el('div', {class: 'scroll by-class'}, el('table', {class: 'plain-table figures', 'aria-label': words}, el('caption', {}, words),
    el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, TEXT.class), bases.map((base) => el('th', {scope: 'col', title: TEXT.hints[base]}, TEXT.short[base] ?? TEXT.names[base])))),
    el('tbody', {}, names.map((name) => el('tr', {}, el('th', {scope: 'row'}, name), bases.map((base) => cell(`${base}/${name}`)))))));
}
