# Licensed under the Apache License, Version 2.0; see the file LICENSE.

import msgspec
import testtools
from oslo_context import context as oslo_context

from nova_cells import context


class ContextTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.asker = oslo_context.RequestContext(
            user_id="u", project_id="p", auth_token="s3cret", request_id="req-1", is_admin=True)

    def test_what_a_child_may_know(self):
        origin = context.origin(self.asker)
        self.assertEqual(("req-1", "u", "p", True), (
            origin.request_id, origin.user_id, origin.project_id, origin.admin))
        self.assertNotIn(b"s3cret", msgspec.json.encode(origin))

    def test_policy_decides_who_is_an_admin(self):
        self.assertFalse(context.origin(self.asker, admin=False).admin)
