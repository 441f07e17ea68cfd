"""What VictoriaMetrics (Debian's package victoria-metrics) makes of the same samples, to compare sizes with."""

import json
import os
import pathlib
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

    def settle(self):
        """Everything on disk, in as few parts as it makes."""
        self.ask('/internal/force_flush')
        self.ask('/internal/force_merge')
        size = -1
        while size != self.size_bytes():
            size = self.size_bytes()
            time.sleep(2)

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
        sizes = []
        for folder, _, files in os.walk(self.directory / 'data'):
            for file in files:
                try:
                    sizes.append(os.path.getsize(os.path.join(folder, file)))
                except FileNotFoundError:  # Merged meanwhile.
                    pass
        return sum(sizes)
