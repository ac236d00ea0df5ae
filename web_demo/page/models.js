import { Problem } from '../core/problem.js';

const FOLDER = new URL('../models/', import.meta.url);

/**
 * The models beside the page; `models/index.json` lists their `.tflite` files.
 *
 * @returns {Promise<import('../core/files.js').ModelFile[]>} none if there is no list
 */
export async function listedModels() {
  const answer = await fetch(new URL('index.json', FOLDER)).catch(() => null);
  if (!answer?.ok) return [];
  const names = await answer.json().catch(() => []);
  return names.map((file) => ({
    name: file.replace(/\.tflite$/, ''),
    bytes: async () => new Uint8Array(await (await fetched(file)).arrayBuffer()),
    card: async () => (await fetched(file.replace(/\.tflite$/, '.json'))).text(),
  }));
}

async function fetched(file) {
  const answer = await fetch(new URL(encodeURIComponent(file), FOLDER)).catch(() => null);
  if (answer?.ok) return answer;
  const model = file.replace(/\.json$/, '.tflite');
  const beside = file === model ? '' : `, the card of ${model},`;
  throw new Problem(
    `${file}${beside} cannot be fetched. Put it beside the page, or choose files of your own.`,
  );
}
