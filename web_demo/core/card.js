import { CODECS } from './codec.js';
import { STRIDE } from './grid.js';
import { must } from './problem.js';
import { tensorOf } from './tensor.js';

const VERSION = 1;

/**
 * How to feed a model and read its output: the JSON that `convert/` writes beside a `.tflite` file.
 *
 * Grey levels become (level / 255 - mean) / std; a crop shows `padding` times a person's box. Lines
 * of the skeleton join pairs of keypoints; colours are RGB, one for each line and point.
 *
 * @typedef {{names: string[], skeleton: [number, number][], colors: number[][],
 *   pointColors: number[][], sigmas: number[] | null}} Keypoints
 *
 * @typedef {{mean: number[], std: number[], padding: number, keypoints: Keypoints,
 *   codec: import('./codec.js').Codec, input: import('./tensor.js').TensorSpec,
 *   output: import('./tensor.js').TensorSpec}} Card
 */

/**
 * The card as text of JSON. Throws a `Problem` if anything that is needed is not there.
 *
 * @param {string} text
 * @returns {Card}
 */
export function readCard(text) {
  const json = parsed(text);
  const { version, task } = json;
  must(
    version === VERSION && task === 'pose',
    () =>
      `The card must be of version ${VERSION} and task pose. Received: version=${version}, task=${task}.`,
  );
  const set = json.keypoints ?? {};
  const name = json.codec?.name;
  must(Object.hasOwn(CODECS, name ?? ''), () => `This page cannot decode with the codec ${name}.`);
  const card = {
    mean: json.mean,
    std: json.std,
    padding: json.padding,
    keypoints: {
      names: set.names,
      skeleton: set.skeleton,
      colors: set.colors,
      pointColors: set.point_colors,
      sigmas: set.sigmas ?? null,
    },
    codec: CODECS[name](json.codec),
    input: tensorOf(json, 'input'),
    output: tensorOf(json, 'output'),
  };
  check(card);
  return card;
}

function parsed(text) {
  try {
    const json = JSON.parse(text);
    if (json !== null && typeof json === 'object') return json;
  } catch {
    // said below
  }
  return must(false, () => 'The card of the model is no JSON object. Convert the model again.');
}

/** @param {Card} card */
function check(card) {
  const { input, output, codec, keypoints, mean, std, padding } = card;
  const image = input.shape;
  const channels = (keypoints.names?.length ?? 0) * codec.channels;
  const maps = [1, Math.floor(image?.[1] / STRIDE), Math.floor(image?.[2] / STRIDE), channels];
  const rules = {
    'three means and positive stds': isRow(mean, 3) && isRow(std, 3) && std.every((s) => s > 0),
    'a positive padding': padding > 0,
    'an input (1, height, width, 3)':
      isRow(image, 4) && image[0] === 1 && image[3] === 3 && image.every((n) => n > 0),
    'names of its keypoints, colours and lines that fit them': fits(keypoints),
    [`an output (${maps.join(', ')}), a quarter of the input`]:
      isRow(output.shape, 4) && maps.every((n, i) => n === output.shape[i]),
    'positive scales': input.scale > 0 && output.scale > 0,
    'an odd blur_kernel': codec.blurKernel > 0 && codec.blurKernel % 2 === 1,
  };
  const broken = Object.keys(rules).find((rule) => !rules[rule]);
  must(
    !broken,
    () =>
      `The card of a pose model must have ${broken}. Received: input=[${image}], ` +
      `output=[${output.shape}]. Convert the model again.`,
  );
}

const isRow = (value, length) =>
  Array.isArray(value) && value.length === length && value.every(Number.isFinite);

function fits({ names, skeleton, colors, pointColors, sigmas }) {
  if (![names, skeleton, colors, pointColors].every(Array.isArray)) return false;
  return (
    names.length > 0 &&
    skeleton.every((line) => isRow(line, 2) && line.every((k) => k in names)) &&
    colors.length === skeleton.length &&
    pointColors.length === names.length &&
    [...colors, ...pointColors].every((color) => isRow(color, 3)) &&
    (sigmas === null || isRow(sigmas, names.length))
  );
}

/**
 * Index of the output that the card describes; throws a `Problem` unless the model's tensors are
 * those of its card.
 *
 * @param {Card} card
 * @param {{name: string, shape: ArrayLike<number>, dtype: string}[]} inputs of the model
 * @param {{name: string, shape: ArrayLike<number>, dtype: string}[]} outputs of the model
 */
export function outputOf(card, inputs, outputs) {
  const words = ({ dtype, shape }) => `${dtype} [${[...shape]}]`;
  const isLike = (spec) => (tensor) => words(tensor) === words(spec);
  const like = outputs.filter(isLike(card.output));
  const output = like.find(({ name }) => name === card.output.name) ?? like[0];
  must(
    inputs.length === 1 && inputs.every(isLike(card.input)) && output,
    () =>
      `The model's tensors must be those of its card: ${words(card.input)} to ${words(card.output)}. ` +
      `Received: ${inputs.map(words)} to ${outputs.map(words)}. ` +
      'Put the card beside it that was written with it.',
  );
  return outputs.indexOf(output);
}
