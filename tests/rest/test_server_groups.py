# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Server groups over REST: documents by version, policies, quotas, members."""

from tests.rest import base, tempest_schemas

NOBODY = "f0000000-0000-4000-8000-00000000000f"


class Groups(base.RestCase):
    quota = base.RestCase.quota | {"server_groups": 3, "server_group_members": 2}

    def group(self, policy="anti-affinity", version="2.64", token=base.MEMBER, **more):
        body = ({"policy": policy} if version == "2.64" else {"policies": [policy]}) | more
        answer = self.ask("POST", "/os-server-groups", {"server_group": {"name": "g", **body}},
                          version=version, token=token)
        self.assertEqual(200, answer.status, answer.text)
        tempest_schemas.check("server_groups", "create_show_server_group", version, 200,
                              answer.json)
        return answer.json["server_group"]

    def listed(self, query="", version="2.64", token=base.MEMBER):
        answer = self.ask("GET", f"/os-server-groups{query}", version=version, token=token)
        self.assertEqual(200, answer.status, answer.text)
        tempest_schemas.check("server_groups", "list_server_groups", version, 200, answer.json)
        return answer.json["server_groups"]


class Documents(Groups):
    def test_keys_by_version(self):
        uuid = self.group()["id"]
        old, new = {"policies", "metadata"}, {"policy", "rules"}
        whose = {"project_id", "user_id"}
        for version, more in (("2.1", old), ("2.12", old), ("2.13", old | whose),
                              ("2.15", old | whose), ("2.63", old | whose),
                              ("2.64", new | whose), ("2.104", new | whose)):
            answer = self.ask("GET", f"/os-server-groups/{uuid}", version=version)
            self.assertEqual({"id", "name", "members"} | more, set(answer.json["server_group"]))
            tempest_schemas.check("server_groups", "create_show_server_group", version,
                                  answer.status, answer.json)
            self.assertEqual([answer.json["server_group"]], self.listed(version=version))

    def test_rules(self):
        self.assertEqual({"max_server_per_host": 3}, self.group(
            rules={"max_server_per_host": "3"})["rules"])
        self.assertEqual({}, self.group()["rules"])

    def test_wrong(self):
        def refused(version, **group):
            answer = self.ask("POST", "/os-server-groups", {"server_group": group},
                              version=version)
            self.assertEqual(400, answer.status, group)
            return answer.message
        for group in ({}, {"name": "g"}, {"policies": ["affinity"]},
                      {"name": "", "policies": ["affinity"]},
                      {"name": "g", "policies": []}, {"name": "g", "policies": ["legacy"]},
                      {"name": "g", "policies": ["affinity", "anti-affinity"]},
                      {"name": "g", "policies": ["soft-affinity"]},
                      {"name": "g", "policy": "affinity"},
                      {"name": "g", "policies": ["affinity"], "metadata": {}}):
            refused("2.14", **group)
        for rules in ({"max_server_per_host": 0}, {"max_server_per_host": "many"}, {"more": 1}):
            refused("2.64", name="g", policy="anti-affinity", rules=rules)
        self.assertEqual("Only anti-affinity policy supports rules.", refused(
            "2.64", name="g", policy="affinity", rules={"max_server_per_host": 2}))
        self.group("soft-affinity", "2.15")

    def test_whose(self):
        uuid = self.group()["id"]
        path = f"/os-server-groups/{uuid}"
        self.assertEqual(403, self.ask("GET", path, token=base.OTHER).status)
        self.assertEqual(403, self.ask("DELETE", path, token=base.OTHER).status)
        self.assertEqual([], self.listed(token=base.OTHER))
        self.assertEqual([], self.listed("?all_projects=1", token=base.OTHER))
        self.assertEqual([], self.listed(token=base.ADMIN))
        self.assertEqual([uuid], [one["id"] for one in self.listed("?all_projects",
                                                                   token=base.ADMIN)])
        self.assertEqual(200, self.ask("GET", path, token=base.ADMIN).status)

    def test_pages(self):
        made = [self.group()["id"] for _n in range(3)]
        self.assertEqual(made[:2], [one["id"] for one in self.listed("?limit=2")])
        self.assertEqual(made[2:], [one["id"] for one in self.listed("?offset=2")])
        self.assertEqual([], self.listed(f"?offset={'9' * 30}"))
        for query in ("?limit=-1", "?offset=x"):
            self.assertEqual(400, self.ask("GET", f"/os-server-groups{query}").status)
        self.assertEqual(200, self.ask("GET", "/os-server-groups?a=b", version="2.74").status)
        self.assertEqual(400, self.ask("GET", "/os-server-groups?a=b", version="2.75").status)

    def test_delete(self):
        path = f"/os-server-groups/{self.group()['id']}"
        self.assertEqual(204, self.ask("DELETE", path).status)
        for method in ("GET", "DELETE"):
            answer = self.ask(method, path)
            self.assertEqual(404, answer.status)
            self.assertIn("could not be found", answer.message)

    def test_quota(self):
        for _n in range(3):
            self.group()
        answer = self.ask("POST", "/os-server-groups", {"server_group": {
            "name": "g", "policies": ["affinity"]}})
        self.assertEqual((403, "Quota exceeded, too many server groups."),
                         (answer.status, answer.message))
        self.group(token=base.OTHER)
        limits = self.ask("GET", "/limits").json["limits"]["absolute"]
        self.assertEqual((3, 3), (limits["maxServerGroups"], limits["totalServerGroupsUsed"]))


class Members(Groups):
    def member(self, group, run=True, **fields):
        answer = self.ask("POST", "/servers", {
            "server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE, **fields},
            "os:scheduler_hints": {"group": group}})
        self.assertEqual(202, answer.status, answer.text)
        uuid = answer.json["server"]["id"]
        if run:
            self.child.confirm(uuid)
        return uuid

    def members(self, group):
        return self.ask("GET", f"/os-server-groups/{group}").json["server_group"]["members"]

    def test_joins_and_is_shown_and_leaves(self):
        group = self.group(rules={"max_server_per_host": 2})["id"]
        first, second = self.member(group), self.member(group, run=False)
        self.assertEqual([first, second], self.members(group))
        carried = self.child.boots[first].request.group
        self.assertEqual((group, "anti-affinity", 2),
                         (carried.uuid, carried.policy, carried.max_per_host))
        for uuid in (first, second):
            self.assertEqual([group], self.ask("GET", f"/servers/{uuid}", version="2.71").json[
                "server"]["server_groups"])
        self.assertNotIn("server_groups", self.ask("GET", f"/servers/{uuid}",
                                                   version="2.70").json["server"])
        self.assertEqual(204, self.ask("DELETE", f"/servers/{first}").status)
        self.assertEqual([second], self.members(group))

    def test_group_that_is_deleted_is_not_shown(self):
        group = self.group()["id"]
        uuid = self.member(group)
        self.assertEqual(204, self.ask("DELETE", f"/os-server-groups/{group}").status)
        self.assertEqual([], self.ask("GET", f"/servers/{uuid}", version="2.71").json["server"][
            "server_groups"])

    def test_unknown_group(self):
        theirs = self.group(token=base.OTHER)["id"]
        for group, word in ((NOBODY, "could not be found"), (theirs, "could not be found"),
                            ("none", "group")):
            answer = self.ask("POST", "/servers", {
                "server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE},
                "os:scheduler_hints": {"group": group}})
            self.assertEqual(400, answer.status)
            self.assertIn(word, answer.message)

    def test_quota_of_members(self):
        group = self.group()["id"]
        gone = self.member(group)
        self.member(group)
        answer = self.ask("POST", "/servers", {
            "server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE},
            "os:scheduler_hints": {"group": group}})
        self.assertEqual((403, "Quota exceeded, too many servers in group"),
                         (answer.status, answer.message))
        self.assertEqual(2, len(self.members(group)))
        self.ask("DELETE", f"/servers/{gone}")
        self.member(group)
