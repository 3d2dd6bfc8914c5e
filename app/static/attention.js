// What the import found that needs a decision or a look, and how to answer it with one press.
import {api, el, problem} from './live.js';
import {onData, refresh} from './data.js';

const TEXT = {
  title: 'Worth a look', fine: 'Nothing needs a decision.', levels: {error: 'must be mended', warning: 'look', info: 'to know'},
  badges: {error: 'bad', warning: 'warn', info: 'idle'},
  report: 'Open the import report', save: 'Save it', division: 'Save the division', files: 'List of the files, with their names',
  reportTitle: 'Everything found, on one page, with thumbnails of copies and look-alikes. Stays on this computer.',
  saveTitle: 'The same without any picture: no patient, file or path is named.',
  divisionTitle: 'Which image is in which part, by hash (CSV). “A saved division to use again” reads it.',
  filesTitle: 'A table of the files behind these findings (CSV). It holds file names; keep it to yourself.',
  pattern: 'Pattern; its first group is the patient', use: 'Read the patients this way', reading: 'Starting …', anew: 'Divide anew by patient',
  shortcuts: 'Can the label be guessed without looking at the anatomy?',
  shortcutsWords: 'A small model was asked to tell the classes apart from these traits alone (cross-validated AUROC, bar: 95 % interval). Above 0.7, marked, a network may learn the trait instead of the disease. 0.5 is guessing.',
  value: (value, low, high) => `${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`, none: 'not computable', away: 'gives it away',
};
const LIMIT = 0.7;
const PAUSE_MS = 300;

export function mount(element) {
  const place = el('div', {class: 'found', hidden: true}), guess = element.closest('.block').id === 'guess';
  element.append(place);
  let drawn = '';
  onData(({look, project, task}) => {
    place.hidden = !look || !project;
    const content = JSON.stringify([look, project?.id, Boolean(task?.live)]);
    if (place.hidden || content === drawn) return;
    drawn = content;
    place.replaceChildren((guess ? shortcuts(look.shortcuts) : items(look, project.id, Boolean(task?.live))) ?? '');
  });
}

function items(look, project, live) {
  const [first] = look.items.filter(({section}) => section === 'division');
  const list = look.items.map((item) => el('li', {'data-level': item.level, 'data-section': item.section},
    el('div', {}, el('b', {}, item.title), el('span', {class: `badge ${TEXT.badges[item.level]}`}, TEXT.levels[item.level])), el('p', {}, item.text),
    item.section === 'patients' && look.pattern && item.level === 'warning' ? patternForm(look.pattern.pattern, project, live) : null,
    item === first && look.leaks ? press(TEXT.anew, `/api/data/project/${project}/anew`, {}, live, 'anew') : null));
  const link = (words, path, title, id) => el('a', {class: 'button small', href: `/api/data/project/${project}/${path}`, title, id, ...(path === 'report' ? {target: '_blank', rel: 'noopener'} : {download: ''})}, words);
  return el('section', {class: 'card', id: 'attention', 'aria-labelledby': 'attention-title'}, el('h2', {id: 'attention-title'}, TEXT.title),
    list.length ? el('ul', {class: 'attention'}, list) : el('p', {class: 'quiet'}, TEXT.fine),
    el('div', {class: 'row attention-links'}, link(TEXT.report, 'report', TEXT.reportTitle, 'import-report'), link(TEXT.save, 'report/file', TEXT.saveTitle, 'import-save'),
      look.divided ? link(TEXT.division, 'division', TEXT.divisionTitle, 'division-save') : null, link(TEXT.files, 'files', TEXT.filesTitle, 'files-save')));
}

/** A button that starts the reading anew; what is refused is said below it. */
function press(words, path, body, live, id) {
  const refused = el('div', {});
  const button = el('button', {type: 'button', class: 'small', id, disabled: live, onclick: async () => {
    button.disabled = true;
    button.textContent = TEXT.reading;
    refused.replaceChildren();
    try {
      await api(path, typeof body === 'function' ? body() : body);
      await refresh();
    } catch (error) {
      if (!error.facts) throw error;
      refused.replaceChildren(problem(error.facts));
      [button.disabled, button.textContent] = [false, words];
    }
  }}, words);
  return el('div', {class: 'press'}, button, refused);
}

/** The pattern suggested, to be changed; what it would find is told while typing. */
function patternForm(suggested, project, live) {
  const input = el('input', {type: 'text', id: 'pattern', value: suggested, spellcheck: 'false', autocomplete: 'off'});
  const told = el('div', {class: 'pattern-told', 'aria-live': 'polite'});
  let timer = 0, asked = 0;
  const show = async () => {
    const turn = ++asked;
    try {
      const found = await api(`/api/data/project/${project}/pattern/look`, {pattern: input.value});
      if (turn !== asked) return;
      told.replaceChildren(el('p', {}, el('b', {}, found.sentence)), el('ul', {class: 'pattern-names'}, found.examples.map(([before, patient, after]) =>
        el('li', {}, el('bdi', {}, before, patient ? el('mark', {}, patient) : null, after)))));
    } catch (error) {
      if (turn === asked) told.replaceChildren(error.facts ? problem(error.facts) : '');
    }
  };
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(show, PAUSE_MS); });
  show();
  return el('div', {class: 'pattern-form'}, el('label', {for: 'pattern'}, TEXT.pattern), input, told,
    press(TEXT.use, `/api/data/project/${project}/pattern`, () => ({pattern: input.value}), live, 'pattern-use'));
}

function shortcuts(found) {
  if (!found.length) return null;
  const place = (value) => `${100 * Math.min(1, Math.max(0, (value - 0.5) * 2))}%`;
  const rows = found.map((each) => {
    const bar = el('div', {class: `shortcut-bar${each.warning ? ' warned' : ''}`, 'aria-hidden': 'true'});
    if (each.value !== null) {
      const whole = el('i', {class: 'value'}), range = el('i', {class: 'range'});
      whole.style.width = place(each.value);
      range.style.left = place(each.low);
      range.style.width = `calc(${place(each.high)} - ${place(each.low)})`;
      bar.append(whole, range);
    }
    const mark = el('i', {class: 'limit'});
    mark.style.left = place(LIMIT);
    bar.append(mark);
    return el('tr', {'data-shortcut': each.name}, el('th', {scope: 'row', title: each.about}, each.title), el('td', {class: 'bar-cell'}, bar),
      el('td', {class: 'num'}, each.value === null ? TEXT.none : TEXT.value(each.value, each.low, each.high)),
      el('td', {}, each.warning ? el('span', {class: 'badge warn'}, TEXT.away) : null));
  });
  return el('section', {class: 'card', id: 'shortcuts', 'aria-labelledby': 'shortcuts-title'}, el('h2', {id: 'shortcuts-title'}, TEXT.shortcuts),
    el('p', {class: 'quiet'}, TEXT.shortcutsWords), el('table', {class: 'plain-table', 'aria-labelledby': 'shortcuts-title'}, el('tbody', {}, rows)));
}
