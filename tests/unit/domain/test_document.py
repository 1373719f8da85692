# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The fast server document equals the slow one, at every microversion and for every sight."""

import itertools
import json

import hypothesis
import testtools
from hypothesis import strategies as st

from nova_cells.domain import document, lifecycle, rendering
from nova_cells.domain import server as model

VERSIONS = range(1, 105)
SIGHTS = [rendering.Sight(*sight) for sight in itertools.product(
    (False, True), (False, True), (False, True), ("", "unknown-only", "all"))]
PLACE = rendering.Place("http://cloud.example.org:8774/v2.1", "http://cloud.example.org:8774")

words = st.text(max_size=12)
maps = st.dictionaries(words, words, max_size=3)
times = st.none() | st.floats(0, 4e9, allow_nan=False)
flavors = st.builds(model.Flavor, id=words, name=words, vcpus=st.integers(1, 99),
                    ram_mb=st.integers(1, 9999), disk_gb=st.integers(0, 99), extra_specs=maps)
images = st.builds(model.ImageFacts, id=words, properties=maps)
faults = st.builds(model.Fault, code=st.sampled_from((400, 500)), message=words,
                   created_at=st.floats(0, 4e9), details=st.none() | words)
addresses = st.builds(model.Address, network=words, ip=words, version=st.sampled_from((4, 6)),
                      mac=words)
volumes = st.builds(model.Attachment, volume_id=words, delete_on_termination=st.booleans())
servers = st.builds(
    model.Server, uuid=st.uuids().map(str), project_id=words, user_id=words,
    epoch=st.just(1), version=st.just(1), host=st.none() | words, node=st.none() | words,
    rest=st.sampled_from(sorted(lifecycle.RESTS)),
    verb=st.none() | st.sampled_from(sorted(lifecycle.VERBS)), power_state=st.integers(0, 7),
    fault=st.none() | faults, name=words, description=st.none() | words, hostname=words,
    flavor=flavors, image=st.none() | images, key_name=st.none() | words, metadata=maps,
    tags=st.lists(words, max_size=3).map(tuple), config_drive=st.booleans(),
    hints=st.dictionaries(words, words | st.lists(words, max_size=2), max_size=2),
    security_groups=st.lists(words, max_size=2).map(tuple), locked=st.booleans(),
    locked_reason=st.none() | words, availability_zone=st.none() | words,
    pinned_availability_zone=st.none() | words, instance_name=st.none() | words,
    trusted_certificates=st.none() | st.lists(words, max_size=2).map(tuple),
    created_at=st.floats(0, 4e9), updated_at=times, launched_at=times, terminated_at=times,
    addresses=st.lists(addresses, max_size=3).map(tuple),
    attachments=st.lists(volumes, max_size=2).map(tuple))
volatile = st.builds(rendering.Volatile, host_status=st.none() | words,
                     user_data=st.none() | words, groups=st.lists(words, max_size=2).map(tuple))


def server(**changes):
    facts = {"uuid": "5f8a1c5e-0000-4000-8000-000000000001", "project_id": "p", "user_id": "u",
             "epoch": 1, "version": 2, "created_at": 1.7e9, "name": "a",
             "flavor": model.Flavor(id="1", name="m1.tiny", vcpus=1, ram_mb=512, disk_gb=1),
             "image": model.ImageFacts(id="1ea7f00d-0000-4000-8000-000000000001")}
    return model.Server(**{**facts, **changes})


def fast(one, kind, version, sight, place=PLACE, more=rendering.Volatile()):  # noqa: B008
    return json.loads(document.assemble(document.fragments(one), kind, version, sight, place,
                                        more))


class Equality(testtools.TestCase):
    @hypothesis.settings(max_examples=40, deadline=None,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(servers, volatile)
    def test_fast_equals_slow_everywhere(self, one, more):
        stored = document.fragments(one)
        for version, sight, kind in itertools.product(
                VERSIONS, SIGHTS, ("show", "detail", "brief")):
            joined = document.assemble(stored, kind, version, sight, PLACE, more)
            self.assertEqual(
                rendering.render(one, kind, version, sight, PLACE, more), json.loads(joined))

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(words, words)
    def test_links_are_never_found_inside_what_a_user_wrote(self, name, base):
        one = server(name=name, description=PLACE.versioned, metadata={"href": base})
        place = rendering.Place(base + "/v2.1", base)
        for version in (1, 47, 104):
            self.assertEqual(rendering.render(one, "show", version, SIGHTS[0], place),
                             fast(one, "show", version, SIGHTS[0], place))


class Cuts(testtools.TestCase):
    """Each key begins where the api-ref says."""

    def test_keys_by_version(self):
        first = {"OS-EXT-SRV-ATTR:host": 1, "OS-EXT-SRV-ATTR:user_data": 3, "locked": 9,
                 "host_status": 16, "description": 19, "tags": 26,
                 "trusted_image_certificates": 63, "server_groups": 71, "locked_reason": 73,
                 "pinned_availability_zone": 96, "scheduler_hints": 100}
        sight = rendering.Sight(True, True, True, "all")
        for key, version in first.items():
            self.assertIn(key, fast(server(), "show", version, sight))
            if version > 1:
                self.assertNotIn(key, fast(server(), "show", version - 1, sight))

    def test_hostname_is_public_from_2_90(self):
        key, plain = "OS-EXT-SRV-ATTR:hostname", rendering.Sight()
        self.assertNotIn(key, fast(server(), "show", 89, plain))
        self.assertIn(key, fast(server(), "show", 90, plain))
        self.assertIn(key, fast(server(), "show", 3, rendering.Sight(attributes=True)))

    def test_a_tenant_sees_no_host_and_no_fault_details(self):
        one = server(rest="error", host="node-7", fault=model.Fault(
            code=500, message="m", created_at=1.0, details="secret"))
        for version in VERSIONS:
            text = json.dumps(fast(one, "show", version, rendering.Sight()))
            self.assertNotIn("secret", text)
            self.assertNotIn("node-7", text)

    def test_no_image_and_the_embedded_flavor(self):
        shown = fast(server(image=None), "show", 104, rendering.Sight(extra_specs=False))
        self.assertEqual("", shown["image"])
        self.assertEqual({"vcpus": 1, "ram": 512, "disk": 1, "ephemeral": 0, "swap": 0,
                          "original_name": "m1.tiny"}, shown["flavor"])

    def test_an_update_shows_less_below_2_75(self):
        for version, more in ((74, False), (75, True)):
            shown = rendering.render(server(), "update", version, rendering.Sight(), PLACE)
            self.assertEqual(more, "OS-EXT-STS:vm_state" in shown)


class Many(testtools.TestCase):
    def test_a_thousand_rows(self):
        rows = [document.fragments(server(metadata={"a": "b"}))] * 1000
        joiner = document.Joiner(document.plan("detail", 104, rendering.Sight()), PLACE)
        body = document.enclosed(b"[", joiner.all(rows), b"]")
        self.assertEqual(1000, len(json.loads(body)))
