"""Letters to customers: *Notice*, a preview, then sent by mail or recorded as sent by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.customer import Customer, CustomerId, Known, SubscriptionStatus
from bot.domain.errors import Invalid, LetterOutdated, NotFound
from bot.domain.letter import (
    Letter,
    LetterKind,
    LetterStatus,
    Matter,
    checked,
    is_address,
    telling_of,
)
from bot.domain.people import Person, Right
from bot.domain.policy import StageAction
from bot.domain.request import ActionRequest, Result
from bot.services.letters import Written
from bot.texts import for_locale, in_language
from handlers import addressee, errors, ids, reading
from handlers.asking import answering
from handlers.desk import Desk, call
from handlers.filled import chosen, given
from handlers.listeners import Listeners
from handlers.notices import message
from handlers.reading import Waiting
from handlers.views import blocks, forms
from handlers.views import letters as views
from handlers.views.errors import view as refusal
from handlers.views.letters import Sheet, Way


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.WRITE_LETTER)(partial(open_letter_form, desk))
    listen.action(ids.LETTER_KIND)(partial(choose, desk))
    listen.action(ids.LETTER_LANGUAGE)(partial(choose, desk))
    listen.view(ids.LETTER_FORM)(partial(review, desk))
    listen.view(ids.LETTER_SEND)(partial(confirm, desk, way=Way.SEND))
    listen.view(ids.LETTER_COPIED)(partial(confirm, desk, way=Way.COPIED))
    listen.action(ids.LETTER_ARRIVED)(partial(decide, desk, was_sent=True))
    listen.action(ids.LETTER_LOST)(partial(decide, desk, was_sent=False))


@dataclass(frozen=True, slots=True)
class Origin:
    """What a form follows from, where it was opened and when it was filled in; together they are its opaque id."""

    about: str
    """The id of a customer, a request or a letter."""
    channel: str = ""
    on: str = ""

    def __str__(self) -> str:
        return f"{self.about} {self.channel} {self.on}"


def origin_of(view: dict[str, Any]) -> Origin:
    return Origin(*str(view.get("private_metadata") or "").split(" "))


async def open_letter_form(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Open a view at once (a trigger lives three seconds), and fill it when all it says is read."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    about = str(body["actions"][0].get("value") or "")
    origin = Origin(about, str((body.get("channel") or {}).get("id") or ""))
    await ack()
    desk.after_ack(
        answering(desk, body, _open(desk, person, origin, body["trigger_id"]), attempted=ids.LETTER_FORM)
    )


async def choose(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Another kind or another language: other words. Whom it goes to stays as it was typed."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    view = body["view"]
    await ack()
    desk.after_ack(answering(desk, body, _redraw(desk, person, view), attempted=ids.LETTER_FORM))


async def review(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """*Continue*: keep the draft, and show exactly what will go. Nothing is sent or recorded yet."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    view, texts = body["view"], desk.texts_for(person)
    _check(view)  # before the books are read: once we have acknowledged, nothing can be told under a field
    wait = forms.wait_view(
        texts("letter-title"), texts("letter-reading"), texts, external_id=str(body["trigger_id"])
    )
    waiting = Waiting(wait, person, attempted=ids.LETTER_FORM)
    await reading.push(desk, ack, _preview(desk, person, view), waiting)


async def _preview(desk: Desk, person: Person, view: dict[str, Any]) -> blocks.View:
    """Keep the draft, and draw it. Raises LetterOutdated for a warning that was filled in on another day."""
    origin = origin_of(view)
    customer = await desk.backstop.customers.customer(await _customer_id(desk, person, origin.about))
    found = await desk.backstop.letters.situation(customer)
    stage = found.standing.stage
    written = _written(view, customer, stage.id if stage else None)
    if written.kind.is_warning and origin.on != found.on.isoformat():
        raise LetterOutdated
    letter = await desk.backstop.letters.draft(written, by=person)
    return views.preview(
        letter,
        _way(view),
        str(replace(origin, about=letter.id)),
        desk.texts_for(person),
        dry_run=desk.backstop.requests.rules.dry_run,
    )


async def confirm(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, way: Way) -> None:
    """*Confirm*: now it is sent, or recorded as sent by hand."""
    person = await desk.people.who_clicked(body)
    origin, letters = origin_of(body["view"]), desk.backstop.letters
    keep = letters.send if way is Way.SEND else letters.copied
    letter = await keep(origin.about, by=person)
    await ack(response_action="clear")
    said = views.headline(letter, desk.texts_for(person))
    about = {"user": {"id": person.id}, "channel": {"id": origin.channel}}
    desk.after_ack(errors.tell(desk, about, blocks.escaped(said)))


async def decide(desk: Desk, ack: AsyncAck, body: dict[str, Any], *, was_sent: bool) -> None:
    """A person looked: the letter of which nobody knew was sent, or was not."""
    person = await desk.people.who_clicked(body)
    await desk.backstop.letters.decide(
        str(body["actions"][0].get("value") or ""), was_sent=was_sent, by=person
    )
    await ack()


async def tell_letter(desk: Desk, letter_id: str) -> None:
    """Tell the writer, once, what became of it; what a person decided is written over the question."""
    letter = await desk.backstop.letters.get(letter_id)
    if letter.status not in (LetterStatus.SENT, LetterStatus.FAILED, LetterStatus.UNKNOWN):
        return
    texts = for_locale(await desk.people.language_of(letter.written_by), default=desk.language)
    said, body = blocks.escaped(views.headline(letter, texts)), views.result(letter, texts)
    posts = desk.backstop.posts
    asked = await posts.find(_key(letter, LetterStatus.UNKNOWN))

    async def send() -> tuple[str, str]:
        if asked is None or asked.ts is None:
            return await message(desk, letter.written_by, said, body)
        await call(desk.client.chat_update, channel=asked.channel, ts=asked.ts, text=said, blocks=body)
        return asked.channel, asked.ts

    await posts.once(_key(letter, letter.status), send, channel=letter.written_by)


def _key(letter: Letter, status: LetterStatus) -> str:
    return f"letter:{letter.id}:{status}"


async def _open(desk: Desk, person: Person, origin: Origin, trigger: str) -> None:
    texts = desk.texts_for(person)
    waiting = forms.wait_view(texts("letter-title"), texts("letter-reading"), texts)
    opened = await call(desk.client.views_open, trigger_id=trigger, view=waiting)
    try:
        view = views.letter_form(await _sheet(desk, person, origin), texts)
    except Exception as error:
        words = await errors.words_for(desk, error, person=person, attempted=ids.LETTER_FORM)
        view = refusal(words, texts)
    await call(desk.client.views_update, view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=view)


async def _redraw(desk: Desk, person: Person, view: dict[str, Any]) -> None:
    sheet = await _sheet(
        desk,
        person,
        origin_of(view),
        kind=LetterKind(chosen(view, ids.LETTER_KIND)),
        language=chosen(view, ids.LETTER_LANGUAGE),
    )
    shown = views.letter_form(sheet, desk.texts_for(person))
    await call(desk.client.views_update, view_id=view["id"], hash=view["hash"], view=shown)


async def _sheet(
    desk: Desk,
    person: Person,
    origin: Origin,
    *,
    kind: LetterKind | None = None,
    language: str | None = None,
) -> Sheet:
    """The form as it is filled in before anybody types; `kind` and `language` where somebody chose them."""
    backstop = desk.backstop
    request = await backstop.requests.get(origin.about) if origin.about.startswith("R-") else None
    failed = await _own(desk, person, origin.about) if origin.about.startswith("L-") else None
    customer = await backstop.customers.customer(await _customer_id(desk, person, origin.about))
    contact = await addressee.contact(desk, customer.id)
    found = await backstop.letters.situation(customer)
    if failed and kind is None:
        kind, language = failed.kind, failed.language
    kind = kind or (telling_of(request) if request else None) or found.fitting_kind
    theirs = addressee.language(contact)
    language = language or theirs or desk.language
    matter = Matter(
        kind=kind,
        customer_name=customer.name,
        contact=contact.name if contact else "",
        on=found.on,
        account=found.account,
        deadline=found.deadline(kind),
        signature=backstop.letters.signature,
    )
    matter = await _with_services(desk, matter, customer, request)
    words = in_language(language)
    known_as_written = (
        failed is not None
        and (failed.kind, failed.language) == (kind, language)
        and not backstop.letters.is_outdated(failed)
    )
    address = contact.email if contact and contact.email and is_address(contact.email) else ""
    return Sheet(
        origin=str(replace(origin, on=found.on.isoformat())),
        customer=customer,
        kind=kind,
        language=language,
        to=failed.to if failed else address,
        subject=failed.subject if failed and known_as_written else views.subject(matter, words),
        body=failed.body if failed and known_as_written else views.text(matter, words),
        can_send=backstop.letters.can_send,
        hints=_hints(
            desk, person, matter, customer, found.earlier, knows_address=bool(address), speaks=theirs
        ),
    )


def _hints(
    desk: Desk,
    person: Person,
    matter: Matter,
    customer: Customer,
    earlier: tuple[Letter, ...],
    *,
    knows_address: bool,
    speaks: str | None,
) -> tuple[str, ...]:
    texts = desk.texts_for(person)
    hints: list[str] = []
    if matter.kind.asks_for_money and not matter.account.documents:
        hints.append(texts("letter-hint-nothing-owed"))
    elif matter.account.documents and matter.account.as_of:
        hints.append(texts("letter-hint-as-of", day=texts.day(matter.account.as_of)))
    if not matter.kind.asks_for_money and not matter.services:
        hints.append(texts("letter-hint-no-services"))
    exempt = desk.backstop.policy.exemption(customer.id, StageAction.PROPOSE_SUSPEND, on=matter.on)
    if exempt and matter.kind.is_warning:
        day, reason = texts.day(exempt.until), blocks.name(exempt.reason, 200)
        hints.append(texts.mrkdwn("letter-hint-exempt", day=day, reason=reason))
    last = earlier[-1] if earlier else None
    if last and last.sent_at:
        hints.append(
            texts.mrkdwn(
                "letter-hint-last",
                kind=texts(f"letter-kind-{last.kind}"),
                at=blocks.moment(last.sent_at),
                by=blocks.person(last.written_by),
            )
        )
    if not knows_address:
        hints.append(texts("letter-hint-no-contact"))
    if speaks is None:
        hints.append(texts("letter-hint-language"))
    if not desk.backstop.letters.signature.strip():
        hints.append(texts("letter-hint-no-signature"))
    return tuple(hints)


async def _with_services(
    desk: Desk, matter: Matter, customer: Customer, request: ActionRequest | None
) -> Matter:
    """What was suspended or resumed: by the request that did it, else what is suspended as far as we know."""
    if matter.kind.asks_for_money:
        return matter
    if request and telling_of(request) is matter.kind:
        done = [t for t in request.targets if t.result is Result.DONE]
        ends = [t.outcome.deletes_on if t.outcome else None for t in done]
        return replace(matter, services=tuple(t.name for t in done), data_until=_earliest(ends))
    if matter.kind is LetterKind.RESUMED:
        return matter
    owned = await desk.backstop.customers.subscriptions(customer.id)
    suspended = {s.id: s.name for s in owned if s.status is SubscriptionStatus.SUSPENDED}
    known = [c for c in await desk.backstop.digests.countdowns() if c.subscription.id in suspended]
    ends = [c.deadline if c.known in (Known.OURS, Known.TOLD) else None for c in known]
    return replace(matter, services=tuple(suspended.values()), data_until=_earliest(ends))


def _earliest(ends: list[date | None]) -> date | None:
    """The first of them; None where one is unknown, for that may be earlier."""
    days = [day for day in ends if day is not None]
    return min(days) if days and len(days) == len(ends) else None


async def _customer_id(desk: Desk, person: Person, about: str) -> CustomerId:
    if about.startswith("R-"):
        return (await desk.backstop.requests.get(about)).action.customer_id
    if about.startswith("L-"):
        return (await _own(desk, person, about)).customer_id
    return CustomerId(about)


async def _own(desk: Desk, person: Person, letter_id: str) -> Letter:
    """The person's own letter: nobody else is shown the text or the address. Raises NotFound."""
    letter = await desk.backstop.letters.get(letter_id)
    if letter.written_by != person.id:
        raise NotFound("letter", letter_id)
    return letter


def _check(view: dict[str, Any]) -> None:
    """Raise Invalid, at its block, for a field that will not do."""
    to, subject, body = (_typed(view, id) for id in (ids.LETTER_TO, ids.LETTER_SUBJECT, ids.LETTER_BODY))
    try:
        if _way(view) is Way.SEND and not to:
            raise Invalid("to", "missing")
        checked(to, subject, body)
    except Invalid as error:
        raise Invalid(_block_of(view, error.at), error.reason, error.facts) from error


def _way(view: dict[str, Any]) -> Way:
    return Way(chosen(view, ids.LETTER_WAY) or Way.COPIED)


def _written(view: dict[str, Any], customer: Customer, stage: str | None) -> Written:
    return Written(
        kind=LetterKind(chosen(view, ids.LETTER_KIND)),
        customer_id=customer.id,
        customer_name=customer.name,
        language=chosen(view, ids.LETTER_LANGUAGE),
        to=_typed(view, ids.LETTER_TO),
        subject=_typed(view, ids.LETTER_SUBJECT),
        body=_typed(view, ids.LETTER_BODY),
        stage=stage,
    )


def _typed(view: dict[str, Any], action_id: str) -> str:
    return str(given(view, action_id).get("value") or "")


_FIELDS = {"to": ids.LETTER_TO, "subject": ids.LETTER_SUBJECT, "body": ids.LETTER_BODY}


def _block_of(view: dict[str, Any], field: str) -> str:
    """The block in which that field of a letter stands."""
    action = _FIELDS[field]
    return next(str(block) for block, inputs in view["state"]["values"].items() if action in inputs)
