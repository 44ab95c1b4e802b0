/** Ask before something is done: Block Kit's confirm object as a small dialog. */

import { el, freshId } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** Resolves to true when the person agrees. Focus starts on the way out, and returns to where it was. */
export function agreed(confirm) {
  return new Promise((resolve) => {
    const title = freshId("confirm");
    const text = freshId("confirm");
    const yes = el(`button.button.${confirm.style === "danger" ? "danger" : "primary"}`, { value: "yes" }, ...textObject(confirm.confirm ?? "Yes"));
    const no = el("button.button", { value: "no", autofocus: true }, ...textObject(confirm.deny ?? "Cancel"));
    const dialog = el("dialog.confirm", { role: "alertdialog", "aria-labelledby": title, "aria-describedby": text },
      el("form", { method: "dialog" },
        el("h2", { id: title }, ...textObject(confirm.title ?? "Are you sure?")),
        el("div.text", { id: text }, ...textObject(confirm.text)),
        el("footer", {}, no, yes)));
    for (const button of [yes, no]) {
      button.addEventListener("click", (event) => {
        event.preventDefault(); // the page's policy lets no form be sent, not even to its own dialog
        dialog.close(button.value);
      });
    }
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
