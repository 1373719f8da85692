# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The boot flow failed and repeated at each step, with real guests under QEMU."""

import unittest

from tests.conformance import failing
from tests.libvirt import hypervisor, test_killed


def setUpModule():
    hypervisor.shared()


def tearDownModule():
    hypervisor.forget()


class QemuBoot(failing.BootFlow, unittest.TestCase):
    def make(self):
        this = hypervisor.shared()
        driver, self.images = test_killed.open_driver(this.uri, this.instances)
        self.image = test_killed.IMAGE
        self.addCleanup(driver.close)
        return driver
