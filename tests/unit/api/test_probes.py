# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API's own probes, and how its requests are counted."""

from unittest import mock

from oslo_context import context as oslo_context

from nova_cells import context
from nova_cells.api import counting
from nova_cells.db import engine
from nova_cells.metrics import health, instruments
from tests.rest import base


class Probes(base.RestCase):
    def probe(self, path):
        """(status, document): no token is asked for."""
        answer = base.webob.Request.blank(path).get_response(self.app)
        return answer.status_int, answer.json

    def test_alive_and_ready(self):
        self.assertEqual((200, {"alive": True, "wrong": []}), self.probe("/healthz"))
        self.assertEqual((200, {"ready": True, "wrong": []}), self.probe("/readyz"))

    def test_a_database_that_is_gone_is_not_death(self):
        with mock.patch.object(self.view, "ping", side_effect=engine.Unusable("at h:3306: gone")):
            self.assertEqual((503, {"ready": False, "wrong": ["The database does not answer."]}),
                             self.probe("/readyz"))
            self.assertEqual(200, self.probe("/healthz")[0])

    def test_a_thread_that_ended(self):
        self.addCleanup(health.living, self, None)
        health.living(self, lambda: ["the job relay has ended"])
        self.assertEqual(503, self.probe("/healthz")[0])


class Counted(base.RestCase):
    def count(self, *labels):
        return instruments.API_REQUESTS._child(labels)._value.get()

    def assertCounted(self, labels, ask):
        before = self.count(*labels)
        ask()
        self.assertEqual(before + 1, self.count(*labels))

    def test_by_the_path_as_the_table_has_it(self):
        uuid = self.create()
        self.assertCounted(("/servers/{id}", "GET", "2xx"),
                           lambda: self.ask("GET", f"/servers/{uuid}"))
        self.assertCounted(("/servers/{id}", "GET", "4xx"),
                           lambda: self.ask("GET", "/servers/nobody"))

    def test_what_is_nowhere_is_one_series(self):
        for path in ("/nowhere", "/nor/here"):
            self.assertCounted((counting.NOWHERE, "GET", "4xx"),
                               lambda at=path: self.ask("GET", at))

    def test_without_a_token(self):
        self.assertCounted((counting.NOWHERE, "GET", "4xx"),
                           lambda: self.ask("GET", "/servers", token=""))

    def test_a_method_that_somebody_made_up(self):
        self.assertCounted((counting.NOWHERE, "other", "4xx"),
                           lambda: self.ask("BREW", "/coffee"))

    def test_the_thread_lets_go_of_the_request(self):
        self.ask("GET", "/servers")
        self.assertIsInstance(oslo_context.get_current(), context.Work)

    def test_a_line_for_what_changes_something(self):
        with self.assertLogs("nova_cells.api.counting", "INFO") as told:
            self.ask("GET", "/servers")
            self.create()
        self.assertEqual(1, len(told.output))
        self.assertRegex(told.output[0], r"POST /v2.1/servers 202 in \d+\.\d+ s$")

    def test_a_path_cannot_break_the_line(self):
        with self.assertLogs("nova_cells.api.counting", "INFO") as told:
            self.ask("POST", "/x%0aFAKE LINE", {})
        self.assertNotIn("\n", told.output[0])

