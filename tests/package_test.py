#!/usr/bin/python3
"""Makes the Debian packages and does with them what an administrator does: in a Debian 12 that has nothing else on it.

  tests/package_test.py                    with what bazel has built (tools/test runs it so)
  tests/package_test.py --binaries DIR     with the historiand, histctl and client.tar in DIR

lintian and systemd-analyze look at the packages; then, in a root made by debootstrap, they are installed, the server is run as
the user historian, upgraded under load, removed, purged, and installed over what somebody had installed by hand. There is no
systemd in it: a recorder in its place shows what the packages ask of it.

Needs root, mounts, and a Debian mirror for the first run; the root is kept in ~/.cache/historian. Where these are not to be had
it says so, and counts as skipped. --results FILE gets a line for each case: "passed NAME", "failed NAME" or "skipped REASON".
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

WORKSPACE = pathlib.Path(__file__).resolve().parent.parent
SUITE = 'bookworm'
DATA = '/var/lib/historian'
CONFIG = '/etc/historian/historian.toml'


class Skipped(Exception):
    """This machine does not allow the test."""


def run(*command, check=True, **options):
    """Runs a command; its output, both streams, is the result's stdout."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError('%s ended with %d:\n%s' % (' '.join(map(str, command)), done.returncode, done.stdout))
    return done


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_in(part, whole):
    expect(part in whole, '%r is not in:\n%s' % (part, whole))


# ---- The root


def mirror():
    """This machine's own mirror of Debian 12, if it has one."""
    targets = run('apt-get', 'indextargets', '--format', '$(RELEASE) $(COMPONENT) $(REPO_URI)', 'Created-By: Packages',
                  check=False).stdout
    for line in targets.splitlines():
        words = line.split()
        if len(words) == 3 and words[:2] == [SUITE, 'main'] and re.search(r'debian/?$', words[2]):
            return words[2]
    return 'http://deb.debian.org/debian'


def dependencies(packages):
    """The names of what the packages depend on, without themselves."""
    names = set()
    for package in packages:
        text = run('dpkg-deb', '-f', package, 'Depends').stdout
        names |= {re.match(r'[a-z0-9.+-]+', part.strip()).group() for part in re.split(r'[,|]', text) if part.strip()}
    return sorted(name for name in names if not name.startswith('historian'))


def of_a_plant(packages):
    """Those that run somewhere; programs are built with the other."""
    return [package for package in packages if '-dev_' not in package.name]


def make_root(packages, cache, scratch):
    """Unpacks a Debian with all that the packages depend on; makes it if there is none of before."""
    needs = dependencies(packages)
    key = hashlib.sha256(' '.join([SUITE, *needs]).encode()).hexdigest()[:16]
    archive = cache / ('package-root-%s.tar' % key)
    root = scratch / 'root'
    if archive.exists():
        root.mkdir()
        run('tar', '-xf', archive, '-C', root, '--numeric-owner')
        return root
    print('==> making a Debian 12 for the packages, which takes some minutes; it is kept', flush=True)
    source = mirror()
    include = ['--include=ca-certificates'] if source.startswith('https:') else []
    made = run('debootstrap', '--variant=minbase', *include, SUITE, root, source, check=False)
    if made.returncode != 0:
        raise Skipped('debootstrap failed: ' + made.stdout.strip().splitlines()[-1])
    shutil.copy('/etc/resolv.conf', root / 'etc/resolv.conf')
    proxy = run('apt-config', 'dump', '--no-empty', '--format', '%F "%v";%n', 'Acquire::http::Proxy', check=False).stdout
    (root / 'etc/apt/apt.conf.d/80proxy').write_text(proxy)
    environment = dict(os.environ, DEBIAN_FRONTEND='noninteractive', PATH='/usr/sbin:/usr/bin:/sbin:/bin')
    installed = run('chroot', root, 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', *needs, check=False,
                    env=environment)
    if installed.returncode != 0:
        raise Skipped('installing %s failed: %s' % (' '.join(needs), installed.stdout.strip().splitlines()[-1]))
    run('chroot', root, 'apt-get', 'clean')
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob('package-root-*.tar'):
        old.unlink()
    run('tar', '-cf', str(archive) + '.new', '-C', root, '--numeric-owner', '.')
    os.rename(str(archive) + '.new', archive)
    return root


def mount_system(root):
    for name in ('proc', 'dev', 'run', 'tmp'):
        (root / name).mkdir(exist_ok=True)
    run('mount', '-t', 'proc', 'proc', root / 'proc')
    run('mount', '-t', 'tmpfs', 'run', root / 'run')
    run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'dev', root / 'dev')
    for device in ('null', 'zero', 'full', 'random', 'urandom'):
        (root / 'dev' / device).touch()
        run('mount', '--bind', '/dev/' + device, root / 'dev' / device)
    (root / 'dev/fd').symlink_to('/proc/self/fd')


def raise_loopback():
    """The network of this namespace is its own, and down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack('16sH14s', b'lo', 1 | 64, b'')  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


# ---- A machine with the packages


class Machine:
    """The root, and what is done in it."""

    def __init__(self, root):
        self.root = root
        self.environment = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root',
                            'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}

    def __call__(self, *command, check=True):
        return run('chroot', self.root, *command, check=check, env=self.environment)

    def path(self, name):
        return self.root / name.lstrip('/')

    def install(self, packages):
        for package in packages:
            shutil.copy(package, self.path('/tmp'))
        done = self('dpkg', '--force-confdef', '--install', *('/tmp/' + package.name for package in packages))
        return done.stdout

    def owner_and_mode(self, name):
        return self('stat', '-c', '%U:%G %a', name).stdout.strip()

    def snapshot(self, name):
        """Every file below, with its owner, mode, size and time."""
        return self('find', name, '-printf', '%p %U:%G %m %s %T@\n').stdout

    def record_systemctl(self):
        """What stands in for a running systemd: notes what it is asked."""
        self.path('/run/systemd/system').mkdir(parents=True, exist_ok=True)
        stand_in = self.path('/usr/bin/systemctl')
        # Everything is enabled, and nothing runs yet.
        stand_in.write_text('#!/bin/sh\necho "$*" >>/run/systemctl.calls\n'
                            'case "$*" in *is-enabled*) echo enabled ;; *is-active*) exit 3 ;; esac\n')
        stand_in.chmod(0o755)

    def systemctl_calls(self):
        calls = self.path('/run/systemctl.calls')
        text = calls.read_text() if calls.exists() else ''
        calls.unlink(missing_ok=True)
        return text

    @contextlib.contextmanager
    def server(self):
        """The server of the package, run as its unit runs it but for systemd."""
        ports = self.path('/tmp/ports')
        ports.unlink(missing_ok=True)
        log = self.path('/tmp/historiand.log')
        with open(log, 'wb') as out:
            process = subprocess.Popen(['chroot', self.root, 'setpriv', '--reuid=historian', '--regid=historian', '--init-groups',
                                        '/usr/bin/historiand', '--config', CONFIG, '--port-file', '/tmp/ports'],
                                       stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self.environment)
        try:
            for _ in range(3000):
                if ports.exists() or process.poll() is not None:
                    break
                time.sleep(0.01)
            expect(ports.exists(), 'the server did not start:\n' + log.read_text())
            yield process
            process.send_signal(signal.SIGTERM)
            expect(process.wait() == 0, 'the server ended with %d:\n%s' % (process.returncode, log.read_text()))
            expect_in('sealed_on_stop', log.read_text())
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


class Cases:
    """Runs cases in turn, each with what those before have left."""

    def __init__(self, results):
        self.results = results
        self.failed = 0

    def note(self, line):
        print(line, flush=True)
        if self.results:
            with open(self.results, 'a', encoding='utf-8') as out:
                out.write(line.splitlines()[0] + '\n')

    def case(self, name, body, *arguments):
        try:
            body(*arguments)
        except Exception:  # pylint: disable=broad-except
            self.failed += 1
            self.note('failed ' + name)
            traceback.print_exc()
        else:
            self.note('passed ' + name)


# ---- Cases


def packages_are_clean(packages):
    done = run('lintian', '--fail-on', 'warning', '--allow-root', *packages, check=False)
    expect(done.returncode == 0, done.stdout)


def the_same_source_gives_the_same_bytes(first, again):
    for a, b in zip(first, again):
        expect(a.read_bytes() == b.read_bytes(), '%s is not %s' % (a, b))


def unit_is_right_and_tight(scratch):
    # The program and its manual are not on this machine.
    unit = (WORKSPACE / 'packaging/historiand.service').read_text()
    here = scratch / 'historiand.service'
    here.write_text(re.sub(r'^Documentation=.*\n', '', unit, flags=re.M).replace('/usr/bin/historiand', '/bin/true'))
    done = run('systemd-analyze', 'verify', '--man=no', here, check=False)
    complaints = [line for line in done.stdout.splitlines() if 'historiand' in line]
    expect(done.returncode == 0 and not complaints, done.stdout)
    # 20: an exposure of 2.0.
    done = run('systemd-analyze', 'security', '--offline=true', '--no-pager', '--threshold=20', here, check=False)
    expect(done.returncode == 0, done.stdout)


def installs(machine, packages):
    machine.install(packages)
    expect(machine.owner_and_mode(DATA) == 'historian:historian 750', machine.owner_and_mode(DATA))
    expect(machine.owner_and_mode(CONFIG) == 'root:root 644', machine.owner_and_mode(CONFIG))
    expect_in('historian', machine('id', 'historian').stdout)
    expect_in('start historiand.service', machine.systemctl_calls())
    for name in ('/usr/share/man/man8/historiand.8.gz', '/usr/share/man/man1/histctl.1.gz', '/usr/share/man/man1/histctl-tag.1.gz',
                 '/usr/share/doc/historian-server/examples/historian.toml'):
        expect(machine.path(name).exists(), 'there is no ' + name)
    unit = machine.path('/lib/systemd/system/historiand.service').read_text()
    for program in re.findall(r'^Exec\w+=(\S+)', unit, re.M):
        expect(machine('test', '-x', program, check=False).returncode == 0, 'the unit calls %s, which is not there' % program)
    expect_in('complete -F _histctl histctl',
              machine('bash', '-c', '. /usr/share/bash-completion/completions/histctl; complete -p histctl').stdout)
    # Every library is there, and the configuration is one.
    machine('runuser', '-u', 'historian', '--', 'historiand', '--config', CONFIG, '--check-config')
    machine('historiand', '--config', '/usr/share/doc/historian-server/examples/historian.toml', '--data-dir', DATA, '--print-config')


def serves(machine):
    with machine.server():
        machine('histctl', 'tag', 'create', 'boiler/pressure', '--type', 'float64')
        machine('histctl', 'put', 'boiler/pressure', '4.5', '--time', '2026-01-01T00:00:00Z')
        expect_in('4.5', machine('histctl', 'get', 'boiler/pressure', '--from', '2026-01-01').stdout)
    expect(not machine('find', DATA, '-perm', '/o=rwx').stdout, 'others may read:\n' + machine.snapshot(DATA))


def upgrades_while_it_serves(machine, packages):
    config = machine.path(CONFIG)
    config.write_text(config.read_text() + '# changed here\n')
    machine.systemctl_calls()
    with machine.server():
        machine('histctl', 'put', 'boiler/pressure', '4.75', '--time', '2026-01-02T00:00:00Z')
        said = machine.install(packages)
        # It knows its own server, which has the ports.
        expect('not started' not in said, said)
        expect_in('restart historiand.service', machine.systemctl_calls())
        machine('histctl', 'put', 'boiler/pressure', '5', '--time', '2026-01-03T00:00:00Z')
    expect_in('# changed here', config.read_text())
    with machine.server():
        values = machine('histctl', '--format', 'csv', 'get', 'boiler/pressure', '--from', '2026-01-01').stdout
    for value in ('4.5', '4.75', '5'):
        expect(re.search(r',%s(,|\r?$)' % re.escape(value), values, re.M), values)


def removes(machine):
    before = machine.snapshot(DATA)
    machine.systemctl_calls()
    machine('dpkg', '--remove', 'historian-server', 'historian-client')
    expect_in('stop historiand.service', machine.systemctl_calls())
    expect(not machine.path('/usr/bin/historiand').exists(), 'historiand is still there')
    expect(machine.path(CONFIG).exists(), 'the configuration is gone')
    expect(machine.snapshot(DATA) == before, 'the archive was touched')


def purges_all_but_the_archive(machine):
    before = machine.snapshot(DATA)
    said = machine('dpkg', '--purge', 'historian-server', 'historian-client').stdout
    expect_in('the archive stays in ' + DATA, said)
    expect(not machine.path('/etc/historian').exists(), '/etc/historian is still there')
    expect(machine.snapshot(DATA) == before, 'the archive was touched')


def serves_the_archive_of_before(machine, packages):
    machine.install(packages)
    with machine.server():
        expect_in('4.75', machine('histctl', 'get', 'boiler/pressure', '--from', '2026-01-01').stdout)
    machine('dpkg', '--purge', 'historian-server', 'historian-client')


def leaves_an_installation_by_hand_alone(machine, packages):
    machine('useradd', '--create-home', 'byhand')
    machine('chown', '-R', 'byhand:byhand', DATA)
    machine.path('/usr/local/bin/historiand').write_text('#!/bin/sh\n')
    machine.path('/usr/local/bin/historiand').chmod(0o755)
    machine.path('/etc/historian').mkdir()
    machine.path(CONFIG).write_text('data_dir = "%s"\n# by hand\n' % DATA)
    before = machine.snapshot(DATA)
    machine.systemctl_calls()
    with socket.create_server(('127.0.0.1', 7720)):
        said = machine.install(packages)
    expect_in('belongs to the user byhand and is left as it is', said)
    expect_in('there is also /usr/local/bin/historiand', said)
    expect_in('the server is not started', said)
    expect_in('grpc.listen: cannot listen on 127.0.0.1:7720', said)
    expect('start historiand.service' not in machine.systemctl_calls(), 'it was started')
    expect_in('# by hand', machine.path(CONFIG).read_text())
    expect(machine.snapshot(DATA) == before, 'the archive was touched')
    # What the manual says to do then.
    machine.path('/usr/local/bin/historiand').unlink()
    machine('chown', '-R', 'historian:historian', DATA)
    with machine.server():
        expect_in('4.75', machine('histctl', 'get', 'boiler/pressure', '--from', '2026-01-01').stdout)


def run_cases(cases, scratch, first, second, again):
    cases.case('package.packages_are_clean', packages_are_clean, first)
    cases.case('package.the_same_source_gives_the_same_bytes', the_same_source_gives_the_same_bytes, first, again)
    cases.case('package.unit_is_right_and_tight', unit_is_right_and_tight, scratch)
    root = scratch / 'root'
    mount_system(root)
    raise_loopback()
    machine = Machine(root)
    machine.record_systemctl()
    first, second = of_a_plant(first), of_a_plant(second)
    cases.case('package.installs', installs, machine, first)
    cases.case('package.serves', serves, machine)
    cases.case('package.upgrades_while_it_serves', upgrades_while_it_serves, machine, second)
    cases.case('package.removes', removes, machine)
    cases.case('package.purges_all_but_the_archive', purges_all_but_the_archive, machine)
    cases.case('package.serves_the_archive_of_before', serves_the_archive_of_before, machine, second)
    cases.case('package.leaves_an_installation_by_hand_alone', leaves_an_installation_by_hand_alone, machine, first)


# ---- Outside


def may_unshare():
    clone_newns, clone_newnet = 0x00020000, 0x40000000
    child = os.fork()
    if child == 0:
        os._exit(ctypes.CDLL(None).unshare(clone_newns | clone_newnet) != 0)
    return os.waitpid(child, 0)[1] == 0


def make_packages(binaries, suffix, output):
    extra = ['--binaries', binaries] if binaries else []
    run(WORKSPACE / 'tools/package', '--output', output, '--suffix', suffix, *extra)
    return sorted(output.glob('*.deb'))


def prepare(binaries, cache, scratch):
    """Returns the packages of two versions, and the first made once more."""
    if os.geteuid() != 0:
        raise Skipped('this is not root')
    if not may_unshare():
        raise Skipped('this root may not mount (a container)')
    done = run('bash', '-c', 'source tools/lib/environment.sh && install_packages "${PACKAGING[@]}" "${PACKAGE_TESTS[@]}"',
               check=False, cwd=WORKSPACE)
    if done.returncode != 0:
        raise Skipped(done.stdout.strip().splitlines()[-1])
    first = make_packages(binaries, '', scratch / 'first')
    second = make_packages(binaries, '+2', scratch / 'second')
    again = make_packages(binaries, '', scratch / 'again')
    make_root(of_a_plant(first), cache, scratch)
    return first, second, again


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--binaries', type=pathlib.Path)
    arguments.add_argument('--results')
    arguments.add_argument('--inside', type=pathlib.Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    cases = Cases(given.results)
    if given.inside:
        scratch = given.inside
        run_cases(cases, scratch, *(sorted((scratch / name).glob('*.deb')) for name in ('first', 'second', 'again')))
        return cases.failed != 0
    cache = pathlib.Path.home() / '.cache/historian'
    with tempfile.TemporaryDirectory(prefix='historian-package.', dir=os.environ.get('TMPDIR', '/var/tmp')) as scratch:
        try:
            prepare(given.binaries, cache, pathlib.Path(scratch))
        except Skipped as why:
            cases.note('skipped package tests: %s' % why)
            return 0
        except AssertionError as why:
            cases.note('failed package.is_made')
            print(why, file=sys.stderr)
            return 1
        # Mounts, processes and the network's addresses are gone with it.
        results = ['--results', given.results] if given.results else []
        return subprocess.run(['unshare', '--mount', '--pid', '--net', '--fork', '--kill-child', '--propagation', 'private',
                               sys.executable, __file__, '--inside', scratch, *results], check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
