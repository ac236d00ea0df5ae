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
