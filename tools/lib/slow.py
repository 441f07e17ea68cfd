"""How small slow tags are: a plant's year by the hour and by the minute, and air quality by the hour.

Few samples a week and tag are where what comes with each block (its head, its entry in an index, its file's share of a
manifest) weighs most. So everything in the data directory is counted, on both sides.
"""

import collections
import json
import math
import os
import random
import subprocess
import time

import historian
import peer

# name: of its directory. write(server, directory): stores the samples. every: VictoriaMetrics gets one tag of so many.
Set = collections.namedtuple('Set', 'name title tags write every')

HOUR_S, DAY_S = 3600, 24 * 3600
PLANT_BEGIN = 1672531200  # 2023-01-01T00:00:00Z; the year has 365 days.
AIR_BEGIN = 1546300800    # 2019-01-01T00:00:00Z; four years have 1461 days.
# Samples in one request to VictoriaMetrics: some 60 MB of text.
REQUEST_SAMPLES = 1000000
CHECKED_TAGS = 3
# Files that have their size from the beginning on; all but the newest are gone once everything is sealed.
SEGMENTS = 'log/journal/N.seg'


def sets(quick, plantsim):
    """plantsim: path of the program."""
    def plant(tags, period_s, days):
        return lambda server, directory: write_plant(server, plantsim, tags, period_s, days)

    def air(stations, days):
        return lambda server, directory: write_air(server, directory, stations, days)
    if quick:
        return [Set('hourly', 'plant, hourly, 60 days', 50, plant(50, HOUR_S, 60), 1),
                Set('minutely', 'plant, minutely, 10 days', 50, plant(50, 60, 10), 5),
                Set('air', 'air quality, hourly, 60 days', 22, air(2, 60), 1)]
    return [Set('hourly', 'plant, hourly, a year', 1000, plant(1000, HOUR_S, 365), 1),
            Set('minutely', 'plant, minutely, a year', 1000, plant(1000, 60, 365), 10),
            Set('air', 'air quality, hourly, four years', 132, air(12, 1461), 1)]


def rfc3339(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


def write_plant(server, plantsim, tags, period_s, days):
    subprocess.run([plantsim, '--server', server.address, '--quiet', '--fast', '--from', rfc3339(PLANT_BEGIN), '--to',
                    rfc3339(PLANT_BEGIN + days * DAY_S), '--tags', str(tags), '--seed', '1', '--rate', repr(1 / period_s)],
                   stdout=subprocess.DEVNULL, check=True, timeout=historian.TIMEOUT_S)


# ---- Air quality


QUANTITIES = ('PM2.5 [ug/m3]', 'PM10 [ug/m3]', 'SO2 [ug/m3]', 'NO2 [ug/m3]', 'CO [ug/m3]', 'O3 [ug/m3]', 'temperature [Cel]',
              'pressure [hPa]', 'dew point [Cel]', 'rain [mm]', 'wind speed [m/s]')


def air_column(station, quantity, hours):
    """Texts of one quantity, an hour each; '' where the analyser gave none: some 2 % of the concentrations, and less of the
    weather. Concentrations are whole numbers, log-normal and slow; the weather has one decimal, with days and years."""
    draw = random.Random('%d/%s' % (station, quantity))
    name = quantity.split(' [')[0]
    weather = quantity in QUANTITIES[6:]
    phase = draw.uniform(0, 2 * math.pi)
    slow, gap, texts = 0.0, 0, []
    for hour in range(hours):
        slow = 0.97 * slow + draw.gauss(0, 0.24)
        day = math.sin(2 * math.pi * hour / 24 + phase)
        year = math.sin(2 * math.pi * hour / 8766)
        if gap == 0 and draw.random() < (0.0002 if weather else 0.002):
            gap = draw.randint(1, 24)
        if name == 'PM2.5':
            value = max(3, 60 * math.exp(0.9 * slow))
        elif name == 'PM10':
            value = max(5, 90 * math.exp(0.7 * slow))
        elif name == 'SO2':
            value = max(2, 9 * math.exp(slow))
        elif name == 'NO2':
            value = max(2, 45 * math.exp(0.5 * slow + 0.3 * day))
        elif name == 'CO':
            value = 100 * max(1, round(9 * math.exp(0.7 * slow)))
        elif name == 'O3':
            value = max(1, 50 * math.exp(0.6 * slow + 0.8 * day))
        elif name == 'temperature':
            value = 13 + 12 * year + 5 * day + 2 * slow
        elif name == 'pressure':
            value = 1010 + 10 * year + 3 * slow
        elif name == 'dew point':
            value = 2 + 13 * year + 4 * slow
        elif name == 'rain':
            value = 0 if draw.random() < 0.96 else draw.expovariate(1)
        else:
            value = abs(1.7 + 0.7 * day + 0.9 * draw.gauss(0, 1))
        texts.append('' if gap else ('%.1f' if weather else '%.0f') % value)
        gap = max(0, gap - 1)
    return texts


def write_air(server, directory, stations, days):
    """A file for each station, as networks publish them, with a column for each quantity."""
    os.mkdir(directory)
    files = []
    for station in range(1, stations + 1):
        columns = [air_column(station, quantity, days * 24) for quantity in QUANTITIES]
        files.append(os.path.join(directory, 'station-%02d.csv' % station))
        with open(files[-1], 'w') as file:
            file.write('time,' + ','.join(QUANTITIES) + '\n')
            for hour, row in enumerate(zip(*columns)):
                file.write(rfc3339(AIR_BEGIN + hour * HOUR_S) + ',' + ','.join(row) + '\n')
    server.histctl('import', *files, '--prefix', 'air/{file}/')


# ---- Both sizes


def measure(one, open_historian, scratch, say):
    """Figures of one Set, in bytes, after both servers stopped. open_historian(directory): makes a Historian."""
    begin = time.time()
    with open_historian(os.path.join(scratch, one.name)) as server:
        one.write(server, os.path.join(scratch, one.name + '.files'))
        written = time.time()
        server.histctl('seal', '--settle')
        settled = time.time()
        storage = json.loads(server.histctl('storage', '*', '--format', 'json'))
        if len(storage) != one.tags:
            raise RuntimeError('%s: %d tags instead of %d' % (one.title, len(storage), one.tags))
        compared = some_of(storage, one.every)
        if peer.is_installed():
            theirs = peer_figures(server, compared, os.path.join(scratch, one.name + '.peer'))
        else:
            say('victoria-metrics is not installed: no comparison')
            theirs = None
    files = server.sizes()
    segments = files[SEGMENTS]
    figures = figures_of(storage, compared, sum(files.values()) - segments)
    if theirs:
        figures['peer'] = {**figures['peer'], **theirs}
    else:
        del figures['peer']
    return {'name': one.name, 'title': one.title, **figures, 'journal_segment_bytes': segments, 'files': files,
            'write_seconds': round(written - begin, 1), 'settle_seconds': round(settled - written, 1),
            'seconds': round(time.time() - begin, 1)}


def some_of(storage, every):
    """One of `every` tags, in the order of their size, so that these are of all kinds as the others are."""
    return sorted(storage, key=lambda tag: (sum(of_tags([tag])), tag['tag']))[every // 2::every]


def of_tags(tags):
    """Bytes of [heads, payloads, rollups]."""
    return [sum(tag.get(key) or 0 for tag in tags) for key in ('heads', 'payloads', 'rollups')]


def figures_of(storage, compared, size):
    """storage: of all tags, as histctl storage tells it; compared: of those that VictoriaMetrics gets. size: of all files but
    the journal's segments. What is not of one tag is shared out by samples."""
    heads, payloads, rollups = of_tags(storage)
    samples = sum(tag['samples'] for tag in storage)
    rest = size - heads - payloads - rollups
    some = sum(tag['samples'] for tag in compared)
    return {'tags': len(storage), 'samples': samples, 'bytes': size, 'head_bytes': heads, 'payload_bytes': payloads,
            'rollup_bytes': rollups, 'rest_bytes': rest,
            'peer': {'tags': len(compared), 'samples': some, 'our_bytes': sum(of_tags(compared)) + rest * some / samples}}


def peer_figures(server, compared, directory):
    with peer.VictoriaMetrics(directory) as victoria:
        sent = 0
        for names in requests(compared):
            body = peer_csv(server.histctl('export', *names, '--time-format', 'unix_ms'))
            victoria.store_csv(body)
            sent += body.count(b'\n')
        victoria.settle()
        samples = sum(tag['samples'] for tag in compared)
        if not samples == sent == victoria.samples():
            raise RuntimeError('%d samples: %d were exported, VictoriaMetrics has %d' % (samples, sent, victoria.samples()))
        differ = 0
        for tag in compared[::max(1, len(compared) // CHECKED_TAGS)][:CHECKED_TAGS]:
            rows = peer_csv(server.histctl('export', tag['tag'], '--time-format', 'unix_ms')).decode().splitlines()
            ours = {(int(row.split(',')[0]), float(row.split(',')[2])) for row in rows}
            differ += len(ours ^ set(victoria.load(tag['tag'])))
    return {'sizes': victoria.sizes(), 'differs': differ}


def requests(tags):
    """Names in lists of up to REQUEST_SAMPLES, or of one."""
    names, samples = [], 0
    for tag in tags:
        if names and samples + tag['samples'] > REQUEST_SAMPLES:
            yield names
            names, samples = [], 0
        names.append(tag['tag'])
        samples += tag['samples']
    if names:
        yield names


def peer_csv(exported):
    """Lines of time, tag, value and quality, without their heading, with numbers for bool."""
    return exported.split('\n', 1)[1].replace(',true,', ',1,').replace(',false,', ',0,').encode()


def peer_bytes(sizes):
    """All of VictoriaMetrics' directory but the caches, which it makes again when they are missing."""
    return sum(size for name, size in sizes.items() if name != 'cache')
