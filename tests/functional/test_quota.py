# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A hundred racing creates for ten places: exactly ten, and none of them torn down."""

import collections
import concurrent.futures

from tests.functional import deployment

USER = "someone:raced"


class Race(deployment.Deployed):
    def test_exactly_as_many_as_the_limit(self):
        process = self.deploy(instances=10)
        flavor = self.flavor(process)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _n: self.create(process, flavor, USER), range(100)))
        counted = collections.Counter(status for status, _document, _headers in answers)
        self.assertEqual({202: 10, 403: 90}, dict(counted))
        refused = next(document for status, document, _headers in answers if status == 403)
        self.assertIn("Quota exceeded for instances", refused["forbidden"]["message"])
        made = {document["server"]["id"] for status, document, _headers in answers
                if status == 202}
        self.assertEqual(made, set(self.servers(process, USER)))
        self.assertComesTrue(
            lambda: {server["status"] for server in self.servers(process, USER).values()}
            == {"ACTIVE"}, lambda: self.servers(process, USER))
        uuid = made.pop()
        self.assertEqual(204, self.ask(process, "DELETE", f"/servers/{uuid}", user=USER)[0])
        self.assertComesTrue(lambda: len(self.servers(process, USER)) == 9,
                             lambda: self.servers(process, USER))
        self.assertEqual(202, self.create(process, flavor, USER)[0])
        self.assertEqual(403, self.create(process, flavor, USER)[0])
        self.assertVerified()

    def test_another_project_is_not_held_up(self):
        process = self.deploy(instances=1)
        flavor = self.flavor(process)
        for user, status in ((USER, 202), (USER, 403), ("someone:else", 202)):
            self.assertEqual(status, self.create(process, flavor, user)[0])
