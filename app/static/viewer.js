// One image in a canvas: window and level, zoom, pan, turn, a heat-map on top. No trip to the server.
import {el} from './live.js';
import {fetchLevels, greyLevels, percentiles, presetsOf, shade, valueOf} from './levels.js';

export const TEXT = {
  label: 'Image. Drag to change the window; press question mark for the keys.',
  window: 'Window', width: 'Width', level: 'Level', auto: 'Auto', autoHint: 'From the 1st to the 99th percentile (a)', invert: 'Invert',
  fit: 'Fit', one: '1:1', reset: 'Reset', zoomIn: 'Zoom in', zoomOut: 'Zoom out', keys: 'Keys and mouse', own: 'Set by hand',
  network: ' (network)', plain: 'not smoothed', flipped: 'mirrored', turned: 'turned', inverted: 'inverted',
  reduced: (factor) => `shown at 1/${factor} of its size`, loading: 'Reading the image …',
  presets: {chosen: 'Chosen for the project', file: 'From the file', full: 'Full range', percentiles: 'Percentiles 0.5 to 99.5',
    curve: 'Table of the file', soft: 'CT soft tissue', lung: 'CT lung', liver: 'CT liver', bone: 'CT bone', brain: 'CT brain', angio: 'CT vessels'},
  help: [['Drag', 'Window: right is wider, down is darker'], ['Right drag, wheel, + −', 'Zoom'], ['Middle or Shift drag, Shift arrows', 'Move'],
    ['1 to 9', 'The windows of the list, in its order'], ['[ ]', 'Window narrower, wider'], [', .', 'Level lower, higher'], ['a', 'Auto: percentiles 1 to 99'],
    ['i', 'Invert'], ['n', 'Window of the network\'s picture'], ['m', 'Heat-map on or off'], ['=', 'Fit'], ['0', 'One image pixel per screen pixel'],
    ['h v', 'Mirror left-right, up-down (said on the image)'], ['r l', 'Turn right, left'], ['Space', 'Reset'], ['← →', 'Image before, after']],
};

/** A viewer. `onStep(-1 | 1)` is called for the image before or after, `onHeat()` for heat on or off. */
export function createViewer({onStep = () => {}, onHeat = () => {}} = {}) {
  const canvas = el('canvas', {tabindex: 0, role: 'application', 'aria-label': TEXT.label, class: 'viewer-canvas'});
  const corner = Object.fromEntries(['tl', 'tr', 'bl', 'br'].map((place) => [place, el('span', {class: `corner ${place}`})]));
  const edges = ['left', 'top', 'right', 'bottom'].map((side) => el('span', {class: `edge ${side}`, 'aria-hidden': 'true'}));
  const ruler = el('span', {class: 'ruler', hidden: true});
  const stage = el('div', {class: 'viewer-stage', 'data-state': 'empty'}, canvas, Object.values(corner), edges, ruler);
  const select = el('select', {'aria-label': TEXT.window});
  const width = el('input', {type: 'number', step: 'any', 'aria-label': TEXT.width}), level = el('input', {type: 'number', step: 'any', 'aria-label': TEXT.level});
  const button = (words, act, title) => el('button', {type: 'button', class: 'small', title, onclick: act}, words);
  const invert = button(TEXT.invert, () => act('i'), 'i');
  const tools = el('div', {class: 'viewer-tools'}, select, el('label', {}, 'W ', width), el('label', {}, 'L ', level),
    button(TEXT.auto, () => act('a'), TEXT.autoHint), invert,
    el('span', {class: 'together'}, button('−', () => act('-'), TEXT.zoomOut), button('+', () => act('+'), TEXT.zoomIn)),
    button(TEXT.fit, () => act('='), '='), button(TEXT.one, () => act('0'), '0'), button(TEXT.reset, () => act(' '), 'Space'));
  const keys = el('details', {class: 'viewer-keys'}, el('summary', {}, TEXT.keys), el('dl', {}, TEXT.help.map(([key, does]) => el('div', {}, el('dt', {}, key), el('dd', {}, does)))));
  const node = el('figure', {class: 'viewer'}, stage, tools, keys);

  const base = document.createElement('canvas');
  const state = {image: null, presets: [], tone: null, at: {zoom: 1, x: 0, y: 0, turn: 0, across: false}, heat: null, opacity: 0.5, fitted: true, asked: 0};
  let pixels = null, area = null, frame = 0, toneChanged = false;

  // ---- drawing
  function draw() {
    frame = 0;
    const {image} = state, begun = performance.now(), windowed = toneChanged;
    if (!image) return;
    if (toneChanged) {
      shade(image, greyLevels(image, state.tone), pixels);
      base.getContext('2d').putImageData(area, 0, 0);
      toneChanged = false;
    }
    paint();
    if (windowed) canvas.dataset.drawMs = (performance.now() - begun).toFixed(2);
    tell();
  }
  function paint() {
    const context = canvas.getContext('2d'), scale = devicePixelRatio, {at, image} = state;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.translate(canvas.width / 2 + at.x * scale, canvas.height / 2 + at.y * scale);
    context.scale(at.zoom * scale, at.zoom * scale);
    context.rotate(at.turn * Math.PI / 2);
    context.scale(at.across ? -1 : 1, ratio());
    context.translate(-image.width / 2, -image.height / 2);
    context.imageSmoothingEnabled = false;
    context.drawImage(base, 0, 0);
    if (!state.heat || !state.opacity) return;
    const [left, top, wide, high] = image.placed, {width: across, height: down} = state.heat;
    context.imageSmoothingEnabled = true;   // of the heat-map alone; its caption says so
    context.globalAlpha = state.opacity;
    context.drawImage(state.heat, left * across, top * down, wide * across, high * down, 0, 0, image.width, image.height);
    context.globalAlpha = 1;
  }
  const ratio = () => state.image.spacing ? Math.min(8, Math.max(1 / 8, state.image.spacing[0] / state.image.spacing[1])) : 1;
  const request = (tone) => { toneChanged ||= tone; frame ||= requestAnimationFrame(draw); };

  // ---- words around the image
  const short = (number) => Number(number.toPrecision(5)).toString();
  function tell() {
    const {image, tone, at} = state, percent = Math.round(100 * at.zoom * devicePixelRatio);
    const words = tone.curve ? TEXT.presets.curve : `W ${short(tone.width)}  L ${short(tone.center)}${image.unit === 'HU' ? ' HU' : ''}`;
    const kind = tone.function === 'SIGMOID' && !tone.curve ? '  SIGMOID' : '';
    const changes = [tone.invert ? TEXT.inverted : '', at.across ? TEXT.flipped : '', at.turn ? `${TEXT.turned} ${at.turn * 90}°` : ''].filter(Boolean);
    corner.bl.textContent = [words + kind, `${percent} %`, ...changes].join('  ·  ');
    corner.br.textContent = [`${image.width} × ${image.height}`, image.shrunk > 1 ? TEXT.reduced(image.shrunk) : '', TEXT.plain].filter(Boolean).join('  ·  ');
    if (document.activeElement !== width) width.value = tone.curve ? '' : short(tone.width);
    if (document.activeElement !== level) level.value = tone.curve ? '' : short(tone.center);
    select.value = String(state.presets.indexOf(tone.preset));
    invert.setAttribute('aria-pressed', String(tone.invert));
    letters();
    measure();
    Object.assign(canvas.dataset, {width: tone.width ?? '', center: tone.center ?? '', zoom: at.zoom.toFixed(4)});
  }
  function letters() {
    const {image, at} = state;
    let names = image.edges.length ? [...image.edges] : ['', '', '', ''];   // left, top, right, bottom
    if (at.across) [names[0], names[2]] = [names[2], names[0]];
    for (let turn = 0; turn < at.turn; turn++) names = [names[3], names[0], names[1], names[2]];
    edges.forEach((edge, place) => { edge.textContent = names[place]; });
  }
  function measure() {
    const {image, at} = state;
    ruler.hidden = !image.spacing;
    if (!image.spacing) return;
    const perMm = at.zoom / (image.spacing[1] * image.shrunk);
    const length = [1, 2, 5, 10, 20, 50, 100, 200].findLast((mm) => mm * perMm <= stage.clientWidth / 3) ?? 1;
    ruler.style.width = `${length * perMm}px`;
    ruler.textContent = `${length} mm`;
  }

  // ---- what can be done
  function setTone(change) {
    state.tone = {...state.tone, curve: false, preset: null, ...change};
    request(true);
  }
  const choose = (preset) => preset && setTone({center: preset.center, width: preset.width, function: preset.function, curve: Boolean(preset.curve), preset});
  /** A window to go on from where a table was shown. */
  function plain() { if (state.tone.curve) setTone(percentiles(state.image, 0.01, 0.99)); }
  function fit(one = false) {
    const {image, at} = state, turned = at.turn % 2, wide = image.width, high = image.height * ratio();
    at.zoom = one ? 1 / devicePixelRatio : Math.min(stage.clientWidth / (turned ? high : wide), stage.clientHeight / (turned ? wide : high));
    at.x = at.y = 0;
    state.fitted = !one;
    request(false);
  }
  function zoomBy(factor, x = 0, y = 0) {
    const {at} = state, zoom = Math.min(64, Math.max(0.02, at.zoom * factor));
    at.x = x - (x - at.x) * zoom / at.zoom;
    at.y = y - (y - at.y) * zoom / at.zoom;
    at.zoom = zoom;
    state.fitted = false;
    request(false);
  }
  function move(x, y) { state.at.x += x; state.at.y += y; state.fitted = false; request(false); }
  function turn(step) { state.at.turn = (state.at.turn + step + 4) % 4; if (state.fitted) fit(); else request(false); }
  function mirror(upDown) {
    state.at.across = !state.at.across;   // mirrored first, then turned: so turning goes the other way
    state.at.turn = ((upDown ? 6 : 4) - state.at.turn) % 4;
    request(false);
  }
  function reset() {
    state.at = {zoom: 1, x: 0, y: 0, turn: 0, across: false};
    state.tone = {invert: false};
    choose(state.presets[0]);
    fit();
  }
  const scaled = (change) => { plain(); setTone(change(state.tone)); };
  const ACTS = {
    i: () => setTone({...state.tone, invert: !state.tone.invert}), a: () => setTone(percentiles(state.image, 0.01, 0.99)),
    n: () => choose(state.presets.find(({network}) => network)), m: onHeat,
    '+': () => zoomBy(1.25), '-': () => zoomBy(0.8), '=': () => fit(), 0: () => fit(true), ' ': reset,
    h: () => mirror(false), v: () => mirror(true), r: () => turn(1), l: () => turn(-1),
    '[': () => scaled(({width: now}) => ({width: now * 0.9})), ']': () => scaled(({width: now}) => ({width: now * 1.1})),
    ',': () => scaled(({center, width: now}) => ({center: center - now * 0.05})), '.': () => scaled(({center, width: now}) => ({center: center + now * 0.05})),
    ArrowLeft: () => onStep(-1), ArrowRight: () => onStep(1), ArrowUp: () => onStep(-1), ArrowDown: () => onStep(1),
    '?': () => { keys.open = !keys.open; },
  };
  const MOVES = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40]};
  function act(key) { if (state.image || key === '?' || key.startsWith('Arrow')) ACTS[key]?.(); }

  // ---- who asks for it
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.shiftKey && MOVES[key] && state.image) move(...MOVES[key]);
    else if (/^[1-9]$/.test(key)) choose(state.presets[Number(key) - 1]);
    else if (ACTS[key]) act(key);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener('wheel', (event) => {
    if (!state.image) return;
    event.preventDefault();
    const place = stage.getBoundingClientRect();
    zoomBy(Math.exp(-event.deltaY * 0.0015), event.clientX - place.left - place.width / 2, event.clientY - place.top - place.height / 2);
  }, {passive: false});
  canvas.addEventListener('pointerdown', (event) => {
    if (!state.image) return;
    canvas.focus({preventScroll: true});
    canvas.setPointerCapture(event.pointerId);
    const kind = event.button === 2 ? 'zoom' : event.button === 1 || event.shiftKey ? 'move' : 'tone';
    if (event.button === 1) event.preventDefault();
    const drag = (moved) => {
      if (kind === 'move') move(moved.movementX, moved.movementY);
      else if (kind === 'zoom') zoomBy(Math.exp(-moved.movementY * 0.01));
      else scaled(({center, width: now}) => ({width: now * Math.exp(moved.movementX / 200), center: center + moved.movementY * now / 256}));
    };
    const end = () => { canvas.removeEventListener('pointermove', drag); };
    canvas.addEventListener('pointermove', drag);
    canvas.addEventListener('pointerup', end, {once: true});
    canvas.addEventListener('pointercancel', end, {once: true});
  });
  canvas.addEventListener('pointermove', (event) => {
    const spot = state.image && pixelAt(event.offsetX, event.offsetY);
    corner.tr.textContent = spot ? `${spot.x}, ${spot.y}:  ${api.valueAt(spot.x, spot.y)}` : '';
  });
  canvas.addEventListener('pointerleave', () => { corner.tr.textContent = ''; });
  select.addEventListener('change', () => choose(state.presets[Number(select.value)]));
  for (const [input, name] of [[width, 'width'], [level, 'center']]) {
    input.addEventListener('change', () => {
      const wished = Number(input.value);
      if (!state.image || input.value === '' || (name === 'width' && wished <= 0)) { request(false); return; }
      plain();
      setTone({[name]: wished});
    });
  }
  new ResizeObserver(() => {
    canvas.width = Math.max(1, Math.round(stage.clientWidth * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(stage.clientHeight * devicePixelRatio));
    if (state.image) { if (state.fitted) fit(); else request(false); }
  }).observe(stage);

  /** Which pixel of the image lies under a place of the canvas. */
  function pixelAt(left, top) {
    const {at, image} = state, x = (left - stage.clientWidth / 2 - at.x) / at.zoom, y = (top - stage.clientHeight / 2 - at.y) / at.zoom;
    const angle = -at.turn * Math.PI / 2, across = x * Math.cos(angle) - y * Math.sin(angle), down = x * Math.sin(angle) + y * Math.cos(angle);
    const spot = {x: Math.floor((at.across ? -across : across) + image.width / 2), y: Math.floor(down / ratio() + image.height / 2)};
    return spot.x >= 0 && spot.y >= 0 && spot.x < image.width && spot.y < image.height ? spot : null;
  }

  const api = {
    node,
    /** Show an image; `name` is what it is called. */
    async show(url, name) {
      const turn = ++state.asked;
      stage.dataset.state = 'loading';
      corner.tl.textContent = name;
      const image = await fetchLevels(url);
      if (turn !== state.asked) return;
      Object.assign(state, {image, presets: presetsOf(image), heat: null});
      Object.assign(base, {width: image.width, height: image.height});
      area = new ImageData(image.width, image.height);
      pixels = new Uint32Array(area.data.buffer);
      select.replaceChildren(...state.presets.map((preset, place) => el('option', {value: place}, presetName(preset))), el('option', {value: -1, hidden: true}, TEXT.own));
      corner.tl.textContent = name;
      reset();
      stage.dataset.state = 'ready';
    },
    clear(name = '') {
      state.asked++;
      Object.assign(state, {image: null, heat: null});
      canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
      [...Object.values(corner), ...edges].forEach((part) => { part.textContent = ''; });
      ruler.hidden = true;
      corner.tl.textContent = name;
      stage.dataset.state = 'empty';
    },
    /** Lay a heat-map over the image (a canvas, or null for none). */
    heat(map) { state.heat = map; if (state.image) request(false); },
    opacity(share) { state.opacity = share; if (state.image) request(false); },
    focus() { canvas.focus({preventScroll: true}); },
    /** The value of a pixel before any window, in its unit. */
    valueAt(x, y) {
      const {image} = state, place = y * image.width + x;
      if (image.colour) return [...image.codes.subarray(3 * place, 3 * place + 3)].join(' ');
      return `${Number(valueOf(image, image.codes[place]).toPrecision(7))}${image.unit === 'HU' ? ' HU' : ''}`;
    },
    /** The grey level or colour of a pixel as it is drawn now. */
    shownAt(x, y) { return [...base.getContext('2d').getImageData(x, y, 1, 1).data]; },
  };
  node.viewer = api;
  return api;
}

function presetName(preset) {
  const words = TEXT.presets[preset.key], numbers = preset.curve ? '' : ` ${Number(preset.width.toPrecision(4))}/${Number(preset.center.toPrecision(4))}`;
  return words + numbers + (preset.network ? TEXT.network : '');
}
