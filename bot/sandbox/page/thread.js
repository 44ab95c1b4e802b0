/** The side pane's *Thread*: a message with its replies. */

import { get, post, upload } from "./api.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { takeFiles } from "./dropzone.js";
import { Log } from "./log.js";
import { typed } from "./mrkdwn.js";
import { channel, channelTitle } from "./workspace.js";

export class Thread {
  title = "Thread";

  constructor(channelId, ts) {
    const place = channel(channelId);
    this.channelId = channelId;
    this.ts = ts;
    this.subtitle = channelTitle(place);
    this.log = new Log({ label: "Thread", channel: channelId, empty: () => el("p.empty", {}, "This message is not there any more.") });
    this.composer = new Composer({
      label: "Reply in thread", placeholder: "Reply…", place: `${channelId}.${ts}`,
      send: (text) => post("say", { channel: channelId, text: typed(text), thread_ts: ts }),
      attach: (file) => upload(channelId, file, ts),
    });
    this.node = el("div.messages", {}, this.log.node, this.composer.node);
    takeFiles(this.node, "Drop to share in this thread", (files) => this.composer.share(files));
  }

  async refresh() {
    const answer = await get("messages", { channel: this.channelId, thread_ts: this.ts });
    if (answer.ok) this.log.show(answer.messages, { more: false });
  }

  holds(channelId, message) {
    return channelId === this.channelId && (message.thread_ts === this.ts || message.ts === this.ts);
  }

  put(message) {
    this.log.put(message);
  }

  remove(message) {
    this.log.remove(message);
  }

  focus() {
    this.composer.focus();
  }
}
