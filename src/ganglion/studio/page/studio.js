"use strict";
// Keeps what a page shows up to date, carries ?run=NAME from page to page, sorts and searches, plays samples, sends actions.
// Gradio puts the elements in place whenever it likes, so that everything here starts from the document.

(() => {
  const EVERY_MS = 1500;
  const ticked = new Set();
  const marks = new Map();
  let order = { key: "changed", way: -1 };
  const query = () => new URLSearchParams(location.search);
  const run = () => query().get("run");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Navigation

  function links() {
    const bar = one("[data-of-run]");
    if (!bar || bar.dataset.done) return;
    bar.dataset.done = "1";
    const name = run(), heading = one(".bar [aria-current]");
    const title = `${heading ? heading.textContent : name || "Run"} – Ganglion`;
    setTimeout(() => { document.title = title; }, 500); // Gradio sets its own first
    if (!name) return;
    bar.hidden = false;
    one(".name", bar).textContent = name;
    for (const link of all("a", bar)) link.href = `${link.getAttribute("href")}?run=${encodeURIComponent(name)}`;
  }

  // Live parts

  let busy = false;
  async function refresh() {
    const live = one("[data-live]");
    if (!live || busy || document.hidden) return;
    busy = true;
    try {
      const kept = Object.fromEntries(all("[data-part]", live).filter((part) => part.dataset.mark).map((part) => [part.dataset.part, part.dataset.mark]));
      const answer = await fetch(`/studio/live/${live.dataset.live}?${new URLSearchParams({ ...(run() && { run: run() }), have: JSON.stringify(kept) })}`);
      const found = await answer.json();
      problem(live, found.problem || "", "load");
      for (const [name, part] of Object.entries(found.parts || {})) patch(one(`[data-part="${name}"]`, live), part);
      for (const table of all("[data-runs]", live)) arrange(table);
      await timeline(live);
      if (found.charts && window.studioCharts) window.studioCharts(one("[data-charts]", live), run(), found.charts);
    } catch {
      problem(live, "The studio does not answer: it was stopped, or is busy. This page goes on trying.", "load");
    } finally { busy = false; }
  }

  function problem(live, text, kind) {
    const place = one("[data-problem]", live);
    if (!place || (!text && place.dataset.kind !== kind)) return;
    place.hidden = !text;
    place.dataset.kind = kind;
    if (place.textContent !== text) place.textContent = text;
  }

  function patch(place, part) {
    if (!place || place.dataset.mark === part.mark) return;
    const template = document.createElement(place.tagName === "TBODY" ? "tbody" : "div");
    template.innerHTML = part.html;
    const open = all("details", place).map((details) => details.open);
    const focused = document.activeElement && place.contains(document.activeElement) ? selectorOf(document.activeElement) : null;
    const old = new Map(all("[data-key]", place).map((row) => [row.dataset.key, row]));
    const fresh = [...template.children].map((row) => {
      const before = old.get(row.dataset.key);
      return before && before.source === row.outerHTML ? before : Object.assign(row, { source: row.outerHTML });
    });
    place.replaceChildren(...fresh);
    all("details", place).forEach((details, i) => { if (open[i]) details.open = true; });
    if (focused && one(focused, place)) one(focused, place).focus({ preventScroll: true });
    place.dataset.mark = part.mark;
  }

  function selectorOf(element) {
    for (const name of ["data-tick", "data-act", "data-play", "data-remedy", "href"]) if (element.hasAttribute(name)) return `[${name}="${CSS.escape(element.getAttribute(name))}"]`;
    return element.tagName === "INPUT" ? "input[type=range]" : null;
  }

  // The list of runs

  function arrange(table) {
    const rows = all("tbody tr", table);
    const words = (one("[data-search]") || { value: "" }).value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.words.toLowerCase().includes(word));
      row.style.display = row.hidden ? "none" : "";
      const box = one("[data-tick]", row);
      box.checked = ticked.has(box.dataset.tick);
    }
    const value = (row) => { const text = row.dataset[order.key]; return order.key === "name" ? text.toLowerCase() : text === "" ? null : Number(text); };
    const sorted = rows.slice().sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * order.way;
    });
    if (sorted.some((row, i) => row !== rows[i])) one("tbody", table).append(...sorted);
    table.hidden = rows.length === 0;
    one("[data-none]").hidden = !rows.length || rows.some((row) => !row.hidden);
    for (const button of all("[data-sort]", table)) {
      const [key] = button.dataset.sort.split(":");
      const heading = button.closest("th");
      if (key === order.key) heading.setAttribute("aria-sort", order.way > 0 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    const there = new Set(rows.map((row) => row.dataset.name));
    for (const name of [...ticked]) if (!there.has(name)) ticked.delete(name);
    const compare = one("[data-compare]");
    compare.disabled = ticked.size < 2;
    compare.textContent = ticked.size ? `Compare ${ticked.size}` : "Compare";
  }

  document.addEventListener("input", (event) => { if (event.target.matches("[data-search]")) all("[data-runs]").forEach(arrange); });
  document.addEventListener("change", (event) => {
    const target = event.target;
    if (target.matches("[data-order]")) { const [key, way] = target.value.split(":"); order = { key, way: Number(way) }; }
    else if (target.matches("[data-tick]")) target.checked ? ticked.add(target.dataset.tick) : ticked.delete(target.dataset.tick);
    else return;
    all("[data-runs]").forEach(arrange);
  });

  // Buttons

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-sort]")) {
      const [key, way] = button.dataset.sort.split(":");
      order = { key, way: order.key === key ? -order.way : Number(way) };
      all("[data-runs]").forEach(arrange);
    } else if (button.matches("[data-compare]")) {
      location.href = `/studio/compare?${[...ticked].map((name) => `run=${encodeURIComponent(name)}`).join("&")}`;
    } else if (button.matches("[data-act]")) act(button);
    else if (button.matches("[data-play]")) play(button.closest("[data-timeline]"));
    else if (button.matches("[data-whole]") && window.studioWhole) window.studioWhole();
  });

  async function act(button) {
    const live = button.closest("[data-live]");
    const { act: action, finding, remedy } = button.dataset;
    button.disabled = true;
    try {
      const answer = await fetch("/studio/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ action, run: run(), finding, remedy: remedy && Number(remedy) }) });
      const found = await answer.json();
      problem(live, found.problem || "", "act");
      if (found.run) location.href = `/run?run=${encodeURIComponent(found.run)}`;
      else if (!found.problem) button.textContent = found.said;
    } catch { problem(live, "The studio does not answer: it was stopped, or is busy.", "act"); }
    setTimeout(() => { button.disabled = false; refresh(); }, 1200);
  }

  // Samples over training

  let playing = null, followed = true, at = null;
  async function timeline(live) {
    const place = one("[data-timeline]", live);
    if (!place || place.dataset.ready) return;
    place.dataset.ready = "1";
    const shots = JSON.parse(place.dataset.timeline);
    const slider = one("input", place);
    const best = shots.findIndex((shot) => shot.best);
    const kept = shots.findIndex((shot) => shot.step === at);
    show(place, followed || kept < 0 ? (at === null && best >= 0 ? best : shots.length - 1) : kept);
    slider.oninput = () => { stop(); followed = Number(slider.value) === shots.length - 1; show(place, Number(slider.value)); };
    if (playing) play(place, true);
  }

  function show(place, index) {
    const shots = JSON.parse(place.dataset.timeline), shot = shots[index];
    at = shot.step;
    one("input", place).value = index;
    for (const image of all("img", place)) if (shot[image.dataset.kind]) {
      const source = `/studio/sheet/${image.dataset.kind}/${shot.step}?run=${place.dataset.run}`;
      if (image.getAttribute("src") !== source) image.src = source;
    }
    const output = one("output", place);
    output.textContent = `step ${shot.step.toLocaleString("en")}, ${shot.kimg.toLocaleString("en")} kimg`;
    if (shot.best) output.append(" ", Object.assign(document.createElement("span"), { className: "best", textContent: "best" }));
  }

  function stop() { clearInterval(playing); playing = null; all("[data-play]").forEach((button) => { button.textContent = "Play"; }); }
  function play(place, again = false) {
    if (playing && !again) return stop();
    const shots = JSON.parse(place.dataset.timeline);
    clearInterval(playing);
    one("[data-play]", place).textContent = "Stop";
    let index = Number(one("input", place).value);
    if (index === shots.length - 1 && !again) index = -1;
    playing = setInterval(() => {
      index += 1;
      if (!place.isConnected || index >= shots.length) return stop();
      show(place, index);
      if (index === shots.length - 1) { followed = true; stop(); }
    }, 350);
  }

  new MutationObserver(() => { links(); if (one("[data-live]:not([data-begun])")) { one("[data-live]").dataset.begun = "1"; refresh(); } }).observe(document, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
})();
