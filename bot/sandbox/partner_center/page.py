"""The sandbox's own page: customers, subscriptions and the latest requests, drawn without a script."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --raised: #f6f7f9; --line: #dfe3e8; --text: #1c2126;
  --quiet: #57606a; --done: #14692f; --wait: #7d4b00; --danger: #b3261e; --accent: #2457c5 }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --raised: #1d2126; --line: #333a42;
  --text: #e6e9ec; --quiet: #9aa4ae; --done: #6bd08a; --wait: #e8b45a; --danger: #ff8f85;
  --accent: #8db4ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/22px system-ui, sans-serif }
main { max-width: 1100px; margin: 0 auto; padding: 32px 20px 64px }
h1 { font-size: 24px; line-height: 32px; margin: 0 } h2 { font-size: 18px; margin: 40px 0 12px }
h1 + p { margin: 4px 0 0 } p, small, .quiet { color: var(--quiet) } small { font-size: 13px }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th { background: var(--raised); color: var(--quiet); font-size: 13px; font-weight: 600 }
th, td { text-align: start; vertical-align: top; padding: 8px 12px; }
td { border-top: 1px solid var(--line) } td.number, th.number { text-align: end }
.customer { font-weight: 600 } .customer small { font-weight: 400; display: block }
.active { color: var(--done) } .suspended, .failed { color: var(--danger); font-weight: 600 }
.other { color: var(--wait) } .changed { border-inline-start: 3px solid var(--accent) }
code { font: 13px/20px ui-monospace, monospace; overflow-wrap: anywhere }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def html(snapshot: dict[str, Any], *, now: datetime) -> str:
    """The page for a snapshot."""
    customers = snapshot["customers"]
    held = [subscription for customer in customers for subscription in customer["subscriptions"]]
    suspended = sum(subscription["status"] == "suspended" for subscription in held)
    rows = "".join(row for customer in customers for row in _customer(customer))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox Partner Center</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{STYLE}</style></head>
<body><main><h1>Sandbox Partner Center</h1>
<p>Cloud: {escape(snapshot["cloud"])} · {len(customers)} customers · {len(held)} subscriptions,
{suspended} suspended · as of {now:%Y-%m-%d %H:%M:%S} UTC</p>
<h2>Customers</h2><div class="wide"><table>
<thead><tr><th>Customer</th><th>Subscription</th><th>Status</th><th class="number">Quantity</th>
<th>Term ends</th></tr></thead><tbody>{rows}</tbody></table></div>
{_service_requests(snapshot["service_requests"])}<h2>Latest requests</h2>{_log(snapshot["log"])}</main></body></html>"""


def _customer(customer: dict[str, Any]) -> list[str]:
    held = customer["subscriptions"]
    relationship = "" if customer["relationship"] == "reseller" else f" · {escape(customer['relationship'])}"
    head = (
        f'<td class="customer" rowspan="{max(len(held), 1)}"><bdi>{escape(customer["name"])}</bdi>'
        f"<small>{escape(customer['domain'])}{relationship}</small></td>"
    )
    if not held:
        return [f'<tr>{head}<td class="quiet" colspan="4">No subscriptions</td></tr>']
    return [
        f"<tr>{head if number == 0 else ''}{_subscription(subscription)}</tr>"
        for number, subscription in enumerate(held)
    ]


def _subscription(held: dict[str, Any]) -> str:
    look = held["status"] if held["status"] in {"active", "suspended"} else "other"
    notes = [held["kind"]]
    notes += ["trial"] if held["is_trial"] else []
    notes += ["add-on"] if held["parent_id"] else []
    reasons = f"<br><small>{escape(', '.join(held['suspension_reasons']))}</small>"
    changed = ' class="changed"' if held["changed_at"] else ""
    inside = "".join(
        f"<br><small><bdi>{escape(child['name'])}</bdi>: {escape(child['status'])}</small>"
        for child in held["azure_subscriptions"]
    )
    return (
        f"<td{changed}><bdi>{escape(held['name'])}</bdi><br><small>{escape(' · '.join(notes))}</small>{inside}</td>"
        f'<td class="{look}">{escape(held["status"])}{reasons if held["suspension_reasons"] else ""}</td>'
        f'<td class="number">{held["quantity"]}</td><td>{escape(held["term_end"] or "no end")}</td>'
    )


def _service_requests(filed: list[dict[str, Any]]) -> str:
    if not filed:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(each['number'])}</code></td><td><bdi>{escape(each['title'])}</bdi></td>"
        f'<td>{escape(each["status"])}</td><td class="number">{each["notes"]}</td></tr>'
        for each in filed
    )
    return (
        '<h2>Service requests</h2><div class="wide"><table><thead><tr><th>Number</th><th>Title</th>'
        f'<th>Status</th><th class="number">Notes</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _log(log: list[dict[str, Any]]) -> str:
    if not log:
        return "<p>No request has come yet. They appear here as soon as Backstop asks for something.</p>"
    rows = "".join(
        f"<tr><td>{escape(entry['at'][:19].replace('T', ' '))}</td><td>{escape(entry['method'])}</td>"
        f"<td><code>{escape(entry['path'])}</code></td>"
        f'<td class="number {"failed" if entry["status"] >= 400 else "active"}">{entry["status"]}</td></tr>'
        for entry in reversed(log)
    )
    return (
        '<div class="wide"><table><thead><tr><th>At (UTC)</th><th>Method</th><th>Path</th>'
        f'<th class="number">Status</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
