#!/usr/bin/env python3
"""Makes manual pages of what programs say to --help.

  man_page.py PROGRAM SECTION DIRECTORY [--see TEXT]

Writes DIRECTORY/NAME.SECTION, and NAME-COMMAND.SECTION for each command of the program, with the commands below it. The help
is that of CLI11: a description, Usage, Options, Positionals, Subcommands, then what the program has put below.
"""

import argparse
import os
import pathlib
import re
import subprocess
import time

HEADINGS = ('Positionals:', 'Options:', 'Subcommands:')


def help_of(program, path):
    done = subprocess.run([program, *path, '--help'], stdout=subprocess.PIPE, check=True, text=True,
                          env={**os.environ, 'LC_ALL': 'C.UTF-8'})
    # CLI11 says how it was called.
    return done.stdout.replace(str(program), pathlib.Path(program).name)


class Help:
    """The parts of a help text."""

    def __init__(self, text):
        self.about, self.usage = [], ''
        self.lists = {}  # Heading -> [(name, text)].
        self.rest = []
        part = 'about'
        for line in text.rstrip().split('\n'):
            if line.startswith('Usage: '):
                self.usage = line[len('Usage: '):]
                part = 'usage'
            elif line in HEADINGS:
                part = line
                self.lists[part] = []
            elif part in HEADINGS:
                if not line:
                    part = 'rest'
                    continue
                self._add(self.lists[part], line)
            elif part == 'about':
                self.about.append(line)
            elif line or part == 'rest' and self.rest:
                part = 'rest'
                self.rest.append(line)

    @staticmethod
    def _add(entries, line):
        if line.startswith(' ' * 10):
            name, text = entries[-1]
            entries[-1] = (name, (text + ' ' + line.strip()).strip())
            return
        name, _, text = line.strip().partition('  ')
        # A long name and its text with a single space between them.
        if not text:
            found = re.match(r'(.*?(?:\(Env:\S+\)|[A-Z]+|--[a-z-]+))\s+([A-Z][^A-Z].*)$', name)
            if found and len(name) > 60:
                name, text = found.groups()
        entries.append((name, text.strip()))

    def commands(self):
        return self.lists.get('Subcommands:', [])


def escape(text):
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return '\\&' + text if text[:1] in ('.', "'") else text


def filled(lines):
    return [escape(line) if line else '.PP' for line in lines]


def tagged(entries):
    out = []
    for name, text in entries:
        out += ['.TP', '.B ' + escape(name), escape(text) if text else '\\&']
    return out


def as_is(lines):
    return ['.nf', *(escape(line) if line else '' for line in lines), '.fi']


def usage(text):
    name, _, what = text.partition(' ')
    return ['.B ' + escape(name), escape(what)]


def section(title, level='.SH'):
    return ['%s "%s"' % (level, escape(title))]


def body(parts, level):
    out = []
    for heading in HEADINGS:
        if heading == 'Subcommands:' or not parts.lists.get(heading):
            continue
        out += section(heading.rstrip(':').upper().replace('POSITIONALS', 'ARGUMENTS'), level)
        out += tagged(parts.lists[heading])
    return out


def page(program, number, path, see):
    """Returns the page of a program, or of one of its commands."""
    parts = Help(help_of(program, path))
    name = '-'.join([program.name, *path])
    version = subprocess.run([program, '--version'], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    date = time.strftime('%Y-%m-%d', time.gmtime(int(os.environ.get('SOURCE_DATE_EPOCH', time.time()))))
    about = parts.about[0].rstrip('.')
    about = re.sub(r'^%s(, | )' % re.escape(program.name), '', about)
    out = ['.\\" Made of --help by packaging/man_page.py.',
           '.TH "%s" "%s" "%s" "%s" "Historian"' % (escape(name.upper()), number, date, escape(version)),
           *section('NAME'), '%s \\- %s' % (escape(name), escape(about)),
           *section('SYNOPSIS'), *usage(parts.usage),
           *section('DESCRIPTION'), *filled(parts.about), *body(parts, '.SH')]
    if parts.commands() and not path:
        out += section('COMMANDS')
        for command, text in parts.commands():
            out += ['.TP', '.BR %s (%s)' % (escape('%s-%s' % (name, command)), number), escape(text)]
    for command, text in parts.commands() if path else []:
        below = Help(help_of(program, [*path, command]))
        out += section(' '.join([program.name, *path, command])) + filled(below.about)
        out += ['.PP', *usage(below.usage), *body(below, '.SS')]
        if below.rest:
            out += ['.PP', *as_is(below.rest)]
    if parts.rest and not (path and parts.commands()):
        out += section('NOTES') + as_is(parts.rest)
    others = [] if not path else ['%s(%s)' % (program.name, number)]
    out += section('SEE ALSO') + [escape(', '.join(others + see)), '']
    return '\n'.join(out), parts


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('program', type=pathlib.Path)
    arguments.add_argument('section')
    arguments.add_argument('directory', type=pathlib.Path)
    arguments.add_argument('--see', action='append', default=[])
    given = arguments.parse_args()
    program = given.program.resolve()
    given.directory.mkdir(parents=True, exist_ok=True)
    text, parts = page(program, given.section, [], given.see)
    (given.directory / ('%s.%s' % (program.name, given.section))).write_text(text)
    for command, _ in parts.commands():
        text, _ = page(program, given.section, [command], given.see)
        (given.directory / ('%s-%s.%s' % (program.name, command, given.section))).write_text(text)


if __name__ == '__main__':
    main()
