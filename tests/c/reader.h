/*
 * A small JSON reader, so that the suites look at documents and not at their spelling. It trusts
 * nothing: text that is not JSON gives NULL. What it returns is lent until the end of the test.
 */
#ifndef SMOLWF_TESTS_READER_H
#define SMOLWF_TESTS_READER_H

#include <stdbool.h>
#include <stddef.h>

enum value_kind {
    VALUE_NULL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_ARRAY,
    VALUE_OBJECT
};

struct value {
    enum value_kind kind;
    long long integer;     /* of a number; valid when is_integer */
    bool is_integer;
    char *text;            /* of a text, NUL-terminated, unescaped */
    size_t text_len;
    size_t count;          /* items of an array, members of an object */
    struct value **items;
    char **keys;           /* of an object */
    const char *raw;       /* where the value stands in the text that was read */
    size_t raw_len;
};

struct value *value_read(const char *text);
/* Each of these takes NULL and answers NULL for what is not there. */
struct value *value_at(const struct value *array, size_t index);
struct value *value_in(const struct value *object, const char *key);
const char *text_in(const struct value *object, const char *key);
bool is_null_in(const struct value *object, const char *key);

#define CHECK_KEYS(object, ...)                                                                    \
    check_keys(__FILE__, __LINE__, (object), (const char *const[]){__VA_ARGS__},                   \
               COUNT_OF(((const char *const[]){__VA_ARGS__})))
#define CHECK_INT_IN(expected, object, key)                                                        \
    check_int_in(__FILE__, __LINE__, (expected), (object), (key))
#define CHECK_TEXT_IN(expected, object, key)                                                       \
    check_text(__FILE__, __LINE__, key, (expected), text_in((object), (key)))
/* Checks the value's own spelling, byte for byte. */
#define CHECK_RAW_IN(expected, object, key)                                                        \
    check_raw_in(__FILE__, __LINE__, (expected), (object), (key))

/* Checks that the object has exactly these keys, in any order. */
void check_keys(const char *file, int line, const struct value *object, const char *const *keys,
                size_t count);
void check_int_in(const char *file, int line, long long expected, const struct value *object,
                  const char *key);
void check_raw_in(const char *file, int line, const char *expected, const struct value *object,
                  const char *key);

#endif
