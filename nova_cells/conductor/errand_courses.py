# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell does around the errands of a kind, where their table alone is not enough.

A kind without a course of its own takes ``Course``.  ``Courses.OWN`` has the others: a room adds
its row.  May assume that server and errand are read in this transaction; never saves them.
"""

import typing

from nova_cells.domain import errands, errors
from nova_cells.domain import server as model


class Course:
    """Of errands that the server's own host carries out."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def begin(self, tx, server: model.Server, errand: errands.Errand,  # noqa: ANN001
              given: errands.Errand) -> errands.Errand:
        """The verb has just begun: check, and choose what the cell chooses (a device name, say).
        ``given``: the errand as the command has it.  Raises what the user shall hear."""
        return errand

    def host(self, tx, server: model.Server, errand: errands.Errand,  # noqa: ANN001
             verb: errands.Verb) -> str | None:
        """The host that carries it out.  None: there is no guest, and it is done by being
        written down; a course that does not want that raises."""
        record = self._store.hosts.get(tx, server.host) if server.host else None
        if record is None:
            raise errors.Conflict(f"Instance {server.uuid} is on no host: it can only be deleted")
        if verb.capability and verb.capability not in record.capabilities:
            raise errors.Unsupported(f"the hypervisor of instance {server.uuid} cannot "
                                     f"{verb.name.replace('_', ' ')}")
        return record.name

    def again(self, tx, server: model.Server | None, errand: errands.Errand,  # noqa: ANN001
              verb: errands.Verb) -> str | None:
        """The host that is asked again: the server's own, and for what is left of a server any
        that is up.  None: nobody just now."""
        here = server.host if server is not None and not server.deleted else None
        if here and self._c.hosts.is_up(tx, here):
            return here
        if verb.name != "release":
            return None
        return next((host.name for host in self._store.hosts.all(tx)
                     if host.up and not host.forced_down), None)

    def done(self, errand: errands.Errand, told: errands.Errand) -> errands.Errand:
        """What the host learned of it, taken over into the errand: nothing else of its word."""
        changes: dict[str, typing.Any] = {}
        if errand.kind == errands.INTERFACE and told.interface is not None:
            changes = {"interface": told.interface, "subject": told.interface.port_id}
        elif errand.kind == errands.VOLUME and told.attachment is not None:
            changes = {"attachment": told.attachment, "subject": told.attachment.volume_id}
        return model.replace(errand, **changes)


class Courses:
    """The course of each kind."""

    #: Kinds with a course of their own: kind -> class.
    OWN: typing.ClassVar[dict[str, type[Course]]] = {}

    def __init__(self, conductor) -> None:  # noqa: ANN001
        from nova_cells.conductor import errand_volumes
        self.OWN[errands.VOLUME] = errand_volumes.VolumeCourse
        self._plain = Course(conductor)
        self._own = {kind: course(conductor) for kind, course in self.OWN.items()}

    def of(self, kind: str) -> Course:
        """The course of this kind."""
        return self._own.get(kind, self._plain)
