# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Extra specs: names and values that pass, and those that do not."""

import testtools

from nova_cells.domain import errors, extra_specs

GOOD = {
    "hw:numa_nodes": "2", "hw:numa_cpus.0": "0-3,^2", "hw:numa_mem.1": "512",
    "hw:cpu_policy": "shared", "hw:mem_page_size": "2MB", "hw:cpu_realtime": "Yes",
    "quota:cpu_quota": "-1", "quota:disk_read_iops_sec": "10", "quota:vif_inbound_peak": "1",
    "quota:cpu_shares_level": "high", "resources:VCPU": "0", "resources_A:CUSTOM_GOLD": "1",
    "resources1:SRIOV_NET_VF": "1", "trait:HW_CPU_X86_AVX2": "required",
    "trait1:CUSTOM_X": "forbidden", "capabilities:cpu_info:features": "avx",
    "aggregate_instance_extra_specs:ssd": "anything", "pci_passthrough:alias": "a1:2,b:1",
    "group_policy": "none", "hide_hypervisor_id": "true", "foo:bar": "baz", "plain": "value",
}
BAD = [
    ("hw:numa_nodes", "0"), ("hw:numa_nodes", "two"), ("hw:cpu_policy", "sharred"),
    ("hw:cpu_polcy", "shared"), ("hw:mem_page_size", "huge"), ("hw:cpu_realtime", "maybe"),
    ("quota:cpu_qouta", "1"), ("quota:cpu_shares", "-1"), ("resources:VCPUS", "1"),
    ("resources:VCPU", "-1"), ("resources:VCPU", "1.5"), ("trait:NO_SUCH_TRAIT", "required"),
    ("trait:CUSTOM_X", "wanted"), ("hw_rng:alowed", "true"), ("os:secure_boot", "true"),
    ("pci_passthrough:alias", "a1"), ("group_policy", "some"), ("hide_hypervisor_id", ""),
    ("hw:", "1"), ("hw:numa_nodes", "9" * 400),
]


class Check(testtools.TestCase):
    def test_good(self):
        extra_specs.check(GOOD)
        extra_specs.check({})

    def test_bad(self):
        for name, value in BAD:
            error = self.assertRaises(errors.Invalid, extra_specs.check, {name: value})
            self.assertIn(name, str(error))

    def test_one_bad_among_many(self):
        self.assertRaises(errors.Invalid, extra_specs.check, GOOD | {"hw:nothing": "1"})
