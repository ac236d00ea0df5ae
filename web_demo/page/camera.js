import { oneLine, Problem } from '../core/problem.js';

const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };
const REASONS = {
  NotAllowedError:
    'The camera was refused. Allow it in the settings of the browser for this page, or use a photo.',
  NotFoundError: 'There is no camera here. Use a photo.',
  NotReadableError: 'The camera is used by another program. Close that one, or use a photo.',
};

/** The camera as a sequence of frames. */
export class Camera {
  constructor() {
    this.video = document.createElement('video');
    this.video.muted = true;
    this.video.playsInline = true;
    this.canvas = document.createElement('canvas');
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
  }

  /** Opens the camera. Throws a `Problem` if it cannot be had. */
  async open() {
    if (!navigator.mediaDevices) {
      throw new Problem(
        'Browsers give the camera only to pages from localhost or https. Use a photo.',
      );
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: SIZE, audio: false });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.close();
      throw new Problem(REASONS[error.name] ?? `The camera cannot be used: ${oneLine(error)}.`);
    }
  }

  /** Whether it still gives pictures; not after it was unplugged. */
  get isLive() {
    return Boolean(this.stream?.getVideoTracks().some((track) => track.readyState === 'live'));
  }

  /** The next frame; resolves when it is shown. */
  async next() {
    await new Promise((done) => requestAnimationFrame(done));
    const { canvas, context, video } = this;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
  }
}
