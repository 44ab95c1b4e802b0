"""A person in a test: acts and looks through the same code as the page."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.inputs import STATE_KEYS, Unknown, elements, find, offered
from bot.sandbox.slack.interactions import Interactions
from bot.sandbox.slack.news import PATIENCE
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import Channel, Person, Post

Json = dict[str, Any]
T = TypeVar("T")


class Player:
    """Raises LookupError where there is nothing to see or click, as a person would say "I cannot find it"."""

    def __init__(self, person: Person, interactions: Interactions) -> None:
        self.person = person
        self._interactions = interactions
        self._platform = interactions.platform
        self._suggested: dict[str, list[Json]] = {}

    # What they do

    async def command(self, line: str, *, channel: str = "csp-billing") -> Ack:
        """Type a slash command; `channel` is a name or an id."""
        return await self._interactions.command(self.person, self._channel(channel), line)

    async def say(self, text: str, *, channel: str = "csp-billing", thread_ts: str | None = None) -> Ack:
        return await self._interactions.say(self.person, self._channel(channel), text, thread_ts)

    async def upload(
        self,
        name: str,
        content: bytes,
        *,
        channel: str = "csp-billing",
        mimetype: str = "text/plain",
        text: str = "",
        thread_ts: str | None = None,
    ) -> Ack:
        """Share a file; `channel` is a name, an id, or the bot's for the direct messages with it."""
        return await self._interactions.upload(
            self.person,
            self._channel(channel),
            name=name,
            mimetype=mimetype,
            content=content,
            text=text,
            thread_ts=thread_ts,
        )

    async def click(
        self,
        message: Json,
        element: str,
        *,
        block_id: str | None = None,
        option: Any = None,
        confirm: bool = True,
    ) -> Ack:
        """Use an element of a message: by action id or by the text on it; `option` for menus.

        With `confirm=False` the person backs out of the confirmation dialog: nothing is delivered.
        """
        post = self._post(message)
        block, found = _find(post.message.get("blocks", []), element, block_id)
        if found.get("confirm") and not confirm:
            return Ack(False, "not_confirmed")
        return await self._interactions.click_message(self.person, post, self._action(block, found, option))

    async def click_modal(
        self, element: str, *, block_id: str | None = None, option: Any = None, confirm: bool = True
    ) -> Ack:
        """Use a button or menu of the top modal."""
        return await self._click_view(self._top(), element, block_id, option, confirm=confirm)

    async def click_home(
        self, element: str, *, block_id: str | None = None, option: Any = None, confirm: bool = True
    ) -> Ack:
        """Use a button or menu of the Home tab."""
        return await self._click_view(self._home(), element, block_id, option, confirm=confirm)

    async def suggest(
        self, action_id: str, typed: str, *, block_id: str | None = None, message: Json | None = None
    ) -> list[Json]:
        """Type into an external select of the top modal or a message; give what is offered, flattened."""
        place = self._top() if message is None else self._post(message)
        ack = await self._interactions.suggest(self.person, place, action_id, typed, block_id)
        if not ack.ok:
            raise LookupError(f"{action_id}: {ack.error} {' '.join(ack.detail)}".strip())
        self._suggested[action_id] = offered(ack.body or {})
        return copy.deepcopy(self._suggested[action_id])

    async def choose(self, action_id: str, option: Any, *, block_id: str | None = None) -> Ack:
        """Choose from a select, radio buttons or checkboxes of the top modal.

        `option` is an option, the text on it, or a list of either; `None` empties it. An external select
        offers what was suggested last, else it is asked with that text. Where the app wants to hear at once,
        it does.
        """
        view = self._top()
        block, element = find(view.blocks, action_id, block_id)
        if element["type"].endswith("external_select"):
            await self._look_up(action_id, option, block_id)
        return await self._interactions.click_view(self.person, view, self._action(block, element, option))

    def type(self, action_id: str, text: str, *, block_id: str | None = None) -> None:
        """Type into a text field of the top modal."""
        view = self._top()
        block, element = find(view.blocks, action_id, block_id)
        view.inputs.enter(block["block_id"], element["action_id"], text)

    async def press_enter(self, action_id: str, *, block_id: str | None = None) -> Ack:
        """Press Enter in a text field; delivered where the block has `dispatch_action`."""
        view = self._top()
        block, element = find(view.blocks, action_id, block_id)
        value = view.inputs.value(block["block_id"], element["action_id"])
        return await self._enter(view, block, element, value)

    async def pick(self, action_id: str, value: Any, *, block_id: str | None = None) -> Ack:
        """Pick a person, channel, date or time in the top modal: ids as in Slack, dates as `YYYY-MM-DD`."""
        view = self._top()
        return await self._enter(view, *find(view.blocks, action_id, block_id), value)

    async def submit(self) -> Ack:
        """Submit the top modal; errors, Slack's own among them, are in `body["errors"]`."""
        return await self._interactions.submit(self.person, self._top())

    async def close_modal(self, *, everything: bool = False) -> Ack:
        """Cancel the top modal; `everything` is the cross that closes the whole stack."""
        return await self._interactions.close(self.person, self._top(), everything=everything)

    async def shortcut(self, callback_id: str, message: Json | None = None) -> Ack:
        return await self._interactions.shortcut(
            self.person, callback_id, None if message is None else self._post(message)
        )

    async def open_home(self, *, timeout: float = PATIENCE) -> Json:
        """Open the Home tab and wait for what the app publishes on it."""
        before = self._platform.views.homes.get(self.person.id)
        old = before.hash if before else None
        await self._interactions.open_home(self.person)

        def published() -> View | None:
            home = self._platform.views.homes.get(self.person.id)
            return home if home is not None and home.hash != old else None

        return self._json(await self._platform.workspace.news.until(published, timeout=timeout))

    async def open_messages(self) -> Ack:
        """Open the messages with the bot."""
        return await self._interactions.open_messages(self.person)

    # What they see

    def modal(self) -> Json | None:
        """The top modal in Slack's JSON, with what is entered in `state`."""
        stack = self._platform.views.stack(self.person.id)
        return self._json(stack[-1]) if stack else None

    def modals(self) -> list[Json]:
        """The whole stack, the top last."""
        return [self._json(view) for view in self._platform.views.stack(self.person.id)]

    async def modal_appears(self, *, callback_id: str | None = None, timeout: float = PATIENCE) -> Json:
        """Wait until a modal (with this callback id) is on top."""

        def top() -> Json | None:
            modal = self.modal()
            return modal if modal and callback_id in (None, modal["callback_id"]) else None

        return await self.wait_for(top, timeout=timeout)

    def home(self) -> Json | None:
        home = self._platform.views.homes.get(self.person.id)
        return self._json(home) if home else None

    def messages(self, channel: str = "csp-billing") -> list[Json]:
        """Everything they can see in a channel, threads and ephemeral messages included, oldest first."""
        return [post.as_seen() for post in self._channel(channel).seen_by(self.person.id)]

    def sees(self, fits: Callable[[Json], bool], channel: str) -> int:
        """How many of these fit. Nothing is copied: `fits` may only look."""
        return sum(fits(post.glimpse()) for post in self._channel(channel).seen_by(self.person.id))

    def dms(self) -> list[Json]:
        """The messages between them and the bot."""
        dm = self._platform.workspace.dm_with(self.person.id)
        return self.messages(dm.id) if dm else []

    async def wait_for(self, look: Callable[[], T | None], *, timeout: float = PATIENCE) -> T:
        """Wait until `look()` finds something; it is asked again after every change in the workspace."""
        return await self._platform.workspace.news.until(look, timeout=timeout)

    async def _click_view(
        self, view: View, name: str, block_id: str | None, option: Any, *, confirm: bool
    ) -> Ack:
        block, element = _find(view.blocks, name, block_id)
        if element.get("confirm") and not confirm:
            return Ack(False, "not_confirmed")
        return await self._interactions.click_view(self.person, view, self._action(block, element, option))

    async def _enter(self, view: View, block: Json, element: Json, value: Any) -> Ack:
        key, _ = STATE_KEYS[element["type"]]
        action = {"block_id": block["block_id"], "action_id": element["action_id"], key: value}
        return await self._interactions.click_view(self.person, view, action)

    async def _look_up(self, action_id: str, option: Any, block_id: str | None) -> None:
        texts = [one for one in (option if isinstance(option, list) else [option]) if isinstance(one, str)]
        known = self._suggested.get(action_id, [])
        if texts and not any(text in o["text"]["text"] for text in texts for o in known):
            await self.suggest(action_id, texts[0], block_id=block_id)

    def _action(self, block: Json, element: Json, option: Any) -> Json:
        action: Json = {"block_id": block["block_id"], "action_id": element["action_id"]}
        if option is None:
            return action
        if element["type"] == "overflow":
            return {**action, "selected_option": self._option(element, option)}
        key, _ = STATE_KEYS[element["type"]]
        if key == "selected_options":
            many = option if isinstance(option, list) else [option]
            return {**action, key: [self._option(element, one) for one in many]}
        return {**action, key: self._option(element, option) if key == "selected_option" else option}

    def _option(self, element: Json, wanted: Any) -> Json:
        """The option that is meant: as it is, by its whole text, or by a part only one of them has."""
        if isinstance(wanted, dict):
            return wanted
        on_offer = offered(element) or self._suggested.get(element["action_id"], [])
        exact = [option for option in on_offer if wanted == option["text"]["text"]]
        matching = exact or [option for option in on_offer if wanted in option["text"]["text"]]
        if len(matching) != 1:
            texts = [option["text"]["text"] for option in on_offer]
            raise LookupError(f"{wanted!r} is {len(matching)} of the options {texts}")
        return matching[0]

    def _channel(self, name: str) -> Channel:
        workspace = self._platform.workspace
        with_bot = name in (workspace.bot.id, workspace.bot.handle)
        channel = workspace.dm_with(self.person.id) if with_bot else workspace.channel(name)
        if channel is None or self.person.id not in channel.members:
            raise LookupError(f"{self.person.name} sees no channel {name!r}")
        return channel

    def _post(self, message: Json) -> Post:
        post = self._channel(message["channel"]).posts.get(message["ts"])
        if post is None or post.only_for not in (None, self.person.id):
            raise LookupError(f"{self.person.name} sees no message {message['ts']}")
        return post

    def _top(self) -> View:
        stack = self._platform.views.stack(self.person.id)
        if not stack:
            raise LookupError(f"{self.person.name} has no modal open")
        return stack[-1]

    def _home(self) -> View:
        home = self._platform.views.homes.get(self.person.id)
        if home is None:
            raise LookupError(f"{self.person.name} has nothing on the Home tab")
        return home

    def _json(self, view: View) -> Json:
        return copy.deepcopy(self._platform.view_json(view))


def _find(blocks: list[Json], name: str, block_id: str | None) -> tuple[Json, Json]:
    """An element by its action id, or by the text on it."""
    try:
        return find(blocks, name, block_id)
    except Unknown:
        named = [
            (block, element)
            for block, element in elements(blocks)
            if element.get("text", {}).get("text") == name and block_id in (None, block["block_id"])
        ]
        if not named:
            seen = [
                element.get("text", {}).get("text") or element["action_id"] for _, element in elements(blocks)
            ]
            raise LookupError(f"nothing called {name!r} here, only {seen}") from None
        return named[0]
