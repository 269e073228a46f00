/* SPDX-License-Identifier: GPL-3.0-or-later
 * core.c -- see board.h. Two cures of libsimavr 1.6 live here.
 *
 * Interrupt entry: it charges nothing, silicon takes four cycles (five where the program counter has
 * three bytes), and as many more when the interrupt ends a sleep (DS "Interrupt Response Time").
 *
 * Speed and counting: avr_run() serves timers and interrupts around every instruction. Here
 * instructions are run one by one, but timers are looked at only when the next one is due. */
#include "board.h"

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
#define POINTER_SPACE 65536     /* what a 16-bit pointer can reach */
#define ELPM_SPACE (1 << 24)

/* ---- hooks ---- */

/* Two cycles and one for each byte of the program counter that is pushed. */
static unsigned entry_cycles(const avr_t *avr) { return 2u + avr->address_size; }

static void on_interrupt(struct avr_irq_t *irq, uint32_t value, void *parameter)
{
    (void)irq;
    avr_t *avr = parameter;
    if (value) {
        marks_interrupt_begins(board_of(avr));
        avr->cycle += entry_cycles(avr);
    } else {                        /* within RETI, which takes as long as the entry */
        marks_interrupt_ends(board_of(avr), avr->cycle + entry_cycles(avr));
    }
}

/* Every reset, also one by the watchdog, ends here, after libsimavr's modules are through. */
static void on_reset(avr_io_t *io)
{
    board *b = board_of(io->avr);
    b->avr->state = cpu_Running;
    b->fault = (fault){0};
    b->marks = (marks){0};
    b->min_sp = core_ram_end(b);
    usart_reset(b);
    b->resets++;
    host_mcu_reset(b->host);
}

/* Z, on a larger MCU with RAMPZ above it: where SPM is going to write. DS "Addressing the Flash
 * During Self-Programming". */
static uint32_t spm_address(const avr_t *avr)
{
    uint32_t z = avr->data[R_ZL] | (uint32_t)avr->data[R_ZH] << 8;
    return avr->rampz ? z | (uint32_t)avr->data[avr->rampz] << 16 : z;
}

/* The lock bits of these boards (0x0F) keep SPM out of the boot section; so does this, by
 * withdrawing the command before SPM is executed. DS "Boot Loader Lock Bits". */
static void on_spm_command(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    board *b = parameter;
    if (!(value & 1u << SPMEN) || !(value & (1u << PGERS | 1u << PGWRT)))
        return;
    if (spm_address(avr) >= b->boot_start)
        avr->data[address] &= (uint8_t)~(1u << SPMEN);
    else
        host_flash_changed(b->host);
}

/* ---- making ---- */

/* libsimavr uses addresses before it complains about them; give it the room. Pointers reach 64 KiB,
 * RAMPZ 16 MiB of flash. What is never touched costs nothing. */
static bool widen(uint8_t **memory, size_t used, size_t size, uint8_t filler)
{
    uint8_t *wide = calloc(1, size);
    if (!wide)
        return false;
    memset(wide, filler, used > POINTER_SPACE ? used : POINTER_SPACE);
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
static void append_reset_hook(board *b)
{
    b->reset_hook = (avr_io_t){.kind = "board", .avr = b->avr, .reset = on_reset};
    avr_io_t **end = &b->avr->io_port;
    while (*end)
        end = &(*end)->next;
    *end = &b->reset_hook;
}

static int hook(board *b)
{
    append_reset_hook(b);
    avr_register_io_write(b->avr, SPMCSR, on_spm_command, b);
    hook_interrupts(b->avr);
    stack_init(b);
    marks_init(b);
    return usart_init(b);
}

/* The flash file holds a bootloader too; the one that was asked for counts. */
static int load_flash(board *b, const char *boot_hex)
{
    size_t size = core_flash_bytes(b);
    uint8_t *boot = malloc(size);
    int64_t start = boot ? ihex_load(boot_hex, boot, size) : -1;
    bool good = start >= 0 && host_flash_attach(b->host, b->avr->flash, size) >= 0;
    if (good) {
        memcpy(b->avr->flash + start, boot + start, size - (size_t)start);
        b->boot_start = b->avr->reset_pc = (uint32_t)start;     /* fuse BOOTRST */
    }
    free(boot);
    return good ? 0 : -1;
}

int core_init(board *b, const char *mcu, const char *boot_hex)
{
    fault_listen();
    avr_t *avr = b->avr = avr_make_mcu_by_name(mcu);
    if (!avr || avr_init(avr) != 0 ||
        !widen(&avr->data, avr->ramend + 1u, POINTER_SPACE + 4, 0) ||
        !widen(&avr->flash, avr->flashend + 3u, ELPM_SPACE + 4, 0xFF)) {
        fprintf(stderr, "vboard-avr: libsimavr cannot make an %s\n", mcu);
        return -1;
    }
    avr->custom.data = b;
    avr->frequency = BOARD_CLOCK_HZ;
    if (hook(b) < 0 || load_flash(b, boot_hex) < 0)
        return -1;
    avr_reset(avr);
    avr_regbit_set(avr, avr->reset_flags.porf);
    b->resets = 0;
    return 0;
}

void core_external_reset(board *b, const char *cause)
{
    host_event(b->host, "reset", "\"cause\":\"%s\"", cause);
    b->avr->pc = b->boot_start;     /* libsimavr sets SP first, which the stack hooks look at */
    avr_reset(b->avr);
    avr_regbit_set(b->avr, b->avr->reset_flags.extrf);
}

/* The supply was too low for a moment: no byte of SRAM is what it was. */
void core_brown_out(board *b)
{
    host_event(b->host, "reset", "\"cause\":\"brown-out\"");
    b->avr->pc = b->boot_start;
    uint32_t start = core_ram_start(b);
    host_lose_memory(b->avr->data + start, core_ram_end(b) + 1u - start, b->avr->cycle);
    avr_reset(b->avr);
    avr_regbit_set(b->avr, b->avr->reset_flags.borf);
}

/* ---- running ---- */

uint64_t core_next_event(const board *b)
{
    const avr_cycle_timer_slot_t *timer = b->avr->cycle_timers.timer;
    return timer ? timer->when : UINT64_MAX;
}

bool core_in_bootloader(const board *b) { return b->avr->pc >= b->boot_start; }

uint32_t core_flash_bytes(const board *b) { return b->avr->flashend + 1u; }

uint16_t core_ram_start(const board *b) { return (uint16_t)(b->avr->ioend + 1u); }

uint16_t core_ram_end(const board *b) { return b->avr->ramend; }

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

static bool is_erased(const avr_t *avr, avr_flashaddr_t pc)
{
    return avr->flash[pc] == 0xFF && avr->flash[pc + 1] == 0xFF;
}

/* Silicon runs through erased flash as if it were SBRS R31,7, up to the bootloader. A program that
 * does so is at fault. Arduino's stk500v2 is not: after a watchdog reset it wants to start the
 * program by EICALL, but its C start-up code has left EIND at 1, so it lands at 0x20000 and comes to
 * itself again, now without WDRF. */
static bool may_run_erased(const board *b)
{
    avr_flashaddr_t pc = b->avr->pc;
    bool from_bootloader = b->previous_pc >= b->boot_start && pc != 0;
    return from_bootloader || (is_erased(b->avr, b->previous_pc) && b->previous_pc + 2 == pc);
}

/* One instruction and what follows from it; false after a fault. The program counter never leaves
 * flash, which the hooks rely on. */
static bool step(board *b)
{
    avr_t *avr = b->avr;
    if (is_erased(avr, avr->pc) && !may_run_erased(b)) {
        fault_raise(b, "erased flash executed", avr->pc);
        return false;
    }
    b->previous_pc = avr->pc;
    avr->run_cycle_count = 0;       /* one instruction, then return */
    avr_flashaddr_t next_pc = avr_run_one(avr);
    if (next_pc >= core_flash_bytes(b))
        fault_raise(b, "jump out of flash", next_pc);
    if (avr->state == cpu_Crashed)
        return false;
    if (core_next_event(b) <= avr->cycle)
        serve_timers(avr, next_pc);
    else
        avr->pc = next_pc;
    if (avr->interrupt_state)
        avr_service_interrupts(avr);
    if (avr->state == cpu_Sleeping && wakes_at_once(avr))
        avr->state = cpu_Running;
    return true;
}

void core_run(board *b, uint64_t until)
{
    uint64_t steps = 0;
    while (b->avr->cycle < until && b->avr->state == cpu_Running && step(b))
        steps++;
    b->instructions += steps;
}

void core_sleep_to(board *b, uint64_t cycle)
{
    avr_t *avr = b->avr;
    if (cycle > avr->cycle)
        avr->cycle = cycle;
    if (core_next_event(b) <= avr->cycle)
        serve_timers(avr, avr->pc);
    if (avr->state != cpu_Running || !avr->interrupt_state)
        return;
    avr->cycle += entry_cycles(avr);
    avr_service_interrupts(avr);
}
