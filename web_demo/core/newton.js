/**
 * The step (x, y) from the centre of a patch to the summit of its second-order fit.
 *
 * @param {{dx: number, dy: number, dxx: number, dyy: number, dxy: number}} derivatives at the centre
 * @param {number} ridge is added to both second derivatives
 * @returns {[number, number]}
 */
export function newtonStep({ dx, dy, dxx, dyy, dxy }, ridge = 0) {
  const a = dxx + ridge;
  const b = dyy + ridge;
  const area = a * b - dxy * dxy;
  return area === 0 ? [0, 0] : [(dxy * dy - b * dx) / area, (dxy * dx - a * dy) / area];
}
