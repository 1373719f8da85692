# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-standalone``: an API cell and its child cells in one process.

Decides how the process runs before anything is imported, reads options and configuration, takes
the port and the state directory, and hands over to ``deployment``.  What cannot work is one line
on stderr that names the mend, and exit code 2 (what was asked for) or 1 (what was met).
"""

import argparse
import os
import sys
import typing

from nova_cells import service
from nova_cells.domain import errors

PROGRAM = "nova-cells-standalone"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        service.complain(PROGRAM, f"{message}; '{PROGRAM} --help' says what there is")


def parse(argv: list[str]) -> argparse.Namespace:
    """What was typed.  Ends the process (2) if it makes no sense."""
    parser = _Parser(
        prog=PROGRAM, allow_abbrev=False,
        description="A working compute API in one process: the API cell and its child cells.",
        epilog="Options given here win over the configuration file.")
    add = parser.add_argument
    add("--config-file", action="append", default=[], metavar="PATH", dest="files",
        help="read this file (may be repeated); default: /etc/nova-cells/nova-cells.conf if it is "
             "there, but nothing with --virt fake")
    add("--virt", choices=["fake", "libvirt"],
        help="the hypervisor; 'fake' without a configuration file needs nothing else: no root, no "
             "identity service, no images")
    add("--state-path", metavar="DIR", help="where all state is kept; default: "
        "/var/lib/nova-cells for root, else ~/.local/share/nova-cells")
    add("--host", metavar="ADDRESS", help="address of the API (default: 127.0.0.1)")
    add("--port", type=_between(0, 65535), metavar="N", help="port of the API (default: 8774)")
    add("--cells", type=_between(1, 256), metavar="N", help="run N cells: cell1 to cellN")
    add("--hosts-per-cell", type=_between(1, 10000), metavar="N", dest="hosts",
        help="give each cell N hosts (with --virt fake)")
    add("--without-cell", action="append", default=[], metavar="NAME", dest="without",
        help="leave this cell's services down (may be repeated): to see what a down cell is like")
    add("--debug", action="store_true", help="log more")
    return parser.parse_args(argv)


def _between(low: int, high: int) -> typing.Callable[[str], int]:
    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return value

    return number


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    argv = sys.argv[1:] if argv is None else argv
    options = parse(argv)
    log_file = None
    try:
        service.choose_backend(argv, os.environ)
        conf = configure(options)
        log_file = _start_log(conf)
        run(conf, tuple(options.without))
    except errors.Invalid as problem:
        service.complain(PROGRAM, problem, 2)
    except errors.Problem as problem:
        service.complain(PROGRAM, problem, 1)
    except KeyboardInterrupt:
        service.complain(PROGRAM, "interrupted", 1)
    except Exception as error:
        _unexpected(error, log_file)


def configure(options: argparse.Namespace):
    """The configuration with what was typed over it."""
    from nova_cells import conf as confs
    from nova_cells.cmd import web

    files = options.files or ([] if options.virt == "fake" else confs.found_files())
    wanted: dict[str, dict[str, object]] = {"DEFAULT": {}, "standalone": {}}
    if options.virt:
        wanted["DEFAULT"]["compute_driver"] = options.virt
    if options.virt == "fake" and not files:
        wanted["standalone"]["cells"] = ["cell1", "cell2"]
        wanted["api"] = {"auth_strategy": "noauth2"}
        wanted["glance"] = {"source": "fake"}
    if options.state_path:
        wanted["DEFAULT"]["state_path"] = os.path.abspath(options.state_path)
    if options.debug:
        wanted["DEFAULT"]["debug"] = True
    if options.host is not None:
        wanted["standalone"]["bind_host"] = options.host
    if options.port is not None:
        wanted["standalone"]["bind_port"] = options.port
    if options.cells:
        wanted["standalone"]["cells"] = [f"cell{n}" for n in range(1, options.cells + 1)]
    conf = confs.new(files=files, overrides=wanted, prog=PROGRAM)
    if options.hosts:
        _spread_hosts(conf, options.hosts)
    if conf.api.auth_strategy == "noauth2" and not web.is_loopback(conf.standalone.bind_host):
        raise errors.Invalid(
            f"auth_strategy noauth2 lets everybody in, so it is refused on "
            f"{conf.standalone.bind_host}: listen on 127.0.0.1, or set [api] auth_strategy = "
            "keystone")
    return conf


def _spread_hosts(conf, count: int) -> None:
    from nova_cells.conf import standalone

    if conf.compute_driver.partition(".")[0] != "fake":
        raise errors.Invalid("--hosts-per-cell is for --virt fake: a real host must be described "
                             "in the configuration file")
    for number, name in enumerate(conf.standalone.cells, 1):
        conf.register_opts(standalone.CELL, group=f"cell.{name}")
        hosts = [f"c{number}-h{host}" for host in range(1, count + 1)]
        conf.set_override("hosts", hosts, group=f"cell.{name}")


def _start_log(conf) -> str | None:
    """To where the configuration says; if it says nothing, to a file below the state path."""
    import logging

    from oslo_log import log

    from nova_cells import context

    file = None
    if not (conf.log_file or conf.log_dir or conf.use_stderr or conf.use_syslog
            or conf.use_journal or conf.log_config_append):
        file = os.path.join(conf.state_path, "nova-cells.log")
        conf.set_default("log_file", file)
    try:
        os.makedirs(conf.state_path, mode=0o700, exist_ok=True)
        context.start_log(conf, "standalone", host=conf.host)
        logging.getLogger("alembic").setLevel(logging.WARNING)
    except (OSError, log.LogConfigError) as error:
        raise errors.Invalid(f"the log cannot be written: {error}; name another state directory "
                             "with --state-path, or a log_file in the configuration") from None
    return file


def run(conf, without: tuple[str, ...]) -> typing.NoReturn:
    """Until SIGTERM or SIGINT."""
    from nova_cells.cmd import deployment, greeting, lock, signals, web

    asked = signals.Signals()
    state = lock.StateLock(conf.state_path)
    running = deployment.Deployment(conf, without)
    state.take()
    listening = web.bind(conf.standalone.bind_host, conf.standalone.bind_port)
    patience = conf.graceful_shutdown_timeout
    try:
        running.start(listening)
    except BaseException:
        running.stop(1.0)
        state.free()
        raise
    sys.stdout.write(greeting.text(conf, running))
    sys.stdout.flush()
    name = asked.wait().name
    sys.stdout.write(f"{name}: stopping; guests keep running\n")
    sys.stdout.flush()
    ended = running.stop(patience)
    if not ended:
        sys.stdout.write("some work did not end in time; it is taken up at the next start\n")
        sys.stdout.flush()
    state.free()
    os._exit(0)      # threads that did not end must not hold the process


def _unexpected(error: Exception, log_file: str | None) -> typing.NoReturn:
    """Our own fault: the traceback goes to the log, one line to the terminal."""
    import logging

    logging.getLogger("nova_cells.cmd").exception("could not go on")
    service.complain(PROGRAM, f"internal error ({type(error).__name__}: {error}); the traceback is "
                              f"in {log_file or 'the log'}", 1)


if __name__ == "__main__":
    main()
