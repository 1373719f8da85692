# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An admin's orders about hosts: to the cell that owns the host, and its record at once back.

A cell that is down is not asked: 503 (law T18).  Every order may be repeated, for it says how
things shall be.  May assume that the caller is allowed to.
"""

import typing

from nova_cells.api import fleet
from nova_cells.db import again
from nova_cells.domain import address, commands, errors, records

BUDGET = 15.0                    # seconds that an admin waits for a cell


def change(request: typing.Any, service: fleet.Service, **fields: typing.Any) -> None:
    """``commands.SetHost`` names the fields."""
    _carry_out(request, service, commands.SetHost(host=service.host, uuid=service.uuid,
                                                  origin=request.origin, **fields))


def forget(request: typing.Any, service: fleet.Service) -> None:
    """The host is gone for good.  ``Conflict`` while it is up or has servers."""
    _carry_out(request, service, commands.ForgetHost(host=service.host, uuid=service.uuid,
                                                     origin=request.origin))
    again.decide(_leave, request.services.view, service.uuid)


def _carry_out(request: typing.Any, service: fleet.Service,
               command: commands.HostCommand) -> None:
    services, view = request.services, request.services.view
    with view.read() as tx:
        cell = view.cells.find(tx, service.cell)
    if not fleet.usable(cell):
        raise errors.CellDown(f"The cell {cell.name} of host {service.host} does not answer just "
                              f"now; try again later")
    answer = services.client.call(address.Cell(cell.uuid), command, BUDGET)
    if isinstance(answer, errors.Failure):
        errors.raise_failure(answer)
    if isinstance(answer, records.Record) and answer.host is not None:
        again.decide(_keep, view, cell.uuid, answer, services.now())


def _keep(view: typing.Any, cell: str, record: records.Record, now: float) -> None:
    with view.write() as tx:
        view.records.keep_host(tx, cell, record.host, record.version, now)


def _leave(view: typing.Any, host: str) -> None:
    with view.write() as tx:
        view.aggregates.forget_host(tx, host)
