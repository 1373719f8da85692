# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Where verbs land; what holds for all of them is in tests/laws."""

import testtools

from nova_cells.domain import lifecycle
from nova_cells.domain import server as model


class GivenUp(testtools.TestCase):
    def test_what_was_deleted_softly_stays_so_when_its_end_fails(self):
        fault = model.Fault(code=500, message="no", created_at=2.0)
        for rest, lands in (("soft_deleted", "soft_deleted"), ("active", "error")):
            server = model.Server(
                uuid="s", project_id="p", user_id="u", epoch=1, version=3, rest=rest,
                created_at=1.0, host="h", flavor=model.Flavor(
                    id="1", name="f", vcpus=1, ram_mb=1, disk_gb=1))
            failed = lifecycle.fail(lifecycle.begin(server, "delete", 1.0), 2.0, fault)
            self.assertEqual((lands, None), (failed.rest, failed.verb))
