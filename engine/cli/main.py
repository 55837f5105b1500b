"""The console script `tiergate`."""

import importlib.metadata
from typing import Annotated

import typer

from engine.cli import auditing, beginning, classifying, governing, reading, running, sandbox, tiers
from engine.cli.console import errors_end_the_command, say
from engine.cli.demo import command as demo
from engine.cli.packages import require_own_packages

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  typer calls it so
    if is_asked:
        say(f"tiergate {importlib.metadata.version('tiergate')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and end.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Tickets in, native approval, one effect, everything on the record."""


for command in (
    demo.demo,
    beginning.init,
    sandbox.sandbox,
    running.run,
    running.check,
    reading.tickets,
    reading.show,
    reading.status,
    governing.pause,
    governing.resume,
    governing.retry,
    governing.release,
    governing.undo,
    governing.emergency,
):
    app.command()(command)
app.add_typer(tiers.app, name="tiers")
app.add_typer(auditing.app, name="audit")
app.command()(classifying.classify)


def main() -> None:
    """Run one command; exit 0 done, 1 a finding or failure, 2 wrong usage or configuration."""
    with errors_end_the_command():
        require_own_packages()
    app()


if __name__ == "__main__":
    main()
