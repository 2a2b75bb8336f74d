// What is done to a whole class, or to one connected region of it. Each looks first and paints then, as one stroke.

// The four-connected pixels around ``start`` for which ``fits(index)`` holds: their indices.
export function flood(width, height, start, fits) {
  const seen = new Uint8Array(width * height);
  const found = [];
  const waiting = [start];
  seen[start] = 1;
  while (waiting.length) {
    const i = waiting.pop();
    if (!fits(i)) continue;
    found.push(i);
    const x = i % width;
    if (x > 0 && !seen[i - 1]) (seen[i - 1] = 1), waiting.push(i - 1);
    if (x < width - 1 && !seen[i + 1]) (seen[i + 1] = 1), waiting.push(i + 1);
    if (i >= width && !seen[i - width]) (seen[i - width] = 1), waiting.push(i - width);
    if (i < width * (height - 1) && !seen[i + width]) (seen[i + width] = 1), waiting.push(i + width);
  }
  return found;
}

// Neighbours that follow each other in ``indices`` are painted as one row.
export function paint(doc, indices, id) {
  const { width } = doc;
  const idOf = typeof id === "function" ? id : () => id;
  let [start, length, value] = [-1, 0, 0];
  const put = () => length && doc.span(Math.floor(start / width), start % width, (start % width) + length, value);
  for (const i of indices) {
    const next = idOf(i);
    if (length && i === start + length && i % width && next === value) length += 1;
    else {
      put();
      [start, length, value] = [i, 1, next];
    }
  }
  put();
}

const everywhere = (doc, fits) => {
  const found = [];
  for (let i = 0; i < doc.ids.length; i++) if (fits(i)) found.push(i);
  return found;
};

// The region under (x, y), or with ``whole`` its class wherever it is, becomes ``id``.
export function replace(doc, x, y, id, whole) {
  const { ids, width, height } = doc;
  const was = doc.at(x, y);
  if (was === id) return;
  paint(doc, whole ? everywhere(doc, (i) => ids[i] === was) : flood(width, height, y * width + x, (i) => ids[i] === was), id);
}

function* around(doc, i) {
  const { width, height } = doc;
  const x = i % width;
  if (x > 0) yield i - 1;
  if (x < width - 1) yield i + 1;
  if (i >= width) yield i - width;
  if (i < width * (height - 1)) yield i + width;
}

// The pixels on this side of the class's rim (``own``), or on the other.
function rimOf(doc, id, own) {
  const { ids, width, height } = doc;
  const last = width * (height - 1);
  const across = (j) => (ids[j] === id) !== own;
  return everywhere(doc, (i) => {
    if ((ids[i] === id) !== own) return false;
    const x = i % width;
    return (x > 0 && across(i - 1)) || (x < width - 1 && across(i + 1)) || (i >= width && across(i - width)) || (i < last && across(i + width));
  });
}

function commonest(values) {
  const counts = new Map();
  for (const id of values) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0];
}

export function grow(doc, id) {
  paint(doc, rimOf(doc, id, false), id);
}

// Each pixel of the class's rim becomes what most of its neighbours are.
export function shrink(doc, id) {
  const rim = rimOf(doc, id, true);
  const becomes = new Map(rim.map((i) => [i, commonest([...around(doc, i)].map((j) => doc.ids[j]).filter((one) => one !== id))]));
  paint(doc, rim, (i) => becomes.get(i));
}

// Along the class's rim a pixel goes with the majority of the 5 x 5 around it.
export function smooth(doc, id) {
  const { ids, width, height } = doc;
  const rim = rimOf(doc, id, true).concat(rimOf(doc, id, false));
  const becomes = new Map();
  for (const i of rim) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const near = [];
    for (let v = Math.max(0, y - 2); v <= Math.min(height - 1, y + 2); v++) {
      for (let u = Math.max(0, x - 2); u <= Math.min(width - 1, x + 2); u++) near.push(ids[v * width + u]);
    }
    const own = near.filter((one) => one === id).length;
    if (own * 2 > near.length) becomes.set(i, id);
    else if (ids[i] === id) becomes.set(i, commonest(near.filter((one) => one !== id)));
  }
  paint(doc, becomes.keys(), (i) => becomes.get(i));
}

// Connected pieces of what ``wanted`` says, as lists of indices.
function* pieces(doc, wanted) {
  const { ids, width, height } = doc;
  const seen = new Uint8Array(ids.length);
  for (let start = 0; start < ids.length; start++) {
    if (seen[start] || !wanted(ids[start])) continue;
    const found = [start];
    seen[start] = 1;
    for (let at = 0; at < found.length; at++) {
      const i = found[at];
      const x = i % width;
      if (x > 0 && !seen[i - 1] && wanted(ids[i - 1])) (seen[i - 1] = 1), found.push(i - 1);
      if (x < width - 1 && !seen[i + 1] && wanted(ids[i + 1])) (seen[i + 1] = 1), found.push(i + 1);
      if (i >= width && !seen[i - width] && wanted(ids[i - width])) (seen[i - width] = 1), found.push(i - width);
      if (i < width * (height - 1) && !seen[i + width] && wanted(ids[i + width])) (seen[i + width] = 1), found.push(i + width);
    }
    yield found;
  }
}

// What the class encloses, up to ``most`` pixels, becomes the class.
export function fillHoles(doc, id, most) {
  const { width, height } = doc;
  const outside = (i) => i % width === 0 || i % width === width - 1 || i < width || i >= width * (height - 1);
  const holes = [...pieces(doc, (one) => one !== id)].filter((piece) => piece.length <= most && !piece.some(outside));
  for (const hole of holes) paint(doc, hole, id);
}

// Pieces of the class of up to ``most`` pixels become what surrounds them; one that may go on out of the part is none.
export function removeSpecks(doc, id, most) {
  const specks = [...pieces(doc, (one) => one === id)].filter((piece) => piece.length <= most && !piece.some((i) => doc.goesOn(i)));
  for (const speck of specks) {
    const beside = commonest(speck.flatMap((i) => [...around(doc, i)].map((j) => doc.ids[j])).filter((one) => one !== id));
    if (beside !== undefined) paint(doc, speck, beside);
  }
}

export const OPERATIONS = { grow, shrink, smooth, holes: fillHoles, specks: removeSpecks };
