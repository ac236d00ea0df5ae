import { must } from './problem.js';

/**
 * A model that can be opened.
 *
 * @typedef {{name: string, bytes: () => Promise<Uint8Array>, card: () => Promise<string>}} ModelFile
 */

/** Whether a file belongs to a model. */
export const isModelFile = ({ name }) => /\.(tflite|json)$/i.test(name);

/**
 * Pairs files that a user chose: each `.tflite` with its card. Throws a `Problem` if one lacks the other.
 *
 * @param {File[]} files
 * @returns {ModelFile[]}
 */
export function paired(files) {
  const stem = ({ name }) => name.replace(/\.[^.]*$/, '');
  const ofKind = (suffix) => files.filter(({ name }) => name.toLowerCase().endsWith(suffix));
  const [models, cards] = [ofKind('.tflite'), ofKind('.json')];
  const lonely = models.find((model) => !cards.some((card) => stem(card) === stem(model)));
  must(
    !lonely,
    () =>
      `${lonely.name} needs its card ${stem(lonely)}.json, which to_tflite.py writes beside it. Choose both.`,
  );
  must(
    models.length > 0,
    () => `${cards[0].name} is a card alone. Choose the model ${stem(cards[0])}.tflite with it.`,
  );
  return models.map((model) => {
    const card = cards.find((each) => stem(each) === stem(model));
    const bytes = async () => new Uint8Array(await model.arrayBuffer());
    return { name: stem(model), bytes, card: () => card.text() };
  });
}

const HEIC = ['heic', 'heix', 'hevc', 'heim', 'heis', 'mif1', 'msf1'];

/**
 * Why a picture could not be read, from the first bytes of its file.
 *
 * @param {string} name
 * @param {Uint8Array} bytes at least 12, if the file has them
 */
export function pictureProblem(name, bytes) {
  const word = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes.length === 0) return `${name} is an empty file. Copy it again from its source.`;
  if (word(4, 8) === 'ftyp' && HEIC.includes(word(8, 12))) {
    return `${name} is a HEIC picture, which this browser does not read (Safari does). Save it as JPEG.`;
  }
  return `${name} is no picture that this browser can read. Save it as JPEG or PNG.`;
}

/** Pixels of the largest picture that is used whole: browsers on phones have no larger canvas. */
export const MOST_PIXELS = 2 ** 24;

/**
 * The size at which a picture is used.
 *
 * @param {number} width
 * @param {number} height
 * @returns {[number, number]}
 */
export function usedSize(width, height) {
  const shrink = Math.min(Math.sqrt(MOST_PIXELS / (width * height)), 1);
  const used = (side) => Math.min(Math.max(Math.floor(side * shrink), 1), MOST_PIXELS);
  return [used(width), used(height)];
}
