"""What the two Python renderers have in common: how they are called and measured.

    RENDERER.py once DATA FILE          one rendering into a file
    RENDERER.py warm DATA WARMUP COUNT  milliseconds of processor time of each rendering after WARMUP, a line each
"""

import json
import pathlib
import sys
import time


def run(render):
    """`render` makes the bytes of a PDF of the data; it is called as often as the command line says."""
    kind, data, *rest = sys.argv[1:]
    data = json.loads(pathlib.Path(data).read_text("utf-8"))
    if kind == "once":
        pathlib.Path(rest[0]).write_bytes(render(data))
        return
    warmup, count = (int(number) for number in rest)
    for _ in range(warmup):
        render(data)
    for _ in range(count):
        before = time.process_time()
        render(data)
        print((time.process_time() - before) * 1000)
