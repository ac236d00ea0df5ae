import { must } from './problem.js';

/**
 * A tensor of a model; an integer n stands for (n - zeroPoint) * scale.
 *
 * @typedef {{name: string, shape: number[], dtype: 'float32' | 'int8' | 'uint8', scale: number,
 *   zeroPoint: number}} TensorSpec
 *
 * @typedef {Float32Array | Int8Array | Uint8Array} Numbers
 */

const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };
const RANGES = { int8: [-128, 127], uint8: [0, 255] };

/**
 * The tensor that a card describes.
 *
 * @param {any} card the parsed JSON
 * @param {'input' | 'output'} name
 * @returns {TensorSpec}
 */
export function tensorOf(card, name) {
  const tensor = card[name];
  must(tensor, () => `The card says nothing of the model's ${name}. Is it that of a .tflite file?`);
  must(
    tensor.dtype in ARRAYS,
    () => `The model's ${name} must be float32, int8 or uint8. Received: ${tensor.dtype}.`,
  );
  const { shape, dtype, scale = 1, zero_point: zeroPoint = 0 } = tensor;
  return { name: tensor.name ?? name, shape, dtype, scale, zeroPoint };
}

/** @param {TensorSpec} spec */
export const sizeOf = (spec) => spec.shape.reduce((a, b) => a * b, 1);

/**
 * Memory for the numbers of a tensor.
 *
 * @param {TensorSpec} spec
 * @returns {Numbers}
 */
export const numbersOf = (spec) => new ARRAYS[spec.dtype](sizeOf(spec));

/**
 * The number of the tensor that stands for `value`: `quantize` of `hrnet_tf/runtime/converted.py`.
 *
 * @param {number} value
 * @param {TensorSpec} spec
 */
export function quantized(value, spec) {
  if (spec.dtype === 'float32') return value;
  const [least, most] = RANGES[spec.dtype];
  return Math.min(Math.max(toEven(Math.fround(value / spec.scale)) + spec.zeroPoint, least), most);
}

/**
 * What the numbers stand for.
 *
 * @param {Numbers} numbers
 * @param {TensorSpec} spec
 * @returns {Float32Array}
 */
export function dequantized(numbers, spec) {
  if (numbers instanceof Float32Array) return numbers;
  const values = new Float32Array(numbers.length);
  for (let i = 0; i < values.length; i++) values[i] = (numbers[i] - spec.zeroPoint) * spec.scale;
  return values;
}

const TO_WHOLE = 1.5 * 2 ** 52; // added, it leaves no place for a fraction; ties go to even

/** @param {number} value far below 2^51 */
export const toEven = (value) => value + TO_WHOLE - TO_WHOLE;

/**
 * The largest difference of two arrays, in parts of the range of the second one. NaN is far away.
 *
 * @param {Float32Array} ours
 * @param {Float32Array} wanted
 */
export function largestDifference(ours, wanted) {
  let [least, most, apart] = [Infinity, -Infinity, 0];
  wanted.forEach((value, i) => {
    least = Math.min(least, value);
    most = Math.max(most, value);
    const difference = Math.abs(ours[i] - value);
    if (!(difference <= apart)) apart = Number.isNaN(difference) ? Infinity : difference;
  });
  return apart / Math.max(most - least, 1e-6);
}
