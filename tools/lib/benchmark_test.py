#!/usr/bin/env python3
"""What tools/benchmark makes of figures; measuring itself is histbench's, which has tests of its own."""

import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('TEST_SRCDIR', ''), 'historian', 'tools', 'lib'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import against  # noqa: E402
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


def run_of(rate, p50_ms=0.2, restart=0.4):
    return {'connections': 4, 'ingest': {'samples_per_second': rate, 'lost': 0},
            'queries': {'buckets_1000': {'p50_ms': p50_ms, 'p99_ms': 9}},
            'restart': {'seconds': restart, 'lost': 0}}


class AgainstTest(unittest.TestCase):

    def test_a_ratio_above_one_is_always_better(self):
        self.assertEqual(against.ratio(30, 20, more_is_better=True), 1.5)
        self.assertEqual(against.ratio(20, 30, more_is_better=False), 1.5)
        for new, old in ((None, 1), (1, None), (0, 1), (1, 0), (-1, 1)):
            self.assertIsNone(against.ratio(new, old, True))

    def test_rounds_are_paired_and_the_median_is_told_with_its_spread(self):
        # The machine halves its speed in each round: only pairs tell that new is a tenth better.
        comparison = against.Comparison()
        for new, old in ((44e6, 40e6), (22e6, 20e6), (12e6, 10e6)):
            comparison.add(against.figures_of('plant', {'runs': [run_of(new)]}),
                           against.figures_of('plant', {'runs': [run_of(old)]}))
        row = comparison.rows()[0]
        self.assertEqual(row['figure'], 'plant, 4 conn.: durable samples')
        self.assertEqual((row['new'], row['old']), (22e6, 20e6))
        self.assertEqual(row['ratios'], [1.1, 1.1, 1.2])
        cells = [cell.strip() for cell in against.table_of(comparison.rows()).splitlines()[2].split('|')]
        self.assertEqual(cells[1:-1], ['plant, 4 conn.: durable samples', '22.00 M/s', '20.00 M/s', '1.100', '1.100',
                                       '1.200', '3', 'yes'])

    def test_lines_of_the_table_are_equally_long(self):
        comparison = against.Comparison()
        comparison.add(against.figures_of('plant', {'runs': [run_of(44e6)]}), {})
        self.assertEqual(len({len(line) for line in against.table_of(comparison.rows()).splitlines()}), 1)

    def test_a_figure_that_one_side_lacks_is_said_so(self):
        comparison = against.Comparison()
        comparison.add({'plant: a': against.Figure(1, 'ms', False, True)},
                       {'plant: b': against.Figure(2, 'ms', False, True)})
        comparison.add({}, {})
        lines = against.table_of(comparison.rows()).splitlines()
        self.assertIn('not measured in old', lines[2])
        self.assertIn('not measured in new', lines[3])
        self.assertEqual(against.below(comparison.rows(), 0.95), [])

    def test_what_nobody_measures_is_not_in_the_table(self):
        comparison = against.Comparison()
        comparison.add(against.figures_of('plant', {'runs': [run_of(1e6)]}),
                       against.figures_of('plant', {'runs': [run_of(1e6)]}))
        self.assertFalse([row for row in comparison.rows() if 'peak memory' in row['figure']])

    def test_at_least_looks_at_medians_of_held_figures_only(self):
        figures = {'rate': against.Figure(90, '/s', True, True), 'tail': against.Figure(200, 'ms', False, False),
                   'time': against.Figure(104, 'ms', False, True)}
        old = {label: figure._replace(value=100) for label, figure in figures.items()}
        comparison = against.Comparison()
        comparison.add(figures, old)
        self.assertEqual([name for name, _ in against.below(comparison.rows(), 0.95)], ['rate'])
        self.assertEqual([name for name, _ in against.below(comparison.rows(), 0.97)], ['rate', 'time'])
        self.assertEqual(against.below(comparison.rows(), 0.9), [])

    def test_measures_of_one_run_and_programs_of_the_engine(self):
        figures = against.figures_of('year', {'year': {'samples_per_second': 7, 'year_p50_ms': 2, 'year_p99_ms': 3,
                                                       'year_to_day': 1.1, 'settle_seconds': 4}})
        self.assertEqual([(label, f.more_is_better, f.held) for label, f in figures.items()],
                         [('year: samples_per_second', True, True), ('year: year_p50_ms', False, True),
                          ('year: year_p99_ms', False, False), ('year: settle_seconds', False, False)])
        figures = against.figures_of('engine', {'rows': [{'program': 'p', 'name': 'B/1', 'ns': 5}]})
        self.assertEqual(figures, {'p: B/1': against.Figure(5, 'ns', False, True)})

    def compared(self, new_rate, old_rate, *arguments):
        """(exit code, what is printed) of a whole comparison whose measuring is made up."""
        def workload(bench, part, scratch, arguments=None):
            order.append((part, str(bench.binaries)))
            rate = new_rate if str(bench.binaries) == 'new' else old_rate
            if rate is None:
                raise RuntimeError('histbench ended with 1')
            return {'runs': [run_of(rate)]} if part in against.INGEST else {}
        order = []
        printed, told = io.StringIO(), io.StringIO()
        with mock.patch.object(benchmark.Bench, 'workload', workload), \
                mock.patch.object(benchmark, 'knows_seconds', lambda histbench: True), \
                mock.patch.object(benchmark.Bench, 'program', lambda bench, path: path), \
                mock.patch.object(against, 'commit_of', lambda root, revision: 'c0ffee'), \
                mock.patch.object(against, 'git', lambda root, *words: ''), \
                mock.patch.object(against, 'programs_of', lambda *_: pathlib.Path('old')), \
                contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            code = benchmark.main(['--root', '.', '--binaries', 'new', '--against', 'c0ffee', '--scratch',
                                   os.environ.get('TEST_TMPDIR') or tempfile.gettempdir()] + list(arguments))
        return code, printed.getvalue(), order

    def test_sides_take_turns_part_by_part(self):
        code, printed, order = self.compared(2e6, 2e6, '--rounds', '2', 'plant', 'small')
        self.assertEqual(code, 0)
        self.assertEqual(order, [('plant', 'new'), ('plant', 'old'), ('small', 'new'), ('small', 'old'),
                                 ('plant', 'old'), ('plant', 'new'), ('small', 'old'), ('small', 'new')])
        self.assertIn('small, 4 conn.: restart after kill -9', printed)

    def test_exit_code_tells_of_what_is_below_and_of_what_failed(self):
        self.assertEqual(self.compared(1.8e6, 2e6, '--rounds', '1', 'plant')[0], 0)
        code, printed, _ = self.compared(1.8e6, 2e6, '--rounds', '1', '--at-least', '0.95', 'plant')
        self.assertEqual(code, 1)
        self.assertIn('BELOW 0.95: plant, 4 conn.: durable samples is at 0.900', printed)
        self.assertEqual(self.compared(1.98e6, 2e6, '--rounds', '1', '--at-least', '0.95', 'plant')[0], 0)
        code, printed, _ = self.compared(2e6, None, '--rounds', '1', 'plant')
        self.assertEqual(code, 1)
        self.assertIn('not measured in old', printed)

    def test_the_table_is_written_only_when_asked_for(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get('TEST_TMPDIR')) as directory:
            self.compared(2e6, 1e6, '--rounds', '1', 'plant', '--results', directory)
            written = json.loads((pathlib.Path(directory) / 'against-c0ffee.json').read_text())
            self.assertEqual(written['rows'][0]['ratios'], [2])

    def test_what_cannot_be_compared_is_a_mistake(self):
        for arguments in (['soak'], ['plant', '--rounds', '0']):
            with self.assertRaises(SystemExit) as raised:
                self.compared(1, 1, *arguments)
            self.assertEqual(raised.exception.code, 2)


if __name__ == '__main__':
    unittest.main(verbosity=2)
