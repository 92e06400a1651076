"""A clock that a test sets, for payinfra and all that it starts in Python: the embedded AWS and functions.

They are run by a virtual environment of their own, whose interpreter begins with reading how far the clock is
off. No variable does it: functions have Lambda's only. Programs that are not Python's, as Terraform, keep the
real clock.
"""

import mmap
import struct
import sys
import sysconfig
from pathlib import Path

_FORM = "d"
_MODULE = "payinfra_settable_clock"
_HOOK = '''
"""Adds to the wall clock, at each look, what a file says in seconds."""

import datetime
import mmap
import struct
import time

with open({file!r}, "rb") as _file:
    _shared = mmap.mmap(_file.fileno(), 0, access=mmap.ACCESS_READ)
_time, _time_ns, _gmtime, _localtime, _strftime = (
    time.time, time.time_ns, time.gmtime, time.localtime, time.strftime
)


def _off():
    return struct.unpack_from({form!r}, _shared)[0]


time.time = lambda: _time() + _off()
time.time_ns = lambda: _time_ns() + int(_off() * 10**9)
time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
time.strftime = lambda form, moment=None: _strftime(form, time.localtime() if moment is None else moment)
_datetime = datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, _datetime)

    def __subclasscheck__(cls, kind):
        return issubclass(kind, _datetime)


class _Settable(_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.utcfromtimestamp(time.time())

    @classmethod
    def today(cls):
        return cls.fromtimestamp(time.time())


_Settable.__name__ = _Settable.__qualname__ = "datetime"
_Settable.__module__ = "datetime"
datetime.datetime = _Settable
'''


class SettableClock:
    """The clock of everything that `program` starts.

    Args:
        folder: where its interpreter is made; need not be there.

    Attributes:
        program: payinfra, with this clock.
    """

    def __init__(self, folder: Path) -> None:
        packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        packages.mkdir(parents=True, exist_ok=True)
        self._file = folder / "off"
        self.set(0.0)
        interpreter = folder / "bin" / "python"
        interpreter.parent.mkdir(exist_ok=True)
        interpreter.unlink(missing_ok=True)
        interpreter.symlink_to(Path(sys.executable).resolve())
        home = Path(sys.executable).resolve().parent
        (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        (packages / f"{_MODULE}.py").write_text(_HOOK.format(file=str(self._file), form=_FORM))
        ours = sysconfig.get_path("purelib")
        (packages / "clock.pth").write_text(f"import {_MODULE}\nimport site; site.addsitedir({ours!r})\n")
        self.program = folder / "bin" / "payinfra"
        self.program.write_text(f"#!{interpreter}\nfrom payinfra.__main__ import main\nmain()\n")
        self.program.chmod(0o755)

    def set(self, off_s: float) -> None:
        """From now on the clock is so many seconds ahead of the real one; behind it, below 0."""
        value = struct.pack(_FORM, off_s)
        if not self._file.exists():
            self._file.write_bytes(value)
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), len(value)) as shared:
            shared[:] = value
