"""Seconds and memory for a large collection of gene sets; prints a table.

``python benchmarks/gene_set_memory.py`` writes a GMT of 135 MB (sets of 20 to 1,500 of 20,000
genes), and reads it in a process of its own: alone, and beside the sets of adnorm with what the
plan of a run asks of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
#: Times the size of the file, and seconds of the processor.
MOST_TIMES, MOST_SECONDS = 5.0, 30.0
_READ = """
import resource, sys, time
from adnorm.study.gene_sets import SetSymbols, read_gene_sets, read_gmt
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
files = [Path(name) for name in sys.argv[1:]]
found = read_gmt(files[0]) if len(files) == 1 else SetSymbols.of(read_gene_sets(files)).digest
seconds = time.process_time() - begin
print(seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 1024 * before)
"""


def write_collection(path: Path, size: int) -> int:
    """Write a GMT of some bytes; the number of its sets."""
    random = np.random.default_rng(1)
    genes = np.array([f"GENE{i}" for i in range(20_000)])
    number = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            count = int(random.choice([20, 100, 500, 1500]))
            members = random.choice(genes, count, replace=False)
            written += file.write("\t".join([f"SET_{number}", f"set {number}", *members]) + "\n")
            number += 1
    return number


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=float, default=135)
    size = int(1e6 * parser.parse_args().megabytes)
    print("| what | CPU s | bar s | peak MiB | peak / file | bar | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "collection.gmt"
        sets = write_collection(path, size)
        ours = ROOT / "config" / "gene_sets" / "adnorm.tsv"
        for what, files in (
            ("read", [path]),
            ("read and planned with adnorm's sets", [ours, path]),
        ):
            call = [sys.executable, "-c", _READ, *map(str, files)]
            answer = subprocess.run(call, capture_output=True, text=True, check=True).stdout
            seconds, peak, _ = map(float, answer.split())
            times = peak / size
            fine = times <= MOST_TIMES and seconds <= MOST_SECONDS
            print(
                f"| {what}: {sets:,} sets, {size / 1e6:.0f} MB | {seconds:.1f} | {MOST_SECONDS:g} "
                f"| {peak / 2**20:.0f} | {times:.2f} | {MOST_TIMES:g} | "
                f"{'holds' if fine else 'missed'} |"
            )


if __name__ == "__main__":
    main()
