"""Open views: each person's stack of modals, and their Home tab."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.sandbox.slack.block_kit import completed
from bot.sandbox.slack.inputs import Inputs
from bot.sandbox.slack.news import News

Json = dict[str, Any]

STACK = 3  # https://docs.slack.dev/surfaces/modals: open plus two pushes
_KEYS = ("title", "close", "submit")


class ViewRefused(Exception):
    """Carries Slack's error name."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class View:
    """One view as one person sees it, with what they have entered."""

    def __init__(self, definition: Json, *, person: str, at: datetime, id: str | None = None) -> None:
        self.id = id or f"V0{secrets.token_hex(5).upper()}"
        self.person = person
        self.root_id = self.id
        self.previous_id: str | None = None
        self.inputs = Inputs([])
        self.show(definition, at=at)

    def show(self, definition: Json, *, at: datetime) -> None:
        """Show something else in the same view; what was entered stays where the ids stay."""
        self.definition = definition
        self.blocks = completed(definition["blocks"])
        self.hash = f"{int(at.timestamp())}.{secrets.token_urlsafe(6)}"
        self.inputs = self.inputs.after_update(self.blocks)

    @property
    def external_id(self) -> str:
        return str(self.definition.get("external_id") or "")

    def as_json(self, *, team_id: str, app_id: str, bot_id: str) -> Json:
        return {
            "id": self.id,
            "team_id": team_id,
            "type": self.definition["type"],
            "callback_id": self.definition.get("callback_id") or "",
            "private_metadata": self.definition.get("private_metadata") or "",
            "external_id": self.external_id,
            "hash": self.hash,
            **{key: self.definition.get(key) for key in _KEYS},
            "blocks": self.blocks,
            "state": {"values": self.inputs.as_json()},
            "clear_on_close": bool(self.definition.get("clear_on_close")),
            "notify_on_close": bool(self.definition.get("notify_on_close")),
            "submit_disabled": bool(self.definition.get("submit_disabled")),
            "previous_view_id": self.previous_id,
            "root_view_id": self.root_id,
            "app_id": app_id,
            "app_installed_team_id": team_id,
            "bot_id": bot_id,
        }


class Views:
    """Everybody's modals and Home tabs; each change is announced to the person who sees it."""

    def __init__(self, news: News, now: Callable[[], datetime]) -> None:
        self._news = news
        self._now = now
        self._stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    def stack(self, person: str) -> list[View]:
        """From the root to the top."""
        return self._stacks.setdefault(person, [])

    def find(self, *, view_id: str = "", external_id: str = "") -> View | None:
        """Find an open view, Home tabs included, by one of its ids."""
        everything = [view for stack in self._stacks.values() for view in stack] + list(self.homes.values())
        for view in everything:
            if (view_id and view.id == view_id) or (external_id and view.external_id == external_id):
                return view
        return None

    def open(self, person: str, definition: Json) -> View:
        """Open a modal; one that was open before goes."""
        self._refuse_taken_name(definition)
        view = View(definition, person=person, at=self._now())
        self._stacks[person] = [view]
        self._tell(person)
        return view

    def push(self, person: str, definition: Json) -> View:
        """Put a modal on top of the one that is open."""
        self._refuse_taken_name(definition)
        stack = self.stack(person)
        if not stack:
            raise ViewRefused("not_found")
        if len(stack) >= STACK:
            raise ViewRefused("push_limit_reached")
        view = View(definition, person=person, at=self._now())
        view.root_id, view.previous_id = stack[0].id, stack[-1].id
        stack.append(view)
        self._tell(person)
        return view

    def update(self, view: View, definition: Json, *, hash: str | None = None) -> None:
        if hash and hash != view.hash:
            raise ViewRefused("hash_conflict")
        self._refuse_taken_name(definition, but=view)
        view.show(definition, at=self._now())
        self._tell(view.person)

    def close(self, view: View) -> None:
        """Close one view; the one below shows again."""
        stack = self.stack(view.person)
        if view in stack:
            stack.remove(view)
            self._tell(view.person)

    def clear(self, person: str) -> None:
        self._stacks[person] = []
        self._tell(person)

    def publish(self, person: str, definition: Json, *, hash: str | None = None) -> View:
        """Set what a person's Home tab shows."""
        home = self.homes.get(person)
        if home is not None and hash and hash != home.hash:
            raise ViewRefused("hash_conflict")
        self._refuse_taken_name(definition, but=home)
        if home is None:
            home = self.homes[person] = View(definition, person=person, at=self._now())
        else:
            home.show(definition, at=self._now())
        self._news.announce({"type": "home", "view": home}, to=frozenset({person}))
        return home

    def _refuse_taken_name(self, definition: Json, *, but: View | None = None) -> None:
        name = definition.get("external_id")
        other = self.find(external_id=name) if name else None
        if other is not None and other is not but:
            raise ViewRefused("duplicate_external_id")

    def _tell(self, person: str) -> None:
        self._news.announce({"type": "views", "stack": tuple(self.stack(person))}, to=frozenset({person}))
