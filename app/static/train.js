// The part of the start form that follows what is on disk: what is missing, the pair, folding.
import {el, onLive} from './live.js';
import {onRuns} from './runlist.js';

const TEXT = {
  none: 'There are no images to train on yet. Choose a folder on the Data page, or open the demo there.',
  unread: 'The images of this project have not been read and divided yet. Do that on the Data page first.',
  data: 'To the Data page',
  another: 'Another training',
  fold: 'Hide the form',
};

/** `refresh` makes the server fill the form anew from the project on disk. */
export function mount(element, refresh) {
  const card = document.getElementById('train-card');
  const words = el('p', {});
  const note = el('div', {class: 'note', hidden: true}, words, el('a', {class: 'button primary', href: '/'}, TEXT.data));
  const fold = el('button', {type: 'button', class: 'small', id: 'train-fold', hidden: true, 'aria-controls': 'train-form'}, TEXT.another);
  element.append(note);
  document.getElementById('train-title').append(fold);
  const known = new Set();          // versions of the project that the form has shown or made
  let touched = false, strange = '';
  window.addEventListener('bedside:form', (event) => known.add(`${event.detail.version}`));
  fold.addEventListener('click', () => { touched = true; show(card.classList.contains('folded')); });

  function show(open) {
    card.classList.toggle('folded', !open);
    fold.textContent = open ? TEXT.fold : TEXT.another;
    fold.setAttribute('aria-expanded', String(open));
  }

  onLive((live) => {
    const ready = Boolean(live.project?.imported);
    note.hidden = ready;
    words.textContent = live.project ? TEXT.unread : TEXT.none;
    card.classList.toggle('locked', !ready);
    card.dataset.state = ready ? 'ready' : live.project ? 'unread' : 'empty';
    const version = `${live.project?.version ?? null}`;
    const typing = card.querySelector('#train-form')?.contains(document.activeElement);
    if (known.has(version) || typing) return;     // what is being typed is not overwritten
    if (known.size && strange !== version) { strange = version; return; }   // our own change, its answer on the way
    known.add(version);
    refresh();
  });
  onRuns((runs) => {
    const live = runs.some((run) => run.own && ['queued', 'running', 'stopping'].includes(run.status));
    fold.hidden = !live && !card.classList.contains('folded');
    if (!touched) show(!live);
  });
}
