// The Export page: pick a finished training, see what it hands over, take it away.
import {api, el, look, onLive, problem, progressBar, query, setQuery, wish} from './live.js';
import {fileTable, parityCard, studentCard} from './export_cards.js';

const TEXT = {
  emptyTitle: 'First choose your images', emptyWords: 'A student is trained on them; then it can be handed over here.', toData: 'Go to Data',
  noneTitle: 'There is no finished training yet', noneWords: 'When one is complete, its student, its report and the folder to hand over are here.', toTrain: 'Go to Train',
  pick: 'Training', line: (run) => `${run.name} · ${run.method} · ${run.student} · ${day(run.created)}`, handed: ' · handed over', see: 'Its curves on Train', test: 'Try it on images',
  takeTitle: 'Take it with you', zip: 'Download as one file (.zip)', zipWords: 'Everything below and the report, in one folder.',
  copyTitle: 'Copy the folder to', copyHint: 'The whole path of a new folder on this computer or a drive', copy: 'Copy',
  copying: 'Copying and verifying the files', copied: (files, folder) => `Copied and verified: ${files} files are in ${folder}`,
  copyEnded: 'Copying ended unexpectedly. Nothing of it was kept.', copyStopped: 'Copying was stopped. Nothing of it was kept.',
  command: 'On the command line', copyCommand: 'Copy the command', commandCopied: 'Copied', where: 'Where the files lie now',
  reportTitle: 'Report', open: 'Open the report', opens: 'It opens in a new tab: one file without a script, to print or to send.',
  written: (when) => `Written ${when}.`, noReport: 'There is no report yet.', write: 'Write the report anew', writeFirst: 'Write the report', writing: 'Writing the report',
  writeEnded: 'Writing the report ended unexpectedly; the earlier one is still there.',
  stale: {figures: 'Figures have been added since it was written.', companion: 'A run of another method has finished since it was written.', opened: 'The test set has been opened since it was written.'},
};
let parts = null, facts = null, seen = '', asking = false, again = false;

export function mount(element) {
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      do { again = false; show(element, await api(`/api/export?run=${encodeURIComponent(query('run'))}`)); } while (again);
    } catch (error) { if (error.facts) seen = ''; } finally { asking = false; }
  };
  onLive((state) => {
    if (parts && state.task) parts.progress(state.task);
    const now = [state.project?.id, state.project?.version, state.runs, ...state.jobs.map((job) => job.id)].join(' ');
    if (now !== seen) { seen = now; refresh(); }
  });
  element.addEventListener('export:refresh', refresh);
}

function show(element, found) {
  facts = found;
  element.dataset.ready = 'true';
  if (!found.run) {
    parts = null;
    const empty = found.project ? [TEXT.noneTitle, TEXT.noneWords, '/train', TEXT.toTrain] : [TEXT.emptyTitle, TEXT.emptyWords, '/', TEXT.toData];
    element.replaceChildren(...(found.problem ? [problem(found.problem)] : []), el('section', {class: 'card empty-export', id: 'export-empty'}, el('h2', {}, empty[0]), el('p', {}, empty[1]),
      el('a', {class: 'button primary', href: empty[2]}, empty[3])));
    return;
  }
  if (!parts) parts = build(element);
  parts.set(found);
}

function build(element) {
  const picker = el('select', {id: 'export-run', onchange: (event) => { setQuery('run', event.target.value); element.dispatchEvent(new Event('export:refresh')); }});
  const asked = el('div', {id: 'export-problem'}), links = el('span', {class: 'export-links'});
  const main = el('div', {class: 'export-main'}), take = takeCard(), report = reportCard();
  element.replaceChildren(asked,
    el('div', {class: 'export-pick'}, el('label', {for: 'export-run'}, TEXT.pick), picker, links),
    el('div', {class: 'export-parts'}, el('div', {class: 'export-side'}, take.node, report.node), main));
  const set = (found) => {
    const run = found.run;
    picker.replaceChildren(...found.runs.map((one) => el('option', {value: one.id}, TEXT.line(one) + (one.handed_over ? TEXT.handed : ''))));
    picker.value = run.id;
    asked.replaceChildren(...(found.problem ? [problem(found.problem)] : []));
    links.replaceChildren(el('a', {href: `/train?run=${run.id}`}, TEXT.see), el('a', {href: `/test?run=${run.id}`}, TEXT.test));
    main.replaceChildren(...[run.student_card && studentCard(run.student_card), parityCard(run.parity), run.files.length && fileTable(run.files)].filter(Boolean));
    take.set(run);
    report.set(run);
    const live = [run.copying, run.writing].find((task) => task?.live);
    wish('task', live?.id ?? null);
  };
  return {set, progress: (task) => { take.progress(task); report.progress(task); }};
}

async function act(path, body, refused) {
  refused.replaceChildren();
  try {
    const found = await api(path, body);
    parts?.set(found);
    await look();
  } catch (error) {
    if (error.facts) refused.replaceChildren(problem(error.facts));
  }
}

function takeCard() {
  const zip = el('a', {class: 'button primary', id: 'export-zip', download: ''}, TEXT.zip);
  const path = el('input', {type: 'text', id: 'export-folder', spellcheck: 'false', autocomplete: 'off', placeholder: '/media/usb/student'});
  const copy = el('button', {type: 'submit', class: 'small', id: 'export-copy'}, TEXT.copy);
  const refused = el('div', {id: 'export-refused'}), said = el('div', {id: 'export-copied', 'aria-live': 'polite'});
  const bar = progressBar(TEXT.copying), command = el('code', {}), folder = el('code', {});
  const copyCommand = el('button', {type: 'button', class: 'small', id: 'export-command', onclick: async () => {
    await navigator.clipboard.writeText(command.textContent);
    copyCommand.textContent = TEXT.commandCopied;
    setTimeout(() => { copyCommand.textContent = TEXT.copyCommand; }, 2000);
  }}, TEXT.copyCommand);
  const form = el('form', {class: 'export-copy', onsubmit: (event) => {
    event.preventDefault();
    act(`/api/export/${facts.run.id}/copy`, {folder: path.value}, refused);
  }}, el('label', {for: 'export-folder'}, TEXT.copyTitle), el('div', {class: 'export-row'}, path, copy), el('p', {class: 'small-print'}, TEXT.copyHint));
  const ways = el('div', {class: 'export-ways'}, el('div', {}, zip, el('p', {class: 'small-print'}, TEXT.zipWords)), form);
  const node = el('section', {class: 'card', 'aria-labelledby': 'take-title'}, el('h2', {id: 'take-title'}, TEXT.takeTitle), ways, refused, bar, said,
    el('dl', {class: 'export-places'}, el('dt', {}, TEXT.command), el('dd', {}, command, copyCommand), el('dt', {}, TEXT.where), el('dd', {}, folder)));
  let task = null;
  const set = (run) => {
    const sound = run.parity.state === 'agrees';
    ways.hidden = !sound;
    zip.href = `/api/export/${run.id}/zip`;
    command.textContent = run.command;
    folder.textContent = run.folder;
    const copying = run.copying;
    task = copying?.live ? copying.id : null;
    bar.hidden = !task;
    copy.disabled = Boolean(task);
    if (task) bar.set({text: TEXT.copying});
    said.replaceChildren(...(!copying || copying.live ? [] : copying.failure ? [problem(copying.failure)]
      : [el('p', {class: 'note'}, copying.state === 'completed' ? TEXT.copied(copying.files, copying.folder) : copying.state === 'stopped' ? TEXT.copyStopped : TEXT.copyEnded)]));
  };
  const progress = (found) => { if (found.id === task && !found.live) document.getElementById('export-run').dispatchEvent(new Event('change')); };
  return {node, set, progress};
}

function reportCard() {
  const open = el('a', {class: 'button', id: 'export-report', target: '_blank', rel: 'noopener'}, TEXT.open);
  const opens = el('p', {class: 'small-print'}, TEXT.opens), when = el('p', {class: 'small-print'}), stale = el('div', {id: 'export-stale'});
  const refused = el('div', {}), bar = progressBar(TEXT.writing);
  const write = el('button', {type: 'button', class: 'small', id: 'export-write', onclick: () => act(`/api/export/${facts.run.id}/report`, {}, refused)}, TEXT.write);
  const node = el('section', {class: 'card export-report', 'aria-labelledby': 'report-title'}, el('h2', {id: 'report-title'}, TEXT.reportTitle), open, opens, when, stale, refused, bar, write);
  let task = null;
  const set = (run) => {
    const report = run.report, writing = run.writing;
    task = writing?.live ? writing.id : null;
    open.hidden = opens.hidden = !report.there;
    open.href = `/api/export/${run.id}/report`;
    when.textContent = report.there ? TEXT.written(moment(report.written)) : TEXT.noReport;
    stale.replaceChildren(...(task ? [] : report.stale.map((one) => el('p', {class: 'note warn'}, TEXT.stale[one]))));
    write.textContent = report.there ? TEXT.write : TEXT.writeFirst;
    write.hidden = run.parity.state === 'differs';
    write.disabled = Boolean(task);
    bar.hidden = !task;
    if (task) bar.set({text: TEXT.writing});
    if (!task && writing?.failure && report.stale.length) refused.replaceChildren(problem(writing.failure));
    else if (!task && writing?.state === 'interrupted' && report.stale.length) refused.replaceChildren(el('p', {class: 'note warn'}, TEXT.writeEnded));
  };
  const progress = (found) => {
    if (found.id !== task) return;
    bar.set({text: found.phase.text || TEXT.writing, done: found.done, total: found.total, eta_s: found.eta_s});
    if (!found.live) document.getElementById('export-run').dispatchEvent(new Event('change'));
  };
  return {node, set, progress};
}

const day = (stamp) => new Date(stamp).toLocaleDateString('en-GB', {day: 'numeric', month: 'short', year: 'numeric'});
const moment = (stamp) => new Date(stamp).toLocaleString('en-GB', {day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit'});
