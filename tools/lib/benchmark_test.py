#!/usr/bin/env python3
"""What tools/benchmark makes of figures; measuring itself is histbench's, which has tests of its own."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('TEST_SRCDIR', ''), 'historian', 'tools', 'lib'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import benchmark  # noqa: E402

RUN = {'connections': 4, 'ingest': {'samples_per_second': 21e6, 'ack_p99_ms': 31}, 'storage': {},
       'queries': {'buckets_1000': {'p50_ms': 0.2, 'p99_ms': 0.9}}, 'restart': {'seconds': 0.4, 'lost': 0}}


class BenchmarkTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get('TEST_TMPDIR'))
        self.addCleanup(directory.cleanup)
        self.results = pathlib.Path(directory.name)
        (self.results / 'plant.json').write_text(json.dumps({'runs': [RUN], 'measured': {'date': 'today'}}))

    def test_targets_are_held_against_figures(self):
        rows = {row.split(' | ')[0].strip('| '): row.split(' | ')[-1].strip('| ')
                for row in benchmark.targets_table(benchmark.Figures(self.results)).splitlines()}
        self.assertEqual(rows['*plant*, durable, 4 connections'], 'yes')
        self.assertEqual(rows['acknowledgement at full rate, *plant*, p99'], '**no**')
        self.assertEqual(rows['1 tag x 6 h in 1,000 buckets, p50 / p99'], 'yes')
        self.assertEqual(rows['*plant*, durable, 1 connection'], 'not measured')
        self.assertEqual(rows['restart after kill -9, the longest; lost and twice'], 'yes')

    def test_only_what_is_between_the_marks_is_written(self):
        page = self.results / 'page.md'
        page.write_text('before\n<!-- benchmark:targets -->\nwhat was there\n<!-- /benchmark -->\nbetween\n'
                        '<!-- benchmark:soak -->\n<!-- /benchmark -->\nafter\n')
        for _ in range(2):
            benchmark.write_page(page, self.results)
        text = page.read_text()
        self.assertNotIn('what was there', text)
        self.assertIn('21.0 M', text)
        for line in ('before\n', '\nbetween\n', '\nafter\n'):
            self.assertIn(line, text)
        self.assertEqual(text.count('benchmark:targets'), 1)

    def test_every_table_can_be_made_from_nothing(self):
        figures = benchmark.Figures(self.results / 'nothing')
        for make in benchmark.TABLES.values():
            self.assertTrue(make(figures))

    def test_page_columns_are_summed(self):
        dump = ('tag  x\nsamples  9405\n\npage  offset  bytes  times  time_bytes  values          value_bytes\n'
                '   0       0   1968  delta          52  patched decimals(5)         1913\n'
                '   1    1968   1953  delta          54  patched decimals(5)         1896\n')
        self.assertEqual(benchmark.page_columns(dump), {'value_bytes': 3809, 'time_bytes': 106})


if __name__ == '__main__':
    unittest.main(verbosity=2)
