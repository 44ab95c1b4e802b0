"""A partner at work over HTTP: one of everything a click can be about, and every kind of payload Slack brought."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.customer import CustomerId
from bot.domain.letter import LetterKind
from bot.domain.observation import Reported
from bot.services.letters import Written
from bot.store.store import sync_url
from bot.store.tables import metadata
from handlers import ids
from tests.builders import HOUR, ana
from tests.conftest import SetStage
from tests.handlers import story, ticketing
from tests.handlers.story import Json
from tests.stage import Stage

EXPORT = b"Customer,Tenant ID,Invoice No,Due Date,Currency,Balance\nFirm,firm.example,1,2026-10-01,EUR,5.00"
NEVER = "0 0 29 2 *"
CHANNELS = {
    "backstop_suspicious_channel": "C0SUSPICIOUS",
    "backstop_suspicious_cron": NEVER,
    "backstop_tickets_channel": "C0TICKETS",
}

BY_ITSELF = frozenset(
    {"posts", "marks", "crawl", "crawls", "customers", "subscriptions", "readings", "audit"}
)
"""What changes without anybody asking: cards that were drawn, readings; the audit trail is looked at by its tags."""

Rows = Mapping[str, frozenset[tuple[object, ...]]]


@dataclass(frozen=True)
class Office:
    stage: Stage
    request: story.Asked
    """Ana has asked, nobody has approved."""
    draft: str
    """Of a form that Ana has open at its last step; *Confirm* makes a request of it."""
    carried: str
    """What its confirmation carries."""
    sent: dict[str, Json] = field(default_factory=dict)
    """One payload of each kind, as Slack sent it."""

    def rows(self, tables: Iterable[str] = ()) -> Rows:
        """What the database holds, table by table; all but what changes by itself where none is named."""
        names = set(tables) or set(metadata.tables) - BY_ITSELF
        file = sync_url(self.stage.app.settings.database_url).database
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as reader:
            return {name: frozenset(reader.execute(f"SELECT * FROM {name}")) for name in sorted(names)}  # noqa: S608  names of its own tables

    def tags(self, after: int = 0) -> list[str]:
        """What the audit trail was given since that entry."""
        return [str(tag) for seq, tag in sorted(self._audit()) if int(str(seq)) > after]

    def newest(self) -> int:
        """The number of the newest entry of the audit trail."""
        return max(int(str(seq)) for seq, _tag in self._audit())

    def ids(self) -> dict[str, list[str]]:
        """An id or two of everything there is, by its kind."""
        rows = self.rows(("requests", "drafts", "tickets", "letters", "cases", "previews", "customers"))
        found = {name: sorted(str(row[0]) for row in held)[:2] for name, held in rows.items()}
        found["requests"] = [self.request.id]
        found["drafts"] = [self.draft, self.carried, *found["drafts"]]
        found["subscriptions"] = [self.request.subscription_id]
        return found

    def _audit(self) -> list[tuple[object, object]]:
        return [(row[0], row[2]) for row in self.rows(("audit",))["audit"]]


async def at_work(
    set_stage: SetStage, *, note: str = "Third reminder", file: str = "open.csv", **settings: Any
) -> Office:
    """The office in the middle of a day."""
    stage = await set_stage(transport="http", **CHANNELS, **settings)
    core, sent = stage.app.core, dict[str, Json]()
    await story.imports_books(stage, core.backstop.digests.today())
    asked = await story.asks(stage, note=note)
    view = await story.continues(stage.ana, "fourthcoffee", reason="Non-payment", note=note)
    await _opens_the_rest(stage)
    seen = stage.slack.messages("csp-approvals")[0]
    await stage.ana.suggest(ids.CUSTOMER, "con") if stage.ana.modal() is None else None
    await stage.ben.open_home()
    await stage.ben.shortcut(ids.TICKET_SHORTCUT, seen)
    await stage.ben.shortcut(ids.SUSPEND_SHORTCUT)
    assert (await stage.ben.click(asked.card, "Deny")).ok
    await stage.ben.modal_appears(callback_id=ids.DENY_REASON)
    assert (await stage.ana.upload(file, EXPORT, channel="csp-overdue", mimetype="text/csv")).ok
    await stage.slack.message_appears(
        "csp-overdue", lambda m: "Apply or discard?" in f"{m['text']}\n{story.lines(m)}"
    )
    for parcel in stage.slack._delivery.sent:
        kind = str(parcel.payload.get("type") or "command")
        sent.setdefault(
            kind if parcel.kind != "events_api" else parcel.payload["event"]["type"], parcel.payload
        )
    return Office(stage, asked, story.draft_of(view), view["private_metadata"], sent)


async def _opens_the_rest(stage: Stage) -> None:
    """A ticket, a letter that waits to be sent, and a suspicious case."""
    core = stage.app.core
    await ticketing.opens(stage)
    held = stage.partner_center.customer("Contoso")
    who = CustomerId(held.id)
    written = Written(LetterKind.WARN, who, held.name, "en", "", "Overdue", "Please pay.", "warn")
    await core.backstop.letters.draft(written, by=ana)
    seen = Reported(who, core.backstop.now() - HOUR, "click-1", ana.id, "odd")
    async with core.store.begin() as tx:
        await tx.observations.keep([seen], at=core.backstop.now())
    await core.backstop.cases.record()


def kinds(sent: Mapping[str, Any]) -> list[str]:
    return sorted(sent)
