"""Images from the Image service, version 2.

Facts are asked with the user's own token, so that nobody boots what they cannot see; bytes
are fetched as our service user.  May assume a keystoneauth session that can authenticate.
Never keeps a token, never follows an image's own locations, and never trusts bytes that
were not verified.
"""

import collections.abc

import requests
from keystoneauth1 import adapter, loading
from oslo_config import cfg
from oslo_log import log

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import glance_calls, glance_making, glance_showing, protocol, verify

LOG = log.getLogger(__name__)
CHUNK = 1024 * 1024


def from_conf(conf: cfg.ConfigOpts) -> "GlanceRoom":
    """The room, as the service user of ``[service_user]``."""
    loading.register_auth_conf_options(conf, "service_user")
    auth = loading.load_auth_from_conf_options(conf, "service_user")
    if auth is None:
        raise errors.Invalid("[service_user] auth_type is not set: hosts need a user of their own "
                             "to fetch images; see etc/nova-cells")
    session = loading.load_session_from_conf_options(conf, "service_user", auth=auth)
    return GlanceRoom(adapter.Adapter(
        session, service_type="image", interface=conf.glance.valid_interfaces,
        region_name=conf.glance.region_name, endpoint_override=conf.glance.endpoint_override,
        status_code_retries=0, raise_exc=False, client_name="nova-cells"),
        timeout=conf.glance.timeout, retries=conf.glance.num_retries)


class GlanceRoom(glance_making.Making, glance_showing.Showing):
    """The image service behind an adapter that is authenticated as our service user."""

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know of an image, as the token's owner sees it."""
        answer = self._get(self._image(image_id), token)
        if answer.status_code != 200:
            glance_calls.refuse(image_id, answer.status_code, ours=token is None)
        try:
            document = answer.json()
            image = _facts(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise protocol.Unreachable(f"the image service's answer on image {image_id} cannot be "
                                       f"understood: check [glance] endpoint_override")
        verify.bootable(image, document.get("status", ""))
        return image

    def download(self, image: model.ImageFacts, path: str) -> None:
        """Stream the bytes to ``path``, verified."""
        with self._get(f"/v2/images/{image.id}/file", None, stream=True) as answer:
            if answer.status_code != 200:
                glance_calls.refuse(image.id, answer.status_code, ours=True)
            verify.save(_chunks(answer, image), image, path)
        LOG.info("image=%s downloaded bytes=%s", image.id, image.size)


def _chunks(answer: requests.Response, image: model.ImageFacts,
            ) -> collections.abc.Iterator[bytes]:
    try:
        yield from answer.iter_content(CHUNK)
    except (requests.RequestException, OSError) as error:
        LOG.warning("image=%s broke off: %s", image.id, error)
        raise protocol.Unreachable(f"the image service broke off while sending {image.id}")


def _facts(document: dict) -> model.ImageFacts:
    """The image document as our value; unset numbers are zero."""
    properties = {key: str(value) for key, value in document.items()
                  if key not in glance_calls.OWN and not key.startswith("os_hash_")
                  and value is not None and not isinstance(value, (list, dict))}
    return model.ImageFacts(
        id=str(document["id"]), name=document.get("name") or "",
        disk_format=document.get("disk_format") or "", size=int(document.get("size") or 0),
        container_format=document.get("container_format") or "",
        min_disk=int(document.get("min_disk") or 0), min_ram=int(document.get("min_ram") or 0),
        checksum=document.get("checksum"), hash_algo=document.get("os_hash_algo"),
        hash_value=document.get("os_hash_value"), properties=properties)
