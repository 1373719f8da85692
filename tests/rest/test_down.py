# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Every route of the catalogue while a cell is down, each way in which it can be down."""

from nova_cells.api import compute, microversion, policy
from nova_cells.domain import lifecycle
from nova_cells.domain import server as model
from nova_cells.network import fake as networks
from tests.rest import base, samples


def network():
    """A network service with a network and a port on it: always the same."""
    room = networks.FakeNetworks()
    net = room.add_network("private", shared=True)
    port = room.add_port(net, "admins")
    room.add_group("admins", "web")
    for address in ("192.0.2.7", "192.0.2.8"):
        room.add_floating(address)
    room.float("192.0.2.8", port.id)
    return room, net, port


_ROOM, NET, PORT = network()
BODIES = {"reboot": {"type": "SOFT"}, "rebuild": {"imageRef": base.PICTURE},
          "changePassword": {"adminPass": "x"}, "os-getConsoleOutput": {},
          "os-getVNCConsole": {"type": "novnc"}, "os-getSerialConsole": {"type": "serial"},
          "os-getSPICEConsole": {"type": "spice-html5"},
          "os-resetState": {"state": "active"}, "evacuate": {"onSharedStorage": False},
          "os-migrateLive": {"block_migration": False, "disk_over_commit": False, "host": None},
          "createImage": {"name": "x"}, "resize": {"flavorRef": "2"},
          "createBackup": {"name": "x", "backup_type": "daily", "rotation": 1},
          "addFixedIp": {"networkId": NET}, "removeFixedIp": {"address": PORT.fixed_ips[0].ip},
          "addFloatingIp": {"address": "192.0.2.7"}, "removeFloatingIp": {"address": "192.0.2.8"},
          "addSecurityGroup": {"name": "web"}, "removeSecurityGroup": {"name": "default"}}
WHOLE = {"hosts:update": {"status": "enable"}, "metadata:create": {"metadata": {"a": "b"}},
         "metadata:update": {"meta": {"key": "x"}},
         "remote-consoles:create": {"remote_console": {"protocol": "vnc", "type": "novnc"}},
         "tags:update_all": {"tags": ["a"]}, "tags:update": None,
         "metadata:update_all": {"metadata": {"a": "b"}},
         "servers:update": {"server": {"name": "x"}},
         "interfaces:create": {"interfaceAttachment": {"net_id": NET}},
         "external_events:create": {"events": [
             {"name": "network-changed", "server_uuid": PORT.id}]},
         "services:order": {"host": "node-1", "binary": "nova-compute"},
         "services:update": {"status": "enabled"}}
HOST = base.CELL[:-4] + "0bad"


class Down(base.RestCase):
    with_volumes = True
    quota = {"instances": -1, "cores": -1, "ram": -1, "metadata_items": 5, "key_pairs": 10}

    def setUp(self):
        super().setUp()
        with self.view.write() as tx:
            self.view.flavors.create(tx, model.Flavor(
                id="2", name="m1.two", vcpus=1, ram_mb=1024, disk_gb=1), self.clock.time())
        self.heal()
        real = policy.Policy.allows      # nobody here is another service
        self.patch(policy.Policy, "allows", lambda own, who, rule, target=None: (
            "assisted" in rule or real(own, who, rule, target)))

    def network_room(self):
        self.room, _net, _port = network()
        return self.child.ledger.watched(self.room)

    def plugged(self, uuid):
        """The server has the port."""
        self.room._ports = network()[0]._ports
        self.room._floating = network()[0]._floating
        port = self.room.bind(PORT.id, uuid, "node-1")
        record = lifecycle.change(self.child.records[uuid], self.clock.time(), interfaces=(
            model.Interface(errand="e", port_id=PORT.id, net_id=NET, mac=PORT.mac, made=True,
                            addresses=port.addresses()),), addresses=port.addresses())
        self.child.records[uuid] = record
        with self.view.write() as tx:
            self.view.servers.apply(tx, record, base.CELL, self.clock.time())

    # -- the ways ---------------------------------------------------------------------------------

    def heal(self):
        self.child.down = False
        now = self.clock.time()
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, now, up=True, halted=None, heard_at=now)
        self.clock.now += 2

    def silent(self):
        now = self.clock.time()
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, now, up=False, heard_at=now - 300)
        self.clock.now += 2

    def halted(self):
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, self.clock.time(), halted="an old copy")
        self.clock.now += 2

    def unanswered(self):
        """The client says at once that it cannot: breaker, transport, bulkhead."""
        self.child.down = True

    # -- the walk ---------------------------------------------------------------------------------

    def walk(self, word, way):
        """(action, answer) of every action with this word, each with a server of its own."""
        actions = [action for action in compute.actions()
                   if action.down == word and not action.gone]
        self.assertNotEqual([], actions)
        for action in actions:
            self.heal()
            uuid = self.create(metadata={"key": "value"}, tags=["tag"], token=base.ADMIN,
                               version="2.52", block_device_mapping_v2=[
                                   {"source_type": "image", "destination_type": "local",
                                    "uuid": base.PICTURE, "boot_index": 0},
                                   {"source_type": "volume", "destination_type": "volume",
                                    "uuid": self.volumes.add().id}])
            self.plugged(uuid)
            if action.key == "restore":          # it is asked only about what was put aside
                self.conf.set_override("reclaim_instance_interval", 60)
                deleted = self.ask("DELETE", f"/servers/{uuid}", token=base.ADMIN)
                self.assertEqual(204, deleted.status, deleted.text)
                self.conf.clear_override("reclaim_instance_interval")
                self.child.calls.clear()
            self.rest(action, uuid)
            way()
            yield action, uuid, self.asked(action, uuid)

    def rest(self, action, uuid):
        """Where the action's verb may begin, if that is not a running server."""
        start = {verb.action: verb.start for verb in lifecycle.VERBS.values()}.get(action.key)
        if start and "active" not in start:
            record = self.child.records[uuid] = base.model.replace(
                self.child.records[uuid], rest=sorted(start)[0],
                version=self.child.records[uuid].version + 1)
            with self.view.write() as tx:
                self.view.servers.apply(tx, record, base.CELL, self.clock.time())

    def asked_of_volume(self, action, uuid):
        [one] = self.child.records[uuid].attachments
        body = {"assisted:create": {"snapshot": {"volume_id": one.volume_id, "create_info": {
                    "snapshot_id": "s", "type": "qcow2", "new_file": "f"}}},
                "volumes:create": {"volumeAttachment": {"volumeId": self.volumes.add().id}},
                "volumes:update": {"volumeAttachment": {"volumeId": one.volume_id,
                                                        "delete_on_termination": True}}}
        path = action.path.replace("{id}", uuid).replace("{volume}", one.volume_id)
        if action.key == "assisted:delete":
            path += f"?delete_info=%7B%22volume_id%22:%22{one.volume_id}%22%7D"
        return self.ask(action.method, path, body.get(action.key), token=base.ADMIN,
                        version="2.85")

    def asked(self, action, uuid):
        if action.key.startswith(("volumes:", "assisted:")):
            return self.asked_of_volume(action, uuid)
        path = action.path.replace("{key}", "key").replace("{label}", "private")
        path = path.replace("{port_id}", PORT.id)
        path = path.replace("{tag}", "other" if action.key == "tags:update" else "tag")
        if action.path.startswith(("/servers/{id}", "/os-volumes_boot/{id}")):
            path = path.replace("{id}", uuid)
        elif action.path.startswith("/os-services/{id}"):
            path = path.replace("{id}", "enable" if action.key == "services:order" else HOST)
        elif action.key == "hosts:update":
            path = path.replace("{id}", "node-1")
        elif action.path.startswith("/os-instance_usage_audit_log"):
            path = path.replace("{id}", "2024-01-15%2010:00:00")
        elif action.path.startswith("/nova-cells"):
            path = path.replace("{id}", "cell1")
        for name in ("{id}", "{request_id}", "{alias}", "{share}", "{token}", "{migration_id}"):
            path = path.replace(name, "nothing")
        version = {"services:order": "2.52", "services:update": "2.53",
                   "services:delete": "2.53"}.get(action.key, action.since)
        return self.ask(action.method, path, self.body(action, version), token=base.ADMIN,
                        version=version)

    @staticmethod
    def body(action, version):
        """As the tables above say; else the smallest that the shape takes."""
        if action.body is None:
            return None
        if action.keyed and action.key in BODIES:
            return {action.key: BODIES[action.key]}
        if action.key in WHOLE:
            return WHOLE[action.key]
        return samples.smallest(action.body.schema(microversion.minor(version)))

    # -- what the table says ----------------------------------------------------------------------

    def test_refused(self):
        for way in (self.silent, self.halted, self.unanswered):
            for action, _uuid, answer in self.walk("refuse", way):
                self.assertEqual((503, "5"), (answer.status, answer.headers.get("Retry-After")),
                                 (way.__name__, action.key, answer.text))

    def test_known_to_be_down_it_is_not_even_asked(self):
        for way in (self.silent, self.halted):
            for word in ("refuse", "keep", "stale"):
                for action, _uuid, _answer in self.walk(word, way):
                    self.assertEqual([], self.child.calls, (way.__name__, action.key))

    def test_kept(self):
        for way in (self.silent, self.halted, self.unanswered):
            for action, uuid, answer in self.walk("keep", way):
                self.assertEqual(action.success, answer.status, (way.__name__, action.key))
                shown = self.ask("GET", f"/servers/{uuid}", token=base.ADMIN).json["server"]
                self.assertEqual(("ACTIVE", "deleting"), (
                    shown["status"], shown["OS-EXT-STS:task_state"]))
                with self.view.read() as tx:
                    self.assertEqual(1, self.view.intents.count(tx))
                with self.view.write() as tx:
                    self.view.intents.settle(tx, uuid, base.CELL, 1)

    def test_stale(self):
        """Answered from the view, and the reply says how old it may be."""
        for way in (self.silent, self.halted):
            for action, _uuid, answer in self.walk("stale", way):
                self.assertIn(answer.status, (200, 204, 404), (action.key, answer.text))
                if answer.status != 404:
                    self.assertGreaterEqual(int(answer.headers.get("X-Nova-Cells-Age", -1)), 2,
                                            (way.__name__, action.key))

    def test_fresh_answers_have_no_age(self):
        for action, _uuid, answer in self.walk("stale", self.heal):
            self.assertNotIn("X-Nova-Cells-Age", answer.headers, action.key)

    def test_elsewhere(self):
        """One cell is down: the other takes it.  Both are: 503, and nothing is left."""
        other = "0b000000-0000-4000-8000-00000000000b"
        body = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE}}
        self.silent()
        answer = self.ask("POST", "/servers", body)
        self.assertEqual((503, "5"), (answer.status, answer.headers.get("Retry-After")))
        self.assertEqual([], self.ask("GET", "/servers").json["servers"])
        with self.view.read() as tx:
            flavor = self.view.flavors.catalogue(tx)[1][0]
        base.prepare_cell(self.view, [flavor], self.clock.time(), other, "beta")
        self.assertEqual(202, self.ask("POST", "/servers", body).status)
        self.assertEqual([other], [self.offered(cast) for cast in self.child.casts])

    def offered(self, message):
        with self.view.read() as tx:
            return self.view.offers.get(tx, message.server).cell

    def test_served(self):
        """No cell is asked; an offer that cannot be sent is sent later."""
        for way in (self.silent, self.unanswered):
            for action, _uuid, answer in self.walk("serve", way):
                self.assertNotEqual(503, answer.status, (way.__name__, action.key))
                self.assertEqual([], self.child.calls, action.key)
