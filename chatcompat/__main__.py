"""The `chatcompat` command. Its dependencies are in the extra `serve`."""

import sys


def main() -> None:
    """Run the command line. Exit with an installation hint if a dependency is missing."""
    try:
        from chatcompat.cli import app  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        sys.exit(f"chatcompat: {error}. Install the command line with: pip install 'chatcompat[serve]'")
    app()


if __name__ == "__main__":
    main()
