#!/usr/bin/python3
"""The commands of the documents work as they are written: each `histctl` line of README.md and of docs/operations.md, import.md and units.md, and
each example of histctl's help, is run against a server with the quickstart's plant. What they print is not compared, that they end
well is."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

RUNFILES = os.getcwd()
DEADLINE_S = 120

# Commands that name something that there is not here: what they end with instead of 0 (tools/histctl/exit_code.h).
OTHER_ENDS = {
    'histctl token revoke 9f2c51d07ab34e86': 3,
    "histctl hold release 3 --reason 'case closed'": 3,
    'histctl backup restore /mnt/backup/historian --to /var/lib/historian-new --at 2026-11-28T12:00:00Z': 3,
    'histctl retention list --as-of 2026-11-01': 5,
    'histctl tag show plant/area-1/pump-101/state --as-of 2026-11-01': 5,
    'histctl block dump plant/area-1/pump-101/flow --seal 17 --samples --format csv': 3,
    'histctl producer show gateway-7': 3,
    'histctl producer reset gateway-7': 3,
}
# A directory that is damaged, or that another server would have to leave; a bucket; a shell's own places.
NOT_RUN = re.compile(r'histctl (salvage|verify --offline|backup restore s3:|completion)')


def commands_of(document):
    """The lines of indented blocks that begin with `histctl`, perhaps behind a prompt and sudo; with their continuations."""
    with open(os.path.join(RUNFILES, document)) as file:
        lines = file.read().split('\n')
    commands = []
    at = 0
    while at < len(lines):
        match = re.match(r'^ {4,}(?:\$ )?(?:sudo -u historian )?(histctl .*)$', lines[at])
        at += 1
        if not match:
            continue
        command = match.group(1)
        while command.endswith('\\'):
            command = command[:-1] + ' ' + lines[at].strip()
            at += 1
        commands.append(re.sub(r'\s+#.*$', '', command).strip())
    return commands


def examples_of_help(*words):
    """The examples in the help of a command and of those below it."""
    histctl = os.path.join(RUNFILES, 'tools/histctl/histctl')
    text = subprocess.run([histctl, *words, '--help'], check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout
    _, _, examples = text.partition('\nExample')
    examples = re.sub(r'\\\n +', ' ', examples)
    commands = [re.sub(r'\s+#.*$', '', line).strip() for line in re.findall(r'^  (histctl .*)$', examples, re.MULTILINE)]
    _, _, below = text.partition('\nSubcommands:\n')
    for word in re.findall(r'^  ([a-z-]+) ', below.partition('\n\n')[0], re.MULTILINE):
        commands += [command for command in examples_of_help(*words, word) if command not in commands]
    return commands


class Plant:
    """A server with a plant of 50 tags and two hours of samples, in a directory that stands for the documents' places."""

    def __init__(self, directory):
        self.directory = directory
        for name in ('mnt', 'log', 'lib', 'bin'):
            os.mkdir(os.path.join(directory, name))
        config = os.path.join(directory, 'historian.toml')
        with open(config, 'w') as file:
            file.write('data_dir = "%s"\n[grpc]\nlisten = "127.0.0.1:0"\n[http]\nlisten = "127.0.0.1:0"\n'
                       '[backup]\ntarget = "%s"\nat = "never"\n' % (self.place('/var/lib/historian'), self.place('/mnt/backup/historian')))
        os.symlink(os.path.join(RUNFILES, 'tools/histctl/histctl'), os.path.join(directory, 'bin/histctl'))
        with open(os.path.join(directory, 'week-23.csv'), 'w') as file:
            file.write('time;Pressure [bar]\n2026-06-01 00:00;4,5\n2026-06-01 00:10;4,6\n')
        shutil.copy(os.path.join(directory, 'week-23.csv'), os.path.join(directory, 'week-47.csv'))
        with open(os.path.join(directory, 'run.csv'), 'w') as file:
            file.write('time,Volume Flow Rate,label\n2026-06-01 00:00,12.5,good\n')
        with open(os.path.join(directory, 'machine-1.csv'), 'w') as file:
            file.write('time,value\n2026-06-01 00:00,21.5\n')
        with open(os.path.join(directory, 'tags.csv'), 'w') as file:
            file.write('name,type,unit\nplant/area-2/pump-201/flow,float64,m3/h\n')
        with open(os.path.join(directory, 'run1.dat'), 'w') as file:
            file.write(''.join(' '.join(str(row + column) for column in range(52)) + '\n' for row in range(3)))
        ports = os.path.join(directory, 'ports')
        self.log = os.path.join(directory, 'server.log')
        with open(self.log, 'w') as log:
            self.server = subprocess.Popen([os.path.join(RUNFILES, 'server/historiand'), '--config', config, '--port-file', ports],
                                           stdout=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(ports):
            if self.server.poll() is not None or time.monotonic() > end:
                raise AssertionError('the server did not start: ' + open(self.log).read())
            time.sleep(0.05)
        with open(ports) as file:
            address = dict(line.strip().split('=') for line in file)['grpc']
        self.environment = {'PATH': os.path.join(directory, 'bin') + ':' + os.environ.get('PATH', '/usr/bin:/bin'), 'HOME': directory,
                            'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'HISTORIAN_SERVER': address}
        self.plant = subprocess.Popen([os.path.join(RUNFILES, 'tools/plantsim/plantsim'), '--server', address, '--tags', '50',
                                       '--backfill', '2 hours'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.run("histctl latest 'plant/area-1/pump-101/flow'").returncode != 0:
            if time.monotonic() > end:
                raise AssertionError('the plant says nothing')
            time.sleep(0.2)

    def place(self, path):
        for there, here in (('/mnt/backup', 'mnt'), ('/var/log', 'log'), ('/var/lib', 'lib')):
            path = path.replace(there, os.path.join(self.directory, here))
        return path.replace('other:7720', '"$HISTORIAN_SERVER"')

    def run(self, command):
        return subprocess.run(['bash', '-c', self.place(command)], cwd=self.directory, capture_output=True, text=True,
                              env=self.environment, timeout=DEADLINE_S)

    def stop(self):
        self.plant.kill()
        self.plant.wait()
        self.server.kill()
        self.server.wait()


class DocumentsTest(unittest.TestCase):
    def run_commands(self, document, commands, at_least):
        commands = [command for command in commands if not NOT_RUN.match(command)]
        self.assertGreaterEqual(len(commands), at_least, document)
        # Once there is a token the server asks for one.
        commands.sort(key=lambda command: command.startswith(('histctl token', 'histctl --token-file', 'histctl whoami')))
        failures = []
        with tempfile.TemporaryDirectory() as directory:
            plant = Plant(directory)
            try:
                for command in commands:
                    if command.endswith('...'):
                        command = command.rsplit('||', 1)[0]
                    if command.startswith('histctl backup restore'):
                        shutil.rmtree(plant.place('/var/lib/historian-new'), ignore_errors=True)
                    result = plant.run(command)
                    wanted = OTHER_ENDS.get(command, 0)
                    if result.returncode != wanted:
                        failures.append('%s\nended with %d, not %d\n%s%s' % (command, result.returncode, wanted, result.stdout[-2000:],
                                                                            result.stderr[-2000:]))
                    token = os.path.join(directory, 'admin.token')
                    if os.path.exists(token) and 'HISTORIAN_TOKEN' not in plant.environment:
                        with open(token) as file:
                            plant.environment['HISTORIAN_TOKEN'] = re.search(r'\S+$', file.read().strip()).group(0)
            finally:
                plant.stop()
        self.assertEqual(failures, [], document + ':\n' + '\n'.join(failures))

    def test_readme(self):
        self.run_commands('README.md', commands_of('README.md'), 12)

    def test_operations(self):
        self.run_commands('docs/operations.md', commands_of('docs/operations.md'), 20)

    def test_import(self):
        self.run_commands('docs/import.md', commands_of('docs/import.md'), 3)

    def test_units(self):
        self.run_commands('docs/units.md', commands_of('docs/units.md'), 5)

    def test_help(self):
        self.run_commands('histctl --help', examples_of_help(), 90)


if __name__ == '__main__':
    unittest.main()
