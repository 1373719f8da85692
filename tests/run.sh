#!/bin/bash
# Run the tests of "every run": the checks of the house, units and laws, functional tests, the simulation, the documents.
#
# Usage: tests/run.sh [--fast] [--servers] [--libvirt] [--help]
#
#   --fast      the house, units and laws, and 20 seeds of the simulation
#   --servers   also real databases and a real broker: MariaDB, PostgreSQL, RabbitMQ, each started on loopback in a directory
#               of its own; and the services as processes on them
#   --libvirt   also real guests under libvirt and QEMU (root only)
#   --help      show this
#
# It needs python3 (3.11 or later) with its venv module, and nothing else: tox goes into .venv/ and makes the environment
# of the tests in .tox/, everything pinned by constraints.txt.  What the tests like to have from the system (shellcheck,
# qemu-img; for --libvirt libvirt, QEMU and headers; for --servers the servers) is installed with apt if you are root, and named if you are not.
#
# Environment: NOVA_CELLS_SEEDS  seeds of the simulation, for example 0-199 (the default) or 4711 to replay one
#              NOVA_CELLS_LOGS   where logs, subunit streams and JUnit files go; logs/tests by default
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD

fast='' libvirt='' servers=''
for word in "$@"; do
    case $word in
        --fast) fast=1 ;;
        --libvirt) libvirt=1 ;;
        --servers) servers=1 ;;
        --help | -h) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0"; exit 0 ;;
        *) echo "tests/run.sh: what is '$word'? See tests/run.sh --help" >&2; exit 2 ;;
    esac
done

LOGS=${NOVA_CELLS_LOGS:-$ROOT/logs/tests}
mkdir -p "$LOGS"
rm -f "$LOGS"/*.{log,tally,failed,subunit,xml}
# shellcheck source=../tools/steps.sh
. "$ROOT/tools/steps.sh"

passed=0 failed=0 skipped=0

# The closing line, and the exit code that goes with it.
finish() {
    step_times
    cat "$LOGS"/*.failed 2>/dev/null | sort -u | sed 's/^/failed: /'
    ((passed + failed)) || echo "no test ran at all"
    echo "$passed passed, $failed failed, $skipped skipped"
    ((passed > 0 && failed == 0))
    exit
}

give_up() {
    echo "tests/run.sh: $*" >&2
    failed=$((failed + 1))
    finish
}

# --- what must be there ---------------------------------------------------------------------------------------------

find_python() {
    local python probe='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    for python in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if [[ -n $python ]] && "$python" -c "$probe" 2>/dev/null; then
            echo "$python"
            return 0
        fi
    done
    return 1
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qy "$@"
}

# Install what is missing, if that is ours to do; otherwise say what to type.  Never fatal: the tests say what they lack.
system_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID)) || ! command -v apt-get >/dev/null; then
        echo "not installed here: ${missing[*]}"
        echo "tests that need them are skipped; as root: apt-get install ${missing[*]}"
        return 0
    fi
    echo "installing ${missing[*]}"
    start_no_services apt_get update && start_no_services apt_get install --no-install-recommends "${missing[@]}"
}

# Servers that come with a package are not started by it: the tests start their own, where nobody else listens.
start_no_services() {
    local policy=/usr/sbin/policy-rc.d made='' code=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
    fi
    "$@" || code=$?
    [[ -z $made ]] || rm -f "$policy"
    return "$code"
}

wanted=(git shellcheck qemu-utils)
[[ -n $libvirt ]] && wanted+=(libvirt-dev pkg-config gcc libc6-dev python3-dev libvirt-daemon libvirt-daemon-driver-qemu
    qemu-system-x86 seabios genisoimage tini util-linux)
[[ -n $servers ]] && wanted+=(mariadb-server rabbitmq-server postgresql openssl iproute2 iptables)
find_python >/dev/null || wanted+=(python3 python3-venv)
command -v dpkg >/dev/null && { step "system packages" system_packages "${wanted[@]}" || true; }
grep -hE '^(not installed|tests that)' "$LOGS/system-packages.log" 2>/dev/null

# As in devstack/lib/hosts: libvirtd looks this user up and does not start without it.
libvirt_user() {
    getent group libvirt-qemu >/dev/null || groupadd --system --gid 64055 libvirt-qemu
    getent passwd libvirt-qemu >/dev/null || useradd --system --uid 64055 --gid libvirt-qemu \
        --home-dir /var/lib/libvirt --no-create-home --shell /usr/sbin/nologin libvirt-qemu
}
if [[ -n $libvirt ]] && ((EUID == 0)); then
    step "libvirt's user" libvirt_user || true
fi

python=$(find_python) || give_up "python3 (3.11 or later) with venv is needed: apt-get install python3 python3-venv"

# --- tox, in an environment of its own --------------------------------------------------------------------------------

tox_environment() {
    if [[ ! -x .venv/tox/bin/tox || constraints.txt -nt .venv/tox/made ]]; then
        rm -rf .venv/tox
        "$python" -m venv .venv/tox &&
            .venv/tox/bin/python -m pip install -q -c constraints.txt tox &&
            touch .venv/tox/made || return 1
    fi
    .venv/tox/bin/tox --version
}

test_environment() {
    .venv/tox/bin/tox run -e py3 --notest || return 1
    [[ -z $libvirt ]] || .tox/py3/bin/python -m pip install -q -c constraints.txt libvirt-python
}

in_tox() {
    .venv/tox/bin/tox exec -q -e py3 --skip-pkg-install -- "$@"
}

step "tox" tox_environment || give_up "tox cannot be installed; see $LOGS/tox.log"
step "environment" test_environment || give_up "the environment cannot be made; see $LOGS/environment.log"

# --- the steps ----------------------------------------------------------------------------------------------------------

# check NAME COMMAND...: one step that is one check.
check() {
    if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# tests NAME PART...: one step that runs parts of tests/ and is counted test by test.  STESTR has words for stestr.
tests() {
    local name=$1 code=0 part p f s before=$failed
    shift
    step "$name" in_tox python tools/parts.py --results "$LOGS" "$@" ${STESTR:+-- "$STESTR"} || code=$?
    for part in "$@"; do
        [[ -f $LOGS/$part.tally ]] || continue
        read -r p f s <"$LOGS/$part.tally"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        echo "   tests/$part: $p passed, $f failed, $s skipped"
    done
    ((code == 0 || failed > before)) || failed=$((failed + 1))
}

seeds=0-199
[[ -n $fast ]] && seeds=0-19
export NOVA_CELLS_SEEDS=${NOVA_CELLS_SEEDS:-$seeds}

check "house" in_tox bash tools/house.sh
tests "tests of the house" house
tests "units and laws" unit laws
if [[ -z $fast ]]; then
    tests "functional" functional rest
fi
tests "simulation" simulation
if [[ -n $servers ]]; then
    tests "databases" databases
    tests "bus" bus
    # The pair of every run: what differs most from the functional step above.
    export NOVA_CELLS_TEST_DATABASE=mariadb NOVA_CELLS_TEST_BUS=rabbit NOVA_CELLS_TEST_CELLS=3
    export NOVA_CELLS_CONCURRENCY_BACKEND=eventlet
    tests "functional on the pair" functional
    export NOVA_CELLS_CONCURRENCY_BACKEND=threading
    STESTR=--serial tests "processes" processes
    unset NOVA_CELLS_TEST_DATABASE NOVA_CELLS_TEST_BUS NOVA_CELLS_TEST_CELLS NOVA_CELLS_CONCURRENCY_BACKEND
fi
if [[ -n $libvirt ]]; then
    STESTR=--serial tests "libvirt" libvirt
fi
if [[ -z $fast ]]; then
    check "documents" in_tox sphinx-build -q -W --keep-going -b html doc doc/build/html
fi
finish
