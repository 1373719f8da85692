"""The config drive: an ISO 9660 volume named config-2 with the guest's metadata.

May assume that ``spec.metadata`` is the document of openstack/latest/meta_data.json.  Never
leaves a half-written drive under its final name.  Made in this process by pycdlib: no program
is run.  Layout: the public config drive and EC2 metadata documentation.
"""

import contextlib
import io
import itertools
import json
import os
import typing

from nova_cells.domain import errors
from nova_cells.virt import protocol
from nova_cells.virt.libvirt import paths

LABEL = "config-2"
#: Versions of the metadata format that are offered: each has the files known since.
VERSIONS = ("2012-08-10", "2013-10-17", "2015-10-15", "2016-10-06", "2018-08-27", "2020-10-14",
            "latest")
EC2_VERSIONS = ("2009-04-04", "latest")


def documents(spec: protocol.GuestSpec) -> dict[str, bytes]:
    """Every file of the drive, by path."""
    metadata = dict(spec.metadata)
    files = {f"openstack/content/{number:04}": contents
             for number, (_, contents) in enumerate(spec.files)}
    if spec.files:
        metadata.setdefault("files", [
            {"path": path, "content_path": f"/content/{number:04}"}
            for number, (path, _) in enumerate(spec.files)])
    for version in VERSIONS:
        files |= _version(spec, metadata, version)
    for version in EC2_VERSIONS:
        files[f"ec2/{version}/meta-data.json"] = _json(_ec2(spec, metadata))
        if spec.user_data is not None:
            files[f"ec2/{version}/user-data"] = spec.user_data
    return files


def _version(spec: protocol.GuestSpec, metadata: dict, version: str) -> dict[str, bytes]:
    here = f"openstack/{version}"
    files = {f"{here}/meta_data.json": _json(metadata)}
    if spec.user_data is not None:
        files[f"{here}/user_data"] = spec.user_data
    if version >= "2013-10-17":
        files[f"{here}/vendor_data.json"] = _json({})
    if version >= "2015-10-15":
        files[f"{here}/network_data.json"] = _json(
            spec.network_data or {"links": [], "networks": [], "services": []})
    if version >= "2016-10-06":
        files[f"{here}/vendor_data2.json"] = _json({})
    return files


def _ec2(spec: protocol.GuestSpec, metadata: dict) -> dict[str, object]:
    hostname = metadata.get("hostname", "")
    return {"instance-id": spec.server.uuid, "hostname": hostname, "local-hostname": hostname,
            "ami-id": spec.server.image.id if spec.server.image else "",
            "instance-type": spec.server.flavor.name, "reservation-id": spec.server.reservation_id,
            "ami-launch-index": spec.server.launch_index, "instance-action": "none",
            "placement": {"availability-zone": spec.server.availability_zone or ""},
            "block-device-mapping": {"ami": "vda", "root": "/dev/vda"}}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def write(spec: protocol.GuestSpec, path: str) -> None:
    """Write the drive; an older one is replaced whole.  ``HostTrouble`` if the disk is full."""
    part = path + ".part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(iso(documents(spec)))
        paths.put(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            paths.forget(part)
        raise errors.HostTrouble(f"the config drive cannot be written to {path}: "
                                 f"{error.strerror}")


def iso(files: dict[str, bytes]) -> bytes:
    """An ISO 9660 volume with Rock Ridge and Joliet names."""
    try:
        import pycdlib
    except ImportError:
        raise errors.HostTrouble("pycdlib is not installed: pip install nova-cells[libvirt]")
    volume = pycdlib.PyCdlib()
    volume.new(interchange_level=3, vol_ident=LABEL, rock_ridge="1.09", joliet=3,
               sys_ident="", app_ident_str="nova-cells")
    short = _Short(volume)
    for path, contents in sorted(files.items()):
        folder, _, name = path.rpartition("/")
        plain = f"{short.folder(folder)}/{short.new()}.;1"
        volume.add_fp(io.BytesIO(contents), len(contents), plain, rr_name=name,
                      joliet_path=f"/{path}", file_mode=0o100444)
    out = io.BytesIO()
    volume.write_fp(out)
    volume.close()
    return out.getvalue()


class _Short:
    """Names of eight capitals for readers that know neither extension; folders made once."""

    def __init__(self, volume: typing.Any) -> None:
        self._volume, self._folders = volume, {"": ""}
        self._numbers = itertools.count()

    def new(self) -> str:
        return f"N{next(self._numbers):07}"

    def folder(self, path: str) -> str:
        if path not in self._folders:
            parent, _, name = path.rpartition("/")
            short = f"{self.folder(parent)}/{self.new()}"
            self._volume.add_directory(short, rr_name=name, joliet_path=f"/{path}",
                                       file_mode=0o040555)
            self._folders[path] = short
        return self._folders[path]
