"""One type for one end of a name, on every machine."""

import pytest

from notarium.evidence.media_types import media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data.csv", "text/csv"),
        ("a/b/DATA.CSV", "text/csv"),
        ("scan.nii.gz", "application/x-nifti+gzip"),
        ("x.tar.gz", "application/x-tar+gzip"),
        ("x.csv.gz", "application/gzip"),
        ("model.safetensors", "application/vnd.safetensors"),
        (".csv", ""),
        ("README", ""),
        ("a.csv/README", ""),
        ("x.unheard", ""),
    ],
)
def test_by_the_end_of_the_name(name, expected):
    assert media_type(name) == expected
