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
from collections.abc import Iterable
from pathlib import Path

from tests.spec.replay import Drift, Replay
from tests.spec.trace import first_state, read_trace

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "docs" / "spec"
HOME = ROOT / ".spec"
"""Where npm installs; git-ignored."""
TRACES = Path(__file__).parent / "traces"
MODULES = ("qbft_test.qnt", "mistakes_test.qnt")
"""Those with scenarios; between them they import all others."""
MISTAKES = {"initWithoutRound": "votesBindRound", "initForgetful": "locksSurvive", "initFreshAllowed": "highestWins"}
"""Initial states with one rule missing, in mistakes_test.qnt."""
WITNESSES = (
    "allDecided",
    "decidedLater",
    "lockedTwice",
    "lockBehind",
    "proposedAgain",
    "rejectedContent",
)
MAX_STEPS = 50
TYPESCRIPT = "--backend=typescript"
"""The other simulator is a program that Quint would fetch from the network."""
BATCH = 100
"""Random runs at once: the tool holds their traces in memory, a megabyte and a half each."""


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


def typecheck() -> None:
    """Types and modes of all modules."""
    for module in MODULES:
        quint("typecheck", module)


def scenario_names(*modules: str) -> set[str]:
    """What the modules' files name as scenarios."""
    return {
        name
        for module in modules
        for name in re.findall(r"^  run (\w+)", (SPEC / module).read_text(encoding="utf-8"), re.MULTILINE)
    }


def scenarios(folder: Path) -> list[Path]:
    """Run all scenarios; their traces. Raises QuintFailed, also if one did not run."""
    for module in MODULES:
        quint("test", module, "--max-samples=1", TYPESCRIPT, f"--out-itf={folder}/{{test}}.itf.json")
    traces = sorted(folder.glob("*Test.itf.json"))
    missing = scenario_names(*MODULES) ^ {path.name.split(".")[0] for path in traces}
    if missing:
        raise QuintFailed(f"scenarios without a trace, or traces without a scenario: {', '.join(sorted(missing))}")
    return traces


def simulate(samples: int, seed: int, folder: Path | None = None, keep: int = 0) -> tuple[list[Path], str]:
    """Random runs of the model as built against its invariants; the first `keep` of the traces, and what was said.

    Raises QuintFailed, also if there are fewer traces.
    """
    arguments = ["--invariant=safety", f"--max-samples={samples}", f"--max-steps={MAX_STEPS}", f"--seed={seed:#x}"]
    if folder is not None:
        arguments += [f"--n-traces={keep}", f"--out-itf={folder}/random_{seed:x}_{{seq}}.itf.json"]
    said = quint("run", "qbft.qnt", *arguments, TYPESCRIPT, "--witnesses", *WITNESSES)
    traces = [] if folder is None else sorted(folder.glob(f"random_{seed:x}_*"))
    if len(traces) != keep:
        raise QuintFailed(f"{len(traces)} traces for {keep} runs\n{said}")
    return traces, said


def find_violation(init: str, samples: int, seed: int) -> int | None:
    """Random runs without one rule; how many until `safety` is broken, or None."""
    arguments = [f"--max-samples={samples}", f"--max-steps={MAX_STEPS}", f"--seed={seed:#x}", TYPESCRIPT]
    try:
        quint(
            "run", "mistakes_test.qnt", f"--init={init}", "--invariant=safety", *arguments, "--witnesses", "allDecided"
        )
    except QuintFailed as failed:
        explored = re.search(r"out of (\d+) explored", str(failed))
        if "Invariant violated" not in str(failed) or explored is None:
            raise
        return int(explored[1])
    return None


def quint(command: str, module: str, *arguments: str) -> str:
    """One command of the tool; what it printed. Raises QuintFailed."""
    return _run([str(install()), command, module, *([] if command == "typecheck" else ["--verbosity=1"]), *arguments])


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
    """Typecheck, scenarios, random runs in batches, all of it played to the engine; prints what was done."""
    print(f"seed {seed:#x}, {samples} random runs of at most {MAX_STEPS} steps", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        typecheck()
        told = scenarios(Path(name))
        steps = replay(path for path in told if not is_mistaken(path))
        print(f"scenarios: {len(told)} pass, the engine agrees in {steps} steps ({time.monotonic() - started:.0f} s)")
    started = time.monotonic()
    steps, seen = 0, Counter[str]()
    for number, first in enumerate(range(0, samples, BATCH)):
        size = min(BATCH, samples - first)
        with tempfile.TemporaryDirectory() as name:
            traces, said = simulate(size, seed + number, Path(name), size)
            steps += replay(traces)
        seen.update({word: int(times) for word, times in re.findall(r"(\w+) was witnessed in (\d+)", said)})
    print(
        f"random runs: {samples}, {steps} steps, no invariant violated, the engine agrees in every step "
        f"({time.monotonic() - started:.0f} s)"
    )
    print("  of them " + ", ".join(f"{word} {seen[word]}" for word in WITNESSES))


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
            for init, rule in MISTAKES.items():
                print(f"without {rule}: violation in sample {find_violation(init, chosen.samples, seed)}")
        else:
            check(chosen.samples, seed)
    except (QuintFailed, Drift) as failed:
        sys.exit(f"{failed}\nAgain: python -m tests.spec.quint --seed {seed:#x} --samples {chosen.samples}")


if __name__ == "__main__":
    main()
