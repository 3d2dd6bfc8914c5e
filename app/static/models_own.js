// A teacher's file of the user's: named or dropped, recognised, completed by what cannot be known, taken in.
import {api, count, el, look, problem, progressBar} from './live.js';
import {dropZone} from './drop.js';
import {failureOf, follow} from './follow.js';
import {large} from './models_cards.js';

const TEXT = {
  title: 'A teacher’s file of your own', hint: 'The whole path of a .safetensors, .pt, .pth, .bin or .ckpt file, or of the folder it came in',
  look: 'Look at it', drop: 'or drop the file here', dropHint: 'It is copied into Bedside’s workspace. With a description beside it (preprocessor_config.json, config.json), drop both.',
  looking: 'Looking at the names and shapes in the file', taking: 'Reading its weights and keeping a copy', stop: 'Stop',
  interrupted: {what: 'The process that read the file ended without a word.', todo: 'The file may be too large for this computer’s memory. Try again.'},
  stopped: {what: 'It was stopped.', todo: 'Look at the file again when you like.'},
  is: (found) => `This looks like ${found.format_title}, ${found.architecture}: ${large(found.parameters)} parameters, and ${share(found.share)} of them are in the file.`,
  missing: (n) => `Not in the file: ${count(n)}`, unexpected: (n) => `In the file, without use here: ${count(n)}`,
  ask: 'What no file tells', name: 'Name', like: 'The same network as', none: 'none of the catalogue', likeHint: 'Its picture, mean, std and licence are then taken from the catalogue.',
  norm: 'Mean and std', choose: 'Choose…', said: (file) => `as ${file} says`, own: 'other numbers', mean: 'Mean, one or three numbers', std: 'Std, one or three numbers',
  normHint: 'They stand in the paper or the code of its authors. Wrong ones make the teacher see badly, and nothing would say so.',
  side: 'Side of its picture, in pixels', activation: 'Activation', heads: 'Attention heads', usual: 'the usual one',
  licence: 'Licence', note: 'What it means for a student', notePlaceholder: 'such as: research only', accept: 'I have read the licence and accept its conditions.',
  take: 'Take it in', cancel: 'Cancel', numbers: {code: 'C45', what: 'Mean and std are one or three numbers each.', item: '', todo: 'For instance 0.485, 0.456, 0.406.'},
};
const PRESETS = [
  ['imagenet', 'ImageNet: 0.485, 0.456, 0.406 / 0.229, 0.224, 0.225', [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
  ['half', '0.5 / 0.5', [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]],
  ['clip', 'OpenAI CLIP: 0.481, 0.458, 0.408 / 0.269, 0.261, 0.276', [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]],
  ['plain', 'none: 0 / 1', [0, 0, 0], [1, 1, 1]],
];
const ACTIVATIONS = ['gelu', 'quick_gelu', 'gelu_tanh'];
const share = (value) => `${value >= 1 ? '100' : (Math.floor(1000 * value) / 10).toFixed(1)} %`;

/** {node, refused, set(page)}; `update(page)` is called with the page's new state, `choose(change)` with the new teacher. */
export function ownPanel({project, update, choose}) {
  const path = el('input', {type: 'text', id: 'own-path', spellcheck: 'false', autocomplete: 'off', placeholder: '/home/me/teacher.safetensors'});
  const use = el('button', {type: 'submit', class: 'small', id: 'own-use'}, TEXT.look), refused = el('div', {id: 'own-refused'});
  const bar = progressBar(TEXT.looking), stop = el('button', {type: 'button', class: 'small', id: 'own-stop'}, TEXT.stop);
  const busy = el('div', {class: 'measure-bar', id: 'own-progress', hidden: true}, bar, stop), asked = el('div', {id: 'own-asked'});
  const form = el('form', {class: 'own-form', onsubmit: (event) => { event.preventDefault(); start({path: path.value}); }},
    el('label', {for: 'own-path'}, TEXT.title, el('span', {class: 'small-print'}, TEXT.hint)), el('div', {class: 'own-row'}, path, use));
  const zone = dropZone({label: TEXT.drop, hint: TEXT.dropHint, folder: false, sliced: true, onDone: ({id}) => start({dropped: id})});
  const node = el('div', {class: 'own-file'}, form, refused, busy, asked, zone);
  let page = null, arrived = '';

  async function start(given) {
    refuse(null);
    asked.replaceChildren();
    arrived = given.dropped ?? '';
    try {
      const found = await api('/api/models/own', {project, ...given});
      if (found.page) { path.value = ''; update(found.page); return; }
      run(found.task, TEXT.looking, (proposal) => ask(proposal, found.path));
    } catch (error) { refuse(error.facts); }
  }

  /** Follow a task; `done(result)` is called when it is complete. */
  function run(task, words, done) {
    busy.hidden = false;
    use.disabled = true;
    bar.set({text: words, total: 0});
    stop.onclick = () => api(`/api/task/${task}/stop`, {}).then(look, look);
    const over = () => { busy.hidden = true; use.disabled = false; };
    follow(task, () => {}, (facts) => {
      over();
      const failure = failureOf(facts, facts.state === 'stopped' ? TEXT.stopped : TEXT.interrupted);
      if (failure) refuse(failure); else done(facts.result);
    }, (facts) => { over(); refuse(facts); });
  }

  function ask(found, place) {
    const {node: questions, answers} = questionsOf(found, page);
    const proposal = el('form', {class: 'card own-proposal', id: 'own-proposal', onsubmit: (event) => {
      event.preventDefault();
      const given = answers();
      if (!given) { refuse(TEXT.numbers); return; }
      take(place, given);
    }}, el('p', {id: 'own-is', tabindex: '-1'}, el('b', {}, TEXT.is(found))), names(TEXT.missing, found.missing), names(TEXT.unexpected, found.unexpected), el('h3', {}, TEXT.ask), questions,
    el('div', {class: 'row'}, el('button', {type: 'submit', class: 'small', id: 'own-take'}, TEXT.take), el('button', {type: 'button', class: 'small', onclick: () => { leave(); path.focus(); }}, TEXT.cancel)));
    asked.replaceChildren(proposal);
    proposal.querySelector('#own-is').focus();
  }

  async function take(place, answers) {
    refuse(null);
    try {
      const {task} = await api('/api/models/adopt', {project, path: place, answers});
      run(task, TEXT.taking, ({teacher}) => { leave(); path.value = ''; choose({teacher}); });
    } catch (error) { refuse(error.facts); }
  }

  /** Forget what was asked, and the dropped copy: the one that is used lies among the teachers. */
  function leave() {
    refuse(null);
    asked.replaceChildren();
    if (arrived) api(`/api/ingest/${arrived}/cancel`, {}).catch(() => {});
    arrived = '';
  }

  function refuse(facts) {
    refused.replaceChildren(...(facts ? [problem(facts)] : []));
    if (facts) refused.scrollIntoView({block: 'nearest'});
  }
  return {node, refused, set: (facts) => { page = facts; }};
}

function names(words, found) {
  return found.length ? el('details', {}, el('summary', {}, words(found.length)), el('p', {class: 'small-print names'}, found.join(', '))) : null;
}

/** The questions, and a function that returns their answers (null where a number cannot be read). */
function questionsOf(found, page) {
  const unknown = new Set(found.unknown), title = found.file.replace(/\.[^.]+$/, '');
  const field = (id, words, input, hint) => el('div', {class: 'own-field'}, el('label', {for: id}, words), Object.assign(input, {id}), hint ? el('span', {class: 'small-print'}, hint) : null);
  const text = (value = '', more = {}) => el('input', {type: 'text', value, autocomplete: 'off', spellcheck: 'false', ...more});
  const select = (options) => el('select', {}, options.map(([value, words]) => el('option', {value}, words)));
  const name = text(title, {maxlength: 60, required: true}), licence = text('', {maxlength: 200}), note = text('', {maxlength: 500, placeholder: TEXT.notePlaceholder});
  const like = select([['', TEXT.none], ...found.like.map((id) => [id, page.teachers.find((one) => one.id === id)?.title ?? id])]);
  const told = found.mean && found.std ? [['told', TEXT.said(found.said_by)]] : [['', TEXT.choose]];
  const norm = select([...told, ...PRESETS.map(([id, words]) => [id, words]), ['own', TEXT.own]]);
  const mean = text(), std = text(), side = el('input', {type: 'number', min: 32, max: 2048, value: found.image_px});
  const activation = select([['', TEXT.usual], ...ACTIVATIONS.map((one) => [one, one])]), heads = el('input', {type: 'number', min: 1, max: 64, placeholder: TEXT.usual});
  const accepted = el('input', {type: 'checkbox', id: 'own-accepted', required: true});
  const own = el('div', {class: 'own-numbers', hidden: true}, field('own-mean', TEXT.mean, mean), field('own-std', TEXT.std, std));
  const settle = () => {
    own.hidden = norm.value !== 'own';
    mean.required = std.required = !own.hidden;
    norm.required = licence.required = !like.value;
  };
  norm.addEventListener('change', settle);
  like.addEventListener('change', settle);
  const node = el('div', {class: 'own-questions'}, field('own-name', TEXT.name, name), found.like.length ? field('own-like', TEXT.like, like, TEXT.likeHint) : null,
    field('own-norm', TEXT.norm, norm, told[0][0] ? '' : TEXT.normHint), own, unknown.has('image_px') ? field('own-side', TEXT.side, side) : null,
    unknown.has('activation') ? field('own-activation', TEXT.activation, activation) : null, unknown.has('heads') ? field('own-heads', TEXT.heads, heads) : null,
    field('own-licence', TEXT.licence, licence), field('own-note', TEXT.note, note), el('label', {class: 'own-accept', for: 'own-accepted'}, accepted, ` ${TEXT.accept}`));
  settle();

  const answers = () => {
    const given = {name: name.value.trim(), title: name.value.trim(), like: like.value, licence: licence.value.trim(), licence_note: note.value.trim(), accepted: accepted.checked};
    const preset = PRESETS.find(([id]) => id === norm.value);
    const [first, second] = preset ? preset.slice(2) : norm.value === 'own' ? [three(mean.value), three(std.value)] : [undefined, undefined];
    if (first === null || second === null) return null;
    if (first) Object.assign(given, {mean: first, std: second});
    if (unknown.has('image_px') && !like.value) given.image_px = Number(side.value);
    if (activation.value) given.activation = activation.value;
    if (heads.value) given.heads = Number(heads.value);
    return given;
  };
  return {node, answers};
}

/** "0.5" or "0.1, 0.2, 0.3" as three numbers; null where it is neither. */
function three(words) {
  const found = words.split(/[\s,;]+/).filter(Boolean).map(Number);
  if (![1, 3].includes(found.length) || found.some((one) => !Number.isFinite(one))) return null;
  return found.length === 3 ? found : [found[0], found[0], found[0]];
}
