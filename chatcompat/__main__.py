"""The `chatcompat` command; what it needs beyond the core is in the extra `serve`."""

import sys


def main() -> None:
    """Run the command line, or say how to install what it needs."""
    try:
        from chatcompat.cli import app  # noqa: PLC0415 - the core installs without it
    except ModuleNotFoundError as error:
        sys.exit(f"chatcompat: {error}. Install the command line with: pip install 'chatcompat[serve]'")
    app()


if __name__ == "__main__":
    main()
