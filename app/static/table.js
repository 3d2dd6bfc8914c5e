// A table of ten thousand rows of which only those in view are in the page; sortable, by keyboard too.
import {count, el} from './live.js';

const ROW_PX = 36, SPARE = 8;
const TEXT = {sort: 'Sort by', open: 'Open', rows: (number) => `${count(number)} rows`};

/**
 * columns: [{title, key(row) -> value to sort by, cell(row) -> text or node, num, wide}]
 * rows: any list; `onOpen(row)` is called for a click or Enter.
 */
export function createTable({columns, rows, label, onOpen}) {
  const order = {column: -1, up: true};
  let shown = [...rows], chosen = 0;
  const body = el('tbody', {});
  const heads = columns.map((column, place) => {
    const button = el('button', {type: 'button', class: 'sort', onclick: () => sort(place)}, column.title, el('span', {'aria-hidden': 'true', class: 'arrow'}));
    return el('th', {scope: 'col', class: column.num ? 'num' : '', 'aria-sort': 'none'}, button);
  });
  const table = el('table', {class: 'plain-table long', 'aria-label': label, 'aria-rowcount': rows.length + 1}, el('thead', {}, el('tr', {}, heads)), body);
  const box = el('div', {class: 'table-box', tabindex: 0, role: 'region', 'aria-label': `${label}, ${TEXT.rows(rows.length)}`}, table);

  function sort(place) {
    order.up = order.column === place ? !order.up : true;
    order.column = place;
    const {key} = columns[place], sign = order.up ? 1 : -1;
    const keyed = rows.map((row, index) => [key(row), index, row]);
    keyed.sort(([one, first], [other, second]) => {
      const gone = (value) => value === null || value === undefined || value === '';
      if (gone(one) || gone(other)) return gone(one) - gone(other) || first - second;   // what is missing stands last
      const less = typeof one === 'number' ? one - other : String(one).localeCompare(String(other), 'en', {numeric: true});
      return sign * less || first - second;
    });
    shown = keyed.map(([, , row]) => row);
    heads.forEach((head, at) => head.setAttribute('aria-sort', at === place ? (order.up ? 'ascending' : 'descending') : 'none'));
    box.scrollTop = 0;
    draw();
  }

  let frame = 0, first = -1;
  function draw(force = true) {
    frame = 0;
    const from = Math.max(0, Math.floor(box.scrollTop / ROW_PX) - SPARE);
    if (!force && from === first) return;
    first = from;
    const upto = Math.min(shown.length, from + Math.ceil((box.clientHeight || 400) / ROW_PX) + 2 * SPARE);
    const held = document.activeElement?.closest?.('tr')?.getAttribute('aria-rowindex');
    body.replaceChildren(gap(from), ...shown.slice(from, upto).map((row, at) => line(row, from + at)), gap(shown.length - upto));
    if (held) body.querySelector(`tr[aria-rowindex="${held}"] button`)?.focus({preventScroll: true});
  }
  const gap = (number) => el('tr', {class: 'gap', 'aria-hidden': 'true', style: `height:${number * ROW_PX}px`});
  function line(row, index) {
    const cells = columns.map((column, place) => {
      const content = column.cell(row);
      const inner = place === 0 ? el('button', {type: 'button', class: 'link', onclick: () => open(index)}, content) : content;
      const title = column.wide && typeof content === 'string' && content.length > 40 ? content : null;
      return el('td', {title, class: [column.num ? 'num' : '', column.wide ? 'wide' : ''].join(' ').trim() || null}, inner ?? '');
    });
    return el('tr', {'aria-rowindex': index + 2}, cells);
  }
  function open(index) {
    chosen = index;
    onOpen(shown[index]);
  }
  box.addEventListener('scroll', () => { frame ||= requestAnimationFrame(() => draw(false)); });
  new ResizeObserver(() => draw()).observe(box);
  draw();
  return {
    node: box,
    /** The row before or after the open one; null at the ends. */
    step(by) {
      const next = chosen + by;
      if (next < 0 || next >= shown.length) return null;
      chosen = next;
      return shown[next];
    },
  };
}
