/**
 * A box in pixels of the upright picture; pixel centres are at whole numbers.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 *
 * A map from the pixels of a crop to those of the picture: x * scaleX + shiftX.
 *
 * @typedef {{scaleX: number, scaleY: number, shiftX: number, shiftY: number}} Region
 */

const SMALLEST = 1e-6; // pixels; keeps the map of an empty box finite
const single = Math.fround;

/**
 * The region that a network sees of a person: `center_scale`, `affine` and `invert` of
 * `hrnet_tf/tasks/pose/geometry.py` in one, in the same single precision.
 *
 * @param {Box} box
 * @param {import('./card.js').Card} card
 * @returns {Region}
 */
export function regionAround(box, card) {
  const [, rows, columns] = card.input.shape;
  const { aligned } = card.codec;
  const aspect = columns / rows;
  const [x, y, width, height] = [box.x, box.y, box.width, box.height].map(single);
  const centerX = single(x + 0.5 * width);
  const centerY = single(y + 0.5 * height);
  const padded = (side, other) => single(Math.max(side, single(other)) * single(card.padding));
  const wide = Math.max(padded(width, height * single(aspect)), SMALLEST);
  const high = Math.max(padded(height, width * single(1 / aspect)), SMALLEST);
  const outX = columns - (aligned ? 1 : 0);
  const outY = rows - (aligned ? 1 : 0);
  const zoomX = single(outX / wide);
  const zoomY = aligned ? single(outY / high) : zoomX;
  const area = single(zoomX * zoomY);
  const scaleX = single(zoomY / area);
  const scaleY = single(zoomX / area);
  const back = (scale, out, zoom, center) =>
    single(-single(scale * single(out / 2 - single(zoom * center))));
  return {
    scaleX,
    scaleY,
    shiftX: back(scaleX, outX, zoomX, centerX),
    shiftY: back(scaleY, outY, zoomY, centerY),
  };
}

/**
 * Overlap (IoU) of two boxes.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const common = Math.max(width, 0) * Math.max(height, 0);
  const both = a.width * a.height + b.width * b.height - common;
  return common / Math.max(Math.abs(both), 1e-9);
}
