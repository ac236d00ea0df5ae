const SIDES = ['x', 'y', 'width', 'height'];
const LEAST = 4; // pixels of a drag that is a box, not a click

/** The box of the person: dragged on the view, or typed into four fields. */
export class BoxInput {
  /**
   * @param {import('./view.js').View} view
   * @param {HTMLFieldSetElement} group disabled while there is no photo
   * @param {Record<'x' | 'y' | 'width' | 'height', HTMLInputElement>} fields
   * @param {HTMLButtonElement} whole
   * @param {(done: boolean) => void} changed `done` is false while the mouse still moves
   */
  constructor(view, group, fields, whole, changed) {
    this.view = view;
    this.group = group;
    this.fields = fields;
    this.changed = changed;
    whole.addEventListener('click', () => this.finish(this.all));
    for (const side of SIDES) {
      fields[side].addEventListener('change', () => this.finish(this.typed()));
    }
    this.listen(view.canvas);
  }

  /** The whole picture, as the box of a new picture. */
  reset({ width, height }) {
    this.all = { x: 0, y: 0, width, height };
    this.group.disabled = false;
    this.show(this.all);
  }

  /** There is no photo to choose a box in. */
  disable() {
    this.group.disabled = true;
  }

  show(box) {
    this.box = box;
    for (const side of SIDES) this.fields[side].value = String(Math.round(box[side]));
  }

  finish(box) {
    this.show(box);
    this.changed(true);
  }

  typed() {
    const box = Object.fromEntries(
      SIDES.map((side) => [side, Number(this.fields[side].value) || 0]),
    );
    return { ...box, width: Math.max(box.width, 1), height: Math.max(box.height, 1) };
  }

  listen(canvas) {
    let start = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (this.group.disabled) return;
      start = this.view.pointOf(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      const box = start && between(start, this.view.pointOf(event));
      if (!box || Math.min(box.width, box.height) < LEAST) return;
      this.show(box);
      this.changed(false);
    });
    canvas.addEventListener('pointerup', (event) => {
      const box = start && between(start, this.view.pointOf(event));
      start = null;
      if (box && Math.min(box.width, box.height) >= LEAST) this.finish(box);
    });
    canvas.addEventListener('pointercancel', () => {
      start = null;
    });
  }
}

function between([x, y], [toX, toY]) {
  return {
    x: Math.min(x, toX),
    y: Math.min(y, toY),
    width: Math.abs(toX - x),
    height: Math.abs(toY - y),
  };
}
