// The list of runs, fetched when the server says that it has changed, for all parts of the page.
import {api, look, onLive} from './live.js';

const listeners = new Set();
let runs = null, version = null, project = null, busy = false;

/** Call `listener(runs)` now and whenever the list has changed; the newest run comes first. */
export function onRuns(listener) {
  listeners.add(listener);
  if (runs) listener(runs);
}

/** A run's line, or undefined. */
export const findRun = (id) => runs?.find((run) => run.id === id);

/** What a run is called; where two are called alike, with its time. */
export function nameOf(id) {
  const run = findRun(id);
  if (!run) return id;
  const alike = runs.filter((other) => other.name === run.name).length > 1;
  return alike ? `${run.name}, ${moment(run.created)}` : run.name;
}

/** A local time as people write it. */
export function moment(text) {
  const when = new Date(text);
  return when.toLocaleDateString('en-GB', {day: 'numeric', month: 'short', year: 'numeric'}) + ', ' + when.toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'});
}

/** What has just been changed is looked at at once. */
export async function refresh() {
  version = null;
  await look();
}

onLive(async (live) => {
  if (busy || (live.runs === version && live.project?.id === project)) return;
  busy = true;
  try {
    const found = await api('/api/train/runs');
    [runs, version, project] = [found.runs, found.version, live.project?.id];
    for (const listener of [...listeners]) listener(runs);
  } catch (error) {
    if (error.facts) throw error;                 // else no connection: the next look tries again
  } finally {
    busy = false;
  }
});
