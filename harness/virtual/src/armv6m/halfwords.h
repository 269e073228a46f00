/* SPDX-License-Identifier: MIT
 *
 * halfwords.h -- the 16-bit encodings that only ARMv6-M has so (cortexm/decode.c). */
#ifndef HALFWORDS_H
#define HALFWORDS_H

#include <stdbool.h>

#define OWN_PATTERNS_FIRST
#define OWN_PATTERNS_LAST {0xF800, 0xF000, OP_WIDE},

static inline bool own_unpredictable(unsigned halfword)
{
    (void)halfword;
    return false;
}

#endif
