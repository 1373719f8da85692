# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Deleted softly: restored, or deleted for good before its time.

With ``[DEFAULT] reclaim_instance_interval`` a DELETE only puts a server aside for so long
(``servers.delete``).  Source: the public api-ref, "Servers - run an action".
"""

import typing

from nova_cells.api import acting, found, image_making


def restore(request: typing.Any) -> None:
    """It runs again, if the quota has room for it."""
    row = acting.allowed(request, "os-deferred-delete:restore")
    services = request.services
    found.carry_out(request, services.orders.restore(row.uuid, request.origin, services.now()))


def force_delete(request: typing.Any) -> None:
    """Delete now, whatever it is doing."""
    row = acting.allowed(request, "os-deferred-delete:force")
    services = request.services
    found.carry_out(request, services.orders.delete(row.uuid, request.origin, services.now()))
    image_making.forget_shelved(request, row)


ACTIONS = (
    acting.action("restore", restore),
    acting.action("forceDelete", force_delete, down="keep"),
)
RULES = (acting.rule("os-deferred-delete:restore"), acting.rule("os-deferred-delete:force"))
