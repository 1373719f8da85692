#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Turns the findings of status.sh into a table or JSON, and says what is wrong.

    status.py table|json PROFILE

Standard input, words separated by tabs:

    service NAME PID HTTP_CODE URL LOG         answers at a URL
    server  NAME PID yes|no    ADDRESS LOG     takes connections
    daemon  NAME PID yes|no    URL|- LOG       is ready
    host    NAME PID yes|no    URI LOG CELL GUESTS
    heard   HOST STATE STATUS                  what the API says of a host's agent
    cell    NAME ENABLED UP SERVERS HEARD SYNC what the API cell knows of a cell
    queue   VHOST NAME MESSAGES CONSUMERS
    before  VHOST NAME MESSAGES CONSUMERS      the same, when somebody looked last
"""

import json
import os
import sys

QUEUE_LONG = 100         # messages that are too many, whatever they were before
QUEUE_GROWS = 10         # messages more than when somebody looked last


def state(pid, well):
    return 'up' if pid and well else 'sick' if pid else 'down'


def thing(name, pid, well, where, log, problem, **more):
    return {'name': name, 'state': state(pid, well), 'pid': int(pid) if pid else None,
            'url': None if where == '-' else where, 'log': log, 'problem': problem, **more}


class Findings:
    """Fed line by line; then asked."""

    def __init__(self, profile):
        self.advice = 'run devstack/stack.sh' + (' multi' if profile == 'multi' else '')
        self.profile = profile
        self.services, self.hosts, self.cells, self.queues = [], [], [], []
        self.agents, self.seen = {}, {}

    def service(self, name, pid, code, url, log):
        well = code[:1] in ('2', '3', '4')
        if pid and well:
            problem = None
        elif not pid and code != '000':
            problem = (f'{name}: {url} is served by a process that stack.sh did not start: '
                       f'stop that one, then {self.advice}')
        else:
            problem = self.process_problem(name, pid, log, f'answers {code} at {url}')
        self.services.append(thing(name, pid, well, url, log, problem))

    def server(self, name, pid, answers, where, log):
        well = answers == 'yes'
        problem = None if pid and well else self.process_problem(
            name, pid, log, f'takes no connections at {where}')
        self.services.append(thing(name, pid, well, where, log, problem))

    def daemon(self, name, pid, ready, where, log):
        well = ready == 'yes'
        problem = None if pid and well else self.process_problem(name, pid, log, 'is not ready')
        self.services.append(thing(name, pid, well, where, log, problem))

    def process_problem(self, name, pid, log, trouble):
        if not pid:
            return f'{name} is not running: {self.advice}; the end of {log} may say why'
        return f'{name} runs as pid {pid} but {trouble}: read the end of {log}, then {self.advice}'

    def host(self, name, pid, answers, uri, log, cell, guests):
        well = answers == 'yes'
        if pid and well:
            problem = None
        elif not pid:
            problem = f'host {name} is not running: {self.advice}'
        else:
            problem = (f'host {name}: libvirtd (pid {pid}) does not answer: '
                       f'read the end of {log}, then {self.advice}')
        self.hosts.append(thing(name, pid, well, uri, log, problem, cell=cell,
                                guests=int(guests) if guests else None))

    def heard(self, host, up, status):
        self.agents[host] = (up, status)

    def cell(self, name, enabled, up, servers, heard, sync):
        problem = None
        if up != 'True':
            problem = (f'cell {name} is silent (heard {heard}): see its conductor, its database, '
                       f'its bus, and the collector')
        elif sync != 'running':
            problem = f"cell {name}: sync: {sync}"
        self.cells.append({'name': name, 'enabled': enabled == 'True', 'up': up == 'True',
                           'servers': int(servers), 'heard': heard, 'sync': sync,
                           'problem': problem})

    def queue(self, vhost, name, messages, consumers):
        self.queues.append({'vhost': vhost, 'name': name, 'messages': int(messages),
                            'consumers': int(consumers), 'problem': None})

    def before(self, vhost, name, messages, _consumers):
        self.seen[vhost, name] = int(messages)

    def judge(self):
        """What only all the lines together show."""
        for host in self.hosts:
            host['agent'], status = self.agents.get(host['name'], (None, None))
            if host['agent'] == 'down' and not host['problem']:
                host['problem'] = f"host {host['name']}: its agent is not heard: see its " + (
                    f"process nova-cells-compute-{host['name']}" if self.profile == 'multi'
                    else "log of nova-cells")
        for queue in self.queues:
            count, name = queue['messages'], f"queue {queue['name']} of {queue['vhost']}"
            more = count - self.seen.get((queue['vhost'], queue['name']), count)
            if not queue['consumers'] and queue['name'].startswith('reply_'):
                continue                     # its caller is gone; the broker takes it away in time
            if count and not queue['consumers']:
                queue['problem'] = f'{name} holds {count} messages and nobody reads it'
            elif count >= QUEUE_LONG or more >= QUEUE_GROWS:
                queue['problem'] = (f'{name} holds {count} messages, {more:+d} since somebody '
                                    'looked last: its readers do not keep up')

    def answer(self):
        self.judge()
        things = self.services + self.hosts + self.cells + self.queues
        problems = [found['problem'] for found in things if found['problem']]
        return {'healthy': not problems, 'profile': self.profile,
                'logs': os.path.dirname(self.services[0]['log']), 'services': self.services,
                'hosts': self.hosts, 'cells': self.cells, 'queues': self.queues,
                'problems': problems}


def columns(rows):
    rows = [['-' if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print('  '.join(cells).rstrip())


def table(found):
    columns([('name', 'state', 'pid', 'guests', 'where')] + [
        (each['name'], each['state'], each['pid'], each.get('guests'), each['url'])
        for each in found['services'] + found['hosts']])
    if found['cells']:
        print()
        columns([('cell', 'up', 'enabled', 'servers', 'heard', 'sync')] + [
            (each['name'], 'yes' if each['up'] else 'no', 'yes' if each['enabled'] else 'no',
             each['servers'], each['heard'], each['sync']) for each in found['cells']])
    if found['queues']:
        waiting = sum(queue['messages'] for queue in found['queues'])
        print(f"\n{len(found['queues'])} queues, {waiting} messages wait")
    print(f"\nlogs: {found['logs']}/<name>.log; of a host: {found['hosts'][0]['log']}\n")
    for problem in found['problems']:
        print(f'! {problem}')
    if found['healthy']:
        print('all is well')


def main(form, profile):
    findings = Findings(profile)
    for line in sys.stdin:
        kind, *fields = line.rstrip('\n').split('\t')
        getattr(findings, kind)(*fields)
    found = findings.answer()
    if form == 'json':
        print(json.dumps(found, indent=1))
    else:
        table(found)
    return 0 if found['healthy'] else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
