/** A list of messages in order of time, with days between, that stays at its end while one reads there. */

import { el } from "./dom.js";
import { MessageView, keyOf } from "./message.js";
import { author, dayTitle, sameDay } from "./workspace.js";

const TOGETHER = 300; // seconds within which the same author's messages share one head
const DISMISSED = "sandbox.dismissed";

const dismissed = () => new Set(JSON.parse(sessionStorage.getItem(DISMISSED) ?? "[]"));

export class Log {
  #views = new Map();
  #newFrom = null;
  #dividers = new Map();

  /** @param options `label`, `channel` id, `openThread`, `earlier()` loads what came before, `empty` nodes for an empty place */
  constructor(options) {
    this.options = options;
    this.list = el("div.log", { role: "log", "aria-label": options.label });
    this.earlier = el("button.button.earlier", { hidden: true, onclick: () => options.earlier?.() }, "Show earlier messages");
    this.jump = el("button.jump", { hidden: true, onclick: () => this.toEnd() }, "New messages ↓");
    this.scroller = el("div.log-scroller", { tabindex: "0", "aria-label": options.label, role: "region", onscroll: () => {
      this.stick = this.atEnd();
      if (this.stick) this.jump.hidden = true;
    } }, this.earlier, this.list);
    this.node = el("div.log-frame", {}, this.scroller, this.jump);
    this.stick = true;
    const observer = new ResizeObserver(() => this.stick && this.toEnd());
    observer.observe(this.list);
    observer.observe(this.scroller);
  }

  get oldest() {
    return this.#ordered().find((view) => !view.message.ephemeral)?.message.ts;
  }

  atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < 40;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.stick = true;
  }

  /** Go to the end, or to where the new messages begin when they are more than fits. */
  toNew() {
    this.toEnd();
    const mark = this.list.querySelector(".new-divider");
    if (!mark || mark.getBoundingClientRect().top >= this.scroller.getBoundingClientRect().top) return;
    mark.scrollIntoView();
    this.stick = false;
  }

  /**
   * Show these messages, oldest first; before the last `unread` of them stands *New*. What is known from before
   * or after them stays: older ones were asked for, newer ones came while these were fetched.
   */
  show(messages, { more = false, unread = 0 } = {}) {
    this.#quietly();
    const gone = dismissed();
    const shown = messages.filter((message) => !(message.ephemeral && gone.has(keyOf(message))));
    const keys = new Set(shown.map(keyOf));
    const [first, last] = [messages[0]?.ts, messages.at(-1)?.ts];
    const kept = this.oldest < first;
    for (const [key, view] of this.#views) {
      if (!keys.has(key) && view.message.ts >= first && view.message.ts <= last) this.#drop(key, view);
    }
    for (const message of shown) this.#put(message);
    if (unread) this.#newFrom = shown[Math.max(shown.length - unread, 0)]?.ts ?? null;
    if (!kept) this.earlier.hidden = !more;
    this.#arrange();
  }

  /** Put older messages above without moving what is being read. */
  prepend(messages, more) {
    this.#quietly();
    const { scrollHeight, scrollTop } = this.scroller;
    for (const message of messages) this.#put(message);
    this.earlier.hidden = !more;
    this.#arrange();
    this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight;
  }

  /** A message came or changed; returns whether it is new here. */
  put(message) {
    const stick = this.atEnd();
    const fresh = !this.#views.has(keyOf(message));
    const view = this.#put(message);
    if (fresh) view.node.classList.add("arriving");
    this.#arrange();
    if (stick) this.toEnd();
    else if (fresh) this.jump.hidden = false;
    return fresh;
  }

  has(ts) {
    return this.#views.has(ts);
  }

  remove(message) {
    for (const key of [keyOf(message), message.ts, `${message.ts}-ephemeral`]) if (this.#views.has(key)) this.#drop(key, this.#views.get(key));
    this.#arrange();
  }

  /** Go to one message and mark it for a while. */
  reveal(ts) {
    const view = this.#views.get(ts);
    if (!view) return;
    this.stick = false;
    view.node.scrollIntoView({ block: "center" });
    view.node.classList.add("revealed");
    view.node.addEventListener("animationend", () => view.node.classList.remove("revealed"), { once: true });
  }

  /** A log is read out as it grows; what is only fetched is not news. */
  #quietly() {
    this.list.setAttribute("aria-live", "off");
    clearTimeout(this.loud);
    this.loud = setTimeout(() => this.list.setAttribute("aria-live", "polite"), 500);
  }

  #put(message) {
    const known = this.#views.get(keyOf(message));
    if (known) {
      known.update(message);
      return known;
    }
    const view = new MessageView(message, { ...this.options, dismiss: (each) => this.#dismiss(each) });
    this.#views.set(keyOf(message), view);
    return view;
  }

  #drop(key, view) {
    const focused = view.node.contains(document.activeElement);
    view.node.remove();
    this.#views.delete(key);
    if (focused) this.scroller.focus();
  }

  #dismiss(message) {
    sessionStorage.setItem(DISMISSED, JSON.stringify([...dismissed(), keyOf(message)].slice(-500)));
    this.remove(message);
  }

  #ordered() {
    return [...this.#views.values()].sort((one, other) => (one.message.ts < other.message.ts ? -1 : 1));
  }

  #arrange() {
    const wanted = [];
    let before = null;
    for (const view of this.#ordered()) {
      const { message } = view;
      const at = Number(message.ts);
      const newDay = !before || !sameDay(Number(before.ts), at);
      const newHere = message.ts === this.#newFrom;
      if (newDay) wanted.push(this.#divider("day", dayTitle(at)));
      if (newHere) wanted.push(this.#divider("new", "New"));
      view.node.classList.toggle("follow", !newDay && !newHere && !message.ephemeral && !before.ephemeral
        && author(before).id === author(message).id && at - Number(before.ts) < TOGETHER);
      wanted.push(view.node);
      before = message;
    }
    if (!wanted.length && this.options.empty) wanted.push(this.options.empty());
    for (const node of [...this.list.children]) if (!wanted.includes(node)) node.remove();
    // Only what is out of place is moved: moving a node takes the focus from it.
    wanted.forEach((node, at) => {
      if (this.list.children[at] !== node) this.list.insertBefore(node, this.list.children[at] ?? null);
    });
  }

  /** The same node each time: a new one would be read out again. */
  #divider(kind, words) {
    if (!this.#dividers.has(words)) {
      this.#dividers.set(words, el("div.divider", { class: `${kind}-divider`, role: "separator", "aria-label": words }, el("span", {}, words)));
    }
    return this.#dividers.get(words);
  }
}
