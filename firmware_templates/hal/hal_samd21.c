/* SPDX-License-Identifier: MIT
 *
 * hal_samd21.c -- ATSAMD21G18A, bare metal: 48 MHz, SERCOM5 on the MKR1000's pins 14 (TX, PB22) and
 * 13 (RX, PB23), which the Arduino core calls Serial1.
 * Ref: Microchip SAM D21/DA1 Family data sheet, DS40001882; errata DS80000760.
 *
 * Clock: the DFLL, locked to the 32.768 kHz crystal (1465 times: 48.005 MHz). A crystal that does
 * not start within 3 s leaves the DFLL in open loop with its factory calibration. No wait is
 * unbounded.
 *
 * Counter (SysTick, timer 2). It has 24 bits; COUNTFLAG adds one wrap, so stretches are exact up to
 * 2^25 - 17 cycles, 0.699 s at 48 MHz, with interrupts off throughout. A second wrap would leave
 * no trace, but does not occur: a step visits each bit of the stored matrices once, 248 KB of flash
 * have fewer than 2^21 bits, and 16 cycles per bit would be needed. A zero in a bitmap takes about
 * 7 cycles for its bit, a dense weight about 13 for its 8.
 *
 * Marks: PA20, pin 6 of the MKR1000, high during a stretch.
 * Stack: painted by startup_samd21.c from the end of .bss up; the peak includes interrupts. */
#include "hal.h"

#include "messages.h"
#include "model_data.h"
#include "samd21.h"

#define RING_SIZE 1024u             /* a power of two */
#define MARK_PIN (1u << 20)
#define SYSTICK_TOP 0xFFFFFFu

static uint8_t ring[RING_SIZE];
static volatile uint16_t head, tail;        /* bytes tail .. head - 1 wait */
static volatile uint32_t overruns;

/* ---- clock ---- */

#define FAST_PATIENCE 100000u       /* synchronisation and locks: a few ms at most */
#define CRYSTAL_PATIENCE 400000u    /* about 3 s of this loop at the 1 MHz of reset */

static uint8_t wait_pclksr(uint32_t ready, uint32_t patience)
{
    while ((SYSCTRL_PCLKSR & ready) != ready)
        if (patience-- == 0)
            return 0;
    return 1;
}

static void wait_gclk(void)
{
    for (uint32_t i = 0; i < FAST_PATIENCE && (GCLK_STATUS & GCLK_STATUS_SYNCBUSY); i++)
        ;
}

static void set_generator(uint32_t id, uint32_t settings)
{
    GCLK_GENDIV = id;               /* division by one */
    GCLK_GENCTRL = GENCTRL_ID(id) | GENCTRL_GENEN | settings;
    wait_gclk();
}

/* The coarse value from the factory, or the middle where none was written. */
static uint32_t coarse_calibration(void)
{
    uint32_t coarse = NVM_CALIBRATION_HIGH >> 26;
    return coarse == 0x3F ? 0x1F : coarse;
}

static void start_dfll(uint8_t has_crystal)
{
    /* Errata DS80000760: writing DFLL48M registers while ONDEMAND is set can freeze the device. */
    SYSCTRL_DFLLCTRL = DFLLCTRL_ENABLE;
    wait_pclksr(PCLKSR_DFLLRDY, FAST_PATIENCE);
    SYSCTRL_DFLLVAL = DFLLVAL_COARSE(coarse_calibration()) | DFLLVAL_FINE(512);
    wait_pclksr(PCLKSR_DFLLRDY, FAST_PATIENCE);
    if (!has_crystal)
        return;
    SYSCTRL_DFLLMUL = DFLLMUL_CSTEP(31) | DFLLMUL_FSTEP(511) | ((RNN_CLOCK_HZ + 16384u) / 32768u);
    wait_pclksr(PCLKSR_DFLLRDY, FAST_PATIENCE);
    SYSCTRL_DFLLCTRL = DFLLCTRL_ENABLE | DFLLCTRL_MODE | DFLLCTRL_WAITLOCK | DFLLCTRL_QLDIS;
    wait_pclksr(PCLKSR_DFLLLCKC | PCLKSR_DFLLLCKF, FAST_PATIENCE);
    wait_pclksr(PCLKSR_DFLLRDY, FAST_PATIENCE);
}

static void start_clock(void)
{
    /* One wait state above 24 MHz ("NVM Characteristics"); manual writes, errata DS80000760. */
    NVMCTRL_CTRLB = CTRLB_RWS_1 | CTRLB_MANW;
    /* All generators as after reset, whatever a bootloader did: the core runs from OSC8M. */
    GCLK_CTRL = GCLK_CTRL_SWRST;
    for (uint32_t i = 0; i < FAST_PATIENCE && (GCLK_CTRL & GCLK_CTRL_SWRST); i++)
        ;
    wait_gclk();
    SYSCTRL_OSC8M |= OSC8M_PRESC_8;         /* 1 MHz, so that the patience below is seconds */
    SYSCTRL_XOSC32K = XOSC32K_STARTUP(4u) | XOSC32K_XTALEN | XOSC32K_EN32K;
    SYSCTRL_XOSC32K |= XOSC32K_ENABLE;      /* in a write of its own */
    uint8_t has_crystal = wait_pclksr(PCLKSR_XOSC32KRDY, CRYSTAL_PATIENCE);
    if (has_crystal) {
        set_generator(1, GENCTRL_SRC_XOSC32K);
        GCLK_CLKCTRL = CLKCTRL_ID_DFLL48_REF | CLKCTRL_GEN(1u) | CLKCTRL_CLKEN;
        wait_gclk();
    }
    start_dfll(has_crystal);
    set_generator(0, GENCTRL_SRC_DFLL48M | GENCTRL_IDC);
}

/* ---- serial line ---- */

/* Arithmetic baud rate, 16 samples a bit: 65536 (1 - 16 baud / clock); "Clock Generation -
 * Baud-Rate Generator". */
#define BAUD_SCALE (16ull * 65536u)
#define BAUD_VALUE(baud) \
    (65536u - (uint32_t)((BAUD_SCALE * (baud) + RNN_CLOCK_HZ / 2u) / RNN_CLOCK_HZ))

static void wait_usart(void)
{
    for (uint32_t i = 0; i < FAST_PATIENCE && USART_SYNCBUSY; i++)
        ;
}

static void start_usart(void)
{
    PM_APBCMASK |= PM_APBCMASK_SERCOM5;
    GCLK_CLKCTRL = CLKCTRL_ID_SERCOM5_CORE | CLKCTRL_GEN(0u) | CLKCTRL_CLKEN;
    wait_gclk();
    USART_CTRLA = CTRLA_SWRST;
    for (uint32_t i = 0; i < FAST_PATIENCE && (USART_CTRLA & CTRLA_SWRST); i++)
        ;
    wait_usart();
    USART_CTRLA = CTRLA_MODE_INTERNAL | CTRLA_TXPO_PAD2 | CTRLA_RXPO_PAD3 | CTRLA_DORD_LSB;
    USART_BAUD = (uint16_t)BAUD_VALUE(RNN_BAUD);
    USART_CTRLB = CTRLB_TXEN | CTRLB_RXEN;
    wait_usart();
    PORTB_PMUX11 = PMUX_FUNCTION_D | PMUX_FUNCTION_D << 4;
    PORTB_PINCFG22 = PINCFG_PMUXEN;
    PORTB_PINCFG23 = PINCFG_PMUXEN;
    USART_INTENSET = USART_RXC;
    NVIC_ISER = 1u << SERCOM5_IRQ;
    USART_CTRLA |= CTRLA_ENABLE;
    wait_usart();
}

static void put(const volatile uint8_t *bytes, uint16_t count)
{
    uint16_t at = head, end = tail;
    for (; count; count--, bytes++) {
        uint16_t next = (uint16_t)((at + 1u) & (RING_SIZE - 1u));
        if (next == end) {
            overruns += count;
            break;
        }
        ring[at] = *bytes;
        at = next;
    }
    head = at;
}

void sercom5_interrupt(void)
{
    if (!(USART_INTFLAG & USART_RXC))
        return;
    if (USART_STATUS & STATUS_BUFOVF) {
        USART_STATUS = STATUS_BUFOVF;       /* cleared by writing a one */
        overruns++;
    }
    uint8_t byte = (uint8_t)USART_DATA;
    put(&byte, 1);
}

/* ---- a line that goes on in a stretch ---- */

/* The DMAC takes what arrives. It shares the RAM with the core, but only in cycles that the core leaves
 * free: "SRAM Quality of Service" gives the core the highest priority and the DMAC the lowest. */
#define CAPTURE_SIZE RING_SIZE

struct descriptor {
    volatile uint16_t control, left;
    volatile const void *source;
    volatile void *end;
    volatile void *next;
} __attribute__((aligned(16)));

static struct descriptor capture, progress; /* what is to be done; how far it is (write-back) */
static volatile uint8_t captured[CAPTURE_SIZE];

static void start_dmac(void)
{
    SBMATRIX_SFR_CPU = QOS_HIGHEST;
    DMAC_QOSCTRL = QOS_BACKGROUND;
    capture = (struct descriptor){BTCTRL_VALID | BTCTRL_DSTINC, CAPTURE_SIZE, &USART_DATA,
                                  captured + CAPTURE_SIZE, 0};
    DMAC_BASEADDR = (uint32_t)&capture;
    DMAC_WRBADDR = (uint32_t)&progress;
    DMAC_CTRL = DMAC_CTRL_DMAENABLE | DMAC_CTRL_LVLEN0;
    DMAC_CHID = 0;
    DMAC_CHCTRLB = CHCTRLB_TRIGSRC_SERCOM5_RX | CHCTRLB_TRIGACT_BEAT;
}

static void start_capture(void)
{
    progress.left = CAPTURE_SIZE;   /* written back at the first beat only */
    DMAC_CHCTRLA = CHCTRLA_ENABLE;
}

static void stop_capture(void)
{
    DMAC_CHCTRLA = 0;
    for (uint32_t i = 0; i < FAST_PATIENCE && (DMAC_CHCTRLA & CHCTRLA_ENABLE); i++)
        ;
}

/* The receiver holds three characters: the DMAC is stopped only when nearly all have been taken. */
static void take_captured(void)
{
    uint16_t most = (uint16_t)(CAPTURE_SIZE - progress.left);
    put(captured, most);
    stop_capture();
    put(captured + most, (uint16_t)(CAPTURE_SIZE - progress.left - most));
}

/* ---- start, and the line between stretches ---- */

void hal_init(void)
{
    irq_off();
    start_clock();
    IOBUS_OUTCLRA = MARK_PIN;
    IOBUS_DIRSETA = MARK_PIN;
    SYST_RVR = SYSTICK_TOP;
    SYST_CVR = 0;
    SYST_CSR = CSR_ENABLE | CSR_CLKSOURCE;
    start_usart();
    start_dmac();
    irq_on();
}

uint16_t hal_waiting(const uint8_t **bytes)
{
    uint16_t to = head;
    *bytes = ring + tail;
    return (uint16_t)((to >= tail ? to : RING_SIZE) - tail);
}

void hal_drop(uint16_t count)
{
    tail = (uint16_t)((tail + count) & (RING_SIZE - 1u));
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        for (uint32_t i = 0; i < FAST_PATIENCE && !(USART_INTFLAG & USART_DRE); i++)
            ;
        USART_DATA = *bytes++;
    }
}

void hal_idle(void)
{
    irq_off();
    if (head == tail)
        /* A pending interrupt ends WFI even while PRIMASK keeps it from running (DDI 0419). */
        __asm__ volatile("dsb\n\twfi" ::: "memory");
    irq_on();
}

uint32_t hal_overruns(void)
{
    return overruns;
}

uint16_t hal_window(void)
{
    return CAPTURE_SIZE - 1u;
}

/* Those that an adaptor on these pins may be asked for beside the usual ones. */
uint8_t hal_bauds(void)
{
    return BAUD_BIT(BAUD_500000) | BAUD_BIT(BAUD_1000000) | BAUD_BIT(BAUD_2000000);
}

static void flush(void)
{
    for (uint32_t i = 0; i < FAST_PATIENCE && !(USART_INTFLAG & USART_TXC); i++)
        ;
}

/* BAUD is enable-protected. */
void hal_set_baud(uint8_t rate)
{
    static const uint16_t divisors[] = {
        [BAUD_BASE] = (uint16_t)BAUD_VALUE(RNN_BAUD),
        [BAUD_500000] = (uint16_t)BAUD_VALUE(500000u),
        [BAUD_1000000] = (uint16_t)BAUD_VALUE(1000000u),
        [BAUD_2000000] = (uint16_t)BAUD_VALUE(2000000u),
    };
    flush();
    USART_CTRLA &= ~CTRLA_ENABLE;
    wait_usart();
    USART_BAUD = divisors[rate];
    USART_CTRLA |= CTRLA_ENABLE;
    wait_usart();
}

/* ---- measured stretches ---- */

#define FLAG_MARGIN 16u     /* more than the counter moves between hal_stretch_end's two reads */

void hal_stretch_begin(void)
{
    irq_off();
    start_capture();
    SYST_CVR = 0;           /* any write: count from the top at the next cycle, COUNTFLAG cleared */
    IOBUS_OUTSETA = MARK_PIN;
}

uint32_t hal_stretch_end(void)
{
    uint32_t left = SYST_CVR;
    IOBUS_OUTCLRA = MARK_PIN;
    uint32_t cycles = SYSTICK_TOP - left;
    /* With only a few counts left the flag may have come up after `left` was read. */
    if ((SYST_CSR & CSR_COUNTFLAG) && left >= FLAG_MARGIN)
        cycles += SYSTICK_TOP + 1u;
    take_captured();
    irq_on();
    return cycles;
}

uint8_t hal_timer(void)
{
    return TIMER_SYSTICK;
}

/* ---- reset ---- */

void hal_reset(void)
{
    flush();
    irq_off();
    __asm__ volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    for (;;)
        ;
}
