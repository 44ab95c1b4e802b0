"""What looks wrong at the sample partner: a seat jump, a burst of trials, a mine in Azure; and what only looks so."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.sandbox.partner_center.sandbox import PartnerCenterSandbox

JUMPER = "Nod Publishers"
BURSTER = "Consolidated Messenger"
MINED = "Woodgrove Bank"
GROWER = "Wide World Importers"
TESTED = "Tailspin Toys"


def plant_past(sandbox: PartnerCenterSandbox, *, at: datetime) -> None:
    """How things were before: to be read once, so that what follows is a change."""
    held = sandbox.customer(JUMPER).subscriptions[0]
    sandbox.set_quantity(held.id, 25, at=at - timedelta(days=40))
    sandbox.spend(MINED, "612.40", budget=2000, at=at - timedelta(days=1))


def plant(sandbox: PartnerCenterSandbox, *, at: datetime) -> None:
    """What happened in the night before that moment."""
    night = at - timedelta(hours=6)
    sandbox.set_quantity(sandbox.customer(JUMPER).subscriptions[0].id, 400, at=night)
    for number, name in enumerate(_BURST):
        sandbox.place_order(
            BURSTER, name, 25, at=night + timedelta(minutes=4 * number), trial=name.endswith("Trial")
        )
    plan = sandbox.customer(MINED).subscription("Azure plan")
    mine = plan.azure_subscriptions[0]
    sandbox.spend(MINED, "18420.75", budget=2000, at=at)
    sandbox.fraud_event(
        MINED,
        subscription_id=mine.id,
        at=night,
        last_at=at - timedelta(minutes=20),
        hits=31,
        description="A virtual machine talks to a pool that mines crypto currency.",
        resources=(
            f"/subscriptions/{mine.id}/resourceGroups/rg-temp/providers/Microsoft.Compute/virtualMachines/gpu-01",
        ),
    )
    sandbox.security_alert(MINED, subscription_id=mine.id, at=night, last_at=at - timedelta(minutes=20))
    sandbox.log_deed(
        "add_application_credential",
        "Reporting (old)",
        resource_type="application",
        at=night - timedelta(minutes=25),
    )
    _plant_harmless(sandbox, at=at)


def _plant_harmless(sandbox: PartnerCenterSandbox, *, at: datetime) -> None:
    """Growth as growth is, and Microsoft trying its own alarm."""
    grown = sandbox.customer(GROWER).subscriptions[0]
    sandbox.set_quantity(grown.id, grown.quantity + 4, at=at - timedelta(hours=20))
    sandbox.spend(TESTED, "180.00", budget=500, at=at)
    sandbox.fraud_event(
        TESTED, "UsageAnomalyDetection", severity="Low", is_test=True, at=at - timedelta(hours=3)
    )


_BURST = (
    "Microsoft 365 E5 Trial",
    "Power BI Premium Trial",
    "Microsoft 365 E5 Trial",
    "Visio Plan 2 Trial",
    "Project Plan 5 Trial",
    "Microsoft 365 E5",
    "Microsoft Teams Premium Trial",
    "Microsoft 365 E5",
)
