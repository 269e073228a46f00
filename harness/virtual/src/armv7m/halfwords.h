/* SPDX-License-Identifier: MIT
 *
 * halfwords.h -- the 16-bit encodings that only ARMv7-M has (cortexm/decode.c). */
#ifndef HALFWORDS_H
#define HALFWORDS_H

#include <stdbool.h>

#define OWN_PATTERNS_FIRST                                                                     \
    {0xF500, 0xB100, OP_CBZ}, {0xFFEF, 0xB661, OP_CPS}, {0xFFEF, 0xB663, OP_CPS},
#define OWN_PATTERNS_LAST                                                                      \
    {0xFFF0, 0xBFF0, OP_UNPREDICTABLE}, {0xFF00, 0xBF00, OP_IT},                               \
    {0xF800, 0xE800, OP_WIDE}, {0xF000, 0xF000, OP_WIDE},

/* IT AL with an ELSE: the condition after it would be 15 (DDI 0403, section A7.7.37). */
static inline bool own_unpredictable(unsigned halfword)
{
    return (halfword & 0xFFF0) == 0xBFE0 && __builtin_popcount(halfword & 15) > 1;
}

#endif
