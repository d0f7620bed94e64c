"use strict";
// What the charts of the report and of the studio share: colours, another scale, a range of the time axis by dragging.

function chartTheme(dark) {
  const ink = dark ? "#c6ced6" : "#3a424a", line = dark ? "#30363d" : "#e3e7eb";
  return {
    background: "transparent",
    view: { stroke: null },
    font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: ink },
    range: { category: dark
      ? ["#6ea8ff", "#ffa657", "#5bd6a0", "#ff7b9c", "#c79bff", "#f2d55c", "#5ad1e6", "#b8c0c8", "#e58fd8", "#9bd05a"]
      : ["#2f6fde", "#e0701b", "#1f9d6b", "#d1386b", "#8352d0", "#b8930b", "#1391aa", "#6b7580", "#b8439f", "#5f8f1d"] },
  };
}

const MORE_OF_SCALE = { linear: { zero: false }, symlog: { constant: 0.01 } };

function withScale(spec, type) {
  if (!type) return spec;
  const copy = structuredClone(spec);
  for (const layer of copy.layer) if (layer.encoding?.y?.scale) layer.encoding.y.scale = { type, ...MORE_OF_SCALE[type] };
  return copy;
}

// Calls `chosen` with [from, to] in thousand images when one drags across the chart, and with null at a double click.
function onZoom(element, view, chosen) {
  let brushed = null;
  view.addSignalListener("zoom_kimg", (_, value) => { brushed = value && value.length === 2 && value[0] !== value[1] ? value : null; });
  element.onpointerup = () => setTimeout(() => {
    if (!brushed) return;
    const range = brushed.slice().sort((a, b) => a - b);
    brushed = null;
    view.data("zoom_store", []).run();
    chosen(range);
  }, 0);
  element.ondblclick = () => chosen(null);
}

function showRange(spec, view, span) {
  const whole = spec.params.find((param) => param.name === "to_kimg").value;
  const [from, to] = span || [0, whole];
  view.signal("from_kimg", from).signal("to_kimg", to).run();
}
