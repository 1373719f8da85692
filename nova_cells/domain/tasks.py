"""Tasks and reports: what a conductor asks of a host, and what the host says back.

A task may be repeated; a task with an old ticket is refused by the host, which durably keeps
the highest it has seen per server, deleted ones included.  A report with an old ticket
changes nothing in the cell.
"""

import typing

from nova_cells.domain import boot, commands, errands, resources
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants


class Task(commands.Message, kw_only=True):
    """Do this verb to this server.  The record says the rest."""

    server: str
    epoch: int
    ticket: int
    verb: str
    record: model.Server
    request: boot.BootRequest | None = None
    request_id: str = ""                 # of the API request that wants it, for logs
    secrets: boot.Sealed = boot.Sealed()
    wanted: wants.Wanted = wants.Wanted()
    host_uuid: str = ""                  # which host it is for; "": the sender does not say
    attached: tuple[errands.Errand, ...] = ()    # what is attached, or to be attached by this verb

    @property
    def stamp(self) -> tuple[int, int]:
        """What the host compares: (epoch, ticket)."""
        return (self.epoch, self.ticket)


class Report(commands.Message, kw_only=True):
    """How a task goes: "progress" (with its phase), "done", or "failed" (with a fault)."""

    server: str
    epoch: int
    ticket: int
    host: str
    result: typing.Literal["progress", "done", "failed"]
    phase: int = 0
    power_state: int | None = None
    facts: dict[str, str] = {}           # of root_device_name, instance_name, node
    error: str | None = None             # a sentence for the owner
    details: str | None = None           # for admins
    elsewhere: bool = False              # another host might do better
    attached: tuple[errands.Errand, ...] = ()    # what this verb attached, filled in
    request_id: str = ""


class ErrandTask(commands.Message, kw_only=True):
    """Do the verb of this errand, beside whatever the server does.  ``version``: the server's when
    this was sent; a host that has seen a later task of the server leaves it, and is asked again.
    ``record``: None for a server that is gone, of which only what is outside is left to release."""

    server: str
    epoch: int
    version: int
    errand: errands.Errand
    record: model.Server | None = None
    request_id: str = ""
    host_uuid: str = ""


class ErrandReport(commands.Message, kw_only=True):
    """How an errand went.  ``errand``: with what the host learned of it filled in."""

    server: str
    epoch: int
    ticket: int
    host: str
    errand: errands.Errand
    result: typing.Literal["done", "failed"]
    error: str | None = None             # a sentence for the owner
    family: str = ""
    left: bool = False                   # its way back failed too: it must be released
    details: str | None = None           # for admins
    request_id: str = ""


class GuestSeen(model.Value, kw_only=True):
    """A guest that a host runs or keeps, as its driver sees it."""

    uuid: str
    power: int
    epoch: int = 0
    ticket: int = 0


class Hello(commands.Message, kw_only=True):
    """A host says that it is there and what it has; ``starting``: give me my open tasks."""

    host: str
    uuid: str
    node: str
    starting: bool = False
    hypervisor_type: str = ""
    hypervisor_version: int = 0
    capabilities: tuple[str, ...] = ()
    inventory: dict[str, resources.Inventory] = {}
    traits: tuple[str, ...] = ()
    life: str = ""                       # of this agent: another with each start
    address: str = ""
    cpu_info: str = ""                   # JSON text


class FetchImages(commands.Message, kw_only=True):
    """Have these images in the host's cache, if its driver can.  Not answered."""

    images: tuple[model.ImageFacts, ...]
    host_uuid: str = ""


class Goodbye(commands.Message, kw_only=True):
    """A host's agent stops, as it was told to: it is down from now on."""

    host: str
    uuid: str
    life: str


class Welcome(commands.Message, kw_only=True):
    """The cell knows the host with this uuid: an answer to a host that starts."""

    uuid: str


class Refused(commands.Message, kw_only=True):
    """The cell does not take the agent with this uuid for the host whose name it has: it must
    do nothing, and tell its operator why."""

    uuid: str
    reason: str


class GuestsSeen(commands.Message, kw_only=True):
    """All guests of a host at one moment; ``began`` is the host's own clock, for its log."""

    host: str
    guests: tuple[GuestSeen, ...]
    pending: tuple[str, ...] = ()        # servers that the host is working on: not to be judged
    uuid: str = ""                       # of the host


class GuestChanged(commands.Message, kw_only=True):
    """A lifecycle event of one guest."""

    host: str
    guest: GuestSeen


class Sweep(commands.Message, kw_only=True):
    """The cell's word: this guest is known to be gone from this host; destroy what is left."""

    server: str
    epoch: int
    ticket: int
    reason: str = ""
    host_uuid: str = ""


class DropImage(commands.Message, kw_only=True):
    """Delete this image, which a server was shelved in: it runs, as the cell has written down.
    Nobody waits for it: an image that stays costs room, and no more."""

    server: str
    image_id: str
    host_uuid: str = ""


class Query(commands.Message, kw_only=True):
    """Base of the questions to a host about one guest."""

    server: str
    request_id: str = ""


class ConsoleQuery(Query, kw_only=True):
    """Read a console log on the host; answered with ``Text``."""

    lines: int | None = None


class DiagnosticsQuery(Query, kw_only=True):
    """How is the guest doing?  Answered with ``Diagnosed``."""


class AccessQuery(Query, kw_only=True):
    """Where is the guest's console of this kind?  Answered with ``ConsoleFound``."""

    kind: str


class Look(commands.Message, kw_only=True):
    """Look at one guest now.  ``version`` is the record's when this was asked; an answer counts
    only while the record is still at that version, so no verb can have begun in between."""

    server: str
    epoch: int
    version: int
    host_uuid: str = ""


class Looked(commands.Message, kw_only=True):
    """What a look found: the guest's power, or None when there is no guest."""

    host: str
    server: str
    epoch: int
    version: int
    power: int | None
