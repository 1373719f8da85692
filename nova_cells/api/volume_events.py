# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the volume service tells us of a volume that a server has: found by volume, then ordered.

The volume service names a volume and not its server, or a server that may have let go of it by
now; which server has which volume is what claims say.  May assume that the caller is allowed.
"""

import typing

from nova_cells.api import found
from nova_cells.domain import errands, errors
from nova_cells.domain import server as model


def holder(request: typing.Any, volume: str) -> tuple[typing.Any, model.Attachment]:
    """The row of the one server that has a volume, and its attachment.  ``Invalid`` if there is
    none, or several."""
    view = request.services.view
    with view.read() as tx:
        held = view.claims.of_volume(tx, volume)
        rows = [view.servers.row(tx, claim.server) for claim in held]
    if len(held) > 1:
        raise errors.Invalid(f"Block Device Mapping {volume} is a multi-attach volume and is not "
                             f"valid for this operation.")
    for row in rows:
        one = attachment(row, volume) if row is not None and not row.deleted else None
        if one is not None:
            return row, one
    raise errors.Invalid(f"No volume Block Device Mapping with id {volume[:64]}.")


def attachment(row: typing.Any, volume: str) -> model.Attachment | None:
    """The attachment of a volume, if the server of this row has it."""
    return next((one for one in found.unpack(row.record).attachments
                 if one.volume_id == volume), None)


def order(request: typing.Any, row: typing.Any, one: model.Attachment, verb: str,
          options: dict[str, str] | None = None) -> typing.Any:
    """Begin a verb of the attachment's errand."""
    services = request.services
    return found.carry_out(request, services.orders.run(
        row.uuid, verb, errands.Errand(
            uuid=one.errand, server=row.uuid, kind=errands.VOLUME, subject=one.volume_id,
            attachment=one), request.origin, options=options or {}))


def extended(request: typing.Any, row: typing.Any, volume: str) -> None:
    """``volume-extended``: the guest shall see the new size.  ``NotFound`` if this server has no
    such volume, ``Conflict`` if it cannot just now."""
    one = _held(row, volume)
    order(request, row, one, "extend_volume")


def reimaged(_request: typing.Any, row: typing.Any, volume: str) -> None:
    """``volume-reimaged``: whoever waits for it looks at the volume itself, so hearing of it is
    all.  ``NotFound`` if this server has no such volume."""
    _held(row, volume)


def _held(row: typing.Any, volume: str) -> model.Attachment:
    one = attachment(row, volume)
    if one is None:
        raise errors.NotFound(f"Instance {row.uuid} is not attached to volume {volume[:64]}")
    return one


#: Name of an external event -> what is done about it: (request, row of the server, volume's id).
EVENTS = {"volume-extended": extended, "volume-reimaged": reimaged}
