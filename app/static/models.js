// The Models page: the cards, what is chosen, measuring. Every choice is saved at once.
import {api, el, look, onLive, problem, progressBar, wish} from './live.js';
import {studentCard, teacherCard} from './models_cards.js';
import {costPanel} from './models_cost.js';
import {mapPanel} from './models_map.js';
import {ownPanel} from './models_own.js';
import {worthPanel} from './models_worth.js';

const TEXT = {
  emptyTitle: 'First choose your images', emptyWords: 'Which teacher and which student suit depends on them. The demo takes one press.',
  toData: 'Go to Data',
  teacher: 'Teacher', teacherWords: 'Looks at every training image once, frozen as it is. It is not part of what you will use afterwards.',
  student: 'Student', studentWords: 'This is what you train and take away. Small ones answer faster and run anywhere; large ones need more images.',
  away: (n) => n === 1 ? 'One more teacher, not on this computer yet' : `${n} more teachers, not on this computer yet`, awayGroup: 'Teachers that are not on this computer',
  side: 'Pictures the student looks at', px: (side) => `${side} × ${side} pixels`,
  kept: (side) => `The images of this project are kept at ${side} × ${side} pixels.`,
  beyond: (side) => `The images are kept at ${side} × ${side} pixels: a larger picture shows nothing more. How they are read stands on Data.`,
  work: 'Twice the side is four times the work.',
  measuring: 'Measuring on this computer', stop: 'Stop measuring',
  ended: 'Measuring ended before everything was measured.', stopped: 'Measuring was stopped.',
  measure: 'Measure the rest', measureAll: 'Measure now',
};
const MANY = 5;          // teachers at hand; of more, only the chosen one says all of itself
let page = null;         // the parts of the page, once there is a project
let facts = null;        // what /api/models said last
let seen = '';           // what of the live state it belongs to
let begun = '';          // the setting that measuring was begun for by itself
let asking = false, again = false;
let waiting = 0;         // acts that have not been answered
let line = Promise.resolve();

export function mount(element) {
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      do {
        again = false;
        const found = await api('/api/models');
        if (!waiting) show(element, found);   // else what was asked before the choice comes after it
      } while (again);
    } catch (error) { if (error.facts) refuse(error.facts); else seen = ''; } finally { asking = false; }
  };
  onLive((state) => {
    if (state.task && page) page.cost.progress(state.task);
    if (page) page.worth.progress(state.jobs);
    const jobs = state.jobs.map((job) => (job.kind === 'task' ? `${job.id}${job.done}` : job.id));
    const now = [state.project?.id, state.project?.version, ...jobs].join(' ');
    if (now !== seen || (state.task && !state.task.live && facts?.task)) { seen = now; refresh(); }
  });
  document.addEventListener('models:act', (event) => act(element, event.detail.path, event.detail.body));
}

/** Ask the server to do something, one after the other; the last answer is the page's new state. */
function act(element, path, body, place) {
  waiting += 1;
  const done = line.then(() => answered(element, path, body, place));
  line = done;
  return done;
}

async function answered(element, path, body, place) {
  refuse(null);
  let found = null, failed = null;
  try { found = await api(path, body); } catch (error) { failed = error; }
  waiting -= 1;
  if (found && !waiting) show(element, found);
  if (failed) {
    refuse(failed.facts ?? null, place);
    if (facts && !waiting) show(element, facts);   // what was chosen before
  } else if (!waiting) {
    await look();
  }
  return !failed;
}

/** An error stays beside what caused it, until something else is tried. */
function refuse(found, place) {
  if (!page) return;
  for (const one of [page.refused, page.own.refused, page.worthRefused]) one.replaceChildren();
  if (!found) return;
  (place ?? page.refused).append(problem(found));
  (place ?? page.refused).scrollIntoView({block: 'nearest'});
}

function show(element, found) {
  facts = found;
  if (!found.project) {
    page = null;
    element.replaceChildren(el('section', {class: 'card empty-card', id: 'models-empty'}, el('h2', {}, TEXT.emptyTitle),
      el('p', {}, TEXT.emptyWords), el('a', {class: 'button primary', href: '/'}, TEXT.toData)));
    return;
  }
  if (!page || page.project !== found.project.id) page = build(element, found.project.id);
  const teacher = found.teachers.find((one) => one.id === found.chosen.teacher);
  const student = found.students.find((one) => one.id === found.chosen.student);
  const [near, away] = byPlace(found);
  fill(page.teachers, near, (one) => teacherCard(one, found, choose), found, teacher, student);
  page.teachers.classList.toggle('many', near.length > MANY);
  fill(page.away, away, (one) => teacherCard(one, found, choose), found, teacher, student);
  page.awayList.hidden = !away.length;
  page.awayWords.textContent = TEXT.away(away.length);
  if (away.some((one) => one.fetching)) page.awayList.open = true;
  fill(page.students, found.students, (one) => studentCard(one, choose), found, teacher, student);
  page.problems.replaceChildren(...found.problems.map((one) => problem(one)));
  sides(found);
  page.cost.set(found, teacher, student);
  page.worth.set(found);
  page.own.set(found);
  page.map.set(found);
  measuring(found);
  if (found.begin && begun !== found.measured.key) {
    begun = found.measured.key;
    act(element, '/api/models/measure', {});
  }
  element.dataset.ready = 'true';
}

/** Teachers at hand, those that the probe ranks first in its order; and the catalogue's others. */
function byPlace({teachers, chosen, worth}) {
  const rank = new Map((worth?.rows ?? []).map((row, place) => [row.id, place]));
  const near = teachers.filter((one) => one.here || one.id === chosen.teacher);
  near.sort((one, other) => (rank.get(one.id) ?? teachers.length) - (rank.get(other.id) ?? teachers.length));
  return [near, teachers.filter((one) => !near.includes(one))];
}

function choose(change) {
  document.dispatchEvent(new CustomEvent('models:act', {detail: {path: '/api/models/choose', body: {project: facts.project.id, ...change}}}));
}

function build(element, project) {
  const parts = {project, cards: new Map()};
  parts.refused = el('div', {id: 'models-refused'});
  parts.problems = el('div', {id: 'models-problems'});
  parts.teachers = el('div', {class: 'picks', id: 'teachers', role: 'radiogroup', 'aria-label': TEXT.teacher});
  parts.away = el('div', {class: 'picks', id: 'away', role: 'radiogroup', 'aria-label': TEXT.awayGroup});
  parts.awayWords = el('summary', {});
  parts.awayList = el('details', {class: 'away-list', id: 'away-list'}, parts.awayWords, parts.away);
  parts.students = el('div', {class: 'picks', id: 'students', role: 'radiogroup', 'aria-label': TEXT.student});
  parts.side = el('select', {id: 'side', onchange: (event) => choose({image_px: Number(event.target.value)})});
  parts.sideWords = el('p', {class: 'small-print', id: 'side-words'});
  parts.cost = costPanel({measure: (again) => document.dispatchEvent(new CustomEvent('models:act', {detail: {path: '/api/models/measure', body: {again}}})),
    goOn: () => act(element, '/api/models/choose', {project})});
  parts.own = ownPanel({project, choose, update: (found) => { show(element, found); look(); }});
  parts.worth = worthPanel({choose, start: () => act(element, '/api/models/probe', {project}, parts.worthRefused)});
  parts.worthRefused = el('div', {id: 'worth-refused'});
  parts.map = mapPanel();
  element.replaceChildren(el('div', {class: 'models'},
    el('div', {class: 'models-lists'}, parts.refused,
      el('section', {'aria-labelledby': 'teacher-title'}, head('teacher-title', TEXT.teacher, TEXT.teacherWords), parts.teachers, parts.problems, parts.awayList, parts.own.node),
      parts.worth.node, parts.worthRefused, parts.map.node,
      el('section', {'aria-labelledby': 'student-title'}, head('student-title', TEXT.student, TEXT.studentWords),
        el('div', {class: 'side-row'}, el('label', {for: 'side'}, TEXT.side), parts.side, parts.sideWords), parts.students)),
    parts.cost.node));
  return parts;
}

const head = (id, title, words) => el('div', {class: 'models-head'}, el('h2', {id}, title), el('p', {}, words));

/** Cards are made once and then only changed, so that focus and keys stay where they are. */
function fill(place, list, make, found, teacher, student) {
  const names = list.map((one) => one.id).join('\n');
  if (place.dataset.names !== names) {
    place.dataset.names = names;
    place.replaceChildren(...list.map((one) => {
      const card = make(one);
      page.cards.set(`${place.id}/${one.id}`, card);
      return card.node;
    }));
  }
  for (const one of list) page.cards.get(`${place.id}/${one.id}`).set(one, found, teacher, student);
}

function sides(found) {
  const names = found.sides.join();
  if (page.side.dataset.names !== names) {
    page.side.dataset.names = names;
    page.side.replaceChildren(...found.sides.map((side) => el('option', {value: side}, TEXT.px(side))));
  }
  page.side.value = String(found.chosen.image_px);
  const beyond = found.chosen.image_px > found.cached_px;
  page.sideWords.textContent = beyond ? TEXT.beyond(found.cached_px) : `${TEXT.kept(found.cached_px)} ${TEXT.work}`;
  page.sideWords.classList.toggle('warned', beyond);
}

function measuring(found) {
  wish('task', found.task ?? found.teachers.find((one) => one.fetching)?.fetching ?? null);
}
