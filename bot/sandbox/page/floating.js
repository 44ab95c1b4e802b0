/** Hang something over the page beside its anchor: lists of choices and menus, in the top layer, above dialogs too. */

import { el, freshId } from "./dom.js";

const GAP = 4;

/** Put `panel` below `anchor`, or above it where there is more room, and keep it inside the window. */
function place(panel, anchor, { sameWidth = false, above = false, end = false } = {}) {
  const box = anchor.getBoundingClientRect();
  if (sameWidth) panel.style.width = `${box.width}px`;
  const room = { below: innerHeight - box.bottom - GAP * 2, above: box.top - GAP * 2 };
  panel.style.maxHeight = "";
  const wanted = panel.scrollHeight + 2;
  const up = above ? room.above > 120 : wanted > room.below && room.above > room.below;
  const height = Math.min(wanted, 320, up ? room.above : room.below);
  panel.style.maxHeight = `${height}px`;
  panel.style.top = `${up ? box.top - GAP - height : box.bottom + GAP}px`;
  const left = end ? box.right - panel.offsetWidth : box.left;
  panel.style.left = `${Math.max(GAP, Math.min(left, innerWidth - panel.offsetWidth - GAP))}px`;
}

/** Keep `panel` beside its anchor while things scroll or the window changes; returns what ends it. */
export function follow(panel, anchor, options) {
  const again = (event) => event?.target !== panel && place(panel, anchor, options);
  again();
  addEventListener("scroll", again, { capture: true, passive: true });
  addEventListener("resize", again);
  return () => {
    removeEventListener("scroll", again, { capture: true });
    removeEventListener("resize", again);
  };
}

/** What a button needs that opens a menu. */
export const opens = (menu) => ({ "aria-haspopup": "menu", "aria-expanded": "false", onclick: (event) => menu(event.currentTarget) });

/** Open a menu at `button`: `items` are `{label, hint?, run}`. Arrows move, Esc closes and gives the focus back. */
export function openMenu(button, title, items, options = {}) {
  const menu = el("div.menu", { role: "menu", "aria-label": title, popover: "auto", id: freshId("menu") });
  const buttons = items.map(({ label, hint, run }) =>
    el("button.menu-item", { role: "menuitem", tabindex: "-1", onclick: () => {
      menu.hidePopover();
      run();
    } }, el("span", {}, label), hint && el("span.menu-hint", {}, hint)));
  menu.append(el("div.menu-title", { "aria-hidden": "true" }, title), ...buttons);
  if (!buttons.length) menu.append(el("div.menu-note", {}, "Nothing here: the app registered none."));
  const move = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length)?.focus();
  };
  menu.addEventListener("keydown", move);
  button.after(menu);
  button.setAttribute("aria-expanded", "true");
  menu.showPopover();
  const unfollow = follow(menu, button, options);
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    unfollow();
    button.setAttribute("aria-expanded", "false");
    if (menu.contains(document.activeElement) || document.activeElement === document.body) button.focus();
    menu.remove();
  });
  (buttons[0] ?? menu).focus();
}
