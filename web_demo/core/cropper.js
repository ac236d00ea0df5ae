import { numbersOf, quantized, toEven } from './tensor.js';

/**
 * Pixels of an upright picture, RGBA in rows: an `ImageData` of the browser is one.
 *
 * @typedef {{data: Uint8Array | Uint8ClampedArray, width: number, height: number}} Frame
 */

const single = Math.fround;

/**
 * Writes the input of a network: `crop` of `hrnet_tf/tasks/pose/geometry.py` and the normalisation
 * of the card.
 *
 * Bilinear, zero outside the picture, rounded to whole grey levels. The map scales but does not turn,
 * so positions along rows and columns are found once. A table holds what each level becomes.
 */
export class Cropper {
  /** @param {import('./card.js').Card} card */
  constructor(card) {
    const [, height, width] = card.input.shape;
    this.input = numbersOf(card.input);
    this.columns = new Line(width);
    this.rows = new Line(height);
    this.tables = card.mean.map((mean, c) => {
      const normal = (level) =>
        single(single(single(level / 255) - single(mean)) / single(card.std[c]));
      return Float32Array.from({ length: 256 }, (_, level) => quantized(normal(level), card.input));
    });
  }

  /**
   * Returns the input for what `region` shows of `frame`, in memory that the next call uses again.
   *
   * @param {Frame} frame
   * @param {import('./region.js').Region} region
   */
  crop(frame, region) {
    const { columns, rows, input, tables } = this;
    columns.place(region.scaleX, region.shiftX, frame.width);
    rows.place(region.scaleY, region.shiftY, frame.height);
    const pixels = frame.data;
    let at = 0;
    for (let v = 0; v < rows.size; v++) {
      const upper = rows.first[v] * frame.width;
      const lower = rows.second[v] * frame.width;
      const [inUpper, inLower, down] = [rows.firstIn[v], rows.secondIn[v], rows.share[v]];
      for (let u = 0; u < columns.size; u++) {
        const left = 4 * columns.first[u];
        const right = 4 * columns.second[u];
        const [inLeft, inRight, share] = [
          columns.firstIn[u],
          columns.secondIn[u],
          columns.share[u],
        ];
        for (let c = 0; c < 3; c++, at++) {
          const p = pixels[4 * upper + left + c] * inLeft * inUpper;
          const q = pixels[4 * upper + right + c] * inRight * inUpper;
          const r = pixels[4 * lower + left + c] * inLeft * inLower;
          const s = pixels[4 * lower + right + c] * inRight * inLower;
          const above = single(p + (q - p) * share);
          const below = single(r + (s - r) * share);
          input[at] = tables[c][toEven(single(above + (below - above) * down))];
        }
      }
    }
    return input;
  }
}

/** The pixels of the input along one axis: between which two of the picture each lies, and where. */
class Line {
  constructor(size) {
    this.size = size;
    this.first = new Int32Array(size);
    this.second = new Int32Array(size);
    this.firstIn = new Uint8Array(size); // 0 outside the picture, else 1
    this.secondIn = new Uint8Array(size);
    this.share = new Float32Array(size);
  }

  place(scale, shift, extent) {
    for (let i = 0; i < this.size; i++) {
      const x = Math.min(Math.max(single(single(scale * i) + shift), -1), extent);
      const before = Math.floor(x);
      this.share[i] = x - before;
      this.firstIn[i] = Number(before >= 0 && before < extent);
      this.secondIn[i] = Number(before + 1 >= 0 && before + 1 < extent);
      this.first[i] = Math.min(Math.max(before, 0), extent - 1);
      this.second[i] = Math.min(Math.max(before + 1, 0), extent - 1);
    }
  }
}
