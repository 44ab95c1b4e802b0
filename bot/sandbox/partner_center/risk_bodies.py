"""What Microsoft tells of risk, drawn as its JSON with the oddities of the published bodies.

The oddities: fraud events are a bare array, their numbers and truths are words, their dates have no zone, what has
not happened yet is of the year 9999, and lists hide as JSON inside strings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.sandbox.partner_center.bodies import Json
from bot.sandbox.partner_center.records import Customer
from bot.sandbox.partner_center.suspicion import FraudEvent, SecurityAlert, Spend

NEVER = "9999-12-31T23:59:59.9970000"


def fraud_event(event: FraudEvent, *, partner_id: str, is_new_model: bool) -> Json:
    body: Json = {
        "eventTime": _bare(event.first_at),
        "eventId": event.id,
        "partnerTenantId": partner_id,
        "partnerFriendlyName": "Northwind Cloud",
        "customerTenantId": event.customer.id,
        "customerFriendlyName": event.customer.name,
        "subscriptionId": event.subscription_id,
        "subscriptionType": "modern",
        "entityId": event.id.rpartition("_")[2],
        "entityName": event.resources[0] if event.resources else "",
        "entityUrl": "",
        "hitCount": str(event.hits),
        "catalogOfferId": "ms-azr-17g",
        "eventStatus": event.status,
        "serviceName": "Azure",
        "resourceName": event.resources[0] if event.resources else "",
        "resourceGroupName": "",
        "firstOccurrence": _bare(event.first_at),
        "lastOccurrence": _bare(event.last_at),
        "resolvedReason": event.reason,
        "resolvedOn": _bare(event.resolved_at) if event.resolved_at else NEVER,
        "resolvedBy": "",
        "firstObserved": NEVER,
        "lastObserved": NEVER,
    }
    if is_new_model:
        body |= {
            "eventType": event.type,
            "severity": event.severity,
            "confidenceLevel": event.confidence,
            "displayName": event.name,
            "description": event.description,
            "country": event.customer.country,
            "subscriptionName": "Azure plan",
            "affectedResources": [
                {"azureResourceId": name, "type": "Microsoft.Compute/virtualMachines"}
                for name in event.resources
            ],
            "additionalDetails": {"vM_IP": '[\r\n "203.0.113.9"\r\n]', "connectionCount": str(event.hits)},
            "IsTest": str(event.is_test).lower(),
            "activityLogs": _log(event),
        }
    return _laid_over(body, event.extra)


def _log(event: FraudEvent) -> str:
    if event.status == "Active":
        return "[]"
    return json.dumps(
        [{"statusFrom": "Active", "statusTo": event.status, "updatedBy": "admin@partner.example"}]
    )


def security_alert(alert: SecurityAlert) -> Json:
    body: Json = {
        "id": alert.id,
        "displayName": alert.name,
        "description": alert.description,
        "alertType": alert.type,
        "status": alert.status,
        "severity": alert.severity,
        "confidenceLevel": alert.confidence,
        "customerTenantId": alert.customer.id,
        "subscriptionId": alert.subscription_id,
        "catalogOfferId": "MS-AZR-0017G",
        "detectedDateTime": _zulu(alert.first_at),
        "firstObservedDateTime": _zulu(alert.first_at),
        "lastObservedDateTime": _zulu(alert.last_at),
        "resolvedReason": alert.reason,
        "resolvedOnDateTime": _zulu(alert.resolved_at) if alert.resolved_at else None,
        "resolvedBy": "admin@partner.example" if alert.resolved_at else None,
        "isTest": alert.is_test,
        "affectedResources": [
            {"resourceId": name, "resourceType": "AzureResource"} for name in alert.resources
        ],
        "activityLogs": [],
        "additionalDetails": {},
    }
    return _laid_over(body, alert.extra)


def usage_record(customer: Customer, spend: Spend) -> Json:
    """What one customer used; one without a budget has `budget` without an amount, and a share of 0."""
    budget, percent = spend.budget, 0.0
    if budget:
        percent = round(float(spend.amount / budget * 100), 2)
    body: Json = {
        "budget": {
            **({} if budget is None else {"amount": float(budget)}),
            "attributes": {"objectType": "SpendingBudget"},
        },
        "percentUsed": percent,
        "isUpgraded": True,
        "resourceId": customer.id,
        "resourceName": customer.name,
        "id": customer.id,
        "name": customer.name,
        "totalCost": float(spend.amount),
        "currencyCode": spend.currency,
        "usdTotalCost": float(spend.amount),
        "lastModifiedDate": spend.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{spend.at.microsecond:06d}0+00:00",
        "attributes": {"objectType": "CustomerMonthlyUsageRecord"},
    }
    return _laid_over(body, spend.extra)


def _laid_over(body: Json, extra: Mapping[str, Any]) -> Json:
    return {key: value for key, value in {**body, **extra}.items() if value is not None}


def _bare(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 10000:02d}"


def _zulu(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 10000:02d}Z"
