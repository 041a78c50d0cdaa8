#!/usr/bin/env python3
"""Measures our PDF of an invoice against ReportLab's and WeasyPrint's, in one run and on the same data.

Usage: bench.py PYTHON BENCH

PYTHON is an interpreter that has requirements.txt, BENCH the release build of the example `bench` of portico-invoice.
All times are of the processor, not of the clock: others may use the machine meanwhile. Cold is a whole process, from its
start to the PDF on disk; warm is one more invoice of a process that has made some. Exit code 1: a goal was missed.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SIZES = (12, 400)
# Enough for a stable median, and for WeasyPrint no longer than somebody waits.
COLD_RUNS = {12: 7, 400: 3}
WARM_RUNS = {("ours", 12): 60, ("ours", 400): 12, ("ReportLab", 12): 60, ("ReportLab", 400): 12,
             ("WeasyPrint", 12): 12, ("WeasyPrint", 400): 3}
WARMUP = 3
# More lines cost no more each than fewer do, give or take what one run measures differently from the next.
LINEAR_SIZES, LINEAR_AT_MOST = (12, 200, 400), 1.25
MEMORY_RUNS, MEMORY_AT_MOST = 1000, 1.05
# No command takes longer than this; the slowest takes half a minute.
SECONDS_MAX = 600


class Renderer:
    def __init__(self, name, command):
        self.name, self.command = name, command

    def cold(self, size, data, folder):
        """Milliseconds, peak KiB and bytes: medians of whole processes."""
        file = folder / f"{self.name}-{size}.pdf"
        source = str(size) if self.name == "ours" else str(data)
        times, peaks = [], []
        for _ in range(COLD_RUNS[size]):
            process = subprocess.Popen([*self.command, "once", source, str(file)])
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                sys.exit(f"{self.name} failed")
            times.append((usage.ru_utime + usage.ru_stime) * 1000)
            peaks.append(usage.ru_maxrss)
        return statistics.median(times), statistics.median(peaks), file.stat().st_size

    def warm(self, size, data, warmup, count):
        """Milliseconds of each rendering, and peak KiB after some of them."""
        source = str(size) if self.name == "ours" else str(data)
        output = subprocess.run(
            [*self.command, "warm", source, str(warmup), str(count)],
            check=True, capture_output=True, text=True, timeout=SECONDS_MAX,
        ).stdout.splitlines()
        times = [float(line) for line in output if not line.startswith("peak")]
        peaks = {int(line.split()[1]): int(line.split()[2]) for line in output if line.startswith("peak")}
        if len(times) != count:
            sys.exit(f"{self.name}: {len(times)} renderings instead of {count}")
        return statistics.median(times), peaks


def main():
    python, bench = sys.argv[1:]
    ours = Renderer("ours", [bench])
    others = [
        Renderer("ReportLab", [python, str(HERE / "reportlab_invoice.py")]),
        Renderer("WeasyPrint", [python, str(HERE / "weasyprint_invoice.py")]),
    ]
    print(f"Load of the machine before: {load()}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = {}
        for size in SIZES:
            data[size] = folder / f"{size}.json"
            json = subprocess.run([bench, "data", str(size)], check=True, capture_output=True).stdout
            data[size].write_bytes(json)
        for size in SIZES:
            for renderer in (ours, *others):
                cold = renderer.cold(size, data[size], folder)
                warm, _ = renderer.warm(size, data[size], WARMUP, WARM_RUNS[renderer.name, size])
                results[renderer.name, size] = (*cold, warm)
        table(results)
        each = {size: ours.warm(size, None, WARMUP, WARM_RUNS["ours", 400])[0] for size in LINEAR_SIZES}
        _, peaks = ours.warm(12, None, 0, MEMORY_RUNS)
    print(f"Load of the machine after: {load()}\n")
    sys.exit(0 if judge(results, each, peaks) else 1)


def load():
    return ", ".join(f"{part:.2f}" for part in os.getloadavg()) + f" on {os.cpu_count()} processors"


def table(results):
    print(f"\n{'':11} {'lines':>5} {'cold ms':>9} {'x ours':>7} {'warm ms':>9} {'x ours':>7} {'peak MiB':>9} {'PDF kB':>7}")
    for (name, size), (cold, peak, length, warm) in results.items():
        our_cold, _, _, our_warm = results["ours", size]
        print(f"{name:11} {size:5} {cold:9.1f} {cold / our_cold:7.1f} {warm:9.1f} {warm / our_warm:7.1f} "
              f"{peak / 1024:9.1f} {length / 1000:7.0f}")
    print("\nMilliseconds of processor time, medians. Peak: of the cold process.")


def judge(results, each, peaks):
    cold = lambda name, size: results[name, size][0]
    warm = lambda name, size: results[name, size][3]
    small, middle, large = LINEAR_SIZES
    first = (each[middle] - each[small]) / (middle - small)
    second = (each[large] - each[middle]) / (large - middle)
    early, late = peaks[MEMORY_RUNS // 10], peaks[MEMORY_RUNS]
    goals = [
        ("warm, 12 lines: no slower than ReportLab", warm("ours", 12) / warm("ReportLab", 12), 1),
        ("warm, 12 lines: an eighth of WeasyPrint", warm("ours", 12) / warm("WeasyPrint", 12), 1 / 8),
        ("cold, 12 lines: a tenth of ReportLab", cold("ours", 12) / cold("ReportLab", 12), 1 / 10),
        ("warm, 400 lines: a twelfth of WeasyPrint", warm("ours", 400) / warm("WeasyPrint", 400), 1 / 12),
        (f"a line more, {middle} to {large} against {small} to {middle}: {second:.2f} ms against {first:.2f} ms",
         second / first, LINEAR_AT_MOST),
        (f"peak after {MEMORY_RUNS} invoices against {MEMORY_RUNS // 10}: {late / 1024:.1f} MiB against {early / 1024:.1f} MiB",
         late / early, MEMORY_AT_MOST),
    ]
    print(f"{'Goal':78} {'ratio':>7} {'at most':>8}")
    for name, ratio, most in goals:
        print(f"{name:78} {ratio:7.3f} {most:8.3f}  {'met' if ratio <= most else 'MISSED'}")
    return all(ratio <= most for _, ratio, most in goals)


if __name__ == "__main__":
    main()
