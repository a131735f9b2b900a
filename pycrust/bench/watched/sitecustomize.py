"""
Python runs this before the program of `pycrust stalls`: it starts the watch, and leaves no trace of itself.

Nothing of pycrust is imported but the probe, so that the program finds an interpreter as it always does: without
NumPy, for which it may want to set variables first.
"""


def watch_the_program():
    import os
    import sys

    def in_a_subinterpreter():
        try:
            import _interpreters
        except ImportError:  # before Python 3.13
            import _xxsubinterpreters as _interpreters
        return _interpreters.get_current() != _interpreters.get_main()

    sys.path.remove(os.path.dirname(__file__))
    del sys.modules["sitecustomize"]
    settings = os.environ.pop("PYCRUST_STALLS", None)
    if settings is None:  # a subinterpreter: the main one, which is watched, has taken them
        return
    over, dump_over, abort_over, signum, follow, sink, sink_path, probe, path = settings.split("\n")
    if follow == "1":  # a child finds all this, too, but the sink, which it opens by its path
        if in_a_subinterpreter():
            os.environ["PYCRUST_STALLS"] = settings
            return
        settings = [over, dump_over, abort_over, signum, follow, "-1", sink_path, probe, path]
        os.environ["PYCRUST_STALLS"] = "\n".join(settings)
    elif path:
        os.environ["PYTHONPATH"] = path[1:]
    else:
        del os.environ["PYTHONPATH"]

    import atexit
    import time
    from _frozen_importlib import BuiltinImporter, ModuleSpec  # of importlib, which the program might not import
    from _frozen_importlib_external import ExtensionFileLoader

    name = "pycrust._probe"
    spec = ModuleSpec(name, ExtensionFileLoader(name, probe), origin=probe)
    sys.modules[name] = module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)

    is_code = sys.argv[0] == "-c"

    def note_if_nothing_ran():
        """No such file or module, or one that does not compile: Python's message is all there is to say."""
        main = sys.modules.get("__main__")
        found = is_code or main is None or main.__spec__ is not None or main.__loader__ is not BuiltinImporter
        error = getattr(sys, "last_value", None)
        if watch.running and (not found or (isinstance(error, SyntaxError) and error.__traceback__ is None)):
            watch.note(b"not started")

    watch = module.Watch(float(over), int(signum), int(sink), os.fsencode(sink_path), follow == "1")
    watch.dump_over(float(dump_over), float(abort_over))
    watch.start(sink != "-1")
    atexit.register(note_if_nothing_ran)
    if sink == "-1":  # a child: it does not wait
        watch.note(b"begin", True)
        return
    time.sleep(0.1)  # the control: nothing runs
    watch.note(b"idle", True)
    watch.ask_always(False)


try:
    watch_the_program()
except Exception as error:
    import sys

    print(f"pycrust: this program is not watched: {error}", file=sys.stderr)
del watch_the_program

import sitecustomize  # noqa: E402, F401  # the one that this one hides; without one the ImportError is as always
