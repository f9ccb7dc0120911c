"""Execute the notebooks that are not in the cache yet, on all cores, for the build to find there.

A notebook that fails is left out: the build executes it again, and says why.
"""

import logging
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

BOOK = Path(__file__).resolve().parent


def execute(cache):
    """Execute in processes of their own, each notebook in its folder, and keep what comes out."""
    cache = get_cache(cache)
    for path in sorted(BOOK.glob("*.ipynb")):
        cache.add_nb_to_project(path)
    silent = logging.getLogger("silent")
    silent.setLevel(logging.CRITICAL)
    executor = load_executor("local-parallel", cache, logger=silent)
    return executor.run_and_cache(timeout=90)
