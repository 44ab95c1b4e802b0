"""Every action_id, block_id and callback_id: what Slack sends back to us."""

from typing import Final

# Buttons. Their value is a request's or a customer's id and nothing more: all else is read anew.
APPROVE: Final = "approve"
DENY: Final = "deny"
WITHDRAW: Final = "withdraw"
CANCEL: Final = "cancel_approved"
LOOK_AGAIN: Final = "look_again"
SUSPEND_CUSTOMER: Final = "suspend_customer"
NEXT_PAGE: Final = "overdue_next"
PREVIOUS_PAGE: Final = "overdue_previous"

# The form, its inputs and what follows it.
SUSPEND_FORM: Final = "suspend_form"
SUSPEND_CONFIRMATION: Final = "suspend_confirmation"
RESUME_FORM: Final = "resume_form"
RESUME_CONFIRMATION: Final = "resume_confirmation"
DENY_REASON: Final = "deny_reason"
SUSPEND_SHORTCUT: Final = "suspend_subscription"
CUSTOMER: Final = "customer"
SUBSCRIPTION: Final = "subscription"
REASON: Final = "reason"
NOTE: Final = "note"
