# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""os-migrateLive and what is below /servers/{id}/migrations: bodies, versions, who may."""

from nova_cells.domain import commands, lifecycle, migration, records
from nova_cells.domain import server as model
from tests.rest import base


class Live(base.RestCase):
    def migrate(self, uuid, version="2.1", token=base.ADMIN, **fields):
        return self.act(uuid, "os-migrateLive", fields, version=version, token=token)

    def host(self, name):
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=f"{name:0>8}-0000-4000-8000-000000000000".replace("node-", "00000"),
                name=name, version=1), 1, self.clock.time())

    def wanted(self):
        [act] = [call for call in self.child.calls if isinstance(call, commands.Act)][-1:]
        self.assertEqual("live_migrate", act.verb)
        return act.wanted

    def test_bodies_by_version(self):
        uuid = self.create()
        old = {"block_migration": False, "disk_over_commit": False, "host": None}
        new = {"block_migration": "auto", "host": None}
        for version, body, status in (
                ("2.1", old, 202), ("2.24", old, 202), ("2.25", old, 400),
                ("2.1", {"block_migration": False, "host": None}, 400), ("2.24", new, 400),
                ("2.1", {**old, "block_migration": "auto"}, 400), ("2.25", new, 202),
                ("2.25", {**new, "block_migration": True}, 202), ("2.25", {"host": None}, 400),
                ("2.29", {**new, "force": False}, 400), ("2.30", {**new, "force": False}, 202),
                ("2.67", {**new, "force": "False"}, 202), ("2.67", {**new, "force": 2}, 400),
                ("2.68", {**new, "force": False}, 400), ("2.104", new, 202),
                ("2.104", {**new, "host": ""}, 400), ("2.104", {**new, "host": "a b"}, 400),
                ("2.104", {**new, "more": 1}, 400), ("2.104", {"block_migration": "auto"}, 400)):
            answer = self.migrate(uuid, version, **body)
            self.assertEqual(status, answer.status, (version, body, answer.text))
            if status == 202:
                self.assertEqual("", answer.text)
        for body in (None, [], "x"):
            self.assertEqual(400, self.act(uuid, "os-migrateLive", body,
                                           token=base.ADMIN).status, body)

    def test_who_may(self):
        uuid = self.create()
        body = {"block_migration": "auto", "host": None}
        self.assertEqual(403, self.migrate(uuid, "2.30", token=base.MEMBER, **body).status)
        self.assertEqual(404, self.migrate(uuid, "2.30", token=base.OTHER, **body).status)
        self.assertEqual(202, self.migrate(uuid, "2.30", **body).status)

    def test_a_host(self):
        uuid = self.create()
        self.host("node-2")
        answer = self.migrate(uuid, "2.30", block_migration="auto", host="nowhere")
        self.assertEqual((400, "Compute host nowhere could not be found."),
                         (answer.status, answer.message))
        for version, force, options in (
                ("2.25", {}, {"forced": "1"}), ("2.30", {}, {}),
                ("2.33", {"force": True}, {"forced": "1"}), ("2.34", {}, {"async": "1"}),
                ("2.67", {"force": True}, {"async": "1", "forced": "1"}),
                ("2.68", {}, {"async": "1"})):
            answer = self.migrate(uuid, version, block_migration="auto", host="node-2", **force)
            self.assertEqual(202, answer.status, answer.text)
            wanted = self.wanted()
            self.assertEqual("node-2", wanted.host)
            self.assertEqual(options | {"block_migration": "auto"}, wanted.options, version)
        answer = self.migrate(uuid, "2.30", block_migration="auto", host=None, force=True)
        self.assertEqual((400, "Can't force to a non-provided destination"),
                         (answer.status, answer.message))

    def test_states_and_locks(self):
        uuid = self.create()
        body = {"block_migration": "auto", "host": None}
        self.act(uuid, "pause")
        self.assertEqual(202, self.migrate(uuid, "2.25", **body).status)
        self.act(uuid, "unpause")
        self.act(uuid, "os-stop")
        answer = self.migrate(uuid, "2.25", **body)
        self.assertEqual(409, answer.status)
        self.assertIn("Cannot 'os-migrateLive' instance", answer.message)
        # its state is said before its host is looked for
        self.assertEqual(409, self.migrate(uuid, "2.25", **body | {"host": "nowhere"}).status)
        waiting = self.create(run=False)
        self.assertEqual(409, self.migrate(waiting, "2.25", **body).status)
        missing = "5f8a1c5e-0000-4000-8000-00000000dead"
        self.assertEqual(404, self.migrate(missing, "2.25", **body).status)

    def test_a_cell_that_is_down(self):
        uuid = self.create()
        self.child.down = True
        answer = self.migrate(uuid, "2.25", block_migration="auto", host=None)
        self.assertEqual(503, answer.status)


class InProgress(base.RestCase):
    FIGURES = {f"{what}_{kind}_bytes" for what in ("memory", "disk")
               for kind in ("total", "processed", "remaining")}

    def setUp(self):
        super().setUp()
        self.uuid = self.create()
        self.number = self.kept("running", 1)
        self.path = f"/servers/{self.uuid}/migrations/{self.number}"

    def kept(self, status, number, kind=migration.LIVE, server=None):
        flavor = model.Flavor(id="1", name="m1.tiny", vcpus=1, ram_mb=512, disk_gb=1)
        one = migration.Migration(
            uuid=f"{number:08x}-0000-4000-8000-00000000feed", server=server or self.uuid,
            kind=kind, status=status, user_id="ann", project_id="apples", source="node-1",
            source_node="node-1.example", dest="node-2", dest_node="node-2.example",
            old_flavor=flavor, new_flavor=flavor, created_at=1_700_000_000.0, memory_total=512,
            memory_processed=12, memory_remaining=500)
        with self.view.write() as tx:
            self.view.migrations.keep(tx, base.CELL, one, 1)
            [row] = [row for row in self.view.migrations.of_server(tx, one.server)
                     if row.record.uuid == one.uuid]
        return row.id

    def moving(self, rest="active", verb="live_migrate"):
        """The server is on its way."""
        now = self.clock.time()
        record = model.replace(self.child.records[self.uuid], rest=rest)
        self.child.records[self.uuid] = record = lifecycle.begin(record, verb, now)
        with self.view.write() as tx:
            self.view.servers.apply(tx, record, base.CELL, now)

    def look(self, path, version="2.80", token=base.ADMIN):
        return self.ask("GET", path, version=version, token=token)

    def test_windows(self):
        listed = f"/servers/{self.uuid}/migrations"
        for method, path, below, first in (
                ("GET", listed, "2.22", "2.23"), ("GET", self.path, "2.22", "2.23"),
                ("DELETE", self.path, "2.23", "2.24")):
            self.assertEqual(404, self.ask(method, path, version=below,
                                           token=base.ADMIN).status, path)
            self.assertNotEqual(404, self.ask(method, path, version=first,
                                              token=base.ADMIN).status, path)
        body = {"force_complete": None}
        for version, status in (("2.21", 404), ("2.22", 409)):
            self.assertEqual(status, self.ask("POST", f"{self.path}/action", body,
                                              version=version, token=base.ADMIN).status)

    def test_documents(self):
        plain = {"id", "server_uuid", "status", "created_at", "updated_at", "source_compute",
                 "source_node", "dest_compute", "dest_node", "dest_host"} | self.FIGURES
        for version, more in (("2.23", set()), ("2.58", set()), ("2.59", {"uuid"}),
                              ("2.79", {"uuid"}), ("2.80", {"uuid", "user_id", "project_id"}),
                              ("2.104", {"uuid", "user_id", "project_id"})):
            one = self.look(self.path, version).json["migration"]
            self.assertEqual(plain | more, set(one), version)
            self.assertEqual([one], self.look(f"/servers/{self.uuid}/migrations",
                                              version).json["migrations"])
        self.assertEqual((self.number, self.uuid, "running", "node-1", "node-2", 512, None), (
            one["id"], one["server_uuid"], one["status"], one["source_compute"],
            one["dest_compute"], one["memory_total_bytes"], one["disk_total_bytes"]))
        self.assertEqual("2023-11-14T22:13:20.000000", one["created_at"])

    def test_only_live_ones_in_progress(self):
        over, cold = self.kept("completed", 2), self.kept("migrating", 3, migration.COLD)
        queued, foreign = self.kept("queued", 4), self.kept("running", 5, server=self.create())
        listed = self.look(f"/servers/{self.uuid}/migrations").json["migrations"]
        self.assertEqual([self.number, queued], [one["id"] for one in listed])
        for number, words in ((over, "is not in progress"), (cold, "is not live-migration"),
                              (foreign, "is not found"), ("x", "is not found"),
                              ("9" * 30, "is not found"), ("%C2%B2", "is not found")):
            answer = self.look(f"/servers/{self.uuid}/migrations/{number}")
            self.assertEqual((404, True), (answer.status, words in answer.message), answer.text)

    def test_who_may(self):
        body = {"force_complete": None}
        for token, status in ((base.MEMBER, 403), (base.OTHER, 404)):
            for method, path, given in (
                    ("GET", self.path, None), ("GET", f"/servers/{self.uuid}/migrations", None),
                    ("DELETE", self.path, None), ("POST", f"{self.path}/action", body)):
                answer = self.ask(method, path, given, version="2.80", token=token)
                self.assertEqual(status, answer.status, (token, method, path))

    def test_queries(self):
        path = f"/servers/{self.uuid}/migrations?x=1"
        self.assertEqual(200, self.look(path, "2.101").status)
        self.assertEqual(400, self.look(path, "2.102").status)

    def test_steering(self):
        self.moving()
        for method, path, body, version, word, early in (
                ("DELETE", self.path, None, "2.24", "abort", False),
                ("DELETE", self.path, None, "2.64", "abort", False),
                ("DELETE", self.path, None, "2.65", "abort", True),
                ("POST", f"{self.path}/action", {"force_complete": None}, "2.22",
                 "force_complete", False)):
            answer = self.ask(method, path, body, version=version, token=base.ADMIN)
            self.assertEqual((202, ""), (answer.status, answer.text))
            order = self.child.calls[-1]
            self.assertEqual((word, early, f"{1:08x}-0000-4000-8000-00000000feed"), (
                order.word, order.early, order.migration))

    def test_what_cannot_be_steered(self):
        nowhere = f"/servers/{self.uuid}/migrations/99"
        at_rest = self.ask("DELETE", self.path, version="2.24", token=base.ADMIN)
        self.assertEqual(409, at_rest.status)
        self.moving()
        self.assertEqual(404, self.ask("DELETE", nowhere, version="2.24",
                                       token=base.ADMIN).status)
        for given in ({"force_complete": {}}, {"force_complete": None, "x": 1}, {}, None):
            self.assertEqual(400, self.ask("POST", f"{self.path}/action", given, version="2.22",
                                           token=base.ADMIN, raw=b"" if given is None else None
                                           ).status, given)
