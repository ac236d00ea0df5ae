/**
 * Serves the page to this machine alone.
 *
 *     node web_demo/serve.js [FILE.tflite ...] [--port=8020]
 *
 * The card FILE.json must lie beside FILE.tflite. Files in `models/` are offered, too. The headers
 * isolate the page from other sites, which browsers demand before they give it threads.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, extname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const MODELS = join(ROOT, 'models');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};
const HEADERS = {
  'Cache-Control': 'no-cache',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/**
 * A server on loopback; resolves to it and its address once it listens.
 *
 * @param {{models?: string[], port?: number}} options paths of `.tflite` files; 0 is any free port
 */
export function serve({ models = [], port = 0 } = {}) {
  const files = modelFiles(models);
  const server = createServer((request, response) => {
    const answer = (status, type, content) => {
      response.writeHead(status, { ...HEADERS, 'Content-Type': type });
      response.end(content);
    };
    const path = pathOf(request.url);
    if (path === '/models/index.json') {
      const names = [...files.keys()].filter((name) => name.endsWith('.tflite'));
      return answer(200, TYPES['.json'], JSON.stringify(names));
    }
    const file = path?.startsWith('/models/')
      ? files.get(basename(path))
      : path && join(ROOT, path);
    try {
      return answer(200, TYPES[extname(file)] ?? 'application/octet-stream', readFileSync(file));
    } catch {
      return answer(404, 'text/plain', 'There is no such file.');
    }
  });
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () =>
      done({ server, address: `http://127.0.0.1:${server.address().port}/` }),
    );
  });
}

/** A path below the root, or undefined for an address that is none. */
function pathOf(url) {
  try {
    const path = posix.normalize(decodeURIComponent(new URL(url, 'http://127.0.0.1').pathname));
    if (path.includes('\\')) return undefined; // Windows would take it for a slash
    return path.endsWith('/') ? `${path}index.html` : path;
  } catch {
    return undefined;
  }
}

/** Names of models and cards, and where they lie. */
function modelFiles(models) {
  const own = existsSync(MODELS) ? readdirSync(MODELS).map((name) => join(MODELS, name)) : [];
  const paths = [...models.map((path) => resolve(path)), ...own];
  const files = new Map();
  for (const path of paths.filter((each) => each.endsWith('.tflite')).toReversed()) {
    files.set(basename(path), path);
    const card = path.replace(/\.tflite$/, '.json');
    if (existsSync(card)) files.set(basename(card), card);
  }
  return new Map([...files].toReversed());
}

/** The command; returns its exit status, or undefined while it serves. */
async function main(words) {
  const ports = words.filter((word) => word.startsWith('--port='));
  const models = words.filter((word) => !word.startsWith('--'));
  const wrong = words.find((word) => word.startsWith('--') && !ports.includes(word));
  const gone = models.find((path) => !path.endsWith('.tflite') || !existsSync(path));
  const port = Number(ports.at(-1)?.slice('--port='.length) ?? 8020);
  let problem;
  if (wrong) problem = `serve.js has the flag --port alone. Received: ${wrong}.`;
  else if (gone) problem = `${gone}: no such .tflite file; check its name.`;
  else if (!(port >= 0 && port < 65536))
    problem = `--port must be a number. Received: ${ports.at(-1)}.`;
  else if (!existsSync(join(ROOT, 'node_modules/@litertjs/core'))) {
    problem = `LiteRT.js is not installed. Run \`npm ci --prefix ${ROOT}\` first.`;
  }
  if (!problem) {
    try {
      const { address } = await serve({ models, port });
      console.log(`The page is at ${address}; Ctrl-C ends it.`);
      return undefined;
    } catch (error) {
      problem = `Port ${port} cannot be used (${error.code}). Choose another: --port=${port + 1}.`;
    }
  }
  console.error(problem);
  return 1;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
