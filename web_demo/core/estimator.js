import { Cropper } from './cropper.js';
import { regionAround } from './region.js';
import { dequantized } from './tensor.js';

/**
 * One person: K keypoints (x, y) in pixels of the picture, their scores, and the box looked at.
 *
 * @typedef {{points: Float32Array, scores: Float32Array, box: import('./region.js').Box}} Pose
 *
 * What runs a network. `run` resolves to the numbers of the output, for those of the input; where it
 * runs is said in words.
 *
 * @typedef {{runsOn: string, run: (input: import('./tensor.js').Numbers) =>
 *   Promise<import('./tensor.js').Numbers>, close: () => void}} Network
 */

/** From a picture and a box to a pose. */
export class PoseEstimator {
  /**
   * @param {import('./card.js').Card} card
   * @param {Network} network
   */
  constructor(card, network) {
    const [, height, width] = card.output.shape;
    this.card = card;
    this.network = network;
    this.cropper = new Cropper(card);
    this.decoder = card.codec.decoder(height, width, card.keypoints.names.length);
  }

  /**
   * @param {import('./cropper.js').Frame} frame
   * @param {import('./region.js').Box} box
   * @param {(stage: 'crop' | 'network' | 'decode', milliseconds: number) => void} time
   * @returns {Promise<Pose>}
   */
  async estimate(frame, box, time = () => {}) {
    const start = performance.now();
    const region = regionAround(box, this.card);
    const input = this.cropper.crop(frame, region);
    const cropped = performance.now();
    const output = await this.network.run(input);
    const answered = performance.now();
    const pose = this.decode(output, region, box);
    time('crop', cropped - start);
    time('network', answered - cropped);
    time('decode', performance.now() - answered);
    return pose;
  }

  decode(output, region, box) {
    const count = this.card.keypoints.names.length;
    const points = new Float32Array(2 * count);
    const scores = new Float32Array(count);
    this.decoder.decode(dequantized(output, this.card.output), points, scores);
    for (let k = 0; k < count; k++) {
      points[2 * k] = region.scaleX * points[2 * k] + region.shiftX;
      points[2 * k + 1] = region.scaleY * points[2 * k + 1] + region.shiftY;
    }
    return { points, scores, box };
  }
}
