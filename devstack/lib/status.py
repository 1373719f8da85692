#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Turns the findings of status.sh into a table or JSON, and says what is wrong.

Standard input, separated by tabs:

    service NAME PID HTTP_CODE URL LOG
    host    NAME PID yes|no    URI LOG CELL GUESTS
"""

import json
import sys

ADVICE = 'run devstack/stack.sh'


def service(name, pid, code, url, log):
    well = bool(pid) and code[:1] in ('2', '3', '4')
    if well:
        problem = None
    elif not pid and code != '000':
        problem = (f'{name}: {url} is served by a process that stack.sh did not start: '
                   f'stop that one, then {ADVICE}')
    elif not pid:
        problem = f'{name} is not running: {ADVICE}'
    else:
        problem = (f'{name} runs as pid {pid} but answers {code} at {url}: '
                   f'read the end of {log}, then {ADVICE}')
    return {'name': name, 'state': 'up' if well else 'sick' if pid else 'down',
            'pid': int(pid) if pid else None, 'url': url, 'log': log, 'problem': problem}


def host(name, pid, answers, uri, log, cell, guests):
    well = bool(pid) and answers == 'yes'
    if well:
        problem = None
    elif not pid:
        problem = f'host {name} is not running: {ADVICE}'
    else:
        problem = (f'host {name}: libvirtd (pid {pid}) does not answer: '
                   f'read the end of {log}, then {ADVICE}')
    return {'name': name, 'cell': cell, 'state': 'up' if well else 'sick' if pid else 'down',
            'pid': int(pid) if pid else None, 'url': uri, 'log': log,
            'guests': int(guests) if guests else None, 'problem': problem}


def table(found):
    rows = [('name', 'state', 'pid', 'guests', 'where')]
    for thing in found['services'] + found['hosts']:
        rows.append(tuple('-' if value is None else str(value) for value in (
            thing['name'], thing['state'], thing['pid'], thing.get('guests'), thing['url'])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print('  '.join(cells).rstrip())
    for problem in found['problems']:
        print(f'! {problem}')
    if found['healthy']:
        print('all is well')


def main():
    found = {'healthy': True, 'services': [], 'hosts': [], 'problems': []}
    makers = {'service': (service, 'services'), 'host': (host, 'hosts')}
    for line in sys.stdin:
        kind, *fields = line.rstrip('\n').split('\t')
        maker, where = makers[kind]
        found[where].append(maker(*fields))
    found['problems'] = [t['problem'] for t in found['services'] + found['hosts'] if t['problem']]
    found['healthy'] = not found['problems']
    if sys.argv[1] == 'json':
        print(json.dumps(found, indent=1))
    else:
        table(found)
    return 0 if found['healthy'] else 1


if __name__ == '__main__':
    sys.exit(main())
