// Sends files and frames to the server of this page and shows its answers.
"use strict";

const at = (id) => document.getElementById(id);
const VIDEO = /\.(3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|ogv|ts|webm|wmv|gif)$/i;
let stream = null; // of the webcam
let largest = Infinity; // bytes of a file that the server takes
let turn = 0; // number of the latest thing that was asked; older answers are not shown

function say(sentence, isError = false) {
  at("message").textContent = sentence;
  at("message").className = isError ? "error" : "";
}

function clear() {
  for (const id of ["picture", "film", "details"]) at(id).hidden = true;
  at("tables").replaceChildren();
}

// A table of objects; ids and long lists of numbers are left to "All numbers".
function table(rows) {
  const isShown = (key) => typeof rows[0][key] !== "object" && !key.endsWith("_id");
  const keys = Object.keys(rows[0]).filter(isShown);
  const result = document.createElement("table");
  const add = (tag, values) => {
    const row = result.insertRow();
    for (const value of values) {
      const cell = document.createElement(tag);
      cell.textContent = typeof value === "number" ? +value.toFixed(3) : value;
      row.append(cell);
    }
  };
  add("th", keys);
  for (const each of rows.slice(0, 50)) add("td", keys.map((key) => each[key]));
  return result;
}

function showRecords(records) {
  const inner = records.flatMap((each) => Object.values(each))
    .filter((value) => Array.isArray(value) && value[0] instanceof Object);
  const hasNumbers = (rows) => rows.length && Object.values(rows[0]).some(Number.isFinite);
  at("tables").replaceChildren(...[records, ...inner].filter(hasNumbers).map(table));
  at("records").textContent = JSON.stringify(records, null, 1);
  at("details").hidden = !records.length;
}

async function ask(path, blob, name) {
  const answer = await fetch(`${path}?name=${encodeURIComponent(name)}`, { method: "POST", body: blob });
  if (answer.ok) return answer;
  throw new Error((await answer.json()).error);
}

async function showPicture(blob, name, mine) {
  const answer = await (await ask("/picture", blob, name)).json();
  if (mine !== turn) return;
  at("picture").src = answer.picture;
  at("picture").hidden = false;
  showRecords(answer.records);
  const parts = [answer.found, `${answer.milliseconds} ms`, ...answer.notes];
  say(parts.filter(Boolean).join(" · "));
}

async function showVideo(blob, name, mine) {
  const answer = await ask("/video", blob, name);
  const film = URL.createObjectURL(await answer.blob());
  if (mine !== turn) return URL.revokeObjectURL(film);
  const summary = JSON.parse(answer.headers.get("X-Summary"));
  URL.revokeObjectURL(at("film").src);
  at("film").src = film;
  at("film").hidden = false;
  const parts = [`${summary.frames} frames`, `${summary.frames_per_second} frames per second`];
  say([...parts, ...summary.problems].join(" · "));
}

async function take(file) {
  if (!file) return;
  stopCamera();
  const mine = ++turn;
  clear();
  if (file.size > largest) {
    return say(`${file.name}: ${largest / 2 ** 20} MB are the most; choose a smaller file.`, true);
  }
  const isVideo = file.type.startsWith("video/") || VIDEO.test(file.name);
  say(isVideo ? `${file.name}: each frame is predicted; this can take a while …` : `${file.name} …`);
  try {
    await (isVideo ? showVideo : showPicture)(file, file.name, mine);
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}

function stopCamera() {
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
  at("camera").textContent = "Start the webcam";
}

async function startCamera() {
  if (stream) return stopCamera();
  const mine = ++turn;
  clear();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch (error) {
    return say(`The webcam cannot be used: ${error.message}. Allow it in the browser, or choose a file.`, true);
  }
  at("camera").textContent = "Stop the webcam";
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = stream;
  await video.play();
  const canvas = document.createElement("canvas");
  try {
    while (stream && mine === turn) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      const frame = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      await showPicture(frame, "webcam.jpg", mine);
    }
  } catch (error) {
    stopCamera();
    say(error.message, true);
  }
}

at("file").addEventListener("change", () => take(at("file").files[0]));
at("camera").addEventListener("click", startCamera);
for (const kind of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
}

fetch("/about").then((answer) => answer.json()).then((about) => {
  document.title = at("name").textContent = about.name;
  at("about").textContent = `${about.task}: ${about.labels}`;
  largest = about.largest;
  if (!about.videos) at("file").accept = "image/*";
}).catch(() => say("The program that shows this page has ended.", true));
