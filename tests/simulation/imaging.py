# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Images in the simulated world: users make them of servers, shelve and unshelve; what must be true
of images at rest.

The API's half is as in ``api.image_making``: the record first, then the order; taken back if the
order was refused, kept if nobody answered.
"""

import typing

from nova_cells.api import orders
from nova_cells.domain import wanted as wants
from nova_cells.image import protocol as images

VERBS = ("snapshot", "backup", "shelve", "shelve", "unshelve", "unshelve", "unshelve",
         "shelve_offload")
MAKE = ("snapshot", "backup", "shelve")
TOKEN = "u:p"


class Imaging:
    """The images of one run."""

    def __init__(self, run: typing.Any) -> None:
        self._run, self._c = run, run.cluster
        self.ordered: dict[str, str] = {}        # image -> server

    def one(self, uuid: str) -> None:
        """Some order to this server."""
        c, rng = self._c, self._run.rng
        verb = rng.choice(VERBS)
        options = {wants.KIND: "daily", wants.ROTATION: str(rng.choice((0, 1, 2))),
                   wants.OWNER: "p"} if verb == "backup" else {}
        image = self._image(uuid, verb) if verb in MAKE else None
        wanted = wants.Wanted(image_id=image, options=options)
        c.users.send(lambda: self._order(uuid, verb, wanted),
                     refused=lambda: image and c.images.remove(image))

    def _order(self, uuid: str, verb: str, wanted: wants.Wanted) -> orders.Order:
        return self._c.users.orders.act(uuid, verb, self._run._origin(), self._c.now,
                                        wanted=wanted)

    def _image(self, uuid: str, verb: str) -> str:
        image = self._c.ids.uuid()
        kind = "backup" if verb == "backup" else "snapshot"
        self._c.images.create(images.NewImage(id=image, name=verb, properties={
            "image_type": kind, "backup_type": "daily", "instance_uuid": uuid}), TOKEN)
        self.ordered[image] = uuid
        return image

    def check(self, unanswered: set[str], restored: bool, reset: set[str]) -> None:
        """At rest.  ``unanswered``: servers about which an order may or may not have happened.  A
        cell put back to an old copy, and an operator's word, may leave images behind."""
        if restored:
            return
        known = {image.id: image for image in self._c.images.search(images.Search(), "admin:")}
        servers = {}
        for store in self._c.stores.values():
            with store.read() as tx:
                servers |= {held.uuid: held.server for held in store.servers.many(tx)
                            if held.server is not None}
        seed = self._c.seed
        for uuid, server in servers.items():
            if server.rest in ("shelved", "shelved_offloaded"):
                image = known.get(server.shelved_image_id)
                assert image is not None and image.status == "active", (
                    f"seed {seed}: {uuid} is {server.rest} and its image is {image}")
        for image_id, uuid in self.ordered.items():
            server = servers.get(uuid)
            if image_id not in known or server is None or server.deleted \
                    or uuid in unanswered | reset:
                continue
            assert known[image_id].status == "active", (
                f"seed {seed}: image {image_id} of {uuid} waits for bytes that nobody sends")
        for (_cell, host), driver in self._c.drivers.items():
            for uuid, guest in driver._guests.items():
                assert not guest.snapshots or uuid in reset, (
                    f"seed {seed}: {host} keeps copies of {uuid}: {guest.snapshots}")
