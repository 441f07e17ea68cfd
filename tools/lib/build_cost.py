#!/usr/bin/env python3
"""What a cold build costs, by folder, by file and by header.

  bazel build --disk_cache= --profile=/tmp/build.gz //...   # after `bazel clean`
  tools/lib/build_cost.py /tmp/build.gz                     # the costliest files and folders
  tools/lib/build_cost.py --headers                         # which headers the files of the last build include

Seconds are those that actions took, added up: two run at a time on two processors. A file that was compiled more than once
is named. With --headers: how many files include each of the heavy headers, by whatever way; parsing one costs each of them
the seconds in front, which are measured by compiling an empty file that includes it.
"""

import argparse
import collections
import glob
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Headers of libraries that take long to parse.
HEAVY = ['absl/status/statusor.h', 'absl/strings/str_cat.h', 'absl/synchronization/mutex.h', 'benchmark/benchmark.h',
         'boost/asio.hpp', 'boost/asio/io_context.hpp', 'boost/beast/http.hpp', 'CLI/CLI.hpp', 'gmock/gmock.h',
         'google/protobuf/message.h', 'grpcpp/grpcpp.h', 'grpcpp/server_context.h', 'grpcpp/support/client_callback.h',
         'gtest/gtest.h', 'rocksdb/db.h', 'toml.hpp', 'prometheus/registry.h']


def actions(profile):
    """(name, seconds) of each action in the profile."""
    with gzip.open(profile) as file:
        events = json.load(file)
    events = events['traceEvents'] if isinstance(events, dict) else events
    return [(e['name'], e['dur'] / 1e6) for e in events if e.get('cat') == 'action processing' and 'dur' in e]


def summary(items):
    """Seconds by kind of action, by folder, and by file with how often it was compiled."""
    kinds, folders = collections.Counter(), collections.Counter()
    files = collections.defaultdict(lambda: [0, 0.0])
    for name, seconds in items:
        kind, _, what = name.partition(' ')
        kinds[kind] += seconds
        if kind != 'Compiling':
            continue
        folders[os.path.dirname(what)] += seconds
        files[what][0] += 1
        files[what][1] += seconds
    return kinds, folders, files


def print_profile(profile, most):
    kinds, folders, files = summary(actions(profile))
    for title, counter in (('by kind', kinds), ('by folder', folders)):
        print(title)
        for name, seconds in counter.most_common(most):
            print('%9.1f s  %s' % (seconds, name))
    print('by file')
    for name, (times, seconds) in sorted(files.items(), key=lambda item: -item[1][1])[:most]:
        print('%9.1f s  %s%s' % (seconds, name, '' if times == 1 else '  (compiled %d times)' % times))


def parse_seconds(header):
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, 'a.cc')
        with open(source, 'w') as file:
            file.write('#include <%s>\n' % header)
        begin = time.time()
        done = subprocess.run(['g++', '-std=c++20', '-O2', '-c', source, '-o', os.path.join(directory, 'a.o')],
                              stderr=subprocess.DEVNULL)
        return time.time() - begin if done.returncode == 0 else None


def print_headers():
    lists = glob.glob(os.path.join(ROOT, 'bazel-bin', '**', '*.d'), recursive=True)
    if not lists:
        sys.exit('error: no build to look at in bazel-bin; run tools/test or bazel build //... first')
    including = collections.Counter()
    for path in lists:
        with open(path) as file:
            text = file.read()
        including.update(header for header in HEAVY if '/' + header in text)
    rows = []
    for header, count in including.items():
        seconds = parse_seconds(header)
        rows.append((0 if seconds is None else seconds * count, seconds, count, header))
    print('  in all    each  files  header   (of %d files)' % len(lists))
    for total, seconds, count, header in sorted(rows, reverse=True):
        print('%6.0f s %6s s  %5d  %s' % (total, '-' if seconds is None else '%.2f' % seconds, count, header))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('profile', nargs='?', help='what bazel --profile wrote')
    parser.add_argument('--headers', action='store_true', help='what the files of the last build include')
    parser.add_argument('--most', type=int, default=25, help='rows of a table (default 25)')
    options = parser.parse_args()
    if options.profile is None and not options.headers:
        parser.error('name a profile, or ask for --headers')
    if options.profile is not None:
        print_profile(options.profile, options.most)
    if options.headers:
        print_headers()


if __name__ == '__main__':
    main()
