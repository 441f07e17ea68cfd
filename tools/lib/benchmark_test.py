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
import historian  # noqa: E402
import peer  # noqa: E402
import slow  # noqa: E402

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


class SlowTest(unittest.TestCase):

    STORAGE = [{'tag': 'tag-%d' % i, 'samples': 100, 'heads': 10, 'payloads': 90 - 10 * i, 'rollups': None if i else 5}
               for i in range(6)]

    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get('TEST_TMPDIR'))
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def file(self, name, size):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))

    def test_every_file_of_historian_counts_by_kind(self):
        for name, size in (('FORMAT', 1), ('rocksdb/000012.sst', 20), ('rocksdb/000013.sst', 300), ('rocksdb/LOG', 4000),
                           ('log/journal/00000000000025165824.seg', 50000), ('twins/000004.log', 600000)):
            self.file(name, size)
        self.assertEqual(historian.Historian('', '', self.directory).sizes(), {
            'FORMAT': 1, 'rocksdb/N.sst': 320, 'rocksdb/LOG': 4000, slow.SEGMENTS: 50000, 'twins/N.log': 600000})

    def test_caches_of_victoria_metrics_do_not_count(self):
        for name, size in (('data/small/1/values.bin', 1), ('indexdb/2/items.bin', 20), ('metadata/x', 300),
                           ('cache/names/0.bin', 4000), ('flock.lock', 50000)):
            self.file(name, size)
        victoria = peer.VictoriaMetrics(self.directory)
        self.assertEqual(victoria.size_bytes(), 1)
        self.assertEqual(victoria.sizes(), {'data': 1, 'indexdb': 20, 'metadata': 300, 'cache': 4000, 'flock.lock': 50000})
        self.assertEqual(slow.peer_bytes(victoria.sizes()), 50321)

    def test_what_is_of_no_tag_is_shared_out(self):
        # Heads 60, payloads 390, rollups 5: of 1,055 bytes 600 are of no tag, one a sample.
        figures = slow.figures_of(self.STORAGE, self.STORAGE[:2], 1055)
        self.assertEqual([figures[key] for key in ('tags', 'samples', 'bytes', 'head_bytes', 'payload_bytes',
                                                   'rollup_bytes', 'rest_bytes')], [6, 600, 1055, 60, 390, 5, 600])
        self.assertEqual(figures['peer'], {'tags': 2, 'samples': 200, 'our_bytes': 105 + 90 + 200})

    def test_tags_that_are_compared_are_of_all_sizes(self):
        def names(every):
            return [tag['tag'] for tag in slow.some_of(self.STORAGE, every)]
        self.assertEqual(names(1), ['tag-5', 'tag-4', 'tag-3', 'tag-2', 'tag-1', 'tag-0'])
        self.assertEqual(names(3), ['tag-4', 'tag-1'])

    def test_requests_are_of_bounded_size_and_of_every_tag_once(self):
        tags = [{'tag': str(i), 'samples': samples} for i, samples in enumerate((6, 4, 1, 30, 2, 3))]
        with mock.patch.object(slow, 'REQUEST_SAMPLES', 10):
            self.assertEqual(list(slow.requests(tags)), [['0', '1'], ['2'], ['3'], ['4', '5']])
        self.assertEqual(list(slow.requests([])), [])

    def test_victoria_metrics_gets_numbers_only(self):
        self.assertEqual(slow.peer_csv('time,tag,value,quality\n1,a,true,Good\n2,a,false,Good\n3,b,1.5,BadOutOfService\n'),
                         b'1,a,1,Good\n2,a,0,Good\n3,b,1.5,BadOutOfService\n')

    def test_air_is_the_same_each_time_and_has_gaps(self):
        for quantity in slow.QUANTITIES:
            texts = slow.air_column(1, quantity, 3000)
            self.assertEqual(texts, slow.air_column(1, quantity, 3000))
            self.assertNotEqual(texts, slow.air_column(2, quantity, 3000))
            self.assertEqual(texts[:100], slow.air_column(1, quantity, 100))
            shape = r'^(-?\d+\.\d|)$' if quantity in slow.QUANTITIES[6:] else r'^(\d+|)$'
            for text in texts:
                self.assertRegex(text, shape)
            self.assertLess(texts.count(''), 300)
        self.assertGreater(sum(slow.air_column(1, quantity, 3000).count('') for quantity in slow.QUANTITIES), 100)

    def test_air_is_imported_from_a_file_for_each_station(self):
        asked = []
        server = mock.Mock(histctl=lambda *words: asked.append(words))
        slow.write_air(server, str(self.directory / 'files'), 2, 1)
        files = [self.directory / 'files' / name for name in ('station-01.csv', 'station-02.csv')]
        self.assertEqual(asked, [('import', str(files[0]), str(files[1]), '--prefix', 'air/{file}/')])
        lines = files[1].read_text().splitlines()
        self.assertEqual(len(lines), 25)
        self.assertTrue(lines[0].startswith('time,PM2.5 [ug/m3],'))
        self.assertEqual([line.split(',')[0] for line in lines[1:3]], ['2019-01-01T00:00:00Z', '2019-01-01T01:00:00Z'])
        self.assertEqual({line.count(',') for line in lines}, {11})

    def test_table_and_targets_tell_the_ratio(self):
        compared = slow.figures_of(self.STORAGE, self.STORAGE[:2], 1055)
        compared['peer'].update({'sizes': {'data': 300, 'indexdb': 95, 'cache': 9999}, 'differs': 0})
        alone = slow.figures_of(self.STORAGE, self.STORAGE, 1055)
        del alone['peer']
        sets = [dict(figures, title=title, journal_segment_bytes=4 << 20)
                for title, figures in (('by the hour', compared), ('alone', alone))]
        (self.directory / 'slow.json').write_text(json.dumps({'sets': sets, 'measured': {'date': 'today'}}))
        figures = benchmark.Figures(self.directory)
        rows = {row.split(' | ')[0].strip('| '): [cell.strip('| ') for cell in row.split(' | ')[1:]]
                for row in benchmark.slow_table(figures).splitlines()}
        self.assertEqual(rows['bytes/sample, everything'], ['1.758', '1.758'])
        self.assertEqual(rows['Historian : VictoriaMetrics'], ['1.000', 'not measured'])
        self.assertEqual(rows['Historian : its samples alone'], ['1.317', 'not measured'])
        self.assertEqual(rows['VictoriaMetrics, bytes/sample'], ['1.975', 'not measured'])
        targets = benchmark.targets_table(figures)
        self.assertIn('| by the hour: everything : VictoriaMetrics | <= 1 | 1 | yes |', targets)
        self.assertNotIn('alone: ', targets)


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
