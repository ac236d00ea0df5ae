import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../android_demo/core/src/golden/resources/vectors/', import.meta.url);

/** What Python computed for Kotlin and for this page; `android_demo/ci/vectors.py` writes it. */
export const vectors = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'));

/** Numbers that were packed as base64, in little-endian order, as `Kind` of array. */
export function unpacked(text, Kind) {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return new Kind(bytes.buffer);
}

/** A picture of the vectors as an upright frame: turned clockwise by `rotation`, then mirrored. */
export function frameOf({ width, height, rgb }, rotation = 0, mirrored = false) {
  const pixels = unpacked(rgb, Uint8Array);
  const upright = rotation % 180 === 0 ? [width, height] : [height, width];
  const [columns, rows] = upright;
  const data = new Uint8ClampedArray(4 * columns * rows).fill(255);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const u = mirrored ? columns - 1 - x : x;
      const [i, j] = {
        0: [u, y],
        90: [y, height - 1 - u],
        180: [width - 1 - u, height - 1 - y],
        270: [width - 1 - y, u],
      }[rotation];
      for (let c = 0; c < 3; c++) data[4 * (y * columns + x) + c] = pixels[3 * (j * width + i) + c];
    }
  }
  return { data, width: columns, height: rows };
}

export const boxOf = ([x, y, width, height]) => ({ x, y, width, height });
