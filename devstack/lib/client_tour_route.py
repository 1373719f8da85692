# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Where the tour of client_tour.py goes: each step a line as one would type it after "openstack".

What must be refused is said with the reason: the stack has no Neutron, no Cinder and no Manila, and
the client itself refuses what needs a newer microversion.
"""

import os
import tempfile

NO_NEUTRON = 'no Neutron here'
NO_CINDER = 'no Cinder here'
NO_MANILA = 'no Manila here'
NOTHING = '00000000-0000-4000-8000-000000000000'
NO_NETWORK = ('network', 'could not be found')
NO_VOLUME = ('volume service', 'block-storage')
NO_SHARE = ('shared-file-system',)
NOT_FOUND = ('not found', 'no resource', 'could not be found', '404')


def walk(tour):
    for part in (flavors, keypairs, groups, aggregates, hosts, quotas, servers, states, saved,
                 moves, attached, farewell):
        part(tour)


def flavors(t):
    p = t.prefix
    for name, ram in (('small', 128), ('big', 192)):
        t.read(f'flavor create {p}-{name} --id {p}-{name}-id --ram {ram} --disk 1 --vcpus 1',
               lambda a, n=name, r=ram: (a['name'], a['ram'], a['vcpus']) == (f'{p}-{n}', r, 1))
    t.since('2.55', f'flavor create {p}-told --ram 64 --disk 1 --vcpus 1 --description told')
    t.since('2.55', f'flavor set {p}-small --description said')
    t.read(f'flavor create {p}-own --private --ram 64 --disk 1 --vcpus 1 --property a:b=c',
           lambda a: a['os-flavor-access:is_public'] is False and a['properties'] == {'a:b': 'c'})
    project = t.read(f'project create {p}-project', lambda a: a['name'] == f'{p}-project')['id']
    t.do(f'flavor set {p}-own --property x=y --project {project}')
    t.read(f'flavor show {p}-own', lambda a: a['access_project_ids'] == [project]
           and a['properties'] == {'a:b': 'c', 'x': 'y'})
    t.do(f'flavor unset {p}-own --property x --project {project}')
    t.read(f'flavor show {p}-own', lambda a: not a['access_project_ids']
           and a['properties'] == {'a:b': 'c'})
    t.read('flavor list --all --long', lambda a: f'{p}-own' in {row['Name'] for row in a})
    t.read('flavor list --private --min-ram 64',
           lambda a: f'{p}-small' not in {row['Name'] for row in a})
    t.do(f'flavor delete {p}-own')
    t.refused(f'flavor show {p}-own', 'it is deleted', 'no flavor', *NOT_FOUND)


def keypairs(t):
    p = t.prefix
    with tempfile.TemporaryDirectory() as kept:
        private = os.path.join(kept, 'key')
        made = t.read(f'keypair create {p}-key --private-key {private}',
                      lambda a: a['name'] == f'{p}-key' and os.path.getsize(private) > 0)
        public = os.path.join(kept, 'key.pub')
        shown = t.do(f'keypair show {p}-key --public-key',
                     lambda out: out.startswith('ssh-') and _write(public, out))
        if made and shown:
            t.read(f'keypair create {p}-again --public-key {public}',
                   lambda a: a['fingerprint'] == made['fingerprint'])
    t.since('2.2', f'keypair create {p}-typed --type ssh')
    t.since('2.10', 'keypair list --user admin')
    if t.version:
        t.since('2.35', 'keypair list --limit 1')
    else:
        t.refused('keypair list --limit 1', 'the client asks at 2.10, where keys have no pages',
                  'endless pagination')
    t.read(f'keypair show {p}-key', lambda a: a['name'] == f'{p}-key')
    t.read('keypair list', lambda a: f'{p}-key' in {row['Name'] for row in a})
    t.do(f'keypair delete {p}-again')
    t.refused(f'keypair show {p}-again', 'it is deleted', 'no keypair', *NOT_FOUND)


def _write(path, text):
    with open(path, 'w') as file:
        return file.write(text)


def groups(t):
    p = t.prefix
    t.read(f'server group create {p}-apart --policy anti-affinity',
           lambda a: a['name'] == f'{p}-apart')
    t.since('2.15', f'server group create {p}-soft --policy soft-affinity')
    t.since('2.64', f'server group create {p}-rule --policy anti-affinity'
                    ' --rule max_server_per_host=2')
    t.read(f'server group show {p}-apart', lambda a: 'anti-affinity' in str(a))
    t.read('server group list --long --all-projects',
           lambda a: f'{p}-apart' in {row['Name'] for row in a})


def aggregates(t):
    p = t.prefix
    host = _compute_hosts(t)[0]
    t.read(f'aggregate create {p}-rack --property a=b', lambda a: a['properties'] == {'a': 'b'})
    t.do(f'aggregate set {p}-rack --property c=d --name {p}-row')
    t.do(f'aggregate unset {p}-row --property a')
    t.read(f'aggregate add host {p}-row {host}', lambda a: a['hosts'] == [host])
    t.read(f'aggregate show {p}-row',
           lambda a: a['hosts'] == [host] and a['properties'] == {'c': 'd'})
    t.read('aggregate list --long', lambda a: f'{p}-row' in {row['Name'] for row in a})
    t.since('2.81', f"aggregate cache image {p}-row {os.environ['GUEST_IMAGE_NAME']}")
    t.refused(f'aggregate delete {p}-row', 'a host is in it', '409', 'not empty', '400', 'failed')
    t.read(f'aggregate remove host {p}-row {host}', lambda a: not a['hosts'])
    t.do(f'aggregate delete {p}-row')


def _compute_hosts(t):
    found = t.cloud.compute.get('/os-services?binary=nova-compute', microversion='2.53').json()
    return [row['host'] for row in found['services'] if row['state'] == 'up'
            and row['status'] == 'enabled'] or ['none']


def hosts(t):
    host = _compute_hosts(t)[-1]
    t.read('compute service list --long', lambda a: host in {row['Host'] for row in a})
    t.read(f'compute service list --service nova-compute --host {host}', lambda a: len(a) == 1)
    t.since('2.11', f'compute service set --up {host} nova-compute')
    t.do(f'compute service set --disable --disable-reason tour {host} nova-compute')
    t.read(f'compute service list --long --host {host}',
           lambda a: [(r['Status'], r['Disabled Reason']) for r in a] == [('disabled', 'tour')])
    t.do(f'compute service set --enable {host} nova-compute')
    nobody = NOTHING if t.has('2.53') else 99999999
    t.refused(f'compute service delete {nobody}', 'there is none such', *NOT_FOUND, 'failed')
    found = t.read('hypervisor list', lambda a: host in {r['Hypervisor Hostname'] for r in a})
    t.read('hypervisor list --long', lambda a: len(a) >= len(found))
    t.read(f'hypervisor list --matching {host}', lambda a: len(a) == 1)
    t.since('2.33', 'hypervisor list --limit 1')
    t.read(f'hypervisor show {host}', lambda a: a['hypervisor_hostname'] == host)
    t.read('hypervisor stats show', lambda a: a['count'] >= 1)
    t.read('host list', lambda a: host in {row['Host Name'] for row in a})
    t.read(f'host show {host}', lambda a: len(a) >= 1)
    t.do(f'host set --enable {host}')
    t.refused(f'host set --enable-maintenance {host}', 'no hypervisor can', '501', 'not impl')
    for line in ('list', 'create linux x86_64 1 http://u 0123456789abcdef0123456789abcdef kvm',
                 'set 1 --agent-version 2', 'delete 1'):
        t.refused(f'compute agent {line}', 'gone from Compute', '410', 'gone', 'failed')
    t.read('availability zone list --compute --long',
           lambda a: 'nova' in {row['Zone Name'] for row in a})


def quotas(t):
    project = f'{t.prefix}-project'
    t.read(f'quota show --default --compute {project}', lambda a: len(a) > 3)
    t.do(f'quota set --instances 7 --cores 9 --key-pairs 3 {project}')
    t.read(f'quota show --compute {project}',
           lambda a: {r['Resource']: r['Limit'] for r in a}.get('instances') == 7)
    t.read(f'quota show --usage --compute {project}', lambda a: len(a) > 3)
    t.read('quota list --compute', lambda a: isinstance(a, list))
    t.do(f'quota delete --compute {project}')
    t.read(f'quota show --compute {project}',
           lambda a: {r['Resource']: r['Limit'] for r in a}.get('instances') != 7)
    t.read('limits show --absolute --reserved',
           lambda a: 'maxTotalInstances' in str(a) or 'instances' in str(a))
    t.read('limits show --rate', lambda a: not a)
    t.read('usage list', lambda a: isinstance(a, list))
    t.read('usage show', lambda a: a is not None)
    t.read('extension list --compute', lambda a: len(a) > 1)
    t.refused('extension show os-keypairs', f'{NO_NEUTRON}: it asks Neutron alone', 'network')


def _image():
    return os.environ['GUEST_IMAGE_NAME']


def servers(t):
    p = t.prefix
    nic = '--no-network ' if t.has('2.37') else ''
    common = f'--image {_image()} --flavor {p}-small {nic}'
    answer = t.read(f'server create {p}-one {common}--key-name {p}-key --property a=b --wait',
                    lambda a: a['status'] == 'ACTIVE' and a['properties'] == {'a': 'b'})
    t.one = answer.get('id', NOTHING)
    t.since('2.52', f'server create {p}-two {common}--tag t --description told --wait')
    group = t.read(f'server group show {p}-apart').get('id', NOTHING)
    t.read(f'server create {p}-three {common}--hint group={group} --min 1 --max 2 --wait')
    t.refused(f'server create {p}-no --image {_image()} --flavor {p}-small --network {NOTHING}',
              NO_NEUTRON, *NO_NETWORK)
    t.refused(f'server create {p}-no --volume {NOTHING} --flavor {p}-small {nic}',
              NO_CINDER, *NO_VOLUME)
    t.read(f'server list --name {p} --long', lambda a: len(a) == (4 if t.has('2.52') else 3))
    t.read(f'server list --name {p}-one --status ACTIVE --flavor {p}-small -n --all-projects',
           lambda a: [row['ID'] for row in a] == [t.one])
    t.since('2.26', 'server list --tags t')
    t.since('2.73', 'server list --locked')
    t.read(f'server show {t.one}', lambda a: a['name'] == f'{p}-one')
    t.read(f'server show {t.one} --diagnostics', lambda a: len(a) > 2)
    if t.version:
        t.since('2.78', f'server show {t.one} --topology')
    else:
        t.refused(f'server show {t.one} --topology', 'the client asks at 2.1', '404')
    t.do(f'server set {t.one} --name {p}-uno --property c=d')
    t.since('2.19', f'server set {t.one} --description said')
    t.since('2.26', f'server set {t.one} --tag green')
    t.since('2.90', f'server set {t.one} --hostname uno')
    if t.version:
        t.since('2.104', f'server set {t.one} --pinned-availability-zone nova')
    else:
        t.refused(f'server set {t.one} --pinned-availability-zone nova',
                  'the client asks at 2.100', "('pinned_availability_zone' was unexp")
    t.since('2.104', f'server unset {t.one} --pinned-availability-zone')
    t.do(f'server set {t.one} --password Secret-1')
    t.do(f'server unset {t.one} --property c')
    t.since('2.19', f'server unset {t.one} --description')
    t.since('2.26', f'server unset {t.one} --tag green')
    t.read(f'server show {t.one}',
           lambda a: (a['name'], a['properties']) == (f'{p}-uno', {'a': 'b'})
           and not a.get('description') and not a.get('tags'))
    t.do(f'server set {t.one} --state error --auto-approve')
    t.do(f'server set {t.one} --state active --auto-approve')
    t.settle(t.one, 'ACTIVE')


def states(t):
    one = t.one
    for verb, status in (('stop', 'SHUTOFF'), ('start', 'ACTIVE'), ('pause', 'PAUSED'),
                         ('unpause', 'ACTIVE'), ('suspend', 'SUSPENDED'), ('resume', 'ACTIVE'),
                         ('rescue', 'RESCUE'), ('unrescue', 'ACTIVE'),
                         ('shelve', 'SHELVED_OFFLOADED'), ('unshelve', 'ACTIVE'),
                         ('reboot --hard', 'ACTIVE'), ('reboot --soft', 'ACTIVE')):
        t.do(f'server {verb} {one}')
        t.settle(one, status)
    t.refused(f'server unpause {one}', 'it is not paused', '409', 'cannot', 'failed')
    t.do(f'server shelve --offload --wait {one}')
    t.settle(one, 'SHELVED_OFFLOADED')
    t.since('2.77', f'server unshelve --availability-zone nova {one}')
    if not t.has('2.77'):
        t.do(f'server unshelve --wait {one}')
    t.settle(one, 'ACTIVE')
    t.do(f'server lock {one}')
    t.since('2.73', f'server lock --reason tour {one}')
    t.do(f'server unlock {one}')
    t.since('2.17', f'server dump create {one}')
    t.do(f'console log show --lines 5 {one}')
    address = t.read(f'console url show {one}', lambda a: '://' in a['url']).get('url', '')
    token = address.partition('token%3D')[2] or address.partition('token=')[2] or NOTHING
    if t.has('2.31'):
        t.read(f'console connection show {token}', lambda a: str(a.get('port', '')).isdigit())
    else:
        t.refused(f'console connection show {token}', 'needs microversion 2.31', '401', '404')
    for kind in ('spice', 'serial'):
        t.refused(f'console url show --{kind} {one}', 'the host has no such console', '400')
    t.refused(f'server ssh {one}', 'a guest without network has no address', 'address', 'no ')
    events = t.read(f'server event list --long {one}',
                    lambda a: 'reboot' in {row['Action'] for row in a})
    for row in events[:1]:
        t.read(f"server event show {one} {row['Request ID']}",
               lambda a, action=row['Action']: a['action'] == action)
    t.since('2.58', f'server event list --limit 1 {one}')


def saved(t):
    p, one = t.prefix, t.one
    t.read(f'server image create {one} --name {p}-image --wait',
           lambda a: a['name'] == f'{p}-image')
    t.read(f'server backup create {one} --name {p}-backup --type daily --rotate 1 --wait',
           lambda a: a['name'] == f'{p}-backup')
    t.settle(one, 'ACTIVE')
    t.do(f'server rebuild {one} --image {p}-image --wait', lambda out: one in out)
    t.settle(one, 'ACTIVE')
    t.since('2.54', f'server rebuild {one} --key-name {p}-key --wait')
    t.since('2.90', f'server rebuild {one} --hostname eins --wait')
    t.settle(one, 'ACTIVE')


def moves(t):
    p, one = t.prefix, t.one
    for size, end in (('big', 'server resize revert'), ('big', 'server resize confirm'),
                      ('small', 'server resize --confirm'), ('big', 'server resize --revert')):
        t.do(f'server resize --flavor {p}-{size} --wait {one}')
        if t.settle(one, 'VERIFY_RESIZE'):
            t.do(f'{end} {one}')
        t.settle(one, 'ACTIVE')
    for end in ('server migrate confirm', 'server migrate revert', 'server migration confirm',
                'server migration revert'):
        t.do(f'server migrate --wait {one}')
        if t.settle(one, 'VERIFY_RESIZE'):
            t.do(f'{end} {one}')
        t.settle(one, 'ACTIVE')
    t.do(f'server migrate --live-migration --wait {one}')
    t.settle(one, 'ACTIVE')
    listed = t.read(f'server migration list --server {one}', lambda a: len(a) >= 8)
    t.since('2.59', 'server migration list --limit 1')
    t.since('2.80', 'server migration list --project admin')
    last = listed[0].get('Id', 1) if listed else 1
    for verb in ('abort', 'force complete', 'show'):
        line = f'server migration {verb} {one} {last}'
        if not t.has('2.24'):
            t.since('2.24', line)
        elif verb == 'show':
            t.refused(line, 'the client swaps both ids', f'/servers/{last}/migr')
        else:
            t.refused(line, 'the migration is over', 'while it is in task_state None')
    t.refused(f'server evacuate {one}', 'its host is up', 'still in use')


def attached(t):
    one = t.one
    for line in (f'add network {one} {NOTHING}', f'add port {one} {NOTHING}',
                 f'add fixed ip {one} {NOTHING}', f'remove port {one} {NOTHING}',
                 f'add floating ip {one} 192.0.2.9',
                 f'remove floating ip {one} 192.0.2.9', f'add security group {one} {NOTHING}',
                 f'remove security group {one} {NOTHING}'):
        t.refused(f'server {line}', NO_NEUTRON, *NO_NETWORK)
    t.refused(f'server remove fixed ip {one} 192.0.2.9',
              'gone since microversion 2.44' if t.has('2.44') else NO_NEUTRON, '404', 'network')
    t.do(f'server remove network {one} {NOTHING}')      # its interfaces on this network: none
    t.read(f'server volume list {one}', lambda a: a == [])
    for line in (f'add volume {one} {NOTHING}', f'remove volume {one} {NOTHING}',
                 f'volume set --delete-on-termination {one} {NOTHING}',
                 f'volume update --delete-on-termination {one} {NOTHING}'):
        t.refused(f'server {line}', NO_CINDER, *NO_VOLUME)
    if t.has('2.97'):
        t.read(f'server share list {one}', lambda a: a == [])
    else:
        t.since('2.97', f'server share list {one}')
    for line in ('add share', 'share show', 'remove share'):
        why = NO_MANILA if t.has('2.97') else 'needs microversion 2.97'
        t.refused(f'server {line} {one} {NOTHING}', why, 'microversion', *NO_SHARE)


def farewell(t):
    p = t.prefix
    t.refused(f'server restore {t.one}', 'it is not deleted softly', '409', 'cannot', 'failed')
    t.do(f'server delete --wait {t.one}')
    t.refused(f'server show {t.one}', 'it is deleted', 'no server', *NOT_FOUND)
    found = t.read(f'server list --name {p}')
    t.do(' '.join(['server delete --wait', *(row['ID'] for row in found)]))
    t.do(f'server group delete {p}-apart')
    t.read('server group list --all-projects', lambda a: f'{p}-apart' not in {r['Name'] for r in a})
    t.do(f'keypair delete {p}-key')
    t.do(f'flavor delete {p}-small {p}-big')
