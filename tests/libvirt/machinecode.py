"""A guest in 512 bytes: a boot sector that needs no kernel, for tests of real hypervisors.

It prints on the first serial port and sleeps.  Machine code for the PC in 16-bit mode,
written with labels; on the machine type ``pc`` SeaBIOS puts the power management ports at
0x600 (status), 0x602 (enable) and 0x604 (control).
"""

HELLO, BYE = "nova-cells boot ok", "nova-cells powering off"
#: What the guest does when it has said hello.
OBEDIENT = "hlt; obey"                   # sleeps; powers off when the power button is pressed
DEAF = "hlt"                             # sleeps, whatever anybody presses
BRIEF = "off"                            # powers off at once


def boot_sector(behaviour: str = OBEDIENT) -> bytes:
    """The first sector of a disk."""
    code: list[bytes | tuple[str, str]] = [
        b"\x31\xc0\x8e\xd8\x8e\xd0\xbc\x00\x7c\xfb",            # ds = ss = 0, stack, sti
        b"\xba\x02\x06\xb8\x00\x01\xef",                        # out 0x602: power button enabled
        b"\xbe", ("word", "hello"), b"\xe8", ("near", "print"),
    ]
    if behaviour == DEAF:
        code += [("label", "sleep"), b"\xf4\xeb", ("short", "sleep")]
    if behaviour == OBEDIENT:
        code += [("label", "sleep"), b"\xf4",                   # hlt
                 b"\xba\x00\x06\xed\xf6\xc4\x01\x74", ("short", "sleep")]   # in 0x600: pressed?
    code += [
        b"\xbe", ("word", "bye"), b"\xe8", ("near", "print"),
        b"\xba\x04\x06\xb8\x00\x20\xef",                        # out 0x604: soft off
        ("label", "end"), b"\xf4\xeb", ("short", "end"),
        ("label", "print"), b"\xac\x84\xc0\x74", ("short", "done"), b"\x50",
        ("label", "busy"), b"\xba\xfd\x03\xec\xa8\x20\x74", ("short", "busy"),
        b"\x58\xba\xf8\x03\xee\xeb", ("short", "print"),        # out 0x3f8: one character
        ("label", "done"), b"\xc3",
        ("label", "hello"), HELLO.encode() + b"\r\n\0",
        ("label", "bye"), BYE.encode() + b"\r\n\0",
    ]
    return _assemble(code).ljust(510, b"\0") + b"\x55\xaa"


def _assemble(code: list[bytes | tuple[str, str]]) -> bytes:
    sizes = {"label": 0, "short": 1, "near": 2, "word": 2}
    labels, at = {}, 0
    for part in code:
        if isinstance(part, tuple) and part[0] == "label":
            labels[part[1]] = at
        at += len(part) if isinstance(part, bytes) else sizes[part[0]]
    out = b""
    for part in code:
        if isinstance(part, bytes):
            out += part
        elif part[0] != "label":
            size = sizes[part[0]]
            target = labels[part[1]]
            number = target + 0x7C00 if part[0] == "word" else target - len(out) - size
            out += number.to_bytes(size, "little", signed=part[0] != "word")
    return out
