#!/usr/bin/env python3
"""Lists the command blocks of the book that a test can run, in the order of the book; or runs those that need no cluster.

  docs/book/commands.py                       all of them, as text
  docs/book/commands.py --json                all of them, as JSON: place, needs, text
  docs/book/commands.py --needs node          those that need a cluster (or: service, those that need the program alone)
  docs/book/commands.py --run --bin target/debug --postgres postgres://exam@127.0.0.1:5432/exams
                                              run those that need the program alone, from the top of the repository

README.md beside it says what the fences `sh`, `sh,run` and `sh,run,node` mean. Standard library alone.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

from pages import ROOT, chapters, split


def blocks(needs=None):
    """The blocks, in the order of the book."""
    for chapter in chapters():
        for fence in split(chapter)[0]:
            if fence.info[:2] == ["sh", "run"]:
                wants = fence.info[2] if len(fence.info) > 2 else "service"
                if needs in (None, wants):
                    yield fence, wants


def run(arguments):
    """Runs the blocks that need the program alone, each in a shell of its own; the folder `$WORK` is shared by all."""
    with tempfile.TemporaryDirectory(prefix="exam-book-") as work:
        environment = os.environ | {"WORK": work, "PATH": f"{pathlib.Path(arguments.bin).resolve()}:{os.environ['PATH']}"}
        if arguments.postgres:
            environment["DATABASE"] = arguments.postgres
        failed = 0
        for fence, _ in blocks("service"):
            if "$DATABASE" in fence.text and not arguments.postgres:
                print(f"skipped  {fence.place()} (it wants --postgres)")
                continue
            command = ["bash", "-euo", "pipefail", "-c", fence.text]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
            print(f"{'ok     ' if done.returncode == 0 else 'FAILED '}  {fence.place()}", flush=True)
            if done.returncode:
                failed += 1
                print(done.stdout + done.stderr)
        raise SystemExit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--needs", choices=["service", "node"], help="only blocks that need this")
    parser.add_argument("--run", action="store_true", help="run the blocks that need the program alone")
    parser.add_argument("--bin", default="target/debug", help="folder of the programs, for --run")
    parser.add_argument("--postgres", help="URL of an empty PostgreSQL database, for --run")
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments)
    found = list(blocks(arguments.needs))
    if arguments.json:
        print(json.dumps([{"place": fence.place(), "needs": wants, "text": fence.text} for fence, wants in found], indent=1))
    else:
        for fence, wants in found:
            print(f"# {fence.place()} ({wants})\n{fence.text}")


if __name__ == "__main__":
    main()
