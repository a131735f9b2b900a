"""
Python runs this before the program of `pycrust stalls`: it starts the watch, and leaves no trace of itself.

Nothing of pycrust is imported but the probe, so that the program finds an interpreter as it always does: without
NumPy, for which it may want to set variables first.
"""


def watch_the_program():
    import os
    import sys

    over, signum, sink, probe, path = os.environ.pop("PYCRUST_STALLS").split("\n")
    if path:
        os.environ["PYTHONPATH"] = path[1:]
    else:
        del os.environ["PYTHONPATH"]
    sys.path.remove(os.path.dirname(__file__))
    del sys.modules["sitecustomize"]

    import atexit
    import time
    from _frozen_importlib import ModuleSpec  # of importlib.machinery, which the program might not import
    from _frozen_importlib_external import ExtensionFileLoader

    name = "pycrust._probe"
    spec = ModuleSpec(name, ExtensionFileLoader(name, probe), origin=probe)
    sys.modules[name] = module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    process = os.getpid()

    def write(*event):
        if os.getpid() == process:  # and not a child's exit
            with open(sink, "a", encoding="utf-8") as file:
                file.write(f"{event!r}\n")

    watch = module.Watch(float(over), int(signum), write)
    atexit.register(lambda: write("end", watch.figures()))
    watch.start(True)
    time.sleep(0.1)  # the control: nothing runs
    write("idle", watch.figures(True), watch.figures()[-1])
    watch.ask_always(False)


try:
    watch_the_program()
except Exception as error:
    import sys

    print(f"pycrust: this program is not watched: {error}", file=sys.stderr)
del watch_the_program

import sitecustomize  # noqa: E402, F401  # the one that this one hides; without one the ImportError is as always
