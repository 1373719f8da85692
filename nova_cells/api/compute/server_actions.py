# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is posted to /servers/{id}/action and needs no more than a few lines; larger verbs have
modules of their own.  Source: the public api-ref, "Servers - run an action".
"""

import typing

from nova_cells.api import acting, faults, found, policy, shapes
from nova_cells.api.acting import API, PATH, action
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import optional
from nova_cells.domain import commands


def reboot(request: typing.Any) -> None:
    """SOFT or HARD."""
    hard = request.body["reboot"]["type"].upper() == "HARD"
    acting.verb("reboot_hard" if hard else "reboot", "servers:reboot")(request)


def lock(request: typing.Any) -> None:
    """Nobody but admins may change it; with a reason from 2.73."""
    row = acting.allowed(request, "os-lock-server:lock", lock=False)
    given = request.body["lock"] if request.version >= 73 else None
    reason = (given or {}).get("locked_reason")
    _lock(request, row, True, reason)


def unlock(request: typing.Any) -> None:
    """Its project may unlock what it locked, an admin of another what such a one locked; for
    everything else one must be allowed to override."""
    row = acting.allowed(request, "os-lock-server:unlock", lock=False)
    mine = "owner" if request.context.project_id == row.project_id else "admin"
    if found.unpack(row.record).locked_by not in (None, mine):
        request.authorize(API + "os-lock-server:unlock:unlock_override", found.target(row))
    _lock(request, row, False, None)


def _lock(request: typing.Any, row: typing.Any, locked: bool, reason: str | None) -> None:
    services = request.services
    found.carry_out(request, services.orders.lock(row.uuid, locked, reason, request.origin,
                                                  services.now()))


def console_output(request: typing.Any) -> dict:
    """The end of the console's log."""
    row = acting.allowed(request, "os-console-output", lock=False)
    length = request.body["os-getConsoleOutput"].get("length")
    lines = None if length is None or int(length) < 0 else int(length)
    services = request.services
    answer = found.carry_out(request, services.orders.ask(
        row.uuid, commands.ReadConsole, request.origin, lines=lines))
    text = answer.text if answer is not None else ""
    if lines is not None:                # what follows the last line's end counts, as in Nova
        text = "\n".join(text.split("\n")[-lines:]) if lines else ""
    return {"output": "".join(char for char in text if char in "\n\r\t" or char >= " ")}


def reset_state(request: typing.Any) -> None:
    """The operator's word about where it rests."""
    row = acting.allowed(request, "os-admin-actions:reset_state", lock=False)
    services = request.services
    found.carry_out(request, services.orders.reset_state(
        row.uuid, request.body["os-resetState"]["state"], request.origin, services.now()))


def inject_network_info(request: typing.Any) -> None:
    """Accepted, as ever: what the guest should know of its networks it is told by config drive and
    metadata service, and nothing is injected into disks."""
    acting.allowed(request, "os-admin-actions:inject_network_info")


def gone(_request: typing.Any) -> None:
    """It was there once."""
    raise faults.Gone("This action is no longer available. No forwarding address is given.")


# -- the table ------------------------------------------------------------------------------------

_reboot = acting.fields(
    "reboot", type=shapes.one_of("HARD", "Hard", "hard", "SOFT", "Soft", "soft"))
_lock_shape = acting.bare("lock").since("2.73", lock={
    "type": ["object", "null"], "additionalProperties": False,
    "properties": {"locked_reason": shapes.string(1, 255)}})
_console = acting.fields(
    "os-getConsoleOutput", length=optional(shapes.nullable(shapes.integer(-1))))
_state = acting.fields("os-resetState", state=shapes.one_of("active", "error"))

SERVED = (
    action("os-start", acting.verb("start", "servers:start")),
    action("os-stop", acting.verb("stop", "servers:stop")),
    action("reboot", reboot, _reboot),
    action("pause", acting.verb("pause", "os-pause-server:pause")),
    action("unpause", acting.verb("unpause", "os-pause-server:unpause")),
    action("suspend", acting.verb("suspend", "os-suspend-server:suspend")),
    action("resume", acting.verb("resume", "os-suspend-server:resume")),
    action("lock", lock, _lock_shape),
    action("unlock", unlock),
    action("os-getConsoleOutput", console_output, _console, success=200),
    action("os-resetState", reset_state, _state),
    action("injectNetworkInfo", inject_network_info, down="serve"),
)
GONE = (Action("resetNetwork", "POST", PATH, "serve", handler=gone,
               body=acting.bare("resetNetwork")),)
ACTIONS = (*SERVED, *GONE)

_MEMBER, _WHERE = policy.MEMBER_OR_ADMIN, "POST /servers/{server_id}/action"
_ADMINS = {"os-admin-actions:reset_state", "os-admin-actions:inject_network_info",
           "os-lock-server:unlock:unlock_override"}
_NAMES = (
    "servers:start", "servers:stop", "servers:reboot", "os-pause-server:pause",
    "os-pause-server:unpause", "os-suspend-server:suspend", "os-suspend-server:resume",
    "os-lock-server:lock", "os-lock-server:unlock", "os-lock-server:unlock:unlock_override",
    "os-console-output", "os-admin-actions:reset_state", "os-admin-actions:inject_network_info")
RULES = tuple(policy.rule(API + name, policy.ADMIN if name in _ADMINS else _MEMBER,
                          f"Run {name.replace(':', ' ')} on a server.", _WHERE)
              for name in _NAMES)
