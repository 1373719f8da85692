# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""kill -9 in the middle of boots and deletes: nothing accepted is lost, nothing is left."""

from tests.functional import deployment


class Killed(deployment.Deployed):
    def test_in_the_middle_of_boots_and_deletes(self):
        process = self.deploy(delay=0.3)
        flavor = self.flavor(process)
        kept, deleted = set(), set()
        for number in range(30):
            uuid = self.created(process, flavor)
            if number % 3 == 2:
                status, document, _headers = self.ask(process, "DELETE", f"/servers/{uuid}")
                self.assertEqual(204, status, document)
                deleted.add(uuid)
            else:
                kept.add(uuid)
            if number in (9, 19):
                process.kill()
                process = self.deploy(delay=0.3)
        process.kill()
        process = self.deploy(delay=0.3)
        self.assertComesTrue(
            lambda: self.statuses(process) == dict.fromkeys(kept, "ACTIVE"),
            lambda: (self.statuses(process), kept, deleted))
        self.assertVerified()
        for uuid in kept:
            self.assertEqual(204, self.ask(process, "DELETE", f"/servers/{uuid}")[0])
        self.assertComesTrue(lambda: not self.servers(process), lambda: self.servers(process))
        self.assertVerified()
        self.assertEqual(0, process.stop()[0])
