/* SPDX-License-Identifier: MIT
 *
 * ports.h -- the serial ports of each board, as its variant.h (pins_arduino.h) names them. The macro
 * is the one that PlatformIO defines for the board. */
#ifndef PORTS_H
#define PORTS_H

#if defined(ARDUINO_SAMD_MKR1000)           /* ArduinoCore-samd variants/mkr1000/variant.h */
extern Serial_ SerialUSB;
#define SERIAL_PORT_USBVIRTUAL SerialUSB
#define Serial SerialUSB

#elif defined(ARDUINO_SAMD_ZERO)            /* ArduinoCore-samd variants/arduino_zero/variant.h */
extern Serial_ SerialUSB;
extern Uart Serial;
#define SERIAL_PORT_USBVIRTUAL SerialUSB

#elif defined(ADAFRUIT_FEATHER_M0)          /* Adafruit's ArduinoCore-samd variants/feather_m0 */
extern Serial_ Serial;
#define SERIAL_PORT_USBVIRTUAL Serial

#elif defined(ARDUINO_SAM_DUE)              /* ArduinoCore-sam variants/arduino_due_x/variant.h */
extern Serial_ SerialUSB;
extern Uart Serial;
#define SERIAL_PORT_USBVIRTUAL SerialUSB

#elif defined(ARDUINO_ARDUINO_NANO33BLE)    /* ArduinoCore-mbed variants/ARDUINO_NANO33BLE */
extern USBSerial SerialUSB;
#define SERIAL_PORT_USBVIRTUAL SerialUSB
#define Serial SerialUSB

#else
#error "a board without an entry here: add its serial ports as its variant.h names them"
#endif

#endif
