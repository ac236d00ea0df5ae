/** What can go wrong with what a user brings; the message is a sentence to show. */
export class Problem extends Error {}

/**
 * Throws a `Problem` with this sentence unless `good`.
 *
 * @param {unknown} good
 * @param {() => string} sentence
 */
export function must(good, sentence) {
  if (!good) throw new Problem(sentence());
}

/** What an error of others says, on one line, without its last full stop. */
export const oneLine = (error) =>
  String(error?.message ?? error)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '')
    .slice(0, 300);
