// Runs the model of this folder on dropped images and on the camera's. ABOUT, MODEL, ORT and WASM are in the files before.
"use strict";
const $ = (id) => document.getElementById(id);
const MOST_CLASSES = 8;

function bytes(base64) {
  const text = atob(base64), array = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

const ready = (async () => {
  const ort = await import(URL.createObjectURL(new Blob([ORT], { type: "text/javascript" })));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = bytes(WASM).buffer;
  const session = await ort.InferenceSession.create(bytes(MODEL), { executionProviders: ["wasm"] });
  return { ort, session };
})();

// An image as the file has it: turned upright, colours not converted.
async function pixels(source) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = source instanceof HTMLVideoElement ? source : await createImageBitmap(source, options);
  const width = bitmap.videoWidth || bitmap.width, height = bitmap.videoHeight || bitmap.height;
  const canvas = $("image");
  canvas.width = width; canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data, rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from]; rgb[to++] = rgba[from + 1]; rgb[to++] = rgba[from + 2];
  }
  return { rgb, width, height };
}

async function classify(source) {
  const { ort, session } = await ready;
  const { rgb, width, height } = await pixels(source);
  const results = await session.run({ image: new ort.Tensor("uint8", rgb, [1, height, width, 3]) });
  const value = (name) => (name in results ? Array.from(results[name].data) : null);
  const probabilities = value("probabilities");
  const order = probabilities.map((_, k) => k).sort((a, b) => probabilities[b] - probabilities[a]);
  const decision = value("decision"), novelty = value("novelty");
  return {
    width, height, probabilities, order, heat: value("heat"),
    label: ABOUT.classes[order[0]],
    decision: decision === null ? null : ABOUT.decisions[Number(decision[0])],
    novelty: novelty === null ? null : novelty[0],
  };
}

function show(answer) {
  const percent = (100 * answer.probabilities[answer.order[0]]).toFixed(1);
  const novel = answer.novelty !== null && answer.novelty > 1;
  $("answer").className = answer.decision || "";
  const act = answer.decision === null ? "" : answer.decision === "accept" ? " — accept" : " — review";
  $("answer").textContent = `${answer.label}, ${percent} %${act}`;
  const reasons = [];
  if (novel) reasons.push("Unlike the images that the model was trained on: the answer means little.");
  if (answer.decision === "review" && !novel) reasons.push("Not sure enough for the guarantee: a person should look.");
  if (answer.decision === "accept") reasons.push(ABOUT.guarantee.sentence);
  $("why").textContent = reasons.join(" ");
  $("shown").hidden = false;
  draw(answer);
  $("classes").replaceChildren(...answer.order.slice(0, MOST_CLASSES).map((k) => row(k, answer.probabilities[k])));
}

function row(k, p) {
  const line = document.createElement("tr"), bar = document.createElement("div");
  bar.style.width = `${Math.max(100 * p, 0.3)}%`;
  for (const content of [ABOUT.classes[k], bar, `${(100 * p).toFixed(1)} %`]) {
    const cell = document.createElement("td");
    if (content === bar) cell.className = "bar";
    cell.append(content);
    line.append(cell);
  }
  return line;
}

// What speaks for the first class rather than the second, tile by tile, over the square that the model looks at.
function draw(answer) {
  const canvas = $("heat"), context = canvas.getContext("2d");
  canvas.width = answer.width; canvas.height = answer.height;
  $("legend").hidden = answer.heat === null;
  if (answer.heat === null) return;
  const [first, second] = answer.order, tiles = 16, size = tiles * tiles;
  const map = Array.from({ length: size }, (_, i) => answer.heat[first * size + i] - answer.heat[second * size + i]);
  const mean = map.reduce((a, b) => a + b, 0) / size, most = Math.max(...map.map((v) => Math.abs(v - mean)), 1e-9);
  const small = document.createElement("canvas");
  small.width = small.height = tiles;
  const image = small.getContext("2d").createImageData(tiles, tiles);
  map.forEach((v, i) => {
    const share = (v - mean) / most;
    image.data.set(share > 0 ? [220, 30, 30, 150 * share] : [30, 70, 220, -150 * share], 4 * i);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  const [wide, high] = square(answer.width, answer.height);
  context.drawImage(small, (answer.width - wide) / 2, (answer.height - high) / 2, wide, high);
}

function square(width, height) {
  if (ABOUT.view.fit === "squeeze") return [width, height];
  const side = ABOUT.view.fit === "pad" ? Math.max(width, height) : Math.min(width, height) * ABOUT.view.share;
  return [side, side];
}

async function handle(source) {
  $("answer").textContent = "Looking…";
  try {
    const answer = await classify(source);
    show(answer);
    return answer;
  } catch (error) {
    $("answer").textContent = "This file cannot be read as an image.";
    $("why").textContent = String(error);
    throw error;
  }
}

async function camera() {
  const video = $("video");
  if (video.srcObject) {
    await handle(video);
    video.srcObject.getTracks().forEach((track) => track.stop());
    video.srcObject = null; video.hidden = true;
    $("camera").textContent = "use the camera";
    return;
  }
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.hidden = false;
  await video.play();
  $("camera").textContent = "take this picture";
}

const drop = $("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) handle(event.dataTransfer.files[0]).catch(() => {});
  });
}
$("file").addEventListener("change", (event) => event.target.files.length && handle(event.target.files[0]).catch(() => {}));
$("camera").addEventListener("click", () => camera().catch((error) => { $("why").textContent = `No camera: ${error.message}`; }));
$("overlay").addEventListener("change", (event) => { $("heat").hidden = !event.target.checked; });
$("about").textContent = `Made by Headstart ${ABOUT.headstart}. ${ABOUT.licences.join("; ")}. ONNX Runtime Web: MIT.`;
ready.then(
  () => { $("answer").textContent = `Ready: ${ABOUT.classes.length} classes.`; },
  (error) => { $("answer").textContent = `The model cannot be run in this browser: ${error.message}`; },
);
