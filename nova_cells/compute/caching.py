# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Images that a host fetches before anybody boots from them.  Nothing depends on it."""

import logging
import typing

from nova_cells.domain import effects, errors, tasks

LOG = logging.getLogger(__name__)


def fetch(driver: typing.Any, message: tasks.FetchImages) -> list[effects.Effect]:
    """One after another; what cannot be had is named and left."""
    if "cache_images" not in driver.capabilities:
        return []
    for image in message.images:
        try:
            driver.cache_image(image)
            LOG.info("image=%s is cached", image.id)
        except errors.Problem as problem:
            LOG.warning("image=%s cannot be cached: %s", image.id, problem)
    return []
