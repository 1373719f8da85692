# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The parts of the stand-alone process, each by itself."""

import contextlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import testtools

from nova_cells.cmd import laptop, lock, web
from nova_cells.domain import errors
from nova_cells.image import fake
from tests.unit.cmd import base


class Locks(base.CommandTestCase):
    def test_one_holder(self):
        one, two = lock.StateLock(self.state), lock.StateLock(self.state)
        one.take()
        error = self.assertRaises(errors.Conflict, two.take)
        self.assertIn(f"process {os.getpid()}", str(error))
        one.free()
        one.free()
        two.take()
        two.free()

    def test_it_goes_with_its_holder(self):
        code = ("import sys, time; from nova_cells.cmd import lock\n"
                "lock.StateLock(sys.argv[1]).take(); print('taken', flush=True); time.sleep(60)")
        holder = subprocess.Popen([sys.executable, "-c", code, self.state],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        # A lock that somebody else holds by opening the file is the point: the object is not kept.
        self.assertEqual("taken", holder.stdout.readline().strip())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        mine = lock.StateLock(self.state)
        mine.take()
        mine.free()


class Web(testtools.TestCase):
    def server(self, application, threads=4):
        server = web.WebServer(application, web.bind("127.0.0.1", 0), threads)
        server.start()
        return server

    def get(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        return connection.getresponse().read()

    def test_what_came_is_answered_before_it_ends(self):
        began, answers = threading.Event(), []

        def slow(environ, start):
            began.set()
            time.sleep(0.3)
            start("200 OK", [("Content-Length", "4")])
            return [b"done"]

        server = self.server(slow)
        asker = threading.Thread(target=lambda: answers.append(self.get(server.port)))
        asker.start()
        self.assertTrue(began.wait(5))
        port = server.port
        self.assertTrue(server.stop(5))
        asker.join(5)
        self.assertEqual([b"done"], answers)
        self.assertRaises(OSError, self.get, port)

    def test_patience_ends(self):
        began, go = threading.Event(), threading.Event()

        def stuck(environ, start):
            began.set()
            go.wait(10)
            start("200 OK", [("Content-Length", "0")])
            return [b""]

        server = self.server(stuck)

        def ask():
            with contextlib.suppress(http.client.HTTPException, OSError):
                self.get(server.port)

        asker = threading.Thread(target=ask, daemon=True)
        asker.start()
        self.assertTrue(began.wait(5))
        self.assertFalse(server.stop(0.2))       # would hang on what never ends
        go.set()

    def test_a_port_in_use(self):
        taken = web.bind("127.0.0.1", 0)
        self.addCleanup(taken.close)
        error = self.assertRaises(errors.Conflict, web.bind, "127.0.0.1",
                                  taken.getsockname()[1])
        self.assertIn("--port", str(error))

    def test_no_such_address(self):
        error = self.assertRaises(errors.Problem, web.bind, "192.0.2.77", 0)
        self.assertIn("192.0.2.77", str(error))


class LaptopTest(testtools.TestCase):
    def ask(self, method, path, body=None, query=""):
        text = json.dumps(body).encode() if body is not None else b""
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query,
                   "wsgi.url_scheme": "http", "HTTP_HOST": "127.0.0.1:1",
                   "wsgi.input": io.BytesIO(text), "CONTENT_LENGTH": str(len(text))}
        seen = {}

        def start(status, headers):
            seen.update(status=int(status.split()[0]), headers=dict(headers))

        application = laptop.Laptop(lambda environ, start: [b'"the api"'], fake.FakeImages())
        document = json.loads(b"".join(application(environ, start)))
        return seen.get("status"), seen.get("headers"), document

    def password(self, user, project=None):
        auth = {"identity": {"methods": ["password"], "password": {
            "user": {"name": user, "password": "any"}}}}
        if project:
            auth["scope"] = {"project": {"name": project}}
        return {"auth": auth}

    def test_everything_else_is_the_apis(self):
        self.assertEqual("the api", self.ask("GET", "/v2.1/servers")[2])

    def test_a_token_says_who(self):
        status, headers, document = self.ask("POST", "/identity/v3/auth/tokens",
                                             self.password("admin", "demo"))
        self.assertEqual((201, "admin:demo"), (status, headers["X-Subject-Token"]))
        self.assertEqual("demo", document["token"]["project"]["id"])
        self.assertIn("admin", [role["name"] for role in document["token"]["roles"]])
        urls = {service["type"]: service["endpoints"][0]["url"]
                for service in document["token"]["catalog"]}
        self.assertEqual("http://127.0.0.1:1/v2.1", urls["compute"])

    def test_not_everybody_is_admin(self):
        _, _, document = self.ask("POST", "/identity/v3/auth/tokens", self.password("eve", "demo"))
        self.assertNotIn("admin", [role["name"] for role in document["token"]["roles"]])

    def test_what_is_not_understood(self):
        for body in ({}, {"auth": 1}, {"auth": {"identity": {"password": {"user": {}}}}}, [],
                     self.password("a:b"), self.password("x\r\ny")):
            self.assertEqual(400, self.ask("POST", "/identity/v3/auth/tokens", body)[0])
        self.assertEqual(404, self.ask("GET", "/identity/v3/users")[0])

    def test_images(self):
        _, _, document = self.ask("GET", "/image/v2/images", query="name=cirros-fake")
        self.assertEqual([fake.CIRROS], [image["id"] for image in document["images"]])
        self.assertEqual(200, self.ask("GET", f"/image/v2/images/{fake.CIRROS}")[0])
        self.assertEqual(404, self.ask("GET", "/image/v2/images/nope")[0])
