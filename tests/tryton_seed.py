"""Seed a throw-away Tryton 8.2 database: three customers and what they owe on 22 November 2026.

    python tryton_seed.py CONFIG DATABASE KEYFILE

Runs in Tryton's own environment, while no server is running. Writes the REST key to KEYFILE. All names and
numbers are invented; the steps follow the scenarios that Tryton's modules ship with their tests
(`scenario_invoice.rst`, `scenario_account_dunning.rst`).

Open: Acme 1200.00 EUR overdue and 300.00 not due; Contoso 999.99 USD overdue; Fabrikam 300.00 of 500.00 and 400.00
EUR overdue, 400.00 not due, a credit of 100.00. Not open: one invoice each that is paid, cancelled and a draft.
"""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from proteus import Model, Wizard, config


def main(settings: str, database: str, keyfile: str) -> None:
    connection = config.set_trytond(database, config_file=settings)
    connection.skip_warning = True  # old invoices raise "payment date in the past"

    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company, get_company
    from trytond.modules.currency.tests.tools import get_currency

    eur, usd = get_currency("EUR"), get_currency("USD")
    create_company(currency=eur)
    company = get_company()
    company.cancel_invoice_out = True
    company.save()
    year = create_fiscalyear(company, today=(dt.date(2026, 1, 1), dt.date(2026, 12, 31)))
    set_fiscalyear_invoice_sequences(year).click("create_period")
    create_chart(company)
    accounts = get_accounts(company)

    Currency = Model.get("currency.currency")
    for known, rate in ((eur, "1.00"), (usd, "1.10")):
        currency = Currency(known.id)
        new = currency.rates.new()
        new.date, new.rate = dt.date(2026, 1, 1), Decimal(rate)
        currency.save()

    Term = Model.get("account.invoice.payment_term")
    net14 = Term(name="Net 14")
    net14.lines.new(type="remainder").relativedeltas.new(days=14)
    net14.save()
    split = Term(name="Half and half")
    split.lines.new(type="percent_on_total", ratio=Decimal("0.5")).relativedeltas.new(days=14)
    split.lines.new(type="remainder").relativedeltas.new(days=44)
    split.save()

    procedure = Model.get("account.dunning.procedure")(name="CSP")
    for days in (7, 14, 30):
        procedure.levels.new().overdue = dt.timedelta(days=days)
    procedure.save()

    def party(name: str, identifier: str | None = None) -> Any:
        record = Model.get("party.party")(name=name)
        record.dunning_procedure = procedure
        if identifier:
            record.identifiers.new(code=identifier)
        record.save()
        return record

    def invoice(
        who: Any, when: dt.date, amount: str, *, currency: Any = eur, term: Any = net14, post: bool = True
    ) -> Any:
        record = Model.get("account.invoice")(type="out", party=who, invoice_date=when, payment_term=term)
        record.currency = Currency(currency.id)
        line = record.lines.new()
        line.account, line.quantity, line.unit_price = accounts["revenue"], 1, Decimal(amount)
        line.description = "CSP seats"
        record.save()
        if post:
            record.click("post")
        return record

    acme = party("Acme GmbH", "acme.onmicrosoft.com")
    contoso = party("Contoso Ltd")
    fabrikam = party("Fabrikam Inc", "44444444-0000-4000-8000-000000000003")
    # The server insists on posting in the order of dates.
    invoice(acme, dt.date(2026, 9, 1), "1200.00")  # number 1
    partly = invoice(fabrikam, dt.date(2026, 10, 1), "500.00")  # 2
    invoice(contoso, dt.date(2026, 10, 20), "999.99", currency=usd)  # 3
    invoice(fabrikam, dt.date(2026, 10, 25), "800.00", term=split)  # 4
    invoice(fabrikam, dt.date(2026, 11, 1), "-100.00")  # 5
    invoice(acme, dt.date(2026, 11, 15), "300.00")  # 6
    paid = invoice(contoso, dt.date(2026, 11, 16), "50.00")  # 7
    cancelled = invoice(contoso, dt.date(2026, 11, 16), "60.00")  # 8
    invoice(contoso, dt.date(2026, 11, 16), "70.00", post=False)

    journal = Model.get("account.journal").find([("type", "=", "cash")])[0]
    method = Model.get("account.invoice.payment.method")(
        name="Cash", journal=journal, credit_account=accounts["cash"], debit_account=accounts["cash"]
    )
    method.save()
    for what, amount in ((partly, "200.00"), (paid, "50.00")):
        pay = Wizard("account.invoice.pay", [what])
        pay.form.payment_method, pay.form.amount, pay.form.date = (
            method,
            Decimal(amount),
            dt.date(2026, 11, 16),
        )
        pay.execute("choice")
        if pay.state != "end":
            pay.form.type = "partial"
            pay.execute("pay")
    cancelled.click("cancel")

    dunning = Wizard("account.dunning.create")
    dunning.form.date = dt.date(2026, 11, 22)
    dunning.execute("create_")

    key = Model.get("res.user.application")(user=Model.get("res.user")(connection.user), application="rest")
    key.save()
    if key.state != "validated":
        key.click("validate_")
    Path(keyfile).write_text(key.key, "ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
