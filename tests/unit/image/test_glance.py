"""The Image service's client, against a small server that speaks its language."""

import hashlib
import http.server
import json
import os
import tempfile
import threading
import unittest

from keystoneauth1 import adapter, session, token_endpoint

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import glance, protocol

DATA = os.urandom(3 * 1024 * 1024)
DOCUMENT = {
    "id": "11111111-2222-4333-8444-555555555555", "name": "tiny", "status": "active",
    "disk_format": "qcow2", "container_format": "bare", "size": len(DATA), "min_disk": 1,
    "min_ram": 64, "checksum": hashlib.md5(DATA).hexdigest(), "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(DATA).hexdigest(), "os_hidden": False, "owner": "p",
    "visibility": "private", "tags": ["a"], "hw_disk_bus": "ide", "os_distro": "debian",
    "locations": [{"url": "file:///etc/passwd"}], "self": "/v2/images/1", "stores": "file"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as ``self.server.answers`` says, or from DOCUMENT."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("X-Auth-Token")))
        status, body = self.server.answers.get(self.path, (None, None))
        if status is None and self.path == f"/v2/images/{DOCUMENT['id']}":
            status, body = 200, json.dumps(DOCUMENT).encode()
        elif status is None and self.path == f"/v2/images/{DOCUMENT['id']}/file":
            status, body = 200, DATA
        self.send_response(status or 404)
        self.send_header("Content-Length", str(self.server.promise or len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *words):
        """Quiet."""


class Glance(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen, self.server.answers, self.server.promise = [], {}, None
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.room = self.at(endpoint_override=self.url)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "image")

    def at(self, **how):
        auth = token_endpoint.Token(how.get("endpoint_override", self.url + "/v2/"), "ours")
        return glance.GlanceRoom(adapter.Adapter(session.Session(auth), service_type="image",
                                                 raise_exc=False, **how), timeout=5)

    def answer(self, status, body=b"", path=f"/v2/images/{DOCUMENT['id']}"):
        self.server.answers[path] = (status, body)

    def test_facts_are_asked_as_the_user(self):
        image = self.room.facts(DOCUMENT["id"], "theirs")
        self.assertEqual([(f"/v2/images/{DOCUMENT['id']}", "theirs")], self.server.seen)
        self.assertEqual(model.ImageFacts(
            id=DOCUMENT["id"], name="tiny", disk_format="qcow2", size=len(DATA), min_disk=1,
            min_ram=64, checksum=DOCUMENT["checksum"], hash_algo="sha512",
            hash_value=DOCUMENT["os_hash_value"],
            properties={"hw_disk_bus": "ide", "os_distro": "debian", "os_hidden": "False"}), image)

    def test_the_catalogue_s_address_may_name_the_version(self):
        self.at().facts(DOCUMENT["id"], "theirs")
        self.assertEqual([(f"/v2/images/{DOCUMENT['id']}", "theirs")], self.server.seen)

    def test_without_a_token_we_ask_as_ourselves(self):
        self.room.facts(DOCUMENT["id"])
        self.assertEqual("ours", self.server.seen[0][1])

    def test_what_statuses_mean(self):
        for status, token, problem in (
                (404, "t", errors.NotFound), (403, "t", errors.NotFound),
                (401, "t", errors.NotFound), (401, None, protocol.Unreachable),
                (403, None, protocol.Unreachable), (500, "t", protocol.Unreachable),
                (503, "t", protocol.Unreachable), (300, "t", protocol.Unreachable)):
            with self.subTest(status=status, token=token):
                self.answer(status)
                self.assertRaises(problem, self.room.facts, DOCUMENT["id"], token)

    def test_answers_that_make_no_sense(self):
        for body in (b"", b"<html>", b"[]", b"{}", b'{"id": "1", "size": "many"}'):
            self.answer(200, body)
            with self.assertRaisesRegex(protocol.Unreachable, "cannot be understood"):
                self.room.facts(DOCUMENT["id"], "t")

    def test_not_bootable(self):
        for change, problem in (({"status": "saving"}, errors.Conflict),
                                ({"status": "deactivated"}, errors.Conflict),
                                ({"disk_format": None}, errors.Invalid),
                                ({"disk_format": "iso"}, errors.Invalid)):
            self.answer(200, json.dumps({**DOCUMENT, **change}).encode())
            self.assertRaises(problem, self.room.facts, DOCUMENT["id"], "t")

    def test_ids_that_are_no_ids_are_not_sent(self):
        for image_id in ("", "../x", "a/b", "a?b", "ü", "a" * 65):
            self.assertRaises(errors.NotFound, self.room.facts, image_id, "t")
        self.assertEqual([], self.server.seen)

    def test_download(self):
        image = self.room.facts(DOCUMENT["id"], "theirs")
        self.room.download(image, self.path)
        with open(self.path, "rb") as file:
            self.assertEqual(DATA, file.read())
        self.assertEqual((f"/v2/images/{DOCUMENT['id']}/file", "ours"), self.server.seen[-1])

    def test_corrupt_on_the_way(self):
        image = self.room.facts(DOCUMENT["id"], "theirs")
        self.answer(200, DATA[:-1] + b"?", f"/v2/images/{DOCUMENT['id']}/file")
        self.assertRaises(errors.Invalid, self.room.download, image, self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_broken_off(self):
        image = self.room.facts(DOCUMENT["id"], "theirs")
        self.server.promise = len(DATA)
        self.answer(200, DATA[:1000], f"/v2/images/{DOCUMENT['id']}/file")
        self.assertRaises(protocol.Unreachable, self.room.download, image, self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_no_bytes_yet_and_gone(self):
        image = self.room.facts(DOCUMENT["id"], "theirs")
        for status, problem in ((204, errors.Conflict), (404, errors.NotFound)):
            self.answer(status, path=f"/v2/images/{DOCUMENT['id']}/file")
            self.assertRaises(problem, self.room.download, image, self.path)

    def test_nobody_there(self):
        room = self.at(endpoint_override="http://127.0.0.1:1")
        for token in ("t", None):
            with self.assertRaisesRegex(protocol.Unreachable, "does not answer; try again"):
                room.facts(DOCUMENT["id"], token)
