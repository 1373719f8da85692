# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Regular expressions that mean the same on SQLite, MariaDB and PostgreSQL.

A user's pattern is read by Python's own parser and written again in the small dialect that the
three share; what they do not share (look-around, back references, flags) is refused, and so
is repetition inside repetition, which can take a database hours.  Matching is case-sensitive.
"""

import re
import typing
import warnings

from nova_cells.domain import errors

_parser = re._parser                     # type: ignore[attr-defined]  # the standard library's own
_LONGEST = 255
_MOST = 255                              # times that PostgreSQL can repeat
_REPEATS = 6                             # in one pattern
_BREAK = "\\n"                   # for PostgreSQL a dot is any character
_END = "$(?!\\n)"                # for others "$" is also before a line break at the end
_CLASSES = {"CATEGORY_DIGIT": "0-9", "CATEGORY_WORD": "a-zA-Z0-9_",
            "CATEGORY_SPACE": " \\t\\n\\r\\f\\v"}


class _Writer:
    """Writes a parsed pattern in the shared dialect.  ``without``: characters that no wildcard
    may stand for."""

    def __init__(self, pattern: str, without: str = "") -> None:
        self._pattern, self._without, self._repeats = pattern, without, 0

    def refuse(self, what: str) -> typing.NoReturn:
        """Not in the shared dialect."""
        raise errors.Invalid(f"The regular expression {self._pattern[:64]!r} cannot be used: "
                             f"{what}.")

    def sequence(self, parsed: typing.Iterable[tuple], repeated: bool = False) -> str:
        """A run of things."""
        return "".join(self._one(str(op), value, repeated) for op, value in parsed)

    def _one(self, op: str, value: typing.Any, repeated: bool) -> str:
        match op:
            case "LITERAL":
                return _literal(value)
            case "NOT_LITERAL":
                return f"[^{_literal(value)}{self._without}]"
            case "ANY":
                return f"[^{self._without or _BREAK}]"
            case "IN":
                return self._set(value)
            case "BRANCH":
                return f"(?:{'|'.join(self.sequence(arm, repeated) for arm in value[1])})"
            case "SUBPATTERN":
                _group, added, removed, inner = value
                if added or removed:
                    self.refuse("flags are not supported")
                return f"(?:{self.sequence(inner, repeated)})"
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(*value, repeated)
            case "AT" if str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                return "^"
            case "AT" if str(value) in ("AT_END", "AT_END_STRING"):
                return _END
        self.refuse(f"{op.lower().replace('_', ' ')} is not supported by every database")

    def _repeat(self, low: int, high: typing.Any, inner: typing.Iterable[tuple],
                repeated: bool) -> str:
        endless = str(high) == "MAXREPEAT"
        many = endless or high > 1
        if many and repeated:
            self.refuse("repetition inside repetition is not supported")
        self._repeats += many
        if self._repeats > _REPEATS:
            self.refuse(f"more than {_REPEATS} repetitions are not supported")
        if low > _MOST or (not endless and high > _MOST):
            self.refuse(f"more than {_MOST} times is too often")
        body = f"(?:{self.sequence(inner, repeated or many)})"
        if endless:
            return body + {0: "*", 1: "+"}.get(low, f"{{{low},}}")
        return body + ("?" if (low, high) == (0, 1) else f"{{{low},{high}}}")

    def _set(self, members: typing.Iterable[tuple]) -> str:
        negated, written = False, []
        for op, value in members:
            match str(op):
                case "NEGATE":
                    negated = True
                case "LITERAL":
                    written.append(_literal(value))
                case "RANGE":
                    written.append(f"{_literal(value[0])}-{_literal(value[1])}")
                case "CATEGORY" if str(value) in _CLASSES:
                    written.append(_CLASSES[str(value)])
                case "CATEGORY" if str(value).replace("_NOT", "") in _CLASSES and len(
                        list(members)) == 1:
                    negated = True
                    written.append(_CLASSES[str(value).replace("_NOT", "")])
                case _:
                    self.refuse("this set of characters is not supported by every database")
        return f"[^{''.join(written)}{self._without}]" if negated else f"[{''.join(written)}]"


def _literal(code: int) -> str:
    char = chr(code)
    return char if char.isalnum() or char in " _@%&~'\"<>=:;,!#/`" else f"\\{char}"


def _parse(pattern: str) -> list[tuple]:
    if len(pattern) > _LONGEST:
        raise errors.Invalid(f"A regular expression has at most {_LONGEST} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, ValueError):
        raise errors.Invalid(f"{pattern[:64]!r} is not a 'regex'") from None
    if parsed.state.flags & ~re.UNICODE:
        raise errors.Invalid(f"The regular expression {pattern[:64]!r} cannot be used: flags are "
                             f"not supported.")
    return list(parsed)


def portable(pattern: str) -> str:
    """The pattern in the shared dialect, to be searched for.  Raises ``Invalid``."""
    if "\n" in pattern or "\r" in pattern:
        raise errors.Invalid("A regular expression holds no line breaks.")
    return _Writer(pattern).sequence(_parse(pattern))


def address(pattern: str, version: int) -> str:
    """A pattern for one address inside the column ``ips``, where each stands between blanks.
    It matches from the beginning of an address, as the API has always had it."""
    parsed = _parse(pattern)
    writer = _Writer(pattern, without=" :" if version == 4 else " ")
    if parsed and str(parsed[0][0]) == "AT" and "BEGINNING" in str(parsed[0][1]):
        parsed = parsed[1:]
    ended = bool(parsed) and str(parsed[-1][0]) == "AT" and "END" in str(parsed[-1][1])
    body = writer.sequence(parsed[:-1] if ended else parsed)
    rest = "" if ended else ("[^ :]*" if version == 4 else "[^ ]*")
    return f" (?:{body}){rest} "
