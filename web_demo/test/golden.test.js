/** JavaScript computes what Python computes: crops, inputs, keypoints, regions, smoothing. */
import assert from 'node:assert/strict';
import test from 'node:test';

import { readCard } from '../core/card.js';
import { Cropper } from '../core/cropper.js';
import { PersonTracker } from '../core/person_tracker.js';
import { regionAround } from '../core/region.js';
import { boxOf, frameOf, unpacked, vectors } from './vectors.js';

const crops = vectors('crops');
const cards = crops.cards.map((pair) => pair.map((card) => readCard(JSON.stringify(card))));

const cropped = (each, card) =>
  new Cropper(card).crop(
    frameOf(crops, each.rotation, each.mirrored),
    regionAround(boxOf(each.box), card),
  );

function assertNear(ours, wanted, tolerance, what) {
  assert.equal(ours.length, wanted.length, what);
  const worst = Math.max(...Array.from(ours, (value, i) => Math.abs(value - wanted[i])));
  assert.ok(worst <= tolerance, `${what}: ${worst} apart`);
}

test('crops differ by one grey level on at most a thousandth of the values', () => {
  let [values, others] = [0, 0];
  for (const each of crops.cases) {
    const card = cards[Number(each.aligned)][0];
    const input = cropped(each, card);
    const wanted = unpacked(each.crop, Uint8Array);
    for (let i = 0; i < wanted.length; i++) {
      const level = 255 * (input[i] * card.std[i % 3] + card.mean[i % 3]);
      const difference = Math.abs(level - wanted[i]);
      assert.ok(difference < 1.01, `${each.name}: ${difference} levels at ${i}`);
      if (difference > 0.5) others++;
    }
    values += wanted.length;
  }
  assert.ok(others <= values / 1000, `${others} of ${values}`);
});

test("inputs are Python's, as floats and as bytes", () => {
  const both = crops.cases.filter((each) => 'floats' in each);
  assert.ok(both.length > 3);
  for (const each of both) {
    const [floating, quantised] = cards[Number(each.aligned)];
    assertNear(cropped(each, floating), unpacked(each.floats, Float32Array), 0.0175, each.name);
    const wanted = unpacked(each.bytes, Int8Array);
    const ours = cropped(each, quantised);
    assert.ok(ours instanceof Int8Array);
    const others = wanted.filter((value, i) => value !== ours[i]).length;
    assert.ok(others <= wanted.length / 1000, `${each.name}: ${others} of ${wanted.length}`);
  }
});

test('points of a crop come back to the same pixels of the picture', () => {
  for (const each of crops.cases) {
    const card = cards[Number(each.aligned)][0];
    const [, rows, columns] = card.input.shape;
    const { scaleX, scaleY, shiftX, shiftY } = regionAround(boxOf(each.box), card);
    const ours = [shiftX, shiftY, scaleX * (columns - 1) + shiftX, scaleY * (rows - 1) + shiftY];
    assertNear(ours, each.corners, 1e-3, each.name);
  }
});

test('every codec finds the keypoints that Python finds', () => {
  const { height, width, count, unit, cases } = vectors('decoded');
  for (const each of cases) {
    const channels = each.codec.name === 'udp_combined' ? 3 * 17 : 17;
    const card = structuredClone(crops.cards[0][0]);
    card.output.shape[3] = channels;
    const { codec } = readCard(JSON.stringify({ ...card, codec: each.codec }));
    const maps = Float32Array.from(unpacked(each.maps, Int16Array), (bits) => bits * unit);
    const [points, scores] = [new Float32Array(2 * count), new Float32Array(count)];
    const decoder = codec.decoder(height, width, count);
    for (let twice = 0; twice < 2; twice++) decoder.decode(maps, points, scores);
    assertNear(points, each.points, 0.01, each.codec.name);
    assertNear(scores, each.scores, 1e-5, each.codec.name);
  }
});

test('a person is followed, lost, found again and smoothed as in Python', () => {
  const followed = vectors('followed');
  const [height, width] = followed.size;
  const tracker = new PersonTracker(followed.sigmas, followed.sigmas.length);
  followed.frames.forEach((each, index) => {
    const box = tracker.look(each.time, width, height);
    assertNear([box.x, box.y, box.width, box.height], each.box, 0.01, `box of frame ${index}`);
    const [points, scores] = [each.points, each.scores].map((row) => Float32Array.from(row));
    const pose = tracker.update({ points, scores, box }, each.time);
    assert.equal(pose !== null, each.smooth !== null, `frame ${index}`);
    if (pose) assertNear(pose.points, each.smooth, 0.01, `frame ${index}`);
  });
});
