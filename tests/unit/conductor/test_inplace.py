# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rebuild, rescue, passwords, soft deletion and its end, as a cell keeps them."""

from nova_cells.conductor import service
from nova_cells.domain import boot, commands, errors, records, resources, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from tests.unit.conductor import base

NOW = base.NOW
FIRST, SECOND = model.ImageFacts(id="first"), model.ImageFacts(id="second")
CAPABILITIES = ("boot", "stop", "start", "pause", "rebuild", "rescue", "change_password",
                "crash_dump")


class Inplace(base.CellTest):
    def hello(self, host, now=NOW, conductor=None, vcpus=4, starting=False,
              capabilities=CAPABILITIES):
        inventory = {name: resources.Inventory(total=1000) for name in (
            resources.VCPU, resources.MEMORY_MB, resources.DISK_GB)}
        return (conductor or self.conductor).handle(tasks.Hello(
            host=host, uuid="00000000-0000-4000-8000-0000000000a1", node=host,
            capabilities=capabilities, inventory=inventory, starting=starting), now)

    def server(self, uuid):
        return self.held(uuid).server

    def act(self, uuid, verb, **wanted):
        done = self.command(commands.Act, uuid, verb=verb, wanted=wants.Wanted(**wanted))
        return base.tasks_in(done)[0]

    def rows(self, uuid):
        with self.store.read() as tx:
            return (self.store.servers.request(tx, uuid), self.store.servers.secrets(tx, uuid),
                    self.store.servers.wanted(tx, uuid))


class Rebuild(Inplace):
    def rebuild(self, uuid, **renewal):
        return self.act(uuid, "rebuild", image=SECOND, secrets=boot.Sealed(once="sealed-pw"),
                        renewal=wants.Renewal(**renewal))

    def test_record_says_it_at_once_and_the_task_carries_it(self):
        uuid = self.active()
        task = self.rebuild(uuid, name="n", metadata={"a": "b"}, user_data="sealed-data",
                            key=boot.Key(name="k", kind="ssh", data="d"), description=None)
        server = self.server(uuid)
        self.assertEqual(("rebuild", "n", {"a": "b"}, SECOND, "k", True),
                         (server.verb, server.name, server.metadata, server.image,
                          server.key_name, server.has_user_data))
        self.assertEqual(server, task.record)
        self.assertEqual(("k", "sealed-data", "sealed-pw"), (
            task.request.key.name, task.secrets.user_data, task.wanted.secrets.once))
        self.assertIn(("user_data", uuid), self.marks())
        self.report(uuid, task.ticket, power_state=1)
        request, secrets, wanted = self.rows(uuid)
        self.assertEqual(("k", "sealed-data", wants.Wanted()),
                         (request.key.name, secrets.user_data, wanted))
        self.assertEqual(("active", None), (self.server(uuid).rest, self.server(uuid).fault))

    def test_what_is_not_given_stays(self):
        uuid = self.active()
        before = self.server(uuid)
        self.rebuild(uuid)
        after = self.server(uuid)
        self.assertEqual((before.name, before.key_name, before.has_user_data),
                         (after.name, after.key_name, after.has_user_data))
        self.assertNotIn(("user_data", uuid), self.marks())

    def test_user_data_goes_up_as_it_is_then(self):
        uuid = self.active()
        self.rebuild(uuid, user_data="sealed-data")
        casts = self.conductor.handle(service.effects.Tick(job="relay"), NOW + 60)
        upload = casts[0].message
        found, = [record for record in upload.records if record.kind == "user_data"]
        self.assertEqual(("sealed-data", self.server(uuid).version),
                         (found.user_data.sealed, found.user_data.version))
        self.conductor.handle(records.Acks(batch=upload.batch, acks=(records.Ack(
            kind="user_data", uuid=uuid, epoch=0, version=found.version, answer="ok"),)), NOW + 61)
        self.assertNotIn(("user_data", uuid), self.marks())

    def test_one_that_was_off_is_off(self):
        uuid = self.active()
        self.report(uuid, self.act(uuid, "stop").ticket, power_state=4)
        self.report(uuid, self.rebuild(uuid).ticket, power_state=4)
        self.assertEqual(("stopped", 4), (self.server(uuid).rest, self.server(uuid).power_state))

    def test_failed_it_shows_the_image_that_it_has(self):
        uuid = self.active()
        first = self.rebuild(uuid)
        self.report(uuid, first.ticket)
        task = self.act(uuid, "rebuild", image=FIRST)
        self.report(uuid, task.ticket, result="failed", error="no")
        server = self.server(uuid)
        self.assertEqual(("error", SECOND, "no"), (server.rest, server.image, server.fault.message))

    def test_what_the_host_cannot(self):
        uuid = self.active()
        for wanted in (dict(options={"preserve_ephemeral": "true"}),
                       dict(renewal=wants.Renewal(trusted_certificates=("c",)))):
            self.assertRaises(errors.Unsupported, self.act, uuid, "rebuild", image=SECOND,
                              **wanted)
        self.hello("h1", capabilities=("boot", "stop"))
        self.assertRaises(errors.Unsupported, self.act, uuid, "rebuild", image=SECOND)
        self.assertIsNone(self.server(uuid).verb)

    def test_given_up_in_words(self):
        uuid = self.active()
        self.rebuild(uuid)
        self.conductor.handle(service.effects.Tick(job="watchdog"), NOW + 4000)
        server = self.server(uuid)
        self.assertEqual(("error", None), (server.rest, server.verb))
        self.assertIn("rebuild did not finish", server.fault.message)


class Secrets(Inplace):
    def test_a_password_lies_in_the_cell_no_longer_than_its_verb(self):
        uuid = self.active()
        for result, rest in (("done", "active"), ("failed", "active")):
            task = self.act(uuid, "change_password", secrets=boot.Sealed(once="sealed-pw"))
            self.assertEqual("sealed-pw", self.rows(uuid)[2].secrets.once)
            self.report(uuid, task.ticket, result=result, error="no")
            self.assertEqual((wants.Wanted(), rest), (self.rows(uuid)[2], self.server(uuid).rest))

    def test_rescue_is_told_what_the_guest_was_booted_with(self):
        uuid = self.active()
        task = self.act(uuid, "rescue", image=SECOND)
        self.assertEqual((boot.BootRequest(), SECOND), (task.request, task.wanted.image))
        self.report(uuid, task.ticket, power_state=1)
        self.assertEqual(("rescued", None), (self.server(uuid).rest, self.server(uuid).image))


class SoftDeletion(Inplace):
    def soft(self):
        uuid = self.active()
        self.report(uuid, self.act(uuid, "soft_delete").ticket, power_state=4, now=NOW + 10)
        return uuid

    def reclaim(self, now, **settings):
        conductor = self.another(**settings)
        return conductor.handle(service.effects.Tick(job="reclaim"), now)

    def test_it_is_deleted_for_good_when_its_time_has_come(self):
        uuid = self.soft()
        self.assertEqual(("soft_deleted", NOW + 10),
                         (self.server(uuid).rest, self.server(uuid).deleted_at))
        self.assertEqual({uuid}, set(self.allocated()))
        self.assertEqual([], self.reclaim(NOW + 1e9))
        self.assertEqual([], self.reclaim(NOW + 69, reclaim_instance_interval=60))
        task, = base.tasks_in(self.reclaim(NOW + 70, reclaim_instance_interval=60))
        self.assertEqual("delete", task.verb)
        self.assertEqual([], self.reclaim(NOW + 71, reclaim_instance_interval=60))
        self.report(uuid, task.ticket)
        self.assertTrue(self.server(uuid).deleted)
        self.assertEqual({}, self.allocated())

    def test_restored_in_time(self):
        uuid = self.soft()
        self.report(uuid, self.act(uuid, "restore").ticket, power_state=1)
        self.assertEqual(("active", None), (self.server(uuid).rest, self.server(uuid).deleted_at))
        self.assertEqual([], self.reclaim(NOW + 1e6, reclaim_instance_interval=60))

    def test_nothing_reclaims_one_that_is_being_restored(self):
        uuid = self.soft()
        self.act(uuid, "restore")
        self.assertEqual([], self.reclaim(NOW + 1e6, reclaim_instance_interval=60))

    def test_it_interrupts_no_delete(self):
        uuid = self.active()
        self.command(commands.Delete, uuid)
        self.assertRaises(errors.Conflict, self.act, uuid, "soft_delete")
