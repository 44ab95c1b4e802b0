/** Modals: the stack of views the app opened for this person, in one native dialog. */

import { explain, post } from "./api.js";
import { Blocks } from "./blocks.js";
import { busy, el, freshId, icon, iconButton } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** One view of the stack with all that was typed into it. */
class ViewPanel {
  constructor(view, close) {
    this.close = close;
    this.titleId = freshId("title");
    this.blocks = new Blocks({
      act: (action) => post("click", { view_id: this.view.id, action, state: { values: this.blocks.values() } }),
      suggest: (query) => post("suggest", { view_id: this.view.id, ...query }),
    });
    this.title = el("h2", { id: this.titleId });
    this.back = iconButton("back", "Back", { onclick: () => close("top") });
    this.banner = el("div.banner", { role: "alert" });
    this.body = el("div.view-body", { tabindex: "-1" }, this.blocks.node);
    this.cancel = el("button.button", { onclick: () => close("top") });
    this.submit = el("button.button.primary", { type: "submit" });
    this.node = el("form.view", { novalidate: true, onsubmit: (event) => {
      event.preventDefault();
      this.#submit();
    } },
    el("header.view-head", {}, this.back, this.title, iconButton("close", "Leave", { onclick: () => close("all") })),
    this.banner, this.body, el("footer.view-foot", {}, this.cancel, this.submit));
    this.update(view);
  }

  update(view) {
    const hadFocus = this.body.contains(document.activeElement);
    const waiting = document.activeElement === this.body;
    const fresh = !this.view || this.view.hash !== view.hash;
    this.view = view;
    this.title.replaceChildren(...textObject(view.title));
    this.cancel.replaceChildren(...(view.close ? textObject(view.close) : ["Cancel"]));
    this.submit.replaceChildren(...(view.submit ? textObject(view.submit) : ["Submit"]));
    this.submit.hidden = !view.submit && !view.blocks.some((block) => block.type === "input");
    if (fresh) this.#say([]);
    this.blocks.update(view.blocks, view.state?.values);
    if (fresh) this.blocks.showErrors({});
    if (waiting) this.focus();
    else if (hadFocus && !this.body.contains(document.activeElement)) this.body.focus();
  }

  /** Go to the first thing to fill in; a view without any is waited in. */
  focus() {
    const wanted = this.body.querySelector("[autofocus]") ?? this.body.querySelector(".input-block :is(input, textarea)") ?? this.body;
    wanted.focus({ preventScroll: true });
  }

  async #submit() {
    this.#say([]);
    this.blocks.showErrors({});
    const answer = await busy(this.submit, () => post("submit", { view_id: this.view.id, state: { values: this.blocks.values() } }));
    if (!answer) return;
    if (answer.response_action === "errors") this.#say(this.blocks.showErrors(answer.errors ?? {}));
    else if (!answer.ok) {
      this.#say([answer.error === "timeout"
        ? "We had trouble connecting: the app did not respond. What you entered is still here. Try again?"
        : explain(answer)]);
    }
  }

  #say(lines) {
    this.banner.replaceChildren(...lines.map((line) => el("p", {}, icon("warning"), el("span", {}, line))));
  }
}

export class Modal {
  #panels = [];

  constructor() {
    this.node = el("dialog.modal", { oncancel: (event) => {
      event.preventDefault(); // Chromium closes at once; the app is asked first and its stack decides
      this.#close("top");
    } });
    document.body.append(this.node);
  }

  get isOpen() {
    return this.node.open;
  }

  /** Show this stack of views; the last is on top. */
  show(stack) {
    const known = new Map(this.#panels.map((panel) => [panel.view.id, panel]));
    const depth = this.#panels.length;
    const before = this.#panels.at(-1);
    this.#panels = stack.map((view) => {
      const panel = known.get(view.id);
      if (!panel) return new ViewPanel(view, (which) => this.#close(which));
      panel.update(view);
      return panel;
    });
    const top = this.#panels.at(-1);
    if (!top) {
      this.node.replaceChildren();
      if (this.node.open) this.node.close();
      return;
    }
    top.back.hidden = stack.length < 2;
    if (top === before) return;
    top.node.classList.remove("forward", "backward");
    if (before) top.node.classList.add(stack.length >= depth ? "forward" : "backward");
    this.node.replaceChildren(top.node);
    this.node.setAttribute("aria-labelledby", top.titleId);
    if (!this.node.open) this.node.showModal();
    top.focus();
  }

  /** Ask the server to close the top view, or all of them; the stack it sends back is what counts. */
  async #close(which) {
    const top = this.#panels.at(-1);
    if (top) await post("close", { view_id: top.view.id, all: which === "all" });
  }
}

