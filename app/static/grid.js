// A grid of any number of pictures that stays smooth: only what is in sight is in the page.
//
//   import {imageGrid} from './grid.js';
//   const grid = imageGrid({label: 'Images', cell: 116, height: '60vh', describe, open});
//   element.append(grid);
//   grid.show(items);      // any array; the first one in sight stays in sight
//   grid.focusItem(index); // after a dialog that `open` has shown is closed
//
//   describe(item) -> {src, name, tag, tone}   picture, its words (read aloud and shown on hover),
//                                              a short word in its corner, a CSS class for that
//   open(item, index)                          Enter, space or a click
//
// Keyboard: arrows, Home, End, Page Up and Down move; Enter opens. `aria-activedescendant` names the
// current cell, which is kept in the page whatever is scrolled.
import {el} from './live.js';

const GAP = 6, AHEAD = 2, SETTLE_MS = 50;   // px; rows kept above and below; time before pictures load
let grids = 0;

/** See above. Returns an element with `show` and `focusItem`. */
export function imageGrid({label, cell = 116, height = '60vh', describe, open}) {
  const name = `grid-${grids += 1}`;
  const body = el('div', {class: 'grid-body', role: 'presentation'});
  const node = el('div', {class: 'image-grid', role: 'grid', tabindex: '0', 'aria-label': label}, body);
  node.style.maxHeight = height;
  let items = [], columns = 1, side = cell, current = 0;
  const rows = new Map();           // row number to its element
  let frame = 0, settle = 0;

  node.show = (found) => {
    items = found;
    current = Math.min(current, Math.max(0, items.length - 1));
    measure(true);
  };
  node.focusItem = (index) => { current = index; reveal(); draw(); node.focus(); };
  node.addEventListener('scroll', () => { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); }, {passive: true});
  node.addEventListener('keydown', move);
  node.addEventListener('focus', draw);
  node.addEventListener('blur', draw);
  node.addEventListener('click', (event) => {
    const hit = event.target.closest('[role=gridcell]');
    if (!hit) return;
    current = Number(hit.dataset.index);
    draw();
    open(items[current], current);
  });
  new ResizeObserver(() => measure(false)).observe(node);

  function measure(anew) {
    const width = node.clientWidth;
    if (!width) return;
    const fit = Math.max(1, Math.floor((width + GAP) / (cell + GAP)));
    const fitted = Math.floor((width - GAP * (fit - 1)) / fit);
    if (!anew && fit === columns && fitted === side) return;
    const first = Math.round(node.scrollTop / (side + GAP)) * columns;
    columns = fit; side = fitted;
    body.style.height = `${Math.max(0, Math.ceil(items.length / columns) * (side + GAP) - GAP)}px`;
    node.setAttribute('aria-rowcount', String(Math.ceil(items.length / columns)));
    node.setAttribute('aria-colcount', String(columns));
    if (!anew) node.scrollTop = Math.floor(first / columns) * (side + GAP);
    for (const row of rows.values()) row.remove();
    rows.clear();
    draw();
  }

  function draw() {
    const pitch = side + GAP, last = Math.ceil(items.length / columns) - 1;
    const from = Math.max(0, Math.floor(node.scrollTop / pitch) - AHEAD);
    const to = Math.min(last, Math.floor((node.scrollTop + node.clientHeight) / pitch) + AHEAD);
    const here = Math.floor(current / columns);
    for (const [number, row] of rows) {
      if ((number >= from && number <= to) || number === here) continue;
      for (const image of row.querySelectorAll('img')) image.removeAttribute('src');   // asked for no more
      row.remove();
      rows.delete(number);
    }
    const wanted = items.length ? [here] : [];
    for (let number = from; number <= to; number += 1) wanted.push(number);
    for (const number of wanted) if (!rows.has(number)) add(number);
    const cells = body.querySelectorAll('[role=gridcell]');
    for (const one of cells) one.classList.toggle('current', Number(one.dataset.index) === current);
    if (items.length) node.setAttribute('aria-activedescendant', `${name}-${current}`);
    else node.removeAttribute('aria-activedescendant');
    clearTimeout(settle);
    settle = setTimeout(load, rows.size && node.dataset.loaded ? SETTLE_MS : 0);
  }

  function add(number) {
    const row = el('div', {role: 'row', class: 'grid-row', 'aria-rowindex': number + 1});
    row.style.transform = `translateY(${number * (side + GAP)}px)`;
    for (let place = 0; place < columns; place += 1) {
      const index = number * columns + place;
      if (index >= items.length) break;
      const {src, name: words, tag, tone} = describe(items[index]);
      const one = el('div', {role: 'gridcell', id: `${name}-${index}`, class: 'grid-cell', 'aria-colindex': place + 1, 'aria-label': words, title: words, 'data-index': index},
        el('img', {'data-src': src, alt: '', draggable: 'false', width: side, height: side, decoding: 'async'}),
        tag ? el('span', {class: `grid-tag ${tone ?? ''}`, 'aria-hidden': 'true'}, tag) : null);
      one.style.width = one.style.height = `${side}px`;
      row.append(one);
    }
    rows.set(number, row);
    const after = [...rows.keys()].filter((other) => other > number).sort((a, b) => a - b)[0];
    body.insertBefore(row, after === undefined ? null : rows.get(after));   // read in order
  }

  function load() {
    node.dataset.loaded = 'yes';
    for (const image of body.querySelectorAll('img[data-src]:not([src])')) image.src = image.dataset.src;
  }

  function move(event) {
    const page = Math.max(1, Math.floor(node.clientHeight / (side + GAP))) * columns;
    const steps = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page, Home: -items.length, End: items.length};
    if (event.ctrlKey || event.metaKey || event.altKey || !items.length) return;
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(items[current], current); return; }
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    current = Math.max(0, Math.min(items.length - 1, current + step));
    reveal();
    draw();
  }

  function reveal() {
    const top = Math.floor(current / columns) * (side + GAP);
    if (top < node.scrollTop) node.scrollTop = top;
    else if (top + side > node.scrollTop + node.clientHeight) node.scrollTop = top + side - node.clientHeight;
  }
  return node;
}
