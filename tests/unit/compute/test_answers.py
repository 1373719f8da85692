# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a host answers about a guest."""

import testtools
from oslo_config import cfg

from nova_cells import conf as confs
from nova_cells.compute import answers
from nova_cells.conf import consoles as options
from nova_cells.domain import commands, errors, tasks
from nova_cells.image import fake as images
from nova_cells.virt import fake, settings
from tests.unit.virt import specs


class Answers(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"),
                                      images.FakeImages())
        self.offered = {kind: answers.Offered(**words) for kind, words in options.offered(
            confs.new(overrides={"serial_console": {"enabled": True}, "spice": {"enabled": True},
                                 "vnc": {"server_proxyclient_address": "10.1.1.1"}})).items()}

    def ask(self, query):
        return answers.answer(self.driver, self.offered, query)

    def define(self):
        spec = specs.spec()
        self.driver.define(spec)
        return spec.server

    def test_diagnostics(self):
        server = self.define()
        off = self.ask(tasks.DiagnosticsQuery(server=server.uuid)).diagnostics
        self.assertEqual((4, 0, 64), (off.power, len(off.cpus), off.memory_maximum))
        self.assertRaises(errors.NotFound, self.ask, tasks.DiagnosticsQuery(server="x"))

    def test_consoles(self):
        server = self.define()
        self.assertEqual({"novnc", "serial", "spice-html5", "spice-direct"}, set(self.offered))
        found = {kind: self.ask(tasks.AccessQuery(server=server.uuid, kind=kind)).where
                 for kind in self.offered}
        self.assertEqual(("10.1.1.1", None), (found["novnc"].host, found["novnc"].tls_port))
        self.assertEqual("ws://127.0.0.1:6083/", found["serial"].base_url)
        self.assertEqual(found["spice-direct"].port + 1, found["spice-direct"].tls_port)
        refused = self.assertRaises(errors.Invalid, self.ask,
                                    tasks.AccessQuery(server=server.uuid, kind="webmks"))
        self.assertEqual("Unavailable console type webmks.", refused.message)

    def test_a_driver_that_cannot(self):
        server = self.define()
        self.driver.capabilities = frozenset({"boot"})
        for query in (tasks.DiagnosticsQuery(server=server.uuid),
                      tasks.AccessQuery(server=server.uuid, kind="novnc")):
            self.assertRaises(errors.Unsupported, self.ask, query)
        self.assertIsInstance(self.ask(tasks.ConsoleQuery(server=server.uuid)), commands.Text)

    def test_what_is_offered_by_default(self):
        self.assertEqual(answers.DEFAULT, {
            kind: answers.Offered(**words) for kind, words in options.offered(
                confs.new()).items()})
        self.assertIsInstance(options.VNC[0], cfg.URIOpt)
