// The Data page: which project is open, its import, what may be opened instead.
// found.js and images.js listen here for what was found.
import {api, bytes, count, el, look, onLive, problem, progressBar, wish} from './live.js';
import {dropZone} from './drop.js';

const TEXT = {
  starting: 'Starting', reading: 'Reading the images', stop: 'Stop', other: 'Other images…', close: 'Cancel',
  remove: 'Delete project…', next: 'Next: choose the models', synthetic: 'synthetic images',
  demo: 'Drawn by Bedside on this computer; no patient is shown.', dropped: 'Dropped files, kept in Bedside’s workspace on this computer.',
  stopped: 'Reading was stopped. What was read is kept for the next time, and nothing at the source was changed.',
  interrupted: 'Reading ended unexpectedly: its process was ended, or the computer was switched off. What was read is kept, and nothing at the source was changed.',
  columns: 'The columns look like this:', columnsFree: 'Others can be named under “How the images are read” below.', useColumns: 'Read with these columns', lookOnly: 'Look at them without labels',
  created: 'Reading has not begun.', again: 'Read again', goOn: 'Go on reading',
  recent: 'Recent projects', open: 'Open', here: 'open now', never: 'not read yet',
  drop: 'or drop a folder or a zip archive here',
  dropHint: 'Dropped files are copied into Bedside’s workspace on this computer. A pasted path copies nothing.',
  deleteTitle: (title) => `Delete the project “${title}”?`, cancel: 'Cancel', reallyDelete: 'Delete project',
  source: 'The images at their source stay as they are.', freed: (size) => `This frees ${size.replace(' ', '\u00a0')}.`,
  pictures: 'What Bedside has decoded or copied of them is deleted.', shared: 'Their decoded copies stay: a training or another project uses them.',
  runs: (number) => number === 1 ? 'One training was made with them; it stays.' : `${count(number)} trainings were made with them; they stay.`,
};
const listeners = new Set();
let known = null;                 // what /api/data/state said last
let refilling = null;             // the settings that the forms were last asked to show
let seen = '';                    // what of the live state it belongs to
let asking = null, again = false;

/** Call `listener(state)` whenever the project, its import or what was found changes. */
export function onData(listener) {
  listeners.add(listener);
  if (known) listener(known);
}

export function mount(element) {
  const part = element.closest('.block').id;   // the surface's own id
  ({project: mountProject, drop: mountDrop, recent: mountRecent})[part](element);
}

/** Ask the server anew. Whoever asks meanwhile waits for an answer that is newer than the question. */
export function refresh() {
  if (asking) { again = true; return asking; }
  asking = ask().finally(() => { asking = null; });
  return asking;
}

async function ask() {
  try {
    do {
      again = false;
      known = await api('/api/data/state');
    } while (again);
    wish('task', known.task?.live ? known.task.id : null);
    stage(known);
    for (const listener of listeners) listener(known);
    refill();
  } catch (error) {
    if (error.facts) seen = '';   // a refusal: look again with the next second
  }
}

/** Have Gradio fill its forms when they show other settings than the project's, as after a change in
 *  another tab. Until then nobody can type into them: it would be overwritten. */
function refill() {
  if (!known) return;
  const shown = document.getElementById('page').dataset.form, wanted = known.project?.form ?? '';
  for (const form of document.querySelectorAll('#divide, #settings')) form.inert = shown !== wanted;
  if (shown === wanted) refilling = null;
  else if (shown !== undefined && refilling !== wanted) {
    refilling = wanted;
    document.getElementById('refill').click();
  }
}
addEventListener('bedside:filled', refill);

/** What data.css shows: an empty page, a first reading, a project. */
function stage(state) {
  const page = document.getElementById('page');
  page.dataset.stage = !state.project ? 'empty' : state.found ? 'found' : state.task?.live ? 'reading' : 'unread';
}

onLive((state) => {
  const imports = state.jobs.filter((job) => job.kind === 'task' && job.name === 'import').map((job) => job.id);
  const now = [state.project?.id, state.project?.version, ...imports].join(' ');
  const ended = state.task && known?.task?.id === state.task.id && known.task.live && !state.task.live;
  if (now !== seen || ended) { seen = now; refresh(); }
});
addEventListener('bedside:changed', async (event) => {   // a Gradio handler has changed the disk, or refused
  if (!event.detail) openSource(false);
  await look();
  await refresh();
  dispatchEvent(new Event('bedside:settled'));
});

function openSource(yes) {
  document.getElementById('page').dataset.source = yes ? 'open' : '';
  for (const listener of listeners) if (known) listener(known);
  if (yes) document.querySelector('#path textarea, #path input')?.focus();
}

// ---- the project that is open

function mountProject(element) {
  const bar = progressBar(TEXT.reading);
  const stop = el('button', {type: 'button', class: 'small', id: 'import-stop', onclick: () => act(`/api/task/${known.task.id}/stop`)}, TEXT.stop);
  const busy = el('div', {class: 'busy-row', id: 'import-progress', hidden: true}, bar, stop);
  const card = el('section', {class: 'card project-card', hidden: true, 'aria-label': 'Project'});
  const head = el('div', {class: 'project-head'}), said = el('div', {id: 'import-said', 'aria-live': 'polite'});
  const refused = el('div', {});
  card.append(head, busy, said, refused);
  element.append(card);
  let starting = false;

  async function act(path, body = {}) {
    refused.replaceChildren();
    try {
      await api(path, body);
      await look();
      await refresh();
    } catch (error) {
      if (error.facts) refused.replaceChildren(problem(error.facts));
    }
  }
  const showBar = (task) => {
    busy.hidden = !(starting || task?.live);
    stop.hidden = !task?.live;
    stop.disabled = task?.state === 'stopping';
    if (starting && !task?.live) bar.set({text: TEXT.starting});
    else if (task?.live) bar.set({...task, text: task.phase.text || TEXT.starting});
  };
  const pressed = (event) => {
    if (!event.target.closest?.('#read, #demo, #apply, #redivide')) return;
    starting = true;
    card.hidden = false;
    showBar(null);
  };
  document.addEventListener('click', pressed, true);
  addEventListener('bedside:settled', () => { starting = false; if (known) draw(known); });
  onLive((state) => { if (state.task && state.task.id === known?.task?.id) showBar(state.task); });
  onData(draw);

  function draw(state) {
    const {project, task} = state;
    card.hidden = !project && !starting;
    showBar(task);
    if (!project) { head.replaceChildren(); said.replaceChildren(); return; }
    const open = document.getElementById('page').dataset.source === 'open';
    const ready = project.imported && !task?.live && !state.problem;
    head.replaceChildren(
      el('div', {class: 'project-name'},
        el('h2', {}, el('bdi', {}, project.title), ' ', project.synthetic ? el('span', {class: 'badge idle'}, TEXT.synthetic) : null),
        el('p', {class: 'small-print source-path'}, TEXT[project.source.kind] ?? el('bdi', {}, project.source.path))),
      el('div', {class: 'row'},
        el('button', {type: 'button', class: 'small', id: 'other-images', 'aria-expanded': String(open), onclick: () => openSource(!open)}, open ? TEXT.close : TEXT.other),
        el('button', {type: 'button', class: 'small', id: 'delete-project', onclick: () => askDelete(project, act)}, TEXT.remove),
        ready ? el('a', {class: open ? 'button' : 'button primary', id: 'next', href: '/models'}, TEXT.next) : null));
    const readAgain = () => act(`/api/data/project/${project.id}/read`);
    const notice = state.ended && !state.problem
      ? el('div', {class: 'note warn'}, el('p', {}, TEXT[state.ended]),
        el('button', {type: 'button', class: 'small', id: 'read-again', onclick: readAgain}, ({stopped: TEXT.again, undivided: TEXT.divide, unread: TEXT.read})[state.ended] ?? TEXT.goOn))
      : null;
    const shown = task?.live || starting ? null : state.problem ? problem(state.problem, state.look?.leaks ? null : readAgain) : notice;
    said.replaceChildren(...[shown].filter(Boolean));
    const path = `/api/data/project/${project.id}`;
    if (shown && state.problem?.code === 'L12') propose(shown, `${path}/columns`);
    if (shown && state.problem?.code === 'L17') shown.lastChild.before(
      el('button', {type: 'button', class: 'small', id: 'look-only', onclick: () => act(`${path}/unlabelled`)}, TEXT.lookOnly), ' ');
  }
  /** Below a table whose columns have other names: which they seem to be, and one press to use them. */
  async function propose(shown, path) {
    const {columns} = await api(path).catch(() => ({}));
    if (!columns) return;
    shown.lastChild.before(el('p', {}, TEXT.columns, ' ', el('bdi', {}, columns), '. ', TEXT.columnsFree),
      el('button', {type: 'button', class: 'small primary', id: 'use-columns', onclick: () => act(path)}, TEXT.useColumns), ' ');
  }
}

async function askDelete(project, act) {
  let found;
  try {
    found = await api(`/api/data/project/${project.id}/deletion`);
  } catch { return refresh(); }   // gone already
  const dialog = el('dialog', {class: 'confirm', 'aria-labelledby': 'delete-title'});
  const close = () => { dialog.close(); dialog.remove(); };
  dialog.append(
    el('h2', {id: 'delete-title'}, TEXT.deleteTitle(project.title)),
    el('ul', {},
      project.source.kind === 'folder' ? el('li', {}, TEXT.source) : null,
      el('li', {}, found.shared ? TEXT.shared : TEXT.pictures, ' ', TEXT.freed(bytes(found.bytes))),
      found.runs ? el('li', {}, TEXT.runs(found.runs)) : null),
    el('div', {class: 'row end'},
      el('button', {type: 'button', class: 'small', onclick: close}, TEXT.cancel),
      el('button', {type: 'button', class: 'small danger', id: 'delete-really', onclick: () => { close(); act(`/api/data/project/${project.id}/delete`); }}, TEXT.reallyDelete)));
  dialog.addEventListener('cancel', () => dialog.remove());
  document.getElementById('page').append(dialog);
  dialog.showModal();
}

// ---- dropped files, recent projects

function mountDrop(element) {
  element.append(dropZone({
    label: TEXT.drop, hint: TEXT.dropHint, folder: 'both', wholePage: true,
    onDone: async (arrived) => {
      await api('/api/data/dropped', {id: arrived.id});
      openSource(false);
      await look();
      await refresh();
    },
  }));
}

function mountRecent(element) {
  const list = el('ul', {class: 'recent-list'});
  const refused = el('div', {});
  const card = el('section', {class: 'card recent', hidden: true}, el('h2', {}, TEXT.recent), refused, list);
  element.append(card);
  const open = async (id) => {
    try {
      refused.replaceChildren();
      await api(`/api/data/project/${id}/open`, {});
      openSource(false);
      scrollTo(0, 0);
      await look();
      await refresh();
    } catch (error) {
      if (error.facts) refused.replaceChildren(problem(error.facts));
    }
  };
  onData((state) => {
    card.hidden = !state.recent.length;
    list.replaceChildren(...state.recent.map((project) => el('li', {},
      el('span', {}, el('b', {}, el('bdi', {}, project.title)), el('span', {class: 'small-print'}, described(project))),
      project.current ? el('span', {class: 'badge idle'}, TEXT.here)
        : el('button', {type: 'button', class: 'small', 'aria-label': `${TEXT.open} ${project.title}`, onclick: () => open(project.id)}, TEXT.open))));
  });
}

function described(project) {
  if (project.images === null || project.images === undefined) return TEXT.never;
  const patients = project.patients ? `, ${count(project.patients)} patients` : '';
  return `${count(project.images)} images${patients}, ${count(project.classes)} classes`;
}
