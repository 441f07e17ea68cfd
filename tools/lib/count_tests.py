"""Counts test cases of a bazel run: python3 count_tests.py EVENTS_JSON BAZEL_EXIT_CODE [RESULTS]

RESULTS has those of tests that bazel does not run, a line each: "passed NAME", "failed NAME", "skipped REASON".
Prints the failed ones and, last, "N passed, N failed". Exits 0 when bazel did and none failed. A target that did not
build, timed out or crashed counts as one failed case.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree


def cases(uri):
    """Yields (name, failed) of a test.xml."""
    path = urllib.parse.unquote(urllib.parse.urlparse(uri).path)
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        if case.get("status") == "notrun" or case.find("skipped") is not None:
            continue
        failed = case.find("failure") is not None or case.find("error") is not None
        yield f"{case.get('classname', '')}.{case.get('name', '')}".strip("."), failed


def main():
    events, exit_code = sys.argv[1], int(sys.argv[2])
    passed, failed = 0, []
    with open(events, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if "testResult" in event:
                result = event["testResult"]
                label = event["id"]["testResult"]["label"]
                ok = result["status"] in ("PASSED", "FLAKY")
                found_failure = False
                for output in result.get("testActionOutput", []):
                    if output["name"] != "test.xml":
                        continue
                    try:
                        for name, case_failed in cases(output["uri"]):
                            if case_failed:
                                found_failure = True
                                failed.append(f"{label}: {name}")
                            else:
                                passed += 1
                    except (OSError, xml.etree.ElementTree.ParseError):
                        pass
                if not ok and not found_failure:
                    failed.append(f"{label}: {result['status']}")
            elif "aborted" in event and "targetCompleted" in event["id"]:
                failed.append(f"{event['id']['targetCompleted']['label']}: did not build")
            elif event["id"].get("targetCompleted") and not event.get("completed", {}).get("success", False):
                failed.append(f"{event['id']['targetCompleted']['label']}: did not build")
    for path in sys.argv[3:]:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                result, _, name = line.strip().partition(" ")
                if result == "passed":
                    passed += 1
                elif result == "failed":
                    failed.append(name)
                else:
                    print(line.strip())
    for name in failed:
        print(f"FAILED {name}")
    if exit_code != 0 and not failed:
        failed.append("bazel")
        print(f"FAILED bazel ended with {exit_code} before any test could run; its messages are above")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(0 if not failed else 1)


main()
