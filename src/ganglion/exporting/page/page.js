// Draws images with the generator inside this page. Needs ort, the JSON block `page` and the packed blocks; asks no network.

const PAGE = JSON.parse(document.getElementById("page").textContent);
const byId = (id) => document.getElementById(id);

// Blocks: base64 of gzip

async function unpacked(name) {
  const element = byId(`block-${name}`);
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  element.remove();
  if (!bytes.length) return new Uint8Array();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function rows(name) {
  const all = new Float32Array((await unpacked(name)).buffer);
  return Array.from({ length: all.length / PAGE.dim }, (_, row) => all.slice(row * PAGE.dim, (row + 1) * PAGE.dim));
}

// Latents

function randomNumbers(seed) { // mulberry32, uniform on [0, 1)
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function latentOf(seed) {
  if (seed < latents.length) return latents[seed].slice();
  const random = randomNumbers(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()); // Box and Muller 1958
  const z = Float32Array.from({ length: PAGE.dim }, () => (PAGE.prior === "uniform" ? 2 * random() - 1 : normal()));
  return PAGE.prior === "sphere" ? scaled(z, Math.sqrt(PAGE.dim) / length(z)) : z;
}

const length = (z) => Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));
const scaled = (z, by) => z.map((value) => value * by);
const mixed = (one, other, a, b) => one.map((value, i) => a * value + b * other[i]);

function between(one, other, share) { // as `ganglion interpolate`: along the arc, but for a uniform prior along the line
  const lengths = [length(one), length(other)];
  const cosine = one.reduce((sum, value, i) => sum + value * other[i], 0) / (lengths[0] * lengths[1]);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (PAGE.prior === "uniform" || !(angle > 1e-4) || angle > Math.PI - 1e-4) return mixed(one, other, 1 - share, share);
  const size = (1 - share) * lengths[0] + share * lengths[1];
  const weights = [Math.sin((1 - share) * angle), Math.sin(share * angle)].map((part) => (part * size) / Math.sin(angle));
  return mixed(one, other, weights[0] / lengths[0], weights[1] / lengths[1]);
}

// Drawing

function labelsOf(n) {
  if (!PAGE.attributes.length) {
    return new ort.Tensor("int64", BigInt64Array.from({ length: n }, () => BigInt(byId("class").value)), [n]);
  }
  const vector = PAGE.attributes.flatMap((column, i) => {
    const value = Number(byId(`attribute-${i}`).value);
    if (column.kind === "class") return Array.from({ length: column.classes }, (_, place) => (place === value ? 1 : 0));
    if (column.kind === "yes-no") return [value];
    return [Math.min(3, Math.max(-3, (value - column.mean) / column.std))];
  });
  vector.push(1);
  return new ort.Tensor("float32", Float32Array.from({ length: n * vector.length }, (_, i) => vector[i % vector.length]), [n, vector.length]);
}

let last = Promise.resolve();
function images(zs) { // one after another: a session computes one batch at a time
  const next = last.then(() => compute(zs));
  last = next.catch(() => {});
  return next;
}

async function compute(zs) {
  const z = new Float32Array(zs.length * PAGE.dim);
  zs.forEach((one, i) => z.set(one, i * PAGE.dim));
  const inputs = {
    z: new ort.Tensor("float32", z, [zs.length, PAGE.dim]),
    truncation: new ort.Tensor("float32", [Number(byId("truncation").value)], [1]),
  };
  if (PAGE.conditional) inputs.labels = labelsOf(zs.length);
  const output = (await session.run(inputs)).images;
  const size = output.data.length / zs.length;
  return zs.map((_, i) => toImage(output.data.subarray(i * size, (i + 1) * size), output.dims[3]));
}

function toImage(pixels, channels) {
  const shown = PAGE.shown || (channels < 3 ? [0, 0, 0] : [0, 1, 2]);
  const image = new ImageData(PAGE.width, PAGE.height);
  const alpha = !PAGE.shown && channels === 4;
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    for (let k = 0; k < 3; k += 1) image.data[to + k] = pixels[from + shown[k]];
    image.data[to + 3] = alpha ? pixels[from + 3] : 255;
  }
  return image;
}

function put(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The image that is edited

const strengths = Array.from({ length: PAGE.directions }, () => 0);
const chosen = new Map(); // dimension to value, of those that were moved
let session, latents, directions, base, seed = 0, name = "", walking = null, busy = false, again = false;

function edited() {
  const z = base.slice();
  for (const [dimension, value] of chosen) z[dimension] = value;
  strengths.forEach((strength, k) => { if (strength) directions[k].forEach((value, i) => { z[i] += strength * value; }); });
  return z;
}

async function draw() { // while one is drawn, of all further changes only the last is
  delete byId("image").dataset.drawn;
  if (busy) { again = true; return; }
  busy = true;
  do {
    again = false;
    const started = performance.now(), where = name;
    const [image] = await images([edited()]);
    put(byId("image"), image);
    byId("caption").textContent = `${where}, drawn in ${Math.round(performance.now() - started)} ms`;
    byId("image").setAttribute("aria-label", `Generated image, ${where}${moved() ? ", edited" : ""}`);
  } while (again);
  busy = false;
  byId("image").dataset.drawn = String(seed);
}

const moved = () => chosen.size > 0 || strengths.some((strength) => strength !== 0);

function choose(value) {
  seed = Math.min(999999999, Math.max(0, Math.floor(Number(value) || 0)));
  byId("seed").value = seed;
  name = `seed ${seed}`;
  base = latentOf(seed);
  showSliders();
  return draw();
}

// Sliders

function slider(name, id, low, high, step, change) {
  const field = document.createElement("div"), label = document.createElement("label");
  const input = document.createElement("input"), output = document.createElement("output");
  field.className = "field";
  label.textContent = name;
  label.htmlFor = id;
  Object.assign(input, { type: "range", id, min: low, max: high, step });
  output.htmlFor.add(id);
  input.addEventListener("input", () => { change(Number(input.value)); output.value = Number(input.value).toFixed(1); draw(); });
  field.append(label, input, output);
  return field;
}

function makeSliders() {
  byId("of-directions").hidden = !PAGE.directions;
  strengths.forEach((_, k) => byId("directions").append(
    slider(`Direction ${k}`, `direction-${k}`, -PAGE.strength, PAGE.strength, 0.1, (value) => { strengths[k] = value; })));
  for (const dimension of PAGE.dimensions) byId("dimensions").append(
    slider(`Dim ${dimension}`, `dimension-${dimension}`, ...PAGE.range, 0.05, (value) => { chosen.set(dimension, value); }));
}

function showSliders() {
  const show = (id, value) => { byId(id).value = value; byId(id).nextElementSibling.value = value.toFixed(1); };
  strengths.forEach((strength, k) => show(`direction-${k}`, strength));
  for (const dimension of PAGE.dimensions) show(`dimension-${dimension}`, chosen.has(dimension) ? chosen.get(dimension) : base[dimension]);
}

function reset() {
  chosen.clear();
  strengths.fill(0);
  showSliders();
  draw();
}

// A walk from image to image

const LEG_MS = 2500;

async function walk() {
  const mine = walking = {};
  name = "a place between two seeds";
  let from = base, to = latentOf(randomSeed()), started = performance.now();
  while (walking === mine) {
    const share = (performance.now() - started) / LEG_MS;
    if (share >= 1) { from = to; to = latentOf(randomSeed()); started = performance.now(); }
    base = between(from, to, Math.min(1, Math.max(0, (performance.now() - started) / LEG_MS)));
    showSliders();
    await draw();
    await new Promise(requestAnimationFrame);
  }
}

function stop() {
  walking = null;
  byId("walk").textContent = "Walk";
}

const randomSeed = () => Math.floor(Math.random() * 1e9);

// More images

let first = 1, showing = null;
const SHOWN = 18, AT_ONCE = 6;

async function showMore() {
  const mine = showing = {}, buttons = [];
  byId("grid").replaceChildren();
  for (let n = first; n < first + SHOWN; n += 1) {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    button.type = "button";
    button.setAttribute("aria-label", `Edit the image of seed ${n}`);
    button.title = `Seed ${n}`;
    canvas.width = PAGE.width;
    canvas.height = PAGE.height;
    canvas.className = byId("image").className;
    button.append(canvas);
    button.addEventListener("click", () => { if (walking) stop(); choose(n); byId("image").scrollIntoView({ block: "nearest" }); });
    byId("grid").append(button);
    buttons.push([n, canvas]);
  }
  for (let at = 0; at < buttons.length && showing === mine; at += AT_ONCE) {
    const some = buttons.slice(at, at + AT_ONCE);
    const drawn = await images(some.map(([n]) => latentOf(n)));
    some.forEach(([, canvas], i) => put(canvas, drawn[i]));
    await new Promise((done) => setTimeout(done, 0)); // so that the page answers in between
  }
}

// Events

function listen() {
  byId("random").addEventListener("click", () => { if (walking) stop(); choose(randomSeed()); });
  byId("seed").addEventListener("change", (event) => { if (walking) stop(); choose(event.target.value); });
  byId("reset").addEventListener("click", reset);
  byId("others").addEventListener("click", () => { first += SHOWN; showMore(); });
  byId("walk").addEventListener("click", () => {
    if (walking) return stop();
    byId("walk").textContent = "Stop";
    return walk();
  });
  byId("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.download = `${name.replaceAll(" ", "-")}.png`;
    link.href = byId("image").toDataURL("image/png");
    link.click();
  });
  for (const input of document.querySelectorAll("#truncation, #class, .attribute")) {
    const output = input.nextElementSibling;
    const show = () => { if (output && output.tagName === "OUTPUT") output.value = Number(input.value).toFixed(2).replace(/\.00$/, ""); };
    show();
    input.addEventListener("input", () => { show(); draw(); });
    input.addEventListener("change", showMore);
  }
}

async function start() {
  ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
  ort.env.wasm.wasmBinary = (await unpacked("wasm")).buffer;
  latents = await rows("latents");
  directions = await rows("directions");
  session = await ort.InferenceSession.create(await unpacked("network"), { executionProviders: ["wasm"] });
  if (PAGE.height >= 200) byId("image").classList.add("large");
  makeSliders();
  listen();
  byId("studio").hidden = byId("more").hidden = false;
  byId("message").hidden = true;
  await choose(0);
  await showMore();
}

start().catch((error) => {
  byId("message").hidden = false;
  byId("message").textContent = `The generator cannot be started in this browser (${error.message || error}). It needs WebAssembly with SIMD: Chrome 97, Firefox 113, Safari 16.4 or newer.`;
});
