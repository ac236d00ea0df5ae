import { STRIDE } from './grid.js';
import { Peaks } from './peaks.js';

/** `MSRA` and `Face` of the codecs: maxima from row and column `first` on move a quarter. */
export class QuarterDecoder {
  constructor(height, width, count, { first, shift }) {
    this.height = height;
    this.width = width;
    this.count = count;
    this.first = first;
    this.shift = shift;
    this.peaks = new Peaks(height, width, count);
  }

  decode(maps, points, scores) {
    const { height, width, count, first, peaks } = this;
    peaks.find(maps);
    for (let k = 0; k < count; k++) {
      const x = peaks.x[k];
      const y = peaks.y[k];
      let stepX = 0;
      let stepY = 0;
      if (x >= first && y >= first && x < width - 1 && y < height - 1) {
        const here = (y * width + x) * count + k;
        stepX = 0.25 * Math.sign(maps[here + count] - maps[here - count]);
        stepY = 0.25 * Math.sign(maps[here + width * count] - maps[here - width * count]);
      }
      const seen = peaks.scores[k] > 0;
      scores[k] = peaks.scores[k];
      points[2 * k] = seen ? STRIDE * (x + stepX + this.shift) : 0;
      points[2 * k + 1] = seen ? STRIDE * (y + stepY + this.shift) : 0;
    }
  }
}
