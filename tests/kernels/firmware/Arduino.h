/* SPDX-License-Identifier: MIT
 *
 * Arduino.h -- the part of the Arduino API that hal_arduino.cpp uses, declared only: lets it be
 * compiled where no Arduino core is installed. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

extern "C" {
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long ms);
}

void noInterrupts(void);
void interrupts(void);
void setup();
void loop();

struct SerialPort {
    void begin(unsigned long baud);
    int available();
    int read();
    int availableForWrite();
    size_t write(const uint8_t *bytes, size_t size);
    void flush();
};

extern SerialPort Serial;

#endif
