"use strict";
// Sends a dropped or chosen folder, zip or log to the studio, file by file with its path, and names it in a text field.

(() => {
  const AT_ONCE = 4;

  async function walk(entry, path, found) {
    if (entry.name.startsWith(".")) return;
    if (entry.isFile) found.push([path + entry.name, await new Promise((yes, no) => entry.file(yes, no))]);
    else {
      const reader = entry.createReader();
      for (let part; (part = await new Promise((yes, no) => reader.readEntries(yes, no))).length;) for (const inner of part) await walk(inner, `${path}${entry.name}/`, found);
    }
  }

  async function send(zone, files) {
    const said = zone.querySelector("[data-said]");
    const say = (text, bad = false) => { said.textContent = text; said.classList.toggle("bad", bad); };
    if (!files.length) return say("There are no files in it.", true);
    const token = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    let next = 0, done = 0, problem = null;
    const one = async () => {
      while (next < files.length && !problem) {
        const [name, file] = files[next++];
        const answer = await fetch(`/studio/upload/${token}?name=${encodeURIComponent(name)}`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file });
        const found = await answer.json();
        if (found.problem) problem = found.problem;
        else say(`Copying ${(++done).toLocaleString("en")} of ${files.length.toLocaleString("en")}`);
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      if (problem) return say(problem, true);
      const found = await (await fetch(`/studio/upload/${token}`)).json();
      if (found.problem) return say(found.problem, true);
      say(`${found.files.toLocaleString("en")} file${found.files > 1 ? "s" : ""} copied.`);
      const field = document.querySelector(`#${zone.dataset.drop} textarea, #${zone.dataset.drop} input`);
      field.value = found.path;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      setTimeout(() => document.querySelector(`#${zone.dataset.then}`).click(), 300); // after Gradio has taken the value
    } catch { say("The files could not be sent: the studio does not answer, or a file was changed meanwhile.", true); }
  }

  document.addEventListener("change", (event) => {
    const zone = event.target.closest("[data-drop]");
    if (!zone || event.target.type !== "file") return;
    const files = [...event.target.files].map((file) => [file.webkitRelativePath || file.name, file]);
    send(zone, files.filter(([name]) => !name.split("/").some((part) => part.startsWith("."))));
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => {
    const zone = event.target.closest("[data-drop]");
    for (const other of document.querySelectorAll("[data-drop].over")) if (other !== zone) other.classList.remove("over");
    if (zone) { event.preventDefault(); zone.classList.add("over"); }
  });
  document.addEventListener("dragleave", (event) => { if (event.target.matches?.("[data-drop]")) event.target.classList.remove("over"); });
  document.addEventListener("drop", async (event) => {
    const zone = event.target.closest("[data-drop]");
    if (!zone) return;
    event.preventDefault();
    zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const found = [];
    try { for (const entry of entries) await walk(entry, "", found); } catch { found.length = 0; }
    send(zone, found);
  });
})();
