// The points of a run's curves: taken in piece by piece, and made fewer for the screen.

const BUCKETS = 400;          // of each at most two points are drawn, its lowest and its highest

/** The curves of one run. Feed it the answers of /api/live?run=...&since=N in their order. */
export class Curves {
  constructor() { this.clear(); }

  clear() {
    this.series = new Map();  // name to {steps, passes, values}
    this.since = 0;           // rows taken in so far
  }

  /** Take in an answer; returns whether there was anything new. An answer from 0 on begins anew. */
  take({names, since, rows}) {
    if (since === 0 && this.since) this.clear();
    if (since !== this.since) return false;       // an answer that crossed another
    for (const [place, step, pass, value] of rows) this.add(names[place], step, pass, value);
    this.since += rows.length;
    return rows.length > 0;
  }

  add(name, step, pass, value) {
    let one = this.series.get(name);
    if (!one) this.series.set(name, one = {steps: [], passes: [], values: []});
    let kept = one.steps.length;                  // a run that was resumed, or returned to a
    while (kept && one.steps[kept - 1] >= step) kept -= 1;  // checkpoint, is back at `step`
    for (const list of [one.steps, one.passes, one.values]) list.length = kept;
    one.steps.push(step);
    one.passes.push(pass);
    one.values.push(value);
  }

  get points() {
    let sum = 0;
    for (const one of this.series.values()) sum += one.steps.length;
    return sum;
  }

  has(name) { return Boolean(this.series.get(name)?.steps.length); }

  /** {x, y} of a curve as it is, at most two points a bucket. */
  raw(name, range) {
    const one = this.series.get(name);
    return one ? thin(one.passes, one.values, range) : {x: [], y: []};
  }

  /** {x, y} of a curve as the mean over the pass before each point: what a noisy loss tends to. */
  mean(name, range) {
    const one = this.series.get(name);
    return one ? thin(one.passes, this.means(one), range) : {x: [], y: []};
  }

  means(one) {
    const found = new Array(one.values.length);
    let sum = 0, count = 0, start = 0;
    for (let place = 0; place < found.length; place += 1) {
      if (one.values[place] !== null) { sum += one.values[place]; count += 1; }
      while (one.passes[start] <= one.passes[place] - 1) {
        if (one.values[start] !== null) { sum -= one.values[start]; count -= 1; }
        start += 1;
      }
      found[place] = count ? sum / count : null;
    }
    return found;
  }

  /** First, newest, lowest and highest value of a curve, with the pass of each. */
  summary(name, averaged) {
    const one = this.series.get(name);
    if (!one) return null;
    const values = averaged ? this.means(one) : one.values;
    let first = -1, last = -1, low = -1, high = -1;
    for (let place = 0; place < values.length; place += 1) {
      const value = values[place];
      if (value === null) continue;
      if (first < 0) first = low = high = place;
      if (value < values[low]) low = place;
      if (value > values[high]) high = place;
      last = place;
    }
    if (first < 0) return null;
    const at = (place) => ({value: values[place], pass: one.passes[place]});
    return {first: at(first), last: at(last), low: at(low), high: at(high)};
  }
}

/** The lowest and the highest point of each bucket, in their order, with the gaps; within `range`. */
export function thin(x, y, range) {
  let from = 0, to = x.length;
  if (range) {
    while (from < to && x[from] < range[0]) from += 1;
    while (to > from && x[to - 1] > range[1]) to -= 1;
    from = Math.max(0, from - 1);                 // lines run on beyond the edges
    to = Math.min(x.length, to + 1);
  }
  if (to - from <= 2 * BUCKETS) return {x: x.slice(from, to), y: y.slice(from, to)};
  const found = {x: [], y: []};
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const start = from + Math.floor(bucket * (to - from) / BUCKETS);
    const end = from + Math.floor((bucket + 1) * (to - from) / BUCKETS);
    let low = start, high = start, gap = -1;
    for (let place = start; place < end; place += 1) {
      if (y[place] === null) gap = place;
      if (y[low] === null || (y[place] !== null && y[place] < y[low])) low = place;
      if (y[high] === null || (y[place] !== null && y[place] > y[high])) high = place;
    }
    const places = new Set([low, high, ...(gap < 0 ? [] : [gap]), ...(bucket === BUCKETS - 1 ? [to - 1] : [])]);
    for (const place of [...places].sort((a, b) => a - b)) {
      found.x.push(x[place]);
      found.y.push(y[place]);
    }
  }
  return found;
}
