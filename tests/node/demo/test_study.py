"""The demo's study reads the partitions as they are. That it anchors them is in tests/demo."""

from notarium_node.demo.network import Place
from notarium_node.demo.study import PARTITIONS, Study


def test_features_and_labels_come_from_all_partitions_in_order(tmp_path):
    place = Place(tmp_path / "demo")
    place.found()
    study = Study(place.study)
    study.partitions[0].parent.mkdir()
    for number, path in enumerate(study.partitions):
        path.write_text(f"radius,texture,malignant\n{number}.5,1e-3,{number % 2}\n")
    features, malignant = study._read()
    assert features == [[number + 0.5, 0.001] for number in range(PARTITIONS)]
    assert malignant == [0, 1, 0, 1]
    assert study.receipts == []
