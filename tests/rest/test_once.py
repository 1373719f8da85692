# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A create with a key is carried out once, and answered the same."""

import sqlalchemy as sa

from nova_cells.collector import service
from nova_cells.db.view import tables
from tests.rest import base


class Once(base.RestCase):
    quota = {"instances": 3, "cores": -1, "ram": -1, "metadata_items": 5, "key_pairs": 10}

    def post(self, key="k", name="a", path="/servers", version=None, token=base.MEMBER, **more):
        body = {"server": {"name": name, "flavorRef": "1", "imageRef": base.PICTURE, **more}}
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.ask("POST", path, body, headers=headers, version=version, token=token)

    def servers(self, token=base.MEMBER):
        return [server["id"] for server in self.ask("GET", "/servers", token=token).json["servers"]]

    def test_the_same_again(self):
        first = self.post()
        again = [self.post() for _ in range(3)]
        for answer in again:
            self.assertEqual((202, first.json, first.headers["Location"]),
                             (answer.status, answer.json, answer.headers["Location"]))
        self.assertIn("adminPass", first.json["server"])
        self.assertEqual([first.json["server"]["id"]], self.servers())
        self.assertEqual(1, len(self.child.casts))

    def test_also_when_what_it_named_is_gone(self):
        first = self.post()
        self.ask("DELETE", "/flavors/1", token=base.ADMIN)
        self.assertEqual(first.json, self.post().json)
        self.assertEqual(400, self.post("other").status)

    def test_something_else_under_the_same_key(self):
        self.assertEqual(202, self.post().status)
        for answer in (self.post(name="b"), self.post(version="2.2"),
                       self.post(description=None, version="2.19")):
            self.assertEqual((422, 422), (answer.status,
                                          answer.json["unprocessableEntity"]["code"]))
        self.assertEqual(1, len(self.servers()))

    def test_each_user_and_project_has_its_own(self):
        ids = {self.post(token=token).json["server"]["id"]
               for token in (base.MEMBER, "ann:pears", "bob:apples", base.OTHER)}
        self.assertEqual(4, len(ids))

    def test_other_keys_and_none(self):
        ids = {self.post(key).json["server"]["id"] for key in ("a", "b", None)}
        self.assertEqual(3, len(ids))
        self.assertEqual(403, self.post("c").status)
        self.assertEqual(202, self.post("b").status)             # it is done already

    def test_what_failed_may_be_tried_again(self):
        for _ in range(3):
            self.post(None)
        self.assertEqual([403, 403], [self.post().status for _ in range(2)])
        self.ask("DELETE", f"/servers/{self.servers()[0]}")
        self.assertEqual([202, 202], [self.post().status for _ in range(2)])
        self.assertEqual(3, len(self.servers()))

    def test_several_at_once(self):
        first = self.post(min_count=2, return_reservation_id=True)
        self.assertEqual(first.json, self.post(min_count=2, return_reservation_id=True).json)
        self.assertEqual(2, len(self.servers()))

    def test_what_is_no_key(self):
        for wrong in ("", "x" * 256, "a\tb", "\u00e4"):
            self.assertEqual(400, self.post(wrong).status, repr(wrong))
        self.assertEqual(202, self.post("x" * 255).status)

    def test_it_is_forgotten(self):
        self.post()
        collector = service.Collector(self.view, self.ids)
        collector._tick("heal", self.clock.time())
        self.assertEqual(1, self.kept())
        self.clock.now += 24 * 3600
        self.assertEqual(202, self.post().status)
        self.assertEqual(2, len(self.servers()))
        self.clock.now += 24 * 3600
        collector._tick("heal", self.clock.time())
        self.assertEqual(0, self.kept())

    def kept(self):
        with self.view.read() as tx:
            return tx.execute(sa.select(sa.func.count()).select_from(tables.replies)).scalar()

    def test_the_reply_is_kept_sealed(self):
        password = self.post().json["server"]["adminPass"]
        with self.view.read() as tx:
            row = tx.execute(sa.select(tables.replies)).one()
        self.assertNotIn(password, repr(row))
        self.assertIn(password.encode(), self.view.seal.open(row.reply))
