// The System page: what left this computer, what it is, what the disk holds, licences, the notice.
import {api, bytes, count, el, look, onLive, problem, wish} from './live.js';
import {diskCard} from './system_disk.js';

const TEXT = {
  leftTitle: 'Has anything left this computer?', none: 'No', some: 'Yes', left: (number) => `${number === 1 ? 'connection has' : 'connections have'} left this computer`,
  counted: (when) => `Counted since ${when} in every process that Bedside has started, when it tries to reach another computer or to look up a name, whether it succeeds or not.`,
  notCounted: 'Nothing has been counted yet.', process: 'Processes', started: 'Started', attempts: 'Left this computer',
  fetched: (number) => number ? `You agreed to fetch a teacher; for that ${count(number)} connections were made.` : 'You have not fetched a teacher.',
  pages: (number) => number ? `The browser stopped these pages ${count(number)} times from loading something foreign. Please tell us what you did.` : 'The browser had nothing foreign to stop: these pages load only what lies on this computer.',
  proxies: (names) => `A proxy is set (${names.join(', ')}). Only fetching a teacher would use it.`, lines: 'What was reached, the newest first', when: 'When', who: 'Process', whom: 'Where to',
  thisTitle: 'This computer', processor: 'Processor', threads: (number) => `${number} ${number === 1 ? 'thread' : 'threads'} used for training`, memory: 'Memory', free: (free, all) => `${free} of ${all} are free`,
  system: 'System', devices: 'Devices for training', unseen: 'Not looked at yet: these pages cannot see graphics cards themselves.', look: 'Check this computer', looking: 'Looking at this computer…',
  looked: 'As found by the last check.', checkEnded: 'The check ended unexpectedly. Try again.', command: 'The same on the command line:',
  bedsideTitle: 'Bedside', version: 'Version', python: 'Python', commit: 'Code', changed: 'changed since', address: 'Listens on', only: 'this computer only; nobody else in the network can reach it',
  workspace: 'Workspace', workspaceWords: 'everything Bedside keeps; closed to other users', log: 'Log file', logWords: 'names no patient and no file',
  licencesTitle: 'Licences', bundled: 'What comes with Bedside', packages: (number) => `The ${number} packages it needs, as they declare themselves`, name: 'Name', what: 'What it is', licence: 'Licence', noticeTitle: 'Research use. Not for diagnosis.',
};
let parts = null, seen = '', asking = false, again = false;

export function mount(element) {
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      do { again = false; show(element, await api('/api/system')); } while (again);
    } catch (error) { if (error.facts) seen = ''; } finally { asking = false; }
  };
  onLive((state) => {
    const now = [state.project?.version, state.runs, ...state.jobs.map((job) => job.id)].join(' ');
    if (now !== seen || (state.task && !state.task.live && parts?.checking)) { seen = now; refresh(); }
  });
}

function show(element, facts) {
  if (!parts) {
    parts = {left: el('section', {class: 'card left-card', id: 'left'}), computer: el('section', {class: 'card', id: 'computer'}), bedside: el('section', {class: 'card', id: 'bedside'}),
      disk: diskCard((found) => show(element, found)), licences: el('section', {class: 'card', id: 'licences'}), notice: el('section', {class: 'card', id: 'notice'})};
    element.replaceChildren(el('div', {class: 'system-parts'}, parts.left, el('div', {class: 'cols system-cols'}, parts.computer, parts.bedside), parts.disk.node, parts.licences, parts.notice));
  }
  parts.checking = Boolean(facts.check?.live);
  wish('task', parts.checking ? facts.check.id : null);
  left(parts.left, facts);
  computer(parts.computer, facts, (found) => show(element, found));
  bedside(parts.bedside, facts.bedside);
  parts.disk.set(facts);
  licences(parts.licences, facts);
  parts.notice.replaceChildren(el('h2', {}, TEXT.noticeTitle), ...facts.notice.map((words) => el('p', {}, words)));
  element.dataset.ready = 'true';
}

function left(card, facts) {
  const found = facts.connections, good = !found.left && !found.blocked;
  const rows = found.rows.map((row) => tr([row.name, [count(row.watched), 'num'], [count(row.attempts), 'num']]));
  const lines = found.lines.map((line) => tr([moment(line.ts), line.process, line.host]));
  card.replaceChildren(
    el('div', {class: 'left-head'}, el('h2', {}, TEXT.leftTitle), el('span', {class: `badge ${good ? 'good' : 'bad'}`}, `${good ? '✓' : '✗'} ${good ? TEXT.none : TEXT.some}`)),
    el('p', {class: 'left-count', id: 'left-count'}, el('b', {}, count(found.left)), ` ${TEXT.left(found.left)}`),
    el('p', {class: 'small-print'}, found.since ? TEXT.counted(moment(found.since)) : TEXT.notCounted),
    el('div', {class: 'left-parts'}, table([TEXT.process, [TEXT.started, 'num'], [TEXT.attempts, 'num']], rows, 'left-rows'),
      el('ul', {class: 'left-words'}, ...[TEXT.fetched(found.fetches.attempts), TEXT.pages(found.blocked), facts.proxies.length ? TEXT.proxies(facts.proxies) : null].filter(Boolean).map((words) => el('li', {}, words)))),
    ...(lines.length ? [el('h3', {}, TEXT.lines), el('div', {class: 'scroll lines', tabindex: '0', role: 'region', 'aria-label': TEXT.lines}, table([TEXT.when, TEXT.who, TEXT.whom], lines))] : []));
}

function computer(card, facts, changed) {
  const machine = facts.machine, check = facts.check, refused = el('div', {});
  const devices = check?.devices ? Object.values(check.devices) : null;
  const button = el('button', {type: 'button', class: 'small', id: 'check', disabled: Boolean(check?.live), onclick: async () => {
    button.disabled = true;
    try { changed(await api('/api/system/check', {})); await look(); } catch (error) { button.disabled = false; if (error.facts) refused.replaceChildren(problem(error.facts)); }
  }}, check?.live ? TEXT.looking : TEXT.look);
  const said = check?.live ? [] : check?.failure ? [problem(check.failure)] : check && check.state !== 'completed' ? [el('p', {class: 'small-print'}, TEXT.checkEnded)] : [];
  const focused = document.activeElement?.id === 'check';
  card.replaceChildren(el('h2', {}, TEXT.thisTitle), rows([
    [TEXT.processor, machine.processor, TEXT.threads(machine.threads)],
    [TEXT.memory, bytes(machine.memory), TEXT.free(bytes(machine.memory_free), bytes(machine.memory))],
    [TEXT.system, machine.system],
    [TEXT.devices, devices ? devices.map((words) => el('span', {class: 'line'}, words)) : el('span', {class: 'quiet'}, TEXT.unseen), devices ? TEXT.looked : null],
  ]), ...said, refused, el('div', {class: 'row'}, button, el('span', {class: 'small-print'}, TEXT.command, ' ', el('code', {}, 'python launch.py check'))));
  if (focused) button.focus();
}

function bedside(card, facts) {
  const code = facts.commit ? facts.commit.commit.slice(0, 10) + (facts.commit.changed ? `, ${TEXT.changed}` : '') : null;
  card.replaceChildren(el('h2', {}, TEXT.bedsideTitle), rows([
    [TEXT.version, facts.version, code ? `${TEXT.commit} ${code}` : null],
    [TEXT.python, facts.python],
    [TEXT.address, el('code', {}, facts.address), TEXT.only],
    [TEXT.workspace, el('code', {}, facts.workspace), TEXT.workspaceWords],
    [TEXT.log, el('code', {}, facts.log), TEXT.logWords],
  ]));
}

function licences(card, facts) {
  const open = card.querySelector('details')?.open;
  const packages = el('details', {open}, el('summary', {}, TEXT.packages(facts.packages.length)),
    table([TEXT.name, TEXT.version, TEXT.licence], facts.packages.map((one) => tr([one.name, one.version, one.licence]))));
  card.replaceChildren(el('h2', {}, TEXT.licencesTitle), el('div', {class: 'scroll'}, table([TEXT.bundled, TEXT.what, TEXT.licence],
    facts.bundled.map((one) => tr([one.name, one.what, [el('span', {}, one.licence, el('code', {class: 'line small-print'}, one.file)), '']])))), packages);
}

function rows(list) {
  return el('table', {class: 'system-rows'}, el('tbody', {}, ...list.map(([name, value, words]) =>
    el('tr', {}, el('th', {scope: 'row'}, name), el('td', {}, value, words ? el('span', {class: 'line small-print'}, words) : null)))));
}

/** A table; a column is its title, or [title, class]. */
function table(columns, body, id) {
  return el('table', {class: 'plain-table', id}, el('thead', {}, el('tr', {}, ...columns.map((column) => {
    const [title, kind] = [column].flat();
    return el('th', {scope: 'col', class: kind ?? ''}, title);
  }))), el('tbody', {}, ...body));
}

function tr(cells) {
  return el('tr', {}, ...cells.map((cell) => (Array.isArray(cell) ? el('td', {class: cell[1]}, cell[0]) : el('td', {}, cell))));
}

const moment = (stamp) => new Date(stamp).toLocaleString('en-GB', {day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit'});
