/** The side pane: one guest at a time, with its title and the way out. */

import { el, icon, iconButton } from "./dom.js";

/** A field that filters what a guest lists. */
export function filterField(words, changed) {
  const input = el("input.input", { type: "search", placeholder: words, "aria-label": "Filter", autocomplete: "off", oninput: changed });
  return { input, node: el("div.pane-filter", {}, icon("search"), input) };
}

export class Pane {
  #returnTo = null;

  /** @param close called when the reader wants it gone */
  constructor(node, close) {
    this.node = node;
    this.guest = null;
    node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && !event.target.matches("input[type=search]:not(:placeholder-shown), .menu *")) close();
    });
    this.close = close;
  }

  /** Show a guest: an object with `title`, `subtitle`, `node`, `refresh()` and `focus()`. */
  async show(guest, takeFocus) {
    if (!this.guest) this.#returnTo = document.activeElement;
    this.guest = guest;
    this.node.hidden = false;
    this.node.setAttribute("aria-label", guest.title);
    document.body.classList.add("with-pane");
    const subtitle = el("p.topic", {}, guest.subtitle ?? "");
    this.node.replaceChildren(
      el("header.pane-head", {}, el("div.conversation-title", {}, el("h2", {}, guest.title), subtitle), iconButton("close", "Close pane", { onclick: this.close })),
      guest.node);
    await guest.refresh();
    subtitle.textContent = guest.subtitle ?? "";
    if (takeFocus && this.guest === guest) guest.focus();
  }

  hide() {
    if (!this.guest) return;
    const inside = this.node.contains(document.activeElement);
    this.guest = null;
    this.node.hidden = true;
    this.node.replaceChildren();
    document.body.classList.remove("with-pane");
    if (inside && this.#returnTo?.isConnected) this.#returnTo.focus();
  }
}
