"""The media type of a file, by the end of its name: what it is said to be, not what somebody looked into it to find.

A table of our own, so that a file has one type on every machine. Names registered by IANA where there are any.
"""

from __future__ import annotations

from typing import Final

_TYPES: Final = {
    # Tables and arrays.
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".nc": "application/netcdf",
    ".zarr": "application/vnd.zarr",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".mat": "application/x-matlab-data",
    ".rds": "application/x-r-data",
    ".sav": "application/x-spss-sav",
    ".sas7bdat": "application/x-sas-data",
    ".dta": "application/x-stata-dta",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".sqlite": "application/vnd.sqlite3",
    # Text and configuration.
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".xml": "application/xml",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".tex": "application/x-tex",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".py": "text/x-python",
    ".r": "text/x-r",
    ".jl": "text/x-julia",
    ".sh": "application/x-sh",
    ".ipynb": "application/x-ipynb+json",
    # Images, signals, medicine, biology.
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".dcm": "application/dicom",
    ".nii": "application/x-nifti",
    ".nii.gz": "application/x-nifti+gzip",
    ".edf": "application/x-edf",
    ".wav": "audio/vnd.wave",
    ".flac": "audio/flac",
    ".mp4": "video/mp4",
    ".fasta": "text/x-fasta",
    ".fastq": "text/x-fastq",
    ".fastq.gz": "text/x-fastq+gzip",
    ".vcf": "text/x-vcf",
    ".bam": "application/x-bam",
    # Models.
    ".safetensors": "application/vnd.safetensors",
    ".onnx": "application/x-onnx",
    ".gguf": "application/x-gguf",
    ".pt": "application/x-pytorch",
    ".pth": "application/x-pytorch",
    ".ckpt": "application/x-pytorch",
    ".pkl": "application/x-python-pickle",
    ".pickle": "application/x-python-pickle",
    ".joblib": "application/x-joblib",
    ".keras": "application/x-keras",
    ".tflite": "application/x-tflite",
    # Archives.
    ".zip": "application/zip",
    ".tar": "application/x-tar",
    ".tar.gz": "application/x-tar+gzip",
    ".tgz": "application/x-tar+gzip",
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".7z": "application/x-7z-compressed",
}


def media_type(name: str) -> str:
    """The media type of a file by its name, or "" where its end says nothing."""
    # A name that begins with a dot has no end by that.
    parts = name.rpartition("/")[2].lstrip(".").lower().split(".")
    for count in (2, 1):
        if len(parts) > count and (found := _TYPES.get("." + ".".join(parts[-count:]))):
            return found
    return ""
