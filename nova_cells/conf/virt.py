"""Options of the hypervisor room.  Nova's names wherever the meaning is the same.

May assume nothing but oslo.config.  Never guesses: what depends on the machine and has no
safe default is required (``[libvirt] virt_type``).
"""

from oslo_config import cfg

DEFAULT = [
    cfg.StrOpt("compute_driver", default="libvirt",
               help="The hypervisor: libvirt, or fake (a mock that keeps its guests in a file). "
                    "Nova's spellings libvirt.LibvirtDriver and fake.FakeDriver are understood."),
    cfg.StrOpt("instances_path",
               help="Where the disks of guests, the image cache and compute_id are kept; one "
                    "directory per host. Default: 'instances' below state_path for libvirt, "
                    "'fake/<cell>/<host>' below state_path for fake."),
    cfg.BoolOpt("force_raw_images", default=True,
                help="Keep cached images as raw, so that no table of an image that a stranger "
                     "made is read for a guest; false saves the work and keeps qcow2."),
    cfg.FloatOpt("cpu_allocation_ratio", default=4.0, min=0.01,
                 help="Virtual CPUs offered per CPU of the host."),
    cfg.FloatOpt("ram_allocation_ratio", default=1.0, min=0.01,
                 help="Memory offered per memory of the host."),
    cfg.FloatOpt("disk_allocation_ratio", default=1.0, min=0.01,
                 help="Disk offered per disk of the host."),
    cfg.IntOpt("reserved_host_memory_mb", default=512, min=0,
               help="MiB of memory kept for the host itself (libvirt)."),
    cfg.IntOpt("reserved_host_disk_mb", default=0, min=0,
               help="MiB of disk kept for the host itself (libvirt)."),
    cfg.IntOpt("reserved_host_cpus", default=0, min=0,
               help="CPUs kept for the host itself (libvirt)."),
]

LIBVIRT = [
    cfg.StrOpt("virt_type", choices=["qemu", "kvm"],
               help="What runs the guests: qemu (emulation) or kvm. Required for libvirt: what a "
                    "host's capabilities advertise is no proof that it works."),
    cfg.StrOpt("connection_uri", default="qemu:///system",
               help="The libvirt daemon of this host."),
    cfg.StrOpt("images_type", default="qcow2", choices=["qcow2"],
               help="How guests' disks are kept: qcow2 is an overlay over the cached image."),
    cfg.StrOpt("cpu_mode", choices=["none", "host-model", "host-passthrough", "maximum"],
               help="The CPU that guests see. Default: none for qemu, host-model for kvm."),
    cfg.StrOpt("hw_machine_type", default="pc",
               help="Machine type of guests whose image does not say hw_machine_type."),
    cfg.IntOpt("tb_cache_size", default=32, min=0,
               help="MiB of translated code kept per emulated guest (virt_type qemu); "
                    "0 leaves it to QEMU, which takes up to 1 GiB."),
    cfg.IntOpt("wait_soft_reboot_seconds", default=120, min=0,
               help="Seconds that a guest gets to restart when asked, before it is reset."),
    cfg.BoolOpt("rng", default=True, help="Give each guest a source of randomness."),
    cfg.IntOpt("mem_stats_period_seconds", default=10, min=0,
               help="Seconds between memory figures from the balloon; 0: none."),
]

VNC = [
    cfg.BoolOpt("enabled", default=True, help="Give each guest a VNC display."),
    cfg.HostAddressOpt("server_listen", default="127.0.0.1",
                       help="The address on which displays listen."),
]

FAKE = [
    cfg.IntOpt("vcpus", default=1000, min=1, help="CPUs that each fake host has."),
    cfg.IntOpt("memory_mb", default=2 * 1024 * 1024, min=1,
               help="MiB of memory that each fake host has."),
    cfg.IntOpt("disk_gb", default=100 * 1024, min=1,
               help="GiB of disk that each fake host has."),
    cfg.FloatOpt("boot_delay", default=0.0, min=0.0,
                 help="Seconds that a fake guest takes to start."),
    cfg.FloatOpt("migration_delay", default=0.0, min=0.0,
                 help="Seconds that a live migration of a fake guest takes to copy it; meanwhile "
                      "it tells how far it is, and can be aborted or forced to complete."),
]

#: What a host may have of its own, in a group [host.<cell>.<host>].
HOST = [
    cfg.StrOpt("connection_uri", help="As in [libvirt], for this host only."),
    cfg.StrOpt("instances_path", help="As in [DEFAULT], for this host only."),
    cfg.IntOpt("vcpus", min=1, help="As in [fake], for this host only."),
    cfg.IntOpt("memory_mb", min=1, help="As in [fake], for this host only."),
    cfg.IntOpt("disk_gb", min=1, help="As in [fake], for this host only."),
]

OPTS = {"DEFAULT": DEFAULT, "libvirt": LIBVIRT, "vnc": VNC, "fake": FAKE}

#: For the sample file only: which hosts there are, only the configuration itself says.
SAMPLE = {"host.cell1.c1-h1": HOST}
