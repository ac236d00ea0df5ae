/**
 * The page in a real browser, against what Python found in the same pictures.
 *
 * tests/test_web.py writes the cases into the folder WEB_CASES and names the browser in WEB_BROWSER;
 * WEB_GPU is for the test of the GPU, which takes long where the CPU computes it.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { serve } from '../../serve.js';
import { Chromium } from './chromium.js';

const FOLDER = process.env.WEB_CASES;
const GPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];
const CAMERA = ['--use-fake-device-for-media-stream'];
const NO_GPU = 'Object.defineProperty(Navigator.prototype, "gpu", {get: () => undefined})';
const IDLE = `document.getElementById('figure')?.ariaBusy === 'false'`;

const cases = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8'));
const path = (name) => join(FOLDER, name);
let [browser, server, address] = [];

before(async () => {
  ({ server, address } = await serve({ models: cases.models.map(path) }));
  const film = cases.film ? [`--use-file-for-fake-video-capture=${path(cases.film)}`] : [];
  browser = new Chromium(process.env.WEB_BROWSER, [...GPU, ...CAMERA, ...film]);
});

after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
});

/** The page, with nothing to do; `at` is another address. */
async function opened({ at = address, ...options } = {}) {
  const page = await browser.open(at, options);
  await page.until(IDLE);
  return page;
}

const text = (page, id) => page.value(`document.getElementById('${id}').textContent`);

/** Does something and waits until the page has done it. */
async function done(page, act) {
  await page.value(`document.getElementById('figure').ariaBusy = 'true'`);
  await act();
  await page.until(IDLE);
}

const give = (page, ...files) => done(page, () => page.drop('#view', files.map(path)));

const choose = (page, model) =>
  done(page, () =>
    page.value(`(() => { const list = document.getElementById('model');
      list.value = ${JSON.stringify(model)}; list.dispatchEvent(new Event('change')); })()`),
  );

const setBox = (page, box) =>
  done(page, () =>
    page.value(`(() => { const sides = ['x', 'y', 'width', 'height'];
      const fields = sides.map((side) => document.getElementById('box-' + side));
      ${JSON.stringify(box)}.forEach((value, i) => { fields[i].value = value; });
      fields[3].dispatchEvent(new Event('change')); })()`),
  );

const joints = (page) =>
  page.value(`[...document.querySelectorAll('#joints tr')].map((row) =>
    [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))`);

async function assertFound(page, { points, scores, tolerance }, what) {
  assert.equal(await text(page, 'problem'), '', what);
  const found = await joints(page);
  assert.equal(found.length, points.length, what);
  found.forEach(([x, y, score], k) => {
    const apart = Math.max(Math.abs(x - points[k][0]), Math.abs(y - points[k][1]));
    assert.ok(apart <= tolerance, `${what}: joint ${k} is ${apart} px from Python's`);
    assert.ok(
      Math.abs(score - scores[k]) <= 0.02,
      `${what}: score ${score}, Python's ${scores[k]}`,
    );
  });
}

test("a dropped photo gives Python's keypoints, by every model", async () => {
  const page = await opened();
  assert.match(await text(page, 'runs-on'), /runs on: CPU \(WebAssembly, \d+ thread/);
  let [photo, model] = [null, null];
  for (const each of cases.people) {
    if (each.model !== model) await choose(page, (model = each.model));
    if (each.photo !== photo) await give(page, (photo = each.photo));
    await setBox(page, each.box);
    await assertFound(page, each, `${each.model}, ${each.photo}`);
  }
  const times = await page.value(`document.getElementById('times').innerText`);
  for (const stage of ['read the picture', 'crop', 'network', 'read the heat maps', 'draw']) {
    assert.match(times, new RegExp(`${stage}\\s+\\d+\\.\\d`));
  }
  writeFileSync(path('page.png'), await page.screenshot());
  assert.deepEqual(page.problems, []);
  await page.close();
});

const slow = { skip: process.env.WEB_GPU ? false : 'it takes long; WEB_GPU=yes runs it' };
test('the GPU gives the same keypoints, or the page says why it is not used', slow, async () => {
  const page = await opened();
  const [person] = cases.people;
  await choose(page, person.model);
  await done(page, () => page.value(`document.querySelector('[value=gpu]').click()`));
  const where = await text(page, 'runs-on');
  assert.match(where, /runs on: GPU \(WebGPU\)|runs on: CPU .*WebGPU (cannot be used|failed): .+/);
  await give(page, person.photo);
  await setBox(page, person.box);
  await assertFound(page, person, where);
  const others = cases.people.filter(
    ({ photo, model }) => photo === person.photo && model !== person.model,
  );
  for (const other of others) {
    await choose(page, other.model);
    await setBox(page, other.box);
    await assertFound(page, other, await text(page, 'runs-on'));
  }
  await done(page, () => page.value(`document.querySelector('[value=cpu]').click()`));
  assert.match(await text(page, 'runs-on'), /runs on: CPU/);
  await page.close();
});

test('without WebGPU the page says so and runs on the CPU', async () => {
  const page = await opened({ before: NO_GPU });
  await done(page, () => page.value(`document.querySelector('[value=gpu]').click()`));
  assert.match(
    await text(page, 'runs-on'),
    /runs on: CPU .* WebGPU cannot be used: this browser does not have it/,
  );
  assert.equal(await text(page, 'problem'), '');
  await page.close();
});

test('nothing leaves the machine, and a page that is open needs no server', async () => {
  const page = await opened();
  const blocked = await page.value(`new Promise((done) => {
    document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
    fetch('https://example.com/').catch(() => {});
  })`);
  assert.equal(blocked, 'connect-src');
  const elsewhere = page.requests.filter(
    (url) => !url.startsWith(address) && !url.startsWith('blob:' + address),
  );
  assert.deepEqual(elsewhere, []);
  const latency = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  await page.send('Network.emulateNetworkConditions', { offline: true, ...latency });
  await give(page, cases.people[0].photo);
  assert.match(await text(page, 'said'), /joints are seen|No joint is seen/);
  await page.close();
});

test('no model, a model without card, a card without model and a wrong one are a sentence each', async () => {
  const { server: empty, address: at } = await serve();
  const page = await opened({ at });
  assert.match(await text(page, 'problem'), /There is no model yet\. Open a \.tflite file/);
  const stem = cases.people[0].model;
  await give(page, cases.people[0].photo);
  assert.match(await text(page, 'problem'), /There is no model yet/);
  const wrong = {
    [`${stem}.tflite needs its card ${stem}.json`]: [`${stem}.tflite`],
    [`${stem}.json is a card alone`]: [`${stem}.json`],
    'is no .tflite file': ['text.tflite', 'text.json'],
    'cannot run this model': ['cut.tflite', 'cut.json'],
    'tensors must be those of its card': ['other.tflite', 'other.json'],
    'must be of version 1 and task pose': ['task.tflite', 'task.json'],
    'is no JSON object': ['damaged.tflite', 'damaged.json'],
  };
  for (const [sentence, files] of Object.entries(wrong)) {
    await give(page, ...files);
    const said = await text(page, 'problem');
    assert.ok(
      said.includes(sentence) && !said.includes('\n') && said.endsWith('.'),
      `${files}: ${said}`,
    );
  }
  assert.deepEqual(await joints(page), []);
  await give(page, `${stem}.tflite`, `${stem}.json`);
  await setBox(page, cases.people[0].box);
  await assertFound(page, cases.people[0], 'after all that');
  await page.close();
  empty.closeAllConnections();
  empty.close();
});

test('pictures that cannot be read or are huge are a sentence each', async () => {
  const page = await opened();
  const [person] = cases.people;
  await choose(page, person.model);
  const wrong = {
    'is a HEIC picture, which this browser does not read': 'phone.heic',
    'is an empty file': 'empty.jpg',
    'is no picture that this browser can read. Save it as JPEG or PNG': 'text.png',
  };
  for (const [sentence, file] of Object.entries(wrong)) {
    await give(page, file);
    assert.ok((await text(page, 'problem')).includes(sentence), await text(page, 'problem'));
    await give(page, person.photo);
    assert.equal(await text(page, 'problem'), '');
  }
  await give(page, 'huge.png');
  assert.match(
    (await text(page, 'said')) + (await text(page, 'problem')),
    /has 100 megapixels(; it was made smaller, 4096 by 4096 pixels|, more than this browser holds)/,
  );
  await give(page, person.photo);
  await setBox(page, person.box);
  await assertFound(page, person, 'after all that');
  await page.close();
});

test('the camera is followed, stopped, refused and missing', async () => {
  const page = await opened();
  const permit = (setting) =>
    browser.send('Browser.setPermission', {
      permission: { name: 'camera' },
      setting,
      origin: new URL(address).origin,
      browserContextId: page.context,
    });
  const camera = () => page.value(`document.getElementById('camera').click()`);
  await permit('denied');
  await done(page, camera);
  assert.match(await text(page, 'problem'), /^The camera was refused\. Allow it/);
  await permit('granted');
  await camera();
  await page.until(`document.querySelectorAll('#times tr').length >= 3`);
  await page.until(
    `/joints are seen|Nobody is seen/.test(document.getElementById('said').textContent)`,
  );
  assert.equal(await text(page, 'camera'), 'Stop the camera');
  assert.equal(await text(page, 'problem'), '');
  if (cases.film) {
    await page.until(`/1[0-9] of 17 joints/.test(document.getElementById('said').textContent)`);
    await page.until(`Number(document.querySelectorAll('#joints td')[2].textContent) > 0.5`);
    writeFileSync(path('camera.png'), await page.screenshot());
  }
  await done(page, camera);
  assert.equal(await text(page, 'camera'), 'Use the camera');
  const gone = `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))`;
  await page.value(`void (${gone})`);
  await done(page, camera);
  assert.equal(await text(page, 'problem'), 'There is no camera here. Use a photo.');
  assert.deepEqual(page.problems, []);
  await page.close();
});

test('a keyboard reaches everything, and everything has a name', async () => {
  const page = await opened();
  const [person] = cases.people;
  await choose(page, person.model);
  await page.choose('#files', [path(person.photo)]); // the picker itself is the browser's
  await page.until(`document.querySelector('#joints tr')`);
  const reached = [];
  for (let i = 0; i < 14 && !reached.includes('whole'); i++) {
    await page.press('Tab');
    reached.push(await page.value(`document.activeElement.id || document.activeElement.value`));
  }
  const wanted = [
    'files',
    'camera',
    'measure',
    'model',
    'cpu',
    'box-x',
    'box-y',
    'box-width',
    'box-height',
    'whole',
  ];
  assert.deepEqual(reached, wanted);
  await done(page, () => page.press('Enter'));
  await page.value(`document.getElementById('box-x').focus()`);
  for (const value of person.box) {
    await page.value('document.activeElement.select()');
    for (const digit of String(value)) await page.press(digit);
    await page.press('Tab');
  }
  await page.until(IDLE);
  await assertFound(page, person, 'a box that was typed');
  const { nodes } = await page.send('Accessibility.getFullAXTree');
  const shown = nodes.filter((node) => !node.ignored);
  const isFocusable = (node) =>
    node.properties?.some(({ name, value }) => name === 'focusable' && value.value);
  const nameless = shown.filter(
    (node) => isFocusable(node) && node.role.value !== 'RootWebArea' && !node.name?.value,
  );
  assert.deepEqual(
    nameless.map((node) => node.role.value),
    [],
  );
  const roles = new Set(shown.map((node) => node.role.value));
  for (const role of [
    'main',
    'heading',
    'alert',
    'status',
    'image',
    'radio',
    'spinbutton',
    'table',
  ]) {
    assert.ok(roles.has(role), `${role}: not among ${[...roles]}`);
  }
  await page.close();
});

test('a dragged box is the one that is looked at', async () => {
  const page = await opened();
  const [person] = cases.people;
  await choose(page, person.model);
  await give(page, person.photo);
  await page.value(`document.getElementById('view').scrollIntoView({block: 'center'})`);
  const [left, top, scale] =
    await page.value(`(() => { const view = document.getElementById('view');
    const {left, top, width} = view.getBoundingClientRect();
    return [left, top, width / ${person.size[0]}]; })()`);
  const [x, y, width, height] = person.box;
  const at = (a, b) => [left + (a + 0.5) * scale, top + (b + 0.5) * scale];
  await done(page, () => page.drag(at(x, y), at(x + width, y + height)));
  const box = await page.value(`['x', 'y', 'width', 'height'].map((side) =>
    Number(document.getElementById('box-' + side).value))`);
  box.forEach((value, i) => assert.ok(Math.abs(value - person.box[i]) <= 2, `${box}`));
  await page.close();
});

test('a page opened as a file says how to open it', async () => {
  const page = await browser.open(new URL('../../index.html', import.meta.url).href);
  await page.until(
    `getComputedStyle(document.getElementById('not-started')).visibility === 'visible'`,
  );
  assert.match(await text(page, 'not-started'), /node web_demo\/serve\.js/);
  await page.close();
});

test('nothing is wider than a phone', async () => {
  const page = await opened({ width: 360, height: 740, mobile: true });
  await choose(page, cases.people[0].model);
  await give(page, cases.people[0].photo);
  assert.ok((await page.value('document.documentElement.scrollWidth')) <= 360);
  writeFileSync(path('phone.png'), await page.screenshot());
  await page.close();
});
