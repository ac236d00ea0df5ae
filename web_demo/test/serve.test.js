/** The server gives the page and the named models, and nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { serve } from '../serve.js';

const folder = mkdtempSync(join(tmpdir(), 'web-demo-'));
const model = join(folder, 'mine.tflite');
let [server, address] = [];

before(async () => {
  writeFileSync(model, 'model');
  writeFileSync(join(folder, 'mine.json'), '{}');
  writeFileSync(join(folder, 'secret.json'), '{}');
  ({ server, address } = await serve({ models: [model] }));
});

after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** The status of a path as it is written, which `fetch` would shorten. */
const status = (path) =>
  new Promise((done) => {
    const { port } = server.address();
    request({ host: '127.0.0.1', port, path }, (answer) => done(answer.resume().statusCode)).end();
  });

test('the page is isolated, listens to this machine and lists its models', async () => {
  const page = await fetch(address);
  assert.match(await page.text(), /<h1>HRNet in your browser/);
  assert.equal(page.headers.get('Cross-Origin-Opener-Policy'), 'same-origin');
  assert.equal(page.headers.get('Cross-Origin-Embedder-Policy'), 'require-corp');
  assert.equal(server.address().address, '127.0.0.1');
  const names = await (await fetch(`${address}models/index.json`)).json();
  assert.equal(names[0], 'mine.tflite');
  assert.equal(await (await fetch(`${address}models/mine.tflite`)).text(), 'model');
  assert.equal(await (await fetch(`${address}models/mine.json`)).text(), '{}');
});

test('no other file is given', async () => {
  const outside = [
    '/../setup.py',
    '/..%2f..%2fetc%2fpasswd',
    '/%2e%2e/setup.py',
    '/..%5csetup.py',
    '/%zz',
    '//',
  ];
  for (const path of [...outside, '/models/secret.json', '/models/', '/page']) {
    assert.notEqual(await status(path), 200, path);
  }
  assert.equal(await status('/page/main.js'), 200);
});

test('the policy of the page allows the import map that is there', () => {
  const page = readFileSync(new URL('../index.html', import.meta.url), 'utf8');
  const [, map] = page.match(/<script type="importmap">(.*?)<\/script>/s);
  const hash = createHash('sha256').update(map).digest('base64');
  assert.ok(page.includes(`'sha256-${hash}'`), `write 'sha256-${hash}' into the policy`);
});

test('wrong arguments are a sentence', () => {
  const script = fileURLToPath(new URL('../serve.js', import.meta.url));
  const wrong = {
    'no such .tflite file': [join(folder, 'gone.tflite')],
    'the flag --port alone': ['--host=0.0.0.0'],
    'must be a number': ['--port=many'],
  };
  for (const [word, words] of Object.entries(wrong)) {
    const { status: code, stderr } = spawnSync(process.execPath, [script, ...words], {
      encoding: 'utf8',
    });
    assert.equal(code, 1);
    assert.ok(stderr.includes(word) && stderr.trim().split('\n').length === 1, stderr);
  }
});
