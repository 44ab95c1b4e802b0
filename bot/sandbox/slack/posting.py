"""What the bot says: checked against Slack's limits, then kept as a message."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.block_kit import completed, is_too_long
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.workspace import Channel, Post

Json = dict[str, Any]

TEXT = 40_000  # longer text is cut
UPDATED_TEXT = 4_000  # https://docs.slack.dev/reference/methods/chat.update


class Refused(Exception):
    """Slack's error name, and the details it gives with it."""

    def __init__(self, error: str, errors: list[str] | None = None, **facts: Any) -> None:
        super().__init__(error)
        self.error = error
        self.errors = errors or []
        self.facts = facts

    def as_json(self) -> Json:
        answer: Json = {"ok": False, "error": self.error, **self.facts}
        if self.errors:
            answer["response_metadata"] = {"messages": [f"[ERROR] {error}" for error in self.errors]}
            if self.error == "invalid_blocks":
                answer["errors"] = self.errors
        return answer


def content(platform: Platform, said: Json) -> Json:
    """Check `text` and `blocks` and give the part of a message they make."""
    if said.get("attachments"):
        raise Refused("invalid_arguments", ["use blocks instead of attachments [json-pointer:/attachments]"])
    text, blocks = said.get("text") or "", said.get("blocks")
    if not isinstance(text, str):
        raise Refused("invalid_arguments", ["must provide a string [json-pointer:/text]"])
    if not text and not blocks:
        raise Refused("no_text")
    made: Json = {"text": text[:TEXT]}
    if blocks:
        made["blocks"] = checked_blocks(platform, blocks)
    return made


def checked_blocks(platform: Platform, blocks: Any) -> list[Json]:
    """Give the blocks as Slack keeps them."""
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    if errors := platform.block_kit.message_errors(blocks):
        raise Refused("invalid_blocks", errors)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise Refused(
            "only_one_table_allowed"
        )  # https://docs.slack.dev/reference/block-kit/blocks/table-block
    if is_too_long(blocks):
        raise Refused("msg_blocks_too_long")
    return completed(blocks)


def post(platform: Platform, channel: Channel, message: Json, *, only_for: str | None = None) -> Post:
    """Add a message of the bot's to a channel."""
    author = {
        "user": platform.app.bot_user_id,
        "bot_id": platform.app.bot_id,
        "app_id": platform.app.id,
        "team": platform.workspace.id,
    }
    message = {key: value for key, value in message.items() if value is not None}
    return platform.workspace.post(channel, {**author, **message}, at=platform.now(), only_for=only_for)


def rewrite(platform: Platform, post: Post, made: Json) -> None:
    """Replace a message's content; Slack marks it as edited unless it is ephemeral."""
    changes: Json = dict(made)
    if post.only_for is None:
        at = platform.workspace.next_ts(platform.now())
        changes["edited"] = {"user": platform.app.bot_user_id, "ts": at}
    platform.workspace.edit(post, changes)


def answer(
    platform: Platform, said: Json, *, channel: Channel, person: str, original: Post | None = None
) -> None:
    """Carry out what an app sends to a `response_url` or answers to a command.

    Ephemeral unless `response_type` is `in_channel`; an original message is replaced or deleted on request.
    """
    if said.get("delete_original"):
        if original is not None and original.ts in channel.posts:
            platform.workspace.delete(original)
        return
    made = content(platform, said)
    if said.get("replace_original") and original is not None and original.ts in channel.posts:
        rewrite(platform, original, {"blocks": None, **made})
        return
    only_for = None if said.get("response_type") == "in_channel" else person
    post(platform, channel, {**made, "thread_ts": said.get("thread_ts")}, only_for=only_for)
