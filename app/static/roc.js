// The ROC curve of the validation split, with the operating point, and the teacher's for comparison.
import {colour, el, onTheme} from './live.js';
import {chartLayout, plotly} from './plotting.js';

const TEXT = {
  label: 'ROC curve', x: '1 − specificity (false alarms)', y: 'Sensitivity (found)', student: 'Student', teacher: 'Teacher\'s probe', point: 'operating point', chance: 'chance',
  hover: 'sensitivity %{y:.3f}<br>1 − specificity %{x:.3f}<extra>%{fullData.name}</extra>', area: (value) => `AUROC ${value.toFixed(3)}`,
  about: (names) => `${names}. The figures stand in the table beside it.`, failed: 'The chart could not be loaded; the figures beside it are complete.',
};
const DASHES = ['solid', 'dash', 'dot', 'dashdot', 'longdash', 'longdashdot'];
const MOST = 6;

/** A chart of `figures.roc` and of the teacher's curves. */
export function rocChart(run, {figures, teacher}) {
  const chart = el('div', {class: 'roc', role: 'img', 'aria-label': ''}), words = el('p', {class: 'quiet', hidden: true}, TEXT.failed);
  let drawn = false;
  async function draw() {
    try {
      const Plotly = await plotly();
      const many = figures.roc.length > 1;
      const lines = figures.roc.slice(0, MOST).flatMap((curve, place) => student(curve, place, many));
      const other = !many && teacher?.[0] ? [{x: teacher[0].false_positive_rate, y: teacher[0].sensitivity, mode: 'lines', name: `${TEXT.teacher}, ${TEXT.area(teacher[0].auroc)}`,
        line: {color: colour('--c2'), width: 2, dash: 'dash', shape: 'linear'}, hovertemplate: TEXT.hover}] : [];
      const chance = {x: [0, 1], y: [0, 1], mode: 'lines', name: TEXT.chance, line: {color: colour('--ink-2'), width: 1, dash: 'dot'}, hoverinfo: 'skip'};
      const layout = chartLayout();
      Object.assign(layout.xaxis, {title: {text: TEXT.x}, range: [-0.02, 1.02], dtick: 0.2, constrain: 'domain'});
      Object.assign(layout.yaxis, {title: {text: TEXT.y}, range: [-0.02, 1.02], dtick: 0.2, scaleanchor: 'x', constrain: 'domain'});
      Object.assign(layout, {uirevision: run.id, legend: {orientation: 'h', x: 0, y: -0.16, xanchor: 'left', yanchor: 'top', font: {size: 12}}, height: 540});
      const traces = [chance, ...other, ...lines];
      await (drawn ? Plotly.react : Plotly.newPlot)(chart, traces, layout, {displaylogo: false, displayModeBar: false, responsive: true});
      drawn = true;
      chart.setAttribute('aria-label', `${TEXT.label}: ${TEXT.about(traces.map(({name}) => name).join('; '))}`);
      chart.dataset.traces = String(traces.length);
    } catch (error) { words.hidden = false; }
  }
  function student(curve, place, many) {
    const tone = colour(`--c${1 + place % MOST}`), area = figures.figures[many ? `auroc/${curve.name}` : 'auroc']?.value;
    const name = `${many ? curve.name : TEXT.student}${area ? `, ${TEXT.area(area)}` : ''}`;
    const line = {x: curve.false_positive_rate, y: curve.sensitivity, mode: 'lines', name, line: {color: tone, width: 2.5, dash: DASHES[many ? place % DASHES.length : 0]}, hovertemplate: TEXT.hover};
    if (!curve.operating) return [line];
    return [line, {x: [curve.operating[0]], y: [curve.operating[1]], mode: 'markers', name: many ? `${curve.name}: ${TEXT.point}` : TEXT.point, showlegend: !many,
      marker: {color: tone, size: 11, symbol: 'diamond', line: {color: colour('--card'), width: 2}}, hovertemplate: TEXT.hover}];
  }
  onTheme(draw);
  draw();
  return el('div', {}, chart, words);
}
