# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server with a port and a volume moves between real agents: its record says what it has there,
and what its hosts hold agrees with it."""

from nova_cells.compute import agent as agents
from nova_cells.compute import rooms
from nova_cells.domain import boot, commands, effects, errands, records
from nova_cells.domain import server as model
from nova_cells.network import fake as networks
from nova_cells.volume import fake as volumes
from tests.unit.conductor import test_resizing
from tests.unit.conductor.base import NOW


class Moves(test_resizing.Cell):
    def setUp(self):
        self.nets, self.volumes = networks.FakeNetworks(), volumes.FakeVolumes()
        self.net = self.nets.add_network("private", "p")
        self.volume = self.volumes.add(2).id
        super().setUp()

    def restart(self, host):
        """With a network and a volume service."""
        self.agents[host] = agents.Agent(
            self.drivers[host], self.journals[host], self.identity.uuid, host,
            rooms_=rooms.Rooms(images=self.images, network=self.nets, volume=self.volumes))
        self.agents[host].send = lambda cast: self.carry([cast])
        self.carry(self.agents[host].start(self.now))

    def boot(self):
        """With a port that is made for it, and a volume."""
        uuid, port, disk = (self.ids.uuid() for _number in range(3))
        record = model.Server(
            uuid=uuid, project_id="p", user_id="u", epoch=1, version=0, name="s", verb="boot",
            flavor=test_resizing.SMALL, image=self.images.list()[0], created_at=NOW)
        attached = (
            errands.Errand(uuid=port, server=uuid, kind=errands.INTERFACE, subject="",
                           interface=model.Interface(errand=port, port_id="", net_id=self.net,
                                                     mac="", made=True)),
            errands.Errand(uuid=disk, server=uuid, kind=errands.VOLUME, subject=self.volume,
                           attachment=model.Attachment(volume_id=self.volume, device="/dev/vdb",
                                                       size=2, errand=disk)))
        self.carry(self.conductor.handle(commands.Boot(
            op=self.ids.uuid(), server=uuid, epoch=1, record=record,
            request=boot.BootRequest(attached=attached)), NOW))
        self.carry(self.conductor.handle(records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=uuid, epoch=1, version=1, answer="confirmed", held=1),)), NOW))
        return uuid

    def assert_there(self, connected=1):
        """With the server: its port, its volume, and what the record says of them."""
        server = self.server
        [port] = self.nets.all_ports()
        self.assertEqual((self.uuid, server.host), (port.device, port.host))
        self.assertEqual([port.id], self.drivers[server.host].guest_interfaces(self.uuid))
        self.assertEqual([port.id], [one.port_id for one in server.interfaces])
        uses = {use.id: use.host for use in self.volumes.uses(self.uuid)}
        self.assertEqual(connected, len(uses), uses)
        [shown] = server.attachments
        self.assertEqual(server.host, uses.get(shown.attachment_id))
        self.assertEqual([self.volume], [
            disk.volume_id for disk in self.drivers[server.host].guest_disks(self.uuid)])
        self.sound()

    def test_booted(self):
        self.assert_there()

    def test_resized_and_confirmed_or_reverted(self):
        for end in ("revert_resize", "confirm_resize"):
            self.act("resize", flavor=test_resizing.BIG)
            self.assertEqual("resized", self.server.rest)
            self.assert_there(connected=2)
            self.act(end)
            self.assertEqual(("active", None), (self.server.rest, self.server.verb))
            self.assert_there()
        self.assertNotEqual(self.source, self.server.host)

    def test_it_cannot_arrive_and_is_as_it_was(self):
        for call in ("connect", "complete"):
            self.volumes.fail(call)
            self.act("resize", flavor=test_resizing.BIG)
            self.assertEqual((self.source, "error"), (self.server.host, self.server.rest))
            self.assert_there()
            self.act("reboot_hard")
            self.assert_there()

    def test_migrated_live(self):
        for _time in range(2):
            before = self.server.host
            self.act("live_migrate")
            self.assertNotEqual(before, self.server.host)
            self.assertEqual(("active", None), (self.server.rest, self.server.verb))
            self.assert_there()

    def test_evacuated(self):
        with self.store.write() as tx:
            known = self.store.hosts.get(tx, self.source)
            self.store.hosts.put(tx, model.replace(known, up=False, forced_down=True), NOW)
        self.lost = {self.source}
        self.drivers[self.source].destroy(self.uuid)     # its machine burned
        self.act("evacuate")
        self.assertEqual("active", self.server.rest)
        self.assertNotEqual(self.source, self.server.host)
        self.assert_there()

    def test_shelved_away_and_back(self):
        self.act("shelve")
        if self.server.rest == "shelved":
            self.act("shelve_offload")
        self.assertEqual(("shelved_offloaded", None), (self.server.rest, self.server.host))
        [port] = self.nets.all_ports()
        self.assertEqual((self.uuid, ""), (port.device, port.host))
        self.assertEqual([None], [use.host for use in self.volumes.uses(self.uuid)])
        self.act("unshelve")
        self.assertEqual("active", self.server.rest)
        self.assert_there()

    def test_deleted_after_any_move_nothing_is_left(self):
        for verbs in (("resize",), ("resize", "revert_resize"), ("live_migrate",), ("shelve",)):
            self.uuid = self.boot() if self.server.deleted else self.uuid
            for verb in verbs:
                self.act(verb, **({"flavor": test_resizing.BIG} if verb == "resize" else {}))
            self.tell(commands.Delete)
            self.carry(self.conductor.handle(effects.Tick(job="watchdog"), self.now))
            self.assertTrue(self.server.deleted)
            self.assertEqual(([], {}, {}), (self.nets.all_ports(), self.volumes.attachments,
                                            self.guests()))
