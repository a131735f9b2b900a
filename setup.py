"""The extension modules, built in parallel; the README for a package index, a reproducible sdist; the rest is in pyproject.toml."""

import gzip
import os
import re
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

HEADERS = sorted(str(path) for folder in ("csrc", "pycrust/include") for path in Path(folder).rglob("*.h"))
CORE = sorted(
    (str(path) for path in Path("csrc").rglob("*.c")), key=lambda path: ("kernels" not in path, path)
)  # longest first

# The kernels are exact only if every operation rounds once, as written. These come after what
# the environment's CFLAGS ask for, and override it; csrc/base/fpenv.h refuses what gets through. The
# linker is told too: given -ffast-math it adds code that turns on flush-to-zero at import.
if sys.platform == "win32":
    FLAGS, WRAPPER_FLAGS, LIGHT_FLAGS, LINK_FLAGS = ["/O2", "/fp:precise"], ["/O2"], ["/O2"], []
else:
    STRICT = [
        "-ffp-contract=off",
        "-fno-fast-math",
        "-fno-unsafe-math-optimizations",
        "-fno-associative-math",
        "-fno-reciprocal-math",
        "-fno-finite-math-only",
        "-fsigned-zeros",
    ]
    # Nothing but PyInit_* is exported. What Cython makes has no loops worth more than -O1, and would
    # take most of the time of a build. -Og takes half the time of -O1, for some 8 % more instructions a
    # call: for modules whose calls take longer anyway. Debugging information costs a fifth of a build.
    FLAGS = ["-O3", "-g0", "-fvisibility=hidden", *STRICT]
    WRAPPER_FLAGS = ["-O1", *FLAGS[1:]]
    LIGHT_FLAGS = ["-Og", "-finline-functions", *FLAGS[1:]]
    LINK_FLAGS = ["-O3", *STRICT]


DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "freethreading_compatible": True,  # importing them leaves the GIL off
}


# A package index shows the README without the files beside it: links to them become plain text, pictures go.
README = Path("README.md").read_text(encoding="utf-8")
README = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n\n", "", README)
README = re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", README)


def extension(name: str, *sources: str, flags: list[str] = WRAPPER_FLAGS) -> Extension:
    return Extension(
        f"pycrust.{name}",
        [f"pycrust/{name}.pyx", *sources],
        include_dirs=["csrc", "pycrust/include", numpy.get_include()],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_1_25_API_VERSION"),
            ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION"),
        ],
        depends=HEADERS,
        extra_compile_args=flags,
        extra_link_args=LINK_FLAGS,
    )


class BuildExt(build_ext):
    """All files of all modules side by side, on as many cores as there are, while Cython makes one after another."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count() or 1

    def build_extensions(self):
        compile_in_turn = self.compiler.compile

        def compile_side_by_side(sources, *args, **kwargs):
            objects = files.map(lambda source: compile_in_turn([source], *args, **kwargs), sources)
            return [each for some in objects for each in some]

        if hasattr(self.compiler, "initialize"):  # MSVC's is otherwise at its first use, by whichever thread
            self.compiler.initialize()
        self.compiler.compile = compile_side_by_side
        self.check_extensions_list(self.extensions)
        with ThreadPoolExecutor(self.parallel) as files, ThreadPoolExecutor(len(self.extensions)) as modules:
            try:
                builds = []
                for module in self.extensions:
                    (made,) = cythonize([module], force=self.force, compiler_directives=DIRECTIVES)
                    module.sources = made.sources
                    builds.append(modules.submit(self.build_extension, module))
                for build in builds:
                    build.result()
            except BaseException:
                files.shutdown(cancel_futures=True)  # else all others are compiled first
                raise


class Sdist(sdist):
    """With SOURCE_DATE_EPOCH set, the bytes of the archive depend on the sources alone."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def plain(entry):
            entry.mtime, entry.mode = int(epoch), 0o755 if entry.isdir() else 0o644
            entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, "", ""
            return entry

        archive = Path(f"{base_name}.tar.gz")
        archive.parent.mkdir(parents=True, exist_ok=True)
        with (
            gzip.GzipFile(archive, "wb", mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.add(base_dir, filter=plain)
        return str(archive)


setup(
    long_description=README,
    long_description_content_type="text/markdown",
    cmdclass={"build_ext": BuildExt, "sdist": Sdist},
    ext_modules=[  # those that take longest first
        extension("_core", *CORE, flags=FLAGS),
        extension("_pairs", flags=LIGHT_FLAGS),
        extension("_accumulator"),
        extension("_states", flags=LIGHT_FLAGS),
        extension("_plan"),
        extension("_moving"),
        extension("_args"),
        extension("_groups", flags=LIGHT_FLAGS),
        extension("_range"),
        Extension(
            "pycrust._probe",
            ["pycrust/_probe.pyx", "probe/gil.c", "probe/watch.c"],
            include_dirs=["probe"],
            depends=sorted(str(path) for path in Path("probe").glob("*.h")),
            extra_compile_args=LIGHT_FLAGS,
            extra_link_args=LINK_FLAGS,
        ),
        extension("_bigint"),
        extension("_reductions"),
        extension("_threads"),
    ],
)
