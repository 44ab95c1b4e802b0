/** Drop files on a part of the page to share them there; the paper clip does the same from the keyboard. */

import { el, icon } from "./dom.js";

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Make `node` take files: while some are held over it it says `words`, and what is dropped goes to `share(files)`. */
export function takeFiles(node, words, share) {
  const veil = el("div.drop-veil", { "aria-hidden": "true", hidden: true }, icon("file"), el("span", {}, words));
  let depth = 0; // entering a child is told before leaving its parent
  const show = (shown) => {
    veil.hidden = !shown;
    if (!shown) depth = 0;
  };
  const on = (name, act) => node.addEventListener(name, (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    act(event);
  });
  on("dragenter", () => {
    depth += 1;
    show(true);
  });
  on("dragover", (event) => { event.dataTransfer.dropEffect = "copy"; });
  on("dragleave", () => {
    depth -= 1;
    if (depth <= 0) show(false);
  });
  on("drop", (event) => {
    show(false);
    share([...event.dataTransfer.files]);
  });
  node.classList.add("takes-files");
  node.append(veil);
}
