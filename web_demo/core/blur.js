const SMALL = {
  1: [1],
  3: [0.25, 0.5, 0.25],
  5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
  7: [0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
  9: [4, 13, 30, 51, 60, 51, 30, 13, 4].map((weight) => weight / 256),
};

/**
 * Weights of OpenCV's Gaussian of this odd size; it derives sigma from the size.
 *
 * @param {number} size
 */
export function gaussian(size) {
  if (size in SMALL) return Float32Array.from(SMALL[size]);
  const sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8;
  const taps = Array.from({ length: size }, (_, i) => {
    const x = i - (size - 1) / 2;
    return Math.exp((-x * x) / (2 * sigma * sigma));
  });
  const sum = taps.reduce((a, b) => a + b);
  return Float32Array.from(taps, (tap) => tap / sum);
}

const within = (position, size) => Math.min(Math.max(position, 0), size - 1);

/**
 * The (2 `reach` + 1)^2 values around a maximum of the blurred map, as logarithms can take them.
 *
 * Zeros lie outside the map; beyond the border the last row or column of the blurred map repeats.
 * The patch is rescaled to the old maximum.
 */
export class BlurredPatch {
  constructor(height, width, count, reach, kernel) {
    this.height = height;
    this.width = width;
    this.count = count;
    this.reach = reach;
    this.side = 2 * reach + 1;
    this.values = new Float32Array(this.side * this.side);
    this.taps = gaussian(kernel);
    this.half = Math.floor(kernel / 2);
    this.column = new Float32Array(this.side + 2 * this.half);
  }

  read(maps, k, x, y, score) {
    const { side, reach, half, taps, column, values } = this;
    let highest = 1e-12;
    for (let row = 0; row < side; row++) {
      const centre = within(y + row - reach, this.height);
      for (let i = 0; i < column.length; i++) {
        column[i] = this.vertical(maps, k, x - reach - half + i, centre);
      }
      for (let i = 0; i < side; i++) {
        const left = within(x + i - reach, this.width) - (x - reach);
        let sum = 0;
        for (let t = 0; t < taps.length; t++) sum += taps[t] * column[left + t];
        values[row * side + i] = sum;
        highest = Math.max(highest, sum);
      }
    }
    for (let i = 0; i < values.length; i++) values[i] *= score / highest;
  }

  vertical(maps, k, x, centre) {
    const { height, width, count, taps, half } = this;
    if (x < 0 || x >= width) return 0;
    let sum = 0;
    for (let t = 0; t < taps.length; t++) {
      const y = centre + t - half;
      if (y >= 0 && y < height) sum += taps[t] * maps[(y * width + x) * count + k];
    }
    return sum;
  }
}
