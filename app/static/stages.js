// Teacher and student stage by stage: two small tables of CKA, before training and after it.
import {el} from './live.js';

const TEXT = {
  title: 'Stage by stage',
  when: [['before', 'Before training'], ['after', 'After training']],
  teacher: 'Teacher’s stage', student: 'Student’s stage',
  explained: 'Whether the teacher’s stage (row) and the student’s stage (column) arrange the same images alike: 1 is the same, 0 is chance. A stronger shade is more; outlined are the stages that training brought together. What stands before training comes from the pictures themselves; what training added is the difference.',
  none: 'This run has no teacher, so there is nothing to compare stage by stage.',
  unmeasured: 'Teacher and student were not compared stage by stage in this run.',
};

/** The card as an element; `.set(summary, facts)` shows it once a run is complete. */
export function makeStages() {
  const words = el('p', {id: 'stages-words'}), tables = el('div', {class: 'heats'}), explained = el('p', {class: 'small-print'}, TEXT.explained);
  const node = el('section', {class: 'card', id: 'run-stages', hidden: true, 'aria-label': TEXT.title},
    el('h2', {}, TEXT.title), words, tables, explained);
  let shown = '';
  node.set = (summary, facts) => {
    node.hidden = summary.state !== 'completed';
    const found = facts.stages, key = JSON.stringify([facts.id, facts.alone, found]);
    if (node.hidden || key === shown) return;
    shown = key;
    words.textContent = found?.words ?? (facts.alone ? TEXT.none : TEXT.unmeasured);
    tables.hidden = explained.hidden = !found;
    tables.replaceChildren(...(found ? TEXT.when.map(([name, title]) => heat(title, found[name], found.pairs)) : []));
  };
  return node;
}

function heat(title, figures, pairs) {
  const together = new Set(pairs.map(String));
  const cell = (value, tap, stage) => el('td', {class: together.has(`${tap},${stage}`) ? 'together' : '',
    style: `--share: ${Math.max(0, value ?? 0)}`}, value === null ? '–' : value.toFixed(2).replace('-', '−'));
  return el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title}, el('table', {class: 'heat'},
    el('caption', {}, title),
    el('thead', {},
      el('tr', {}, el('th', {scope: 'col', rowspan: 2}, TEXT.teacher), el('th', {scope: 'colgroup', colspan: figures[0].length}, TEXT.student)),
      el('tr', {}, figures[0].map((_, stage) => el('th', {scope: 'col'}, stage + 1)))),
    el('tbody', {}, figures.map((values, tap) => el('tr', {}, el('th', {scope: 'row'}, tap + 1), values.map((value, stage) => cell(value, tap, stage)))))));
}
