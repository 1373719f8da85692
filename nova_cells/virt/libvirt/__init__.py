"""Real guests by libvirt and QEMU, one file per concern; ``driver`` is the bundle.

May assume Linux, qemu-img and a libvirt daemon, local to the host; callers are real threads.
Never imports libvirt before a driver is made, so that a machine without it can run the rest.
"""
