/** The rich_text block: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */

import { el } from "./dom.js";
import { emoji } from "./emoji.js";
import { date, link, mentionChannel, mentionGroup, mentionPerson } from "./mrkdwn.js";

const STYLES = { code: "code", strike: "s", italic: "em", bold: "strong", underline: "u" };

function leaf(element) {
  switch (element.type) {
    case "text": return document.createTextNode(element.text);
    case "link": return link(element.url, element.text);
    case "user": return mentionPerson(element.user_id);
    case "channel": return mentionChannel(element.channel_id);
    case "usergroup": return mentionGroup(element.usergroup_id);
    case "broadcast": return el("span.mention", {}, `@${element.range}`);
    case "emoji": return document.createTextNode(emoji(element.name));
    case "date": return date(element.timestamp, element.format, element.url, element.fallback);
    case "color": return el("code", {}, element.value);
    default: return document.createTextNode(element.text ?? "");
  }
}

function styled(element) {
  let node = leaf(element);
  for (const [style, tag] of Object.entries(STYLES)) if (element.style?.[style]) node = el(tag, {}, node);
  return node;
}

/** Slack sends nested lists flat, each with its indent: a class moves them in. */
function list(element) {
  const node = el(element.style === "ordered" ? "ol" : "ul", { start: element.offset ? element.offset + 1 : null });
  node.classList.add(`indent-${Math.min(element.indent ?? 0, 4)}`);
  node.append(...element.elements.map((item) => el("li", {}, ...item.elements.map(styled))));
  return node;
}

function part(element) {
  switch (element.type) {
    case "rich_text_list": return list(element);
    case "rich_text_preformatted": return el("pre", {}, el("code", {}, ...element.elements.map(leaf)));
    case "rich_text_quote": return el("blockquote", {}, ...element.elements.map(styled));
    default: return el("span.text", {}, ...(element.elements ?? []).map(styled));
  }
}

export const richText = (block) => el("div.rich-text.text", {}, ...block.elements.map(part));
