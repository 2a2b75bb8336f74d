// Choosing pixels by how the picture looks: the magic wand, and a brush that stops at the picture's edges.

import { flood } from "./regions.js";

export class Likeness {
  // ``image``: something drawImage takes.
  constructor(image, width, height) {
    Object.assign(this, { width, height });
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    this.rgba = context.getImageData(0, 0, width, height).data;
  }

  // Mean colour of the 3 x 3 around (x, y).
  colour(x, y) {
    const sum = [0, 0, 0];
    let n = 0;
    for (let v = Math.max(0, y - 1); v <= Math.min(this.height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(this.width - 1, x + 1); u++, n++) {
        for (let c = 0; c < 3; c++) sum[c] += this.rgba[(v * this.width + u) * 4 + c];
      }
    }
    return sum.map((one) => one / n);
  }

  // Whether the pixel's colour is within ``tolerance`` of ``colour`` in every channel.
  like(i, colour, tolerance) {
    const { rgba } = this;
    return Math.abs(rgba[i * 4] - colour[0]) <= tolerance && Math.abs(rgba[i * 4 + 1] - colour[1]) <= tolerance && Math.abs(rgba[i * 4 + 2] - colour[2]) <= tolerance;
  }

  wand(x, y, tolerance) {
    const colour = this.colour(x, y);
    return flood(this.width, this.height, y * this.width + x, (i) => this.like(i, colour, tolerance));
  }

  // Of the disc around (x, y) what hangs together with its middle and looks like it. ``put(y, x0, x1)`` gets rows.
  disc(x, y, size, tolerance, put) {
    const r = Math.ceil(size / 2);
    const [left, top] = [Math.max(0, x - r), Math.max(0, y - r)];
    const wide = Math.min(this.width, x + r + 1) - left;
    const high = Math.min(this.height, y + r + 1) - top;
    const colour = this.colour(x, y);
    const near = (j) => {
      const [u, v] = [left + (j % wide), top + Math.floor(j / wide)];
      return (u - x) ** 2 + (v - y) ** 2 <= (size / 2) ** 2 && this.like(v * this.width + u, colour, tolerance);
    };
    for (const j of flood(wide, high, (y - top) * wide + (x - left), near)) put(top + Math.floor(j / wide), left + (j % wide), left + (j % wide) + 1);
  }
}
