"""An agent that is killed with SIGKILL in the middle of anything leaves nothing that a second
try, or a delete, cannot handle."""

import os
import select
import signal
import subprocess
import sys
import time
import unittest
import uuid as uuids

from nova_cells.domain import lifecycle
from nova_cells.domain import server as model
from nova_cells.image import fake
from nova_cells.virt import protocol, settings
from nova_cells.virt.libvirt import driver
from tests.libvirt import hypervisor, machinecode

IMAGE = "11111111-2222-4333-8444-000000000001"
STEPS = ("fetch_image", "create_disk", "write_config_drive", "define")
#: Seconds after "ready" at which the victim is killed: all steps but starting take some 50 ms.
MOMENTS = (0.0, 0.004, 0.01, 0.02, 0.03, 0.045, 0.07, 0.15, 0.3, 0.45, 0.6)


def setUpModule():
    hypervisor.shared()


def tearDownModule():
    hypervisor.forget()


def open_driver(uri, instances):
    """A driver with one image, new to its cache for each ``instances``."""
    images = fake.FakeImages()
    images.add(IMAGE, machinecode.boot_sector().ljust(8 << 20))
    return driver.LibvirtDriver(settings.Settings(
        cell="c1", host="h1", instances_path=instances,
        libvirt=settings.LibvirtHost(connection_uri=uri, virt_type="qemu")), images), images


def spec(images, uuid):
    """The guest."""
    server = model.Server(
        uuid=uuid, project_id="p", user_id="u", epoch=1, version=1, created_at=0.0,
        flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1, swap_mb=1),
        image=images.facts(IMAGE), config_drive=True)
    return protocol.GuestSpec(server=server, epoch=1, ticket=1, name=f"nc-{uuid[:13]}",
                              metadata={"uuid": uuid}, user_data=b"x" * 60000)


def boot(this, wanted):
    """All that booting is."""
    for step in STEPS:
        getattr(this, step)(wanted)
    this.start(wanted.server.uuid)


def victim(uri, instances, uuid):
    """What the killed process does: boot, suspend, resume, delete, again and again."""
    this, images = open_driver(uri, instances)
    wanted = spec(images, uuid)
    print("ready", flush=True)
    while True:
        boot(this, wanted)
        this.suspend(uuid)
        this.resume(uuid)
        this.destroy(uuid)


class Killed(unittest.TestCase):
    def kill_at(self, moment, instances, uuid):
        here = hypervisor.shared()
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.libvirt.test_killed", here.uri,
             instances, uuid], stdout=subprocess.PIPE)
        ready, _, _ = select.select([process.stdout], [], [], 60)
        self.assertTrue(ready, "the victim does not start")
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()

    def check(self, moment, again):
        here = hypervisor.shared()
        uuid = str(uuids.uuid4())
        instances = os.path.join(here.directory, f"killed-{uuid[:8]}")
        self.kill_at(moment, instances, uuid)
        this, images = open_driver(here.uri, instances)
        self.addCleanup(this.close)
        left = this.leftovers(uuid)
        if again:
            boot(this, spec(images, uuid))
            self.assertEqual(lifecycle.RUNNING, this.guest(uuid).power)
        this.destroy(uuid)
        self.assertEqual([], this.leftovers(uuid))
        self.assertIsNone(this.guest(uuid))
        return left

    def test_at_many_moments(self):
        seen = set()
        for moment in MOMENTS:
            with self.subTest(moment=moment):
                seen.add(tuple(self.check(moment, again=moment in MOMENTS[::2])))
        print(f"killed with, left behind: {sorted(seen)}")
        self.assertGreater(len(seen), 2, "the moments were all alike")


if __name__ == "__main__":
    victim(*sys.argv[1:])
