/** The app's own page in the workspace: its Home tab. */

import { explain, post } from "./api.js";
import { Blocks } from "./blocks.js";
import { el } from "./dom.js";
import { me, workspace } from "./workspace.js";

export class Home {
  #view = null;
  #who = null;
  #blocks = null;

  constructor() {
    this.node = el("section.home", { tabindex: "0", "aria-label": "Home" });
  }

  /** Tell the app that its Home tab is looked at, and show what it publishes. */
  async open() {
    if (this.#who !== me().id) {
      this.#who = me().id;
      this.#view = null;
      this.#blocks = null;
      this.node.replaceChildren(el("p.empty", { role: "status" }, "Loading…"));
    }
    const answer = await post("home");
    if (answer.view) this.show(answer.view);
    else if (!this.#view) this.#empty(answer);
  }

  show(view) {
    if (!this.#blocks) {
      this.#blocks = new Blocks({
        act: (action) => post("click", { view_id: this.#view.id, action, state: { values: this.#blocks.values() } }),
        suggest: (query) => post("suggest", { view_id: this.#view.id, ...query }),
      });
      this.node.replaceChildren(this.#blocks.node);
    }
    this.#view = view;
    this.#blocks.update(view.blocks ?? [], view.state?.values);
  }

  #empty(answer) {
    const { app } = workspace();
    this.node.replaceChildren(el("div.empty", {}, el("h2", {}, `${app.name} has not written its Home yet`),
      el("p", {}, answer.ok ? "It may still be working on it: what it publishes appears here at once." : explain(answer))));
  }
}
