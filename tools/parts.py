#!/usr/bin/env python3
# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Run parts of the tests with stestr and count what really ran.

    python tools/parts.py unit laws                     # tests/unit, then tests/laws
    python tools/parts.py unit -- some.regex --serial   # what follows the dashes is for stestr
    python tools/parts.py --results DIR functional      # also DIR/functional.{subunit,xml,tally}

A part without a test file is passed over.  The exit code is 0 only if something ran and nothing
failed; a part that crashed before it could run a test counts as a failure.
"""

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import subunit
from testtools import StreamToDict

ROOT = Path(__file__).resolve().parents[1]
GOOD = ("success", "xfail")
SKIP = ("skip", "exists")


def main() -> int:
    arguments = parse(sys.argv[1:])
    tally = {"passed": 0, "failed": 0, "skipped": 0}
    for part in arguments.parts:
        if not any((ROOT / "tests" / part).rglob("test_*.py")):
            print(f"tests/{part}: there are no tests yet")
            continue
        counted = run(part, arguments)
        tally = {word: tally[word] + counted[word] for word in tally}
    print(", ".join(f"{number} {word}" for word, number in tally.items()))
    return 0 if tally["passed"] and not tally["failed"] else 1


def parse(words: list[str]) -> argparse.Namespace:
    """Our own words stand before the dashes, those for stestr after them."""
    own, extra = words, []
    if "--" in words:
        at = words.index("--")
        own, extra = words[:at], words[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, help="folder for streams, JUnit files and counts")
    parser.add_argument("parts", nargs="+", help="folders of tests/")
    return parser.parse_args(own, argparse.Namespace(extra=extra))


def run(part: str, arguments: argparse.Namespace) -> dict[str, int]:
    """Run one part.  Its repository is new each time, so nothing old can be counted."""
    repository = ROOT / ".stestr" / part
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    stestr = [
        *(sys.executable, "-m", "stestr", "--test-path", f"./tests/{part}"),
        *("--repo-url", str(repository)),
    ]
    if arguments.extra and not chosen(stestr, arguments.extra):
        print(f"tests/{part}: no test matches")
        return {"passed": 0, "failed": 0, "skipped": 0}
    code = subprocess.run([*stestr, "run", *arguments.extra], cwd=ROOT).returncode
    stream = b""
    if (repository / ".stestr" / "0").exists():
        last = [*stestr, "last", "--subunit"]
        stream = subprocess.run(last, cwd=ROOT, capture_output=True).stdout
    tests = read(stream)
    counted = count(tests)
    only_skipped = counted["skipped"] and not counted["passed"]  # stestr fails then, too
    if code and not counted["failed"] and not only_skipped:
        print(f"tests/{part}: stestr itself failed with exit code {code}")
        counted["failed"] = 1
    if arguments.results:
        leave(arguments.results, part, stream, tests, counted)
    return counted


def chosen(stestr: list[str], extra: list[str]) -> bool:
    """Whether any test matches what was asked for."""
    subprocess.run([*stestr, "init"], cwd=ROOT, check=True)
    words = [word for word in extra if not word.startswith("-")]
    listed = subprocess.run([*stestr, "list", *words], cwd=ROOT, capture_output=True, text=True)
    found = any(line.startswith("tests.") for line in listed.stdout.splitlines())
    return listed.returncode != 0 or found


def read(stream: bytes) -> list[dict]:
    """The tests of a subunit stream, each as testtools describes it."""
    tests: list[dict] = []
    result = StreamToDict(tests.append)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout").run(result)
    result.stopTestRun()
    return [test for test in tests if test["id"] != "stdout"]


def count(tests: list[dict]) -> dict[str, int]:
    passed = sum(test["status"] in GOOD for test in tests)
    skipped = sum(test["status"] in SKIP for test in tests)
    return {"passed": passed, "failed": len(tests) - passed - skipped, "skipped": skipped}


def leave(folder: Path, part: str, stream: bytes, tests: list[dict], counted: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}.subunit").write_bytes(stream)
    (folder / f"{part}.tally").write_text(" ".join(map(str, counted.values())) + "\n")
    failed = [test["id"] for test in tests if test["status"] not in GOOD + SKIP]
    if counted["failed"] > len(failed):
        failed.append(f"tests/{part} as a whole")
    (folder / f"{part}.failed").write_text("".join(f"{name}\n" for name in failed))
    ElementTree.ElementTree(junit(part, tests)).write(folder / f"{part}.xml", "utf-8")


def junit(part: str, tests: list[dict]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=part, tests=str(len(tests)))
    for test in tests:
        group, _, name = test["id"].rpartition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=group, name=name)
        first, last = test["timestamps"]
        if first and last:
            case.set("time", f"{(last - first).total_seconds():.3f}")
        if test["status"] in SKIP:
            ElementTree.SubElement(case, "skipped")
        elif test["status"] not in GOOD:
            text = "\n".join(detail.as_text() for detail in test["details"].values())
            failure = ElementTree.SubElement(case, "failure", type=test["status"])
            failure.text = "".join(c for c in text if c.isprintable() or c in "\n\t")
    return suite


if __name__ == "__main__":
    sys.exit(main())
