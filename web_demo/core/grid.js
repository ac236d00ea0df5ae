/** Crop pixels per heat map pixel. */
export const STRIDE = 4;

/** The same for coordinates between the centres of the outermost pixels (UDP). */
export const alignedStride = (side) => (STRIDE * side - 1) / (side - 1);
