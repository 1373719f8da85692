# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Servers as a request may see and change them: found, allowed, unlocked, then ordered.

Another project's server is "not found"; a locked one is a conflict for everybody but admins.
What a document shows is decided here by policy (``sight``), and what it shows that is in no
record (host status, user data) is read here.
"""

import typing

from nova_cells.api import formats
from nova_cells.api import request as requests
from nova_cells.db.view import liveness
from nova_cells.domain import codec, document, errors, rendering
from nova_cells.domain import server as model

unpack = codec.Unpacker(model.Server)
ATTRIBUTES = "os_compute_api:os-extended-server-attributes"
HOST_STATUS = "os_compute_api:servers:show:host_status"
UNKNOWN_ONLY = "os_compute_api:servers:show:host_status:unknown-only"
AGE = "X-Nova-Cells-Age"                # seconds
EVERY = "*"                              # in ``Request.cells``: every cell there is
EXTRA_SPECS = "os_compute_api:servers:show:flavor-extra-specs"


def missing(uuid: str) -> errors.NotFound:
    """The sentence that clients know."""
    return errors.NotFound(f"Instance {uuid[:255]} could not be found.")


def row(request: typing.Any, tx: typing.Any, uuid: str, deleted: bool = False,
        shown: bool = False) -> typing.Any:
    """The row of a server that the asker may know of.  ``deleted``: even if it is gone;
    ``shown``: only what its document needs."""
    if not formats.is_uuid(uuid):
        raise missing(uuid)
    servers = request.services.view.servers
    found = servers.shown(tx, uuid) if shown else servers.row(tx, uuid)
    if found is None or (found.deleted and not deleted):
        raise missing(uuid)
    if found.project_id != request.context.project_id and not request.admin:
        raise missing(uuid)
    if found.cell:
        request.cells.add(found.cell)
    return found


def target(found: typing.Any) -> dict[str, str]:
    """What policy compares the asker with."""
    return {"project_id": found.project_id, "user_id": found.user_id}


def find(request: typing.Any, rule: str, *, deleted: bool = False) -> typing.Any:
    """The row of the server in the path, if the asker may do this to it."""
    with request.services.view.read() as tx:
        found = row(request, tx, request.args["id"], deleted)
    request.authorize(rule, target(found))
    return found


def unlocked(request: typing.Any, found: typing.Any) -> None:
    """Raise ``Conflict`` for a locked server, unless an admin asks."""
    if found.locked and not request.admin:
        raise errors.Conflict(f"Instance {found.uuid} is locked")


def carry_out(request: typing.Any, order: typing.Any) -> typing.Any:
    """Have an order carried out; the record that came of it, a text, or None."""
    services = request.services
    return services.orders.carry_out(services.client, order, services.clock)


def ages(request: typing.Any, tx: typing.Any,
         cells: typing.Iterable[str | None]) -> tuple[tuple[str, str], ...]:
    """A header that says how old an answer may be, if it shows servers of a cell that is down:
    bodies have no room for it (law T18)."""
    return _age(request, request.services.silent.since(tx), set(cells))


def _age(request: typing.Any, silent: dict[str, float],
         shown: set[str | None]) -> tuple[tuple[str, str], ...]:
    heard = [when for cell, when in silent.items() if cell in shown or EVERY in shown]
    if not heard:
        return ()
    return ((AGE, str(max(0, int(request.services.now() - min(heard))))),)


def aged(request: typing.Any, reply: requests.Reply) -> requests.Reply:
    """A reply that shows the last word of cells, with its age if one of them is down."""
    if not request.cells or any(name == AGE for name, _value in reply.headers):
        return reply
    silent = request.services.silent.fresh()
    if silent is None:
        with request.services.view.read() as tx:
            silent = request.services.silent.since(tx)
    if not silent:
        return reply
    return reply._replace(headers=(*reply.headers, *_age(request, silent, request.cells)))


# -- documents ------------------------------------------------------------------------------------

def sight(request: typing.Any) -> rendering.Sight:
    """What policy lets the asker see."""
    if request.sight is not None:
        return request.sight
    status = ""
    if request.version >= 16:
        status = ("all" if request.allows(HOST_STATUS)
                  else "unknown-only" if request.allows(UNKNOWN_ONLY) else "")
    request.sight = rendering.Sight(
        admin=request.admin, attributes=request.allows(ATTRIBUTES),
        extra_specs=request.allows(EXTRA_SPECS), host_status=status)
    return request.sight


def volatile(request: typing.Any, tx: typing.Any, rows: list[typing.Any], made: document.Plan,
             seen: rendering.Sight) -> list[rendering.Volatile] | None:
    """What the documents of these rows show that is in no record; None: nothing."""
    if not (made.wants_host_status or made.wants_user_data or made.wants_groups):
        return None
    statuses: dict[tuple[str, str], str] = {}
    if made.wants_host_status:
        statuses = liveness.statuses(tx, {(one.cell, one.host) for one in rows if one.host})
    seal, groups = request.services.view.seal, {}
    if made.wants_groups:
        groups = request.services.view.groups.of(tx, [one.uuid for one in rows])
    found = []
    for one in rows:
        status: str | None = statuses.get((one.cell, one.host), "UNKNOWN") if one.host else ""
        if seen.host_status == "unknown-only" and status != "UNKNOWN":
            status = None
        data = None
        if made.wants_user_data and one.sealed:
            data = seal.open(one.sealed).decode()
        mine = (groups[one.uuid],) if one.uuid in groups else ()
        found.append(rendering.Volatile(status, data, mine))
    return found


def document_of(request: typing.Any, tx: typing.Any, found: typing.Any) -> bytes:
    """The document of one server, as a GET shows it."""
    seen = sight(request)
    made = document.plan(document.SHOW, request.version, seen)
    extra = volatile(request, tx, [found], made, seen)
    return document.Joiner(made, request.place).one(found.doc, extra[0] if extra else None)
