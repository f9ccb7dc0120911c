import subprocess
import sys


def test_import_needs_numpy_alone():
    code = (
        "import sys\n"
        "for name in ('torch', 'scipy', 'matplotlib', 'ipywidgets', 'pooch', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "import numpy as np\n"
        "import tsbp_core as tsbp\n"
        "from tsbp_core import gradcheck, network, numpy_lif, surrogates\n"
        "lif = tsbp.LIF(surrogate=surrogates.Sigmoid())\n"
        "print(gradcheck.check(np.full(5, 0.6), lif).with_term < 1e-7)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "True"
