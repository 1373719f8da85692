"""Extra specs that mean something, and which values they take (checked from 2.86 on).

The names and values are the public documentation's.  A namespace that is not known belongs to
the operator and is not checked; an unknown name in a known namespace is a typing error.
"""

import collections.abc
import re

import os_resource_classes
import os_traits

from nova_cells.domain import errors

_Rule = collections.abc.Callable[[str], bool]


def _number(least: int = 0) -> _Rule:
    return lambda value: re.fullmatch(r"-?\d{1,10}", value) is not None and int(value) >= least


def _one_of(*words: str) -> _Rule:
    return lambda value: value in words


def _like(pattern: str) -> _Rule:
    return lambda value: re.fullmatch(pattern, value) is not None


def _any(_value: str) -> bool:
    return True


_BOOL = _like(r"(?i)true|false|yes|no|on|off|t|f|y|n|0|1")
_CPUS = _like(r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*")
_GROUP = r"([a-zA-Z0-9_-]{1,64})?"


def _named(rule: _Rule, prefix: str, names: str) -> dict[str, _Rule]:
    return {re.escape(f"{prefix}:{name}"): rule for name in names.split()}


_HW = {
    **_named(_number(1), "hw", "numa_nodes cpu_sockets cpu_cores cpu_threads cpu_max_sockets "
                               "cpu_max_cores cpu_max_threads"),
    **_named(_number(), "hw", "serial_port_count maxphysaddr_bits redirected_usb_ports"),
    **_named(_BOOL, "hw", "cpu_realtime boot_menu mem_encryption vif_multiqueue_enabled "
                          "locked_memory virtio_packed_ring ephemeral_encryption "
                          "hide_hypervisor_id"),
    **_named(_CPUS, "hw", "cpu_dedicated_mask cpu_realtime_mask"),
    **_named(_any, "hw", "pmem"),
    r"hw:numa_cpus\.\d+": _CPUS,
    r"hw:numa_mem\.\d+": _number(1),
    "hw:cpu_policy": _one_of("dedicated", "shared", "mixed"),
    "hw:cpu_thread_policy": _one_of("prefer", "isolate", "require"),
    "hw:emulator_threads_policy": _one_of("isolate", "share"),
    "hw:pci_numa_affinity_policy": _one_of("required", "preferred", "legacy", "socket"),
    "hw:mem_page_size": _like(r"large|small|any|\d+([kKMGT]i?)?(b|bit|B)?"),
    "hw:mem_encryption_model": _one_of("amd-sev", "amd-sev-es"),
    "hw:watchdog_action": _one_of("none", "pause", "poweroff", "reset", "disabled"),
    "hw:tpm_version": _one_of("1.2", "2.0"),
    "hw:tpm_model": _one_of("tpm-tis", "tpm-crb"),
    "hw:tpm_secret_security": _one_of("user", "host", "deployment"),
    "hw:maxphysaddr_mode": _one_of("passthrough", "emulate"),
    "hw:viommu_model": _one_of("intel", "smmuv3", "virtio", "auto"),
    "hw:ephemeral_encryption_format": _one_of("luks"),
    "hw:input_bus": _one_of("usb", "virtio"),
    "hw:sound_model": _any,
    "hw:usb_model": _any,
}

_QUOTA = _named(_number(), "quota", "".join(
    ["cpu_shares cpu_period cpu_limit cpu_reservation cpu_shares_share memory_limit "
     "memory_reservation memory_shares_share disk_io_limit disk_io_reservation "
     "disk_io_shares_share vif_limit vif_reservation vif_shares_share "]
    + [f"disk_{way}_{unit}_sec " for way in ("read", "write", "total")
       for unit in ("bytes", "iops")]
    + [f"vif_{way}_{what} " for way in ("inbound", "outbound")
       for what in ("average", "peak", "burst")]))

_RULES: dict[str, _Rule] = {
    **_HW, **_QUOTA,
    "quota:cpu_quota": _number(-1),
    **_named(_one_of("low", "normal", "high", "custom"), "quota",
             "cpu_shares_level memory_shares_level disk_io_shares_level vif_shares_level"),
    "hw_rng:allowed": _BOOL, "hw_rng:rate_bytes": _number(), "hw_rng:rate_period": _number(),
    "hw_video:ram_max_mb": _number(),
    "os:secure_boot": _one_of("disabled", "optional", "required"),
    "accel:device_profile": _any,
    "pci_passthrough:alias": _like(r"[^:,]+:\d+(,[^:,]+:\d+)*"),
    "vmware:(storage_policy|boot_retry|hw_version|video_ram)": _any,
    f"resources{_GROUP}:({'|'.join(os_resource_classes.STANDARDS)}|CUSTOM_[A-Z0-9_]+)":
        _number(),
    f"trait{_GROUP}:({'|'.join(sorted(os_traits.get_traits()))}|CUSTOM_[A-Z0-9_]+)":
        _one_of("required", "forbidden"),
    "(aggregate_instance_extra_specs|capabilities):.+": _any,
    "group_policy": _one_of("isolate", "none"),
    "hide_hypervisor_id": _BOOL,
}
_COMPILED = [(re.compile(pattern), rule) for pattern, rule in _RULES.items()]
_NAMESPACES = re.compile(
    rf"(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|"
    rf"pci_passthrough|quota|resources{_GROUP}|trait{_GROUP}|vmware):")


def check(specs: collections.abc.Mapping[str, str]) -> None:
    """Raise ``Invalid`` for a name or a value that the documentation does not know."""
    for name, value in specs.items():
        rule = next((rule for pattern, rule in _COMPILED if pattern.fullmatch(name)), None)
        if rule is None:
            if _NAMESPACES.match(name):
                raise errors.Invalid(f"Validation failed; extra spec '{name}' does not appear "
                                     f"to be a valid extra spec.")
        elif not rule(value):
            raise errors.Invalid(f"Validation failed; {value!r} is not a value that extra spec "
                                 f"'{name}' can take.")
