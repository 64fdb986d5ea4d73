"""Importing a module is free: no array code, no plotting state, no backend."""

import json
import os
import subprocess
import sys

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import matplotlib
from jax._src import xla_bridge

backend = matplotlib.get_backend(auto_select=False)
# Looking at this one would choose one.
settings = lambda: {n: matplotlib.rcParams[n] for n in matplotlib.rcParams if n != "backend"}
before, started = settings(), []
for package in ("gameopt", "theory", "models", "recipes"):
    path = importlib.import_module(package).__path__
    names = [module.name for module in pkgutil.walk_packages(path, package + ".")]
    for name in [package, *names]:
        importlib.import_module(name)
        if xla_bridge._backends:
            started.append(name)
            xla_bridge._clear_backends()
print(json.dumps({
    "modules": len(sys.modules),
    "started": started,
    "pyplot": "matplotlib.pyplot" in sys.modules,
    "settings": settings() == before,
    "backend": [backend, matplotlib.get_backend(auto_select=False)],
}))
"""


def test_importing_every_module_starts_and_changes_nothing():
    """Every module of the four packages, in a process of its own: JAX's backends stay unmade."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    command = [sys.executable, "-c", IMPORT_ALL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("modules") > 300
    assert found == {"started": [], "pyplot": False, "settings": True, "backend": [None, None]}
