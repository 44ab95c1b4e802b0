/** Build DOM nodes; text only ever becomes a text node. */

/** `el("button.primary", {onclick}, "Send")`; a property of null, undefined or false is left out. A button sends no form unless told. */
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  node.classList.add(...classes);
  if (name === "button") node.type = "button";
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.classList.add(...value.split(" ").filter(Boolean));
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") node[key] = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

let last = 0;

/** An id no other node of the page has. */
export const freshId = (prefix) => `${prefix}-${++last}`;

/** What only a screen reader says. */
export const unseen = (text) => el("span.unseen", {}, text);

const SHAPES = {
  again: ["M19 12a7 7 0 1 1-2.2-5.1M17 3v4.2h-4.2"],
  back: ["M15 5l-7 7 7 7"],
  bolt: ["M13 3L5 14h6l-1 7 8-11h-6l1-7z"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  clip: ["M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L10 17a1.7 1.7 0 0 1-2.4-2.4l7.4-7.4"],
  close: ["M6 6l12 12M18 6L6 18"],
  down: ["M6 9l6 6 6-6"],
  download: ["M12 4v11M7 10.5l5 5 5-5M5 20h14"],
  file: ["M7 3h7l5 5v13H7zM14 3v5h5"],
  link: ["M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"],
  lock: ["M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  more: ["M5.5 12h.01M12 12h.01M18.5 12h.01"],
  reply: ["M20 12a7.5 7.5 0 0 1-11 6.6L4 20l1.4-4.6A7.5 7.5 0 1 1 20 12z"],
  search: ["M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5"],
  send: ["M4 12L20 4.5 15.5 20l-4-6.5zM11.5 13.5L20 4.5"],
  shield: ["M12 3l7.5 3v5.5c0 4.5-3 7.8-7.5 9.5-4.5-1.7-7.5-5-7.5-9.5V6zM8.5 12l2.5 2.5 4.5-5"],
  theme: ["M12 4a8 8 0 1 0 0 16z", "M12 4a8 8 0 0 1 0 16"],
  warning: ["M12 4l9 16H3zM12 10v4.5M12 17.2v.1"],
};

/** A line drawing that says nothing by itself: the control around it carries the words. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  for (const shape of SHAPES[name]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

/** A button that is only a drawing, with the words a screen reader and a tool tip say. */
export const iconButton = (name, label, properties = {}) =>
  el("button.icon-button", { "aria-label": label, title: label, ...properties }, icon(name));

/** What went wrong, said beside where it did. */
export const trouble = (words) => el("p.trouble", { role: "alert" }, icon("warning"), words);

/** Show a spinner on `node` when `work` takes longer than a blink (150 ms); a second start meanwhile is refused. */
export async function busy(node, work) {
  if (node.getAttribute("aria-disabled") === "true") return undefined;
  node.setAttribute("aria-disabled", "true");
  const timer = setTimeout(() => node.classList.add("busy"), 150);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    node.classList.remove("busy");
    node.removeAttribute("aria-disabled");
  }
}
