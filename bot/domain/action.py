"""An action: what Backstop can do for a customer and why, and what each verb and reason asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.customer import CustomerId
from bot.domain.errors import CannotBeCancelled


class Verb(StrEnum):
    """What Backstop can do to a subscription."""

    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL_AZURE = "cancel-azure"
    """Shut an Azure subscription inside an Azure plan down, because somebody else has taken it over."""

    @property
    def least_approvals(self) -> int:
        """Whatever the settings say: there is no way back from a cancellation through the API."""
        return 2 if self is Verb.CANCEL_AZURE else 0


class Reason(StrEnum):
    NON_PAYMENT = "non_payment"
    FRAUD = "fraud"
    MISUSE = "misuse"
    CUSTOMER_REQUEST = "customer_request"

    @property
    def is_urgent(self) -> bool:
        """Fraud and misuse act at once: every minute costs money."""
        return self in (Reason.FRAUD, Reason.MISUSE)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do for one customer, and why. The name is the one shown to the person who confirmed."""

    verb: Verb
    customer_id: CustomerId
    customer_name: str
    reason: Reason
    note: str = ""

    @property
    def waits_to_be_undone(self) -> bool:
        """Only a suspension that is not urgent waits: whoever gets access back should not have to."""
        return self.verb is Verb.SUSPEND and not self.reason.is_urgent

    @property
    def is_for_debt(self) -> bool:
        """It takes something away because somebody does not pay."""
        return self.verb is Verb.SUSPEND and self.reason is Reason.NON_PAYMENT

    @property
    def may_wait(self) -> bool:
        """Whether it may be asked for at a later time."""
        return self.waits_to_be_undone


def approvals_to_resume(asked_for: int, *, suspended_for: Collection[Reason]) -> int:
    """How many approvals a resumption needs: at least one when fraud or misuse is to be lifted.

    `suspended_for` has nothing of what Backstop did not suspend, and so does not know.
    """
    return max(asked_for, 1 if any(reason.is_urgent for reason in suspended_for) else 0)


def must_be_cancellable(reason: Reason, *, switched_on: bool = True) -> None:
    """Raise CannotBeCancelled unless an Azure subscription may be cancelled for that reason.

    Microsoft takes no reason but `compromise` (else error 900307), so nothing else may be meant.
    learn.microsoft.com/partner-center/developer/cancel-an-azure-subscription
    """
    if not switched_on:
        raise CannotBeCancelled("switched-off")
    if not reason.is_urgent:
        raise CannotBeCancelled("only-compromise")
