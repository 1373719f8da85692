# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A slice of the fuzz, and that it would notice; what it found once, each a test."""

import json
import random
import urllib.parse
from unittest import mock

import fixtures
import testtools

from tests.rest import base, fuzz, nonsense

SEED, BLOCKS = 2026, 8


class Slice(testtools.TestCase):
    def test_nothing_is_answered_as_it_must_not_be(self):
        """2,000 requests.  What failed: python -m tests.rest.fuzz --seed S --block B."""
        tally = fuzz.collections.Counter()
        wrong = [told for number in range(BLOCKS) for told in fuzz.block(SEED, number, tally=tally)]
        self.assertEqual([], wrong, "\n".join(wrong))
        self.assertEqual(BLOCKS * fuzz.BLOCK, sum(tally.values()))
        # it comes far, too: no fuzz of the door alone
        self.assertGreater(sum(tally[status] for status in (200, 201, 202, 204)), 150, tally)

    def test_it_repeats_itself(self):
        told = []
        for _ in range(2):
            rng = random.Random("again")
            world = fuzz.World(rng)
            self.addCleanup(world.close)
            maker = nonsense.Maker(rng, fuzz.compute.actions(), world.known)
            told.append(
                [
                    (asked, world.send(asked)[0])
                    for asked in (maker.one(action) for action in maker.actions[:60])
                ]
            )
        self.assertEqual(*told)

    def test_it_would_notice(self):
        self.useFixture(fixtures.FakeLogger())
        broken = mock.patch.object(
            fuzz.compute,
            "actions",
            lambda whole=fuzz.compute.actions: [
                action
                if action.key != "limits:index" and action.path != "/limits"
                else action._replace(handler=lambda _request: 1 // 0, query=None)
                for action in whole()
            ],
        )
        with broken:
            found = [told for number in range(2) for told in fuzz.block(1, number)]
        self.assertTrue(found)
        self.assertIn("an error of ours", found[0])
        self.assertIn("seed 1 block", found[0])


class Judged(testtools.TestCase):
    """What is said about answers."""

    def setUp(self):
        super().setUp()
        self.asked = nonsense.Asked("GET", "/v2.1/x", {}, None, False)

    def told(self, status, body, *, down=False, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {
            "x-openstack-request-id": "req-1",
            "content-type": "application/json",
            "content-length": str(len(data)),
            **headers,
        }
        return fuzz.complaints(self.asked._replace(down=down), status, list(named.items()), data)

    def fault(self, status, message="There is none in this deployment."):
        return {fuzz.faults.NAMES.get(status, "computeFault"): {"code": status, "message": message}}

    def test_what_may_be(self):
        for status in (400, 404, 409, 410, 501):
            self.assertEqual([], self.told(status, self.fault(status)))
        self.assertEqual([], self.told(200, {"servers": []}))
        self.assertEqual([], self.told(204, b""))
        self.assertEqual([], self.told(503, self.fault(503), down=True, **{"retry-after": "5"}))

    def test_what_may_not(self):
        for status, body in (
            (500, self.fault(500)),
            (502, self.fault(502)),
            (400, {"a": 1}),
            (400, []),
            (400, b"x"),
            (400, b""),
            (400, self.fault(404)),
            (503, self.fault(503)),
            (400, self.fault(400, "")),
            (501, self.fault(501, "Why not.")),
            (405, self.fault(405)),
            (204, b"x"),
            (200, b"Traceback"),
            (200, b"NaN x"),
        ):
            self.assertNotEqual([], self.told(status, body), (status, body))
        self.assertNotEqual([], self.told(200, {}, **{"x-a": "b\r\nc"}))
        self.assertNotEqual([], self.told(200, {}, **{"content-length": "7"}))


class Found(base.RestCase):
    def test_the_old_version_wants_one_key_that_is_known(self):
        """/v2 passes over keys that nobody knows: they were counted, and it was 500."""
        for body in ({"unheard": 1}, {}, {"unheard": 1, "other": 2}):
            asked = nonsense.Asked(
                "PUT",
                "/v2/os-hosts/node-1",
                {"X-Auth-Token": base.ADMIN, "Content-Type": "application/json"},
                json.dumps(body).encode(),
                False,
            )
            request = base.webob.Request.blank(
                asked.path, method="PUT", body=asked.body, headers=asked.headers
            )
            answer = base.Answer(request.get_response(self.app))
            self.assertEqual((400, {"badRequest"}), (answer.status, set(answer.json)), body)

    def test_headers_hold_addresses(self):
        """A server cannot send a header that is no Latin-1; a tag stood in one as it was."""
        uuid = self.create()
        for tag in ("\u4041", "a b", "a?b", "%41", "\u00e9"):
            quoted = urllib.parse.quote(tag, safe="")
            answer = self.ask("PUT", f"/servers/{uuid}/tags/{quoted}", version="2.26")
            self.assertEqual(201, answer.status, answer.text)
            self.assertEqual(f"http://localhost/v2.1/servers/{uuid}/tags/{quoted}",
                             answer.headers["Location"])
            answer = self.ask("DELETE", f"/servers/{uuid}/tags/{quoted}", version="2.26")
            self.assertEqual(204, answer.status)

    def test_whatever_this_host_is_called(self):
        body = {"server": {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE}}
        for host in ("\u00e9.example", "a b", 'a"><script>', "[::1]:8774"):
            named = {"Host": host.encode().decode("latin-1")}
            answer = self.ask("POST", "/servers", body, headers=named)
            self.assertEqual(202, answer.status, answer.text)
            where = answer.headers["Location"]
            self.assertTrue(where.isascii() and where.isprintable(), where)
            self.assertEqual(set(), set(where) & set(' "<>'))
