import { pictureProblem, usedSize } from '../core/files.js';
import { Problem } from '../core/problem.js';

/**
 * Decodes a photo: upright, without colour profile, transparent parts on white, as Python reads it.
 *
 * Larger photos than `MOST_PIXELS` are made smaller; `note` says so. Throws a `Problem` if the
 * browser cannot read the file.
 *
 * @param {File} file
 * @returns {Promise<{frame: ImageData, note: string}>}
 */
export async function readPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
    });
  } catch {
    const first = new Uint8Array(
      await file
        .slice(0, 12)
        .arrayBuffer()
        .catch(() => new ArrayBuffer(0)),
    );
    throw new Problem(pictureProblem(file.name, first));
  }
  const { width, height } = bitmap;
  const [usedWidth, usedHeight] = usedSize(width, height);
  try {
    const canvas = new OffscreenCanvas(usedWidth, usedHeight);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.imageSmoothingQuality = 'high';
    context.fillStyle = 'white';
    context.fillRect(0, 0, usedWidth, usedHeight);
    context.drawImage(bitmap, 0, 0, usedWidth, usedHeight);
    const frame = context.getImageData(0, 0, usedWidth, usedHeight);
    return { frame, note: usedWidth < width ? shrunk(width, height, usedWidth, usedHeight) : '' };
  } catch {
    throw new Problem(
      `${file.name} has ${megapixels(width, height)} megapixels, more than this browser holds.`,
    );
  } finally {
    bitmap.close();
  }
}

const megapixels = (width, height) => Math.round((width * height) / 1e6);

const shrunk = (width, height, usedWidth, usedHeight) =>
  `The photo has ${megapixels(width, height)} megapixels; it was made smaller, ${usedWidth} by ${usedHeight} pixels.`;
