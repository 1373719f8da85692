"""The codec: every message in an envelope with a version, and back.

The wire form is JSON text: ``{"v": [major, minor], "t": type, "m": message}``.  Additive
changes raise minor and are ignored by older readers; a larger major is refused with one
sentence.  May assume that the transport delivers text; never decodes into anything but the
registered types.
"""

import typing

import msgspec

from nova_cells.domain import commands, errors, records, selection, tasks

VERSION = (1, 0)
T = typing.TypeVar("T")

TYPES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        commands.ChangeTags, commands.ClearPassword, commands.ReadDiagnostics,
        commands.FindConsole, commands.ReadPassword, commands.Diagnosed, commands.ConsoleFound,
        tasks.DiagnosticsQuery, tasks.AccessQuery,
        commands.Boot, commands.Delete, commands.Act, commands.Settle,
        commands.Lock, commands.ResetState,
        commands.Update, commands.ChangeMetadata, commands.ReadConsole, commands.Run,
        commands.ReadErrand, commands.Catalogue, commands.Aggregates,
        commands.SteerMigration, commands.CacheImages, tasks.FetchImages,
        commands.ReadDigests, commands.Verify, commands.Resync, commands.Adopt,
        commands.Detach, commands.SetHost, commands.ForgetHost, commands.Done, commands.Text,
        commands.Digests, commands.Resynced,
        commands.Verified, commands.CellFacts, errors.Failure, records.Record, records.Upload,
        records.Acks, records.Refusal, records.Gone, records.Settled, records.HostSettled,
        tasks.Task,
        tasks.Report, tasks.Hello, tasks.Goodbye, tasks.Welcome, tasks.Refused,
        tasks.GuestsSeen, tasks.GuestChanged, tasks.Sweep, tasks.Look, tasks.Looked,
        tasks.ConsoleQuery, tasks.ErrandTask, tasks.ErrandReport, tasks.DropImage,
        selection.Select, selection.Selected)
}
_DECODERS: dict[str, msgspec.json.Decoder[typing.Any]] = {
    name: msgspec.json.Decoder(cls) for name, cls in TYPES.items()}
_ENCODER = msgspec.json.Encoder()


class _Envelope(msgspec.Struct):
    v: tuple[int, int]
    t: str
    m: msgspec.Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def encode(message: msgspec.Struct) -> str:
    """The wire text of a message."""
    name = type(message).__name__
    if name not in TYPES:
        raise errors.Bug(f"{name} is not a message")
    body = msgspec.Raw(_ENCODER.encode(message))
    return _ENCODER.encode(_Envelope(VERSION, name, body)).decode()


def decode(text: str | bytes) -> msgspec.Struct:
    """The message in a wire text.  Raises ``Invalid`` for anything that is not one."""
    try:
        envelope = _ENVELOPE.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise errors.Invalid(f"not a message: {error}") from None
    if envelope.v[0] > VERSION[0]:
        raise errors.Invalid(f"message version {envelope.v[0]}.{envelope.v[1]} is newer than "
                             f"{VERSION[0]}.{VERSION[1]}: upgrade this service first")
    decoder = _DECODERS.get(envelope.t)
    if decoder is None:
        raise errors.Invalid(f"unknown message type {envelope.t!r}")
    try:
        message: msgspec.Struct = decoder.decode(envelope.m)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise errors.Invalid(f"bad {envelope.t}: {error}") from None
    return message


def pack(value: msgspec.Struct) -> bytes:
    """A value as it is stored in a database column (MessagePack)."""
    return msgspec.msgpack.encode(value)


class Unpacker(typing.Generic[T]):
    """Reads one type back from a database column."""

    def __init__(self, cls: type[T]) -> None:
        self._decoder = msgspec.msgpack.Decoder(cls)

    def __call__(self, data: bytes) -> T:
        return self._decoder.decode(data)
