# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""resize, migrate, confirm and revert over REST; the lists of migrations at their boundaries."""

from nova_cells.domain import migration as model
from nova_cells.domain import records
from nova_cells.domain import server as servers
from tests.rest import base

SMALL = servers.Flavor(id="1", name="m1.tiny", vcpus=1, ram_mb=512, disk_gb=1)
BIG = servers.Flavor(id="2", name="m1.big", vcpus=4, ram_mb=1024, disk_gb=2)
MANAGER = base.MEMBER


class Case(base.RestCase):
    def setUp(self):
        super().setUp()
        with self.view.write() as tx:
            for flavor in (BIG, servers.replace(BIG, id="3", name="none", disk_gb=0),
                           servers.replace(BIG, id="4", name="off", disabled=True),
                           servers.replace(BIG, id="5", name="secret", public=False),
                           servers.replace(BIG, id="6", name="vast", vcpus=40)):
                self.view.flavors.create(tx, flavor, self.clock.time())
        self.uuid = self.create()

    def reserved(self):
        with self.view.read() as tx:
            return self.view.quota.usage(tx, "apples")["cores"].reserved

    def become(self, **changes):
        """The cell moves the server on."""
        record = self.child.records[self.uuid]
        record = servers.replace(record, version=record.version + 1, **changes)
        self.child.records[self.uuid] = record
        with self.view.write() as tx:
            self.assertTrue(self.view.servers.apply(tx, record, base.CELL, self.clock.time()))
        return record

    def resized(self, old=SMALL, new=BIG):
        """It waits to be confirmed."""
        self.migration(kind=model.RESIZE, status="finished", old_flavor=old, new_flavor=new)
        return self.become(rest="resized", verb=None, phase=0, flavor=new, want={})

    def migration(self, **fields):
        one = model.Migration(**{
            "uuid": self.ids.uuid(), "server": self.uuid, "kind": model.LIVE, "status": "running",
            "source": "node-1", "source_node": "node-1.example", "dest": "node-2",
            "dest_node": "node-2.example", "dest_address": "10.0.0.2", "old_flavor": SMALL,
            "new_flavor": SMALL, "user_id": "ann", "project_id": "apples",
            "created_at": self.clock.time(), **fields})
        with self.view.write() as tx:
            self.view.migrations.keep(tx, base.CELL, one, one.version)
        return one


class Resize(Case):
    def test_it_is_ordered_with_the_flavor_whole(self):
        answer = self.act(self.uuid, "resize", {"flavorRef": "2", "OS-DCF:diskConfig": "AUTO"})
        self.assertEqual((202, ""), (answer.status, answer.text))
        command = self.child.calls[-1]
        self.assertEqual(("resize", BIG, {"disk_config": "AUTO"}),
                         (command.verb, command.wanted.flavor, command.wanted.options))

    def test_its_own_host_if_the_operator_allows_it(self):
        self.conf.set_override("allow_resize_to_same_host", True)
        self.act(self.uuid, "resize", {"flavorRef": "2"})
        self.assertEqual({"same_host": "yes"}, self.child.calls[-1].wanted.options)

    def test_what_cannot_be(self):
        calls = len(self.child.calls)
        for flavor, words in (("1", "must change flavor"), ("3", "zero disk"),
                              ("4", "could not be found"), ("5", "could not be found"),
                              ("nope", "could not be found")):
            answer = self.act(self.uuid, "resize", {"flavorRef": flavor})
            self.assertEqual(400, answer.status, answer.text)
            self.assertIn(words, answer.message)
        for body in ({}, {"flavorRef": ""}, {"flavorRef": "2", "more": 1}, None):
            self.assertEqual(400, self.act(self.uuid, "resize", body).status, body)
        self.assertEqual(calls, len(self.child.calls))

    def test_a_locked_one_and_one_that_is_busy(self):
        self.act(self.uuid, "pause")
        self.become(rest="paused", verb=None)
        answer = self.act(self.uuid, "resize", {"flavorRef": "2"})
        self.assertEqual(409, answer.status)
        self.assertIn("vm_state paused", answer.message)
        self.act(self.uuid, "lock")
        self.assertEqual(409, self.act(self.uuid, "resize", {"flavorRef": "2"}).status)

    def test_another_project_hears_of_nothing(self):
        for key in ("resize", "confirmResize", "revertResize", "migrate"):
            body = {"flavorRef": "2"} if key == "resize" else None
            self.assertEqual(404, self.act(self.uuid, key, body, token=base.OTHER).status, key)

    def test_a_cell_that_is_down(self):
        self.child.down = True
        for key, body in (("resize", {"flavorRef": "2"}), ("migrate", None)):
            answer = self.act(self.uuid, key, body, token=base.ADMIN)
            self.assertEqual(503, answer.status)


class Quota(Case):
    def test_the_difference_is_held_until_it_is_over(self):
        self.act(self.uuid, "resize", {"flavorRef": "2"})
        self.assertEqual(3, self.reserved())
        op = self.child.calls[-1].op
        self.upload(op, rest="resized", verb=None, phase=0, flavor=BIG)
        self.assertEqual(0, self.reserved())
        with self.view.read() as tx:
            self.assertEqual(4, self.view.quota.usage(tx, "apples")["cores"].in_use)

    def upload(self, op, **changes):
        """A record comes up, and says which operation brought the server there."""
        from nova_cells.collector import uploads
        record = servers.replace(self.child.records[self.uuid],
                                 version=self.child.records[self.uuid].version + 1, **changes)
        self.child.records[self.uuid] = record
        uploads.Uploads(self.view).apply(records.Upload(
            incarnation="i", batch=0, records=(records.Record(
                kind="server", uuid=self.uuid, epoch=record.epoch, version=record.version,
                server=record, op=op),)), base.CELL, self.clock.time())

    def test_a_word_about_another_operation_gives_nothing_back(self):
        self.act(self.uuid, "resize", {"flavorRef": "2"})
        self.upload(None, name="b")
        self.upload("00000000-0000-4000-8000-00000000abcd", name="c")
        self.assertEqual(3, self.reserved())
        self.upload(None, rest="deleted", verb=None)
        self.assertEqual(0, self.reserved())

    def test_too_much_is_refused_and_holds_nothing(self):
        answer = self.act(self.uuid, "resize", {"flavorRef": "6"})
        self.assertEqual(403, answer.status)
        self.assertIn("Quota exceeded for cores", answer.message)
        self.assertEqual(0, self.reserved())

    def test_what_the_cell_refuses_holds_nothing(self):
        from nova_cells.domain import errors
        real, self.child.call = self.child.call, lambda *_a: errors.Failure(
            family="conflict", message="no")
        self.assertEqual(409, self.act(self.uuid, "resize", {"flavorRef": "2"}).status)
        self.child.call = real
        self.assertEqual(0, self.reserved())

    def test_a_smaller_one_holds_what_it_would_take_again(self):
        self.resized(old=BIG, new=SMALL)
        self.assertEqual(202, self.act(self.uuid, "revertResize").status)
        self.assertEqual(3, self.reserved())

    def test_nobody_answered_so_the_cell_is_asked(self):
        from nova_cells.collector import service
        from nova_cells.domain import commands, effects
        self.child.down = True
        self.assertEqual(503, self.act(self.uuid, "resize", {"flavorRef": "2"}).status)
        self.assertEqual(3, self.reserved())
        collector = service.Collector(self.view, self.ids)
        tick = effects.Tick(job="reservations")
        self.assertEqual([], collector.handle(tick, self.clock.time()))
        self.clock.now += 40
        [cast] = collector.handle(tick, self.clock.time())
        self.assertIsInstance(cast.message, commands.Settle)
        self.assertEqual([], collector.handle(tick, self.clock.time()), "asked a moment ago")
        answer = records.Settled(op=cast.message.op, server=self.uuid)
        collector.handle(answer, self.clock.time(), "another cell")
        self.assertEqual(3, self.reserved())
        collector.handle(answer, self.clock.time(), base.CELL)
        self.assertEqual(0, self.reserved())


class Ends(Case):
    def test_status_and_order(self):
        for key, verb, status in (("confirmResize", "confirm_resize", 204),
                                  ("revertResize", "revert_resize", 202)):
            self.resized()
            self.assertEqual("VERIFY_RESIZE", self.ask(
                "GET", f"/servers/{self.uuid}").json["server"]["status"])
            self.assertEqual(status, self.act(self.uuid, key).status)
            self.assertEqual(verb, self.child.calls[-1].verb)
            self.become(rest="active", verb=None)

    def test_what_does_not_wait_is_a_conflict(self):
        for key in ("confirmResize", "revertResize"):
            self.assertEqual(409, self.act(self.uuid, key).status)


class Migrate(Case):
    def test_members_may_not(self):
        self.assertEqual(403, self.act(self.uuid, "migrate").status)

    def test_a_host_may_be_named_from_2_56_on(self):
        for version, body, host, status in (
                ("2.1", None, None, 202), ("2.55", {"host": "node-2"}, None, 202),
                ("2.56", None, None, 202), ("2.56", {"host": "node-2"}, "node-2", 202),
                ("2.56", {"host": None}, None, 202), ("2.56", {"host": "node-1"}, None, 400),
                ("2.56", {"host": ""}, None, 400), ("2.56", {"other": 1}, None, 400),
                ("2.56", "node-2", None, 400)):
            answer = self.act(self.uuid, "migrate", body, token=base.ADMIN, version=version)
            self.assertEqual(status, answer.status, (version, body, answer.text))
            if status == 202:
                self.assertEqual(("migrate", host), (self.child.calls[-1].verb,
                                                     self.child.calls[-1].wanted.host))
                self.become(rest="active", verb=None)


class Lists(Case):
    def list(self, version="2.1", query="", token=base.ADMIN, status=200):
        answer = self.ask("GET", f"/os-migrations{query}", token=token, version=version)
        self.assertEqual(status, answer.status, answer.text)
        return answer.json

    def test_keys_by_version(self):
        self.migration(kind=model.RESIZE, status="finished", new_flavor=BIG)
        old = {"id", "instance_uuid", "status", "old_instance_type_id", "new_instance_type_id",
               "created_at", "updated_at", "source_compute", "source_node", "dest_compute",
               "dest_node", "dest_host"}
        for version, more in (("2.1", set()), ("2.22", set()), ("2.23", {"migration_type"}),
                              ("2.58", {"migration_type"}), ("2.59", {"migration_type", "uuid"}),
                              ("2.80", {"migration_type", "uuid", "user_id", "project_id"})):
            [shown] = self.list(version)["migrations"]
            self.assertEqual(old | more, set(shown), version)
        self.assertEqual(("node-1", "node-2", "10.0.0.2"),
                         (shown["source_compute"], shown["dest_compute"], shown["dest_host"]))
        self.assertIsInstance(shown["id"], int)
        self.assertNotEqual(shown["old_instance_type_id"], shown["new_instance_type_id"])

    def test_links_of_what_is_under_way(self):
        self.migration()
        [shown] = self.list("2.23")["migrations"]
        self.assertTrue(shown["links"][0]["href"].endswith(
            f"/v2.1/servers/{self.uuid}/migrations/{shown['id']}"))
        self.assertNotIn("links", self.list("2.22")["migrations"][0])

    def test_filters_and_what_is_refused_from_2_59_on(self):
        self.migration()
        self.migration(kind=model.COLD, status="confirmed", source="node-3", user_id="bob",
                       project_id="bananas", created_at=1000.0, updated_at=2000.0)
        for query, version, found in (
                ("?status=running", "2.1", 1), ("?host=node-2", "2.1", 2),
                ("?source_compute=node-3", "2.1", 1), ("?migration_type=migration", "2.1", 1),
                (f"?instance_uuid={self.uuid}", "2.1", 2), ("?hidden=1", "2.1", 0),
                ("?nonsense=1", "2.58", 2), ("?changes-since=2020-01-01T00:00:00", "2.58", 2),
                ("?changes-since=2020-01-01T00:00:00", "2.59", 1),
                ("?changes-before=2020-01-01T00:00:00", "2.66", 1),
                ("?user_id=bob", "2.80", 1), ("?project_id=bananas", "2.80", 1)):
            self.assertEqual(found, len(self.list(version, query)["migrations"]),
                             (query, version))
        for query, version in (("?nonsense=1", "2.59"), ("?user_id=bob", "2.79"),
                               ("?changes-before=2020-01-01T00:00:00", "2.65"),
                               ("?changes-since=yesterday", "2.59"), ("?limit=-1", "2.59"),
                               ("?marker=nobody", "2.59"),
                               ("?changes-since=2021-01-01T00:00:00"
                                "&changes-before=2020-01-01T00:00:00", "2.66")):
            self.list(version, query, status=400)

    def test_pages(self):
        made = [self.migration().uuid for _number in range(5)][::-1]
        seen, query = [], "?limit=2"
        while query:
            page = self.list("2.59", query)
            seen += [one["uuid"] for one in page["migrations"]]
            links = page.get("migrations_links", [])
            query = "?" + links[0]["href"].partition("?")[2] if links else None
        self.assertEqual(made, seen)
        self.assertEqual([], self.list("2.59", "?limit=0")["migrations"])

    def test_who_may(self):
        self.list(token=base.MEMBER, status=403)


class OfServer(Case):
    def path(self, number=""):
        return f"/servers/{self.uuid}/migrations{number}"

    def test_only_live_ones_that_are_under_way(self):
        self.migration(kind=model.RESIZE)
        self.migration(status="completed")
        live = self.migration(memory_total=9, memory_processed=4, memory_remaining=5)
        for version, more in (("2.23", set()), ("2.59", {"uuid"}),
                              ("2.80", {"uuid", "user_id", "project_id"})):
            answer = self.ask("GET", self.path(), token=base.ADMIN, version=version)
            [shown] = answer.json["migrations"]
            one = self.ask("GET", self.path(f"/{shown['id']}"), token=base.ADMIN, version=version)
            self.assertEqual(shown, one.json["migration"])
            self.assertEqual((9, 4, 5, None), (
                shown["memory_total_bytes"], shown["memory_processed_bytes"],
                shown["memory_remaining_bytes"], shown["disk_total_bytes"]))
            self.assertEqual(16 + len(more), len(shown), version)
        self.assertEqual(live.uuid, shown["uuid"])

    def test_others_are_not_found(self):
        self.migration(kind=model.RESIZE)
        self.migration(status="completed")
        for number in ("1", "2", "99", "x", "9" * 30):
            answer = self.ask("GET", self.path(f"/{number}"), token=base.ADMIN, version="2.23")
            self.assertEqual(404, answer.status, number)
        self.assertEqual(404, self.ask("GET", self.path(), token=base.ADMIN,
                                       version="2.22").status)
        self.assertEqual(403, self.ask("GET", self.path(), version="2.23").status)
