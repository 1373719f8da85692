"""The domain XML says what the spec and the host's settings say, whatever they contain."""

import unittest
from xml.etree import ElementTree

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.virt import settings
from nova_cells.virt.libvirt import xml
from tests.unit.virt import specs

FILES = xml.Files(disk="/i/u/disk", console="/i/u/console.log", config_drive="/i/u/disk.config")


def domain(spec=None, files=FILES, **host):
    text = xml.domain(spec or specs.spec(), files,
                      settings.LibvirtHost(**{"virt_type": "qemu", **host}))
    return ElementTree.fromstring(text), text


class DomainXml(unittest.TestCase):
    def test_an_emulated_guest(self):
        tree, _ = domain()
        self.assertEqual("qemu", tree.get("type"))
        self.assertEqual("pc", tree.find("os/type").get("machine"))
        self.assertEqual("instance-1", tree.findtext("name"))
        self.assertEqual(str(64 * 1024), tree.findtext("memory"))
        self.assertEqual("2", tree.findtext("vcpu"))
        self.assertEqual("32", tree.findtext("features/tcg/tb-cache"))
        self.assertIsNone(tree.find("cpu"))
        disk, cdrom = tree.findall("devices/disk")
        self.assertEqual({"dev": "vda", "bus": "virtio"}, disk.find("target").attrib)
        self.assertEqual("qcow2", disk.find("driver").get("type"))
        self.assertEqual({"dev": "hdd", "bus": "ide"}, cdrom.find("target").attrib)
        self.assertEqual("raw", cdrom.find("driver").get("type"))
        self.assertEqual("on", tree.find("devices/serial/log").get("append"))
        self.assertEqual("127.0.0.1", tree.find("devices/graphics/listen").get("address"))
        self.assertEqual([], tree.findall("devices/interface"))

    def test_virt_type_is_as_configured(self):
        tree, _ = domain(virt_type="kvm")
        self.assertEqual("kvm", tree.get("type"))
        self.assertEqual("host-model", tree.find("cpu").get("mode"))
        self.assertIsNone(tree.find("features/tcg"))

    def test_a_modern_machine_has_no_ide(self):
        for how in ({"machine_type": "q35"}, {"spec": specs.spec({"hw_machine_type": "q35"})}):
            tree, _ = domain(**how)
            self.assertEqual("sata", tree.findall("devices/disk")[1].find("target").get("bus"))

    def test_what_is_off_is_not_there(self):
        tree, _ = domain(files=model.replace(FILES, config_drive=None), vnc_enabled=False,
                         rng=False, mem_stats_period=0, tb_cache_mib=0)
        self.assertEqual(1, len(tree.findall("devices/disk")))
        for path in ("devices/graphics", "devices/video", "devices/rng", "features/tcg",
                     "devices/memballoon/stats"):
            self.assertIsNone(tree.find(path), path)

    def test_names_from_strangers_stay_texts(self):
        nasty = "</name><devices><!-- \"' &amp; ]]>"
        flavor = model.Flavor(id="1", name=nasty, vcpus=1, ram_mb=64, disk_gb=1)
        tree, _ = domain(specs.spec(flavor=flavor, name=nasty, project_id=nasty))
        self.assertEqual(nasty, tree.findtext("name"))
        stamp = tree.find(f"metadata/{{{xml.NAMESPACE}}}guest")
        self.assertEqual((nasty, nasty), (stamp.get("flavor"), stamp.get("project")))
        self.assertEqual(1, len(tree.findall("devices")))

    def test_the_stamp_comes_back(self):
        _, text = domain()
        self.assertEqual((3, 7), xml.read_stamp(text[text.index("<nova-cells:guest"):]))
        self.assertEqual((3, 7), xml.read_stamp(xml.stamp(specs.spec())))
        self.assertEqual((3, 7), xml.read_stamp("<guest project='p' ticket='7' epoch='3'/>"))
        self.assertEqual((0, 0), xml.read_stamp("<guest/>"))

    def test_a_stamp_cannot_be_forged_by_a_name(self):
        flavor = model.Flavor(id="1", name="' epoch='9' ticket=\"9\"", vcpus=1, ram_mb=1,
                              disk_gb=1)
        self.assertEqual((3, 7), xml.read_stamp(xml.stamp(specs.spec(flavor=flavor))))

    def test_disk_buses(self):
        for bus, device in xml.DISK_BUSES.items():
            spec = specs.spec({"hw_disk_bus": bus})
            tree, _ = domain(spec)
            self.assertEqual(device, tree.find("devices/disk/target").get("dev"))
            self.assertEqual(f"/dev/{device}", xml.root_device(spec))

    def test_further_disks(self):
        tree, _ = domain(files=model.replace(FILES, blanks=("/i/u/disk.eph0", "/i/u/disk.swap")))
        self.assertEqual(["vda", "vdb", "vdc", "hdd"],
                         [target.get("dev") for target in tree.findall("devices/disk/target")])

    def test_unknown_properties_are_refused_with_the_choice(self):
        for name in ("hw_disk_bus", "hw_video_model"):
            with self.assertRaisesRegex(errors.Invalid, "use one of"):
                domain(specs.spec({name: "floppy'/><evil"}))
