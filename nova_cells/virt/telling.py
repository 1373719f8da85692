# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver may be able to tell of a guest.  Asking changes nothing; ``capabilities`` of the
driver names what it can ("diagnostics", "consoles")."""

import typing

from nova_cells.domain import diagnostics
from nova_cells.domain import server as model

CAPABILITIES = frozenset({"diagnostics", "consoles"})


class ConsoleEnd(model.Value, kw_only=True):
    """Where on its host a guest's console listens."""

    port: int
    tls_port: int | None = None
    path: str | None = None              # inside the hypervisor's own server, if it has one


class Diagnosing(typing.Protocol):
    """The capability "diagnostics"."""

    def diagnostics(self, uuid: str) -> diagnostics.Diagnostics:
        """How a guest is doing.  ``NotFound`` if there is none."""


class Consoles(typing.Protocol):
    """The capability "consoles"."""

    def console_end(self, uuid: str, kind: str) -> ConsoleEnd:
        """Where a guest's console of this kind (``domain.consoles.KINDS``) listens.  ``NotFound``
        if there is no guest, ``Invalid`` if it has no such console."""
