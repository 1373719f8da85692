# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The same promises of the fake and of the real client, which asks a stand-in over HTTP."""

import logging

import testtools
from keystoneauth1 import adapter, session, token_endpoint
from oslo_config import cfg

from nova_cells.domain import errors
from nova_cells.volume import cinder, fake, loader, none, protocol
from tests.unit.volume import stand_in

SERVER, OTHER = "5e44e400-0000-4000-8000-000000000001", "5e44e400-0000-4000-8000-000000000002"
HERE = {"host": "node-1", "ip": "127.0.0.1"}


class Promises:
    """What each room keeps.  ``room`` is asked; ``behind`` is the fake that holds the volumes."""

    def status(self, volume):
        return self.behind.volumes[volume.id].status

    def test_a_volume_goes_from_available_to_in_use_and_back(self):
        volume = self.behind.add(2, name="data")
        seen = [self.room.show(volume.id, "ann").status]
        use = self.room.reserve(volume.id, SERVER)
        seen.append(self.status(volume))
        told = self.room.connect(use, HERE, "/dev/vdb")
        seen.append(self.status(volume))
        self.room.complete(use)
        seen.append(self.status(volume))
        self.assertEqual(["available", "reserved", "attaching", "in-use"], seen)
        self.assertEqual("fake", told["driver_volume_type"])
        self.assertEqual([SERVER], [one.server for one in self.room.show(volume.id).uses])
        self.assertEqual([(use, volume.id)],
                         [(one.id, one.volume_id) for one in self.room.uses(SERVER)])
        self.room.release(use)
        self.room.release(use)
        self.assertEqual(("available", []), (self.status(volume), self.room.uses(SERVER)))

    def test_two_servers_share_only_what_is_multi_attach(self):
        for multi in (False, True):
            volume = self.behind.add(multiattach=multi)
            self.room.reserve(volume.id, SERVER)
            if multi:
                self.room.reserve(volume.id, OTHER)
                self.assertEqual(2, len(self.room.show(volume.id).uses))
            else:
                problem = self.assertRaises(errors.Invalid, self.room.reserve, volume.id, OTHER)
                self.assertIn("status must be available", problem.message)
                self.room.reserve(volume.id, SERVER)     # another of the same server: a move

    def test_what_is_not_there(self):
        for call in ("show", "snapshot"):
            self.assertRaises(errors.NotFound, getattr(self.room, call), "nothing")
        self.assertRaises(errors.NotFound, self.room.reserve, "nothing", SERVER)
        self.assertRaises(errors.NotFound, self.room.connect, "nothing", HERE)
        self.room.release("nothing")
        self.room.delete("nothing")
        self.room.drop_snapshot("nothing")

    def test_a_volume_is_made_once_and_found_by_its_key(self):
        plan = protocol.Plan(key="k1", size=3, image="i", volume_type="fake-fast", name="root")
        made = self.room.create(plan, "ann")
        self.assertEqual(("creating", 3), (made.status, made.size))
        self.assertEqual([made.id], [one.id for one in self.room.made("k1")])
        self.assertEqual([], self.room.made("k2"))
        seen = self.room.show(made.id)
        self.assertEqual(("available", True, {"image_id": "i"}),
                         (seen.status, seen.bootable, seen.image))
        self.room.delete(made.id)
        self.assertRaises(errors.NotFound, self.room.show, made.id)

    def test_what_is_used_is_not_deleted(self):
        volume = self.behind.add()
        self.room.reserve(volume.id, SERVER)
        self.assertRaises(errors.Invalid, self.room.delete, volume.id)

    def test_one_connection_has_one_host(self):
        use = self.room.reserve(self.behind.add().id, SERVER)
        self.room.connect(use, HERE)
        self.room.connect(use, HERE)
        self.assertRaises(errors.Invalid, self.room.connect, use, {"host": "node-2"})

    def test_types_snapshots_and_swaps(self):
        self.assertIn("fake-lvm", self.room.types("ann").values())
        volume = self.behind.add(5)
        taken = self.room.take_snapshot(volume.id, "s", "ann")
        self.assertEqual((5, volume.id), (taken.size, taken.volume_id))
        self.assertEqual("available", self.room.snapshot(taken.id).status)
        self.room.tell_snapshot(taken.id, "creating")
        self.room.drop_snapshot(taken.id)
        moving = self.behind.add(migration="migrating")
        self.assertEqual((moving.id, "new", "new"), (
            self.room.migrated(moving.id, "new"), self.room.migrated(volume.id, "new"),
            self.room.migrated(moving.id, "new", failed=True)))
        self.assertIn(("snapshot", taken.id, "creating"), self.behind.told)

    def test_a_service_that_stalls_is_unreachable_and_nothing_else(self):
        volume = self.behind.add()
        self.behind.fail("reserve", after=True)
        self.assertRaises(protocol.Unreachable, self.room.reserve, volume.id, SERVER)
        self.assertEqual(1, len(self.room.uses(SERVER)))     # it had happened: it can be found
        self.behind.fail("show", errors.OverLimit("too many"))
        self.assertRaises(errors.OverLimit, self.room.show, volume.id)


class Fake(Promises, testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.room = self.behind = fake.FakeVolumes()

    def test_somebody_else_s(self):
        volume = self.room.add(owner="ann")
        self.room.show(volume.id, "ann")
        self.room.show(volume.id)
        self.assertRaises(errors.NotFound, self.room.show, volume.id, "bob")

    def test_a_slow_volume(self):
        self.room.slow = 2
        made = self.room.create(protocol.Plan(key="k", size=1))
        self.assertEqual(["creating", "creating", "available"],
                         [self.room.show(made.id).status for _look in range(3)])


class Cinder(Promises, testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.server = stand_in.StandIn()
        self.addCleanup(self.server.close)
        self.behind = self.server.room
        self.room = self.at(self.server.base)

    def at(self, url):
        auth = token_endpoint.Token(url, "ours")
        return cinder.CinderRoom(adapter.Adapter(
            session.Session(auth), service_type="block-storage", raise_exc=False), timeout=5,
            retries=0)

    def test_users_are_asked_for_with_their_own_token_and_never_later(self):
        volume = self.behind.add(owner="ann-s-token")
        self.room.show(volume.id, "ann-s-token")
        self.room.reserve(volume.id, SERVER)
        self.assertEqual([("ann-s-token", "ours"), ("ours", "ours")],
                         [(asked[2], asked[3]) for asked in self.server.seen])
        self.assertEqual({"volume 3.60"}, {asked[4] for asked in self.server.seen})

    def test_the_address_names_no_project(self):
        self.room.show(self.behind.add().id)
        self.assertNotIn("service-project", self.server.seen[0][1])

    def test_a_volume_of_somebody_else_is_not_there(self):
        volume = self.behind.add(owner="ann")
        self.assertRaises(errors.NotFound, self.room.show, volume.id, "bob")

    def test_identifiers_that_are_paths(self):
        for bad in ("../types", "a/b", "a?b", "..", ""):
            self.assertRaises(errors.NotFound, self.room.show, bad)
        self.assertEqual([], self.server.seen)

    def test_refused_users_and_refused_services(self):
        for token, family in (("ann", errors.Refused), (None, protocol.Unreachable)):
            self.behind.fail("show", errors.Refused("Policy doesn't allow it"))
            self.assertRaises(family, self.room.show, "v", token)

    def test_nobody_listens(self):
        self.server.close()
        self.assertRaises(protocol.Unreachable, self.room.types)

    def test_no_token_is_logged(self):
        seen = []
        handler = logging.Handler()
        handler.emit = lambda record: seen.append(record.getMessage())
        logging.getLogger("nova_cells").addHandler(handler)
        self.addCleanup(logging.getLogger("nova_cells").removeHandler, handler)
        self.behind.fail("show", protocol.Unreachable("no"))
        self.assertRaises(protocol.Unreachable, self.room.show, "v", "canary-token")
        self.assertNotIn("canary", " ".join(seen))


class Loader(testtools.TestCase):
    def load(self, source):
        conf = cfg.ConfigOpts()
        conf([], project="nova-cells", default_config_files=[], default_config_dirs=[])
        loader.load(conf)
        conf.set_override("source", source, group="cinder")
        return loader.load(conf)

    def test_none_is_the_default_and_refuses_in_words(self):
        room = self.load("none")
        self.assertFalse(none.there(room))
        self.assertEqual([], room.uses(SERVER))
        problem = self.assertRaises(errors.Unsupported, room.show, "v", "ann")
        self.assertIn("capability: volumes", problem.message)

    def test_the_fake_is_one_for_the_process(self):
        self.assertIs(self.load("fake"), self.load("fake"))
        self.assertTrue(none.there(self.load("fake")))
