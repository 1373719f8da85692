# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Services, availability zones and cells over REST, with a cell that is not heard any more."""

import uuid

from nova_cells.domain import records
from tests.rest import desk

UP, DOWN = "0a000000-0000-4000-8000-00000000000a", "0b000000-0000-4000-8000-00000000000b"
HOST = "c0000000-0000-4000-8000-00000000000"


class Base(desk.Desk):
    def setUp(self):
        super().setUp()
        now = self.now()
        with self.view.write() as tx:
            for cell, name, age in ((UP, "alpha", 1), (DOWN, "beta", 600)):
                self.view.cells.create(tx, cell, name, "rabbit://me:s3cret@bus/", now)
                self.view.cells.heard(tx, cell, now - age)
            self.view.cells.silent(tx, DOWN, now - 600)
            self.host(tx, UP, 1, "one")
            self.host(tx, UP, 2, "two", disabled=True, disabled_reason="dust")
            self.host(tx, DOWN, 3, "one")
            self.host(tx, DOWN, 4, "four")
            for number, zone in ((2, "attic"), (4, "cellar")):
                made = self.view.aggregates.create(tx, self.new_uuid(), zone, now)
                self.view.aggregates.set_metadata(tx, made, {"availability_zone": zone}, now)
                self.view.aggregates.add_host(tx, made, f"{HOST}{number}", now)
            self.view.records.keep_slots(tx, UP, records.SlotsRecord(
                cell=UP, version=1, slots={"VCPU=1": 5}, hosts=1, fullness=0.25), 1)

    def host(self, tx, cell, number, name, **facts):
        record = records.HostRecord(uuid=f"{HOST}{number}", name=name, version=1, **facts)
        self.view.records.keep_host(tx, cell, record, 1, self.now())


class Services(Base):
    def services(self, query="", **how):
        return self.call("GET", f"/os-services?{query}", **how).json["services"]

    def test_keys_and_ids_by_version(self):
        keys = {"id", "binary", "host", "zone", "status", "state", "updated_at",
                "disabled_reason"}
        for version, more in (("2.1", set()), ("2.10", set()), ("2.11", {"forced_down"}),
                              ("2.52", {"forced_down"}), ("2.53", {"forced_down"}),
                              ("2.104", {"forced_down"})):
            found = self.services(version=version)
            self.assertEqual(8, len({service["id"] for service in found}))
            for service in found:
                self.assertEqual(keys | more, set(service))
                if version in ("2.53", "2.104"):
                    uuid.UUID(service["id"])
                else:
                    self.assertIsInstance(service["id"], int)
                    self.assertLess(service["id"], 2**31)
        self.assertEqual(found, self.services(version="2.104"))

    def test_states(self):
        found = {(s["binary"], s["host"], s["zone"]): (s["state"], s["status"])
                 for s in self.services()}
        self.assertEqual({
            ("nova-conductor", "alpha", "internal"): ("up", "enabled"),
            ("nova-scheduler", "alpha", "internal"): ("up", "enabled"),
            ("nova-conductor", "beta", "internal"): ("down", "enabled"),
            ("nova-scheduler", "beta", "internal"): ("down", "enabled"),
            ("nova-compute", "two", "attic"): ("up", "disabled"),
            ("nova-compute", "one", "nova"): ("down", "enabled"),
            ("nova-compute", "four", "cellar"): ("down", "enabled")}, found)
        hosts = self.services("host=one")
        self.assertEqual(["down", "up"], sorted(service["state"] for service in hosts))

    def test_filters(self):
        self.assertEqual(4, len(self.services("binary=nova-compute")))
        self.assertEqual(2, len(self.services("host=alpha")))
        self.assertEqual([], self.services("host=alpha&binary=nova-compute"))
        self.assertEqual(8, len(self.services("color=red", version="2.74")))
        self.fault(400, "GET", "/os-services?color=red", version="2.75")
        self.fault(403, "GET", "/os-services", who="member")

    def test_bad_orders(self):
        good = {"host": "one", "binary": "nova-compute"}
        self.fault(404, "PUT", "/os-services/explode", good)
        self.fault(404, "PUT", "/os-services/force-down", good)
        self.fault(404, "PUT", "/os-services/enable", good | {"host": "none"})
        for body in ({}, {"host": "one"}, good | {"more": 1}, good | {"host": "a/b"},
                     good | {"host": "x" * 256}, good | {"binary": 5}):
            self.fault(400, "PUT", "/os-services/enable", body)
        self.fault(400, "PUT", "/os-services/disable-log-reason", good)
        self.fault(400, "PUT", "/os-services/force-down", good, version="2.11")
        self.fault(403, "PUT", "/os-services/enable", good, who="member")

    def test_bad_updates(self):
        nobody = "f0000000-0000-4000-8000-000000000000"
        for body in ({"status": "enabled"}, {"status": "disabled"},
                     {"status": "disabled", "disabled_reason": "dust"}):
            self.fault(404, "PUT", f"/os-services/{nobody}", body, version="2.53")
        for body in ({}, {"status": "on"}, {"forced_down": "perhaps"}, {"more": 1},
                     {"disabled_reason": "dust"},
                     {"status": "disabled", "disabled_reason": "x" * 256}):
            self.fault(400, "PUT", f"/os-services/{HOST}1", body, version="2.53")
        self.fault(400, "PUT", "/os-services/7", {"status": "enabled"}, version="2.53")
        self.fault(400, "DELETE", "/os-services/seven", version="2.52")
        self.fault(404, "DELETE", "/os-services/99999", version="2.52")
        self.fault(404, "DELETE", f"/os-services/{nobody}", version="2.53")


class Zones(Base):
    def test_short(self):
        body = self.call("GET", "/os-availability-zone", who="member").json
        self.assertEqual({"availabilityZoneInfo": [
            {"zoneName": "attic", "zoneState": {"available": False}, "hosts": None},
            {"zoneName": "cellar", "zoneState": {"available": True}, "hosts": None},
            {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}]}, body)

    def test_detail(self):
        zones = self.call("GET", "/os-availability-zone/detail").json["availabilityZoneInfo"]
        hosts = {zone["zoneName"]: zone["hosts"] for zone in zones}
        self.assertEqual({"attic", "cellar", "nova", "internal"}, set(hosts))
        self.assertIsNone(hosts["attic"])
        # Two hosts of one name, in two cells.
        self.assertEqual({"one": True, "one.beta": False}, {
            name: services["nova-compute"]["available"]
            for name, services in hosts["nova"].items()})
        self.assertEqual({"nova-conductor", "nova-scheduler"}, set(hosts["internal"]["alpha"]))
        self.assertEqual({"available", "active", "updated_at"},
                         set(hosts["cellar"]["four"]["nova-compute"]))

    def test_only_admins_see_hosts(self):
        self.fault(403, "GET", "/os-availability-zone/detail", who="member")


class Cells(Base):
    def test_list(self):
        reply = self.call("GET", "/nova-cells/cells")
        self.assertNotIn(b"s3cret", reply.body)
        self.assertNotIn(b"rabbit", reply.body)
        alpha, beta = reply.json["cells"]
        self.assertEqual(("alpha", "up", "beta", "down"), (
            alpha["name"], alpha["state"], beta["name"], beta["state"]))
        self.assertGreaterEqual(beta["age_seconds"], 600)
        self.assertEqual({"VCPU=1": 5}, alpha["slots"]["shapes"])
        self.assertEqual((0, None, True, None), (
            alpha["servers"], beta["slots"], beta["enabled"], beta["halted_reason"]))
        self.assertEqual((2, 0, 0, 2), (alpha["hosts_up"], alpha["hosts_down"],
                                        beta["hosts_up"], beta["hosts_down"]))

    def test_show_by_name_and_by_uuid(self):
        for name in ("alpha", UP):
            self.assertEqual(UP, self.call("GET", f"/nova-cells/cells/{name}").json["cell"]["uuid"])

    def test_disabled_and_enabled(self):
        path = "/nova-cells/cells/alpha"
        shown = self.call("PUT", path, {"cell": {
            "enabled": False, "disabled_reason": "moving house"}}).json["cell"]
        self.assertEqual((False, "moving house", "up"), tuple(
            shown[key] for key in ("enabled", "disabled_reason", "state")))
        shown = self.call("PUT", path, {"cell": {"enabled": "true"}}).json["cell"]
        self.assertEqual((True, None), (shown["enabled"], shown["disabled_reason"]))
        for body in ({}, {"enabled": "perhaps"}, {"enabled": True, "disabled_reason": "x"},
                     {"enabled": False, "disabled_reason": "x" * 256},
                     {"enabled": True, "name": "x"}):
            self.fault(400, "PUT", path, {"cell": body})
        self.fault(404, "PUT", "/nova-cells/cells/none", {"cell": {"enabled": True}})
        self.fault(403, "PUT", path, {"cell": {"enabled": True}}, who="member")

    def test_halted(self):
        with self.view.write() as tx:
            self.view.cells.update(tx, UP, self.now(), halted="restored from a backup")
        shown = self.call("GET", "/nova-cells/cells/alpha").json["cell"]
        self.assertEqual("restored from a backup", shown["halted_reason"])

    def test_refused(self):
        self.fault(404, "GET", "/nova-cells/cells/none")
        self.fault(403, "GET", "/nova-cells/cells", who="member")
        self.fault(403, "GET", "/nova-cells/cells/alpha", who="member")
