"""Where a ticket is filed: by cloud, by what it is about, and only where a link may safely lead."""

from __future__ import annotations

import pytest

from bot.domain.customer import Cloud, SubscriptionKind
from bot.domain.matter import About, TicketKind, about
from bot.domain.portal import clicks, health_link, portal_link
from tests.builders import a_customer, a_subscription

BASE = "https://partner.microsoft.com/dashboard"
CREATE = f"{BASE}/support/csp/servicerequests/create"
THEIRS = "https://admin.microsoft.com/Partner/BeginClientSession.aspx?CTID=1&CSDEST=support"
AZURE = "https://portal.azure.com/contoso.onmicrosoft.com"
CHINA = "https://partner.partnercenter.microsoftonline.cn"


def what(kind: SubscriptionKind | None = None, **customer: str) -> About:
    subscription = a_subscription(kind=kind) if kind else None
    return about(a_customer(**customer), subscription)


@pytest.mark.parametrize(
    ("kind", "subscription", "of_customer", "link"),
    [
        pytest.param(TicketKind.SERVICE, None, "", CREATE, id="the general one"),
        pytest.param(TicketKind.SERVICE, None, THEIRS, THEIRS, id="the one given for that customer"),
        pytest.param(TicketKind.SERVICE, SubscriptionKind.LEGACY_SEAT, THEIRS, THEIRS, id="seats"),
        pytest.param(TicketKind.SERVICE, SubscriptionKind.AZURE_PLAN, THEIRS, AZURE, id="an Azure plan"),
        pytest.param(TicketKind.FRAUD, SubscriptionKind.LEGACY_AZURE, "", AZURE, id="Azure, taken over"),
        pytest.param(TicketKind.BILLING, SubscriptionKind.AZURE_PLAN, "", CREATE, id="what Azure is billed"),
        pytest.param(TicketKind.NON_PAYMENT, SubscriptionKind.AZURE_PLAN, THEIRS, THEIRS, id="what is owed"),
        pytest.param(TicketKind.PARTNER_CENTER, None, THEIRS, CREATE, id="the partner's own problem"),
    ],
)
def test_on_global_it_is_filed(
    kind: TicketKind, subscription: SubscriptionKind | None, of_customer: str, link: str
):
    found = portal_link(
        kind, what(subscription), cloud=Cloud.GLOBAL, base=f"{BASE}/", of_customer=of_customer
    )
    assert found == link


def test_a_problem_of_no_customer_never_gets_a_customers_link():
    found = portal_link(TicketKind.SERVICE, About(), cloud=Cloud.GLOBAL, base=BASE, of_customer=THEIRS)
    assert found == CREATE


def test_on_us_government_azure_is_not_globals():
    plan = what(SubscriptionKind.AZURE_PLAN)
    assert portal_link(TicketKind.SERVICE, plan, cloud=Cloud.US_GOVERNMENT, base=BASE) == CREATE


@pytest.mark.parametrize(
    ("kind", "where"), [(TicketKind.SERVICE, "customer"), (TicketKind.PARTNER_CENTER, "partner")]
)
def test_at_21vianet_the_portal_opens_and_words_say_where_to_click(kind: TicketKind, where: str):
    plan = what(SubscriptionKind.AZURE_PLAN)
    assert portal_link(kind, plan, cloud=Cloud.CHINA, base=CHINA) == CHINA
    assert clicks(kind, Cloud.CHINA) == where
    assert clicks(kind, Cloud.GLOBAL) == ""


@pytest.mark.parametrize(
    "link",
    [
        "http://admin.microsoft.com/support",
        "javascript:alert(1)",
        "//admin.microsoft.com/support",
        "https://",
        "https://[::1",
        "https://microsoft.com@evil.example/",
        "https://admin.microsoft.com/|<!channel>",
        "https://admin.microsoft.com/\u202e",
        "https://admin.microsoft.com/" + "x" * 2000,
    ],
)
def test_what_no_browser_should_follow_is_no_link(link: str):
    found = portal_link(TicketKind.SERVICE, what(), cloud=Cloud.GLOBAL, base=BASE, of_customer=link)
    assert found == CREATE
    assert portal_link(TicketKind.SERVICE, what(), cloud=Cloud.GLOBAL, base=link) == ""


@pytest.mark.parametrize("domain", ["", "con/toso.com", "contoso.com/../x", "x" * 70 + ".com", "contoso"])
def test_what_is_no_domain_is_not_in_azures_link(domain: str):
    plan = what(SubscriptionKind.AZURE_PLAN, domain=domain)
    assert portal_link(TicketKind.SERVICE, plan, cloud=Cloud.GLOBAL, base=BASE) == "https://portal.azure.com"


def test_every_cloud_has_a_service_health():
    assert all(health_link(cloud).startswith("https://") for cloud in Cloud)
