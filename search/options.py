"""The arguments and options of the search's commands: their types, their bounds, and what their help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from search.hidden_storage import STORAGE_VARIABLE

Study = Annotated[Path, typer.Argument(help="Study file, e.g. studies/quickstart.yaml.")]
Place = Annotated[Path, typer.Argument(help="Study file, or its results folder.")]
Places = Annotated[list[Path], typer.Argument(help="Study files, or results folders.", metavar="PLACE")]
Results = Annotated[Path, typer.Option(help="Folder of all studies' results.")]
Data = Annotated[str | None, typer.Option(help="Folder of photos to use instead of the study's.")]
Scale = Annotated[str | None, typer.Option(help="One of the study's own scales, e.g. small.")]
Trials = Annotated[int | None, typer.Option(help="Total number of trials; the same total again goes on.")]
Workers = Annotated[int | None, typer.Option(help="Number of workers; default: one per GPU, else per core.")]
Hours = Annotated[
    float | None, typer.Option(help="Stop after so long, with what runs saved; the same command goes on.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar=STORAGE_VARIABLE,
        help="Optuna storage URL, e.g. postgresql://user:password@host/db; default: SQLite in the results.",
    ),
]
Takeover = Annotated[
    bool, typer.Option("--takeover", help="Take it from a driver that died on another machine and left its lock.")
]
EngineName = Annotated[Literal["local", "ray"], typer.Option(help="Workers of this machine, or Ray's.")]
Address = Annotated[
    str | None,
    typer.Option(help="A Ray cluster: auto, HOST:PORT or ray://HOST:PORT; default: a Ray of its own, on this machine."),
]
Checkpoints = Annotated[
    str | None,
    typer.Option(help="Folder or URL (s3://bucket/prefix) for checkpoints, which all nodes reach; default: results."),
]
Port = Annotated[int, typer.Option(min=1, max=65535)]
Examined = Annotated[Path | None, typer.Option(help="Study file that shall run, or its results folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

# of promote
Top = Annotated[int, typer.Option(min=1, help="Confirm so many of the best configurations.")]
Seeds = Annotated[
    int,
    typer.Option(min=2, max=1000, help="Train each on so many fresh seeds, and again, while it tells too little."),
]
MostSeeds = Annotated[
    int | None, typer.Option(min=2, max=1000, help="At most so many each; 16, or --seeds where that is more.")
]
Pick = Annotated[
    list[str] | None,
    typer.Option(help="Confirm this trial instead: a number, knee or weights; may be given again."),
]
Against = Annotated[
    list[str] | None,
    typer.Option(help="What knee and weights trade the objective against: parameters, step_seconds, a metric."),
]
Weight = Annotated[list[float] | None, typer.Option(help="For weights: the objective's, then one for each --against.")]
To = Annotated[Path | None, typer.Option(help="Also copy the promoted configuration to this new file.")]
Again = Annotated[bool, typer.Option("--again", help="Move an earlier confirmation aside and begin anew.")]
OtherWorkers = Annotated[int | None, typer.Option(min=1, help="Number of workers instead of the study's.")]
Words = Annotated[list[str] | None, typer.Argument(help="Parts of a key or a name, e.g. dropout or asha.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md.")]
