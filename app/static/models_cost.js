// What the chosen pair will cost: time, disk, what stands in the way, and how it was measured.
import {api, bytes, count, duration, el, look, problem, progressBar} from './live.js';

const TEXT = {
  title: 'What this pair will cost', time: 'until the first result', disk: 'on the disk', about: (value) => `about ${value}`,
  features: (images, views) => `The teacher looks at ${count(images)} images, ${views} views of each`, kept: 'The teacher’s answers are there from an earlier training',
  online: 'The teacher looks at every image in every pass', training: (passes, images) => `${count(passes)} ${passes === 1 ? 'pass' : 'passes'} over ${count(images)} training images`,
  rest: 'Start, checks, export and report', featureDisk: 'Teacher’s answers, shared by later trainings', checkpoints: 'Checkpoints of the training', export: 'The finished student',
  free: (size) => `${size} are free.`, nothing: 'none',
  unread: 'How long it takes depends on your images, and they have not been read yet.', toData: 'Read them on Data',
  unknown: 'This is known as soon as the chosen teacher and student have been measured here.',
  smaller: 'This teacher computes less than the student. That is allowed, but a student seldom learns more from a teacher smaller than itself.',
  fewer: (views, wanted) => `The disk holds ${views} of ${wanted} views of each image. Training uses those.`,
  noViews: 'The disk cannot hold the teacher’s answers, so the teacher will be asked anew in every pass. That is why it takes so long.',
  full: 'The disk is too small for the training’s checkpoints. Free some space first; System shows what takes it.',
  away: 'The chosen teacher is not on this computer. Fetch it, or choose another.',
  alone: (method) => `The method “${method}”, chosen under Advanced on Train, uses no teacher.`,
  measuring: 'Measuring on this computer', short: 'Measuring', stop: 'Stop', measured: (machine, threads) => `Measured on this computer: ${machine}, ${threads} ${threads === 1 ? 'thread' : 'threads'}.`,
  busy: (share) => `Other programs used ${share} % of the processor while this was measured, so the times are too long.`,
  ended: 'Measuring ended unexpectedly.', stopped: 'Measuring was stopped.', left: 'Some cards are not measured yet.',
  measure: 'Measure now', again: 'Measure again', waits: 'Something else is at work. Measure when it is over.',
  goOn: 'Go on to Train', failed: 'Measuring could not be finished.',
};

const GAVE_WAY = 'R80';   // measuring made room for a training: no failure

/** {node, set(page, teacher, student), progress(task)}; `measure(again)` and `goOn()` are called. */
export function costPanel({measure, goOn}) {
  const sums = el('div', {id: 'cost'}), warnings = el('div', {id: 'cost-warnings', 'aria-live': 'polite'});
  const bar = progressBar(TEXT.measuring), foot = el('div', {class: 'measured'});
  const stop = el('button', {type: 'button', class: 'small', id: 'measure-stop'}, TEXT.stop);
  const busy = el('div', {class: 'measure-bar', id: 'measure-progress', hidden: true}, bar, stop);
  const link = el('a', {class: 'button primary', href: '/train', id: 'go-on', onclick: async (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (await goOn()) location.href = '/train';
  }}, TEXT.goOn);
  const node = el('aside', {class: 'card cost-panel', 'aria-labelledby': 'cost-title'},
    el('h2', {id: 'cost-title'}, TEXT.title), sums, warnings, link, busy, foot);
  let task = null;
  stop.addEventListener('click', () => { if (task) { stop.disabled = true; api(`/api/task/${task}/stop`, {}).then(look, look); } });

  const set = (page, teacher, student) => {
    task = page.task;
    busy.hidden = !task;
    stop.disabled = false;
    if (task && !bar.dataset.begun) bar.set({text: TEXT.short, total: 0});
    sums.replaceChildren(...costs(page));
    warnings.replaceChildren(...warn(page, teacher).map((words) => el('p', {class: 'note warn'}, words)));
    foot.replaceChildren(...measured(page, measure));
    foot.hidden = Boolean(task) || !page.images;
  };
  const progress = (found) => {
    if (found.id !== task) return;
    bar.dataset.begun = 'yes';
    bar.set({text: TEXT.short, done: found.done, total: found.total, eta_s: found.eta_s, live: found.live});
  };
  return {node, set, progress};
}

function costs(page) {
  if (!page.images) return [el('p', {}, TEXT.unread), el('p', {}, el('a', {href: '/'}, TEXT.toData))];
  const found = page.estimate;
  if (!found) return [el('p', {class: 'quiet'}, TEXT.unknown)];
  const seconds = found.seconds, disk = {...found.bytes, features: found.kept ? 0 : found.bytes.features};
  const asked = page.images.train;
  const teacher = found.kept ? TEXT.kept : found.views ? TEXT.features(asked, found.views) : TEXT.online;
  return [
    sum('cost-time', TEXT.about(duration(total(seconds))), TEXT.time, [
      page.method.teaches ? [teacher, found.kept ? TEXT.nothing : duration(seconds.features)] : null,
      [TEXT.training(page.epochs, asked), duration(seconds.training)],
      [TEXT.rest, duration(seconds.rest)],
    ]),
    sum('cost-disk', TEXT.about(bytes(total(disk))), TEXT.disk, [
      disk.features ? [TEXT.featureDisk, bytes(disk.features)] : null,
      [TEXT.checkpoints, bytes(disk.checkpoints)],
      [TEXT.export, bytes(disk.export)],
    ], TEXT.free(bytes(found.free))),
  ];
}

const total = (parts) => Object.values(parts).reduce((sum, part) => sum + part, 0);

function sum(id, value, what, rows, foot) {
  return el('div', {class: 'sum', id}, el('p', {class: 'sum-value'}, el('b', {}, value), ' ', what),
    el('table', {class: 'sum-rows'}, el('tbody', {}, ...rows.filter(Boolean).map(([name, part]) => el('tr', {}, el('th', {scope: 'row'}, name), el('td', {class: 'num'}, part))))),
    foot ? el('p', {class: 'small-print'}, foot) : null);
}

function warn(page, teacher) {
  const found = page.estimate, said = [];
  if (teacher && !teacher.here && page.method.teaches) said.push(TEXT.away);
  if (!page.method.teaches) said.push(TEXT.alone(page.method.title));
  if (found?.teacher_is_smaller && page.method.teaches) said.push(TEXT.smaller);
  if (found && page.method.teaches && !found.views) said.push(TEXT.noViews);
  else if (found && page.method.teaches && found.views < found.wanted_views) said.push(TEXT.fewer(found.views, found.wanted_views));
  if (found && !found.fits) said.push(TEXT.full);
  return said;
}

function measured(page, measure) {
  const facts = page.measured, parts = [];
  if (facts.any) parts.push(el('p', {class: 'small-print'}, TEXT.measured(facts.machine, facts.threads)));
  if (facts.any && facts.busy > 0.3) parts.push(el('p', {class: 'small-print warned'}, TEXT.busy(Math.round(100 * facts.busy))));
  if (page.failure?.code === GAVE_WAY) parts.push(el('p', {class: 'small-print'}, page.failure.what + '.', ' ', page.failure.todo));
  else if (page.failure) parts.push(problem(page.failure));
  else if (page.ended) parts.push(el('p', {class: 'small-print'}, TEXT[page.ended] ?? TEXT.ended));
  else if (facts.left && facts.any) parts.push(el('p', {class: 'small-print'}, TEXT.left));
  const waits = page.others.includes('run');
  const again = facts.left === 0;
  parts.push(el('button', {type: 'button', class: 'small', id: 'measure', disabled: waits, onclick: () => measure(again)}, again ? TEXT.again : TEXT.measure));
  if (waits) parts.push(el('p', {class: 'small-print'}, TEXT.waits));
  return parts;
}
