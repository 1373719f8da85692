# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Every route and action, asked by everybody: who may is what the table of policy says.

What is expected is worked out by a fresh enforcer from the rules alone.  Every request says in
headers that it comes from an admin of the server's project; nobody believes it.
"""

import os
import re

import fixtures
from oslo_policy import policy as oslo_policy

from benchmarks import keystone
from nova_cells.api import app, compute, microversion, named, policy
from nova_cells.domain import errors
from nova_cells.image import fake as images
from tests.rest import base, samples, test_tokens

OWNER, PROJECT = "ann", "apples"
#: who -> (user, project, roles); all roles that Keystone would imply are named.
PEOPLE = {
    "visitor": ("vic", PROJECT, []),
    "service": ("glance", "service", ["service"]),
    "stranger": ("bob", "bananas", ["manager", "member", "reader"]),
    "reader": ("rea", PROJECT, ["reader"]),
    "member": ("mem", PROJECT, ["member", "reader"]),
    "manager": ("man", PROJECT, ["manager", "member", "reader"]),
    "admin": ("root", "admins", ["admin", "manager", "member", "reader"]),
}
#: Paths whose ``{id}`` is a project: each asks about its own.
OF_A_PROJECT = ("/os-quota-sets/", "/os-simple-tenant-usage/")
OUTSIDE = ("service", "stranger")
LIE = {"X-Identity-Status": "Confirmed", "X-User-Id": OWNER, "X-Project-Id": PROJECT,
       "X-Tenant-Id": PROJECT, "X-Roles": "admin", "X-Role": "admin", "X-User-Name": OWNER,
       "X-Is-Admin-Project": "True", "X-Service-Roles": "admin,service",
       "X-Service-Identity-Status": "Confirmed", "X-Domain-Id": "default",
       "OpenStack-System-Scope": "all"}
CANARY = "canary-in-the-name"
#: Of several rules, the one without which nothing is answered.
GATES = {"GET /servers": "servers:index", "GET /servers/detail": "servers:detail",
         "GET /servers/{id}": "servers:show", "POST /servers": "servers:create",
         "POST /servers/{id}/action unlock": "os-lock-server:unlock",
         "GET /limits": "limits", "POST /flavors": "os-flavor-manage:create",
         "PUT /flavors/{id}": "os-flavor-manage:update",
         "GET /servers/{id}/os-instance-actions/{request_id}": "os-instance-actions:show",
         "GET /servers/{id}/migrations": "servers:migrations:index",
         "POST /servers/{id}/action os-migrateLive": "os-migrate-server:migrate_live:host",
         "GET /servers/{id}/topology": "=compute:server:topology:index",
         "GET /flavors/detail": None, "GET /flavors/{id}": None}       # None: everybody
#: Bodies that the smallest value of the schema is too small for.
BODIES = {"metadata:update": {"meta": {"key": "x"}}, "servers:create": {"server": {
    "name": "a", "flavorRef": "1", "imageRef": base.PICTURE, "networks": "none"}}}


def where(action):
    """How an action is called in this file."""
    path = action.path.replace("/os-volumes_boot", "/servers")
    return f"{action.method} {path}" + (f" {action.key}" if action.keyed else "")


class Everybody(base.RestCase):
    quota = {"instances": -1, "cores": -1, "ram": -1, "metadata_items": -1, "key_pairs": -1}

    def setUp(self):
        folder = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.FakeLogger())
        self.keystone = keystone.Keystone()
        self.addCleanup(self.keystone.close)
        for who, (user, project, roles) in PEOPLE.items():
            self.keystone.tokens[who] = keystone.body(user, project, roles)
        self.keystone.tokens["owner"] = keystone.body(OWNER, PROJECT, ["member", "reader"])
        file = os.path.join(folder, "keystone.conf")
        with open(file, "w") as stream:
            stream.write(self.keystone.settings)
        super().setUp()
        self.clock = test_tokens.WallClock()
        self.child.clock = self.clock
        conf = base.configuration([file], auth_strategy="keystone")
        self.app = app.loadapp(conf, self.view, self.child, images.FakeImages(), self.clock,
                               self.ids)
        with self.view.write() as tx:
            self.view.flavors.create(tx, base.model.Flavor(
                id="spare", name="spare", vcpus=1, ram_mb=1, disk_gb=1), self.clock.time())
        self.rules = named.Rules(policy.list_rules())
        self.fresh = oslo_policy.Enforcer(conf, policy_file="none.yaml")
        self.fresh.suppress_deprecation_warnings = True
        self.fresh.register_defaults(policy.list_rules())
        self.fresh.load_rules()

    # -- asking -----------------------------------------------------------------------------------

    def body(self, action, version):
        """A body that the shape takes."""
        made = BODIES.get(action.key)
        if action.key == "servers:create" and version < 37:
            made = {"server": {**made["server"], "networks": []}}
        if action.body is None or made is not None:
            return made
        made = samples.smallest(action.body.schema(version))
        try:
            action.body.check(made, version)
        except errors.Invalid as problem:
            self.fail(f"{where(action)}: say a body of it in BODIES: {problem.message}")
        return made

    def request(self, action, uuid, who, version):
        path = action.path
        if path.startswith(("/servers/", "/os-volumes_boot/")):
            path = path.replace("{id}", uuid).replace("{server_id}", uuid)
        if path.startswith("/flavors"):
            path = re.sub(r"^/flavors/\{[^}]*\}", "/flavors/spare", path)
        if path.startswith(OF_A_PROJECT):
            path = path.replace("{id}", PEOPLE[who or "member"][1])
        path = path.replace("{key}", "key").replace("{tag}", "tag").replace("{label}", "private")
        for name in re.findall(r"\{[^}]*\}", path):
            path = path.replace(name, samples.UUID)
        return self.ask(action.method, path, self.body(action, version),
                        token="" if who is None else who, headers=LIE,
                        version=microversion.text(version))

    def may(self, who, rule, of_server):
        user, project, roles = PEOPLE[who]
        creds = {"user_id": user, "project_id": project, "roles": roles}
        target = ({"project_id": PROJECT, "user_id": OWNER} if of_server
                  else {"project_id": project, "user_id": user})
        return self.fresh.enforce(rule, target, creds)

    def expected(self, action, who):
        """True: it must be allowed; False: it must not; None: it depends on what is asked."""
        asked = self.rules.of(action)
        gate = GATES.get(where(action), "")
        if gate != "":
            asked = [] if gate is None else [
                gate[1:] if gate.startswith("=") else named.PREFIX + gate]
        of_server = action.path.startswith(("/servers/{id}", "/os-volumes_boot/{id}"))
        allowed = [self.may(who, rule, of_server) for rule in asked]
        return True if all(allowed) else None if any(allowed) else False

    # -- the matrix -------------------------------------------------------------------------------

    def test_everybody(self):
        wrong, unsaid, seen = [], set(), {True: 0, False: 0, None: 0}
        for action in compute.actions():
            if action.gone:
                continue
            uuid = self.create(name=CANARY, token="owner", metadata={"key": "x"}, tags=["tag"],
                               version="2.52")
            for version in sorted(set(action.window)):
                for who in sorted(PEOPLE, key=lambda one: self.expected(action, one) is True):
                    answer = self.request(action, uuid, who, version)
                    expected = self.expected(action, who)
                    seen[expected] += 1
                    unsaid |= {where(action)} if expected is None else set()
                    if not self.fits(expected, who, answer, uuid):
                        wrong.append((where(action), microversion.text(version), who, expected,
                                      answer.status, answer.text[:120]))
        self.assertEqual([], wrong)
        self.assertGreater(min(seen[True], seen[False]), 300)
        self.assertLess(len(unsaid), 20, f"say in GATES which rule decides: {sorted(unsaid)}")

    @staticmethod
    def fits(expected, who, answer, uuid):
        told = answer.text + str(dict(answer.headers))
        if who in OUTSIDE and CANARY in told or answer.status in (401, 500):
            return False
        if expected is True:
            return answer.status != 403
        return expected is None or answer.status in (403, 404)

    def test_nobody(self):
        uuid = self.create(name=CANARY, token="owner")
        for action in compute.actions():
            answer = self.request(action, uuid, None, action.window[1])
            self.assertEqual(401, answer.status, where(action))
            self.assertNotIn(CANARY, answer.text)
        self.assertEqual([], [call for call in self.child.calls if call])

    def test_lists_show_nobody_elses(self):
        self.create(name=CANARY, token="owner")
        for path in ("/servers", "/servers/detail", "/os-volumes_boot", "/os-keypairs",
                     "/servers?project_id=apples", "/servers/detail?tenant_id=apples"):
            for who in OUTSIDE:
                answer = self.ask("GET", path, token=who, headers=LIE)
                self.assertNotIn(CANARY, answer.text, (path, who))


class LooksInternal(base.RestCase):
    """What a user writes is never obeyed as if we had (law T23)."""

    def test_hints_and_metadata(self):
        names = ("_nova_check_type", "_rebuild", "force_hosts", "force_nodes", "host", "node",
                 "cell", "requested_destination", "skip_claim", "epoch", "version", "verb")
        hints = {name: ["node-1"] for name in names}
        body = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE,
                           "metadata": dict.fromkeys(("host", "cell", "epoch", "verb"), "node-1")},
                "os:scheduler_hints": hints}
        answer = self.ask("POST", "/servers", body)
        self.assertEqual(202, answer.status, answer.text)
        offer, = self.child.casts
        self.assertIsNone(offer.request.forced_host)
        self.assertEqual(((), ()), (offer.request.only_hosts, offer.request.avoid_hosts))
        record = offer.record
        self.assertEqual((None, None, 1), (record.host, record.node, record.epoch))
        self.assertEqual([], [name for name in record.hints if name.startswith("_")])

    def test_fields_that_only_we_write(self):
        for name in ("host_uuid", "cell", "epoch", "project_id", "user_id", "rest", "verb",
                     "locked", "_skip", "instance_name", "power_state"):
            body = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE,
                               name: "x"}}
            self.assertEqual(400, self.ask("POST", "/servers", body, token=base.ADMIN).status)
        uuid = self.create()
        for name in ("host", "cell", "status", "epoch", "locked", "user_id"):
            self.assertEqual(400, self.ask("PUT", f"/servers/{uuid}",
                                           {"server": {name: "x"}}).status, name)
