"""The memory of the fake hypervisor: one file of changes that outlives the process.

Each change is one appended line, so a killed process loses at most the line it was writing;
the file is written anew, by atomic replace, when it has grown to several times what it says.
May assume one writer.  Never waits for the disk: it survives a killed process, not a power cut.
"""

import os
import typing

import msgspec

SLACK = 2000                             # lines beyond the live ones before it is written anew


GONE = msgspec.Raw(b"null")


class Line(msgspec.Struct, omit_defaults=True):
    """One change: this key has this value now; no value: it is gone."""

    k: str
    v: msgspec.Raw = GONE


_DECODER = msgspec.json.Decoder(Line)


class Journal:
    """A dictionary of values of one type, kept in ``path``; None keeps nothing."""

    def __init__(self, path: str | None, cls: type) -> None:
        self._path = path
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(cls).decode
        self._file: typing.BinaryIO | None = None
        self._lines = 0

    def load(self) -> dict[str, typing.Any]:
        """What the file says.  A torn last line is what a killed process was writing."""
        values: dict[str, typing.Any] = {}
        if self._path is None:
            return values
        if os.path.exists(self._path):
            with open(self._path, "rb") as file:
                for text in file:
                    if text.endswith(b"\n"):
                        self._read(text, values)
        self._rewrite(values)
        return values

    def _read(self, text: bytes, values: dict[str, typing.Any]) -> None:
        line = _DECODER.decode(text)
        if bytes(line.v) == b"null":
            values.pop(line.k, None)
        else:
            values[line.k] = self._decode(line.v)

    def keep(self, key: str, value: object, everything: dict[str, typing.Any]) -> None:
        """Note a change (None: gone); ``everything`` is the whole, for writing anew."""
        if self._file is None:
            return
        self._file.write(self._line(key, value))
        self._lines += 1
        if self._lines > SLACK + 4 * len(everything):
            self._rewrite(everything)

    def _line(self, key: str, value: object) -> bytes:
        raw = GONE if value is None else msgspec.Raw(self._encode(value))
        return self._encode(Line(key, raw)) + b"\n"

    def _rewrite(self, values: dict[str, typing.Any]) -> None:
        assert self._path is not None
        self.close()
        temporary = self._path + ".new"
        with open(temporary, "wb") as file:
            file.writelines(self._line(key, value) for key, value in values.items())
        os.replace(temporary, self._path)
        self._file = open(self._path, "ab", buffering=0)
        self._lines = len(values)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
