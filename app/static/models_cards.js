// The cards of the Models page: one teacher, one student. Choosing is a radio button.
import {api, bytes, el, figure, look, problem} from './live.js';

const TEXT = {
  bundled: 'Comes with Bedside', file: 'Your own file', here: 'From the hub, on this computer', away: 'Not on this computer yet',
  probe: (words) => `linear probe ${words}`, looks: (side) => `looks at ${side} px`, about: (size) => `about ${size}`, onePicture: (time) => `${time} a picture`,
  licence: 'Licence', gated: 'Its authors ask for an account and an agreement.', unverified: 'This entry has not been checked against the real file.',
  byHand: 'Download it by hand:', thenOwn: 'then give its path below.', consent: 'Accept the licence…', consentTitle: (title) => `The licence of ${title}`,
  consentWords: 'Its licence has conditions. They hold for you and, as its authors say, for the student too. What you accept is recorded in every training, card and export.', accept: 'Accept',
  fetch: 'Fetch it…', command: 'or on the command line:', fetching: 'Fetching…', stopFetching: 'Stop', stopped: 'Fetching was stopped; what has arrived is kept.',
  parameters: 'Parameters', size: 'File', operations: 'Multiply-adds', time: 'One picture', unknown: '–',
  unsuited: (px) => `looks at ${px} px instead`,
  beside: (time, words) => `Teacher: ${time}${words}`, slower: (times) => ` (${times} times as long)`, faster: ' (less)', range: (low, high) => `Between ${low} and ${high} in nine of ten tries`,
  askTitle: (title) => `Fetch ${title}?`, askFrom: (host) => `One file is fetched from ${host}:`,
  askNothing: 'Nothing of yours is sent: no image, no name, no figure. As with every web site, the host sees this computer’s network address.',
  askOnce: 'Afterwards it is used without a network.', yes: 'Fetch it now', no: 'Cancel',
};

/** A card is {node, set(facts, page, teacher, student)}. */
export function teacherCard(one, page, choose) {
  const {node, input, body, actions} = frame('teacher', one.id, () => pick());
  let known = one;
  const pick = () => {
    if (!known.consent) { choose({teacher: one.id}); return; }
    input.checked = false;   // the one before stays until its licence is accepted
    const before = node.parentElement.querySelector('.picked input');
    if (before) before.checked = true;
    askConsent(known, () => choose({teacher: one.id}));
  };
  const badge = el('span', {class: 'badge idle'}), figures = el('p', {class: 'pick-line'}), licence = el('p', {class: 'small-print'});
  const failed = el('div', {class: 'pick-failed'});
  node.classList.add('wide');
  body.append(el('span', {class: 'pick-title'}, el('b', {}, one.title), badge), el('span', {class: 'pick-about'}, one.about), licence);
  actions.before(figures);
  const set = (facts, page) => {
    known = {...facts, project: page.project.id};
    check(node, input, facts.id === page.chosen.teacher);
    input.disabled = !facts.here && facts.id !== page.chosen.teacher;
    node.classList.toggle('away', !facts.here);
    badge.textContent = TEXT[facts.source] ?? (facts.here ? TEXT.here : TEXT.away);
    badge.className = `badge ${facts.here ? 'idle' : 'warn'}`;
    const size = facts.bytes !== null ? bytes(facts.bytes) : facts.cost ? TEXT.about(bytes(facts.cost.megabytes * 1e6)) : null;
    const time = facts.cost ? TEXT.onePicture(time_ms(facts.cost.latency_ms)) : null;
    const judged = page.worth?.rows.find((row) => row.id === facts.id)?.linear?.auroc;
    figures.replaceChildren(...[judged ? TEXT.probe(figure(judged)) : null, size, time, TEXT.looks(facts.image_px)].filter(Boolean).map((words) => el('span', {}, words)));
    licence.replaceChildren(el('b', {}, `${TEXT.licence}: ${facts.licence}. `), facts.licence_note, facts.gated ? ` ${TEXT.gated}` : '', facts.verified || facts.here ? '' : ` ${TEXT.unverified}`);
    failed.replaceChildren(...(facts.problem ? [problem(facts.problem)] : facts.stopped ? [el('p', {class: 'small-print'}, TEXT.stopped)] : []));
    offer(actions, facts, page);
  };
  actions.after(failed);
  return {node, set};
}

/** What can be done about a teacher that is not here, or whose licence was not accepted. */
function offer(actions, facts, page) {
  const state = facts.here ? (facts.consent ? 'consent' : '') : facts.fetching ? 'fetching' : facts.source;
  if (actions.dataset.state === state) return;
  actions.dataset.state = state;
  actions.hidden = !['consent', 'fetching', 'hub', 'page'].includes(state);
  if (state === 'fetching') {
    actions.replaceChildren(el('span', {class: 'quiet', role: 'status'}, TEXT.fetching),
      el('button', {type: 'button', class: 'small', onclick: () => api(`/api/task/${facts.fetching}/stop`, {}).then(look)}, TEXT.stopFetching));
  } else if (state === 'hub') {
    actions.replaceChildren(el('button', {type: 'button', class: 'small fetch', 'aria-haspopup': 'dialog', onclick: () => ask(facts, page)}, TEXT.fetch),
      el('span', {class: 'small-print'}, TEXT.command, el('br'), el('code', {}, `python launch.py fetch ${facts.id}`)));
  } else if (state === 'page') {
    actions.replaceChildren(el('span', {class: 'small-print'}, TEXT.byHand, ' ', el('code', {}, facts.repository), ' ', TEXT.thenOwn));
  } else if (state === 'consent') {
    actions.replaceChildren(el('button', {type: 'button', class: 'small consent', 'aria-haspopup': 'dialog', onclick: () => askConsent({...facts, project: page.project.id}, () => {})}, TEXT.consent));
  }
}

const send = (path, body) => document.dispatchEvent(new CustomEvent('models:act', {detail: {path, body}}));

/** The licence in words, to be accepted once; `then()` goes on with what was wanted. */
function askConsent(facts, then) {
  askFirst(TEXT.consentTitle(facts.title), [el('p', {}, el('b', {}, `${facts.licence}. `), facts.licence_note), el('p', {}, TEXT.consentWords)], TEXT.accept, () => {
    send('/api/models/accept', {project: facts.project, teacher: facts.id});
    then();
  });
}

/** The one question before anything leaves the computer. */
function ask(facts, page) {
  const [repository, file] = facts.repository.split(':');
  const size = facts.cost ? `, ${TEXT.about(bytes(facts.cost.megabytes * 1e6))}` : '';
  askFirst(TEXT.askTitle(facts.title), [
    el('p', {}, TEXT.askFrom(page.host), el('br'), el('code', {}, `${repository}/${file}`), size),
    el('p', {}, `${TEXT.licence}: ${facts.licence}. ${facts.licence_note}`, facts.gated ? ` ${TEXT.gated}` : ''),
    el('p', {}, el('b', {}, TEXT.askNothing), ` ${TEXT.askOnce}`),
  ], TEXT.yes, () => send('/api/models/fetch', {teacher: facts.id}));
}

function askFirst(title, words, yes, agreed) {
  const answer = (given) => {
    dialog.close();
    dialog.remove();
    if (given) agreed();
  };
  const dialog = el('dialog', {class: 'ask', 'aria-labelledby': 'ask-title', id: 'ask'}, el('h2', {id: 'ask-title'}, title), ...words,
    el('div', {class: 'row ask-row'}, el('button', {type: 'button', class: 'small', id: 'ask-no', onclick: () => answer(false)}, TEXT.no),
      el('button', {type: 'button', class: 'small primary', id: 'ask-yes', onclick: () => answer(true)}, yes)));
  dialog.addEventListener('cancel', () => dialog.remove());
  document.getElementById('page').append(dialog);
  dialog.showModal();
  dialog.querySelector('#ask-no').focus();
}

export function studentCard(one, choose) {
  const {node, input, body, actions} = frame('student', one.id, () => choose({student: one.id}));
  const family = el('span', {class: 'quiet pick-family'}, one.family), note = el('span', {class: 'small-print'});
  const cells = Object.fromEntries(['parameters', 'size', 'operations', 'time'].map((name) => [name, el('dd', {}, TEXT.unknown)]));
  const figures = el('dl', {class: 'pick-figures'}, ...Object.entries(cells).map(([name, cell]) => el('div', {}, el('dt', {}, TEXT[name]), cell)));
  const failed = el('div', {class: 'pick-failed'});
  body.append(el('span', {class: 'pick-title'}, el('b', {}, one.title), family), el('span', {class: 'pick-about'}, one.summary));
  node.append(figures, note, failed);
  actions.remove();
  const set = (facts, page, teacher) => {
    check(node, input, facts.id === page.chosen.student);
    const cost = facts.cost;
    cells.parameters.textContent = cost ? large(cost.parameters) : TEXT.unknown;
    cells.size.textContent = cost ? megabytes(cost.megabytes) : TEXT.unknown;
    cells.operations.textContent = cost ? large(cost.multiply_adds) : TEXT.unknown;
    cells.time.textContent = cost ? time_ms(cost.latency_ms) : TEXT.unknown;
    if (cost) cells.time.title = TEXT.range(time_ms(cost.latency_low), time_ms(cost.latency_high));
    note.textContent = [facts.suits ? '' : TEXT.unsuited(facts.nearest_px), beside(cost, teacher?.cost)].filter(Boolean).join(' · ');
    failed.replaceChildren(...(facts.problem ? [problem(facts.problem)] : []));
  };
  return {node, set};
}

/** The teacher's time beside the student's. */
function beside(cost, teacher) {
  if (!cost || !teacher) return '';
  const times = teacher.latency_ms / cost.latency_ms;
  const words = times < 0.95 ? TEXT.faster : times < 1.05 ? '' : TEXT.slower(times < 10 ? times.toFixed(1) : Math.round(times));
  return TEXT.beside(time_ms(teacher.latency_ms), words);
}

/** A card with its radio button; the label holds words alone, buttons stand beside it. */
function frame(group, id, chosen) {
  const input = el('input', {type: 'radio', name: `pick-${group}`, value: id, id: `${group}-${id}`, onchange: chosen});
  const body = el('span', {class: 'pick-body'});
  const actions = el('div', {class: 'pick-actions', hidden: true});
  const node = el('div', {class: 'pick', 'data-id': id}, el('label', {for: `${group}-${id}`}, input, el('span', {class: 'ring', 'aria-hidden': 'true'}), body), actions);
  return {node, input, body, actions};
}

function check(node, input, yes) {
  input.checked = yes;
  node.classList.toggle('picked', yes);
}

/** 570274 as 0.57 M, 1334579200 as 1.33 G. */
export function large(number) {
  const [divisor, unit] = number >= 1e9 ? [1e9, 'G'] : number >= 1e5 ? [1e6, 'M'] : [1e3, 'k'];
  const value = number / divisor;
  return `${value.toFixed(value < 10 ? (value < 1 ? 2 : 1) : 0)} ${unit}`;
}
export const megabytes = (number) => `${number.toFixed(number < 10 ? 1 : 0)} MB`;
export function time_ms(milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}
