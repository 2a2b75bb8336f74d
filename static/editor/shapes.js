// Shapes as rows of pixels. A pixel belongs to a shape where its centre does; ``put(y, x0, x1)`` gets x0 <= x < x1.

const NEAR = 1e-9; // a centre just on the rim counts

// Where a brush of that many pixels sits: on a pixel's centre, or between pixels where the size is even.
export const snap = (at, size) => (size % 2 ? Math.floor(at) + 0.5 : Math.round(at));

function rows(low, high, extent, put) {
  for (let y = Math.ceil(low - 0.5 - NEAR); y + 0.5 <= high + NEAR; y++) {
    const found = extent(y + 0.5);
    if (!found) continue;
    const x0 = Math.ceil(found[0] - 0.5 - NEAR);
    const x1 = Math.floor(found[1] - 0.5 + NEAR) + 1;
    if (x0 < x1) put(y, x0, x1);
  }
}

// What a round brush covers on its way from a to b: all within half its size of the line.
export function roundSweep(a, b, size, put) {
  const r = size / 2;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const long = Math.hypot(dx, dy);
  const [nx, ny] = long ? [(-dy / long) * r, (dx / long) * r] : [0, 0];
  const corners = [[a.x + nx, a.y + ny], [b.x + nx, b.y + ny], [b.x - nx, b.y - ny], [a.x - nx, a.y - ny]];
  rows(Math.min(a.y, b.y) - r, Math.max(a.y, b.y) + r, (y) => {
    let [low, high] = [Infinity, -Infinity];
    const take = (x) => ((low = Math.min(low, x)), (high = Math.max(high, x)));
    for (const end of [a, b]) {
      const rest = r * r - (y - end.y) ** 2;
      if (rest < -NEAR) continue;
      const half = Math.sqrt(Math.max(0, rest));
      take(end.x - half);
      take(end.x + half);
    }
    for (let i = 0; long && i < 4; i++) {
      const [[px, py], [qx, qy]] = [corners[i], corners[(i + 1) % 4]];
      if (py === qy || y < Math.min(py, qy) || y > Math.max(py, qy)) continue;
      take(px + ((y - py) / (qy - py)) * (qx - px));
    }
    return low <= high ? [low, high] : null;
  }, put);
}

// The same for a square one.
export function squareSweep(a, b, size, put) {
  const h = size / 2;
  const dy = b.y - a.y;
  rows(Math.min(a.y, b.y) - h, Math.max(a.y, b.y) + h, (y) => {
    let [t0, t1] = [0, 1];
    if (dy) {
      const [s0, s1] = [(y - h - a.y) / dy, (y + h - a.y) / dy];
      t0 = Math.max(0, Math.min(s0, s1));
      t1 = Math.min(1, Math.max(s0, s1));
      if (t0 > t1 + NEAR) return null;
    }
    const [x0, x1] = [t0, t1].map((t) => a.x + t * (b.x - a.x));
    return [Math.min(x0, x1) - h, Math.max(x0, x1) + h];
  }, put);
}

// The inside of a closed outline of points, even-odd.
export function polygon(points, put) {
  if (points.length < 3) return;
  const ys = points.map((one) => one.y);
  for (let y = Math.ceil(Math.min(...ys) - 0.5); y + 0.5 <= Math.max(...ys); y++) {
    const crossings = [];
    points.forEach((p, i) => {
      const q = points[(i + 1) % points.length];
      if (p.y <= y + 0.5 === q.y <= y + 0.5) return;
      crossings.push(p.x + ((y + 0.5 - p.y) / (q.y - p.y)) * (q.x - p.x));
    });
    crossings.sort((one, two) => one - two);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [x0, x1] = [Math.ceil(crossings[i] - 0.5), Math.ceil(crossings[i + 1] - 0.5)];
      if (x0 < x1) put(y, x0, x1);
    }
  }
}
