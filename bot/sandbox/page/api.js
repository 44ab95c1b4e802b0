/** Talk to the sandbox: requests as one person, and the stream of what happens. */

let me = "";

/** From now on every request is made as the person with this id. */
export function actAs(id) {
  me = id;
}

async function answer(request) {
  try {
    const response = await request;
    const body = await response.json();
    return body.ok === undefined ? { ...body, ok: response.ok } : body;
  } catch {
    return { ok: false, error: "unreachable" };
  }
}

/** GET; leaves out parameters that are undefined. Never throws: a failure is `{ok: false, error}`. */
export function get(path, parameters = {}) {
  const query = new URLSearchParams({ as: me });
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined) query.set(key, value);
  return answer(fetch(`/page/api/${path}?${query}`));
}

/** POST JSON. Never throws: a failure is `{ok: false, error}`. */
export const post = (path, body = {}) =>
  answer(fetch(`/page/api/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ as: me, ...body }),
  }));

/** Share a file in a channel, or in a thread of it. */
export function upload(channel, file, thread) {
  const form = new FormData();
  form.set("as", me);
  form.set("channel", channel);
  if (thread) form.set("thread_ts", thread);
  form.set("file", file, file.name);
  return answer(fetch("/page/api/upload", { method: "POST", body: form }));
}

/** Where the bytes of a file are. */
export const fileUrl = (id) => `/page/api/file/${encodeURIComponent(id)}?${new URLSearchParams({ as: me })}`;

/**
 * Listen to what happens. `heard(event)` gets each event, `opened()` each (re)connection, `lost()` each break; `wire` adds
 * exchanges. EventSource gives up on an answer that is no stream: this starts anew. Returns what ends it.
 */
export function listen({ heard, opened, lost, wire }) {
  let source = null;
  let timer = null;
  let wait = 500;
  const connect = () => {
    source = new EventSource(`/page/api/stream?${new URLSearchParams({ as: me, wire: Number(wire) })}`);
    source.onopen = () => {
      wait = 500;
      opened();
    };
    source.onmessage = (message) => heard(JSON.parse(message.data));
    source.onerror = () => {
      lost();
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

const REASONS = {
  timeout: "The app did not respond within three seconds. Try again?",
  not_delivered: "The app is not connected, so it heard nothing of this. Start it, then try again.",
  unknown_command: "The app has no such command. Type / to see those it has.",
  unreachable: "The sandbox cannot be reached. Is it still running? Start it again, then reload this page.",
};

/** Say what happened and what to try. */
export const explain = ({ error, detail = [] }) =>
  error === "impossible" ? detail.join(" ") : REASONS[error] ?? [`This did not work (${error ?? "no reason given"}).`, ...detail, "Try again, or look at the app's log."].join(" ");
