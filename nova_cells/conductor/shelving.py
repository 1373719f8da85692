# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Shelving: a server's disk becomes an image, its host is given up, another is found for it later.

A shelved server still has its host; an offloaded one has none and holds nothing there, but counts
against its project's quota, for it may come back at any time.  May assume that the host made the
image; never talks to the image service.
"""

import logging

from nova_cells.conductor import courses
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import address, effects, errors, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

LOG = logging.getLogger(__name__)


class Shelve(courses.Course):
    """Off, and its disk in an image."""

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """The record remembers the image, for whoever unshelves it."""
        return {**super().done(tx, server, wanted, report, now),
                "shelved_image_id": wanted.image_id, "shelved_at": now}

    def after(self, server: model.Server) -> str | None:
        """Offloaded at once, if that is how the cell is set up; a server without an image has its
        disk elsewhere, so its host is of no use to it."""
        at_once = self._c.settings.shelved_offload_time == 0 or server.shelved_image_id is None
        return "shelve_offload" if at_once else None


class ShelveOffload(courses.Course):
    """Its host is given up."""

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """What it held there is free."""
        self._store.resources.release(tx, server.uuid)
        return {"host": None, "node": None}


class Unshelve(courses.Course):
    """Back on its host, or on another if it has none."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """Chosen anew, by the transaction that claims."""
        if server.rest == "shelved":
            self.able(tx, server, server.host)
            return server, wanted
        if wants.ZONE in wanted.options:
            server = model.replace(server, pinned_availability_zone=wanted.options[wants.ZONE])
        elif wants.UNPIN in wanted.options:
            server = model.replace(server, pinned_availability_zone=None)
        host = self._c.placing.anew(tx, server, now, capability="unshelve",
                                    forced=wanted.host)
        self.able(tx, server, host.name)
        return model.replace(server, host=host.name, node=host.hypervisor_hostname,
                             availability_zone=host.availability_zone), wanted

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """It is no longer shelved."""
        return {**super().done(tx, server, wanted, report, now),
                "shelved_image_id": None, "shelved_at": None}

    def parting(self, tx, server: model.Server) -> list[effects.Effect]:  # noqa: ANN001
        """Its image is the past, but not before it is written down that it runs: a verb that was
        given up may still end on its host."""
        if server.shelved_image_id is None:
            return []
        return [effects.Cast(address.Host(self._c.cell, server.host), tasks.DropImage(
            server=server.uuid, image_id=server.shelved_image_id,
            host_uuid=self._c.hosts.uuid(tx, server.host)))]

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """One that had no host has none again."""
        if server.rest != "shelved_offloaded":
            return {}
        self._store.resources.release(tx, server.uuid)
        return {"host": None, "node": None}


class Offloading:
    """The job that offloads what has been shelved for long enough."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def tick(self, now: float) -> list[effects.Effect]:
        """Those whose time has come."""
        patience = self._c.settings.shelved_offload_time
        if patience <= 0:
            return []
        t = server_rows.t
        with self._store.read() as tx:
            due = [held.uuid for held in self._store.servers.many(
                tx, t.c.rest == "shelved", t.c.verb == "", t.c.confirmed)
                if held.server.shelved_at is not None and held.server.shelved_at + patience <= now]
        return [effect for uuid in due for effect in self._one(uuid, now)]

    def _one(self, uuid: str, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            held = self._store.servers.get(tx, uuid)
            if held is None or held.server is None or held.server.verb is not None \
                    or held.server.rest != "shelved":
                return []
            LOG.info("server=%s was shelved long enough and is offloaded", uuid)
            try:
                task = self._c.reports.follow(tx, held.server, "shelve_offload", now, op=None)
            except (errors.Conflict, errors.Unsupported) as problem:
                LOG.warning("server=%s cannot be offloaded: %s", uuid, problem)
                return []
        return [task, effects.Wake("relay")]


OWN = {"shelve": Shelve, "shelve_offload": ShelveOffload, "unshelve": Unshelve}
