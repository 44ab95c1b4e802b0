/** The bar above all: what time it is in the sandbox, and what puts its clock forward. */

import { explain, post } from "./api.js";
import { agreed } from "./confirm.js";
import { busy, el, icon } from "./dom.js";
import { moment, now, workspace } from "./workspace.js";

const STEPS = { hour: "+1\u00a0h", day: "+1\u00a0day", digest: "Next digest" };
const FORWARD = { hour: "by an hour", day: "by a day", digest: "to the next digest" };

export class ClockBar {
  #moves = 0;

  constructor(node) {
    this.node = node;
    this.date = el("span");
    this.time = el("span");
    this.said = el("span.clock-said", { role: "status" });
    this.steps = Object.entries(STEPS).map(([to, label]) => el("button.button", {
      title: `Put the clock forward ${FORWARD[to]}`, onclick: (event) => this.#move(event.currentTarget, to),
    }, label));
    this.again = el("button.button", { "aria-label": "Start over", onclick: () => this.#startOver() }, icon("again"), el("span", {}, "Start over"));
    node.append(el("time.clock-now", { role: "timer", "aria-label": "The sandbox's clock" }, this.date, " ", this.time), this.said, ...this.steps, this.again);
    setInterval(() => this.tick(), 1000);
  }

  tick() {
    if (!workspace()) return;
    for (const button of [...this.steps, this.again]) button.hidden = !workspace().moves;
    const seconds = now() / 1000;
    this.date.textContent = moment(seconds, { weekday: "short", day: "numeric", month: "short" });
    this.time.textContent = moment(seconds, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
  }

  async #move(button, to) {
    this.#moves++;
    this.said.textContent = "Time passes…";
    const answer = await busy(button, () => post("clock", { to })) ?? { ok: true };
    this.#moves--;
    if (!this.#moves || !answer.ok) this.said.textContent = answer.ok ? "" : explain(answer);
  }

  async #startOver() {
    const yes = await agreed({
      title: "Start over?", style: "danger", confirm: "Start over",
      text: "Everything that happened in the sandbox is forgotten: messages, requests, the audit trail, the books and what Partner Center holds. The clock shows the real time again.",
    });
    if (!yes) return;
    const answer = await post("clock", { to: "start" });
    this.said.textContent = answer.ok ? "Starting over…" : explain(answer);
  }
}
