// Regions as the API gives them, COCO's compressed run lengths, to the line around their pixels.

// Run lengths, outside and inside by turns, column by column: five bits a character, the third and on told by what they
// differ from the last but one.
function runs(text) {
  const found = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let bits;
    do {
      bits = text.charCodeAt(at++) - 48;
      value |= (bits & 31) << shift;
      shift += 5;
    } while (bits & 32);
    if (bits & 16) value |= -1 << shift;
    found.push(found.length > 2 ? value + found[found.length - 2] : value);
  }
  return found;
}

// ``each(x, y)`` for every pixel of the region.
export function pixels({ rle }, each) {
  const [height] = rle.size;
  let at = 0;
  runs(rle.counts).forEach((length, i) => {
    if (i % 2) for (let p = at; p < at + length; p++) each(Math.floor(p / height), p % height);
    at += length;
  });
}

// The line along the edges of the region's pixels, as one path in pixels of the picture.
export function outline(region) {
  const { x: left, y: top, width, height } = region.box;
  const wide = width + 2;
  const inside = new Uint8Array(wide * (height + 2)); // with a pixel of nothing all around
  pixels(region, (x, y) => (inside[(y - top + 1) * wide + (x - left + 1)] = 1));
  const path = new Path2D();
  const lines = (count, length, differs, draw) => {
    for (let i = 1; i < count; i++) {
      for (let j = 1, start = 0; j < length; j++) {
        const here = differs(i, j);
        if (here && !start) start = j;
        else if (start && !here) (draw(i, start, j), (start = 0));
      }
    }
  };
  const line = (x0, y0, x1, y1) => (path.moveTo(left + x0 - 1, top + y0 - 1), path.lineTo(left + x1 - 1, top + y1 - 1));
  lines(height + 2, wide, (y, x) => inside[y * wide + x] !== inside[(y - 1) * wide + x], (y, x0, x1) => line(x0, y, x1, y));
  lines(wide, height + 2, (x, y) => inside[y * wide + x] !== inside[y * wide + x - 1], (x, y0, y1) => line(x, y0, x, y1));
  return path;
}
