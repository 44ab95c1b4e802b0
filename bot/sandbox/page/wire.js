/** The side pane's *Wire*: every exchange of the app's with the workspace and with Partner Center, newest first. */

import { get } from "./api.js";
import { el } from "./dom.js";
import { filterField } from "./pane.js";
import { moment } from "./workspace.js";

const KEPT = 300;

export class Wire {
  title = "Wire";
  subtitle = "All that is said to the app and by it";
  #rows = new Map();
  #late = null;

  constructor() {
    const { node, input } = filterField("Filter by any text", () => this.refresh());
    this.filter = input;
    this.summary = el("p.summary", { role: "status" });
    this.list = el("ul", { "aria-label": "Exchanges", onkeydown: (event) => this.#step(event) });
    this.empty = el("p.empty");
    this.node = el("div.pane-body", {}, node, el("div.pane-scroll", { tabindex: "0", role: "region", "aria-label": "Exchanges" }, this.summary, this.list, this.empty));
  }

  /** The sandbox keeps far more than is listed. */
  async refresh() {
    const late = (this.#late = []);
    const { exchanges = [] } = await get("wire", { text: this.#wanted });
    if (late !== this.#late) return;
    this.#late = null;
    this.#rows.clear();
    this.list.replaceChildren();
    for (const exchange of [...exchanges, ...late]) this.#add(exchange);
    this.#tell();
  }

  focus() {
    this.filter.focus();
  }

  put(exchange) {
    this.#late?.push(exchange);
    this.#add(exchange);
    this.#tell();
  }

  get #wanted() {
    return this.filter.value.trim().toLocaleLowerCase();
  }

  #add(exchange) {
    const { id, at, direction, method, ms, status } = exchange;
    const text = `${direction} ${method} ${status} ${JSON.stringify([exchange.request, exchange.response])}`;
    if (this.#rows.has(id) || !text.toLocaleLowerCase().includes(this.#wanted)) return;
    const failed = !/^(ok|ack|[23]\d\d)$/.test(status);
    const facts = `${direction} · ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms · ${moment(at, { timeStyle: "medium" })}`;
    const row = el("details.exchange", { ontoggle: () => row.open && !row.querySelector("pre") && row.append(...this.#bodies(exchange)) },
      el("summary", {}, el("span.exchange-method", { title: method }, method),
        el("span.status", { class: failed ? "bad" : "good" }, failed ? `${status} !` : status), el("span.exchange-facts", {}, facts)));
    this.#rows.set(id, el("li", {}, row));
    this.list.prepend(this.#rows.get(id));
    for (const [old, node] of this.#rows) {
      if (this.#rows.size <= KEPT) break;
      this.#rows.delete(old);
      node.remove();
    }
  }

  #bodies({ request, response }) {
    const body = (title, value) => [el("h3", {}, title), value === "" || value === null
      ? el("p.summary", {}, "Empty")
      : el("pre", { tabindex: "0" }, el("code", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)))];
    return [...body("Request", request), ...body("Answer", response)];
  }

  #tell() {
    const { size } = this.#rows;
    this.summary.textContent = size ? `The latest ${size}${this.#wanted && " that fit"}; open one to read it` : "";
    this.empty.textContent = this.#wanted ? "Nothing fits. Try chat.postMessage or a customer's name." : "Nothing yet. Type /csp help in a channel, and see here what is said for it.";
    this.empty.hidden = size > 0;
  }

  #step(event) {
    const rows = [...this.list.querySelectorAll("summary")];
    const to = rows.indexOf(event.target) + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0);
    if (!event.target.matches("summary") || !event.key.startsWith("Arrow") || !rows[to]) return;
    event.preventDefault();
    rows[to].focus();
  }
}
