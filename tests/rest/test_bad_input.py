# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Bad input, each a test: nothing a client sends is answered 500, and each answer says why."""

import json
import tempfile

import fixtures
import webob
from keystonemiddleware import fixture as keystone_fixture

from nova_cells.api import app, compute, identity, pipeline
from nova_cells.domain import errors
from tests.rest import base

BODY = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE}}


class BadInput(base.RestCase):
    def post(self, **more):
        return self.ask("POST", "/servers", **more)

    def test_fields(self):
        for changes in (
                {"unheard": 1}, {"name": None}, {"name": 12345}, {"name": ""}, {"name": "  "},
                {"name": "x" * 256}, {"name": "a\u0007"}, {"flavorRef": None}, {"flavorRef": {}},
                {"imageRef": -1}, {"imageRef": "not-a-uuid"}, {"metadata": []},
                {"metadata": {"k": "v" * 256}}, {"metadata": {"k": 1}}, {"min_count": 0},
                {"min_count": "x"}, {"max_count": -1}, {"max_count": 10**30}, {"min_count": 1.5},
                {"user_data": "***"}, {"user_data": "A" * 65536}, {"accessIPv4": "1.2.3"},
                {"accessIPv6": "10.0.0.1"}, {"config_drive": "perhaps"}, {"networks": "none"},
                {"networks": [{"uuid": "a-b-c", "fixed_ip": "10.0.1.1"}]}, {"description": "x"},
                {"tags": ["a"]}, {"hostname": "x"}, {"personality": [{"path": "/a"}]},
                {"security_groups": "default"}, {"availability_zone": 3},
                {"OS-DCF:diskConfig": "auto"}, {"return_reservation_id": 7}):
            answer = self.post(body={"server": {**BODY["server"], **changes}})
            self.assertEqual(400, answer.status, (changes, answer.text))
            self.assertEqual({"badRequest"}, set(answer.json))
            self.assertEqual(400, answer.json["badRequest"]["code"])

    def test_missing_fields(self):
        for key in ("name", "flavorRef"):
            body = {"server": {k: v for k, v in BODY["server"].items() if k != key}}
            answer = self.post(body=body)
            self.assertEqual(400, answer.status)
            self.assertIn(f"'{key}' is a required property", answer.message)
        for body in ({}, {"server": None}, {"server": []}, [], 3, "x", None, {"Server": {}}):
            self.assertEqual(400, self.post(body=body).status, body)

    def test_not_json(self):
        for raw in (b"", b"{", b"<xml/>", b"\xff\xfe\x00", b'{"server": NaN}',
                    b'{"server": {}, "server": {}}', b"[" * 3000, b'{"server": "\\u0000"}'):
            answer = self.post(raw=raw)
            self.assertEqual(400, answer.status, raw[:20])

    def test_content_types(self):
        for kind in ("application/xml", "text/html", "application/x-www-form-urlencoded"):
            answer = self.post(body=BODY, content_type=kind)
            self.assertEqual((415, {"badMediaType"}), (answer.status, set(answer.json)))
        self.assertEqual(400, self.post(body=BODY, content_type="text/plain").status)

    def test_oversized(self):
        answer = self.post(raw=json.dumps({"server": {"name": "x" * 120_000}}).encode())
        self.assertEqual((413, {"overLimit"}), (answer.status, set(answer.json)))

    def test_versions(self):
        for version, status in (("2.0", 406), ("2.105", 406), ("3.0", 406), ("nonsense", 400),
                                ("2.1.1", 400)):
            answer = self.ask("GET", "/servers", version=version)
            self.assertEqual(status, answer.status, version)
        answer = self.ask("GET", "/servers", version="latest")
        self.assertEqual("compute 2.104", answer.headers["OpenStack-API-Version"])

    def test_tokens(self):
        for token in ("", ":apples"):
            answer = self.ask("GET", "/servers", token=token)
            self.assertEqual((401, {"unauthorized"}), (answer.status, set(answer.json)))

    def test_identity_headers_are_not_believed(self):
        forged = {"X-Roles": "admin", "X-User-Id": "root", "X-Project-Id": "bananas",
                  "X-Identity-Status": "Confirmed", "X-Is-Admin-Project": "True",
                  "X-Service-Roles": "admin", "OpenStack-System-Scope": "all"}
        uuid = self.create(token=base.OTHER)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}", headers=forged).status)
        self.assertEqual(401, self.ask("GET", "/servers", token="", headers=forged).status)

    def test_paths(self):
        for path in ("/nothing", "/servers/", "/servers//", "/servers/x/y/z", "/servers/detail/x",
                     "//servers", "/servers/%FF", "/" + "a/" * 500, "/servers/%C3%A9"):
            answer = self.ask("GET", path)
            self.assertIn(answer.status, (400, 404), path)
        self.assertEqual(405, self.ask("PATCH", "/servers").status)
        self.assertEqual(405, self.ask("DELETE", "/servers").status)

    def test_queries(self):
        for query in ("limit=%FF", "name=%00", "limit=&limit=x", "a=" + "&a=" * 2000,
                      "marker=%F0%28"):
            self.assertEqual(400, self.ask("GET", "/servers?" + query, version="2.75").status,
                             query[:20])

    def test_gone(self):
        for action in compute.actions():
            if action.gone:
                path = action.path.replace("{", "").replace("}", "")
                answer = self.ask(action.method, path, {} if action.method != "GET" else None)
                self.assertEqual((410, {"computeFault"}), (answer.status, set(answer.json)), path)

    def test_every_answer_names_its_request(self):
        for path in ("/servers", "/nothing", "/servers/x"):
            answer = self.ask("GET", path)
            self.assertRegex(answer.headers["x-openstack-request-id"], "^req-")
            self.assertEqual(answer.headers["x-openstack-request-id"],
                             answer.headers["x-compute-request-id"])

    def test_a_request_belongs_to_the_callers(self):
        """Who has an id for a chain of requests says it, and only in one form."""
        seen = []
        layer = pipeline.RequestId(lambda environ, start: seen.append(environ) or start(
            "200 OK", [("X-Compute-Request-Id", "own")]), self.conf)
        good = "req-" + self.ids.uuid()
        for given, kept in ((good, good), (good + "x", None), ("req-1", None), ("", None)):
            said = []
            layer({"HTTP_X_OPENSTACK_REQUEST_ID": given}, lambda _status, headers, s=said: (
                s.extend(headers)))
            self.assertEqual(kept, seen[-1].get("openstack.global_request_id"))
            self.assertRegex(seen[-1]["openstack.request_id"], "^req-[0-9a-f-]{36}$")
            self.assertEqual([("X-Compute-Request-Id", "own"),
                              ("x-openstack-request-id", seen[-1]["openstack.request_id"])], said)
        self.assertEqual(len(seen), len({one["openstack.request_id"] for one in seen}))

    def test_the_head_alone(self):
        for path in ("/servers", "/nothing", "/"):
            answer = self.ask("HEAD", path)
            self.assertEqual("", answer.text)
            self.assertIn("x-openstack-request-id", answer.headers)

    def test_what_nobody_expected_is_one_sentence(self):
        def broken(*_args):
            raise RuntimeError("secret detail")
        self.app = app.loadapp(self.conf, self.view, self.child, self.images, self.clock,
                               self.ids)
        self.view.servers.shown = broken
        answer = self.ask("GET", "/servers/5f8a1c5e-0000-4000-8000-00000000dead")
        self.assertEqual(500, answer.status)
        self.assertNotIn("secret", answer.text)
        self.assertNotIn("Traceback", answer.text)

    def test_every_action_survives_nonsense(self):
        """No body, whatever its shape, and no role is answered 5xx but for 501 and 503."""
        uuid = self.create()
        for action in compute.actions():
            path = action.path.replace("{id}", uuid).replace("{server_id}", uuid)
            path = path.replace("{", "").replace("}", "")
            for body in (None, [], {}, {action.key: None}, {action.key: {}}, {action.key: [1]},
                         {"server": {"name": "x"}}, {action.key: {"type": "HARD", "x": "y"}}):
                for token in (base.OTHER, base.ADMIN):
                    if action.method in ("POST", "PUT"):
                        answer = self.ask(action.method, path, body, token=token,
                                          version=f"{action.until or '2.104'}")
                    elif body is None:
                        answer = self.ask(action.method, path, token=token,
                                          version=f"{action.until or '2.104'}")
                    else:
                        continue
                    self.assertTrue(answer.status < 500 or answer.status in (501, 503),
                                    (action.key, body, answer.status, answer.text))


class Keystone(base.RestCase):
    """The pipeline that deployments use, with tokens that a fixture knows."""

    def setUp(self):
        self.tokens = keystone_fixture.AuthTokenFixture()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[keystone_authtoken]\nwww_authenticate_uri = http://keystone.example\n")
            file.flush()
            self.options = {"auth_strategy": "keystone", "files": [file.name]}
            super().setUp()
        self.useFixture(self.tokens)

    def token(self, **facts):
        name = self.ids.uuid()
        self.tokens.add_token_data(token_id=name, **{
            "user_id": "u", "user_name": "ann", "project_id": "apples",
            "role_list": ["member", "reader"], **facts})
        return name

    def test_a_good_token(self):
        answer = self.ask("GET", "/servers", token=self.token())
        self.assertEqual(200, answer.status, answer.text)
        self.assertEqual(403, self.ask("GET", "/servers?all_tenants=1",
                                       token=self.token()).status)
        self.assertEqual(200, self.ask("GET", "/servers?all_tenants=1",
                                       token=self.token(role_list=["admin"])).status)

    def test_missing_unknown_and_expired(self):
        expired = self.token(expires="2001-01-01T00:00:00.000000Z")
        for token in ("", "nonsense", expired):
            self.assertEqual(401, self.ask("GET", "/servers", token=token).status, token)

    def test_forged_headers_change_nothing(self):
        forged = {"X-Roles": "admin", "X-Project-Id": "bananas", "X-Identity-Status": "Confirmed"}
        self.assertEqual(401, self.ask("GET", "/servers", token="", headers=forged).status)
        answer = self.ask("GET", "/servers?all_tenants=1", token=self.token(), headers=forged)
        self.assertEqual(403, answer.status)

    def test_a_token_of_no_project_and_one_of_no_role(self):
        self.assertEqual(401, self.ask("GET", "/servers",
                                       token=self.token(project_id=None)).status)
        self.assertEqual(403, self.ask("GET", "/servers",
                                       token=self.token(role_list=["other"])).status)

    def test_a_reader_reads_and_does_no_more(self):
        reader = self.token(role_list=["reader"])
        self.assertEqual(200, self.ask("GET", "/servers", token=reader).status)
        self.assertEqual(403, self.ask("POST", "/servers", BODY, token=reader).status)

    def test_a_layer_that_breaks_is_one_sentence(self):
        def broken(*_args):
            raise RuntimeError("secret detail")
        self.useFixture(fixtures.MonkeyPatch(
            "keystonemiddleware.auth_token.AuthProtocol.process_request", broken))
        answer = self.ask("GET", "/servers", token=self.token())
        self.assertEqual((500, {"computeFault"}), (answer.status, set(answer.json)))
        self.assertNotIn("secret", answer.text)

    def test_versions_and_health_need_no_token(self):
        for path in ("/", "/v2.1", "/v2.1/", "/healthcheck"):
            response = webob.Request.blank(path).get_response(self.app)
            self.assertEqual(200, response.status_int, path)


class NoAuth(base.RestCase):
    def test_it_is_refused_unless_on_loopback(self):
        for host in ("0.0.0.0", "192.0.2.1", "example.org", "::"):
            self.conf.set_override("bind_host", host, group="standalone")
            problem = self.assertRaises(errors.Refused, identity.refuse_unless_loopback,
                                        self.conf)
            self.assertIn("noauth2", problem.message)
        for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
            self.conf.set_override("bind_host", host, group="standalone")
            identity.refuse_unless_loopback(self.conf)
