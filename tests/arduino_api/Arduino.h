/* SPDX-License-Identifier: MIT
 *
 * Arduino.h -- a stand-in for the Arduino API as far as hal_arduino.cpp uses it, for ARM boards. What
 * matters is which class the port to the host has, and what it overrides; ports.h says that for each
 * board. core.cpp is the rest of the stand-in.
 * Ref: ArduinoCore-API api/{Print,Stream,HardwareSerial}.h; ArduinoCore-samd, ArduinoCore-sam and
 * ArduinoCore-mbed cores/arduino. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

extern "C" {
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long ms);
}

static inline void noInterrupts(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void interrupts(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

void setup();
void loop();

class Print {
public:
    virtual size_t write(uint8_t byte) = 0;
    virtual size_t write(const uint8_t *bytes, size_t size);
    virtual int availableForWrite() { return 0; }       /* "a single write may block" */
    virtual void flush() {}
};

class Stream : public Print {
public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
};

/* A UART: what `Serial` is where the USB port has another name. The firmware must not use it. */
class Uart : public Stream {
public:
    void begin(unsigned long baud);
    int available() override;
    int read() override;
    int peek() override;
    size_t write(uint8_t byte) override;
};

/* The USB port of a core that tells how much can be written. */
class Serial_ : public Stream {
public:
    void begin(unsigned long baud);
    int available() override;
    int read() override;
    int peek() override;
    int availableForWrite() override;
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *bytes, size_t size) override;
    void flush() override;
};

/* ... and of one that does not. */
class USBSerial : public Stream {
public:
    void begin(unsigned long baud);
    int available() override;
    int read() override;
    int peek() override;
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *bytes, size_t size) override;
};

#include "ports.h"

#endif
