/* SPDX-License-Identifier: GPL-3.0-or-later
 * core.c -- see uno.h. Two cures of libsimavr 1.6 live here.
 *
 * Interrupt entry: it charges nothing, silicon takes four cycles, and four more when the interrupt
 * ends a sleep (DS "Interrupt Response Time").
 *
 * Speed and counting: avr_run() serves timers and interrupts around every instruction. Here
 * instructions are run one by one, but timers are looked at only when the next one is due. */
#include "uno.h"

#include <simavr/sim_core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMCR 0x53               /* data addresses; DS "Register Summary" */
#define SPMCSR 0x57
#define SE 0                    /* SMCR */
#define SPMEN 0                 /* SPMCSR */
#define PGERS 1
#define PGWRT 2
#define ENTRY_CYCLES 4
#define POINTER_SPACE 65536     /* what a 16-bit pointer can reach */
#define ELPM_SPACE (1 << 24)

/* ---- hooks ---- */

static void on_interrupt(struct avr_irq_t *irq, uint32_t value, void *parameter)
{
    (void)irq;
    if (value)
        ((avr_t *)parameter)->cycle += ENTRY_CYCLES;
}

/* Every reset, also one by the watchdog, ends here, after libsimavr's modules are through. */
static void on_reset(avr_io_t *io)
{
    uno *u = uno_of(io->avr);
    u->fault = (fault){0};
    u->marks = (marks){0};
    u->min_sp = UNO_RAM_END;
    usart_reset(u);
    u->resets++;
}

/* The lock bits of the Uno (0x0F) keep SPM out of the boot section; so does this, by withdrawing
 * the command before SPM is executed. DS "Boot Loader
 * Lock Bits". */
static void on_spm_command(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    uno *u = parameter;
    if (!(value & 1u << SPMEN) || !(value & (1u << PGERS | 1u << PGWRT)))
        return;
    unsigned z = avr->data[R_ZL] | (unsigned)avr->data[R_ZH] << 8;
    if (z >= UNO_BOOT_START)
        avr->data[address] &= (uint8_t)~(1u << SPMEN);
    else
        host_flash_changed(u->host);
}

/* ---- making ---- */

/* libsimavr uses addresses before it complains about them; give it the room. Pointers reach 64 KiB,
 * ELPM (which an ATmega328P has not) 16 MiB of flash. What is never touched costs nothing. */
static bool widen(uint8_t **memory, size_t used, size_t size, uint8_t filler)
{
    uint8_t *wide = calloc(1, size);
    if (!wide)
        return false;
    memset(wide, filler, POINTER_SPACE);
    memcpy(wide, *memory, used);
    free(*memory);
    *memory = wide;
    return true;
}

static void hook_interrupts(avr_t *avr)
{
    for (int i = 0; i < avr->interrupts.vector_count; i++)
        avr_irq_register_notify(avr->interrupts.vector[i]->irq + AVR_INT_IRQ_RUNNING, on_interrupt,
                                avr);
}

/* avr_register_io() would put it first. */
static void append_reset_hook(uno *u)
{
    u->reset_hook = (avr_io_t){.kind = "uno", .avr = u->avr, .reset = on_reset};
    avr_io_t **end = &u->avr->io_port;
    while (*end)
        end = &(*end)->next;
    *end = &u->reset_hook;
}

static int hook(uno *u)
{
    append_reset_hook(u);
    avr_register_io_write(u->avr, SPMCSR, on_spm_command, u);
    hook_interrupts(u->avr);
    stack_init(u);
    marks_init(u);
    return usart_init(u);
}

int core_init(uno *u, const char *boot_hex)
{
    fault_listen();
    if (ihex_load(boot_hex, u->boot, UNO_BOOT_START, sizeof u->boot) < 0)
        return -1;
    avr_t *avr = u->avr = avr_make_mcu_by_name("atmega328p");
    if (!avr || avr_init(avr) != 0 ||
        !widen(&avr->data, UNO_RAM_END + 1, POINTER_SPACE + 4, 0) ||
        !widen(&avr->flash, UNO_FLASH_BYTES + 2, ELPM_SPACE + 4, 0xFF)) {
        fprintf(stderr, "vboard-uno: libsimavr cannot make an atmega328p\n");
        return -1;
    }
    avr->custom.data = u;
    avr->frequency = UNO_CLOCK_HZ;
    avr->reset_pc = UNO_BOOT_START;     /* fuse BOOTRST */
    if (hook(u) < 0 || host_flash_attach(u->host, avr->flash, UNO_FLASH_BYTES) < 0)
        return -1;
    memcpy(avr->flash + UNO_BOOT_START, u->boot, sizeof u->boot);
    avr_reset(avr);
    avr_regbit_set(avr, avr->reset_flags.porf);
    u->resets = 0;
    return 0;
}

void core_external_reset(uno *u, const char *cause)
{
    host_event(u->host, "reset", "\"cause\":\"%s\"", cause);
    avr_reset(u->avr);
    avr_regbit_set(u->avr, u->avr->reset_flags.extrf);
}

/* ---- running ---- */

uint64_t core_next_event(const uno *u)
{
    const avr_cycle_timer_slot_t *timer = u->avr->cycle_timers.timer;
    return timer ? timer->when : UINT64_MAX;
}

bool core_in_bootloader(const uno *u) { return u->avr->pc >= UNO_BOOT_START; }

static bool wakes_at_once(const avr_t *avr)
{
    bool enabled = avr->data[SMCR] & 1u << SE;
    return !enabled || (avr->sreg[S_I] && avr->interrupt_state > 0);
}

/* Peripherals up to the present cycle. A watchdog reset waits as a replaced avr->run. */
static void serve_timers(avr_t *avr, avr_flashaddr_t next_pc)
{
    avr_cycle_timer_process(avr);
    avr->pc = next_pc;
    if (avr->run != avr_callback_run_raw)
        avr->run(avr);
}

/* Silicon runs through erased flash as if it were SBRS R31,7, up to the bootloader. */
static bool is_erased(const avr_t *avr)
{
    return avr->flash[avr->pc] == 0xFF && avr->flash[avr->pc + 1] == 0xFF;
}

/* One instruction and what follows from it; false after a fault. The program counter never leaves
 * flash, which the hooks rely on. */
static bool step(uno *u)
{
    avr_t *avr = u->avr;
    if (is_erased(avr)) {
        fault_raise(u, "erased flash executed", avr->pc);
        return false;
    }
    avr->run_cycle_count = 0;       /* one instruction, then return */
    avr_flashaddr_t next_pc = avr_run_one(avr);
    if (next_pc >= UNO_FLASH_BYTES)
        fault_raise(u, "jump out of flash", next_pc);
    if (avr->state == cpu_Crashed)
        return false;
    if (core_next_event(u) <= avr->cycle)
        serve_timers(avr, next_pc);
    else
        avr->pc = next_pc;
    if (avr->interrupt_state)
        avr_service_interrupts(avr);
    if (avr->state == cpu_Sleeping && wakes_at_once(avr))
        avr->state = cpu_Running;
    return true;
}

void core_run(uno *u, uint64_t until)
{
    uint64_t steps = 0;
    while (u->avr->cycle < until && u->avr->state == cpu_Running && step(u))
        steps++;
    u->instructions += steps;
}

void core_sleep_to(uno *u, uint64_t cycle)
{
    avr_t *avr = u->avr;
    if (cycle > avr->cycle)
        avr->cycle = cycle;
    if (core_next_event(u) <= avr->cycle)
        serve_timers(avr, avr->pc);
    if (avr->state != cpu_Running || !avr->interrupt_state)
        return;
    avr->cycle += ENTRY_CYCLES;
    avr_service_interrupts(avr);
}
