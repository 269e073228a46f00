/* SPDX-License-Identifier: MIT
 *
 * hal_arduino.cpp -- boards whose serial port is the MCU's own USB, under their Arduino core.
 *
 * Counter, with interrupts off inside a stretch, so that no tick and no USB disturbs it:
 *   ARMv7-M    DWT.CYCCNT (timer 3), 32 bits: exact up to 2^32 - 2 cycles (ARM DDI 0403, DWT).
 *   ARMv6-M    SysTick (timer 2), taken over from the core for the stretch: 24 bits and COUNTFLAG,
 *              exact up to 2^25 - 17 cycles; hal_samd21.c has the proof that this suffices. The
 *              core's millis() stands still meanwhile; nothing here uses it during a stretch.
 *   others     micros() * clock / 10^6 (timer 0): shows that stretches are summed, times nothing.
 * USB answers its host with NAK by itself while interrupts are off; the host keeps its bytes.
 * No marks: which pins are free is the board's affair.
 *
 * Serial: the port that the core calls SERIAL_PORT_USBVIRTUAL (on a Zero and a Due, `Serial` is a
 * UART instead). Bytes wait in the core's own buffer; USB has flow control, so none are lost.
 * hal_write gives up on what the host does not take within WRITE_PATIENCE_MS, but on a core that
 * does not tell how much room there is (mbed): there a write waits as long as a host is connected.
 * Stack: painted in hal_init from a little below the stack in use; the peak counts from there up to
 * the start of the stack as the core's linker script has it. Not measured (0) on a core with an RTOS. */
#include <Arduino.h>

#include "app.h"
#include "hal.h"
#include "messages.h"
#include "model_data.h"

#ifdef SERIAL_PORT_USBVIRTUAL
#define PORT_TO_HOST SERIAL_PORT_USBVIRTUAL
#else
#define PORT_TO_HOST Serial
#endif

#define WRITE_PATIENCE_MS 500u

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__)
#define COUNTER_DWT
#elif defined(__ARM_ARCH_6M__)
#define COUNTER_SYSTICK
#endif

#define REG32(address) (*reinterpret_cast<volatile uint32_t *>(address))

void setup()
{
    PORT_TO_HOST.begin(RNN_BAUD);
    app_start();
}

void loop()
{
    app_poll();
}

/* ---- stack ---- */

#ifdef __arm__
/* Of the core's linker script: end of .bss, top of the stack. Without them nothing is measured. */
extern "C" uint32_t end __attribute__((weak)), __StackTop __attribute__((weak));

#define PAINT 0xC5C5C5C5u
#define PAINT_MARGIN 32u                /* words below the stack in use that are left alone */

static uint32_t *stack_pointer()
{
    uint32_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

/* 0: not known. A core with an RTOS (mbed) runs this on a thread's stack, of which the linker script
 * tells nothing; then the stack pointer lies elsewhere. */
static uintptr_t stack_top()
{
    uintptr_t bottom = reinterpret_cast<uintptr_t>(&end);
    uintptr_t top = reinterpret_cast<uintptr_t>(&__StackTop);
    uintptr_t here = reinterpret_cast<uintptr_t>(stack_pointer());
    return bottom && bottom < here && here <= top ? top : 0;
}

/* The heap grows into the painted gap from below, so only the upper half of it is used. */
static uint32_t *paint_start()
{
    uintptr_t from = reinterpret_cast<uintptr_t>(&end);
    return reinterpret_cast<uint32_t *>((from + (stack_top() - from) / 2u) & ~uintptr_t{3});
}

static void paint_stack()
{
    if (!stack_top())
        return;
    uint32_t *limit = stack_pointer() - PAINT_MARGIN;
    for (volatile uint32_t *at = paint_start(); at < limit; at = at + 1)
        *at = PAINT;
}

uint16_t hal_stack_peak(void)
{
    if (!stack_top())
        return 0;
    const uint32_t *at = paint_start(), *top = reinterpret_cast<const uint32_t *>(stack_top());
    while (at < top && *at == PAINT)
        at++;
    return static_cast<uint16_t>(stack_top() - reinterpret_cast<uintptr_t>(at));
}
#else
static void paint_stack()
{
}

uint16_t hal_stack_peak(void)
{
    return 0;
}
#endif

/* ---- counter ---- */

#if defined(COUNTER_DWT)

#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CYCCNT REG32(0xE0001004u)

static void counter_init()
{
    DEMCR = DEMCR | DEMCR_TRCENA;
    DWT_CTRL = DWT_CTRL | 1u;
}

void hal_stretch_begin(void)
{
    noInterrupts();
    DWT_CYCCNT = 0;
}

uint32_t hal_stretch_end(void)
{
    uint32_t cycles = DWT_CYCCNT;
    interrupts();
    return cycles;
}

uint8_t hal_timer(void)
{
    return TIMER_DWT;
}

#elif defined(COUNTER_SYSTICK)

#define SYST_CSR REG32(0xE000E010u)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)
#define CSR_COUNTFLAG (1u << 16)
#define ICSR REG32(0xE000ED04u)
#define ICSR_PENDSTCLR (1u << 25)
#define SYSTICK_TOP 0xFFFFFFu
#define FLAG_MARGIN 16u

static uint32_t core_reload;

static void counter_init()
{
}

void hal_stretch_begin(void)
{
    noInterrupts();
    core_reload = SYST_RVR;
    SYST_RVR = SYSTICK_TOP;
    SYST_CVR = 0;
}

uint32_t hal_stretch_end(void)
{
    uint32_t left = SYST_CVR;
    uint32_t cycles = SYSTICK_TOP - left;
    if ((SYST_CSR & CSR_COUNTFLAG) && left >= FLAG_MARGIN)
        cycles += SYSTICK_TOP + 1u;
    SYST_RVR = core_reload;
    SYST_CVR = 0;
    ICSR = ICSR_PENDSTCLR;      /* a wrap of ours is no tick of the core's */
    interrupts();
    return cycles;
}

uint8_t hal_timer(void)
{
    return TIMER_SYSTICK;
}

#else

static unsigned long began;

static void counter_init()
{
}

void hal_stretch_begin(void)
{
    began = micros();
}

uint32_t hal_stretch_end(void)
{
    return static_cast<uint32_t>(micros() - began) * (RNN_CLOCK_HZ / 1000000UL);
}

uint8_t hal_timer(void)
{
    return TIMER_NONE;
}

#endif

/* ---- the line ---- */

/* USB loses nothing while interrupts are off. But a USB module reads its descriptors in RAM at every
 * packet that the host offers, also at one that it refuses (DS40001882, "USB"), and whether that delays
 * the core was never measured: no traffic meets a stretch. */
uint16_t hal_window(void)
{
    return 0;
}

/* USB has no baud rate. */
uint8_t hal_bauds(void)
{
    return 0;
}

void hal_set_baud(uint8_t rate)
{
    (void)rate;
}

/* ---- the rest ---- */

static bool tells_room;         /* 0 is the API's default, and nothing waits to be sent yet */

void hal_init(void)
{
    paint_stack();
    counter_init();
    tells_room = PORT_TO_HOST.availableForWrite() > 0;
}

static uint8_t received[64];    /* taken from the core, whose buffer cannot be looked into */
static uint8_t received_head, received_tail;

uint16_t hal_waiting(const uint8_t **bytes)
{
    if (received_head == received_tail)
        received_head = received_tail = 0;
    while (received_head < sizeof received && PORT_TO_HOST.available() > 0)
        received[received_head++] = static_cast<uint8_t>(PORT_TO_HOST.read());
    *bytes = received + received_tail;
    return static_cast<uint16_t>(received_head - received_tail);
}

void hal_drop(uint16_t count)
{
    received_tail = static_cast<uint8_t>(received_tail + count);
}

void hal_idle(void)
{
#ifdef __arm__
    /* The core's 1 ms tick and USB end the sleep: a byte that slips in before it waits a tick. */
    if (!PORT_TO_HOST.available())
        __asm__ volatile("wfi");
#endif
}

/* How many of `size` bytes can be written without a wait; all where the core does not tell. */
static size_t room_for(size_t size)
{
    size_t room = static_cast<size_t>(PORT_TO_HOST.availableForWrite());
    return tells_room && room < size ? room : size;
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    unsigned long progress = millis();
    while (size && millis() - progress <= WRITE_PATIENCE_MS) {
        size_t chunk = room_for(size);
        if (!chunk)
            continue;
        size_t taken = PORT_TO_HOST.write(bytes, chunk);    /* 0 while no host has it open */
        if (!taken)
            continue;
        bytes += taken;
        size = static_cast<uint16_t>(size - taken);
        progress = millis();
    }
}

uint32_t hal_overruns(void)
{
    return 0;
}

void hal_reset(void)
{
    PORT_TO_HOST.flush();
    delay(20);                  /* USB hands the last packet over */
#ifdef __arm__
    REG32(0xE000ED0Cu) = 0x05FA0004u;   /* AIRCR.SYSRESETREQ */
#endif
    for (;;)
        ;
}
