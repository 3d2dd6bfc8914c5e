// The three charts of a run: validation AUROC, likeness to the teacher, loss terms. Each has a table
// beneath it, which is its legend and says the same in words and numbers.
import {colour, el, onTheme} from './live.js';
import {plotly} from './plotting.js';

const AGAIN_MS = 2000;       // after the chart library could not be had
const DWARFS = 4;            // how many times the highest term a total must be to be switched off
const DASHES = ['solid', 'dash', 'dot', 'dashdot', 'longdash', 'longdashdot', '3px,2px'];
const STROKES = ['', '7 4', '2 4', '7 3 2 3', '11 4', '11 3 2 3', '3 2'];   // the same for the legend
const TEXT = {
  pass: 'Passes over the training images',
  start: 'Start',
  now: 'Now',
  best: 'Best',
  curve: 'Curve',
  none: '–',
  waiting: 'The first point comes after the first pass.',
  waitingLoss: 'The first points come when training begins.',
  noTeacher: 'A student-only run has no teacher to be likened to.',
  hide: 'Show or hide this curve',
  reset: 'Whole run',
  charts: {
    auroc: {
      title: 'Validation AUROC',
      axis: 'AUROC',
      words: 'How well the student tells the classes apart on images it was not trained on: 0.5 is guessing, 1 is perfect. It decides which pass is kept.',
    },
    cka: {
      title: 'Likeness to the teacher',
      axis: 'CKA',
      words: 'Whether student and teacher arrange the validation images alike (CKA): 1 is the same structure, 0 none. The lower curve is the one to believe, for the other rises also because both adapt to each other. Likeness is not correctness.',
    },
    loss: {
      title: 'Loss terms',
      axis: 'Loss',
      words: 'What training makes smaller. Thick: mean of the last pass; thin: every step. If validation rises while the others fall, the student is learning its images by heart.',
    },
  },
  curves: {
    'validation/auroc': 'student on validation',
    'cka/teacher': 'agreement with the teacher',
    'cka/reprogrammed': 'with the reprogrammed teacher',
    'loss': 'all terms, weighted',
    'loss/task': 'student against the labels',
    'loss/hybrid': 'reprogrammed teacher against the labels',
    'loss/agreement': 'student against the reprogrammed teacher',
    'loss/cka': 'unlikeness of features',
    'loss/kd': 'student against the teacher’s probe',
    'loss/dist': 'ranking of classes and images',
    'loss/hint': 'error in predicting the teacher’s features',
    'loss/guidance': 'error in predicting the teacher’s features, stage by stage',
    'loss/sp': 'which images look alike',
    'loss/rkd_distance': 'distances between images',
    'loss/rkd_angle': 'angles between images',
    'validation/loss': 'validation images',
  },
};
// Every curve has its look, a place among the dashes and the inks; no method has two of one look.
const CHARTS = {
  auroc: {curves: {'validation/auroc': 0}, low: 0.4, high: 1.005},
  cka: {curves: {'cka/teacher': 0, 'cka/reprogrammed': 1}, low: 0, high: 1.005},
  loss: {curves: {'loss': 0, 'loss/task': 1, 'loss/hybrid': 2, 'loss/agreement': 3, 'loss/cka': 4,
    'validation/loss': 5, 'loss/guidance': 6, 'loss/kd': 2, 'loss/dist': 2, 'loss/hint': 2,
    'loss/sp': 2, 'loss/rkd_distance': 2, 'loss/rkd_angle': 3}, low: 0, high: null},
};

/** The charts as one element; `.draw(shown)` redraws them in place, and zoom stays. */
export function makeCharts() {
  const charts = Object.keys(CHARTS).map(makeChart);
  const node = el('div', {class: 'charts'}, charts.map((chart) => chart.node));
  let shown = null;
  node.draw = (next) => {
    shown = next;
    for (const chart of charts) chart.draw(next);
  };
  onTheme(() => { if (shown) node.draw(shown); });
  return node;
}

function makeChart(key) {
  const words = TEXT.charts[key];
  const waiting = el('p', {class: 'waiting'});
  const plot = el('div', {class: 'plot', id: `plot-${key}`, role: 'img', 'aria-label': words.title, 'aria-describedby': `table-${key}`});
  const reset = el('button', {type: 'button', class: 'small reset', disabled: true}, TEXT.reset);
  const table = el('table', {class: 'legend', id: `table-${key}`});
  const node = el('section', {class: 'chart', 'aria-label': words.title, 'data-points': 0},
    el('div', {class: 'chart-head'}, el('h3', {}, words.title), reset),
    el('div', {class: 'frame'}, plot, waiting), table, el('p', {class: 'small-print'}, words.words));
  const chart = {node, key, plot, waiting, table, reset, hidden: new Set(), ready: false, shown: null, run: '', judged: '', zoom: null};
  reset.addEventListener('click', () => zoom(chart, null));
  chart.draw = (shown) => { chart.shown = shown; drawChart(chart); };
  return chart;
}

async function drawChart(chart) {
  const {shown, key, plot} = chart;
  const lines = linesOf(chart, shown);
  const drawn = lines.filter((line) => line.curves.has(line.name));
  judgeTotals(chart, drawn);
  showTable(chart, lines);
  const points = drawn.reduce((sum, line) => sum + line.curves.series.get(line.name).steps.length, 0);
  chart.node.dataset.points = String(points);
  chart.waiting.hidden = drawn.length > 0;
  chart.waiting.textContent = key === 'loss' ? TEXT.waitingLoss : key === 'cka' && shown.alone ? TEXT.noTeacher : TEXT.waiting;
  if (!drawn.length && !chart.ready) return;
  const Plotly = await plotly().catch(() => null);
  if (chart.shown !== shown) return;              // drawn anew while the library was loading
  if (!Plotly) {                                  // the server is away; the table has the figures
    setTimeout(() => drawChart(chart), AGAIN_MS);
    return;
  }
  if (chart.run !== shown.run) [chart.run, chart.zoom] = [shown.run, null];
  chart.reset.disabled = !chart.zoom;
  const visible = drawn.filter((line) => !chart.hidden.has(line.id));
  const traces = visible.flatMap((line) => tracesOf(line, chart.zoom?.x));
  await Plotly.react(plot, traces, layoutOf(chart, visible, points), {displayModeBar: false, responsive: true, doubleClick: false});
  plot.dataset.drawn = String(points);
  if (chart.ready) return;
  chart.ready = true;
  plot.on('plotly_doubleclick', () => zoom(chart, null));
  plot.on('plotly_relayout', (change) => {        // a closer look deserves its own points
    if (Object.keys(change).some((name) => name.includes('range'))) zoom(chart, {x: [...plot.layout.xaxis.range], y: [...plot.layout.yaxis.range]});
  });
}

/** A strongly weighted term makes a total beside which all else is flat: it begins switched off. */
function judgeTotals(chart, drawn) {
  const totals = drawn.filter((line) => line.name === 'loss');
  const about = [chart.shown.run, ...totals.map((line) => line.id)].join();
  if (!totals.length || chart.judged === about) return;
  chart.judged = about;
  delete chart.table.dataset.lines;               // its buttons show what is switched off
  const highest = (line) => line.curves.summary(line.name, true)?.high.value ?? 0;
  const terms = drawn.filter((line) => line.name.startsWith('loss/')).map(highest);
  for (const total of totals) {
    if (terms.length && highest(total) > DWARFS * Math.max(...terms)) chart.hidden.add(total.id); else chart.hidden.delete(total.id);
  }
}

function zoom(chart, ranges) {
  chart.zoom = ranges;
  drawChart(chart);
}

/** The curves a chart shows: those of the run, then those of the one beside it. */
function linesOf({key}, {curves, beside, alone, expected, name}) {
  const places = CHARTS[key].curves, known = Object.keys(places);
  const more = key === 'loss' ? [...curves.series.keys()].filter((found) => found.startsWith('loss/') && !known.includes(found)) : [];
  const wanted = [...known, ...more].filter((found) => curves.has(found) || expected.includes(found));
  const own = wanted.filter((found) => !(alone && found === 'loss'))
    .map((found) => ({own: true, id: found, name: found, curves, run: name, place: places[found] ?? -1}));
  if (!beside) return own;
  const others = known.filter((found) => beside.curves.has(found) && !(beside.alone && found === 'loss'))
    .map((found) => ({own: false, id: `beside/${found}`, name: found, curves: beside.curves, run: beside.name, place: places[found]}));
  return [...own, ...others];
}

const label = (name) => TEXT.curves[name] ?? name.replace(/^.*\//, '').replaceAll('_', ' ');
const isNoisy = (name) => name === 'loss' || name.startsWith('loss/');
const inkOf = (line) => `--c${(line.place < 0 ? 5 : line.place) % 6 + 1}`;

function tracesOf(line, range) {
  const ink = colour(line.own || !isSingle(line) ? inkOf(line) : '--c2');
  const dash = DASHES[line.own || !isSingle(line) ? Math.max(0, line.place) : 1];
  const shared = {type: 'scatter', name: `${line.run}: ${label(line.name)}`, connectgaps: false};
  const marks = line.own ? {mode: 'lines'} : {mode: 'lines+markers', marker: {symbol: 'diamond-open', size: 6, maxdisplayed: 14, color: ink}};
  const thick = {...shared, ...marks, ...(isNoisy(line.name) ? line.curves.mean(line.name, range) : line.curves.raw(line.name, range)),
    line: {color: ink, width: line.own ? 2.2 : 1.5, dash}, hovertemplate: '%{y:.3f}'};
  if (!isNoisy(line.name) || !line.own) return [single(thick)];
  const every = {...shared, mode: 'lines', ...line.curves.raw(line.name, range), line: {color: ink, width: 0.7}, opacity: 0.28, hoverinfo: 'skip'};
  return [every, thick];
}

const isSingle = (line) => line.name === 'validation/auroc';
/** A curve of one point would not be seen as a line. */
const single = (trace) => (trace.x.length === 1 ? {...trace, mode: 'lines+markers'} : trace);

function layoutOf(chart, visible, points) {
  const {key, shown, zoom: near} = chart;
  const ink = colour('--ink-2'), line = colour('--line');
  const axis = (words, range) => ({range, title: {text: words, font: {color: ink, size: 12}, standoff: 7}, gridcolor: line,
    linecolor: line, zeroline: false, tickfont: {color: ink, size: 12}, automargin: true});
  return {
    uirevision: shown.run, datarevision: points, height: 250, autosize: true,
    margin: {l: 46, r: 12, t: 8, b: 40}, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {family: '"Bedside Sans", system-ui, sans-serif', size: 12, color: colour('--ink')},
    showlegend: false, hovermode: 'x unified', dragmode: 'zoom',
    hoverlabel: {bgcolor: colour('--card'), bordercolor: line, font: {color: colour('--ink'), size: 12}, namelength: 60},
    xaxis: {...axis(TEXT.pass, near?.x ?? [0, shown.passes]), unifiedhovertitle: {text: 'Pass %{x:.1f}'}},
    yaxis: axis(TEXT.charts[key].axis, near?.y ?? height(CHARTS[key], visible)),
  };
}

/** The ends of the y axis: fixed where they can be, so that nothing moves while values come in. */
function height({low, high}, visible) {
  const found = visible.map((line) => line.curves.summary(line.name, isNoisy(line.name))).filter(Boolean);
  const least = Math.min(low, ...found.map((one) => one.low.value));
  const most = high ?? (1.06 * Math.max(0.1, ...found.map((one) => one.high.value)));
  return [Math.floor(least * 10) / 10, most];
}

function showTable(chart, lines) {
  const {table, key} = chart;
  const best = key === 'auroc';
  if (table.dataset.lines !== JSON.stringify(lines.map((line) => [line.id, line.run]))) {
    table.dataset.lines = JSON.stringify(lines.map((line) => [line.id, line.run]));
    const heads = [TEXT.curve, TEXT.start, TEXT.now, ...(best ? [TEXT.best] : [])];
    table.replaceChildren(
      el('thead', {}, el('tr', {}, heads.map((head, place) => el('th', {scope: 'col', class: place ? 'num' : ''}, head)))),
      el('tbody', {}, lines.map((line) => rowOf(chart, line, best))));
  }
  lines.forEach((line, place) => {
    const found = line.curves.summary(line.name, isNoisy(line.name));
    const row = table.tBodies[0].rows[place];
    row.cells[1].textContent = found ? found.first.value.toFixed(3) : TEXT.none;
    row.cells[2].textContent = found ? found.last.value.toFixed(3) : TEXT.none;
    if (best) row.cells[3].textContent = found ? `${found.high.value.toFixed(3)} (pass ${Math.round(found.high.pass)})` : TEXT.none;
  });
}

function rowOf(chart, line, best) {
  const words = line.own ? label(line.name) : `${line.run}: ${label(line.name)}`;
  const toggle = el('button', {type: 'button', class: 'curve', 'aria-pressed': String(!chart.hidden.has(line.id)), title: TEXT.hide}, swatch(line), el('span', {}, words));
  toggle.addEventListener('click', () => {
    const off = !chart.hidden.delete(line.id);
    if (off) chart.hidden.add(line.id);
    toggle.setAttribute('aria-pressed', String(!off));
    drawChart(chart);
  });
  return el('tr', {}, el('th', {scope: 'row'}, toggle), ...Array.from({length: best ? 3 : 2}, () => el('td', {class: 'num'})));
}

function swatch(line) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 30 10');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(svg.namespaceURI, 'path');
  const second = !line.own && isSingle(line);
  path.setAttribute('d', line.own ? 'M0 5h30' : 'M0 5h11M19 5h11M15 1l4 4-4 4-4-4z');
  path.setAttribute('stroke-dasharray', line.own ? STROKES[Math.max(0, line.place)] : '');
  path.style.stroke = `var(${second ? '--c2' : inkOf(line)})`;
  svg.append(path);
  return svg;
}
