// One image examined: the viewer, what student and teacher say, where the student looked, what it saw.
import {api, count, el, problem} from './live.js';
import {colourHeat, HEAT_GRADIENT} from './levels.js';
import {createViewer} from './viewer.js';

export const TEXT = {
  picture: (at, all) => `Picture ${count(at)} of ${count(all)} in this file`, pictureBefore: 'The picture before', pictureAfter: 'The picture after',
  student: 'Student', teacher: 'Teacher', says: 'The student says', wouldSay: 'The student would say', outside: 'Outside the training range', unreliable: 'The figures below are not to be relied on.', finds: 'The student finds', wouldFind: 'The student would find', nothing: 'no finding', none: 'nothing', others: 'Other images are not affected.',
  from: (name, limit) => `“${name}” is called from ${limit} on, the threshold chosen on validation.`,
  most: 'The most probable class is called.', findings: 'A finding is called from its own threshold on, marked on its bar.',
  teacherSays: (word) => `The teacher's most probable class is “${word}”.`, teacherFinds: (word) => word ? `The teacher finds: ${word}.` : 'The teacher finds nothing.',
  disagree: 'Student and teacher disagree.', noTeacher: 'This student learned alone, without a teacher.', teacherGone: 'The teacher cannot be asked: ',
  truth: 'Labelled', right: 'agrees with the label', wrong: 'differs from the label', madeAs: 'Drawn as',
  threshold: 'threshold', capped: 'Shown as 1 % to 99 % at most: no network is certain.',
  looked: 'Where the student looked', where: 'Where, not why.', for: 'For', opacity: 'Heat-map', off: 'off', least: 'least', greatest: 'most', making: 'Making the heat-map …',
  empty: 'Nothing in this picture spoke for this class.', smooth: 'The map is coarse and drawn smoothed.', method: 'Method:',
  seen: 'As the network sees it', seenSize: (side) => `${side} × ${side} pixels, exactly what the student was given, in 256 grey levels. Not smoothed.`,
  file: 'The file', read: 'read by', bits: 'bits', window: 'window of the network\'s picture', more: (number) => `Show all ${number} classes`,
  remarks: {
    even: 'The picture is one even grey. What is said of it means nothing.', modality: 'No training image was of this modality. Do not rely on what is said of it.',
    colour: 'The picture has colours, and all training images were grey.', size: 'The picture is far smaller or larger than any training image.',
    cached: 'The original file is no longer where it was, so the imported copy is shown, at the size the networks see.',
  },
};
const MANY = 6;

/** A probability as it is shown: never 0 and never 100 %. */
export const percent = (value) => `${Math.min(99, Math.max(1, Math.round(100 * value)))} %`;
/** Words of a prediction; `said` comes from the server. */
export const wordOf = (run, said) => said || (run.task === 'multilabel' ? TEXT.nothing : '');

/** An examination of images of one run. `onStep` as for the viewer; `onTurn(picture)` for a file that holds several. */
export function createExamination(run, onStep, onTurn = null) {
  const viewer = createViewer({onStep, onHeat: () => { on.checked = !on.checked; overlay(); }});
  const turner = createTurner(onTurn), failed = el('div', {}), verdict = el('div', {class: 'verdict'}), bars = el('div', {class: 'bars'});
  const opacity = el('input', {type: 'range', min: 0, max: 100, value: 50, 'aria-label': `${TEXT.opacity}: opacity in percent`});
  const on = el('input', {type: 'checkbox', checked: true});
  const share = el('span', {class: 'quiet share'});
  const classes = el('select', {}, run.classes.map((name, place) => el('option', {value: place}, name)));
  const mapWords = el('p', {class: 'small-print', role: 'status'});
  const input = el('img', {class: 'seen-image', alt: ''}), seenHeat = el('canvas', {class: 'seen-heat', 'aria-hidden': 'true'});
  const seenWords = el('p', {class: 'small-print'});
  const scale = el('div', {class: 'heat-scale'}, el('span', {}, TEXT.least), el('i', {style: `background:${HEAT_GRADIENT}`}), el('span', {}, TEXT.greatest));
  const heatCard = el('section', {class: 'looked'}, el('h3', {}, TEXT.looked),
    el('div', {class: 'looked-tools'}, el('label', {}, `${TEXT.for} `, classes), el('label', {class: 'check'}, on, ` ${TEXT.opacity} `), opacity, share), scale,
    el('p', {class: 'where'}, el('b', {}, TEXT.where)), mapWords);
  const seenCard = el('section', {class: 'seen'}, el('h3', {}, TEXT.seen), el('div', {class: 'seen-box'}, input, seenHeat), seenWords);
  const fileWords = el('p', {class: 'small-print file-words'});
  const side = el('div', {class: 'examined-side'}, verdict, bars, el('div', {class: 'below'}, heatCard, seenCard), fileWords);
  const node = el('div', {class: 'examined'}, failed, turner.node, el('div', {class: 'examined-parts'}, viewer.node, side));
  let shown = null, map = null, asked = 0;

  function overlay() {
    const strength = on.checked ? Number(opacity.value) / 100 : 0;
    share.textContent = on.checked ? `${opacity.value} %` : TEXT.off;
    viewer.heat(map);
    viewer.opacity(strength);
    seenHeat.style.opacity = strength;
  }
  async function explain() {
    const turn = ++asked, place = Number(classes.value), {id} = shown;
    mapWords.textContent = TEXT.making;
    map = null;
    seenHeat.getContext('2d').clearRect(0, 0, seenHeat.width, seenHeat.height);
    overlay();
    try {
      const facts = await api('/api/test/heat', {id, place});
      const picture = await load(`/api/test/picture/${id}/heat-${place}`);
      if (turn !== asked) return;
      map = colourHeat(picture);
      Object.assign(seenHeat, {width: map.width, height: map.height});
      seenHeat.getContext('2d').drawImage(map, 0, 0);
      mapWords.textContent = `${facts.empty ? `${TEXT.empty} ` : ''}${facts.caption} ${TEXT.smooth} ${TEXT.method} ${facts.method}.`;
      node.dataset.heat = String(place);
      overlay();
    } catch (error) {
      if (turn === asked) mapWords.replaceChildren(problem(error.facts ?? {code: 'E', what: String(error), item: '', todo: ''}, explain));
    }
  }
  classes.addEventListener('change', explain);
  opacity.addEventListener('input', overlay);
  on.addEventListener('change', overlay);

  return {
    node, viewer,
    /** Show what was found of an image. */
    async show(facts) {
      shown = facts;
      asked++;
      map = null;
      const judged = Boolean(facts.student?.length), visible = facts.width !== undefined;
      Object.assign(node.dataset, {id: facts.id, state: 'showing', heat: ''});
      failed.replaceChildren(...(facts.code ? [problem({code: facts.code, what: facts.reason, item: facts.name, todo: facts.todo || TEXT.others})] : []));
      turner.set(facts);
      side.hidden = !judged;
      viewer.node.hidden = !visible;
      if (judged) {
        verdict.replaceChildren(...verdictOf(run, facts));
        bars.replaceChildren(...barsOf(run, facts));
        bars.classList.toggle('unreliable', isOutside(facts));
        input.src = `/api/test/picture/${facts.id}/input`;
        input.alt = TEXT.seen;
        seenWords.textContent = TEXT.seenSize(facts.input_px);
        classes.value = String(strongest(run, facts));
        classes.parentElement.hidden = run.classes.length < 2;
        fileWords.textContent = fileFacts(facts);
      }
      if (visible) await viewer.show(`/api/test/picture/${facts.id}/view`, facts.name);
      if (judged && shown === facts) await explain();
      if (shown === facts) node.dataset.state = 'shown';
    },
    busy(name) {
      viewer.clear(name);
      node.dataset.state = 'busy';
      failed.replaceChildren();
    },
  };
}

/** "Picture 3 of 20", with the ones before and after it. */
function createTurner(onTurn) {
  const words = el('span', {role: 'status'}), failed = el('div', {});
  const button = (sign, name, by) => el('button', {type: 'button', class: 'small', 'aria-label': name, onclick: () => go(at + by)}, sign);
  const before = button('‹', TEXT.pictureBefore, -1), after = button('›', TEXT.pictureAfter, 1);
  const node = el('div', {class: 'turner row', hidden: true}, before, words, after, failed);
  let at = 0, all = 1;
  const show = () => {
    words.textContent = TEXT.picture(at + 1, all);
    before.disabled = at === 0;
    after.disabled = at === all - 1;
  };
  async function go(picture) {
    before.disabled = after.disabled = true;
    failed.replaceChildren();
    try { await onTurn(picture); } catch (error) {
      failed.replaceChildren(problem(error.facts ?? {code: 'E', what: String(error), item: '', todo: ''}));
      show();
    }
  }
  const set = (facts) => {
    [at, all] = [facts.picture ?? 0, facts.pictures ?? 1];
    node.hidden = !onTurn || all < 2;
    show();
  };
  return {node, set};
}

/** The class to explain first: the one called, else the most probable. */
function strongest(run, {student, predicted}) {
  const called = run.classes.indexOf((predicted ?? '').split('; ')[0]);
  return called >= 0 ? called : student.indexOf(Math.max(...student));
}

function verdictOf(run, facts) {
  const many = run.task === 'multilabel', word = wordOf(run, facts.predicted);
  const [[name, limit] = []] = Object.entries(run.thresholds);
  const rule = many ? TEXT.findings : run.classes.length === 2 && name ? TEXT.from(name, percent(limit)) : TEXT.most;
  const outside = isOutside(facts), verb = outside ? (many ? TEXT.wouldFind : TEXT.wouldSay) : many ? TEXT.finds : TEXT.says;
  const warning = outside ? el('p', {}, el('span', {class: 'badge warn outside'}, TEXT.outside), ` ${TEXT.unreliable}`) : null;
  const parts = [warning, el('p', {class: 'said'}, `${verb} `, el('b', {}, word === TEXT.nothing ? TEXT.none : word)), truthOf(run, facts)];
  if (facts.teacher) {
    const teacher = many ? TEXT.teacherFinds(facts.teacher_says) : TEXT.teacherSays(facts.teacher_says);
    const differs = facts.teacher_says !== facts.predicted;
    parts.push(el('p', {class: 'teacher-said'}, teacher, differs ? el('span', {class: 'badge warn'}, TEXT.disagree) : null));
  } else parts.push(el('p', {class: 'teacher-said quiet'}, facts.teacher_problem ? TEXT.teacherGone + facts.teacher_problem : TEXT.noTeacher));
  const remarks = (facts.remarks ?? []).map((key) => el('p', {class: 'note warn'}, TEXT.remarks[key]));
  return [...parts.filter(Boolean), ...remarks, el('p', {class: 'small-print'}, `${rule} ${TEXT.capped}`)];
}

/** Whether a picture is plainly unlike those of training. */
const isOutside = ({remarks}) => (remarks ?? []).some((key) => key !== 'cached');

function truthOf(run, facts) {
  if (!facts.truth) return null;
  const truth = [...facts.truth].sort().join('; '), said = facts.predicted.split('; ').filter(Boolean).sort().join('; ');
  const right = truth === said, drawn = facts.kind === 'new' && run.synthetic;
  return el('p', {class: 'truth'}, `${drawn ? TEXT.madeAs : TEXT.truth} `, el('b', {}, truth || TEXT.nothing), ' ',
    el('span', {class: `badge ${right ? 'good' : 'bad'}`}, right ? `✓ ${TEXT.right}` : `✗ ${TEXT.wrong}`));
}

function barsOf(run, facts) {
  const order = run.classes.map((name, place) => place);
  if (order.length > MANY) order.sort((one, other) => facts.student[other] - facts.student[one]);
  const lines = order.map((place) => {
    const name = run.classes[place], limit = run.task === 'multilabel' || run.classes.length === 2 ? run.thresholds[name] : null;
    return el('div', {class: 'class-bars', role: 'group', 'aria-label': name}, el('div', {class: 'class-name'}, name),
      bar(TEXT.student, facts.student[place], limit, 'student'), facts.teacher ? bar(TEXT.teacher, facts.teacher[place], null, 'teacher') : null);
  });
  if (lines.length <= MANY) return lines;
  const rest = el('details', {}, el('summary', {}, TEXT.more(count(lines.length))), lines.slice(MANY - 1));
  return [...lines.slice(0, MANY - 1), rest];
}

function bar(who, value, limit, kind) {
  const mark = limit === undefined || limit === null ? null
    : el('i', {class: 'mark-line', style: `left:${100 * limit}%`, title: `${TEXT.threshold} ${percent(limit)}`});
  return el('div', {class: `bar-line ${kind}`}, el('span', {class: 'who'}, who),
    el('span', {class: 'track', 'aria-hidden': 'true'}, el('i', {class: 'fill', style: `width:${100 * Math.min(0.99, Math.max(0.01, value))}%`}), mark),
    el('span', {class: 'number', 'data-value': value}, percent(value)));
}

function fileFacts({width, height, bits, modality, decoder, window: seen, notes}) {
  const parts = [`${TEXT.file}: ${width} × ${height}, ${bits} ${TEXT.bits}`, modality, `${TEXT.read} ${decoder}`, `${TEXT.window}: ${seen}`, notes];
  return `${parts.filter(Boolean).join('; ')}.`;
}

function load(url) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error('picture'));
    picture.src = url;
  });
}
