# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands as requests begin them: ordered from the cell and, where a reply needs it, waited
for.  May assume that the asker is allowed to.  Never waits longer than a request may take.
"""

import time
import typing

from nova_cells.api import found
from nova_cells.domain import commands, errands, errors

PAUSE = 0.1                              # seconds between two questions


def begin(request: typing.Any, uuid: str, verb: str, errand: errands.Errand,
          options: dict[str, str] | None = None) -> errands.Errand:
    """Begun: the errand as it is now."""
    return found.carry_out(request, request.services.orders.run(
        uuid, verb, errand, request.origin, options))


def carry_out(request: typing.Any, uuid: str, verb: str, errand: errands.Errand,
              options: dict[str, str] | None = None) -> errands.Errand:
    """Done.  Raises what the host met; ``CellDown`` if it takes too long, and goes on then."""
    services = request.services
    until = services.clock.monotonic() + services.orders.settings.budget
    now = begin(request, uuid, verb, errand, options)
    while now.verb is not None and now.fault is None:
        if services.clock.monotonic() > until:
            raise errors.CellDown(f"The host of instance {uuid} has not carried it out yet; look, "
                                  f"and try again later")
        time.sleep(PAUSE)
        now = found.carry_out(request, services.orders.ask(
            uuid, commands.ReadErrand, request.origin, errand=now.uuid))
    if now.fault is not None:
        raise errors.FAMILIES.get(now.family, errors.Bug)(now.fault)
    return now
