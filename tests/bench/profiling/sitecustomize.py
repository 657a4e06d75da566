"""Profiles a Python process from its start to its end, where BENCH_PROFILE_DIR says where to put the result.

Python imports `sitecustomize` by itself when this directory is on PYTHONPATH: so nodes are profiled as they are,
without a line about it in the product. Only the main thread is seen, so no signature checked in a worker thread.
"""

import atexit
import cProfile
import os
import sys

_directory = os.environ.get("BENCH_PROFILE_DIR", "")
if _directory and "-m notarium_node run" in " ".join(sys.orig_argv):
    _profile = cProfile.Profile()

    def _save() -> None:
        _profile.disable()
        _profile.dump_stats(os.path.join(_directory, f"{os.getpid()}.pstats"))

    atexit.register(_save)
    _profile.enable()
