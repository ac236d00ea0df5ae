const SEEN = 0.25; // scores from which joints count as seen
const STAGES = {
  read: 'read the picture',
  crop: 'crop',
  network: 'network',
  decode: 'read the heat maps',
  draw: 'draw',
};

/** Fills the table of joints. */
export function showJoints(body, pose, keypoints) {
  const rows = (keypoints?.names ?? []).map((name, k) => {
    const [x, y] = [pose.points[2 * k], pose.points[2 * k + 1]].map((value) => value.toFixed(2));
    return row(name.replaceAll('_', ' '), x, y, pose.scores[k].toFixed(3));
  });
  body.replaceChildren(...rows);
}

/** Fills the table of times, in milliseconds. */
export function showTimes(body, latency) {
  const stages = Object.entries(STAGES).map(([stage, words]) => [words, latency.median(stage)]);
  const rows = stages
    .filter(([, time]) => time !== null)
    .map(([words, time]) => row(words, time.toFixed(1)));
  body.replaceChildren(...rows);
}

/** What was found, in a sentence. */
export function sentence(pose) {
  const seen = pose.scores.filter((score) => score >= SEEN);
  if (seen.length === 0) return 'No joint is seen in this box.';
  const mean = seen.reduce((a, b) => a + b) / seen.length;
  return `${seen.length} of ${pose.scores.length} joints are seen, with a mean score of ${mean.toFixed(2)}.`;
}

function row(head, ...values) {
  const line = document.createElement('tr');
  const first = document.createElement('th');
  first.scope = 'row';
  first.textContent = head;
  line.append(
    first,
    ...values.map((value) => Object.assign(document.createElement('td'), { textContent: value })),
  );
  return line;
}
