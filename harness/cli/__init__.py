"""The command line: the only part that prints, draws or exits.

Commands are imported when they are called, so `harness --help` is quick and a command that does
not train never imports torch.
"""

from __future__ import annotations

import importlib
import sys

import click

from harness import __version__
from harness.errors import HarnessError

# name -> (module, one line for --help); the function in the module has the command's name.
COMMANDS = {
    "run": ("run", "The whole chain for one board: train, flash, stream, report."),
    "train": ("stages", "Train and compress models; store their QModels."),
    "compress": ("stages", "Accuracy and bytes of models after each compression stage."),
    "build": ("stages", "Build the firmware of a stored QModel."),
    "flash": ("stages", "Build a QModel's firmware and put it on a board."),
    "stream": ("stages", "Stream test windows to the board that runs a QModel."),
    "report": ("report", "Write the plots and report.html of a results folder again."),
    "history": ("history", "What every run measured, over time."),
    "compare": ("history", "What got worse between two runs, by more than noise."),
    "study": ("study", "Many seeds, means and intervals; our rows beside the paper's."),
    "nightly": ("nightly", "A matrix of models and data on all boards, with a verdict."),
    "boards": ("boards", "What boards are described, and which are attached."),
    "doctor": ("lab", "What is missing on this machine, and how to get it."),
    "virtual": ("lab", "Keep a virtual board running for any tool."),
    "data": ("data", "Data sets: list them, fetch them."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"harness.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but an unknown command names the nearest."""
        if args and args[0] not in COMMANDS:
            from harness.errors import near_miss

            error = near_miss("command", args[0], COMMANDS)
            ctx.fail(f"{error.message}; {error.hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Benchmark kilobyte-sized recurrent networks on microcontroller boards.

    \b
    Example:
      harness run --board mkr1000 --virtual
    """


def main() -> None:
    """Entry point. Exit codes: 0 good, 1 a result failed, 2 usage, 3 the lab failed, 130 Ctrl-C."""
    try:
        status = cli(standalone_mode=False)
    except HarnessError as error:
        _complain(error)
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except OSError as error:
        from harness.files import storage_error

        full = storage_error(error)
        if full is None:
            raise  # a bug
        _complain(full)
        status = full.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = 130
    sys.exit(status if isinstance(status, int) else 0)


def _complain(error: HarnessError) -> None:
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"  try: {error.hint}", err=True)
