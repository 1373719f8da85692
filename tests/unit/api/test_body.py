# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Reading bodies, versions, tokens and faults: the small parts of the machinery."""

import io
import json

import hypothesis
import testtools
from hypothesis import strategies as st

from nova_cells.api import body, faults, microversion
from nova_cells.domain import errors

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner,
        max_size=3), max_leaves=20)


def environ(data, kind="application/json", **more):
    return {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data)),
            "CONTENT_TYPE": kind, **more}


class Bodies(testtools.TestCase):
    @hypothesis.given(values)
    def test_json_is_read(self, value):
        self.assertEqual(value, body.parse(json.dumps(value).encode()))

    def test_what_is_not_plain_json(self):
        for data in (b"{", b"{]", b"nan", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe",
                     b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b"[" * 5000 + b"]" * 5000,
                     b"[" * 100 + b"]" * 100, b'{"a": "\\u0000"}', b'{"\\u0000": 1}',
                     b'"\\ud800"', b"01", b"'a'"):
            self.assertRaises(errors.Invalid, body.parse, data)

    def test_the_type_decides(self):
        for kind in ("application/json", "application/json; charset=UTF-8",
                     "application/vnd.openstack.compute+json"):
            self.assertEqual({}, body.read(environ(b"{}", kind), 100))
        for kind in ("application/xml", "application/x-www-form-urlencoded", "text/html"):
            self.assertRaises(faults.WrongMedia, body.read, environ(b"{}", kind), 100)
        self.assertIsNone(body.read(environ(b"{}", ""), 100))

    def test_size(self):
        self.assertRaises(faults.TooLarge, body.read, environ(b" " * 101), 100)
        chunked = environ(b" " * 101, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
        self.assertRaises(faults.TooLarge, body.read, chunked, 100)
        self.assertRaises(errors.Invalid, body.read, environ(b"", CONTENT_LENGTH="-3"), 100)
        self.assertIsNone(body.read(environ(b""), 100))


class Versions(testtools.TestCase):
    def asked(self, new=None, old=None):
        headers = {"HTTP_OPENSTACK_API_VERSION": new,
                   "HTTP_X_OPENSTACK_NOVA_API_VERSION": old}
        return microversion.asked({key: value for key, value in headers.items() if value})

    def test_headers(self):
        for new, old, minor in (
                (None, None, 1), ("compute 2.19", None, 19), (None, "2.19", 19),
                ("compute latest", None, 104), (None, "latest", 104), ("compute 2.30", "2.1", 30),
                ("identity 3.1, compute 2.5", None, 5), ("identity 3.1", "2.7", 7),
                ("identity 3.1", None, 1)):
            self.assertEqual(minor, self.asked(new, old), (new, old))

    def test_out_of_range_and_malformed(self):
        for text in ("2.0", "2.105", "3.1", "1.1", "2.99999999999"):
            self.assertRaises(faults.NotAcceptable, self.asked, None, text)
        for text in ("2", "two", "2.01", "2.1.1", "2.-1", "02.1", "2.1 ", "2.x"):
            if text.strip() == text:
                self.assertRaises(errors.Invalid, self.asked, None, text)

    def test_what_a_reply_says(self):
        self.assertEqual({"OpenStack-API-Version": "compute 2.3",
                          "X-OpenStack-Nova-API-Version": "2.3",
                          "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version"},
                         dict(microversion.headers(3)))


class Faults(testtools.TestCase):
    def test_every_family_has_a_status_that_is_no_500_but_for_bugs(self):
        for name, family in errors.FAMILIES.items():
            status = faults.status_of(family("x"))
            self.assertEqual(name == "bug", status == 500, name)

    def test_bodies(self):
        for status, name in ((400, "badRequest"), (404, "itemNotFound"), (403, "forbidden"),
                             (409, "conflictingRequest"), (501, "notImplemented"),
                             (503, "serviceUnavailable"), (406, "computeFault"),
                             (410, "computeFault"), (415, "badMediaType")):
            self.assertEqual({name: {"code": status, "message": "m"}},
                             json.loads(faults.body(status, "m")))
        self.assertEqual([("Retry-After", "5")], faults.headers(503))
