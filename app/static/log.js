// What happened, in words; what the worker printed; how to do the same on the command line.
import {api, el} from './live.js';

const TEXT = {
  notices: 'Notices',
  log: 'Log',
  events: 'What happened',
  console: 'What the training printed last',
  nothing: 'Nothing was printed.',
  command: 'The same on the command line',
  commandWords: 'This does what Start did. `python launch.py --help` lists all commands.',
  copy: 'Copy', copied: 'Copied',
};
const EVERY_MS = 2000;

/** Three folded parts as one element; `.set(summary, facts)` keeps them up to date. */
export function makeLog() {
  const notices = el('div', {id: 'run-notices', hidden: true});
  const events = el('ol', {class: 'events', tabindex: 0, 'aria-label': TEXT.events});
  const printed = el('pre', {class: 'log', tabindex: 0, role: 'region', 'aria-label': TEXT.console});
  const log = el('details', {class: 'card fold', id: 'run-log'}, el('summary', {}, TEXT.log),
    el('h3', {}, TEXT.events), events, el('h3', {}, TEXT.console), printed);
  const line = el('code', {id: 'run-command', tabindex: 0});
  const copy = el('button', {type: 'button', class: 'small'}, TEXT.copy);
  const command = el('details', {class: 'card fold'}, el('summary', {}, TEXT.command),
    el('p', {class: 'quiet'}, TEXT.commandWords.replaceAll('`', '')), el('div', {class: 'command'}, line, copy));
  const node = el('div', {class: 'stack'}, notices, el('div', {class: 'folds'}, log, command));
  let run = '', alerts = -1, state = '', at = 0, busy = false;

  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(line.textContent);
    copy.textContent = TEXT.copied;
    setTimeout(() => { copy.textContent = TEXT.copy; }, 1500);
  });
  log.addEventListener('toggle', () => { at = 0; if (log.open) fetchLog(); });

  async function fetchLog() {
    if (busy || !run) return;
    busy = true;
    at = performance.now();
    try {
      const asked = run, found = await api(`/api/train/run/${run}/log`);
      if (asked === run) show(found);
    } catch {
      alerts = -1;                                // gone, or no connection: the next look tells
    } finally {
      busy = false;
    }
  }

  function show(found) {
    const kinds = {info: '', warning: 'warn', error: 'warn'};
    notices.hidden = !found.alerts.length;
    notices.replaceChildren(...(found.alerts.length ? [el('ul', {class: 'notices', 'aria-label': TEXT.notices},
      found.alerts.map((event) => el('li', {class: kinds[event.level] ?? ''}, event.text, ' ', el('code', {}, event.code))))] : []));
    if (!log.open) return;
    const bottom = events.scrollHeight - events.scrollTop - events.clientHeight < 4;
    events.replaceChildren(...found.events.map((event) => el('li', {}, el('time', {}, new Date(event.ts).toLocaleTimeString('en-GB')), ' ', event.text)));
    if (bottom) events.scrollTop = events.scrollHeight;
    const end = printed.scrollHeight - printed.scrollTop - printed.clientHeight < 4;
    printed.textContent = found.console || TEXT.nothing;
    if (end) printed.scrollTop = printed.scrollHeight;
  }

  const set = (summary, facts) => {
    if (summary.id !== run) [run, alerts, state] = [summary.id, -1, ''];
    line.textContent = facts.command;
    const changed = summary.alerts !== alerts || summary.state !== state;
    [alerts, state] = [summary.alerts, summary.state];
    if (changed || (log.open && summary.live && performance.now() - at > EVERY_MS)) fetchLog();
  };
  return {node, set};
}
