/** Median of the last measurements of each stage, in milliseconds. */
export class Latency {
  /** @param {number} window */
  constructor(window = 60) {
    this.window = window;
    this.times = new Map();
  }

  add(stage, milliseconds) {
    const times = this.times.get(stage) ?? [];
    this.times.set(stage, [...times.slice(1 - this.window), milliseconds]);
  }

  /** Milliseconds; null if there are no measurements. */
  median(stage) {
    const times = this.times.get(stage);
    if (!times) return null;
    const sorted = [...times].sort((a, b) => a - b);
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  }
}
