# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Services are enabled, disabled, forced down, deleted: orders to the cell that owns the host."""

from nova_cells.domain import commands, records
from nova_cells.domain import server as model
from tests.rest import base

HOST = base.CELL[:-4] + "0bad"
OTHER = "0b000000-0000-4000-8000-00000000000b"
COMPUTE = {"host": "node-1", "binary": "nova-compute"}


class Services(base.RestCase):
    def put(self, path, body, version="2.53", status=200):
        answer = self.ask("PUT", f"/os-services/{path}", body, token=base.ADMIN, version=version)
        self.assertEqual(status, answer.status, answer.text)
        return answer.json["service"] if status == 200 else answer.message

    def shown(self, version="2.53"):
        answer = self.ask("GET", "/os-services?binary=nova-compute", token=base.ADMIN,
                          version=version)
        service, = answer.json["services"]
        return service

    def change(self, **facts):
        with self.view.write() as tx:
            (_id, cell, host), = self.view.records.hosts(tx)
            host = model.replace(host, version=host.version + 1, **facts)
            self.view.records.keep_host(tx, cell, host, host.version, self.clock.time())


class ById(Services):
    def test_disable_and_enable(self):
        shown = self.put(HOST, {"status": "disabled", "disabled_reason": "dust"})
        self.assertEqual(("disabled", "dust", False), (
            shown["status"], shown["disabled_reason"], shown["forced_down"]))
        self.assertEqual(shown, self.shown())
        self.assertEqual(commands.SetHost, type(self.child.calls[-1]))
        shown = self.put(HOST, {"status": "enabled"})
        self.assertEqual(("enabled", None), (shown["status"], shown["disabled_reason"]))

    def test_forced_down_and_both_at_once(self):
        shown = self.put(HOST, {"forced_down": True, "status": "disabled"})
        self.assertEqual(("down", True, "disabled"), (
            shown["state"], shown["forced_down"], shown["status"]))
        self.assertEqual(("enabled"), self.put(HOST, {
            "forced_down": False, "status": "enabled"})["status"])

    def test_wrong(self):
        for body in ({}, {"disabled_reason": "dust"},
                     {"status": "enabled", "disabled_reason": "dust"}):
            self.put(HOST, body, status=400)
        self.assertIn("Only nova-compute services", self.put(
            self.conductor(), {"status": "disabled"}, status=400))
        self.assertEqual([], self.child.calls)

    def conductor(self):
        return self.ask("GET", "/os-services?binary=nova-conductor", token=base.ADMIN,
                        version="2.53").json["services"][0]["id"]

    def test_delete(self):
        path = f"/os-services/{HOST}"
        answer = self.ask("DELETE", path, token=base.ADMIN, version="2.53")
        self.assertEqual((409, "the host node-1 is up"), (answer.status, answer.message))
        self.change(up=False)
        self.assertEqual(204, self.ask("DELETE", path, token=base.ADMIN, version="2.53").status)
        self.assertEqual(404, self.ask("DELETE", path, token=base.ADMIN, version="2.53").status)
        self.assertEqual([], self.ask("GET", "/os-services?binary=nova-compute",
                                      token=base.ADMIN).json["services"])

    def test_delete_by_number(self):
        self.change(up=False)
        number = self.shown("2.1")["id"]
        self.assertEqual(204, self.ask("DELETE", f"/os-services/{number}",
                                       token=base.ADMIN).status)

    def test_not_for_everybody(self):
        for method in ("PUT", "DELETE"):
            self.assertEqual(403, self.ask(method, f"/os-services/{HOST}",
                                           {"status": "enabled"} if method == "PUT" else None,
                                           version="2.53").status)


class ByName(Services):
    def test_orders(self):
        for order, body, shown in (
                ("disable", {}, {"status": "disabled"}),
                ("enable", {}, {"status": "enabled"}),
                ("disable-log-reason", {"disabled_reason": "dust"},
                 {"status": "disabled", "disabled_reason": "dust"}),
                ("force-down", {"forced_down": "true"}, {"forced_down": True})):
            self.assertEqual(COMPUTE | shown, self.put(order, COMPUTE | body, version="2.11"))
        self.assertEqual(("disabled", "dust", True, "down"), tuple(
            self.shown()[key] for key in ("status", "disabled_reason", "forced_down", "state")))

    def test_wrong(self):
        self.put("explode", COMPUTE, "2.1", 404)
        self.put("force-down", COMPUTE, "2.1", 404)
        self.put("force-down", COMPUTE, "2.11", 400)
        self.put("disable-log-reason", COMPUTE, "2.1", 400)
        self.put("enable", COMPUTE | {"host": "none"}, "2.1", 404)
        self.put("enable", {"host": "cell1", "binary": "nova-conductor"}, "2.1", 400)
        self.assertEqual([], self.child.calls)

    def test_two_cells_with_equal_host_names(self):
        with self.view.write() as tx:
            self.view.cells.create(tx, OTHER, "beta", "local://beta", 1.0)
            self.view.records.keep_host(tx, OTHER, records.HostRecord(
                uuid=OTHER, name="node-1", version=1), 1, 1.0)
        message = self.put("disable", COMPUTE, "2.1", 400)
        self.assertIn("More than one cell has a host node-1 (beta, cell1)", message)
        self.assertEqual("disabled", self.put(HOST, {"status": "disabled"})["status"])


class Tombstones(Services):
    """What the view keeps of a host that was forgotten."""

    def keep(self, version, uuid=HOST, **facts):
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=uuid, name="node-1", version=version, **facts), version, 1.0)

    def uuids(self):
        with self.view.read() as tx:
            return [host.uuid for _id, _cell, host in self.view.records.hosts(tx)]

    def test_late_record_does_not_bring_it_back_and_a_newer_one_does(self):
        self.keep(5, deleted=True)
        self.keep(4)
        self.assertEqual([], self.uuids())
        self.keep(6)
        self.assertEqual([HOST], self.uuids())

    def test_successor_of_its_name_before_or_after_its_tombstone(self):
        self.keep(1, uuid=OTHER)
        self.assertEqual([OTHER], self.uuids())
        self.keep(5, deleted=True)
        self.assertEqual([OTHER], self.uuids())
        self.keep(9)
        self.assertEqual([HOST], self.uuids())
