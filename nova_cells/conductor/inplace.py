# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The courses of verbs that happen on the server's own host and need more than its name.

A rebuild changes the record when it begins: that is what users are shown while it goes on.  Should
it fail, the guest is as it was, and the record names its image again.
"""

from nova_cells.conductor import courses
from nova_cells.domain import errors, renewal, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

#: What a rebuild may want of a host beyond rebuilding: capability -> why not.
NEEDS = {"preserve_ephemeral": "cannot keep ephemeral disks",
         "trusted_certs": "cannot verify images by certificates"}


class Rebuild(courses.Course):
    """Another image, and whatever else its owner gives anew."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """What was given is in the record from now on; key and user data lie beside it."""
        self.able(tx, server, server.host)
        self._needs(tx, server, wanted)
        changed = renewal.renewed(server, wanted)
        if wanted.renewal is not None:
            self._store.servers.renew(tx, changed, wanted.renewal, now)
        return changed, model.replace(wanted, former=server.image)

    def _needs(self, tx, server: model.Server, wanted: wants.Wanted) -> None:  # noqa: ANN001
        certificates = renewal.renewed(server, wanted).trusted_certificates
        asked = {"preserve_ephemeral": wanted.options.get("preserve_ephemeral") == "true",
                 "trusted_certs": bool(certificates)}
        host = self._store.hosts.get(tx, server.host)
        for capability, words in NEEDS.items():
            if asked[capability] and capability not in host.capabilities:
                raise errors.Unsupported(f"the hypervisor of instance {server.uuid} {words}")

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """A server that was off is off again."""
        facts = super().done(tx, server, wanted, report, now)
        return {**facts, "rest": "stopped"} if server.rest == "stopped" else facts

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """The guest was brought back."""
        return {"image": wanted.former} if wanted.former is not None else {}


#: Verb -> course.
OWN: dict[str, type[courses.Course]] = {"rebuild": Rebuild}
