"""What can go wrong on the way to Partner Center, switched on by a test or by a person at the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any] | list[Any] | str


@dataclass(frozen=True)
class Refuse:
    """Answer so instead of doing anything."""

    status: int
    body: Body | None
    headers: Mapping[str, str]


@dataclass(frozen=True)
class LoseAnswer:
    """Do it, and cut the connection instead of answering."""


@dataclass(frozen=True)
class Slow:
    """Do it, and answer only after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class ChangeMeanwhile:
    """Change the subscription the request is about just before the request is looked at."""

    fields: Mapping[str, Any]


Effect = Refuse | LoseAnswer | Slow | ChangeMeanwhile


@dataclass
class Fault:
    """An effect, which requests meet it, and how often still (None: until cleared)."""

    effect: Effect
    method: str | None
    path_contains: str
    times: int | None
    switch: str = ""

    def meets(self, method: str, path: str) -> bool:
        return (
            self.times != 0
            and self.method in {None, method}
            and self.path_contains.casefold() in path.casefold()
        )


@dataclass(frozen=True)
class Switch:
    """A fault that somebody at the page can switch on; it stays until it is switched off."""

    title: str
    hint: str
    effect: Effect
    method: str | None = None


_API = "/v1/"
SWITCHES = {
    "slow": Switch("Slow", "Every answer takes four seconds", Slow(4.0)),
    "throttled": Switch(
        "429: too many requests",
        "Every call is told to come again later",
        Refuse(429, None, {"Retry-After": "2"}),
    ),
    "broken": Switch("500: server error", "Every call fails", Refuse(500, None, {})),
    "lost": Switch("Lost answer", "Changes are made, but the answer never arrives", LoseAnswer(), "PATCH"),
    "changed": Switch(
        "Changed meanwhile", "Somebody is quicker at every change", ChangeMeanwhile({}), "PATCH"
    ),
}


@dataclass
class Faults:
    """The faults in waiting; each request takes those that meet it, oldest first."""

    waiting: list[Fault] = field(default_factory=list)

    def add(
        self,
        *,
        status: int,
        method: str | None = None,
        path_contains: str = "",
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """Answer `status` instead of doing anything; without a `body`, the one usual for that status."""
        self._wait(Refuse(status, body, dict(headers or {})), method, path_contains, times)

    def lose_answer(
        self, *, method: str | None = None, path_contains: str = "", times: int | None = 1
    ) -> None:
        """Let the effect happen and cut the connection before the answer."""
        self._wait(LoseAnswer(), method, path_contains, times)

    def slow(
        self, seconds: float, *, method: str | None = None, path_contains: str = "", times: int | None = 1
    ) -> None:
        """Let the effect happen at once and hold the answer back."""
        self._wait(Slow(seconds), method, path_contains, times)

    def change_meanwhile(self, *, path_contains: str = "", times: int | None = 1, **fields: Any) -> None:
        """Change the subscription between the reader's GET and their PATCH, so that their etag is stale.

        `fields` are those of `Subscription`; without any, only its version grows.
        """
        self._wait(ChangeMeanwhile(fields), "PATCH", path_contains, times)

    def switch(self, name: str, *, on: bool) -> None:
        """Let it meet whatever comes, until it is switched off. Raises LookupError where there is no such switch."""
        wanted = SWITCHES[name]
        self.waiting = [fault for fault in self.waiting if fault.switch != name]
        if on:
            self.waiting.append(Fault(wanted.effect, wanted.method, _API, None, name))

    def switches(self) -> list[dict[str, Any]]:
        """All there are as plain JSON, with whether each is on."""
        on = {fault.switch for fault in self.waiting}
        return [
            {"name": name, "title": each.title, "hint": each.hint, "on": name in on}
            for name, each in SWITCHES.items()
        ]

    def clear(self) -> None:
        self.waiting.clear()

    def take(self, method: str, path: str) -> list[Effect]:
        """The effects this request meets; a refused request meets nothing but the refusal and delay."""
        met = [fault for fault in self.waiting if fault.meets(method, path)]
        refusal = next((fault for fault in met if isinstance(fault.effect, Refuse)), None)
        if refusal is not None:
            met = [fault for fault in met if fault is refusal or isinstance(fault.effect, Slow)]
        for fault in met:
            if fault.times is not None:
                fault.times -= 1
        self.waiting = [fault for fault in self.waiting if fault.times != 0]
        return [fault.effect for fault in met]

    def _wait(self, effect: Effect, method: str | None, path_contains: str, times: int | None) -> None:
        self.waiting.append(Fault(effect, method and method.upper(), path_contains, times))
