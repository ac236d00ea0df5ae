import { loadAndCompile, loadLiteRt, supportsFeature, Tensor, unloadLiteRt } from '@litertjs/core';

import { outputOf } from '../core/card.js';
import { must, oneLine, Problem } from '../core/problem.js';
import { largestDifference, sizeOf } from '../core/tensor.js';
import { IntegerNetwork } from './integer_network.js';

/**
 * The seam to LiteRT.js. A network says where it runs, and in `note` why not where it was wanted.
 *
 * @typedef {import('../core/estimator.js').Network & {note: string}} OpenNetwork
 */

const FILES = new URL('../node_modules/@litertjs/core/wasm/', import.meta.url).href;
const IDENTIFIER = 'TFL3'; // of a .tflite file, its bytes 4 to 8
const MOST_APART = 0.03; // numbers of GPU and CPU, in ranges of the numbers

let runtime; // what is loaded: 'cpu' or 'gpu', as a promise

/**
 * Opens a network on the CPU or the GPU. Throws a `Problem` if it cannot run.
 *
 * @param {Uint8Array} bytes of a `.tflite` file
 * @param {import('../core/card.js').Card} card
 * @param {'cpu' | 'gpu'} wanted
 * @returns {Promise<OpenNetwork>}
 */
export async function openNetwork(bytes, card, wanted) {
  const identifier = new TextDecoder('latin1').decode(bytes.subarray(4, 8));
  must(
    identifier === IDENTIFIER,
    () => 'The model is no .tflite file. Choose one that to_tflite.py wrote.',
  );
  if (wanted === 'cpu') return onCpu(bytes, card, '');
  const obstacle = hasIntegers(card)
    ? 'the network takes integers, which LiteRT.js gives to no GPU'
    : await gpuObstacle();
  if (obstacle) return onCpu(bytes, card, `WebGPU cannot be used: ${obstacle}.`);
  try {
    return await onGpu(bytes, card);
  } catch (error) {
    return onCpu(bytes, card, `WebGPU failed: ${oneLine(error)}.`);
  }
}

const hasIntegers = ({ input, output }) => [input, output].some(({ dtype }) => dtype !== 'float32');

/** Why there is no WebGPU here; an empty string if there is. */
async function gpuObstacle() {
  if (!navigator.gpu)
    return 'this browser does not have it, or the page is not from localhost or https';
  try {
    return (await navigator.gpu.requestAdapter())
      ? ''
      : 'this browser finds no graphics card for it';
  } catch (error) {
    return oneLine(error);
  }
}

async function onCpu(bytes, card, note) {
  return opened('cpu', async (liteRt) => {
    const runsOn = cpuOf(liteRt);
    if (hasIntegers(card)) return new IntegerNetwork(liteRt, bytes, card, runsOn, note);
    return new FloatNetwork(
      await loadAndCompile(bytes, { accelerator: 'wasm' }),
      card,
      runsOn,
      note,
    );
  });
}

async function onGpu(bytes, card) {
  return opened('gpu', async (liteRt) => {
    const options = { accelerator: 'webgpu', gpuOptions: { precision: 'fp32' } };
    const model = await loadAndCompile(bytes, options);
    const some = 'Some operations have no WebGPU version';
    if (model.options.accelerator !== 'webgpu') {
      const note = `${some}, and this browser cannot mix both.`;
      return new FloatNetwork(model, card, cpuOf(liteRt), note);
    }
    const [where, note] = model.isFullyAccelerated
      ? ['GPU (WebGPU)', '']
      : ['GPU and CPU', `${some}; they run on the CPU.`];
    const network = new FloatNetwork(model, card, where, note);
    await compare(network, bytes);
    return network;
  });
}

/** Throws a `Problem` if the GPU computes other numbers than the CPU. */
async function compare(network, bytes) {
  const { card } = network;
  const model = await loadAndCompile(bytes, { accelerator: 'wasm' });
  const cpu = new FloatNetwork(model, card, '', '');
  const waves = cpu.blank.map((_, i) => 1.5 * Math.sin(0.37 * i) + Math.sin(0.0021 * i));
  const wanted = await cpu.run(waves);
  const apart = largestDifference(await network.run(waves), wanted);
  cpu.close();
  must(apart <= MOST_APART, () => 'it computes other numbers than the CPU');
}

function cpuOf(liteRt) {
  const threads = liteRt.liteRtWasm.getThreadCount();
  return `CPU (WebAssembly, ${threads} thread${threads > 1 ? 's' : ''})`;
}

/** What `open` makes of the runtime; after a failure the next call gets a fresh one. */
async function opened(kind, open) {
  try {
    const network = await open(await loaded(kind));
    await network.run(network.blank);
    return network;
  } catch (error) {
    unload();
    if (error instanceof Problem) throw error;
    throw new Problem(`LiteRT.js cannot run this model: ${oneLine(error)}.`);
  }
}

/** LiteRT.js with threads for the CPU, or with what mixes GPU and CPU; it has one at a time. */
async function loaded(kind) {
  if (runtime?.kind === kind) return runtime.liteRt;
  unload();
  const fast = await supportsFeature('relaxedSimd'); // threads and mixing need it, too
  const options =
    kind === 'cpu' ? { threads: fast && crossOriginIsolated } : { jspi: fast && canMix() };
  runtime = { kind, liteRt: await loadLiteRt(FILES, options) };
  return runtime.liteRt;
}

const canMix = () => 'Suspending' in WebAssembly; // JSPI

function unload() {
  runtime = undefined;
  try {
    unloadLiteRt();
  } catch {
    // It ended on its own.
  }
}

/** A network of float32, on CPU or GPU. */
class FloatNetwork {
  constructor(model, card, runsOn, note) {
    this.model = model;
    this.card = card;
    this.runsOn = runsOn;
    this.note = note;
    this.blank = new Float32Array(sizeOf(card.input));
    this.index = outputOf(card, model.getInputDetails(), model.getOutputDetails());
  }

  async run(numbers) {
    const input = new Tensor(numbers, this.card.input.shape);
    const outputs = await this.model.run([input]);
    try {
      return await outputs[this.index].data();
    } finally {
      [input, ...outputs].forEach((tensor) => tensor.delete());
    }
  }

  close() {
    if (runtime) this.model.delete();
  }
}
