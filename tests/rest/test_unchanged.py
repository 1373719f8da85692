# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""ETags: whatever a reader would see otherwise has another one, and what is unchanged is cheap."""

import sqlalchemy as sa

from nova_cells.domain import records
from tests.rest import base


class Unchanged(base.RestCase):
    """``look`` asks for a list and for one server, as somebody, at a version."""

    def setUp(self):
        super().setUp()
        self.uuid = self.create(name="one", user_data="c2VjcmV0")
        self.create(name="two")

    def paths(self, uuid=None, before="", query=""):
        return (f"{before}/servers/detail?{query}", f"{before}/servers/{uuid or self.uuid}")

    def look(self, path, **more):
        answer = self.ask("GET", path, **more)
        self.assertEqual(200, answer.status, answer.text)
        return answer

    def assertSame(self, first, path, **more):
        headers = {**more.pop("headers", {}), "If-None-Match": first.headers["ETag"]}
        answer = self.ask("GET", path, headers=headers, **more)
        self.assertEqual((304, "", first.headers["ETag"]), (
            answer.status, answer.text, answer.headers["ETag"]))

    def assertOther(self, first, path, **more):
        headers = {**more.pop("headers", {}), "If-None-Match": first.headers["ETag"]}
        answer = self.ask("GET", path, headers=headers, **more)
        self.assertEqual(200, answer.status)
        self.assertNotEqual(first.headers["ETag"], answer.headers["ETag"])
        self.assertNotEqual(first.text, answer.text)

    def test_a_change_of_the_server(self):
        changes = (
            lambda: self.act(self.uuid, "os-stop"), lambda: self.act(self.uuid, "os-start"),
            lambda: self.ask("PUT", f"/servers/{self.uuid}", {"server": {"name": "new"}}),
            lambda: self.ask("POST", f"/servers/{self.uuid}/metadata", {"metadata": {"a": "b"}}),
            lambda: self.act(self.uuid, "lock"),
            lambda: self.act(self.uuid, "os-resetState", {"state": "error"}, token=base.ADMIN))
        for change in changes:
            for path in self.paths():
                first = self.look(path, version="2.73")
                self.assertSame(first, path, version="2.73")
            before = [self.look(path, version="2.73") for path in self.paths()]
            self.assertIn(change().status, (200, 202))
            for first, path in zip(before, self.paths(), strict=True):
                self.assertOther(first, path, version="2.73")

    def test_servers_that_come_and_go(self):
        path = self.paths()[0]
        first = self.look(path)
        uuid = self.create(name="three")
        self.assertOther(first, path)
        second = self.look(path)
        self.ask("DELETE", f"/servers/{uuid}")
        self.assertOther(second, path)

    def test_the_version(self):
        for path in self.paths():
            first = self.look(path)
            for version in ("2.9", "2.19", "2.26", "2.47", "2.63", "2.73", "2.96", "2.98"):
                self.assertOther(first, path, version=version)
                first = self.look(path, version=version)
                self.assertSame(first, path, version=version)

    def test_who_asks(self):
        """An admin is shown more, and nobody may be given another's list."""
        for path in self.paths(query="all_tenants=0"):
            first = self.look(path)
            other = self.ask("GET", path, token=base.ADMIN,
                             headers={"If-None-Match": first.headers["ETag"]})
            self.assertEqual(200, other.status)
        path = self.paths()[0]
        mine = self.look(path)
        theirs = self.ask("GET", path, token=base.OTHER,
                          headers={"If-None-Match": mine.headers["ETag"]})
        self.assertEqual((200, []), (theirs.status, theirs.json["servers"]))

    def test_where_links_lead(self):
        for place, path in enumerate(self.paths()):
            first = self.look(path)
            self.assertOther(first, path, headers={"Host": "cloud:8774"})
            self.assertOther(first, self.paths(before="/apples")[place])
            self.conf.set_override("compute_link_prefix", "https://elsewhere", group="api")
            self.assertOther(first, path)
            self.conf.clear_override("compute_link_prefix", group="api")
            self.assertSame(first, path)

    def test_what_is_asked(self):
        path = self.paths()[0]
        first = self.look(path)
        self.assertOther(first, path + "limit=1")
        self.assertOther(first, path + "sort_dir=asc")

    def test_the_status_of_the_host(self):
        changes = (lambda: self.host(disabled=True), lambda: self.host(disabled=False),
                   lambda: self.host(up=False), lambda: self.host(up=True),
                   lambda: self.host(forced_down=True), lambda: self.host(forced_down=False),
                   lambda: self.cell(False), lambda: self.cell(True))
        paths = self.paths(query="all_tenants=1")
        who = {"token": base.ADMIN, "version": "2.16"}
        for change in changes:
            before = [self.look(path, **who) for path in paths]
            for first, path in zip(before, paths, strict=True):
                self.assertSame(first, path, **who)
            change()
            for first, path in zip(before, paths, strict=True):
                self.assertOther(first, path, **who)

    def host(self, **facts):
        self.versions = getattr(self, "versions", 1) + 1
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=base.CELL[:-4] + "0bad", name="node-1", version=self.versions, **facts),
                self.versions, self.clock.time())

    def cell(self, is_up):
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, self.clock.time(), up=is_up)

    def test_an_old_answer_says_so_even_unchanged(self):
        path = self.paths()[0]
        first = self.look(path)
        self.cell(False)
        self.clock.now += 5
        answer = self.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual(304, answer.status)
        self.assertIn("X-Nova-Cells-Age", answer.headers)

    def test_one_statement_and_no_document(self):
        path = self.paths()[0]
        first = self.look(path)
        said = []
        sa.event.listen(self.view.engine, "before_cursor_execute",
                        lambda _c, _u, statement, *_more: said.append(statement))
        self.assertSame(first, path)
        said = [one for one in said if "SELECT" in one]
        self.assertEqual(1, len(said), said)
        self.assertNotIn("doc", said[0])
