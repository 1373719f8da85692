"""Effects: what a service wants done after it handled a message.

``handle(message, now) -> effects``.  The runner (``service.py``, or the simulation) carries
them out; a handler never sends anything itself.  Losing every effect of a handler must be
harmless: what matters was saved first, and somebody asks again.
"""

import msgspec

from nova_cells.domain import address as addresses
from nova_cells.domain import commands


class Cast(msgspec.Struct, frozen=True):
    """Send a message; nobody waits."""

    to: addresses.Address
    message: msgspec.Struct


class Reply(msgspec.Struct, frozen=True):
    """Answer the message that is being handled, if its sender waits."""

    message: msgspec.Struct


class Forward(msgspec.Struct, frozen=True):
    """Call somebody else and hand their answer to the waiting sender."""

    to: addresses.Address
    message: msgspec.Struct


class Wake(msgspec.Struct, frozen=True):
    """Tick soon: there is work for a periodic job (by its name) of this service."""

    job: str


class Tick(commands.Message, kw_only=True):
    """Time has passed: do the periodic job of this name."""

    job: str


Effect = Cast | Reply | Forward | Wake
