# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""evacuate: a server whose host is down is made anew, from its image, on another one.

The cell decides whether the host is down (decision 0020).  A locked server may be evacuated: what
is asked for is its operator's.  Source: the public api-ref, "Evacuate Server (evacuate Action)".
"""

import secrets
import typing

from nova_cells.api import acting, found, policy, shapes
from nova_cells.api.compute import server_live_migrate as live
from nova_cells.api.shapes import Shape, optional
from nova_cells.domain import boot, errors, lifecycle
from nova_cells.domain import wanted as wants

KEY, RULE = "evacuate", "os-evacuate"
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

RULES = (acting.rule(RULE, policy.ADMIN, "Evacuate a server from a host that is down."),)


def evacuate(request: typing.Any) -> dict[str, typing.Any] | None:
    """Up to 2.13 the answer tells the guest's new password."""
    given = request.body[KEY]
    row = acting.allowed(request, RULE, lock=False)
    host = given.get("host")
    forced = live.force(given, host)
    shared = shapes.truth(given.get("onSharedStorage", False))
    password = _password(given, shared)
    if host is not None and not live.known(request, host):
        raise errors.NotFound(f"Compute host {host} not found.")
    if host is not None and host == row.host:
        raise errors.Invalid("The target host can't be the same one.")
    lifecycle.begin(found.unpack(row.record), "evacuate", 0.0)           # says why not
    options = {name: "1" for name, wanted in (
        ("forced", forced or (host and request.version < 29)), ("shared", shared),
        ("stopped", request.version >= 95)) if wanted}
    sealed = request.services.view.seal.close_secrets(boot.Secrets(admin_password=password))
    acting.act(request, row, "evacuate", wanted=wants.Wanted(
        host=host, options=options, secrets=sealed))
    if request.version < 14 and request.services.conf.api.enable_instance_password:
        return {"adminPass": password}
    return None


def _password(given: dict[str, typing.Any], shared: bool) -> str | None:
    """The one that was given, or a new one; none for a disk that stays as it is."""
    if shared and "adminPass" in given:
        raise errors.Invalid("admin password can't be changed on existing disk")
    if shared:
        return None
    return given.get("adminPass") or "".join(secrets.choice(_LETTERS) for _ in range(12))


_body = Shape({KEY: Shape(
    host=optional(live.HOST), onSharedStorage=shapes.boolean, adminPass=optional(shapes.string()),
).since("2.14", onSharedStorage=shapes.REMOVED,
).since("2.29", force=optional(shapes.boolean),
).since("2.68", force=shapes.REMOVED)})

ACTIONS = (acting.action(KEY, evacuate, _body, success=200),)
