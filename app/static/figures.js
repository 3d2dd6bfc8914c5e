// Figures with their intervals and what they rest on, as tables; validation and test set side by side.
import {count, el} from './live.js';

const TEXT = {
  names: {auroc: 'AUROC', sensitivity: 'Sensitivity', specificity: 'Specificity', ppv: 'Positive predictive value', npv: 'Negative predictive value',
    balanced_accuracy: 'Balanced accuracy', accuracy: 'Accuracy', brier: 'Brier score'},
  hints: {auroc: 'How well the probabilities rank; 0.5 is chance.', sensitivity: 'Of those that have it, how many are called.', specificity: 'Of those that have it not, how many are not called.',
    ppv: 'Of those called, how many have it.', npv: 'Of those not called, how many have it not.', balanced_accuracy: 'Mean of the classes\' recall.',
    accuracy: 'Share of images called rightly.', brier: 'Mean squared error of the probabilities; 0 is best.'},
  figure: 'Figure', interval: (level) => `${Math.round(100 * level)} % interval`, rests: 'Images', patients: 'Patients', class: 'Class', of: 'Of',
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

/** One table: `parts` is [{title, found}] with `found` as in report/validation.json. */
export function figureTable(parts, label) {
  const keys = ORDER.flatMap((base) => Object.keys(parts[0].found.figures).filter((key) => key === base || key.startsWith(`${base}/`)));
  const several = parts.length > 1;
  const heads = parts.flatMap(({title, found}) => [
    el('th', {scope: 'col', class: 'num'}, several ? title : ''), el('th', {scope: 'col'}, TEXT.interval(found.confidence)), el('th', {scope: 'col', class: 'num'}, TEXT.rests)]);
  const rows = keys.map((key) => {
    const [base, name] = [key.split('/')[0], key.includes('/') ? key.slice(key.indexOf('/') + 1) : ''];
    return el('tr', {'data-figure': key}, el('th', {scope: 'row', title: TEXT.hints[base]}, TEXT.names[base] + (name ? `, ${name}` : '')), parts.flatMap(({found}) => cells(key, found.figures[key])));
  });
  return el('div', {class: 'scroll'}, el('table', {class: 'plain-table figures', 'aria-label': label}, el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, TEXT.figure), heads)), el('tbody', {}, rows)));
}
function cells(key, figure) {
  if (!figure || figure.value === null) return [el('td', {colspan: 3, class: 'quiet'}, figure?.note ?? '')];
  return [el('td', {class: 'num'}, el('b', {}, valueWords(key, figure.value))), el('td', {}, intervalWords(key, figure) || figure.note), el('td', {class: 'num quiet'}, restWords(key, figure))];
}
