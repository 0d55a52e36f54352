"use strict";
// Nothing here is needed to read the tables: filters, the numbers of each check on demand, and the steps of a graph.

function filters() {
  const form = document.querySelector(".filters"), table = document.querySelector("#table");
  if (!form) return;
  form.hidden = false;
  const columns = [...table.tHead.rows[0].cells].slice(1), rows = [...table.querySelectorAll("tr[data-case]")];
  const given = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) if (field.name && given.has(field.name)) field.value = given.get(field.name);
  function apply() {
    const want = Object.fromEntries(new FormData(form)), text = want.text.trim().toLowerCase();
    const shown = columns.map(c => (!want.backend || c.dataset.backend === want.backend) && (!want.version || c.dataset.version === want.version));
    columns.forEach((c, k) => { c.hidden = !shown[k]; });
    const word = want.verdict.replaceAll(" ", "-");
    let count = 0;
    for (const row of rows) {
      let any = false;
      [...row.cells].slice(1).forEach((cell, k) => {
        cell.hidden = !shown[k];
        for (const mark of cell.querySelectorAll(".mark")) {
          const fits = (!want.dtype || mark.dataset.d === want.dtype) && (!want.mode || (mark.dataset.m || "eager").split(" ").includes(want.mode))
            && (!word || mark.classList.contains(word)) && (want.differ !== "alone" || "alone" in mark.dataset);
          mark.hidden = !fits;
          any ||= fits && shown[k];
        }
      });
      const differs = (row.dataset.differs || "").split(" ").filter(Boolean);
      row.hidden = !(any && (!text || row.dataset.text.includes(text)) && (!want.level || row.dataset.level === want.level)
        && (want.differ !== "differs" || (want.dtype ? differs.includes(want.dtype) : differs.length > 0)));
      count += !row.hidden;
    }
    for (const body of table.tBodies) body.hidden = ![...body.rows].some(row => row.dataset.case && !row.hidden);
    form.querySelector("output").value = `${count} of ${rows.length} programs`;
    const kept = new URLSearchParams(Object.entries(want).filter(([, value]) => value)).toString();
    history.replaceState(null, "", kept ? `#${kept}` : location.pathname.split("/").pop() || "index.html");
  }
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", event => event.preventDefault());
  if (form.elements.length) apply();
}

let unpacked;
function data() {
  const text = document.querySelector("#data")?.textContent.trim();
  if (!text) return Promise.resolve(null);
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  unpacked ||= new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  return unpacked;
}

function number(hex) {
  const found = /^(-?)0x([01])\.([0-9a-f]*)p([+-]\d+)$/.exec(hex);
  if (!found) return hex;
  const [, sign, whole, part, power] = found;
  return (sign ? -1 : 1) * parseInt(whole + part, 16) * 2 ** (power - 4 * part.length);
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

async function open(cell) {
  const place = cell.querySelector(".entries");
  if (place.childElementCount) return;
  const found = (await data())?.cells[cell.id];
  if (!found) return;
  const link = element("a", "link to this cell");
  link.href = `#${cell.id}`;
  place.append(element("p", "Again: ", element("code", found.again), " ", link));
  for (const check of found.checks) {
    const head = element("tr", "", ...["entry", "got", "exact", "allowed", "ulp", "got, hex", "exact, hex"].map(word => { const th = element("th", word); th.scope = "col"; return th; }));
    const rows = check.got.map((got, k) => {
      const th = element("th", String(k)); th.scope = "row";
      const [bound, truth] = [check.bound[k], check.truth[k]].map(number);
      const cells = [String(number(got)), String(truth), typeof bound === "number" ? bound.toPrecision(3) : bound, check.ulp[k], got, check.truth[k]];
      return element("tr", "", th, ...cells.map(text => element("td", text)));
    });
    const table = element("table", "", element("caption", check.name + (check.where ? `: ${check.where}` : "")), element("thead", "", head), element("tbody", "", ...rows));
    const wide = element("div", "", table);
    wide.className = "wide"; wide.tabIndex = 0; wide.role = "group"; wide.ariaLabel = `Numbers of ${check.name}`;
    place.append(wide);
  }
  if (found.script) {
    const pre = element("pre", found.script);
    pre.tabIndex = 0;
    place.append(element("details", "", element("summary", "Script: the same number without this suite"), pre));
  }
}

function follow() {
  const cell = document.getElementById(location.hash.slice(1));
  if (cell?.matches("details.cell")) { cell.open = true; cell.scrollIntoView(); }
}

async function graph() {
  const part = document.querySelector(".steps");
  if (!part) return;
  const sources = (await data())?.graph, drawing = part.querySelector(".graph"), controls = part.querySelector(".controls");
  if (!sources) return;
  const who = controls.querySelector("select"), caption = part.querySelector(".caption"), play = controls.querySelector("[name=play]");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const node = name => [...drawing.querySelectorAll(".node")].find(each => each.dataset.name === name);
  let at = 0, timer = 0;
  controls.hidden = false;
  drawing.classList.add("stepped");
  function stop() { clearInterval(timer); timer = 0; play.setAttribute("aria-pressed", "false"); play.textContent = "Play"; }
  function show(step) {
    const frames = sources[who.value];
    at = Math.min(Math.max(step, 0), frames.length - 1);
    drawing.querySelectorAll(".node").forEach(each => each.classList.remove("here"));
    frames.forEach(([name, what, , text], k) => {
      const place = node(name).querySelector(`.${what}`);
      place.textContent = text;
      place.classList.toggle("seen", k < at);
      place.classList.toggle("now", k === at);
      if (k === at) node(name).classList.add("here");
    });
    caption.textContent = `${at + 1} of ${frames.length}: ${frames[at][2]}`;
    if (at === frames.length - 1) stop();
  }
  const steps = { first: () => 0, back: () => at - 1, next: () => at + 1, last: () => Infinity };
  controls.addEventListener("click", event => {
    const name = event.target.name;
    if (name in steps) { stop(); show(steps[name]()); }
    if (name !== "play") return;
    if (timer) { stop(); return; }
    if (at === sources[who.value].length - 1) show(0);
    timer = setInterval(() => show(at + 1), still.matches ? 2500 : 900);
    play.setAttribute("aria-pressed", "true"); play.textContent = "Stop";
  });
  who.addEventListener("change", () => show(at));
  part.addEventListener("keydown", event => {
    const move = { ArrowLeft: "back", ArrowRight: "next", Home: "first", End: "last", Escape: "" }[event.key];
    if (move === undefined || event.target.matches("select")) return;
    event.preventDefault();
    stop();
    if (move) show(steps[move]());
  });
  show(0);
}

filters();
graph();
addEventListener("toggle", event => { if (event.target.matches("details.cell") && event.target.open) open(event.target); }, true);
addEventListener("hashchange", follow);
follow();
