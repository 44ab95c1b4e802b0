/** The side pane's *Partner Center*: customers and subscriptions as the stand-in holds them, and what goes wrong there. */

import { explain, get, post } from "./api.js";
import { el, freshId, iconButton } from "./dom.js";
import { openMenu, opens } from "./floating.js";
import { filterField } from "./pane.js";
import { moment, now } from "./workspace.js";

const FRESH = 60_000; // milliseconds a change stays marked

/** Status → [tone, sign]: a state is never told by its colour alone. */
const TONES = { active: ["good", "●"], pending: ["waiting", "◐"], suspended: ["bad", "❚❚"], deleted: ["quiet", "✕"], disabled: ["quiet", "✕"] };

const words = (text) => String(text ?? "").replace(/[_-]/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

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

  /** @param troubled called when a fault was switched on or off */
  constructor(troubled) {
    this.troubled = troubled;
    const { node, input } = filterField("Filter customers and subscriptions", () => this.#draw());
    this.filter = input;
    this.summary = el("p.summary", { role: "status" });
    this.said = el("p.summary", { role: "status" });
    this.changed = el("div.just-changed", { role: "status" });
    this.customers = el("div.customers");
    this.faults = el("div.choices", { role: "group", "aria-label": "Faults" });
    this.node = el("div.pane-body", {}, node,
      el("div.pane-scroll", { tabindex: "0", role: "region", "aria-label": "Customers" },
        el("details.faults", {}, el("summary", {}, "Let something go wrong"), this.faults), this.said, this.changed, this.summary, this.customers));
  }

  /** The names of the faults that are on. */
  get troubles() {
    return (this.snapshot?.faults ?? []).filter((each) => each.on).map((each) => each.title);
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
    this.#drawFaults();
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
        const age = now() - Date.parse(subscription.changed_at ?? "");
        if (before !== state && age < FRESH) this.#changes.set(key, { customer, subscription, before: before?.split(" · ")[0], at: Date.now() });
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
    if (this.customers.querySelector(".menu")) return void (this.#again = setTimeout(() => this.#draw(), 500)); // somebody chooses just now
    this.changed.replaceChildren(...(recent.length ? [el("h3", {}, "Just changed"), el("ul", {}, ...recent.slice(0, 5).map(({ customer, subscription, before }) =>
      el("li", {}, el("strong", {}, customer.name), ` · ${subscription.name} `, el("span.change", {}, before && before !== subscription.status ? [status(before), " → "] : [], status(subscription.status)))))] : []));
    const text = this.filter.value.trim().toLocaleLowerCase();
    const fits = (...values) => values.some((value) => String(value ?? "").toLocaleLowerCase().includes(text));
    const shown = this.snapshot.customers.map((customer) => {
      const all = !text || fits(customer.name, customer.domain, customer.id);
      return { customer, subscriptions: customer.subscriptions.filter((each) => all || fits(each.name, each.id, words(each.status), each.offer_id)), all };
    }).filter(({ subscriptions, all }) => all || subscriptions.length);
    const total = this.snapshot.customers.length;
    this.summary.textContent = `${text ? `${shown.length} of ` : ""}${total} ${total === 1 ? "customer" : "customers"}`;
    const acted = document.activeElement?.dataset.about;
    this.customers.replaceChildren(...shown.map(({ customer, subscriptions }) => this.#customer(customer, subscriptions)));
    if (acted) this.customers.querySelector(`[data-about="${CSS.escape(acted)}"]`)?.focus();
    if (!shown.length) this.customers.append(el("p.empty", {}, "Nothing fits this filter. Try a part of a name, a domain, or a status such as suspended."));
  }

  #drawFaults() {
    const focused = document.activeElement?.dataset.fault;
    this.faults.replaceChildren(...this.snapshot.faults.map(({ name, title, hint, on }) => el("label.choice", {},
      el("input", { type: "checkbox", checked: on, data: { fault: name }, onchange: (event) => this.#act({ action: "fault", name, on: event.target.checked }) }),
      el("span", {}, title), el("span.choice-note", {}, hint))));
    if (focused) this.faults.querySelector(`[data-fault="${focused}"]`)?.focus();
    this.troubled();
  }

  #customer(customer, subscriptions) {
    const id = freshId("customer");
    const owed = this.snapshot.owed?.[customer.id];
    const items = [
      owed && { label: "Customer pays", hint: `${owed}: the books have it at once`, run: () => this.#act({ action: "pay", customer_id: customer.id }, `${customer.name} has paid ${owed}.`) },
      { label: "Place a burst of orders", hint: "As a thief of an admin's account would", run: () => this.#act({ action: "order", customer_id: customer.id }) },
    ];
    return el("section.customer", { "aria-labelledby": id },
      el("h3", { id }, customer.name), this.#menu(customer, "pay or order", items),
      el("p.customer-note", {}, [customer.domain, words(customer.relationship), owed && `owes ${owed}`].filter(Boolean).join(" · ")),
      subscriptions.length
        ? el("ul", {}, ...subscriptions.map((each) => this.#subscription(customer, each)))
        : el("p.customer-note", {}, "No subscriptions"));
  }

  #subscription(customer, each) {
    const fresh = this.#changes.has(`${customer.id}/${each.id}`);
    const notes = [
      each.quantity !== null && `${each.quantity} ${each.quantity === 1 ? "seat" : "seats"}`,
      each.kind && words(each.kind), each.is_trial && "trial", each.parent_id && "add-on",
      each.term_end && `to ${moment(Date.parse(each.term_end) / 1000, { dateStyle: "medium" })}`,
      each.suspension_reasons?.length && each.suspension_reasons.map(words).join(", "),
    ].filter(Boolean);
    const action = { active: "suspend", suspended: "resume" }[each.status];
    const label = `${action === "suspend" ? "Suspend" : "Resume"} outside Backstop`;
    return el("li.subscription", { class: fresh ? "fresh" : "" },
      el("span.subscription-name", {}, each.name, fresh && el("span.fresh-mark", {}, "changed")),
      status(each.status),
      el("span.subscription-note", {}, notes.join(" · ")),
      action && this.#menu(each, label, [{ label, hint: "As somebody in Microsoft's portal might", run: () => this.#act({ action, subscription_id: each.id }) }]));
  }

  /** What may happen to a customer or a subscription without the app. */
  #menu({ id, name }, label, items) {
    const menu = opens((button) => openMenu(button, name, items.filter(Boolean), { end: true }));
    return iconButton("more", `${name}: ${label}`, { data: { about: id }, ...menu });
  }

  async #act(what, done = "") {
    const answer = await post("partner-center", what);
    this.said.textContent = answer.ok ? done : explain(answer);
  }
}
