# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The list of extensions that old clients ask for."""

from tests.rest import desk


class Extensions(desk.Desk):
    def test_all_and_one(self):
        listed = self.call("GET", "/extensions").json["extensions"]
        self.assertEqual(99, len({one["alias"] for one in listed}))
        self.assertIn("Hosts", [one["name"] for one in listed])
        shown = self.call("GET", "/extensions/os-consoles").json["extension"]
        self.assertIn(shown, listed)
        self.assertEqual({"alias", "name", "description", "links", "namespace", "updated"},
                         set(shown))

    def test_unknown(self):
        self.fault(404, "GET", "/extensions/nothing")
