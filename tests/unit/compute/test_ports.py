# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Ports of a guest: each step failed before and after, repeated, on another host: none leaks."""

import testtools

from nova_cells.compute import agent, journal, rooms
from nova_cells.domain import boot, errands, tasks
from nova_cells.domain import server as model
from nova_cells.image import fake as images
from nova_cells.network import fake as networks
from nova_cells.network import protocol
from nova_cells.virt import fake
from nova_cells.virt import settings as values
from tests.conformance import failing

STEPS = ("plug_ports", "fetch_image", "create_disk", "write_config_drive", "define",
         "attach_interfaces", "start")
DOWN = protocol.Unreachable("the network service does not answer")


class Killed(BaseException):
    """The agent dies here."""


class Ports(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.fresh()

    def fresh(self):
        """Two hosts and a network service, with nothing on them."""
        self.images = images.FakeImages()
        self.room = networks.FakeNetworks()
        self.net = self.room.add_network("private", "p")
        self.own = self.room.add_port(self.net, "p", "10.0.0.77")
        self.hosts = {name: (fake.FakeDriver(values.Settings(cell="c1", host=name), self.images),
                             journal.MemoryJournal()) for name in ("h1", "h2")}
        made = model.Interface(errand="", port_id="", net_id=self.net, mac="", made=True, tag="t",
                               addresses=(model.Address(network="", ip="10.0.0.9", version=4,
                                                        mac=""),))
        mine = model.Interface(errand="", port_id=self.own.id, net_id=self.net, mac="")
        self.errands = tuple(errands.Errand(uuid=f"e-{number}", server="s-1", kind="interface",
                                            interface=nic, version=1, epoch=1)
                             for number, nic in enumerate((made, mine)))

    def agent(self, host="h1"):
        driver, notes = self.hosts[host]
        return agent.Agent(driver, notes, "c1", host, rooms_=rooms.Rooms(
            images=self.images, network=self.room))

    def task(self, verb="boot", ticket=1, attached=None):
        record = model.Server(
            uuid="s-1", project_id="p", user_id="u", epoch=1, version=ticket, verb=verb,
            ticket=ticket, created_at=0.0, image=self.images.facts(images.CIRROS),
            flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1))
        return tasks.Task(server="s-1", epoch=1, ticket=ticket, verb=verb, record=record,
                          request=boot.BootRequest(),
                          attached=self.errands if attached is None else attached)

    def do(self, task, host="h1", agent_=None):
        done = (agent_ or self.agent(host)).handle(task, 0.0)
        return done[0].message if done else None

    def errand(self, verb, errand, ticket=1, version=9, host="h1"):
        record = self.task().record if verb != "release" else None
        return self.agent(host).handle(tasks.ErrandTask(
            server="s-1", epoch=1, version=version, record=record,
            errand=model.replace(errand, verb=verb, ticket=ticket, version=ticket)), 0.0)[0].message

    def left(self):
        """What of the server is still in the network service."""
        return [port.id for port in self.room.all_ports() if port.device == "s-1"]

    def leftovers(self, host="h1"):
        return self.hosts[host][0].leftovers("s-1")

    def made(self):
        return [port for port in self.room.all_ports() if port.id != self.own.id]

    def test_a_boot_makes_binds_attaches_and_tells(self):
        report = self.do(self.task())
        self.assertEqual("done", report.result, report)
        made, mine = report.attached
        self.assertEqual(["10.0.0.9"], [one.ip for one in made.interface.addresses])
        self.assertEqual(("private", "t", True), (
            made.interface.addresses[0].network, made.interface.tag, made.interface.made))
        self.assertEqual(self.own.id, mine.interface.port_id)
        self.assertEqual({"h1"}, {port.host for port in self.room.all_ports()})
        self.assertEqual(2, sum("interface" in name for name in self.leftovers()))

    def test_deleted_what_we_made_is_gone_and_the_users_own_is_free(self):
        report = self.do(self.task())
        gone = self.do(self.task("delete", 2, report.attached))
        self.assertEqual({"e-0", "e-1"}, {one.uuid for one in gone.attached})
        self.assertEqual([self.own.id], [port.id for port in self.room.all_ports()])
        self.assertEqual(([], []), (self.left(), self.leftovers()))

    def test_a_room_that_fails_at_each_call_leaks_nothing(self):
        for method in ("make", "bind"):
            for after in (False, True):
                self.room.fail_next(method, DOWN, after)
                report = self.do(self.task())
                self.assertEqual("failed", report.result, (method, after))
                self.assertEqual(([], [], []), (self.left(), self.made(), self.leftovers()))
                self.fresh()

    def test_each_step_failed_before_and_after_leaves_nothing(self):
        for step in STEPS[1:5] + ("start", "attach_interface"):
            for after in (False, True):
                driver = self.hosts["h1"][0]
                with failing.Stop(driver, step, fake.protocol.HostTrouble("no"), after):
                    self.assertEqual("failed", self.do(self.task()).result, step)
                self.assertEqual(([], [], []), (self.left(), self.made(), self.leftovers()), step)
                self.fresh()

    def test_killed_anywhere_and_asked_again_there_is_one_port_for_each(self):
        for step in STEPS:
            dying = self.agent()

            def die(_server, name, step=step):
                if name == step:
                    raise Killed
            dying.step = die
            self.assertRaises(Killed, self.do, self.task(), agent_=dying)
            self.assertEqual("done", self.do(self.task()).result)
            self.assertEqual((2, 1), (len(self.left()), len(self.made())))
            self.do(self.task("delete", 2))
            self.assertEqual(([], []), (self.left(), self.made()))
            self.fresh()

    def test_a_way_back_that_fails_too_is_taken_on_the_next_host_and_at_the_end(self):
        self.room.fail_next("make", DOWN, after=True)
        self.room.fail_next("ports", DOWN)
        self.assertEqual("failed", self.do(self.task()).result)
        [leaked] = self.made()
        self.assertEqual("done", self.do(self.task(ticket=2), "h2").result)
        self.assertEqual([leaked.id], [port.id for port in self.made()])
        self.assertEqual({"h2"}, {port.host for port in self.room.all_ports()})

    def test_a_delete_that_cannot_let_go_says_so_and_another_host_does(self):
        report = self.do(self.task())
        self.room.fail_next("delete", DOWN)
        gone = self.do(self.task("delete", 2, report.attached))
        self.assertEqual(("done", {"e-1"}), (gone.result, {one.uuid for one in gone.attached}))
        released = self.errand("release", report.attached[0], 5, host="h2")
        self.assertEqual("done", released.result)
        self.assertEqual(([], []), (self.left(), self.made()))
        self.assertEqual("done", self.errand("release", report.attached[0], 5, host="h2").result)

    def test_an_errand_attaches_one_more_and_detaches_it(self):
        self.do(self.task(attached=()))
        made = self.errands[0]
        for method in ("make",):
            for after in (False, True):
                self.room.fail_next(method, DOWN, after)
                self.assertEqual("failed", self.errand("attach_interface", made).result)
                self.assertEqual([], self.made())
        with failing.Stop(self.hosts["h1"][0], "attach_interface",
                          fake.protocol.HostTrouble("no"), True):
            self.assertEqual("failed", self.errand("attach_interface", made).result)
        self.assertEqual([], self.made())
        done = self.errand("attach_interface", made)
        self.assertEqual(done, self.errand("attach_interface", made))
        self.assertEqual(1, len(self.made()))
        self.room.fail_next("delete", DOWN, after=True)
        self.assertEqual("failed", self.errand("detach_interface", done.errand, 2).result)
        self.assertEqual("done", self.errand("detach_interface", done.errand, 2).result)
        self.assertEqual([], self.made())
        self.assertFalse([name for name in self.leftovers() if "interface" in name])

    def test_an_errand_that_could_not_go_back_says_that_something_is_left(self):
        self.do(self.task(attached=()))
        self.room.fail_next("make", DOWN, after=True)
        self.room.fail_next("ports", DOWN)
        report = self.errand("attach_interface", self.errands[0])
        self.assertEqual(("failed", True), (report.result, report.left))
        self.assertEqual(1, len(self.made()))
        self.assertEqual("done", self.errand("release", self.errands[0], 2).result)
        self.assertEqual([], self.made())

    def test_a_port_of_another_server_is_a_conflict_and_stays_its_own(self):
        self.room.bind(self.own.id, "s-2", "h2")
        report = self.errand("attach_interface", self.errands[1])
        self.assertEqual(("failed", "conflict"), (report.result, report.family))
        self.assertEqual("s-2", self.room.port(self.own.id).device)

    def test_addresses_are_changed_once(self):
        errand = self.do(self.task()).attached[0]
        net = self.room.networks("p")[0]
        options = {"add": net.subnets[0], "known": "10.0.0.9"}
        changed = model.replace(errand, options=options)
        for _time in range(2):
            done = self.errand("change_interface", changed, 2)
            self.assertEqual(2, len(done.errand.interface.addresses))
        done = self.errand("change_interface", model.replace(errand, options={
            "remove": "10.0.0.9"}), 3)
        self.assertEqual(1, len(done.errand.interface.addresses))

    def test_a_hypervisor_without_interfaces_leaves_it_to_another_host(self):
        self.hosts["h1"][0].capabilities = frozenset({"boot", "delete"})
        report = self.do(self.task())
        self.assertEqual(("failed", True), (report.result, report.elsewhere))
        self.assertEqual([], self.left())

    def test_the_guest_reads_of_its_network(self):
        told = {}
        driver = self.hosts["h1"][0]
        real = driver.write_config_drive
        driver.write_config_drive = lambda spec: (told.update(
            spec.network_data, devices=spec.metadata["devices"]), real(spec))
        self.do(self.task())
        self.assertEqual(["10.0.0.9", "10.0.0.77"], [one["ip_address"] for one in told["networks"]])
        self.assertEqual(("255.255.255.0", "10.0.0.1"), (
            told["networks"][0]["netmask"], told["networks"][0]["routes"][0]["gateway"]))
        self.assertEqual([{"type": "dns", "address": "192.0.2.53"}], told["services"])
        self.assertEqual(["t"], told["devices"][0]["tags"])
