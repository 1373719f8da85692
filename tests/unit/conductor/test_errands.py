# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands in the cell: begun beside each other, shown in the record, released at the end."""

import uuid as uuids

from nova_cells.conductor import verify
from nova_cells.domain import commands, effects, errands, errors, records, resources, tasks
from nova_cells.domain import server as model
from tests.unit.conductor.base import NOW, CellTest, replies_in

CAN = ("boot", "stop", "start", "pause", "interfaces", "volumes")


def errand_tasks(done):
    return [effect.message for effect in done if isinstance(effect, effects.Cast)
            and isinstance(effect.message, tasks.ErrandTask)]


class Errands(CellTest):
    def setUp(self):
        super().setUp()
        self.hello("h1")
        self.uuid = self.active()

    def hello(self, host, now=NOW, conductor=None, vcpus=4, starting=False, can=CAN):
        inventory = {name: resources.Inventory(total=amount) for name, amount in (
            (resources.VCPU, vcpus), (resources.MEMORY_MB, vcpus * 512), (resources.DISK_GB, 100))}
        return (conductor or self.conductor).handle(tasks.Hello(
            host=host, uuid=str(uuids.uuid5(uuids.NAMESPACE_DNS, host)), node=host,
            capabilities=can, inventory=inventory, starting=starting), now)

    def run_(self, verb="attach_interface", kind=errands.INTERFACE, errand=None, subject="",
             now=NOW, **more):
        errand = errand or self.ids.uuid()
        done = self.command(commands.Run, self.uuid, now, verb=verb, errand=errands.Errand(
            uuid=errand, server=self.uuid, kind=kind, subject=subject), **more)
        return errand, done

    def told(self, task, result="done", now=NOW, host="h1", **more):
        filled = task.errand
        if task.errand.kind == errands.INTERFACE:
            port = f"port-{task.errand.uuid}"
            filled = model.replace(filled, interface=model.Interface(
                errand=filled.uuid, port_id=port, net_id="net", mac="fa:16:3e:00:00:01",
                addresses=(model.Address(network="n", ip="10.0.0.5", version=4, port_id=port,
                                         mac="fa:16:3e:00:00:01"),)))
        else:
            filled = model.replace(filled, attachment=model.Attachment(
                volume_id=task.errand.subject, device="/dev/vdb"))
        return self.conductor.handle(tasks.ErrandReport(
            server=self.uuid, epoch=task.errand.epoch, ticket=task.errand.ticket, host=host,
            errand=filled, result=result, **more), now)

    def errand(self, uuid):
        with self.store.read() as tx:
            held = self.store.errands.get(tx, uuid)
            return held.errand if held else None

    def findings(self, now=NOW):
        with self.store.read() as tx:
            return list(verify.findings(self.store, tx, now, self.conductor.settings))

    def test_attached_it_is_in_the_servers_record_and_moves_its_version(self):
        before = self.held(self.uuid).version
        errand, done = self.run_()
        self.assertEqual(before, self.held(self.uuid).version)       # nothing to see yet
        self.assertEqual("attach_interface", replies_in(done)[0].errand.verb)
        [task] = errand_tasks(done)
        self.told(task)
        server = self.held(self.uuid).server
        self.assertEqual(before + 1, server.version)
        self.assertEqual(["10.0.0.5"], [one.ip for one in server.addresses])
        self.assertEqual("attached", self.errand(errand).rest)
        self.assertEqual([], self.findings())
        _same, done = self.run_("detach_interface", errand=errand)
        self.assertEqual(1, len(self.held(self.uuid).server.addresses))
        self.told(errand_tasks(done)[0])
        self.assertEqual((), self.held(self.uuid).server.addresses)
        self.assertEqual("gone", self.errand(errand).rest)

    def test_two_run_at_once_and_beside_a_verb(self):
        one, first = self.run_()
        two, second = self.run_("attach_volume", errands.VOLUME, subject="vol-1")
        self.command(commands.Act, self.uuid, verb="stop")
        self.told(errand_tasks(second)[0])
        self.told(errand_tasks(first)[0])
        server = self.held(self.uuid).server
        self.assertEqual("stop", server.verb)                # neither ended it nor lost its ticket
        self.report(self.uuid, ticket=server.ticket, power_state=4)
        server = self.held(self.uuid).server
        self.assertEqual("stopped", server.rest)
        self.assertEqual((1, 1), (len(server.addresses), len(server.attachments)))
        self.assertEqual([], self.findings())

    def test_none_begins_while_the_server_is_at_work_or_where_it_makes_no_sense(self):
        self.command(commands.Act, self.uuid, verb="stop")
        self.assertRaises(errors.Conflict, self.run_)
        self.command(commands.ResetState, self.uuid, rest="error")
        self.assertRaises(errors.Conflict, self.run_)

    def test_a_driver_that_cannot_is_not_asked(self):
        self.hello("h1", can=("boot", "stop"))
        self.assertRaises(errors.Unsupported, self.run_)

    def test_the_same_twice_is_a_conflict_and_once_detached_it_is_not(self):
        errand, done = self.run_("attach_volume", errands.VOLUME, subject="vol-1")
        again = lambda: self.run_("attach_volume", errands.VOLUME, subject="vol-1")  # noqa: E731
        self.assertRaises(errors.Conflict, again)
        self.told(errand_tasks(done)[0])
        self.assertRaises(errors.Conflict, again)
        self.told(errand_tasks(self.run_("detach_volume", errand=errand,
                                         kind=errands.VOLUME)[1])[0])
        again()

    def test_an_old_report_changes_nothing(self):
        errand, done = self.run_()
        [first] = errand_tasks(done)
        self.told(first)
        _same, done = self.run_("detach_interface", errand=errand)
        before = self.held(self.uuid).server
        self.told(first, result="failed", error="late")
        self.told(first, host="h2")
        self.assertEqual(before, self.held(self.uuid).server)
        self.assertEqual("detach_interface", self.errand(errand).verb)

    def test_what_fails_says_why_and_leaves_the_server_as_it_was(self):
        before = self.held(self.uuid).server
        errand, done = self.run_()
        self.told(errand_tasks(done)[0], result="failed", error="no more addresses",
                  family="over_limit")
        self.assertEqual(before, self.held(self.uuid).server)
        [answer] = replies_in(self.command(commands.ReadErrand, self.uuid, errand=errand))
        self.assertEqual(("gone", "no more addresses", "over_limit"),
                         (answer.errand.rest, answer.errand.fault, answer.errand.family))

    def test_what_its_way_back_left_is_released(self):
        errand, done = self.run_()
        self.told(errand_tasks(done)[0], result="failed", error="no", left=True)
        self.assertEqual(("release", "no"), (self.errand(errand).verb, self.errand(errand).fault))
        self.told(errand_tasks(self.conductor.watchdog.tick(NOW + 1))[0])
        self.assertEqual("gone", self.errand(errand).rest)

    def test_a_repeated_command_begins_nothing_twice(self):
        errand = self.ids.uuid()
        message = commands.Run(op="op-1", server=self.uuid, epoch=1, verb="attach_interface",
                               errand=errands.Errand(uuid=errand, server="", kind="interface"))
        self.conductor.handle(message, NOW)
        version = self.errand(errand).version
        [answer] = replies_in(self.conductor.handle(message, NOW))
        self.assertEqual((errand, version), (answer.errand.uuid, answer.errand.version))

    def test_lost_tasks_are_asked_about_again_and_in_the_end_given_up_and_released(self):
        errand, _lost = self.run_()
        self.assertEqual([], errand_tasks(self.conductor.watchdog.tick(NOW + 1)))
        [again] = errand_tasks(self.conductor.watchdog.tick(NOW + 31))
        self.assertEqual(errand, again.errand.uuid)
        self.assertEqual([errand], [one.errand.uuid for one in errand_tasks(
            self.another().start(NOW))])
        self.assertEqual([errand], [one.errand.uuid for one in errand_tasks(
            self.hello("h1", starting=True))])
        self.conductor.watchdog.tick(NOW + 700)
        held = self.errand(errand)
        self.assertEqual("release", held.verb)               # the host may have done it after all
        self.assertIn("did not finish", held.fault)
        self.told(again)                                     # and here it says so, too late
        self.assertEqual((), self.held(self.uuid).server.addresses)
        [task] = errand_tasks(self.conductor.watchdog.tick(NOW + 701))
        self.told(task, result="failed", error="network is down", now=NOW + 701)
        [task] = errand_tasks(self.conductor.watchdog.tick(NOW + 800))
        self.told(task, now=NOW + 800)
        self.assertEqual("gone", self.errand(errand).rest)
        self.assertEqual([], self.findings(NOW + 800))

    def attached(self):
        errand, done = self.run_()
        self.told(errand_tasks(done)[0])
        return errand

    def test_deleted_with_its_server(self):
        errand = self.attached()
        done = self.command(commands.Delete, self.uuid)
        [task] = [effect.message for effect in done if isinstance(effect, effects.Cast)
                  and isinstance(effect.message, tasks.Task)]
        self.assertEqual([errand], [one.uuid for one in task.attached])
        self.report(self.uuid, ticket=task.ticket, attached=task.attached)
        self.assertEqual("gone", self.errand(errand).rest)
        self.assertEqual([], errand_tasks(self.conductor.watchdog.tick(NOW + 31)))

    def test_what_the_host_could_not_let_go_of_any_host_releases(self):
        errand = self.attached()
        self.command(commands.Delete, self.uuid)
        self.report(self.uuid, ticket=self.held(self.uuid).server.ticket)
        self.assertTrue(self.held(self.uuid).server.deleted)
        self.assertEqual([], self.findings())
        [task] = errand_tasks(self.conductor.watchdog.tick(NOW + 1))
        self.assertEqual((errand, "release", None), (
            task.errand.uuid, task.errand.verb, task.record))
        self.told(task)
        self.assertEqual("gone", self.errand(errand).rest)

    def test_a_boot_writes_down_what_it_is_to_attach_before_it_is_asked_for(self):
        self.uuid = self.ids.uuid()
        message = commands.Boot(
            op="op-b", server=self.uuid, epoch=1, record=self.held_record(self.uuid),
            request=self.request())
        self.conductor.handle(message, NOW)
        with self.store.read() as tx:
            [errand] = self.store.errands.of(tx, self.uuid)
        done = self.acks(self.uuid, "confirmed")
        [task] = [effect.message for effect in done if isinstance(effect, effects.Cast)
                  and isinstance(effect.message, tasks.Task)]
        self.assertEqual((errand,), task.attached)
        filled = model.replace(errand, interface=model.Interface(
            errand=errand.uuid, port_id="p", net_id="n", mac="m", addresses=(
                model.Address(network="n", ip="10.0.0.9", version=4, mac="m"),)))
        self.report(self.uuid, ticket=1, attached=(filled,))
        self.assertEqual(["10.0.0.9"], [one.ip for one in self.held(self.uuid).server.addresses])
        self.assertEqual("attached", self.errand(errand.uuid).rest)
        self.assertEqual([], self.findings())

    def test_an_offer_that_went_elsewhere_leaves_no_errand(self):
        self.uuid = self.ids.uuid()
        self.conductor.handle(commands.Boot(
            op="op-b", server=self.uuid, epoch=1, record=self.held_record(self.uuid),
            request=self.request()), NOW)
        self.conductor.handle(records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=self.uuid, epoch=1, version=1, answer="moved"),)), NOW)
        with self.store.read() as tx:
            self.assertEqual([], self.store.errands.of(tx, self.uuid))

    def held_record(self, uuid):
        return model.replace(self.held(next(iter(self.allocated()))).server, uuid=uuid, host=None,
                             rest="building", verb="boot", version=0)

    def request(self):
        from nova_cells.domain import boot
        return boot.BootRequest(attached=(errands.Errand(uuid="", server="", kind="interface"),))
