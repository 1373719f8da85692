# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The configuration: private, complete, and plain about what is wrong with it."""

import os
import tempfile

import testtools
from oslo_config import cfg, generator

from nova_cells import conf as confs
from nova_cells.conf import database, services, standalone
from nova_cells.domain import errors


class ConfTestCase(testtools.TestCase):
    def file(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def refused(self, text):
        path = self.file(text)
        error = self.assertRaises(confs.BadConfig, confs.new, files=[path])
        self.assertEqual(1, len(str(error).splitlines()))
        return str(error).replace(path, "FILE")


class Reading(ConfTestCase):
    def test_defaults(self):
        conf = confs.new()
        self.assertEqual(8774, conf.standalone.bind_port)
        self.assertEqual("threading", conf.concurrency_backend)

    def test_files_then_overrides(self):
        first = self.file("[DEFAULT]\nhost = a\n[rpc]\nbudget = 3\n")
        second = self.file("[DEFAULT]\nhost = b\n")
        conf = confs.new(files=[first, second], overrides={"standalone": {"bind_port": 1234}})
        self.assertEqual(("b", 3.0, 1234),
                         (conf.host, conf.rpc.budget, conf.standalone.bind_port))

    def test_two_share_nothing_and_the_global_one_is_not_touched(self):
        one = confs.new(overrides={"DEFAULT": {"host": "one"}})
        two = confs.new(overrides={"DEFAULT": {"host": "two"}})
        self.assertEqual(("one", "two"), (one.host, two.host))
        self.assertNotIn("rpc", cfg.CONF)
        self.assertNotIn("state_path", cfg.CONF)


class Refusing(ConfTestCase):
    def test_a_value_of_the_wrong_kind(self):
        self.assertIn("[standalone] bind_port in FILE cannot be used",
                      self.refused("[standalone]\nbind_port = many\n"))

    def test_a_value_out_of_range(self):
        self.assertIn("[rpc] budget in FILE", self.refused("[rpc]\nbudget = -1\n"))

    def test_a_choice(self):
        self.assertIn("[DEFAULT] concurrency_backend in FILE",
                      self.refused("[DEFAULT]\nconcurrency_backend = twisted\n"))

    def test_not_a_configuration(self):
        self.assertIn("FILE cannot be read", self.refused("this is prose\n"))

    def test_no_such_file(self):
        error = self.assertRaises(confs.BadConfig, confs.new, files=["/no/such/file.conf"])
        self.assertIn("/no/such/file.conf cannot be read: No such file", str(error))

    def test_a_directory(self):
        error = self.assertRaises(confs.BadConfig, confs.new, files=["/tmp"])
        self.assertIn("Is a directory", str(error))

    def test_not_text(self):
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(b"\xff\xfe\x00x")
            file.flush()
            error = self.assertRaises(confs.BadConfig, confs.new, files=[file.name])
        self.assertIn("UTF-8", str(error))

    def test_an_override(self):
        self.assertRaises(confs.BadConfig, confs.new,
                          overrides={"standalone": {"bind_port": 99999}})


class Plans(ConfTestCase):
    def plan(self, text, **overrides):
        conf = confs.new(files=[self.file(text)], overrides={
            "DEFAULT": {"compute_driver": "fake", "state_path": "/state", **overrides}})
        return standalone.plan(conf)

    def test_defaults(self):
        (cell,) = self.plan("")
        self.assertEqual(("cell1", ("c1-h1",), "sqlite:////state/cell-cell1.sqlite", None),
                         (cell.name, cell.hosts, cell.connection, cell.transport_url))

    def test_groups_of_cells(self):
        one, two = self.plan("[standalone]\ncells = a, b\n[cell.b]\nhosts = x, y\n"
                             "connection = mysql://there\ntransport_url = rabbit://there/\n")
        self.assertEqual(("c1-h1",), one.hosts)
        self.assertEqual((("x", "y"), "mysql://there", "rabbit://there/"),
                         (two.hosts, two.connection, two.transport_url))

    def test_a_real_host_has_its_own_name(self):
        (cell,) = self.plan("", compute_driver="libvirt.LibvirtDriver", host="metal")
        self.assertEqual(("metal",), cell.hosts)

    def test_bad_names(self):
        for text, word in (("[standalone]\ncells = a, a\n", "twice"),
                           ("[standalone]\ncells = a/b\n", "not a usable name"),
                           ("[standalone]\ncells =\n", "empty"),
                           ("[cell.cell1]\nhosts = h, h\n", "twice")):
            self.assertIn(word, str(self.assertRaises(errors.Invalid, self.plan, text)))


class Sample(ConfTestCase):
    def test_every_option_has_a_text_and_appears_once(self):
        for group, opts in confs.options().items():
            names = [opt.dest for opt in opts]
            self.assertEqual(sorted(set(names)), sorted(names), group)
            for opt in opts:
                self.assertTrue(opt.help, f"[{group}] {opt.name}")

    def test_the_generator_takes_them(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sample")
            conf = cfg.ConfigOpts()
            generator.register_cli_opts(conf)
            conf(["--namespace", "nova_cells", "--output-file", path], project="x",
                 default_config_files=[])
            generator.generate(conf)
            with open(path) as file:
                text = file.read()
        self.assertIn("[standalone]", text)
        self.assertNotIn(os.path.expanduser("~/.local"), text)

    def test_pools(self):
        conf = confs.new()
        self.assertEqual({}, database.pool_options(conf.view_database, "sqlite:////x"))
        self.assertIn("max_pool_size", database.pool_options(conf.view_database, "mysql://x"))


# What cmd makes of a service, and what the service itself need not know.
OF_PROCESSES = {"workers", "scheduler"}


class Settings(ConfTestCase):
    def test_defaults_are_those_of_the_services(self):
        from nova_cells.collector import service as collector
        from nova_cells.compute import agent
        from nova_cells.conductor import service as conductor

        conf = confs.new()
        for room, group in ((collector, "collector"), (conductor, "conductor"), (agent, "compute")):
            self.assertEqual(room.Settings(), services.fill(room.Settings, conf[group]))
            names = {opt.dest for opt in services.OPTS[group]} - OF_PROCESSES
            self.assertEqual(names, set(room.Settings.__struct_fields__) & names)
