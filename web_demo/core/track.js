import { overlap } from './region.js';
import { share, smoothStep, TRACKING } from './tracking.js';

const AREA = 0.25; // of a person of size 1: COCO's standing people
const STILL = 0.93; // overlap with the last box from which that one stays
const LEAST_SIZE = 12; // pixels
const [LEAST_MARGIN, MOST_MARGIN] = [0.05, 0.3]; // between joints and box, in sizes

/** One person, as far as known at `time`; all joints move on with the person. Pixels and seconds. */
export class Track {
  constructor(count) {
    this.count = count;
    this.time = 0;
    this.found = 0; // time of the last pose
    this.points = new Float64Array(2 * count);
    this.smooth = new Float64Array(2 * count);
    this.speeds = new Float64Array(2 * count); // beside the person's own, of the filter
    this.lastSeen = new Float64Array(count);
    this.velocity = [0, 0];
    this.course = [0, 0]; // the same over a longer time
    this.spans = new Array(count).fill(true); // joints that span the box
  }

  start(pose, time) {
    this.time = time;
    this.points.set(pose.points);
    this.smooth.set(pose.points);
    this.speeds.fill(0);
    pose.scores.forEach((score, k) => {
      this.lastSeen[k] = score >= TRACKING.seen ? time : -Infinity;
    });
    this.velocity = [0, 0];
    this.course = [0, 0];
    this.note(pose);
    this.measureMargins(pose.box);
  }

  /** To where the person is expected at `now`. */
  move(now) {
    if (this.found < this.time) {
      this.velocity = now - this.found <= TRACKING.coast ? [...this.course] : [0, 0];
    }
    for (let i = 0; i < this.points.length; i++) {
      const moved = this.velocity[i % 2] * (now - this.time);
      this.points[i] += moved;
      this.smooth[i] += moved;
    }
    this.time = now;
  }

  /** Where to look at `now`; a box that trembles with the joints makes them tremble. */
  box(now) {
    const size = this.size();
    const [moveX, moveY] = this.velocity.map((speed) => speed * (now - this.time));
    const [left, top, right, bottom] = this.margins.map((margin) => size * margin);
    const [lowX, highX] = this.extent(0);
    const [lowY, highY] = this.extent(1);
    const x = lowX + moveX - (left + 0.5 * Math.abs(moveX));
    const y = lowY + moveY - (top + 0.5 * Math.abs(moveY));
    const width = highX + moveX + right + 0.5 * Math.abs(moveX) - x;
    const height = highY + moveY + bottom + 0.5 * Math.abs(moveY) - y;
    const box = { x, y, width: Math.max(width, LEAST_SIZE), height: Math.max(height, LEAST_SIZE) };
    return overlap(box, this.lastBox) >= STILL ? this.lastBox : box;
  }

  /** Keypoint similarity (OKS) of a pose with where the person is expected; sure joints count more. */
  likely(pose, sigmas) {
    const area = AREA * this.size() ** 2;
    let near = 0;
    let weights = 0;
    for (let k = 0; k < this.count; k++) {
      const weight = Math.max(Math.min(this.scores[k], pose.scores[k]), 0);
      // The longer nobody has seen a person, the less is known of where.
      const sigma = sigmas[k] * (1 + 4 * (this.time - this.found));
      const x = pose.points[2 * k] - this.points[2 * k];
      const y = pose.points[2 * k + 1] - this.points[2 * k + 1];
      near += weight * Math.exp(-(x * x + y * y) / (4 * sigma * sigma) / area / 2);
      weights += weight;
    }
    return near / Math.max(weights, 1e-9);
  }

  /** Takes a pose of the person, `seconds` after the last frame; `whole` if all was searched. */
  follow(pose, seconds, whole) {
    const seen = Array.from(pose.scores, (score) => score >= TRACKING.seen);
    const steady = seen.map((here, k) => here && this.time - this.lastSeen[k] <= TRACKING.hold);
    const shift = this.learn(pose, steady, seconds);
    for (let i = 0; i < this.points.length; i++) {
      this.points[i] = seen[i >> 1] ? pose.points[i] : this.points[i] + shift[i % 2];
    }
    const size = this.size();
    for (let k = 0; k < this.count; k++)
      this.smoothJoint(pose, k, seen[k], steady[k], seconds, size);
    this.note(pose);
    if (whole) this.measureMargins(pose.box);
  }

  /** How the person moves: the median, since a person walks on while an arm waves. */
  learn(pose, steady, seconds) {
    if (!steady.includes(true)) return [0, 0];
    const shift = [0, 1].map((axis) => {
      const moves = [];
      steady.forEach((is, k) => {
        if (is) moves.push(pose.points[2 * k + axis] - this.points[2 * k + axis]);
      });
      moves.sort((a, b) => a - b);
      return (moves[(moves.length - 1) >> 1] + moves[moves.length >> 1]) / 2;
    });
    if (this.time - this.found < 1.5 * seconds) {
      for (const axis of [0, 1]) {
        this.velocity[axis] += (share(1, seconds) * shift[axis]) / seconds;
        this.course[axis] += share(0.5, seconds) * (this.velocity[axis] - this.course[axis]);
      }
    }
    return shift;
  }

  smoothJoint(pose, k, seen, steady, seconds, size) {
    const { smooth, speeds } = this;
    const place = [pose.points[2 * k], pose.points[2 * k + 1]];
    const error = steady ? place.map((value, axis) => value - smooth[2 * k + axis]) : [0, 0];
    smoothStep(smooth, speeds, 2 * k, error, seconds, size);
    if (seen && !steady) smooth.set(place, 2 * k);
    if (seen) this.lastSeen[k] = this.time;
  }

  /** What the next frames need to know of a pose. */
  note(pose) {
    this.found = this.time;
    this.scores = pose.scores;
    this.lastBox = pose.box;
    this.spans = Array.from(this.lastSeen, (last) => this.time - last <= TRACKING.hold);
    const enough = this.spans.filter(Boolean).length >= 2;
    if (!enough) this.spans.fill(true);
  }

  measureMargins(box) {
    const [lowX, highX] = this.extent(0);
    const [lowY, highY] = this.extent(1);
    const right = box.x + box.width - highX;
    const bottom = box.y + box.height - highY;
    this.margins = [lowX - box.x, lowY - box.y, right, bottom].map((margin) =>
      Math.min(Math.max(margin / this.size(), LEAST_MARGIN), MOST_MARGIN),
    );
  }

  /** Longest side of what the joints span. */
  size() {
    const [width, height] = [0, 1]
      .map((axis) => this.extent(axis))
      .map(([low, high]) => high - low);
    return Math.max(width, height, LEAST_SIZE);
  }

  /** Lowest and highest coordinate of the joints that span the box. */
  extent(axis) {
    let [low, high] = [Infinity, -Infinity];
    for (let k = 0; k < this.count; k++) {
      if (!this.spans[k]) continue;
      low = Math.min(low, this.points[2 * k + axis]);
      high = Math.max(high, this.points[2 * k + axis]);
    }
    return [low, high];
  }
}
