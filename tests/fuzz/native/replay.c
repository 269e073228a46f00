/* SPDX-License-Identifier: MIT
 *
 * replay.c -- runs a fuzz target without libFuzzer: every file given, then mutations of them.
 *
 *     target SECONDS RUNS FILE...
 *
 * At least RUNS mutations, and as many as SECONDS allow. The input that is being tried is kept in
 * the file `last-input`, which a crash leaves behind. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LARGEST 4096u
#define MOST_FILES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input {
    uint8_t data[LARGEST];
    size_t size;
} inputs[MOST_FILES];

static uint32_t random_below(uint32_t limit)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % limit;
}

static void try_input(const struct input *in)
{
    FILE *file = fopen("last-input", "wb");
    if (!file || fwrite(in->data, 1, in->size, file) != in->size || fclose(file))
        exit(2);
    uint8_t *exact = malloc(in->size ? in->size : 1);   /* so that reading beyond it is found */
    memcpy(exact, in->data, in->size);
    LLVMFuzzerTestOneInput(exact, in->size);
    free(exact);
}

/* Change a byte, take some away, double some, or go on as another input does. */
static void mutate(struct input *in, int count)
{
    if (in->size == 0)
        in->data[in->size++] = (uint8_t)random_below(256);
    size_t at = random_below((uint32_t)in->size), left = in->size - at;
    size_t some = 1 + random_below((uint32_t)(left < 32 ? left : 32)) % left;
    const struct input *other = &inputs[random_below((uint32_t)count)];
    switch (random_below(5)) {
    case 0:
        in->data[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 1:
        in->data[at] = (uint8_t)random_below(256);
        break;
    case 2:
        memmove(in->data + at, in->data + at + some, left - some);
        in->size -= some;
        break;
    case 3:
        if (in->size + some <= LARGEST) {
            memmove(in->data + at + some, in->data + at, left);
            in->size += some;
        }
        break;
    default:
        if (at < other->size) {
            memcpy(in->data + at, other->data + at, other->size - at);
            in->size = other->size;
        }
    }
}

int main(int words, char **word)
{
    int count = words - 3;
    if (count < 1 || count > MOST_FILES)
        return 2;
    for (int i = 0; i < count; i++) {
        FILE *file = fopen(word[3 + i], "rb");
        if (!file)
            return 2;
        inputs[i].size = fread(inputs[i].data, 1, LARGEST, file);
        fclose(file);
        try_input(&inputs[i]);
    }
    static struct input tried;
    time_t until = time(NULL) + atol(word[1]);
    long least = atol(word[2]), runs = 0;
    for (; runs < least || time(NULL) < until; runs++) {
        tried = inputs[random_below((uint32_t)count)];
        for (uint32_t n = 1 + random_below(4); n; n--)
            mutate(&tried, count);
        try_input(&tried);
    }
    printf("%d files, %ld mutations\n", count, runs);
    return 0;
}
