# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands: volumes and interfaces of a server, one small record for each.

An errand is what is attached, and what is being done about it: at *rest* or doing one *verb*,
with a version and a ticket of its own, by a table of the same form as the lifecycle's.  So two may
run at once, and none holds up, or is held up by, what the server itself does; one may only *begin*
while its server is at rest.  What of it is visible (addresses, attachments) is part of the
server's record and moves its version; the errand itself never leaves its cell.

The row is there before anything outside is asked (law T14), and stays until nothing of it can be
left: that of a server that went while its host could not be asked is *released* by any host.
"""

import typing

from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model

#: Where an errand may come to rest.  New: only wanted so far; nothing of it is visible.
RESTS = frozenset({"new", "attached", "gone"})
ANY = RESTS - {"gone"}
VOLUME, INTERFACE = "volume", "interface"
KINDS = frozenset({VOLUME, INTERFACE})

#: Rests of a server that has a guest, and those where it has at least its place.
WITH_GUEST = "active paused stopped"
WITH_VOLUMES = "active paused stopped resized soft_deleted shelved shelved_offloaded"


class Errand(model.Value, kw_only=True):
    """One volume or interface of a server."""

    uuid: str
    server: str
    kind: str                    # of KINDS
    subject: str = ""            # volume or port id; its own uuid while there is none
    epoch: int = 0               # the server's, when the verb under way began
    version: int = 0
    rest: str = "new"
    verb: str | None = None
    ticket: int = 0              # version at which the verb began
    interface: model.Interface | None = None
    attachment: model.Attachment | None = None
    options: dict[str, str] = {}     # words of the verb under way; its module says which
    fault: str | None = None     # why it is gone, or could not be detached
    family: str = ""             # of that problem (``domain.errors``)

    @property
    def stamp(self) -> tuple[int, int]:
        """What a host compares: (epoch, ticket)."""
        return (self.epoch, self.ticket)


class Verb(model.Value, kw_only=True):
    """One row of the table."""

    name: str
    kind: str                    # of KINDS; "": of all
    start: frozenset[str]        # rests of the errand it may start from
    done: str
    failed: str                  # rest when it failed, or KEEP
    beside: frozenset[str]       # rests of the server beside which it may begin
    capability: str              # what a driver must offer; "": nothing
    action: str                  # the instance action that users read; "": none
    limit: int                   # seconds until the watchdog gives it up; 0: never


def row(name: str, kind: str, start: str, done: str, failed: str, *, beside: str,
        capability: str = "", action: str | None = None, limit: int = 600) -> Verb:
    """A row of the table, in words."""
    return Verb(name=name, kind=kind, done=done, failed=failed, capability=capability, limit=limit,
                start=ANY if start == "*" else frozenset(start.split()),
                beside=frozenset(lifecycle.RESTS) if beside == "*" else frozenset(beside.split()),
                action=name if action is None else action)


VERBS: dict[str, Verb] = {verb.name: verb for verb in (
    #   verb                of          may start from  done        failed
    row("attach_interface", INTERFACE,  "new",          "attached", "gone",
        beside=WITH_GUEST, capability="interfaces"),
    row("detach_interface", INTERFACE,  "attached",     "gone",     "attached",
        beside=WITH_GUEST, capability="interfaces"),
    row("change_interface", INTERFACE,  "attached",     "attached", "attached",
        beside=WITH_GUEST, capability="interfaces", action=""),
    row("attach_volume",    VOLUME,     "new",          "attached", "gone",
        beside=WITH_VOLUMES, capability="volumes"),
    row("detach_volume",    VOLUME,     "attached",     "gone",     "attached",
        beside=WITH_VOLUMES, capability="volumes"),
    row("swap_volume",      VOLUME,     "attached",     "attached", "attached",
        beside="active paused resized", capability="volumes"),
    row("extend_volume",    VOLUME,     "attached",     "attached", "attached",
        beside=WITH_VOLUMES, capability="volumes", action="extend_volume"),
    row("change_volume",    VOLUME,     "attached",     "attached", "attached",
        beside="*", action=""),
    row("snapshot_volume",  VOLUME,     "attached",     "attached", "attached",
        beside="*", capability="assisted_snapshots", action=""),
    row("drop_volume_snapshot", VOLUME, "attached",     "attached", "attached",
        beside="*", capability="assisted_snapshots", action=""),
    row("release",          "",         "*",            "gone",     lifecycle.KEEP,
        beside="*", action="", limit=0),
)}


def begin(errand: Errand, name: str, server: model.Server,
          options: dict[str, str] | None = None) -> Errand:
    """Start a verb, or refuse.  The new version is the ticket of its tasks and reports."""
    verb = VERBS[name]
    if verb.kind and verb.kind != errand.kind:
        raise errors.Bug(f"{name} is no verb of {errand.kind} errands")
    if server.rest not in verb.beside or (server.verb is not None and name != "release"):
        raise lifecycle.IllegalMove(_busy(server, verb))
    if errand.rest not in verb.start or (errand.verb is not None and name != "release"):
        raise errors.Conflict(f"The {errand.kind} {errand.subject} of instance {server.uuid} is "
                              f"{errand.verb or errand.rest}")
    version = errand.version + 1
    return model.replace(errand, verb=name, version=version, ticket=version, epoch=server.epoch,
                         options=options or {}, fault=None, family="")


def may_begin(name: str, server: model.Server) -> None:
    """Raise what ``begin`` would say of the server."""
    if server.rest not in VERBS[name].beside or server.verb is not None:
        raise lifecycle.IllegalMove(_busy(server, VERBS[name]))


def _busy(server: model.Server, verb: Verb) -> str:
    state = (f"task_state {lifecycle.task_state(server)}" if server.verb is not None
             else f"vm_state {lifecycle.vm_state(server)}")
    return f"Cannot '{verb.action or verb.name}' instance {server.uuid} while it is in {state}"


def owns(errand: Errand, epoch: int, ticket: int) -> bool:
    """Whether a report with this ticket speaks of the verb that is under way."""
    return errand.verb is not None and errand.stamp == (epoch, ticket)


def finish(errand: Errand, **facts: object) -> Errand:
    """End the verb under way where it lands when done."""
    assert errand.verb is not None
    return _ended(errand, VERBS[errand.verb].done, **facts)


def fail(errand: Errand, why: str, family: str = "bug") -> Errand:
    """End the verb under way where it lands when failed, and say why."""
    assert errand.verb is not None
    failed = VERBS[errand.verb].failed
    rest = errand.rest if failed == lifecycle.KEEP else failed
    return _ended(errand, rest, fault=why, family=family)


def settle(errand: Errand, rest: str, **facts: object) -> Errand:
    """What became of it without a verb of its own: it went, or came, with its server's verb."""
    return _ended(errand, rest, **facts)


def _ended(errand: Errand, rest: str, **facts: object) -> Errand:
    changes: dict[str, typing.Any] = {"verb": None, "options": {}, **facts}
    if rest == "gone":           # the same volume or port may be attached again
        changes["subject"] = errand.uuid
    return model.replace(errand, rest=rest, version=errand.version + 1, **changes)


def shown(all_: typing.Iterable[Errand]) -> dict[str, typing.Any]:
    """The fields of the server's record that say what is attached."""
    found = list(all_)
    nics = tuple(one.interface for one in found
                 if one.rest == "attached" and one.interface is not None)
    return {
        "interfaces": nics,
        "addresses": tuple(address for nic in nics for address in nic.addresses),
        # A volume is shown from the moment that it is asked for, as users know it.
        "attachments": tuple(one.attachment for one in found if one.attachment is not None
                             and one.rest != "gone"
                             and (one.rest == "attached" or one.verb != "release"))}
