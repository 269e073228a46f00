/* SPDX-License-Identifier: MIT
 *
 * api.h -- the core as a shared library, libarmv7m.so, for tests and for counting cycles without a
 * pty. Plain types only: harness/virtual/armv7m_core.py calls it through ctypes.
 *
 * A machine is core, memories and private peripheral bus; every other access faults. Registers: 0-14
 * as named, 15 the PC, 16 xPSR, 17 MSP, 18 PSP, 19 PRIMASK, 20 CONTROL, 21 BASEPRI, 22 FAULTMASK,
 * 23 FPSCR, 32-63 S0-S31. */
#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

struct v7_memory {
    uint32_t base, size, writable;
};

struct v7_config {
    struct v7_memory memory[4];
    uint32_t n_memories, cpuid, n_irqs, priority_bits, has_dsp, has_fpu;
};

struct machine *v7_create(const struct v7_config *config);
void v7_destroy(struct machine *m);

/* Memories only, writable or not. False: out of range. */
bool v7_load(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size);
bool v7_dump(const struct machine *m, uint32_t address, uint8_t *data, uint32_t size);

/* A word as the program would see it, system registers included. False: it would fault. */
bool v7_read(struct machine *m, uint32_t address, uint32_t *value);
bool v7_write(struct machine *m, uint32_t address, uint32_t value);

void v7_reset(struct machine *m, uint32_t vtor);

/* At most `count` steps: an instruction, an exception entry, or sleep to the next event (with the
 * exception entry it brings). Returns the steps taken, fewer only when locked up, asleep for ever,
 * or when a reset was requested. */
uint64_t v7_step(struct machine *m, uint64_t count);
/* To that cycle, with sleep passing; ends at a lockup or a requested reset. */
void v7_run(struct machine *m, uint64_t until);

uint32_t v7_get(const struct machine *m, unsigned reg);
bool v7_set(struct machine *m, unsigned reg, uint32_t value);
/* The same for `count` registers at once. */
void v7_get_all(const struct machine *m, const uint32_t *regs, uint32_t *values, uint32_t count);
void v7_set_all(struct machine *m, const uint32_t *regs, const uint32_t *values, uint32_t count);
uint64_t v7_cycles(const struct machine *m);
uint64_t v7_cycles_hi(const struct machine *m);
uint64_t v7_instructions(const struct machine *m);
uint32_t v7_min_sp(const struct machine *m);
bool v7_sleeping(const struct machine *m);
bool v7_locked_up(const struct machine *m);

/* The number of faults since creation; of the first since reset the name, PC and address. */
uint32_t v7_faults(const struct machine *m, const char **name, uint32_t *pc, uint32_t *address);
void v7_clear_fault(struct machine *m);     /* forget it and leave every exception; no registers */

/* An interrupt line. */
void v7_irq(struct machine *m, unsigned irq, bool level);

#endif
