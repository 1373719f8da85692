# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Zones that host aggregates make: scheduling, servers and slots follow, in each cell."""

from tests.functional import deployment

HOST = "OS-EXT-SRV-ATTR:host"
ZONE = "OS-EXT-AZ:availability_zone"


class Zones(deployment.Deployed):
    def _places(self):
        text, head = super()._places(), "[cell.cell1]\n"
        line = "hosts = c1-h1, c1-h2\n"
        return text.replace(head, head + line) if head in text else text + head + line

    def aggregate(self, process, name, zone):
        status, document, _headers = self.ask(process, "POST", "/os-aggregates", {
            "aggregate": {"name": name, "availability_zone": zone}})
        self.assertEqual(200, status, document)
        return document["aggregate"]["id"]

    def act(self, process, number, key, host, expected=200):
        status, document, _headers = self.ask(
            process, "POST", f"/os-aggregates/{number}/action", {key: {"host": host}})
        self.assertEqual(expected, status, document)

    def counted(self, process):
        """zone -> how many cells count slots in it."""
        _status, document, _headers = self.ask(process, "GET", "/nova-cells/cells")
        found = {}
        for cell in document["cells"]:
            for zone, shapes in ((cell["slots"] or {}).get("shapes") and cell["slots"]["zones"]
                                 or {}).items():
                if sum(shapes.values()):
                    found[zone] = found.get(zone, 0) + 1
        return found

    def test_servers_go_where_their_zone_is(self):
        process = self.deploy()
        flavor = self.flavor(process)
        attic = self.aggregate(process, "a", "attic")
        self.act(process, attic, "add_host", "c1-h2")
        made = [self.created(process, flavor, availability_zone="attic") for _n in range(3)]
        self.assertComesTrue(lambda: set(self.statuses(process).values()) == {"ACTIVE"},
                             lambda: self.statuses(process))
        shown = self.servers(process)
        self.assertEqual({("c1-h2", "attic")},
                         {(shown[uuid][HOST], shown[uuid][ZONE]) for uuid in made})
        self.assertComesTrue(lambda: self.counted(process).get("attic") == 1,
                             lambda: self.counted(process))
        self.act(process, attic, "remove_host", "c1-h2", 409)
        plain = self.created(process, flavor, availability_zone="nova")
        self.assertComesTrue(lambda: self.statuses(process)[plain] == "ACTIVE",
                             lambda: self.statuses(process))
        self.assertNotEqual("c1-h2", self.servers(process)[plain][HOST])
        for uuid in made:
            self.ask(process, "DELETE", f"/servers/{uuid}")
        self.assertComesTrue(lambda: len(self.servers(process)) == 1,
                             lambda: self.statuses(process))
        self.act(process, attic, "remove_host", "c1-h2")
        status, _document, _headers = self.create(process, flavor, availability_zone="attic")
        self.assertEqual(400, status)
        self.assertComesTrue(lambda: "attic" not in self.counted(process),
                             lambda: self.counted(process))
        self.assertVerified()
