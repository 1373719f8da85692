# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The log of usage audits.  Hosts here run none, so it says of every period that none has.

Source: the public api-ref, "Server usage audit log".
"""

import datetime
import typing

from nova_cells.api import fleet, policy
from nova_cells.api.catalogue import Action
from nova_cells.domain import errors

PREFIX = "os_compute_api:os-instance-usage-audit-log"
LIST, ITEM = "/os-instance_usage_audit_log", "/os-instance_usage_audit_log/{id}"

RULES = (
    policy.rule(f"{PREFIX}:list", policy.ADMIN, "Show the log of the last usage audit",
                f"GET {LIST}"),
    policy.rule(f"{PREFIX}:show", policy.ADMIN, "Show the log of the usage audit before a time",
                f"GET {ITEM}"),
)


def _log(request: typing.Any, before: datetime.datetime) -> dict[str, typing.Any]:
    """The last whole month before a time."""
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    begin = (end - datetime.timedelta(days=1)).replace(day=1)
    hosts = sorted({service.host for service in fleet.shown(request)
                    if service.binary == fleet.COMPUTE})
    done = f"0 of {len(hosts)}" if hosts else "ALL"
    return {"period_beginning": str(begin), "period_ending": str(end), "num_hosts": len(hosts),
            "num_hosts_done": 0, "num_hosts_running": 0, "num_hosts_not_run": len(hosts),
            "hosts_not_run": hosts, "total_instances": 0, "total_errors": 0,
            "overall_status": f"{done} hosts done. 0 errors.", "log": {}}


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Of the last month."""
    now = datetime.datetime.fromtimestamp(request.services.now(), datetime.UTC)
    return {"instance_usage_audit_logs": _log(request, now)}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """Of the month before a time."""
    given = request.args["id"]
    try:
        before = datetime.datetime.strptime(
            given, "%Y-%m-%d %H:%M:%S.%f" if "." in given else "%Y-%m-%d %H:%M:%S"
        ).replace(tzinfo=datetime.UTC)
        return {"instance_usage_audit_log": _log(request, before)}
    except (ValueError, OverflowError):
        raise errors.Invalid(f"Invalid timestamp for date {given[:64]}") from None


ACTIONS = (
    Action("instance-usage-audit-log:index", "GET", LIST, "stale", policy=f"{PREFIX}:list",
           handler=index),
    Action("instance-usage-audit-log:show", "GET", ITEM, "stale", policy=f"{PREFIX}:show",
           handler=show),
)
