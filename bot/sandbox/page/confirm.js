/** Ask before something is done: Block Kit's confirm object as a small dialog. */

import { el, freshId } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** Resolves to true when the person agrees. Focus starts on the way out, and returns to where it was. */
export function agreed(confirm) {
  return new Promise((resolve) => {
    const title = freshId("confirm");
    const text = freshId("confirm");
    const choice = (style, value, words) => el(`button.button${style}`, { autofocus: value === "no", onclick: () => dialog.close(value) }, ...textObject(words));
    const dialog = el("dialog.confirm", { role: "alertdialog", "aria-labelledby": title, "aria-describedby": text },
      el("h2", { id: title }, ...textObject(confirm.title ?? "Are you sure?")),
      el("div.text", { id: text }, ...textObject(confirm.text)),
      el("footer", {}, choice("", "no", confirm.deny ?? "Cancel"), choice(confirm.style === "danger" ? ".danger" : ".primary", "yes", confirm.confirm ?? "Yes")));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
