/** Where one writes: completes slash commands, keeps a history, Enter sends, Shift+Enter breaks the line. */

import { explain } from "./api.js";
import { busy, el, freshId, icon, iconButton } from "./dom.js";
import { follow, openMenu, opens } from "./floating.js";
import { me, workspace } from "./workspace.js";

const KEPT = 50;

export class Composer {
  #lines = null;
  #at = 0;
  #active = 0;
  #unfollow = null;

  /**
   * @param options `label`; `placeholder`; `send(text)` resolves to the server's answer; `place` names the draft;
   *                `commands` completes them; `attach(file)` and `shortcut(callback_id)` are left out where they do not belong
   */
  constructor(options) {
    this.options = options;
    const listId = freshId("commands");
    this.input = el("textarea.composer-input", {
      rows: "1", "aria-label": options.label, placeholder: options.placeholder ?? options.label, id: options.id, enterkeyhint: "send",
      "aria-autocomplete": options.commands ? "list" : null, "aria-controls": options.commands ? listId : null,
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event), onblur: () => this.#closeList(), onfocus: () => this.#complete(),
    });
    this.list = el("div.command-list", { role: "listbox", id: listId, "aria-label": "Commands", popover: "manual" });
    this.hint = el("p.composer-hint");
    this.trouble = el("p.composer-trouble", { role: "alert" });
    this.sender = iconButton("send", "Send", { class: "send", onclick: () => this.#send() });
    const picker = options.attach && el("input", { type: "file", multiple: true, hidden: true, "aria-label": "File to share", onchange: () => this.#attach(picker) });
    this.box = el("div.composer-box", {}, this.input,
      el("div.composer-tools", {},
        options.attach && iconButton("clip", "Attach a file", { onclick: () => picker.click() }),
        options.shortcut && iconButton("bolt", "Shortcuts", opens((button) => this.#shortcuts(button))),
        this.hint, picker, this.sender));
    this.node = el("div.composer", {}, this.trouble, this.box, this.list);
    this.input.value = sessionStorage.getItem(this.#draftKey()) ?? "";
    this.#changed();
  }

  focus() {
    this.input.focus();
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  /** Begin a command, as `/` from anywhere does. */
  begin(text) {
    if (!this.input.value) this.input.value = text;
    this.focus();
    this.#changed();
  }

  #draftKey() {
    return `sandbox.draft.${me().id}.${this.options.place}`;
  }

  #historyKey() {
    return `sandbox.history.${me().id}`;
  }

  #history() {
    return JSON.parse(localStorage.getItem(this.#historyKey()) ?? "[]");
  }

  #changed() {
    this.input.style.height = "auto";
    if (this.input.scrollHeight) this.input.style.height = `${Math.min(this.input.scrollHeight, 200)}px`;
    sessionStorage.setItem(this.#draftKey(), this.input.value);
    this.sender.disabled = !this.input.value.trim();
    this.#complete();
  }

  #commands() {
    return this.options.commands ? workspace().commands ?? [] : [];
  }

  #matches() {
    const typed = this.input.value;
    if (!/^\/\S*$/.test(typed)) return [];
    return this.#commands()
      .filter(({ command, description }) => command.startsWith(typed) || (typed.length > 2 && `${command} ${description ?? ""}`.toLowerCase().includes(typed.slice(1).toLowerCase())))
      .sort((one, other) => Number(other.command.startsWith(typed)) - Number(one.command.startsWith(typed)) || one.command.localeCompare(other.command));
  }

  #complete() {
    const [word] = this.input.value.split(/\s/);
    const known = this.#commands().find((each) => each.command === word);
    this.hint.textContent = known && this.input.value !== word
      ? [`${word} ${known.usage_hint ?? ""}`.trim(), known.description].filter(Boolean).join("  —  ")
      : this.options.commands && !this.input.value ? "Type / for commands" : "";
    const matches = this.#matches();
    if (!matches.length || document.activeElement !== this.input) return this.#closeList();
    this.list.replaceChildren(...matches.map((each, at) => el("div.command", {
      role: "option", id: `${this.list.id}-${at}`, onmousedown: (event) => event.preventDefault(), onclick: () => this.#take(each),
    }, el("span.command-name", {}, each.command, each.usage_hint && el("span.command-usage", {}, ` ${each.usage_hint}`)),
    el("span.command-description", {}, each.description ?? ""))));
    if (!this.#unfollow) {
      this.list.showPopover();
      this.#unfollow = () => {};
    }
    this.#unfollow();
    this.#unfollow = follow(this.list, this.box, { sameWidth: true, above: true });
    return this.#activate(0);
  }

  #activate(at) {
    this.#active = at;
    [...this.list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === at));
      if (index === at) option.scrollIntoView({ block: "nearest" });
    });
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${at}`);
  }

  #closeList() {
    this.#unfollow?.();
    this.#unfollow = null;
    if (this.list.matches(":popover-open")) this.list.hidePopover();
    this.input.removeAttribute("aria-activedescendant");
  }

  #take({ command }) {
    this.input.value = `${command} `;
    this.focus();
    this.#changed();
  }

  #key(event) {
    if (event.isComposing) return;
    const { key } = event;
    const matches = this.#unfollow ? this.#matches() : [];
    const exact = matches.some((each) => each.command === this.input.value);
    if (matches.length && (key === "ArrowDown" || key === "ArrowUp")) {
      this.#activate((this.#active + (key === "ArrowDown" ? 1 : -1) + matches.length) % matches.length);
    } else if (matches.length && (key === "Tab" && !event.shiftKey || key === "Enter" && !(exact && this.#active === 0))) {
      this.#take(matches[this.#active]);
    } else if (matches.length && key === "Escape") {
      this.#closeList();
    } else if (key === "Enter" && !event.shiftKey) {
      this.#send();
    } else if (key === "ArrowUp" && (!this.input.value || this.#lines)) {
      this.#recall(1);
    } else if (key === "ArrowDown" && this.#lines) {
      this.#recall(-1);
    } else {
      if (key.length === 1 || key === "Backspace") this.#lines = null;
      return;
    }
    event.preventDefault();
  }

  /** Walk through what was sent before: 1 is one line back. */
  #recall(step) {
    if (!this.#lines) {
      this.#lines = this.#history();
      this.#at = this.#lines.length;
    }
    this.#at = Math.max(0, Math.min(this.#lines.length, this.#at - step));
    this.input.value = this.#lines[this.#at] ?? "";
    if (this.#at === this.#lines.length) this.#lines = null;
    this.#changed();
    this.#closeList();
  }

  #remember(text) {
    const before = this.#history().filter((line) => line !== text);
    localStorage.setItem(this.#historyKey(), JSON.stringify([...before, text].slice(-KEPT)));
    this.#lines = null;
  }

  async #send() {
    const text = this.input.value.trim();
    if (!text) return;
    this.#remember(text);
    this.#say("");
    this.input.value = "";
    this.#changed();
    this.#answered(await busy(this.sender, () => this.options.send(text)) ?? { ok: true }, text);
  }

  /** A failure gives the words back, so that nothing has to be written twice. */
  #answered(answer, text) {
    if (answer.ok) return;
    this.#say(`${text.split(/\s/)[0].startsWith("/") ? `${text.split(/\s/)[0]}: ` : ""}${explain(answer)}`);
    if (this.input.value || !text) return;
    this.input.value = text;
    this.#changed();
    this.#closeList();
  }

  #say(words) {
    this.trouble.replaceChildren(...(words ? [icon("warning"), el("span", {}, words), el("button.text-button", { onclick: () => this.#say("") }, "Hide")] : []));
  }

  /** Share files, each in a message of its own. */
  async share(files) {
    for (const file of files) this.#answered(await this.options.attach(file), "");
  }

  async #attach(picker) {
    await this.share([...picker.files]);
    picker.value = "";
  }

  #shortcuts(button) {
    const shortcuts = (workspace().shortcuts ?? []).filter((each) => each.type === "global");
    openMenu(button, "Shortcuts", shortcuts.map((each) => ({
      label: each.name, hint: each.description,
      run: async () => this.#answered(await this.options.shortcut(each.callback_id), ""),
    })), { above: true });
  }
}
