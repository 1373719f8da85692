#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What client-tour.sh runs: the openstack client, once for each step of client_tour_route.py.

A step is the client's own main() in a process forked from this one, which has loaded the client's
modules: the same program, less a second of start.  The cloud is taken from the OS_* environment.
The list of subcommands is the client's: one that no step uses is named at the end as not toured.
"""

import argparse
import importlib
import json
import os
import pkgutil
import shlex
import signal
import sys
import tempfile
import time
import uuid

import client_tour_route
import openstack
import openstackclient.compute.v2
import openstackclient.shell

NEWEST = '2.104'
PATIENCE = 180                  # seconds, for one command and for one change of a server
# Of the groups that serve several APIs, those that ask Compute
COMMON = ('quota ', 'limits ', 'availability zone ', 'extension ')
TEXTS = {'passed': 'passed', 'refused': 'refused as it must be', 'failed': 'FAILED'}


def number(version):
    return tuple(int(part) for part in version.split('.'))


def load_client():
    """What each step would otherwise load again."""
    for found in pkgutil.iter_modules(openstackclient.compute.v2.__path__):
        importlib.import_module(f'openstackclient.compute.v2.{found.name}')
    for name in ('quota', 'limits', 'availability_zone', 'extension'):
        importlib.import_module(f'openstackclient.common.{name}')


def run_client(words, version=None):
    """(exit code, what it printed, what it complained of)"""
    argv = [*(['--os-compute-api-version', version] if version else []), *words]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            run_forked(argv, out, err)
        _pid, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors='replace'))
    return os.waitstatus_to_exitcode(status), *texts


def run_forked(argv, out, err):
    """Never comes back.  A client that hangs is ended by the alarm."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interrupt, signal.SIG_DFL)
    signal.alarm(PATIENCE)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    code = 1
    try:
        sys.argv[0] = 'openstack'
        code = openstackclient.shell.main(argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # what the program would end with
        sys.stderr.write(f'{type(error).__name__}: {error}\n')
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def subcommands():
    """The client's own word on what it can do with Compute."""
    found = []
    for group in ('openstack.compute.v2', 'openstack.common'):
        code, out, err = run_client(['command', 'list', '--group', group, '-f', 'json'])
        if code:
            sys.exit(f'the client does not list its commands: {err}')
        for row in json.loads(out):
            found += [name for name in row['Commands']
                      if group != 'openstack.common' or name.startswith(COMMON)]
    return sorted(found)


class Tour:
    """What the route uses: one pass at one microversion."""

    def __init__(self, version, names, prefix):
        self.version, self.prefix = version, prefix
        self.asked = version or 'default'
        self._names = sorted(names, key=len, reverse=True)
        self.cloud = openstack.connect()
        self.rows = []

    def has(self, version):
        """Of its own accord the client asks at the microversion that each of its requests needs."""
        return number(self.version or NEWEST) >= number(version)

    # ---- steps -----------------------------------------------------------------------------------
    def do(self, line, check=None):
        """A command that must succeed; CHECK takes what it printed."""
        return self._judge(line, self._run(line), check)

    def read(self, line, check=None):
        """The same, of a command that prints a thing or a table; CHECK gets it as data."""
        code, out, err = self._run(f'{line} -f json')
        if code == 0:
            try:
                out = json.loads(out) if out.strip() else {}
            except ValueError:
                code, err = 1, f'not JSON: {out[:200]}'
        self._judge(line, (code, out, err), check)
        return out if code == 0 else {}

    def refused(self, line, why, *texts):
        """A command that must fail, with one of TEXTS in what it says."""
        code, out, err = self._run(line)
        said = last_line(err or out)
        if code == 0:
            self._note(line, 'failed', f'was not refused ({why})')
        elif any(text.lower() in f'{out} {err}'.lower() for text in texts):
            self._note(line, 'refused', why)
            print(f'    {said}', flush=True)
        else:
            self._note(line, 'failed', f'refused for another reason than "{why}": {said}')

    def since(self, version, line, check=None):
        """A command that needs this microversion, and that the client refuses below it."""
        if self.has(version):
            return self.do(line, check)
        return self.refused(line, f'needs microversion {version}', 'or greater is required',
                            'or higher', f'at least {version}', 'or later', 'microversion')

    def settle(self, server, *statuses):
        """Until the server rests in one of these."""
        until = time.monotonic() + PATIENCE
        found = {}
        while time.monotonic() < until:
            answer = self.cloud.compute.get(f'/servers/{server}', microversion='2.1')
            gone = {'server': {'status': 'GONE'}}
            found = (answer.json() if answer.status_code == 200 else gone)['server']
            if found['status'] in statuses and not found.get('OS-EXT-STS:task_state'):
                return True
            if found['status'] == 'ERROR' and 'ERROR' not in statuses:
                break
            time.sleep(0.3)
        self._note(f'(server {server})', 'failed',
                   f"{found.get('status')}, not {' or '.join(statuses)}")
        return False

    # ---- what became of them ---------------------------------------------------------------------
    def _run(self, line):
        return run_client(shlex.split(line), self.version)

    def _judge(self, line, ended, check):
        code, out, err = ended
        if code:
            return self._note(line, 'failed', last_line(err or str(out)))
        try:
            right = check is None or check(out)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            right, err = False, repr(error)
        if right:
            return self._note(line, 'passed', '')
        return self._note(line, 'failed', f'answered something else: {err} {out}'[:400])

    def _note(self, line, outcome, why):
        command = next((name for name in self._names if f'{line} '.startswith(f'{name} ')), None)
        self.rows.append((self.asked, command, outcome, why, line))
        remark = f'  ({why})' if why else ''
        print(f'[{self.asked}] {line}: {TEXTS[outcome]}{remark}', flush=True)
        return outcome == 'passed'


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else 'no word'


def clean_up(prefix):
    """Whatever is named so, of every kind the route makes."""
    cloud = openstack.connect()
    compute = cloud.compute

    def mine(things):
        return [thing for thing in things if (thing.name or '').startswith(prefix)]

    for server in mine(compute.servers(details=False, name=prefix, all_projects=True)):
        compute.unlock_server(server)
        compute.delete_server(server)
        compute.wait_for_delete(server, wait=PATIENCE)
    for found, delete in (
        (compute.keypairs(), compute.delete_keypair),
        (compute.server_groups(), compute.delete_server_group),
        (compute.flavors(is_public=None), compute.delete_flavor),
        (cloud.image.images(), cloud.image.delete_image),
        (cloud.identity.projects(), cloud.identity.delete_project),
    ):
        for thing in mine(list(found)):
            delete(thing)
    for aggregate in mine(compute.aggregates()):
        for host in aggregate.hosts or ():
            compute.remove_host_from_aggregate(aggregate, host)
        compute.delete_aggregate(aggregate)


def table(rows, names):
    """A line for each subcommand, then the reasons; and whether something is wrong."""
    versions = list(dict.fromkeys(row[0] for row in rows))
    print(f"\n{'subcommand':34}" + ''.join(f'{version:>30}' for version in versions))
    for name in names:
        cells = []
        for version in versions:
            mine = [row[2] for row in rows if row[:2] == (version, name)]
            said = [f'{mine.count(word)} {word}' for word in TEXTS if word in mine]
            cells.append(', '.join(said) or 'not toured')
        print(f'{name:34}' + ''.join(f'{cell:>30}' for cell in cells))
    print('\nRefused as it must be:')
    for why in dict.fromkeys(row[3] for row in rows if row[2] == 'refused'):
        whose = dict.fromkeys(row[1] for row in rows if row[2:4] == ('refused', why))
        print(f"  {why}: {', '.join(filter(None, whose))}")
    failed = [row for row in rows if row[2] == 'failed']
    missed = [name for name in names if not any(row[1] == name for row in rows)]
    for version, _name, _outcome, why, line in failed:
        print(f'FAILED at {version}: openstack {line}\n    {why}')
    print(f"not toured: {', '.join(missed) or 'none'}")
    for version in versions:
        counts = [f'{sum(row[0] == version and row[2] == word for row in rows)} {text}'
                  for word, text in TEXTS.items()]
        print(f"microversion {version}: {', '.join(counts)}")
    return bool(failed or missed)


def main():
    parser = argparse.ArgumentParser(prog='client-tour.sh')
    parser.add_argument('--at', action='append', metavar='MICROVERSION')
    asked = parser.parse_args()
    load_client()
    names = subcommands()
    prefix = f'tour-{uuid.uuid4().hex[:6]}'
    rows = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for version in asked.at or ('default', NEWEST):
            tour = Tour(None if version == 'default' else version, names, prefix)
            client_tour_route.walk(tour)
            rows += tour.rows
            clean_up(prefix)
    finally:
        clean_up(prefix)
    return table(rows, names)


if __name__ == '__main__':
    sys.exit(main())
