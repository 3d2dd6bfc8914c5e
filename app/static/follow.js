// Follow a task to its end: once a second while the page is in sight.
import {api} from './live.js';

const PATIENCE = 60;   // looks

/** Call `told(facts)` after every look; `over(facts)` once, when it has ended. Returns a function that stops looking. */
export function follow(task, told, over, lost = () => {}) {
  let timer = 0, ended = false, unborn = 0;   // its process may just be signing in
  const look = async () => {
    try {
      const facts = document.hidden ? null : await api(`/api/task/${task}`);
      if (ended) return;
      if (facts?.state === 'created' && unborn++ < PATIENCE) facts.live = true;
      if (facts) told(facts);
      if (facts && !facts.live) { ended = true; over(facts); return; }
    } catch (error) {
      if (error.facts && !ended) { ended = true; lost(error.facts); return; }   // deleted elsewhere
    }
    if (!ended) timer = setTimeout(look, 1000);
  };
  look();
  return () => { ended = true; clearTimeout(timer); };
}

/** Why a task has not completed, as an error to show; null if it has. */
export function failureOf(facts, interrupted) {
  if (facts.state === 'completed') return null;
  if (facts.failure?.what) return facts.failure;
  return {code: 'R70', item: '', ...interrupted};
}
