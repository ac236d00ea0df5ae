import { BlurredPatch } from './blur.js';
import { alignedStride } from './grid.js';
import { newtonStep } from './newton.js';
import { Peaks } from './peaks.js';

const RIDGE = 1.1920929e-7; // of single precision, as mmpose adds it

/** `UDP` of the codecs. */
export class UdpDecoder {
  constructor(height, width, count, kernel) {
    this.height = height;
    this.width = width;
    this.count = count;
    this.peaks = new Peaks(height, width, count);
    this.patch = new BlurredPatch(height, width, count, 1, kernel);
  }

  decode(maps, points, scores) {
    const { height, width, count, peaks, patch } = this;
    peaks.find(maps);
    for (let k = 0; k < count; k++) {
      patch.read(maps, k, peaks.x[k], peaks.y[k], peaks.scores[k]);
      const [stepX, stepY] = this.step();
      const seen = peaks.scores[k] > 0;
      scores[k] = peaks.scores[k];
      points[2 * k] = seen ? alignedStride(width) * (peaks.x[k] + stepX) : 0;
      points[2 * k + 1] = seen ? alignedStride(height) * (peaks.y[k] + stepY) : 0;
    }
  }

  step() {
    const { values } = this.patch;
    const log = (x, y) => Math.log(Math.min(Math.max(values[(y + 1) * 3 + x + 1], 1e-3), 50));
    const centre = log(0, 0);
    const around = log(-1, 0) + log(1, 0) + log(0, -1) + log(0, 1);
    const derivatives = {
      dx: 0.5 * (log(1, 0) - log(-1, 0)),
      dy: 0.5 * (log(0, 1) - log(0, -1)),
      dxx: log(1, 0) - 2 * centre + log(-1, 0),
      dyy: log(0, 1) - 2 * centre + log(0, -1),
      dxy: 0.5 * (log(-1, -1) + 2 * centre + log(1, 1) - around),
    };
    return newtonStep(derivatives, RIDGE);
  }
}
