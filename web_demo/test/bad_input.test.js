/** What users bring wrong becomes one sentence. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { outputOf, readCard } from '../core/card.js';
import { MOST_PIXELS, paired, pictureProblem, usedSize } from '../core/files.js';
import { Peaks } from '../core/peaks.js';
import { oneLine, Problem } from '../core/problem.js';
import { largestDifference } from '../core/tensor.js';
import { vectors } from './vectors.js';

const good = vectors('crops').cards[0][0];

function refused(act, word) {
  assert.throws(act, (error) => {
    assert.ok(error instanceof Problem, String(error.stack));
    assert.ok(
      error.message.includes(word) && !error.message.includes('\n'),
      `${word}: ${error.message}`,
    );
    return true;
  });
}

test('a card that cannot be used is refused in a sentence', () => {
  const wrong = {
    version: (card) => Object.assign(card, { version: 2 }),
    'task pose': (card) => Object.assign(card, { task: 'segmentation' }),
    'three means': (card) => delete card.mean,
    'positive stds': (card) => Object.assign(card, { std: [1, 0, 1] }),
    'a positive padding': (card) => Object.assign(card, { padding: 0 }),
    'the codec simcc': (card) => Object.assign(card.codec, { name: 'simcc' }),
    'the codec toString': (card) => Object.assign(card.codec, { name: 'toString' }),
    "the model's input. Is it": (card) => delete card.input,
    'must be float32, int8 or uint8': (card) => Object.assign(card.input, { dtype: 'int16' }),
    'an input (1, height': (card) => Object.assign(card.input, { shape: [4, 32, 24, 3] }),
    'an output (1, 8, 6, 17)': (card) => Object.assign(card.output, { shape: [1, 32, 24, 3] }),
    'positive scales': (card) => Object.assign(card.output, { scale: 0 }),
    'names of its keypoints, colours': (card) => Object.assign(card.keypoints, { colors: [] }),
    'lines that fit': (card) => Object.assign(card.keypoints, { skeleton: [[0, 99]] }),
    'an odd blur_kernel': (card) =>
      Object.assign(card, { codec: { name: 'dark', blur_kernel: 4 } }),
  };
  readCard(JSON.stringify(good));
  for (const [word, damage] of Object.entries(wrong)) {
    const card = structuredClone(good);
    damage(card);
    refused(() => readCard(JSON.stringify(card)), word);
  }
  for (const text of ['', '{', '3', 'null', JSON.stringify(good).slice(0, 400)]) {
    refused(() => readCard(text), 'is no JSON object');
  }
  refused(() => readCard('[]'), 'version');
});

test("a model whose tensors are not its card's is refused; its output is found by name", () => {
  const card = readCard(JSON.stringify({ ...good, output: { ...good.output, name: 'heatmaps' } }));
  const [input, output] = [card.input, card.output];
  const others = [
    { ...output, name: 'other' },
    { ...output, shape: Int32Array.from(output.shape) },
  ];
  assert.equal(outputOf(card, [input], others), 1);
  assert.equal(outputOf(card, [input], [{ ...output, name: 'Identity' }]), 0);
  refused(() => outputOf(card, [input], [{ ...output, dtype: 'int8' }]), 'Received: float32');
  refused(
    () => outputOf(card, [{ ...input, shape: [1, 64, 64, 3] }], [output]),
    'float32 [1,64,64,3]',
  );
  refused(() => outputOf(card, [input, input], [output]), 'those of its card');
});

test('maps with numbers that are none are refused', () => {
  const peaks = new Peaks(2, 2, 1);
  peaks.find(Float32Array.from([0, 3, 1, 3]));
  assert.deepEqual([peaks.x[0], peaks.y[0], peaks.scores[0]], [1, 0, 3]); // the first one
  for (const value of [NaN, Infinity]) {
    refused(() => peaks.find(Float32Array.from([0, value, 1, 2])), `The model returned ${value}`);
  }
});

test('a model and its card are chosen together', () => {
  const named = (...names) => names.map((name) => ({ name }));
  const found = paired(named('a.json', 'b.tflite', 'a.tflite', 'b.json'));
  assert.deepEqual(
    found.map(({ name }) => name),
    ['b', 'a'],
  );
  refused(() => paired(named('a.tflite', 'b.json')), 'a.tflite needs its card a.json');
  refused(() => paired(named('a.json')), 'Choose the model a.tflite with it');
});

test('pictures are refused by what they are', () => {
  const bytes = (text) => Uint8Array.from(Buffer.from(text, 'latin1'));
  assert.match(pictureProblem('a.jpg', bytes('\0\0\0\x18ftypheic')), /HEIC/);
  assert.match(pictureProblem('a.jpg', bytes('')), /empty/);
  assert.match(pictureProblem('a.jpg', bytes('GIF')), /no picture that this browser can read/);
});

test('a picture of any size is used at one that browsers hold', () => {
  assert.deepEqual(usedSize(4000, 3000), [4000, 3000]);
  assert.deepEqual(usedSize(10000, 10000), [4096, 4096]);
  for (const [width, height] of [
    [100000, 1000],
    [1, 2 ** 30],
    [12345, 6789],
  ]) {
    const [x, y] = usedSize(width, height);
    assert.ok(x >= 1 && y >= 1 && x * y <= MOST_PIXELS, `${x} ${y}`);
  }
});

test('what others throw becomes a line', () => {
  assert.equal(oneLine(new Error('It\n  failed.')), 'It failed');
  assert.equal(oneLine(undefined), 'undefined');
});

test('numbers of a GPU that are none, or far from those of the CPU, are seen', () => {
  const wanted = Float32Array.from([0, 1, -1, 0.5]);
  assert.equal(largestDifference(wanted, wanted), 0);
  assert.equal(largestDifference(Float32Array.from([0, 1, -0.5, 0.5]), wanted), 0.25);
  assert.equal(largestDifference(Float32Array.from([NaN, 1, -1, 0.5]), wanted), Infinity);
});
