"""Commands: what the API cell asks of a child.  Typed, one per action, carrying everything.

``op`` identifies the operation: a child stores the outcome under it, so a repeated command
has one effect and the same answer.  ``epoch`` is the placement that the sender believes in;
a child that holds another answers ``Moved``.
"""

import typing

import msgspec

from nova_cells.domain import aggregates as grouping
from nova_cells.domain import boot, consoles, errands, errors
from nova_cells.domain import diagnostics as diagnosing
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants


class Origin(model.Value, kw_only=True):
    """Who asked.  Copied into the instance action; never a token."""

    request_id: str = ""
    user_id: str = ""
    project_id: str = ""
    admin: bool = False


@typing.dataclass_transform(frozen_default=True, kw_only_default=True,
                            field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of everything that travels."""


class Command(Message, kw_only=True):
    """Base of the orders to a child cell about one server."""

    op: str
    server: str
    epoch: int
    origin: Origin = Origin()


class Boot(Command, kw_only=True):
    """Create a server: an offer.  The record travels whole, flavor and image facts inside."""

    record: model.Server
    request: boot.BootRequest
    secrets: boot.Sealed = boot.Sealed()


class Delete(Command, kw_only=True):
    """Delete, whatever the server is doing.  Overtaking its boot is allowed (law T1)."""

    force: bool = False


class Act(Command, kw_only=True):
    """Begin a verb of the lifecycle table.  ``want`` is shown to operators in the record;
    ``wanted`` is for the host alone."""

    verb: str
    want: dict[str, str] = {}
    wanted: wants.Wanted = wants.Wanted()


class Settle(Command, kw_only=True):
    """What became of the operation ``op``?  If it never came, it shall never be carried out.
    Answered to the collector with ``records.Settled`` unless it is still under way."""


class Lock(Command, kw_only=True):
    """Forbid changes by non-admins (lock) or allow them again (unlock)."""

    locked: bool
    reason: str | None = None


class ResetState(Command, kw_only=True):
    """The operator's word about where a server rests: "active" or "error"."""

    rest: str


class Update(Command, kw_only=True):
    """Change what the owner gave.  A field left ``UNSET`` stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | None | msgspec.UnsetType = msgspec.UNSET
    hostname: str | msgspec.UnsetType = msgspec.UNSET
    access_ip_v4: str | None | msgspec.UnsetType = msgspec.UNSET
    access_ip_v6: str | None | msgspec.UnsetType = msgspec.UNSET
    disk_config: str | msgspec.UnsetType = msgspec.UNSET
    pinned_availability_zone: str | None | msgspec.UnsetType = msgspec.UNSET
    security_groups: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class ChangeMetadata(Command, kw_only=True):
    """Set and remove metadata items; ``whole``: what is not set is removed.

    ``limit`` is the project's quota of items; more is ``OverLimit``.
    """

    items: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    whole: bool = False
    limit: int = -1


class ChangeTags(Command, kw_only=True):
    """Add and remove tags; ``whole``: what is not added is removed."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    whole: bool = False


class SteerMigration(Command, kw_only=True):
    """Abort a live migration that is under way, or have it end soon.  ``shown``: what the asker
    calls it; ``early``: even if nothing is copied yet."""

    migration: str = ""
    shown: str = ""
    word: typing.Literal["abort", "force_complete"] = "abort"
    early: bool = False


class ClearPassword(Command, kw_only=True):
    """Forget the password that the guest posted."""


class Run(Command, kw_only=True):
    """Begin a verb of the errands' table (``domain.errands``).  ``errand``: a new one, or the one
    with this uuid; its other fields do not matter then."""

    verb: str
    errand: errands.Errand
    options: dict[str, str] = {}


class Question(Command, kw_only=True):
    """Base of what changes nothing and is not kept."""


class ReadErrand(Question, kw_only=True):
    """How an errand goes, for whoever waits for it."""

    errand: str


class ReadConsole(Question, kw_only=True):
    """The last ``lines`` lines of the console log; None: all of it."""

    lines: int | None = None


class ReadDiagnostics(Question, kw_only=True):
    """How the guest is doing; answered with ``Diagnosed``."""


class FindConsole(Question, kw_only=True):
    """Where the guest's console of this kind is; answered with ``ConsoleFound``."""

    kind: str = "novnc"


class ReadPassword(Question, kw_only=True):
    """The password that the guest posted, as it is; answered with ``Text``."""


# -- about a host ---------------------------------------------------------------------------------

class HostCommand(Message, kw_only=True):
    """Base of an operator's orders about one host.  ``order``: one that waits in the view; the
    collector is told what came of it."""

    host: str
    uuid: str
    origin: Origin = Origin()
    order: str = ""


class SetHost(HostCommand, kw_only=True):
    """Whether new servers may go there, and whether it counts as down whatever it says.  A field
    left ``UNSET`` stays.  ``reason`` says why it is disabled."""

    disabled: bool | msgspec.UnsetType = msgspec.UNSET
    reason: str | None = None
    forced_down: bool | msgspec.UnsetType = msgspec.UNSET


class CacheImages(Message, kw_only=True):
    """Have hosts fetch images before anybody boots from them.  Nobody waits, and what a host cannot
    have is fetched when it is needed."""

    hosts: tuple[str, ...]               # uuids
    images: tuple[model.ImageFacts, ...]


class ForgetHost(HostCommand, kw_only=True):
    """The host is gone for good.  Refused while it is up or has servers."""


# -- about a cell, not a server -----------------------------------------------------------------

class Catalogue(Message, kw_only=True):
    """The flavors whose joint slots the child shall count, with the catalogue's version."""

    version: int
    flavors: tuple[model.Flavor, ...]


class Aggregates(Message, kw_only=True):
    """The host aggregates that have hosts of the child, with their version.  The zone of each of
    its hosts follows from them."""

    version: int
    aggregates: tuple[grouping.Aggregate, ...] = ()


class ReadDigests(Message, kw_only=True):
    """Tell the collector the 256 bucket digests of the servers that the child holds."""


class Verify(Message, kw_only=True):
    """Check the child's own invariants and tell the collector what was found."""

    order: str


class Resync(Message, kw_only=True):
    """Fill the outbox again for one bucket (anti-entropy, heal, and the operator's resync).

    Answered to the collector with ``Resynced``.  ``known`` is what the view holds of this cell
    in the bucket: uuid, epoch, version.  With ``lift`` the child is the truth: its versions are
    raised above the view's, and servers that only the view knows become tombstones.
    """

    bucket: int
    known: tuple[tuple[str, int, int], ...] = ()
    lift: bool = False
    order: str = ""


class Adopt(Message, kw_only=True):
    """This API cell is the child's parent from now on (law T27)."""

    cell: str
    parent: str
    name: str


class Detach(Message, kw_only=True):
    """The child has no parent any more."""

    parent: str


# -- answers ------------------------------------------------------------------------------------

class Done(Message, kw_only=True):
    """The command was carried out; the record after it, if it changed one."""

    record: model.Server | None = None
    actions: tuple["ActionRecord", ...] = ()
    errand: errands.Errand | None = None     # the one that was begun, or asked about


class Text(Message, kw_only=True):
    """Text that was asked for."""

    text: str


class Diagnosed(Message, kw_only=True):
    """How a guest is doing."""

    diagnostics: diagnosing.Diagnostics


class ConsoleFound(Message, kw_only=True):
    """Where a guest's console is."""

    where: consoles.Where


class Digests(Message, kw_only=True):
    """One digest per bucket, hexadecimal."""

    incarnation: str
    digests: tuple[str, ...]


class Resynced(Message, kw_only=True):
    """One bucket's records are marked for the way up."""

    order: str
    bucket: int
    incarnation: str
    marked: int = 0
    lost: tuple[str, ...] = ()   # with lift: servers that only the view knew; gone for good


class Verified(Message, kw_only=True):
    """What a child found of itself: sentences, each naming an invariant; none is good."""

    order: str
    findings: tuple[str, ...]
    digests: tuple[str, ...]
    settled: bool                # nothing was on its way up meanwhile
    servers: int = 0


class CellFacts(Message, kw_only=True):
    """Who a child is, in answer to ``Adopt`` and ``Detach``."""

    cell: str
    incarnation: str
    parent: str | None = None


class Event(model.Value, kw_only=True):
    """A step inside an instance action."""

    name: str
    start: float
    finish: float | None = None
    result: str | None = None    # "Success" or "Error"
    host: str | None = None
    details: str | None = None


class ActionRecord(model.Value, kw_only=True):
    """An instance action: what was asked of a server, by whom, and how it went.

    ``uuid`` is the operation id; the pair (server, request_id) is what users address.
    """

    uuid: str
    server: str
    epoch: int
    version: int
    action: str
    request_id: str
    user_id: str
    project_id: str
    start: float
    updated: float | None = None
    message: str | None = None   # "Error" when it failed, as the api-ref shows it
    events: tuple[Event, ...] = ()


Answer = Done | Text | errors.Failure
