# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Documents of quotas, limits, services and zones, held against Tempest's schemas at every cut."""

from tests.rest import base, tempest_schemas

VERSIONS = ("2.1", "2.10", "2.11", "2.35", "2.36", "2.38", "2.39", "2.49", "2.50", "2.52", "2.53",
            "2.56", "2.57", "2.68", "2.69", "2.75", "2.104")


class Schemas(base.RestCase):
    def get(self, path, version, module, schema, method="GET", body=None):
        answer = self.ask(method, path, body, token=base.ADMIN, version=version)
        self.assertEqual(200, answer.status, (version, path, answer.text))
        tempest_schemas.check(module, schema, version, answer.status, answer.json)
        return answer.json

    def test_quota_sets(self):
        self.create()
        for version in VERSIONS:
            for path in ("/os-quota-sets/apples", "/os-quota-sets/apples/defaults",
                         "/os-quota-sets/apples?user_id=ann"):
                self.get(path, version, "quotas", "get_quota_set")
            found = self.get("/os-quota-sets/apples/detail", version, "quotas",
                             "get_quota_set_details")["quota_set"]
            self.assertEqual({"limit": 10, "in_use": 1, "reserved": 0}, found["instances"])
            self.get("/os-quota-sets/apples", version, "quotas", "update_quota_set", "PUT",
                     {"quota_set": {"server_groups": 4, "force": True}})

    def test_quota_classes(self):
        for version in VERSIONS:
            self.get("/os-quota-class-sets/default", version, "quota_classes",
                     "get_quota_class_set")
            self.get("/os-quota-class-sets/other", version, "quota_classes",
                     "update_quota_class_set", "PUT", {"quota_class_set": {"cores": 4}})

    def test_limits(self):
        for version in VERSIONS:
            for path in ("/limits", "/limits?tenant_id=apples", "/limits?reserved=1"):
                self.get(path, version, "limits", "get_limit")

    def test_services_and_zones(self):
        for version in VERSIONS:
            self.get("/os-services", version, "services", "list_services")
            self.get("/os-availability-zone", version, "availability_zone",
                     "list_availability_zone_list")
            self.get("/os-availability-zone/detail", version, "availability_zone",
                     "list_availability_zone_list_detail")
            compute = {"host": "node-1", "binary": "nova-compute"}
            if version in VERSIONS[:10]:
                self.get("/os-services/enable", version, "services", "enable_disable_service",
                         "PUT", compute)
            else:
                uuid = base.CELL[:-4] + "0bad"
                self.get(f"/os-services/{uuid}", version, "services", "update_service", "PUT",
                         {"status": "enabled"})
