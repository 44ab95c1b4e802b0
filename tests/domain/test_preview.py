"""What may be done with a shared export, by whom, and what makes a confirmation void."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import NotPermitted, PreviewSettled
from bot.domain.preview import FileRefusal, Preview, PreviewId, PreviewStatus, Reading
from tests.builders import DAY, HOUR, a_finding, a_preview, ana, ben, eve, noon

TODAY = noon.date()


def applied(preview: Preview, *, by=ana, at=noon + HOUR, sha256="", seal="") -> Preview:
    return preview.apply(by=by, at=at, sha256=sha256 or preview.sha256, seal=seal or preview.seal)


def test_only_who_may_ask_shares_one():
    for person in (eve, ben):
        with pytest.raises(NotPermitted):
            Preview.share(
                PreviewId("P-1"),
                file_id="F1",
                channel="C1",
                reading=Reading(as_of=TODAY),
                by=person,
                at=noon,
            )


@pytest.mark.parametrize("person", [pytest.param(eve, id="nobody"), pytest.param(ben, id="an approver")])
def test_only_who_may_ask_decides(person):
    with pytest.raises(NotPermitted):
        applied(a_preview(), by=person)
    with pytest.raises(NotPermitted):
        a_preview().discard(by=person, at=noon)
    with pytest.raises(NotPermitted):
        a_preview().read_as(Reading(as_of=TODAY), by=person, at=noon, seal=a_preview().seal)


def test_applying_names_who_and_when():
    applying = applied(a_preview())
    assert (applying.status, applying.by, applying.at) == (PreviewStatus.APPLYING, ana.id, noon + HOUR)


@pytest.mark.parametrize("status", [s for s in PreviewStatus if s is not PreviewStatus.OPEN])
def test_what_does_not_wait_for_a_word_is_not_applied(status):
    with pytest.raises(PreviewSettled) as refusal:
        applied(a_preview(status=status, by=ben.id))
    assert (refusal.value.why, refusal.value.by) == (status.value, ben.id)


def test_after_a_day_it_is_too_late():
    applied(a_preview(), at=noon + DAY - timedelta(seconds=1))
    with pytest.raises(PreviewSettled, match=r".*") as refusal:
        applied(a_preview(), at=noon + DAY)
    assert refusal.value.why == "expired"


def test_another_files_hash_is_refused():
    with pytest.raises(PreviewSettled) as refusal:
        applied(a_preview(), sha256="0" * 64)
    assert refusal.value.why == "other-file"


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(a_preview(reading=Reading(as_of=TODAY - DAY)), id="another day"),
        pytest.param(a_preview(reading=Reading(as_of=TODAY, mode="merge")), id="another mode"),
        pytest.param(a_preview(reading=Reading(as_of=TODAY, currency="EUR")), id="another currency"),
        pytest.param(a_preview(reading=Reading(as_of=TODAY, date_order="DMY")), id="another order of dates"),
        pytest.param(a_preview(finding=a_finding(books="8")), id="other books"),
        pytest.param(a_preview(finding=a_finding(rules="policy-2 UTC")), id="another policy"),
        pytest.param(a_preview(id=PreviewId("P-OTHER")), id="another preview"),
    ],
)
def test_what_was_shown_otherwise_does_not_count(shown):
    with pytest.raises(PreviewSettled) as refusal:
        applied(a_preview(), seal=shown.seal)
    assert refusal.value.why == "changed"


@pytest.mark.parametrize(
    ("held", "may"),
    [(None, True), ("shrinks", True), ("older_than_books", False), ("in_the_future", False)],
)
def test_what_is_held_for_its_day_is_not_applied(held, may):
    preview = a_preview(finding=a_finding(held=held))
    if may:
        assert applied(preview).status is PreviewStatus.APPLYING
    else:
        with pytest.raises(PreviewSettled) as refusal:
            applied(preview)
        assert refusal.value.why == "held"


@pytest.mark.parametrize(
    ("books", "rules", "voided"),
    [
        ("7", "policy-1 UTC", None),
        ("8", "policy-1 UTC", "books"),
        ("7", "policy-2 UTC", "rules"),
        ("8", "policy-2 UTC", "books"),
    ],
)
def test_it_is_stale_once_the_books_or_the_rules_are_others(books, rules, voided):
    assert a_preview().stale(books=books, rules=rules) == voided


@pytest.mark.parametrize(
    ("refusal", "reading", "status"),
    [
        pytest.param("missing_currency", {}, PreviewStatus.OPEN, id="which currency"),
        pytest.param("ambiguous_date_order", {}, PreviewStatus.OPEN, id="which order of dates"),
        pytest.param("missing_currency", {"currency": "EUR"}, PreviewStatus.REFUSED, id="said already"),
        pytest.param(
            "ambiguous_date_order", {"date_order": "DMY"}, PreviewStatus.REFUSED, id="order said already"
        ),
        pytest.param("unsupported_file", {}, PreviewStatus.REFUSED, id="no table at all"),
    ],
)
def test_a_refused_file_waits_only_where_a_person_can_help(refusal, reading, status):
    preview = a_preview(reading=Reading(as_of=TODAY, **reading)).refused(FileRefusal(refusal))
    assert preview.status is status
    assert preview.finding is None
    assert preview.asks is (status is PreviewStatus.OPEN)
    with pytest.raises(PreviewSettled):
        applied(preview)


def test_the_file_is_kept_as_long_as_something_can_come_of_it():
    over = {PreviewStatus.APPLIED, PreviewStatus.DISCARDED, PreviewStatus.EXPIRED, PreviewStatus.REFUSED}
    assert {s for s in PreviewStatus if not replace(a_preview(), status=s).needs_file} == over
