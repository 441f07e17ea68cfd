"""A server of Historian of its own in a directory, while it is open, for what the benchmark asks through histctl."""

import os
import pathlib
import re
import subprocess
import time

START_S = 30
TIMEOUT_S = 900


class Historian:

    def __init__(self, server, histctl, directory):
        """server, histctl: paths of the programs. directory: of the archive; it need not exist."""
        self.program, self.client = server, histctl
        self.directory = pathlib.Path(directory)
        self.address = None

    def __enter__(self):
        ports = pathlib.Path(str(self.directory) + '.ports')
        self.log = open(str(self.directory) + '.log', 'w')
        self.server = subprocess.Popen(
            [self.program, '--data-dir', str(self.directory), '--grpc-listen', '127.0.0.1:0', '--http-listen',
             '127.0.0.1:0', '--port-file', str(ports)], stdout=self.log, stderr=self.log)
        end = time.monotonic() + START_S
        while True:
            text = ports.read_text() if ports.exists() else ''
            if 'http=' in text and text.endswith('\n'):
                self.address = re.search(r'^grpc=(.*)$', text, re.M).group(1)
                return self
            if self.server.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError('historiand did not start: ' + pathlib.Path(self.log.name).read_text().strip())
            time.sleep(0.05)

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(60)
        self.log.close()

    def histctl(self, *words):
        """What it prints; CalledProcessError when it ends with anything but 0."""
        return subprocess.run([self.client, '--server', self.address] + list(words), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, check=True, timeout=TIMEOUT_S).stdout

    def sizes(self):
        """Bytes of all files in the directory, by kind: the path with N for every number, as rocksdb/N.sst."""
        sizes = {}
        for folder, _, files in os.walk(self.directory):
            for file in files:
                path = pathlib.Path(folder, file)
                kind = re.sub(r'\d+', 'N', str(path.relative_to(self.directory)))
                sizes[kind] = sizes.get(kind, 0) + path.stat().st_size
        return sizes
