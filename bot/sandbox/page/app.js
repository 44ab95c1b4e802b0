/** The page of the sandbox: puts its parts together and lets events and the address flow through them. */

import { actAs, get, listen, post } from "./api.js";
import { ClockBar } from "./clock.js";
import { Conversation } from "./conversation.js";
import { Modal } from "./modal.js";
import { Pane } from "./pane.js";
import { PartnerCenter } from "./partner_center.js";
import { Rail } from "./rail.js";
import { read, write } from "./route.js";
import { applyTheme } from "./theme.js";
import { Thread } from "./thread.js";
import { Wire } from "./wire.js";
import { author, channel, channelBySlug, channelSlug, channelTitle, load, me, now, sameDay, setClock, workspace } from "./workspace.js";

applyTheme();

const live = document.getElementById("live");
const modal = new Modal();
const rail = new Rail(document.getElementById("rail"), { switchTo, chosen: () => showColumn("conversation") });
const conversation = new Conversation(document.getElementById("conversation"), {
  back: () => showColumn("rail"), openThread, togglePane, read: markRead,
});
const pane = new Pane(document.getElementById("pane"), closePane);
const clock = new ClockBar(document.getElementById("clock"));
const partnerCenter = new PartnerCenter(warn);
const wire = new Wire();
const guests = { "partner-center": partnerCenter, wire };

let end = () => {};
let reachable = true;
let reading = null;
let growing = null;
let followed = "";
let overhears = false;

/** Below 720 px one column is seen at a time. */
function showColumn(column) {
  document.body.dataset.column = column;
}

/** Begin as this person (an id or a handle), or as the first there is. */
async function start(who) {
  end();
  const state = await get("state", { as: who ?? "" });
  if (!state.ok) {
    conversation.warn(["The sandbox cannot be reached. Is it still running?"]);
    document.getElementById("conversation").append(conversation.notices);
    setTimeout(start, 2000, who);
    return;
  }
  load(state);
  actAs(me().id);
  write({ as: me().handle });
  rail.draw();
  clock.tick();
  modal.show(state.modal ?? []);
  overhear(read().pane === "wire");
  await follow();
  if (!pane.guest) partnerCenter.refresh();
}

/** Listen from now on, to the wire too where it is shown. */
function overhear(alsoWire) {
  overhears = alsoWire;
  end();
  end = listen({ heard, opened: catchUp, lost, wire: alsoWire });
}

function switchTo(someone) {
  pane.hide();
  modal.show([]);
  start(someone.id);
}

/** Do what the address says. */
async function follow(takeFocus = false) {
  const route = read();
  const { channels, front } = workspace();
  const wanted = channelBySlug(route.slug) ?? channelBySlug(front) ?? channels[0];
  write({ slug: channelSlug(wanted), rest: route.ts ?? route.tab ?? "" });
  followed = location.href;
  if ((route.pane === "wire") !== overhears) overhear(!overhears);
  const isThread = route.pane === "thread" && route.ts;
  rail.mark(wanted.id);
  const opened = conversation.open(wanted.id, { ts: isThread ? null : route.ts, tab: route.tab ?? "messages" });
  warn();
  conversation.showPane(route.pane);
  if (isThread) {
    showColumn("pane");
    if (!pane.guest?.holds?.(wanted.id, { ts: route.ts })) await pane.show(new Thread(wanted.id, route.ts), takeFocus);
  } else if (guests[route.pane]) {
    if (pane.guest !== guests[route.pane]) {
      showColumn("pane");
      await pane.show(guests[route.pane], takeFocus);
    }
  } else {
    pane.hide();
    if (document.body.dataset.column === "pane") showColumn("conversation");
  }
  await opened;
}

function turnTo(name, ts) {
  write({ pane: name, slug: channelSlug(channel(conversation.channelId)), rest: ts ?? (conversation.tab === "home" ? "home" : "") }, true);
  follow(Boolean(name));
}

function openThread(ts) {
  turnTo("thread", ts);
}

function closePane() {
  turnTo(null);
}

function togglePane(name) {
  turnTo(read().pane === name ? null : name);
}

function markRead(channelId) {
  const place = channel(channelId);
  if (place?.unread) {
    place.unread = 0;
    rail.refresh(channelId);
  }
  clearTimeout(reading);
  reading = setTimeout(() => post("read", { channel: channelId }), 200);
}

function warn() {
  const { app } = workspace();
  conversation.warn([
    !reachable && "The sandbox cannot be reached. Trying again…",
    partnerCenter.troubles.length && `Something goes wrong at Partner Center: ${partnerCenter.troubles.join(", ")}. Switch it off in its pane.`,
    !app.connected && `${app.name} is not connected: it hears no commands and no clicks until it is started.`,
  ].filter(Boolean));
}

/** The stream is open, at first or again: fetch what it did not tell. */
async function catchUp() {
  reachable = true;
  const state = await get("state");
  if (!state.ok) return;
  if (state.world !== workspace().world) location.reload(); // somebody started over
  load(state);
  for (const { id } of workspace().channels) rail.refresh(id);
  modal.show(state.modal ?? []);
  pane.guest?.refresh();
  conversation.refresh();
  warn();
}

function lost() {
  reachable = false;
  warn();
}

/** Something about a message: shown where it belongs (a log is read out as it grows), counted where it is not seen. */
function heardMessage({ type, channel: id, message }) {
  const place = channel(id);
  if (!place) return;
  const inThread = pane.guest?.holds?.(id, message);
  const here = id === conversation.channelId;
  if (type === "message_deleted") {
    if (inThread) pane.guest.remove(message);
    if (here) conversation.remove(message);
    return;
  }
  if (inThread) pane.guest.put(message);
  const isReply = message.thread_ts && message.thread_ts !== message.ts;
  if (here) conversation.put(message);
  if (here && isReply) {
    clearTimeout(growing);
    growing = setTimeout(() => conversation.refresh(), 100); // the message above it counts one more reply
  }
  if (type === "message" && !isReply && message.user !== me().id && !(here && conversation.isReading)) {
    place.unread = (place.unread ?? 0) + 1;
    rail.refresh(id);
    live.textContent = `New message from ${author(message).name} in ${channelTitle(place)}`;
  }
}

function heard(event) {
  if (event.type.startsWith("message")) heardMessage(event);
  else if (event.type === "views") modal.show(event.stack);
  else if (event.type === "home") conversation.home.show(event.view);
  else if (event.type === "partner_center") partnerCenter.stale();
  else if (event.type === "exchange") wire.put(event.exchange);
  else if (event.type === "clock") moveClock(event.now);
  else if (event.type === "app") {
    workspace().app.connected = event.connected;
    warn();
  }
}

function moveClock(seconds) {
  const newDay = !sameDay(now() / 1000, seconds);
  setClock(seconds);
  clock.tick();
  if (newDay) conversation.again(); // what was today is yesterday
}

/** The address changed by a link or by the browser's own buttons. */
function moved() {
  if (!workspace() || location.href === followed) return;
  const route = read();
  if (route.pane === "thread" && !route.ts) write({ pane: null });
  follow();
}

addEventListener("hashchange", moved);
addEventListener("popstate", moved);
document.addEventListener("visibilitychange", () => workspace() && conversation.markRead());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || modal.isOpen) return;
  if (event.target.matches("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  showColumn("conversation");
  conversation.composer?.begin("/");
});

// A file dropped elsewhere must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

start(read().as);
