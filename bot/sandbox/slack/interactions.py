"""What a person does in Slack, and how the app hears of it (https://docs.slack.dev/interactivity)."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.slack import events
from bot.sandbox.slack.block_kit import is_too_large, option_errors
from bot.sandbox.slack.delivery import Ack, Parcel
from bot.sandbox.slack.inputs import STATE_KEYS, Inputs, Unknown, find
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.posting import Refused, answer
from bot.sandbox.slack.views import View, ViewRefused
from bot.sandbox.slack.workspace import Channel, Person, Post

Json = dict[str, Any]

MIN_QUERY_LENGTH = 3  # Slack's default for external selects
_MENTION = re.compile(r"(?<!\S)([@#])([\w.-]+)")


@dataclass
class Interactions:
    """Acts for a person. The page and the tests' players come through here, so both meet the same rules."""

    platform: Platform
    _message_inputs: dict[tuple[str, str, str], Inputs] = field(default_factory=dict)

    async def command(self, person: Person, channel: Channel, line: str) -> Ack:
        """Send a slash command; what the app answers with is posted."""
        command, _, text = line.strip().partition(" ")
        if not command.startswith("/") or not self.platform.app.has_command(command):
            return Ack(False, "unknown_command")
        if self.platform.app.escapes_mentions(command):
            text = self._with_mentions_escaped(text)
        url = self.platform.response_urls.issue(
            "commands", channel=channel.id, person=person.id, at=self.platform.now()
        )
        payload = {
            "token": self.platform.app.verification_token,
            "team_id": self.platform.workspace.id,
            "team_domain": self.platform.workspace.domain,
            "channel_id": channel.id,
            "channel_name": "directmessage" if channel.is_dm else channel.name,
            "user_id": person.id,
            "user_name": person.handle,
            "command": command,
            "text": text.strip(),
            "api_app_id": self.platform.app.id,
            "is_enterprise_install": "false",
            "response_url": self.platform.address(url),
            "trigger_id": self.platform.triggers.issue(person.id),
        }
        ack = await self.platform.delivery.send(Parcel.command(payload))
        if ack.body is None:
            return ack
        try:
            answer(self.platform, ack.body, channel=channel, person=person.id)
        except Refused as refused:
            return Ack(False, "invalid_command_response", ack.body, (refused.error, *refused.errors))
        return ack

    async def click_message(self, person: Person, post: Post, action: Json) -> Ack:
        """Use an element of a message."""
        blocks = post.message.get("blocks", [])
        inputs = self._inputs_of(person, post)
        try:
            acted = self._acted(blocks, action, inputs)
        except Unknown:
            return Ack(False, "action_not_found")
        channel = self.platform.workspace.channels[post.channel]
        payload = self._interaction("block_actions", person) | {
            **self._place(post),
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": self._channel(channel),
            "message": post.message,
            "state": {"values": inputs.as_json()},
            "response_url": self._response_url("actions", person, post),
            "actions": [acted],
        }
        return await self._deliver(payload, accepts_answer=False)

    async def click_view(self, person: Person, view: View, action: Json, state: Json | None = None) -> Ack:
        """Use an element of a modal or of the Home tab; an input is heard only with `dispatch_action`."""
        try:
            self._take_state(view, state)
            acted = self._acted(view.blocks, action, view.inputs)
            block, _ = find(view.blocks, acted["action_id"], acted["block_id"])
        except Unknown:
            return Ack(False, "action_not_found")
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Ack(True)
        payload = self._interaction("block_actions", person) | {
            "container": {"type": "view", "view_id": view.id},
            "enterprise": None,
            "is_enterprise_install": False,
            "view": self.platform.view_json(view),
            "actions": [acted],
        }
        return await self._deliver(payload, accepts_answer=False)

    async def suggest(
        self, person: Person, place: View | Post, action_id: str, typed: str, block_id: str | None = None
    ) -> Ack:
        """Ask the app for the options of an external select; too short a text asks nobody."""
        blocks = place.blocks if isinstance(place, View) else place.message.get("blocks", [])
        try:
            block, element = find(blocks, action_id, block_id)
        except Unknown:
            return Ack(False, "action_not_found")
        if len(typed) < element.get("min_query_length", MIN_QUERY_LENGTH):
            return Ack(True, body={"options": []})
        payload = self._interaction("block_suggestion", person) | {
            "action_id": action_id,
            "block_id": block["block_id"],
            "value": typed,
        }
        del payload["trigger_id"]  # a suggestion cannot open a view
        if isinstance(place, View):
            payload |= {
                "container": {"type": "view", "view_id": place.id},
                "view": self.platform.view_json(place),
            }
        else:
            channel = self.platform.workspace.channels[place.channel]
            payload |= {
                **self._place(place),
                "channel": self._channel(channel),
                "message": place.message,
            }
        ack = await self._deliver(payload, accepts_answer=True)
        if ack.ok and (errors := option_errors(ack.body or {})):
            return Ack(False, "invalid_options", ack.body, tuple(errors))
        return ack

    async def submit(self, person: Person, view: View, state: Json | None = None) -> Ack:
        """Submit the modal; the app's answer closes, updates, pushes, clears or complains.

        Fields Slack itself finds wrong are reported as the app's own errors would be, undelivered.
        """
        if view not in self.platform.views.stack(person.id)[-1:]:
            return Ack(False, "view_not_found")
        if not view.definition.get("submit"):
            return Ack(False, "no_submit_button")
        try:
            self._take_state(view, state)
        except Unknown:
            return Ack(False, "action_not_found")
        if complaints := view.inputs.complaints(view.blocks):
            return Ack(True, body={"response_action": "errors", "errors": complaints})
        payload = self._interaction("view_submission", person) | {
            "view": self.platform.view_json(view),
            "response_urls": self._response_urls_of(person, view),
        }
        ack = await self._deliver(payload, accepts_answer=True)
        return self._after_submission(view, ack) if ack.ok else ack

    async def close(self, person: Person, view: View, *, everything: bool = False) -> Ack:
        """Close the modal; the app hears of it only if it asked to (`notify_on_close`)."""
        stack = self.platform.views.stack(person.id)
        if view not in stack:
            return Ack(False, "view_not_found")
        everything = everything or bool(view.definition.get("clear_on_close"))
        closed = list(reversed(stack)) if everything else [view]
        payloads = [
            self._interaction("view_closed", person)
            | {"view": self.platform.view_json(gone), "is_cleared": everything}
            for gone in closed
            if gone.definition.get("notify_on_close")
        ]
        if everything:
            self.platform.views.clear(person.id)
        else:
            self.platform.views.close(view)
        ack = Ack(True)
        for payload in payloads:
            del payload["trigger_id"]
            ack = await self._deliver(payload, accepts_answer=False)
        return ack

    async def shortcut(self, person: Person, callback_id: str, post: Post | None = None) -> Ack:
        """Use a global shortcut, or one on a message."""
        if not self.platform.app.has_shortcut(callback_id, "global" if post is None else "message"):
            return Ack(False, "unknown_shortcut")
        kind = "shortcut" if post is None else "message_action"
        payload = self._interaction(kind, person) | {
            "callback_id": callback_id,
            "action_ts": self._action_ts(),
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if post is not None:
            channel = self.platform.workspace.channels[post.channel]
            payload |= {
                "message_ts": post.ts,
                "channel": self._channel(channel),
                "message": post.message,
                "response_url": self._response_url("app", person, post),
            }
        return await self._deliver(payload, accepts_answer=False)

    async def open_home(self, person: Person) -> Ack:
        """Open the app's Home tab."""
        channel = self.platform.workspace.dm_with(person.id)
        event: Json = {"type": "app_home_opened", "user": person.id, "tab": "home"}
        event["channel"] = channel.id if channel else ""
        if person.id in self.platform.views.homes:
            event["view"] = self.platform.view_json(self.platform.views.homes[person.id])
        return await events.tell(self.platform, "app_home_opened", event)

    async def open_messages(self, person: Person) -> Ack:
        """Open the messages with the app; Slack tells of it as of the Home tab."""
        channel = self.platform.workspace.dm_with(person.id)
        event: Json = {"type": "app_home_opened", "user": person.id, "tab": "messages"}
        event["channel"] = channel.id if channel else ""
        return await events.tell(self.platform, "app_home_opened", event)

    async def say(self, person: Person, channel: Channel, text: str, thread_ts: str | None = None) -> Ack:
        """Write a message."""
        message: Json = {"user": person.id, "team": self.platform.workspace.id, "text": text}
        if thread_ts:
            message["thread_ts"] = thread_ts
        return await self._tell_of(self.platform.workspace.post(channel, message, at=self.platform.now()))

    async def upload(
        self,
        person: Person,
        channel: Channel,
        *,
        name: str,
        mimetype: str,
        content: bytes,
        text: str = "",
        thread_ts: str | None = None,
    ) -> Ack:
        """Share a file, with or without words, in the channel or in a thread of it."""
        at = self.platform.now()
        file = self.platform.workspace.add_file(
            name=name, mimetype=mimetype, size=len(content), owner=person.id, at=at
        )
        file.content = content
        message: Json = {
            "subtype": "file_share",
            "user": person.id,
            "team": self.platform.workspace.id,
            "text": text,
            "files": [self.platform.file_json(file)],
            "upload": False,
            "display_as_bot": False,
        }
        if thread_ts:
            message["thread_ts"] = thread_ts
        post = self.platform.workspace.post(channel, message, at=at)
        file.shares.setdefault(channel.id, []).append(post)
        told = await events.tell_of_file(self.platform, file, channel, by=person.id)
        heard = await self._tell_of(post)
        return heard if told.ok else told

    def _after_submission(self, view: View, ack: Ack) -> Ack:
        said = ack.body or {}
        views = self.platform.views
        match said.get("response_action"):
            case None:
                views.close(view)
            case "clear":
                views.clear(view.person)
            case "errors":
                inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
                errors = said.get("errors")
                if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
                    return Ack(
                        False, "invalid_response", said, ("errors must name input blocks of the view",)
                    )
            case "update" | "push" as action:
                shown: Any = copy.deepcopy(said.get("view"))
                problems = self.platform.block_kit.view_errors(shown)
                if problems or is_too_large(shown):
                    return Ack(False, "invalid_response", said, tuple(problems) or ("view_too_large",))
                try:
                    views.update(view, shown) if action == "update" else views.push(view.person, shown)
                except ViewRefused as refused:
                    return Ack(False, "invalid_response", said, (refused.error,))
            case unknown:
                return Ack(False, "invalid_response", said, (f"unknown response_action {unknown}",))
        return ack

    def _acted(self, blocks: list[Json], action: Json, inputs: Inputs) -> Json:
        """The entry in `actions`: what the person chose, everything else as the app itself has defined it."""
        block, element = find(blocks, str(action.get("action_id")), action.get("block_id"))
        kind = element["type"]
        acted: Json = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"]}
        if kind in STATE_KEYS:
            key, initial = STATE_KEYS[kind]
            inputs.enter(block["block_id"], element["action_id"], action.get(key))
            acted[key] = inputs.value(block["block_id"], element["action_id"])
            if element.get(initial) is not None:
                acted[initial] = element[initial]
        elif kind == "overflow":
            chosen = (action.get("selected_option") or {}).get("value")
            option = next((option for option in element["options"] if option["value"] == chosen), None)
            if option is None:
                raise Unknown(chosen)
            acted["selected_option"] = option
        for key in ("text", "value", "style", "url", "placeholder", "confirm"):
            if element.get(key) is not None and key not in acted:
                acted[key] = element[key]
        return {**acted, "action_ts": self._action_ts()}

    def _inputs_of(self, person: Person, post: Post) -> Inputs:
        place = (person.id, post.channel, post.ts)
        known = self._message_inputs.get(place, Inputs([]))
        self._message_inputs[place] = known.after_update(post.message.get("blocks", []))
        return self._message_inputs[place]

    @staticmethod
    def _take_state(view: View, state: Json | None) -> None:
        if state:
            view.inputs.enter_all(state.get("values", {}))

    def _response_urls_of(self, person: Person, view: View) -> list[Json]:
        """One for each conversation select that asks for it (`response_url_enabled`)."""
        urls = []
        for block in view.blocks:
            element = block.get("element", {})
            if not element.get("response_url_enabled"):
                continue
            chosen = view.inputs.value(block["block_id"], element["action_id"])
            if chosen:
                url = self.platform.response_urls.issue(
                    "app", channel=chosen, person=person.id, at=self.platform.now()
                )
                urls.append(
                    {
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": chosen,
                        "response_url": self.platform.address(url),
                    }
                )
        return urls

    def _response_url(self, kind: str, person: Person, post: Post) -> str:
        url = self.platform.response_urls.issue(
            kind, channel=post.channel, person=person.id, at=self.platform.now(), message_ts=post.ts
        )
        return self.platform.address(url)

    def _interaction(self, kind: str, person: Person) -> Json:
        workspace = self.platform.workspace
        return {
            "type": kind,
            "team": {"id": workspace.id, "domain": workspace.domain},
            "user": {
                "id": person.id,
                "username": person.handle,
                "name": person.handle,
                "team_id": workspace.id,
            },
            "api_app_id": self.platform.app.id,
            "token": self.platform.app.verification_token,
            "trigger_id": self.platform.triggers.issue(person.id),
        }

    @staticmethod
    def _place(post: Post) -> Json:
        container = {
            "type": "message",
            "message_ts": post.ts,
            "channel_id": post.channel,
            "is_ephemeral": post.only_for is not None,
        }
        if "thread_ts" in post.message:
            container["thread_ts"] = post.message["thread_ts"]
        return {"container": container}

    @staticmethod
    def _channel(channel: Channel) -> Json:
        return {"id": channel.id, "name": "directmessage" if channel.is_dm else channel.name}

    def _action_ts(self) -> str:
        return self.platform.workspace.next_ts(self.platform.now())

    async def _deliver(self, payload: Json, *, accepts_answer: bool) -> Ack:
        if not self.platform.app.is_interactive:
            return Ack(False, "interactivity_disabled")
        return await self.platform.delivery.send(Parcel.interaction(payload, accepts_answer=accepts_answer))

    async def _tell_of(self, post: Post) -> Ack:
        """Deliver what the app subscribed to about a person's message."""
        channel = self.platform.workspace.channels[post.channel]
        if self.platform.workspace.bot.id not in channel.members:
            return Ack(True)
        event = {**post.message, "channel": channel.id, "event_ts": post.ts}
        ack = await events.tell(
            self.platform,
            "message.im" if channel.is_dm else "message.channels",
            {**event, "channel_type": "im" if channel.is_dm else "channel"},
        )
        if f"<@{self.platform.app.bot_user_id}>" in post.message["text"] and not channel.is_dm:
            ack = await events.tell(self.platform, "app_mention", {**event, "type": "app_mention"})
        return ack

    def _with_mentions_escaped(self, text: str) -> str:
        def escaped(match: re.Match[str]) -> str:
            sign, name = match.groups()
            if sign == "@":
                person = self.platform.workspace.person(name)
                return f"<@{person.id}|{person.handle}>" if person else match[0]
            channel = self.platform.workspace.channel(name)
            return f"<#{channel.id}|{channel.name}>" if channel else match[0]

        return _MENTION.sub(escaped, text)
