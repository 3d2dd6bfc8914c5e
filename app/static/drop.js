// A place to drop files on, and buttons to choose them: they are sent in batches, with a bar.
//
//   import {dropZone} from './drop.js';
//   element.append(dropZone({
//     label: 'Drop images here',          // words inside the zone
//     hint: 'PNG, JPEG or DICOM',         // quiet words below, optional
//     folder: true,                       // true: a folder is chosen; false: files; 'both': either
//     wholePage: true,                    // a drop anywhere on the page counts, optional
//     sliced: true,                       // large files are sent in parts, `name.part-0001` and so on, optional
//     onDone: async (arrived) => {},      // {id, title, files, bytes}; a refusal it throws is shown
//   }));
//
// On the server `app.ingest.Incoming(workspace).open(id).folder` is where they lie.
import {api, count, el, problem, progressBar} from './live.js';

const TEXT = {
  folder: 'Choose a folder…', files: 'Choose files…', stop: 'Stop', looking: 'Looking through the folder',
  copying: 'Copying files into the workspace', reading: 'Almost done',
  empty: {code: 'I43', what: 'There is no file in what was dropped.', item: '', todo: 'Choose a folder that holds images.'},
  large: (name) => ({code: 'I42', what: 'A file is larger than 60 MB.', item: name, todo: 'Paste the path of its folder instead: then nothing is copied.'}),
  unread: (name, many) => ({code: 'I48', what: `The browser cannot read ${many === 1 ? 'a file' : `${count(many)} files`} of the folder.`, item: name, todo: 'Check that you may open it, or paste the path of the folder instead.'}),
  lost: {code: 'I49', what: 'The copying was interrupted.', item: '', todo: 'Check that Bedside is running and that the files are still there, then drop them again.'},
};
const BATCH_FILES = 64, BATCH_BYTES = 32 * 2 ** 20, LARGEST_FILE = 60 * 2 ** 20;
const PASSED_OVER = /^(\..*|thumbs\.db|desktop\.ini)$/i;

/** See above. Returns an element. */
export function dropZone({label, hint = '', folder = true, wholePage = false, sliced = false, onDone}) {
  const bar = progressBar(TEXT.copying);
  const stop = el('button', {type: 'button', class: 'small'}, TEXT.stop);
  const busy = el('div', {class: 'drop-busy', hidden: true}, bar, stop);
  const failed = el('div', {});
  const kinds = folder === 'both' ? [false, true] : [folder];
  const buttons = kinds.map((whole) => chooser(whole, (files) => send(async () => fromInput(files))));
  const zone = el('div', {class: 'drop-zone'},
    el('div', {class: 'drop-words'}, el('b', {}, label), el('span', {class: 'row'}, ...buttons)),
    hint ? el('p', {class: 'small-print'}, hint) : null);
  const node = el('div', {class: 'drop'}, failed, zone, busy);
  let sending = false;
  listen(wholePage ? document : zone, zone, (transfer) => { if (!sending) send(() => fromDrop(transfer)); });

  async function send(collect) {
    const ender = new AbortController();
    const leave = (event) => event.preventDefault();
    stop.onclick = () => ender.abort();
    sending = true;
    zone.hidden = true; busy.hidden = false; failed.replaceChildren();
    bar.set({text: TEXT.looking});
    addEventListener('beforeunload', leave);
    try {
      const found = await collect();
      const arrived = await sendFiles(sliced ? found.flatMap(slices) : found, (facts) => bar.set(facts), ender.signal);
      if (arrived) { bar.set({text: TEXT.reading}); await onDone(arrived); }
    } catch (error) {
      failed.replaceChildren(problem(error.facts ?? TEXT.lost));
    } finally {
      removeEventListener('beforeunload', leave);
      sending = false;
      zone.hidden = false; busy.hidden = true;
    }
  }
  return node;
}

function chooser(whole, chosen) {
  const input = el('input', {type: 'file', multiple: true, webkitdirectory: whole, hidden: true, tabindex: '-1'});
  input.addEventListener('change', () => { if (input.files.length) chosen([...input.files]); input.value = ''; });
  const button = el('button', {type: 'button', class: 'small', onclick: () => input.click()}, whole ? TEXT.folder : TEXT.files);
  return el('span', {class: 'chooser'}, button, input);
}

function listen(area, zone, dropped) {
  let depth = 0;
  const holds = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const over = (change) => { depth = Math.max(0, change(depth)); zone.classList.toggle('over', depth > 0); };
  area.addEventListener('dragenter', (event) => { if (holds(event)) over((n) => n + 1); });
  area.addEventListener('dragleave', (event) => { if (holds(event)) over((n) => n - 1); });
  area.addEventListener('dragover', (event) => { if (holds(event)) event.preventDefault(); });
  area.addEventListener('drop', (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    over(() => 0);
    dropped(event.dataTransfer);
  });
}

/** Files of an <input>, as [{path, file}]. */
const fromInput = (files) => files.map((file) => ({path: file.webkitRelativePath || file.name, file}));

/** Files of a drop with the folders they lie in, as [{path, file}]. */
async function fromDrop(transfer) {
  const entries = [], found = [], unread = [];
  for (const item of [...transfer.items].filter(({kind}) => kind === 'file')) {   // before anything is awaited
    const entry = item.webkitGetAsEntry?.(), file = item.getAsFile();
    if (entry) entries.push(entry); else if (file) found.push({path: file.name, file});
  }
  while (entries.length) {
    const entry = entries.pop();
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) found.push({path: entry.fullPath.replace(/^\//, ''), file}); else unread.push(entry.name);
    } else {
      const reader = entry.createReader();
      const read = () => new Promise((resolve) => reader.readEntries(resolve, () => { unread.push(entry.name); resolve([]); }));
      for (let part = await read(); part.length; part = await read()) entries.push(...part);  // a hundred at a time
    }
  }
  if (unread.length) throw refusal(TEXT.unread(unread[0], unread.length));
  return found;
}

/** A large file in parts that the server puts together again (app/own_teacher.py). */
function slices({path, file}) {
  if (file.size <= BATCH_BYTES) return [{path, file}];
  return Array.from({length: Math.ceil(file.size / BATCH_BYTES)}, (_, place) => ({
    path: `${path}.part-${String(place + 1).padStart(4, '0')}`, file: file.slice(place * BATCH_BYTES, (place + 1) * BATCH_BYTES),
  }));
}

/** Send files; returns what has arrived, or null when it was stopped. */
async function sendFiles(all, tell, signal) {
  const {files, title} = strip(all.filter(({path}) => !PASSED_OVER.test(path.split('/').pop())));
  const large = files.find(({file}) => file.size > LARGEST_FILE);
  if (!files.length) throw refusal(TEXT.empty);
  if (large) throw refusal(TEXT.large(large.file.name));
  const bytes = files.reduce((sum, {file}) => sum + file.size, 0);
  const {id} = await api('/api/ingest/start', {title, files: files.length, bytes});
  const start = performance.now();
  let done = 0, sent = 0;
  try {
    for (const batch of batches(files)) {
      if (signal.aborted) throw new DOMException('stopped', 'AbortError');
      await post(id, batch, signal);
      done += batch.length;
      sent += batch.reduce((sum, {file}) => sum + file.size, 0);
      const pace = (performance.now() - start) / 1000 / Math.max(1, sent);
      tell({text: TEXT.copying, done, total: files.length, eta_s: pace * (bytes - sent)});
    }
    return await api(`/api/ingest/${id}/done`, {});
  } catch (error) {
    await api(`/api/ingest/${id}/cancel`, {}).catch(() => {});
    if (error.name === 'AbortError') return null;
    throw error;
  }
}

/** The one folder that everything lies in becomes the title. */
function strip(files) {
  const tops = new Set(files.map(({path}) => path.includes('/') ? path.split('/')[0] : null));
  const [top] = tops;
  if (tops.size !== 1 || top === null) return {files, title: ''};
  return {title: top, files: files.map(({path, file}) => ({path: path.slice(top.length + 1), file}))};
}

function* batches(files) {
  let batch = [], size = 0;
  for (const item of files) {
    if (batch.length && (batch.length >= BATCH_FILES || size + item.file.size > BATCH_BYTES)) {
      yield batch;
      batch = []; size = 0;
    }
    batch.push(item);
    size += item.file.size;
  }
  if (batch.length) yield batch;
}

/** One batch: length of the header, the header, the files (app/ingest.py). */
async function post(id, batch, signal) {
  const header = new TextEncoder().encode(JSON.stringify(batch.map(({path, file}) => [path, file.size])));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, header.length);
  const body = new Blob([length.buffer, header, ...batch.map(({file}) => file)]);
  const answer = await fetch(`/api/ingest/${id}`, {method: 'POST', body, signal, headers: {'content-type': 'application/octet-stream'}});
  if (answer.ok) return;
  const content = (answer.headers.get('content-type') ?? '').includes('json') ? await answer.json() : {};
  throw refusal(content.error ?? TEXT.lost);
}

function refusal(facts) {
  const error = new Error(facts.what);
  error.facts = facts;
  return error;
}
