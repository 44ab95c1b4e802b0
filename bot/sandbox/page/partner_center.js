/** The side pane's *Partner Center*: customers and subscriptions as the stand-in holds them. */

import { explain, get, post } from "./api.js";
import { el, freshId, icon, iconButton } from "./dom.js";
import { openMenu } from "./floating.js";
import { clockTime, moment, now } from "./workspace.js";

const FRESH = 60_000; // milliseconds a change stays marked
const LINES = 12;

/** Status → [tone, sign]: a state is never told by its colour alone. */
const TONES = { active: ["good", "●"], pending: ["waiting", "◐"], suspended: ["bad", "❚❚"], expired: ["quiet", "○"], deleted: ["quiet", "✕"], disabled: ["quiet", "✕"] };

const words = (text) => String(text ?? "").replace(/[_-]/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

function when(at) {
  const seconds = typeof at === "number" ? at : Date.parse(at) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
}

const status = (value) => {
  const [tone, sign] = TONES[words(value)] ?? ["quiet", "○"];
  return el("span.status", { class: tone }, el("span", { "aria-hidden": "true" }, `${sign} `), words(value));
};

export class PartnerCenter {
  title = "Partner Center";
  #before = null;
  #changes = new Map();
  #timer = null;
  #again = null;

  constructor() {
    const id = freshId("filter");
    this.filter = el("input.input", { type: "search", id, placeholder: "Filter customers and subscriptions", "aria-label": "Filter", autocomplete: "off", oninput: () => this.#draw() });
    this.summary = el("p.summary", { role: "status" });
    this.changed = el("div.just-changed", { role: "status" });
    this.customers = el("div.customers");
    this.lines = el("ol.log-lines", { "aria-label": "Newest requests" });
    this.node = el("div.partner-center", {},
      el("div.pane-filter", {}, icon("search"), this.filter),
      el("div.pane-scroll", { tabindex: "0", role: "region", "aria-label": "Customers" }, this.changed, this.summary, this.customers,
        el("details.requests", { open: true }, el("summary", {}, "Newest requests"), this.lines)));
  }

  /** Its state changed: fetch it once for a burst of changes. */
  stale() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), 150);
  }

  async refresh() {
    const answer = await get("partner-center");
    if (!answer.ok) {
      this.customers.replaceChildren(el("p.empty", {}, "No Partner Center stands behind this workspace. `backstop demo` brings one."));
      return;
    }
    this.snapshot = answer;
    this.subtitle = `What Microsoft's side holds (cloud: ${answer.cloud})`;
    this.#compare();
    this.#draw();
  }

  focus() {
    this.filter.focus();
  }

  #compare() {
    const seen = new Map();
    for (const customer of this.snapshot.customers) {
      for (const subscription of customer.subscriptions) {
        const key = `${customer.id}/${subscription.id}`;
        const state = `${subscription.status} · ${subscription.quantity}`;
        seen.set(key, state);
        const before = this.#before?.get(key);
        const at = when(subscription.changed_at);
        if (this.#before && before !== state) this.#changes.set(key, { customer, subscription, before: before?.split(" · ")[0], at: Date.now() });
        else if (!this.#before && at && now() - at * 1000 < FRESH && now() >= at * 1000) this.#changes.set(key, { customer, subscription, at: Date.now() });
      }
    }
    this.#before = seen;
  }

  #recent() {
    for (const [key, { at }] of this.#changes) if (Date.now() - at > FRESH) this.#changes.delete(key);
    clearTimeout(this.#again);
    if (this.#changes.size) this.#again = setTimeout(() => this.#draw(), FRESH / 4);
    return [...this.#changes.values()].toReversed();
  }

  #draw() {
    if (!this.snapshot) return;
    const recent = this.#recent();
    this.changed.replaceChildren(...(recent.length ? [el("h3", {}, "Just changed"), el("ul", {}, ...recent.slice(0, 5).map(({ customer, subscription, before }) =>
      el("li", {}, el("strong", {}, customer.name), ` · ${subscription.name} `, el("span.change", {}, before && before !== subscription.status ? [status(before), " → "] : [], status(subscription.status)))))] : []));
    const text = this.filter.value.trim().toLocaleLowerCase();
    const fits = (...values) => values.some((value) => String(value ?? "").toLocaleLowerCase().includes(text));
    const shown = this.snapshot.customers.map((customer) => {
      const all = !text || fits(customer.name, customer.domain, customer.id);
      return { customer, subscriptions: customer.subscriptions.filter((each) => all || fits(each.name, each.id, words(each.status), each.offer_id)), all };
    }).filter(({ subscriptions, all }) => all || subscriptions.length);
    const total = this.snapshot.customers.length;
    this.summary.textContent = text ? `${shown.length} of ${total} customers` : `${total} ${total === 1 ? "customer" : "customers"}`;
    const acted = document.activeElement?.dataset.subscription;
    this.customers.replaceChildren(...shown.map(({ customer, subscriptions }) => this.#customer(customer, subscriptions)));
    if (acted) this.customers.querySelector(`[data-subscription="${CSS.escape(acted)}"]`)?.focus();
    if (!shown.length) this.customers.append(el("p.empty", {}, "Nothing fits this filter. Try a part of a name, a domain, or a status such as suspended."));
    this.lines.replaceChildren(...(this.snapshot.log ?? []).slice(-LINES).toReversed().map((line) => this.#line(line)));
    if (!this.snapshot.log?.length) this.lines.replaceChildren(el("li.quiet-line", {}, "None yet."));
  }

  #customer(customer, subscriptions) {
    const id = freshId("customer");
    return el("section.customer", { "aria-labelledby": id },
      el("h3", { id }, customer.name),
      el("p.customer-note", {}, [customer.domain, words(customer.relationship)].filter(Boolean).join(" · ")),
      subscriptions.length
        ? el("ul", {}, ...subscriptions.map((each) => this.#subscription(customer, each)))
        : el("p.customer-note", {}, "No subscriptions"));
  }

  #subscription(customer, each) {
    const fresh = this.#changes.has(`${customer.id}/${each.id}`);
    const end = when(each.term_end);
    const notes = [
      each.quantity !== undefined && each.quantity !== null && `${each.quantity} ${each.quantity === 1 ? "seat" : "seats"}`,
      each.kind && words(each.kind), each.is_trial && "trial", each.parent_id && "add-on",
      end && `to ${moment(end, { dateStyle: "medium" })}`,
      each.suspension_reasons?.length && each.suspension_reasons.map(words).join(", "),
    ].filter(Boolean);
    return el("li.subscription", { class: fresh ? "fresh" : "" },
      el("span.subscription-name", {}, each.name, fresh && el("span.fresh-mark", {}, "changed")),
      status(each.status),
      el("span.subscription-note", {}, notes.join(" · ")), this.#outside(each));
  }

  /** What somebody in Microsoft's own portal might do meanwhile. */
  #outside({ id, name, status: now }) {
    const action = { active: "suspend", suspended: "resume" }[now];
    const label = action && `${action === "suspend" ? "Suspend" : "Resume"} outside Backstop`;
    return action && iconButton("more", `${name}: ${label}`, {
      "aria-haspopup": "menu", "aria-expanded": "false", data: { subscription: id },
      onclick: (event) => openMenu(event.currentTarget, name, [{
        label, hint: "As somebody in Microsoft's portal might",
        run: async () => {
          const answer = await post("partner-center", { action, subscription_id: id });
          if (!answer.ok) this.summary.textContent = explain(answer);
        },
      }], { end: true }),
    });
  }

  #line({ at, method, path, status: code }) {
    const seconds = when(at);
    return el("li.log-line", { class: code >= 400 ? "failed" : "" },
      el("span.log-time", {}, seconds ? clockTime(seconds) : ""), el("span.log-method", {}, method),
      el("span.log-path", { title: path }, path), el("span.log-status", {}, code >= 400 ? `${code} !` : String(code)));
  }
}
