# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The view database takes no writes: reads go on, writes are 503 with Retry-After (R3)."""

import sqlalchemy as sa

from nova_cells.api.compute import keys
from nova_cells.db import refusals
from tests.rest import base

READS = ("/servers", "/servers/detail", "/flavors/detail", "/os-keypairs", "/limits",
         "/os-services", "/os-availability-zone")


class ReadOnly(base.RestCase):
    def setUp(self):
        super().setUp()
        view = self.view

        def refuse(connection):
            if connection.get_execution_options().get("write"):
                raise refusals.Refusing(ValueError("1290, read-only"))
        sa.event.listen(view.engine, "begin", refuse)
        self.addCleanup(sa.event.remove, view.engine, "begin", refuse)

    def test_reads(self):
        for path in READS:
            answer = self.ask("GET", path, token=base.ADMIN)
            self.assertEqual(200, answer.status, path)

    def test_writes(self):
        public = keys.generate("ssh", "u", 0.0).public
        for method, path, body in (
                ("POST", "/os-keypairs", {"keypair": {"name": "k", "public_key": public}}),
                ("POST", "/flavors", {"flavor": {"name": "f", "vcpus": 1, "ram": 1, "disk": 1}})):
            answer = self.ask(method, path, body, token=base.ADMIN)
            self.assertEqual(503, answer.status, path)
            self.assertEqual("5", answer.headers["Retry-After"])
            self.assertIn("database", answer.message)
