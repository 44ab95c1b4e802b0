"""`views.*`: modals and Home tabs (https://docs.slack.dev/surfaces/modals)."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack.block_kit import is_too_large
from bot.sandbox.slack.permits import TriggerRefused
from bot.sandbox.slack.posting import Refused
from bot.sandbox.slack.views import View, ViewRefused
from bot.sandbox.slack.web_api.calls import Call, Method

Json = dict[str, Any]


def open_view(call: Call) -> Json:
    definition = _definition(call, "modal")
    return _shown(call, _refusing(lambda: call.platform.views.open(_person(call), definition)))


def push(call: Call) -> Json:
    definition = _definition(call, "modal")
    return _shown(call, _refusing(lambda: call.platform.views.push(_person(call), definition)))


def update(call: Call) -> Json:
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if view_id and external_id:
        raise Refused("invalid_arguments", ["Cannot provide both `view_id` and `external_id`"])
    view = call.platform.views.find(view_id=view_id, external_id=external_id)
    if view is None:
        raise Refused("not_found")
    definition = _definition(call, view.definition["type"])
    _refusing(lambda: call.platform.views.update(view, definition, hash=call.text("hash") or None))
    return _shown(call, view)


def publish(call: Call) -> Json:
    if not call.platform.app.has_home_tab:
        raise Refused("not_enabled")
    person = call.person("user_id")
    definition = _definition(call, "home")
    hash = call.text("hash") or None
    return _shown(call, _refusing(lambda: call.platform.views.publish(person.id, definition, hash=hash)))


def _definition(call: Call, kind: str) -> Json:
    view = call.nested("view")
    if view is None:
        raise Refused("invalid_arguments", ["missing required field: view [json-pointer:/view]"])
    if errors := call.platform.block_kit.view_errors(view, kinds=(kind,)):
        raise Refused("invalid_arguments", errors)
    if is_too_large(view):
        raise Refused("view_too_large")
    return dict(view)


def _person(call: Call) -> str:
    """The person whose trigger this is; the trigger is used up."""
    try:
        return call.platform.triggers.redeem(call.required("trigger_id"))
    except TriggerRefused as refused:
        raise Refused(refused.error) from refused


def _refusing(change: Any) -> Any:
    try:
        return change()
    except ViewRefused as refused:
        raise Refused(refused.error) from refused


def _shown(call: Call, view: View) -> Json:
    return {"ok": True, "view": call.platform.view_json(view)}


METHODS = {
    "views.open": Method(open_view),
    "views.push": Method(push),
    "views.update": Method(update),
    "views.publish": Method(publish),
}
