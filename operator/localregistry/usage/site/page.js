// The page of a registry. Text reaches the document by textContent alone, never as markup, and
// nobody but the server that sent this file is asked.

const REFRESH = 30_000;
const RETRY = 5_000;
const TYPING = 200;

const at = (id) => document.getElementById(id);
// What the browser reached the registry by is what images are named by.
const host = location.host;
const asked = new URLSearchParams(location.search);
const state = {
  search: asked.get("search") ?? "",
  order: asked.get("order") === "pushed" ? "pushed" : "name",
  start: /^\d{1,9}$/.test(asked.get("start") ?? "") ? asked.get("start") : "0",
};
const open = new Set();
let shown = "";
let answered = null;
let question = 0;
let timer = 0;

function make(name, options = {}, ...children) {
  const { text, ...rest } = options;
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(rest)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

function size(bytes) {
  if (bytes === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value >= 99.95 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function ago(seconds) {
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [30.44, "day"], [12, "month"]];
  let value = Date.now() / 1000 - seconds;
  let name = "year";
  for (const [many, unit] of steps) {
    if (Math.abs(value) < many) { name = unit; break; }
    value /= many;
  }
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.round(value), name);
}

// Registries are often reached by plain http, where browsers have no navigator.clipboard.
async function copy(text, code) {
  let done = false;
  if (window.isSecureContext && navigator.clipboard) {
    done = await navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  if (!done) {
    const field = make("textarea", { class: "unseen", readonly: "", "aria-hidden": "true" });
    const before = document.activeElement;
    field.value = text;
    document.body.append(field);
    field.focus({ preventScroll: true });
    field.select();
    try { done = document.execCommand("copy"); } catch { done = false; }
    field.remove();
    before?.focus();
  }
  if (!done) getSelection().selectAllChildren(code);
  return done;
}

function copier(text, label, code) {
  const button = make("button", { type: "button", "aria-label": `Copy ${label}`, text: "Copy" });
  button.addEventListener("click", async () => {
    const done = await copy(text, code);
    at("said").textContent = done ? `Copied ${label}` : "It could not be copied: select it instead";
    button.textContent = done ? "Copied" : "Select it";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

function command(text, label) {
  const code = make("code", { text });
  return make("div", { class: "command" }, code, copier(text, label, code));
}

async function ask(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, {
    cache: "no-store", signal: AbortSignal.timeout(10_000), redirect: "error",
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

function row(tag) {
  const name = `${tag.repository}:${tag.tag}`;
  const pull = `docker pull ${host}/${name}`;
  const many = tag.platforms > 1 ? ` × ${tag.platforms}` : "";
  const inner = make("tr", { class: "inner", hidden: "" }, make("td", { colspan: "5" }));
  const more = make("button", { type: "button", "aria-expanded": "false", text: "Details" });
  more.setAttribute("aria-label", `Details of ${name}`);
  const toggle = (visible) => {
    more.setAttribute("aria-expanded", `${visible}`);
    inner.hidden = !visible;
    if (visible) open.add(name); else open.delete(name);
    if (visible) details(tag, inner.firstChild);
  };
  more.addEventListener("click", () => toggle(inner.hidden));
  const image = make("code", {}, `${tag.repository}:`, make("span", { class: "tag", text: tag.tag }));
  const copying = copier(pull, `the pull command of ${name}`, image);
  copying.title = pull;
  const pushed = new Date(tag.pushed * 1000);
  const line = make("tr", {},
    make("th", { scope: "row" }, image),
    make("td", { class: "number", text: size(tag.size) }),
    make("td", { class: "number", text: tag.layers === undefined ? "–" : `${tag.layers}${many}` }),
    make("td", { class: "when" },
      make("time", { datetime: pushed.toISOString(), title: pushed.toLocaleString(), text: ago(tag.pushed) })),
    make("td", { class: "actions" }, copying, more));
  if (many) line.children[2].title = `${tag.layers} layers for ${tag.platforms} platforms`;
  if (open.has(name)) toggle(true);
  return [line, inner];
}

async function details(tag, cell) {
  const name = `${tag.repository}:${tag.tag}`;
  cell.replaceChildren(command(`docker pull ${host}/${name}`, "the pull command"));
  if (tag.digest) {
    cell.append(command(`${host}/${tag.repository}@${tag.digest}`, "the image by its digest, for a pod"));
  }
  try {
    const image = await ask("image", { repository: tag.repository, tag: tag.tag });
    for (const one of image.platforms) {
      const list = make("ol", {}, ...one.layers.map(([digest, bytes]) =>
        make("li", {}, make("code", { text: digest }), make("span", { text: ` ${size(bytes)}` }))));
      cell.append(make("h3", { text: one.name ? `Layers of ${one.name}` : "Layers" }), list);
    }
    if (!image.complete) cell.append(make("p", { text: "Not all of it is shown: some is not on the volume, or too long." }));
  } catch {
    cell.append(make("p", { text: "Its layers cannot be read now." }));
  }
}

function show(found) {
  at("repositories").textContent = found.repositories.toLocaleString("en");
  at("total").textContent = found.total.toLocaleString("en");
  at("nodes").textContent = found.nodes ? `${found.nodes.ready} of ${found.nodes.desired}` : "not known";
  at("cut").hidden = found.complete;
  const last = found.start + found.tags.length;
  const range = `${(found.start + 1).toLocaleString("en")} to ${last.toLocaleString("en")}`;
  let count = `${range} of ${found.matching.toLocaleString("en")}`;
  if (found.total === 0) count = "Nothing has been pushed yet. Push an image by the commands above.";
  else if (found.matching === 0) count = "No image matches.";
  // Said again by screen readers only where it is another.
  if (at("count").textContent !== count) at("count").textContent = count;
  at("table").hidden = found.tags.length === 0;
  at("screens").hidden = found.matching <= found.screen;
  at("screen").textContent = `${Math.floor(found.start / found.screen) + 1} of ${Math.ceil(found.matching / found.screen)}`;
  at("previous").disabled = found.start === 0;
  at("next").disabled = last >= found.matching;
  state.start = `${found.start}`;
  state.screen = found.screen;
  // Rows stay as they are, focus and open details with them, until there is something new.
  const text = JSON.stringify(found.tags);
  if (text !== shown) at("rows").replaceChildren(...found.tags.flatMap(row));
  shown = text;
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++question;
  const { search, order, start } = state;
  let again = REFRESH;
  try {
    const found = await ask("tags", { search, order, start });
    if (mine !== question) return; // something else was asked meanwhile
    show(found);
    answered = new Date();
    at("problem").hidden = true;
  } catch (error) {
    if (mine !== question) return;
    const old = answered ? ` What is shown is of ${answered.toLocaleTimeString()}.` : "";
    const words = `The registry does not answer${/^\d+$/.test(error.message) ? ` (${error.message})` : ""}.${old} This page goes on trying.`;
    if (at("problem").hidden || at("problem").textContent !== words) at("problem").textContent = words;
    at("problem").hidden = false;
    again = RETRY;
  }
  if (!document.hidden) timer = setTimeout(refresh, again);
}

function go(change) {
  Object.assign(state, change);
  const kept = new URLSearchParams();
  if (state.search) kept.set("search", state.search);
  if (state.order !== "name") kept.set("order", state.order);
  if (state.start !== "0") kept.set("start", state.start);
  history.replaceState(null, "", `${location.pathname}${`${kept}` && `?${kept}`}`);
  return refresh();
}

at("host").textContent = host;
document.title = `${host} – registry`;
at("push").append(
  command(`docker tag IMAGE ${host}/IMAGE`, "the tag command"),
  command(`docker push ${host}/IMAGE`, "the push command"),
);
at("search").value = state.search;
at("order").value = state.order;
let typing = 0;
at("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ search: at("search").value, start: "0" }), TYPING);
});
at("order").addEventListener("change", () => go({ order: at("order").value, start: "0" }));
at("find").addEventListener("submit", (event) => event.preventDefault());
at("previous").addEventListener("click", () => go({ start: `${Math.max(0, Number(state.start) - state.screen)}` }));
at("next").addEventListener("click", () => go({ start: `${Number(state.start) + state.screen}` }));
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
