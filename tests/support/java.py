"""Java for the tests that drive its OFREP provider: found on the machine, its jars by Maven."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.settings_env import ROOT

NAMES = ("java", "javac", "mvn")
JARS = ROOT / ".venv" / "java"
POM = ROOT / "tests" / "flags" / "evaluator" / "providers" / "pom.xml"


def find() -> bool:
    """Whether all that is needed is installed: a JDK, since the driver is run from its source."""
    return all(map(shutil.which, NAMES))


def jars() -> Path:
    """The folder of the provider's jars, fetched from the machine's registry once."""
    if not JARS.is_dir():
        with tempfile.TemporaryDirectory(dir=JARS.parent) as folder:
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars"]
            subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], check=True)
            if not JARS.is_dir():  # else another process was faster
                Path(folder, "jars").rename(JARS)
    return JARS
