// The bar on top and the rail: project, jobs, ticks, theme, help.
import {count, duration, el, onLive} from './live.js';

const STATES = {queued: 'waiting', running: 'running', stopping: 'stopping'};
const TASKS = {
  import: 'Import', measure: 'Measuring', predict: 'Prediction', open_test: 'Test set', hand_over: 'Copy', report: 'Report', check: 'Check', fetch: 'Download', probe: 'Comparing teachers',
};

export function mount(element) {
  // before the page, so that the Tab key meets them in the order in which they are seen
  document.body.prepend(...['skip', 'topbar', 'rail'].map((name) => element.querySelector(`.${name}`)));
  document.body.append(element.querySelector('.lost'));
  const by = (id) => document.getElementById(id);
  const help = by('help');
  by('help-open').addEventListener('click', () => help.showModal());
  by('help-close').addEventListener('click', () => help.close());
  help.addEventListener('click', (event) => { if (event.target === help) help.close(); });
  by('theme').addEventListener('click', () => {
    const dark = document.body.classList.toggle('dark');
    document.cookie = `bedside-theme=${dark ? 'dark' : 'light'};path=/;max-age=31536000;samesite=strict`;
  });
  onLive((state) => {
    by('chip-project').querySelector('b').textContent = state.project?.title ?? 'No images yet';
    by('chip-device').textContent = state.device;
    for (const [step, done] of Object.entries(state.ticks)) {
      const link = document.querySelector(`[data-step="${step}"]`);
      link?.classList.toggle('done', done);
      link?.setAttribute('title', done ? 'done' : '');
    }
    showJob(by('chip-job'), state.jobs);
  });
}

function showJob(chip, jobs) {
  const job = jobs.find((found) => found.kind === 'run' && found.state !== 'queued') ?? jobs[0];
  chip.hidden = !job;
  if (!job) return;
  const share = job.total ? ` ${Math.min(99, Math.floor(100 * job.done / job.total))} %` : '';
  const left = job.eta_s === null ? '' : `, ${duration(job.eta_s)} left`;
  const more = jobs.length > 1 ? ` +${count(jobs.length - 1)}` : '';
  const name = job.kind === 'run' ? job.name : TASKS[job.name] ?? job.name;
  chip.replaceChildren(el('span', {class: 'pulse', 'aria-hidden': 'true'}),
    el('span', {}, `${name}: ${STATES[job.state] ?? job.state}${share}${left}${more}`));
  chip.href = job.kind === 'run' ? `/train?run=${job.id}` : '/';
}
