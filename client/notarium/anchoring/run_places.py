"""Where the receipt of a run goes: runs of one name take numbered places, also when they end at the same moment."""

from __future__ import annotations

from pathlib import Path

from notarium.errors import ProjectError, Unwritable
from notarium.naming import RECEIPT_SUFFIX, record_of

MAX_RUNS_OF_ONE_NAME = 10_000


def claim_place(directory: Path, stem: str) -> Path:
    """A receipt path that no other run of the same name has taken: fit.run, fit.2.run, fit.3.run ...

    An empty record file, which cannot be created twice, claims it: runs of one name may end at the same moment.
    """
    base = stem.removesuffix(".run")
    for number in range(1, MAX_RUNS_OF_ONE_NAME + 1):
        place = directory / f"{stem if number == 1 else f'{base}.{number}.run'}{RECEIPT_SUFFIX}"
        if place.exists():
            continue
        try:
            record_of(place).open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise Unwritable(f"{record_of(place)} cannot be written", directory, error) from error
        return place
    raise ProjectError(f"{directory} already has {MAX_RUNS_OF_ONE_NAME} runs named {base!r}; choose another name")
