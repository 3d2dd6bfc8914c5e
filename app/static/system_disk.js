// The disk: what Bedside takes of it, and the data sets and teachers' answers that may be deleted.
import {api, bytes, count, el, look, problem} from './live.js';

const TEXT = {
  title: 'Disk', free: (free, all) => `${free} of ${all} are free.`, takes: (size) => `Bedside takes ${size}.`,
  kinds: {runs: 'Trainings', datasets: 'Decoded images', features: 'Teachers’ answers', teachers: 'Teachers', incoming: 'Dropped files', other: 'Everything else'},
  deletable: 'What can be deleted', words: 'Decoded images come back when their folder is read again, and teachers’ answers when a training needs them. The files at their source are never touched. Trainings are deleted on Train, projects on Data.',
  what: 'What', used: 'Used by', size: 'Size', nothing: 'Nothing is kept yet.', nobody: 'nothing',
  dataset: (images, side) => `${count(images)} decoded images, ${side}\u00a0×\u00a0${side}\u00a0px`, lostSet: 'A data set that cannot be read', synthetic: 'synthetic', classes: (names) => names.join(', '),
  features: (teacher, images, views) => `${teacher}: ${count(images)} images, ${views} views each`, pooled: (teacher, images) => `${teacher}: ${count(images)} images, one look each, for comparing teachers`, unfinished: 'An import that was not finished: reading the same images again goes on from it', lostFeatures: 'Teacher’s answers of an earlier version', training: 'training', project: 'project', again: (title) => `${title} (computed again when needed)`,
  remove: 'Delete…', needed: 'in use', busy: 'Nothing can be deleted while something is at work.', askTitle: 'Delete this?', ask: (size) => `This frees ${size}.`,
  askSet: 'Nothing uses these decoded images any more.', askFeatures: 'The teacher will be asked again when a training needs these answers.', yes: 'Delete', no: 'Cancel', freed: (size) => `${size} were freed.`,
};
const COLOURS = {runs: '--c1', datasets: '--c2', features: '--c3', teachers: '--c4', incoming: '--c5', other: '--c6'};

/** {node, set(facts)}; `changed(facts)` is called with the page's new state after a deletion. */
export function diskCard(changed) {
  const bar = el('div', {class: 'disk-bar', 'aria-hidden': 'true'}), legend = el('dl', {class: 'disk-kinds', id: 'disk-kinds'});
  const line = el('p', {class: 'disk-line'}), said = el('div', {id: 'disk-said', 'aria-live': 'polite'}), list = el('div', {id: 'disk-items'});
  const node = el('section', {class: 'card', id: 'disk'}, el('h2', {}, TEXT.title), line, bar, legend, el('h3', {}, TEXT.deletable), el('p', {class: 'small-print'}, TEXT.words), said, list);

  async function remove(item) {
    said.replaceChildren();
    try {
      const found = await api('/api/system/delete', {kind: item.kind, name: item.name});
      changed(found);
      said.replaceChildren(el('p', {class: 'note', id: 'disk-freed'}, TEXT.freed(bytes(found.freed))));
      await look();
    } catch (error) {
      if (error.facts) said.replaceChildren(problem(error.facts));
    }
  }

  function set(facts) {
    const disk = facts.disk, kinds = Object.entries(disk.kinds);
    line.textContent = `${TEXT.takes(bytes(disk.workspace))} ${TEXT.free(bytes(disk.free), bytes(disk.total))}`;
    bar.replaceChildren(...kinds.filter(([, size]) => size).map(([kind, size]) => {
      const part = el('span', {});
      part.style.cssText = `flex:${size} 1 0;background:var(${COLOURS[kind]})`;
      return part;
    }));
    legend.replaceChildren(...kinds.filter(([, size]) => size).map(([kind, size]) => {
      const dot = el('span', {class: 'dot', 'aria-hidden': 'true'});
      dot.style.background = `var(${COLOURS[kind]})`;
      return el('div', {}, el('dt', {}, dot, TEXT.kinds[kind]), el('dd', {}, bytes(size)));
    }));
    const busy = facts.busy.length > 0;
    list.replaceChildren(...(facts.items.length ? [el('div', {class: 'scroll'}, el('table', {class: 'plain-table'},
      el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, TEXT.what), el('th', {scope: 'col'}, TEXT.used), el('th', {scope: 'col', class: 'num'}, TEXT.size), el('td', {}))),
      el('tbody', {}, ...facts.items.map((item) => row(item, busy, remove))))), busy ? el('p', {class: 'small-print'}, TEXT.busy) : null].filter(Boolean)
      : [el('p', {class: 'quiet'}, TEXT.nothing)]));
  }
  return {node, set};
}

function row(item, busy, remove) {
  const title = describe(item);
  const projects = item.kind === 'features' && !item.needed_by.length ? item.projects.map(TEXT.again) : item.projects;
  const users = [...projects.map((title) => `${TEXT.project} ${title}`), ...item.runs.map((name) => `${TEXT.training} ${name}`)];
  const button = el('button', {type: 'button', class: 'small danger', 'data-item': `${item.kind}/${item.name}`, disabled: busy, 'aria-label': `${TEXT.remove} ${title}`, onclick: () => ask(item, title, remove)}, TEXT.remove);
  return el('tr', {}, el('td', {}, title, item.facts.classes ? el('span', {class: 'line small-print'}, TEXT.classes(item.facts.classes) + (item.facts.synthetic ? ` (${TEXT.synthetic})` : '')) : null),
    el('td', {}, users.length ? users.map((user) => el('span', {class: 'line'}, user)) : el('span', {class: 'quiet'}, TEXT.nobody)),
    el('td', {class: 'num size'}, bytes(item.bytes)), el('td', {class: 'num'}, item.needed_by.length ? el('span', {class: 'quiet'}, TEXT.needed) : button));
}

function describe(item) {
  const facts = item.facts;
  if (item.kind === 'datasets') return facts.unfinished ? TEXT.unfinished : facts.usable ? TEXT.dataset(facts.usable, facts.size_px) : TEXT.lostSet;
  if (facts.pooled) return TEXT.pooled(facts.teacher, facts.pooled);
  return facts.teacher ? TEXT.features(facts.teacher, facts.train, facts.views) : TEXT.lostFeatures;
}

function ask(item, title, remove) {
  const answer = (yes) => { dialog.close(); dialog.remove(); if (yes) remove(item); };
  const dialog = el('dialog', {class: 'ask', 'aria-labelledby': 'ask-title', id: 'ask'}, el('h2', {id: 'ask-title'}, TEXT.askTitle), el('p', {}, el('b', {}, title)),
    el('p', {}, `${TEXT.ask(bytes(item.bytes))} ${item.kind === 'datasets' ? TEXT.askSet : TEXT.askFeatures}`),
    el('div', {class: 'row ask-row'}, el('button', {type: 'button', class: 'small', id: 'ask-no', onclick: () => answer(false)}, TEXT.no), el('button', {type: 'button', class: 'small primary', id: 'ask-yes', onclick: () => answer(true)}, TEXT.yes)));
  dialog.addEventListener('cancel', () => dialog.remove());
  document.getElementById('page').append(dialog);
  dialog.showModal();
  dialog.querySelector('#ask-no').focus();
}
