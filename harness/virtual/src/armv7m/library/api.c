/* SPDX-License-Identifier: MIT
 *
 * api.c -- see api.h. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "fp.h"
#include "memory.h"

enum {
    REG_PC = 15, REG_XPSR, REG_MSP, REG_PSP, REG_PRIMASK, REG_CONTROL, REG_BASEPRI, REG_FAULTMASK,
    REG_FPSCR, REG_S0 = 32, REG_END = 64
};
enum { MSR_FLAGS = 2 };

struct machine {
    struct cpu cpu;
};

/* ---- life and memory ---- */

static bool fill_config(struct cpu_config *to, const struct v7_config *from)
{
    *to = (struct cpu_config){.n_memories = from->n_memories,
                              .cpuid = from->cpuid,
                              .n_irqs = from->n_irqs,
                              .priority_bits = from->priority_bits,
                              .has_dsp = from->has_dsp,
                              .has_fpu = from->has_fpu};
    for (unsigned i = 0; i < from->n_memories; i++) {
        const struct v7_memory *m = &from->memory[i];
        to->memory[i] = (struct cpu_memory){m->base, m->size, calloc(1, m->size), m->writable, true};
        if (!to->memory[i].bytes)
            return false;
    }
    return true;
}

static void free_memories(const struct cpu_config *config)
{
    for (unsigned i = 0; i < config->n_memories; i++)
        free(config->memory[i].bytes);
}

struct machine *v7_create(const struct v7_config *config)
{
    struct machine *m = calloc(1, sizeof *m);
    struct cpu_config c;
    bool ok = fill_config(&c, config);
    if (!m || !ok) {
        free_memories(&c);
        free(m);
        return NULL;
    }
    cpu_init(&m->cpu, &c);
    return m;
}

void v7_destroy(struct machine *m)
{
    free_memories(&m->cpu.config);
    free(m);
}

static uint8_t *memory_at(const struct cpu *cpu, uint32_t address, uint32_t size)
{
    for (unsigned i = 0; i < cpu->config.n_memories; i++) {
        const struct cpu_memory *m = &cpu->config.memory[i];
        if (memory_holds(m, address, size))
            return m->bytes + (address - m->base);
    }
    return NULL;
}

bool v7_load(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size)
{
    uint8_t *at = memory_at(&m->cpu, address, size);
    if (at)
        memcpy(at, data, size);
    return at != NULL;
}

bool v7_dump(const struct machine *m, uint32_t address, uint8_t *data, uint32_t size)
{
    const uint8_t *at = memory_at(&m->cpu, address, size);
    if (at)
        memcpy(data, at, size);
    return at != NULL;
}

bool v7_read(struct machine *m, uint32_t address, uint32_t *value)
{
    return memory_read_strict(&m->cpu, address, 4, value);
}

bool v7_write(struct machine *m, uint32_t address, uint32_t value)
{
    return memory_write_strict(&m->cpu, address, 4, value);
}

/* ---- running ---- */

void v7_reset(struct machine *m, uint32_t vtor)
{
    cpu_reset(&m->cpu, vtor);
}

static bool sleep_over(struct cpu *cpu)
{
    uint64_t event = cpu_next_event(cpu);
    cpu_idle(cpu, event != NEVER ? event : cpu->cycles + 1);    /* it may have been woken already */
    return !cpu->sleeping || event != NEVER;
}

uint64_t v7_step(struct machine *m, uint64_t count)
{
    struct cpu *cpu = &m->cpu;
    uint64_t taken = 0;
    for (; taken < count && !cpu->locked_up && !cpu->reset_requested; taken++) {
        if (!cpu->sleeping)
            cpu_step(cpu);
        else if (!sleep_over(cpu))
            break;
    }
    return taken;
}

void v7_run(struct machine *m, uint64_t until)
{
    struct cpu *cpu = &m->cpu;
    while (cpu->cycles < until && !cpu->locked_up && !cpu->reset_requested) {
        cpu_run(cpu, until);
        if (cpu->sleeping)
            cpu_idle(cpu, until);
    }
}

/* ---- registers ---- */

/* MRS and MSR number of a register from MSP on. */
static const uint8_t sysm[] = {[REG_MSP] = 8,      [REG_PSP] = 9,      [REG_PRIMASK] = 16,
                               [REG_CONTROL] = 20, [REG_BASEPRI] = 17, [REG_FAULTMASK] = 19};

uint32_t v7_get(const struct machine *m, unsigned reg)
{
    const struct cpu *cpu = &m->cpu;
    uint32_t value = 0;
    if (reg < REG_PC)
        value = cpu->r[reg];
    else if (reg == REG_PC)
        value = cpu->pc;
    else if (reg == REG_XPSR)
        value = cpu_xpsr(cpu);
    else if (reg <= REG_FAULTMASK)
        system_mrs(cpu, sysm[reg], &value);
    else if (reg == REG_FPSCR)
        value = cpu->fpscr;
    else if (reg >= REG_S0 && reg < REG_END)
        value = cpu->s[reg - REG_S0];
    return value;
}

static void set_pc(struct cpu *cpu, uint32_t value)
{
    cpu->pc = value & ~1u;
    cpu->thumb = true;
}

bool v7_set(struct machine *m, unsigned reg, uint32_t value)
{
    struct cpu *cpu = &m->cpu;
    if (reg < REG_PC)
        cpu->r[reg] = reg == SP ? value & ~3u : value;
    else if (reg == REG_PC)
        set_pc(cpu, value);
    else if (reg == REG_XPSR)
        cpu_set_xpsr(cpu, value);
    else if (reg <= REG_FAULTMASK)
        return system_msr(cpu, sysm[reg], MSR_FLAGS, value);
    else if (reg == REG_FPSCR)
        cpu->fpscr = value & FPSCR_MASK;
    else if (reg >= REG_S0 && reg < REG_END)
        cpu->s[reg - REG_S0] = value;
    else
        return false;
    return true;
}

void v7_get_all(const struct machine *m, const uint32_t *regs, uint32_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        values[i] = v7_get(m, regs[i]);
}

void v7_set_all(struct machine *m, const uint32_t *regs, const uint32_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        v7_set(m, regs[i], values[i]);
}

uint64_t v7_cycles(const struct machine *m)
{
    return m->cpu.cycles;
}

uint64_t v7_cycles_hi(const struct machine *m)
{
    return m->cpu.cycles_hi;
}

uint64_t v7_instructions(const struct machine *m)
{
    return m->cpu.instructions;
}

uint32_t v7_min_sp(const struct machine *m)
{
    return m->cpu.min_sp;
}

bool v7_sleeping(const struct machine *m)
{
    return m->cpu.sleeping;
}

bool v7_locked_up(const struct machine *m)
{
    return m->cpu.locked_up;
}

/* ---- faults, interrupts ---- */

uint32_t v7_faults(const struct machine *m, const char **name, uint32_t *pc, uint32_t *address)
{
    const struct cpu *cpu = &m->cpu;
    *name = fault_name(cpu->fault);
    *pc = cpu->fault_pc;
    *address = cpu->fault_address;
    return cpu->fault_count;
}

void v7_clear_fault(struct machine *m)
{
    struct cpu *cpu = &m->cpu;
    cpu->fault = FAULT_NONE;
    memset(cpu->active, 0, sizeof cpu->active);
    memset(cpu->pending, 0, sizeof cpu->pending);
    cpu->ipsr = cpu->itstate = cpu->basepri = 0;
    cpu->primask = cpu->faultmask = cpu->locked_up = false;
    cpu->sleeping = cpu->sleeping_for_event = cpu->event_register = false;
    cpu->npriv = cpu->exclusive = false;
    exception_use_psp(cpu, false);
    cpu->thumb = true;
}

void v7_irq(struct machine *m, unsigned irq, bool level)
{
    exception_irq_level(&m->cpu, irq, level);
}
