"""The encodings of ARMv7E-M as the manual prints them, and what it calls UNPREDICTABLE.

Written apart from the simulator's tables, from ARM DDI 0403, chapters A5 and A6, to draw test
cases from and to judge whether an instruction is one. A line: name, bits, conditions that must
hold. In the bits 0 and 1 are fixed, z and o are "(0)" and "(1)", a letter is a field (its bits may
be apart). The first line whose fixed bits match is the instruction; `- never` makes it UNDEFINED.

Conditions: !x the field is neither 13 nor 15; x!13, x!15; or a Python expression without blanks.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

# Data processing: constants (A5.3.1, A5.3.3), registers (A5.3.11 to A5.3.15).
DATA = """
tst.i   11110i000001nnnn0iii1111iiiiiiii !n const(i)
and.i   11110i00000snnnn0iiiddddiiiiiiii !d !n const(i)
bic.i   11110i00001snnnn0iiiddddiiiiiiii !d !n const(i)
mov.i   11110i00010s11110iiiddddiiiiiiii !d const(i)
orr.i   11110i00010snnnn0iiiddddiiiiiiii !d n!13 const(i)
mvn.i   11110i00011s11110iiiddddiiiiiiii !d const(i)
orn.i   11110i00011snnnn0iiiddddiiiiiiii !d n!13 const(i)
teq.i   11110i001001nnnn0iii1111iiiiiiii !n const(i)
eor.i   11110i00100snnnn0iiiddddiiiiiiii !d !n const(i)
cmn.i   11110i010001nnnn0iii1111iiiiiiii n!15 const(i)
add.i   11110i01000snnnn0iiiddddiiiiiiii d!15 n!15 d!=13or(n==13) const(i)
adc.i   11110i01010snnnn0iiiddddiiiiiiii !d !n const(i)
sbc.i   11110i01011snnnn0iiiddddiiiiiiii !d !n const(i)
cmp.i   11110i011011nnnn0iii1111iiiiiiii n!15 const(i)
sub.i   11110i01101snnnn0iiiddddiiiiiiii d!15 n!15 d!=13or(n==13) const(i)
rsb.i   11110i01110snnnn0iiiddddiiiiiiii !d !n const(i)
adr.a   11110i10000011110iiiddddiiiiiiii !d
addw    11110i100000nnnn0iiiddddiiiiiiii d!15 d!=13or(n==13)
movw    11110i100100jjjj0iiiddddiiiiiiii !d
adr.s   11110i10101011110iiiddddiiiiiiii !d
subw    11110i101010nnnn0iiiddddiiiiiiii d!15 d!=13or(n==13)
movt    11110i101100jjjj0iiiddddiiiiiiii !d
ssat    11110z110000nnnn0iiiddddiizjjjjj !d !n
ssat16  11110z110010nnnn0000dddd00zzjjjj !d !n dsp
ssat.a  11110z110010nnnn0iiiddddiizjjjjj !d !n
sbfx    11110z110100nnnn0iiiddddiizjjjjj !d !n i+j<=31
bfc     11110z11011011110iiiddddiizjjjjj !d j>=i
bfi     11110z110110nnnn0iiiddddiizjjjjj !d n!13 j>=i
usat    11110z111000nnnn0iiiddddiizjjjjj !d !n
usat16  11110z111010nnnn0000dddd00zzjjjj !d !n dsp
usat.a  11110z111010nnnn0iiiddddiizjjjjj !d !n
ubfx    11110z111100nnnn0iiiddddiizjjjjj !d !n i+j<=31
tst.r   111010100001nnnnziii1111iiyymmmm !n !m
and.r   11101010000snnnnziiiddddiiyymmmm !d !n !m
bic.r   11101010001snnnnziiiddddiiyymmmm !d !n !m
mov.r   1110101001001111z000dddd0000mmmm d!15 m!15 not(d==13and(m==13))
movs.r  1110101001011111z000dddd0000mmmm !d !m
shift.i 11101010010s1111ziiiddddiiyymmmm !d !m
orr.r   11101010010snnnnziiiddddiiyymmmm !d n!13 !m
mvn.r   11101010011s1111ziiiddddiiyymmmm !d !m
orn.r   11101010011snnnnziiiddddiiyymmmm !d n!13 !m
teq.r   111010101001nnnnziii1111iiyymmmm !n !m
eor.r   11101010100snnnnziiiddddiiyymmmm !d !n !m
pkh     111010101100nnnnziiiddddiiy0mmmm !d !n !m dsp
cmn.r   111010110001nnnnziii1111iiyymmmm n!15 !m
add.r   11101011000snnnnziiiddddiiyymmmm d!15 n!15 !m d!=13or(n==13and(y==0)and(i<=3))
adc.r   11101011010snnnnziiiddddiiyymmmm !d !n !m
sbc.r   11101011011snnnnziiiddddiiyymmmm !d !n !m
cmp.r   111010111011nnnnziii1111iiyymmmm n!15 !m
sub.r   11101011101snnnnziiiddddiiyymmmm d!15 n!15 !m d!=13or(n==13and(y==0)and(i<=3))
rsb.r   11101011110snnnnziiiddddiiyymmmm !d !n !m
shift.r 111110100yysnnnn1111dddd0000mmmm !d !n !m
sxth    11111010000s11111111dddd1zrrmmmm !d !m
sxtah   11111010000snnnn1111dddd1zrrmmmm !d n!13 !m dsp
sxtb16  11111010001snnnn1111dddd1zrrmmmm !d n!13 !m dsp
sxtb    11111010010s11111111dddd1zrrmmmm !d !m
sxtab   11111010010snnnn1111dddd1zrrmmmm !d n!13 !m dsp
add8    111110101p00nnnn1111dddd0ukkmmmm !d !n !m dsp k!=3
bad.par 111110101p11nnnn1111dddd0ukkmmmm - never
sax     111110101p10nnnn1111dddd0ukkmmmm !d !n !m dsp k!=3
sub16   111110101p01nnnn1111dddd0ukkmmmm !d !n !m dsp k!=3
qadd    111110101000nnnn1111dddd10kkmmmm !d !n !m dsp
rev     111110101001nnnn1111dddd10kkmmmm !d !m n==m
sel     111110101010nnnn1111dddd1000mmmm !d !n !m dsp
clz     111110101011nnnn1111dddd1000mmmm !d !m n==m
"""

# Multiplication, division (A5.3.16, A5.3.17).
MULTIPLY = """
mul     111110110000nnnn1111dddd0000mmmm !d !n !m
mla     111110110000nnnnaaaadddd0000mmmm !d !n !m a!13
mls     111110110000nnnnaaaadddd0001mmmm !d !n !m !a
smlaxy  111110110001nnnnaaaadddd00xymmmm !d !n !m a!13 dsp
smlad   111110110010nnnnaaaadddd000xmmmm !d !n !m a!13 dsp
smlaw   111110110011nnnnaaaadddd000xmmmm !d !n !m a!13 dsp
smlsd   111110110100nnnnaaaadddd000xmmmm !d !n !m a!13 dsp
smmla   111110110101nnnnaaaadddd000xmmmm !d !n !m a!13 dsp
smmls   111110110110nnnnaaaadddd000xmmmm !d !n !m !a dsp
usada8  111110110111nnnnaaaadddd0000mmmm !d !n !m a!13 dsp
smull   111110111000nnnnaaaadddd0000mmmm !d !n !m !a a!=d
sdiv    111110111001nnnnoooodddd1111mmmm !d !n !m
umull   111110111010nnnnaaaadddd0000mmmm !d !n !m !a a!=d
udiv    111110111011nnnnoooodddd1111mmmm !d !n !m
smlal   111110111100nnnnaaaadddd0000mmmm !d !n !m !a a!=d
smlalxy 111110111100nnnnaaaadddd10xymmmm !d !n !m !a a!=d dsp
smlald  111110111100nnnnaaaadddd110xmmmm !d !n !m !a a!=d dsp
smlsld  111110111101nnnnaaaadddd110xmmmm !d !n !m !a a!=d dsp
umlal   111110111110nnnnaaaadddd0000mmmm !d !n !m !a a!=d
umaal   111110111110nnnnaaaadddd0110mmmm !d !n !m !a a!=d dsp
"""

# Single loads and stores (A5.3.7 to A5.3.10); w is the width, g signed.
MEMORY = """
bad.sw  1111100gx11xxxxxxxxxxxxxxxxxxxxx - never
bad.gw  11111001x10xxxxxxxxxxxxxxxxxxxxx - never
bad.gs  11111001xxx0xxxxxxxxxxxxxxxxxxxx - never
bad.st  11111000xww01111xxxxxxxxxxxxxxxx - never
hint.l  1111100gu0w111111111iiiiiiiiiiii
hint.i  1111100g10w1nnnn1111iiiiiiiiiiii
hint.n  1111100g00w1nnnn11111100iiiiiiii
hint.r  1111100g00w1nnnn1111000000iimmmm !m
ldr.l   11111000u1011111ttttiiiiiiiiiiii
ldrx.l  1111100gu0w11111ttttiiiiiiiiiiii !t
ldr.i   111110001101nnnnttttiiiiiiiiiiii
ldrx.i  1111100g10w1nnnnttttiiiiiiiiiiii !t
ldr.t   1111100g0ww1nnnntttt1110iiiiiiii !t
bad.p   1111100g0wwlnnnntttt10u0iiiiiiii - never
ldr.x   111110000101nnnntttt1puviiiiiiii v==0or(n!=t)
ldrx.x  1111100g00w1nnnntttt1puviiiiiiii !t v==0or(n!=t)
ldr.r   111110000101nnnntttt000000iimmmm !m
ldrx.r  1111100g00w1nnnntttt000000iimmmm !t !m
str.i   111110001100nnnnttttiiiiiiiiiiii t!15
strx.i  1111100010w0nnnnttttiiiiiiiiiiii !t
str.t   111110000ww0nnnntttt1110iiiiiiii !t
str.x   111110000100nnnntttt1puviiiiiiii t!15 v==0or(n!=t)
strx.x  1111100000w0nnnntttt1puviiiiiiii !t v==0or(n!=t)
str.r   111110000100nnnntttt000000iimmmm t!15 !m
strx.r  1111100000w0nnnntttt000000iimmmm !t !m
"""

# Multiple, dual, exclusive, table branch (A5.3.5, A5.3.6).
MULTIPLE = """
stmia   1110100010w0nnnnzrzrrrrrrrrrrrrr n!15 ones(r)>=2 w==0or(not(list14(r)>>n&1))
stmdb   1110100100w0nnnnzrzrrrrrrrrrrrrr n!15 ones(r)>=2 w==0or(not(list14(r)>>n&1))
ldmia   1110100010w1nnnnpmzrrrrrrrrrrrrr n!15 ones(r)+p+m>=2 p+m<2 w==0or(not((r|m<<14)>>n&1))
ldmdb   1110100100w1nnnnpmzrrrrrrrrrrrrr n!15 ones(r)+p+m>=2 p+m<2 w==0or(not((r|m<<14)>>n&1))
strex   111010000100nnnnttttddddiiiiiiii !d !t n!15 d!=n d!=t
ldrex   111010000101nnnnttttooooiiiiiiii !t n!15
strexb  111010001100nnnnttttoooo010bdddd !d !t n!15 d!=n d!=t
ldrexb  111010001101nnnnttttoooo010boooo !t n!15
tbb     111010001101nnnnoooozzzz000bmmmm n!13 !m
bad.ex  11101000110lxxxxxxxxxxxxxxxxxxxx - never
ldrd    1110100pu1v1nnnnttttkkkkiiiiiiii !t !k t!=k v==0or(n!=15and(n!=t)and(n!=k))
strd    1110100pu1v0nnnnttttkkkkiiiiiiii !t !k n!15 v==0or(n!=t)and(n!=k)
"""

# Branches, special registers, barriers (A5.3.4).
CONTROL = """
bl      11110iiiiiiiiiii11i1iiiiiiiiiiii
b       11110iiiiiiiiiii10i1iiiiiiiiiiii
msr     11110011100znnnn10z0kkzzyyyyyyyy !n k!=0 msr(y,k)
mrs     11110011111zoooo10z0ddddyyyyyyyy !d sysm(y)
hint    111100111010oooo10z0z000iiiiiiii
clrex   111100111011oooo10z0oooo0010oooo
barrier 111100111011oooo10z0oooo010iiiii
barrie2 111100111011oooo10z0oooo0110iiii
b.cond  11110icccciiiiii10j0jiiiiiiiiiii c<14
"""

# Floating point (chapter A6).
FLOAT = """
vmla    111011100D0qnnnndddd1010NpM0mmmm fpu
vmul    111011100D1qnnnndddd1010NpM0mmmm fpu
vdiv    111011101D00nnnndddd1010N0M0mmmm fpu
vfnma   111011101D01nnnndddd1010NpM0mmmm fpu
vfma    111011101D10nnnndddd1010NpM0mmmm fpu
vmov.i  111011101D11iiiidddd1010z0z0iiii fpu
vmov    111011101D110000dddd1010p1M0mmmm fpu
vneg    111011101D110001dddd1010p1M0mmmm fpu
vcvtb   111011101D11001pdddd1010t1M0mmmm fpu
vcmp    111011101D110100dddd1010p1M0mmmm fpu
vcmpz   111011101D110101dddd1010p1z0zzzz fpu
vcvt.fi 111011101D111000dddd1010p1M0mmmm fpu
vcvt.if 111011101D11110pdddd1010r1M0mmmm fpu
vcvt.x  111011101D111p1udddd1010x1i0iiii fpu x==1or((i&15)*2+i//16<=16)
vmov.2s 11101100010lkkkktttt101000M1mmmm fpu !t !k m*2+M!=31 l==0or(t!=k)
vmov.2d 11101100010lkkkktttt101100M1mmmm fpu !t !k M==0 l==0or(t!=k)
vldr.s  11101101uD01nnnndddd1010iiiiiiii fpu
vstr.s  11101101uD00nnnndddd1010iiiiiiii fpu n!15
vldr.d  11101101uD01nnnndddd1011iiiiiiii fpu D==0
vstr.d  11101101uD00nnnndddd1011iiiiiiii fpu n!15 D==0
vldm.s  111011001Dwlnnnndddd1010iiiiiiii fpu n!15 i>=1 d*2+D+i<=32
vldmdbs 111011010D1lnnnndddd1010iiiiiiii fpu n!15 i>=1 d*2+D+i<=32
vldm.d  111011001Dwlnnnndddd1011iiiiiiii fpu n!15 i>=2 D*16+d+i//2<=16 i%2==0
vldmdbd 111011010D1lnnnndddd1011iiiiiiii fpu n!15 i>=2 D*16+d+i//2<=16 i%2==0
vmov.c  11101110000lnnnntttt1010Nzz1zzzz fpu !t
vmov.x  1110111000xlnnnntttt1011z001zzzz fpu !t
vmsr    1110111011100001tttt1010zzz1zzzz fpu !t
vmrs    1110111011110001tttt1010zzz1zzzz fpu t!13
"""

GROUPS = {
    "data": DATA,
    "multiply": MULTIPLY,
    "memory": MEMORY,
    "multiple": MULTIPLE,
    "control": CONTROL,
    "float": FLOAT,
}


def constant_is_legal(imm12: int) -> bool:
    return not (imm12 >> 10 == 0 and imm12 >> 8 & 3 and not imm12 & 0xFF)


def known_special(number: int) -> bool:
    return number in {0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20}


HELPERS = {
    "const": constant_is_legal,
    "ones": int.bit_count,
    "list14": lambda bits: (bits & 0x1FFF) | (bits >> 13) << 14,  # STM: bits 14 and 12:0
    "sysm": known_special,
}


@dataclass(frozen=True)
class Encoding:
    group: str
    name: str
    bits: str
    mask: int
    value: int
    exists: bool
    condition: Any
    needs: frozenset[str] = field(default_factory=frozenset)

    def fields(self, word: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for place, letter in enumerate(self.bits):
            if letter not in "01zo":
                found[letter] = found.get(letter, 0) << 1 | (word >> (31 - place) & 1)
        return found

    def is_legal(self, word: int, features: frozenset[str]) -> bool:
        if not self.exists or not self.needs <= features:
            return False
        for place, letter in enumerate(self.bits):
            if letter in "zo" and (word >> (31 - place) & 1) != (letter == "o"):
                return False
        fields = self.fields(word)
        scope = {**HELPERS, "msr": lambda y, k: msr_is_legal(y, k, "dsp" in features)}
        return bool(eval(self.condition, {"__builtins__": {}, **scope}, fields))

    def draw(self, rng: random.Random) -> int:
        """A word of this encoding; rarely with a wrong bit where the manual has "(0)" or "(1)"."""
        word = self.value | (rng.getrandbits(32) & ~self.mask)
        if rng.random() < 0.9:
            for place, letter in enumerate(self.bits):
                if letter in "zo":
                    bit = 1 << (31 - place)
                    word = word | bit if letter == "o" else word & ~bit
        return word


def msr_is_legal(number: int, mask: int, dsp: bool) -> bool:
    if not known_special(number) or (mask & 1 and not dsp):
        return False
    return mask == 2 or number < 4


def python_condition(word: str) -> str:
    if match := re.fullmatch(r"!(\w)", word):
        return f"{match[1]} not in (13, 15)"
    if match := re.fullmatch(r"(\w)!(1[35])", word):
        return f"{match[1]} != {match[2]}"
    spaced = word.replace("or(", " or (").replace("and(", " and (").replace("not(", " not (")
    return f"({spaced})"


def parse(group: str, line: str) -> Encoding:
    name, bits, *words = line.split()
    assert len(bits) == 32, line
    mask = int("".join("1" if c in "01" else "0" for c in bits), 2)
    value = int("".join("1" if c == "1" else "0" for c in bits), 2)
    needs = frozenset(w for w in words if w in ("dsp", "fpu"))
    conditions = [python_condition(w) for w in words if w not in ("dsp", "fpu", "-", "never")]
    text = " and ".join(conditions) or "True"
    return Encoding(
        group, name, bits, mask, value, "-" not in words, compile(text, line, "eval"), needs
    )


ENCODINGS = [
    parse(group, line) for group, text in GROUPS.items() for line in text.strip().splitlines()
]


@lru_cache(1 << 16)
def find(word: int) -> Encoding | None:
    for encoding in ENCODINGS:
        if word & encoding.mask == encoding.value:
            return encoding
    return None


def wide_is_legal(word: int, features: frozenset[str]) -> bool:
    encoding = find(word)
    return encoding is not None and encoding.is_legal(word, features)


def narrow_is_legal(first: int) -> bool:
    """A predictable 16-bit instruction outside IT blocks (A5.2), by exclusion."""
    if first >> 10 == 0b010001:
        return special_data_is_legal(first)
    if first >> 12 == 0b1011:
        return miscellaneous_is_legal(first)
    if first >> 12 == 0b1100:
        base, registers = first >> 8 & 7, first & 0xFF
        stored_late = not first & 0x800 and registers >> base & 1 and registers & ((1 << base) - 1)
        return bool(registers) and not stored_late
    return first >> 8 != 0xDE


def special_data_is_legal(first: int) -> bool:
    operation, rm, rd = first >> 8 & 3, first >> 3 & 15, first & 7 | first >> 4 & 8
    if operation == 0:
        return not (rm == 15 and rd == 15)
    if operation == 1:
        return not (rm < 8 and rd < 8) and rm != 15 and rd != 15
    return operation == 2 or (first & 7 == 0 and rm != 15)


def miscellaneous_is_legal(first: int) -> bool:
    group = first >> 8 & 15
    if group in (0, 1, 2, 3, 9, 11, 14):  # SP +- immediate, CBZ, extend, CBNZ, BKPT
        return True
    if group in (4, 5, 12, 13):
        return first & 0x1FF != 0
    if group == 6:
        return first & 0xFFE8 == 0xB660 and first & 4 == 0 and first & 3 != 0
    if group == 10:
        return first >> 6 & 3 != 2
    if group != 15:
        return False
    condition, mask = first >> 4 & 15, first & 15
    return mask == 0 or (condition != 15 and (condition != 14 or mask.bit_count() == 1))


def is_legal(first: int, second: int, features: frozenset[str]) -> bool:
    if first >> 11 in (0b11101, 0b11110, 0b11111):
        return wide_is_legal(first << 16 | second, features)
    return narrow_is_legal(first)
