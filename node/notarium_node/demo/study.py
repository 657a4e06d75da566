"""The demo's study, as a researcher would write it: with the `notarium` package and scikit-learn, and nothing else.

Breast-cancer diagnosis from cell nuclei (Wolberg, Street, Mangasarian: 569 patients, 30 features; bundled with
scikit-learn), as if each of four institutions had contributed one partition.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import notarium
from notarium.anchoring.anchor import Anchored
from notarium.anchoring.references import reference

PARTITIONS = 4
CONFIG: dict[str, Any] = {
    "model": "HistGradientBoostingClassifier",
    "learning_rate": 0.1,
    "max_iter": 150,
    "l2_regularization": 0.5,
    "test_share": 0.3,
    "seed": 20261122,
}
PLAN = """\
# Preregistration: malignancy from fine-needle aspirates

Hypothesis  Gradient-boosted trees on the 30 nuclear features separate malignant from benign masses.
Data        All 569 patients; four partitions, one per institution; no exclusions.
Split       70 % training, 30 % test, stratified by diagnosis, seed 20261122. The test set is used once.
Outcome     Area under the ROC curve on the test set. Confirmed at 0.97 or above.
Stopping    One training run. Its result is reported in any case.
"""
RUN = "train"


class Study:
    """One study in one folder, which is a notarium project already (`notarium init`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = notarium.find_project(folder)

    @property
    def partitions(self) -> list[Path]:
        """The data's files."""
        return [self.folder / "data" / f"part-{number}.csv" for number in range(PARTITIONS)]

    @property
    def model(self) -> Path:
        """The weights."""
        return self.folder / "model.joblib"

    @property
    def receipts(self) -> list[Path]:
        """All receipts so far."""
        return sorted(self.folder.glob("*.receipt.json"))

    def preregister(self) -> Anchored:
        """Anchor the plan, before anyone has seen the data."""
        plan = self.folder / "protocol.md"
        plan.write_text(PLAN)
        return notarium.anchor(plan, "preregistration", project=self.project, strict=True)

    def collect(self) -> Anchored:
        """Write the data out as CSV partitions and anchor the folder."""
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer()
        header = [*(name.replace(" ", "_") for name in bunch.feature_names), "malignant"]
        rows = [
            [*map(repr, features.tolist()), int(target == 0)]
            for features, target in zip(bunch.data, bunch.target, strict=True)
        ]
        self.partitions[0].parent.mkdir()
        for number, path in enumerate(self.partitions):
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows(rows[number::PARTITIONS])
        plan = reference(self.project, "preRegisteredBy", self.folder / "protocol.md")
        return notarium.anchor(
            self.folder / "data",
            "dataset",
            project=self.project,
            facts={"patients": len(rows), "licence": "CC BY 4.0"},
            refs=[plan],
            strict=True,
        )

    def train(self) -> tuple[notarium.VerifiedReceipt, dict[str, float]]:
        """Train once on the partitions as they are; returns the receipt and the metrics."""
        import joblib
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
        from sklearn.model_selection import train_test_split

        config = self.folder / "config.json"
        config.write_text(json.dumps(CONFIG, indent=2) + "\n")
        with notarium.track(RUN, directory=self.folder, project=self.project, strict=True, wait=30) as run:
            run.refs("preRegisteredBy", self.folder / "protocol.md")
            run.config(config)
            run.input(self.folder / "data")
            run.params(CONFIG)
            run.seed(CONFIG["seed"])
            features, malignant = self._read()
            split = train_test_split(
                features, malignant, test_size=CONFIG["test_share"], random_state=CONFIG["seed"], stratify=malignant
            )
            train_x, test_x, train_y, test_y = split
            model = HistGradientBoostingClassifier(
                learning_rate=CONFIG["learning_rate"],
                max_iter=CONFIG["max_iter"],
                l2_regularization=CONFIG["l2_regularization"],
                random_state=CONFIG["seed"],
            ).fit(train_x, train_y)
            scores = model.predict_proba(test_x)[:, 1]
            metrics = {
                "roc_auc": float(roc_auc_score(test_y, scores)),
                "accuracy": float(accuracy_score(test_y, scores > 0.5)),
                "log_loss": float(log_loss(test_y, scores)),
            }
            run.metrics(metrics)
            joblib.dump(model, self.model)
            run.output(self.model)
        if run.receipt is None:
            raise RuntimeError("a strict run ended without a receipt")
        return run.receipt, metrics

    def publish_model(self) -> Anchored:
        """Anchor the weights by themselves, derived from the run."""
        origin = reference(self.project, "derivedFrom", self.folder / f"{RUN}.run.receipt.json")
        return notarium.anchor(
            self.model, "model", project=self.project, fields={"format": "joblib"}, refs=[origin], strict=True
        )

    def _read(self) -> tuple[list[list[float]], list[int]]:
        features: list[list[float]] = []
        malignant: list[int] = []
        for path in self.partitions:
            with path.open(newline="") as file:
                rows = csv.reader(file)
                next(rows)
                for *values, label in rows:
                    features.append([float(each) for each in values])
                    malignant.append(int(label))
        return features, malignant
