import { outputOf } from '../core/card.js';
import { numbersOf } from '../core/tensor.js';

const KINDS = { 1: 'float32', 3: 'uint8', 9: 'int8' }; // element types of LiteRT
const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };

/**
 * A network whose image or heat maps are integers, on the CPU.
 *
 * The class `Tensor` of LiteRT.js refuses int8, so this calls the bindings below it, of the version
 * that package-lock.json fixes.
 */
export class IntegerNetwork {
  constructor(liteRt, bytes, card, runsOn, note) {
    const { liteRtWasm: wasm } = liteRt;
    const environment = liteRt.getDefaultEnvironment();
    this.wasm = wasm;
    this.card = card;
    this.runsOn = runsOn;
    this.note = note;
    this.blank = numbersOf(card.input);
    this.bytes = wasm._malloc(bytes.length);
    wasm.HEAPU8.set(bytes, this.bytes);
    this.model = wasm.loadModel(environment.liteRtEnvironment, this.bytes, bytes.length);
    this.index = outputOf(card, ...this.tensors());
    const options = {
      environment,
      accelerator: 'wasm',
      cpuOptions: { numThreads: wasm.getThreadCount() },
    };
    const whole = { ...options, gpuOptions: {}, webNNOptions: {} };
    this.compiled = wasm.compileModel(environment.liteRtEnvironment, this.model, whole);
    const type = this.model.getInputTensorType(0, 0);
    const { HOST_MEMORY } = wasm.LiteRtTensorBufferType;
    const memory = [HOST_MEMORY, type, this.blank.byteLength];
    this.input = wasm.LiteRtTensorBuffer.createManaged(environment.liteRtEnvironment, ...memory);
    type.delete();
  }

  /** Name, shape and type of all inputs and of all outputs. */
  tensors() {
    const signature = this.model.getSignature(0);
    const [inputs, outputs] = [signature.inputNames(), signature.outputNames()].map(vector);
    signature.delete();
    return [
      inputs.map((name, i) => ({ name, ...facts(this.model.getInputTensorType(0, i)) })),
      outputs.map((name, i) => ({ name, ...facts(this.model.getOutputTensorType(0, i)) })),
    ];
  }

  async run(numbers) {
    const { wasm, input } = this;
    const { READ, WRITE } = wasm.LiteRtTensorBufferLockMode;
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    wasm.HEAPU8.set(bytes, input.lock(WRITE));
    input.unlock();
    const outputs = await (await this.compiled).run(0, [input]);
    const output = outputs[this.index];
    const at = output.lock(READ);
    const copy = wasm.HEAPU8.slice(at, at + output.packedSize());
    output.unlock();
    outputs.forEach((each) => each.delete());
    return new ARRAYS[this.card.output.dtype](copy.buffer);
  }

  async close() {
    [this.input, await this.compiled, this.model].forEach((each) => each.delete());
    this.wasm._free(this.bytes);
  }
}

function vector(values) {
  const all = Array.from({ length: values.size() }, (_, i) => values.get(i));
  values.delete();
  return all;
}

function facts(type) {
  const layout = type.layout();
  const shape = vector(layout.dimensions());
  const dtype = KINDS[type.elementType().value];
  layout.delete();
  type.delete();
  return { shape, dtype };
}
