"""Changes one bit of bytes."""


def flip(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    return data[: bit // 8] + bytes((data[bit // 8] ^ 1 << bit % 8,)) + data[bit // 8 + 1 :]
