# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Tokens: checked by the real keystonemiddleware against a stand-in, remembered by us."""

import os
import threading
import time

import fixtures
from keystonemiddleware.auth_token import _request as middleware_request

from benchmarks import keystone
from nova_cells.api import app, identity, tokens
from nova_cells.image import fake as images
from tests.rest import base

GOOD = "gAAAA-good"
FORGED = "forged"


class WallClock(base.Clock):
    """As keystonemiddleware's: it begins now.  Both clocks move by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.wall = time.time()

    def time(self) -> float:
        return self.wall


class Layer(base.RestCase):
    """auth_token and our memory alone; the application behind them only looks."""

    def setUp(self):
        folder = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.FakeLogger())
        self.keystone = keystone.Keystone()
        self.addCleanup(self.keystone.close)
        self.keystone.tokens[GOOD] = keystone.body("ann", "apples", ["member", "reader"])
        self.file = os.path.join(folder, "keystone.conf")
        with open(self.file, "w") as file:
            file.write(self.keystone.settings)
        super().setUp()
        self.clock = WallClock()
        self.seen: list[dict] = []
        self.layer = self.make()

    def make(self, local=None, **options):
        conf = base.configuration([self.file], auth_strategy="keystone", **options)
        return tokens.layer(self.look, conf, local or {}, self.clock)

    def look(self, environ, start_response):
        self.seen.append(dict(environ))
        start_response("200 OK", [])
        return [b""]

    def get(self, token=GOOD, layer=None, method="GET", path="/v2.1/servers", **headers):
        """The status, and the headers that the application saw about who asks."""
        environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path,
                   "QUERY_STRING": "", "SERVER_NAME": "x", "SERVER_PORT": "80",
                   "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", **headers}
        if token is not None:
            environ["HTTP_X_AUTH_TOKEN"] = token
        said, self.seen[:] = [], []
        list((layer or self.layer)(environ, lambda status, headers, _e=None: said.append(status)))
        who = {} if not self.seen else {
            name: value for name, value in self.seen[0].items()
            if name.startswith(identity.TRUSTED_PREFIXES)}
        return int(said[0][:3]), who

    def asked(self):
        return len(self.keystone.asked)


class Remembered(Layer):
    def test_asked_once_and_the_same_is_said(self):
        first = self.get()
        self.assertEqual(200, first[0])
        self.assertEqual(("ann", "apples", "member,reader", "Confirmed"), tuple(
            first[1][name] for name in ("HTTP_X_USER_ID", "HTTP_X_PROJECT_ID", "HTTP_X_ROLES",
                                        "HTTP_X_IDENTITY_STATUS")))
        self.assertIn("compute", first[1]["HTTP_X_SERVICE_CATALOG"])
        self.forget_in_auth_token()
        for _ in range(3):
            self.assertEqual(first, self.get())
        self.assertEqual(1, self.asked())

    def forget_in_auth_token(self):
        """So that only our own memory can answer."""
        self.layer._check._token_cache._cache_pool.clear()

    def test_forged_headers_never_pass(self):
        """Every header that auth_token may set or remove, on a first request and on a later."""
        probe = middleware_request._AuthTokenRequest.blank("/")
        names = {"HTTP_" + name.upper().replace("-", "_") for name in probe._all_auth_headers()}
        names |= {"HTTP_OPENSTACK_SYSTEM_SCOPE", "HTTP_X_TOKEN_INFO", "HTTP_X_SERVICE_FOO"}
        self.assertGreater(len(names), 25)
        for name in names:
            self.assertTrue(name.startswith(identity.TRUSTED_PREFIXES), name)
        honest = self.get()
        for forged in [{name: FORGED} for name in names] + [dict.fromkeys(names, FORGED)]:
            for layer in (self.layer, self.make()):          # remembered; asked
                found = self.get(layer=layer, **forged)
                self.assertEqual(honest, found, forged)
                self.assertNotIn(FORGED, self.seen[0].values())

    def test_forged_headers_of_the_first_request_are_not_remembered(self):
        forged = self.get(HTTP_X_SERVICE_ROLES="admin", HTTP_X_USER_FOO="admin",
                          HTTP_X_ROLES="admin")
        self.assertEqual(forged, self.get())
        self.assertNotIn("HTTP_X_SERVICE_ROLES", forged[1])
        self.assertNotIn("HTTP_X_USER_FOO", forged[1])

    def test_every_token_has_its_own_answer(self):
        self.keystone.tokens["other"] = keystone.body("bob", "bananas", ["admin"])
        for _ in range(2):
            self.assertEqual(("ann", "member,reader"), self.who(GOOD))
            self.assertEqual(("bob", "admin"), self.who("other"))
        for wrong in ("", GOOD[:-1], GOOD + "x", GOOD.upper(), None):
            self.assertEqual(401, self.get(wrong)[0], wrong)

    def who(self, token):
        found = self.get(token)[1]
        return found["HTTP_X_USER_ID"], found["HTTP_X_ROLES"]

    def test_what_is_sent_in_between_changes_nothing(self):
        """What an application writes into its environment is its own."""
        self.get()
        self.seen[0]["HTTP_X_ROLES"] = FORGED
        honest = self.get()
        self.assertEqual("member,reader", honest[1]["HTTP_X_ROLES"])

    def test_refused_is_not_remembered(self):
        for _ in range(2):
            self.assertEqual(401, self.get("later")[0])
        self.keystone.tokens["later"] = keystone.body("ann", "apples", ["reader"])
        self.assertEqual(200, self.get("later")[0])

    def test_the_token_itself_is_not_kept(self):
        self.get()
        self.assertEqual(1, len(self.layer._known))
        self.assertNotIn(GOOD, repr(self.layer._known))

    def test_a_revoked_token_is_refused_when_the_time_is_over(self):
        layer = self.make(token_cache_time=10)
        self.assertEqual(200, self.get(layer=layer)[0])
        self.revoke(layer)
        self.clock.now += 9.9
        self.assertEqual(200, self.get(layer=layer)[0])
        self.clock.now += 0.2
        self.assertEqual(401, self.get(layer=layer)[0])
        self.assertEqual({}, dict(layer._known))

    def revoke(self, layer):
        del self.keystone.tokens[GOOD]
        layer._check._token_cache._cache_pool.clear()

    def test_using_a_token_does_not_prolong_it(self):
        layer = self.make(token_cache_time=10)
        self.get(layer=layer)
        self.revoke(layer)
        for _ in range(4):
            self.clock.now += 2.4
            self.assertEqual(200, self.get(layer=layer)[0])
        self.clock.now += 2.4
        self.assertEqual(401, self.get(layer=layer)[0])

    def test_never_past_the_end_of_the_token(self):
        self.keystone.tokens["short"] = keystone.body("ann", "apples", ["reader"], seconds=600)
        layer = self.make(token_cache_time=100)
        self.get("short", layer=layer)
        self.revoke_all(layer)
        self.clock.wall += 599
        self.assertEqual(200, self.get("short", layer=layer)[0])
        self.clock.wall += 2
        self.assertEqual(401, self.get("short", layer=layer)[0])

    def revoke_all(self, layer):
        self.keystone.tokens.clear()
        layer._check._token_cache._cache_pool.clear()

    def test_keystone_away(self):
        """What is remembered is served for its time; nobody else is let in, or told no."""
        self.get()
        self.keystone.broken = True
        self.assertEqual(200, self.get()[0])
        self.assertEqual(503, self.get("unknown")[0])

    def test_the_least_used_is_forgotten(self):
        layer = self.make(token_cache_entries=2)
        for name in "abc":
            self.keystone.tokens[name] = keystone.body(name, "apples", ["reader"])
        for name in "abac":
            self.assertEqual(name, self.get(name, layer=layer)[1]["HTTP_X_USER_ID"])
        self.assertEqual([tokens._digest(name) for name in "ac"], list(layer._known))

    def test_many_threads(self):
        layer = self.make(token_cache_entries=3)
        for number in range(6):
            self.keystone.tokens[f"t{number}"] = keystone.body(f"u{number}", "p", ["reader"])
        wrong = []

        def ask(number):
            for _ in range(30):
                environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "x",
                           "SERVER_PORT": "80", "wsgi.url_scheme": "http",
                           "HTTP_X_AUTH_TOKEN": f"t{number}", "HTTP_X_USER_ID": FORGED}
                list(layer(environ, lambda *_words: None))
                if environ["HTTP_X_USER_ID"] != f"u{number}":
                    wrong.append(environ["HTTP_X_USER_ID"])
        threads = [threading.Thread(target=ask, args=(number % 6,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([], wrong)
        self.assertLessEqual(len(layer._known), 3)


class NotRemembered(Layer):
    """What hangs on more than the token is asked each time."""

    def assertAskedEachTime(self, status, **request):
        for _ in range(2):
            self.assertEqual(status, self.get(**request)[0])
            self.assertEqual({}, dict(self.layer._known))

    def test_with_a_service_token(self):
        self.keystone.tokens["svc"] = keystone.body("glance", "service", ["service"])
        self.get()
        known = dict(self.layer._known)
        status, who = self.get(HTTP_X_SERVICE_TOKEN="svc")
        self.assertEqual((200, "ann", "glance"), (status, who["HTTP_X_USER_ID"],
                                                  who["HTTP_X_SERVICE_USER_ID"]))
        self.assertEqual(known, dict(self.layer._known))
        self.assertEqual(401, self.get(HTTP_X_SERVICE_TOKEN="wrong")[0])
        self.assertNotIn("HTTP_X_SERVICE_USER_ID", self.get()[1])

    def test_expired_but_vouched_for(self):
        """With a service token an expired token may pass; without it, it may not."""
        self.keystone.tokens["svc"] = keystone.body("glance", "service", ["service"])
        self.keystone.tokens["old"] = keystone.body("ann", "apples", ["reader"], seconds=-60)
        self.assertEqual(200, self.get("old", HTTP_X_SERVICE_TOKEN="svc")[0])
        self.assertEqual(401, self.get("old")[0])

    def test_access_rules(self):
        rules = [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]
        self.keystone.tokens["app"] = keystone.body("ann", "apples", ["reader"],
                                                    application_credential={
            "id": "x", "name": "x", "restricted": True, "access_rules": rules})
        self.layer = self.make({"service_type": "compute"})
        self.assertAskedEachTime(200, token="app")
        self.assertAskedEachTime(401, token="app", path="/v2.1/flavors")
        self.assertAskedEachTime(401, token="app", method="DELETE")

    def test_bound_to_a_login(self):
        self.keystone.tokens["bound"] = keystone.body("ann", "apples", ["reader"],
                                                      bind={"kerberos": "ann"})
        self.assertAskedEachTime(200, token="bound", AUTH_TYPE="Negotiate", REMOTE_USER="ann")
        self.assertAskedEachTime(401, token="bound", AUTH_TYPE="Negotiate", REMOTE_USER="bob")
        self.assertAskedEachTime(401, token="bound")

    def test_without_a_project(self):
        self.keystone.tokens["bare"] = keystone.body("ann", None, [])
        self.assertAskedEachTime(200, token="bare")

    def test_without_an_end(self):
        layer = tokens.Remembering(self.look, self.no_end, 10, 10, self.clock)
        self.assertEqual(200, self.get(layer=layer)[0])
        self.assertEqual({}, dict(layer._known))

    def no_end(self, application):
        def check(environ, start_response):
            environ.update(HTTP_X_IDENTITY_STATUS="Confirmed", HTTP_X_USER_ID="a",
                           HTTP_X_PROJECT_ID="p")
            environ[tokens.TOKEN_INFO] = {"token": {"expires_at": "whenever"}}
            return application(environ, start_response)
        return check

    def test_a_header_that_we_do_not_know(self):
        """A later keystonemiddleware may set another: then nothing is remembered."""
        body = keystone.body("a", "p", [])

        def check(application):
            def ask(environ, start_response):
                environ.update(HTTP_X_IDENTITY_STATUS="Confirmed", HTTP_X_USER_ID="a",
                               HTTP_X_PROJECT_ID="p", HTTP_X_GALAXY_ID="milky-way")
                environ[tokens.TOKEN_INFO] = body
                return application(environ, start_response)
            return ask
        layer = tokens.Remembering(self.look, check, 10, 10, self.clock)
        self.assertEqual(200, self.get(layer=layer)[0])
        self.assertEqual({}, dict(layer._known))


class Bounds(Layer):
    def times(self, ours, theirs):
        """How long ours and auth_token remember."""
        layer = self.make({"token_cache_time": str(theirs)}, token_cache_time=ours)
        if isinstance(layer, tokens.Remembering):
            return layer._seconds, layer._check._token_cache._cache_time
        return 0, layer._token_cache._cache_time

    def test_both_together_keep_to_what_the_operator_said(self):
        for ours, theirs in ((10, 300), (10, 12), (600, 300), (10, 2), (10, 1), (10, 0),
                             (10, -1), (0, 300)):
            found = self.times(ours, theirs)
            self.assertEqual(theirs, sum(found), (ours, theirs))
            self.assertLessEqual(found[0], min(ours, max(0, theirs)))
        self.assertEqual((10, 290), self.times(10, 300))
        self.assertEqual((0, 1), self.times(10, 1))
        self.assertEqual((0, -1), self.times(10, -1))

    def test_from_the_file_too(self):
        with open(self.file, "a") as file:
            file.write("token_cache_time = 8\n")
        layer = self.make()
        self.assertEqual((4, 4), (layer._seconds, layer._check._token_cache._cache_time))

    def test_off(self):
        layer = self.make(token_cache_time=0)
        self.assertNotIsInstance(layer, tokens.Remembering)
        self.assertEqual(200, self.get(layer=layer)[0])
        self.assertEqual(401, self.get("wrong", layer=layer)[0])


class Whole(Layer):
    """Through every layer of the API."""

    def setUp(self):
        super().setUp()
        conf = base.configuration([self.file], auth_strategy="keystone")
        self.app = app.loadapp(conf, self.view, self.child, images.FakeImages(), self.clock,
                               self.ids)

    def test_known_and_unknown(self):
        forged = {"X-Roles": "admin", "X-Project-Id": "bananas", "X-User-Id": "eve",
                  "X-Identity-Status": "Confirmed", "X-Is-Admin-Project": "True"}
        uuid = self.create(token=GOOD)
        for _ in range(2):
            shown = self.ask("GET", f"/servers/{uuid}", token=GOOD, headers=forged).json["server"]
            self.assertEqual(("apples", "ann"), (shown["tenant_id"], shown["user_id"]))
            self.assertNotIn("OS-EXT-SRV-ATTR:host", shown)
            self.assertEqual(403, self.ask("GET", "/servers?all_tenants=1", token=GOOD,
                                           headers=forged).status)
            answer = self.ask("GET", "/servers", token="", headers=forged)
            self.assertEqual(401, answer.status)
            self.assertIn("Keystone uri=", answer.headers["WWW-Authenticate"])

    def test_a_token_without_a_project(self):
        self.keystone.tokens["bare"] = keystone.body("ann", None, [])
        for _ in range(2):
            answer = self.ask("GET", "/servers", token="bare")
            self.assertEqual(401, answer.status)
            self.assertIn("Keystone uri=", answer.headers["WWW-Authenticate"])
