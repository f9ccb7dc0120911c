"""Build the book: execute its notebooks, make the pages, and notebooks that read like them.

The pages alone, more slowly: ``jupyter-book build book -W -n --keep-going``.
"""

import gc
import os
import sys

gc.disable()  # what a build makes, millions of small objects, it needs to its end
# jsonschema would check links with it; our schemas have none, and it takes seconds to load.
sys.modules["rfc3987_syntax"] = None

from pathlib import Path  # noqa: E402

from jupyter_book.cli.main import main  # noqa: E402

import execute  # noqa: E402
import notebooks  # noqa: E402

BOOK = Path(__file__).resolve().parent

if __name__ == "__main__":
    # As many notebooks run as there are cores: NumPy's threads would wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    done = execute.execute(BOOK.parent / "_build" / ".jupyter_cache")
    print(f"executed {len(done.succeeded)} notebooks", flush=True)
    main(
        ["build", str(BOOK), "-W", "-n", "--keep-going"],
        standalone_mode=False,
    )
    notebooks.write()
