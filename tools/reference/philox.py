# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Counter-based Gaussian generator, bit-identical with base/philox.cc.

Definition. Every operation is one IEEE-754 double operation in the order written; no fused
multiply-add, no libm beyond the exact frexp and the correctly rounded sqrt.

1. Philox 4x32-10 (Salmon et al., SC 2011; multipliers D2511F53, CD9E8D57; key steps 9E3779B9,
   BB67AE85) with
     key     = (seed mod 2^32, seed >> 32)
     counter = (block mod 2^32, block >> 32, stream mod 2^32, stream >> 32), block = 0, 1, 2, ...
   gives four 32-bit words x0..x3 per block and four normals: (x0, x1) -> normals 4*block + 0, 1
   and (x2, x3) -> normals 4*block + 2, 3.
2. A pair (a, b) becomes
     u1 = (a + 1) * 2^-32                 in (0, 1], exact
     r  = sqrt(-2 * Log(u1))
     (c, s) = cos, sin of 2 pi b 2^-32
     even normal = float32(r * c), odd normal = float32(r * s).
3. Log(u): u = m * 2^e by frexp (m in [1/2, 1)); if m < SQRT_HALF then m = 2 m, e = e - 1;
     f = (m - 1) / (m + 1); z = f * f;
     p = 1/21; for k = 19, 17, ..., 3: p = p * z + 1/k; p = p * z + 1
     Log = e * LN2_HI + ((2 * f) * p + e * LN2_LO)
4. cos, sin: q = (b + 2^29) >> 30 (0..4); t = (b - q * 2^30) * 2^-32, exact, |t| <= 1/8;
     x = TWO_PI * t; y = x * x;
     S = 1/17!; for k = 15, 13, ..., 3, 1: S = 1/k! - y * S;  sin x = x * S
     C = 1/16!; for k = 14, 12, ..., 2, 0: C = 1/k! - y * C;  cos x = C
     (c, s) = (cos x, sin x), (-sin x, cos x), (-cos x, -sin x), (sin x, -cos x) for q mod 4 = 0..3.
   All 1/k and 1/k! are the double nearest to the quotient.
"""

import math

import numpy as np

SQRT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
LN2_HI = float.fromhex("0x1.62e42fee00000p-1")  # 20 trailing zero bits: e * LN2_HI is exact
LN2_LO = float.fromhex("0x1.a39ef35793c76p-33")
TWO_PI = float.fromhex("0x1.921fb54442d18p+2")

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox4x32(counter, key):
    """Ten rounds. counter: four arrays, key: two arrays or ints; all hold 32-bit words."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = (np.uint64(k) for k in key)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _MASK, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + np.uint64(0x9E3779B9)) & _MASK
        k1 = (k1 + np.uint64(0xBB67AE85)) & _MASK
    return c0, c1, c2, c3


def _log(u):
    m, e = np.frexp(u)
    low = m < SQRT_HALF
    m = np.where(low, 2.0 * m, m)
    e = np.where(low, e - 1, e).astype(np.float64)
    f = (m - 1.0) / (m + 1.0)
    z = f * f
    p = np.full_like(z, 1.0 / 21.0)
    for k in range(19, 2, -2):
        p = p * z + 1.0 / k
    p = p * z + 1.0
    return e * LN2_HI + ((2.0 * f) * p + e * LN2_LO)


def _cos_sin(b):
    b = b.astype(np.int64)
    q = (b + (1 << 29)) >> 30
    t = (b - (q << 30)).astype(np.float64) * 2.0**-32
    x = TWO_PI * t
    y = x * x
    s = np.full_like(y, 1.0 / math.factorial(17))
    for k in range(15, 0, -2):
        s = 1.0 / math.factorial(k) - y * s
    s = x * s
    c = np.full_like(y, 1.0 / math.factorial(16))
    for k in range(14, -1, -2):
        c = 1.0 / math.factorial(k) - y * c
    q = q & 3
    return np.choose(q, [c, -s, -c, s]), np.choose(q, [s, c, -s, -c])


def philox_normal(seed, stream, count, first=0):
    """Normals first .. first+count-1 of (seed, stream) as float32 [count]."""
    blocks = np.arange(first // 4, (first + count + 3) // 4, dtype=np.uint64)
    words = philox4x32(
        (blocks & _MASK, blocks >> _SHIFT, stream & 0xFFFFFFFF, stream >> 32),
        (seed & 0xFFFFFFFF, seed >> 32),
    )
    x = np.stack(np.broadcast_arrays(*words), axis=-1).reshape(-1, 2)  # one (a, b) pair per row
    r = np.sqrt(-2.0 * _log((x[:, 0] + np.uint64(1)).astype(np.float64) * 2.0**-32))
    c, s = _cos_sin(x[:, 1])
    out = np.stack([r * c, r * s], axis=-1).astype(np.float32).reshape(-1)
    start = first % 4
    return out[start : start + count]


def _fnv1a64_bytes(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def fnv1a64(text):
    """FNV-1a 64 of the UTF-8 bytes; names a stream."""
    return _fnv1a64_bytes(text.encode())


def chunk_noise(seed, chunk, step, shape):
    """The engine's noise of a chunk: purpose 0 = initial (step 0), 1 = re-noise before step k."""
    purpose = 0 if step == 0 else 1
    stream = (chunk << 16) | (step << 4) | purpose
    return philox_normal(seed, stream, math.prod(shape)).reshape(shape)


def _print_test_vectors():
    """The literals of tests/base/philox_test.cc."""
    for seed, stream, first in [
        (0, 0, 0),
        (1, 2, 5),
        (0x0123456789ABCDEF, 0xFEDCBA9876543210, (1 << 34) - 2),
        (20260101, fnv1a64("blocks.0.attn1.to_q.weight"), 4097),
    ]:
        bits = philox_normal(seed, stream, 10, first).view(np.uint32)
        print(f"{seed:#x} {stream:#x} {first:#x}:", ", ".join(f"0x{b:08x}" for b in bits))
    print(f"65536 normals: {_fnv1a64_bytes(philox_normal(7, 11, 1 << 16).tobytes()):#x}")
    word = philox4x32((np.arange(4096), 0, 0, 0), (1, 0))[0]
    values = np.stack([_log((word.astype(np.float64) + 1.0) * 2.0**-32), *_cos_sin(word)], axis=-1)
    print(f"4096 x (log, cos, sin): {_fnv1a64_bytes(values.tobytes()):#x}")


if __name__ == "__main__":
    _print_test_vectors()
