"""`make demo`: four institutions found a ledger, a researcher anchors a study, and anyone can check all of it.

python -m notarium_node.demo run     the whole story, under a minute; no process is left running. It stops and replaces
                                     the network that `up` left running
python -m notarium_node.demo up      start the network and leave it running
python -m notarium_node.demo down    stop it
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from notarium import BlockingClient
from notarium.anchoring.anchor import Anchored
from notarium.errors import ExitCode, NotariumError
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import find_receipt
from notarium.naming import receipt_beside
from notarium_node.demo.local_network import LocalNetwork, NetworkError
from notarium_node.demo.network import (
    LEDGER,
    RESEARCHER_AT,
    DemoError,
    Place,
    institution,
    label,
    stop,
    stopped_at_the_end,
    stopped_on_failure,
)
from notarium_node.demo.story import Story, shown
from notarium_node.demo.study import Study

CHANGED_BYTE = 4_000
"""From here on the demo looks for a digit to change in one partition."""

PUBLIC_KEY = "PUBLIC-KEY"
"""In a command to try: what the reader replaces."""


class Demo:
    """The story's acts."""

    def __init__(self, place: Place, story: Story) -> None:
        self._place = place
        self._story = story

    @property
    def _model_receipt(self) -> Path:
        return receipt_beside(self._place.study / "model.joblib")

    def run(self) -> None:
        """All of it."""
        network = self._found()
        with stopped_at_the_end(network):
            self._start(network)
            study = Study(self._place.study)
            self._plan_and_collect(study)
            model = self._train_without_one(network, study)
            self._ask_observer(network, model)
            self._shut_down(network)
            self._verify_offline(study)
            self._tamper(study)
            self._story.chapter("The model's receipt")
            self._story.receipt(model, self._model_receipt, network.genesis)
        self._epilogue(network)

    def up(self) -> None:
        """Leave a network running with a study on its ledger: that of the last run, or a new one."""
        founded = not (self._place.exists() and self._model_receipt.is_file())
        network = self._found() if founded else self._place.network()
        with stopped_on_failure(network):
            self._start(network)
            study = Study(self._place.study)
            if founded:
                self._plan_and_collect(study)
                self._train(study)
            self._look_around(network)

    def down(self) -> None:
        """Stop the network, if one is running."""
        if not self._place.exists():
            self._story.say(f"there is no demo in {shown(self._place.directory)}, so there is nothing to stop")
            return
        with self._story.doing("stopped"):
            stop(self._place.network())

    # Acts

    def _found(self) -> LocalNetwork:
        if self._place.is_running():
            self._story.say(
                f"A demo network is running in {shown(self._place.directory)}: it is stopped and its ledger replaced."
            )
        self._story.chapter(f"Four institutions found the {LEDGER}")
        with self._story.doing("keys made, genesis file written") as details:
            network = self._place.found()
            details.append(f"genesis {network.genesis.hash.hex()}")
            details.append("every node and client pins this hash: it is the root of all trust")
        return network

    def _start(self, network: LocalNetwork) -> None:
        what = (
            f"{len(network.validators)} validators and {len(network.observers)} observer run, with TLS 1.3 between them"
        )
        with self._story.doing(what) as details:
            network.start()
            network.wait_ready()
            details += [f"{label(node)}  [dim]pid {node.pid} · {node.api}[/]" for node in network.nodes]

    def _plan_and_collect(self, study: Study) -> None:
        self._story.chapter(f"A researcher at {institution(RESEARCHER_AT)} begins a study")
        self._anchor("the plan is preregistered, before the data", study.preregister)
        self._anchor("the data set, four CSV partitions of 569 patients", study.collect)

    def _train(self, study: Study) -> VerifiedReceipt:
        with self._story.doing(
            "a model is trained; configuration, seed, environment and metrics are recorded"
        ) as details:
            receipt, metrics = study.train()
            details.append(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
            details.append(_decided(receipt, study.folder / "train.run.receipt.json"))
        model = self._anchor("the model file", study.publish_model)
        if model.receipt is None:
            raise DemoError("the model has no receipt")
        return model.receipt

    def _train_without_one(self, network: LocalNetwork, study: Study) -> VerifiedReceipt:
        self._story.chapter("A validator dies, the study goes on")
        victim = next(node for node in network.validators if node.member == "curval")
        with self._story.doing(f"SIGKILL to {label(victim)}") as details:
            height = victim.status()["height"]
            victim.kill()
            details.append(f"it had {height} blocks; three of the four validators remain, which is a quorum")
        model = self._train(study)
        others = [node for node in network.nodes if node is not victim]
        with self._story.doing(f"{label(victim)} is started again and catches up") as details:
            ahead = max(node.status()["height"] for node in others)
            victim.start()
            network.wait_until(lambda: victim.status()["height"] >= ahead, "it to catch up", victim)
            network.wait_ready([victim])
            details.append(f"from block {height} to block {victim.status()['height']}, like the others")
        return model

    def _ask_observer(self, network: LocalNetwork, model: VerifiedReceipt) -> None:
        observer = network.observers[0]
        with self._story.doing("a regulator asks the observer for the model's entry") as details:
            network.wait_until(
                lambda: observer.status()["height"] >= model.height, "the observer to catch up", observer
            )
            with BlockingClient(network.genesis, [observer.api]) as client:
                found = client.receipt(model.id)
            if found.index != model.index:
                raise DemoError(f"the observer has the model at {found.index}, the validators at {model.index}")
            details.append(
                f"same entry, same place in the log: leaf {found.index}, block {found.height}; an observer only reads"
            )

    def _shut_down(self, network: LocalNetwork) -> None:
        self._story.chapter("Suppose the institutions are gone. The receipts still verify")
        with self._story.doing("all nodes stopped") as details:
            stop(network)
            running = [node.name for node in network.nodes if node.is_running()]
            if running:
                raise DemoError(f"still running: {', '.join(running)}")
            details.append("from here on no node answers: only the genesis file and the researcher's files are left")

    def _verify_offline(self, study: Study) -> None:
        if self._verify(study.receipts) != ExitCode.OK:
            raise DemoError("a receipt does not verify, though nothing was changed")

    def _tamper(self, study: Study) -> None:
        path = study.partitions[2]
        original = path.read_bytes()
        self._story.say(f"\n  One digit of one patient is changed, in {shown(path)}:")
        try:
            path.write_bytes(_with_another_digit(original))
            if self._verify([study.folder / "data.receipt.json"]) != ExitCode.MISMATCH:
                raise DemoError(f"the change in {path} was not detected")
            self._story.say("\n  What differs from what was anchored:")
            if self._command("diff", [study.folder / "data.receipt.json"]) != ExitCode.MISMATCH:
                raise DemoError(f"the change in {path} is no difference")
        finally:
            path.write_bytes(original)
        self._story.say("The digit is restored.")

    def _epilogue(self, network: LocalNetwork) -> None:
        base, program = shown(self._place.directory), shown(_notarium())
        pinned = f"--genesis {base}/genesis.json"
        self._story.chapter(f"That took {self._story.seconds:.0f} s. No process is left running.")
        self._story.columns(
            (f"{base}/study/", "the researcher's files, with their records and receipts"),
            (f"{base}/genesis.json", "the trust root"),
            (f"{base}/*/node.log", "what each node logged"),
        )
        self._story.steps(
            ("verify again", f"{program} verify --offline {pinned} {base}/study/*.receipt.json"),
            ("read a receipt", f"{program} show {pinned} {base}/study/train.run.receipt.json"),
            ("start the network again and look around", "make demo-up"),
        )

    def _look_around(self, network: LocalNetwork) -> None:
        """Where the network is and what to try next: the last lines of `make demo-up`."""
        model = find_receipt(self._model_receipt, Study(self._place.study).project.genesis)
        if model is None:
            raise DemoError(f"{self._model_receipt} does not verify: start over with make demo")
        observer, home = network.observers[0], shown(self._place.directory / RESEARCHER_AT)
        self._story.chapter("The network runs until `make demo-down`")
        self._story.columns(*((label(node), node.api) for node in network.nodes))
        self._story.columns(
            ("folder", f"{shown(self._place.directory)}  (nodes and their node.log, study/, genesis.json)")
        )
        self._story.steps(
            ("get the model's receipt from the observer", f"curl -s {observer.api}/v1/receipts/{model.id.hex()}"),
            (
                "anchor a file as the researcher",
                f"cd {shown(self._place.study)} && NOTARIUM_HOME={self._place.home} {_notarium()} anchor config.json",
            ),
            (
                "anchor with a key of your own: in a folder of yours run "
                f"'NOTARIUM_HOME={self._place.directory}/my-home {_notarium()} init --genesis "
                f"{self._place.directory}/genesis.json --issuer {RESEARCHER_AT}', then enrol the public key it prints; "
                "set NOTARIUM_HOME likewise for 'notarium anchor'",
                f"{shown(_notarium())}-node enrol --config {home}/node.toml --admin-key {home}/keys/admin.key "
                f"--key {PUBLIC_KEY}",
            ),
        )

    # Parts of acts

    def _anchor(self, what: str, act: Callable[[], Anchored]) -> Anchored:
        with self._story.doing(what) as details:
            result = act()
            if result.receipt is None:
                raise DemoError(f"{result.path} was not anchored: {result.error}")
            details.append(_decided(result.receipt, result.receipt_path))
        return result

    def _verify(self, receipts: Sequence[Path]) -> int:
        return self._command("verify", receipts, "--offline")

    def _command(self, name: str, receipts: Sequence[Path], *options: str) -> int:
        """Run the command that anyone would run; its exit code."""
        words = [shown(_notarium()), name, *options, "--genesis", shown(self._place.directory / "genesis.json")]
        words += [shown(path) for path in receipts]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self._story.command(words, done.stdout, done.returncode)
        return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: 0 done, 1 failed, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m notarium_node.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("act", choices=("run", "up", "down"))
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(".demo"),
        help="the directory of the demo; 'run' empties it first [.demo]",
    )
    options = parser.parse_args(arguments)
    place = Place(options.directory.absolute())
    _stay_within(place)
    story = Story()
    demo = Demo(place, story)
    try:
        {"run": demo.run, "up": demo.up, "down": demo.down}[options.act]()
    except KeyboardInterrupt:
        story.say("[yellow]interrupted, all nodes are stopped[/]")
        return 130
    except ModuleNotFoundError as error:
        story.console.print(f"{error}: the demo needs scikit-learn: pip install 'notarium[node,demo]'", style="red")
        return 1
    except (DemoError, NetworkError, NotariumError) as error:
        story.console.print(f"the demo failed: {error}", style="bold red", markup=False)
        return 1
    return 0


def _stay_within(place: Place) -> None:
    """Use the demo's own key, cache and settings of a researcher, not those of this user."""
    for name in [each for each in os.environ if each.startswith("NOTARIUM_")]:
        del os.environ[name]
    os.environ["NOTARIUM_HOME"] = str(place.home)


def _decided(receipt: VerifiedReceipt, path: Path) -> str:
    return f"leaf {receipt.index}, block {receipt.height}  → {shown(path)}"


def _notarium() -> Path:
    """The researcher's command in this environment."""
    return Path(sys.executable).with_name("notarium")


def _with_another_digit(data: bytes) -> bytes:
    """`data` with the first digit after CHANGED_BYTE replaced."""
    at = next(at for at in range(CHANGED_BYTE, len(data)) if data[at : at + 1].isdigit())
    return data[:at] + (b"7" if data[at : at + 1] != b"7" else b"3") + data[at + 1 :]


if __name__ == "__main__":
    sys.exit(main())
