"""An installed package carries the results files that its chapters read."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithResults(build_py):
    def run(self):
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "tsbp_core" / "data" / "results"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree("data/results", target)


setup(cmdclass={"build_py": WithResults})
