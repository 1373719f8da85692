# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Lists of servers: filters, sorts, pages."""

import urllib.parse

from nova_cells.domain import server as model
from tests.rest import base


class Lists(base.RestCase):
    def names(self, query="", token=base.MEMBER, version=None, path="/servers"):
        answer = self.ask("GET", f"{path}?{query}", token=token, version=version)
        self.assertEqual(200, answer.status, answer.text)
        return [one["name"] for one in answer.json["servers"]]

    def status(self, query, token=base.MEMBER, version=None):
        return self.ask("GET", f"/servers?{query}", token=token, version=version).status

    def three(self):
        return [self.create(name=name) for name in ("ant", "bee", "cat")]

    def test_newest_first_and_own_only(self):
        self.three()
        self.create(name="fox", token=base.OTHER)
        self.assertEqual(["cat", "bee", "ant"], self.names())
        self.assertEqual(["cat", "bee", "ant"], self.names(path="/servers/detail"))
        self.assertEqual([], self.names(token=base.ADMIN))
        self.assertEqual(["fox", "cat", "bee", "ant"], self.names("all_tenants=1",
                                                                  token=base.ADMIN))
        self.assertEqual(["fox", "cat", "bee", "ant"], self.names("all_tenants",
                                                                  token=base.ADMIN))
        own = self.names("", token=base.ADMIN)
        self.assertNotIn("fox", own)
        for words in ("tenant_id=bananas", "project_id=bananas", "all_tenants=0&tenant_id=bananas"):
            self.assertEqual(own, self.names(words, token=base.ADMIN), words)
        self.assertEqual(["fox"], self.names("all_tenants=&tenant_id=bananas", token=base.ADMIN))
        self.assertEqual(["fox"], self.names("all_tenants=1&project_id=bananas",
                                             token=base.ADMIN))
        self.assertEqual(["cat", "bee", "ant"], self.names("tenant_id=bananas"))

    def test_all_tenants_is_for_admins(self):
        self.assertEqual(403, self.status("all_tenants=1"))
        self.assertEqual(200, self.status("all_tenants=0"))
        self.assertEqual(400, self.status("all_tenants=maybe", token=base.ADMIN))

    def test_what_is_no_filter_and_never_was(self):
        """Refused from those who may use every filter, ignored from others."""
        self.three()
        for word in ("metadata", "services", "system_metadata", "pci_devices"):
            for version in ("2.1", "2.75"):
                query = word + "=" + urllib.parse.quote('{"k": "v"}')
                self.assertEqual(3, len(self.names(query, version=version)))
                answer = self.ask("GET", f"/servers?{query}", token=base.ADMIN, version=version)
                self.assertEqual((400, f"Invalid filter field: {word}."),
                                 (answer.status, answer.message))

    def test_by_name(self):
        self.three()
        for pattern, found in (("a", ["cat", "ant"]), ("^a", ["ant"]), ("t$", ["cat", "ant"]),
                               ("[bc]", ["cat", "bee"]), ("e{2}", ["bee"]), ("dog", []),
                               ("A", []), ("ant|bee", ["bee", "ant"]), ("^.e", ["bee"])):
            self.assertEqual(found, self.names("name=" + urllib.parse.quote(pattern)), pattern)
        for pattern in ("[", "(?=x)", "(a+)+", "a" * 300):
            self.assertEqual(400, self.status("name=" + urllib.parse.quote(pattern)), pattern)

    def test_by_status(self):
        first, _, last = self.three()
        self.act(first, "os-stop")
        self.create(name="dog", run=False)
        self.assertEqual(["cat", "bee"], self.names("status=ACTIVE"))
        self.assertEqual(["ant"], self.names("status=shutoff"))
        self.assertEqual(["dog", "ant"], self.names("status=SHUTOFF&status=BUILD"))
        self.assertEqual([], self.names("status=nonsense"))
        self.assertEqual(400, self.status("status=nonsense", version="2.38"))
        self.ask("DELETE", f"/servers/{last}")
        self.assertEqual(403, self.status("status=deleted"))
        self.assertEqual(["cat"], self.names("status=deleted&all_tenants=1", token=base.ADMIN))

    def test_by_equality(self):
        self.three()
        uuid = self.create(name="own", config_drive=True)
        for query, count in ((f"image={base.PICTURE}", 4), ("image=none-such", 0),
                             ("flavor=1", 4), ("flavor=99", 0),
                             ("reservation_id=r-none", 0)):
            self.assertEqual(count, len(self.names(query)), query)
        admin = {"token": base.ADMIN}
        for query, count in (
                ("host=node-1", 4), ("host=x", 0), ("node=node-1.example", 4),
                (f"uuid={uuid}", 1), ("user_id=ann", 4), ("availability_zone=nova", 4),
                ("vm_state=active", 4), ("task_state=none", 4), ("power_state=1", 4),
                ("power_state=running", 4), ("power_state=odd", 0), ("config_drive=true", 1),
                ("launch_index=0", 4), ("launch_index=x", 0), ("key_name=k", 0),
                ("created_at=2023-11-14T22:13:20Z", 4), ("created_at=garbage", 0),
                ("hostname=own", 1), ("kernel_id=x", 4), ("soft_deleted=true", 0)):
            self.assertEqual(count, len(self.names("all_tenants=1&" + query, **admin)), query)
        self.assertEqual(4, len(self.names("host=x")))       # not for everybody: passed over
        self.assertEqual(0, len(self.names("key_name=k", version="2.83")))

    def test_by_lock_and_tags(self):
        first, _, _ = self.three()
        self.create(name="tag", tags=["a", "b"], version="2.52")
        self.act(first, "lock")
        self.assertEqual(["ant"], self.names("locked=true", version="2.73"))
        self.assertEqual(["tag", "cat", "bee"], self.names("locked=false", version="2.73"))
        self.assertEqual(400, self.status("locked=odd", version="2.73"))
        for query, found in (("tags=a,b", ["tag"]), ("tags=a,c", []), ("tags-any=a,c", ["tag"]),
                             ("not-tags=a,b", ["cat", "bee", "ant"]),
                             ("not-tags-any=c", ["tag", "cat", "bee", "ant"])):
            self.assertEqual(found, self.names(query, version="2.26"), query)
        self.assertEqual(4, len(self.names("tags=a,c")))

    def test_by_address(self):
        uuid = self.create(name="net", run=False)
        self.child.confirm(uuid, addresses=(
            model.Address(network="n", ip="10.0.0.3", version=4, mac="02:00:00:00:00:01"),
            model.Address(network="n", ip="192.168.5.77", version=4, mac="02:00:00:00:00:02"),
            model.Address(network="n", ip="fe80::1", version=6, mac="02:00:00:00:00:01")))
        self.create(name="bare")
        for query, found in (("ip=10.0.0.3", ["net"]), ("ip=10.0", ["net"]), ("ip=0.0.3", []),
                             ("ip=^10\\.0\\.0\\.3$", ["net"]), ("ip=^10\\.0\\.0$", []),
                             ("ip=10.*77", []), ("ip=192.168", ["net"]), ("ip6=fe80", ["net"]),
                             ("ip=fe80", [])):
            words = query.split("=")[0] + "=" + urllib.parse.quote(query.split("=")[1])
            self.assertEqual(found, self.names(words, version="2.5"), query)
        shown = self.ask("GET", f"/servers/{uuid}/ips").json["addresses"]["n"]
        self.assertEqual({"version": 4, "addr": "10.0.0.3"}, shown[0])
        self.assertEqual(200, self.ask("GET", f"/servers/{uuid}/ips/n").status)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}/ips/m").status)

    def test_changes(self):
        first, second, _ = self.three()
        self.clock.now += 1000
        self.act(first, "os-stop")
        self.ask("DELETE", f"/servers/{second}")
        since = "2023-11-14T22:20:00Z"
        self.assertEqual(["bee", "ant"], self.names(f"changes-since={since}"))
        self.assertEqual(["cat"], self.names(f"changes-before={since}", version="2.66"))
        self.assertEqual([], self.names("changes-since=2051-01-01T12:34:00Z"))
        for bad in ("changes-since=2011/01/01", "changes-since=soon"):
            self.assertEqual(400, self.status(bad))
        self.assertEqual(400, self.status(f"changes-since={since}&changes-before="
                                          "2020-01-01T00:00:00Z", version="2.66"))

    def test_a_record_that_came_late_is_not_missed(self):
        """changes-since looks at when a state came in, too (law T17)."""
        uuid = self.create(name="late")
        self.clock.now += 5000
        with self.view.write() as tx:
            record = self.view.servers.record(tx, uuid)
            self.view.servers.apply(tx, model.replace(record, version=record.version + 1,
                                                      name="later"), base.CELL, self.clock.now)
        self.assertEqual(["later"], self.names("changes-since=2023-11-14T23:30:00Z"))

    def test_sorts(self):
        self.three()
        for query, found in (
                ("sort_key=display_name&sort_dir=asc", ["ant", "bee", "cat"]),
                ("sort_key=display_name", ["cat", "bee", "ant"]),
                ("sort_key=vm_state&sort_dir=asc&sort_key=display_name&sort_dir=desc",
                 ["cat", "bee", "ant"]),
                ("sort_key=metadata&sort_dir=asc", ["cat", "bee", "ant"])):
            self.assertEqual(found, self.names(query), query)
        self.assertEqual(400, self.status("sort_key=colour"))
        self.assertEqual(400, self.status("sort_key=uuid&sort_dir=up"))
        self.assertEqual(403, self.status("sort_key=host"))
        self.assertEqual(200, self.status("sort_key=host", token=base.ADMIN))

    def test_strict_from_2_75(self):
        self.assertEqual(200, self.status("colour=red", version="2.74"))
        self.assertEqual(400, self.status("colour=red", version="2.75"))


class Pages(base.RestCase):
    quota = {**base.RestCase.quota, "instances": 100, "cores": 100, "ram": 102400}

    def walk(self, query, path="/servers"):
        names, url, steps = [], f"{path}?{query}", 0
        while url:
            answer = self.ask("GET", url)
            self.assertEqual(200, answer.status, answer.text)
            names += [one["name"] for one in answer.json["servers"]]
            links = answer.json.get("servers_links")
            url = links[0]["href"].removeprefix("http://localhost/v2.1") if links else None
            steps += 1
            self.assertLess(steps, 50)
        return names

    def test_every_server_once_in_any_order(self):
        for number in range(11):
            uuid = self.create(name=f"s{number % 4}")
            if number % 3 == 0:
                self.act(uuid, "os-stop")
        everything = sorted(self.walk("limit=100"))
        for sort in ("", "sort_key=display_name&sort_dir=asc", "sort_key=uuid&sort_dir=desc",
                     "sort_key=vm_state&sort_dir=asc&sort_key=display_name&sort_dir=desc",
                     "sort_key=launched_at&sort_dir=asc", "sort_key=locked_by"):
            for limit in (1, 2, 5, 11):
                for path in ("/servers", "/servers/detail"):
                    walked = self.walk(f"limit={limit}&{sort}", path)
                    self.assertEqual(everything, sorted(walked), (sort, limit))
            self.assertEqual(self.walk(f"limit=100&{sort}"), self.walk(f"limit=3&{sort}"), sort)

    def test_pages_while_servers_come_and_go(self):
        uuids = [self.create(name=f"s{number}") for number in range(6)]
        first = self.ask("GET", "/servers?limit=3").json
        self.ask("DELETE", f"/servers/{uuids[3]}")           # the marker itself
        self.create(name="new")
        rest = self.ask("GET", f"/servers?marker={first['servers'][-1]['id']}").json["servers"]
        self.assertEqual(["s2", "s1", "s0"], [one["name"] for one in rest])

    def test_markers(self):
        mine = self.create()
        other = self.create(token=base.OTHER)
        self.assertEqual(200, self.ask("GET", f"/servers?marker={mine}").status)
        for marker in ("nothing", other, "5f8a1c5e-0000-4000-8000-00000000dead"):
            answer = self.ask("GET", f"/servers?marker={marker}")
            self.assertEqual((400, f"marker [{marker}] not found"),
                             (answer.status, answer.message))

    def test_limits(self):
        for number in range(3):
            self.create(name=f"s{number}")
        self.assertEqual(0, len(self.ask("GET", "/servers?limit=0").json["servers"]))
        self.assertEqual(3, len(self.ask("GET", "/servers?limit=99999").json["servers"]))
        self.assertNotIn("servers_links", self.ask("GET", "/servers?limit=4").json)
        for limit in ("-1", "x", "1.5", "", "9" * 50):
            self.assertEqual(400, self.ask("GET", f"/servers?limit={limit}").status, limit)
