"use strict";
// Draws the charts, keeps one time axis for all of them, and plays the snapshots. Needs PANELS, vegaEmbed and charts.js.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const views = new Map();
const scales = new Map();
let span = null; // of the time axis, in thousand images; null: the whole run

async function draw(panel) {
  const element = document.querySelector(`.chart[data-panel="${panel.name}"]`);
  const embedded = await vegaEmbed(element, withScale(panel.spec, scales.get(panel.name)),
    { actions: false, renderer: "svg", config: chartTheme(dark.matches), tooltip: { theme: dark.matches ? "dark" : "light" } });
  const old = views.get(panel.name);
  if (old) old.finalize();
  const view = embedded.view;
  views.set(panel.name, view);
  onZoom(element, view, show);
  apply(panel, view);
}

const apply = (panel, view) => showRange(panel.spec, view, span);

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
