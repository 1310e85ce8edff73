"""MurmurHash3 x86 32-bit, seed 0, from Austin Appleby's reference: checks the C library's."""

_MASK = 0xFFFFFFFF


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK


def _scramble(block: int) -> int:
    return _rotate(block * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK


def _avalanche(value: int) -> int:
    value = (value ^ (value >> 16)) * 0x85EBCA6B & _MASK
    value = (value ^ (value >> 13)) * 0xC2B2AE35 & _MASK
    return value ^ (value >> 16)


def murmur3_32(data: bytes) -> int:
    """The unsigned hash."""
    value, whole = 0, len(data) - len(data) % 4
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little")
        value = (_rotate(value ^ _scramble(block), 13) * 5 + 0xE6546B64) & _MASK
    value ^= _scramble(int.from_bytes(data[whole:], "little"))
    return _avalanche(value ^ len(data))


def point(salt: str, purpose: str, unit: str) -> int:
    """A unit's bucket as EVALUATION.md defines it."""
    return murmur3_32(f"{salt}.{purpose}.{unit}".encode()) * 100_000 >> 32
