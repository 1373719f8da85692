# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""resize, migrate, confirmResize, revertResize.

What more a server will take is reserved before its cell is asked, and given back in the
transaction that applies the record which ends the operation (law T11).  Where to, the cell decides.
Source: the public api-ref, "Servers - run an action".
"""

import typing

from nova_cells.api import acting, found, policy, server_create, shapes
from nova_cells.api.shapes import Shape, optional
from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants


def resize(request: typing.Any) -> None:
    """To another flavor."""
    row = acting.allowed(request, "servers:resize")
    server, given = found.unpack(row.record), request.body["resize"]
    lifecycle.begin(server, "resize", 0.0)       # says why not, if the state forbids it
    with request.services.view.read() as tx:
        flavor = server_create.find_flavor(request, tx, given, disabled=server.flavor.id)
    _fits(request, server, flavor)
    options = {"same_host": "yes"} if request.services.conf.allow_resize_to_same_host else {}
    if "OS-DCF:diskConfig" in given:
        options["disk_config"] = given["OS-DCF:diskConfig"]
    acting.act(request, row, "resize", wanted=wants.Wanted(flavor=flavor, options=options),
               more=_more(server.flavor, flavor))


def _fits(request: typing.Any, server: model.Server, flavor: model.Flavor) -> None:
    """Raise unless this server may become such a one."""
    if flavor.disk_gb == 0 and server.flavor.disk_gb != 0 and server.image is not None:
        raise errors.Invalid("Server disk was unable to be resized because: Resize to zero disk "
                             "flavor is not allowed.")
    if flavor.id == server.flavor.id:
        raise errors.Invalid("When resizing, instances must change flavor!")
    if flavor.disabled:
        raise errors.Invalid(f"Flavor {flavor.id} could not be found.")
    if server.image is not None:
        server_create.fits(request, server.image, flavor)


def _more(old: model.Flavor, new: model.Flavor) -> tuple[int, int]:
    """Cores and MiB that it will take more than it does."""
    return max(0, new.vcpus - old.vcpus), max(0, new.ram_mb - old.ram_mb)


def migrate(request: typing.Any) -> None:
    """To another host of its cell; from 2.56 on to one that is named."""
    given = request.body["migrate"] if request.version >= 56 else None
    host = (given or {}).get("host")
    row = acting.allowed(request, "os-migrate-server:migrate:host" if host else
                         "os-migrate-server:migrate")
    server = found.unpack(row.record)
    lifecycle.begin(server, "migrate", 0.0)
    if host is not None and host == server.host:
        raise errors.Invalid(f"No valid host was found. Cannot migrate to the host ({host}) where "
                             f"the server exists.")
    acting.act(request, row, "migrate", wanted=wants.Wanted(host=host))


def confirm(request: typing.Any) -> None:
    """It stays as it is now."""
    acting.act(request, acting.allowed(request, "servers:confirm_resize"), "confirm_resize")


def revert(request: typing.Any) -> None:
    """Back to how it was; what it took less meanwhile it takes again."""
    row = acting.allowed(request, "servers:revert_resize")
    server = found.unpack(row.record)
    with request.services.view.read() as tx:
        waiting = [one.record for one in request.services.view.migrations.of_server(tx, row.uuid)
                   if one.record.open]
    more = _more(server.flavor, waiting[-1].old_flavor) if waiting else (0, 0)
    acting.act(request, row, "revert_resize", more=more)


_disk_config = shapes.one_of("AUTO", "MANUAL")
_resize = Shape(resize=Shape({"OS-DCF:diskConfig": optional(_disk_config)},
                             flavorRef={"type": ["string", "integer"], "minLength": 1}))
_host = {"type": ["string", "null"], "minLength": 1, "maxLength": 255,
         "pattern": "^[a-zA-Z0-9-._]*$"}
_migrate = acting.bare("migrate").since("2.56", migrate={
    "type": ["object", "null"], "additionalProperties": False, "properties": {"host": _host}})

ACTIONS = (
    acting.action("resize", resize, _resize),
    acting.action("migrate", migrate, _migrate),
    acting.action("confirmResize", confirm, success=204),
    acting.action("revertResize", revert),
)
RULES = (
    acting.rule("servers:resize"), acting.rule("servers:confirm_resize"),
    acting.rule("servers:revert_resize"),
    acting.rule("os-migrate-server:migrate", policy.MANAGER_OR_ADMIN,
                "Cold migrate a server to any host."),
    acting.rule("os-migrate-server:migrate:host", policy.ADMIN,
                "Cold migrate a server to a host by its name."),
)
