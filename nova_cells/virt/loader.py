"""Chooses and makes the driver of a host from the configuration.

May assume the options of ``conf.virt`` (registered here if nobody has).  Never guesses what
the operator must say.
"""

import functools
import importlib.metadata
import os

from oslo_config import cfg

from nova_cells.conf import virt as options
from nova_cells.domain import errors
from nova_cells.virt import protocol
from nova_cells.virt import settings as values

GROUP = "nova_cells.virt"


def load(conf: cfg.ConfigOpts, cell: str, host: str, images: object = None) -> protocol.Driver:
    """The driver of this host of this cell (by their names).  ``Invalid`` if the configuration
    lacks something; ``HostTrouble`` if the hypervisor does not answer."""
    name = driver_name(conf)
    found = _installed().select(name=name)
    if not found:
        known = sorted(_installed().names)
        raise errors.Invalid(f"[DEFAULT] compute_driver = {name} is unknown: use one of "
                             f"{', '.join(known) or 'none installed: reinstall nova-cells'}")
    return next(iter(found)).load()(resolve(conf, cell, host), images)


@functools.cache
def _installed() -> importlib.metadata.EntryPoints:
    """Looked up once: reading every package's metadata takes 50 ms, and there may be many hosts."""
    return importlib.metadata.entry_points(group=GROUP)


def driver_name(conf: cfg.ConfigOpts) -> str:
    """The driver's plain name: 'libvirt.LibvirtDriver' is 'libvirt'."""
    _register(conf)
    return conf.compute_driver.partition(".")[0]


def resolve(conf: cfg.ConfigOpts, cell: str, host: str) -> values.Settings:
    """The host's settings: [host.<cell>.<host>] over the general groups."""
    _register(conf)
    own = _own(conf, cell, host)
    return values.Settings(
        cell=cell, host=host, instances_path=_instances_path(conf, own, cell, host),
        transfer_path=_transfer_path(conf, own, cell),
        ratios=_ratios(conf),
        fake=values.FakeHost(
            vcpus=own.vcpus or conf.fake.vcpus, memory_mb=own.memory_mb or conf.fake.memory_mb,
            disk_gb=own.disk_gb or conf.fake.disk_gb, boot_delay=conf.fake.boot_delay,
            migration_delay=conf.fake.migration_delay),
        libvirt=_libvirt(conf, own) if driver_name(conf) == "libvirt" else None)


def _register(conf: cfg.ConfigOpts) -> None:
    for group, opts in options.OPTS.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)


def _own(conf: cfg.ConfigOpts, cell: str, host: str) -> cfg.ConfigOpts.GroupAttr:
    group = f"host.{cell}.{host}"
    conf.register_opts(options.HOST, group=group)
    return conf[group]


def _instances_path(conf: cfg.ConfigOpts, own: cfg.ConfigOpts.GroupAttr, cell: str,
                    host: str) -> str | None:
    """The host's own, else the general one, else below ``state_path`` if there is one."""
    fake = driver_name(conf) == "fake"
    if own.instances_path:
        return own.instances_path
    if conf.instances_path:
        return os.path.join(conf.instances_path, cell, host) if fake else conf.instances_path
    state = getattr(conf, "state_path", None)
    if state:
        return os.path.join(state, "fake", cell, host) if fake else os.path.join(state, "instances")
    if fake:
        return None
    raise errors.Invalid("nowhere to keep guests: set [DEFAULT] instances_path or state_path")


def _transfer_path(conf: cfg.ConfigOpts, own: cfg.ConfigOpts.GroupAttr, cell: str) -> str | None:
    """Where a fake host hands over what a real one would copy to another: one for a cell."""
    if driver_name(conf) != "fake":
        return None
    state = getattr(conf, "state_path", None)
    if conf.instances_path:
        return os.path.join(conf.instances_path, cell, ".moves")
    if state:
        return os.path.join(state, "fake", cell, ".moves")
    return os.path.join(os.path.dirname(own.instances_path), f".moves-{cell}") \
        if own.instances_path else None


def _ratios(conf: cfg.ConfigOpts) -> values.Ratios:
    kept = {} if driver_name(conf) != "fake" else {
        "reserved_cpus": 0, "reserved_memory_mb": 0, "reserved_disk_mb": 0}
    return values.Ratios(**{
        "cpu": conf.cpu_allocation_ratio, "ram": conf.ram_allocation_ratio,
        "disk": conf.disk_allocation_ratio, "reserved_cpus": conf.reserved_host_cpus,
        "reserved_memory_mb": conf.reserved_host_memory_mb,
        "reserved_disk_mb": conf.reserved_host_disk_mb, **kept})


def _libvirt(conf: cfg.ConfigOpts, own: cfg.ConfigOpts.GroupAttr) -> values.LibvirtHost:
    if not conf.libvirt.virt_type:
        raise errors.Invalid("[libvirt] virt_type is not set: say qemu (always works) or kvm "
                             "(needs a working /dev/kvm); it is never guessed")
    return values.LibvirtHost(
        connection_uri=own.connection_uri or conf.libvirt.connection_uri,
        virt_type=conf.libvirt.virt_type, images_type=conf.libvirt.images_type,
        force_raw_images=conf.force_raw_images,
        cpu_mode=conf.libvirt.cpu_mode, machine_type=conf.libvirt.hw_machine_type,
        tb_cache_mib=conf.libvirt.tb_cache_size, rng=conf.libvirt.rng,
        mem_stats_period=conf.libvirt.mem_stats_period_seconds,
        vnc_enabled=conf.vnc.enabled, vnc_listen=conf.vnc.server_listen)
