#!/usr/bin/env python3
"""What build_cost.py makes of a profile."""

import gzip
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import build_cost  # noqa: E402


class BuildCostTest(unittest.TestCase):

    def test_actions_are_added_up_by_kind_folder_and_file(self):
        events = [{'cat': 'action processing', 'name': name, 'dur': dur} for name, dur in
                  (('Compiling a/x.cc', 2e6), ('Compiling a/x.cc', 1e6), ('Compiling b/y.cc', 4e6),
                   ('Linking a/x', 5e6))]
        events.append({'cat': 'something else', 'name': 'Compiling a/x.cc', 'dur': 9e6})
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'profile.gz')
            with gzip.open(path, 'wt') as file:
                json.dump({'traceEvents': events}, file)
            kinds, folders, files = build_cost.summary(build_cost.actions(path))
        self.assertEqual(dict(kinds), {'Compiling': 7, 'Linking': 5})
        self.assertEqual(dict(folders), {'a': 3, 'b': 4})
        self.assertEqual(dict(files), {'a/x.cc': [2, 3], 'b/y.cc': [1, 4]})


if __name__ == '__main__':
    unittest.main()
