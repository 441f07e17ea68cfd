"""What VictoriaMetrics (Debian's package victoria-metrics) makes of the same samples, to compare sizes with."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

ADDRESS = '127.0.0.1:18428'
START_S = 30


def is_installed():
    return shutil.which('victoria-metrics') is not None


class VictoriaMetrics:
    """A server of its own in a directory, while it is open."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def __enter__(self):
        self.log = open(str(self.directory) + '.log', 'w')
        self.server = subprocess.Popen(
            ['victoria-metrics', '-storageDataPath', str(self.directory), '-httpListenAddr', ADDRESS, '-retentionPeriod',
             '100y'], stdout=self.log, stderr=self.log)
        end = time.time() + START_S
        while True:
            try:
                self.ask('/health')
                return self
            except (urllib.error.URLError, OSError):
                if time.time() > end:
                    self.__exit__()
                    raise RuntimeError('victoria-metrics does not answer at %s' % ADDRESS)
                time.sleep(0.1)

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(60)
        self.log.close()

    @staticmethod
    def ask(path, body=None):
        with urllib.request.urlopen(urllib.request.Request('http://' + ADDRESS + path, data=body), timeout=60) as answer:
            return answer.read()

    def store(self, name, milliseconds, values):
        self.ask('/api/v1/import', json.dumps({'metric': {'__name__': 'sample', 'tag': name}, 'values': values,
                                               'timestamps': milliseconds}).encode())

    def store_csv(self, lines):
        """Lines of milliseconds, tag and value; what is behind these is not read."""
        self.ask('/api/v1/import/csv?format=1:time:unix_ms,2:label:tag,3:metric:sample', lines)

    def settle(self):
        """Everything on disk, in as few parts as it makes."""
        size = -1
        while size != self.size_bytes():
            size = self.size_bytes()
            self.ask('/internal/force_flush')
            self.ask('/internal/force_merge')
            time.sleep(2)
            while self.metric('vm_active_force_merges') + self.metric('vm_active_merges'):
                time.sleep(0.1)

    def samples(self):
        """In all of its parts."""
        return self.metric('vm_rows', 'storage/')

    def metric(self, name, kind=''):
        """The sum over all types that begin with `kind`."""
        lines = re.findall(r'^%s(?:\{type="%s[^"]*"\})? (\S+)$' % (name, kind), self.ask('/metrics').decode(), re.M)
        return int(sum(map(float, lines)))

    def load(self, name):
        """[(milliseconds, value)] as exported again."""
        match = urllib.parse.quote('{tag=%s}' % json.dumps(name))
        samples = []
        for line in self.ask('/api/v1/export?match[]=' + match).decode().splitlines():
            series = json.loads(line)
            samples += zip(series['timestamps'], series['values'])
        return samples

    def size_bytes(self):
        """Of the samples, without its index of names."""
        return self.sizes()['data']

    def sizes(self):
        """Bytes of the files below each directory of its own: data are the samples, indexdb their names."""
        sizes = {'data': 0}
        for folder, _, files in os.walk(self.directory):
            name = pathlib.Path(folder).relative_to(self.directory).parts[:1]
            for file in files:
                try:
                    size = os.path.getsize(os.path.join(folder, file))
                except FileNotFoundError:  # Merged meanwhile.
                    continue
                key = name[0] if name else file
                sizes[key] = sizes.get(key, 0) + size
        return sizes
