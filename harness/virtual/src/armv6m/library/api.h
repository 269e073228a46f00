/* SPDX-License-Identifier: MIT
 *
 * api.h -- the board as a shared library, libarmv6m.so, for tests and for counting cycles without a
 * pty. Plain types only: harness/virtual/armv6m_core.py calls it through ctypes.
 *
 * A machine is either a whole board or `bare`: core, flash, RAM and system control space, where
 * every other access faults. Registers: 0-14 as named, 15 the PC, 16 xPSR, 17 MSP, 18 PSP,
 * 19 PRIMASK, 20 CONTROL. */
#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

struct machine *m0_create(bool bare, bool wait_states);
void m0_destroy(struct machine *m);

/* Flash and RAM only, and without going through the NVM controller. False: out of range. */
bool m0_load(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size);
bool m0_dump(const struct machine *m, uint32_t address, uint8_t *data, uint32_t size);

void m0_reset(struct machine *m, uint32_t vtor);

/* At most `count` steps: an instruction, an exception entry, or sleep to the next event (with the
 * exception entry it brings). Returns the steps taken, fewer only when locked up, asleep for ever,
 * or when a reset was requested. */
uint64_t m0_step(struct machine *m, uint64_t count);
void m0_run(struct machine *m, uint64_t until);     /* to that cycle, with sleep passing */

uint32_t m0_get(const struct machine *m, unsigned reg);
bool m0_set(struct machine *m, unsigned reg, uint32_t value);
uint64_t m0_cycles(const struct machine *m);
uint64_t m0_instructions(const struct machine *m);
uint32_t m0_min_sp(const struct machine *m);
bool m0_sleeping(const struct machine *m);
bool m0_locked_up(const struct machine *m);

/* The number of faults since creation; of the first since reset the name, PC and address. */
uint32_t m0_faults(const struct machine *m, const char **name, uint32_t *pc, uint32_t *address);
void m0_clear_fault(struct machine *m);     /* forget it and leave every exception; no registers */

/* An interrupt line. */
void m0_irq(struct machine *m, unsigned irq, bool level);

/* Serial line of a whole board. m0_receive returns -1 when the board has sent nothing more. */
void m0_send(struct machine *m, uint8_t byte);
int m0_receive(struct machine *m);

/* count, sum, first, last of the marked stretches, in cycles */
void m0_marks(const struct machine *m, uint64_t out[4]);

#endif
