/* SPDX-License-Identifier: MIT
 *
 * native_loop.c -- the work that tells how fast this machine is (emulation.py): operations read from
 * a table, as an interpreter does, each on what the one before has left, with loads that depend on
 * it. */
#include <stdint.h>

#define OPERATIONS 61           /* no power of two: the pattern is long, but can be learned */
#define WORDS 1024

uint32_t native_loop(uint32_t rounds)
{
    static uint8_t operations[OPERATIONS];
    static uint32_t memory[WORDS];
    uint32_t x = 1, at = 0;
    for (uint32_t i = 0; i < OPERATIONS; i++)
        operations[i] = (uint8_t)((i + 1) * 2654435761u >> 29);
    for (uint32_t i = 0; i < WORDS; i++)
        memory[i] = i * 2654435761u;
    while (rounds--) {
        switch (operations[at]) {
        case 0: x += 0x9E3779B9u; break;
        case 1: x ^= x >> 7; break;
        case 2: x += memory[x % WORDS]; break;
        case 3: memory[x % WORDS] += x; break;
        case 4: x *= 1664525u; break;
        case 5: x = ~x + rounds; break;
        case 6: x ^= memory[x >> 22]; break;
        default: x = x >> 11 | x << 21; break;
        }
        at = at + 1 < OPERATIONS ? at + 1 : 0;
    }
    return x;
}
