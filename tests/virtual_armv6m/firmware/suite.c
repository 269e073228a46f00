/* SPDX-License-Identifier: MIT
 *
 * suite.c -- the kinds of work that CoreMark is made of, written anew: a linked list that is
 * searched, reversed and sorted; products of matrices; a state machine that reads numbers; and a CRC
 * over all they give. `checksum` holds it at the end. With -DHOST a program that prints it. */
#include <stdint.h>

uint32_t checksum;

static uint32_t seed;

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* ---- CRC-16/CCITT, bit by bit ---- */

static uint16_t crc_byte(uint16_t crc, uint8_t byte)
{
    crc ^= (uint16_t)(byte << 8);
    for (int bit = 0; bit < 8; bit++)
        crc = crc & 0x8000 ? (uint16_t)(crc << 1 ^ 0x1021) : (uint16_t)(crc << 1);
    return crc;
}

static uint16_t crc_word(uint16_t crc, uint32_t word)
{
    for (int i = 0; i < 4; i++, word >>= 8)
        crc = crc_byte(crc, (uint8_t)word);
    return crc;
}

/* ---- a list ---- */

#define NODES 64

struct node {
    struct node *next;
    int16_t key;
    uint8_t tag;
};

static struct node nodes[NODES];

static struct node *make_list(void)
{
    struct node *head = 0;
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i].next = head;
        nodes[i].key = (int16_t)(next() & 0x3FF) - 0x200;
        nodes[i].tag = (uint8_t)i;
        head = &nodes[i];
    }
    return head;
}

static struct node *reverse(struct node *list)
{
    struct node *done = 0;
    while (list) {
        struct node *rest = list->next;
        list->next = done;
        done = list;
        list = rest;
    }
    return done;
}

static int by_key(const struct node *a, const struct node *b)
{
    return a->key - b->key;
}

static int by_tag(const struct node *a, const struct node *b)
{
    return a->tag - b->tag;
}

typedef int compare(const struct node *a, const struct node *b);

static struct node *merge(struct node *a, struct node *b, compare *order)
{
    struct node first, *last = &first;
    while (a && b) {
        struct node **smaller = order(a, b) <= 0 ? &a : &b;
        last->next = *smaller;
        last = *smaller;
        *smaller = last->next;
    }
    last->next = a ? a : b;
    return first.next;
}

static struct node *sort(struct node *list, unsigned length, compare *order)
{
    if (length < 2)
        return list;
    struct node *middle = list;
    for (unsigned i = 1; i < length / 2; i++)
        middle = middle->next;
    struct node *second = middle->next;
    middle->next = 0;
    return merge(sort(list, length / 2, order), sort(second, length - length / 2, order), order);
}

static unsigned steps_to(const struct node *list, uint8_t tag)
{
    unsigned steps = 0;
    for (; list && list->tag != tag; list = list->next)
        steps++;
    return steps;
}

static uint16_t lists(uint16_t crc)
{
    struct node *list = sort(reverse(make_list()), NODES, by_key);
    for (unsigned tag = 0; tag < NODES; tag += 7)
        crc = crc_word(crc, steps_to(list, (uint8_t)tag));
    for (list = sort(list, NODES, by_tag); list; list = list->next)
        crc = crc_word(crc, (uint32_t)list->key);
    return crc;
}

/* ---- matrices ---- */

#define SIDE 9

static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
static int32_t c[SIDE][SIDE];

static void fill(int16_t m[SIDE][SIDE], int shift)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            m[i][j] = (int16_t)((int32_t)(next() & 0xFFFF) - 0x8000) >> shift;
}

static void multiply(int row_shift)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += (a[i][k] * b[k][j]) >> row_shift;
            c[i][j] = sum;
        }
}

static uint16_t matrices(uint16_t crc)
{
    for (int shift = 2; shift < 8; shift += 2) {
        fill(a, shift);
        fill(b, shift + 1);
        multiply(shift);
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++)
                crc = crc_word(crc, (uint32_t)c[i][j] / (uint32_t)(i + 1) + (uint32_t)c[j][i] % 7);
    }
    return crc;
}

/* ---- a state machine: which kind of number is a word? ---- */

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, BAD, STATES };

static enum state after(enum state state, char letter)
{
    int digit = letter >= '0' && letter <= '9', sign = letter == '+' || letter == '-';
    switch (state) {
    case START:
        return digit ? INTEGER : sign ? SIGN : letter == '.' ? POINT : BAD;
    case SIGN:
        return digit ? INTEGER : letter == '.' ? POINT : BAD;
    case INTEGER:
        return digit ? INTEGER : letter == '.' ? FRACTION : letter == 'e' ? EXPONENT : BAD;
    case POINT:
    case FRACTION:
        return digit ? FRACTION : letter == 'e' && state == FRACTION ? EXPONENT : BAD;
    case EXPONENT:
        return digit ? POWER : sign ? EXPONENT_SIGN : BAD;
    case EXPONENT_SIGN:
    case POWER:
        return digit ? POWER : BAD;
    default:
        return BAD;
    }
}

static uint16_t states(uint16_t crc)
{
    static const char letters[16] = "0123456789+-.e,x";
    uint16_t ended[STATES], entered[STATES];
    for (int i = 0; i < STATES; i++)
        ended[i] = entered[i] = 0;
    enum state state = START;
    for (int i = 0; i < 600; i++) {
        char letter = letters[next() & 15];
        if (letter == ',') {
            ended[state]++;
            state = START;
        } else {
            state = after(state, letter);
            entered[state]++;
        }
    }
    for (int i = 0; i < STATES; i++)
        crc = crc_word(crc, (uint32_t)ended[i] << 16 | entered[i]);
    return crc;
}

static uint32_t run(void)
{
    seed = 1;
    return states(matrices(lists(0xFFFF)));
}

#ifdef HOST

#include <stdio.h>

int main(void)
{
    printf("%x\n", (unsigned)run());
    return 0;
}

#else

void start(void);
void done(void);

__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
    (const void *)0x20008000, start};

__attribute__((noinline, noreturn)) void done(void)
{
    for (;;)
        ;
}

void start(void)
{
    checksum = run();
    done();
}

#endif
