/** The column at the left: channels, direct messages, and who one is. */

import { el, icon, unseen } from "./dom.js";
import { avatar } from "./message.js";
import { themeSwitch } from "./theme.js";
import { channelSlug, channelTitle, me, person, workspace } from "./workspace.js";

export class Rail {
  /** @param options `switchTo(person)` when another person is to be played, `chosen()` when a place was chosen */
  constructor(node, options) {
    this.node = node;
    this.options = options;
    this.theme = themeSwitch();
  }

  draw() {
    const { workspace: team, channels, people } = workspace();
    const of = (kind) => channels.filter((each) => each.kind === kind);
    const select = el("select.person-select", { id: "you-are", onchange: () => this.options.switchTo(people.find((each) => each.handle === select.value)) },
      ...people.filter((each) => !each.is_bot).map((each) =>
        el("option", { value: each.handle }, `${each.name.split(" ")[0]} · ${each.role}`)));
    select.value = me().handle;
    const focused = this.node.contains(document.activeElement);
    this.node.replaceChildren(
      el("header.rail-head", {}, el("span.workspace-name", {}, team.name)),
      el("div.rail-scroll", {},
        this.#list("Channels", of("channel")),
        this.#list("Direct messages", of("dm"))),
      el("footer.rail-foot", {},
        el("label.rail-title", { for: "you-are" }, "You are"),
        el("div.person-switch", {}, avatar({ ...me(), app: false }), select),
        this.theme));
    if (focused) select.focus();
  }

  #list(title, channels) {
    return el("section", { "aria-label": title }, el("h2.rail-title", {}, title),
      el("ul", {}, ...channels.map((each) => el("li", {}, this.#link(each)))));
  }

  #link(each) {
    const unread = each.unread ?? 0;
    const mark = each.kind === "dm" ? avatar({ id: each.with, name: channelTitle(each), app: Boolean(person(each.with)?.is_bot) }) : el("span.hash", { "aria-hidden": "true" }, "#");
    return el("a.rail-link", {
      href: `#${channelSlug(each)}`, class: unread ? "has-unread" : "", data: { channel: each.id },
      "aria-current": each.id === this.open ? "page" : null, onclick: () => this.options.chosen(),
    }, mark, el("span.rail-name", {}, each.kind === "dm" ? channelTitle(each) : each.name),
    unread > 0 && el("span.badge", {}, unread > 99 ? "99+" : String(unread), unseen(" unread")));
  }

  /** Draw again what is known of one channel. */
  refresh(channelId) {
    const link = this.node.querySelector(`[data-channel="${CSS.escape(channelId)}"]`);
    const each = workspace().channels.find((channel) => channel.id === channelId);
    if (!link || !each) return;
    const focused = link === document.activeElement;
    const fresh = this.#link(each);
    link.replaceWith(fresh);
    if (focused) fresh.focus();
  }

  mark(channelId) {
    const before = this.open;
    this.open = channelId;
    if (before) this.refresh(before);
    this.refresh(channelId);
  }
}

/** What stands above the conversation while something is broken. */
export const notice = (words) => el("p.notice", { role: "status" }, icon("warning"), el("span", {}, words));
