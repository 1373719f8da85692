# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell does around errands of volumes: it names devices, and finds a host for a server that
is shelved away and has none."""

from nova_cells.conductor import errand_courses
from nova_cells.domain import disks, errands, errors
from nova_cells.domain import server as model

#: Verbs that need no guest: any host that can use volumes does them for a server without one.
ANYWHERE = frozenset({"attach_volume", "detach_volume"})


class VolumeCourse(errand_courses.Course):
    """Of volumes."""

    def begin(self, tx, server: model.Server, errand: errands.Errand,  # noqa: ANN001
              given: errands.Errand) -> errands.Errand:
        """A device for a new one; what was asked for of one that is there."""
        if errand.verb == "attach_volume" and errand.attachment is not None:
            taken = [one.attachment.device for one in self._store.errands.of(tx, server.uuid)
                     if one.attachment is not None and one.uuid != errand.uuid]
            wanted = errand.attachment.device
            device = None if server.host is None and not wanted else disks.named(
                wanted, taken, server.root_device_name)
            return model.replace(errand, attachment=model.replace(
                errand.attachment, device=device, errand=errand.uuid))
        if errand.verb == "change_volume" and errand.attachment is not None \
                and given.attachment is not None:
            return model.replace(errand, attachment=model.replace(
                errand.attachment,
                delete_on_termination=given.attachment.delete_on_termination))
        return errand

    def host(self, tx, server: model.Server, errand: errands.Errand,  # noqa: ANN001
             verb: errands.Verb) -> str | None:
        """The server's own; any, for a server that is shelved away; none for a mere word."""
        if verb.name == "change_volume":
            return None
        if server.host or verb.name not in ANYWHERE:
            return super().host(tx, server, errand, verb)
        found = self._anywhere(tx)
        if found is None:
            raise errors.Conflict("No host of the cell that can use volumes answers just now; try "
                                  "again later")
        return found

    def again(self, tx, server: model.Server | None, errand: errands.Errand,  # noqa: ANN001
              verb: errands.Verb) -> str | None:
        """As when it began."""
        if verb.name in ANYWHERE and server is not None and not server.deleted \
                and not server.host:
            return self._anywhere(tx)
        return super().again(tx, server, errand, verb)

    def _anywhere(self, tx) -> str | None:  # noqa: ANN001
        return next((host.name for host in self._store.hosts.all(tx)
                     if host.up and not host.forced_down and "volumes" in host.capabilities), None)
