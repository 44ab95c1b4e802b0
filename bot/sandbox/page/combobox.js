/** One choice or several from a list, with type-ahead: the ARIA combobox behind every select. */

import { el, freshId, icon, iconButton } from "./dom.js";
import { follow } from "./floating.js";
import { spoken } from "./mrkdwn.js";

const PAUSE = 150;
const optionText = (option) => spoken(option.text.text);

/**
 * @param source  `async (text) => {options} | {option_groups} | {error}`; asked anew for each text
 * @param remote  the app answers: wait for a pause in typing, say *Searching…*
 * @param least   letters needed before the app is asked
 * @param chosen  the options chosen at first
 * @param changed called with the list of chosen options
 */
export function combobox({ attributes, placeholder, source, remote = false, least = 0, many = false, most, clearable, chosen, changed }) {
  const listId = freshId("list");
  let picked = [...chosen];
  let shown = [];
  let active = -1;
  let asked = 0;
  let timer = null;
  let unfollow = null;

  const input = el("input.input", {
    type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder, "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": listId, ...attributes,
  });
  const note = el("div.combo-note", { role: "status" });
  const listbox = el("div", { role: "listbox", id: listId, "aria-label": placeholder || "Choices", "aria-multiselectable": many });
  const popup = el("div.combo-popup", { popover: "manual" }, note, listbox);
  const clear = iconButton("close", "Clear", { class: "combo-clear", hidden: true, onclick: () => {
    pick([]);
    input.focus();
  } });
  const chips = el("ul.chips", { "aria-label": "Chosen", hidden: true });
  const node = el("div.combo", {}, many && chips, el("div.combo-field", {}, input, clear, icon("down")), popup);
  const isOpen = () => popup.matches(":popover-open");

  function settle() {
    input.value = many || !picked.length ? "" : optionText(picked[0]);
    clear.hidden = many || !clearable || !picked.length;
    chips.hidden = !picked.length;
    chips.replaceChildren(...picked.map((option) => el("li.chip", {}, optionText(option),
      iconButton("close", `Remove ${optionText(option)}`, { onclick: () => {
        pick(picked.filter((each) => each.value !== option.value));
        input.focus();
      } }))));
  }

  function pick(options) {
    picked = options;
    settle();
    changed([...picked]);
  }

  function activate(index) {
    active = index;
    listbox.querySelectorAll("[role=option]").forEach((option, at) => {
      option.classList.toggle("active", at === index);
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${listId}-${index}`);
  }

  function choose(option) {
    if (!many) {
      close();
      pick([option]);
      return;
    }
    const has = picked.some((each) => each.value === option.value);
    if (!has && most && picked.length >= most) return say(`At most ${most} can be chosen.`);
    pick(has ? picked.filter((each) => each.value !== option.value) : [...picked, option]);
    input.value = "";
    ask();
  }

  function draw(groups) {
    shown = groups.flatMap((group) => group.options);
    let at = 0;
    listbox.replaceChildren(...groups.map((group) => {
      const title = group.label && el("div.combo-group", { id: freshId("group"), role: "presentation" }, spoken(group.label.text));
      const options = group.options.map((option) => {
        const selected = picked.some((each) => each.value === option.value);
        return el("div.combo-option", {
          role: "option", id: `${listId}-${at++}`, "aria-selected": String(selected),
          onclick: () => choose(option), onmousedown: (event) => event.preventDefault(),
        }, el("span", {}, optionText(option)), option.description && el("span.combo-description", {}, spoken(option.description.text)),
        icon("check"));
      });
      return el("div", { role: title ? "group" : "presentation", "aria-labelledby": title?.id }, title, ...options);
    }));
    const current = shown.findIndex((option) => picked.some((each) => each.value === option.value));
    activate(shown.length ? Math.max(current, 0) : -1);
  }

  function say(words) {
    note.textContent = words;
    note.hidden = !words;
    if (isOpen()) {
      unfollow?.();
      unfollow = follow(popup, node.querySelector(".combo-field"), { sameWidth: true });
    }
  }

  async function search(text) {
    const turn = ++asked;
    const answer = await source(text);
    if (turn !== asked || !isOpen()) return;
    const groups = answer.option_groups ?? [{ options: answer.options ?? [] }];
    draw(groups.filter((group) => group.options.length));
    say(answer.error ?? (shown.length ? "" : "No match"));
  }

  function ask(text = "") {
    clearTimeout(timer);
    asked++;
    if (text.length < least) {
      draw([]);
      say(least === 1 ? "Type to search" : `Type at least ${least} letters to search`);
    } else if (remote) {
      draw([]);
      say("Searching…");
      timer = setTimeout(search, text ? PAUSE : 0, text);
    } else search(text);
  }

  function open() {
    if (isOpen()) return;
    popup.showPopover();
    input.setAttribute("aria-expanded", "true");
    unfollow = follow(popup, node.querySelector(".combo-field"), { sameWidth: true });
    ask(many ? input.value : "");
  }

  function close() {
    clearTimeout(timer);
    asked++;
    unfollow?.();
    if (isOpen()) popup.hidePopover();
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  input.addEventListener("click", () => {
    open();
    input.select();
  });
  input.addEventListener("input", () => {
    open();
    ask(input.value.trim());
  });
  input.addEventListener("blur", () => {
    close();
    if (clearable && !many && !input.value.trim() && picked.length) pick([]);
    settle();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen()) {
      event.preventDefault();
      event.stopPropagation();
      close();
      settle();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen()) open();
      else if (shown.length) activate((active + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length);
    } else if (event.key === "Enter" && isOpen()) {
      event.preventDefault();
      if (shown[active]) choose(shown[active]);
    } else if (event.key === "Backspace" && many && !input.value && picked.length) {
      pick(picked.slice(0, -1));
    }
  });

  settle();
  return { node, control: input };
}

/** A source that searches in options known beforehand. */
export function among({ options, option_groups: groups }) {
  const fits = (text) => (option) => optionText(option).toLocaleLowerCase().includes(text.toLocaleLowerCase());
  return async (text) => groups
    ? { option_groups: groups.map((group) => ({ ...group, options: group.options.filter(fits(text)) })) }
    : { options: (options ?? []).filter(fits(text)) };
}
