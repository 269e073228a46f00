/* SPDX-License-Identifier: MIT
 *
 * api.c -- see api.h. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "board.h"

enum { REG_PC = 15, REG_XPSR, REG_MSP, REG_PSP, REG_PRIMASK, REG_CONTROL };
enum { SYSM_MSP = 8, SYSM_PSP = 9, SYSM_PRIMASK = 16, SYSM_CONTROL = 20, QUEUE_SIZE = 1 << 16 };

struct queue {
    uint8_t bytes[QUEUE_SIZE];
    uint32_t in, out;               /* what does not fit is dropped */
};

struct machine {
    struct board board;
    struct queue to_board, from_board;
};

static void queue_put(struct queue *q, uint8_t byte)
{
    if (q->in - q->out < QUEUE_SIZE)
        q->bytes[q->in++ % QUEUE_SIZE] = byte;
}

static int queue_take(struct queue *q)
{
    return q->in == q->out ? -1 : q->bytes[q->out++ % QUEUE_SIZE];
}

static int line_receive(void *context)
{
    struct machine *m = context;
    return queue_take(&m->to_board);
}

static void line_transmit(void *context, uint8_t byte)
{
    struct machine *m = context;
    queue_put(&m->from_board, byte);
}

/* ---- life and memory ---- */

struct machine *m0_create(bool bare, bool wait_states)
{
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    board_init(&m->board, &(struct line){line_receive, line_transmit, m});
    if (bare)
        m->board.cpu.bus = (struct cpu_bus){0};
    m->board.cpu.wait_states = wait_states;
    return m;
}

void m0_destroy(struct machine *m)
{
    free(m);
}

static uint8_t *memory_at(struct board *b, uint32_t address, uint32_t size)
{
    if (address < FLASH_SIZE && size <= FLASH_SIZE - address)
        return b->flash + address;
    if (address - RAM_BASE < RAM_SIZE && size <= RAM_SIZE - (address - RAM_BASE))
        return b->ram + (address - RAM_BASE);
    return NULL;
}

bool m0_load(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size)
{
    uint8_t *at = memory_at(&m->board, address, size);
    if (at)
        memcpy(at, data, size);
    return at != NULL;
}

bool m0_dump(const struct machine *m, uint32_t address, uint8_t *data, uint32_t size)
{
    const uint8_t *at = memory_at((struct board *)&m->board, address, size);
    if (at)
        memcpy(data, at, size);
    return at != NULL;
}

/* ---- running ---- */

void m0_reset(struct machine *m, uint32_t vtor)
{
    m->board.cpu.device_at = NEVER;
    cpu_reset(&m->board.cpu, vtor);
    m->board.in_bootloader = false;
}

static bool sleep_over(struct cpu *cpu)
{
    uint64_t event = cpu_next_event(cpu);
    if (event != NEVER)
        cpu_idle(cpu, event);
    else
        cpu_idle(cpu, cpu->cycles + 1);     /* it may have been woken already */
    return !cpu->sleeping || event != NEVER;
}

uint64_t m0_step(struct machine *m, uint64_t count)
{
    struct cpu *cpu = &m->board.cpu;
    uint64_t taken = 0;
    for (; taken < count && !cpu->locked_up && !cpu->reset_requested; taken++) {
        uart_poll(&m->board.sercom[BOARD_SERIAL].uart);
        if (!cpu->sleeping)
            cpu_step(cpu);
        else if (!sleep_over(cpu))
            break;
    }
    return taken;
}

void m0_run(struct machine *m, uint64_t until)
{
    struct cpu *cpu = &m->board.cpu;
    while (cpu->cycles < until && !cpu->locked_up)
        board_run(&m->board, until);
}

/* ---- registers ---- */

static uint32_t special(const struct cpu *cpu, unsigned sysm)
{
    uint32_t value = 0;
    system_mrs(cpu, sysm, &value);
    return value;
}

uint32_t m0_get(const struct machine *m, unsigned reg)
{
    const struct cpu *cpu = &m->board.cpu;
    switch (reg) {
    case REG_PC:
        return cpu->pc;
    case REG_XPSR:
        return cpu_xpsr(cpu);
    case REG_MSP:
        return special(cpu, SYSM_MSP);
    case REG_PSP:
        return special(cpu, SYSM_PSP);
    case REG_PRIMASK:
        return special(cpu, SYSM_PRIMASK);
    case REG_CONTROL:
        return special(cpu, SYSM_CONTROL);
    default:
        return reg < REG_PC ? cpu->r[reg] : 0;
    }
}

bool m0_set(struct machine *m, unsigned reg, uint32_t value)
{
    struct cpu *cpu = &m->board.cpu;
    switch (reg) {
    case REG_PC:
        cpu->pc = value & ~1u;
        cpu->thumb = true;
        return true;
    case REG_XPSR:
        cpu_set_xpsr_flags(cpu, value);
        return true;
    case REG_MSP:
        return system_msr(cpu, SYSM_MSP, value);
    case REG_PSP:
        return system_msr(cpu, SYSM_PSP, value);
    case REG_PRIMASK:
        return system_msr(cpu, SYSM_PRIMASK, value);
    case REG_CONTROL:
        return system_msr(cpu, SYSM_CONTROL, value);
    case SP:
        cpu->r[SP] = value & ~3u;
        return true;
    default:
        if (reg < REG_PC)
            cpu->r[reg] = value;
        return reg < REG_PC;
    }
}

uint64_t m0_cycles(const struct machine *m)
{
    return m->board.cpu.cycles;
}

uint64_t m0_instructions(const struct machine *m)
{
    return m->board.cpu.instructions;
}

uint32_t m0_min_sp(const struct machine *m)
{
    return m->board.cpu.min_sp;
}

bool m0_sleeping(const struct machine *m)
{
    return m->board.cpu.sleeping;
}

bool m0_locked_up(const struct machine *m)
{
    return m->board.cpu.locked_up;
}

/* ---- faults, interrupts, serial line, marks ---- */

uint32_t m0_faults(const struct machine *m, const char **name, uint32_t *pc, uint32_t *address)
{
    const struct cpu *cpu = &m->board.cpu;
    *name = fault_name(cpu->fault);
    *pc = cpu->fault_pc;
    *address = cpu->fault_address;
    return cpu->fault_count;
}

void m0_clear_fault(struct machine *m)
{
    struct cpu *cpu = &m->board.cpu;
    cpu->fault = FAULT_NONE;
    cpu->active = cpu->pending = 0;
    cpu->ipsr = 0;
    cpu->primask = cpu->locked_up = cpu->sleeping = cpu->sleeping_for_event = false;
    cpu->event_register = false;
    exception_use_psp(cpu, false);
    cpu->thumb = true;
}

void m0_irq(struct machine *m, unsigned irq, bool level)
{
    exception_irq_level(&m->board.cpu, irq, level);
}

void m0_send(struct machine *m, uint8_t byte)
{
    queue_put(&m->to_board, byte);
}

int m0_receive(struct machine *m)
{
    return queue_take(&m->from_board);
}

void m0_marks(const struct machine *m, uint64_t out[4])
{
    const struct marks *marks = &m->board.marks;
    out[0] = marks->count;
    out[1] = marks->sum.cycles;
    out[2] = marks->first.cycles;
    out[3] = marks->last.cycles;
}
