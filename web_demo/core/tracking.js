/** Settings of a `PersonTracker`; what they mean is told in `hrnet_tf/tasks/pose/track.py`. */
export const TRACKING = {
  seen: 0.25,
  leastScore: 0.3,
  same: 0.3,
  coast: 0.7,
  hold: 0.5,
};

/**
 * The One-Euro filter (Casiez et al., CHI 2012): cutoffs in Hz, speeds in sizes of the person.
 * The lower `minCutoff`, the calmer are joints at rest; the higher `beta`, the less do quick ones lag.
 */
const EURO = { minCutoff: 1.2, beta: 20, speedCutoff: 1 };

/** How much of the new a low-pass filter takes: `cutoff` in Hz. */
export const share = (cutoff, seconds) => 1 / (1 + 1 / (2 * Math.PI * cutoff * seconds));

/**
 * One step of the One-Euro filter for a joint whose place in the arrays is `i`, `i` + 1.
 *
 * @param {Float64Array} smooth pixels
 * @param {Float64Array} speeds pixels per second
 * @param {number} i
 * @param {[number, number]} error what is new less what is smooth, in pixels
 * @param {number} seconds
 * @param {number} size of the person, in pixels
 */
export function smoothStep(smooth, speeds, i, error, seconds, size) {
  const quick = share(EURO.speedCutoff, seconds);
  for (const axis of [0, 1]) speeds[i + axis] += quick * (error[axis] / seconds - speeds[i + axis]);
  const speed = Math.hypot(speeds[i], speeds[i + 1]) / size;
  const part = share(EURO.minCutoff + EURO.beta * speed, seconds);
  for (const axis of [0, 1]) smooth[i + axis] += error[axis] * part;
}
