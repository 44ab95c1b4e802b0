"""Every sentence exists in every language, with the same facts in it, and fits where Slack shows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from string import Formatter
from typing import NamedTuple

import pytest
from babel.messages.pofile import read_po

import handlers
from bot.domain import errors as domain_errors
from bot.domain.action import Reason, Verb
from bot.domain.aging import AgingBucket
from bot.domain.calendar import When
from bot.domain.capability import OBSTACLES, Feature, SubscriptionKind
from bot.domain.case import Step, Verdict
from bot.domain.collection import Gone
from bot.domain.customer import Cloud, SubscriptionStatus
from bot.domain.digest import Change
from bot.domain.directory import Doubt, MappingMethod
from bot.domain.drift import DriftStatus
from bot.domain.errors import (
    AccessDenied,
    AlreadyApproved,
    AlreadyDecided,
    AlreadyLifted,
    AlreadyLinked,
    AlreadyWaiting,
    BackstopError,
    BeyondRights,
    BooksUnsure,
    CannotBeCancelled,
    CannotBeResumed,
    CannotBeSuspended,
    CannotWait,
    CaseChanged,
    CodeNeeded,
    ConfirmationOutdated,
    Conflict,
    DayOver,
    DriftSettled,
    FeatureMissing,
    GlassKept,
    GlassReviewed,
    Invalid,
    LetterOutdated,
    LetterSettled,
    MayNotEnrol,
    NotEnrolled,
    NotFound,
    NothingToRetry,
    NotOurCustomer,
    NotPermitted,
    NotReady,
    OutOfScope,
    Outsider,
    OwnRequest,
    PackTooLarge,
    PreviewSettled,
    PromisedBefore,
    Refused,
    Rejected,
    RequestExpired,
    SignInFailed,
    Throttled,
    TicketExists,
    TicketSettled,
    TooManyAtOnce,
    TooManyCodes,
    Unanswered,
    Unavailable,
    Upstream,
)
from bot.domain.glass import Finding
from bot.domain.letter import LetterKind, LetterStatus
from bot.domain.matter import Check, Evidence, TicketKind, TicketSeverity
from bot.domain.money import MINOR_UNITS
from bot.domain.observation import Source
from bot.domain.people import Outside, Right
from bot.domain.policy import StageAction
from bot.domain.preview import PreviewStatus
from bot.domain.receivables import FILE
from bot.domain.request import CALLED_OFF, CHANGED_SINCE_CONFIRMED, Result, Status
from bot.domain.signal import Rule as RiskRule
from bot.domain.signal import Severity
from bot.domain.ticket import TicketStatus
from bot.receivables import Code
from bot.settings import NEEDED_BY_SOURCE
from bot.texts import LANGUAGES, for_locale, in_language
from handlers import digest_files
from handlers.views import blocks, intake
from handlers.views.errors import key, plain_words, words
from handlers.views.letters import Way

from . import usage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILES = {"en": "en.po", "de": "de.po", "zh-CN": "zh_CN.po"}
FORMS = {"en": 2, "de": 2, "zh-CN": 1}
"""How many plural forms the language has."""


class Sentence(NamedTuple):
    key: str
    forms: tuple[str, ...]
    is_plural: bool


@cache
def sentences(language: str) -> dict[str, Sentence]:
    with (resources.files("bot.texts") / FILES[language]).open("rb") as po:
        read = read_po(po)
    found: dict[str, Sentence] = {}
    for message in read:
        match message.id, message.string:
            case str(name), str(said) if name:
                found[name] = Sentence(name, (said,), False)
            case (str(name), *_), (*forms,):
                found[name] = Sentence(name, tuple(str(form) for form in forms), True)
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def marks(text: str) -> Counter[str]:
    """What must stay as it is: code, bold, and the names of settings."""
    without_code = re.sub(r"`[^`]*`", "", text)
    found = re.findall(r"`[^`]*`", text) + re.findall(r"BACKSTOP_\w+", text)
    return Counter([*found, *("*" for c in without_code if c == "*")])


def in_other_languages() -> Iterator[tuple[str, str]]:
    yield from ((language, name) for language in LANGUAGES[1:] for name in sentences("en"))


class TestEveryLanguage:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_has_exactly_the_keys_of_english(self, language):
        assert sentences(language).keys() == sentences("en").keys()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_writes_each_key_once(self, language):
        po = (resources.files("bot.texts") / FILES[language]).read_text("utf-8")
        written = Counter(re.findall(r'^msgid "(.+)"$', po, re.MULTILINE))
        assert [name for name, n in written.items() if n > 1] == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_leaves_nothing_empty(self, language):
        assert [s.key for s in sentences(language).values() if not all(f.strip() for f in s.forms)] == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_has_as_many_plural_forms_as_people_say(self, language):
        odd = [s.key for s in sentences(language).values() if s.is_plural and len(s.forms) != FORMS[language]]
        assert odd == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_names_the_same_facts_in_every_form(self, language):
        theirs, english = sentences(language), sentences("en")
        odd = [
            (name, form)
            for name in theirs.keys() & english.keys()
            for form in theirs[name].forms
            if placeholders(form) != placeholders(english[name].forms[-1])
        ]
        assert odd == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_counts_the_same_sentences(self, language):
        theirs, english = sentences(language), sentences("en")
        both = theirs.keys() & english.keys()
        assert [name for name in both if theirs[name].is_plural != english[name].is_plural] == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_keeps_commands_settings_and_marks(self, language):
        theirs, english = sentences(language), sentences("en")
        odd = [
            (name, form)
            for name in theirs.keys() & english.keys()
            for form in theirs[name].forms
            if marks(form) != marks(english[name].forms[-1])
        ]
        assert odd == []

    def test_is_a_translation(self):
        same = {
            name
            for language, name in in_other_languages()
            if name in sentences(language) and sentences(language)[name].forms == sentences("en")[name].forms
        }
        assert same <= SAME_IN_SOME_LANGUAGE

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_sets_marks_where_slack_sees_them(self, language):
        """Slack takes `*` and a backtick for marks only at the edge of a word; Chinese needs spaces for that."""
        odd = [
            (s.key, form)
            for s in sentences(language).values()
            for form in s.forms
            for marked in re.finditer(r"`[^`]+`|\*[^*]+\*", form)
            if re.match(r"[^\s„“(]", form[: marked.start()][-1:])
            or re.match(r"[^\s.,:;?!)]", form[marked.end() :])
        ]
        assert odd == []

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("n", [0, 1, 2, 5, 21])
    def test_says_how_many(self, language, n):
        said = in_language(language).count("card-waits", n)
        assert said.replace(str(n), "{n}") in sentences(language)["card-waits"].forms

    @pytest.mark.parametrize(("language", "said"), [("en", "a, b"), ("de", "a, b"), ("zh-CN", "a、b")])
    def test_lists_as_its_people_do(self, language, said):
        assert in_language(language).listed(["a", "b"]) == said

    @pytest.mark.parametrize(
        ("locale", "language"),
        [
            pytest.param("de-AT", "de", id="a region"),
            pytest.param("zh-CN", "zh-CN", id="simplified Chinese"),
            pytest.param("zh_TW", "zh-CN", id="traditional Chinese, which we do not have"),
            pytest.param("fr-FR", "en", id="a language we do not have"),
            pytest.param(None, "en", id="none"),
        ],
    )
    def test_is_found_from_a_slack_locale(self, locale, language):
        assert for_locale(locale).language == language


SAME_IN_SOME_LANGUAGE = {
    "rights-code",
    "add-on",
    "card-ended-at",
    "case-judge-label",
    "cloud-china",
    "cloud-usgov",
    "column-customer",
    "public-semicolon",
    "source-business-central",
    "source-stripe",
    "source-tryton",
    "source-xero",
    "letter-form-body",
    "letter-service",
    "state-cloud",
    "ticket-confirm-number",
    "ticket-draft-azure-problem",
    "ticket-draft-name",
    "ticket-draft-status",
    "ticket-form-problem",
    "ticket-step-label",
}
"""Names, signs, and what consists of facts alone."""


TICKET_FORMS = ("filed", "copy", "number", "note", "resolved", "informed")
"""Buttons of a ticket's card whose words are the title of the form as well."""


class TestSlacksLimits:
    """docs.slack.dev/reference/block-kit; what is longer would be cut off in the middle of a word."""

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(
        "name",
        [
            "title-suspend",
            "deny-title",
            "glass-title",
            "glass-review-title",
            "drift-adopt-title",
            "link-title",
            "link-remove",
            "snooze",
            "promise",
            *map("verdict-title-{}".format, Verdict),
            "mute-title",
            "runbook",
            "report-title",
            "report-submit",
            "owner",
            "save",
            "drift-explain-title",
            "import-settings-title",
            "import-look-again",
            "adopt",
            "explain",
            "letter-title",
            "error-title",
            "ticket-form-title",
            "continue",
            "confirm",
            "cancel",
            "close",
            "back",
            "deny",
            "ticket-step-deny-title",
            "ticket-step-copy-done",
            *map("ticket-step-{}".format, TICKET_FORMS),
        ],
    )
    def test_titles_submit_and_close_of_a_modal(self, language, name):
        assert len(in_language(language)(name)) <= blocks.TITLE

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("name", ["approve", "cancel", "import-apply"])
    def test_buttons_of_a_confirm_dialog(self, language, name):
        assert len(in_language(language)(name)) <= 30

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(
        "name",
        [
            "approve",
            "deny",
            "withdraw",
            "cancel",
            "suspend",
            "resume",
            "link",
            "link-change",
            "next",
            "previous",
            "notice",
            "notice-again",
            "glass-button",
            "glass-review",
            *map("glass-finding-{}".format, Finding),
            *map("letter-kind-{}".format, LetterKind),
            *map("letter-way-{}".format, Way),
            "import-apply",
            "import-apply-anyway",
            "import-discard",
            "import-settings",
            *map("verdict-{}".format, Verdict),
            *map("step-{}".format, Step),
            "mute-rule",
            "mute-customer",
            "runbook",
            "unmute",
            *map("reason-{}".format, Reason),
            "open-ticket",
            *map("ticket-kind-{}".format, TicketKind),
            *map("ticket-severity-{}".format, TicketSeverity),
            *map("ticket-form-check-{}".format, Check),
            *map("ticket-form-evidence-{}".format, Evidence),
            "evidence-button",
            *map("ticket-step-{}".format, (*TICKET_FORMS, "portal", "again", "arrived", "lost")),
            *map("ticket-step-{}".format, ("answered", "look", "close-there")),
        ],
    )
    def test_buttons_and_options(self, language, name):
        assert len(in_language(language)(name)) <= blocks.BUTTON

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_title_of_a_confirm_dialog(self, language):
        assert len(in_language(language)("approve-title")) <= 100

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("verb", Verb)
    def test_text_of_a_confirm_dialog_with_the_longest_names_we_let_in(self, language, verb):
        longest = "n" * 80
        said = in_language(language)(f"approve-confirm-{verb}", subscription=longest, customer=longest)
        assert len(said) < blocks.CONFIRM

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_placeholders_of_inputs(self, language):
        longest = max(
            len(in_language(language)(name)) for name in sentences("en") if name.endswith("-placeholder")
        )
        assert longest <= 150


def obstacles(verb: str) -> set[str]:
    """Why a kind may not allow it: those keys stand in a table of the domain."""
    return {why for (forbidden, _), why in OBSTACLES.items() if forbidden == verb}


OBSTACLES_TO_RIGHTS = ("nothing", "reason", "cloud", "channel", "amount-unknown", "amount")

ERRORS: tuple[BackstopError, ...] = (
    *(NotPermitted(right) for right in Right),
    NotPermitted("withdraw"),
    NotPermitted("read"),
    *(Outsider(what) for what in Outside),
    NotPermitted("own-authenticator"),
    CodeNeeded("R-7F3K"),
    *(GlassKept("R-7F3K", why) for why in ("switched-off", "action", "reason", "not-named")),
    GlassReviewed("R-7F3K", "U0MEI"),
    NotPermitted("review-own-glass"),
    Invalid("glass_reason", "too-short", {"least": "20"}),
    NotEnrolled(),
    *(MayNotEnrol(why) for why in sorted(usage.arguments("MayNotEnrol", 0))),
    TooManyCodes(NOON),
    *(BeyondRights("R-7F3K", why, "may = approve, up_to = EUR 5000.00") for why in OBSTACLES_TO_RIGHTS),
    OwnRequest("R-7F3K"),
    *(AlreadyDecided("R-7F3K", status, "U0BEN") for status in Status if status is not Status.PENDING),
    AlreadyDecided("R-7F3K", Status.EXPIRED),
    AlreadyApproved("R-7F3K"),
    RequestExpired("R-7F3K", NOON - timedelta(hours=1)),
    AlreadyWaiting("R-7F3K"),
    TooManyAtOnce(150, 100),
    CannotWait(),
    NothingToRetry("R-7F3K"),
    AlreadyLifted("U0BEN"),
    DayOver("2026-11-22"),
    CaseChanged("C-7F3K"),
    ConfirmationOutdated("R-7F3K"),
    *(CannotBeCancelled(why) for why in sorted(usage.arguments("CannotBeCancelled", 0))),
    *(
        CannotBeSuspended(why, "pending")
        for why in sorted(usage.arguments("CannotBeSuspended", 0) | obstacles("suspend"))
    ),
    *(
        CannotBeResumed(why, "expired")
        for why in sorted(usage.arguments("CannotBeResumed", 0) | obstacles("resume"))
    ),
    NotOurCustomer("advisor"),
    AlreadyLinked("Contoso Ltd", "U0BEN"),
    PromisedBefore(2, 1),
    LetterOutdated(),
    *(LetterSettled("L-7F3K", why) for why in LetterStatus),
    BooksUnsure("R-7F3K"),
    OutOfScope("azure_plan"),
    PackTooLarge("T-7F3K"),
    *(DriftSettled("D-7F3K", why, "U0BEN") for why in DriftStatus if why is not DriftStatus.OPEN),
    *(
        PreviewSettled("P-7F3K", why, "U0BEN")
        for why in sorted(
            usage.arguments("PreviewSettled", 1)
            | {*PreviewStatus} - {PreviewStatus.OPEN}
            | {"books", "rules"}
        )
    ),
    *(
        Invalid("customer", reason, {"days": "90", "day": "23 Nov 2026", "least": "40", "most": "150"})
        for reason in sorted(usage.arguments("Invalid", 1))
        if not reason.endswith("*")
    ),
    Invalid("customer", "no-such-customer"),
    Invalid("subscription", "no-such-subscription"),
    TicketExists("T-TEST000001"),
    *(TicketSettled("T-TEST000001", status, "U0ANA") for status in TicketStatus),
    *(
        NotFound(what, "contoso")
        for what in sorted(usage.arguments("NotFound", 0) | usage.arguments("Sought", 0))
    ),
    *(
        kind(system, "800042", 400, "5ea2a1a1-6a4f-4d3b-9a6f-0c5f2f6f3d11")
        for system in ("partner_center", "slack", "database", "receivables", "azure")
        for kind in (
            Unavailable,
            Unanswered,
            Throttled,
            NotReady,
            Conflict,
            SignInFailed,
            AccessDenied,
            Rejected,
            FeatureMissing,
        )
    ),
)


def spoken(error: BackstopError) -> str:
    """A name for the row of a table."""
    facts = [getattr(error, name, "") for name in ("right", "why", "reason", "what", "status", "system")]
    return "-".join([error.code, *(str(fact) for fact in facts if isinstance(fact, str) and fact)])


class TestErrors:
    def test_all_kinds_are_here(self):
        kinds = {
            kind
            for kind in vars(domain_errors).values()
            if isinstance(kind, type) and issubclass(kind, BackstopError)
        }
        assert {type(error) for error in ERRORS} == kinds - {BackstopError, Refused, Upstream}

    def test_what_is_sought_is_what_a_person_can_look_for(self):
        assert {error.what for error in ERRORS if isinstance(error, NotFound)} == {
            "customer",
            "subscription",
            "azure-subscription",
            "request",
            "draft",
            "day",
            "drift",
            "preview",
            "debtor",
            "link",
            "page",
            "source",
            "letter",
            "case",
            "security-alert",
            "ticket",
            "service-request",
            "azure-service",
        }

    def test_only_what_was_not_found_completes_a_reason(self):
        """Else a reason that is put together would have to be listed above."""
        assert {r for r in usage.arguments("Invalid", 1) if r.endswith("*")} == {"no-such-*"}

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("error", ERRORS, ids=spoken)
    def test_has_words(self, error, language):
        texts = in_language(language)
        assert words(error, texts).strip()
        assert plain_words(error, texts).strip()

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("word", ["pending", "expired"])
    def test_the_status_of_a_subscription_is_not_taken_for_that_of_a_request(self, word, language):
        texts = in_language(language)
        said = words(CannotBeSuspended("not-active", word), texts)
        assert texts(f"status-{word}") not in said

    @pytest.mark.parametrize(
        "kind", [Unavailable, Throttled, SignInFailed, AccessDenied, Rejected], ids=lambda kind: kind.__name__
    )
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_what_an_accounting_system_refuses_is_not_blamed_on_partner_center(self, kind, language):
        said = words(kind("receivables", "invalid_grant", 401), in_language(language))
        assert "Partner Center" not in said
        assert "合作伙伴中心" not in said

    @pytest.mark.parametrize(
        "kind",
        [Unavailable, Throttled, NotReady, SignInFailed, AccessDenied, Rejected],
        ids=lambda kind: kind.__name__,
    )
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_what_azure_refuses_is_not_blamed_on_partner_center(self, kind, language):
        said = words(kind("azure", "no-contact", 400), in_language(language))
        assert "Azure" in said
        assert "Partner Center" not in said
        assert "合作伙伴中心" not in said

    @pytest.mark.parametrize(
        "kind",
        [pytest.param(kind, id=kind.__name__) for kind in (Unavailable, Throttled, SignInFailed, Rejected)],
    )
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_what_slack_refuses_is_not_blamed_on_partner_center(self, kind, language):
        said = words(kind("slack", "ratelimited", 429), in_language(language))
        assert "Slack" in said
        assert "Partner Center" not in said
        assert "合作伙伴中心" not in said

    def test_every_sentence_about_an_error_is_reached(self):
        english = in_language("en")
        reached = {key(error, english) for error in ERRORS} | usage.strings()
        assert (
            sorted(name for name in english.keys if name.startswith("error-") and name not in reached) == []
        )


FAMILIES: dict[str, set[str]] = {
    "rights-told-": {"opened", "enrolled"},
    "glass-finding-": {*Finding},
    "approve-confirm-": {*Verb},
    "banner-": {banner.replace("_", "-") for banner in usage.arguments("Banner", 0)},
    "bucket-": {bucket.replace("+", "-plus") for bucket in AgingBucket},
    "change-": {*Change} - {Change.SAME},  # of which nothing is said
    "since-": {*Change} - {Change.SAME},
    "proposal-": {"suspend", "resume", "cancel", "ticket"},
    "card-counted-": {"done", Result.FAILED, Result.UNKNOWN},
    "card-gone-": {*Gone},
    "card-title-": {*Verb},
    "card-what-": {*Verb},
    "cloud-": {*Cloud},
    "drift-headline-": {"suspended", "active"},
    "drift-title-": {"suspended", "active"},
    "drift-what-": {"suspended", "active"},
    "feature-": {*Feature},
    "instead-": {*Source},
    "judged-": {*Verdict},
    "column-": {*digest_files.COLUMNS} - {*AgingBucket},
    "confirm-": {*Verb, "suspend-several", "resume-several"},  # an Azure subscription is cancelled by itself
    "form-all-": {Verb.SUSPEND, Verb.RESUME},
    "form-when-": {*When},
    "import-at-": {"line", "row"},
    "import-headline-": {*PreviewStatus} - {PreviewStatus.RECEIVED} | {"found"},
    "import-mode-": {"snapshot", "merge"},
    "import-note-": {*Code},
    "import-refused-": {*intake.FILE_LEVEL},
    "import-title-": {*PreviewStatus} - {PreviewStatus.RECEIVED},
    "evidence-comment-": {"redacted", "complete", "check"},
    "evidence-part-": {*Evidence} | {f"{part}-about" for part in Evidence},
    "evidence-redacted-": {"thread", "direct"},
    "link-doubt-": {*Doubt},
    "language-": {*LANGUAGES},
    "letter-became-": {*LetterStatus} - {LetterStatus.DRAFT},
    "letter-body-": {*LetterKind},
    "letter-failed-": {
        *("rejected", "rejected-no-smtputf8", "not-ready", "not-ready-tls", "not-ready-no-tls"),
        *("sign-in-failed", "not-configured", "unavailable"),
    },
    "letter-kind-": {*LetterKind},
    "letter-preview-": {*Way, "once", "by-hand", "warning", "dry-run"},
    "letter-subject-": {*LetterKind},
    "letter-way-": {*Way},
    "outcome-": {*Verb},
    "outcome-accepted-": {Verb.SUSPEND, Verb.RESUME},  # a cancellation is done only once it shows
    "outcome-already-": {*Verb},
    "outcome-dry-run-": {*Verb},
    "outcome-error-": {error.code for error in ERRORS if isinstance(error, Upstream | NotFound)}
    | {f"conflict-{CHANGED_SINCE_CONFIRMED}"}
    | {f"{CALLED_OFF}-{why}" for why in (*Gone, "cancelled")},
    "public-back-": {"overdue-cleared", "all-cleared", "below-minimum"},
    "public-currencies-": {"manual", "ignore"},
    "public-kind-": {*SubscriptionKind},
    "public-step-": {*StageAction},
    "reason-": {*Reason},
    "rule-": {rule.rstrip(":*").replace("_", "-") for rule in usage.arguments("Rule", 0)} | {*RiskRule},
    "signal-": {*RiskRule},
    "risk-source-": {*Source},
    "severity-": {*Severity},
    "source-": {FILE, *NEEDED_BY_SOURCE},
    "step-": {*Step},
    "step-how-": {*Step},
    "stage-action-": {*StageAction},
    "status-": {*Status},
    "subscription-": {*SubscriptionStatus} - {SubscriptionStatus.UNKNOWN},  # shown as Microsoft wrote it
    "ticket-confirm-clicks-": {"customer", "partner"},
    "ticket-draft-verb-": {*Verb},
    "ticket-form-check-": {*Check},
    "ticket-form-evidence-": {*Evidence},
    "ticket-kind-": {*TicketKind},
    "ticket-severity-": {*TicketSeverity},
    "ticket-status-": {*TicketStatus},
    "ticket-card-": {
        *(f"{way}-{stage}" for way in ("mail", "azure") for stage in ("due", "claimed", "done", "failed")),
        *("mail-rejected", "mail-not-ready", "mail-not-ready-tls", "mail-not-ready-no-tls"),
        *("mail-sign-in-failed", "mail-not-configured", "mail-unavailable"),
        *("azure-rejected", "azure-access-denied", "azure-sign-in-failed", "azure-unavailable"),
    },
    "ticket-card-next-": {"mail", "azure", "filed", "answered", "followed"},
    "ticket-card-would-": {"mail", "azure"},
    "ticket-card-vendor-": {"open", "closed", "attention-needed"},
    "ticket-informed-matter-": {*TicketKind},
    "ticket-step-": {"arrived", "lost"},
    "title-": {*Verb},
    "why-exit-": {"overdue-cleared", "all-cleared", "below-minimum"},
    "why-owed-": {"open", "not-due", "disputed", "blocked", "promised", "credits", "minimum"},
    "unlinked-": {m.replace("_", "-") for m in MappingMethod} - {"table"},
    "verb-": {*Verb},
    "verdict-": {*Verdict},
    "verdict-follows-": {*Verdict},
    "verdict-title-": {*Verdict},
}
"""The keys that end in a fact, and every fact they can end in."""


class TestUse:
    def test_every_key_is_used(self):
        """Those of errors are held against the errors themselves, above."""
        used = usage.strings() | {prefix + member for prefix in FAMILIES for member in FAMILIES[prefix]}
        unused = [name for name in sentences("en") if name not in used and not name.startswith("error-")]
        assert unused == []

    def test_every_key_asked_for_exists(self):
        keys = sentences("en").keys()
        missing = [
            (lookup.where, lookup.key)
            for lookup in usage.lookups()
            if not (lookup.key in keys if lookup.is_whole else any(k.startswith(lookup.key) for k in keys))
        ]
        assert missing == []

    def test_every_key_of_a_help_line_exists(self):
        about = {command.about for command in handlers.commands()}
        about |= {line for command in handlers.commands() for _, line in command.subcommands}
        assert about <= sentences("en").keys()

    def test_what_is_counted_has_plural_forms_and_nothing_else_has(self):
        english = sentences("en")
        odd = [
            (lookup.where, lookup.key)
            for lookup in usage.lookups()
            if lookup.is_whole and lookup.key in english and english[lookup.key].is_plural != lookup.counts
        ]
        assert odd == []

    def test_every_fact_of_a_sentence_is_given(self):
        english = sentences("en")
        lacking = [
            (lookup.where, lookup.key, placeholders(english[lookup.key].forms[-1]) - lookup.facts)
            for lookup in usage.lookups()
            if lookup.is_whole
            and lookup.facts is not None
            and lookup.key in english
            and not placeholders(english[lookup.key].forms[-1]) <= lookup.facts
        ]
        assert lacking == []

    def test_lookups_are_found(self):
        """A guard on the reading of the code: these were known when it was written."""
        found = {lookup.key for lookup in usage.lookups()}
        assert {"title-", "card-waits", "error-old-button", "reason-", "placed-acts"} <= found

    @pytest.mark.parametrize("prefix", FAMILIES)
    def test_there_are_words_for_the_whole_family(self, prefix):
        assert FAMILIES[prefix]
        assert {f"{prefix}{member}" for member in FAMILIES[prefix]} <= sentences("en").keys()

    def test_every_family_asked_for_is_known(self):
        assert {lookup.key for lookup in usage.lookups() if not lookup.is_whole} <= FAMILIES.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("currency", "digits"), sorted(MINOR_UNITS.items()))
def test_an_amount_keeps_every_digit_of_its_currency(language: str, currency: str, digits: int):
    amount = Decimal("1234567").scaleb(-digits)
    said = in_language(language).amount(amount, currency)
    assert "".join(char for char in said if char.isdecimal()) == "1234567"
