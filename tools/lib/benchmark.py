"""Measures Historian and writes the tables of docs/benchmarks.md; tools/benchmark calls it with what it built.

Every part leaves its figures in RESULTS/PART.json. The page is made from these files: a part that is not run again
keeps the figures it had. In the page everything between `<!-- benchmark:NAME -->` and `<!-- /benchmark -->` is
generated, all else is left alone.
"""

import argparse
import csv
import ctypes
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import against
import historian
import peer
import slow

# histbench's workloads with their arguments, whole and --quick.
WORKLOADS = {
    'plant': (['--connections', '1,4'], ['--hours', '1']),
    'late': (['--connections', '1,4'], ['--hours', '1']),
    'wide': (['--connections', '1,4'], ['--tags', '20000']),
    'small': (['--connections', '1,4'], ['--hours', '0.05']),
    'year': ([], ['--hours', '2000']),
    'backfill': ([], ['--tags', '100']),
    'idle': ([], ['--tags', '100000']),
    'soak': ([], []),
}
PARTS = ['limits', 'engine', 'plant', 'late', 'wide', 'small', 'year', 'backfill', 'idle', 'slow', 'data', 'soak']
TIMEOUT_S = historian.TIMEOUT_S
# How long ingest is on the clock, by connection: a minute tells what can be kept up, half a second what buffers hold.
SECONDS, SECONDS_QUICK, SECONDS_AGAINST = 60, 1, 10

# Public data sets by the name of their directory: files and arguments of `histctl import`.
DATA_SETS = {
    'skab': ('SKAB: a water pump test bed, 8 sensors at 1 Hz', ['anomaly-free.csv', 'valve1/*.csv'],
             ['--separator', ';', '--time-column', 'datetime', '--tz', 'Europe/Moscow', '--skip-columns',
              'anomaly,changepoint', '--prefix', 'skab/']),
    'tennessee-eastman': ('Tennessee Eastman: a simulated chemical process, 52 variables', ['d*_te.dat'],
                          ['--separator', 'whitespace', '--no-header', '--start', '2020-01-01T00:00:00Z', '--step',
                           '3m', '--prefix', 'te/{file}/']),
    'nab': ('NAB: machines and servers, mostly 5 minutes, many with 15 and more digits', ['*.csv'],
            ['--time-column', 'timestamp', '--tz', 'UTC', '--map', 'value=nab/{file}']),
}

# Google Benchmark programs, and which of their benchmarks stand on the page.
ENGINE = [
    ('storage/format/page_benchmark', r'^(Encode|DecodeValues|Aggregate)/.*/1024$'),
    ('storage/aggregate/summary_benchmark', r'SummarizePage/float64|MergePages'),
    ('storage/aggregate/interval_fold_benchmark', r'Pages|FoldTrend'),
    ('storage/archive/archive_benchmark', r'BM_(Write|Fold|ReadRawHour)/(6400|21600)'),
    ('storage/archive/versions_benchmark', r'.'),
    ('server/wire_benchmark', r'BM_(FrameFromWire|ParseFrame)/64$|BM_ColumnToWire/16384'),
    ('storage/kv/kv_benchmark', r'.'),
]


def say(text):
    print('==> ' + text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, binaries, histbench=None, seconds=None):
        """histbench: another than that of the binaries. seconds: of ingest; None: its workload is sent once."""
        self.options = options
        self.binaries = pathlib.Path(binaries)
        self.histbench = histbench
        self.seconds = seconds

    def program(self, path):
        program = self.binaries / path
        if not program.is_file():
            program = self.binaries / program.name  # All in one directory.
        if not program.is_file():
            raise RuntimeError('%s is not in %s; build it' % (path, self.binaries))
        return str(program)

    def keep(self, part, figures):
        figures['measured'] = {
            'date': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
            'quick': self.options.quick,
            'seconds': round(time.time() - self.begin, 1),
            'commit': commit(self.options.root),
            'load_before': self.load,
        }
        write_results(self.options.results, part, figures)

    def run(self, part):
        say(part)
        self.begin = time.time()
        self.load = round(os.getloadavg()[0], 2)
        self.keep(part, self.in_scratch(getattr(self, part, lambda scratch: self.workload(part, scratch))))

    def in_scratch(self, measure):
        scratch = tempfile.mkdtemp(prefix='benchmark-', dir=self.options.scratch)
        try:
            return measure(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    # Late is held against plant, and a machine's own speed may change within minutes: so both alternate.
    def late(self, scratch):
        figures = self.workload('late', scratch)
        rates = {'plant': [], 'late': []}
        for _ in range(1 if self.options.quick else 3):
            for part, of_part in rates.items():
                beside = self.workload(part, scratch, ['--connections', '4', '--repetitions', '20'])
                of_part.append(beside['ingest']['samples_per_second'])
        figures['beside'] = {part: statistics.median(of_part) for part, of_part in rates.items()}
        return figures

    def workload(self, part, scratch, arguments=None):
        whole, quick = WORKLOADS[part]
        whole = arguments or whole
        file = os.path.join(scratch, 'result.json')
        command = [self.histbench or self.program('tools/histbench/histbench'), '--workload', part, '--server-binary',
                   self.program('server/historiand'), '--scratch', tempfile.mkdtemp(prefix=part, dir=scratch), '--json',
                   file]
        command += whole + (quick + ['--repetitions', '50'] if self.options.quick else [])
        timeout = TIMEOUT_S
        if part in against.INGEST and self.seconds:
            command += ['--seconds', str(self.seconds)]
            timeout += 4 * self.seconds
        if part == 'soak':
            command += ['--minutes', str(self.options.minutes)]
            timeout += self.options.minutes * 60
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=timeout, universal_newlines=True)
        print(done.stdout, file=sys.stderr)
        if done.returncode not in (0, 3):
            raise RuntimeError('histbench ended with %d' % done.returncode)
        with open(file) as result:
            return json.load(result)

    # What the machine itself can do, in the words of this page.
    def limits(self, scratch):
        figures = {}
        size = 64 << 20
        source, target = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
        best = min(timed(lambda: ctypes.memmove(target, source, size)) for _ in range(10))
        figures['copy_bytes_per_second'] = size / best
        path = os.path.join(scratch, 'limit')
        for name, length in (('sync_4k', 4 << 10), ('sync_64k', 64 << 10), ('sync_1m', 1 << 20)):
            block = os.urandom(length)
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.posix_fallocate(file, 0, 64 << 20)
            os.fsync(file)
            took = []
            for i in range(50 if self.options.quick else 200):
                def write():
                    os.pwrite(file, block, i * length % (48 << 20))
                    os.fdatasync(file)
                took.append(timed(write) * 1e3)
            os.close(file)
            took.sort()
            figures[name + '_p50_ms'] = statistics.median(took)
            figures[name + '_p99_ms'] = took[len(took) * 99 // 100]
        block = os.urandom(8 << 20)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

        def stream():
            for _ in range(4 if self.options.quick else 32):
                os.write(file, block)
            os.fdatasync(file)
        figures['stream_bytes_per_second'] = len(block) * (4 if self.options.quick else 32) / timed(stream)
        os.close(file)
        return figures

    # A minute may be half as fast as the one before: all are run in turns, and the median of five counts.
    def engine(self, scratch):
        repetitions = ['--benchmark_min_time=0.01'] if self.options.quick else [
            '--benchmark_min_time=0.03', '--benchmark_repetitions=5', '--benchmark_enable_random_interleaving=true',
            '--benchmark_report_aggregates_only=true']
        rows = []
        for program, pattern in ENGINE:
            try:
                command = [self.program(program), '--benchmark_format=json', '--benchmark_filter=' + pattern] + repetitions
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S,
                                      universal_newlines=True, check=True,
                                      env=dict(os.environ, TMPDIR=scratch, TEST_TMPDIR=scratch))
                benchmarks = json.loads(done.stdout)['benchmarks']
            except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
                say('%s: %s' % (program, error))
                continue
            benchmarks.sort(key=lambda b: (b['family_index'], b['per_family_instance_index']))
            for benchmark in benchmarks:
                if benchmark.get('error_occurred') or benchmark.get('aggregate_name', 'median') != 'median':
                    continue
                rows.append({
                    'program': os.path.basename(program),
                    'name': benchmark['run_name'],
                    'ns': benchmark['real_time'] * {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9}[benchmark['time_unit']],
                    'items_per_second': benchmark.get('items_per_second'),
                    'bytes_per_second': benchmark.get('bytes_per_second'),
                    'bytes_per_sample': benchmark.get('B/sample'),
                })
        if not rows:
            raise RuntimeError('no benchmark program could be run')
        return {'rows': rows}

    def historian(self, directory):
        return historian.Historian(self.program('server/historiand'), self.program('tools/histctl/histctl'), directory)

    def slow(self, scratch):
        figures = []
        for one in slow.sets(self.options.quick, self.program('tools/plantsim/plantsim')):
            say('slow: ' + one.title)
            figures.append(self.in_scratch(lambda scratch: slow.measure(one, self.historian, scratch, say)))
        return {'sets': figures}

    def data(self, scratch):
        directory = pathlib.Path(self.options.data)
        zstd = Zstd()
        sets = []
        for name, (title, patterns, arguments) in DATA_SETS.items():
            files = [str(f) for p in patterns for f in sorted((directory / name).glob(p))]
            if not files:
                say('no %s below %s' % (name, directory))
                continue
            sets.append(self.data_set(name, title, files, arguments, scratch, zstd))
        if not sets:
            raise RuntimeError('none of %s is below %s' % (', '.join(DATA_SETS), directory))
        return {'sets': sets}

    def data_set(self, name, title, files, arguments, scratch, zstd):
        with self.historian(os.path.join(scratch, name)) as server:
            histctl = server.histctl
            begin = time.time()
            histctl('import', *files, *arguments)
            import_seconds = time.time() - begin
            histctl('seal', '--settle')
            storage = json.loads(histctl('storage', '*', '--format', 'json'))
            columns = {}
            types = {t['name']: t['type'] for t in json.loads(histctl('tag', 'list', '--format', 'json'))}
            times = {}
            for row in csv.DictReader(histctl('export', '*').splitlines()):
                columns.setdefault(row['tag'], []).append(row['value'])
                times.setdefault(row['tag'], []).append(row['time'])
            zstd_bytes = values = value_bytes = time_bytes = 0
            for tag, texts in columns.items():
                if types[tag] not in ('float64', 'int64'):
                    continue
                whole = types[tag] == 'int64'
                packed = struct.pack('<%d%s' % (len(texts), 'q' if whole else 'd'),
                                     *[int(t) if whole else float(t) for t in texts])
                zstd_bytes += zstd.size(packed)
                values += len(texts)
                sizes = page_columns(histctl('block', 'dump', tag))
                value_bytes += sizes['value_bytes']
                time_bytes += sizes['time_bytes']
            verified = json.loads(histctl('verify', '--format', 'json'))[-1]
        samples = sum(t['samples'] for t in storage)
        if peer.is_installed():
            peer_figures = peer_size(columns, times, os.path.join(scratch, name + '.peer'))
        else:
            say('victoria-metrics is not installed: no comparison')
            peer_figures = {}
        return {
            **peer_figures,
            'name': name, 'title': title, 'tags': len(storage), 'samples': samples,
            'import_seconds': import_seconds,
            'head_bytes': sum(t['heads'] for t in storage),
            'payload_bytes': sum(t['payloads'] for t in storage),
            'rollup_bytes': sum(t.get('rollups') or 0 for t in storage),
            'values': values, 'value_bytes': value_bytes, 'time_bytes': time_bytes, 'zstd3_bytes': zstd_bytes,
            'damages': verified['damages'], 'verified_samples': verified['samples'],
        }


def peer_size(columns, times, directory):
    with peer.VictoriaMetrics(directory) as server:
        differ = 0
        stored = {}
        for tag, texts in columns.items():
            milliseconds = [round(datetime.datetime.fromisoformat(t.replace('Z', '+00:00')).timestamp() * 1000)
                            for t in times[tag]]
            stored[tag] = list(zip(milliseconds, [float(t) for t in texts]))
            server.store(tag, milliseconds, [float(t) for t in texts])
        server.settle()
        for tag, samples in stored.items():
            differ += len(set(samples) ^ set(server.load(tag)))
        return {'peer_bytes': server.size_bytes(), 'peer_differs': differ}


def write_results(directory, part, figures):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / (part + '.json')).write_text(json.dumps(figures, indent=1) + '\n')


class Zstd:
    """Sizes of single frames of level 3, as the zstd library makes them."""

    def __init__(self):
        self.library = ctypes.CDLL('libzstd.so.1')
        self.library.ZSTD_compressBound.restype = ctypes.c_size_t
        self.library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
        self.library.ZSTD_compress.restype = ctypes.c_size_t
        self.library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
                                               ctypes.c_int]

    def size(self, data):
        bound = self.library.ZSTD_compressBound(len(data))
        return self.library.ZSTD_compress(ctypes.create_string_buffer(bound), bound, data, len(data), 3)


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def page_columns(dump):
    """Sums of the sizes of all pages in the text of `histctl block dump`."""
    sums = {'value_bytes': 0, 'time_bytes': 0}
    heading = None
    for line in dump.splitlines():
        cells = re.split(r'\s{2,}', line.strip())
        if 'value_bytes' in cells:
            heading = cells
        elif heading and len(cells) == len(heading) and cells[0].isdigit():
            for name in sums:
                sums[name] += int(cells[heading.index(name)])
    return sums


def commit(root):
    try:
        return subprocess.run(['git', '-C', root, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, universal_newlines=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ''


# ---- Against an older commit


def knows_seconds(histbench):
    return '--seconds' in subprocess.run([histbench, '--help'], stdout=subprocess.PIPE, universal_newlines=True,
                                         timeout=60).stdout


def both_sides(options, old_commit, old_programs):
    """(new, old, how they are driven). Each commit's histbench drives its own server: the client is part of the product,
    and the wire may differ. A histbench that cannot sustain ingest yet is replaced by this one where the wire is the
    same; where it is not, both send the workload once."""
    own = Bench(options, old_programs).program('tools/histbench/histbench')
    new = Bench(options, options.binaries).program('tools/histbench/histbench')
    seconds, driver, said = options.seconds, None, 'each driven by its own histbench'
    if not knows_seconds(own):
        if against.same_contract(options.root, old_commit):
            driver, said = new, 'both driven by the new histbench, as the old one cannot sustain ingest'
        else:
            seconds = None
            said += ', each workload sent once, as the old one cannot sustain ingest'
    return Bench(options, options.binaries, seconds=seconds), Bench(options, old_programs, driver, seconds), said + (
        '; ingest of %g s' % seconds if seconds else '')


def measure_for_ratio(bench, part):
    """{label: Figure}; RuntimeError when samples were lost, as nothing may be won by that."""
    if part == 'engine':
        return against.figures_of(part, bench.in_scratch(bench.engine))
    arguments = ['--connections', against.CONNECTIONS[part]] if part in against.CONNECTIONS else None
    result = bench.in_scratch(lambda scratch: bench.workload(part, scratch, arguments))
    for run in result.get('runs') or []:
        if any(against.lookup(run, path) for path in ('ingest.lost', 'ingest.duplicated', 'ingest.rejected',
                                                      'restart.lost', 'restart.duplicated')):
            raise RuntimeError('samples were lost, stored twice or rejected')
    return against.figures_of(part, result)


def compare(options, parts):
    old_commit = against.commit_of(options.root, options.against)
    names = ['histbench', 'historiand'] + [os.path.basename(program) for program, _ in ENGINE]
    old_programs = against.programs_of(options.root, old_commit, names, ['histbench', 'historiand'], say)
    new, old, driven = both_sides(options, old_commit, old_programs)
    sides = {'new': new, 'old': old}
    changed = ' with changes' if against.git(options.root, 'status', '--porcelain', '--untracked-files=no') else ''
    heading = 'new: %s%s; old: %s; %d rounds of %s; %s.' % (
        commit(options.root), changed, old_commit[:len(commit(options.root)) or 9], options.rounds, ', '.join(parts),
        driven)
    say(heading)
    comparison, failed, begin = against.Comparison(), [], time.time()
    try:
        for count in range(options.rounds):
            for part in parts:
                figures = {}
                for side in ('new', 'old') if count % 2 == 0 else ('old', 'new'):
                    say('round %d of %d: %s, %s (%.0f s so far)' % (count + 1, options.rounds, part, side,
                                                                    time.time() - begin))
                    try:
                        figures[side] = measure_for_ratio(sides[side], part)
                    except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                        figures[side] = {}
                        failed.append('%s, %s, round %d: %s' % (part, side, count + 1, error))
                        say(failed[-1])
                comparison.add(figures['new'], figures['old'])
    except KeyboardInterrupt:
        failed.append('stopped by hand')
    rows = comparison.rows()
    print(heading + ' A ratio above 1: new is better.\n')
    print(against.table_of(rows), flush=True)
    if options.results:
        write_results(options.results, 'against-' + old_commit[:9],
                      {'heading': heading, 'rows': rows, 'failed': failed, 'seconds': round(time.time() - begin, 1)})
    for text in failed:
        say('FAILED ' + text)
    slower = against.below(rows, options.at_least) if options.at_least else []
    for figure, median in slower:
        print('BELOW %g: %s is at %.3f' % (options.at_least, figure, median))
    return 1 if failed or slower else 0


# ---- The page


class Figures:
    """What was measured, by path: get('plant.runs.1.ingest.ack_p99_ms'). None: not measured."""

    def __init__(self, results):
        self.parts = {}
        for part in PARTS:
            file = pathlib.Path(results) / (part + '.json')
            if file.is_file():
                self.parts[part] = json.loads(file.read_text())

    def get(self, path):
        at = self.parts
        for word in path.split('.'):
            try:
                at = at[int(word)] if isinstance(at, list) else at[word]
            except (KeyError, IndexError, TypeError, ValueError):
                return None
        return at

    def run(self, part, connections, path):
        for run in self.get(part + '.runs') or []:
            if run['connections'] == connections:
                for word in path.split('.'):
                    run = run.get(word) if isinstance(run, dict) else None
                return run
        return None

    def decode_rates(self):
        """Values a second of the encodings that numbers get, in the form that sealed blocks have first."""
        rows = [row for row in self.get('engine.rows') or [] if '/dense' not in row['name']]
        numbers = {row['name'].split('/', 1)[1] for row in rows if row['name'].startswith('Aggregate/')}
        return [row['items_per_second'] for row in rows
                if row['name'].startswith('DecodeValues/') and row['name'].split('/', 1)[1] in numbers]


def text(value, unit=''):
    if value is None:
        return '-'
    if unit == 'M':
        return '%.1f M' % (value / 1e6)
    if unit == 'ms':
        return '%.2f' % value
    if unit == 'B':
        return '%.3f' % value
    if unit == 'MiB':
        return '%.0f' % (value / (1 << 20))
    if unit == 'GB/s':
        return '%.1f GB/s' % (value / 1e9)
    if unit == 's':
        return '%.2f s' % value
    if unit == 'CPU':
        return '%.3f' % value
    if unit == 'count':
        return '{:,.0f}'.format(value)
    return '%.3g' % value


def table(heading, rows):
    lines = ['| ' + ' | '.join(heading) + ' |', '|' + '---|' * len(heading)]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows])


def targets(f):
    """(what, target, [(figure, limit, unit, at least?)])"""
    def query(name, q):
        return f.run('plant', 4, 'queries.%s.%s' % (name, q))
    late_share = None
    if f.get('late.beside.plant'):
        late_share = f.get('late.beside.late') / f.get('late.beside.plant')
    late_bytes = None
    if f.run('late', 4, 'storage.block_bytes_per_sample') and f.run('plant', 4, 'storage.block_bytes_per_sample'):
        late_bytes = (f.run('late', 4, 'storage.block_bytes_per_sample') /
                      f.run('plant', 4, 'storage.block_bytes_per_sample'))
    backfill_bytes = None
    if f.get('backfill.backfill.bytes_per_sample'):
        backfill_bytes = f.get('backfill.backfill.bytes_per_sample') / f.get(
            'backfill.backfill.in_order_bytes_per_sample')
    restarts = [f.run(part, n, 'restart.seconds') for part in ('plant', 'late', 'wide') for n in (1, 4)]
    restarts = [r for r in restarts + [f.get('idle.idle.restart_seconds')] if r is not None]
    wrong = [f.run(part, n, 'restart.' + what) for part in ('plant', 'late', 'wide', 'small') for n in (1, 4)
             for what in ('lost', 'duplicated')]
    wrong = [w for w in wrong + [f.get('idle.idle.lost'), f.get('idle.idle.duplicated')] if w is not None]
    decode = sorted(f.decode_rates())
    memory = None
    if f.get('soak.soak.resident_first_half_bytes'):
        memory = f.get('soak.soak.resident_second_half_bytes') / f.get('soak.soak.resident_first_half_bytes')
    rows = [
        ('*plant*, durable, 4 connections', '>= 20 M samples/s',
         [(f.run('plant', 4, 'ingest.samples_per_second'), 20e6, 'M', True)]),
        ('*plant*, durable, 1 connection', '>= 10 M samples/s',
         [(f.run('plant', 1, 'ingest.samples_per_second'), 10e6, 'M', True)]),
        ('*wide*, durable', '>= 4 M samples/s', [(f.run('wide', 4, 'ingest.samples_per_second'), 4e6, 'M', True)]),
        ('*late* : *plant*', '>= 0.7', [(late_share, 0.7, '', True)]),
        ('*late* : *plant*, bytes/sample settled', '1', [(late_bytes, 1.02, '', False)]),
        ('*plant*, bytes/sample in blocks and rollups', '<= 0.8',
         [(f.run('plant', 4, 'storage.block_bytes_per_sample'), 0.8, 'B', False)]),
    ]
    for s in f.get('data.sets') or []:
        rows.append(('%s: values : zstd -3 of the 8-byte columns' % s['title'].split(':')[0], '<= 0.75',
                     [(s['value_bytes'] / s['zstd3_bytes'], 0.75, '', False)]))
        if s.get('peer_bytes'):
            whole = s['head_bytes'] + s['payload_bytes'] + s['rollup_bytes']
            rows.append(('  everything : VictoriaMetrics' + (', which is lossy here' if s['peer_differs'] else ''), '<= 1',
                         [(whole / s['peer_bytes'], 1, '', False)]))
    for s in f.get('slow.sets') or []:
        if s.get('peer'):
            rows.append(('%s: everything : VictoriaMetrics' % s['title'], '<= 1',
                         [(s['peer']['our_bytes'] / slow.peer_bytes(s['peer']['sizes']), 1, '', False)]))
    rows += [
        ('server CPU, *plant*, s per million samples', '<= 0.06',
         [(f.run('plant', 4, 'ingest.server_cpu_seconds_per_million'), 0.06, 'CPU', False)]),
        ('a year of 1 Hz in 2,000 buckets, warm p99', '<= 2 ms', [(f.get('year.year.year_p99_ms'), 2, 'ms', False)]),
        ('  the same, cold', '<= 20 ms', [(f.get('year.year.year_cold_ms'), 20, 'ms', False)]),
        ('  year : day', '<= 1.5', [(f.get('year.year.year_to_day'), 1.5, '', False)]),
        ('  in at most 2,000 round intervals, warm p99', '<= 2 ms',
         [(f.get('year.year.year_round_p99_ms'), 2, 'ms', False)]),
        ('  the same, cold', '<= 20 ms', [(f.get('year.year.year_round_cold_ms'), 20, 'ms', False)]),
        ('1 tag x 6 h in 1,000 buckets, p50 / p99', '<= 0.3 / 1 ms',
         [(query('buckets_1000', 'p50_ms'), 0.3, 'ms', False), (query('buckets_1000', 'p99_ms'), 1, 'ms', False)]),
        ('1 tag, raw last hour, p50', '<= 0.25 ms', [(query('raw_hour', 'p50_ms'), 0.25, 'ms', False)]),
        ('100 tags x 6 h at 1-minute averages, p50 / p99', '<= 1.5 / 3 ms',
         [(query('minute_average_100_tags', 'p50_ms'), 1.5, 'ms', False),
          (query('minute_average_100_tags', 'p99_ms'), 3, 'ms', False)]),
        ('newest value of 1,000 tags, p50 / p99', '<= 0.4 / 1 ms',
         [(query('latest_all', 'p50_ms'), 0.4, 'ms', False), (query('latest_all', 'p99_ms'), 1, 'ms', False)]),
        ('acknowledgement at full rate, *plant*, p99', '<= 30 ms',
         [(f.run('plant', 4, 'ingest.ack_p99_ms'), 30, 'ms', False)]),
        ('raw samples through one stream', '>= 30 M/s', [(f.get('year.year.raw_samples_per_second'), 30e6, 'M', True)]),
        ('decode, a core, the slowest and the median kind of numbers', '>= 700 M values/s',
         [(decode[0] if decode else None, 700e6, 'M', True),
          (statistics.median(decode) if decode else None, 700e6, 'M', True)]),
        ('idle tag at 1 M tags, its sample sealed', '<= 300 resident bytes', [(f.get('idle.idle.sealed_bytes_per_tag'), 300, 'count', False)]),
        ('restart after kill -9, the longest; lost and twice', '<= 1 s; 0',
         [(max(restarts) if restarts else None, 1, 's', False), (sum(wrong) if wrong else None, 0, 'count', False)]),
        ('backfill : in order', '>= 0.5', [(f.get('backfill.backfill.rate_to_in_order'), 0.5, '', True)]),
        ('  current data beside it : alone', '>= 0.8',
         [(f.get('backfill.backfill.current_beside_to_alone'), 0.8, '', True)]),
        ('  bytes/sample : in order', '1', [(backfill_bytes, 1.02, '', False)]),
        ('soak: memory, second half : first half', 'flat', [(memory, 1.05, '', False)]),
        ('soak: stalls over 250 ms that are not the disk\'s', '0',
         [(f.get('soak.soak.stalled_without_disk'), 0, 'count', False)]),
    ]
    return rows


def targets_table(f):
    rows = []
    for what, target, figures in targets(f):
        known = [value is not None for value, _, _, _ in figures]
        good = all(value is not None and (value >= limit if at_least else value <= limit)
                   for value, limit, _, at_least in figures)
        rows.append([what, target, ' / '.join(text(value, unit) for value, _, unit, _ in figures),
                     ('yes' if good else '**no**') if all(known) else 'not measured'])
    return table(['what', 'target', 'reached', 'met'], rows)


def machine_table(f):
    rows = []
    for part, figures in f.parts.items():
        measured = figures.get('measured', {})
        rows.append([part, measured.get('date', ''), measured.get('commit', ''), '%s' % measured.get('load_before', ''),
                     '%.0f s' % measured.get('seconds', 0), 'small sizes' if measured.get('quick') else ''])
    environment = next((p['environment'] for p in f.parts.values() if 'environment' in p), {})
    described = '%s, %s processors, %.0f GiB of memory; historian %s.' % (
        environment.get('processor', '?'), environment.get('processors', '?'),
        (environment.get('memory_bytes') or 0) / (1 << 30), environment.get('server_version', '?'))
    return described + '\n\n' + table(['part', 'measured', 'commit', 'load before', 'took', ''], rows)


def limits_table(f):
    rows = [
        ['memory copied by one processor', text(f.get('limits.copy_bytes_per_second'), 'GB/s')],
        ['written to a file and synced, in one go', text(f.get('limits.stream_bytes_per_second'), 'GB/s')],
    ]
    for size, key in (('4 KiB', 'sync_4k'), ('64 KiB', 'sync_64k'), ('1 MiB', 'sync_1m')):
        rows.append(['%s written and fdatasync, p50 / p99' % size, '%s / %s ms' % (
            text(f.get('limits.%s_p50_ms' % key), 'ms'), text(f.get('limits.%s_p99_ms' % key), 'ms'))])
    for row in f.get('engine.rows') or []:
        if row['name'] == 'BM_ParseFrame/64':
            rows.append(['protobuf parses columns of 64 samples, one processor',
                         text(row['items_per_second'], 'M') + ' samples/s'])
        if row['name'] == 'BM_FrameFromWire/64':
            rows.append(['  and they become engine columns', text(row['items_per_second'], 'M') + ' samples/s'])
    return table(['limit', 'measured'], rows)


def ingest_table(f):
    columns = [(part, n) for part in ('plant', 'late', 'wide', 'small') for n in (1, 4)]
    rows = []
    for what, path, unit in (
            ('durable samples/s', 'ingest.samples_per_second', 'M'),
            ('  over, s', 'ingest.seconds', 'ms'),
            ('acknowledgement p50, ms', 'ingest.ack_p50_ms', 'ms'),
            ('acknowledgement p99, ms', 'ingest.ack_p99_ms', 'ms'),
            ('server CPU, s per million, at the last acknowledgement', 'ingest.server_cpu_seconds_per_million', 'CPU'),
            ('server CPU, s per million, sealed', 'ingest.server_cpu_seconds_per_million_sealed', 'CPU'),
            ('client CPU, s per million', 'ingest.client_cpu_seconds_per_million', 'CPU'),
            ('samples lost', 'ingest.lost', 'count'), ('samples stored twice', 'ingest.duplicated', 'count'),
            ('server\'s peak memory, MiB', 'memory.peak_bytes', 'MiB'),
            ('bytes/sample in blocks, sealed', 'storage.sealed_block_bytes_per_sample', 'B'),
            ('bytes/sample in blocks and rollups, settled', 'storage.block_bytes_per_sample', 'B'),
            ('bytes/sample on disk, settled', 'storage.bytes_per_sample', 'B'),
            ('seal, s', 'storage.seal_seconds', 'ms'), ('settle, s', 'storage.settle_seconds', 'ms'),
            ('first answer after kill -9, s', 'restart.seconds', 'ms')):
        rows.append([what] + [text(f.run(part, n, path), unit) for part, n in columns])
    return table([''] + ['%s, %d conn.' % c for c in columns], rows)


def queries_table(f):
    columns = [(part, 4) for part in ('plant', 'late', 'wide', 'small')]
    rows = []
    for what, name in (('the last hour of a tag, raw', 'raw_hour'),
                       ('a tag in 1,000 buckets, min/max/avg', 'buckets_1000'),
                       ('100 tags, one-minute averages', 'minute_average_100_tags'),
                       ('the newest sample of all tags', 'latest_all'),
                       ('hourly time-weighted average of a tag', 'time_weighted_hour')):
        rows.append([what] + [' / '.join(text(f.run(part, n, 'queries.%s.%s' % (name, figure)), 'ms')
                                         for figure in ('first_p50_ms', 'p50_ms', 'p99_ms'))
                              for part, n in columns])
    return table(['first visit p50 / again p50 / p99, ms'] + [part for part, _ in columns], rows)


def measure_table(f, part, names):
    rows = []
    for what, key, unit in names:
        rows.append([what, text(f.get('%s.%s.%s' % (part, part, key)), unit)])
    return table(['', part], rows)


def year_table(f):
    return measure_table(f, 'year', (
        ('samples', 'samples', 'count'), ('written, one connection, samples/s', 'samples_per_second', 'M'),
        ('sealed and settled, s', 'settle_seconds', 'ms'), ('bytes/sample, settled', 'bytes_per_sample', 'B'),
        ('year in 2,000 buckets, warm p50, ms', 'year_p50_ms', 'ms'), ('  p99', 'year_p99_ms', 'ms'),
        ('  cold, median of 5', 'year_cold_ms', 'ms'), ('  cold, max', 'year_cold_max_ms', 'ms'),
        ('year in at most 2,000 round intervals (6 h), warm p50, ms', 'year_round_p50_ms', 'ms'),
        ('  p99', 'year_round_p99_ms', 'ms'), ('  cold, median of 5', 'year_round_cold_ms', 'ms'),
        ('day in 2,000 buckets, warm p50, ms', 'day_p50_ms', 'ms'), ('  p99', 'day_p99_ms', 'ms'),
        ('  cold, median of 5', 'day_cold_ms', 'ms'), ('year : day, warm p50', 'year_to_day', ''),
        ('raw samples/s through one stream', 'raw_samples_per_second', 'M'),
        ('  server CPU, s per million', 'raw_server_cpu_seconds_per_million', 'CPU')))


def backfill_table(f):
    rows = []
    for what, key, other, unit in (
            ('the week, samples/s', 'samples_per_second', 'in_order_samples_per_second', 'M'),
            ('bytes/sample in blocks and rollups, settled', 'bytes_per_sample', 'in_order_bytes_per_sample', 'B'),
            ('bytes written to disk for each sample', 'written_bytes_per_sample', 'in_order_written_bytes_per_sample',
             'B'),
            ('  for each byte kept', 'write_amplification', 'in_order_write_amplification', ''),
            ('sealed and settled, s', 'settle_seconds', 'in_order_settle_seconds', 'ms')):
        rows.append([what, text(f.get('backfill.backfill.' + key), unit), text(f.get('backfill.backfill.' + other), unit)])
    current = []
    for what, key, other, unit in (
            ('current data, samples/s', 'current_beside_per_second', 'current_alone_per_second', 'M'),
            ('  acknowledgement p99, ms', 'current_beside_ack_p99_ms', 'current_alone_ack_p99_ms', 'ms')):
        current.append([what, text(f.get('backfill.backfill.' + key), unit),
                        text(f.get('backfill.backfill.' + other), unit)])
    return (table(['', 'late, current data beside it', 'in order'], rows) + '\n\n' +
            table(['', 'beside the backfill', 'alone'], current))


def idle_table(f):
    return measure_table(f, 'idle', (
        ('tags', 'tags', 'count'), ('resident bytes a tag, without samples', 'made_bytes_per_tag', 'count'),
        ('  one sample each', 'bytes_per_tag', 'count'), ('  that sample sealed', 'sealed_bytes_per_tag', 'count'),
        ('journal at kill -9, MiB', 'journal_bytes', 'MiB'), ('first answer after it, s', 'restart_seconds', 'ms'),
        ('lost', 'lost', 'count'), ('twice', 'duplicated', 'count')))


def soak_table(f):
    soak = f.get('soak.soak')
    if not soak:
        return 'Not measured here; `tools/benchmark soak --minutes 60` does.'
    rows = []
    for what, key in (('acknowledgement', 'acknowledgement'), ('raw hour', 'raw_hour'),
                      ('6 h in 1,000 buckets', 'buckets_1000'), ('newest of all tags', 'latest_all'),
                      ('control: 4 KiB written and synced', 'synced_4k_write')):
        rows.append([what, text(soak[key]['count'], 'count')] +
                    [text(soak[key][q], 'ms') for q in ('p50_ms', 'p99_ms', 'p999_ms', 'max_ms')])
    mib = [m / (1 << 20) for m in soak['resident_bytes_every_10_s']]
    step = max(1, len(mib) // 20)
    lines = [
        '%.1f minutes at %s samples/s, %.0f %% of the highest rate of %s; server CPU %s s per million, queries '
        'included; %s bytes written to disk for each sample.' % (
            soak['minutes'], text(soak['samples_per_second'], 'M'), soak['share'] * 100,
            text(soak['highest_samples_per_second'], 'M'), text(soak['server_cpu_seconds_per_million'], 'CPU'),
            text(soak['written_bytes_per_sample'], 'B')),
        '', table(['ms', 'count', 'p50', 'p99', 'p99.9', 'max'], rows), '',
        'Resident MiB, every %d s: %s. Most ever: %s.' % (10 * step, ', '.join('%.0f' % m for m in mib[::step]),
                                                          text(soak['peak_bytes'], 'MiB')),
        '', '%d acknowledgements took more than 250 ms, %d of them while a synced write of 4 KiB took less than half as '
        'long.' % (soak['stalled'], soak['stalled_without_disk']),
    ]
    if soak['stalls']:
        stalls = sorted(soak['stalls'], key=lambda s: -s['ms'])[:20]
        lines += ['', table(['at, s', 'took, ms', 'the disk, ms'],
                            [['%.1f' % s['at_s'], '%.0f' % s['ms'], '%.0f' % (s['disk_ms'] or 0)] for s in stalls])]
    return '\n'.join(lines)


def engine_table(f):
    rows = []
    for row in f.get('engine.rows') or []:
        rate = text(row['items_per_second'], 'M') + ' items/s' if row['items_per_second'] else (
            text(row['bytes_per_second'], 'GB/s') if row['bytes_per_second'] else '')
        each = '%.0f ns' % row['ns'] if row['ns'] < 1e4 else (
            '%.1f us' % (row['ns'] / 1e3) if row['ns'] < 1e7 else '%.1f ms' % (row['ns'] / 1e6))
        rows.append([row['program'], row['name'], each, rate, text(row['bytes_per_sample'], 'B')
                     if row['bytes_per_sample'] else ''])
    return table(['program', 'benchmark', 'each', 'rate', 'bytes/sample'], rows)


def data_table(f):
    rows = []
    for s in f.get('data.sets') or []:
        whole = s['head_bytes'] + s['payload_bytes'] + s['rollup_bytes']
        rows.append([s['title'], text(s['tags'], 'count'), text(s['samples'], 'count'), '%.3f' % (whole / s['samples']),
                     '%.3f' % (s['value_bytes'] / s['values']), '%.3f' % (s['zstd3_bytes'] / s['values']),
                     '%.2f' % (s['value_bytes'] / s['zstd3_bytes']), '%.3f' % (s['time_bytes'] / s['values']),
                     '%.3f%s' % (s['peer_bytes'] / s['samples'], ', lossy' if s['peer_differs'] else '')
                     if s.get('peer_bytes') else 'not measured', text(s['damages'], 'count')])
    return table(['set', 'tags', 'samples', 'bytes/sample, all', 'values', 'zstd -3 of them', 'values : zstd', 'times',
                  'VictoriaMetrics, all', 'damages found by verify'], rows)


def slow_table(f):
    sets = f.get('slow.sets') or []

    def each(what, of_set):
        return [what] + [of_set(s) for s in sets]

    def ours(what, key):
        return each(what, lambda s: text(s[key] / s['samples'], 'B'))

    def compared(what, of_peer):
        return each(what, lambda s: of_peer(s['peer']) if s.get('peer') else 'not measured')
    return table([''] + [s['title'] for s in sets], [
        each('tags', lambda s: text(s['tags'], 'count')),
        each('samples', lambda s: text(s['samples'], 'count')),
        ours('bytes/sample, everything', 'bytes'),
        ours('  blocks: heads', 'head_bytes'),
        ours('  blocks: payloads', 'payload_bytes'),
        ours('  rollups', 'rollup_bytes'),
        ours('  all the rest', 'rest_bytes'),
        each('journal segments, not counted, MiB', lambda s: text(s['journal_segment_bytes'], 'MiB')),
        compared('tags compared', lambda p: text(p['tags'], 'count')),
        compared('  Historian, bytes/sample', lambda p: text(p['our_bytes'] / p['samples'], 'B')),
        compared('  VictoriaMetrics, bytes/sample', lambda p: text(slow.peer_bytes(p['sizes']) / p['samples'], 'B')),
        compared('    its samples', lambda p: text(p['sizes']['data'] / p['samples'], 'B')),
        compared('    its index of names', lambda p: text(p['sizes']['indexdb'] / p['samples'], 'B')),
        compared('  Historian : VictoriaMetrics', lambda p: '%.3f' % (p['our_bytes'] / slow.peer_bytes(p['sizes']))),
        compared('  Historian : its samples alone', lambda p: '%.3f' % (p['our_bytes'] / p['sizes']['data'])),
        compared('  differences on reading three tags back from it', lambda p: text(p['differs'], 'count')),
    ])


TABLES = {'machine': machine_table, 'targets': targets_table, 'limits': limits_table, 'ingest': ingest_table,
          'queries': queries_table, 'year': year_table, 'backfill': backfill_table, 'idle': idle_table,
          'soak': soak_table, 'engine': engine_table, 'slow': slow_table, 'data': data_table}


def write_page(page, results):
    figures = Figures(results)

    def replaced(match):
        make = TABLES.get(match.group(1))
        if make is None:
            raise RuntimeError('%s asks for %r, which is none of %s' % (page, match.group(1), ', '.join(TABLES)))
        return '<!-- benchmark:%s -->\n%s\n<!-- /benchmark -->' % (match.group(1), make(figures))
    old = pathlib.Path(page).read_text()
    new, count = re.subn(r'<!-- benchmark:(\w+) -->\n.*?<!-- /benchmark -->', replaced, old, flags=re.S)
    pathlib.Path(page).write_text(new)
    say('%d tables written to %s' % (count, page))


DESCRIPTION = '''\
Measures Historian anew and writes the tables of docs/benchmarks.md; or, with --against, holds this checkout against an
older commit. Nothing else should run on the machine.'''

EPILOG = '''\
Without --against:
  Each part leaves its figures in docs/benchmarks/PART.json, and the page's tables are made of these: a part that is not
  run again keeps the figures it had. Ingest figures are sustained: the workload is sent over and over for --seconds, while
  the server seals and settles in the background.
  Exit code 0 when everything could be measured, whatever the figures.

With --against REV:
  Builds REV (kept in ~/.cache/historian/against, so only the first time takes minutes) and the working tree as it is, and
  measures both in turns, part by part: new old, old new, new old, ... Each commit's histbench drives its own server. Where
  REV's cannot sustain ingest yet, the new one drives both, provided the wire (proto/historian/v1) is the same.
  Parts are plant with 1 and 4 connections, late, wide and small with 4, each with its queries and a restart after
  kill -9, and year; or those that are named, of these, backfill, idle and engine. Five rounds of the usual parts take some
  twenty minutes.
  Prints a table: the median of both, and the ratio, turned so that more than 1 means the new one is better (new : old for
  rates, old : new for times and sizes); its median, least and most over the rounds. Progress goes to standard error.
  --at-least looks at the figures marked as held; tails of latencies, CPU, memory, sealing and settling are only shown, being
  too noisy. With --results DIR the table is also written to DIR/against-REV.json.
  Exit code 0 when everything could be measured and nothing is below --at-least.

Examples:
  tools/benchmark --against main --at-least 0.95          what a change is held to
  tools/benchmark --against v0.1 --rounds 9 plant > plant.md
  tools/benchmark --against HEAD~3 --quick                does it work?'''


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog='tools/benchmark', usage='tools/benchmark [options] [PART ...]',
        formatter_class=argparse.RawDescriptionHelpFormatter, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument('parts', nargs='*', metavar='PART', help='of ' + ', '.join(PARTS) + '; all but soak (and '
                        'data without --data) when none is named')
    parser.add_argument('--quick', action='store_true', help='small sizes, two minutes: does it work?')
    parser.add_argument('--seconds', type=float, help='how long each ingest workload is sent at full rate; default %d, '
                        'with --against %d, with --quick %d' % (SECONDS, SECONDS_AGAINST, SECONDS_QUICK))
    parser.add_argument('--minutes', type=float, default=5, help='of the soak; default 5')
    parser.add_argument('--soak', action='store_true', help='the soak too, when no parts are named')
    parser.add_argument('--data', help='directory with the data sets %s' % ', '.join(DATA_SETS))
    parser.add_argument('--scratch', help='directory on the disk to measure; default: $TMPDIR or /tmp')
    parser.add_argument('--results', help='where figures are kept; default: docs/benchmarks in the sources; with '
                        '--against: nowhere')
    parser.add_argument('--page', help='where the tables are written; default: docs/benchmarks.md; with --quick or --results: nowhere')
    parser.add_argument('--binaries', help='bazel-bin of a build, or a directory with all programs; not built anew')
    parser.add_argument('--write-only', action='store_true', help='measure nothing, write the tables')
    parser.add_argument('--list', action='store_true', help='name the parts')
    parser.add_argument('--against', metavar='REV', help='hold this checkout against that commit: see below')
    parser.add_argument('--rounds', type=int, default=5, help='of --against; default 5')
    parser.add_argument('--at-least', type=float, metavar='RATIO', help='with --against: exit code 1, and the name, when '
                        'the median ratio of a figure marked as held is less')
    parser.add_argument('--root', required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.list:
        print('\n'.join(PARTS))
        return 0
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error('no such part: %s; there are %s' % (', '.join(unknown), ', '.join(PARTS)))
    if 'data' in options.parts and not options.data:
        parser.error('data wants --data DIR')
    if options.at_least is not None and not options.against:
        parser.error('--at-least wants --against REV')
    if not options.write_only and not options.binaries:
        parser.error('--binaries is missing')
    if not options.seconds:
        options.seconds = SECONDS_QUICK if options.quick else SECONDS_AGAINST if options.against else SECONDS
    if options.against:
        unknown = [p for p in options.parts if p not in against.PARTS]
        if unknown:
            parser.error('%s cannot be held against another commit; %s can' % (', '.join(unknown),
                                                                             ', '.join(against.PARTS)))
        if options.rounds < 1:
            parser.error('--rounds must be at least 1')
        try:
            return compare(options, options.parts or list(against.USUAL_PARTS))
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            say('--against: %s' % error)
            return 1
    is_elsewhere = options.quick or bool(options.results)
    if not options.results:
        options.results = os.path.join(options.root, *(['build', 'benchmark-quick'] if options.quick else ['docs', 'benchmarks']))
    parts = options.parts or [p for p in PARTS if (p != 'soak' or options.soak) and (p != 'data' or options.data)]
    failed = []
    if not options.write_only:
        bench = Bench(options, options.binaries, seconds=options.seconds)
        for part in parts:
            try:
                bench.run(part)
            except (RuntimeError, OSError, ValueError, KeyError, AttributeError, subprocess.SubprocessError) as error:
                say('%s failed: %s' % (part, error))
                failed.append(part)
    page = options.page or (None if is_elsewhere else os.path.join(options.root, 'docs', 'benchmarks.md'))
    if page:
        write_page(page, options.results)
    print(targets_table(Figures(options.results)))
    if failed:
        say('failed: ' + ', '.join(failed))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
