# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the layers need is looked for when they are made, not at the first request."""

from unittest import mock

import testtools
from keystonemiddleware import auth_token
from oslo_config import cfg

from nova_cells.api import pipeline
from nova_cells.domain import errors


class Memcached(testtools.TestCase):
    def check(self, servers, there):
        conf = cfg.ConfigOpts()
        for group, opts in auth_token.list_opts():
            conf.register_opts(opts, group=group)
        conf([], project="nova-cells", default_config_files=[], default_config_dirs=[])
        conf.set_override("memcached_servers", servers, group="keystone_authtoken")
        with mock.patch("importlib.util.find_spec", return_value=there or None):
            pipeline._can_reach_memcached(conf)

    def test_without_its_library_it_is_refused_at_the_start(self):
        problem = self.assertRaises(errors.Invalid, self.check, ["127.0.0.1:11211"], False)
        self.assertIn("python-memcached is not installed", str(problem))

    def test_with_it_or_without_memcached_all_is_well(self):
        self.check(["127.0.0.1:11211"], True)
        self.check(None, False)
