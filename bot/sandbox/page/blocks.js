/** Block Kit's blocks as DOM: https://docs.slack.dev/reference/block-kit/blocks */

import { explain, fileUrl } from "./api.js";
import { el, freshId, icon, trouble } from "./dom.js";
import { drawElement, holdsValue, initialValue } from "./elements.js";
import { spoken, textObject } from "./mrkdwn.js";

const picked = (value) => value.selected_options ?? (value.selected_option ? [value.selected_option] : []);

/** An image, or its words where it cannot be loaded: the page's policy loads none from elsewhere. */
function image(source, className) {
  const url = source.image_url ?? (source.slack_file?.id ? fileUrl(source.slack_file.id) : source.slack_file?.url);
  return el("img", {
    class: className, src: url, alt: source.alt_text ?? "",
    onerror: (event) => event.target.replaceWith(el("span.no-image", { class: className, role: "img", "aria-label": source.alt_text }, source.alt_text ?? "Image")),
  });
}

/** The option kept from before an update, unless it is offered no more. */
function stillOffered(element, value) {
  const options = element.options ?? element.option_groups?.flatMap((group) => group.options);
  return !options || picked(value).every((each) => options.some((option) => option.value === each.value));
}

/**
 * A list of blocks that can be replaced while somebody works in it: what did not change stays untouched,
 * what was typed survives for the same block_id and action_id, and so does the focus.
 */
export class Blocks {
  #drawn = new Map();
  #values = new Map();
  #told = {};
  #blocks = [];

  /**
   * @param host `act(action)` and `suggest(query)` talk to the app and resolve to its answer
   */
  constructor(host) {
    this.host = host;
    this.node = el("div.blocks");
  }

  /** `told` are the values the server holds: they stand for whatever was not touched here. */
  update(blocks, told = {}) {
    this.#told = told;
    this.#blocks = blocks.map((block, at) => ({ ...block, block_id: block.block_id ?? `block-${at}` }));
    const focus = this.#focus();
    const drawn = new Map();
    for (const block of this.#blocks) {
      const json = JSON.stringify(block);
      const before = this.#drawn.get(block.block_id);
      drawn.set(block.block_id, before?.json === json ? before : { json, node: this.#draw(block) });
    }
    for (const [id, { node }] of this.#drawn) if (drawn.get(id)?.node !== node) node.remove();
    this.#drawn = drawn;
    [...drawn.values()].forEach(({ node }, at) => {
      if (this.node.children[at] !== node) this.node.insertBefore(node, this.node.children[at] ?? null);
    });
    const present = new Set(this.#inputs().map(({ key }) => key));
    for (const key of this.#values.keys()) if (!present.has(key)) this.#values.delete(key);
    focus();
  }

  /** `state.values` as it stands. */
  values() {
    const values = {};
    for (const { block, element, key } of this.#inputs()) {
      (values[block.block_id] ??= {})[element.action_id] = this.#value(block, element, key);
    }
    return values;
  }

  /** Show each error under its field and go to the first; returns those whose field is not here. */
  showErrors(errors) {
    const elsewhere = { ...errors };
    let first = null;
    for (const { node } of this.#drawn.values()) {
      if (!node.matches(".input-block")) continue;
      const words = errors[node.dataset.blockId];
      const place = node.querySelector(".field-error");
      place.replaceChildren(...(words ? [icon("warning"), words] : []));
      place.hidden = !words;
      const controls = node.querySelectorAll("[data-action-id]");
      controls.forEach((control) => control.toggleAttribute("data-wrong", Boolean(words)));
      controls.forEach((control) => (words ? control.setAttribute("aria-invalid", "true") : control.removeAttribute("aria-invalid")));
      if (words) first ??= controls[0];
      delete elsewhere[node.dataset.blockId];
    }
    first?.focus();
    return Object.values(elsewhere);
  }

  #inputs() {
    const found = [];
    for (const block of this.#blocks) {
      for (const element of [block.element, block.accessory, ...(block.type === "actions" ? block.elements : [])]) {
        if (element?.action_id && holdsValue(element)) found.push({ block, element, key: `${block.block_id}\n${element.action_id}` });
      }
    }
    return found;
  }

  /** Remember where the focus is; the answer puts it back, or on the nearest thing left. */
  #focus() {
    const active = document.activeElement;
    if (!this.node.contains(active)) return () => {};
    const { blockId, actionId } = active.dataset;
    const { selectionStart, selectionEnd } = active;
    return () => {
      if (this.node.contains(active)) return;
      const again = [...this.node.querySelectorAll("[data-action-id]")].find((each) => each.dataset.blockId === blockId && each.dataset.actionId === actionId);
      (again ?? this.node.closest("[tabindex='-1']"))?.focus();
      if (again && selectionStart !== null && selectionStart !== undefined) again.setSelectionRange?.(selectionStart, selectionEnd);
    };
  }

  #element(block, element, attributes = {}) {
    if (element.type === "image") return image(element, "accessory-image");
    const key = `${block.block_id}\n${element.action_id}`;
    return drawElement(element, {
      value: holdsValue(element) ? this.#value(block, element, key) : null,
      attributes: { "data-block-id": block.block_id, "data-action-id": element.action_id, autofocus: element.focus_on_load, ...attributes },
      acts: block.type === "input" ? Boolean(block.dispatch_action) : true,
      optional: block.type === "input" && Boolean(block.optional), // elsewhere Slack lets nobody take a choice back
      changed: (value) => this.#values.set(key, value),
      redraw: () => this.#redraw(block),
      act: (action, control) => this.#act(block, element, action, control),
      suggest: async (value) => {
        const answer = await this.host.suggest({ block_id: block.block_id, action_id: element.action_id, value });
        return answer.ok ? answer : { error: explain(answer) };
      },
    });
  }

  /** What was touched here, else what the server holds, else what the app set at first. */
  #value(block, element, key) {
    const told = this.#told[block.block_id]?.[element.action_id];
    const fits = (value) => value?.type === element.type && stillOffered(element, value);
    return [this.#values.get(key), told].find(fits) ?? initialValue(element);
  }

  #redraw(block) {
    const entry = this.#drawn.get(block.block_id);
    if (!entry) return;
    const node = this.#draw(block);
    entry.node.replaceWith(node);
    entry.node = node;
  }

  async #act(block, element, action, control) {
    const node = this.#drawn.get(block.block_id)?.node;
    node?.querySelector(".trouble")?.remove();
    const answer = await this.host.act({ ...action, block_id: block.block_id, action_id: element.action_id });
    if (answer.ok || !node?.isConnected) return;
    node.append(trouble(explain(answer)));
    control.focus();
  }

  #draw(block) {
    const draw = {
      section: () => this.#section(block),
      header: () => el(`h${block.level ? block.level + 2 : 3}.block-header`, {}, ...textObject(block.text)),
      divider: () => el("hr"),
      context: () => el("div.context", {}, ...block.elements.map((each) =>
        each.type === "image" ? image(each, "context-image") : el("span.text", {}, ...textObject(each)))),
      image: () => el("figure.image-block", {}, block.title && el("figcaption", {}, ...textObject(block.title)), image(block, "block-image")),
      actions: () => el("div.actions", {}, ...block.elements.map((each) => this.#element(block, each))),
      input: () => this.#input(block),
      table: () => this.#table(block),
    }[block.type];
    const node = draw ? draw() : el("p.unknown", {}, `This page cannot show a ${block.type.replaceAll("_", " ")} block.`);
    const wrapper = block.type === "input" ? node : el("div.block", { class: `${block.type.replaceAll("_", "-")}-block` }, node);
    wrapper.dataset.blockId = block.block_id;
    return wrapper;
  }

  #section(block) {
    const id = freshId("section");
    const labelled = block.accessory && holdsValue(block.accessory) && block.text ? { "aria-labelledby": id } : {};
    return el("div.section", {},
      el("div.section-body", {},
        block.text && el("div.text", { id }, ...textObject(block.text)),
        block.fields?.length && el("div.fields", {}, ...block.fields.map((field) => el("div.text", {}, ...textObject(field))))),
      block.accessory && el("div.accessory", {}, this.#element(block, block.accessory, labelled)));
  }

  #input(block) {
    const [control, label, hint, error] = ["control", "label", "hint", "error"].map(freshId);
    const grouped = ["checkboxes", "radio_buttons"].includes(block.element.type);
    return el("div.block.input-block", {},
      el("div.field-label", {},
        el(grouped ? "span" : "label", { id: label, for: grouped ? null : control }, ...textObject(block.label)),
        block.optional && el("span.field-optional", {}, " (optional)")),
      this.#element(block, block.element, {
        id: control, "aria-labelledby": label, "aria-required": block.optional ? null : "true",
        "aria-describedby": [error, block.hint && hint].filter(Boolean).join(" "),
      }),
      el("p.field-error", { id: error, hidden: true }),
      block.hint && el("p.hint", { id: hint }, ...textObject(block.hint)));
  }

  #table(block) {
    const settings = block.column_settings ?? [];
    const cell = (tag, content, at) => el(tag, {
      class: `align-${settings[at]?.align ?? "left"} ${settings[at]?.is_wrapped ? "wrapped" : ""}`, scope: tag === "th" ? "col" : null,
    }, String(content?.text?.text ?? content?.text ?? content?.value ?? "…"));
    const [head = [], ...rows] = block.rows ?? [];
    return el("div.table-scroll", { tabindex: "0", role: "region", "aria-label": block.caption ? spoken(block.caption.text ?? block.caption) : "Table" },
      el("table", {},
        el("thead", {}, el("tr", {}, ...head.map((each, at) => cell("th", each, at)))),
        el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((each, at) => cell("td", each, at)))))));
  }
}
