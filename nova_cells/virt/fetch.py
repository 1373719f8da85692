"""How a host asks the image room for bytes, and what its refusals mean to a host.

May assume any object that keeps the promises of the image room; it is handed in.
"""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model


def download(images: typing.Any, image: model.ImageFacts, path: str) -> None:
    """The verified bytes in ``path``.  ``Invalid`` if the image is corrupt, gone or no longer
    active; ``HostTrouble`` if the image service cannot be reached from here."""
    try:
        images.download(image, path)
    except (errors.NotFound, errors.Conflict) as problem:
        raise errors.Invalid(f"image {image.id} cannot be fetched any more ({problem}): choose "
                             f"another")
    except errors.Problem as problem:
        if problem.family != "cell_down":
            raise
        raise errors.HostTrouble(f"image {image.id} cannot be fetched: {problem}")
