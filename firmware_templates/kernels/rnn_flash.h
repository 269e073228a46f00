/* SPDX-License-Identifier: MIT
 *
 * rnn_flash.h -- constants that stay in flash, and how to read them.
 *
 * RNN_FLASH marks a constant array; RNN_LOAD_<type>(address) reads one element of it. An AVR has a
 * separate address space for flash and reads it with LPM (avr-libc, <avr/pgmspace.h>; addresses
 * below 64 KB, which is all of an ATmega328P). Elsewhere flash is ordinary memory.
 *
 * RNN_INLINE forces inlining: the shifts that callers pass are compile-time constants, and an AVR
 * that got them as variables would loop over single-bit shifts. RNN_PER_UNIT is for what a cell does
 * several times for each unit: inlined, but on an AVR, whose flash is small. */
#ifndef RNN_FLASH_H
#define RNN_FLASH_H

#include <stdint.h>

/* Of a table of bytes: an index is the low byte of an address. */
#define RNN_PAGE __attribute__((aligned(256)))

#define RNN_INLINE static inline __attribute__((always_inline))

#ifdef __AVR__

#include <avr/pgmspace.h>

#define RNN_PER_UNIT static
#define RNN_FLASH PROGMEM
#define RNN_LOAD_U8(address) ((uint8_t)pgm_read_byte(address))
#define RNN_LOAD_S8(address) ((int8_t)pgm_read_byte(address))
#define RNN_LOAD_S16(address) ((int16_t)pgm_read_word(address))
#define RNN_LOAD_S32(address) ((int32_t)pgm_read_dword(address))
#define RNN_LOAD_U32(address) ((uint32_t)pgm_read_dword(address))

#else

#define RNN_PER_UNIT RNN_INLINE
#define RNN_FLASH
#define RNN_LOAD_U8(address) (*(const uint8_t *)(address))
#define RNN_LOAD_S8(address) (*(const int8_t *)(address))
#define RNN_LOAD_S16(address) (*(const int16_t *)(address))
#define RNN_LOAD_S32(address) (*(const int32_t *)(address))
#define RNN_LOAD_U32(address) (*(const uint32_t *)(address))

#endif

#endif
