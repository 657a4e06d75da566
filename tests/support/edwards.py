"""Edwards25519 in plain integers, after RFC 8032, section 6: for building edge cases, not for use.

Points are affine (x, y). Slow, not constant time, and independent of libsodium.
"""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """a + b."""
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P)
    return x % P, y % P


def multiply(scalar: int, point: Point) -> Point:
    """scalar · point."""
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def recover_x(y: int, sign: int) -> int | None:
    """The x of the point with this y and sign bit, or None."""
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P:
        return None
    return P - x if x and x & 1 != sign else x


def encode(point: Point) -> bytes:
    """The canonical 32 bytes."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def encode_raw(y: int, sign: int) -> bytes:
    """y and sign as they are, also y ≥ p: for encodings that are not canonical."""
    return (y | sign << 255).to_bytes(32, "little")


BASE: Point = (recover_x(4 * pow(5, P - 2, P) % P, 0) or 0, 4 * pow(5, P - 2, P) % P)


def small_order_points() -> list[Point]:
    """The eight points whose order divides 8, the identity first."""
    y = 2
    while True:
        x = recover_x(y, 0)
        if x is not None:
            generator = multiply(L, (x, y))
            if multiply(4, generator) != IDENTITY:
                return [multiply(times, generator) for times in range(8)]
        y += 1


def secret_scalar(seed: bytes) -> int:
    """The clamped secret scalar of an Ed25519 seed."""
    digest = int.from_bytes(sha512(seed).digest()[:32], "little")
    return (digest & ((1 << 254) - 8)) | 1 << 254


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    """k = SHA-512(R ‖ A ‖ M) mod L."""
    return int.from_bytes(sha512(r + key + message).digest(), "little") % L


def signature(r: bytes, s: int) -> bytes:
    """R ‖ S."""
    return r + s.to_bytes(32, "little")
