"""Holds this checkout against an older commit: builds that, and makes one table of the figures of both.

Every ratio is turned so that more than 1 means that the new one is better: new : old for rates, old : new for times,
sizes and costs. A round measures both, one after the other; its ratio is of these two alone, so what the machine does in
the next quarter of an hour has no say in it. The table has the median of the rounds' ratios, the least and the most.
"""

import collections
import os
import pathlib
import shutil
import stat
import statistics
import subprocess
import tempfile

# One figure of one run. `held`: --at-least looks at it. Tails of latencies, memory, processor time and how long sealing
# takes are shown, but in a few short rounds they are too noisy to fail anybody.
Figure = collections.namedtuple('Figure', 'value unit more_is_better held')

INGEST = ('plant', 'late', 'wide', 'small')
PARTS = INGEST + ('year', 'backfill', 'idle', 'engine')
USUAL_PARTS = INGEST + ('year',)
CONNECTIONS = {'plant': '1,4', 'late': '4', 'wide': '4', 'small': '4'}

# Label, path in a run of histbench, unit, more is better, held.
RUN_FIGURES = [
    ('durable samples', 'ingest.samples_per_second', '/s', True, True),
    ('acknowledgement p50', 'ingest.ack_p50_ms', 'ms', False, False),
    ('acknowledgement p99', 'ingest.ack_p99_ms', 'ms', False, False),
    ('server CPU a million', 'ingest.server_cpu_seconds_per_million', 's', False, False),
    ('  sealed', 'ingest.server_cpu_seconds_per_million_sealed', 's', False, False),
    ('client CPU a million', 'ingest.client_cpu_seconds_per_million', 's', False, False),
    ('peak memory', 'memory.peak_bytes', 'MiB', False, False),
    ('a sample in blocks, settled', 'storage.block_bytes_per_sample', 'B', False, True),
    ('seal', 'storage.seal_seconds', 's', False, False),
    ('settle', 'storage.settle_seconds', 's', False, False),
    ('restart after kill -9', 'restart.seconds', 's', False, True),
    ('raw samples, one stream', 'queries.raw_samples_per_second', '/s', True, True),
]
QUERY_NAMES = [
    ('raw_hour', 'last hour, raw'),
    ('buckets_1000', 'a tag in 1,000 buckets'),
    ('minute_average_100_tags', '100 tags, minute averages'),
    ('latest_all', 'newest of all tags'),
    ('time_weighted_hour', 'hourly average'),
]
QUERY_FIGURES = [('first visit p50', 'first_p50_ms', True), ('p50', 'p50_ms', True), ('p99', 'p99_ms', False)]
# Of the measures that have one run: ending of the key, unit, more is better; the first that fits counts.
ENDINGS = [
    ('samples_per_second', '/s', True), ('_per_second', '/s', True), ('_per_million', 's', False),
    ('_ms', 'ms', False), ('_seconds', 's', False), ('bytes_per_sample', 'B', False), ('bytes_per_tag', 'B', False),
    ('amplification', '', False),
]
NOT_HELD = ('p99', 'max', 'settle', 'cpu', 'ack_')


def lookup(tree, path):
    for word in path.split('.'):
        tree = tree.get(word) if isinstance(tree, dict) else None
    return tree if isinstance(tree, (int, float)) and not isinstance(tree, bool) else None


def figures_of(part, result):
    """{label: Figure} of what one part left in its JSON, in the order of the table."""
    figures = {}
    for run in result.get('runs') or []:
        name = '%s, %d conn.: ' % (part, run['connections'])
        for label, path, unit, more, held in RUN_FIGURES:
            figures[name + label] = Figure(lookup(run, path), unit, more, held)
        for key, query in QUERY_NAMES:
            for label, figure, held in QUERY_FIGURES:
                path = 'queries.%s.%s' % (key, figure)
                figures['%s%s, %s' % (name, query, label)] = Figure(lookup(run, path), 'ms', False, held)
    for key, value in (result.get(part) or {}).items():
        for ending, unit, more in ENDINGS:
            if key.endswith(ending) and lookup(result, part + '.' + key) is not None:
                held = not any(word in key for word in NOT_HELD)
                figures['%s: %s' % (part, key)] = Figure(value, unit, more, held)
                break
    for row in result.get('rows') or []:
        figures['%s: %s' % (row['program'], row['name'])] = Figure(row['ns'], 'ns', False, True)
    return figures


def ratio(new, old, more_is_better):
    """More than 1: new is better. None when one of them is missing or is nothing."""
    if not new or not old or new < 0 or old < 0:
        return None
    return new / old if more_is_better else old / new


class Comparison:
    """Takes both sides' figures round by round; then tells of each figure, in the order in which they came."""

    def __init__(self):
        self.rounds = {}  # label -> [(Figure or None, Figure or None)]

    def add(self, new, old):
        for label in list(new) + [label for label in old if label not in new]:
            self.rounds.setdefault(label, []).append((new.get(label), old.get(label)))

    def rows(self):
        """One dictionary a figure; 'ratios' is empty where a side lacks it."""
        rows = []
        for label, pairs in self.rounds.items():
            some = next(figure for pair in pairs for figure in pair if figure)
            values = [[figure.value for figure in side if figure and figure.value is not None] for side in zip(*pairs)]
            if not values[0] and not values[1]:
                continue
            ratios = [ratio(new.value, old.value, some.more_is_better) for new, old in pairs if new and old]
            rows.append({
                'figure': label, 'unit': some.unit, 'more_is_better': some.more_is_better, 'held': some.held,
                'new': statistics.median(values[0]) if values[0] else None,
                'old': statistics.median(values[1]) if values[1] else None,
                'ratios': [r for r in ratios if r is not None],
            })
        return rows


def shown(value, unit):
    if value is None:
        return '-'
    if unit == '/s':
        return '%.2f M/s' % (value / 1e6)
    if unit == 'MiB':
        return '%.0f MiB' % (value / (1 << 20))
    return ('%.4g %s' % (value, unit)).strip()


def table_of(rows):
    """Columns that line up, for people, pipes and Markdown alike."""
    cells = [['figure', 'new', 'old', 'ratio', 'min', 'max', 'rounds', 'held']]
    for row in rows:
        ratios = row['ratios']
        if ratios:
            of_ratio = ['%.3f' % statistics.median(ratios), '%.3f' % min(ratios), '%.3f' % max(ratios)]
        else:
            missing = [side for side in ('new', 'old') if row[side] is None]
            of_ratio = ['not measured in ' + ' and '.join(missing) if missing else 'no ratio', '', '']
        cells.append([row['figure'], shown(row['new'], row['unit']), shown(row['old'], row['unit'])] + of_ratio +
                     [str(len(ratios)), 'yes' if row['held'] else ''])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]

    def line(texts):
        padded = [text.ljust(width) if column == 0 else text.rjust(width)
                  for column, (text, width) in enumerate(zip(texts, widths))]
        return '| ' + ' | '.join(padded) + ' |'
    rule = '|-' + '-|-'.join('-' * width for width in widths) + '-|'
    return '\n'.join([line(cells[0]), rule] + [line(texts) for texts in cells[1:]])


def below(rows, at_least):
    """The held figures whose median ratio is less than at_least, the worst first."""
    medians = [(statistics.median(row['ratios']), row['figure']) for row in rows if row['held'] and row['ratios']]
    return [(figure, median) for median, figure in sorted(medians) if median < at_least]


# ---- The old commit's programs


def git(root, *words):
    done = subprocess.run(['git', '-C', root] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    if done.returncode != 0:
        raise RuntimeError('git %s: %s' % (' '.join(words), done.stderr.strip()))
    return done.stdout.strip()


def commit_of(root, revision):
    try:
        return git(root, 'rev-parse', '--verify', '--quiet', revision + '^{commit}')
    except RuntimeError:
        raise RuntimeError('%s is no commit of this repository; is the clone shallow? (git fetch --unshallow)' %
                           revision)


def same_contract(root, commit):
    """Whether the wire is described by the same files in the commit and in the working tree."""
    return not git(root, 'diff', '--name-only', commit, '--', 'proto/historian/v1/*.proto') and not git(
        root, 'ls-files', '--others', '--exclude-standard', '--', 'proto/historian/v1/*.proto')


def programs_of(root, commit, names, required, say):
    """The directory with the commit's programs, built if it is not there yet.

    It is kept in ~/.cache/historian/against, so the next comparison with the commit begins at once. It may be deleted at
    any time. The build itself is in a scratch directory and gone afterwards; what it compiled stays in the disk cache
    that .bazelrc names.
    """
    cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'historian' / 'against'
    kept = cache / commit
    if all((kept / name).is_file() for name in required):
        say('the programs of %s are in %s' % (commit[:9], kept))
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix='building-', dir=cache))
    tree = scratch / 'tree'
    bazel = ['bazel', '--output_base=%s' % (scratch / 'output')]
    try:
        say('building %s (some minutes; what has not changed since comes from the disk cache)' % commit[:9])
        git(root, 'worktree', 'add', '--quiet', '--detach', str(tree), commit)
        question = 'attr(name, "^(%s)$", //...)' % '|'.join(names)
        labels = subprocess.run(bazel + ['query', '--noshow_progress', question], cwd=tree, stdout=subprocess.PIPE,
                                universal_newlines=True, check=True).stdout.split()
        # A part whose program is missing or does not build is one that is not compared.
        subprocess.run(bazel + ['build', '--keep_going', '--noshow_progress', '--ui_event_filters=-info,-stdout,-debug'] +
                       labels, cwd=tree, stdout=subprocess.DEVNULL)
        ready = scratch / 'programs'
        ready.mkdir()
        for label in labels:
            program = tree / 'bazel-bin' / label.lstrip('/').replace(':', '/')
            if program.is_file():
                shutil.copy2(program, ready)
        missing = [name for name in required if not (ready / name).is_file()]
        if missing:
            raise RuntimeError('%s could not be built: %s' % (commit[:9], ', '.join(missing)))
        shutil.rmtree(kept, ignore_errors=True)
        ready.rename(kept)
    finally:
        if tree.is_dir():
            subprocess.run(bazel + ['shutdown'], cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            git(root, 'worktree', 'remove', '--force', str(tree))
        remove(scratch)
    return kept


def remove(directory):
    """With what bazel made read-only."""
    for path, names, _ in os.walk(directory):
        for name in names:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), stat.S_IRWXU)
    shutil.rmtree(directory, ignore_errors=True)
