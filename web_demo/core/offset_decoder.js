import { gaussian } from './blur.js';
import { alignedStride } from './grid.js';
import { Peaks } from './peaks.js';

/** `UDPCombined` of the codecs: the peak of a blurred disc, and the offsets found there. */
export class OffsetDecoder {
  constructor(height, width, count, radiusFactor, kernel) {
    this.height = height;
    this.width = width;
    this.count = count;
    this.radius = radiusFactor * Math.max(height, width);
    this.taps = gaussian(2 * kernel + 1);
    this.peaks = new Peaks(height, width, count);
    this.rows = new Float32Array(height * width * count);
    this.discs = new Float32Array(height * width * count);
  }

  decode(maps, points, scores) {
    const { height, width, count, peaks, radius } = this;
    this.blur(maps);
    peaks.find(this.discs);
    for (let k = 0; k < count; k++) {
      const [x, y] = [peaks.x[k], peaks.y[k]];
      const here = ((y * width + x) * count + k) * 3;
      const seen = peaks.scores[k] > 0;
      scores[k] = peaks.scores[k];
      points[2 * k] = seen ? alignedStride(width) * (x + radius * maps[here + 1]) : 0;
      points[2 * k + 1] = seen ? alignedStride(height) * (y + radius * maps[here + 2]) : 0;
    }
  }

  blur(maps) {
    const { height, width, count, taps, rows, discs } = this;
    const half = (taps.length - 1) / 2;
    rows.fill(0);
    discs.fill(0);
    for (let y = 0; y < height; y++) {
      taps.forEach((tap, t) => {
        const from = reflected(y + t - half, height) * width * count;
        const to = y * width * count;
        for (let i = 0; i < width * count; i++) rows[to + i] += tap * maps[3 * (from + i)];
      });
    }
    for (let x = 0; x < width; x++) {
      taps.forEach((tap, t) => {
        const from = reflected(x + t - half, width) * count;
        for (let row = 0; row < height * width * count; row += width * count) {
          for (let k = 0; k < count; k++) discs[row + x * count + k] += tap * rows[row + from + k];
        }
      });
    }
  }
}

/** A position outside the map mirrored into it, without repeating the border. */
function reflected(position, size) {
  let at = position;
  while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
  return at;
}
