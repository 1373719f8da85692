# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Images that a host fetches before anybody boots from them."""

import testtools

from nova_cells.compute import caching
from nova_cells.domain import errors, tasks
from nova_cells.domain import server as model


class Driver:
    capabilities = frozenset({"cache_images"})

    def __init__(self):
        self.cached = []

    def cache_image(self, image):
        if image.id == "bad":
            raise errors.HostTrouble("the disk is full")
        self.cached.append(image.id)


class Caching(testtools.TestCase):
    def fetch(self, driver, *names):
        return caching.fetch(driver, tasks.FetchImages(images=tuple(
            model.ImageFacts(id=name) for name in names)))

    def test_what_cannot_be_had_does_not_keep_the_others(self):
        driver = Driver()
        self.assertEqual([], self.fetch(driver, "a", "bad", "b"))
        self.assertEqual(["a", "b"], driver.cached)

    def test_driver_that_cannot(self):
        driver = Driver()
        driver.capabilities = frozenset()
        self.assertEqual([], self.fetch(driver, "a"))
        self.assertEqual([], driver.cached)
