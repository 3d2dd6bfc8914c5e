// Values before any window, and what a window makes of them. Pure functions; see core/data/view.py.

export const CT_PRESETS = [  // width and center in Hounsfield units, as workstations have them
  {key: 'soft', width: 400, center: 40}, {key: 'lung', width: 1500, center: -600},
  {key: 'liver', width: 150, center: 90}, {key: 'bone', width: 2500, center: 480},
  {key: 'brain', width: 80, center: 40}, {key: 'angio', width: 600, center: 300},
];

/** Fetch what `write_levels` wrote: its facts, with `codes` and `curve` as typed arrays. */
export async function fetchLevels(url) {
  const answer = await fetch(url, {credentials: 'same-origin'});
  if (!answer.ok) {
    const content = (answer.headers.get('content-type') ?? '').includes('json') ? await answer.json() : {};
    throw Object.assign(new Error('view'), {facts: content.error});
  }
  const buffer = await answer.arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const image = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const count = image.width * image.height * (image.colour ? 3 : 1), start = 4 + length;
  image.codes = image.colour ? new Uint8Array(buffer, start, count) : new Uint16Array(buffer, start, count);
  image.curve = image.curve ? new Uint8Array(buffer, start + count * image.codes.BYTES_PER_ELEMENT, image.curve) : null;
  image.last = image.colour ? 255 : largest(image.codes);
  return image;
}

function largest(codes) {
  let most = 0;
  for (let place = 0; place < codes.length; place++) if (codes[place] > most) most = codes[place];
  return most;
}

/** The windows to offer, the one that the network's picture was made with first and marked. */
export function presetsOf(image) {
  const known = (window) => CT_PRESETS.find(({center, width}) => center === window.center && width === window.width);
  const forAll = ['chosen', 'preset'].includes(image.windows[0]?.kind);
  const found = image.curve ? [{key: 'curve', curve: true, network: !forAll}] : [];
  image.windows.forEach((window, place) => found.push({
    ...window, key: window.kind === 'preset' ? known(window).key : window.kind, place,
    network: place === 0 && (forAll || !image.curve),
  }));
  found.sort((one, other) => Number(other.network) - Number(one.network));
  const left = CT_PRESETS.filter(({key}) => !found.some((window) => window.key === key));
  if (image.unit) found.push(...left.map((preset) => ({...preset, function: 'LINEAR_EXACT'})));
  return found;
}

/** A window that spans the given shares of the picture's values, without its padding. */
export function percentiles(image, low, high) {
  const counts = new Uint32Array(image.last + 1);
  for (const code of image.codes) counts[code]++;
  if (image.padding) counts.fill(0, Math.max(0, image.padding[0]), image.padding[1] + 1);
  const total = counts.reduce((sum, number) => sum + number, 0);
  const at = (share) => {
    let seen = 0;
    for (let code = 0; code < counts.length; code++) if ((seen += counts[code]) >= share * total && seen) return code;
    return image.last;
  };
  const ends = [at(low), at(high)].map((code) => valueOf(image, code)).sort((one, other) => one - other);
  const width = Math.max(ends[1] - ends[0], Math.abs(image.slope));
  return {center: ends[0] + width / 2, width, function: 'LINEAR_EXACT'};
}

export const valueOf = (image, code) => code * image.slope + image.intercept;

/** The grey level, 0 to 255, of every code: PS3.3 C.11.2.1, inversion last, padding black. */
export function greyLevels(image, {center, width, function: kind, curve, invert}) {
  const levels = new Uint8ClampedArray(image.last + 1);
  const {slope, intercept} = image, flip = invert !== image.inverted;
  const exact = kind === 'LINEAR_EXACT', offset = exact ? center : center - 0.5;
  const span = exact ? Math.max(width, 1e-9) : Math.max(width - 1, 1e-9);
  for (let code = 0; code < levels.length; code++) {
    const value = code * slope + intercept;
    let share;
    if (curve) share = image.curve[code] / 255;
    else if (kind === 'SIGMOID') share = 1 / (1 + Math.exp(-4 * (value - center) / width));
    else share = (value - offset) / span + 0.5;
    share = Math.min(1, Math.max(0, share));
    levels[code] = 255 * (flip ? 1 - share : share);  // rounded by the array
  }
  if (image.padding) levels.fill(0, Math.max(0, image.padding[0]), image.padding[1] + 1);
  return levels;
}

/** Fill RGBA pixels (a Uint32Array over them) with the picture under a window. */
export function shade(image, levels, pixels) {
  const {codes} = image;
  if (image.colour) {
    for (let place = 0, code = 0; place < pixels.length; place++, code += 3) {
      pixels[place] = 0xff000000 | levels[codes[code + 2]] << 16 | levels[codes[code + 1]] << 8 | levels[codes[code]];
    }
    return;
  }
  const greys = new Uint32Array(levels.length);
  for (let code = 0; code < greys.length; code++) greys[code] = 0xff000000 | levels[code] * 0x010101;
  for (let place = 0; place < pixels.length; place++) pixels[place] = greys[codes[place]];
}

// Dark violet to pale yellow, evenly brighter (inferno); where there is no heat it is transparent.
const HEAT = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];
export const HEAT_GRADIENT = `linear-gradient(90deg, ${HEAT.map((rgb) => `rgb(${rgb})`).join(', ')})`;

/** A canvas with a heat-map in colours, from its grey picture. */
export function colourHeat(picture) {
  const canvas = document.createElement('canvas');
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(picture, 0, 0);
  const area = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let place = 0; place < area.data.length; place += 4) {
    const heat = area.data[place] / 255, at = heat * (HEAT.length - 1), low = Math.min(HEAT.length - 2, Math.floor(at));
    for (let part = 0; part < 3; part++) area.data[place + part] = HEAT[low][part] + (at - low) * (HEAT[low + 1][part] - HEAT[low][part]);
    area.data[place + 3] = 255 * Math.min(1, heat * 1.6);
  }
  context.putImageData(area, 0, 0);
  return canvas;
}
