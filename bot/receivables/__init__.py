"""Where unpaid invoices come from. Reads what the accounts say; decides nothing and stores nothing."""

from bot.receivables.export import Export, read_export
from bot.receivables.header import accepted_columns, template
from bot.receivables.notes import Code, Refusal, RowNote
from bot.receivables.reject_report import reject_report

__all__ = [
    "Code",
    "Export",
    "Refusal",
    "RowNote",
    "accepted_columns",
    "read_export",
    "reject_report",
    "template",
]
