const SEEN = 0.25; // scores from which joints are drawn
const MOST = 1600; // pixels of the canvas's longer side
const THICK = 3.5; // pixels of the screen
const BOX = '#ffffff';

/**
 * The canvas: a frame, the box and the skeleton on it.
 *
 * Pixel centres of a frame are at whole numbers, those of a canvas half a pixel further.
 */
export class View {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.picture = document.createElement('canvas');
  }

  /** Takes a frame; it is shown with the next `draw`. */
  set(frame) {
    const { picture, canvas } = this;
    if (picture.width !== frame.width || picture.height !== frame.height) {
      picture.width = frame.width;
      picture.height = frame.height;
      this.scale = Math.min(MOST / Math.max(frame.width, frame.height), 4);
      canvas.width = Math.round(frame.width * this.scale);
      canvas.height = Math.round(frame.height * this.scale);
    }
    picture.getContext('2d').putImageData(frame, 0, 0);
  }

  /**
   * @param {import('../core/region.js').Box | null} box
   * @param {import('../core/estimator.js').Pose | null} pose
   * @param {import('../core/card.js').Keypoints | null} keypoints
   */
  draw(box, pose, keypoints) {
    const { context, canvas, picture } = this;
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const thick = (THICK * canvas.width) / (canvas.clientWidth || canvas.width);
    if (box) this.drawBox(box, thick / 2);
    if (pose) this.drawPose(pose, keypoints, thick);
  }

  drawBox(box, thick) {
    const { context, scale } = this;
    context.lineWidth = thick;
    context.strokeStyle = BOX;
    context.setLineDash([4 * thick, 4 * thick]);
    const [x, y] = [this.place(box.x), this.place(box.y)];
    context.strokeRect(x, y, box.width * scale, box.height * scale);
    context.setLineDash([]);
  }

  drawPose({ points, scores }, { skeleton, colors, pointColors }, thick) {
    const { context } = this;
    const at = (k) => [this.place(points[2 * k]), this.place(points[2 * k + 1])];
    context.lineWidth = thick;
    context.lineCap = 'round';
    skeleton.forEach(([a, b], index) => {
      if (scores[a] < SEEN || scores[b] < SEEN) return;
      context.strokeStyle = `rgb(${colors[index]})`;
      context.beginPath();
      context.moveTo(...at(a));
      context.lineTo(...at(b));
      context.stroke();
    });
    pointColors.forEach((color, k) => {
      if (scores[k] < SEEN) return;
      context.fillStyle = `rgb(${color})`;
      context.beginPath();
      context.arc(...at(k), thick, 0, 2 * Math.PI);
      context.fill();
    });
  }

  /** Pixels of the frame -> pixels of the canvas. */
  place(position) {
    return (position + 0.5) * this.scale;
  }

  /** Where an event of the mouse or a finger lies in the frame, within it. */
  pointOf(event) {
    const { canvas, picture } = this;
    const shown = canvas.getBoundingClientRect();
    const share = [
      (event.clientX - shown.left) / shown.width,
      (event.clientY - shown.top) / shown.height,
    ];
    return [picture.width, picture.height].map((side, axis) =>
      Math.min(Math.max(side * share[axis] - 0.5, 0), side - 1),
    );
  }
}
