# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Configuration: every option of every room, and a private ConfigOpts of them.

Each module here has ``OPTS`` (group -> options) and nothing that reads a file.  The global
``cfg.CONF`` is never touched.  What cannot be used is one sentence (``BadConfig``), told before
anything runs.  Names are Nova's wherever the meaning is the same.
"""

import collections.abc
import copy
import importlib
import os
import pkgutil
import re
import typing

from oslo_config import cfg
from oslo_log import log

from nova_cells.domain import errors

PROJECT = "nova-cells"


class BadConfig(errors.Invalid):
    """The configuration cannot be used: one sentence that names the option and the file."""


def options(*names: str) -> dict[str, list[cfg.Opt]]:
    """Group -> options, of every module of this package: all its ``OPTS``."""
    found: dict[str, list[cfg.Opt]] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name in names or ("OPTS",):
            for group, opts in getattr(module, name, {}).items():
                found.setdefault(group, []).extend(opts)
    return found


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """For oslo-config-generator: also ``SAMPLE``, groups that are registered only when used."""
    return [(group, copy.deepcopy(opts)) for group, opts in options("OPTS", "SAMPLE").items()]


def new(argv: collections.abc.Sequence[str] = (), files: collections.abc.Sequence[str] = (),
        overrides: dict[str, dict[str, typing.Any]] | None = None,
        prog: str = PROJECT) -> cfg.ConfigOpts:
    """A configuration of its own: defaults, then ``files`` in their order, then ``overrides``
    (group -> name -> value).  ``BadConfig`` if anything in it cannot be used."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    for group, opts in options().items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    for path in files:
        _check_readable(path)
    try:
        conf(list(argv), project=PROJECT, prog=prog, default_config_files=list(files),
             default_config_dirs=[])
    except cfg.ConfigFileParseError as error:
        raise BadConfig(f"{error.config_file} cannot be read: {error.msg}") from None
    except cfg.Error as error:
        raise BadConfig(str(error)) from None
    for group, values in (overrides or {}).items():
        for name, value in values.items():
            _override(conf, group, name, value)
    check(conf)
    return conf


def found_files() -> list[str]:
    """The files that are read when nobody names one, such as /etc/nova-cells/nova-cells.conf."""
    return cfg.find_config_files(project=PROJECT, prog=PROJECT)


def check(conf: cfg.ConfigOpts) -> None:
    """Read every option once, so that a bad value is told now and not in the middle of things."""
    for group, opts in options().items():
        for opt in opts:
            try:
                conf[opt.dest] if group == "DEFAULT" else conf[group][opt.dest]
            except (ValueError, cfg.Error) as error:
                raise BadConfig(_sentence(group, opt, error)) from None


def _check_readable(path: str) -> None:
    try:
        with open(path) as file:
            file.read(1)
    except OSError as error:
        raise BadConfig(f"the configuration file {path} cannot be read: "
                        f"{os.strerror(error.errno or 0)}") from None
    except UnicodeError:
        raise BadConfig(f"the configuration file {path} is not text in UTF-8") from None


def _override(conf: cfg.ConfigOpts, group: str, name: str, value: typing.Any) -> None:
    try:
        conf.set_override(name, value, group=None if group == "DEFAULT" else group)
    except (ValueError, cfg.Error) as error:
        raise BadConfig(f"[{group}] {name} = {value} cannot be used: {error}") from None


def _sentence(group: str, opt: cfg.Opt, error: Exception) -> str:
    """Which option, where, and why; never the value of a secret one."""
    reason = " ".join(str(error).split()).rpartition("is not valid:")[2].strip()
    if opt.secret:
        reason = "its value is not of the right kind"
    place = re.search(r"detail='([^']+)'", str(error))
    where = f" in {place[1]}" if place else ""
    return f"[{group}] {opt.name}{where} cannot be used: {reason or 'bad value'}"
