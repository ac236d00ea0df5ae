import { Track } from './track.js';
import { TRACKING } from './tracking.js';

const SIGMA = 0.07; // where a keypoint set has none: the middle of COCO's
const LEAST_STEP = 1e-3; // seconds, between frames with the same time stamp

/**
 * Follows one person without a detector: `Tracker` of `hrnet_tf/tasks/pose/track.py` with nobody
 * else there.
 *
 * For each frame `look` says where, then `update` takes the pose found there. A person who is lost
 * moves on for a while; then, and in the beginning, the whole frame is searched.
 */
export class PersonTracker {
  /**
   * @param {number[] | null} sigmas
   * @param {number} count of keypoints
   */
  constructor(sigmas, count) {
    this.sigmas = sigmas ?? new Array(count).fill(SIGMA);
    this.track = new Track(count);
    this.known = false;
  }

  /**
   * The box to look at, in a frame of this size at `time` in seconds.
   *
   * @returns {import('./region.js').Box}
   */
  look(time, width, height) {
    const frame = { x: 0, y: 0, width, height };
    this.whole = !this.known || time - this.track.found > TRACKING.coast;
    if (this.whole) return frame;
    const box = this.track.box(time);
    this.whole =
      box.x >= width || box.y >= height || box.x + box.width <= 0 || box.y + box.height <= 0;
    return this.whole ? frame : box;
  }

  /**
   * Takes the pose found in the box of `look`; returns it smoothed, or null if it is no person's.
   *
   * @param {import('./estimator.js').Pose} found
   * @param {number} time
   */
  update(found, time) {
    const { track, known, whole } = this;
    const seconds = known ? time - track.time : 0;
    if (known) track.move(time);
    const person = isPerson(found.scores);
    const same = known && person && track.likely(found, this.sigmas) >= TRACKING.same;
    if (same) track.follow(found, Math.max(seconds, LEAST_STEP), whole);
    else if (person && whole) track.start(found, time);
    const here = same || (person && whole);
    this.known = here || (known && time - track.found <= TRACKING.coast);
    return here ? { ...found, points: Float32Array.from(track.smooth) } : null;
  }
}

/** Whether the better half of the joints is sure enough. */
function isPerson(scores) {
  const better = [...scores].sort((a, b) => a - b).slice(scores.length >> 1);
  return better.reduce((a, b) => a + b) / better.length >= TRACKING.leastScore;
}
