"""The draft of a ticket: plain text an engineer of Microsoft's can act on, without asking back for an id.

For 21Vianet every heading and every word of ours is in Chinese first, then in English; what somebody wrote stays as
it was written, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from bot.domain.action import Verb
from bot.domain.customer import Cloud
from bot.domain.matter import MOST_TITLE, About, Check, Matter, TicketKind
from bot.domain.request import ActionRequest, Result, Status, Target
from bot.texts import Texts, in_language
from handlers.views.blocks import harmless, shortened

MOST_LINES: Final = 20
"""Of what was done so far."""
MOST_SUBJECT: Final = 255
"""What a portal's title and a mail's subject take."""
_TRIED: Final = (Status.EXECUTING, Status.DONE, Status.FAILED, Status.UNKNOWN)
_WITH_HEALTH: Final = (TicketKind.SERVICE, TicketKind.PARTNER_CENTER)


@dataclass(frozen=True, slots=True)
class Background:
    """What a draft tells besides what was filled in."""

    about: About
    partner: str = ""
    """The partner's own tenant id."""
    origin: ActionRequest | None = None
    """The request it follows from."""
    requests: tuple[ActionRequest, ...] = ()
    """What was asked for about that subscription, or about the customer where none was chosen; oldest first."""
    overdue_since: date | None = None
    suspicious_since: datetime | None = None
    is_live: bool = True
    """Whether customer and subscription were as Partner Center has them; else as last known."""


def languages_of(cloud: Cloud) -> tuple[Texts, ...]:
    """What the other side reads; the first language comes first."""
    if cloud is Cloud.CHINA:
        return in_language("zh-CN"), in_language("en")
    return (in_language("en"),)


def title_for(kind: TicketKind, customer: str) -> str:
    """What a ticket is called before anybody has thought about it."""
    return shortened(f"{in_language('en')(f'ticket-kind-{kind}')}: {harmless(customer)}", MOST_TITLE)


def subject(matter: Matter, what: About, languages: Sequence[Texts]) -> str:
    """One line: the title and whom it is about; for 21Vianet what it is about in Chinese before it."""
    first = languages[0](f"ticket-kind-{matter.kind}")
    begins = f"{first} / {matter.title}" if len(languages) > 1 else matter.title
    whom = what.domain or what.customer_id or ""
    return shortened(harmless(f"{begins} ({whom})" if whom else begins), MOST_SUBJECT)


def text(matter: Matter, background: Background, languages: Sequence[Texts]) -> str:
    """The whole draft. What somebody wrote is in it character by character."""
    return _Draft(matter, background, languages).text()


class _Draft:
    def __init__(self, matter: Matter, background: Background, languages: Sequence[Texts]) -> None:
        self._matter = matter
        self._about = background.about
        self._background = background
        self._languages = languages

    def text(self) -> str:
        matter = self._matter
        sections = [
            self._section("ticket-draft-request", self._request()),
            self._section("ticket-draft-partner", self._partner()),
            self._section("ticket-draft-customer", self._customer()),
            self._section("ticket-draft-subscription", self._subscription()),
            self._section("ticket-draft-since", self._since()),
            self._section(
                "ticket-draft-happened", [matter.description] if matter.description.strip() else []
            ),
            self._section("ticket-draft-message", self._message()),
            self._section("ticket-draft-tried", [matter.tried] if matter.tried.strip() else [self._unknown]),
            self._section("ticket-draft-checks", self._checks()),
            self._section("ticket-draft-correlation", self._correlation()),
            self._section("ticket-draft-done", self._done()),
            self._section("ticket-draft-evidence", self._evidence()),
        ]
        return "\n\n".join(section for section in sections if section) + "\n"

    def _section(self, key: str, lines: Iterable[str]) -> str:
        body = "\n".join(lines)
        return f"== {self._said(key)} ==\n{body}" if body else ""

    def _said(self, key: str, **facts: str) -> str:
        """In every language of the draft; what is the same in both is said once."""
        return " / ".join(dict.fromkeys(texts(key, **facts) for texts in self._languages))

    def _row(self, key: str, value: str) -> str:
        return f"{self._said(key)}: {value or self._unknown}"

    @property
    def _unknown(self) -> str:
        return self._said("unknown")

    def _request(self) -> list[str]:
        matter = self._matter
        rows = [
            self._row("ticket-draft-title", matter.title),
            self._row("ticket-draft-kind", self._said(f"ticket-kind-{matter.kind}")),
            self._row("ticket-draft-severity", self._said(f"ticket-severity-{matter.severity}")),
        ]
        if problem := matter.problem:
            rows.append(self._row("ticket-draft-azure-service", harmless(problem.service_name)))
            rows.append(self._row("ticket-draft-azure-problem", harmless(problem.classification_name)))
        return rows

    def _partner(self) -> list[str]:
        return [
            self._row("ticket-draft-tenant", self._background.partner),
            self._row("ticket-draft-contact", self._matter.contact),
        ]

    def _customer(self) -> list[str]:
        what = self._about
        if what.customer_id is None:
            return [self._said("ticket-draft-no-customer")]
        return [
            self._row("ticket-draft-name", harmless(what.customer_name)),
            self._row("ticket-draft-tenant", what.customer_id),
            self._row("ticket-draft-domain", harmless(what.domain)),
        ]

    def _subscription(self) -> list[str]:
        what = self._about
        if what.customer_id is None:
            return []
        if what.subscription_id is None:
            return [self._said("ticket-draft-no-subscription")]
        rows = [
            self._row("ticket-draft-name", harmless(what.subscription_name)),
            self._row("ticket-draft-subscription-id", what.subscription_id),
            self._row("ticket-draft-status", self._status()),
            self._row("ticket-draft-offer-id", harmless(what.offer_id)),
            self._row("ticket-draft-order-id", harmless(what.order_id)),
        ]
        if what.azure_id:
            rows.append(self._row("ticket-draft-azure-id", what.azure_id))
        return rows

    def _status(self) -> str:
        status = harmless(self._about.subscription_status)
        if not status or self._background.is_live:
            return status
        return f"{status} ({self._said('ticket-draft-as-last-known')})"

    def _since(self) -> list[str]:
        """Only days somebody knows."""
        background, rows = self._background, list[str]()
        if background.overdue_since:
            rows.append(self._row("ticket-draft-overdue-since", background.overdue_since.isoformat()))
        if background.suspicious_since:
            rows.append(self._row("ticket-draft-suspicious-since", _moment(background.suspicious_since)))
        suspended = [
            (request.done_at(target.subscription_id), target)
            for request in background.requests
            if request.action.verb is Verb.SUSPEND and not request.dry_run
            for target in self._concerned(request)
        ]
        if known := [at for at, _ in suspended if at]:
            rows.append(self._row("ticket-draft-last-suspended", _moment(max(known))))
        return rows or [self._unknown]

    def _message(self) -> list[str]:
        """Fenced by a line that is not in it, so that nobody takes a line of it for one of ours."""
        matter, rows = self._matter, list[str]()
        if matter.link:
            rows.append(self._row("ticket-draft-link", matter.link))
        if matter.quoted:
            fence = "-----"
            while fence in matter.quoted:
                fence += "-"
            begin, end = self._said("ticket-draft-begin"), self._said("ticket-draft-end")
            rows += [f"{fence} {begin} {fence}", matter.quoted, f"{fence} {end} {fence}"]
        return rows

    def _checks(self) -> list[str]:
        if self._matter.kind not in _WITH_HEALTH:
            return []
        return [
            f"[{'x' if check in self._matter.checked else ' '}] {self._said(f'ticket-form-check-{check}')}"
            for check in Check
        ]

    def _correlation(self) -> list[str]:
        """What Microsoft finds its own log by; those of the request it follows from come first."""
        origin, others = self._background.origin, self._background.requests
        first = [origin] if origin else []
        rows = [
            f"- {harmless(target.name)}: {harmless(target.outcome.correlation_id)}"
            for request in (*first, *(r for r in others if origin is None or r.id != origin.id))
            for target in self._concerned(request)
            if target.outcome and target.outcome.correlation_id
        ]
        return rows[:MOST_LINES] or ([self._unknown] if origin else [])

    def _done(self) -> list[str]:
        """What was really tried at Microsoft; the newest come last."""
        rows = [
            self._line(request, target)
            for request in self._background.requests
            if request.status in _TRIED and not request.dry_run
            for target in self._concerned(request)
        ]
        left = len(rows) - MOST_LINES
        if left > 0:
            rows = [self._said("ticket-draft-left-out", n=str(left)), *rows[-MOST_LINES:]]
        return rows or [self._said("ticket-draft-nothing-done")]

    def _line(self, request: ActionRequest, target: Target) -> str:
        """When, what, why, and what came of it: with Microsoft's own code where it said no."""
        settled = request.status is not Status.EXECUTING and target.result is not Result.OPEN
        parts = [
            _moment(request.placed_at),
            self._said(f"ticket-draft-verb-{request.action.verb}"),
            harmless(target.name),
            self._said(f"reason-{request.action.reason}"),
            self._said(f"status-{target.result}" if settled else f"status-{Status.EXECUTING}"),
            request.id,
        ]
        if target.outcome and target.outcome.reason and not target.was_called_off:
            parts.append(harmless(target.outcome.reason))
        return "- " + " | ".join(parts)

    def _concerned(self, request: ActionRequest) -> list[Target]:
        """The targets the ticket is about: those of its subscription, or all of the customer's."""
        what = self._about
        ours = {id for id in (what.subscription_id, what.azure_id) if id}
        return [t for t in request.targets if not ours or t.subscription_id in ours or t.parent_id in ours]

    def _evidence(self) -> list[str]:
        chosen = [f"- {self._said(f'ticket-form-evidence-{part}')}" for part in self._matter.evidence]
        return [self._said("ticket-draft-evidence-held"), *chosen] if chosen else []


def _moment(at: datetime) -> str:
    """The same in every language."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
