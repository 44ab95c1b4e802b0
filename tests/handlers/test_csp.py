"""`/csp`: what it answers to whom."""

from __future__ import annotations

import pytest

from bot.domain.capability import Feature
from bot.domain.customer import CustomerId
from bot.domain.errors import AccessDenied
from bot.domain.matter import About
from tests.builders import a_matter, ana
from tests.handlers import story
from tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answer(stage: Stage, who: str, line: str) -> story.Json:
    ack = await stage.slack.person(who).command(line)
    assert ack.ok, ack
    assert ack.body
    assert ack.body["response_type"] == "ephemeral"
    assert ack.body["text"]
    return ack.body


async def read(stage: Stage, who: str, line: str) -> story.Json:
    """What follows the first answer, which says that it is being read."""
    player = stage.slack.person(who)
    since = max((m["ts"] for m in player.messages("csp-billing")), default="")
    first = await answer(stage, who, line)
    return await follows(stage, who, first, since)


async def follows(stage: Stage, who: str, first: story.Json, since: str) -> story.Json:
    player = stage.slack.person(who)

    def look() -> story.Json | None:
        told = (m for m in player.messages("csp-billing") if m["ephemeral"] and m["ts"] > since)
        return next((m for m in told if m["text"] != first["text"]), None)

    return await player.wait_for(look)


@pytest.mark.parametrize(
    ("who", "commands"),
    [
        pytest.param("ana", ["/csp", "/csp-resume", "/csp-suspend", "/csp-ticket"], id="an operator"),
        pytest.param("mei", ["/csp"], id="an approver"),
        pytest.param("eve", ["/csp"], id="somebody without rights"),
    ],
)
async def test_help_names_what_the_person_may_do_and_nothing_else(
    shared: Stage, who: str, commands: list[str]
):
    said = story.lines(await answer(shared, who, "/csp help"))
    named = {line.split("`")[1].split()[0] for line in said.splitlines() if line.startswith("`")}
    assert named == set(commands)


async def test_nothing_typed_is_help_in_the_persons_language(shared: Stage):
    said = story.lines(await answer(shared, "eve", "/csp"))
    assert "Was Backstop für Sie tut" in said or "Backstop" in said
    assert said == story.lines(await answer(shared, "eve", "/csp HELP"))
    assert said != story.lines(await answer(shared, "mei", "/csp"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("fnd contoso", "Did you mean `find`?"),
        ("stats", "Did you mean `status`?"),
        ("request", "Did you mean `requests`?"),
        ("qqqq", "There is no “qqqq”."),
        ("<!channel>", "There is no “&lt;!channel&gt;”."),
    ],
)
async def test_a_mistyped_word_gets_the_nearest_and_the_help(shared: Stage, typed: str, said: str):
    body = await answer(shared, "ana", f"/csp {typed}")
    assert said in story.words(body)
    assert "/csp find TEXT" in story.words(body)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        pytest.param("contoso", {"Contoso Ltd"}, id="part of a name, other case"),
        pytest.param("alpine ski", {"Alpine Ski House"}, id="two of one name"),
        pytest.param("mueller-soehne.onmicrosoft.com", {"Müller & Söhne Maschinenbau GmbH"}, id="a domain"),
        pytest.param("muller sohne", {"Müller & Söhne Maschinenbau GmbH"}, id="without umlauts"),
        pytest.param("北京云杉", {"北京云杉科技有限公司"}, id="Chinese"),
        pytest.param("северный", {"Северный Ветер"}, id="Cyrillic, other case"),
        pytest.param("さくら", {"さくら商事株式会社"}, id="Japanese"),
        pytest.param("النخيل", {"شركة النخيل للتجارة"}, id="Arabic"),
        pytest.param("מרכבה", {"מרכבה תוכנה בע״מ"}, id="Hebrew"),
        pytest.param("한빛", {"한빛정밀 주식회사"}, id="Korean"),
        pytest.param("ΕΛΙΑ", {"Ελιά Τρόφιμα Α.Ε."}, id="Greek, without the accent"),
        pytest.param("Ｃｏｎｔｏｓｏ", {"Contoso Ltd"}, id="full-width letters"),
        pytest.param("nobody of this name", set(), id="nobody"),
        pytest.param("%", set(), id="a wildcard of SQL"),
        pytest.param("_", set(), id="another wildcard"),
        pytest.param("c*n", set(), id="a wildcard of shells"),
        pytest.param("' OR 1=1 --", set(), id="SQL"),
        pytest.param("\\", set(), id="a backslash"),
    ],
)
async def test_find(shared: Stage, typed: str, found: set[str]):
    body = await answer(shared, "ana", f"/csp find {typed}")
    said = story.lines(body)
    if not found:
        assert "No customer matches" in said
        return
    headed = {line.split("*")[1] for line in said.splitlines() if line.startswith("*")}
    assert {name.replace("&amp;", "&") for name in headed} == found


async def test_two_customers_of_one_name_are_told_apart_by_their_domains(shared: Stage):
    said = story.lines(await answer(shared, "ana", "/csp find alpine ski house"))
    assert "alpineskihouse.onmicrosoft.com" in said
    assert "alpineskihouse-davos.onmicrosoft.com" in said


async def test_find_by_tenant_id_and_by_subscription_id_shows_what_they_have(shared: Stage):
    contoso = shared.partner_center.customer("Contoso")
    for typed in (contoso.id, contoso.id.upper(), contoso.id[:13], contoso.subscriptions[0].id):
        said = story.lines(await answer(shared, "ana", f"/csp find {typed}"))
        assert "*Contoso Ltd*  contoso.onmicrosoft.com" in said
        assert "Microsoft 365 E3 × 120: active" in said
        assert "Adatum" not in said


async def test_many_matches_are_cut_and_it_says_so(shared: Stage):
    body = await answer(shared, "ana", "/csp find onmicrosoft")
    assert story.buttons(body).count("Notice") == 10
    assert "There are more." in story.words(body)


async def test_who_may_not_suspend_sees_no_button_and_who_is_not_ours_has_none(shared: Stage):
    assert story.buttons(await answer(shared, "ana", "/csp find contoso")) == ["Suspend", "Notice"]
    assert story.buttons(await answer(shared, "mei", "/csp find contoso")) == []
    assert story.buttons(await answer(shared, "ana", "/csp find relecloud")) == []


async def test_buttons_stand_where_they_can_do_something_and_a_reason_where_none_can(shared: Stage):
    trey = shared.partner_center.customer("Trey Research")  # one suspended, one active
    assert story.buttons(await answer(shared, "ana", "/csp find trey research")) == [
        "Suspend",
        "Resume",
        "Notice",
    ]
    not_ours = await answer(shared, "ana", "/csp find relecloud")
    assert "you are not this customer's reseller" in story.words(not_ours)
    assert "you are not" not in story.words(await answer(shared, "mei", "/csp find relecloud"))

    body = await answer(shared, "ana", f"/csp find {trey.domain}")
    assert (await shared.ana.click(await shown_to(shared, body), "Resume")).ok
    form = await shared.ana.modal_appears(callback_id="resume_form")
    assert story.is_chosen(form, "customer")
    assert story.is_chosen(form, "subscription"), "there is only one to resume"
    await story.leaves(shared.ana)


async def shown_to(stage: Stage, body: story.Json) -> story.Json:
    """The ephemeral message that answer became."""
    return await story.is_told(stage.ana, body["text"], channel="csp-billing")


BOOKS = {
    "why contoso": "for *Contoso Ltd*",
    "overdue": "Overdue on",
    "shadow": "Policy and people",
    "debtors": "Debtors and customers",
}
"""What cannot be said before the books are read."""


@pytest.mark.parametrize(("word", "said"), BOOKS.items())
async def test_what_the_books_are_read_for_is_acknowledged_before(shared: Stage, word: str, said: str):
    since = max((m["ts"] for m in shared.ana.messages("csp-billing")), default="")
    async with story.books_unanswered():
        first = await answer(shared, "ana", f"/csp {word}")
        assert first["text"] == "Reading the books …"
    assert said in story.lines(await follows(shared, "ana", first, since))


@pytest.mark.parametrize("word", BOOKS)
async def test_who_asked_hears_it_where_the_books_cannot_be_read(shared: Stage, word: str):
    async with shared.app.core.store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE open_items RENAME TO gone")
    try:
        said = story.words(await read(shared, "ana", f"/csp {word}"))
    finally:
        async with shared.app.core.store.begin() as tx:
            await tx.connection.exec_driver_sql("ALTER TABLE gone RENAME TO open_items")
    assert "database" in said


@pytest.mark.parametrize("word", [*BOOKS, "find contoso", "policy", "status", "requests", "audit R-1"])
async def test_customers_are_no_business_of_somebody_without_rights(shared: Stage, word: str):
    body = await answer(shared, "eve", f"/csp {word}")
    assert "BACKSTOP_" in story.words(body)
    assert "Contoso" not in story.words(body)
    async with shared.app.core.store.read() as tx:
        refused = [e async for e in tx.audit.since() if e.tag == "access:refused"]
    assert (refused[-1].by, refused[-1].subject) == ("U0EVE", "/csp")


async def test_find_without_a_word_says_how(shared: Stage):
    assert "/csp find contoso" in story.words(await answer(shared, "ana", "/csp find"))


async def test_who_the_mirror_does_not_know_is_looked_up_live(shared: Stage):
    contoso = shared.partner_center.customer("Contoso")
    async with shared.app.core.store.begin() as tx:
        await tx.connection.exec_driver_sql("DELETE FROM customers WHERE name = 'Contoso Ltd'")
        await tx.mirror.put_subscriptions(CustomerId(contoso.id), (), at=shared.app.core.backstop.now())
    said = story.lines(await answer(shared, "ana", "/csp find contoso"))
    assert "*Contoso Ltd*" in said
    assert "Microsoft 365 E3 × 120: active" in said


async def test_status_tells_how_things_stand(shared: Stage):
    said = story.words(await answer(shared, "ana", "/csp status"))
    assert "Microsoft global" in said
    customers = shared.partner_center.customers
    ours = [c for c in customers if c.relationship == "reseller"]
    sizes = {"customers": len(customers), "subscriptions": sum(len(c.subscriptions) for c in ours)}
    assert shared.app.desk.texts("state-mirror-size", **sizes) in said
    assert "Last read <!date^" in said
    assert shared.app.core.backstop.policy.version in said
    assert "does not have" not in said


async def test_status_tells_what_microsoft_refuses(shared: Stage):
    async def refused() -> str:
        raise AccessDenied(reason="20002", status=403)

    assert await shared.app.core.backstop.features.ask(Feature.AUDIT_RECORDS, refused) is None
    said = story.words(await answer(shared, "mei", "/csp status"))
    assert shared.app.desk.texts("feature-audit_records") not in said, "she reads Chinese"
    said = story.words(await answer(shared, "ana", "/csp status"))
    assert "Refused by Microsoft for now: activity log (access-denied 20002; asked again <!date^" in said


async def test_requests_lists_what_is_open_and_where_it_is_decided(shared: Stage, customer: str):
    assert "No open requests" in story.words(await answer(shared, "ana", "/csp requests"))
    asked = await story.asks(shared, customer=customer)
    said = story.words(await answer(shared, "mei", "/csp requests"))
    assert asked.id in said
    assert "<@U0ANA>" in said
    assert "<#C0APPROVALS>" in said
    assert (await shared.ana.click(asked.card, "Withdraw")).ok
    await asked.shows("Withdrawn")
    assert asked.id not in story.words(await answer(shared, "mei", "/csp requests"))


async def test_requests_lists_open_tickets_with_their_age_and_what_has_to_happen_next(shared: Stage):
    tickets = shared.app.core.backstop.tickets
    draft = await tickets.begin(by=ana, channel="")
    facts = {"subject": "Mail", "text": "The draft.", "portal": "https://partner.microsoft.com"}
    about = About(CustomerId("t-1"), "Contoso <Ltd>")
    await tickets.confirmable(draft.id, draft.nonce, a_matter(), about, **facts, by=ana)
    await tickets.confirm(draft.id, draft.nonce, by=ana)
    said = story.lines(await answer(shared, "ben", "/csp requests")).partition("Open tickets")[2]
    assert "*Contoso &lt;Ltd&gt;* · Service problem · To be filed · " in said
    assert f"`{draft.id}` · <@U0ANA> files it with Microsoft and enters its number." in said
    await tickets.file(draft.id, "2411230050000123", by=ana)
    said = story.lines(await answer(shared, "ben", "/csp requests")).partition("Open tickets")[2]
    assert "number `2411230050000123` · Microsoft's first answer is due <!date^" in said
    trail = story.lines(await answer(shared, "ben", f"/csp audit {draft.id.lower()}"))
    assert trail.index("`ticket:filed` · <@U0ANA>") < trail.index("`ticket:opened` · <@U0ANA>")


@pytest.mark.parametrize(
    ("typed", "opens", "tells"),
    [
        pytest.param(
            "fourth coffee", "No suspension is proposed", "nothing of theirs is overdue", id="pays on time"
        ),
        pytest.param(
            "wingtip", "No suspension is proposed", "stage “suspend” is not due", id="not long enough"
        ),
        pytest.param("vanarsdel", "No suspension is proposed", "credits 2,310.75", id="has as much credit"),
        pytest.param(
            "halden marine", "No suspension is proposed", "`/csp debtors` links it", id="linked to nobody"
        ),
        pytest.param("alpine ski", "Several fit “alpine ski”", "alpineskihouse-davos", id="two of one name"),
        pytest.param("contosso", "Nobody matches “contosso”", "Did you mean *Contoso Ltd*?", id="mistyped"),
        pytest.param("", "Who? For example", "/csp why contoso", id="nobody named"),
    ],
)
async def test_why_answers_in_its_first_sentence(shared: Stage, typed: str, opens: str, tells: str):
    body = await read(shared, "ana", f"/csp why {typed}")
    assert story.lines(body).replace("*", "").startswith(opens)
    assert tells in story.lines(body)
    assert opens in body["text"].replace("*", ""), "what a notification shows"


async def test_why_tells_each_stage_and_what_it_rests_on(shared: Stage):
    said = story.lines(await read(shared, "ben", "/csp why contoso.onmicrosoft.com"))
    assert "for *Contoso Ltd*" in said
    assert "USD: open 37,280.00; not yet due 9,320.00; *counts 27,960.00*, the oldest for 45 days" in said
    assert "*suspend* (suspend, from day 30): due in USD" in said
    assert "*cancel* (cancel, from day 60): not due: the days are not reached (45 &lt; 60)" in said
    assert shared.app.core.backstop.policy.version in said


async def test_policy_shows_what_is_in_force_and_sends_the_text_for_customers(shared: Stage):
    body = await answer(shared, "ana", "/csp policy")
    said = story.lines(body)
    policy = shared.app.core.backstop.policy
    assert policy.version in said
    assert "*suspend* (suspend, from day 30): from CNY 800.00 or EUR 100.00 or USD 100.00" in said.replace(
        "\xa0", " "
    )
    assert (await shared.ana.click(await shown_to(shared, body), "Text for customers")).ok
    message = await story.is_messaged(shared.ana, f"version {policy.version}")
    assert [file["name"] for file in message["files"]] == [
        f"policy-{policy.version}-{language}.html" for language in ("en", "de", "zh-CN")
    ]
    files = list(shared.slack.workspace.files.values())[-3:]
    pages = [(file.content or b"").decode() for file in files]
    assert all("<!doctype html>" in page and policy.version in page for page in pages)
    assert sum("Was geschieht, wenn eine Rechnung" in page for page in pages) == 1
