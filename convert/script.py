"""What the scripts of convert/ share: flags, one sentence instead of a traceback, exit codes."""

import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags


def script(
    define_flags: Callable[[flags.FlagValues], None],
    run: Callable[[flags.FlagValues, list[str]], int],
) -> None:
    """Runs a command as `python convert/NAME.py`; exits with 0, 1 failed, 2 usage, 130 ^C."""
    define_flags(flags.FLAGS)
    name = Path(sys.argv[0]).stem

    def main(argv):
        try:
            return run(flags.FLAGS, argv[1:])
        except flags.Error as error:
            print(f"{name}: {error} See --help.", file=sys.stderr)
            return 2
        except (OSError, ValueError, ModuleNotFoundError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{name}: interrupted; nothing was written.", file=sys.stderr)
            return 130

    app.run(main)
