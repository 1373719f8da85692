# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An operator's word about a host, as its cell carries it out."""

import uuid as uuids

from nova_cells.domain import address, commands, effects, errors, records, tasks
from nova_cells.domain import server as model
from tests.unit.conductor import base

H1 = str(uuids.uuid5(uuids.NAMESPACE_DNS, "h1"))


class Orders(base.CellTest):
    def order(self, kind, host="h1", uuid=H1, **fields):
        return self.conductor.handle(kind(host=host, uuid=uuid, **fields), base.NOW + 1)

    def answer(self, *words, **fields):
        found, = base.replies_in(self.order(*words, **fields))
        return found

    def host(self, name="h1"):
        with self.store.read() as tx:
            return self.store.hosts.get(tx, name)

    def stop(self):
        self.conductor.handle(tasks.Goodbye(host="h1", uuid=H1, life=""), base.NOW)

    def placed(self):
        """Whether an offer finds a place."""
        uuid = self.ids.uuid()
        self.offer(uuid)
        return self.held(uuid) is not None


class Caching(Orders):
    def sent(self):
        done = self.conductor.handle(commands.CacheImages(
            hosts=(H1,), images=(model.ImageFacts(id="i"),)), base.NOW + 1)
        return [(cast.to, cast.message) for cast in done]

    def test_only_hosts_that_are_up_and_can(self):
        self.assertEqual([], self.sent())
        with self.store.write() as tx:
            known = self.store.hosts.get(tx, "h1")
            self.store.hosts.put(tx, model.replace(
                known, capabilities=(*known.capabilities, "cache_images")), base.NOW)
        self.assertEqual([(address.Host(self.conductor.cell, "h1"), tasks.FetchImages(
            images=(model.ImageFacts(id="i"),), host_uuid=H1))], self.sent())
        self.stop()
        self.assertEqual([], self.sent())


class Setting(Orders):
    def test_disabled_takes_nothing_new_and_serves_what_it_has(self):
        uuid = self.active()
        record = self.answer(commands.SetHost, disabled=True, reason="dust")
        self.assertEqual((True, "dust", False), (
            record.host.disabled, record.host.disabled_reason, record.host.forced_down))
        self.assertIn(("host", H1), self.marks())
        self.assertFalse(self.placed())
        self.assertEqual("stop", base.tasks_in(self.command(commands.Act, uuid, verb="stop"))[
            0].verb)
        record = self.answer(commands.SetHost, disabled=False)
        self.assertEqual((False, None), (record.host.disabled, record.host.disabled_reason))
        self.assertTrue(self.placed())

    def test_who_chose_by_an_old_snapshot_chooses_again(self):
        with self.store.read() as tx:
            before = self.store.resources.generations(tx)[H1]
        self.order(commands.SetHost, disabled=True)
        with self.store.write() as tx:
            self.assertFalse(self.store.resources.claim(tx, "s", "here", H1, before, {"VCPU": 1}))

    def test_forced_down_counts_as_down_whatever_it_says(self):
        self.order(commands.SetHost, forced_down=True)
        self.hello("h1", base.NOW + 2)
        with self.store.read() as tx:
            self.assertFalse(self.conductor.hosts.is_up(tx, "h1"))
        self.assertFalse(self.placed())
        self.order(commands.SetHost, forced_down=False)
        self.assertTrue(self.placed())

    def test_what_was_set_outlives_the_host_s_next_words(self):
        self.order(commands.SetHost, disabled=True, reason="dust")
        self.hello("h1", base.NOW + 2, starting=True)
        self.assertTrue(self.host().disabled)

    def test_repeated_changes_nothing(self):
        version = self.answer(commands.SetHost, disabled=True, reason="dust").version
        self.assertEqual(version, self.answer(commands.SetHost, disabled=True,
                                              reason="dust").version)

    def test_no_such_host(self):
        for how in ({"host": "h2"}, {"uuid": "another"}):
            self.assertEqual("not_found", self.answer(commands.SetHost, disabled=True,
                                                      **how).family)

    def test_one_that_came_through_the_collector_is_answered_there_too(self):
        done = self.order(commands.SetHost, disabled=True, order="o1")
        self.assertIn(effects.Cast(address.Collector(self.identity.uuid), records.HostSettled(
            order="o1", record=base.replies_in(done)[0])), done)
        done = self.order(commands.SetHost, host="h2", order="o2")
        self.assertEqual("the cell has no host h2 with the uuid " + H1, done[0].message.problem)


class Forgetting(Orders):
    def test_not_while_it_is_up(self):
        answer = self.answer(commands.ForgetHost)
        self.assertEqual("conflict", answer.family)
        self.assertIn("stop its nova-cells-compute", answer.message)
        self.assertIsNotNone(self.host())

    def test_not_while_it_has_servers(self):
        self.active()
        self.stop()
        self.assertIn("has 1 servers", self.answer(commands.ForgetHost).message)

    def test_an_offer_that_claimed_it_counts(self):
        self.offer(self.ids.uuid())
        self.stop()
        self.assertIn("has 1 servers", self.answer(commands.ForgetHost).message)

    def test_nothing_of_it_is_left_but_a_tombstone_that_goes_up(self):
        self.stop()
        record = self.answer(commands.ForgetHost)
        self.assertTrue(record.host.deleted)
        self.assertEqual("h1", record.host.name)
        self.assertIsNone(self.host())
        self.assertIn(("host", H1), self.marks())
        with self.store.read() as tx:
            self.assertEqual({}, self.store.resources.generations(tx))
        sent = self.conductor.relay.tick(base.NOW + 2)[0].message.records
        self.assertEqual([0], [one.slots.hosts for one in sent if one.kind == "slots"])
        self.assertEqual([True], [one.host.deleted for one in sent if one.kind == "host"])
        self.assertEqual(record, self.answer(commands.ForgetHost))     # repeated

    def test_its_name_is_free_and_its_versions_go_on(self):
        self.stop()
        version = self.answer(commands.ForgetHost).version
        self.conductor.handle(tasks.Hello(host="h1", uuid="fresh", node="h1"), base.NOW + 2)
        self.assertEqual("fresh", self.host().uuid)
        # The old one comes back under another name: nobody has it now.
        self.hello("h9", base.NOW + 3)
        self.conductor.handle(tasks.Hello(host="renamed", uuid=H1, node="r"), base.NOW + 4)
        self.assertEqual(H1, self.host("renamed").uuid)
        self.assertGreater(self.host("renamed").version, version)
        self.assertTrue(self.placed())

    def test_resync_sends_tombstones_too(self):
        self.stop()
        self.answer(commands.ForgetHost)
        with self.store.write() as tx:
            self.store.outbox.drop(tx, "host", H1)
        self.conductor.handle(commands.Resync(bucket=0, order="o"), base.NOW + 2)
        self.assertIn(("host", H1), self.marks())

    def test_two_at_once_do_not_undo_one_another(self):
        """A change saved from an old copy of the record is refused, and decided again."""
        stale = self.host()
        self.order(commands.SetHost, disabled=True)
        with self.store.write() as tx:
            self.assertRaises(errors.Stale, self.store.hosts.put, tx, stale, base.NOW)
