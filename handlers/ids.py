"""Every action_id, block_id and callback_id: what Slack sends back to us."""

from typing import Final

# Buttons. Their value is a request's or a customer's id and nothing more: all else is read anew.
APPROVE: Final = "approve"
DENY: Final = "deny"
WITHDRAW: Final = "withdraw"
CANCEL: Final = "cancel_approved"
LOOK_AGAIN: Final = "look_again"
RETRY: Final = "retry_failed"
SUSPEND_AGAIN: Final = "confirm_suspend_again"
RESUME_AGAIN: Final = "confirm_resume_again"
CANCEL_AZURE: Final = "cancel_azure"
LIFT_LIMIT: Final = "lift_limit"
SUSPEND_CUSTOMER: Final = "suspend_customer"
RESUME_CUSTOMER: Final = "resume_customer"
NEXT_PAGE: Final = "overdue_next"
PREVIOUS_PAGE: Final = "overdue_previous"
PUBLISHED_POLICY: Final = "published_policy"

# The form, its inputs and what follows it.
SUSPEND_FORM: Final = "suspend_form"
SUSPEND_CONFIRMATION: Final = "suspend_confirmation"
RESUME_FORM: Final = "resume_form"
RESUME_CONFIRMATION: Final = "resume_confirmation"
CANCEL_AZURE_CONFIRMATION: Final = "cancel_azure_confirmation"
DENY_REASON: Final = "deny_reason"
SUSPEND_SHORTCUT: Final = "suspend_subscription"
CUSTOMER: Final = "customer"
SUBSCRIPTION: Final = "subscription"
REASON: Final = "reason"
WHEN: Final = "when"
DATE: Final = "date"
TIME: Final = "time"
NOTE: Final = "note"

# Whose a debtor in the books is. The button's value is `bot.domain.directory.party_id`.
LINK_CUSTOMER: Final = "link_customer"
LINK_FORM: Final = "link_form"
UNLINK_FORM: Final = "unlink_form"
LINKED_CUSTOMER: Final = "linked_customer"

# What people say about a customer's debt. The buttons' value is the customer's id.
SNOOZE_CUSTOMER: Final = "snooze_customer"
PROMISE_OF_CUSTOMER: Final = "promise_of_customer"
OWNER_OF_CUSTOMER: Final = "owner_of_customer"
WAKE_CUSTOMER: Final = "wake_customer"
SNOOZE_FORM: Final = "snooze_form"
PROMISE_FORM: Final = "promise_form"
OWNER_FORM: Final = "owner_form"
OWNER: Final = "owner"

# In place of a subscription's id: all of the customer's that it can be done to.
ALL: Final = "*"
# What changed outside Backstop. The buttons' value is a drift's id.
ADOPT: Final = "drift_adopt"
EXPLAIN: Final = "drift_explain"
ADOPT_FORM: Final = "drift_adopt_form"
EXPLAIN_FORM: Final = "drift_explain_form"
EXPLANATION: Final = "explanation"

# Letters. The first button's value says what a letter follows from: the id of a customer, of a request that was
# carried out, or of a letter that was not sent. The value of the others is a letter's id.
WRITE_LETTER: Final = "write_letter"
LETTER_ARRIVED: Final = "letter_was_sent"
LETTER_LOST: Final = "letter_was_not_sent"
LETTER_FORM: Final = "letter_form"
LETTER_SEND: Final = "letter_send"
LETTER_COPIED: Final = "letter_copied"
LETTER_KIND: Final = "letter_kind"
LETTER_LANGUAGE: Final = "letter_language"
LETTER_TO: Final = "letter_to"
LETTER_SUBJECT: Final = "letter_subject"
LETTER_BODY: Final = "letter_body"
LETTER_WAY: Final = "letter_way"
# A receivables export shared in Slack. The buttons' value is a preview's id, the file's hash and the preview's seal.
APPLY_EXPORT: Final = "export_apply"
DISCARD_EXPORT: Final = "export_discard"
EXPORT_SETTINGS: Final = "export_settings"
EXPORT_SETTINGS_FORM: Final = "export_settings_form"
EXPORT_AS_OF: Final = "export_as_of"
EXPORT_CURRENCY: Final = "export_currency"
EXPORT_DATE_ORDER: Final = "export_date_order"
EXPORT_MODE: Final = "export_mode"
