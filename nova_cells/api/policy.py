# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who may do what: oslo.policy rules under Nova's names, with the default roles.

Each resource module lists its ``RULES`` beside its ``ACTIONS``; operators override them in
``policy.yaml``.  Decisions are remembered for a moment, by everything they may depend on.
Never decides visibility: that another project's server is "not found" is the handler's word.
"""

import time
import typing

from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_policy import opts as policy_opts
from oslo_policy import policy

from nova_cells.domain import errors

ANYONE = "@"
ADMIN = "rule:context_is_admin"
PROJECT_READER = "rule:project_reader_api"
PROJECT_MEMBER = "rule:project_member_api"
READER_OR_ADMIN = "rule:project_reader_or_admin"
MEMBER_OR_ADMIN = "rule:project_member_or_admin"
MANAGER_OR_ADMIN = "rule:project_manager_or_admin"
SERVICE = "rule:service_api"             # other services, as their service users
OWNER_OR_ADMIN = "rule:project_reader_or_admin"
KEEP_SECONDS = 5.0                       # how long a decision is remembered
KEEP_ENTRIES = 20_000

BASE = (
    policy.RuleDefault("context_is_admin", "role:admin", "Who is an admin."),
    policy.RuleDefault("admin_api", "rule:context_is_admin", "What only admins do."),
    policy.RuleDefault("admin_or_owner", "rule:context_is_admin or project_id:%(project_id)s",
                       "An admin, or anybody of the project."),
    policy.RuleDefault("project_manager_api", "role:manager and project_id:%(project_id)s",
                       "The project's managers."),
    policy.RuleDefault("project_member_api", "role:member and project_id:%(project_id)s",
                       "The project's members."),
    policy.RuleDefault("project_reader_api", "role:reader and project_id:%(project_id)s",
                       "The project's readers."),
    policy.RuleDefault("service_api", "role:service", "Other services."),
    policy.RuleDefault("project_member_or_admin",
                       "rule:project_member_api or rule:context_is_admin",
                       "The project's members, and admins."),
    policy.RuleDefault("project_manager_or_admin",
                       "rule:project_manager_api or rule:context_is_admin",
                       "The project's managers, and admins."),
    policy.RuleDefault("project_reader_or_admin",
                       "rule:project_reader_api or rule:context_is_admin",
                       "The project's readers, and admins."),
)


def rule(name: str, check: str, description: str, *operations: str) -> policy.DocumentedRuleDefault:
    """A rule.  ``operations`` are words such as "GET /servers/{id}"."""
    described = [{"method": method, "path": path}
                 for method, _, path in (operation.partition(" ") for operation in operations)]
    return policy.DocumentedRuleDefault(
        name=name, check_str=check, description=description,
        operations=described or [{"method": "GET", "path": "/"}], scope_types=["project"])


def list_rules() -> list[policy.RuleDefault]:
    """Every rule, for oslopolicy-sample-generator."""
    from nova_cells.api import compute
    return [*BASE, *compute.rules()]


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """An enforcer of all rules, reading the policy file that the configuration names."""
    policy_opts._register(conf)
    enforcer = policy.Enforcer(conf)
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(list_rules())
    enforcer.load_rules()
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """For the command line tools of oslo.policy, which know only the global configuration."""
    conf = cfg.CONF
    conf([], project="nova-cells", default_config_files=None)
    return make_enforcer(conf)


class Policy:
    """Decisions, remembered for a moment."""

    def __init__(self, enforcer: policy.Enforcer) -> None:
        self.enforcer = enforcer
        self._known: dict[tuple, bool] = {}
        self._until = 0.0

    def allows(self, who: oslo_context.RequestContext, name: str,
               target: dict[str, typing.Any] | None = None) -> bool:
        """Whether this asker may do this to a thing of that project and user."""
        if target is None:
            target = {"project_id": who.project_id, "user_id": who.user_id}
        now = time.monotonic()
        if now > self._until or len(self._known) > KEEP_ENTRIES:
            self._known, self._until = {}, now + KEEP_SECONDS
        key = (name, who.user_id, who.project_id, tuple(who.roles), who.system_scope,
               who.domain_id, who.user_domain_id, who.project_domain_id, who.is_admin_project,
               tuple(who.service_roles), tuple(target.items()))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = bool(self.enforcer.authorize(
                name, target, who.to_policy_values()))
        return known

    def authorize(self, who: oslo_context.RequestContext, name: str,
                  target: dict[str, typing.Any] | None = None) -> None:
        """Raise ``Refused`` unless it is allowed."""
        if not self.allows(who, name, target):
            raise errors.Refused(f"Policy doesn't allow {name} to be performed.")
