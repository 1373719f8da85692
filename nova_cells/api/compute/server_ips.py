# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's addresses, by network.  Source: the public api-ref."""

import typing

from nova_cells.api import found, policy
from nova_cells.api.catalogue import Action
from nova_cells.domain import errors, rendering

PREFIX = "os_compute_api:ips"

RULES = (
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List a server's addresses.",
                "GET /servers/{server_id}/ips"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show a server's addresses on one "
                "network.", "GET /servers/{server_id}/ips/{network_label}"),
)


def _addresses(request: typing.Any, rule: str) -> dict:
    row = found.find(request, f"{PREFIX}:{rule}")
    return rendering.Parts(found.unpack(row.record)).addresses(extended=False)


def index(request: typing.Any) -> dict:
    """All of them."""
    return {"addresses": _addresses(request, "index")}


def show(request: typing.Any) -> dict:
    """Those on one network."""
    label, networks = request.args["label"], _addresses(request, "show")
    if label not in networks:
        raise errors.NotFound("Instance is not a member of specified network")
    return {label: networks[label]}


ACTIONS = (
    Action("ips:index", "GET", "/servers/{id}/ips", "stale", handler=index),
    Action("ips:show", "GET", "/servers/{id}/ips/{label}", "stale", handler=show),
)
