// What the import found: figures, balance of the classes, the split, what could not be used.
import {api, count, el, problem} from './live.js';
import {onData} from './data.js';

const TEXT = {
  title: 'What was found', balance: 'Classes and their division', out: 'Not used', notes: 'Worth knowing',
  class: 'Class', finding: 'Finding', images: 'Images', patients: 'Patients', code: 'Code', reason: 'Reason', files: 'Files',
  parts: ['Training', 'Validation', 'Test (sealed)'], share: 'Share of the images',
  names: 'Show the files', hide: 'Hide the files', only: 'File names are shown on this screen only; they stand in no log and no export.',
  more: (number) => `… and ${count(number)} more.`, nobody: 'No file name is known.', undivided: 'The patients are not divided yet.', dividing: 'The patients are being divided…',
  line: (images, patients) => `${count(images)} images of ${count(patients)} patients`,
};

export function mount(element) {
  const place = el('div', {class: 'found', hidden: true});
  element.append(place);
  let drawn = '';
  onData((state) => {
    place.hidden = !state.found;
    const content = JSON.stringify([state.found, state.split, state.task?.live]);
    if (!state.found || content === drawn) return;
    drawn = content;
    place.replaceChildren(...[figures(state.found), balance(state.found, state.split, state.task?.live), excluded(state.found, state.project.id)].filter(Boolean));
  });
}

function figures(found) {
  const facts = found.facts.map(({name, value, words}) => el('div', {}, el('dt', {}, name), el('dd', {}, value),
    words ? el('dd', {class: 'words'}, words) : null));
  return el('section', {class: 'card', id: 'figures'}, el('h2', {}, TEXT.title), el('dl', {class: 'facts'}, ...facts));
}

function balance(found, split, live) {
  const most = Math.max(1, ...found.balance.map((line) => line.images));
  const head = [found.multilabel ? TEXT.finding : TEXT.class, TEXT.share, TEXT.images, TEXT.patients, ...(found.divided ? TEXT.parts : [])];
  const rows = found.balance.map((line) => el('tr', {},
    el('th', {scope: 'row'}, el('bdi', {}, line.name)),
    el('td', {class: 'bar-cell'}, bars(line, most, found.divided)),
    el('td', {class: 'num'}, count(line.images)), el('td', {class: 'num'}, count(line.patients)),
    ...(found.divided ? line.parts.map(([images, patients]) => el('td', {class: 'num', title: TEXT.line(images, patients)},
      count(images), el('span', {class: 'quiet'}, ` (${count(patients)})`))) : [])));
  const notes = [...(split?.notes ?? []), ...found.notes];
  return el('section', {class: 'card', id: 'balance'},
    el('h2', {}, TEXT.balance),
    el('p', {id: 'split-sentence'}, split?.sentence ?? (live ? TEXT.dividing : TEXT.undivided)),
    !rows.length ? null : el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': TEXT.balance}, el('table', {class: 'plain-table balance'},
      el('thead', {}, el('tr', {}, ...head.map((name, place) => el('th', {scope: 'col', class: place > 1 ? 'num' : ''}, name)))),
      el('tbody', {}, ...rows))),
    found.divided ? el('p', {class: 'legend small-print'}, ...TEXT.parts.map((name, place) => el('span', {}, el('i', {class: `part part-${place}`, 'aria-hidden': 'true'}), name)),
      el('span', {}, 'Patients in parentheses')) : null,
    notes.length ? el('div', {class: 'note'}, el('b', {}, TEXT.notes), el('ul', {}, ...notes.map((note) => el('li', {}, note)))) : null);
}

/** A bar of the class's images, in as many pieces as there are parts. */
function bars(line, most, divided) {
  const pieces = divided ? line.parts.map(([images]) => images) : [line.images];
  return el('div', {class: 'class-bar', 'aria-hidden': 'true'}, ...pieces.map((images, place) => {
    const piece = el('i', {class: `part part-${place}`});
    piece.style.width = `${100 * images / most}%`;
    return piece;
  }));
}

function excluded(found, project) {
  if (!found.excluded.length) return null;
  return el('section', {class: 'card', id: 'unusable'}, el('h2', {}, TEXT.out), el('p', {class: 'quiet'}, found.out, '. ', TEXT.only),
    el('table', {class: 'plain-table'},
      el('thead', {}, el('tr', {}, el('th', {scope: 'col', class: 'num'}, TEXT.files), el('th', {scope: 'col'}, TEXT.code), el('th', {scope: 'col'}, TEXT.reason), el('th', {scope: 'col'}, el('span', {class: 'unseen'}, TEXT.names)))),
      el('tbody', {}, ...found.excluded.flatMap((line) => reason(line, project)))));
}

function reason(line, project) {
  const names = el('td', {colspan: '4', class: 'names'}), row = el('tr', {hidden: true}, names);
  const button = el('button', {type: 'button', class: 'small', 'aria-expanded': 'false', 'aria-label': `${TEXT.names}: ${line.reason}`}, TEXT.names);
  button.addEventListener('click', async () => {
    row.hidden = !row.hidden;
    button.setAttribute('aria-expanded', String(!row.hidden));
    button.textContent = row.hidden ? TEXT.names : TEXT.hide;
    if (row.hidden || names.childElementCount) return;
    try {
      const list = await api(`/api/data/project/${project}/unusable/${line.code}`);
      names.replaceChildren(el('ul', {class: 'file-names'}, ...list.names.map(({name, reason: why}) =>
        el('li', {}, el('bdi', {}, name || TEXT.nobody), why === line.reason ? null : el('span', {class: 'quiet'}, ` ${why}`)))),
      list.more ? el('p', {class: 'small-print'}, TEXT.more(list.more)) : '');
    } catch (error) {
      if (error.facts) names.replaceChildren(problem(error.facts));
    }
  });
  return [el('tr', {}, el('td', {class: 'num'}, count(line.count)), el('td', {}, el('code', {}, line.code)), el('td', {}, line.reason), el('td', {class: 'num'}, button)), row];
}
