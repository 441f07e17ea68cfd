#!/usr/bin/python3
"""histctl against a real server: every command, its exit code, and imports that are killed on either side."""

import csv
import gzip
import io
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import zipfile

RUNFILES = os.getcwd()
HISTCTL = os.path.join(RUNFILES, 'tools/histctl/histctl')
HISTORIAND = os.path.join(RUNFILES, 'server/historiand')

DEADLINE_S = 60

# All that a command sees of the machine's settings: a terminal's width, a locale or a time zone of somebody's own has
# no say.
ENVIRONMENT = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'}


def wait_for(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('waited in vain for ' + what)
        time.sleep(0.01)


def read(path):
    with open(path, newline='') as file:
        return file.read()


def read_bytes(path):
    with open(path, 'rb') as file:
        return file.read()


class Server:
    """historiand on a directory of its own; keeps its port over restarts."""

    def __init__(self, directory, *flags):
        self.directory = directory
        self.flags = list(flags)
        self.address = '127.0.0.1:0'
        self.start()

    def start(self):
        port_file = os.path.join(self.directory, 'ports')
        if os.path.exists(port_file):
            os.remove(port_file)
        with open(os.path.join(self.directory, 'log'), 'a') as log:
            self.process = subprocess.Popen(
                [HISTORIAND, '--data-dir', os.path.join(self.directory, 'data'), '--grpc-listen', self.address,
                 '--http-listen', '127.0.0.1:0', '--port-file', port_file] + self.flags, stdout=subprocess.DEVNULL, stderr=log,
                env=ENVIRONMENT)
        wait_for(lambda: os.path.exists(port_file) or self.process.poll() is not None, 'the server')
        if self.process.poll() is not None:
            raise AssertionError(read(os.path.join(self.directory, 'log')))
        ports = dict(line.split('=', 1) for line in read(port_file).splitlines())
        self.address = ports['grpc']

    def kill(self):
        self.process.kill()
        self.process.wait()


class HistctlTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(dir=os.environ.get('TEST_TMPDIR'))
        cls.server = Server(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.temporary.cleanup()

    def command(self, *arguments):
        return [HISTCTL, '--server', self.server.address] + [str(a) for a in arguments]

    def run_any(self, *arguments, stdin=None):
        return subprocess.run(self.command(*arguments), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=DEADLINE_S, env=ENVIRONMENT)

    def run_ok(self, *arguments, stdin=None, code=0):
        result = self.run_any(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout

    def rows(self, *arguments, code=0):
        return json.loads(self.run_ok('--format', 'json', *arguments, code=code))

    def file(self, name, text):
        path = os.path.join(self.temporary.name, name)
        with open(path, 'w', newline='') as out:
            out.write(text)
        return path

    def samples(self, tag):
        """(time, value, quality) of all."""
        text = self.run_ok('export', tag)
        return [(r['time'], r['value'], r['quality']) for r in csv.DictReader(io.StringIO(text))]

    # Tags.

    def test_tags_are_created_shown_changed_and_retired(self):
        self.run_ok('tag', 'create', 'tags/state', '--type', 'digital', '--state', '0=Off', '--state', '1=Running',
                    '--attribute', 'plc=S7', '--description', 'a pump')
        self.run_ok('tag', 'create', 'tags/state', '--type', 'digital', '--state', '0=Off', '--state', '1=Running',
                    '--attribute', 'plc=S7', '--description', 'a pump')
        self.run_ok('tag', 'create', 'tags/state', '--type', 'int64', code=5)
        self.run_ok('tag', 'set', 'tags/state', '--state', '2=Fault', '--remove-state', '0', '--unit', '-')
        shown = self.rows('tag', 'show', 'tags/state')[0]
        self.assertEqual(shown['states'], '1=Running|2=Fault')
        self.assertEqual(shown['attributes'], 'plc=S7')
        self.assertEqual(shown['description'], 'a pump')
        self.run_ok('tag', 'retire', 'tags/state')
        self.run_ok('tag', 'list', 'tags/s*', code=3)
        self.assertEqual(len(self.rows('tag', 'list', 'tags/s*', '--retired')), 1)
        self.run_ok('put', 'tags/state', '1', code=5)
        self.run_ok('tag', 'retire', '--undo', 'tags/state')
        self.run_ok('put', 'tags/state', '1')
        self.run_ok('tag', 'show', 'tags/nothing', code=3)
        self.run_ok('tag', 'retire', 'tags/nothing', code=3)
        self.run_ok('tag', 'create', 'bad*name', code=2)
        self.run_ok('tag', 'create', 'x', '--type', 'complex', code=2)

    def test_a_tag_that_says_nothing_gets_another_type(self):
        self.run_ok('tag', 'create', 'retyped/ph', '--type', 'string', '--unit', 'pH')
        self.run_ok('put', 'retyped/ph', 'out of order', '--quality', 'Bad')
        self.run_ok('tag', 'set', 'retyped/ph', '--type', 'complex', code=2)
        self.run_ok('tag', 'set', 'retyped/ph', '--type', 'float64')
        tags = {row['name']: row for row in self.rows('tag', 'list', 'retyped/*', '--retired')}
        self.assertEqual(tags['retyped/ph']['type'], 'float64')
        self.assertEqual(tags['retyped/ph']['unit'], 'pH')
        old = [name for name in tags if name.startswith('retyped/ph~')]
        self.assertEqual(len(old), 1)
        self.assertEqual(len(self.rows('get', old[0], '--from', '-1h')), 1)
        self.run_ok('put', 'retyped/ph', '7.1')
        refused = self.run_any('tag', 'set', 'retyped/ph', '--type', 'int64')
        self.assertEqual(refused.returncode, 5)
        self.assertIn('its type stays float64', refused.stderr)

    def test_exported_tags_import_as_the_same(self):
        self.run_ok('tag', 'create', 'copy/a', '--unit', 'm3/h', '--description', 'x, "y"\nz')
        self.run_ok('tag', 'create', 'copy/b', '--type', 'digital', '--state', '7=a|b=c\\')
        self.run_ok('tag', 'retire', 'copy/b')
        exported = self.run_ok('tag', 'export', 'copy/*')
        path = self.file('tags.csv', exported)
        self.run_ok('tag', 'import', path)
        self.assertEqual(self.run_ok('tag', 'export', 'copy/*'), exported)
        other = self.file('others.csv', exported.replace('copy/', 'copied/'))
        self.run_ok('tag', 'import', other)
        self.assertEqual(self.run_ok('tag', 'export', 'copied/*'), exported.replace('copy/', 'copied/'))
        changed = self.file('changed.csv', exported.replace('m3/h', 'l/min') + 'copy/c,complex,,,,,,\n')
        result = self.run_any('tag', 'import', changed)
        self.assertEqual(result.returncode, 1)
        self.assertIn('--update', result.stderr)
        self.run_ok('tag', 'import', '--update', changed, code=1)
        self.assertIn('l/min', self.run_ok('tag', 'export', 'copy/a'))

    # Samples.

    def test_producers_are_listed_and_begin_anew(self):
        self.run_ok('tag', 'create', 'producers/flow')
        self.run_ok('put', 'producers/flow', '1', '--time', '2026-01-01')
        name = [row['producer'] for row in self.rows('producer', 'list') if row['producer'].startswith('histctl-put/')][0]
        before = int(self.rows('producer', 'show', name)[0]['sequence'])
        self.run_ok('put', 'producers/flow', '2', '--time', '2026-01-02')
        self.assertEqual(int(self.rows('producer', 'show', name)[0]['sequence']), before + 1)
        self.run_ok('producer', 'show', 'nobody', code=3)
        self.run_ok('producer', 'reset', 'nobody', code=3)
        self.run_ok('producer', 'reset', code=2)
        self.run_ok('producer', 'reset', name)
        self.run_ok('producer', 'show', name, code=3)
        self.run_ok('put', 'producers/flow', '3', '--time', '2026-01-03')
        self.assertEqual(int(self.rows('producer', 'show', name)[0]['sequence']), 1)
        self.assertEqual(len(self.rows('get', 'producers/flow', '--from', '2026-01-01', '--to', '2026-01-04')), 3)

    def test_puts_at_once_are_all_stored(self):
        self.run_ok('tag', 'create', 'at-once/flow')
        puts = [subprocess.Popen(self.command('put', 'at-once/flow', str(i), '--time', '2026-01-01T00:00:%02dZ' % i),
                                 env=ENVIRONMENT, stderr=subprocess.PIPE) for i in range(8)]
        for put in puts:
            _, stderr = put.communicate(timeout=DEADLINE_S)
            self.assertEqual(put.returncode, 0, stderr)
        self.assertEqual(len(self.rows('get', 'at-once/flow', '--from', '2026-01-01', '--to', '2026-01-02')), 8)

    def test_units_are_understood_and_read_in_others(self):
        told = self.run_any('tag', 'create', 'units/temperature', '--unit', 'degC').stderr
        self.assertIn("unit 'degC' is read as Cel", told)
        self.assertEqual(self.run_any('tag', 'create', 'units/flow', '--unit', 'm3/h').stderr, '')
        told = self.run_any('tag', 'create', 'units/taxi', 'units/bus', '--unit', 'rides').stderr
        self.assertEqual(told.count('histctl:'), 1, told)
        self.assertIn("values in 'rides' cannot be converted: 'rides' is no unit that is known", told)
        self.assertIn('was it meant as Cel?', self.run_any('tag', 'set', 'units/bus', '--unit', 'C').stderr)
        means = [tag['unit_means'] for tag in self.rows('tag', 'show', 'units/temperature', 'units/flow', 'units/taxi')]
        self.assertEqual(means, ['temperature; 0 Cel = 273.15 K, 1 Cel = 274.15 K', 'volume flow; 1 m3/h = 0.00027777778 m3/s',
                                 'not known, so its values cannot be converted'])
        self.run_ok('put', 'units/temperature', '20.1', '--time', '2026-01-01T00:00:00Z')
        span = ('--from', '2026-01-01', '--to', '2026-01-02')
        self.assertEqual(self.run_ok('get', 'units/temperature', *span, '--unit', 'degF'),
                         'time [UTC]            value [degF]  quality\n2026-01-01T00:00:00Z         68.18\n')
        latest = self.rows('latest', 'units/temperature', '--unit', 'K')[0]
        self.assertEqual((latest['value'], latest['unit']), (293.25, 'K'))
        aggregates = ['aggregate', 'units/temperature', *span, '--aggregate', 'avg,range,count', '--unit', 'degF']
        self.assertEqual([self.rows(*aggregates)[0][name] for name in ('average', 'range', 'count')], [68.18, 0, 1])
        self.assertIn('average [degF]', self.run_ok(*aggregates))
        self.assertIn('range [[degR]]', self.run_ok(*aggregates))
        self.run_ok('put', 'units/flow', '3600', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('put', 'units/flow', '3600', '--time', '2026-01-01T00:00:02Z')
        totals = ['aggregate', 'units/flow', '--from', '2026-01-01', '--to', '2026-01-01T00:00:01Z', '--aggregate', 'total2']
        self.assertIn('total2 [m3/h.s]', self.run_ok(*totals))
        self.assertIn('total2 [m3]', self.run_ok(*totals, '--total-time', 'h'))
        self.assertEqual(self.rows(*totals, '--total-time', 'h')[0]['total2'], 1)
        self.assertIn('is no unit of time', self.run_any(*totals, '--total-time', 'kW').stderr)
        at = self.rows('at', 'units/temperature', '--time', '2026-01-01', '--unit', '[degF]')[0]
        self.assertEqual((at['value'], at['unit']), (68.18, '[degF]'))
        self.assertIn('[K]', self.run_ok('plot', 'units/temperature', *span, '--unit', 'K', '--width', '80', '--ascii'))
        refused = self.run_any('get', 'units/temperature', *span, '--unit', 'kPa')
        self.assertEqual(refused.returncode, 5)
        self.assertIn('Cel (temperature) cannot be converted to kPa (pressure)', refused.stderr)

    def test_tags_whose_samples_stopped_are_stale(self):
        self.run_ok('tag', 'create', 'stale/a', 'stale/b', '--stale-after', '10m')
        for tag in ('stale/a', 'stale/b'):
            self.run_ok('put', tag, '1', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('tag', 'set', 'stale/b', '--stale-after', 'never')
        self.assertEqual([row['stale_after'] for row in self.rows('tag', 'show', 'stale/a', 'stale/b')], ['10m', ''])
        self.assertEqual([row['stale'] for row in self.rows('latest', 'stale/a', 'stale/b')], [True, False])
        self.assertEqual(self.run_ok('latest', 'stale/*').count(', stale'), 1)
        self.assertGreater(self.rows('latest', 'stale/a')[0]['age'], 600)
        self.assertIn(',10m,', self.run_ok('tag', 'export', 'stale/a'))
        self.run_ok('tag', 'set', 'stale/b', '--stale-after', 'soon', code=2)
        self.run_ok('tag', 'set', 'stale/b', '--stale-after', '1500ms', code=2)

    def test_samples_are_filtered_and_read_as_opc_ua_asks(self):
        self.run_ok('tag', 'create', 'opc/flow')
        self.run_ok('tag', 'create', 'opc/state', '--type', 'digital', '--state', '0=Off', '--state', '1=Running')
        for second, quality in ((0, 'Good'), (2, 'Bad'), (3, 'Uncertain'), (5, 'Good')):
            self.run_ok('put', 'opc/flow', str(second), '--time', '2026-01-01T00:00:0%dZ' % second, '--quality', quality)
            self.run_ok('put', 'opc/state', str(second % 2), '--time', '2026-01-01T00:00:0%dZ' % second)

        def seconds(*arguments):
            return [(row['time'][17:19], row['quality']) for row in self.rows('get', *arguments)]

        span = ('--from', '2026-01-01', '--to', '2026-01-02')
        self.assertEqual(seconds('opc/flow', *span, '--quality', 'bad,uncertain'), [('02', 'Bad'), ('03', 'Uncertain')])
        self.assertEqual(seconds('opc/flow', *span, '--minimum', '2', '--maximum', '3'), [('02', 'Bad'), ('03', 'Uncertain')])
        self.assertEqual([s for s, _ in seconds('opc/state', *span, '--state', 'Running')], ['03', '05'])
        self.assertEqual([s for s, _ in seconds('opc/state', *span, '--state', '0', '--limit', '1')], ['00'])
        self.assertIn("did you mean Running?", self.run_any('get', 'opc/state', *span, '--state', 'Runing').stderr)
        self.run_ok('get', 'opc/flow', *span, '--quality', 'splendid', code=2)
        self.assertIn('there is one of those that were asked for',
                      self.run_any('get', 'opc/flow', *span, '--minimum', '90').stderr)

        at = '2026-01-01T00:00:0%dZ'
        self.assertEqual([s for s, _ in seconds('opc/flow', '--opc-ua', '--from', at % 5, '--to', at % 0)], ['05', '03', '02'])
        self.assertEqual(seconds('opc/flow', '--opc-ua', '--from', at % 7, '--limit', '9', '--bounds'),
                         [('05', 'Good'), ('06', 'BadBoundNotFound')])
        self.assertEqual(self.rows('get', 'opc/flow', '--opc-ua', '--from', at % 7, '--limit', '9', '--bounds')[1]['value'], None)
        self.assertEqual([s for s, _ in seconds('opc/flow', '--opc-ua', '--to', at % 5, '--limit', '2')], ['05', '03'])
        self.run_ok('get', 'opc/flow', '--opc-ua', code=2)
        self.run_ok('get', 'opc/flow', '--opc-ua', '--from', at % 0, code=2)
        self.run_ok('get', 'opc/flow', '--opc-ua', '--from', at % 0, '--limit', '1', '--reverse', code=2)

    def test_what_is_put_is_read(self):
        self.run_ok('tag', 'create', 'put/flow', '--unit', 'm3/h')
        self.run_ok('put', 'put/flow', '0.1', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('put', 'put/flow', '-2.5', '--time', '2026-01-01T00:00:01Z', '--quality', 'BadSensorFailure')
        self.run_ok('put', 'put/flow', '--time', '2026-01-01T00:00:02Z', '--', 'inf')
        self.run_ok('put', 'put/flow', '--', 'nan', '--time', '2026-01-01T00:00:02Z')
        self.run_ok('put', 'put/flow', '-inf', '--time', '2026-01-01T00:00:02Z')
        rows = self.rows('get', 'put/flow', '--from', '2026-01-01', '--to', '2026-01-02')
        self.assertEqual(rows, [
            {'time': '2026-01-01T00:00:00Z', 'value': 0.1, 'quality': 'Good'},
            {'time': '2026-01-01T00:00:01Z', 'value': -2.5, 'quality': 'BadSensorFailure'},
            {'time': '2026-01-01T00:00:02Z', 'value': '-inf', 'quality': 'Good'}])
        self.assertEqual(
            self.run_ok('get', 'put/flow', '--from', '2026-01-01', '--to', '2026-01-02', '--limit', '2', '--tz',
                        'Europe/Berlin'),
            'time [Europe/Berlin]       value [m3/h]  quality\n'
            '2026-01-01T01:00:00+01:00           0.1\n'
            '2026-01-01T01:00:01+01:00          -2.5  BadSensorFailure\n')
        reverse = self.rows('get', 'put/flow', '--from', '2026-01-01', '--to', '2026-01-02', '--reverse', '--limit', 1)
        self.assertEqual(reverse[0]['time'], '2026-01-01T00:00:02Z')
        bounds = self.rows('get', 'put/flow', '--from', '2026-01-01T00:00:00.5Z', '--to', '2026-01-01T00:00:01Z',
                           '--bounds')
        self.assertEqual(len(bounds), 2)
        self.run_ok('put', 'put/flow', 'much', code=2)
        self.run_ok('put', 'put/flow', '1', '--quality', 'Splendid', code=2)
        self.run_ok('put', 'put/flow', '1', '--time', '2150-01-01', code=5)
        self.run_ok('put', 'put/nothing', '1', code=3)
        self.run_ok('get', 'put/flow', '--from', 'soon', code=2)
        self.run_ok('get', 'put/flow', '--tz', 'Europe/Atlantis', code=2)
        self.run_ok('get', code=2)

    def test_aggregates_by_the_clock(self):
        # A sample an hour around the end of summer time, and a Monday of shifts.
        text = 'time,clock/a\n' + ''.join('2025-10-%02dT%02d:00:00Z,%d\n' % (day, hour, hour) for day in range(24, 29) for hour in range(24))
        self.run_ok('import', '--type', 'float64', self.file('clock.csv', text))
        berlin = ['aggregate', 'clock/a', '--zone', 'Europe/Berlin', '--aggregate', 'count']
        days = self.rows(*berlin, '--from', '2025-10-25 12:00', '--to', '2025-10-26 12:00', '--every', '1d')
        self.assertEqual([(r['start'], r['end'], r['count']) for r in days],
                         [('2025-10-25T00:00:00+02:00', '2025-10-26T00:00:00+02:00', 24),
                          ('2025-10-26T00:00:00+02:00', '2025-10-27T00:00:00+01:00', 25)])
        self.assertNotIn('shift', days[0])
        gas = self.rows(*berlin, '--from', '2025-10-26', '--to', '2025-10-26 01:00', '--every', '1d', '--day-begins', '06:00')
        self.assertEqual((gas[0]['start'], gas[0]['end'], gas[0]['count']),
                         ('2025-10-25T06:00:00+02:00', '2025-10-26T06:00:00+01:00', 25))
        span = ['--from', '2025-10-27 06:00', '--to', '2025-10-28']
        shifts = self.rows(*berlin, *span, '--shifts', 'early=06:00,late=14:00,night=22:00')
        self.assertEqual([(r['shift'], r['start'], r['count']) for r in shifts],
                         [('early', '2025-10-27T06:00:00+01:00', 8), ('late', '2025-10-27T14:00:00+01:00', 8),
                          ('night', '2025-10-27T22:00:00+01:00', 8)])
        rotation = self.file('rotation', '# Two crews\nfirst-day 2025-10-27\nA=06:00,B=18:00\nB=06:00,A=18:00\n')
        crews = self.run_ok('--format', 'csv', *berlin, '--from', '2025-10-27 06:00', '--to', '2025-10-28 18:00', '--rotation', rotation)
        self.assertEqual([line.split(',')[1:4] for line in crews.splitlines()],
                         [['start', 'end', 'shift'], ['2025-10-27T06:00:00+01:00', '2025-10-27T18:00:00+01:00', 'A'],
                          ['2025-10-27T18:00:00+01:00', '2025-10-28T06:00:00+01:00', 'B'],
                          ['2025-10-28T06:00:00+01:00', '2025-10-28T18:00:00+01:00', 'B']])
        for every in (['--every', '1h'], ['--interval', '1h']):
            rolling = self.rows(*berlin, '--from', '2025-10-27 00:00', '--to', '2025-10-27 02:00', *every, '--window', '24h')
            self.assertEqual([(r['start'], r['end'], r['count']) for r in rolling],
                             [('2025-10-26T02:00:00+02:00', '2025-10-27T01:00:00+01:00', 24),
                              ('2025-10-26T02:00:00+01:00', '2025-10-27T02:00:00+01:00', 24)])
        wide = self.rows(*berlin, '--from', '2025-10-27', '--to', '2025-10-28', '--every', '12h', '--layout', 'wide')
        self.assertEqual([list(r) for r in wide], [['start', 'end', 'clock/a']] * 2)
        self.assertIn('start [Europe/Berlin]', self.run_ok(*berlin, *span, '--every', '1d'))
        self.assertRegex(self.run_any(*berlin, *span, '--every', '1d').stderr,
                         r'by the clock of Europe/Berlin, tz database 20\d\d[a-z]')
        self.assertIn('--every 1d is by the clock',
                      self.run_any(*berlin, '--from', '2025-10-25', '--to', '2025-10-28', '--interval', '1d').stderr)
        for wrong, says in (
                (['--every', '1x'], "--every: '1x' is no length by the clock"),
                (['--every', '7m'], 'intervals of 7 minutes do not divide an hour'),
                (['--every', '1d', '--window', '20000'], 'a window of 20000 intervals: at most 10000'),
                (['--every', '1h', '--window', '1d'], 'is not always the same number'),
                (['--interval', '1h', '--window', '90m'], 'no whole number of intervals of 1h'),
                (['--window', '24h'], '--window goes with --every'),
                (['--day-begins', '06:00'], '--day-begins goes with --every'),
                (['--every', '1d', '--day-begins', '25:00'], "--day-begins: '25:00' is no time of day"),
                (['--shifts', 'early'], "--shifts: 'early' is no shift"),
                (['--rotation', self.file('empty', '')], 'cannot be read, or is empty'),
                (['--every', '1d', '--interval', '1h'], 'excludes')):
            failed = self.run_any(*berlin, *span, *wrong)
            self.assertNotEqual(failed.returncode, 0, wrong)
            self.assertIn(says, failed.stderr, wrong)
        self.assertIn('did you mean Europe/Berlin?', self.run_any('aggregate', 'clock/a', *span, '--zone', 'Europe/Berln').stderr)

    def test_local_times_that_are_not_one_moment_are_refused_everywhere(self):
        self.run_ok('tag', 'create', 'clock/twice')
        times = self.file('no-times.csv', 'value\n1\n2\n')
        for local, says in (('2025-10-26 02:30', 'comes twice in Europe/Berlin'), ('2025-03-30 02:30', 'does not exist in Europe/Berlin')):
            for arguments in (['get', 'clock/twice', '--from', local], ['get', 'clock/twice', '--from', 'today', '--to', local],
                              ['at', 'clock/twice', '--time', local], ['put', 'clock/twice', '1', '--time', local],
                              ['plot', 'clock/twice', '--from', local], ['aggregate', 'clock/twice', '--from', local],
                              ['export', 'clock/twice', '--from', local], ['get', 'clock/twice', '--from', '2025-01-01', '--as-of', local],
                              ['import', '--start', local, '--step', '1m', '--no-header', '--prefix', 'clock/', times]):
                failed = self.run_any(*arguments, '--tz', 'Europe/Berlin')
                self.assertEqual(failed.returncode, 2, arguments)
                self.assertIn(says, failed.stderr, arguments)
        # Rows of a file cannot be asked: one is as good as its row before says, and strictly it is an error.
        text = 'time,clock/row\n2025-10-26 01:30,1\n2025-10-26 02:30,2\n2025-10-26 02:30,3\n2025-10-26 03:30,4\n'
        strict = self.run_any('import', '--tz', 'Europe/Berlin', '--strict-clock-changes', self.file('strict.csv', text))
        self.assertEqual(strict.returncode, 1)
        self.assertIn('comes twice in Europe/Berlin, where the clock is set back then: say 2025-10-26T02:30:00+02:00 or '
                      '2025-10-26T02:30:00+01:00', strict.stderr)
        self.run_ok('import', '--tz', 'Europe/Berlin', self.file('rows.csv', text))
        self.assertEqual([t for t, _, _ in self.samples('clock/row')],
                         ['2025-10-25T23:30:00Z', '2025-10-26T00:30:00Z', '2025-10-26T01:30:00Z', '2025-10-26T02:30:00Z'])

    def test_joined_reads(self):
        self.run_ok('tag', 'create', 'joined/a', '--unit', 'bar')
        self.run_ok('tag', 'create', 'joined/state', '--type', 'digital', '--state', '1=Open')
        self.run_ok('put', 'joined/a', '1', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('put', 'joined/a', '3', '--time', '2026-01-01T00:00:20Z')
        self.run_ok('put', 'joined/state', 'Open', '--time', '2026-01-01T00:00:10Z')
        joined = ['get', 'joined/a', 'joined/state', '--joined', '--from', '2026-01-01', '--to', '2026-01-01T00:00:21Z']
        self.assertEqual(self.rows(*joined), self.rows(*joined, '--on-change'))
        self.assertEqual([(r['time'], r['joined/a'], r['joined/state']) for r in self.rows(*joined)],
                         [('2026-01-01T00:00:00Z', 1, None), ('2026-01-01T00:00:10Z', 2, 1), ('2026-01-01T00:00:20Z', 3, 1)])
        grid = self.rows(*joined, '--every', '5s', '--limit', '4')
        self.assertEqual([r['joined/a'] for r in grid], [1, 1.5, 2, 2.5])
        self.assertEqual(grid[1]['joined/a quality'], 'Good, Interpolated')
        self.assertEqual(grid[1]['joined/state quality'], 'BadNoData')
        self.assertEqual([r['joined/a'] for r in self.rows(*joined, '--every', '5s', '--interpolation', 'stepped')], [1, 1, 1, 1, 3])
        self.assertEqual([r['joined/a'] for r in self.rows('get', 'joined/a', *joined[3:], '--unit', 'kPa')], [100, 300])
        table = self.run_ok(*joined)
        self.assertIn('joined/a [bar]', table)
        self.assertIn('Open', table)
        self.assertEqual(self.run_ok('--format', 'csv', *joined).splitlines()[0],
                         'time,joined/a,joined/a quality,joined/state,joined/state quality')
        for wrong, message in (([*joined, '--reverse'], '--reverse does not go with --joined'),
                               (['get', 'joined/a', 'joined/state'], '2 tags: get reads the samples of one; with --joined'),
                               ([*joined, '--every', 'often'], '--every:'),
                               ([*joined, '--every', '1s', '--on-change'], '--on-change'),
                               (['get', 'joined/a', '--every', '1s'], '--joined')):
            refused = self.run_any(*wrong)
            self.assertEqual(refused.returncode, 2, wrong)
            self.assertIn(message, refused.stderr)

    def test_values_latest_at_times_and_aggregates(self):
        text = 'time,read/a,read/b\n' + ''.join('2026-01-01T00:%02d:00Z,%d,%d\n' % (i, i, 2 * i) for i in range(60))
        self.run_ok('import', '--type', 'float64', self.file('read.csv', text))
        self.run_ok('tag', 'create', 'read/empty')
        self.run_ok('tag', 'create', 'read/state', '--type', 'digital', '--state', '3=Open')
        self.run_ok('put', 'read/state', 'Open', '--time', '2026-01-01')
        latest = {r['tag']: r for r in self.rows('latest', 'read/*')}
        self.assertEqual(latest['read/a']['value'], 59)
        self.assertEqual((latest['read/state']['value'], latest['read/state']['state']), (3, 'Open'))
        self.assertIsNone(latest['read/empty']['value'])
        self.assertIn('Open', self.run_ok('latest', 'read/state'))
        at = self.rows('at', 'read/a', 'read/b', '--time', '2026-01-01T00:00:30Z', '--time', '2025-01-01T00:00:00Z')
        self.assertEqual([r['value'] for r in at], [0.5, 1, None, None])
        stepped = self.rows('at', 'read/b', '--time', '2026-01-01T00:01:30Z', '--interpolation', 'stepped')
        self.assertEqual(stepped[0]['value'], 2)
        hours = self.rows('aggregate', 'read/a', 'read/b', '--from', '2026-01-01', '--to', '2026-01-01T01:00:00Z',
                          '--interval', '30m', '--aggregate', 'avg,min,max,max-time,count')
        self.assertEqual([(r['tag'], r['average'], r['minimum'], r['maximum'], r['count']) for r in hours],
                         [('read/a', 14.5, 0, 29, 30), ('read/a', 44.5, 30, 59, 30),
                          ('read/b', 29, 0, 58, 30), ('read/b', 89, 60, 118, 30)])
        self.assertEqual(hours[1]['maximum-actual-time at'], '2026-01-01T00:59:00Z')
        empty = self.rows('aggregate', 'read/a', '--from', '2025-01-01', '--to', '2025-01-02', '--aggregate', 'avg,count')
        self.assertEqual((empty[0]['average'], empty[0]['count'], empty[0]['quality']), (None, None, 'BadNoData'))
        self.run_ok('aggregate', 'read/a', '--from', '-1h', '--aggregate', 'mode', code=2)
        # What counts from now begins where the clock is round.
        now = self.rows('aggregate', 'read/a', '--from', '-1d', '--interval', '1h', '--aggregate', 'Min, MEAN')
        self.assertTrue(all(r['time'].endswith(':00:00Z') for r in now), now)
        self.assertIn(len(now), (24, 25))
        self.assertEqual(self.rows('aggregate', 'read/a', '--from', '2026-01-01 00:10', '--to', '2026-01-01 00:50',
                                   '--interval', '20m', '--aggregate', 'min')[0]['minimum'], 10)
        # One answer to a pattern that matches nothing.
        for arguments in (['latest'], ['tag', 'list'], ['tag', 'export'], ['tag', 'show'], ['get'], ['plot'], ['export'],
                          ['storage'], ['retention', 'show'], ['at', '--time', 'now'], ['aggregate', '--from', '-1h']):
            nothing = self.run_any(*arguments, 'nothing/*')
            self.assertEqual(nothing.returncode, 3, arguments)
            self.assertIn("no tag matches 'nothing/*'", nothing.stderr)
            self.assertEqual(nothing.stdout, '', arguments)
        self.run_ok('tag', 'list', '--prefix', 'nothing/', code=3)
        for style in ([], ['--ascii']):
            picture = self.run_ok('plot', 'read/a', '--from', '2026-01-01', '--to', '2026-01-01T01:00:00Z', '--width',
                                  '60', '--height', '15', *style)
            self.assertNotIn('\x1b', picture)
            self.assertIn('read/a', picture)
            self.assertEqual(len(picture.splitlines()), 14)
            self.assertTrue('*' in picture if style else any('\u2801' <= c <= '\u28ff' for c in picture))

    def test_a_float32_is_printed_as_one_wherever_a_sample_is(self):
        for tag, kind in (('single/a', 'float32'), ('single/b', 'float64')):
            self.run_ok('tag', 'create', tag, '--type', kind)
            for second, value in enumerate(['20.4', '16777216', '0.1', '-0.2']):
                self.run_ok('put', tag, '--time', '2026-01-01T00:00:0%dZ' % second, '--', value)
        interval = ['--from', '2026-01-01', '--to', '2026-01-01T00:00:04Z', '--aggregate', 'min,max,first,last']
        for options, separator in ((['--format', 'csv'], ','), (['--format', 'csv', '--layout', 'wide'], ','), ([], None)):
            for tag in ('single/a', 'single/b'):
                row = self.run_ok(*options[:2], 'aggregate', tag, *interval, *options[2:]).splitlines()[1].split(separator)
                at = row.index('2026-01-01T00:00:00Z') + 1
                self.assertEqual(row[at:at + 3] + row[at + 4:at + 5], ['-0.2', '16777216', '20.4', '-0.2'])
        # What is computed of them is not rounded to one.
        (average,) = self.rows('aggregate', 'single/a', '--from', '2026-01-01', '--to', '2026-01-01T00:00:01Z', '--aggregate', 'avg')
        self.assertEqual(average['average'], 20.399999618530273)
        for command in (['export', 'single/a'], ['get', 'single/a', '--from', '2026-01-01', '--to', '2026-01-02'],
                        ['at', 'single/a', '--time', '2026-01-01']):
            self.assertIn('20.4', self.run_ok(*command))
            self.assertNotIn('20.39', self.run_ok(*command))

    def test_an_empty_range_says_where_samples_are(self):
        self.run_ok('tag', 'create', 'empty/a', 'empty/b')
        self.run_ok('put', 'empty/a', '1', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('put', 'empty/a', '2', '--time', '2026-01-05T00:00:00Z')
        span = ['--from', '2026-01-02', '--to', '2026-01-03']
        where = ("no samples of 'empty/a' from 2026-01-02T00:00:00Z to 2026-01-03T00:00:00Z; the newest before is of "
                 "2026-01-01T00:00:00Z, 1d earlier; the next is of 2026-01-05T00:00:00Z, 2d later")
        for command in (['get'], ['plot'], ['aggregate', '--aggregate', 'min']):
            result = self.run_any(*command, 'empty/a', *span)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(where, result.stderr, command)
            self.assertIn("tag 'empty/b' has no samples", self.run_any(*command, 'empty/b', *span).stderr)
        self.assertNotIn('no samples', self.run_any('get', 'empty/a', '--from', '2026-01-01').stderr)

    def test_plots_have_gaps_several_tags_and_an_earlier_time(self):
        rows = ''.join('2026-01-0%dT00:%02d:%02dZ,%d,%d,%d\n' % (day, i // 60, i % 60, day * 10, i, i % 2)
                       for day in (1, 2) for i in range(3600) if not (day == 2 and 1000 <= i < 2000))
        self.run_ok('import', self.file('plots.csv', 'time,plots/a [bar],plots/b [bar],plots/c [m3/h]\n' + rows),
                    '--type', 'float64')
        span = ['--from', '2026-01-02', '--to', '2026-01-02 01:00', '--width', '80', '--height', '20', '--ascii']
        line = next(line for line in self.run_ok('plot', 'plots/a', *span).splitlines() if '*' in line)
        # 66 columns, of which 1000 of 3600 seconds are empty.
        self.assertRegex(line, r'\*{18,19} {17,18}\*{29,30}$')
        self.assertNotRegex(self.run_ok('plot', 'plots/a', *span, '--gap', 'never'), r'\* +\*')
        self.run_ok('plot', 'plots/a', *span, '--gap', 'soon', code=2)
        # One unit, one picture; another unit, another.
        both = self.run_ok('plot', 'plots/a', 'plots/b', *span)
        self.assertIn('* plots/a [bar]\n              o plots/b [bar]\n', both)
        self.assertEqual(both.count(' to 2026-01-02T01:00:00Z'), 1)
        self.assertEqual(self.run_ok('plot', 'plots/*', *span).count(' to 2026-01-02T01:00:00Z'), 2)
        compared = self.run_ok('plot', 'plots/a', *span, '--compare', '1d')
        self.assertIn('o plots/a, 1d earlier [bar]\n', compared)
        self.assertRegex(compared, r'o{66}\n')
        self.run_ok('plot', 'plots/*', *span, '--compare', '1d', '--compare', '2d', code=2)

    def test_csv_for_a_spreadsheet_of_a_country(self):
        self.run_ok('tag', 'create', 'sheet/flow', '--unit', 'm3/h')
        self.run_ok('tag', 'create', 'sheet/text', '--type', 'string')
        self.run_ok('put', 'sheet/flow', '1234.5', '--time', '2026-07-01T06:00:00Z')
        self.run_ok('put', 'sheet/flow', '-0.25', '--time', '2026-07-01T07:00:00Z')
        self.run_ok('put', 'sheet/text', '1.5', '--time', '2026-07-01T06:00:00Z')
        style = ['--decimal-comma', '--time-format', '%d.%m.%Y %H:%M:%S', '--tz', 'Europe/Berlin']
        wide = self.run_ok('export', 'sheet/*', '--layout', 'wide', *style)
        self.assertEqual(wide, 'time;sheet/flow;sheet/text\n01.07.2026 08:00:00;1234,5;1.5\n'
                               '01.07.2026 09:00:00;-0,25;\n')
        self.assertEqual(self.run_ok('export', 'sheet/flow', '--separator', 'tab', '--time-format', 'unix'),
                         'time\ttag\tvalue\tquality\n1782885600\tsheet/flow\t1234.5\tGood\n'
                         '1782889200\tsheet/flow\t-0.25\tGood\n')
        path = os.path.join(self.temporary.name, 'sheet.csv')
        self.run_ok('export', 'sheet/flow', '--byte-order-mark', *style, '-o', path)
        self.assertTrue(read_bytes(path).startswith(b'\xef\xbb\xbftime;tag'))
        # The same options read it back.
        copy = self.file('sheet-copy.csv', read(path).replace('sheet/', 'sheet-copy/'))
        self.run_ok('import', copy, *style)
        self.assertEqual([s[:2] for s in self.samples('sheet-copy/flow')], [s[:2] for s in self.samples('sheet/flow')])
        span = ['--from', '2026-07-01T06:00:00Z', '--to', '2026-07-01T08:00:00Z', '--interval', '1h']
        pivot = self.run_ok('--format', 'csv', 'aggregate', 'sheet/flow', *span, '--aggregate', 'count,last',
                            '--layout', 'wide', *style)
        self.assertEqual(pivot, 'time;sheet/flow count;sheet/flow end;sheet/flow end at\n'
                                '01.07.2026 08:00:00;1;1234,5;01.07.2026 08:00:00\n'
                                '01.07.2026 09:00:00;1;-0,25;01.07.2026 09:00:00\n')
        self.assertEqual([row['sheet/text'] for row in self.rows('aggregate', 'sheet/flow', 'sheet/text', *span, '--aggregate',
                                                                 'count', '--layout', 'wide')], [1, None])
        self.assertEqual(self.rows('aggregate', 'sheet/flow', *span, '--aggregate', 'min', '--layout', 'wide'),
                         [{'time': '2026-07-01T06:00:00Z', 'sheet/flow': 1234.5},
                          {'time': '2026-07-01T07:00:00Z', 'sheet/flow': -0.25}])
        self.assertIn('sheet/flow [m3/h]', self.run_ok('aggregate', 'sheet/flow', *span, '--aggregate', 'min',
                                                       '--layout', 'wide'))
        for wrong in (['--separator', 'x'], ['--decimal-comma', '--separator', ','], ['--time-format', 'german'],
                      ['--layout', 'high']):
            self.run_ok('export', 'sheet/flow', *wrong, code=2)
            self.run_ok('--format', 'csv', 'aggregate', 'sheet/flow', *span, *wrong, code=2)
        self.run_ok('aggregate', 'sheet/flow', *span, '--decimal-comma', code=2)

    def test_status_storage_seal_and_blocks(self):
        self.run_ok('import', self.file('blocks.csv', 'time,blocks/a\n' + ''.join(
            '%d,%d.5\n' % (1600000000 + i, i % 10) for i in range(5000))))
        self.assertEqual(self.rows('status')[0]['state'], 'serving')
        self.assertGreater(self.rows('storage')[0]['samples_open'], 0)
        self.assertGreater(self.rows('seal')[0]['blocks'], 0)
        storage = self.rows('storage', 'blocks/a')[0]
        self.assertEqual((storage['samples'], storage['open'], storage['last']), (5000, 0, '2020-09-13T13:49:59Z'))
        blocks = self.rows('block', 'list', 'blocks/a')
        self.assertEqual(sum(b['samples'] for b in blocks), 5000)
        self.assertIn('checksum', self.run_ok('block', 'dump', 'blocks/a'))
        pages = self.rows('block', 'dump', 'blocks/a')
        self.assertEqual(sum(p['samples'] for p in pages), 5000)
        self.assertEqual((pages[0]['min'], pages[0]['max'], pages[0]['qualities']), (0.5, 9.5, 'all Good'))
        samples = self.rows('block', 'dump', 'blocks/a', '--samples')
        self.assertEqual(samples[-1], {'page': len(pages) - 1, 'time': '2020-09-13T13:49:59Z', 'value': 9.5,
                                       'state': None, 'quality': 'Good'})
        self.run_ok('block', 'dump', 'blocks/a', '--seal', '999999', code=3)
        self.run_ok('block', 'list', 'blocks/b', code=3)

    def test_retention_rules_and_legal_holds(self):
        self.run_ok('tag', 'create', 'keep/a', 'keep/b')
        for time in ('2001-03-01', '2001-06-01', 'now'):
            self.run_ok('put', 'keep/a', '1', '--time', time)
            self.run_ok('put', 'keep/b', '1', '--time', time)
        self.run_ok('hold', 'place', 'case 7', 'keep/a', '--from', '2001-06-01', '--to', '2001-06-02', code=2)
        hold = self.rows('hold', 'place', 'case 7', 'keep/a', '--from', '2001-06-01', '--to', '2001-06-02', '--reason',
                         'a letter', '--by', 'ann')[0]
        self.assertEqual((hold['tags'], hold['tags_expired']), (1, 0))
        self.run_ok('retention', 'set', 'short', 'keep/*', '--raw', '90d', '--rollups', '2y', '--by', 'bob')
        # What nothing matches is a slip, and holds nothing.
        for arguments in (['hold', 'place', 'x', 'keep/none', '--from', '2001-06-01', '--to', '2001-06-02', '--reason', 'y'],
                          ['retention', 'set', 'never', 'keep/none', '--raw', 'forever', '--position', '1']):
            refused = self.run_any(*arguments)
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.assertIn("no tag matches 'keep/none', and nothing was done: --allow-empty", refused.stderr)
        self.assertEqual([h['hold'] for h in self.rows('hold', 'list')], ['case 7'])
        self.run_ok('retention', 'set', 'never', 'keep/none', '--raw', 'forever', '--position', '1', '--allow-empty')
        self.assertEqual(self.rows('hold', 'place', 'early', 'keep/to-come/*', '--from', '2001-06-01', '--to',
                                   '2001-06-02', '--reason', 'y', '--allow-empty')[0]['tags'], 0)
        early = [h['id'] for h in self.rows('hold', 'list') if h['hold'] == 'early'][0]
        self.run_ok('hold', 'release', early, '--reason', 'closed')
        rules = self.rows('retention', 'list')
        self.assertEqual([(r['position'], r['rule'], r['raw'], r['rollups']) for r in rules],
                         [(1, 'never', 'forever', 'forever'), (2, 'short', '90d', '2y')])
        self.assertEqual(rules[1]['by'], 'bob')
        self.run_ok('retention', 'set', 'x', '*', '--raw', '5', code=2)
        self.run_ok('retention', 'set', 'x', '*', '--raw', '3h', code=5)
        self.run_ok('retention', 'set', 'x', '*', '--raw', '2y', '--rollups', '1y', code=5)
        trial = self.run_any('retention', 'apply', '--dry-run')
        self.assertIn('2 tags', trial.stderr)
        self.assertEqual(len(self.rows('get', 'keep/b', '--from', '2001-01-01')), 3)
        self.run_ok('retention', 'apply')
        self.assertEqual(len(self.rows('get', 'keep/b', '--from', '2001-01-01')), 1)
        self.assertEqual([r['time'] for r in self.rows('get', 'keep/a', '--from', '2001-01-01')][0],
                         '2001-06-01T00:00:00Z')
        refused = self.run_any('put', 'keep/b', '2', '--time', '2001-03-01')
        self.assertEqual(refused.returncode, 5)
        self.assertIn('older than the retention', refused.stderr)
        shown = self.rows('retention', 'show', 'keep/a')[0]
        self.assertEqual((shown['rule'], shown['holds']), ('short', '%d case 7' % hold['id']))
        self.assertIn('before 2001-05-31T00:00:00Z', shown['expired'])
        late = self.rows('hold', 'place', 'case 8', 'keep/b', '--from', '2001-01-01', '--to', '2001-06-01', '--reason',
                         'too late')[0]
        self.assertEqual(late['tags_expired'], 1)
        self.run_ok('hold', 'release', hold['id'], '--reason', 'closed')
        self.run_ok('hold', 'release', hold['id'], '--reason', 'again', code=5)
        self.run_ok('hold', 'release', '999', '--reason', 'no such', code=3)
        self.assertEqual([h['hold'] for h in self.rows('hold', 'list')], ['case 8'])
        self.assertEqual([h['release_reason'] for h in self.rows('hold', 'list', '--released')],
                         ['closed', 'closed', None])
        self.run_ok('retention', 'remove', 'never')
        self.run_ok('retention', 'remove', 'short')
        self.run_ok('retention', 'remove', 'short', code=3)

    def test_a_directory_is_verified_and_salvaged_without_a_server(self):
        directory = os.path.join(self.temporary.name, 'offline')
        os.mkdir(directory)
        server = Server(directory)
        data = os.path.join(directory, 'data')
        try:
            path = self.file('offline.csv', 'time,off/a,off/b\n' + ''.join(
                f'{1600000000 + i},{i * 7919 % 10007},{i % 13}\n' for i in range(5000)))
            command = [HISTCTL, '--server', server.address]
            for arguments in (['import', path], ['seal', '--settle']):
                subprocess.run(command + arguments, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
            self.assertIn('another Historian server holds it',
                          self.run_any('verify', '--offline', '--data-dir', data).stderr)
        finally:
            server.process.terminate()
            server.process.wait()
        summary = self.rows('verify', '--offline', '--data-dir', data)[-1]
        self.assertEqual((summary['where'], summary['damages'], summary['blocks']), ('summary', 0, 2))
        self.assertGreaterEqual(summary['samples'], 10000)
        self.rows('verify', '--offline', '--data-dir', data, '--tags', 'off/*', '--rate-limit', '200MiB')
        self.run_ok('verify', '--offline', '--data-dir', data, '--rate-limit', 'fast', code=2)
        self.run_ok('verify', '--offline', '--data-dir', data, '--tags', 'none', code=3)
        self.run_ok('verify', '--offline', code=2)
        self.run_ok('verify', '--offline', '--data-dir', os.path.join(directory, 'absent'), code=6)

        whole = self.rows('salvage', '--data-dir', data, '--to', os.path.join(directory, 'whole'))
        self.assertEqual([(row['where'], row['losses'], row['samples_kept']) for row in whole],
                         [('summary', 0, 10000)])
        modes = {os.stat(os.path.join(root, name)).st_mode & 0o777
                 for root, directories, names in os.walk(os.path.join(directory, 'whole')) for name in directories + names}
        self.assertLessEqual(modes, {0o750, 0o640, 0o600})
        self.run_ok('salvage', '--data-dir', data, '--to', os.path.join(directory, 'whole'), code=6)

        # Without the largest file, which holds the samples.
        tables = [os.path.join(data, 'rocksdb', name) for name in os.listdir(os.path.join(data, 'rocksdb'))
                  if name.endswith('.sst')]
        os.remove(max(tables, key=os.path.getsize))
        before = {name: read_bytes(os.path.join(root, name)) for root, _, names in os.walk(data) for name in names}
        rows = self.rows('verify', '--offline', '--data-dir', data, code=7)
        self.assertLessEqual({'off/a', 'off/b'}, {row['tag'] for row in rows})
        rows = self.rows('salvage', '--data-dir', data, '--to', os.path.join(directory, 'rest'), code=7)
        self.assertEqual({row['tag']: row['samples'] for row in rows if row['where'] == 'block'},
                         {'off/a': 5000, 'off/b': 5000})
        self.assertEqual(rows[-1]['where'], 'summary')
        after = {name: read_bytes(os.path.join(root, name)) for root, _, names in os.walk(data) for name in names}
        self.assertEqual(before, after)

    def test_verify_reads_everything(self):
        self.run_ok('import', self.file('verify.csv', 'time,verify/a\n' + ''.join(
            '%d,%d.5\n' % (1600000000 + i, i % 10) for i in range(3000))))
        self.run_ok('seal')
        summary = self.rows('verify')[-1]
        self.assertEqual((summary['where'], summary['damages']), ('summary', 0))
        self.assertGreaterEqual(summary['samples'], 3000)
        summary = self.rows('verify', '--tags', 'verify/*', '--from', '2020-09-13', '--to', '2020-09-14')[-1]
        self.assertEqual((summary['tags'], summary['samples'], summary['records']), (1, 3000, 0))
        self.assertIn('all was read', self.run_ok('verify', '--rate-limit', '1000'))
        self.run_ok('verify', '--tags', 'verify/none', code=3)
        self.run_ok('verify', '--from', '2020-09-14', '--to', '2020-09-13', code=2)

    # Imports and exports.

    def test_broken_rows_are_told_and_the_rest_is_stored(self):
        path = self.file('broken.csv', 'time,broken/a,broken/b\r\n'
                         '2026-01-01T00:00:00Z,1.5,10\r\n'
                         'nonsense,2,20\r\n'
                         '2026-01-01T00:00:02Z,ERR,30\r\n'
                         '2026-01-01T00:00:03Z,3\r\n'
                         '2026-01-01T00:00:04Z,"4.5",\r\n'
                         '2150-01-01T00:00:00Z,5,50\r\n'
                         '2026-01-01T00:00:06Z,"6\r\n'
                         '2026-01-01T00:00:07Z,7,70\r\n')
        result = self.run_any('--format', 'json', 'import', path, '--type', 'float64')
        self.assertEqual(result.returncode, 1, result.stderr)
        for line in (3, 4, 5, 7, 8):
            self.assertIn('%s:%d: ' % (path, line), result.stderr)
        for line in (2, 6, 9):
            self.assertNotIn('%s:%d: ' % (path, line), result.stderr)
        summary = json.loads(result.stdout)[0]
        self.assertEqual([summary[k] for k in ('rows', 'samples', 'stored', 'rejected', 'bad_rows', 'bad_values',
                                               'missing')], [8, 8, 6, 2, 3, 1, 1])
        self.assertEqual([v for _, v, _ in self.samples('broken/a')], ['1.5', '4.5', '7'])
        self.assertEqual([v for _, v, _ in self.samples('broken/b')], ['10', '30', '70'])
        self.run_ok('import', path, '--type', 'float64', '--on-error', 'fail', '--producer', 'again', code=1)
        self.run_ok('import', path, '--type', 'float64', '--max-errors', '2', '--producer', 'third', code=1)

    def test_an_import_does_not_guess_silently(self):
        def run(name, text, *options, code=0):
            result = self.run_any('import', '--prefix', name + '/', *options, self.file(name + '.csv', text))
            self.assertEqual(result.returncode, code, result.stderr)
            return result

        def type_of(tag):
            return self.rows('tag', 'show', tag)[0]['type']

        def values(tag):
            return [v for _, v, _ in self.samples(tag)]

        # Numbers are float64, so that the next file may have fractions.
        run('week', 'time,flow\n2026-01-01T00:00:00Z,10\n2026-01-01T00:10:00Z,11\n')
        run('week', 'time,flow\n2026-01-08T00:00:00Z,10.5\n')
        self.assertEqual(values('week/flow'), ['10', '11', '10.5'])
        # A decimal comma is found and told.
        told = run('comma', 'Zeit;Druck [bar]\n24.10.2026 22:00:00;4,500\n24.10.2026 22:01:00;4,503\n').stderr
        self.assertIn('decimal comma', told)
        self.assertIn("new tags 'comma/Druck' float64 [bar]", told)
        self.assertEqual(values('comma/Druck'), ['4.5', '4.503'])
        # Or is a question, after which nothing is there.
        asked = run('which', 'time,a\n2026-01-01T00:00:00Z,"4,500"\n', code=2).stderr
        self.assertIn("line 2, 'a': '4,500'", asked)
        self.run_ok('tag', 'show', 'which/a', code=3)
        run('which', 'time,a\n2026-01-01T00:00:00Z,"4,500"\n', '--thousands', ',')
        self.assertEqual(values('which/a'), ['4500'])
        # So is a text among few numbers.
        few = 'time,x\n' + ''.join('2026-01-01T00:%02d:00Z,%s\n' % (i, v) for i, v in enumerate(['1.5', 'unclear', '2.5']))
        asked = run('few', few, code=2).stderr
        for part in ("column 'x' holds 2 numbers and 1 other text ('unclear')", "--type 'x=float64'", "--missing 'unclear'"):
            self.assertIn(part, asked)
        run('few', few, '--missing', 'unclear')
        self.assertEqual(values('few/x'), ['1.5', '2.5'])
        # Quotes say nothing of a value, and a missing number is a number.
        run('quoted', '"time","x"\n"2026-01-01T00:00:00Z","1.5"\n"2026-01-01T00:01:00Z",""\n"2026-01-01T00:02:00Z","-999.0"\n',
            '--missing=-999')
        self.assertEqual(values('quoted/x'), ['1.5'])
        # Where nothing can be stored no tag is made.
        run('bad', 'time,x\n2026-01-01T00:00:00Z,\n2026-01-01T00:01:00Z,\nnever,1.5\n', code=1)
        run('bad', 'time,x\n2026-01-01T00:00:00Z,often\n', '--type', 'float64', code=1)
        self.run_ok('tag', 'show', 'bad/x', code=3)
        # Numbers do not go into a tag of texts by mistake.
        self.run_ok('tag', 'create', 'texts/x', '--type', 'string')
        self.assertIn("'texts/x' is one of texts", run('texts', 'time,x\n2026-01-01T00:00:00Z,1.5\n', code=2).stderr)
        run('texts', 'time,x\n2026-01-01T00:00:00Z,1.5\n', '--type', 'x=string')
        # The same time twice is told.
        self.assertIn('1 sample has the time of an earlier row',
                      run('twice', 'time,x\n2026-01-01T00:00:00Z,1.5\n2026-01-01T00:00:00Z,2.5\n').stderr)

    def test_files_of_other_programs(self):
        def run(name, text, *options, code=0):
            path = self.file(name + '.csv', '')
            with open(path, 'wb') as file:
                file.write(text if isinstance(text, bytes) else text.encode())
            result = self.run_any('import', '--prefix', name + '/', *options, path)
            self.assertEqual(result.returncode, code, result.stderr)
            return result.stderr

        def samples(tag):
            return [(t[11:16], v, q) for t, v, q in self.samples(tag)]

        # States of a data system say why there is no value.
        told = run('pi', 'Timestamp,FIC101.PV\n10-Nov-26 00:00:00,Pt Created\n10-Nov-26 01:00:00,12.5\n'
                         '10-Nov-26 02:00:00,I/O Timeout\n')
        self.assertIn('2 texts that say why there is no value', told)
        self.assertEqual(samples('pi/FIC101.PV'), [('00:00', '0', 'BadWaitingForInitialData'), ('01:00', '12.5', 'Good'),
                                                   ('02:00', '0', 'BadNoCommunication')])
        run('state', 'time,x\n2026-01-01 00:00,1.5\n2026-01-01 00:01,OFFSCAN\n', '--state', 'OFFSCAN=BadOutOfService')
        self.assertEqual(samples('state/x'), [('00:00', '1.5', 'Good'), ('00:01', '0', 'BadOutOfService')])
        # Date and hour, one tag for each unit and quantity, how it was measured.
        told = run('epa', 'Facility ID,Unit ID,Date,Hour,Gross Load (MW),SO2 Mass (lbs),SO2 Mass Measure Indicator,Unit Type\n'
                          + ''.join('2480,%s,2026-03-01,%d,%d,5,%s,Boiler\n' % (unit, hour, 100 * unit + hour,
                                                                            'Substitute' if hour == 2 else 'Measured')
                                    for unit in (1, 2) for hour in range(3)))
        self.assertIn('layout epa', told)
        self.assertEqual(samples('epa/2480/2/Gross Load'), [('00:00', '200', 'Good'), ('01:00', '201', 'Good'), ('02:00', '202', 'Good')])
        self.assertEqual(samples('epa/2480/1/SO2 Mass')[2], ('02:00', '5', 'UncertainSubstituteValue'))
        self.assertEqual([row['name'] for row in self.rows('tag', 'list', 'epa/*')],
                         ['epa/2480/1/Gross Load', 'epa/2480/1/SO2 Mass', 'epa/2480/2/Gross Load', 'epa/2480/2/SO2 Mass'])
        # Devices in a column.
        run('keyed', 'station,time,PM10\nA,2026-01-01 00:00,1\nB,2026-01-01 00:00,2\nA,2026-01-01 01:00,3\n',
            '--key-columns', 'station')
        self.assertEqual(samples('keyed/A/PM10'), [('00:00', '1', 'Good'), ('01:00', '3', 'Good')])
        # The text's encoding is a question, or plain.
        latin = 'Zeit;T [\u00b0C]\n24.10.2026 22:00;60,5\n'.encode('latin-1')
        self.assertIn("line 1 is not UTF-8: say with --encoding", run('latin', latin, code=2))
        run('latin', latin, '--encoding', 'latin-1')
        self.assertEqual(self.rows('tag', 'show', 'latin/T')[0]['unit'], '\u00b0C')
        self.assertIn('text in UTF-16LE', run('wide', '\ufefftime,T [\u00b0C]\n2026-01-01,1\n'.encode('utf-16-le')))
        self.assertEqual(samples('wide/T'), [('00:00', '1', 'Good')])
        # A tag that has its unit in its name keeps that.
        self.run_ok('tag', 'create', 'old/Power (kW)')
        run('old', 'time,Power (kW),Flow (m3/h)\n2026-01-01,1,2\n')
        self.assertEqual([row['name'] for row in self.rows('tag', 'list', 'old/*')], ['old/Flow', 'old/Power (kW)'])
        # A preview stores nothing.
        path = self.file('shown.csv', 'time,x,y\n2026-01-01 00:00,1.5,a\n2026-01-01 00:01,No Data,\n2026-01-01 00:02,2,b\n')
        shown = self.rows('import', '--prefix', 'shown/', '--preview', '2', path)
        self.assertEqual([(r['line'], r['tag'], r['value'], r['quality']) for r in shown],
                         [(2, 'shown/x', 1.5, 'Good'), (2, 'shown/y', 'a', 'Good'), (3, 'shown/x', 0, 'BadNoData')])
        self.run_ok('tag', 'show', 'shown/x', code=3)
        # A layout that is not known, or not this file's.
        for layout, part in (('xls', 'expected auto, wide, long, toa5, pi, epa, scada or bms'), ('epa', 'Facility ID'),
                             ('bms', 'no line begins with')):
            self.assertIn(part, self.run_any('import', '--layout', layout, path).stderr)

    def test_a_mistyped_command_names_its_help(self):
        for arguments, help_of in ((['tag', 'list', '--nonsense'], 'histctl tag list'), (['impotr'], 'histctl'),
                                   (['get', 'a', '--from', 'soon'], 'histctl get')):
            result = self.run_any(*arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn("'%s --help' explains" % help_of, result.stderr)

    def test_a_mistyped_word_is_answered_with_the_nearest(self):
        self.run_ok('tag', 'create', 'near/PT101.PV', 'near/PT102.PV', 'near/flow')
        for arguments, code, meant in (
                (['impotr'], 2, "has no command impotr; did you mean import?"),
                (['tag', 'crate', 'x'], 2, "'histctl tag' has no command crate; did you mean create?"),
                (['latest', '*', '--form', 'csv'], 2, "has no option --form; did you mean --format?"),
                (['get', 'near/flow', '--formt=csv'], 2, "did you mean --format?"),
                (['get', 'near/flow', '-from', '-1h'], 2, "did you mean --from?"),
                (['get', 'near/flow', '--from', '2026-11-23', '06:00'], 2, 'with quotes around it'),
                (['get', 'near/flow', '--tz', 'Berlin'], 2, 'did you mean Europe/Berlin?'),
                (['aggregate', 'near/flow', '--from', '-1h', '--aggregate', 'avreage'], 2, 'did you mean average?'),
                (['tag', 'create', 'near/x', '--type', 'flaot64'], 2, 'did you mean float64?'),
                (['get', 'near/PT101PV'], 3, "no such tag; did you mean 'near/PT101.PV'?"),
                (['latest', 'near/pt102.pv'], 3, "did you mean 'near/PT102.PV'?"),
                (['put', 'near/lfow', '1'], 3, "did you mean 'near/flow'?"),
                (['tag', 'retire', 'near/flwo'], 3, "did you mean 'near/flow'?"),
                (['get', 'PT102.PV'], 3, "did you mean 'near/PT102.PV'?"),
                (['get', 'quite another'], 3, "'histctl tag list' lists the tags"),
                (['get', 'near/PT*'], 2, "is a pattern, and this takes the name of one tag; it matches "
                                         "'near/PT101.PV', 'near/PT102.PV'"),
                (['get', 'nearer/*'], 3, "no tag matches 'nearer/*'"),
                (['tag', 'retire', 'near/*'], 2, "is a pattern, and this takes names")):
            result = self.run_any(*arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(meant, result.stderr)
        for arguments in (['hold', 'release', '999', '--reason', 'x'], ['retention', 'remove', 'nope']):
            self.assertNotIn('tag list', self.run_any(*arguments).stderr)
        result = subprocess.run(self.command('status'), capture_output=True, text=True, timeout=DEADLINE_S,
                                env=dict(ENVIRONMENT, HISTORIAN_SERVR='x:1', HISTORIAN_DATA_DIR='/d'))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('HISTORIAN_SERVR, which says nothing to histctl; did you mean HISTORIAN_SERVER?', result.stderr)
        self.assertNotIn('DATA_DIR', result.stderr)

    def test_an_import_that_cannot_be_says_why(self):
        path = self.file('none.csv', 'time,none/a\n2026-01-01,1\n')
        self.assertIn('none/a', self.run_any('import', '--no-create', path).stderr)
        self.run_ok('import', '--no-create', path, code=3)
        self.run_ok('import', path + '.missing', code=6)
        self.run_ok('import', '--map', 'x=y', path, code=2)
        self.run_ok('import', '--time-format', 'german', path, code=2)
        self.run_ok('import', '--start', '2026-01-01', path, code=2)
        self.run_ok('import', '--dry-run', path)
        self.run_ok('tag', 'show', 'none/a', code=3)
        self.run_ok('export', 'none/*', code=3)
        self.run_ok('tag', 'create', 'none/b')
        self.run_ok('export', 'none/b', '-o', os.path.join(self.temporary.name, 'no/such/directory'), code=6)

    def test_files_that_are_no_text_are_told_what_they_are(self):
        table = 'time,foreign/a\n2026-01-01,1\n'
        files = {}
        for name, members in (('week.xlsx', ['[Content_Types].xml', 'xl/workbook.xml', 'xl/worksheets/sheet1.xml']),
                              ('week.zip', ['week.csv'])):
            files[name] = os.path.join(self.temporary.name, name)
            with zipfile.ZipFile(files[name], 'w', zipfile.ZIP_DEFLATED) as archive:
                for member in members:
                    archive.writestr(member, table)
        files['week.csv.gz'] = os.path.join(self.temporary.name, 'week.csv.gz')
        with gzip.open(files['week.csv.gz'], 'wt') as out:
            out.write(table)
        files['page.xls'] = self.file('page.xls', '<html><table><tr><td>time</td><td>foreign/a</td></tr></table></html>')
        good = self.file('foreign.csv', table)
        for name, what in (('week.xlsx', 'a spreadsheet of Excel (.xlsx), not text: '), ('week.zip', 'a ZIP archive, not text: '),
                           ('week.csv.gz', 'compressed with gzip, not text: unpack it first (gunzip --keep FILE)'),
                           ('page.xls', 'a page of HTML, ')):
            # No encoding makes it one; and of the files beside it nothing is stored, either.
            for options in ([], ['--encoding', 'latin-1'], ['--encoding', 'utf-8']):
                refused = self.run_any('import', *options, good, files[name])
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn('%s: is %s' % (files[name], what), refused.stderr)
            self.assertIn(what, self.run_any('tag', 'import', files[name]).stderr)
        self.run_ok('tag', 'show', 'foreign/a', code=3)

    def test_a_matrix_of_numbers_and_columns_named_after_their_file(self):
        path = self.file('d00.dat', ''.join('   %e   %e\n' % (i, -i) for i in range(100)))
        self.run_ok('import', '--no-header', '--columns', 'XMEAS 1..2', '--start', '2026-01-01', '--step', '3m',
                    '--prefix', 'matrix/{file}/', path)
        stored = self.samples('matrix/d00/XMEAS 2')
        self.assertEqual((len(stored), stored[-1]), (100, ('2026-01-01T04:57:00Z', '-99', 'Good')))
        one = self.file('taxi.csv', 'timestamp,value\n2014-07-01 00:00:00,10844\n')
        self.run_ok('import', '--prefix', 'named/', '--map', 'value={file}', '--unit', 'value=rides', one)
        self.assertEqual(self.rows('tag', 'show', 'named/taxi')[0]['unit'], 'rides')

    def test_local_times_over_both_clock_changes(self):
        def rows(times):
            return 'time,%s\n' + ''.join('%s,%d\n' % (t, i) for i, t in enumerate(times))
        back = self.file('back.csv', rows(['2026-10-25 %s' % t for t in (
            '01:30', '02:00', '02:30', '02:00', '02:30', '03:00')]) % 'dst/back')
        summary = self.rows('--tz', 'Europe/Berlin', 'import', back)[0]
        self.assertEqual((summary['stored'], summary['clock_repeated']), (6, 4))
        self.assertEqual([t[11:16] for t, _, _ in self.samples('dst/back')],
                         ['23:30', '00:00', '00:30', '01:00', '01:30', '02:00'])
        forth = self.file('forth.csv', rows(['2026-03-29 01:59', '2026-03-29 02:30', '2026-03-29 03:31']) % 'dst/forth')
        self.assertEqual(self.rows('--tz', 'Europe/Berlin', 'import', forth)[0]['clock_skipped'], 1)
        self.assertEqual([t[11:16] for t, _, _ in self.samples('dst/forth')], ['00:59', '01:30', '01:31'])

    def test_an_export_imports_as_identical_samples(self):
        seed = random.randrange(1 << 30)
        generator = random.Random(seed)
        types = {'float64': lambda: repr(generator.choice([generator.uniform(-1, 1) * 10.0**generator.randrange(-300, 300),
                                                           -0.0, float('inf'), 5e-324])),
                 'float32': lambda: '%.3g' % generator.uniform(-9, 9), 'int64': lambda: str(generator.randrange(-2**63, 2**63)),
                 'bool': lambda: generator.choice(['true', 'false']), 'digital': lambda: str(generator.randrange(2**32)),
                 'string': lambda: '"' + generator.choice(['', 'a,b', 'x ""quoted""', 'two\nlines', '  spaces ']) + '"'}
        text = 'time,tag,value,quality\n'
        for name, value in types.items():
            self.run_ok('tag', 'create', 'trip/' + name, 'trip2/' + name, '--type', name)
            for i in range(300):
                text += '%d.%09d,trip/%s,%s,%s\n' % (1500000000 + i, generator.randrange(10**9), name, value(),
                                                   generator.choice(['Good', 'Good', 'BadNoData', '0x40920401']))
        self.run_ok('import', self.file('trip.csv', text))
        exported = self.run_ok('export', 'trip/*', '--tz', 'America/St_Johns')
        self.assertEqual(len(list(csv.DictReader(io.StringIO(exported)))), 1800, 'seed %d' % seed)
        copied = exported.replace('trip/', 'trip2/')
        self.assertEqual(self.rows('import', self.file('trip2.csv', copied))[0]['stored'], 1800)
        self.assertEqual(self.run_ok('export', 'trip2/*', '--tz', 'America/St_Johns'), copied, 'seed %d' % seed)
        # Wide: all but the Bad ones.
        wide = self.run_ok('export', 'trip/*', '--layout', 'wide')
        cells = sum(1 for row in csv.reader(io.StringIO(wide)) for _ in row)
        self.assertGreater(cells, 1800)
        path = os.path.join(self.temporary.name, 'wide.csv')
        self.run_ok('export', 'trip/*', '--layout', 'wide', '-o', path)
        self.assertEqual(read(path), wide)

    def large_file(self, name, tags, rows):
        lines = ['time,' + ','.join('%s/%d' % (name, i) for i in range(tags)) + '\n']
        for r in range(rows):
            lines.append('%d,' % (1500000000 + r) + ','.join('%d.%d' % (r, i) for i in range(tags)) + '\n')
        return self.file(name + '.csv', ''.join(lines))

    def stored(self):
        return self.rows('status')[0]['samples_stored']

    def count(self, pattern):
        """Samples as readers see them."""
        rows = self.rows('aggregate', pattern, '--from', '2017-01-01', '--to', '2018-01-01', '--aggregate', 'sample-count')
        return sum(r['sample-count'] for r in rows)

    def test_a_killed_import_goes_on_where_it_was(self):
        tags, rows = 10, 200000
        path = self.large_file('killed', tags, rows)
        before = self.stored()
        kills = 0
        for part in (0.1, 0.4, 0.7):
            importing = subprocess.Popen(self.command('import', path), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            wait_for(lambda: self.stored() - before > part * tags * rows or importing.poll() is not None, 'samples')
            importing.kill()
            kills += importing.wait() == -signal.SIGKILL
        self.assertGreater(kills, 0, 'no import was still running')
        summary = self.rows('import', path)[0]
        self.assertEqual(summary['samples'], tags * rows)
        self.assertEqual(summary['stored'] + summary['earlier'], tags * rows)
        self.assertEqual(self.stored() - before, tags * rows)
        self.assertEqual(self.count('killed/*'), tags * rows)
        again = self.rows('import', path)[0]
        self.assertEqual((again['stored'], again['earlier']), (0, tags * rows))
        self.assertEqual(self.stored() - before, tags * rows)

    def test_an_import_outlives_a_killed_server(self):
        tags, rows = 10, 200000
        for attempt in range(5):
            name = 'server%d' % attempt
            path = self.large_file(name, tags, rows)
            before = self.stored()
            importing = subprocess.Popen(self.command('import', path, '--format', 'json'), stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, universal_newlines=True, env=ENVIRONMENT)
            wait_for(lambda: self.stored() > before or importing.poll() is not None, 'samples')
            self.server.kill()
            time.sleep(0.3)  # Long enough that the importer meets a port where nobody listens.
            self.server.start()
            out, err = importing.communicate(timeout=DEADLINE_S)
            self.assertEqual(importing.returncode, 0, err)
            self.assertEqual(json.loads(out)[0]['samples'], tags * rows)
            self.assertEqual(self.count(name + '/*'), tags * rows)
            self.assertEqual(sum(r['samples'] for r in self.rows('storage', name + '/*')), tags * rows)
            again = self.rows('import', path)[0]
            self.assertEqual((again['stored'], again['earlier']), (0, tags * rows))
            if 'the server is back' in err:
                return
        self.fail('no import was still running')

    def test_an_interrupted_import_says_so(self):
        path = self.large_file('interrupted', 10, 100000)
        before = self.stored()
        importing = subprocess.Popen(self.command('import', path), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, universal_newlines=True, env=ENVIRONMENT)
        wait_for(lambda: self.stored() > before or importing.poll() is not None, 'samples')
        importing.send_signal(signal.SIGINT)
        _, err = importing.communicate(timeout=DEADLINE_S)
        if importing.returncode != 0:  # It may have been done already.
            self.assertEqual(importing.returncode, 130)
            self.assertIn('run the same command again', err)
        self.run_ok('import', path)
        self.assertEqual(self.count('interrupted/*'), 1000000)

    # Versions.

    def test_versions_are_marked_and_listed(self):
        marked = self.rows('version', 'mark', '--comment', 'batch 12 released', '--by', 'ada')[0]
        self.run_ok('version', 'mark', '--comment', 'another')
        listed = self.rows('version', 'list', '--all')
        self.assertEqual(sorted((row['version'] for row in listed), reverse=True), [row['version'] for row in listed])
        row = next(row for row in listed if row['version'] == marked['version'])
        self.assertEqual((row['cause'], row['by'], row['comment']), ('mark', 'ada', 'batch 12 released'))
        self.assertEqual(row['closed'], marked['closed'])
        one = self.run_ok('--format', 'csv', 'version', 'list', '--limit', '1')
        self.assertEqual(len(one.strip().split('\n')), 2)
        self.assertEqual(self.rows('version', 'list', '--to', '2000-01-01'), [])
        self.run_ok('version', 'mark', code=2)
        self.run_ok('version', 'list', '--from', '2026-02-01', '--to', '2026-01-01', code=2)

    def test_values_are_explained(self):
        self.run_ok('tag', 'create', 'explain/flow', '--unit', 'm3/h')
        for minute, value in (('00:58', '10'), ('01:01', '12'), ('01:03', '16'), ('01:07', '8'), ('01:09', '14'), ('01:11', '18')):
            self.run_ok('put', 'explain/flow', value, '--time', '2026-01-01T%s:00Z' % minute)
        self.run_ok('put', 'explain/flow', '99', '--time', '2026-01-01T01:05:00Z', '--quality', 'BadNoCommunication')
        span = ['explain/flow', '--from', '2026-01-01T01:00:00Z', '--to', '2026-01-01T01:10:00Z']
        text = self.run_ok('explain', *span, '--aggregate', 'avg')
        for part in ('explain/flow [m3/h]', '12.5, UncertainDataSubNormal, Calculated, at 2026-01-01T01:00:00Z',
                     'the samples, one by one, give the same by definition', '(12 + 16 + 8 + 14) / 4 = 12.5',
                     '4 of 5 members are Good, 1 count as Bad', '5 samples:', 'counts as Bad: its quality is Bad',
                     'samples that are not sealed yet', 'sloped (the tag\'s)'):
            self.assertIn(part, text)
        text = self.run_ok('explain', *span, '--aggregate', 'end-bound', '--samples', '2')
        self.assertRegex(text, r'bound at end +16, .*on the line from 14 at 2026-01-01T01:09:00Z to 18 at')
        self.assertIn('The first 1 and the last 1 of 5 samples', text)
        marked = self.rows('version', 'mark', '--comment', 'before the correction')[0]
        self.run_ok('put', 'explain/flow', '20', '--time', '2026-01-01T01:01:00Z')
        self.run_ok('seal')
        answer = self.rows('explain', *span, '--aggregate', 'Average', '--as-of', str(marked['version']))
        self.assertEqual(answer['value'], {'time': '2026-01-01T01:00:00Z', 'value': 12.5, 'status': 'UncertainDataSubNormal, Calculated'})
        self.assertIs(answer['agrees'], True)
        self.assertEqual((answer['since']['added'], answer['since']['replaced'], answer['since']['value']), (0, 1, 14.5))
        self.assertEqual([sample['value'] for sample in answer['samples']], [12, 16, 99, 8, 14])
        self.assertEqual(answer['samples'][2]['quality'], 'BadNoCommunication')
        self.assertEqual(answer['good_s'] + answer['uncertain_s'] + answer['bad_s'] + answer['no_data_s'], 600)
        self.assertGreaterEqual(len(answer['blocks']), 1)
        self.assertEqual(answer['version'], marked['version'])
        self.assertEqual(answer['config']['stepped_from'], 'the tag\'s')
        self.assertIn('block from', self.run_ok('explain', *span, '--aggregate', 'avg'))
        table = list(csv.DictReader(io.StringIO(self.run_ok('--format', 'csv', 'explain', *span, '--aggregate', 'min'))))
        self.assertEqual([row['role'] for row in table][3], 'the least')
        self.assertIn('one aggregate', self.run_any('explain', *span, '--aggregate', 'avg,min').stderr)
        self.run_ok('explain', *span, '--aggregate', 'avg,min', code=2)
        self.run_ok('explain', *span, '--aggregate', 'averige', code=2)
        self.run_ok('explain', *span, '--aggregate', 'avg', '--percent-good', '101', code=2)
        self.run_ok('explain', 'explain/flaw', *span[1:], '--aggregate', 'avg', code=3)

    def test_reads_as_of_a_version(self):
        self.run_ok('tag', 'create', 'as-of/a')
        self.run_ok('put', 'as-of/a', '1', '--time', '2026-01-01T00:00:00Z')
        marked = self.rows('version', 'mark', '--comment', 'before the correction')[0]
        self.run_ok('put', 'as-of/a', '2', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('seal')
        span = ['--from', '2026-01-01', '--to', '2026-01-02']
        for as_of in (str(marked['version']), marked['closed']):
            as_of = ['--as-of', as_of]
            self.assertEqual([row['value'] for row in self.rows('get', 'as-of/a', *span, *as_of)], [1])
            self.assertEqual([row['value'] for row in self.rows('latest', 'as-of/a', *as_of)], [1])
            self.assertEqual([row['value'] for row in self.rows('at', 'as-of/a', '--time', '2026-01-01', *as_of)], [1])
            self.assertEqual([row['maximum'] for row in self.rows('aggregate', 'as-of/a', *span, *as_of)], [1])
            self.assertIn('T00:00:00Z,as-of/a,1,Good', self.run_ok('export', 'as-of/a', *as_of))
            self.run_ok('plot', 'as-of/a', *span, *as_of)
        self.assertEqual([row['value'] for row in self.rows('get', 'as-of/a', *span)], [2])
        result = subprocess.run([HISTCTL, '--server', self.server.address, 'get', 'as-of/a', '--as-of',
                                 str(marked['version'])], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                universal_newlines=True, timeout=DEADLINE_S)
        self.assertIn('as of version %d, which closed at ' % marked['version'], result.stderr)
        self.run_ok('get', 'as-of/a', '--as-of', '999999', code=5)
        # Definitions.
        self.run_ok('tag', 'create', 'as-of/state', '--type', 'digital', '--state', '0=shut', '--state', '1=open')
        self.run_ok('put', 'as-of/state', '1', '--time', '2026-01-01T00:00:00Z')
        self.run_ok('retention', 'set', 'as-of', 'as-of/*', '--raw', 'forever')
        marked = self.rows('version', 'mark', '--comment', 'before the renaming')[0]
        self.run_ok('tag', 'set', 'as-of/state', '--state', '1=fully open')
        self.run_ok('retention', 'remove', 'as-of')
        as_of = ['--as-of', str(marked['version'])]
        show = ['get', 'as-of/state', *span]
        self.assertEqual([row['state'] for row in self.rows(*show, *as_of)], ['fully open'])
        self.assertEqual([row['state'] for row in self.rows(*show, *as_of, '--tags-too')], ['open'])
        self.run_ok(*show, '--tags-too', code=2)
        self.assertIn('1=open', str(self.rows('tag', 'show', 'as-of/state', *as_of)))
        self.assertIn('as-of', [row['rule'] for row in self.rows('retention', 'list', *as_of)])
        self.assertNotIn('as-of', [row['rule'] for row in self.rows('retention', 'list')])
        self.rows('hold', 'list', *as_of)
        self.run_ok('tag', 'create', 'as-of/later')
        self.run_ok('tag', 'show', 'as-of/later', *as_of, code=3)
        self.run_ok('get', 'as-of/a', '--as-of', '2000-01-01', code=5)
        self.run_ok('get', 'as-of/a', '--as-of', 'the other day', code=2)

    # The rest.

    def backup_server(self, name, *flags):
        """A server that backs up to a directory beside its own, when it is asked to; and how to call it."""
        directory = tempfile.mkdtemp(dir=self.temporary.name, prefix=name)
        server = Server(directory, '--backup-target', os.path.join(directory, 'repository'), '--backup-at=never',
                        '--archive-disk-reserve=0', *flags)
        self.addCleanup(server.kill)

        def call(*arguments, code=0):
            result = subprocess.run([HISTCTL, '--server', server.address, '--format', 'json'] + list(arguments),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                                    timeout=DEADLINE_S, env=ENVIRONMENT)
            self.assertEqual(result.returncode, code, result.stdout + result.stderr)
            return json.loads(result.stdout) if code == 0 and result.stdout else result.stderr

        return server, os.path.join(directory, 'repository'), call

    def test_backups_are_taken_listed_verified_tried_pruned_and_restored(self):
        server, repository, call = self.backup_server('backup')
        self.assertIn('histctl backup init', call('backup', 'create', code=3))
        call('backup', 'init')
        self.assertIn('already', call('backup', 'init', code=5))
        call('tag', 'create', 'a/flow', '--type', 'float64')
        call('put', 'a/flow', '1.5', '--time', '2026-01-01T00:00:00Z')
        first = call('backup', 'create')[0]
        self.assertGreater(first['files'], 0)
        call('put', 'a/flow', '2.5', '--time', '2026-01-01T00:01:00Z')
        second = call('backup', 'create')[0]
        ids = [first['backup'], second['backup']]
        self.assertEqual([b['backup'] for b in call('backup', 'list')], ids)
        # Without a server too.
        self.assertEqual([b['backup'] for b in call('backup', 'list', '--repository', repository)], ids)
        for where in [[], ['--repository', repository]]:
            self.assertEqual(call('backup', 'verify', *where)[-1]['damages'], 0)
        drill = call('backup', 'drill')[0]
        self.assertEqual((drill['result'], drill['samples_the_same']), ('passed', 2))
        status = call('status')[0]
        self.assertEqual((status['backup_newest'], status['backup_overdue'], status['backup_drill']),
                         (ids[1], False, 'passed'))

        new = os.path.join(server.directory, 'new')
        restored = call('backup', 'restore', repository, '--to', os.path.join(new, 'data'), '--backup', ids[0])[0]
        self.assertEqual(restored['backup'], ids[0])
        self.assertIn('it holds an archive',
                      call('backup', 'restore', repository, '--to', os.path.join(new, 'data'), code=6))
        self.assertIn('no backup', call('backup', 'restore', repository, '--to', new + '2', '--at', '2020-01-01', code=3))
        other = Server(new)
        self.addCleanup(other.kill)
        values = json.loads(subprocess.run([HISTCTL, '--server', other.address, '--format', 'json', 'get', 'a/flow',
                                            '--from', '2026-01-01'],
                                           stdout=subprocess.PIPE, check=True, env=ENVIRONMENT).stdout)
        self.assertEqual([v['value'] for v in values], [1.5])

        planned = call('backup', 'prune', '--keep-last', '1', '--dry-run')
        self.assertEqual([(p['backup'], p['action']) for p in planned], [(ids[0], 'would be removed'), (ids[1], 'kept')])
        call('backup', 'prune', '--keep-last', '1')
        self.assertEqual([b['backup'] for b in call('backup', 'list')], ids[1:])

        manifest = os.path.join(repository, 'backups', ids[1])
        with open(manifest, 'a') as damaged:
            damaged.write('x')
        self.assertIn('1 backup is damaged', call('backup', 'list', code=7))
        self.assertIn('is damaged', call('backup', 'restore', repository, '--to', new + '3', code=7))
        self.assertFalse(os.path.exists(new + '3'))

    def test_a_server_killed_in_a_backup_leaves_the_older_ones(self):
        server, repository, call = self.backup_server('killed')
        call('backup', 'init')
        call('tag', 'create', 'a/flow', '--type', 'int64')
        call('put', 'a/flow', '1', '--time', '2026-01-01T00:00:00Z')
        first = call('backup', 'create')[0]['backup']
        # From now on one takes for ever.
        server.flags.append('--backup-rate-limit=1000')
        server.kill()
        server.start()
        for i in range(3):
            call('put', 'a/flow', str(i + 2), '--time', '2026-01-01T00:0%d:00Z' % (i + 1))
            creating = subprocess.Popen([HISTCTL, '--server', server.address, 'backup', 'create'], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            wait_for(lambda: call('status')[0]['backup_running'] == 'a backup', 'the backup')
            wait_for(lambda: os.listdir(os.path.join(server.directory, 'data', 'runs')), 'the checkpoint')
            server.kill()
            self.assertNotEqual(creating.wait(timeout=DEADLINE_S), 0)
            server.start()
            self.assertEqual(os.listdir(os.path.join(server.directory, 'data', 'runs')), [])
            self.assertEqual([b['backup'] for b in call('backup', 'list')], [first])
            self.assertEqual(call('backup', 'verify', '--repository', repository)[-1]['damages'], 0)

    def test_an_interrupted_restore_goes_on(self):
        server, repository, call = self.backup_server('interrupted')
        call('backup', 'init')
        call('tag', 'create', 'a/flow', '--type', 'int64')
        call('put', 'a/flow', '1', '--time', '2026-01-01T00:00:00Z')
        call('backup', 'create')
        to = os.path.join(server.directory, 'new', 'data')
        restoring = subprocess.Popen([HISTCTL, 'backup', 'restore', repository, '--to', to, '--rate-limit', '0.001'],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
                                     env=ENVIRONMENT)
        wait_for(lambda: os.path.exists(os.path.join(to, 'RESTORING')), 'the restore')
        restoring.send_signal(signal.SIGINT)
        said = restoring.communicate(timeout=DEADLINE_S)[1]
        self.assertEqual(restoring.returncode, 130, said)
        self.assertIn('the same command goes on', said)
        refused = subprocess.run([HISTORIAND, '--data-dir', to, '--grpc-listen', '127.0.0.1:0', '--http-listen',
                                  '127.0.0.1:0'], stderr=subprocess.PIPE, universal_newlines=True, timeout=DEADLINE_S,
                                 env=ENVIRONMENT)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('is not finished', refused.stderr)
        call('backup', 'restore', repository, '--to', to)
        other = Server(os.path.dirname(to))
        self.addCleanup(other.kill)

    def test_tokens_decide_who_may_do_what(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get('TEST_TMPDIR')) as directory:
            server = Server(directory)
            self.addCleanup(server.kill)

            def run(*arguments, token=None, code=0, stdin=None):
                options = ['--token-file', token] if token else []
                done = subprocess.run([HISTCTL, '--server', server.address] + options + list(arguments), input=stdin,
                                      capture_output=True, text=True, env=ENVIRONMENT, timeout=DEADLINE_S)
                self.assertEqual(done.returncode, code, done.stderr)
                return done

            def make(name, *arguments, token=None):
                path = os.path.join(directory, name + '.token')
                with open(path, 'w') as file:
                    file.write(run('token', 'create', name, *arguments, token=token).stdout)
                return path

            self.assertIn('asks nobody who they are', run('whoami').stderr)
            run('tag', 'create', 'a/flow')
            self.assertIn('could do nothing', run('token', 'create', 'x', code=2).stderr)
            self.assertIn('nobody could administer', run('token', 'create', 'x', '--read', '*', code=5).stderr)
            admin = make('admin', '--all', '*')
            self.assertIn('asks who you are', run('status', code=5).stderr)
            self.assertIn('by token or certificate', run('status', token=admin).stdout)
            gateway = make('gateway', '--write', 'a/*', '--expires', '90d', token=admin)
            reader = make('reader', '--read', 'a/*', token=admin)
            run('tag', 'create', 'b/secret', token=admin)
            # Its own name is in front of the producers that commands make up.
            run('put', 'a/flow', '12.5', token=gateway)
            names = [row['producer'] for row in json.loads(
                run('--format', 'json', 'producer', 'list', token=admin).stdout)]
            self.assertEqual([name for name in names if name.startswith('gateway/histctl-put/')], names)
            path = os.path.join(directory, 'a.csv')
            with open(path, 'w') as file:
                file.write('time,a/flow\n2026-11-01T00:00:00Z,1\n2026-11-01T00:01:00Z,2\n')
            run('import', path, token=gateway)
            self.assertEqual(len(run('--format', 'csv', 'get', 'a/flow', '--from', '2026-11-01', token=reader)
                                 .stdout.splitlines()), 4)
            self.assertIn("may not read", run('get', 'a/flow', '--from', '2026-11-01', token=gateway, code=5).stderr)
            self.assertIn("tag 'b/secret': no such tag", run('get', 'b/secret', token=reader, code=3).stderr)
            self.assertNotIn('secret', run('tag', 'list', token=reader).stdout)
            self.assertIn('may not write', run('put', 'a/flow', '1', token=reader, code=5).stderr)
            listed = {row['name']: row for row in json.loads(
                run('--format', 'json', 'token', 'list', token=admin).stdout)}
            self.assertEqual(listed['gateway']['state'], 'in force')
            self.assertEqual(listed['gateway']['created_by'], 'admin')
            run('token', 'revoke', listed['gateway']['id'], token=admin)
            self.assertIn('was revoked', run('put', 'a/flow', '1', token=gateway, code=5).stderr)
            self.assertIn('nobody could administer', run('token', 'revoke', listed['admin']['id'], token=admin,
                                                         code=5).stderr)
            # The way out when the last token is lost.
            rescue = make('rescue', '--all', '*', '--data-dir', os.path.join(directory, 'data'))
            wait_for(lambda: subprocess.run(
                [HISTCTL, '--server', server.address, '--token-file', rescue, 'whoami'], capture_output=True,
                env=ENVIRONMENT, timeout=DEADLINE_S).returncode == 0, 'the token that was written into the directory')
            # Not in plain text to another machine.
            self.assertIn('plain text', subprocess.run(
                [HISTCTL, '--server', '192.0.2.1:7720', '--token-file', rescue, 'status'], capture_output=True, text=True,
                env=ENVIRONMENT, timeout=DEADLINE_S).stderr)

    def test_a_server_that_is_not_there(self):
        for arguments in (['status'], ['get', 'x'], ['put', 'x', '1'], ['tag', 'list'],
                          ['import', self.file('away.csv', 'time,away/a\n2026-01-01,1\n')]):
            result = subprocess.run([HISTCTL, '--server', '127.0.0.1:1'] + arguments, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, universal_newlines=True, timeout=DEADLINE_S)
            self.assertEqual(result.returncode, 4, arguments)
            self.assertIn('127.0.0.1:1', result.stderr)

    def test_one_who_hangs_up_may_want_tls(self):
        listening = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listening.close)

        def hang_up():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.recv(65536)
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        address = '127.0.0.1:%d' % listening.getsockname()[1]
        result = subprocess.run([HISTCTL, '--server', address, 'status'], capture_output=True, text=True, env=ENVIRONMENT,
                                timeout=DEADLINE_S)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn('Somebody answers at %s but hangs up: it may want TLS. Try --tls' % address, result.stderr)
        # The other way round.
        result = subprocess.run(self.command('--tls', 'status'), capture_output=True, text=True, env=ENVIRONMENT,
                                timeout=DEADLINE_S)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn('or leave --tls away', result.stderr)

    def test_help_version_and_completion(self):
        self.assertIn('Exit codes', self.run_ok('--help'))
        self.assertIn('histctl ', self.run_ok('version'))
        words = ['tag', 'put', 'get', 'latest', 'at', 'aggregate', 'explain', 'plot', 'import', 'export', 'status', 'storage',
                 'seal', 'verify', 'salvage', 'block', 'completion', 'version']
        for word in words:
            self.assertIn('Example', self.run_ok(*([word, 'list'] if word in ('tag', 'block') else [word]), '--help'))
        for shell in ('bash', 'zsh', 'fish'):
            self.assertIn('__complete', self.run_ok('completion', shell))
        self.run_ok('completion', 'tcsh', code=2)
        self.run_ok('nonsense', code=2)

    def complete(self, *words, **environment):
        done = subprocess.run([HISTCTL, '__complete', *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=DEADLINE_S, env=dict(ENVIRONMENT, **environment))
        self.assertEqual(done.returncode, 0)
        return [line.split('\t')[0] for line in done.stdout.splitlines()]

    def test_words_are_completed(self):
        self.run_ok('tag', 'create', 'complete/pump/flow', 'complete/pump/state', 'complete/a tag')
        self.run_ok('tag', 'create', *('complete/many/%d/x' % (i % 4) + str(i) for i in range(200)))
        server = ['--server', self.server.address]
        for words, expected in (
                (['tag', 'cr'], ['create']),
                (['pl'], ['plot']),
                (['--server', 'x:1', 'get', '--fr'], ['--from']),
                (['get', '--tok'], ['--token-file']),
                (server + ['get', 'complete/p'], ['complete/pump/flow', 'complete/pump/state']),
                (server + ['put', 'complete/pump/f'], ['complete/pump/flow']),
                (server + ['put', 'complete/pump/flow', 'c'], []),
                (server + ['latest', 'x', 'complete/a'], ['complete/a tag']),
                (server + ['tag', 'show', 'complete/a'], ['complete/a tag']),
                (server + ['tag', 'create', 'complete/a'], []),
                (server + ['latest', 'complete/many/'], ['complete/many/%d/' % i for i in range(4)]),
                (server + ['latest', 'complete/*'], []),
                (['tag', 'create', 'x', '--type', 'flo'], ['float64', 'float32']),
                (['aggregate', 'x', '--aggregate', 'max'], ['maximum', 'max', 'maximum-actual-time', 'max-time', 'maximum2', 'max2', 'maximum-actual-time2', 'max-time2']),
                (['aggregate', 'x', '--aggregate', 'min,rang'], ['min,range', 'min,range2']),
                (['get', 'x', '--tz', 'Europe/Berl'], ['Europe/Berlin']),
                (['get', 'x', '--tz=Europe/Berl'], ['--tz=Europe/Berlin']),
                (['aggregate', 'x', '--zone', 'Asia/Kath'], ['Asia/Kathmandu']),
                (['aggregate', 'x', '--every', '1m'], ['1mo']),
                (['get', 'x', '--format', ''], ['table', 'csv', 'json']),
                (['import', ''], [':files']), (['get', '--ca', ''], [':files']),
                (['completion', 'f'], ['fish']),
                (['nonsense', 'x'], []), (['get', '--nonsense', 'x', '--'], None), ([''], None), ([], [])):
            found = self.complete(*words)
            if expected is not None:
                self.assertEqual(found, expected, words)
            else:
                self.assertGreater(len(found), 10, words)
        self.assertEqual(self.complete('get', 'complete/a', HISTORIAN_SERVER=self.server.address), ['complete/a tag'])
        # Quiet where nobody answers.
        self.assertEqual(self.complete('--server', '127.0.0.1:1', 'get', 'complete/a'), [])
        self.assertEqual(self.complete('--server', self.server.address, '--ca', '/nonexistent', 'get', 'complete/a'), [])

    def test_bash_completes(self):
        self.run_ok('tag', 'create', 'bash/pump/flow')
        script = self.run_ok('completion', 'bash')
        for line, expected in (('histctl tag cr', 'create'), ('histctl --server x:1 get --fr', '--from'),
                               ('histctl pl', 'plot'), ('histctl get --tz=Europe/Berl', 'Europe/Berlin'),
                               ("histctl --server %s get 'bash/p" % self.server.address, 'bash/pump/flow'),
                               ('histctl --server %s get bash/p' % self.server.address, 'bash/pump/flow'),
                               ('histctl status ', ''), ('histctl verify --data-dir /us', '/usr')):
            done = subprocess.run(
                ['bash', '-c', script + '\nCOMP_LINE="$1" COMP_POINT=${#1}; _histctl; echo "${COMPREPLY[@]}"', 'bash', line],
                stdout=subprocess.PIPE, universal_newlines=True, timeout=DEADLINE_S,
                env=dict(ENVIRONMENT, PATH=os.path.dirname(HISTCTL) + ':' + ENVIRONMENT['PATH']))
            self.assertEqual(done.stdout.strip(), expected, line)


if __name__ == '__main__':
    unittest.main(verbosity=2)
