# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The stand-alone process: what it refuses, and that it survives whatever ends it."""

import os
import socket

import testtools

from nova_cells.cmd import standalone
from nova_cells.domain import errors
from tests.unit.cmd import base


class Options(base.CommandTestCase):
    def configure(self, *words):
        return standalone.configure(standalone.parse([*words, "--state-path", self.state]))

    def test_a_laptop(self):
        conf = self.configure("--virt", "fake")
        self.assertEqual((["cell1", "cell2"], "noauth2", "fake", "fake", "127.0.0.1", 8774), (
            conf.standalone.cells, conf.api.auth_strategy, conf.glance.source,
            conf.compute_driver, conf.standalone.bind_host, conf.standalone.bind_port))

    def test_a_file_is_not_second_guessed(self):
        path = self.file("[standalone]\ncells = x\n[api]\nauth_strategy = keystone\n")
        conf = self.configure("--virt", "fake", "--config-file", path)
        self.assertEqual((["x"], "keystone"), (conf.standalone.cells, conf.api.auth_strategy))

    def test_cells_and_hosts(self):
        conf = self.configure("--virt", "fake", "--cells", "3", "--hosts-per-cell", "2")
        self.assertEqual(["cell1", "cell2", "cell3"], conf.standalone.cells)
        self.assertEqual(["c3-h1", "c3-h2"], conf["cell.cell3"].hosts)

    def test_noauth2_is_for_loopback(self):
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
            error = self.assertRaises(errors.Invalid, self.configure, "--virt", "fake",
                                      "--host", host)
            self.assertIn("noauth2", str(error))
        for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost"):
            self.configure("--virt", "fake", "--host", host)

    def test_hosts_of_real_hypervisors_are_described(self):
        path = self.file("[DEFAULT]\ncompute_driver = libvirt\n")
        self.assertRaises(errors.Invalid, self.configure, "--config-file", path,
                          "--hosts-per-cell", "2")


class Refusals(base.CommandTestCase):
    def refused(self, code, *words, part=""):
        status, out, error = self.command("standalone", "--state-path", self.state, *words)
        self.assertEqual((code, ""), (status, out), error)
        self.assertSentence(error, "nova-cells-standalone: ", part)
        return error

    def test_what_was_typed(self):
        self.refused(2, "--virt", "xen", part="--virt")
        self.refused(2, "--port", "99999", part="99999")
        self.refused(2, "--frobnicate", part="--frobnicate")
        self.refused(2, "--virt", "fake", "--without-cell", "x", part="there are cell1, cell2")

    def test_noauth2_on_every_address(self):
        self.refused(2, "--virt", "fake", "--host", "0.0.0.0", part="127.0.0.1")

    def test_a_broken_configuration(self):
        for text, part in (("prose\n", "cannot be read"),
                           ("[standalone]\nbind_port = many\n", "bind_port"),
                           ("[DEFAULT]\nconcurrency_backend = twisted\n", "concurrency_backend"),
                           ("[DEFAULT]\ncompute_driver = xen\n[api]\nauth_strategy=noauth2\n"
                            "[standalone]\nbind_port=0\n[glance]\nsource=fake\n", "compute_driver"),
                           ("[standalone]\ncells = a, a\n", "twice")):
            self.refused(2, "--config-file", self.file(text), part=part)
        self.refused(2, "--config-file", "/no/such/file", part="/no/such/file")

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            self.refused(1, "--virt", "fake", "--port", port, part=f"port {port}")

    def test_an_unreachable_database(self):
        text = ("[api]\nauth_strategy = noauth2\n[standalone]\nbind_port = 0\n[glance]\n"
                "source = fake\n[view_database]\nconnection = {}\n")
        for url in ("sqlite:////no/such/directory/file", "mysql+pymysql://me:s3cret@127.0.0.1:1/x",
                    "postgres://me:s3cret@nowhere/x", "nonsense"):
            error = self.refused(1, "--virt", "fake", "--config-file",
                                 self.file(text.format(url)), part="database")
            self.assertNotIn("s3cret", error)

    def test_an_unusable_bus(self):
        path = self.file("[api]\nauth_strategy = noauth2\n[standalone]\nbind_port = 0\n[glance]\n"
                         "source = fake\n[cell.cell1]\ntransport_url = pigeon://a:s3cret@loft/\n")
        error = self.refused(2, "--virt", "fake", "--config-file", path, part="transport URL")
        self.assertNotIn("s3cret", error)

    def test_an_unreachable_bus(self):
        path = self.file("[api]\nauth_strategy = noauth2\n[standalone]\nbind_port = 0\n[glance]\n"
                         "source = fake\n[cell.cell1]\n"
                         "transport_url = rabbit://a:s3cret@127.0.0.1:1/v\n")
        error = self.refused(1, "--virt", "fake", "--config-file", path, part="message bus")
        self.assertNotIn("s3cret", error)

    def test_a_state_directory_that_cannot_be(self):
        self.state = self.file("", "plain-file") + "/below"
        self.refused(2, "--virt", "fake", part="--state-path")


class Life(base.CommandTestCase):
    def heard(self):
        return {cell["name"]: cell["heard"] for cell in self.manage("cell", "list")}

    def test_start_kill_start_stop(self):
        first = self.start()
        self.assertEqual(200, first.get("/")[0])
        self.assertEqual(401, first.get("/v2.1/servers", token="")[0])
        before = {cell["name"]: cell["uuid"] for cell in self.manage("cell", "list")}
        self.assertEqual({"cell1", "cell2"}, set(before))
        self.assertTrue(base.wait_for(lambda: "never" not in self.heard().values()))
        code, _, error = self.command("standalone", "--virt", "fake", "--state-path", self.state,
                                      "--port", "0")
        self.assertEqual(1, code)
        self.assertSentence(error, "in use by process", str(first.process.pid))
        first.kill()
        second = self.start()
        after = {cell["name"]: cell["uuid"] for cell in self.manage("cell", "list")}
        self.assertEqual(before, after)
        code, seconds = second.stop()
        self.assertEqual(0, code, second.text())
        self.assertLess(seconds, 8)
        self.assertIn("guests keep running", second.text())

    def test_secrets_are_the_owners_alone(self):
        self.start().stop()
        for name in os.listdir(self.state):
            if name.endswith(".key"):
                self.assertEqual(0o600, os.stat(os.path.join(self.state, name)).st_mode & 0o777)
        self.assertEqual(0o700, os.stat(self.state).st_mode & 0o777)

    def test_a_cell_that_is_left_down(self):
        process = self.start("--without-cell", "cell2")
        self.assertIn("cell2: left down", process.text())
        self.assertTrue(base.wait_for(lambda: self.heard()["cell1"] != "never"))
        self.assertEqual("never", self.heard()["cell2"])
        self.assertEqual(200, process.get("/v2.1/flavors")[0])

    def test_green_threads(self):
        process = self.start(NOVA_CELLS_CONCURRENCY_BACKEND="eventlet")
        self.assertEqual(200, process.get("/v2.1/flavors")[0])
        self.assertTrue(base.wait_for(lambda: "never" not in self.heard().values()))
        code, seconds = process.stop()
        self.assertEqual(0, code, process.text())
        self.assertLess(seconds, 8)

    def test_a_database_that_is_another_cells(self):
        self.start().kill()
        for end in ("", "-wal", "-shm"):
            path = os.path.join(self.state, f"cell-cell1.sqlite{end}")
            if os.path.exists(path):
                os.unlink(path)
        code, _, error = self.command("standalone", "--virt", "fake", "--state-path", self.state,
                                      "--port", "0")
        self.assertEqual(1, code)
        self.assertSentence(error, "put its file back")


class Greeting(testtools.TestCase):
    def test_numbers(self):
        between = standalone._between(1, 3)
        self.assertEqual(2, between("2"))
        for text in ("0", "4", "x", ""):
            self.assertRaises(Exception, between, text)  # noqa: B017
