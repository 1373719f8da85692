# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What Neutron is told of a port that moves with its server."""

import testtools
from keystoneauth1 import adapter, noauth, session

from nova_cells.domain import errors
from nova_cells.network import neutron
from tests.rest import neighbours

BOUND = {"device_id": "s-1", "device_owner": "compute:z1", "binding:host_id": "h1",
         "binding:profile": {"pci": "1"}}


class Binding(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.other = neighbours.Neighbour("/v2.0")
        self.addCleanup(self.other.close)
        self.other.things["networks"] = [{"id": "n", "name": "private"}]
        self.other.things["ports"] = [{
            "id": "p", "network_id": "n", "mac_address": "m", "fixed_ips": [], "device_id": "",
            "binding:vif_type": "ovs"}]
        self.room = neutron.NeutronRoom(adapter.Adapter(
            session.Session(auth=noauth.NoAuth()), endpoint_override=self.other.url,
            raise_exc=False))

    def port(self):
        return {name: self.other.things["ports"][0].get(name) for name in BOUND}

    def test_on_a_host_its_profile_is_left_alone(self):
        self.other.things["ports"][0].update(BOUND)
        self.room.bind("p", "s-1", "h2", "z2")
        self.assertEqual({**BOUND, "binding:host_id": "h2", "device_owner": "compute:z2"},
                         self.port())

    def test_on_no_host_it_is_still_the_servers(self):
        self.other.things["ports"][0].update(BOUND)
        for _time in range(2):
            self.room.bind("p", "s-1", "", "z1")
            self.assertEqual({**BOUND, "binding:host_id": "", "binding:profile": {}}, self.port())
        self.assertRaises(errors.Conflict, self.room.bind, "p", "s-2", "h2")
        self.room.bind("p", "s-1", "h2", "z1")
        self.assertEqual("h2", self.port()["binding:host_id"])

    def test_a_binding_that_failed_is_said(self):
        self.other.things["ports"][0]["binding:vif_type"] = "binding_failed"
        self.assertRaises(errors.HostTrouble, self.room.bind, "p", "s-1", "h2")
