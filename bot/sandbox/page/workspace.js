/** What the page knows of the workspace: people, channels, commands, and how its reader writes times. */

let state = null;
let ahead = 0;

/** Take in the answer of `state`. */
export function load(fresh) {
  state = fresh;
  setClock(fresh.now);
}

/** The sandbox's clock shows this moment (seconds) now. */
export function setClock(seconds) {
  ahead = seconds * 1000 - Date.now();
}

export const workspace = () => state;
export const me = () => state.people.find((person) => person.id === state.me) ?? state.people[0];
export const person = (id) => state?.people.find((each) => each.id === id);
export const channel = (id) => state?.channels.find((each) => each.id === id);
export const group = (id) => state?.groups.find((each) => each.id === id);
export const botChannel = () => state.channels.find((each) => each.kind === "dm" && each.with === state.app.bot_user_id);

/** The sandbox's clock, in milliseconds. */
export const now = () => Date.now() + ahead;

/** *#csp-billing* or *Backstop*: what people call a channel. */
export const channelTitle = (each) => (each.kind === "dm" ? person(each.with)?.name ?? each.name : `#${each.name}`);

/** What stands in the address for a channel: its name, or `@handle` for a direct message. */
export function channelSlug(each) {
  return each.kind === "dm" ? `@${person(each.with)?.handle ?? each.name}` : each.name;
}

export const channelBySlug = (slug) =>
  state.channels.find((each) => channelSlug(each) === slug || each.id === slug || each.name === slug);

/** Who wrote a message: a person, or the app. */
export function author(message) {
  const known = person(message.user);
  if (known) return { id: known.id, name: message.username ?? known.name, app: Boolean(known.is_bot || message.bot_id) };
  return message.bot_id || message.app_id
    ? { id: message.bot_id, name: message.username ?? state.app.name, app: true }
    : { id: message.user, name: message.user ?? "Sandbox", app: false };
}

const formats = new Map();

/** Write a moment (seconds) for the reader, in their language and zone. */
export function moment(seconds, options) {
  const { locale, tz } = me();
  const key = JSON.stringify([locale, tz, options]);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale || undefined, { timeZone: tz || undefined, ...options }));
  return formats.get(key).format(new Date(seconds * 1000));
}

export const clockTime = (seconds) => moment(seconds, { hour: "numeric", minute: "2-digit" });
export const fullTime = (seconds) => moment(seconds, { dateStyle: "full", timeStyle: "medium" });

const dayKey = (seconds) => moment(seconds, { year: "numeric", month: "2-digit", day: "2-digit" });
const DAY = 86400;

export const sameDay = (one, other) => dayKey(one) === dayKey(other);

/** *today*, *yesterday*, *tomorrow* in the reader's language, or null. */
export function nearDay(seconds) {
  const today = now() / 1000;
  for (const days of [0, -1, 1]) {
    if (!sameDay(seconds, today + days * DAY)) continue;
    return new Intl.RelativeTimeFormat(me().locale || undefined, { numeric: "auto" }).format(days, "day");
  }
  return null;
}

export function dayTitle(seconds) {
  const title = nearDay(seconds) ?? moment(seconds, { weekday: "long", month: "long", day: "numeric", year: "numeric" });
  return title.charAt(0).toLocaleUpperCase() + title.slice(1);
}

/** Seconds since 1970 of a wall-clock time (`2025-11-22T08:26`) in the reader's zone. */
export function fromWallClock(text) {
  const guess = Date.parse(`${text}:00Z`) / 1000;
  return guess - (Date.parse(`${toWallClock(guess)}:00Z`) / 1000 - guess);
}

/** The wall-clock time in the reader's zone, as `<input type=datetime-local>` wants it. */
export function toWallClock(seconds) {
  const options = { timeZone: me().tz || undefined, dateStyle: "short", timeStyle: "medium", hourCycle: "h23" };
  return new Intl.DateTimeFormat("sv-SE", options).format(new Date(seconds * 1000)).slice(0, 16).replace(" ", "T");
}
