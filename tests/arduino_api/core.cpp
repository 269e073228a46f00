/* SPDX-License-Identifier: MIT
 *
 * core.cpp -- the stand-in's core: main(), a 1 ms tick on SysTick as every ARM core has one, and the
 * USB port of the API over the bare-metal HAL of the same chip, whose functions are renamed to
 * bare_*. So hal_arduino.cpp runs where no Arduino core is, on emulated boards too. */
#include <Arduino.h>

#include "model_data.h"

#define REG32(address) (*reinterpret_cast<volatile uint32_t *>(address))
#define SYST_CSR REG32(0xE000E010u)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)
#define SCB_VTOR REG32(0xE000ED08u)
#define CSR_RUN_WITH_INTERRUPT 7u
#define VECTORS 128u
#define SYSTICK_VECTOR 15u
#define TX_ROOM 63                          /* as a USB endpoint of 64 bytes tells it */

extern "C" {
void bare_init(void);
uint16_t bare_waiting(const uint8_t **bytes);
void bare_drop(uint16_t count);
void bare_write(const uint8_t *bytes, uint16_t size);
void __cxa_pure_virtual(void);
}

/* ---- time ---- */

static volatile unsigned long ticks;
static uint32_t vectors[VECTORS] __attribute__((aligned(512)));

static void tick()
{
    ticks = ticks + 1;
}

/* The bare HAL's vector table stands still at a SysTick interrupt; a copy in RAM does not. */
static void start_tick()
{
    const uint32_t *table = reinterpret_cast<const uint32_t *>(SCB_VTOR);
    for (uint32_t i = 0; i < VECTORS; i++)
        vectors[i] = table[i];
    vectors[SYSTICK_VECTOR] = reinterpret_cast<uint32_t>(tick);
    SCB_VTOR = reinterpret_cast<uint32_t>(vectors);
    SYST_RVR = RNN_CLOCK_HZ / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = CSR_RUN_WITH_INTERRUPT;
}

unsigned long millis(void)
{
    return ticks;
}

unsigned long micros(void)
{
    return ticks * 1000u;
}

void delay(unsigned long ms)
{
    for (unsigned long since = ticks; ticks - since < ms;)
        ;
}

/* ---- the port to the host ---- */

static int waiting = -1;                    /* a byte that was looked at */

static int peek_byte()
{
    const uint8_t *bytes;
    if (waiting < 0 && bare_waiting(&bytes)) {
        waiting = *bytes;
        bare_drop(1);
    }
    return waiting;
}

static int take_byte()
{
    int byte = peek_byte();
    waiting = -1;
    return byte;
}

static size_t send(const uint8_t *bytes, size_t size)
{
    bare_write(bytes, static_cast<uint16_t>(size));
    return size;
}

size_t Print::write(const uint8_t *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size && write(bytes[sent]))
        sent++;
    return sent;
}

void Serial_::begin(unsigned long) {}
int Serial_::available() { return peek_byte() >= 0; }
int Serial_::read() { return take_byte(); }
int Serial_::peek() { return peek_byte(); }
int Serial_::availableForWrite() { return TX_ROOM; }
size_t Serial_::write(uint8_t byte) { return send(&byte, 1); }
size_t Serial_::write(const uint8_t *bytes, size_t size) { return send(bytes, size); }
void Serial_::flush() {}

void USBSerial::begin(unsigned long) {}
int USBSerial::available() { return peek_byte() >= 0; }
int USBSerial::read() { return take_byte(); }
int USBSerial::peek() { return peek_byte(); }
size_t USBSerial::write(uint8_t byte) { return send(&byte, 1); }
size_t USBSerial::write(const uint8_t *bytes, size_t size) { return send(bytes, size); }

/* Nobody is at the other end of it. */
void Uart::begin(unsigned long) {}
int Uart::available() { return 0; }
int Uart::read() { return -1; }
int Uart::peek() { return -1; }
size_t Uart::write(uint8_t) { return 1; }

decltype(SERIAL_PORT_USBVIRTUAL) SERIAL_PORT_USBVIRTUAL;
#if defined(ARDUINO_SAMD_ZERO) || defined(ARDUINO_SAM_DUE)
Uart Serial;
#endif

/* ---- main ---- */

void __cxa_pure_virtual(void)
{
    for (;;)
        ;
}

int main()
{
    bare_init();
    start_tick();
    setup();
    for (;;)
        loop();
}
