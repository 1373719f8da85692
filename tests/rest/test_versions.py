# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Discovery, as clients do it before anything else."""

import webob

from tests.rest import base


class Versions(base.RestCase):
    def plain(self, path, method="GET"):
        return base.Answer(webob.Request.blank(path, method=method).get_response(self.app))

    def test_the_list(self):
        answer = self.plain("/")
        self.assertEqual(200, answer.status)
        self.assertEqual(["v2.0", "v2.1"], [one["id"] for one in answer.json["versions"]])
        current = answer.json["versions"][1]
        self.assertEqual(("CURRENT", "2.104", "2.1"), (
            current["status"], current["version"], current["min_version"]))

    def test_each_link_leads_to_its_version(self):
        for entry in self.plain("/").json["versions"]:
            path = entry["links"][0]["href"].removeprefix("http://localhost")
            self.assertEqual(entry["id"], self.plain(path).json["version"]["id"])

    def test_anything_else_is_a_choice(self):
        self.assertEqual(300, self.plain("/v3").status)
        self.assertEqual(404, self.plain("/", "POST").status)

    def test_every_reply_says_its_version(self):
        for version in ("2.1", "2.50", "2.104"):
            answer = self.ask("GET", "/servers", version=version)
            self.assertEqual((f"compute {version}", version), (
                answer.headers["OpenStack-API-Version"],
                answer.headers["X-OpenStack-Nova-API-Version"]))
            for name in ("OpenStack-API-Version", "X-OpenStack-Nova-API-Version"):
                self.assertIn(name, answer.headers["Vary"])

    def test_v2_is_2_1_without_versions_and_lenient(self):
        request = webob.Request.blank("/v2/servers", method="POST")
        request.headers.update({"X-Auth-Token": base.MEMBER,
                                "OpenStack-API-Version": "compute 2.60"})
        request.json = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE,
                                   "unheard": 1}}
        request.content_type = "application/json"
        answer = base.Answer(request.get_response(self.app))
        self.assertEqual(202, answer.status, answer.text)
        self.assertIn("/v2/servers/", answer.json["server"]["links"][0]["href"])
