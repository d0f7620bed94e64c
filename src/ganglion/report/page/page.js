"use strict";
// Draws the charts, keeps one time axis for all of them, and plays the snapshots. Needs PANELS and vegaEmbed.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const views = new Map();
const scales = new Map();
let span = null; // of the time axis, in thousand images; null: the whole run

function themeConfig() {
  const ink = dark.matches ? "#c6ced6" : "#3a424a", line = dark.matches ? "#30363d" : "#e3e7eb";
  return {
    background: "transparent",
    view: { stroke: null },
    font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: ink },
    range: { category: dark.matches
      ? ["#6ea8ff", "#ffa657", "#5bd6a0", "#ff7b9c", "#c79bff", "#f2d55c", "#5ad1e6", "#b8c0c8", "#e58fd8", "#9bd05a"]
      : ["#2f6fde", "#e0701b", "#1f9d6b", "#d1386b", "#8352d0", "#b8930b", "#1391aa", "#6b7580", "#b8439f", "#5f8f1d"] },
  };
}

function withScale(spec, name) {
  const type = scales.get(name);
  if (!type) return spec;
  const copy = structuredClone(spec);
  for (const layer of copy.layer) if (layer.encoding && layer.encoding.y && layer.encoding.y.scale) layer.encoding.y.scale = { type, ...(type === "linear" && { zero: false }) };
  return copy;
}

async function draw(panel) {
  const element = document.querySelector(`.chart[data-panel="${panel.name}"]`);
  const embedded = await vegaEmbed(element, withScale(panel.spec, panel.name),
    { actions: false, renderer: "svg", config: themeConfig(), tooltip: { theme: dark.matches ? "dark" : "light" } });
  const old = views.get(panel.name);
  if (old) old.finalize();
  const view = embedded.view;
  views.set(panel.name, view);
  let brushed = null;
  view.addSignalListener("zoom_kimg", (_, value) => { brushed = value && value.length === 2 && value[0] !== value[1] ? value : null; });
  element.onpointerup = () => setTimeout(() => {
    if (!brushed) return;
    const chosen = brushed.slice().sort((a, b) => a - b);
    brushed = null;
    view.data("zoom_store", []).run();
    show(chosen);
  }, 0);
  element.ondblclick = () => show(null);
  apply(panel, view);
}

function apply(panel, view) {
  const whole = panel.spec.params.find((one) => one.name === "to_kimg").value;
  const [from, to] = span || [0, whole];
  view.signal("from_kimg", from).signal("to_kimg", to).run();
}

function show(chosen) {
  span = chosen;
  for (const panel of PANELS) if (views.has(panel.name)) apply(panel, views.get(panel.name));
}

for (const button of document.querySelectorAll("button.scale")) {
  button.onclick = () => {
    const panel = PANELS.find((one) => one.name === button.dataset.panel);
    const now = scales.get(panel.name) || panel.scale;
    const other = now === panel.scale ? panel.other : panel.scale;
    scales.set(panel.name, other);
    button.textContent = now;
    draw(panel);
  };
}

const whole = document.getElementById("whole");
if (whole) whole.onclick = () => show(null);
dark.addEventListener("change", () => PANELS.forEach(draw));
PANELS.forEach(draw);

if (typeof SNAPSHOTS !== "undefined") {
  const slider = document.getElementById("step"), play = document.getElementById("play");
  let timer = null;
  const showSnapshot = (index) => {
    const one = SNAPSHOTS[index];
    slider.value = index;
    for (const kind of ["fixed", "fresh"]) if (one[kind]) document.getElementById(kind).src = one[kind];
    document.getElementById("when").innerHTML = `step ${one.step.toLocaleString("en")}, ${one.kimg.toLocaleString("en")} kimg`
      + (one.best ? ' <span class="best">best</span>' : "");
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  slider.oninput = () => { stop(); showSnapshot(Number(slider.value)); };
  play.onclick = () => {
    if (timer) return stop();
    play.textContent = "Stop";
    let index = Number(slider.value) === SNAPSHOTS.length - 1 ? -1 : Number(slider.value);
    timer = setInterval(() => { index += 1; showSnapshot(index); if (index === SNAPSHOTS.length - 1) stop(); }, 350);
  };
  const best = SNAPSHOTS.findIndex((one) => one.best);
  showSnapshot(best >= 0 ? best : SNAPSHOTS.length - 1);
}
