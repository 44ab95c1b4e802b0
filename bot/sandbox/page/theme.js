/** Light or dark: as the system says, until the reader says otherwise. */

import { el, icon } from "./dom.js";

const KEPT = "sandbox.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

const current = () => localStorage.getItem(KEPT) ?? (dark.matches ? "dark" : "light");

/** Put the kept choice in force. */
export function applyTheme() {
  document.documentElement.dataset.theme = current();
}

/** The switch; it names what a press will do. */
export function themeSwitch() {
  const words = el("span");
  const button = el("button.rail-button", { onclick: () => {
    const next = current() === "dark" ? "light" : "dark";
    localStorage.setItem(KEPT, next);
    show();
  } }, icon("theme"), words);
  const show = () => {
    applyTheme();
    words.textContent = current() === "dark" ? "Light colours" : "Dark colours";
  };
  dark.addEventListener("change", show);
  show();
  return button;
}
