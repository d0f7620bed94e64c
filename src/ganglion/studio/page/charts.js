"use strict";
// Draws the charts of a run, keeps one time axis for all of them, and draws them again when there are new records.

(() => {
  const views = new Map(), scales = new Map(), specs = new Map();
  let mark = null, span = null, library = null, drawing = false;
  const dark = () => document.body.classList.contains("dark");

  const loaded = () => library ||= new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), { src: "/studio/assets/vega.js", onload: resolve, onerror: reject }));
  });

  window.studioCharts = async (place, run, newest) => {
    if (!place || newest === mark || drawing) return;
    drawing = true;
    try {
      const [answer] = await Promise.all([fetch(`/studio/charts?run=${encodeURIComponent(run)}`), loaded()]);
      const found = await answer.json();
      place.closest("[data-charts-of]").hidden = !found.panels.length;
      for (const panel of found.panels) { specs.set(panel.name, panel); await draw(place, panel); }
      mark = found.mark;
    } finally { drawing = false; }
  };

  function frame(place, panel) {
    const known = place.querySelector(`.chart[data-panel="${panel.name}"]`);
    if (known) return known;
    const figure = document.createElement("figure");
    figure.className = "panel";
    const caption = figure.appendChild(document.createElement("figcaption"));
    caption.append(Object.assign(document.createElement("b"), { textContent: panel.title }));
    if (panel.other) {
      const button = caption.appendChild(Object.assign(document.createElement("button"), { type: "button", className: "scale", textContent: panel.other }));
      button.setAttribute("aria-label", `${panel.title}: another scale`);
      button.onclick = () => {
        const now = scales.get(panel.name) || panel.scale;
        scales.set(panel.name, now === panel.scale ? panel.other : panel.scale);
        button.textContent = now;
        draw(place, specs.get(panel.name));
      };
    }
    if (panel.about) caption.append(Object.assign(document.createElement("span"), { textContent: panel.about }));
    const chart = figure.appendChild(document.createElement("div"));
    chart.className = "chart";
    chart.dataset.panel = panel.name;
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", `Chart: ${panel.title}`);
    chart.append(Object.assign(document.createElement("div"), { ariaHidden: "true" })); // the label stands for all of it
    place.append(figure);
    return chart;
  }

  async function draw(place, panel) {
    const element = frame(place, panel), old = views.get(panel.name);
    element.style.minHeight = `${element.offsetHeight}px`; // so that the page does not jump while it is drawn again
    const embedded = await vegaEmbed(element.firstChild, withScale(panel.spec, scales.get(panel.name)), { actions: false, renderer: "svg", config: chartTheme(dark()), tooltip: { theme: dark() ? "dark" : "light" } });
    if (old) old.finalize();
    element.style.minHeight = "";
    const view = embedded.view;
    views.set(panel.name, view);
    onZoom(element, view, zoom);
    apply(panel, view);
  }

  const apply = (panel, view) => showRange(panel.spec, view, span);
  function zoom(chosen) { span = chosen; for (const [name, view] of views) apply(specs.get(name), view); }
  window.studioWhole = () => zoom(null);

  let was = null;
  new MutationObserver(() => {
    if (was === dark()) return;
    was = dark();
    for (const panel of specs.values()) { const place = document.querySelector("[data-charts]"); if (place) draw(place, panel); }
  }).observe(document.documentElement, { attributes: true, subtree: true, attributeFilter: ["class"] });
})();
