/* SHA-256 (FIPS 180-4), written for this example and given to the public domain.
 *
 *     struct sha256 hash;
 *     sha256_begin(&hash);
 *     sha256_add(&hash, bytes, count);      any number of times
 *     char text[SHA256_TEXT_CAP];
 *     sha256_end(&hash, text);              64 hexadecimal digits and a NUL
 */
#ifndef EXAMPLE_SHA256_H
#define EXAMPLE_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHA256_TEXT_CAP 65
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[SHA256_BLOCK]; /* the bytes that do not fill a block yet */
};

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t sha256_turn(uint32_t word, unsigned bits) {
    return word >> bits | word << (32 - bits);
}

/* Spreads the 16 words of a block over the 64 rounds. */
static void sha256_schedule(const unsigned char *block, uint32_t words[64]) {
    for (int i = 0; i < 16; i++) {
        const unsigned char *at = block + 4 * i;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t early = words[i - 15], late = words[i - 2];
        uint32_t low = sha256_turn(early, 7) ^ sha256_turn(early, 18) ^ early >> 3;
        uint32_t high = sha256_turn(late, 17) ^ sha256_turn(late, 19) ^ late >> 10;
        words[i] = words[i - 16] + low + words[i - 7] + high;
    }
}

static void sha256_compress(uint32_t state[8], const unsigned char *block) {
    uint32_t words[64];
    sha256_schedule(block, words);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = sha256_turn(e, 6) ^ sha256_turn(e, 11) ^ sha256_turn(e, 25);
        uint32_t one = h + sum1 + ((e & f) ^ (~e & g)) + sha256_constants[i] + words[i];
        uint32_t sum0 = sha256_turn(a, 2) ^ sha256_turn(a, 13) ^ sha256_turn(a, 22);
        uint32_t two = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256_begin(struct sha256 *hash) {
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, first, sizeof first);
    hash->bytes = 0;
}

static void sha256_add(struct sha256 *hash, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        size_t filled = (size_t)(hash->bytes % SHA256_BLOCK);
        size_t taken = SHA256_BLOCK - filled < count ? SHA256_BLOCK - filled : count;
        memcpy(hash->block + filled, bytes, taken);
        hash->bytes += taken;
        bytes += taken;
        count -= taken;
        if (hash->bytes % SHA256_BLOCK == 0) sha256_compress(hash->state, hash->block);
    }
}

static void sha256_end(struct sha256 *hash, char text[SHA256_TEXT_CAP]) {
    static const unsigned char padding[SHA256_BLOCK] = {0x80};
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = hash->bytes * 8;
    size_t filled = (size_t)(hash->bytes % SHA256_BLOCK);
    sha256_add(hash, padding, filled < 56 ? 56 - filled : 120 - filled);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(hash, length, sizeof length);
    for (int i = 0; i < 64; i++) {
        uint32_t word = hash->state[i / 8];
        text[i] = digits[word >> (28 - 4 * (i % 8)) & 15];
    }
    text[64] = '\0';
}

#endif
