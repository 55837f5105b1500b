"""The console script `tiergate`."""

import typer

from engine.cli import auditing, classifying, governing, reading, running, sandbox, tiers
from engine.cli.console import errors_end_the_command
from engine.cli.demo import command as demo
from engine.cli.packages import require_own_packages

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tickets in, native approval, one effect, everything on the record.",
)
for command in (
    demo.demo,
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
