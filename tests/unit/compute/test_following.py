# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server with ports and volumes moves: each step fails before and after, and is repeated; what it
has is where it is in the end, and nothing is left anywhere."""

import testtools

from nova_cells.compute import agent, journal, rooms
from nova_cells.domain import boot, effects, errands, lifecycle, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import fake as images
from nova_cells.network import fake as networks
from nova_cells.network import protocol
from nova_cells.virt import fake, fake_moves
from nova_cells.virt import settings as values
from nova_cells.volume import fake as volumes

DOWN = protocol.Unreachable("the service does not answer")
TROUBLE = fake.protocol.HostTrouble("no")
SMALL = model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1)
BIG = model.Flavor(id="2", name="big", vcpus=2, ram_mb=64, disk_gb=2)


class Killed(BaseException):
    """The agent dies here."""


class Follow(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.fresh()

    def fresh(self):
        """Two hosts; on the first a server with a port of ours, one of its user's, two volumes."""
        self.images, self.volumes = images.FakeImages(), volumes.FakeVolumes()
        self.nets = networks.FakeNetworks()
        net = self.nets.add_network("private", "p")
        self.own = self.nets.add_port(net, "p", "10.0.0.77").id
        area = fake_moves.Area(None)
        self.hosts = {name: (fake.FakeDriver(values.Settings(cell="c1", host=name), self.images),
                             journal.MemoryJournal()) for name in ("h1", "h2")}
        for driver, _notes in self.hosts.values():
            driver.area = area
        nics = (model.Interface(errand="", port_id="", net_id=net, mac="", made=True),
                model.Interface(errand="", port_id=self.own, net_id=net, mac=""))
        disks = [model.Attachment(volume_id=self.volumes.add(2).id, device=f"/dev/vd{letter}",
                                  size=2, errand=f"v-{letter}") for letter in "bc"]
        self.attached = (
            *(errands.Errand(uuid=f"e-{number}", server="s-1", kind=errands.INTERFACE,
                             interface=nic, version=1, epoch=1)
              for number, nic in enumerate(nics)),
            *(errands.Errand(uuid=disk.errand, server="s-1", kind=errands.VOLUME, attachment=disk,
                             subject=disk.volume_id, version=1, epoch=1) for disk in disks))
        self.ticket, self.rest, self.move = 0, "active", self.moving("h2")
        self.learn(self.do("boot"))
        self.made = {port.id for port in self.nets.all_ports()}

    @staticmethod
    def moving(dest):
        return migration.Migration(
            uuid="m-1", server="s-1", kind=migration.RESIZE, source="h1", dest=dest, rest="active",
            status="accepted", created_at=0.0, old_flavor=SMALL, new_flavor=BIG)

    def learn(self, report):
        """As the cell does with what a host attached."""
        self.assertEqual("done", report.result, report)
        told = {one.uuid: one for one in report.attached}
        self.attached = tuple(told.get(one.uuid, one) for one in self.attached)

    def agent(self, host):
        driver, notes = self.hosts[host]
        return agent.Agent(driver, notes, "c1", host, rooms_=rooms.Rooms(
            images=self.images, network=self.nets, volume=self.volumes))

    def do(self, verb, host="h1", leg="", agent_=None, same=False, **options):
        """A task's report; ``same``: the last one once more."""
        self.ticket += not same
        record = model.Server(
            uuid="s-1", project_id="p", user_id="u", epoch=1, version=self.ticket, verb=verb,
            ticket=self.ticket, created_at=0.0, image=self.images.facts(images.CIRROS), host=host,
            rest=self.rest, flavor=SMALL, config_drive=True)
        done = (agent_ or self.agent(host)).handle(tasks.Task(
            server="s-1", epoch=1, ticket=self.ticket, verb=verb, record=record,
            request=boot.BootRequest(), attached=self.attached,
            wanted=wants.Wanted(leg=leg, migration=self.move, options=options)), 0.0)
        found = [effect.message for effect in done if isinstance(effect, effects.Cast)]
        return found[-1] if found else None

    def dying(self, host, step):
        """An agent that is killed before this step; a set that says whether it came so far."""
        found, reached = self.agent(host), set()

        def die(_server, name):
            if name == step:
                reached.add(name)
                raise Killed
        found.step = die
        return found, reached

    def assert_at(self, host, also=()):
        """All of it is on this host, attached once; ``also`` are connected the volumes."""
        driver = self.hosts[host][0]
        self.assertEqual(lifecycle.RUNNING, driver.guest("s-1").power)
        self.assertEqual({host}, {port.host for port in self.nets.all_ports()})
        self.assertEqual(self.made, {port.id for port in self.nets.all_ports()})
        self.assertEqual(self.made, set(driver.guest_interfaces("s-1")))
        for one in self.attached[2:]:
            uuid = one.attachment.volume_id
            uses = self.volumes.uses("s-1", uuid)
            self.assertEqual(sorted({host, *also}), sorted(use.host for use in uses))
            self.assertIn((one.attachment.attachment_id, host, "attached"),
                          [(use.id, use.host, use.status) for use in uses])
        self.assertEqual([one.attachment.volume_id for one in self.attached[2:]],
                         [disk.volume_id for disk in driver.guest_disks("s-1")])

    def assert_nothing(self, host):
        self.assertEqual([], self.hosts[host][0].leftovers("s-1"))

    def assert_gone(self):
        """After a delete."""
        for host in self.hosts:
            self.assert_nothing(host)
        self.assertEqual([("", "")] if self.own in self.made else [], [
            (port.device, port.host) for port in self.nets.all_ports()])
        self.assertEqual({}, self.volumes.attachments)

    def fails(self):
        """(word, a way to make the next task fail there), before and after each call."""
        for after in (False, True):
            for call in ("uses", "reserve", "connect", "complete"):
                yield (call, after), lambda _host, c=call, a=after: self.volumes.fail(c, None, a)
            yield ("bind", after), lambda _host, a=after: self.nets.fail_next("bind", DOWN, a)
            for call in ("attach_volume", "attach_interface", "define", "start"):
                yield (call, after), lambda host, c=call, a=after: \
                    self.hosts[host][0].fail_next(c, TROUBLE, a)

    # -- resize ------------------------------------------------------------------------------------

    def resize(self, dest="h2"):
        """Until it waits to be confirmed."""
        self.depart(dest)
        self.learn(self.do("resize", dest, "arrive"))
        self.rest = "resized"

    def depart(self, dest="h2"):
        self.move = self.moving(dest)
        self.assertEqual("done", self.do("resize", dest).result)
        self.assertEqual("done", self.do("resize", "h1", "depart").result)

    def revert(self, dest="h2"):
        self.assertEqual("done", self.do("revert_resize", dest).result)
        self.learn(self.do("revert_resize", "h1", "back"))

    def test_confirmed_all_of_it_is_there_and_nothing_here(self):
        self.resize()
        self.assert_at("h2", also=["h1"])        # nobody else can have the volumes meanwhile
        self.assertEqual(["parked disk"], self.hosts["h1"][0].leftovers("s-1"))
        self.assertEqual("done", self.do("confirm_resize", "h1").result)
        self.assert_at("h2")
        self.assert_nothing("h1")

    def test_reverted_all_of_it_is_back(self):
        self.resize()
        self.revert()
        self.assert_at("h1")
        self.assert_nothing("h2")

    def test_on_its_own_host(self):
        for end in ("confirm_resize", "revert_resize"):
            self.fresh()
            self.resize("h1")
            self.assert_at("h1")
            if end == "revert_resize":
                self.revert("h1")
            else:
                self.assertEqual("done", self.do(end, "h1").result)
            self.assert_at("h1")
            self.do("delete", "h1")
            self.assert_gone()

    def test_on_its_own_host_it_fails_and_is_as_it_was(self):
        for word, fail in self.fails():
            with self.subTest(word=word):
                self.fresh()
                if word[0] == "reserve":         # the host has its connections already
                    continue
                self.depart("h1")
                fail("h1")
                self.assertEqual("failed", self.do("resize", "h1", "arrive").result)
                self.assertEqual(2, len(self.volumes.uses("s-1")))       # nobody else's meanwhile
                self.learn(self.do("resize", "h1", "back"))
                self.assert_at("h1")

    def test_it_cannot_arrive_and_goes_back(self):
        for word, fail in self.fails():
            with self.subTest(word=word):
                self.fresh()
                self.depart()
                fail("h2")
                self.assertEqual("failed", self.do("resize", "h2", "arrive").result)
                self.assert_nothing("h2")
                self.assertEqual(["h1", "h1"], [use.host for use in self.volumes.uses("s-1")])
                self.learn(self.do("resize", "h1", "back"))
                self.assert_at("h1")
                self.resize()
                self.assert_at("h2", also=["h1"])

    def test_a_way_back_that_fails_too_leaves_nothing_in_the_end(self):
        self.depart()
        self.volumes.fail("complete")
        self.volumes.fail("release", times=2)
        self.assertEqual("failed", self.do("resize", "h2", "arrive").result)
        self.assertEqual(4, len(self.volumes.uses("s-1")))
        self.learn(self.do("resize", "h1", "back"))
        self.assert_at("h1")

    def test_going_back_fails_and_is_done_again(self):
        for word, fail in self.fails():
            if word[0] == "reserve":
                continue
            with self.subTest(word=word):
                self.fresh()
                self.resize()
                self.do("revert_resize", "h2")
                fail("h1")
                self.assertEqual("failed", self.do("revert_resize", "h1", "back").result)
                self.learn(self.do("revert_resize", "h1", "back"))
                self.assert_at("h1")
                self.assert_nothing("h2")

    def test_killed_before_each_step_and_asked_again(self):
        for step in ("plug_ports", "receive_disk", "volumes_there", "connect_volumes", "define",
                     "attach_interfaces", "start", "unsend_disk", "complete_volumes"):
            with self.subTest(step=step):
                self.fresh()
                self.depart()
                dying, reached = self.dying("h2", step)
                self.assertRaises(Killed, self.do, "resize", "h2", "arrive", dying)
                self.assertTrue(reached)
                self.learn(self.do("resize", "h2", "arrive", same=True))
                self.assert_at("h2", also=["h1"])
                self.revert()
                self.assert_at("h1")
                self.assert_nothing("h2")

    def test_killed_while_it_goes_back_and_asked_again(self):
        for step in ("unpark", "plug_ports", "connect_volumes", "define", "attach_interfaces",
                     "start", "complete_volumes"):
            with self.subTest(step=step):
                self.fresh()
                self.resize()
                self.do("revert_resize", "h2")
                dying, reached = self.dying("h1", step)
                self.assertRaises(Killed, self.do, "revert_resize", "h1", "back", dying)
                self.assertTrue(reached)
                self.learn(self.do("revert_resize", "h1", "back", same=True))
                self.assert_at("h1")

    def test_what_was_let_go_of_while_it_waited_does_not_come_back(self):
        self.resize()
        port, volume = self.attached[1], self.attached[3]
        for errand, verb in ((port, "detach_interface"), (volume, "detach_volume")):
            record = model.Server(uuid="s-1", project_id="p", user_id="u", epoch=1, version=1,
                                  created_at=0.0, host="h2", flavor=BIG)
            sent = self.agent("h2").handle(tasks.ErrandTask(
                server="s-1", epoch=1, version=9, record=record,
                errand=model.replace(errand, verb=verb, ticket=9, version=9)), 0.0)
            self.assertEqual("done", sent[0].message.result, sent)
        self.attached = (self.attached[0], self.attached[2])
        self.revert()
        driver = self.hosts["h1"][0]
        self.assertEqual(self.made - {self.own}, set(driver.guest_interfaces("s-1")))
        self.assertEqual([self.attached[1].attachment.volume_id],
                         [disk.volume_id for disk in driver.guest_disks("s-1")])
        self.assertEqual("", self.nets.port(self.own).device)
        self.assertEqual(["h1"], [use.host for use in self.volumes.uses("s-1")])

    def test_deleted_anywhere_on_its_way_nothing_is_left(self):
        def nothing():
            pass
        for way in (nothing, self.depart, self.resize, lambda: (self.resize(), self.revert())):
            self.fresh()
            way()
            for host in ("h2", "h1"):
                self.assertEqual("done", self.do("delete", host).result)
            self.assert_gone()

    def test_a_host_that_cannot_says_so_before_anybody_is_touched(self):
        for capability in ("volumes", "interfaces"):
            self.fresh()
            self.hosts["h2"][0].capabilities -= {capability}
            told = self.do("resize", "h2")
            self.assertEqual(("failed", True), (told.result, told.elsewhere))
            self.assert_at("h1")

    # -- shelving ----------------------------------------------------------------------------------

    def shelve(self):
        self.learn(self.do("shelve_offload"))
        self.rest = "shelved_offloaded"

    def assert_aside(self):
        """They are the server's, and on no host."""
        for host in self.hosts:
            self.assert_nothing(host)
        self.assertEqual({("s-1", "", "unbound")}, {
            (port.device, port.host, port.vif_type) for port in self.nets.all_ports()})
        self.assertEqual(self.made, {port.id for port in self.nets.all_ports()})
        self.assertEqual([None, None], [use.host for use in self.volumes.uses("s-1")])

    def test_shelved_away_they_are_kept_and_come_with_it_to_another_host(self):
        for _time in range(2):
            self.shelve()
            self.assert_aside()
        self.learn(self.do("unshelve", "h2"))
        self.assert_at("h2")

    def test_a_port_that_cannot_be_taken_off_its_host_comes_all_the_same(self):
        self.nets.fail_next("bind", DOWN)
        self.shelve()
        self.learn(self.do("unshelve", "h2"))
        self.assert_at("h2")

    def test_it_cannot_come_back_and_they_are_kept(self):
        for word, fail in self.fails():
            if word[0] == "reserve":             # what is kept is used
                continue
            with self.subTest(word=word):
                self.fresh()
                self.shelve()
                fail("h2")
                self.assertEqual("failed", self.do("unshelve", "h2").result)
                self.assert_aside()
                self.learn(self.do("unshelve", "h2"))
                self.assert_at("h2")

    def test_killed_while_it_comes_back_and_asked_again(self):
        for step in ("plug_ports", "connect_volumes", "create_disk", "define",
                     "attach_interfaces", "start", "complete_volumes"):
            with self.subTest(step=step):
                self.fresh()
                self.shelve()
                dying, reached = self.dying("h2", step)
                self.assertRaises(Killed, self.do, "unshelve", "h2", agent_=dying)
                self.assertTrue(reached)
                self.learn(self.do("unshelve", "h2", same=True))
                self.assert_at("h2")

    def test_deleted_while_it_is_away(self):
        self.shelve()
        self.do("delete", "h2")
        self.assert_gone()

    # -- live --------------------------------------------------------------------------------------

    def live(self):
        self.assertEqual("done", self.do("live_migrate", "h2").result)
        return self.do("live_migrate", "h1", "depart").facts["handed"]

    def test_live_they_arrive_with_it(self):
        handed = self.live()
        self.learn(self.do("live_migrate", "h2", "arrive", handed=handed))
        self.assert_at("h2", also=["h1"])
        self.assertEqual("done", self.do("live_migrate", "h1", "clean").result)
        self.assert_at("h2")
        self.assert_nothing("h1")

    def test_live_a_host_that_cannot_reach_the_volumes_says_so_first(self):
        for call in ("uses", "reserve", "connect"):
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.volumes.fail(call, None, after)
                    self.assertEqual("failed", self.do("live_migrate", "h2").result)
                    self.assert_at("h1", also=())
                    self.assert_nothing("h2")
                    self.live()

    def test_live_given_up_it_stays_and_so_do_they(self):
        self.assertEqual("done", self.do("live_migrate", "h2").result)
        self.assertEqual("done", self.do("live_migrate", "h2", "back").result)
        self.assert_at("h1")
        self.assert_nothing("h2")

    def test_live_the_arrival_is_killed_and_asked_again(self):
        handed = self.live()
        for call in ("uses", "connect", "complete"):
            self.volumes.fail(call, Killed())
            self.assertRaises(Killed, self.do, "live_migrate", "h2", "arrive", None,
                              call != "uses", handed=handed)
        self.learn(self.do("live_migrate", "h2", "arrive", same=True, handed=handed))
        self.do("live_migrate", "h1", "clean")
        self.assert_at("h2")

    def test_live_one_that_cannot_follow_keeps_no_other_from_it(self):
        for call in ("bind", "connect", "complete"):
            with self.subTest(call=call):
                self.fresh()
                handed = self.live()
                if call == "bind":
                    self.nets.fail_next("bind", DOWN)
                else:
                    self.volumes.fail(call)
                told = self.do("live_migrate", "h2", "arrive", handed=handed)
                self.assertEqual(("done", 3), (told.result, len(told.attached)))
                bound = sorted(port.host for port in self.nets.all_ports())
                self.assertEqual(["h1" if call == "bind" else "h2", "h2"], bound)

    # -- evacuation --------------------------------------------------------------------------------

    def test_evacuated_they_are_with_the_new_guest(self):
        self.learn(self.do("evacuate", "h2"))
        self.assert_at("h2")

    def test_an_evacuation_that_fails_leaves_them_the_servers(self):
        for word, fail in self.fails():
            with self.subTest(word=word):
                self.fresh()
                fail("h2")
                self.assertEqual("failed", self.do("evacuate", "h2").result)
                self.assert_nothing("h2")
                self.assertEqual({"s-1"}, {port.device for port in self.nets.all_ports()})
                self.assertEqual(["h1", "h1"], [use.host for use in self.volumes.uses("s-1")])
                self.learn(self.do("evacuate", "h2"))
                self.assert_at("h2")
