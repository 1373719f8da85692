"""Images from the Image service, version 2.

Facts are asked with the user's own token, so that nobody boots what they cannot see; bytes
are fetched as our service user.  May assume a keystoneauth session that can authenticate.
Never keeps a token, never follows an image's own locations, and never trusts bytes that
were not verified.
"""

import collections.abc
import re

import requests
from keystoneauth1 import adapter, loading
from keystoneauth1 import exceptions as ks
from oslo_config import cfg
from oslo_log import log

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import protocol, verify

LOG = log.getLogger(__name__)
CHUNK = 1024 * 1024
_ID = re.compile(r"^[A-Za-z0-9-]{1,64}$")
#: What the service says of an image that is no property for us.
_OWN = frozenset((
    "id", "name", "status", "visibility", "protected", "owner", "tags", "size", "virtual_size",
    "checksum", "disk_format", "container_format", "min_disk", "min_ram", "created_at",
    "updated_at", "self", "file", "schema", "locations", "direct_url", "stores"))


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


class GlanceRoom:
    """The image service behind an adapter that is authenticated as our service user."""

    def __init__(self, service: adapter.Adapter, timeout: float = 60, retries: int = 0) -> None:
        self._service, self._timeout, self._retries = service, timeout, retries

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know of an image, as the token's owner sees it."""
        if not _ID.match(image_id):
            raise errors.NotFound(f"Image {image_id} could not be found.")
        answer = self._get(f"/v2/images/{image_id}", token)
        if answer.status_code != 200:
            _refuse(image_id, answer.status_code, ours=token is None)
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
                _refuse(image.id, answer.status_code, ours=True)
            verify.save(_chunks(answer, image), image, path)
        LOG.info("image=%s downloaded bytes=%s", image.id, image.size)

    def _get(self, path: str, token: str | None, **how: object) -> requests.Response:
        """GET as our service user, or with somebody's token instead of ours."""
        headers = {"Accept": "*/*" if how else "application/json"}
        if token is not None:
            headers["X-Auth-Token"] = token
        try:
            url = path
            if token is not None and not self._service.endpoint_override:
                base = self._service.get_endpoint() or ""
                url = re.sub(r"/v2/?$", "", base.rstrip("/")) + path
            # A user waits for facts, so only one more try; a host has time.
            return self._service.get(
                url, headers=headers, timeout=self._timeout, authenticated=token is None,
                connect_retries=self._retries if token is None else min(1, self._retries), **how)
        except (ks.ClientException, requests.RequestException) as error:
            LOG.warning("the image service does not answer: %s", error)
            raise protocol.Unreachable("the image service does not answer; try again later")


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
                  if key not in _OWN and not key.startswith("os_hash_") and value is not None
                  and not isinstance(value, (list, dict))}
    return model.ImageFacts(
        id=str(document["id"]), name=document.get("name") or "",
        disk_format=document.get("disk_format") or "", size=int(document.get("size") or 0),
        container_format=document.get("container_format") or "",
        min_disk=int(document.get("min_disk") or 0), min_ram=int(document.get("min_ram") or 0),
        checksum=document.get("checksum"), hash_algo=document.get("os_hash_algo"),
        hash_value=document.get("os_hash_value"), properties=properties)


def _refuse(image_id: str, status: int, ours: bool) -> None:
    """Raise what a status that is not 200 means."""
    if status in (401, 403) and ours:
        raise protocol.Unreachable("the image service refuses our service user: check the roles "
                                   "and the password in [service_user]")
    if status in (401, 403, 404):
        raise errors.NotFound(f"Image {image_id} could not be found.")
    if status in (204, 409):
        raise errors.Conflict(f"Image {image_id} is not active.")
    raise protocol.Unreachable(f"the image service answers {status} for image {image_id}: see its "
                               f"log")
