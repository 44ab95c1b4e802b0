"""Do in a Tryton database what its users do, in its own environment; the server may be running.

    python tryton_act.py CONFIG DATABASE WORD …

WORDs are `pay NUMBER AMOUNT`, `block NUMBER` (its dunnings), `identify PARTY TYPE CODE` (TYPE may be empty),
`on-account PARTY AMOUNT`; several may follow each other.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from decimal import Decimal

from proteus import Model, Wizard, config

TODAY = dt.date(2026, 11, 20)


def pay(number: str, amount: str) -> None:
    invoice = _one("account.invoice", ("number", "=", number))
    wizard = Wizard("account.invoice.pay", [invoice])
    wizard.form.payment_method = Model.get("account.invoice.payment.method").find([])[0]
    wizard.form.amount, wizard.form.date = Decimal(amount), TODAY
    wizard.execute("choice")
    if wizard.state != "end":
        wizard.form.type = "partial"
        wizard.execute("pay")


def block(number: str) -> None:
    move = _one("account.invoice", ("number", "=", number)).move
    for dunning in Model.get("account.dunning").find([("line.move", "=", move.id)]):
        dunning.blocked = True
        dunning.save()


def identify(party: str, kind: str, code: str) -> None:
    record = _one("party.party", ("name", "=", party))
    record.identifiers.new(type=kind or None, code=code)
    record.save()


def on_account(party: str, amount: str) -> None:
    """Book money that came in without saying for which invoice."""
    Account = Model.get("account.account")
    move = Model.get("account.move")(date=TODAY)
    move.journal = _one("account.journal", ("type", "=", "cash"))
    method = Model.get("account.invoice.payment.method").find([])[0]
    move.lines.new(account=method.debit_account, debit=Decimal(amount))
    receivable = Account.find([("type.receivable", "=", True), ("party_required", "=", True)])[0]
    move.lines.new(
        account=receivable, party=_one("party.party", ("name", "=", party)), credit=Decimal(amount)
    )
    move.save()
    move.click("post")


def _one(model: str, *domain):
    [record] = Model.get(model).find(list(domain))
    return record


WORDS: dict[str, tuple[Callable[..., None], int]] = {
    "pay": (pay, 2),
    "block": (block, 1),
    "identify": (identify, 3),
    "on-account": (on_account, 2),
}


def main(settings: str, database: str, *words: str) -> None:
    config.set_trytond(database, config_file=settings).skip_warning = True
    rest = list(words)
    while rest:
        act, count = WORDS[rest.pop(0)]
        arguments, rest = rest[:count], rest[count:]
        act(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
