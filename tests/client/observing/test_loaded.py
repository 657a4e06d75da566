"""The libraries that this process has loaded."""

import subprocess
import sys

import pytest
from tests.client.helpers import present

from notarium.observing.loaded import LoadedLibraries, function

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the list is Linux's")


def test_a_loaded_library_is_found_and_can_be_called():
    library = present(LoadedLibraries.now().find("libc.so.6", "libc-", "ld-musl"))
    ask = present(function(library, "no_such_function", "getpid"))
    assert ask() > 0
    assert function(library, "no_such_function") is None


def test_what_is_only_installed_is_neither_found_nor_loaded():
    # libutil belongs to the C library, and Python does not load it.
    code = (
        "from notarium.observing.loaded import LoadedLibraries\n"
        "libc = next(each for each in LoadedLibraries.now()._paths if each.endswith('libc.so.6'))\n"
        "path = libc.replace('libc.so.6', 'libutil.so.1')\n"
        "assert LoadedLibraries([path]).find('libutil.so') is None\n"
        "assert 'libutil' not in open('/proc/self/maps').read()\n"
        "import ctypes; ctypes.CDLL('libutil.so.1')\n"
        "assert LoadedLibraries.now().find('libutil.so') is not None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_names_are_listed_once():
    loaded = LoadedLibraries(["/a/libx.so.1", "/a/libx.so.1", "/b/liby.so"])
    assert loaded.named("libx", "liby") == ["libx.so.1", "liby.so"]
    assert loaded.every("libx") == []
