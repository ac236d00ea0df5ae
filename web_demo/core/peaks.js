import { must } from './problem.js';

/** The first maximum, in reading order, of each of `count` maps; the channels are last. */
export class Peaks {
  constructor(height, width, count) {
    this.pixels = height * width;
    this.width = width;
    this.count = count;
    this.x = new Int32Array(count);
    this.y = new Int32Array(count);
    this.scores = new Float32Array(count);
  }

  /**
   * Throws a `Problem` for infinite numbers and such that are none.
   *
   * @param {Float32Array} maps
   * @param {number} step from the map of one keypoint to that of the next
   */
  find(maps, step = 1) {
    const { count, scores, x, y, width } = this;
    for (let k = 0; k < count; k++) {
      let best = -Infinity;
      let where = 0;
      for (let pixel = 0; pixel < this.pixels; pixel++) {
        const value = maps[(pixel * count + k) * step];
        // So and not the other way round: a NaN comes in, and is seen below.
        if (!(value <= best)) {
          if (Number.isNaN(value)) refuse(value);
          best = value;
          where = pixel;
        }
      }
      if (!Number.isFinite(best)) refuse(best);
      scores[k] = best;
      x[k] = where % width;
      y[k] = Math.floor(where / width);
    }
  }
}

const refuse = (value) =>
  must(false, () => `The model returned ${value} in its heat maps. Try it on the CPU.`);
