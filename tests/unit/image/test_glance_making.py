# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Making and showing images, against a small server that behaves as the Image service does."""

import http.server
import io
import json
import re
import threading
import unittest
import urllib.parse

from keystoneauth1 import adapter, session, token_endpoint

from nova_cells.domain import errors
from nova_cells.image import glance, protocol

ID = "11111111-2222-4333-8444-555555555555"
NEW = protocol.NewImage(id=ID, name="pic", min_disk=1, properties={"image_type": "snapshot"})
DATA = b"disk" * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps image documents; ``wrong``: (method, path) -> (status, body), once or always."""

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(length)
        path, _, query = self.path.partition("?")
        self.server.seen.append((self.command, path, self.headers.get("X-Auth-Token"),
                                 self.headers.get("Content-Type")))
        status, answer = self.server.wrong.pop((self.command, path), None) or self._act(
            path, urllib.parse.parse_qs(query), body)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def _chunks(self):
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _act(self, path, query, body):
        images = self.server.images
        if path == "/v2/images":
            return self._collection(query, body)
        image_id, _, rest = path.removeprefix("/v2/images/").partition("/")
        if image_id not in images:
            return 404, None
        image = images[image_id]
        if rest == "members":
            self.server.members.append(json.loads(body)["member"])
            return 200, {}
        if rest == "file":
            if image["status"] != "queued" or not image.get("disk_format"):
                return 409, None
            image.update(status="active", size=len(body))
            self.server.data[image_id] = body
            return 204, None
        if self.command == "PATCH":
            for change in json.loads(body):
                name = change["path"][1:].replace("~1", "/").replace("~0", "~")
                if change["op"] == "remove":
                    del image[name]
                else:
                    image[name] = change["value"]
        elif self.command == "DELETE":
            del images[image_id]
            return 204, None
        return 200, image

    def _collection(self, query, body):
        images = self.server.images
        if self.command == "POST":
            image = json.loads(body)
            if image["id"] in images:
                return 409, None
            images[image["id"]] = {**image, "status": "queued", "owner": "p", "size": None,
                                   "created_at": "2026-01-01T00:00:00Z", "tags": []}
            return 201, images[image["id"]]
        wanted = {name: values[0] for name, values in query.items()
                  if name not in ("sort_key", "sort_dir", "limit", "marker")}
        found = [image for image in images.values() if wanted.items() <= image.items()]
        start = 0
        if "marker" in query:
            start = [image["id"] for image in found].index(query["marker"][0]) + 1
        page = found[start:start + min(int(query["limit"][0]), self.server.most)]
        more = {"next": f"/v2/images?{urllib.parse.urlencode({**wanted, 'limit': 9, 'marker': page[-1]['id']})}"  # noqa: E501
                } if found[start + len(page):] else {}
        return 200, {"images": page, **more}

    def log_message(self, *words):
        """Quiet."""


class Case(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen, self.server.wrong, self.server.images = [], {}, {}
        self.server.data, self.server.members, self.server.most = {}, [], 1000
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.room = glance.GlanceRoom(adapter.Adapter(
            session.Session(token_endpoint.Token(url, "ours")), service_type="image",
            raise_exc=False, endpoint_override=url), timeout=5)
        self.url = url

    def upload(self, size=None):
        self.room.upload(ID, io.BytesIO(DATA), size or len(DATA), "raw")

    def wrong(self, method, path, status, body=None):
        self.server.wrong[method, path] = (status, body)

    def puts(self):
        return [path for method, path, _token, _kind in self.server.seen if method == "PUT"]


class Making(Case):
    def test_the_record_is_made_as_the_user_and_once(self):
        for _time in range(2):
            self.room.create(NEW, "theirs")
        self.assertEqual(("POST", "/v2/images", "theirs", "application/json"),
                         self.server.seen[0])
        image = self.server.images[ID]
        self.assertEqual(("pic", "private", 1, 0, "snapshot"), tuple(image[name] for name in (
            "name", "visibility", "min_disk", "min_ram", "image_type")))
        self.assertNotIn("disk_format", image)

    def test_one_that_is_shared(self):
        self.room.create(protocol.NewImage(
            id=ID, name="b", visibility="shared", member="q", disk_format="qcow2",
            container_format="bare"), "theirs")
        self.assertEqual(["q"], self.server.members)
        self.assertEqual("qcow2", self.server.images[ID]["disk_format"])

    def test_what_a_user_is_told(self):
        for status, problem in ((400, errors.Invalid), (403, errors.Refused), (500,
                                protocol.Unreachable), (413, errors.OverLimit)):
            self.wrong("POST", "/v2/images", status, "<h1>because</h1>")
            with self.assertRaisesRegex(problem, "because|answers 500"):
                self.room.create(NEW, "theirs")

    def test_bytes_are_sent_as_ourselves_and_once(self):
        self.room.create(NEW, "theirs")
        self.assertFalse(self.room.filled(ID))
        del self.server.seen[:]
        for _time in range(2):
            self.upload()
        self.assertEqual(DATA, self.server.data[ID])
        self.assertEqual({"ours"}, {token for _m, _p, token, _kind in self.server.seen})
        self.assertEqual([f"/v2/images/{ID}/file"], self.puts())
        image = self.server.images[ID]
        self.assertEqual(("active", "raw", "bare"), (image["status"], image["disk_format"],
                                                     image["container_format"]))
        self.assertTrue(self.room.filled(ID))

    def test_bytes_for_an_image_that_is_gone(self):
        with self.assertRaises(errors.NotFound):
            self.upload()
        self.room.create(NEW, "theirs")
        self.server.images[ID]["status"] = "deleted"
        with self.assertRaises(errors.NotFound):
            self.upload()
        self.server.images[ID]["status"] = "queued"
        self.wrong("PUT", f"/v2/images/{ID}/file", 410)
        with self.assertRaises(errors.NotFound):
            self.upload()

    def test_bytes_for_an_image_that_takes_none(self):
        self.room.create(NEW, "theirs")
        self.server.images[ID]["status"] = "saving"
        with self.assertRaises(errors.Conflict):
            self.upload()

    def test_what_a_host_is_told(self):
        self.room.create(NEW, "theirs")
        for status, problem in ((400, errors.Invalid), (413, errors.Invalid),
                                (403, protocol.Unreachable), (503, protocol.Unreachable)):
            self.wrong("PUT", f"/v2/images/{ID}/file", status, "because")
            with self.assertRaises(problem):
                self.upload()

    def test_bytes_that_did_not_arrive(self):
        """Nobody complained, and yet."""
        self.room.create(NEW, "theirs")
        with self.assertRaisesRegex(protocol.Unreachable, "4000 of 5000 bytes"):
            self.upload(5000)

    def test_delete(self):
        self.room.create(NEW, "theirs")
        for status, problem in ((403, errors.Refused), (409, errors.Conflict),
                                (500, protocol.Unreachable)):
            self.wrong("DELETE", f"/v2/images/{ID}", status)
            self.assertRaises(problem, self.room.delete, ID, "theirs")
        self.room.delete(ID, "theirs")
        self.assertEqual("theirs", self.server.seen[-1][2])
        self.assertRaises(errors.NotFound, self.room.delete, ID)

    def test_discard_spares_what_is_filled(self):
        self.room.create(NEW, "theirs")
        self.upload()
        self.room.discard(ID)
        self.assertIn(ID, self.server.images)
        self.server.images[ID]["status"] = "saving"
        for _time in range(2):
            self.room.discard(ID)
        self.assertNotIn(ID, self.server.images)

    def test_backups_of_every_page_and_of_nobody_else(self):
        self.server.most = 2
        for number in range(5):
            self.room.create(protocol.NewImage(id=f"{number}{ID[1:]}", name="b", properties={
                "image_type": "backup", "backup_type": "daily", "instance_uuid": "s"}), "t")
        self.server.images[f"3{ID[1:]}"]["owner"] = "eve"
        found = self.room.backups(protocol.Backups(server="s", kind="daily", owners=("p",)))
        self.assertEqual([f"{number}{ID[1:]}" for number in (0, 1, 2, 4)], found)
        self.assertEqual([], self.room.backups(protocol.Backups(
            server="s", kind="weekly", owners=("p",))))


class Showing(Case):
    def test_documents(self):
        self.room.create(NEW, "theirs")
        self.server.images[ID] |= {"os_hidden": False, "os_hash_algo": "sha512", "min_ram": None}
        self.assertEqual(protocol.ImageDocument(
            id=ID, name="pic", status="queued", owner="p", min_disk=1,
            created_at="2026-01-01T00:00:00Z", properties={"image_type": "snapshot"}),
            self.room.show(ID, "theirs"))
        self.assertEqual("theirs", self.server.seen[-1][2])
        self.assertRaises(errors.NotFound, self.room.show, ID[::-1], "theirs")

    def test_search_of_every_page_up_to_a_limit(self):
        self.server.most = 2
        for number in range(5):
            self.room.create(protocol.NewImage(id=f"{number}{ID[1:]}", name=f"n{number % 2}"), "t")

        def found(**how):
            return [image.id[0] for image in self.room.search(protocol.Search(**how), "t")]
        self.assertEqual(list("01234"), found())
        self.assertEqual(list("012"), found(limit=3))
        self.assertEqual([], found(limit=0))
        self.assertEqual(list("024"), found(filters={"name": "n0"}))
        self.assertEqual(list("34"), found(marker=f"2{ID[1:]}"))
        for status, problem in ((400, errors.Invalid), (404, errors.Invalid),
                                (403, errors.Refused), (500, protocol.Unreachable)):
            self.wrong("GET", "/v2/images", status)
            self.assertRaises(problem, found)

    def test_properties(self):
        self.room.create(NEW, "theirs")
        changed = self.room.set_properties(ID, {"a/b~c": "1"}, "theirs")
        self.assertEqual({"a/b~c": "1"}, changed.properties)
        self.assertTrue(any(re.match("application/openstack-images", kind or "")
                            for _m, _p, _t, kind in self.server.seen))
        count = len(self.server.seen)
        self.room.set_properties(ID, {"a/b~c": "1"}, "theirs")
        self.assertNotIn("PATCH", [one[0] for one in self.server.seen[count:]])
        self.wrong("PATCH", f"/v2/images/{ID}", 403)
        with self.assertRaisesRegex(errors.Refused, f"Not authorized for image {ID}"):
            self.room.set_properties(ID, {}, "theirs")

    def test_address(self):
        self.assertEqual(self.url, self.room.address())

    def test_nobody_there(self):
        room = glance.GlanceRoom(adapter.Adapter(
            session.Session(token_endpoint.Token("http://127.0.0.1:1", "ours")),
            endpoint_override="http://127.0.0.1:1", raise_exc=False), timeout=1)
        for ask in (lambda: room.show(ID, "t"), lambda: room.create(NEW, "t"),
                    lambda: room.upload(ID, io.BytesIO(b""), 0, "raw"), lambda: room.discard(ID)):
            self.assertRaises(protocol.Unreachable, ask)
