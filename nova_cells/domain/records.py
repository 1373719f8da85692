"""Records: what a child sends up, whole and versioned, and how the two sides compare.

A record is applied only if it is newer by (epoch, version) and only from the cell that holds
the epoch, so loss, repetition and reordering are the same non-event.
"""

import hashlib
import typing

from nova_cells.domain import commands
from nova_cells.domain import migration as moves
from nova_cells.domain import server as model

BUCKETS = 256


class HostRecord(model.Value, kw_only=True):
    """A compute host as its cell knows it.  ``uuid`` is kept on the host's own disk."""

    uuid: str
    name: str
    version: int
    up: bool = True
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    availability_zone: str = "nova"
    hypervisor_type: str = ""
    hypervisor_version: int = 0
    hypervisor_hostname: str = ""
    capabilities: tuple[str, ...] = ()
    address: str = ""                    # its own, for people
    cpu_info: str = ""                   # JSON text, as operators read it
    started_at: float | None = None
    heard_at: float | None = None
    totals: dict[str, int] = {}
    life: str = ""                       # of its agent: another with each start
    deleted: bool = False                # forgotten: a tombstone


class SlotsRecord(model.Value, kw_only=True):
    """How many more servers of each shape a cell could take: joint slots, packed per host."""

    cell: str
    version: int
    slots: dict[str, int]                # shape -> servers
    zones: dict[str, dict[str, int]] = {}    # availability zone -> shape -> servers
    catalogue: int = 0                   # version of the flavor catalogue that was counted
    aggregates: int = 0                  # version of the host aggregates that zones follow
    hosts: int = 0                       # hosts up and enabled
    fullness: float = 0.0                # 0 empty, 1 full: the fullest class over all hosts


Body = (model.Server | commands.ActionRecord | HostRecord | SlotsRecord
        | moves.Migration)


class UserData(model.Value, kw_only=True):
    """The user data of a server since a rebuild gave it anew, sealed as ever (decision 0010).  Its
    version is one of the server's, so that the newest is known."""

    server: str
    epoch: int
    version: int
    sealed: str | None                   # None: it has none any more


class Record(commands.Message, kw_only=True):
    """One record on its way up: what kind it is, whose, how new, and all of it."""

    kind: typing.Literal["server", "action", "host", "slots", "migration", "user_data"]
    uuid: str
    epoch: int
    version: int
    server: model.Server | None = None
    action: commands.ActionRecord | None = None
    host: HostRecord | None = None
    slots: SlotsRecord | None = None
    migration: moves.Migration | None = None
    user_data: UserData | None = None
    op: str | None = None                # of a server at rest: the operation that brought it there


class Upload(commands.Message, kw_only=True):
    """A batch of current whole records.  The sender is taken from the transport."""

    incarnation: str
    batch: int
    records: tuple[Record, ...] = ()


class Ack(commands.Message, kw_only=True):
    """What became of one record.

    "confirmed": the server is this cell's at this epoch, and the view holds at least this
    version; "moved": it is not; "unknown": the view has no such server; "ok": any other kind
    of record.  ``held`` is the version that the view holds now, and ``host`` where it has the
    server: a child that finds its own row older than that, or as old and elsewhere, was restored
    from an old copy.
    """

    kind: str
    uuid: str
    epoch: int
    version: int
    answer: typing.Literal["ok", "confirmed", "moved", "unknown"]
    held: int = 0
    host: str | None = None


class Acks(commands.Message, kw_only=True):
    """The answer to an upload.  ``halted`` says why sync stopped, if it did."""

    batch: int
    acks: tuple[Ack, ...] = ()
    halted: str | None = None


class Refusal(commands.Message, kw_only=True):
    """The child cannot take an offer; here are its fresh slots."""

    op: str
    server: str
    epoch: int
    reason: str
    slots: SlotsRecord | None = None
    request_id: str = ""                 # of the API request that wants the server, for logs


class Gone(commands.Message, kw_only=True):
    """The child carried out a delete for which no record will go up: it never had the server,
    or had it only as an offer.  Nothing of that epoch or an older one can live here again."""

    server: str
    epoch: int
    op: str


class Settled(commands.Message, kw_only=True):
    """An operation is over, or will never be: what was reserved for it can be given back.  The
    server as it is, if there is one."""

    op: str
    server: str
    record: model.Server | None = None


class HostSettled(commands.Message, kw_only=True):
    """What came of an order about a host: its record after it, or why it was not done."""

    order: str
    record: Record | None = None
    problem: str = ""


#: How far a lift raises the versions of records that have no epoch (hosts, actions, slots).
LIFT = 2**40


def bucket_of(uuid: str) -> int:
    """Which of the 256 buckets a server belongs to: the first byte of its uuid."""
    return int(uuid[:2], 16)


def digest(stamps: typing.Iterable[tuple[str, int, int]]) -> str:
    """A digest of (uuid, epoch, version) triples that does not depend on their order."""
    total = 0
    for uuid, epoch, version in stamps:
        word = f"{uuid}:{epoch}:{version}".encode()
        total ^= int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "big")
    return f"{total:016x}"


def digests(stamps: typing.Iterable[tuple[str, int, int]]) -> tuple[str, ...]:
    """The digest of every bucket."""
    totals = [0] * BUCKETS
    for uuid, epoch, version in stamps:
        word = f"{uuid}:{epoch}:{version}".encode()
        totals[bucket_of(uuid)] ^= int.from_bytes(
            hashlib.blake2b(word, digest_size=8).digest(), "big")
    return tuple(f"{total:016x}" for total in totals)


