/** One message: who, when, blocks or text, files, replies, and what can be done with it. */

import { fileUrl, post, explain } from "./api.js";
import { Blocks } from "./blocks.js";
import { el, icon, iconButton, trouble, unseen } from "./dom.js";
import { openMenu, opens } from "./floating.js";
import { mrkdwn } from "./mrkdwn.js";
import { author, channel, channelSlug, clockTime, fullTime, workspace } from "./workspace.js";

/** What tells one message of a channel from all others there. */
export const keyOf = (message) => `${message.ts}${message.ephemeral ? "-ephemeral" : ""}`;

const hue = (id) => [...(id ?? "")].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 6, 0);

/** The square with a person's initials, or the app's shield. */
export function avatar({ id, name, app }) {
  const words = name.replace(/\(.*\)/, "").trim().split(/\s+/);
  const initials = (words[0]?.[0] ?? "?") + (words.length > 1 ? words.at(-1)[0] : "");
  return el("span.avatar", { class: app ? "of-app" : `hue-${hue(id)}`, "aria-hidden": "true" }, app ? icon("shield") : initials.toUpperCase());
}

function fileSize(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const step = bytes ? Math.min(Math.floor(Math.log10(bytes) / 3), 3) : 0;
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: step ? 1 : 0 }).format(bytes / 1000 ** step)} ${units[step]}`;
}

function fileCard(file) {
  const name = file.title || file.name;
  const kind = file.name === name ? name.split(".").at(-1).toUpperCase() : file.name;
  const picture = file.mimetype?.startsWith("image/") && el("img.file-picture", { src: fileUrl(file.id), alt: file.alt_txt ?? name });
  return el("div.file", {}, picture,
    el("div.file-card", {},
      el("span.file-icon", {}, icon("file")),
      el("span.file-words", {}, el("span.file-name", {}, name), el("span.file-size", {}, `${kind} · ${fileSize(file.size ?? 0)}`)),
      el("a.icon-button", { href: fileUrl(file.id), download: file.name ?? "", "aria-label": `Download ${name}`, title: `Download ${name}` }, icon("download"))));
}

export class MessageView {
  #blocks = null;

  /** @param options `channel` id, `openThread(ts)` (left out inside a thread), `dismiss(message)` */
  constructor(message, options) {
    this.options = options;
    this.node = el("article.message", { tabindex: "-1" });
    this.content = el("div.message-body");
    this.update(message);
  }

  update(message) {
    this.message = message;
    const { name } = author(message);
    const time = clockTime(Number(message.ts));
    this.node.classList.toggle("ephemeral", Boolean(message.ephemeral));
    this.node.dataset.ts = message.ts;
    this.node.setAttribute("aria-label", `${name}, ${time}${message.ephemeral ? ", only visible to you" : ""}`);
    // The blocks stay in the document over an update, so that whoever is at work in them keeps the focus.
    if (!this.#blocks) {
      this.#blocks = new Blocks({ act: (action) => this.#act(action), suggest: (query) => this.#suggest(query) });
      this.content.append(this.#blocks.node);
      this.node.append(el("div.gutter", {}, avatar(author(message)), el("span.gutter-time", { "aria-hidden": "true" }, time)), this.content);
      this.node.append(this.#toolbar());
    }
    const { node } = this.#blocks;
    for (const other of [...this.content.children]) if (other !== node) other.remove();
    node.before(...this.#before(name, time));
    this.#blocks.update(message.blocks ?? []);
    node.hidden = !message.blocks?.length;
    node.after(...this.#after());
  }

  #before(name, time) {
    const { message } = this;
    return [
      message.ephemeral && el("div.only-you", {}, icon("lock"), el("span", {}, "Only visible to you"),
        el("button.text-button", { onclick: () => this.options.dismiss(message) }, "Dismiss", unseen(" this message"))),
      el("header.message-head", {}, el("strong.name", {}, name), author(message).app && el("span.app-mark", {}, "APP"),
        el("a.time", { href: this.#address(), title: fullTime(Number(message.ts)) }, el("time", { datetime: new Date(Number(message.ts) * 1000).toISOString() }, time))),
      !message.blocks?.length && message.text && el("div.text", {}, ...mrkdwn(message.text)),
    ].filter(Boolean);
  }

  #after() {
    const { message, options } = this;
    const replies = message.reply_count ?? 0;
    return [
      message.edited && el("span.edited", {}, "(edited)"),
      message.files?.length && el("div.files", {}, ...message.files.map(fileCard)),
      replies > 0 && options.openThread && el("button.replies", { onclick: () => options.openThread(message.ts) },
        icon("reply"), replies === 1 ? "1 reply" : `${replies} replies`,
        message.latest_reply && el("span.replies-last", {}, `last at ${clockTime(Number(message.latest_reply))}`)),
    ].filter(Boolean);
  }

  #address() {
    return `#${channelSlug(channel(this.options.channel))}/${this.message.ts}`;
  }

  #toolbar() {
    const { ephemeral } = this.message;
    const reply = this.options.openThread && !ephemeral
      && iconButton("reply", "Reply in thread", { onclick: () => this.options.openThread(this.message.thread_ts ?? this.message.ts) });
    const more = !ephemeral && iconButton("more", "More actions", opens((button) => this.#menu(button)));
    return el("div.toolbar", { role: "group", "aria-label": "Message actions" }, reply, more);
  }

  #menu(button) {
    const shortcuts = (workspace().shortcuts ?? []).filter((each) => each.type === "message");
    openMenu(button, "More actions", [
      ...shortcuts.map((each) => ({
        label: each.name, hint: workspace().app.name,
        run: () => this.#tell(post("shortcut", { callback_id: each.callback_id, channel: this.options.channel, ts: this.message.ts })),
      })),
      { label: "Copy link", run: () => navigator.clipboard?.writeText(new URL(this.#address(), location.href).href) },
    ], { end: true });
  }

  async #tell(request) {
    const answer = await request;
    if (!answer.ok) this.content.append(trouble(explain(answer)));
  }

  #act(action) {
    const { ts, ephemeral } = this.message;
    return post("click", { channel: this.options.channel, ts, ephemeral: Boolean(ephemeral), action, state: { values: this.#blocks.values() } });
  }

  #suggest(query) {
    return post("suggest", { channel: this.options.channel, ts: this.message.ts, ...query });
  }
}
