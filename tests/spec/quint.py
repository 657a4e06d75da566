"""The Quint tool as the tests and `make spec` use it: installed from the lock file, simulator in TypeScript only.

python -m tests.spec.quint             what `make spec` runs
python -m tests.spec.quint --record    make the committed traces again (after a change of the model)
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.spec.engine_runs import write_module
from tests.spec.replay import Drift, Replay
from tests.spec.trace import first_state, read_trace

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "docs" / "spec"
HOME = ROOT / ".spec"
"""Where npm installs; git-ignored."""
TRACES = Path(__file__).parent / "traces"
MODULES = ("qbft_test.qnt", "mistakes_test.qnt")
"""Those with scenarios that the engine plays, too; between them they import all modules of the one height."""
TYPESCRIPT = "--backend=typescript"
"""The other simulator is a program that Quint would fetch from the network."""
BATCH = 100
"""Random runs at once: the tool holds their traces in memory, a megabyte and a half each."""
ENGINE_BATCH = 5
"""Runs of the engine in one module: the tool's inference of types takes longer than in proportion."""
ENGINE_STEPS = 40


@dataclass(frozen=True)
class Model:
    """What there is of a model, and how long its random runs are."""

    module: str
    tests: tuple[str, ...]
    """Files with its scenarios."""
    mistakes: dict[str, str]
    """Initial states with one rule missing (in the last of the tests), and the rule."""
    witnesses: tuple[str, ...]
    max_steps: int


HEIGHT = Model(
    "qbft.qnt",
    MODULES,
    {
        "initWithoutRound": "votesBindRound",
        "initForgetful": "locksSurvive",
        "initFreshAllowed": "highestWins",
        "initNotSilent": "lossSilences",
    },
    ("allDecided", "decidedLater", "lockedTwice", "lockBehind", "proposedAgain", "rejectedContent", "diskLost"),
    max_steps=50,
)
"""One height, rule for rule as the engine."""
RECALL = Model(
    "recall.qnt",
    ("recall_test.qnt",),
    {
        "initUnfenced": "fencedAtZero",
        "initHeedsNoHeight": "heedsHeights",
        "initCountsItself": "asksOthers",
        "initHeedsNoMemory": "heedsMemory",
        "initMarginTwo": "margin",
        "initNoNonce": "nonces",
        "initFencedRemember": "fencedForget",
        "initHeedsNoChange": "heedsChanges",
        "initSeesEnds": "seesInside",
    },
    ("someSettled", "signsAgain", "manyWiped", "setChanged", "wipedHigh"),
    max_steps=60,
)
"""Lost disks, on several heights."""
MODELS = (HEIGHT, RECALL)


class QuintFailed(AssertionError):
    """The tool found fault with the model, or could not run."""


def missing_tool() -> str | None:
    """Why Quint cannot run here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install nodejs npm)"
    return None


def install() -> Path:
    """npm ci from the lock file, unless that is done. Returns the program."""
    program = HOME / "node_modules" / ".bin" / "quint"
    files = ("package.json", "package-lock.json")
    done = program.exists() and all(
        (HOME / file).is_file() and (HOME / file).read_bytes() == (SPEC / file).read_bytes() for file in files
    )
    if not done:
        # Elsewhere first: an interrupted or a second installation leaves no half of one.
        with tempfile.TemporaryDirectory(prefix=".spec-", dir=ROOT) as name:
            fresh = Path(name) / "fresh"
            fresh.mkdir()
            for file in files:
                shutil.copyfile(SPEC / file, fresh / file)
            quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
            _run(["npm", "ci", *quiet, "--fetch-retries=5", "--prefix", str(fresh)])
            if HOME.exists():
                HOME.rename(Path(name) / "outdated")
            fresh.rename(HOME)
    return program


def scenario_names(*modules: str) -> set[str]:
    """What the modules' files name as scenarios."""
    return {
        name
        for module in modules
        for name in re.findall(r"^  run (\w+)", (SPEC / module).read_text(encoding="utf-8"), re.MULTILINE)
    }


def scenarios(folder: Path, modules: tuple[str, ...] = MODULES) -> list[Path]:
    """Check types and run all scenarios; their traces. Raises QuintFailed, also if one did not run."""
    for module in modules:
        quint("test", module, "--max-samples=1", TYPESCRIPT, f"--out-itf={folder}/{{test}}.itf.json")
    traces = sorted(folder.glob("*Test.itf.json"))
    missing = scenario_names(*modules) ^ {path.name.split(".")[0] for path in traces}
    if missing:
        raise QuintFailed(f"scenarios without a trace, or traces without a scenario: {', '.join(sorted(missing))}")
    return traces


def simulate(
    samples: int, seed: int, folder: Path | None = None, keep: int = 0, model: Model = HEIGHT
) -> tuple[list[Path], str]:
    """Random runs of a model as built against its invariants; the first `keep` of the traces, and what was said.

    Raises QuintFailed, also if there are fewer traces.
    """
    arguments = [
        "--invariant=safety",
        f"--max-samples={samples}",
        f"--max-steps={model.max_steps}",
        f"--seed={seed:#x}",
    ]
    if folder is not None:
        arguments += [f"--n-traces={keep}", f"--out-itf={folder}/random_{seed:x}_{{seq}}.itf.json"]
    said = quint("run", model.module, *arguments, TYPESCRIPT, "--witnesses", *model.witnesses)
    traces = [] if folder is None else sorted(folder.glob(f"random_{seed:x}_*"))
    if len(traces) != keep:
        raise QuintFailed(f"{len(traces)} traces for {keep} runs\n{said}")
    return traces, said


def find_violation(init: str, samples: int, seed: int, model: Model = HEIGHT) -> int | None:
    """Random runs without one rule; how many until `safety` is broken, or None."""
    arguments = [f"--max-samples={samples}", f"--max-steps={model.max_steps}", f"--seed={seed:#x}", TYPESCRIPT]
    witnesses = ("--witnesses", model.witnesses[0])  # With them the tool says how many it explored.
    try:
        quint("run", model.tests[-1], f"--init={init}", "--invariant=safety", *arguments, *witnesses)
    except QuintFailed as failed:
        explored = re.search(r"out of (\d+) explored", str(failed))
        if "Invariant violated" not in str(failed) or explored is None:
            raise
        return int(explored[1])
    return None


def engine_runs(runs: int, seed: int, max_steps: int = ENGINE_STEPS) -> int:
    """Random runs of the engine, as scenarios of the model; how many steps. Raises QuintFailed.

    What failed is kept in .spec/, to be looked at.
    """
    text, steps = write_module("engine_test", runs, seed, max_steps)
    folder = HOME / f"engine_{seed:x}"
    shutil.rmtree(folder, ignore_errors=True)
    install()
    folder.mkdir()
    for path in SPEC.glob("*.qnt"):
        shutil.copyfile(path, folder / path.name)
    (folder / "engine_test.qnt").write_text(text, encoding="utf-8")
    said = quint("test", str(folder / "engine_test.qnt"), "--max-samples=1", TYPESCRIPT, verbosity=2)
    passed = set(re.findall(r"ok (\w+) passed", said))
    if passed != set(steps) or not sum(steps.values()):
        raise QuintFailed(f"of the engine's runs only {len(passed)} of {len(steps)} were played\n{said}")
    shutil.rmtree(folder)
    return sum(steps.values())


def quint(command: str, module: str, *arguments: str, verbosity: int = 1) -> str:
    """One command of the tool; what it printed. Raises QuintFailed."""
    return _run([str(install()), command, module, f"--verbosity={verbosity}", *arguments])


def _run(command: list[str]) -> str:
    ran = subprocess.run(command, cwd=SPEC, capture_output=True, text=True, timeout=1800, check=False)
    if ran.returncode:
        raise QuintFailed(f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout


def replay(paths: Iterable[Path]) -> int:
    """Play traces to the real engine; how many steps. Raises Drift, and QuintFailed if there was nothing to play."""
    steps = 0
    for path in paths:
        played = Replay(read_trace(path))
        played.run()
        steps += played.steps
    if not steps:
        raise QuintFailed("no traces: nothing was played to the engine")
    return steps


def is_mistaken(path: Path) -> bool:
    """Whether the trace is of a model without one of its rules."""
    return not all(first_state(path)["rules"].values())


def record(samples: int, seed: int) -> None:
    """Make tests/spec/traces again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = scenarios(folder) + simulate(samples, seed, folder, samples)[0]
        shutil.rmtree(TRACES, ignore_errors=True)
        TRACES.mkdir()
        for path in made:
            document = json.loads(path.read_bytes())
            document.pop("#meta")  # the hour and the folder
            compact = json.dumps(document, sort_keys=True, separators=(",", ":"))
            (TRACES / f"{path.name}.xz").write_bytes(lzma.compress(compact.encode(), preset=9))
    print(f"{len(made)} traces, {sum(path.stat().st_size for path in TRACES.iterdir()) / 1000:.0f} kB")


def check(samples: int, seed: int) -> None:
    """Scenarios and random runs of the models, random runs of the engine; prints what was done."""
    print(f"seed {seed:#x}, {samples} random runs of each model", flush=True)
    with _timed() as said, tempfile.TemporaryDirectory() as name:
        told = scenarios(Path(name))
        steps = replay(path for path in told if not is_mistaken(path))
        said.append(f"scenarios of one height: {len(told)} pass, the engine agrees in {steps} steps")
    with _timed() as said, tempfile.TemporaryDirectory() as name:
        said.append(f"scenarios of lost disks: {len(scenarios(Path(name), RECALL.tests))} pass")
    with _timed() as said:
        steps, seen = _random_runs(samples, seed)
        said.append(f"random runs of one height: {samples}, {steps} steps, no invariant violated, the engine agrees")
    _print_seen(seen, HEIGHT)
    with _timed() as said:
        _, words = simulate(samples, seed, model=RECALL)
        said.append(f"random runs of lost disks: {samples}, no invariant violated")
    _print_seen(_seen(words), RECALL)
    with _timed() as said:
        runs = max(1, samples // 10)
        batches = range(0, runs, ENGINE_BATCH)
        steps = sum(engine_runs(min(ENGINE_BATCH, runs - first), seed + first) for first in batches)
        said.append(f"random runs of the engine: {runs}, {steps} steps, the model agrees")


def _random_runs(samples: int, seed: int) -> tuple[int, Counter[str]]:
    """In batches, each played to the engine; how many steps, and what was seen."""
    steps, seen = 0, Counter[str]()
    for number, first in enumerate(range(0, samples, BATCH)):
        size = min(BATCH, samples - first)
        with tempfile.TemporaryDirectory() as name:
            traces, said = simulate(size, seed + number, Path(name), size)
            steps += replay(traces)
        seen.update(_seen(said))
    return steps, seen


def _seen(said: str) -> dict[str, int]:
    return {word: int(times) for word, times in re.findall(r"(\w+) was witnessed in (\d+)", said)}


def _print_seen(seen: Mapping[str, int], model: Model) -> None:
    print("  of them " + ", ".join(f"{word} {seen[word]}" for word in model.witnesses), flush=True)


@contextmanager
def _timed() -> Iterator[list[str]]:
    """Prints what was said in it, and how long it took."""
    said: list[str] = []
    started = time.monotonic()
    yield said
    print(f"{' '.join(said)} ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Checks the formal model and plays its traces to the engine.")
    parser.add_argument("--samples", type=int, default=150)
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=None, help="default: a fresh one, printed")
    parser.add_argument("--record", action="store_true", help="make the committed traces again")
    parser.add_argument("--mistakes", action="store_true", help="how soon random runs find each missing rule")
    chosen = parser.parse_args()
    reason = missing_tool()
    if reason is not None:
        sys.exit(reason)
    seed = secrets.randbits(48) if chosen.seed is None else chosen.seed
    try:
        if chosen.record:
            record(chosen.samples, seed)
        elif chosen.mistakes:
            for model in MODELS:
                for init, rule in model.mistakes.items():
                    found = find_violation(init, chosen.samples, seed, model)
                    print(f"without {rule}: violation in sample {found}", flush=True)
        else:
            check(chosen.samples, seed)
    except (QuintFailed, Drift) as failed:
        sys.exit(f"{failed}\nAgain: python -m tests.spec.quint --seed {seed:#x} --samples {chosen.samples}")


if __name__ == "__main__":
    main()
