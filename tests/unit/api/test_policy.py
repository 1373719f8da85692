# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Default roles, and decisions that are remembered only as long as nothing they depend on moves."""

import os

import testtools
from oslo_config import cfg
from oslo_context import context

from nova_cells.api import policy
from nova_cells.domain import errors


def who(project="p", roles=("member", "reader"), user="u"):
    return context.RequestContext(user_id=user, project_id=project, roles=list(roles),
                                  overwrite=False)


class Decisions(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(testtools.testcase.fixtures.TempDir()).path
        self.conf = cfg.ConfigOpts()
        self.conf([], project="nova-cells", default_config_files=[], default_config_dirs=[])

    def policy(self, text=None):
        path = os.path.join(self.folder, "policy.yaml")
        enforcer_conf = self.conf
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        made = policy.make_enforcer(enforcer_conf)
        if text is not None:
            self.conf.set_override("policy_file", path, group="oslo_policy")
            made = policy.make_enforcer(enforcer_conf)
        return policy.Policy(made)

    def test_roles(self):
        decides = self.policy()
        mine, theirs = {"project_id": "p", "user_id": "x"}, {"project_id": "q", "user_id": "x"}
        table = (
            ("os_compute_api:servers:show", ("reader",), mine, True),
            ("os_compute_api:servers:show", ("reader",), theirs, False),
            ("os_compute_api:servers:show", (), mine, False),
            ("os_compute_api:servers:show", ("admin",), theirs, True),
            ("os_compute_api:servers:delete", ("reader",), mine, False),
            ("os_compute_api:servers:delete", ("member", "reader"), mine, True),
            ("os_compute_api:servers:detail:get_all_tenants", ("member",), mine, False),
            ("os_compute_api:servers:detail:get_all_tenants", ("admin",), mine, True))
        for name, roles, target, allowed in table:
            self.assertEqual(allowed, decides.allows(who(roles=roles), name, target),
                             (name, roles, target))

    def test_each_asker_and_target_is_decided_apart(self):
        decides = self.policy()
        name, target = "os_compute_api:servers:delete", {"project_id": "p", "user_id": "x"}
        for _ in range(2):
            self.assertTrue(decides.allows(who("p"), name, target))
            self.assertFalse(decides.allows(who("q"), name, target))
            self.assertFalse(decides.allows(who("p", ("reader",)), name, target))

    def test_a_refusal_names_the_rule(self):
        problem = self.assertRaises(errors.Refused, self.policy().authorize, who(roles=()),
                                    "os_compute_api:servers:index")
        self.assertEqual("Policy doesn't allow os_compute_api:servers:index to be performed.",
                         problem.message)

    def test_a_policy_file_overrides(self):
        decides = self.policy('"os_compute_api:servers:index": "role:auditor"\n')
        self.assertFalse(decides.allows(who(), "os_compute_api:servers:index"))
        self.assertTrue(decides.allows(who(roles=("auditor",)), "os_compute_api:servers:index"))

    def test_rules_are_listed_for_the_sample(self):
        names = {rule.name for rule in policy.list_rules()}
        self.assertIn("os_compute_api:servers:create", names)
        self.assertIn("context_is_admin", names)
