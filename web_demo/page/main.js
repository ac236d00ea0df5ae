/** The page: what its buttons, fields and files do. One thing happens at a time, in turn. */
import { isModelFile, paired } from '../core/files.js';
import { oneLine, Problem } from '../core/problem.js';
import { BoxInput } from './box_input.js';
import { Camera } from './camera.js';
import { listedModels } from './models.js';
import { readPhoto } from './photo.js';
import { sentence, showJoints, showTimes } from './results.js';
import { Session } from './session.js';
import { View } from './view.js';

const MEASURED = 30; // runs of a measurement
const SAID_EVERY = 3000; // milliseconds between sentences about the camera, for those who listen
const NO_MODEL =
  'There is no model yet. Open a .tflite file and its card .json; to_tflite.py writes both.';
const $ = (id) => document.getElementById(id);

const session = new Session();
const view = new View($('view'));
const fields = Object.fromEntries(
  ['x', 'y', 'width', 'height'].map((side) => [side, $(`box-${side}`)]),
);
const box = new BoxInput(view, $('box'), fields, $('whole'), (done) => {
  if (done) inTurn(estimate);
  else draw(box.box, null);
});
const models = [];
let frame = null; // of the photo
let camera = null;
let line = Promise.resolve();
let saidAt = -Infinity;

/** Does work after all that was begun before; what goes wrong is said, and the page goes on. */
function inTurn(work) {
  $('figure').ariaBusy = 'true';
  line = line.then(work).catch(complain);
  const mine = line;
  return line.then(() => {
    if (mine === line) $('figure').ariaBusy = 'false';
  });
}

function complain(error) {
  if (!(error instanceof Problem)) console.error(error);
  $('problem').textContent =
    error instanceof Problem ? error.message : `That failed: ${oneLine(error)}.`;
}

function say(text) {
  $('said').textContent = text;
  saidAt = performance.now();
}

function relieve() {
  $('problem').textContent = '';
}

/** Nothing of an earlier photo or model stays. */
function clear() {
  say('');
  $('joints').replaceChildren();
  $('times').replaceChildren();
  if (frame) view.draw(box.box, null, null);
}

async function openModel() {
  relieve();
  clear();
  const model = models[$('model').selectedIndex];
  if (!model) throw new Problem(NO_MODEL);
  $('runs-on').textContent = `Opening ${model.name}…`;
  const wanted = document.querySelector('input[name=where]:checked').value;
  try {
    const network = await session.open(model, wanted);
    $('runs-on').textContent = `${model.name} runs on: ${network.runsOn}. ${network.note}`;
  } catch (error) {
    $('runs-on').textContent = `${model.name} is not open.`;
    throw error;
  } finally {
    $('measure').disabled = !session.isOpen;
  }
  if (frame) await estimate();
}

function addModels(added) {
  models.unshift(...added);
  $('model').replaceChildren(...models.map(({ name }) => new Option(name, name)));
  $('model').disabled = models.length === 0;
}

async function take(files) {
  relieve();
  if (files.length === 0) return;
  if (files.some(isModelFile)) {
    addModels(paired(files.filter(isModelFile)));
    await openModel();
  }
  const photo = files.find((file) => !isModelFile(file));
  if (photo) await takePhoto(photo);
}

async function takePhoto(file) {
  const start = performance.now();
  const photo = await readPhoto(file);
  const milliseconds = performance.now() - start;
  stopCamera();
  frame = photo.frame;
  if (session.isOpen) session.forget();
  view.set(frame);
  box.reset(frame);
  $('figure').classList.remove('mirror');
  view.canvas.ariaLabel = `The photo ${file.name}`;
  clear();
  session.latency.add('read', milliseconds);
  await estimate();
  if (photo.note) say(`${photo.note} ${$('said').textContent}`);
}

async function estimate() {
  if (!frame) return;
  if (!session.isOpen) throw new Problem(NO_MODEL);
  relieve();
  const pose = await session.estimate(frame, box.box);
  show(box.box, pose);
}

function draw(where, pose) {
  const start = performance.now();
  view.draw(where, pose, session.card?.keypoints ?? null);
  if (pose) session.latency.add('draw', performance.now() - start);
}

function show(where, pose) {
  draw(where, pose);
  const isTime = !camera || performance.now() - saidAt >= SAID_EVERY;
  if (isTime) say(pose ? sentence(pose) : 'Nobody is seen.');
  if (pose) showJoints($('joints'), pose, session.card.keypoints);
  else $('joints').replaceChildren();
  showTimes($('times'), session.latency);
}

async function measure() {
  if (!frame || !session.isOpen)
    throw new Problem('Open a photo first; then its times can be measured.');
  session.forget();
  for (let i = 0; i < MEASURED; i++) show(box.box, await session.estimate(frame, box.box));
  say(`Times are medians of ${MEASURED} runs.`);
}

async function startCamera() {
  relieve();
  if (!session.isOpen) throw new Problem(NO_MODEL);
  const opened = new Camera();
  await opened.open();
  stopCamera();
  session.forget();
  camera = opened;
  frame = null;
  box.disable();
  $('camera').textContent = 'Stop the camera';
  $('figure').classList.add('mirror');
  view.canvas.ariaLabel = 'The picture of the camera, as in a mirror';
  film(opened);
}

/** Follows a person until the camera ends; other work goes between two frames. */
async function film(opened) {
  while (camera === opened && opened.isLive) {
    await inTurn(async () => {
      const picture = await opened.next();
      if (camera !== opened || !session.isOpen) return;
      view.set(picture);
      const found = await session.follow(picture);
      show(found.box, found.pose);
    });
  }
  if (camera === opened) {
    stopCamera();
    complain(new Problem('The camera has ended. Connect it and start it again, or use a photo.'));
  }
}

function stopCamera() {
  camera?.close();
  camera = null;
  $('camera').textContent = 'Use the camera';
}

$('files').addEventListener('change', ({ target }) => {
  const files = [...target.files];
  target.value = ''; // so that the same file can be chosen again
  inTurn(() => take(files));
});
$('model').addEventListener('change', () => inTurn(openModel));
document
  .querySelectorAll('input[name=where]')
  .forEach((input) =>
    input.addEventListener('change', () => inTurn(models.length ? openModel : () => {})),
  );
$('camera').addEventListener('click', () => (camera ? stopCamera() : inTurn(startCamera)));
$('measure').addEventListener('click', () => inTurn(measure));
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  inTurn(() => take(files));
});
$('not-started').remove();
inTurn(async () => {
  addModels(await listedModels());
  await openModel();
});
