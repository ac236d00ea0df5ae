import { BlurredPatch } from './blur.js';
import { STRIDE } from './grid.js';
import { newtonStep } from './newton.js';
import { Peaks } from './peaks.js';

/** `DARK` of the codecs; its second differences are taken two pixels apart. */
export class DarkDecoder {
  constructor(height, width, count, kernel) {
    this.height = height;
    this.width = width;
    this.count = count;
    this.peaks = new Peaks(height, width, count);
    this.patch = new BlurredPatch(height, width, count, 2, kernel);
  }

  decode(maps, points, scores) {
    const { height, width, count, peaks, patch } = this;
    peaks.find(maps);
    for (let k = 0; k < count; k++) {
      const x = peaks.x[k];
      const y = peaks.y[k];
      const seen = peaks.scores[k] > 0;
      const inner = x > 1 && y > 1 && x < width - 2 && y < height - 2;
      let step = [0, 0];
      if (seen && inner) {
        patch.read(maps, k, x, y, peaks.scores[k]);
        step = this.step();
      }
      scores[k] = peaks.scores[k];
      points[2 * k] = seen ? STRIDE * (x + step[0]) : 0;
      points[2 * k + 1] = seen ? STRIDE * (y + step[1]) : 0;
    }
  }

  step() {
    const log = (x, y) => Math.log(Math.max(this.patch.values[(y + 2) * 5 + x + 2], 1e-10));
    const centre = log(0, 0);
    return newtonStep({
      dx: 0.5 * (log(1, 0) - log(-1, 0)),
      dy: 0.5 * (log(0, 1) - log(0, -1)),
      dxx: 0.25 * (log(2, 0) - 2 * centre + log(-2, 0)),
      dyy: 0.25 * (log(0, 2) - 2 * centre + log(0, -2)),
      dxy: 0.25 * (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)),
    });
  }
}
