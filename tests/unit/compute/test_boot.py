# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The boot flow failed and repeated at each step, on the fake driver."""

import unittest

from nova_cells.image import fake as images
from nova_cells.virt import fake, settings
from tests.conformance import failing


class FakeBoot(failing.BootFlow, unittest.TestCase):
    def make(self):
        self.images = images.FakeImages()
        self.image = self.images.list()[0].id
        return fake.FakeDriver(settings.Settings(cell="c1", host="h1"), self.images)
