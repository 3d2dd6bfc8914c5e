// The training images as points in a plane: alike to a teacher, near to each other. A point opens its image.
import {api, colour, count, el, onTheme, problem} from './live.js';
import {labelled, showOne} from './one.js';
import {chartLayout, plotly} from './plotting.js';

const TEXT = {
  title: 'What the teacher sees', teacher: 'Seen by',
  words: 'Each point is a training image. Images that the teacher finds alike lie near each other; the axes and far distances mean nothing. Classes that form regions of their own are easy to learn from this teacher.',
  hint: 'A point opens its image. With the keyboard: arrow keys go from point to point, Enter opens.',
  label: (n, classes) => `Map of ${count(n)} training images by class: ${classes}`, several: 'several findings', other: 'other classes', none: 'no finding', synthetic: 'Synthetic images',
  at: (place, of, words) => `Image ${count(place)} of ${count(of)}: ${words}`, away: 'The drawing could not be loaded.', again: 'Try again',
};
const SYMBOLS = ['circle', 'diamond', 'triangle-up', 'square', 'cross', 'star', 'triangle-down', 'x'];
const MANY = 8;   // kinds that can be told apart by shape

/** {node, set(page)}: the map of the chosen teacher, or of the best one that has been probed. */
export function mapPanel() {
  const select = el('select', {id: 'map-teacher'}), said = el('p', {class: 'unseen', role: 'status'}), failed = el('div', {});
  const plot = el('div', {class: 'map-plot', id: 'map-plot', tabindex: '0', role: 'group'}), words = el('p', {class: 'small-print'}, TEXT.hint);
  const badge = el('span', {class: 'badge idle', hidden: true}, TEXT.synthetic);
  const node = el('section', {class: 'card map', id: 'map', hidden: true, 'aria-labelledby': 'map-title'},
    el('div', {class: 'map-head'}, el('h3', {id: 'map-title'}, TEXT.title), badge, el('label', {for: 'map-teacher'}, `${TEXT.teacher} `, select)),
    el('p', {class: 'worth-words'}, TEXT.words), failed, plot, words, said);
  let project = '', asked = '', map = null, order = [], current = -1, wanted = '';

  select.addEventListener('change', () => { wanted = select.value; load(); });
  plot.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity}[event.key];
    if (!map || (step === undefined && event.key !== 'Enter')) return;
    event.preventDefault();
    if (event.key === 'Enter') open(Math.max(0, current));
    else go(current + step);
  });
  onTheme(() => { if (map) draw(); });

  const set = (page) => {
    const rows = page.worth?.rows.filter((row) => row.linear) ?? [];
    node.hidden = !rows.length;
    if (!rows.length) return;
    const names = rows.map((row) => row.id).join('\n');
    if (select.dataset.names !== names) {
      select.dataset.names = names;
      select.replaceChildren(...rows.map((row) => el('option', {value: row.id}, row.title)));
    }
    const shown = [wanted, page.chosen.teacher, rows[0].id].find((id) => rows.some((row) => row.id === id));
    select.value = shown;
    const key = `${page.project.id} ${page.worth.images} ${names} ${shown}`;
    project = page.project.id;
    if (key !== asked) { asked = key; load(); }
  };

  async function load() {
    const teacher = select.value;
    failed.replaceChildren();
    try {
      const found = await api(`/api/models/map?${new URLSearchParams({project, teacher})}`);
      if (teacher !== select.value) return;   // another was chosen meanwhile
      map = {...found, ...kindsOf(found)};
      current = -1;
      badge.hidden = !map.synthetic;
      order = [...map.points.keys()].sort((one, other) => map.kind[one] - map.kind[other] || map.points[one][0] - map.points[other][0]);
      plot.setAttribute('aria-label', TEXT.label(map.points.length, map.kinds.map((kind) => kind.name).join(', ')));
      await draw();
    } catch (error) {
      asked = '';
      failed.replaceChildren(error.facts ? problem(error.facts, load) : el('p', {}, TEXT.away, ' ', el('button', {type: 'button', class: 'small', onclick: load}, TEXT.again)));
    }
  }

  async function draw() {
    const Plotly = await plotly(), first = !plot.dataset.drawn;
    await (first ? Plotly.newPlot : Plotly.react)(plot, tracesOf(map), layoutOf(map, select.value), {displayModeBar: false, responsive: true});
    plot.dataset.drawn = String(map.points.length);
    if (first) plot.on('plotly_click', ({points: [point]}) => open(order.indexOf(point.customdata)));
  }

  /** To the point at `place` of the order, which goes from class to class and from left to right. */
  async function go(place) {
    current = Math.max(0, Math.min(order.length - 1, place));
    const image = order[current], Plotly = await plotly();
    said.textContent = TEXT.at(current + 1, order.length, labelled(map, image));
    Plotly.Fx.hover(plot, [{curveNumber: map.kind[image], pointNumber: map.members[map.kind[image]].indexOf(image)}]);
  }

  function open(place) {
    showOne({list: map, project, shown: order, index: place, closed: (last) => { plot.focus({preventScroll: true}); go(last); }});
  }
  return {node, set};
}

/** Which kind each image is: its class; with several findings or very many classes, less than that. */
function kindsOf({labels, classes}) {
  const shown = classes.length > MANY ? MANY - 1 : classes.length;
  const of = (found) => found.length === 1 ? Math.min(found[0], shown) : found.length ? 'several' : 'none';
  const names = [...classes.slice(0, shown), ...(shown < classes.length ? [TEXT.other] : [])];
  const keys = [...names.keys(), 'several', 'none'].filter((key) => labels.some((found) => of(found) === key));
  const kinds = keys.map((key) => ({name: names[key] ?? TEXT[key], place: typeof key === 'number' ? key : key === 'none' ? MANY - 2 : MANY - 1}));
  const kind = labels.map((found) => keys.indexOf(of(found)));
  const members = kinds.map((_, place) => [...kind.keys()].filter((image) => kind[image] === place));
  return {kinds, kind, members};
}

function tracesOf(map) {
  const small = map.points.length > 600;
  return map.kinds.map(({name, place}, kind) => ({
    type: 'scatter', mode: 'markers', name: `${name} (${count(map.members[kind].length)})`,
    x: map.members[kind].map((image) => map.points[image][0]), y: map.members[kind].map((image) => map.points[image][1]),
    customdata: map.members[kind], text: map.members[kind].map((image) => labelled(map, image)), hovertemplate: '%{text}<extra></extra>',
    marker: {symbol: SYMBOLS[place % MANY], size: small ? 6 : 8, color: colour(`--c${place % 6 + 1}`), opacity: 0.8, line: {width: 0.8, color: colour('--card')}},
  }));
}

function layoutOf(map, teacher) {
  const layout = chartLayout(), bare = {showgrid: false, zeroline: false, showticklabels: false, showline: false, ticks: ''};
  Object.assign(layout.xaxis, bare);
  Object.assign(layout.yaxis, bare, {scaleanchor: 'x'});
  return Object.assign(layout, {
    margin: {l: 6, r: 6, t: 6, b: 6}, height: 440, uirevision: teacher, hovermode: 'closest', dragmode: 'pan', datarevision: `${teacher} ${map.points.length}`,
    legend: {orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', itemsizing: 'constant'}, showlegend: true,
  });
}
