// Plotly, loaded once and only where a chart is, in the page's own colours.
import {colour, el} from './live.js';

let loading = null;

/** Resolves to the global Plotly; rejects where the server does not give it, to be asked again later. */
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    if (window.Plotly) { resolve(window.Plotly); return; }
    const script = el('script', {src: '/ws/static/vendor/plotly-cartesian.min.js'});
    script.addEventListener('load', () => resolve(window.Plotly));
    script.addEventListener('error', () => { loading = null; script.remove(); reject(new Error('plotly')); });
    document.head.append(script);
  });
  return loading;
}

/** What every chart's layout begins with. */
export function chartLayout() {
  const axis = () => ({gridcolor: colour('--line'), zerolinecolor: colour('--line'), linecolor: colour('--line-strong'), tickcolor: colour('--line-strong')});
  return {
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', margin: {l: 54, r: 12, t: 8, b: 46},
    font: {family: '"Bedside Sans", system-ui, sans-serif', size: 13, color: colour('--ink')},
    hoverlabel: {bgcolor: colour('--card'), bordercolor: colour('--line-strong'), font: {color: colour('--ink')}},
    xaxis: axis(), yaxis: axis(),
  };
}
