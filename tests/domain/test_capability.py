"""What each cloud offers, as its documentation has it, and what a kind of subscription does not allow."""

from __future__ import annotations

import pytest

from bot.domain.action import Verb
from bot.domain.capability import (
    Cloud,
    Feature,
    Outage,
    SubscriptionKind,
    Support,
    missing,
    obstacle,
    support,
)

GLOBAL, CHINA, US_GOVERNMENT = Cloud
F, K = Feature, SubscriptionKind
EVERYWHERE = {F.CUSTOMERS, F.SUBSCRIPTIONS, F.ORDERS, F.INVOICES, F.WEBHOOKS}


def test_microsofts_own_cloud_has_all_of_it():
    assert {support(feature, GLOBAL) for feature in Feature} == {Support.YES}


@pytest.mark.parametrize("cloud", Cloud)
@pytest.mark.parametrize("feature", sorted(EVERYWHERE))
def test_what_suspending_needs_is_everywhere(feature: Feature, cloud: Cloud):
    assert support(feature, cloud) is Support.YES


def test_what_21vianet_lacks_and_what_its_pages_do_not_say():
    assert {f for f in Feature if support(f, CHINA) is Support.NO} == {F.SERVICE_REQUESTS}
    assert {f for f in Feature if support(f, CHINA) is Support.UNDOCUMENTED} == {
        F.AUDIT_RECORDS,
        F.AZURE_CANCEL,
        F.USAGE,
        F.BUDGET,
        F.MANAGED_SERVICES,
        F.FRAUD_EVENTS,
        F.SECURITY_ALERTS,
    }
    assert missing(CHINA) == (Outage(F.SERVICE_REQUESTS, ""),)


def test_what_the_us_government_pages_do_not_say():
    unsaid = {F.FRAUD_EVENTS, F.SECURITY_ALERTS}
    assert {f for f in Feature if support(f, US_GOVERNMENT) is not Support.YES} == unsaid
    assert missing(US_GOVERNMENT) == ()


def test_what_a_kind_does_not_allow():
    found = {(verb, kind): obstacle(verb, kind) for verb in Verb for kind in K}
    refused = {what: why for what, why in found.items() if why}
    assert refused == dict.fromkeys(
        ((Verb.SUSPEND, K.MARKETPLACE), (Verb.SUSPEND, K.SOFTWARE), (Verb.SUSPEND, K.AZURE_SUBSCRIPTION)),
        "kind",
    )
