/** The interactive elements of Block Kit: https://docs.slack.dev/reference/block-kit/block-elements */

import { among, combobox } from "./combobox.js";
import { agreed } from "./confirm.js";
import { busy, el, freshId, icon } from "./dom.js";
import { openMenu, opens } from "./floating.js";
import { isSafeLink, spoken, textObject } from "./mrkdwn.js";
import { channelTitle, fromWallClock, me, toWallClock, workspace } from "./workspace.js";

const plainOption = (value, text, description) => ({
  value, text: { type: "plain_text", text, emoji: false }, ...(description && { description: { type: "plain_text", text: description } }),
});
const people = () => workspace().people.filter((each) => !each.is_bot).map((each) => plainOption(each.id, each.name, each.role));
const channels = () => workspace().channels.filter((each) => each.kind === "channel").map((each) => plainOption(each.id, channelTitle(each)));

/** Selects whose options the page knows: the name of the value they yield, and the options. */
const LISTS = {
  users_select: ["selected_user", people],
  conversations_select: ["selected_conversation", channels],
  channels_select: ["selected_channel", channels],
};

const isMany = (type) => type.startsWith("multi_");

function listOf(type) {
  const [key, options] = LISTS[type.replace("multi_", "")] ?? [];
  return key && { key: isMany(type) ? `${key}s` : key, options };
}

/** Native inputs that hold one text; `key` is the name of the value they yield. */
const FIELDS = {
  datepicker: { key: "selected_date", input: "date" },
  timepicker: { key: "selected_time", input: "time" },
  datetimepicker: { key: "selected_date_time", input: "datetime-local" },
  number_input: { key: "value", input: "text" },
  email_text_input: { key: "value", input: "email" },
  url_text_input: { key: "value", input: "url" },
  plain_text_input: { key: "value", input: "text" },
};

/** The value an element has before anybody touched it, in the shape of `state.values`. */
export function initialValue(element) {
  const { type } = element;
  const given = (name) => element[name] ?? null;
  if (FIELDS[type]) return { type, [FIELDS[type].key]: given(`initial_${FIELDS[type].key.replace("selected_", "")}`) };
  const list = listOf(type);
  if (list) return { type, [list.key]: given(`initial_${list.key.replace("selected_", "")}`) ?? (isMany(type) ? [] : null) };
  if (type === "checkboxes" || isMany(type)) return { type, selected_options: given("initial_options") ?? [] };
  return { type, selected_option: given("initial_option") };
}

export const holdsValue = (element) => !["button", "overflow", "image", "workflow_button", "icon_button"].includes(element.type);

/**
 * What a placed element needs around it.
 * @typedef {object} Place
 * @property {object} value      its value now, as in `state.values`
 * @property {object} attributes of the control: data hooks, aria-labelledby, aria-describedby…
 * @property {boolean} acts      a change is told to the app at once
 * @property {boolean} optional  its value may be taken back
 * @property {(value: object) => void} changed
 * @property {(action: object, control: Element) => Promise} act
 * @property {(text: string) => Promise<object>} suggest
 */

/** Ask first where the app wants that. */
const confirmed = async (element) => !element.confirm || agreed(element.confirm);

const name = (element, place) => (place.attributes["aria-labelledby"] ? {} : { "aria-label": spoken(element.placeholder?.text ?? "") || element.type.replaceAll("_", " ") });

function button(element, place) {
  const style = element.style === "primary" || element.style === "danger" ? element.style : "";
  const properties = { ...place.attributes, "aria-label": element.accessibility_label, class: `button ${style}` };
  delete properties["aria-labelledby"];
  const action = { type: "button", text: element.text, value: element.value, ...(element.style && { style: element.style }) };
  const press = async (event) => {
    const control = event.currentTarget;
    if (await confirmed(element)) await busy(control, () => place.act(action, control));
  };
  if (element.url && isSafeLink(element.url)) {
    return el("a", { ...properties, href: element.url, target: "_blank", rel: "noreferrer", onclick: press }, ...textObject(element.text), icon("link"));
  }
  return el("button", { ...properties, onclick: press }, ...textObject(element.text));
}

function overflow(element, place) {
  const choose = async (control, option) => {
    if (option.url && isSafeLink(option.url)) window.open(option.url, "_blank", "noreferrer");
    if (await confirmed(element)) await busy(control, () => place.act({ type: "overflow", selected_option: option }, control));
  };
  const label = spoken(element.accessibility_label ?? "More options");
  const menu = opens((control) => openMenu(control, label, element.options.map((option) => ({
    label: spoken(option.text.text), hint: option.description && spoken(option.description.text), run: () => choose(control, option),
  })), { end: true }));
  return el("button.button.square", { ...menu, ...place.attributes, "aria-label": label, "aria-labelledby": null, title: label }, icon("more"));
}

/** Keep a value, and tell the app where it listens; a confirm that is denied takes the value back. */
function keep(element, place, value, control) {
  const before = place.value;
  place.value = value;
  place.changed(value);
  if (!place.acts) return;
  confirmed(element).then((yes) => {
    if (yes) return place.act(value, control);
    place.value = before;
    place.changed(before);
    return place.redraw?.();
  });
}

function select(element, place) {
  const { type } = element;
  const list = listOf(type);
  const many = isMany(type);
  const remote = type.endsWith("external_select");
  const key = list?.key ?? (many ? "selected_options" : "selected_option");
  const options = list?.options();
  const known = (value) => (list ? options.find((option) => option.value === value) ?? plainOption(value, value) : value);
  const held = place.value[key];
  const parts = combobox({
    attributes: { ...name(element, place), ...place.attributes },
    placeholder: spoken(element.placeholder?.text ?? (many ? "Choose…" : "Choose one…")),
    source: remote ? place.suggest : among(list ? { options } : element),
    remote,
    least: remote ? element.min_query_length ?? 3 : 0,
    many,
    most: element.max_selected_items,
    clearable: place.optional,
    chosen: (many ? held ?? [] : held ? [held] : []).map(known),
    changed: (chosen) => {
      const values = list ? chosen.map((option) => option.value) : chosen;
      keep(element, place, { type, [key]: many ? values : values[0] ?? null }, parts.control);
    },
  });
  return parts.node;
}

function textField(element, place) {
  const { type } = element;
  const attributes = {
    ...name(element, place), ...place.attributes, class: "input", placeholder: element.placeholder && spoken(element.placeholder.text),
    maxlength: element.max_length, minlength: element.min_length,
    inputmode: type === "number_input" ? (element.is_decimal_allowed ? "decimal" : "numeric") : null,
  };
  const control = element.multiline
    ? el("textarea", { ...attributes, rows: "4" })
    : el("input", { ...attributes, type: FIELDS[type].input, autocomplete: "off" });
  control.value = place.value.value ?? "";
  const when = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const value = () => ({ type, value: control.value === "" ? null : control.value });
  const counter = element.max_length && el("span.counter", { "aria-hidden": "true" });
  const count = () => counter && (counter.textContent = `${element.max_length - control.value.length}`);
  count();
  let timer = null;
  control.addEventListener("input", () => {
    count();
    place.changed(value());
    clearTimeout(timer);
    if (place.acts && when.includes("on_character_entered")) timer = setTimeout(() => place.act(value(), control), 300);
  });
  control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !place.acts || !when.includes("on_enter_pressed") || (element.multiline && event.shiftKey)) return;
    event.preventDefault();
    place.act(value(), control);
  });
  return el("div.text-field", {}, control, counter);
}

function dateField(element, place) {
  const { type } = element;
  const { key, input } = FIELDS[type];
  const moments = type === "datetimepicker";
  const control = el("input.input", { ...name(element, place), ...place.attributes, type: input });
  const held = place.value[key];
  control.value = held === null || held === undefined ? "" : moments ? toWallClock(held) : held;
  control.addEventListener("change", () => {
    const text = control.value || null;
    keep(element, place, { type, [key]: text && moments ? fromWallClock(text) : text }, control);
  });
  if (!moments) return control;
  return el("div", {}, control, el("span.zone", {}, me().tz ?? ""));
}

function choices(element, place) {
  const { type } = element;
  const many = type === "checkboxes";
  const group = freshId("choices");
  const held = many ? place.value.selected_options ?? [] : [place.value.selected_option].filter(Boolean);
  const hooks = { "data-block-id": place.attributes["data-block-id"], "data-action-id": place.attributes["data-action-id"] };
  const inputs = element.options.map((option) => {
    const note = option.description && freshId("note");
    const control = el("input", {
      type: many ? "checkbox" : "radio", name: group, value: option.value, "aria-describedby": note, ...hooks,
      checked: held.some((each) => each.value === option.value),
      onchange: () => {
        const chosen = element.options.filter((each, at) => inputs[at].control.checked);
        keep(element, place, many ? { type, selected_options: chosen } : { type, selected_option: chosen[0] ?? null }, control);
      },
    });
    return {
      control,
      node: el("label.choice", {}, control, el("span.text", {}, ...textObject(option.text)),
        note && el("span.choice-note.text", { id: note }, ...textObject(option.description))),
    };
  });
  const labels = place.attributes["aria-labelledby"];
  return el("div.choices", {
    role: many ? "group" : "radiogroup", "aria-labelledby": labels, "aria-label": labels ? null : "Choices",
    "aria-describedby": place.attributes["aria-describedby"], "aria-required": many ? null : place.attributes["aria-required"],
  }, ...inputs.map((each) => each.node));
}

/** The node of an element in its place. */
export function drawElement(element, place) {
  const { type } = element;
  if (type === "button" || type === "workflow_button") return button(element, place);
  if (type === "overflow") return overflow(element, place);
  if (type === "checkboxes" || type === "radio_buttons") return choices(element, place);
  if (type.endsWith("_select")) return select(element, place);
  if (type.endsWith("picker")) return dateField(element, place);
  if (FIELDS[type]) return textField(element, place);
  return el("span.unknown", {}, `This page cannot show a ${type.replaceAll("_", " ")}.`);
}
