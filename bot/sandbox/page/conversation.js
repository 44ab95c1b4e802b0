/** The middle column: one channel or direct message with its messages and its composer. */

import { get, post, upload } from "./api.js";
import { Composer } from "./composer.js";
import { el, iconButton } from "./dom.js";
import { takeFiles } from "./dropzone.js";
import { Home } from "./home.js";
import { Log } from "./log.js";
import { mrkdwn, typed } from "./mrkdwn.js";
import { notice } from "./rail.js";
import { botChannel, channel, channelSlug, channelTitle, me, workspace } from "./workspace.js";

/** A reply lives in its thread, unless it was also sent to the channel. */
const belongs = (message) => !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast" || message.reply_broadcast;

export class Conversation {
  #tried = null;

  /** @param options `back()`, `openThread(ts)`, `togglePane(name)`, `read(channelId)` */
  constructor(node, options) {
    this.node = node;
    this.options = options;
    this.notices = el("div.notices");
    this.home = new Home();
  }

  get isReading() {
    return this.tab === "messages" && document.visibilityState === "visible";
  }

  /** Draw everything anew. */
  again() {
    const { channelId, tab } = this;
    this.channelId = null;
    return this.open(channelId, { tab });
  }

  /** Open a channel; `ts` is the message to go to, `tab` "home" the app's own page. */
  async open(channelId, { ts = null, tab = "messages" } = {}) {
    const again = this.channelId === channelId && this.who === me().id;
    if (!again) {
      this.channelId = channelId;
      this.who = me().id;
      this.#draw();
      this.#tried = this.#load(true);
    }
    this.#show(tab);
    if (again) this.markRead();
    await this.#tried;
    if (ts && !this.log.has(ts)) await this.#load(false, ts);
    if (ts) this.log.reveal(ts);
  }

  #draw() {
    const place = channel(this.channelId);
    const title = channelTitle(place);
    const { home_tab: hasHome } = workspace().app;
    this.log = new Log({
      label: `Messages in ${title}`, channel: place.id, openThread: this.options.openThread,
      earlier: () => this.#earlier(), empty: () => this.#empty(place),
    });
    this.composer = new Composer({
      id: "composer", label: `Message ${title}`, place: place.id, commands: true,
      send: (text) => text.startsWith("/") ? post("command", { channel: place.id, text }) : post("say", { channel: place.id, text: typed(text) }),
      attach: (file) => upload(place.id, file),
      shortcut: (callback) => post("shortcut", { callback_id: callback }),
    });
    this.messages = el("div.messages", { id: "messages-panel" }, this.log.node, this.composer.node);
    takeFiles(this.messages, `Drop to share with ${title}`, (files) => {
      this.log.toEnd();
      this.composer.share(files);
    });
    const tab = (name, label) => el("a.tab", { href: `#${channelSlug(place)}${name === "home" ? "/home" : ""}`, data: { tab: name } }, label);
    this.paneButtons = Object.entries({ "partner-center": "Partner Center", wire: "Wire" }).map(([name, words]) =>
      el("button.button", { "aria-pressed": "false", data: { pane: name }, onclick: () => this.options.togglePane(name) }, words));
    this.tabs = place === botChannel() && hasHome ? el("nav.tabs", { "aria-label": `${title} tabs` }, tab("messages", "Messages"), tab("home", "Home")) : null;
    this.node.replaceChildren(
      el("header.conversation-head", {},
        iconButton("back", "Back to channels", { class: "only-narrow", onclick: this.options.back }),
        el("div.conversation-title", {}, el("h1", {}, title), place.topic && el("p.topic", {}, ...mrkdwn(place.topic))),
        el("div.conversation-tools", {}, ...this.paneButtons)),
      ...(this.tabs ? [this.tabs] : []), this.notices, this.messages);
    document.title = `${title} · Sandbox workspace`;
  }

  #show(asked) {
    const tab = this.tabs ? asked : "messages";
    this.tab = tab;
    for (const link of this.tabs?.children ?? []) {
      if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const wanted = tab === "home" ? this.home.node : this.messages;
    const other = tab === "home" ? this.messages : this.home.node;
    other.remove();
    if (!wanted.isConnected) this.node.append(wanted);
    if (tab === "home") this.home.open();
    else this.log.stick && this.log.toEnd();
  }

  #empty(place) {
    const title = channelTitle(place);
    const commands = workspace().commands ?? [];
    return el("div.empty", {}, el("h2", {}, place.kind === "dm" ? `This is the beginning of your messages with ${title}` : `Nothing in ${title} yet`),
      el("p", {}, commands.length ? "Type / in the field below to see what the app can do, for example " : "Write something in the field below.",
        commands.length ? el("code", {}, commands[0].command) : ""));
  }

  async #load(first, before) {
    const id = this.channelId;
    const { log } = this;
    const answer = await get("messages", { channel: id, before: before && `${Number(before.split(".")[0]) + 60}.000000` });
    if (log !== this.log) return;
    if (!answer.ok) {
      if (first) this.#tried = null;
      return;
    }
    const messages = answer.messages.filter(belongs);
    if (before) log.prepend(messages, answer.more);
    else log.show(messages, { more: answer.more, unread: first ? channel(id)?.unread ?? 0 : 0 });
    if (first && log.stick) log.toNew();
    this.markRead();
  }

  async #earlier() {
    const { log } = this;
    const answer = await get("messages", { channel: this.channelId, before: log.oldest });
    if (answer.ok) log.prepend(answer.messages.filter(belongs), answer.more);
  }

  /** Fetch again what is shown: after a broken stream, or when a thread grew. */
  refresh() {
    return this.#load(false);
  }

  /** A message came or changed here. */
  put(message) {
    if (belongs(message) && this.log.put(message)) this.markRead();
  }

  remove(message) {
    this.log.remove(message);
  }

  markRead() {
    if (this.isReading) this.options.read(this.channelId);
  }

  /** Say what is broken, or nothing. */
  warn(words) {
    this.notices.replaceChildren(...words.map(notice));
  }

  showPane(name) {
    for (const button of this.paneButtons) button.setAttribute("aria-pressed", String(button.dataset.pane === name));
  }
}
