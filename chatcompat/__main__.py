"""The `chatcompat` command. Its dependencies are in the extra `serve`."""

import sys


def main() -> None:
    """Run the command line. Exit with an installation hint if a dependency is missing."""
    try:
        from cyclopts import CycloptsError  # noqa: PLC0415 - the extra may not be installed

        from chatcompat.cli import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "pip install 'chatcompat[serve]', or in a clone: pip install -e '.[serve]'"
        sys.exit(f"chatcompat: {error}. Install the command line with: {hint}")
    try:
        app(sys.argv[1:], exit_on_error=False)
    except CycloptsError:  # already printed
        sys.exit(2)


if __name__ == "__main__":
    main()
