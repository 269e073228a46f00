/* SPDX-License-Identifier: MIT
 *
 * echo.c -- what the whole-board tests flash: says "ready\n", then echoes every byte over SERCOM5 at
 * 115200 baud, except these commands:
 *     1  measure a known loop with SysTick between marks; answers the cycles as "m<decimal>\n"
 *     2  unaligned load, a HardFault
 *     3  do not read the receiver for 20 character times (100 000 SysTick cycles)
 *     4  reset through AIRCR
 *     5  float work; answers its SysTick cycles as "f<decimal>\n" */
#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))
#define REG16(address) (*(volatile uint16_t *)(address))
#define REG8(address) (*(volatile uint8_t *)(address))

#define SERCOM5 0x42001C00u
#define PM_APBCMASK 0x40000420u
#define GCLK_CLKCTRL 0x40000C02u
#define GCLK_STATUS 0x40000C01u
#define SYSCTRL_PCLKSR 0x4000080Cu
#define NVMCTRL_CTRLB 0x41004004u
#define PORT_B 0x41004480u
#define IOBUS_OUTCLR 0x60000014u
#define IOBUS_OUTSET 0x60000018u
#define SYST_CSR 0xE000E010u
#define SYST_RVR 0xE000E014u
#define SYST_CVR 0xE000E018u
#define NVIC_ISER 0xE000E100u
#define AIRCR 0xE000ED0Cu
#define PA20 (1u << 20)

extern uint32_t __stack, __data, __data_end, __data_load, __bss, __bss_end;
static volatile uint8_t ring[256];
static volatile uint8_t head, tail;

void reset(void);
void fault(void);
void serial(void);

__attribute__((section(".vectors"), used)) const void *const vectors[16 + 28] = {
    [0] = &__stack, [1] = reset, [2] = fault, [3] = fault, [16 + 14] = serial};

void fault(void)
{
    for (;;) {
    }
}

void serial(void)
{
    ring[head] = REG8(SERCOM5 + 0x28);
    head++;
}

static void put(uint8_t byte)
{
    while (!(REG8(SERCOM5 + 0x18) & 1)) {
    }
    REG16(SERCOM5 + 0x28) = byte;
}

static void put_text(const char *text)
{
    while (*text)
        put((uint8_t)*text++);
}

static void put_number(char tag, uint32_t value)
{
    char digits[12];
    int n = 11;
    digits[n] = 0;
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    put((uint8_t)tag);
    put_text(digits + n);
    put('\n');
}

static int get(void)
{
    __asm volatile("cpsid i");
    if (head == tail) {
        __asm volatile("wfi\n\tcpsie i");
        return -1;
    }
    __asm volatile("cpsie i");
    return ring[tail++];
}

static void set_up(void)
{
    REG32(NVMCTRL_CTRLB) |= 1u << 1;                /* one wait state */
    while (!(REG32(SYSCTRL_PCLKSR) & (1u << 4))) {  /* DFLL ready */
    }
    REG32(PM_APBCMASK) |= 1u << 7;                  /* SERCOM5 */
    REG16(GCLK_CLKCTRL) = (uint16_t)(1u << 14 | 0x19);
    while (REG8(GCLK_STATUS) & 0x80) {
    }
    REG8(PORT_B + 0x30 + 11) = 0x33;                /* PB22, PB23: function D */
    REG8(PORT_B + 0x40 + 22) = 1;
    REG8(PORT_B + 0x40 + 23) = 1;
    REG32(SERCOM5) = 1;
    while (REG32(SERCOM5) & 1 || REG32(SERCOM5 + 0x1C)) {
    }
    REG32(SERCOM5) = 1u << 30 | 3u << 20 | 1u << 16 | 1u << 2;  /* LSB first, pads 3 and 2 */
    REG32(SERCOM5 + 0x04) = 3u << 16;               /* RXEN, TXEN */
    REG16(SERCOM5 + 0x0C) = 63019;                  /* 115200 baud from 48 MHz, arithmetic */
    REG8(SERCOM5 + 0x16) = 4;                       /* RXC */
    REG32(SERCOM5) |= 2;
    REG32(NVIC_ISER) = 1u << 14;
    REG32(SYST_RVR) = 0xFFFFFF;
    REG32(SYST_CVR) = 0;
    REG32(SYST_CSR) = 5;
}

static uint32_t ticks_since(uint32_t start)
{
    return (start - REG32(SYST_CVR)) & 0xFFFFFF;
}

/* 3n - 1 cycles besides the movs */
static void spin(uint32_t n)
{
    __asm volatile(".syntax unified\n\t1: subs %0, #1\n\tbne 1b" : "+l"(n) : : "cc");
}

static void measure(void)
{
    __asm volatile("cpsid i");
    uint32_t start = REG32(SYST_CVR);
    REG32(IOBUS_OUTSET) = PA20;
    spin(1000);
    REG32(IOBUS_OUTCLR) = PA20;
    uint32_t ticks = ticks_since(start);
    __asm volatile("cpsie i");
    put_number('m', ticks);
}

static void float_work(void)
{
    static volatile float weight[16] = {0.5f, -1.25f, 3.0f, 0.1f}, sum;
    __asm volatile("cpsid i");
    uint32_t start = REG32(SYST_CVR);
    for (int i = 0; i < 256; i++)
        sum = sum + weight[i & 15] * (1.0f + sum);
    uint32_t ticks = ticks_since(start);
    __asm volatile("cpsie i");
    put_number('f', ticks);
}

static void deafness(void)
{
    uint32_t start = REG32(SYST_CVR);
    __asm volatile("cpsid i");
    while (ticks_since(start) < 100000) {
    }
    __asm volatile("cpsie i");
}

static void obey(int byte)
{
    switch (byte) {
    case 1:
        measure();
        break;
    case 2:
        __asm volatile("ldr r0, [%0]" : : "r"(0x20000002) : "r0");
        break;
    case 3:
        deafness();
        break;
    case 4:
        REG32(AIRCR) = 0x05FA0004;
        break;
    case 5:
        float_work();
        break;
    default:
        put((uint8_t)byte);
        break;
    }
}

void reset(void)
{
    const uint32_t *from = &__data_load;
    for (uint32_t *to = &__data; to < &__data_end;)
        *to++ = *from++;
    for (uint32_t *to = &__bss; to < &__bss_end;)
        *to++ = 0;
    set_up();
    __asm volatile("cpsie i");
    put_text("ready\n");
    for (;;) {
        int byte = get();
        if (byte >= 0)
            obey(byte);
    }
}
