#!/usr/bin/python3
"""Archives that earlier builds wrote are opened, answer as they did, verify, are sealed, settled and opened again.

testdata/archive_format_N.tar.gz is the data directory of a server that the last build of the format's first issues wrote:
two weeks of four tags (float64, int64, bool, string; qualities, late rows), settled; then changes, sealed; then one sample that
is only in the journal. archives.csv.gz is what `histctl export` said of all of them then. DO NOT CHANGE them; add another
when a format changes.

  archive_format_1  commit ed6f09c  before samples kept their versions
  archive_format_2  commit edcaa13  version 1 was marked before the changes
  archive_format_3  2026-11-29      as 2, with what was settled in two long partitions
  archive_format_4  2026-11-29      as 3, and a tag rolled/level, a sample a minute in June 2026, of which only rollups are left
"""

import glob
import gzip
import os
import subprocess
import tarfile
import tempfile
import time
import unittest

RUNFILES = os.getcwd()
HISTCTL = os.path.join(RUNFILES, 'tools/histctl/histctl')
HISTORIAND = os.path.join(RUNFILES, 'server/historiand')
TESTDATA = os.path.join(RUNFILES, 'tests/testdata')
ENVIRONMENT = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'}
DEADLINE_S = 120


class Server:
    def __init__(self, directory):
        ports = os.path.join(directory, 'ports')
        if os.path.exists(ports):
            os.remove(ports)
        self.log = os.path.join(directory, 'log')
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(
                [HISTORIAND, '--data-dir', os.path.join(directory, 'data'), '--grpc-listen', '127.0.0.1:0',
                 '--http-listen', '127.0.0.1:0', '--port-file', ports], stdout=subprocess.DEVNULL, stderr=log, env=ENVIRONMENT)
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(ports):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError('the server did not start: ' + open(self.log).read())
            time.sleep(0.02)
        with open(ports) as file:
            self.address = dict(line.strip().split('=') for line in file)['grpc']

    def histctl(self, *arguments):
        result = subprocess.run([HISTCTL, '--server', self.address, *arguments], capture_output=True, text=True,
                                env=ENVIRONMENT, timeout=DEADLINE_S)
        if result.returncode != 0:
            raise AssertionError('%s: %d: %s%s' % (arguments, result.returncode, result.stdout, result.stderr))
        return result.stdout

    def stop(self):
        self.process.terminate()
        if self.process.wait(DEADLINE_S) != 0:
            raise AssertionError('the server did not stop well: ' + open(self.log).read())


class UpgradeTest(unittest.TestCase):
    maxDiff = 1000

    def lines_of(self, text):
        return text.replace('\r\n', '\n').strip().split('\n')

    def check(self, directory):
        return subprocess.run([HISTORIAND, '--upgrade-check', '--data-dir', os.path.join(directory, 'data')],
                              capture_output=True, text=True, env=ENVIRONMENT, timeout=DEADLINE_S)

    def bytes_below(self, directory):
        found = {}
        for parent, _, names in os.walk(directory):
            for name in names:
                # What a reader may leave: the lock, and RocksDB's own messages.
                if name not in ('LOCK', 'MESSAGES'):
                    with open(os.path.join(parent, name), 'rb') as file:
                        found[os.path.join(parent, name)] = file.read()
        return found

    def test_a_check_needs_an_archive_whose_server_is_stopped(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(self.check(directory).returncode, 1)
            self.assertEqual(os.listdir(directory), [])
            server = Server(directory)
            held = self.check(directory)
            self.assertEqual(held.returncode, 1)
            self.assertIn('process', held.stderr)
            server.stop()
            self.assertEqual(self.check(directory).returncode, 0)

    def test_every_archive_answers_as_it_did(self):
        with gzip.open(os.path.join(TESTDATA, 'archives.csv.gz'), 'rt', newline='') as file:
            expected = self.lines_of(file.read())
        self.assertEqual(len(expected), 4090)
        archives = sorted(glob.glob(os.path.join(TESTDATA, 'archive_format_*.tar.gz')))
        self.assertEqual(len(archives), 4)
        for archive in archives:
            with self.subTest(os.path.basename(archive)), tempfile.TemporaryDirectory() as directory:
                with tarfile.open(archive) as tar:
                    tar.extractall(os.path.join(directory, 'data'))
                number = archive.split('_')[-1].split('.')[0]
                before = self.bytes_below(directory)
                check = self.check(directory)
                self.assertEqual(check.returncode, 0, check.stderr)
                self.assertIn('an archive of format %s;' % number, check.stdout)
                self.assertIn('holds %d tags' % (5 if number == '4' else 4), check.stdout)
                self.assertEqual('no way back' in check.stdout, number != '4')
                self.assertEqual(self.bytes_below(directory), before)
                for when in ('opened', 'opened again'):
                    server = Server(directory)
                    self.assertEqual(self.lines_of(server.histctl('export', 'golden/*')), expected, when)
                    server.histctl('verify')
                    server.histctl('seal', '--settle')
                    self.assertEqual(self.lines_of(server.histctl('export', 'golden/*')), expected, when + ', settled')
                    server.histctl('verify')
                    if number == '4':
                        # Days in India, of quarter-hours; the export has no sample of it.
                        days = server.histctl('aggregate', 'rolled/level', '--zone', 'Asia/Kolkata', '--every', '1d', '--from', '2026-06-05',
                                              '--to', '2026-06-25', '--aggregate', 'count', '--format', 'csv').splitlines()
                        self.assertEqual([line.split(',')[3] for line in days[1:]], ['1440'] * 20, when)
                    if number != '1':
                        # Before the changes, as of the version that was marked then.
                        then = self.lines_of(server.histctl('export', 'golden/*', '--as-of', '1'))
                        self.assertEqual(len(then), 4089)
                        self.assertEqual(len(set(expected) - set(then)), 15)
                    server.stop()


if __name__ == '__main__':
    unittest.main()
