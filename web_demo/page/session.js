import { readCard } from '../core/card.js';
import { PoseEstimator } from '../core/estimator.js';
import { Latency } from '../core/latency.js';
import { PersonTracker } from '../core/person_tracker.js';
import { openNetwork } from './network.js';

/** The network that is open, what it found last, and how long it took. */
export class Session {
  constructor() {
    this.latency = new Latency();
    this.estimator = null;
  }

  get isOpen() {
    return this.estimator !== null;
  }

  get card() {
    return this.estimator?.card ?? null;
  }

  /**
   * Opens a model in place of the last one. Throws a `Problem` if it cannot be used.
   *
   * @param {import('../core/files.js').ModelFile} model
   * @param {'cpu' | 'gpu'} wanted
   * @returns {Promise<import('./network.js').OpenNetwork>}
   */
  async open(model, wanted) {
    await this.close();
    const card = readCard(await model.card());
    const network = await openNetwork(await model.bytes(), card, wanted);
    this.estimator = new PoseEstimator(card, network);
    this.forget();
    return network;
  }

  async close() {
    const { estimator } = this;
    this.estimator = null;
    await estimator?.network.close();
  }

  /** Forgets the person who was followed, and times. */
  forget() {
    const { keypoints } = this.card;
    this.tracker = new PersonTracker(keypoints.sigmas, keypoints.names.length);
    this.latency = new Latency();
  }

  /** The pose of the person in a box of a photo. */
  estimate(frame, box) {
    return this.estimator.estimate(frame, box, (stage, time) => this.latency.add(stage, time));
  }

  /** The pose in a frame of the camera, or null, and the box that was looked at. */
  async follow(frame) {
    const now = performance.now() / 1000;
    const box = this.tracker.look(now, frame.width, frame.height);
    return { box, pose: this.tracker.update(await this.estimate(frame, box), now) };
  }
}
